"""Pristine stubs, derived from the solutions, so that a stub can neither drift nor get lost.

What a solution promises stays: the module's docstring, public constants, types, exceptions and
protocols, and every public function, class and method with its signature and docstring. How it
keeps the promise goes: bodies become `raise NotImplementedError`, and private names, multi-line
string constants (Lua scripts) and comments are left out. Something private or lower-case stays when
a signature, a base class or a constant that is kept refers to it; unused imports go.

A comment on a definition's first line, or alone on the line above it, overrides the default:

    # stub: keep     the whole definition, body included
    # stub: drop     nothing of it
    # stub: rule 3   the body, but name the rule to start with

A comment that starts with `#:` documents a public name and stays. The derived text is built from
the solution's own lines, so a solution that is clean under `ruff format` gives a clean stub.

A class repository has no solutions, and the stubs that were derived when it was made instead.
"""

from __future__ import annotations

import ast
import os
import re
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dojo.catalog import Kata, is_class_repository
from dojo.stub_source import RULE, Function, Lines, StubError

__all__ = ["StubError", "derive_stub", "is_pristine", "stub_of", "write_stub"]

LINE_LENGTH = 120  # as in pyproject.toml; decides how a shortened import is written

_EXCEPTION = re.compile(r"(Error|Exception|Warning|ExceptionGroup)\Z")

Import = ast.Import | ast.ImportFrom


def derive_stub(source: str) -> str:
    """The stub of a solution's source text.

    Raises StubError on a syntax error or on a `# stub:` comment that says none of keep, drop, rule N.
    """
    try:
        tree = ast.parse(source)
    except SyntaxError as error:
        raise StubError(f"line {error.lineno}: {error.msg}. The solution must be valid Python.") from error
    return _Module(Lines(source), tree).render()


def stub_of(kata: Kata) -> str:
    """The pristine stub of a kata. Raises StubError if its solution is missing or wrong."""
    kept = is_class_repository(kata.root) and not kata.solution.is_file()
    source = kata.pristine if kept else kata.solution
    try:
        text = source.read_text(encoding="utf-8")
        return text if kept else derive_stub(text)
    except (OSError, UnicodeDecodeError) as error:
        raise StubError(f"cannot read {source}: {error}. Restore it from a fresh clone.") from error
    except StubError as error:
        raise StubError(f"{kata.solution}, {error}") from error


def is_pristine(kata: Kata) -> bool:
    """Whether the learner's file is still the stub, byte for byte; False if it is not there."""
    return kata.stub.is_file() and kata.stub.read_bytes() == stub_of(kata).encode()


def write_stub(kata: Kata) -> Path:
    """Write the pristine stub over the learner's file, atomically, and return its path.

    Keeps no backup: that is the caller's choice. Raises StubError if none can be derived.
    """
    text = stub_of(kata)
    kata.directory.mkdir(parents=True, exist_ok=True)
    draft = kata.stub.with_name(f".{kata.stub.name}.new")
    draft.write_bytes(text.encode())
    os.replace(draft, kata.stub)
    return kata.stub


