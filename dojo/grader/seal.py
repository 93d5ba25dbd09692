"""Whether a run has left the grader's own code as it was.

What is remembered is remembered once, before anybody's code runs, and looked at in every fork: so looking must touch
little, for each page that it touches is copied, and that is most of what it costs.
"""

from __future__ import annotations

import builtins
import functools
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping
from ctypes import c_uint64
from dataclasses import dataclass
from operator import is_
from types import BuiltinFunctionType, CellType, FunctionType, ModuleType
from typing import Any

import pytest

from dojo.grader.versions import version_of

_GUARDED = (
    *("builtins", "_pytest", "pytest", "pluggy", "dojo", "fakeredis", "redis", "time_machine", "asyncio", "json"),
    "hypothesis",
)
"""Packages that an honest submission uses, and never changes; and so it is with every module that they look into."""

_LOOKERS = frozenset({"dojo", "_pytest", "pytest", "pluggy"})
"""Those of them that give the verdicts."""

_FLEETING = frozenset({"dojo.lab.connections._GATED", "warnings.showwarning", "warnings._showwarnmsg_impl"})
"""What changes by itself: the lab's memory of classes that it has made, and what pytest replaces around each test."""

REWRITES = frozenset({"object.__setattr__", "object.__delattr__"})
"""The audit events of Python's own attributes: a function's code and defaults, an object's class, a class's bases."""

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
    hidden: Collection[str]
    """Names that must not come to it, for what they mean here stands elsewhere: among the builtins, or in a class."""
    version: c_uint64 | None
    """How often it has changed, and had."""
    was: int

    @classmethod
    def of(
        cls,
        name: str,
        now: Mapping[str, object],
        guarded: Mapping[str, object],
        hidden: Collection[str] = (),
        *,
        of_object: bool = False,
    ) -> _Place:
        version = version_of(now, of_object=of_object)
        return cls(name, now, tuple(now.values()), guarded, hidden, version, 0 if version is None else version.value)

    def is_as_it_was(self) -> bool:
        """Nearly always. In C, and without a look at the names."""
        if self.version is not None and self.version.value == self.was:
            return True
        return len(self.now) == len(self.values) and all(map(is_, self.now.values(), self.values))

    def changed(self) -> Iterator[str]:
        if self.is_as_it_was():
            return
        for key, value in self.guarded.items():
            if self.now.get(key) is not value:
                yield f"{self.name}{key}"
        for key, value in list(self.now.items()):
            if key not in self.guarded and self._hides(key, value):
                yield f"{self.name}{key}"

    def _hides(self, key: str, value: object) -> bool:
        # In a class, a descriptor stands before what each object has under that name.
        return key in self.hidden or (type(self.now) is not dict and hasattr(type(value), "__get__"))


@dataclass(frozen=True, slots=True)
class _Sealed:
    """What is remembered of a module."""

    places: tuple[_Place, ...]
    objects: Mapping[int, str]
    """By their addresses the names of functions and classes."""
    cells: tuple[tuple[str, CellType, object], ...]
    """What functions enclose."""


_KNOWN: dict[str, tuple[ModuleType, _Sealed]] = {}


def prepare() -> None:
    """Looks at what is imported already: it takes a third of a second, and each fork that seals it finds it done."""
    for name, module in _standing_on(()).items():
        _of_module(name, module)


