"""What of a text counts when two are compared: its code, without all that is changed easily.

A text becomes a sequence of symbols. Every name to which Python itself gives no meaning is the same symbol, and so is
every number and every one-line string. Comments, docstrings, imports, annotations, layout and trailing commas are not
in it. A text in several lines, such as a Lua script, is code too: its words stand for themselves if they are keywords
or commands, and are names otherwise.

This file is also a program, which does that for one text after another, so that a text over which it hangs or dies
ends it and nothing else: see `reading`. It imports nothing but the standard library.
"""

from __future__ import annotations

import builtins
import contextlib
import io
import json
import keyword
import re
import signal
import struct
import sys
import tokenize
from collections.abc import Iterable, Iterator
from zlib import crc32

MAX_BYTES = 256 << 10
MAX_TOKENS = 10_000
"""Of one text, about seven times as many as the longest solution has. What is longer is not compared."""

MEMORY_BYTES = 1 << 30
"""Of the program."""

_KNOWN = frozenset(keyword.kwlist) | {name for name in dir(builtins) if not name.startswith("_")}
_LUA = frozenset(
    re.findall(
        r"\w+",
        "and break do else elseif end false for function goto if in local nil not or repeat return then true until "
        "while ipairs pairs tonumber tostring unpack table string math",
    )
)
_EMBEDDED = re.compile(r"--.*|[A-Za-z_]\w*|\d+(?:\.\d+)?|[^\w\s]")
_STRING = re.compile(r"[A-Za-z]{0,3}('''|\"\"\"|'|\")")
_OPENING, _CLOSING = frozenset("([{"), frozenset(")]}")
_NO_CODE = frozenset((tokenize.COMMENT, tokenize.NL, tokenize.INDENT, tokenize.DEDENT, tokenize.ENCODING))
_LEFT_OUT = (("pass",), ("...",), ("return",), ("return", "None"))
"""Bodies that say no more than the stub's own."""

Token = tuple[str, int]
"""A symbol and the line that it stands in."""


class NotComparedError(Exception):
    """Why a text cannot be compared."""


def symbols(data: bytes) -> tuple[list[int], list[int]]:
    """The symbols of a text, as numbers that are the same in every process, and the line of each.

    Of a text that breaks off, by an unclosed bracket for instance, those before. Raises NotComparedError.
    """
    if len(data) > MAX_BYTES:
        raise NotComparedError(f"longer than {MAX_BYTES >> 10} KiB")
    found: list[Token] = []
    for token in _tokens(data):
        found.append(token)
        if len(found) > MAX_TOKENS:
            raise NotComparedError(f"more than {MAX_TOKENS:,} tokens")
    return [crc32(symbol.encode()) for symbol, _ in found], [line for _, line in found]


def text_of(data: bytes) -> str:
    """A source file's text, decoded as Python would. Raises NotComparedError."""
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        return data.decode(encoding)
    except (SyntaxError, LookupError, UnicodeError, ValueError) as error:
        raise NotComparedError("not UTF-8 text") from error


def _tokens(data: bytes) -> Iterator[Token]:
    text = text_of(data).replace("\r\n", "\n").replace("\r", "\n")
    if "\0" in text:
        raise NotComparedError("not a text: it holds NUL characters")
    line: list[tuple[str, int]] = []
    try:
        for each in _merged(tokenize.generate_tokens(io.StringIO(text).readline)):
            if each.type in (tokenize.NEWLINE, tokenize.ENDMARKER) or each.string == ";":
                yield from _logical_line(line)
                line = []
            elif each.type not in _NO_CODE:
                line.append((each.string, each.start[0]))
    except (tokenize.TokenError, SyntaxError):
        pass
    yield from _logical_line(line)


