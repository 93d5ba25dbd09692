"""anyio: a task group for the ping and its judge, and the first of them to finish cancels the scope.

Design: structured concurrency. A pause is noticed by a judge that looks at the clock often, and adds to its deadline
whatever it overslept; nothing is counted.

Breaks: none
"""

from __future__ import annotations

import random
import struct
import time
from typing import Any

import anyio
from anyio.abc import TaskGroup

OVERSLEPT = 0.05


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
        if not all(seconds > 0 for seconds in (interval, timeout, close_timeout)):
            raise ValueError("all times are numbers above 0")
        self.peer, self.interval, self.timeout, self.close_timeout = peer, interval, timeout, close_timeout
        self.rng = rng or random.Random(random.getrandbits(64))
        self.last = 0.0
        self.count = 0
        self.question: bytes | None = None
        self.scope: anyio.CancelScope | None = None
        self.lives = True

    def received(self) -> None:
        self.last = time.monotonic()
        if self.scope is not None:
            self.question = None
            self.scope.cancel()

    def pong(self, payload: bytes) -> None:
        if self.question is not None and self.question == payload:
            self.received()

    async def run(self) -> None:
        self.last = time.monotonic() - self.interval + self.rng.uniform(0, self.interval)
        while self.lives:
            await anyio.sleep(max(0.0, self.last + self.interval - time.monotonic()))
            if time.monotonic() >= self.last + self.interval:
                self.lives = await self.ask()
        with anyio.move_on_after(self.close_timeout):
            try:
                await self.peer.close(1011, "no answer")
            except Exception:  # noqa: BLE001 - no matter
                return

    async def ask(self) -> bool:
        self.count += 1
        self.question = struct.pack("!dQ", self.last, self.count)
        asked = self.question
        async with anyio.create_task_group() as group:
            self.scope = group.cancel_scope
            try:
                group.start_soon(self.call, group, asked)
                await self.judge()
                group.cancel_scope.cancel()
            finally:
                self.scope = None
        alive = self.question is None
        self.question = None
        return alive

    async def call(self, group: TaskGroup, question: bytes) -> None:
        try:
            await self.peer.ping(question)
        except Exception:  # noqa: BLE001 - the line is dead
            group.cancel_scope.cancel()

    async def judge(self) -> None:
        deadline = time.monotonic() + self.timeout
        while (rest := deadline - time.monotonic()) > 0:
            nap = min(rest, max(OVERSLEPT, self.timeout / 20))
            begun = time.monotonic()
            await anyio.sleep(nap)
            overslept = time.monotonic() - begun - nap
            if overslept > OVERSLEPT:
                deadline += overslept
