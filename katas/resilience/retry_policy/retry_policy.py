"""A retry policy: which failures to repeat, when, how often, and for how long.

Sources: RFC 9110, sections 9.2.2 (idempotent methods), 10.2.3 (Retry-After) and 15 (status codes);
Stripe's API reference, "Idempotent requests"; the exceptions of httpx and redis-py, as they document them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Policy:
    """How often, when and for how long to try again. One policy serves any number of calls."""

    retries: int
    """Attempts after the first one, 0 or more."""
    delay: Callable[[int], float]
    """Seconds to wait before retry 1, 2, 3, …; 0 or more."""
    deadline: float | None = None
    """Seconds from the beginning of a call; no pause begins that would end later. None: no limit."""


async def call(fn: Callable[[str], Awaitable[T]], policy: Policy, *, idempotent: bool = False) -> T:
    """What the awaitable of `fn(key)` gives at its first success; `fn` is called anew for each attempt.

    `key` is an idempotency key for `fn` to send: one for all attempts of this call, and for no other call.
    `idempotent`: doing it twice does no harm, because of what it is or because `fn` sends the key to a server that
    honours it. If it is False, a failure after which it may have been done is not repeated.

    Raises what the last attempt raised, as it is. A returned `httpx.Response` with a status from 400 on counts as the
    `httpx.HTTPStatusError` of its `raise_for_status()`.
    """
    raise NotImplementedError("call is yours to write; start with rule 1 of README.md")