def _merged(tokens: Iterable[tokenize.TokenInfo]) -> Iterator[tokenize.TokenInfo]:
    """The same for every version of Python: an f-string is one token, as it was before 3.12."""
    depth, first = 0, None
    for number, token in enumerate(tokens):
        if number > 4 * MAX_TOKENS:  # comments and empty lines take time as well
            raise NotComparedError(f"more than {4 * MAX_TOKENS:,} tokens, comments and line ends included")
        kind = tokenize.tok_name[token.type]
        if kind in ("FSTRING_START", "TSTRING_START"):
            depth, first = depth + 1, first or token
        elif kind in ("FSTRING_END", "TSTRING_END"):
            depth -= 1
            if not depth and first is not None:
                yield first._replace(type=tokenize.STRING, string="f''")
                first = None
        elif not depth:
            yield token


def _logical_line(line: list[tuple[str, int]]) -> Iterator[Token]:
    """The symbols of one statement, or of one line of a compound one."""
    if not line or line[0][0] in ("import", "from", "global", "nonlocal"):
        return
    words = tuple(word for word, _ in line)
    if all(_STRING.match(word) for word in words):  # a docstring
        return
    if words in _LEFT_OUT or words[:2] == ("raise", "NotImplementedError"):
        yield "pass", line[0][1]
        return
    bare = list(_without_annotations(line))
    for place, (word, number) in enumerate(bare):
        if word == "," and place + 1 < len(bare) and bare[place + 1][0] in _CLOSING:
            continue
        yield from _symbols_of(word, number)
    if words[-1] != ":":
        yield "\n", line[-1][1]


def _symbols_of(word: str, number: int) -> Iterator[Token]:
    if word in _KNOWN:
        yield word, number
    elif word.isidentifier():
        yield "name", number
    elif word[0].isdigit() or (word[0] == "." and word[1:2].isdigit()):
        yield "0", number
    elif opening := _STRING.match(word):
        inside = word[opening.end() : -len(opening[1])].replace("\\n", "\n")
        if inside.count("\n") > 1:
            yield from _embedded(inside, number, step=int("\n" in word))
        else:
            yield "''", number
    else:
        yield word, number


def _embedded(text: str, number: int, step: int) -> Iterator[Token]:
    """A script in a string, whose lines are those of the file (`step` 1), or all in one with escapes between (0)."""
    for offset, line in enumerate(text.split("\n")):
        for word in _EMBEDDED.findall(line):
            if word.startswith("--"):
                continue
            if word[0].isdigit():
                yield "0", number + offset * step
            elif word.isidentifier():
                known = word in _LUA or (word.isupper() and len(word) > 2)
                yield word if known else "name", number + offset * step
            elif word not in "'\"":
                yield word, number + offset * step


def _without_annotations(line: list[tuple[str, int]]) -> Iterator[tuple[str, int]]:
    """A line without the types of parameters, results and variables."""
    definition = any(word == "def" for word, _ in line[:2])
    target = not definition and line[0][0] not in keyword.kwlist and line[0][0].isidentifier()
    wanted = 1 if definition else 0
    depth, skipping = 0, ""
    for place, (word, number) in enumerate(line):
        if skipping and depth == (wanted if skipping == ":" else 0):
            ends = (",", "=", ")") if skipping == ":" else (":",)
            if word in ends or (not definition and word == "="):
                skipping = ""
        if word in _OPENING:
            depth += 1
        elif word in _CLOSING:
            depth -= 1
        if not skipping:
            if definition and word == "->" and depth == 0:
                skipping = "->"
            elif word == ":" and depth == wanted and (definition or target) and place + 1 < len(line):
                skipping = ":"
        if not skipping:
            yield word, number


def main(patience: int) -> None:
    """Answers each text on standard input, after its length in four bytes, with JSON, after its length."""
    with contextlib.suppress(ImportError, ValueError, OSError):  # not on every system
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    while header := sys.stdin.buffer.read(4):
        data = sys.stdin.buffer.read(*struct.unpack("<I", header))
        signal.alarm(2 * patience)  # for when nobody is left to stop us
        answer: object
        try:
            answer = symbols(data)
        except NotComparedError as error:
            answer = str(error)
        except (RecursionError, MemoryError, ValueError):
            answer = "cannot be read as Python"
        signal.alarm(0)
        reply = json.dumps(answer).encode()
        sys.stdout.buffer.write(struct.pack("<I", len(reply)) + reply)
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]))
