"""The verdicts a kata test can give, and type-exact comparison."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any


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
    field if their class names agree, because two processes hold two copies of one class.
    """
    if dataclasses.is_dataclass(b) and not isinstance(b, type):
        return (
            dataclasses.is_dataclass(a)
            and not isinstance(a, type)
            and type(a).__qualname__ == type(b).__qualname__
            and all(same(getattr(a, f.name, _ABSENT), getattr(b, f.name)) for f in dataclasses.fields(b))
        )
    if type(a) is not type(b):
        return False
    if isinstance(b, Mapping):
        return len(a) == len(b) and all(k in a and same(a[k], v) for k, v in b.items()) and _same_keys(a, b)
    if isinstance(b, (list, tuple)):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(b, (set, frozenset)):
        return _typed(a) == _typed(b)
    if isinstance(b, float) and b != b:
        return bool(a != a)
    return bool(b == a)


_ABSENT = object()


def other_type(a: Any, b: Any) -> str:
    """Where two values differ in type alone, a remark that says so; else an empty string."""
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
        return type(a).__name__, type(b).__name__
    if isinstance(b, (list, tuple)):
        pairs = zip(a, b, strict=True)
    elif isinstance(b, Mapping):
        pairs = zip(a.values(), map(b.get, a), strict=True)
    elif dataclasses.is_dataclass(b):
        pairs = zip(*([getattr(x, f.name, _ABSENT) for f in dataclasses.fields(b)] for x in (a, b)), strict=True)
    else:
        return None
    return next(filter(None, (_unlike(x, y) for x, y in pairs)), None)


def _typed(values: Any) -> set[tuple[type, Any]]:
    return {(type(v), v) for v in values}


def _same_keys(a: Mapping[Any, Any], b: Mapping[Any, Any]) -> bool:
    return _typed(a.keys()) == _typed(b.keys())


def shown(value: Any, limit: int = 300) -> str:
    """`value` as a report shows it: its repr, on one line, cut."""
    try:
        text = repr(value)
    except Exception as error:  # noqa: BLE001 - a learner's broken __repr__ must not hide the verdict
        text = f"<{type(value).__name__} whose repr raises {type(error).__name__}>"
    return one_line(text, limit)


def one_line(text: str, limit: int = 300) -> str:
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 1] + "…"
