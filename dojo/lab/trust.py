"""Which values a verdict may ask. A class of the tested file can define every operator, and answer as it likes.

So what is asked here is asked of Python itself: `type`'s own descriptors, which no metaclass can replace, and `is`.
Types are looked up by their address, because a metaclass may define ``==`` and ``hash`` too.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

_ATOMS = {id(kind): kind for kind in (type(None), bool, int, float, complex, str, bytes)}
_SEQUENCES = {id(kind): kind for kind in (list, tuple, set, frozenset)}
_HEAP_TYPE = 1 << 9  # Py_TPFLAGS_HEAPTYPE: made by a class statement, or by a call of `type`

_flags, _mro, _name, _qualname, _module = (
    type.__dict__[name].__get__ for name in ("__flags__", "__mro__", "__name__", "__qualname__", "__module__")
)

learners: set[str] = set()
"""The names of the modules that are tested: what they define is trusted with nothing."""


def atomic(kind: type) -> bool:
    """Whether `kind` is None's type, bool, int, float, complex, str or bytes itself."""
    return id(kind) in _ATOMS


def odd_parts(value: Any) -> Iterator[Any]:
    """What in `value` is neither atomic nor a list, tuple, set or dict of such: its own class says what it equals."""
    pending, seen = [value], set()
    while pending:
        part = pending.pop()
        kind = type(part)
        if id(kind) in _ATOMS or id(part) in seen:
            continue
        seen.add(id(part))
        if id(kind) in _SEQUENCES:
            pending.extend(part)
        elif kind is dict:
            pending.extend(part.keys())
            pending.extend(part.values())
        else:
            yield part


def trusted(kind: type) -> bool:
    """Whether `kind` is built in, or stands where it says that it was defined, and that is no tested file."""
    if not _flags(kind) & _HEAP_TYPE:
        return True
    name = _module(kind)
    if type(name) is not str or name in learners:
        return False
    found: Any = sys.modules.get(name)
    for part in qualname_of(kind).split("."):
        found = getattr(found, part, None)
    return found is kind


def name_of(kind: type) -> str:
    """The name in the class statement, whatever the metaclass says."""
    return str.__str__(_name(kind))


def qualname_of(kind: type) -> str:
    """The qualified name, whatever the metaclass says."""
    return str.__str__(_qualname(kind))


def is_a(value: object, kind: type) -> bool:
    """`isinstance`, for those whose ``__class__`` or ``__instancecheck__`` is a lie."""
    return any(base is kind for base in _mro(type(value)))


def text(value: Any) -> str:
    """`value` as it goes over a wire: a str itself, whatever a subclass of it says."""
    return str.__str__(value if is_a(value, str) else str(value))


def whole(value: Any) -> Any:
    """An int itself for any kind of int; other values as they are."""
    return int.__int__(value) if is_a(value, int) else value
