"""Each attempt calls the next one, and `functools.singledispatch` says what a failure is.

Design: recursion and dispatch by type. The most special registered type wins, so no order of tests is needed. Time is
the event loop's, the key comes from `secrets`, and retries left are counted down.

Breaks: none
"""

import asyncio
import datetime
import functools
import secrets
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import NamedTuple

import httpx
import redis.exceptions


class Policy(NamedTuple):
    retries: int
    delay: object
    deadline: float | None = None


@dataclass
class Verdict:
    again: bool = False
    harmless: bool = False
    pause: float = 0.0


@functools.singledispatch
def judge(error):
    return Verdict() if error is None else judge(error.__cause__)


@judge.register(ConnectionRefusedError)
@judge.register(httpx.ConnectError)
@judge.register(httpx.ConnectTimeout)
@judge.register(httpx.PoolTimeout)
@judge.register(redis.exceptions.BusyLoadingError)
@judge.register(redis.exceptions.MaxConnectionsError)
def _(error):
    return Verdict(again=True, harmless=True)


@judge.register(ConnectionError)
@judge.register(TimeoutError)
@judge.register(httpx.TimeoutException)
@judge.register(httpx.NetworkError)
@judge.register(httpx.RemoteProtocolError)
@judge.register(redis.exceptions.ConnectionError)
@judge.register(redis.exceptions.TimeoutError)
def _(error):
    return Verdict(again=True)


@judge.register(ValueError)
@judge.register(TypeError)
@judge.register(redis.exceptions.AuthenticationError)
@judge.register(redis.exceptions.AuthorizationError)
def _(error):
    return Verdict()


@judge.register(httpx.HTTPStatusError)
def _(error):
    status, header = error.response.status_code, error.response.headers.get("Retry-After")
    return Verdict(status in {429, 502, 503, 504}, status == 429, seconds(header))


def seconds(header):
    if header is None:
        return 0.0
    if header and set(header) <= set("0123456789"):
        return float(header)
    try:
        left = parsedate_to_datetime(header) - datetime.datetime.now(datetime.UTC)
    except Exception:  # noqa: BLE001 - the parser fails in several ways
        return 0.0
    return max(left.total_seconds(), 0.0)


async def call(fn, policy, *, idempotent=False):
    loop = asyncio.get_running_loop()
    end = None if policy.deadline is None else loop.time() + policy.deadline
    key = secrets.token_urlsafe(24)

    async def attempt(number):
        pause = None
        try:
            answer = await fn(key)
            if isinstance(answer, httpx.Response) and answer.is_error:
                answer.raise_for_status()
        except Exception as error:
            verdict = judge(error)
            if number > policy.retries or not (verdict.harmless or (verdict.again and idempotent)):
                raise
            pause = verdict.pause + policy.delay(number)
            if end is not None and loop.time() + pause >= end:
                raise
        if pause is None:
            return answer
        await asyncio.sleep(pause)
        return await attempt(number + 1)

    return await attempt(1)
