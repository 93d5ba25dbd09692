"""Each member has a subscription of its own: Redis sends everything once for each.

Trap: subscription-per-member
Rule: 5
"""

import asyncio
import json
from dataclasses import dataclass
from typing import Any

import redis


@dataclass(frozen=True)
class Message:
    data: Any


@dataclass(frozen=True)
class Gap:
    pass


class Member:
    def __init__(self, bridge, channel):
        self.bridge, self.channel = bridge, channel
        self.events, self.up, self.over = [], asyncio.Event(), False
        self.changed = asyncio.Event()
        self.known = False
        self.task = asyncio.create_task(self.run())

    def __aiter__(self):
        return self

    async def __anext__(self):
        while not self.over:
            if self.events:
                return self.events.pop(0)
            self.changed.clear()
            await self.changed.wait()
        raise StopAsyncIteration

    async def run(self):
        while True:
            pubsub = self.bridge.redis.pubsub()
            try:
                await pubsub.subscribe(self.channel)
                async for item in pubsub.listen():
                    self.hear(item)
                    await asyncio.sleep(0)
            except redis.RedisError:
                self.up.clear()
            finally:
                await pubsub.aclose()
            await asyncio.sleep(self.bridge.retry_delay)

    def hear(self, item):
        if item["type"] == "subscribe":
            if self.known:
                self.add(Gap())
            self.known = True
            self.up.set()
        elif item["type"] == "message":
            try:
                self.add(Message(json.loads(item["data"].decode())))
            except (ValueError, RecursionError):
                return

    def add(self, event):
        self.events.append(event)
        messages = [e for e in self.events if isinstance(e, Message)]
        if len(messages) > self.bridge.backlog:
            self.events[self.events.index(messages[0])] = Gap()
        events = self.events
        self.events = [e for i, e in enumerate(events) if isinstance(e, Message) or not i or events[i - 1] != Gap()]
        self.changed.set()

    async def leave(self):
        self.over = True
        self.changed.set()
        self.up.set()
        self.task.cancel()
        self.bridge.members.discard(self)


class Bridge:
    def __init__(self, redis, *, backlog=100, retry_delay=1.0):
        if backlog < 1 or retry_delay <= 0:
            raise ValueError("out of range")
        self.redis, self.backlog, self.retry_delay = redis, backlog, retry_delay
        self.members, self.closed = set(), False

    async def join(self, channel):
        if self.closed:
            raise RuntimeError("closed")
        member = Member(self, channel)
        self.members.add(member)
        try:
            await member.up.wait()
        except asyncio.CancelledError:
            await member.leave()
            raise
        if self.closed:
            raise RuntimeError("closed")
        return member

    async def publish(self, channel, message):
        await self.redis.publish(channel, json.dumps(message))

    async def aclose(self):
        self.closed = True
        tasks = {member.task for member in self.members}
        for member in list(self.members):
            await member.leave()
        if tasks:
            await asyncio.wait(tasks)
