"""Whether a run has left the grader's own code as it was.

What is remembered is remembered once, before anybody's code runs, and looked at in every fork: so looking must touch
little, for each page that it touches is copied, and that is most of what it costs.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from operator import is_
from types import FunctionType, ModuleType
from typing import Any

_GUARDED = ("builtins", "_pytest", "pytest", "pluggy", "dojo", "fakeredis", "redis", "time_machine", "asyncio", "json")
"""Packages that an honest submission uses, and never changes."""

REWRITES = frozenset({"object.__setattr__", "object.__delattr__"})
"""The audit events of Python's own attributes, among them a function's code and defaults."""

_identity = object.__hash__
"""Made of the address, as `id` is, which however is an audit event: tens of thousands of calls of our own hook."""


@dataclass(frozen=True, slots=True)
class _Place:
    """A namespace, as it was."""

    name: str
    now: Mapping[str, object]
    values: tuple[object, ...]
    """All of them, in their order."""
    guarded: Mapping[str, object]
    """Those that must stay."""

    def changed(self) -> Iterator[str]:
        # In C, and without a look at the names: nearly always nothing has changed.
        if len(self.now) >= len(self.values) and all(map(is_, self.now.values(), self.values)):
            return
        for key, value in self.guarded.items():
            if self.now.get(key) is not value:
                yield f"{self.name}{key}"


class Seal:
    """The functions and classes of the guarded packages, and all that the tests hold."""

    def __init__(self, tests: ModuleType, theirs: Collection[str]) -> None:
        """`theirs` are the names under which the tests have what they test."""
        self._tests = tests
        held = {key: value for key, value in vars(tests).items() if not key.startswith("__") and key not in theirs}
        self._constants = {key: hash(_content(value)) for key, value in held.items()}
        self._places = [_Place("tests.", vars(tests), tuple(vars(tests).values()), held)]
        modules = {name: module for name, module in list(sys.modules.items()) if _is_guarded(name, module)}
        self._places.append(_Place("", sys.modules, tuple(sys.modules.values()), modules))
        for name, module in modules.items():
            self._places.append(_place(f"{name}.", vars(module)))
            for key, value in list(vars(module).items()):
                if isinstance(value, type) and value.__module__ == name:
                    self._places.append(_place(f"{name}.{key}.", vars(value)))
        self._functions = {
            _identity(value): f"{place.name}{key}"
            for place in self._places
            for key, value in place.guarded.items()
            if isinstance(value, FunctionType)
        }
        self._rewritten: set[str] = set()

    def hear(self, arguments: tuple[Any, ...]) -> None:
        """Of an event in `REWRITES`: a function's code and its defaults are only to be changed in sight of all."""
        changed = self._functions.get(_identity(arguments[0]))
        if changed is not None:
            self._rewritten.add(changed)

    def broken(self) -> list[str]:
        """The names of what is no longer what it was."""
        found = set(self._rewritten)
        for place in self._places:
            found.update(place.changed())
        now = vars(self._tests)
        found.update(f"tests.{key}" for key, was in self._constants.items() if hash(_content(now.get(key))) != was)
        return sorted(found)


def _is_guarded(name: str, module: object) -> bool:
    return name.partition(".")[0] in _GUARDED and isinstance(module, ModuleType)


def _place(name: str, now: Mapping[str, object]) -> _Place:
    guarded = {
        key: value
        for key, value in now.items()
        if callable(value) or isinstance(value, (property, classmethod, staticmethod))
    }
    return _Place(name, now, tuple(now.values()), guarded)


def _content(value: object) -> object:
    """What a constant of the tests is made of, to be hashed: a NaN equals nothing. What is no plain data is itself."""
    if type(value) in (tuple, list):
        return tuple(map(_content, value))  # type: ignore[call-overload]
    if type(value) is dict:
        return tuple((_content(key), _content(each)) for key, each in value.items())
    if type(value) in (str, bytes, int, float, bool, type(None)):
        return value
    return _identity(value)
