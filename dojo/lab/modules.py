"""The learner's file, loaded afresh for each world and for each process of a world."""

from __future__ import annotations

import ast
import contextlib
import dataclasses
import functools
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.machinery import ModuleSpec
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from dojo.lab.trust import learners


@dataclass
class Learner:
    """One kata's implementation on disk, and the test module that has imported names from it."""

    name: str
    path: Path
    test_module: ModuleType | None = None
    _code: CodeType | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        learners.add(self.name)

    def load(self) -> ModuleType:
        """Execute the file once more, as another process would."""
        if self._code is None:
            self._code = compile(self.path.read_bytes(), str(self.path), "exec", dont_inherit=True)
        # As an import makes it: code may ask for its spec, and a relative import does.
        module = module_from_spec(self._spec)
        before = sys.modules.get(self.name)
        # Decorators such as @dataclass look their module up by name while it is being executed.
        sys.modules[self.name] = module
        try:
            with _compiling_once():
                exec(self._code, module.__dict__)
        finally:
            if before is not None:
                sys.modules[self.name] = before
        return module

    @functools.cached_property
    def _spec(self) -> ModuleSpec:
        spec = spec_from_file_location(self.name, self.path)
        assert spec is not None  # it is of a file whose name ends in .py
        return spec

    @functools.cached_property
    def _names(self) -> Mapping[str, str | None]:
        assert self.test_module is not None
        return names_in(self.test_module, self.name)

    @contextlib.contextmanager
    def fresh(self) -> Iterator[None]:
        """While this lasts, the test module's imported names are those of a fresh copy.

        Without it a module-level lock or dict would carry over from one schedule to the next, and the same
        schedule would no longer give the same run.
        """
        imported = sys.modules.get(self.name)
        if imported is None or self.test_module is None:
            yield
            return
        copy = self.load()
        test_globals = vars(self.test_module)
        before = {alias: test_globals[alias] for alias in self._names if alias in test_globals}
        for alias in before:
            name = self._names[alias]
            test_globals[alias] = copy if name is None else getattr(copy, name, before[alias])
        sys.modules[self.name] = copy
        try:
            yield
        finally:
            sys.modules[self.name] = imported
            test_globals.update(before)


def names_in(tests: ModuleType, module: str) -> Mapping[str, str | None]:
    """What a test module has imported from `module`, by the names that it has for it; None is the module itself.

    Told by the import statements and not by what the values are: a test's own 60 may be the very object that the tested
    file calls its default, and it has to stay 60 whatever another file calls so. Only `import *` leaves no choice.
    """
    assert tests.__file__ is not None
    names = dict(imported_names(Path(tests.__file__), module))
    if names.pop("*", None):
        there = vars(sys.modules[module]).items()
        names.update({k: k for k, value in there if k[0] != "_" and vars(tests).get(k) is value})
    return names


def imported_names(tests: Path, module: str) -> Mapping[str, str | None]:
    """The same of a file of tests that is not imported yet; a `*` stands for itself."""
    return _imports(tests, tests.stat().st_mtime_ns, module)


@functools.lru_cache(maxsize=64)
def _imports(file: Path, changed_ns: int, module: str) -> Mapping[str, str | None]:
    found: dict[str, str | None] = {}
    for node in ast.walk(ast.parse(file.read_bytes())):
        if isinstance(node, ast.Import):
            found.update({alias.asname or alias.name: None for alias in node.names if alias.name == module})
        elif isinstance(node, ast.ImportFrom) and node.module == module and not node.level:
            found.update({alias.asname or alias.name: alias.name for alias in node.names})
    return found


@contextlib.contextmanager
def _compiling_once() -> Iterator[None]:
    """While this lasts, the methods of dataclasses are compiled only the first time.

    A dataclass writes its methods as text and hands them to `exec`. That is most of what a kata's module costs to
    execute, and up to a tenth of a race test, which executes it for each of hundreds of schedules.
    """
    module: Any = dataclasses
    module.exec = _exec  # found before the builtin
    try:
        yield
    finally:
        del module.exec


def _exec(source: str | CodeType, *namespaces: Any) -> None:
    exec(_compiled(source) if isinstance(source, str) else source, *namespaces)


@functools.lru_cache(maxsize=256)
def _compiled(source: str) -> CodeType:
    return compile(source, "<string>", "exec", dont_inherit=True)
