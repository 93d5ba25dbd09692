"""How often a namespace has changed: CPython counts it in each dict (PEP 509), up to 3.13.

Looking at a value takes a reference to it, and with that a copy of its page in each fork; looking at the count of a
whole namespace touches nothing.
"""

from __future__ import annotations

import ctypes
import gc
import sys
from collections.abc import Mapping
from types import MappingProxyType, ModuleType
from typing import Any

_OFFSET = object.__basicsize__ + ctypes.sizeof(ctypes.c_ssize_t)
"""In the structure of a dict the count comes after the header and the number of entries."""


def version_of(namespace: Mapping[str, object], *, of_object: bool = False) -> ctypes.c_uint64 | None:
    """A number that is another one after each change; None if nobody counts. `namespace` must outlive it.

    Since 3.13 that of an object (other than a module, a class or a function) may change without being counted.
    """
    return _version_of(namespace) if (_COUNTED_OF_OBJECTS if of_object else _COUNTED) else None


def _version_of(namespace: Mapping[str, object]) -> ctypes.c_uint64:
    mapping = gc.get_referents(namespace)[0] if isinstance(namespace, MappingProxyType) else namespace
    return ctypes.c_uint64.from_address(id(mapping) + _OFFSET)


class _Tried:
    pass


def _is_counted(owner: Any) -> bool:
    """Tried, for no version of Python promises it; and so often that the interpreter has settled on its fastest way."""
    if sys.implementation.name != "cpython":
        return False
    version = _version_of(vars(owner))
    seen = []
    for value in range(_TURNS):
        owner.tried = value
        seen.append(version.value)
    del owner.tried
    return len({*seen, version.value}) == _TURNS + 1


_TURNS = 100
_COUNTED = all(map(_is_counted, (ModuleType("tried"), _Tried, lambda: None)))
_COUNTED_OF_OBJECTS = _is_counted(_Tried())
