"""A connection of its own for each channel, opened by the first member and closed with the last.

Design: nothing is ever unsubscribed; a channel's task is cancelled, and another one knows nothing of it. A confirmation
that is not the first of its feed is a gap. Members hold a literal list of events and wait at a condition.

Breaks: none
"""

from __future__ import annotations

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


class Feed:
    """One channel, as long as somebody listens."""

    def __init__(self, client: Any, channel: str, delay: float) -> None:
        self.client, self.channel, self.delay = client, channel, delay
        self.members: list[Member] = []
        self.up = asyncio.Event()
        self.known = False
        self.task = asyncio.create_task(self.run())

    async def run(self) -> None:
        while True:
            pubsub = self.client.pubsub()
            try:
                await pubsub.subscribe(self.channel)
                async for item in pubsub.listen():
                    await self.hear(item)
            except (redis.ConnectionError, redis.TimeoutError):
                self.up.clear()
            finally:
                await pubsub.aclose()
            await asyncio.sleep(self.delay)

    async def hear(self, item: dict[str, Any]) -> None:
        if item["type"] == "message":
            try:
                event: Any = Message(json.loads(item["data"].decode("utf-8")))
            except (UnicodeDecodeError, json.JSONDecodeError, RecursionError):
                return
            await self.tell(event)
        elif item["type"] == "subscribe":
            if self.known:
                await self.tell(Gap())
            self.known = True
            self.up.set()

    async def tell(self, event: Any) -> None:
        for member in list(self.members):
            await member.add(event)


class Member:
    def __init__(self, bridge: Bridge, feed: Feed, backlog: int) -> None:
        self.bridge, self.feed, self.backlog = bridge, feed, backlog
        self.events: list[Any] = []
        self.changed = asyncio.Condition()
        self.over = False

    def __aiter__(self) -> Member:
        return self

    async def __anext__(self) -> Any:
        async with self.changed:
            await self.changed.wait_for(lambda: self.events or self.over)
            if self.over:
                raise StopAsyncIteration
            return self.events.pop(0)

    async def add(self, event: Any) -> None:
        async with self.changed:
            self.events.append(event)
            places = [i for i, e in enumerate(self.events) if isinstance(e, Message)]
            if len(places) > self.backlog:
                self.events[places[0]] = Gap()
            self.events = [
                e
                for i, e in enumerate(self.events)
                if isinstance(e, Message) or i == 0 or isinstance(self.events[i - 1], Message)
            ]
            self.changed.notify_all()
        await asyncio.sleep(0)

    async def end(self) -> None:
        self.over = True
        async with self.changed:
            self.changed.notify_all()

    async def leave(self) -> None:
        if not self.over:
            self.bridge.drop(self)
        await self.end()


class Bridge:
    def __init__(self, redis: Any, *, backlog: int = 100, retry_delay: float = 1.0) -> None:
        if backlog < 1:
            raise ValueError("backlog")
        if retry_delay <= 0:
            raise ValueError("retry_delay")
        self.redis, self.backlog, self.retry_delay = redis, backlog, retry_delay
        self.feeds: dict[str, Feed] = {}
        self.ending: set[asyncio.Task[None]] = set()
        self.open = True

    async def join(self, channel: str) -> Member:
        if not self.open:
            raise RuntimeError("closed")
        if channel not in self.feeds:
            self.feeds[channel] = Feed(self.redis, channel, self.retry_delay)
        feed = self.feeds[channel]
        member = Member(self, feed, self.backlog)
        feed.members.append(member)
        try:
            await feed.up.wait()
        except BaseException:
            self.drop(member)
            raise
        if member.over:
            raise RuntimeError("closed")
        return member

    def drop(self, member: Member) -> None:
        member.feed.members.remove(member)
        if not member.feed.members:
            del self.feeds[member.feed.channel]
            self.stop(member.feed)

    def stop(self, feed: Feed) -> None:
        feed.task.cancel()
        self.ending.add(feed.task)
        feed.task.add_done_callback(self.ending.discard)

    async def publish(self, channel: str, message: Any) -> None:
        await self.redis.publish(channel, json.dumps(message, ensure_ascii=False).encode())

    async def aclose(self) -> None:
        self.open = False
        for feed in self.feeds.values():
            self.stop(feed)
            for member in feed.members:
                await member.end()
            feed.up.set()
        self.feeds.clear()
        await asyncio.gather(*self.ending, return_exceptions=True)
