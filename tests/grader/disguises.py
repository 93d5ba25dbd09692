"""What people do to a copy so that it looks like their own."""

from __future__ import annotations

import ast
import builtins
import re


def renamed(source: str) -> str:
    """Other names for parameters, variables and private members; other text everywhere that is not code."""
    tree = ast.parse(source)
    own = {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    own |= {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    own |= {n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute) and isinstance(n.ctx, ast.Store)}
    own -= {"self", *dir(builtins)}
    names = {name: f"my_{place}" for place, name in enumerate(sorted(own))}
    return re.sub(r"[A-Za-z_]\w*", lambda found: names.get(found[0], found[0]), source)


def commented(source: str) -> str:
    """A remark after each line that can take one, and empty lines between."""
    tree = ast.parse(source)
    inside = {
        line
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant | ast.JoinedStr) and node.end_lineno != node.lineno
        for line in range(node.lineno, node.end_lineno or node.lineno)
    }
    lines = source.split("\n")
    return "\n".join(
        text if number in inside or not text.strip() else f"{text}   # step {number}\n"
        for number, text in enumerate(lines, start=1)
    )


def reordered(source: str) -> str:
    """Functions, classes and methods the other way round."""
    tree = ast.parse(source)
    lines = source.split("\n")

    def turned(body: list[ast.stmt]) -> list[str]:
        texts = [text_of(node) for node in body]
        return texts[:1] + texts[:0:-1]

    def text_of(node: ast.stmt) -> str:
        first = min([node.lineno, *(each.lineno for each in getattr(node, "decorator_list", []))])
        if isinstance(node, ast.ClassDef):
            return "\n".join([*lines[first - 1 : node.body[0].lineno - 1], *turned(node.body)])
        return "\n".join(lines[first - 1 : node.end_lineno])

    return "\n\n".join(turned(tree.body)) + "\n"


def split(source: str) -> str:
    """Long bodies cut in two, the second half in a method of its own."""
    lines = source.split("\n")
    methods = [each for node in ast.parse(source).body if isinstance(node, ast.ClassDef) for each in node.body]
    for node in reversed(methods):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and len(node.body) > 3:
            middle = node.body[len(node.body) // 2]
            if getattr(middle, "decorator_list", None):
                continue
            indent = " " * node.col_offset
            rest = [f"{indent}    return self.{node.name}_rest(1, 2)", "", f"{indent}def {node.name}_rest(self, a, b):"]
            lines[middle.lineno - 1 : middle.lineno - 1] = rest
    return "\n".join(lines)


def retyped(source: str) -> str:
    """As a formatter and a purge of types, docstrings and comments would leave it."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            node.returns = None
            for arg in (*node.args.args, *node.args.kwonlyargs):
                arg.annotation = None
    return ast.unparse(tree)
