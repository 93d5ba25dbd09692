"""Mutation operators for the Lua scripts inside a solution: a few edits on the text."""

from __future__ import annotations

import re
from collections.abc import Iterator

Edit = tuple[str, int, int, str]
"""Operator, start and stop in the text, replacement."""

# Comments and quoted text are matched first, and thereby skipped.
_TOKEN = re.compile(
    r"""
    (?P<skip> --[^\n]* | "[^"\n]*" | '[^'\n]*' | (?:KEYS|ARGV)\[\d+\] )
    | (?P<comparison> <= | >= | == | ~= | < | > )
    | (?P<number> (?<![\w.]) \d+ (?![\w.]) )
    | (?P<logic> \b(?:and|or)\b )
    """,
    re.VERBOSE,
)
_SWAPS = {"<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "~=", "~=": "==", "and": "or", "or": "and"}
_CALL = re.compile(r"^[ \t]*(redis\.call\(.*\))[ \t]*$", re.MULTILINE)


def lua_edits(literal: str) -> Iterator[Edit]:
    """The edits of one Python string literal, as it stands in the source, that holds a Lua script.

    Comparison swap, constant ±1, and/or, and each `redis.call` that is a statement of its own dropped.
    A literal made of several adjacent ones yields none.
    """
    quote = next((mark for mark in ('"""', "'''", '"', "'") if mark in literal), None)
    if quote is None or not literal.endswith(quote) or literal.count(quote) != 2:
        return
    first = literal.index(quote) + len(quote)
    script = literal[first : -len(quote)]
    for call in _CALL.finditer(script):
        yield "lua-drop-call", first + call.start(1), first + call.end(1), "--"
    for token in _TOKEN.finditer(script):
        start, stop, text = first + token.start(), first + token.end(), token[0]
        if token.lastgroup == "comparison":
            yield "lua-comparison", start, stop, _SWAPS[text]
        elif token.lastgroup == "logic":
            yield "lua-and-or", start, stop, _SWAPS[text]
        elif token.lastgroup == "number":
            yield "lua-constant+1", start, stop, str(int(text) + 1)
            yield "lua-constant-1", start, stop, str(int(text) - 1)
