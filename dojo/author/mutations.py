"""Generic mutation operators: small faults that a good test suite notices.

Each mutation changes one place in a solution's text, so that its diff is one line and its line numbers
are the original's. The operators are the usual ones (Jia & Harman, "An analysis and survey of the
development of mutation testing", IEEE TSE 37(5), 2011): relational and logical operators, constants,
negated conditions, arithmetic, dropped statements and arguments, returned values.

Left alone: docstrings and other text, annotations and typing code, `__all__`, the texts of raised
errors, log calls, `@dataclass` options, and `if __name__ == "__main__"`. Nothing about them is
behaviour that a kata promises.
"""

from __future__ import annotations

import ast
import io
import tokenize
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass

from dojo.author.lua import lua_edits


@dataclass(frozen=True, slots=True)
class Mutation:
    """One changed place in a source text."""

    operator: str
    line: int
    """From 1, as editors count."""
    column: int
    """From 0, in characters."""
    start: int
    stop: int
    replacement: str

    @property
    def id(self) -> str:
        """Unique in its source, and the same in each run."""
        return f"{self.operator}@{self.line}:{self.column}"

    def apply(self, source: str) -> str:
        return source[: self.start] + self.replacement + source[self.stop :]


_COMPARISONS: dict[type[ast.cmpop], tuple[str, str]] = {
    ast.Lt: ("<", "<="),
    ast.LtE: ("<=", "<"),
    ast.Gt: (">", ">="),
    ast.GtE: (">=", ">"),
    ast.Eq: ("==", "!="),
    ast.NotEq: ("!=", "=="),
    ast.In: ("in", "not in"),
    ast.NotIn: ("not in", "in"),
    ast.Is: ("is", "is not"),
    ast.IsNot: ("is not", "is"),
}
# Of these the swap is the negation, so that negating the condition would only repeat it.
_EQUALITIES = (ast.Eq, ast.NotEq, ast.In, ast.NotIn, ast.Is, ast.IsNot)
_ARITHMETIC: dict[type[ast.operator], tuple[str, str]] = {
    ast.Add: ("+", "-"),
    ast.Sub: ("-", "+"),
    ast.Mult: ("*", "/"),
    ast.Div: ("/", "*"),
    ast.FloorDiv: ("//", "/"),
    ast.Mod: ("%", "*"),
    ast.Pow: ("**", "*"),
}
_LOGGERS = {"log", "logger", "logging", "_log", "_logger"}
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def mutations(source: str) -> tuple[Mutation, ...]:
    """Every mutation of a module's source text, in the order of their places.

    None of them is a syntax error, none leaves the syntax tree as it was, and no two give the same text.
    Raises SyntaxError if the source itself is wrong.
    """
    tree = ast.parse(source)
    original = ast.dump(tree)
    found = sorted(_Finder(source).found(tree), key=lambda m: (m.start, m.operator, m.stop))
    texts: set[str] = set()
    kept: list[Mutation] = []
    for mutation in found:
        text = mutation.apply(source)
        if text in texts or not _changes(text, original):
            continue
        texts.add(text)
        kept.append(mutation)
    return tuple(kept)


def _changes(text: str, original: str) -> bool:
    try:
        return ast.dump(ast.parse(text)) != original
    except SyntaxError:
        return False


