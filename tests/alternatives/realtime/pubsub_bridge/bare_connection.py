"""No PubSub object: a connection from the pool, commands written by whoever joins or leaves, replies read by one task.

Design: each command is a ticket, and each confirmation answers the oldest one; a channel stands when its last ticket
was a SUBSCRIBE and all are answered. The connection never reconnects, so its end is the loss.

Breaks: none
"""

from __future__ import annotations

import asyncio
import itertools
import json
import math
from collections import deque
from typing import Any, NamedTuple

import redis


class Message(NamedTuple):
    data: Any


class Gap(NamedTuple):
    pass


class Topic:
    def __init__(self) -> None:
        self.members: set[Member] = set()
        self.asked = self.answered = 0
        self.wanted = False
        self.missed = False
        self.waiting: list[asyncio.Future[None]] = []

    @property
    def stands(self) -> bool:
        return self.wanted and self.asked == self.answered > 0

    def settle(self) -> None:
        if self.stands:
            for future in self.waiting:
                if not future.done():
                    future.set_result(None)
            self.waiting.clear()


class Member:
    """Messages are numbered; a hole in the numbers is a gap."""

    def __init__(self, bridge: Bridge, channel: str) -> None:
        self.bridge, self.channel = bridge, channel
        self.numbers = itertools.count(1)
        self.buffer: deque[tuple[int, Message]] = deque(maxlen=bridge.backlog)
        self.last, self.newest = 0, 0
        self.wake: asyncio.Future[None] | None = None
        self.gone = False

    def __aiter__(self) -> Member:
        return self

    async def __anext__(self) -> Message | Gap:
        while True:
            if self.gone:
                raise StopAsyncIteration
            following = self.buffer[0][0] if self.buffer else self.newest + 1
            if following > self.last + 1:
                self.last = following - 1
                return Gap()
            if self.buffer:
                self.last, message = self.buffer.popleft()
                return message
            self.wake = asyncio.get_running_loop().create_future()
            await self.wake

    def add(self, message: Message | None) -> None:
        self.newest = next(self.numbers)
        if message is not None:
            self.buffer.append((self.newest, message))
        self.stir()

    def stir(self) -> None:
        if self.wake is not None and not self.wake.done():
            self.wake.set_result(None)

    async def leave(self) -> None:
        if not self.gone:
            self.gone = True
            self.stir()
            self.bridge.gone(self)


class Bridge:
    def __init__(self, redis: Any, *, backlog: int = 100, retry_delay: float = 1.0) -> None:
        if not (backlog >= 1 and retry_delay > 0):
            raise ValueError("a limit is out of range")
        self.client, self.backlog, self.retry_delay = redis, backlog, retry_delay
        self.topics: dict[str, Topic] = {}
        self.outbox: asyncio.Queue[tuple[str, str]] = asyncio.Queue()
        self.up = False
        self.reader: asyncio.Task[None] | None = None
        self.closed = False

    async def join(self, channel: str) -> Member:
        if self.closed:
            raise RuntimeError("closed")
        if self.reader is None:
            self.reader = asyncio.create_task(self.run())
        topic = self.topics.setdefault(channel, Topic())
        member = Member(self, channel)
        topic.members.add(member)
        self.want(channel, topic, True)
        if not topic.stands:
            stands = asyncio.get_running_loop().create_future()
            topic.waiting.append(stands)
            try:
                await stands
            except asyncio.CancelledError:
                await member.leave()
                raise
        if self.closed:
            raise RuntimeError("closed")
        return member

    def want(self, channel: str, topic: Topic, wanted: bool) -> None:
        if topic.wanted is not wanted:
            topic.wanted = wanted
            if self.up:
                topic.asked += 1
                self.outbox.put_nowait(("SUBSCRIBE" if wanted else "UNSUBSCRIBE", channel))

    def gone(self, member: Member) -> None:
        topic = self.topics[member.channel]
        topic.members.discard(member)
        if not topic.members:
            self.want(member.channel, topic, False)
            self.tidy(member.channel, topic)

    def tidy(self, channel: str, topic: Topic) -> None:
        if not topic.members and topic.asked == topic.answered:
            self.topics.pop(channel, None)

    async def publish(self, channel: str, message: Any) -> None:
        await self.client.execute_command("PUBLISH", channel, json.dumps(message))

    async def run(self) -> None:
        pool = self.client.connection_pool
        while True:
            connection = None
            try:
                connection = await pool.get_connection()
                await self.attend(connection)
            except* redis.RedisError:
                pass
            finally:
                self.lost()
                if connection is not None:
                    await connection.disconnect(nowait=True)
                    await pool.release(connection)
            await asyncio.sleep(self.retry_delay)

    async def attend(self, connection: Any) -> None:
        self.up = True
        for channel, topic in self.topics.items():
            topic.asked = 1
            self.outbox.put_nowait(("SUBSCRIBE", channel))
        async with asyncio.TaskGroup() as group:
            group.create_task(self.write(connection))
            while True:
                reply = await connection.read_response(timeout=math.inf, disconnect_on_error=False, push_request=True)
                self.receive(*reply)
                await asyncio.sleep(0)

    async def write(self, connection: Any) -> None:
        while True:
            await connection.send_command(*await self.outbox.get(), check_health=False)

    def receive(self, kind: bytes, name: bytes, payload: Any) -> None:
        channel = name.decode()
        topic = self.topics[channel]
        if kind == b"message":
            try:
                message = Message(json.loads(str(payload, "utf-8")))
            except (ValueError, RecursionError):
                return
            for member in topic.members:
                member.add(message)
            return
        topic.answered += 1
        if topic.stands:
            if topic.missed:
                for member in topic.members:
                    member.add(None)
            topic.missed = False
        topic.settle()
        self.tidy(channel, topic)

    def lost(self) -> None:
        self.up = False
        while not self.outbox.empty():
            self.outbox.get_nowait()
        for channel, topic in list(self.topics.items()):
            topic.missed = topic.missed or topic.stands
            topic.asked = topic.answered = 0
            if not topic.members:
                del self.topics[channel]

    async def aclose(self) -> None:
        self.closed = True
        for topic in self.topics.values():
            for member in topic.members:
                member.gone = True
                member.stir()
            for future in topic.waiting:
                if not future.done():
                    future.set_result(None)
        if self.reader is not None:
            self.reader.cancel()
            await asyncio.gather(self.reader, return_exceptions=True)