class Seal:
    """The functions and classes of the guarded packages, all that the tests hold, and what pytest has in hand.

    What it remembers is in tuples, for it too is within reach of what it watches.
    """

    __slots__ = ("_cells", "_constants", "_hooks", "_items", "_objects", "_places", "_rewritten", "_session")

    def __init__(self, session: pytest.Session, tests: ModuleType, theirs: Collection[str]) -> None:
        """`theirs` are the names under which the tests have what they test."""
        self._session = session
        self._items = frozenset(map(_identity, session.items))
        self._hooks = tuple(_hooks(session))
        held = {key: value for key, value in vars(tests).items() if not key.startswith("__") and key not in theirs}
        constants = [("tests.", vars(tests), tuple(_contents(held)))]
        modules = _standing_on(held.values())
        modules.pop(tests.__name__, None)
        own = _Place.of("tests.", vars(tests), held, _BUILTIN - vars(tests).keys())
        sealed = [_sealed([own], ours=True), *(_of_module(name, module) for name, module in modules.items())]
        for name, module in modules.items():
            if name.startswith("dojo.lab."):
                data = {key: value for key, value in vars(module).items() if f"{name}.{key}" not in _FLEETING}
                constants.append((f"{name}.", vars(module), tuple(_contents(data))))
        self._objects: dict[int, str] = {}
        for each in sealed:
            self._objects.update(each.objects)
        self._cells = tuple(cell for each in sealed for cell in each.cells)
        there = _Place.of("", sys.modules, modules)
        self._places = (there, *(place for each in sealed for place in each.places), *_in_hand(session))
        self._constants = tuple(constants)
        self._rewritten: set[str] = set()

    def hear(self, arguments: tuple[Any, ...]) -> None:
        """Of an event in `REWRITES`: what is sealed is only to be changed in sight of all."""
        changed = self._objects.get(_identity(arguments[0]))
        if changed is not None:
            self._rewritten.add(changed)
        elif arguments[1] == "__class__" and (name := type(arguments[0]).__module__).startswith(("dojo.", "_pytest.")):
            self._rewritten.add(f"an object of {name}")

    def broken(self, mixed_in: Collection[pytest.Item] = ()) -> list[str]:
        """The names of what is no longer what it was; `mixed_in` are tests that came later, and rightly."""
        found = set(self._rewritten)
        for place in self._places:
            found.update(place.changed())
        for name, now, were in self._constants:
            found.update(f"{name}{key}" for key, was in were if hash(_content(now.get(key))) != was)
        found.update(name for name, cell, was in self._cells if not _is_full(cell) or cell.cell_contents is not was)
        hooks = tuple(_hooks(self._session))
        if len(hooks) != len(self._hooks) or not all(map(is_, hooks, self._hooks)):
            found.add("pytest's hooks")
        if any(_identity(item) not in self._items for item in self._session.items if item not in mixed_in):
            found.add("pytest's items")
        return sorted(found)


def _of_module(name: str, module: ModuleType) -> _Sealed:
    there, known = _KNOWN.get(name, (None, None))
    if known is None or there is not module or not all(place.is_as_it_was() for place in known.places):
        places = [_place(f"{name}.", vars(module), _BUILTIN - vars(module).keys())]
        if _is_guarded(name, module):
            places += _instances(name, module)
        for key, value in list(vars(module).items()):
            if isinstance(value, type) and value.__module__ == name:
                places.append(_place(f"{name}.{key}.", vars(value)))
        known = _sealed(places, ours=name.startswith("dojo."))
        _KNOWN[name] = module, known
    return known


def _sealed(places: list[_Place], *, ours: bool) -> _Sealed:
    found = {f"{place.name}{key}": value for place in places for key, value in place.guarded.items()}
    functions = {name: value for top, each in found.items() for name, value in _functions(top, each)}
    objects = {_identity(value): name for name, value in functions.items()}
    objects.update({_identity(value): name for name, value in found.items() if isinstance(value, type)})
    if not ours:
        return _Sealed(tuple(places), objects, ())
    cells = [
        (f"{name}()", cell, cell.cell_contents)
        for name, value in functions.items()
        for cell in value.__closure__ or ()
        if _is_full(cell)
    ]
    within = [place for name, value in functions.items() for place in _within(f"{name}.", value)]
    return _Sealed((*places, *within), objects, tuple(cells))


def _standing_on(held: Iterable[object]) -> dict[str, ModuleType]:
    """The guarded packages' modules, and each that they or the tests look into by name."""
    guarded = {name for name, module in list(sys.modules.items()) if _is_guarded(name, module)}
    lookers = [name for name in guarded if name.partition(".")[0] in _LOOKERS]
    values = [*held, *(value for name in lookers for value in list(vars(sys.modules[name]).values()))]
    names = guarded | {name for name in map(_home, values) if isinstance(sys.modules.get(name), ModuleType)}
    return {name: sys.modules[name] for name in sorted(names)}


def _functions(name: str, value: object) -> Iterator[tuple[str, FunctionType]]:
    """`value` if it is one, and those within it: what it decorates, encloses, or is the getter for."""
    pending, seen = [value], set()
    while pending:
        part = pending.pop()
        if _identity(part) in seen:
            continue
        seen.add(_identity(part))
        if isinstance(part, FunctionType):
            yield f"{name}{'.__wrapped__' * (part is not value)}{len(seen) * (len(seen) > 2) or ''}", part
            pending += [cell.cell_contents for cell in part.__closure__ or () if _is_full(cell)]
        elif isinstance(part, property):
            pending += [part.fget, part.fset]
        elif isinstance(part, (classmethod, staticmethod)):
            pending.append(part.__func__)
        elif isinstance(part, functools.cached_property):
            pending.append(part.func)


