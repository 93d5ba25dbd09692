"""Timers and callbacks: `run` only waits for a future, and everything else happens in `call_later`.

Design: callbacks. One timer for each connection, which is either that of the silence or that of the answer; each sign
of life moves it. A chain of short timers stands for `timeout`, so that a pause can swallow only one of them.

Breaks: none
"""

from __future__ import annotations

import asyncio
import random
import secrets
from typing import Any

LINKS = 8


class Heartbeat:
    def __init__(
        self,
        peer: Any,
        *,
        interval: float = 20.0,
        timeout: float = 20.0,
        close_timeout: float = 5.0,
        rng: random.Random | None = None,
    ) -> None:
        for seconds in (interval, timeout, close_timeout):
            if not seconds > 0:
                raise ValueError(f"{seconds} is no time to wait")
        self.peer, self.interval, self.timeout, self.close_timeout = peer, interval, timeout, close_timeout
        self.first = (rng or random.SystemRandom()).random() * interval
        self.verdict: asyncio.Future[None] | None = None
        self.timer: asyncio.TimerHandle | None = None
        self.call: asyncio.Task[None] | None = None
        self.expected: bytes | None = None

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        self.verdict = loop.create_future()
        self.timer = loop.call_later(self.first, self.ask)
        try:
            await self.verdict
        finally:
            self.verdict = None
            self.forget()
        closing = loop.create_task(self.peer.close(1011))
        try:
            await asyncio.wait({closing}, timeout=self.close_timeout)
        finally:
            closing.cancel()
        if closing.done() and not closing.cancelled():
            closing.exception()

    def received(self) -> None:
        if self.verdict is not None and not self.verdict.done():
            self.forget()
            self.timer = asyncio.get_running_loop().call_later(self.interval, self.ask)

    def pong(self, payload: bytes) -> None:
        if self.expected is not None and payload == self.expected:
            self.received()

    def forget(self) -> None:
        self.expected = None
        if self.timer is not None:
            self.timer.cancel()
        if self.call is not None:
            self.call.cancel()
            self.call = None

    def ask(self) -> None:
        self.expected = secrets.token_bytes(16)
        loop = asyncio.get_running_loop()
        self.timer = loop.call_later(self.timeout / LINKS, self.link, 1)
        self.call = loop.create_task(self.peer.ping(self.expected))
        self.call.add_done_callback(self.called)

    def called(self, call: asyncio.Task[None]) -> None:
        if not call.cancelled() and call.exception() is not None and call is self.call:
            self.judge()

    def link(self, nth: int) -> None:
        if nth == LINKS:
            self.judge()
        else:
            self.timer = asyncio.get_running_loop().call_later(self.timeout / LINKS, self.link, nth + 1)

    def judge(self) -> None:
        if self.verdict is not None and not self.verdict.done():
            self.verdict.set_result(None)
