"""A nap may be two seconds late before it is taken for a pause, however short `timeout` is.

Trap: paused-loop-kills
Rule: 11
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
import time

NO_ANSWER = 1011


class Heartbeat:
    def __init__(self, peer, *, interval=20.0, timeout=20.0, close_timeout=5.0, rng=None):
        if not (interval > 0 and timeout > 0 and close_timeout > 0):
            raise ValueError("times must be more than 0")
        self._peer = peer
        self._interval = interval
        self._timeout = timeout
        self._close_timeout = close_timeout
        self._uniform = random.uniform if rng is None else rng.uniform
        self._numbers = itertools.count(1)
        self._open = None
        self._due = 0.0
        self._settled = asyncio.Event()
        self._gone = False

    async def run(self):
        self._due = time.monotonic() + self._uniform(0, self._interval)
        await self._silence()
        while await self._answers():
            await self._silence()
        with contextlib.suppress(Exception):
            await asyncio.wait_for(self._peer.close(NO_ANSWER), self._close_timeout)

    def received(self):
        self._due = time.monotonic() + self._interval
        self._settled.set()

    def pong(self, payload):
        if payload == self._open:
            self._open = None
            self.received()

    async def _silence(self):
        while (rest := self._due - time.monotonic()) > 0:
            await asyncio.sleep(rest)

    async def _answers(self):
        self._open = b"%d" % next(self._numbers)
        self._settled.clear()
        sending = asyncio.create_task(self._send(self._open))
        try:
            lived, nap = 0.0, self._timeout / 4
            while lived < self._timeout - 0.001:
                began = time.monotonic()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._settled.wait(), min(nap, self._timeout - lived))
                    return not self._gone
                took = time.monotonic() - began
                lived += nap if took > nap + 2 else took
            return False
        finally:
            self._open = None
            sending.cancel()

    async def _send(self, payload):
        try:
            await self._peer.ping(payload)
        except Exception:  # noqa: BLE001
            self._gone = True
            self._settled.set()
