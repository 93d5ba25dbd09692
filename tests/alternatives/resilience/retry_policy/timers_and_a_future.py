"""No loop: the event loop's timers start the attempts, and their end settles a future that the caller awaits.

Design: callbacks. An attempt is a task with a callback; the pause is `call_later`; cancelling the caller cancels
whatever is under way. The last error waits in its task. Kinds are looked up in one table, row by row.

Breaks: none
"""

import asyncio
import collections
import email.utils
import os
import time

import httpx
import redis

Policy = collections.namedtuple("Policy", ["retries", "delay", "deadline"], defaults=[None])

# The first row that fits decides, for an error or else for its cause. None: never; False: only if idempotent.
TABLE = [
    (ValueError, None),
    (TypeError, None),
    (redis.AuthenticationError, None),
    (redis.exceptions.AuthorizationError, None),
    (ConnectionRefusedError, True),
    (httpx.ConnectError, True),
    (httpx.ConnectTimeout, True),
    (httpx.PoolTimeout, True),
    (redis.BusyLoadingError, True),
    (redis.exceptions.MaxConnectionsError, True),
    (ConnectionError, False),
    (TimeoutError, False),
    (httpx.TimeoutException, False),
    (httpx.NetworkError, False),
    (httpx.RemoteProtocolError, False),
    (redis.ConnectionError, False),
    (redis.TimeoutError, False),
]
STATUSES = {429: True, 502: False, 503: False, 504: False}


def look_up(error):
    """(True, False or None, seconds to wait first)."""
    if error is None:
        return None, 0
    if isinstance(error, httpx.HTTPStatusError):
        return STATUSES.get(error.response.status_code), wish(error.response.headers.get("retry-after", ""))
    for kind, answer in TABLE:
        if isinstance(error, kind):
            return answer, 0
    return look_up(error.__cause__)


def wish(header):
    if header.isascii() and header.isdigit():
        return int(header)
    fields = email.utils.parsedate_tz(header)
    try:
        return max(0, email.utils.mktime_tz(fields) - time.time()) if fields else 0
    except (ValueError, OverflowError):
        return 0


class Run:
    def __init__(self, fn, policy, idempotent):
        self.fn, self.policy, self.idempotent = fn, policy, idempotent
        self.loop = asyncio.get_running_loop()
        self.began, self.key, self.number = self.loop.time(), os.urandom(20).hex(), 0
        self.over = self.loop.create_future()
        self.start()

    def start(self):
        self.number += 1
        self.waiting_for = task = self.loop.create_task(self.attempt())
        task.add_done_callback(self.ended)

    async def attempt(self):
        answer = await self.fn(self.key)
        if isinstance(answer, httpx.Response) and answer.status_code >= 400:
            answer.raise_for_status()
        return answer

    def ended(self, task):
        error = asyncio.CancelledError() if task.cancelled() else task.exception()
        kind, pause = look_up(error) if isinstance(error, Exception) else (None, 0)
        if kind or (kind is False and self.idempotent):
            pause += self.policy.delay(self.number)
            late = self.policy.deadline is not None and self.loop.time() - self.began + pause > self.policy.deadline
            if self.number <= self.policy.retries and not late:
                self.waiting_for = self.loop.call_later(pause, self.start)
                return
        if not self.over.done():
            self.over.set_result(task)


async def call(fn, policy, *, idempotent=False):
    run = Run(fn, policy, idempotent)
    try:
        return (await run.over).result()
    finally:
        run.waiting_for.cancel()
