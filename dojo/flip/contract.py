"""Which names of a kata's module a test may rely on."""

from __future__ import annotations

import ast

from dojo.author.declared import files
from dojo.catalog import Kata
from dojo.stubs import stub_of


def promised_names(kata: Kata) -> list[str]:
    """The public names that the stub defines and every right solution has, as has every mutant; in the stub's order.

    Annotations' aliases and the like stand in the stub, yet nobody has to define them.
    Raises StubError if no stub can be derived.
    """
    names = dict.fromkeys(name for name in _defined(stub_of(kata), imported=False) if not name.startswith("_"))
    for path in (kata.solution, *files(kata.alternatives), *files(kata.mutants)):
        has = set(_defined(path.read_text(encoding="utf-8"), imported=True))
        names = dict.fromkeys(name for name in names if name in has)
    return list(names)


def _defined(source: str, *, imported: bool) -> list[str]:
    found: list[str] = []
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.append(node.name)
        elif isinstance(node, ast.Assign):
            found += [target.id for target in node.targets if isinstance(target, ast.Name)]
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            found.append(node.target.id)
        elif imported and isinstance(node, ast.Import | ast.ImportFrom):
            found += [alias.asname or alias.name for alias in node.names]
    return found
