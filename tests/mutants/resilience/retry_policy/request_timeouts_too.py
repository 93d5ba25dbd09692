"""408 and 425 are repeated as well, as many clients do it.

Trap: wrong-statuses
Rule: 7
"""

import asyncio
import re
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

import httpx
import redis.exceptions


@dataclass(frozen=True)
class Policy:
    retries: int
    delay: Callable[[int], float]
    deadline: float | None = None


PERMANENT = (
    ValueError,
    TypeError,
    redis.exceptions.AuthenticationError,
    redis.exceptions.AuthorizationError,
)
NOT_DONE = (
    ConnectionRefusedError,
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    redis.exceptions.BusyLoadingError,
    redis.exceptions.MaxConnectionsError,
)
UNKNOWN = (
    ConnectionError,
    TimeoutError,
    httpx.TimeoutException,
    httpx.NetworkError,
    httpx.RemoteProtocolError,
    redis.exceptions.ConnectionError,
    redis.exceptions.TimeoutError,
)


async def call(fn, policy, *, idempotent=False):
    began = time.monotonic()
    key = str(uuid.uuid4())
    retry = 1
    while True:
        try:
            answer = await fn(key)
            if isinstance(answer, httpx.Response) and answer.is_error:
                answer.raise_for_status()
            return answer
        except Exception as error:
            kind, asked = judge(error)
            if kind == "permanent" or (kind == "unknown" and not idempotent):
                raise
            if retry > policy.retries:
                raise
            pause = asked + policy.delay(retry)
            if policy.deadline is not None and time.monotonic() - began + pause > policy.deadline:
                raise
        await asyncio.sleep(pause)
        retry += 1


def judge(error):
    while error is not None:
        if isinstance(error, httpx.HTTPStatusError):
            return of_status(error.response.status_code), seconds(error.response.headers.get("Retry-After", ""))
        if isinstance(error, PERMANENT):
            return "permanent", 0
        if isinstance(error, NOT_DONE):
            return "not done", 0
        if isinstance(error, UNKNOWN):
            return "unknown", 0
        error = error.__cause__
    return "permanent", 0


def of_status(status):
    if status == 429:
        return "not done"
    return "unknown" if status in (408, 425, 502, 503, 504) else "permanent"


def seconds(value):
    if re.fullmatch("[0-9]+", value):
        return int(value)
    try:
        return max(0, parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return 0
