"""A solution's source text, line by line, as the stub derived from it needs it."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterable

RULE = re.compile(r"rule (\d+)\Z")
_MARK = re.compile(r"#\s*stub:\s*(.*?)\s*$")

Function = ast.FunctionDef | ast.AsyncFunctionDef


class StubError(Exception):
    """No stub can be derived from a solution; the message names the line and the remedy."""


class Lines:
    """A solution's lines without their comments, and what its `# stub:` comments say."""

    def __init__(self, source: str) -> None:
        # form feeds and the like are no line breaks to Python, so not splitlines()
        self._source = source.split("\n")
        self._clean: list[str | None] = list(self._source)
        self._marks: dict[int, str] = {}
        self._alone: set[int] = set()
        self._documents: set[int] = set()
        for token in tokenize.generate_tokens(io.StringIO(source).readline):
            if token.type == tokenize.COMMENT:
                self._comment(token)

    def _comment(self, token: tokenize.TokenInfo) -> None:
        line, column = token.start
        before = self._source[line - 1][:column].rstrip()
        if not before:
            self._alone.add(line)
        if mark := _MARK.match(token.string):
            if mark[1] not in ("keep", "drop") and not RULE.match(mark[1]):
                raise StubError(f"line {line}: {token.string!r} is no stub comment. Write keep, drop or rule N.")
            self._marks[line] = mark[1]
        elif token.string.startswith("#:"):
            self._documents.add(line)
            return
        self._clean[line - 1] = before or None
        if not before:
            self._close_gap(line)

    def _close_gap(self, line: int) -> None:
        """Two blank lines that a removed comment stood between become one."""
        above = next((text for text in reversed(self._clean[: line - 1]) if text is not None), None)
        if above == "" and self._clean[line : line + 1] == [""]:
            self._clean[line] = None

    def start(self, node: ast.stmt) -> int:
        """The first line of a statement: its decorators and `#:` comments above belong to it."""
        decorators = node.decorator_list if isinstance(node, Function | ast.ClassDef) else []
        first = min([node.lineno, *(decorator.lineno for decorator in decorators)])
        while first - 1 in self._documents & self._alone:
            first -= 1
        return first

    def mark(self, node: ast.stmt) -> str | None:
        """What the statement's `# stub:` comment says, if it has one."""
        first = self.start(node)
        last = node.end_lineno or node.lineno
        if isinstance(node, Function | ast.ClassDef):
            last = self.start(node.body[0]) - 1
        above = [first - 1] if first - 1 in self._alone else []
        for line in (*above, *range(first, max(last, node.lineno) + 1)):
            if line in self._marks:
                return self._marks[line]
        return None

    def text(self, first: int, last: int) -> str:
        """Lines first to last, both included, counted from 1."""
        return "\n".join(line for line in self._clean[first - 1 : last] if line is not None)

    def whole(self, node: ast.stmt) -> str:
        return self.text(self.start(node), node.end_lineno or node.lineno)

    def header(self, node: Function | ast.ClassDef) -> str:
        """From `def` or `class` to the colon, without decorators."""
        body = node.body[0]
        first, column = self.start(body), body.col_offset if self.start(body) == node.lineno else 0
        text = self.text(node.lineno, first - 1) if first > node.lineno else ""
        return text or self._source[first - 1].encode()[:column].decode().rstrip()

    def blank_between(self, above: ast.stmt, below: ast.stmt, dropped: Iterable[ast.stmt]) -> bool:
        """Whether the author left a blank line between two statements, outside the dropped ones."""
        inside = {line for node in dropped for line in range(node.lineno, (node.end_lineno or 0) + 1)}
        gap = range((above.end_lineno or above.lineno) + 1, self.start(below))
        return any(not self._source[line - 1].strip() for line in gap if line not in inside)
