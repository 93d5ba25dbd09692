"""The verdicts a kata test can give, and type-exact comparison."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from dojo.lab.trust import atomic, name_of, odd_parts, qualname_of, trusted


class Failure(AssertionError):
    """A rule is broken. Carries what the report needs: the trap, what was expected and what came."""

    def __init__(self, *, expected: str, got: str, trap: str) -> None:
        super().__init__(f"expected {expected}; got {got} (trap: {trap})")
        self.expected = expected
        self.got = got
        self.trap = trap


def same(a: Any, b: Any) -> bool:
    """Deep equality that also demands equal types: ``1``, ``True`` and ``1.0`` differ.

    Only the values that the test itself builds decide: `b` is the trusted side, and its type's own ``==`` is used
    on leaves, so that an object whose ``__eq__`` always says yes gains nothing. Two dataclasses compare field by
    field if their class names agree, because two processes hold two copies of one class. So do two objects of a class
    of the tested file, whatever it is: its ``==`` is never called. One without fields is equal to nothing.
    """
    kind = type(b)
    if atomic(kind):
        return type(a) is kind and bool(b == a or (b != b and a != a))
    if dataclasses.is_dataclass(b) and not isinstance(b, type):
        names = [f.name for f in dataclasses.fields(b)]
        return dataclasses.is_dataclass(a) and not isinstance(a, type) and _same_fields(a, b, names)
    if not trusted(kind):
        return _same_fields(a, b, [*_attributes(b)])
    if type(a) is not kind:
        return False
    if isinstance(b, Mapping):
        return len(a) == len(b) and _same_members(a.keys(), b.keys()) and all(same(a[k], v) for k, v in b.items())
    if isinstance(b, (list, tuple)):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(b, (set, frozenset)):
        return _same_members(a, b)
    return bool(b == a)


_ABSENT = object()


def _same_fields(a: Any, b: Any, names: Sequence[str]) -> bool:
    if qualname_of(type(a)) != qualname_of(type(b)) or (not names and not trusted(type(b))):
        return False
    return all(same(getattr(a, name, _ABSENT), object.__getattribute__(b, name)) for name in names)


def _attributes(value: Any) -> dict[str, Any]:
    try:
        return dict(object.__getattribute__(value, "__dict__"))
    except AttributeError:
        return {}


def _same_members(a: Iterable[Any], b: Iterable[Any]) -> bool:
    """Equal keys, or members of a set. What is equal to everything is not even compared."""
    mine, due = list(a), list(b)
    if any(not trusted(type(part)) for member in mine for part in odd_parts(member)):
        return False
    return {(type(v), v) for v in mine} == {(type(v), v) for v in due}


def other_type(a: Any, b: Any) -> str:
    """Where two values differ in type alone, a remark that says so; else an empty string."""
    own = next((part for part in odd_parts(b) if not trusted(type(part)) and not dataclasses.is_dataclass(part)), None)
    if own is not None and not _attributes(own):
        return f"  (a {name_of(type(own))} decides for itself what it equals, so it is compared with nothing)"
    try:
        alike = bool(a == b)
    except Exception:  # noqa: BLE001 - a learner's broken __eq__ must not hide the verdict
        return ""
    if not alike:
        return ""
    pair = _unlike(a, b)
    return f"  (equal, but {pair[0]} where {pair[1]} is due)" if pair else ""


def _unlike(a: Any, b: Any) -> tuple[str, str] | None:
    if type(a) is not type(b):
        return name_of(type(a)), name_of(type(b))
    if isinstance(b, (list, tuple)):
        pairs = zip(a, b, strict=True)
    elif isinstance(b, Mapping):
        pairs = zip(a.values(), map(b.get, a), strict=True)
    elif dataclasses.is_dataclass(b):
        pairs = zip(*([getattr(x, f.name, _ABSENT) for f in dataclasses.fields(b)] for x in (a, b)), strict=True)
    else:
        return None
    return next(filter(None, (_unlike(x, y) for x, y in pairs)), None)


def shown(value: Any, limit: int = 300) -> str:
    """`value` as a report shows it: its repr, on one line, cut."""
    try:
        text = repr(value)
    except Exception as error:  # noqa: BLE001 - a learner's broken __repr__ must not hide the verdict
        text = f"<{name_of(type(value))} whose repr raises {name_of(type(error))}>"
    return one_line(text, limit)


def one_line(text: str, limit: int = 300) -> str:
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 1] + "…"
