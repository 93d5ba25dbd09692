"""A subclass of redis-py's PubSub that counts its own connects; a PING behind each command says when it was served.

Design: confirmations are ignored. Joiners queue commands, one task writes and reads by turns, and a pong means that all
that was sent before it is in force. After a reconnect messages are dropped until the pong, and then the gap is told.
Members hold runs of messages.

Breaks: none
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from dataclasses import dataclass
from typing import Any

import redis
from redis.asyncio.client import PubSub


@dataclass(frozen=True, slots=True)
class Message:
    data: Any


@dataclass(frozen=True, slots=True)
class Gap: ...


class Watched(PubSub):
    connects = 0

    async def on_connect(self, connection: Any) -> None:
        self.connects += 1
        await super().on_connect(connection)


class Member:
    """Runs of messages without anything missing: between two runs there is a gap. The last run is still growing."""

    def __init__(self, bridge: Bridge, channel: str) -> None:
        self.bridge, self.channel = bridge, channel
        self.runs: list[list[Message]] = [[]]
        self.alarm = asyncio.Event()
        self.ended = False

    def __aiter__(self) -> Member:
        return self

    async def __anext__(self) -> Any:
        while not self.ended:
            if self.runs[0]:
                return self.runs[0].pop(0)
            if len(self.runs) > 1:
                del self.runs[0]
                return Gap()
            self.alarm.clear()
            await self.alarm.wait()
        raise StopAsyncIteration

    def put(self, message: Message) -> None:
        self.runs[-1].append(message)
        if sum(map(len, self.runs)) > self.bridge.backlog:
            first = next(run for run in self.runs if run)
            del first[0]
            self.runs = [[], *(run for run in self.runs if run)]
        self.alarm.set()

    def lose(self) -> None:
        if self.runs[-1] or len(self.runs) == 1:
            self.runs.append([])
        self.alarm.set()

    def end(self) -> None:
        self.ended = True
        self.alarm.set()

    async def leave(self) -> None:
        if not self.ended:
            self.end()
            self.bridge.remove(self)


class Bridge:
    def __init__(self, redis: Any, *, backlog: int = 100, retry_delay: float = 1.0) -> None:
        if min(backlog, 1) != 1 or retry_delay <= 0:
            raise ValueError("backlog, retry_delay")
        self.client, self.backlog, self.retry_delay = redis, backlog, retry_delay
        self.members: list[Member] = []
        self.barriers: dict[str, asyncio.Future[None]] = {}
        self.commands: list[tuple[str, ...]] = []
        self.subscribed: Counter[str] = Counter()
        self.numbers = 0
        self.keeper: asyncio.Task[None] | None = None
        self.shut = False
        self.pubsub: Any = None

    async def join(self, channel: str) -> Member:
        if self.shut:
            raise RuntimeError("closed")
        self.keeper = self.keeper or asyncio.create_task(self.keep())
        self.subscribed[channel] += 1
        member = Member(self, channel)
        try:
            await self.barrier("subscribe", channel)
        except asyncio.CancelledError:
            self.release(channel)
            raise
        if self.shut:
            raise RuntimeError("closed")
        self.members.append(member)
        return member

    async def barrier(self, *command: str) -> None:
        self.numbers += 1
        token = f"b{self.numbers}"
        self.barriers[token] = asyncio.get_running_loop().create_future()
        if self.subscribed[command[1]] == 1:
            self.commands.append(command)
        self.commands.append(("ping", token))
        try:
            await self.barriers[token]
        finally:
            self.barriers.pop(token, None)

    def remove(self, member: Member) -> None:
        if member in self.members:
            self.members.remove(member)
            self.release(member.channel)

    def release(self, channel: str) -> None:
        self.subscribed[channel] -= 1
        if not self.subscribed[channel]:
            del self.subscribed[channel]
            self.commands.append(("unsubscribe", channel))

    async def publish(self, channel: str, message: Any) -> None:
        body = json.dumps(message)
        async with self.client.pipeline(transaction=False) as pipe:
            await pipe.publish(channel, body).execute()

    async def keep(self) -> None:
        while True:
            pubsub = Watched(self.client.connection_pool)
            try:
                while not self.subscribed:
                    await asyncio.sleep(0.02)
                await pubsub.subscribe(*self.subscribed)
                self.commands = []
                await self.serve(pubsub)
            except (redis.ConnectionError, redis.TimeoutError):
                pass
            finally:
                await pubsub.aclose()
            await asyncio.sleep(self.retry_delay)

    async def serve(self, pubsub: Watched) -> None:
        connects = pubsub.connects
        await pubsub.ping("all")
        for token in list(self.barriers):
            await pubsub.ping(token)
        in_force = False
        while True:
            if pubsub.connects != connects:
                raise redis.ConnectionError("another connection than the one we knew")
            while self.commands:
                name, argument = self.commands.pop(0)
                await getattr(pubsub, name)(argument)
            item = await pubsub.get_message(ignore_subscribe_messages=True, timeout=0.02)
            if item is None:
                continue
            if item["type"] == "pong":
                token = item["data"].decode()
                if token == "all":
                    in_force = True
                    for member in self.members:
                        member.lose()
                elif token in self.barriers and not self.barriers[token].done():
                    self.barriers[token].set_result(None)
            elif in_force:
                self.spread(item["channel"].decode(), item["data"])
            await asyncio.sleep(0)

    def spread(self, channel: str, data: bytes) -> None:
        try:
            message = Message(json.loads(data.decode()))
        except Exception:  # noqa: BLE001 - whatever it is, it is no message
            return
        for member in self.members:
            if member.channel == channel:
                member.put(message)

    async def aclose(self) -> None:
        self.shut = True
        for member in self.members:
            member.end()
        self.members.clear()
        for barrier in self.barriers.values():
            if not barrier.done():
                barrier.set_result(None)
        if self.keeper is not None:
            self.keeper.cancel()
            await asyncio.wait([self.keeper])