class _Finder:
    def __init__(self, source: str) -> None:
        self._source = source
        self._lines = source.splitlines(keepends=True)
        self._starts = [0]
        for line in self._lines:
            self._starts.append(self._starts[-1] + len(line))
        self._tokens = [
            (self._starts[token.start[0] - 1] + token.start[1], token.type, token.string)
            for token in tokenize.generate_tokens(io.StringIO(source).readline)
            if token.type in (tokenize.OP, tokenize.NAME)
        ]
        self._offsets = [offset for offset, _, _ in self._tokens]

    # places

    def _offset(self, line: int, column: int) -> int:
        """Syntax trees count columns in UTF-8 bytes."""
        text = self._lines[line - 1] if line <= len(self._lines) else ""
        return self._starts[line - 1] + len(text.encode()[:column].decode())

    def _span(self, node: ast.expr | ast.stmt) -> tuple[int, int]:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        start = self._offset(node.lineno, node.col_offset)
        return start, self._offset(node.end_lineno, node.end_col_offset)

    def _text(self, node: ast.expr) -> str:
        start, stop = self._span(node)
        return self._source[start:stop]

    def _edit(self, operator: str, start: int, stop: int, replacement: str) -> Mutation:
        line = bisect_left(self._starts, start + 1)
        return Mutation(operator, line, start - self._starts[line - 1], start, stop, replacement)

    def _replace(self, operator: str, node: ast.expr | ast.stmt, replacement: str) -> Mutation:
        return self._edit(operator, *self._span(node), replacement)

    def _between(self, left: ast.expr, right: ast.expr, word: str) -> tuple[int, int] | None:
        """Where the operator `word`, of one or two tokens, stands between two operands."""
        first = bisect_left(self._offsets, self._span(left)[1])
        last = bisect_left(self._offsets, self._span(right)[0])
        wanted = word.split()
        for index in range(first, last - len(wanted) + 1):
            tokens = self._tokens[index : index + len(wanted)]
            if [string for _, _, string in tokens] == wanted:
                return tokens[0][0], tokens[-1][0] + len(tokens[-1][2])
        return None

    # the walk

    def found(self, tree: ast.Module) -> Iterator[Mutation]:
        yield from self._body(tree.body, defined=set())

    def _body(self, body: list[ast.stmt], defined: set[str]) -> Iterator[Mutation]:
        for statement in body:
            if not _is_docstring(statement) and not _is_typing(statement):
                yield from self._statement(statement, defined)

    def _statement(self, node: ast.stmt, defined: set[str]) -> Iterator[Mutation]:
        if isinstance(node, _FUNCTIONS):
            yield from self._function(node)
            return
        if isinstance(node, ast.ClassDef):
            for decorator in node.decorator_list:
                if _root(decorator) != "dataclass":
                    yield from self._expression(decorator)
            yield from self._body(node.body, defined=set())
            return
        if _is_log_call(node):
            return
        if _is_droppable(node, defined):
            yield self._replace("drop-statement", node, "pass")
        defined |= _bound(node)
        if isinstance(node, ast.AugAssign) and type(node.op) in _ARITHMETIC:
            old, new = _ARITHMETIC[type(node.op)]
            if place := self._between(node.target, node.value, f"{old}="):
                yield self._edit("arithmetic", *place, f"{new}=")
        if isinstance(node, ast.Return) and node.value is not None and not _is_none(node.value):
            yield self._replace("return-none", node.value, "None")
        if isinstance(node, ast.If | ast.While | ast.Assert):
            yield from self._negated(node.test)
        if isinstance(node, ast.Raise):
            yield from self._raised(node)
            return
        for field, value in ast.iter_fields(node):
            if field != "annotation":
                yield from self._part(value, defined)
        # What a branch binds may or may not be there after it: then dropping a rebinding is fair.
        defined |= set().union(*(_bound(inner) for inner in ast.walk(node)))

    def _part(self, part: object, defined: set[str]) -> Iterator[Mutation]:
        if isinstance(part, list):
            inside = set(defined)  # one branch does not see the names of another
            for element in part:
                if isinstance(element, ast.stmt):
                    yield from self._body([element], inside)
                else:
                    yield from self._part(element, inside)
        elif isinstance(part, ast.expr):
            yield from self._expression(part)
        elif isinstance(part, ast.ExceptHandler | ast.withitem | ast.match_case):
            for _, value in ast.iter_fields(part):
                yield from self._part(value, defined)

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[Mutation]:
        if any(_root(decorator) in ("overload", "abstractmethod") for decorator in node.decorator_list):
            return
        for expression in (*node.decorator_list, *node.args.defaults, *node.args.kw_defaults):
            if expression is not None:
                yield from self._expression(expression)
        arguments = (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)
        extra = [node.args.vararg, node.args.kwarg]
        yield from self._body(node.body, {argument.arg for argument in (*arguments, *extra) if argument})

    def _raised(self, node: ast.Raise) -> Iterator[Mutation]:
        for part in ast.walk(node):
            if isinstance(part, ast.Call):
                for keyword in part.keywords:
                    yield from self._expression(keyword.value)
                for argument in part.args:
                    if not any(isinstance(text, ast.JoinedStr | ast.Constant) for text in ast.walk(argument)):
                        yield from self._expression(argument)

    def _expression(self, node: ast.expr) -> Iterator[Mutation]:
        if isinstance(node, ast.JoinedStr):
            return  # before Python 3.12 the places inside are not told reliably
        yield from self._here(node)
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):
                yield from self._expression(child)
            elif isinstance(child, ast.keyword):
                yield from self._expression(child.value)
            elif isinstance(child, ast.comprehension):
                yield from self._expression(child.iter)
                for condition in child.ifs:
                    yield from self._negated(condition)
                    yield from self._expression(condition)
            elif isinstance(child, ast.arguments):
                for default in (*child.defaults, *child.kw_defaults):
                    if default is not None:
                        yield from self._expression(default)

    def _here(self, node: ast.expr) -> Iterator[Mutation]:
        """The mutations of this node itself."""
        if isinstance(node, ast.Compare):
            operands = (node.left, *node.comparators)
            for left, right, operator in zip(operands[:-1], operands[1:], node.ops, strict=True):
                old, new = _COMPARISONS[type(operator)]
                if place := self._between(left, right, old):
                    yield self._edit("comparison", *place, new)
        elif isinstance(node, ast.BoolOp):
            old, new = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
            for left, right in zip(node.values, node.values[1:], strict=False):
                if place := self._between(left, right, old):
                    yield self._edit("and-or", *place, new)
        elif isinstance(node, ast.BinOp) and type(node.op) in _ARITHMETIC:
            old, new = _ARITHMETIC[type(node.op)]
            if not _is_text(node.left) and (place := self._between(node.left, node.right, old)):
                yield self._edit("arithmetic", *place, new)
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            yield self._replace("drop-not", node, f"({self._text(node.operand)})")
        elif isinstance(node, ast.IfExp):
            yield from self._negated(node.test)
        elif isinstance(node, ast.Constant):
            yield from self._constant(node)
        elif isinstance(node, ast.Call):
            yield from self._call(node)

    def _negated(self, test: ast.expr) -> Iterator[Mutation]:
        if isinstance(test, ast.Constant) or (isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not)):
            return
        if isinstance(test, ast.Compare) and len(test.ops) == 1 and isinstance(test.ops[0], _EQUALITIES):
            return
        yield self._replace("negate", test, f"not ({self._text(test)})")

    def _constant(self, node: ast.Constant) -> Iterator[Mutation]:
        value = node.value
        if isinstance(value, bool):
            yield self._replace("boolean", node, str(not value))
        elif isinstance(value, int | float):
            yield self._replace("constant+1", node, repr(value + 1))
            yield self._replace("constant-1", node, repr(value - 1))
        elif isinstance(value, str) and "redis.call" in value:
            start, stop = self._span(node)
            for operator, first, last, replacement in lua_edits(self._source[start:stop]):
                yield self._edit(operator, start + first, start + last, replacement)

    def _call(self, node: ast.Call) -> Iterator[Mutation]:
        if isinstance(node.func, ast.Name) and node.func.id in ("min", "max"):
            yield self._replace("min-max", node.func, "max" if node.func.id == "min" else "min")
        for keyword in node.keywords:
            if keyword.arg is None:
                continue
            start = self._offset(keyword.lineno, keyword.col_offset)
            stop = self._span(keyword.value)[1]
            while self._source[stop : stop + 1] == ")" and _unbalanced(self._source[start:stop]):
                stop += 1
            yield self._edit("drop-keyword", *self._with_comma(start, stop), "")

    def _with_comma(self, start: int, stop: int) -> tuple[int, int]:
        """An argument's span, widened by the comma that goes with it."""
        rest = self._source[stop:]
        blank = len(rest) - len(rest.lstrip())
        if rest[blank : blank + 1] == ",":
            after = stop + blank + 1
            return start, after + len(self._source[after:]) - len(self._source[after:].lstrip(" "))
        before = self._source[:start].rstrip()
        return (len(before) - 1, stop) if before.endswith(",") else (start, stop)


