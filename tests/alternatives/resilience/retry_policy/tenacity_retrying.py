"""The `tenacity` library: AsyncRetrying drives the attempts, and its strategies are ours.

Design: library. tenacity counts, sleeps, stops and reraises; the adapter says which failures are transient, and what
the server has asked for.

Breaks: none
"""

import calendar
import email.utils
import time
import uuid
from dataclasses import dataclass

import httpx
import redis.exceptions as of_redis
import tenacity


@dataclass(frozen=True)
class Policy:
    retries: int
    delay: object
    deadline: float | None = None


HARMLESS = {
    ConnectionRefusedError,
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    of_redis.BusyLoadingError,
    of_redis.MaxConnectionsError,
    429,
}
DOUBTFUL = {
    ConnectionError,
    TimeoutError,
    httpx.TimeoutException,
    httpx.NetworkError,
    httpx.RemoteProtocolError,
    of_redis.ConnectionError,
    of_redis.TimeoutError,
    502,
    503,
    504,
}
FINAL = {ValueError, TypeError, of_redis.AuthenticationError, of_redis.AuthorizationError, httpx.HTTPStatusError}


def kinds(error):
    """What the chain of causes consists of, the most special kind of each first."""
    while error is not None:
        if isinstance(error, httpx.HTTPStatusError):
            yield error.response.status_code, error
        for kind in type(error).__mro__:
            yield kind, error
        error = error.__cause__


def decisive(error):
    return next(((kind, e) for kind, e in kinds(error) if kind in HARMLESS | DOUBTFUL | FINAL), (None, error))


def asked_for(error):
    _, error = decisive(error)
    value = error.response.headers.get("retry-after", "") if isinstance(error, httpx.HTTPStatusError) else ""
    if value.isascii() and value.isdecimal():
        return float(value)
    try:
        date = email.utils.parsedate_tz(value)
        return max(0.0, calendar.timegm(date[:6]) - (date[9] or 0) - time.time())
    except (ValueError, TypeError, OverflowError):
        return 0.0


async def call(fn, policy, *, idempotent=False):
    allowed = HARMLESS | DOUBTFUL if idempotent else HARMLESS
    stop = tenacity.stop_after_attempt(policy.retries + 1)
    if policy.deadline is not None:
        stop |= tenacity.stop_before_delay(policy.deadline)
    key = uuid.uuid4().hex

    async def attempt():
        answer = await fn(key)
        if isinstance(answer, httpx.Response) and answer.status_code >= 400:
            answer.raise_for_status()
        return answer

    return await tenacity.AsyncRetrying(
        retry=tenacity.retry_if_exception(lambda e: isinstance(e, Exception) and decisive(e)[0] in allowed),
        wait=lambda state: asked_for(state.outcome.exception()) + policy.delay(state.attempt_number),
        stop=stop,
        reraise=True,
    )(attempt)