@dataclass
class _Module:
    """One solution on its way to a stub."""

    lines: Lines
    tree: ast.Module
    functions: set[str] = field(init=False)
    exceptions: set[str] = field(default_factory=set)
    raising: set[str] = field(init=False)
    """Names whose call would raise in the stub."""

    def __post_init__(self) -> None:
        self.functions = {node.name for node in self.tree.body if isinstance(node, Function)}
        self.raising = set(self.functions)
        for node in self.tree.body:
            if isinstance(node, ast.ClassDef):
                if any(_EXCEPTION.search(b) or b in self.exceptions for b in _base_names(node)):
                    self.exceptions.add(node.name)
                elif {"__init__", "__new__", "__post_init__"} & set(_defined(node.body)):
                    self.raising.add(node.name)

    def render(self) -> str:
        body = self.tree.body[1:] if ast.get_docstring(self.tree) is not None else self.tree.body
        texts = self._chosen(body)
        needed = set().union(*map(_names_in, texts.values()))
        for node in reversed(body):  # a block that asks for TYPE_CHECKING follows its import
            if (imports := self._imports(node, needed)) is not None:
                texts[node] = imports
                needed |= _names_in(imports)
        if body is not self.tree.body:
            texts[self.tree.body[0]] = self.lines.whole(self.tree.body[0])
        ordered = [(node, texts[node]) for node in self.tree.body if node in texts]
        return self._join(ordered, self.tree.body, around_definitions=2) + "\n"

    def _chosen(self, body: Sequence[ast.stmt]) -> dict[ast.stmt, str]:
        """The texts of what is public or marked, and of whatever those refer to."""
        by_name = {name: node for node in body for name in _defined([node])}
        waiting = [node for node in body if self._is_wanted(node)]
        texts: dict[ast.stmt, str] = {}
        while waiting:
            node = waiting.pop()
            if node in texts or self.lines.mark(node) == "drop":
                continue
            texts[node] = self._statement(node)
            waiting += [by_name[name] for name in sorted(_names_in(texts[node])) if name in by_name]
        return texts

    def _is_wanted(self, node: ast.stmt) -> bool:
        if (mark := self.lines.mark(node)) is not None:
            return mark != "drop" and not isinstance(node, Import)
        names = _defined([node])
        if isinstance(node, Function | ast.ClassDef):
            return _is_public(names[0])
        if not isinstance(node, ast.Assign | ast.AnnAssign):
            return False
        return any(_is_public(name) and name != name.lower() for name in names) and not self._is_secret(node)

    def _is_secret(self, node: ast.Assign | ast.AnnAssign) -> bool:
        """A script, or a value that importing the stub could not compute."""
        for part in ast.walk(node):
            if isinstance(part, ast.Constant) and isinstance(part.value, str) and "\n" in part.value:
                return True
            if isinstance(part, ast.Call) and _root(part.func) in self.raising:
                return True
        return False

    def _statement(self, node: ast.stmt) -> str:
        if self.lines.mark(node) != "keep":
            if isinstance(node, Function):
                return self._function(node, node.name)
            if isinstance(node, ast.ClassDef):
                return self._class(node, node.name)
        return self.lines.whole(node)

    def _class(self, node: ast.ClassDef, qualname: str) -> str:
        if node.name in self.exceptions or "Protocol" in _base_names(node):
            return self.lines.whole(node)
        kept: list[tuple[ast.stmt, str]] = []
        for index, member in enumerate(node.body):
            previous = node.body[index - 1] if index else None
            if (text := self._member(member, previous, kept, qualname)) is not None:
                kept.append((member, text))
        indent = " " * (node.col_offset + 4)
        inside = self._join(kept, node.body, around_definitions=1) or f"{indent}..."
        return "\n".join([*self._decorators(node), self.lines.header(node), inside])

    def _member(
        self, node: ast.stmt, previous: ast.stmt | None, kept: list[tuple[ast.stmt, str]], qualname: str
    ) -> str | None:
        mark = self.lines.mark(node)
        if mark == "drop":
            return None
        if _is_text(node):  # the class's docstring, or the docstring of the attribute above
            documented = previous is None or (bool(kept) and kept[-1][0] is previous)
            return self.lines.whole(node) if documented else None
        names = _defined([node])
        if mark == "keep":
            return self.lines.whole(node)
        if not names or not (_is_public(names[0]) or names[0] == "_") or names[0] in ("__slots__", "__repr__"):
            return None
        if isinstance(node, Function):
            return self._function(node, f"{qualname}.{node.name}")
        if isinstance(node, ast.ClassDef):
            return self._class(node, f"{qualname}.{node.name}")
        return self.lines.whole(node)

    def _function(self, node: Function, qualname: str) -> str:
        documented = _is_text(node.body[0])
        rest = node.body[1:] if documented else node.body
        if all(map(_is_bodiless, rest)):  # an overload or an abstract method
            return self.lines.whole(node)
        rule = RULE.match(self.lines.mark(node) or "")
        what = f"start with rule {rule[1]} of README.md" if rule else "its rules stand in README.md"
        indent = " " * (node.col_offset + 4)
        text = [*self._decorators(node), self.lines.header(node)]
        if documented:
            text.append(self.lines.whole(node.body[0]))
        text.append(f'{indent}raise NotImplementedError("{qualname} is yours to write; {what}")')
        if isinstance(node, ast.AsyncFunctionDef) and _yields(node):
            # without it, callers would get a coroutine where the contract says iterator
            text.append(f"{indent}yield  # this is an async generator")
        return "\n".join(text)

    def _decorators(self, node: Function | ast.ClassDef) -> list[str]:
        """The decorators that the stub can apply: not those that are stubs themselves."""
        return [
            self.lines.text(decorator.lineno, decorator.end_lineno or decorator.lineno)
            for decorator in node.decorator_list
            if _root(decorator) not in self.functions
        ]

    def _imports(self, node: ast.stmt, needed: set[str]) -> str | None:
        """What is left of an import statement, or of an `if TYPE_CHECKING:` block of them."""
        if isinstance(node, ast.If) and all(isinstance(part, Import) for part in node.body):
            left = [text for part in node.body if (text := self._imports(part, needed)) is not None]
            return "\n".join([self.lines.text(node.lineno, node.lineno), *left]) if left else None
        if not isinstance(node, Import) or self.lines.mark(node) == "drop":
            return None
        if isinstance(node, ast.ImportFrom) and node.module == "__future__":
            return self.lines.whole(node)
        left_names = [a for a in node.names if (a.asname or a.name).partition(".")[0] in needed]
        if left_names == node.names or self.lines.mark(node) == "keep":
            return self.lines.whole(node)
        return _import_text(node, left_names) if left_names else None

    def _join(self, kept: Sequence[tuple[ast.stmt, str]], body: Sequence[ast.stmt], *, around_definitions: int) -> str:
        dropped = [node for node in body if node not in {node for node, _ in kept}]
        text = ""
        for index, (node, part) in enumerate(kept):
            if index:
                above = kept[index - 1][0]
                text += "\n" * (1 + self._gap(above, node, index == 1, dropped, around_definitions))
            text += part
        return text

    def _gap(self, above: ast.stmt, below: ast.stmt, first: bool, dropped: list[ast.stmt], around: int) -> int:
        if any(isinstance(node, Function | ast.ClassDef) for node in (above, below)):
            return around
        if (first and _is_text(above)) or (_is_import(above) and not _is_import(below)):
            return 1
        return int(self.lines.blank_between(above, below, dropped))