def _is_full(cell: CellType) -> bool:
    try:
        cell.cell_contents  # noqa: B018 - asked, not used
    except ValueError:
        return False
    return True


def _within(name: str, function: FunctionType) -> Iterator[_Place]:
    """What can be changed in a function without anybody hearing of it; in its marks too, such as how far to search."""
    for inside in (function.__kwdefaults__, vars(function)):
        if inside:
            yield _Place.of(name, inside, dict(inside))
    for key, mark in vars(function).items():
        if hasattr(mark, "__dict__") and not callable(mark):
            yield _Place.of(f"{name}{key}.", vars(mark), dict(vars(mark)), of_object=True)


def _in_hand(session: pytest.Session) -> Iterator[_Place]:
    """What pytest looks up in its own objects while it runs tests."""
    config = session.config
    for each in (session, config, config.pluginmanager, config.pluginmanager.hook, *session.items):
        yield _instance(f"pytest's {type(each).__name__}.", each, _PILLARS)
    for each in config.stash._storage.values():
        if type(each).__module__ == "dojo.plugin":
            guarded = {key: value for key, value in vars(each).items() if key != "tree"}  # a run's own
            yield _Place.of(f"{type(each).__name__}.", vars(each), guarded, of_object=True)


_PILLARS = frozenset(
    {"config", "session", "hook", "pluginmanager", "stash", "items", "_fixtureinfo", "_nodeid", "parent"}
)


def _instances(name: str, module: ModuleType) -> Iterator[_Place]:
    """The objects that a module keeps for itself, as json does its encoder: each could be given a method of its own."""
    for key, value in list(vars(module).items()):
        if type(getattr(value, "__dict__", None)) is dict and not isinstance(value, ModuleType) and not callable(value):
            yield _instance(f"{name}.{key}.", value)


def _instance(name: str, value: object, pillars: Collection[str] = ()) -> _Place:
    now = vars(value)
    guarded = {key: each for key, each in now.items() if callable(each) or key in pillars}
    methods = {key for key in dir(type(value)) if callable(getattr(type(value), key, None))}
    return _Place.of(name, now, guarded, frozenset(methods - now.keys()), of_object=True)


def _hooks(session: pytest.Session) -> Iterator[object]:
    """Whom pytest asks, in their order."""
    for caller in vars(session.config.pluginmanager.hook).values():
        yield caller
        yield caller._hookexec
        for implementation in caller._hookimpls:
            yield implementation
            yield implementation.function


def _contents(held: Mapping[str, object]) -> Iterator[tuple[str, int]]:
    plain = (int, float, str, bytes, tuple, list, dict, set, frozenset)
    return (
        (key, hash(_content(value)))
        for key, value in held.items()
        if isinstance(value, plain) and key != "__builtins__"  # a place of its own
    )


def _is_guarded(name: str, module: object) -> bool:
    return name.partition(".")[0] in _GUARDED and isinstance(module, ModuleType)


_BUILTIN = frozenset(vars(builtins))


def _home(value: object) -> str:
    """The module that `value` is, or that it says it comes from."""
    if isinstance(value, ModuleType):
        return value.__name__
    named = isinstance(value, (type, FunctionType, BuiltinFunctionType))
    return str(getattr(value, "__module__", "")) if named else ""


def _place(name: str, now: Mapping[str, object], hidden: Collection[str] = ()) -> _Place:
    guarded = {key: value for key, value in now.items() if _matters(value) and f"{name}{key}" not in _FLEETING}
    return _Place.of(name, now, guarded, hidden)


def _matters(value: object) -> bool:
    return callable(value) or hasattr(type(value), "__get__")


def _content(value: object) -> object:
    """What a constant is made of, to be hashed: a NaN equals nothing. What is no plain data is itself."""
    if type(value) in (tuple, list):
        return tuple(map(_content, value))  # type: ignore[call-overload]
    if type(value) in (set, frozenset):
        return frozenset(map(_content, value))  # type: ignore[call-overload]
    if type(value) is dict:
        return tuple((_content(key), _content(each)) for key, each in value.items())
    if type(value) in (str, bytes, int, float, bool, type(None)):
        return value
    return _identity(value)