def _unbalanced(text: str) -> bool:
    return text.count("(") > text.count(")")


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _is_typing(node: ast.stmt) -> bool:
    """Code that only type checkers read, and what a module says about itself."""
    if isinstance(node, ast.If):
        names = {part.id for part in ast.walk(node.test) if isinstance(part, ast.Name)}
        return bool(names & {"TYPE_CHECKING", "__name__"})
    if isinstance(node, ast.ClassDef):
        return any(_root(base) in ("Protocol", "TypedDict") for base in node.bases)
    if isinstance(node, ast.Assign):
        if any(isinstance(target, ast.Name) and target.id == "__all__" for target in node.targets):
            return True
        made_by = _root(node.value) if isinstance(node.value, ast.Call) else None
        return made_by in ("TypeVar", "ParamSpec", "NewType", "TypeVarTuple")
    return type(node).__name__ == "TypeAlias"


def _is_log_call(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and _leftmost(node.value) in _LOGGERS


def _is_droppable(node: ast.stmt, defined: set[str]) -> bool:
    """Whether `pass` in its place is still code that could have been meant.

    An assignment that is the first of its name could not: what follows would be a NameError, which
    every test catches and which therefore tells nothing.
    """
    if isinstance(node, ast.Expr | ast.AugAssign | ast.Raise | ast.Break | ast.Continue | ast.Delete):
        return True
    if isinstance(node, ast.Return):
        return node.value is None
    if isinstance(node, ast.Assign):
        return all(not isinstance(t, ast.Tuple) and _bound(t) <= defined for t in node.targets)
    if isinstance(node, ast.AnnAssign) and node.value is not None:
        return not isinstance(node.target, ast.Name)
    return False


def _bound(node: ast.AST) -> set[str]:
    """The names that a statement itself or a target binds."""
    if isinstance(node, ast.Name):
        return {node.id}
    if isinstance(node, ast.Assign):
        return set().union(*(_bound(target) for target in node.targets))
    if isinstance(node, ast.AnnAssign | ast.AugAssign | ast.For | ast.AsyncFor):
        return _bound(node.target)
    if isinstance(node, ast.With | ast.AsyncWith):
        return set().union(*(_bound(item.optional_vars) for item in node.items if item.optional_vars))
    if isinstance(node, ast.Tuple | ast.List):
        return set().union(*(_bound(element) for element in node.elts))
    return set()


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def _root(node: ast.expr) -> str | None:
    """The last name of `a.b`, `a.b(...)` or `a.b[...]`: `b`."""
    while isinstance(node, ast.Call | ast.Subscript):
        node = node.func if isinstance(node, ast.Call) else node.value
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else None


def _leftmost(node: ast.expr) -> str | None:
    """The first name of `a.b.c(...)`: `a`; of `self.log.info(...)`: `log`."""
    names: list[str] = []
    while isinstance(node, ast.Call | ast.Attribute):
        if isinstance(node, ast.Attribute):
            names.append(node.attr)
        node = node.func if isinstance(node, ast.Call) else node.value
    if isinstance(node, ast.Name):
        names.append(node.id)
    names.reverse()
    return names[1] if names[:1] == ["self"] and len(names) > 2 else next(iter(names), None)