def _defined(body: Iterable[ast.stmt]) -> list[str]:
    """The names that statements bind, imports apart."""
    names: list[str] = []
    for node in body:
        if isinstance(node, Function | ast.ClassDef):
            names.append(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names += [part.id for t in targets for part in ast.walk(t) if isinstance(part, ast.Name)]
    return names


def _names_in(text: str) -> set[str]:
    """Every name that a rendered piece refers to, those in quoted annotations included."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(textwrap.dedent(text))):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            names.add(node.id)
        for attribute in ("annotation", "returns"):
            hint = getattr(node, attribute, None)
            for part in ast.walk(hint) if isinstance(hint, ast.AST) else ():
                if isinstance(part, ast.Constant) and isinstance(part.value, str):
                    names.update(re.findall(r"[A-Za-z_]\w*", part.value))
    return names


def _base_names(node: ast.ClassDef) -> Iterator[str]:
    for base in node.bases:
        inner = base.value if isinstance(base, ast.Subscript) else base
        yield inner.attr if isinstance(inner, ast.Attribute) else getattr(inner, "id", "")


def _root(expression: ast.expr) -> str | None:
    """The leftmost name of `name`, `name.attribute` or `name(...)`."""
    while isinstance(expression, ast.Attribute | ast.Call):
        expression = expression.value if isinstance(expression, ast.Attribute) else expression.func
    return expression.id if isinstance(expression, ast.Name) else None


def _yields(node: ast.AST) -> bool:
    inner = (child for child in ast.iter_child_nodes(node) if not isinstance(child, Function | ast.Lambda))
    return any(isinstance(child, ast.Yield) or _yields(child) for child in inner)


def _is_public(name: str) -> bool:
    return not name.startswith("_") or (name.startswith("__") and name.endswith("__"))


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _is_bodiless(node: ast.stmt) -> bool:
    """Whether a statement stands where a body is left out: `...` or `raise NotImplementedError`."""
    if isinstance(node, ast.Raise):
        return node.exc is not None and _root(node.exc) == "NotImplementedError"
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and node.value.value is ...


def _is_import(node: ast.stmt) -> bool:
    return isinstance(node, Import | ast.If)


def _import_text(node: Import, names: list[ast.alias]) -> str:
    indent = " " * node.col_offset
    parts = [f"{a.name} as {a.asname}" if a.asname else a.name for a in names]
    if isinstance(node, ast.Import):
        return f"{indent}import {', '.join(parts)}"
    source = f"{indent}from {'.' * node.level}{node.module or ''} import"
    line = f"{source} {', '.join(parts)}"
    if len(line) <= LINE_LENGTH:
        return line
    return "\n".join([f"{source} (", *(f"{indent}    {part}," for part in parts), f"{indent})"])
