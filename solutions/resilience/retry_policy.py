"""A retry policy: which failures to repeat, when, how often, and for how long.

Sources: RFC 9110, sections 9.2.2 (idempotent methods), 10.2.3 (Retry-After) and 15 (status codes);
Stripe's API reference, "Idempotent requests"; the exceptions of httpx and redis-py, as they document them.
"""

from __future__ import annotations

import asyncio
import math
import re
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Literal, TypeVar

import httpx
import redis.exceptions

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


_PERMANENT = (
    ValueError,
    TypeError,
    redis.exceptions.AuthenticationError,  # these two are subclasses of redis-py's ConnectionError
    redis.exceptions.AuthorizationError,
)
_NOT_DONE = (
    ConnectionRefusedError,
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    redis.exceptions.BusyLoadingError,
    redis.exceptions.MaxConnectionsError,
)
_UNKNOWN = (
    ConnectionError,
    TimeoutError,
    httpx.TimeoutException,
    httpx.NetworkError,
    httpx.RemoteProtocolError,
    redis.exceptions.ConnectionError,
    redis.exceptions.TimeoutError,
)
_Kind = Literal["permanent", "not done", "unknown"]
_STATUSES: dict[int, _Kind] = {429: "not done", 502: "unknown", 503: "unknown", 504: "unknown"}


@dataclass(frozen=True)
class _Failure:
    kind: _Kind
    asked: float = 0.0  # seconds that the server wants to be left alone


# stub: rule 1
async def call(fn: Callable[[str], Awaitable[T]], policy: Policy, *, idempotent: bool = False) -> T:
    """What the awaitable of `fn(key)` gives at its first success; `fn` is called anew for each attempt.

    `key` is an idempotency key for `fn` to send: one for all attempts of this call, and for no other call.
    `idempotent`: doing it twice does no harm, because of what it is or because `fn` sends the key to a server that
    honours it. If it is False, a failure after which it may have been done is not repeated.

    Raises what the last attempt raised, as it is. A returned `httpx.Response` with a status from 400 on counts as the
    `httpx.HTTPStatusError` of its `raise_for_status()`.
    """
    began = time.monotonic()
    end = math.inf if policy.deadline is None else began + policy.deadline
    key = str(uuid.uuid4())
    retry = 0
    while True:
        retry += 1
        try:
            answer = await fn(key)
            if isinstance(answer, httpx.Response) and answer.is_error:
                answer.raise_for_status()
            return answer
        except Exception as error:
            failure = _judged(error)
            if not (failure.kind == "not done" or (failure.kind == "unknown" and idempotent)) or retry > policy.retries:
                raise
            pause = failure.asked + policy.delay(retry)
            if time.monotonic() + pause > end:
                raise
        # Not in the handler: what is raised here (a cancellation) has nothing to do with the failure.
        await asyncio.sleep(pause)


def _judged(error: BaseException) -> _Failure:
    """What an exception says. The causes are asked in turn, because repositories wrap the errors of their drivers.

    The context is not: an error that merely happened while another one was handled is a new one.
    """
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, httpx.HTTPStatusError):
            response = cause.response
            kind = _STATUSES.get(response.status_code, "permanent")
            return _Failure(kind, _asked(response.headers.get("Retry-After", "")))
        # In this order: both of the other lists have subclasses of what stands in the last one.
        if isinstance(cause, _PERMANENT):
            return _Failure("permanent")
        if isinstance(cause, _NOT_DONE):
            return _Failure("not done")
        if isinstance(cause, _UNKNOWN):
            return _Failure("unknown")
        cause = cause.__cause__
    return _Failure("permanent")


def _asked(value: str) -> float:
    """Seconds that a Retry-After asks for; 0.0 if it is neither of the header's two forms."""
    if re.fullmatch("[0-9]+", value):
        return float(value)
    try:
        date = parsedate_to_datetime(value)
        return max(0.0, date.timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return 0.0
