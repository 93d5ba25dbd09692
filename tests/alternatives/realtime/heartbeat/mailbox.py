"""A mailbox: whatever comes in is a letter in a queue, and one loop reads it against a deadline.

Design: actor. Signs of life, and the failure of a ping, are letters; silence is a queue that stays empty. A separate
clock counts only the time that the event loop has lived through: a step is never longer than it was meant to be.

Breaks: none
"""

from __future__ import annotations

import asyncio
import random
import uuid
from typing import Any

STEP = 0.25  # seconds; what one pause can count for at most


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
        if any(not seconds > 0 for seconds in (interval, timeout, close_timeout)):
            raise ValueError("seconds are positive")
        self.peer, self.interval, self.timeout, self.close_timeout = peer, interval, timeout, close_timeout
        self.first = random.uniform(0, interval) if rng is None else interval * rng.random()
        self.letters: asyncio.Queue[Exception | None] = asyncio.Queue()
        self.awaited: bytes | None = None
        self.on = False

    def received(self) -> None:
        # A letter for each message would let the box grow: one that waits already says as much.
        if self.on:
            self.heard_at = asyncio.get_running_loop().time()
            if self.letters.empty():
                self.letters.put_nowait(None)

    def pong(self, payload: bytes) -> None:
        if self.on and payload == self.awaited:
            self.received()

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        self.heard_at = loop.time() - self.interval + self.first
        self.on = True
        try:
            while True:
                await self.letter(self.heard_at + self.interval - loop.time())
                if loop.time() < self.heard_at + self.interval:
                    continue
                if not await self.ask():
                    break
        finally:
            self.on = False
        try:
            async with asyncio.timeout(self.close_timeout):
                await self.peer.close(code=1011)
        except Exception:  # noqa: BLE001 - it is closed, or as good as
            return

    async def letter(self, seconds: float) -> list[Any]:
        """The next letter, in a list; an empty list if none comes in time."""
        try:
            async with asyncio.timeout(seconds):
                return [await self.letters.get()]
        except TimeoutError:
            return []

    async def ask(self) -> bool:
        self.awaited = uuid.uuid4().bytes
        while not self.letters.empty():
            self.letters.get_nowait()
        call = asyncio.create_task(self.call(self.awaited))
        try:
            lived = 0.0
            while lived < self.timeout:
                step = min(STEP, self.timeout / 2, self.timeout - lived)
                found = await self.letter(step)
                if found:
                    return found == [None]
                lived += step
            return False
        finally:
            self.awaited = None
            call.cancel()

    async def call(self, payload: bytes) -> None:
        try:
            await self.peer.ping(payload)
        except Exception as error:  # noqa: BLE001 - whatever it is, it goes into the box
            self.letters.put_nowait(error)
