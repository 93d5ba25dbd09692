"""What in a source a person should look at: nobody loses a point by it."""

from __future__ import annotations

import ast
from collections.abc import Iterator

_MODULES = ("_pytest", "pytest", "pluggy", "dojo", "ctypes", "tests", "solutions", "conftest", "builtins", "fakeredis")
_NAMES = frozenset(
    (
        *("_exit", "_getframe", "_current_frames", "settrace", "setprofile", "addaudithook", "get_objects"),
        *("get_referrers", "get_referents", "__subclasses__", "__builtins__", "f_locals", "f_globals", "f_back"),
        *("__import__", "setitimer", "__instancecheck__", "__subclasscheck__", "cell_contents", "tb_frame"),
    )
)
_BUILTINS = frozenset({"exec", "eval"})  # as attributes they are Redis's
_WAYS_IN = frozenset(
    (
        *("_world", "_installed", "_ACTOR", "_CURRENT", "_selector"),
        *("_hookimpls", "pluginmanager", "inner_test", "_GeneratorContextManager"),
        *("__dojo_explore__", "__dojo_sweep__", "_sock", "_writer", "send_packed_command"),
    )
)
"""Of the lab and of what runs the tests: how somebody gets from what they are handed to what judges them."""
_TELLING = frozenset(
    (
        *(ast.Import, ast.ImportFrom, ast.Call, ast.Attribute, ast.Name),
        *(ast.Constant, ast.BinOp, ast.MatchClass, ast.FunctionDef),
    )
)
_COMPARISONS = frozenset({"__eq__", "__lt__", "__le__", "__gt__", "__ge__", "__hash__"})


def suspicions(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Lines, and what stands there."""
    for node in ast.walk(tree):
        if type(node) in _TELLING:
            for what in (*_imported(node), *_used(node), *_defined(node)):
                yield getattr(node, "lineno", 0), what


def _imported(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
        names = [node.module or ""]
        if any((node.module, alias.name) == ("sys", "modules") for alias in node.names):
            yield "uses sys.modules"
    elif isinstance(node, ast.Call) and node.args and "import_module" in _called(node.func):
        names = [_text(node.args[0]) or "a module whose name is put together"]
        yield from (f"imports {name}" for name in names if not _text(node.args[0]))
    else:
        names = []
    yield from (f"imports {name}" for name in names if name.partition(".")[0] in _MODULES)


def _used(node: ast.AST) -> Iterator[str]:
    used = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
    if used in _NAMES or (used in _BUILTINS and isinstance(node, ast.Name)):
        yield f"uses {used}"
    if isinstance(node, ast.Attribute) and node.attr == "modules" and "sys" in ast.unparse(node.value):
        yield "uses sys.modules"
    found = {used, _text(node), *(node.kwd_attrs if isinstance(node, ast.MatchClass) else ())} & _WAYS_IN
    yield from (f"uses {name}, which leads into the lab" for name in sorted(found))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("getattr", "setattr"):
        name = node.args[1] if len(node.args) > 1 else None
        if _text(name) in _NAMES:
            yield f"uses {_text(name)}"
        elif isinstance(name, (ast.BinOp, ast.JoinedStr, ast.Call, ast.Subscript)):
            yield f"{node.func.id} with a name that is put together"


def _called(function: ast.expr) -> str:
    """The last name of what is called; its whole text if it has none, which takes longer."""
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ast.unparse(function)


def _text(node: ast.AST | None) -> str:
    """A string that stands in the source, if need be in pieces; else an empty one."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _text(node.left) + _text(node.right)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def _defined(node: ast.AST) -> Iterator[str]:
    if not isinstance(node, ast.FunctionDef):
        return
    if node.name in _COMPARISONS:
        returned = [part.value for part in ast.walk(node) if isinstance(part, ast.Return)]
        if returned and all(isinstance(value, ast.Constant) for value in returned):
            yield f"{node.name} always gives the same answer"
    if node.name in ("__instancecheck__", "__subclasscheck__"):
        yield f"defines {node.name}"
