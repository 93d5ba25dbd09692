"""publish tries a second time: if only the reply was lost, everybody is told twice.

Trap: delivered-twice
Rule: 11
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any

import redis
from redis.asyncio import Redis
from redis.asyncio.client import PubSub

_log = logging.getLogger(__name__)

_WAIT = 0.05
"""Seconds to wait for the next message before looking who has joined or left."""


@dataclass(frozen=True)
class Message:
    """What somebody published."""

    data: Any
    """The decoded JSON. All members of a server may share it, so nobody changes it."""


@dataclass(frozen=True)
class Gap:
    """At this place messages may be missing; from here on the channel is complete again."""


class Member(AsyncIterator[Message | Gap]):
    """A listener of one channel, made by `Bridge.join`: ``async for event in member``.

    Waiting for the next event can be cancelled: nothing is lost, and the member goes on. After `leave`, or once the
    bridge is closed, the iteration ends, also for who is waiting; what was not read by then is dropped.
    """

    def __init__(self, backlog: int, forget: Callable[[Member], None]) -> None:  # stub: drop
        self._backlog = backlog
        self._forget = forget
        # Each message with whether something is missing before it; and whether something is missing after the last.
        self._waiting: deque[tuple[bool, Message]] = deque()
        self._missed = False
        self._left = False
        self._news = asyncio.Event()

    async def __anext__(self) -> Message | Gap:
        """The next event, in the order of the channel. Raises StopAsyncIteration after the end."""
        while not self._left:
            if self._missing_next():
                return Gap()
            if self._waiting:
                return self._waiting.popleft()[1]
            self._news.clear()
            await self._news.wait()
        raise StopAsyncIteration

    async def leave(self) -> None:
        """Stop listening, at once; waits for nobody and never raises. Again: no-op."""
        if not self._left:
            self._end()
            self._forget(self)

    def _missing_next(self) -> bool:
        """Whether a gap comes next; it is taken as told then."""
        if not self._waiting:
            missing, self._missed = self._missed, False
        else:
            missing, message = self._waiting[0]
            self._waiting[0] = (False, message)
        return missing

    def _take(self, message: Message) -> None:
        self._waiting.append((self._missed, message))
        self._missed = False
        if len(self._waiting) > self._backlog:
            self._waiting.popleft()
            self._waiting[0] = (True, self._waiting[0][1])
        self._news.set()

    def _miss(self) -> None:
        self._missed = True
        self._news.set()

    def _end(self) -> None:
        self._left = True
        self._news.set()


class _State(Enum):
    """What Redis knows of a channel; there is never more than one question about it under way."""

    ABSENT = auto()
    ASKED = auto()
    STANDING = auto()
    CANCELLED = auto()


@dataclass(eq=False)
class _Channel:
    members: dict[Member, None] = field(default_factory=dict)
    state: _State = _State.ABSENT
    stands: asyncio.Event = field(default_factory=asyncio.Event)
    broken: bool = False
    """Whether the subscription stood and was lost, and its members have not been told yet."""


class Bridge:
    """One server's members of all channels. Use it from one event loop.

    redis: an asyncio client with its default `decode_responses=False`, with retries or without; it belongs to the
        caller. The bridge takes one connection of its pool, and another one for each `publish` under way.
    backlog: messages that may wait for one member, at least 1. Of more, the oldest is dropped, and a Gap tells it.
    retry_delay: seconds between two attempts to get a lost connection back, more than 0.

    Raises ValueError for anything else.
    """

    def __init__(self, redis: Redis, *, backlog: int = 100, retry_delay: float = 1.0) -> None:
        if backlog < 1 or not retry_delay > 0:
            raise ValueError("backlog must be at least 1, retry_delay more than 0")
        self._redis = redis
        self._backlog = backlog
        self._retry_delay = retry_delay
        self._channels: dict[bytes, _Channel] = {}
        self._changed = False
        self._keeper: asyncio.Task[None] | None = None
        self._closed = False

    async def join(self, channel: str) -> Member:
        """A new member of `channel`, once its subscription stands: what is published from now on is told to it.

        While Redis cannot be reached this waits; cancelled, it leaves nothing behind. Raises RuntimeError if the
        bridge is closed, also while this waits.
        """
        self._refuse_if_closed()
        name = channel.encode()
        entry = self._channels.setdefault(name, _Channel())
        member = Member(self._backlog, lambda member: self._forget(name, member))
        entry.members[member] = None
        self._changed = True
        if self._keeper is None:
            self._keeper = asyncio.create_task(self._keep())
        try:
            await entry.stands.wait()
        except asyncio.CancelledError:
            await member.leave()
            raise
        self._refuse_if_closed()
        return member

    async def publish(self, channel: str, message: Any) -> None:
        """Send `message` to the members of `channel` on all servers, this one included.

        Returns once Redis has it. Raises what `json.dumps` raises, and then nobody gets it; raises
        redis.ConnectionError or redis.TimeoutError if Redis cannot be reached.
        """
        # No short cut to this server's own members: they would get it twice, and in another order than the others.
        text = json.dumps(message)
        try:
            await self._redis.publish(channel, text)
        except redis.RedisError:
            await self._redis.publish(channel, text)

    async def aclose(self) -> None:
        """End all members and give the connection back, whether Redis can be reached or not. Again: no-op."""
        self._closed = True
        for entry in self._channels.values():
            for member in entry.members:
                member._end()
            entry.stands.set()  # whoever waits in `join` finds the bridge closed
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.wait({self._keeper})

    def _refuse_if_closed(self) -> None:
        if self._closed:
            raise RuntimeError("the bridge is closed; make a new one")

    def _forget(self, name: bytes, member: Member) -> None:
        del self._channels[name].members[member]
        self._changed = True

    async def _keep(self) -> None:
        while True:
            try:
                await self._serve()
            except redis.RedisError as error:
                _log.warning("the subscriber's connection is lost: %s", error)
            self._lose_all()
            await asyncio.sleep(self._retry_delay)

    async def _serve(self) -> None:
        """One connection, from its beginning to its loss."""
        async with self._redis.pubsub() as pubsub:
            await pubsub.connect()
            # A single task writes and reads, by turns: two would both reconnect when the connection breaks, and a read
            # that is cancelled may just be reconnecting. Short waits also give redis-py's health check a chance.
            while True:
                if self._changed:
                    self._changed = False
                    await self._ask(pubsub)
                answer = await pubsub.get_message(timeout=_WAIT)
                if answer is not None:
                    self._hear(answer["type"], answer["channel"], answer["data"])
                    # A burst is read without waiting once, and would overflow the backlogs of members that keep up.
                    await asyncio.sleep(0)

    def _lose_all(self) -> None:
        for entry in self._channels.values():
            # The members hear of it when the subscription stands again: whoever fetches what it missed before that
            # misses what is published between.
            entry.broken = entry.broken or entry.state is _State.STANDING
            entry.state = _State.ABSENT
            entry.stands.clear()
        self._changed = True

    async def _ask(self, pubsub: PubSub) -> None:
        """Subscribe to what has members, and to nothing else."""
        for name in [n for n, e in self._channels.items() if e.state is _State.ABSENT and not e.members]:
            del self._channels[name]
        joined = self._move(_State.ABSENT, _State.ASKED, with_members=True)
        left = self._move(_State.STANDING, _State.CANCELLED, with_members=False)
        if joined:
            await pubsub.subscribe(*joined)
        if left:
            await pubsub.unsubscribe(*left)

    def _move(self, old: _State, new: _State, *, with_members: bool) -> list[bytes]:
        """Set the channels in state `old` to `new`, if they have members or none, as asked; their names."""
        names = [n for n, e in self._channels.items() if e.state is old and bool(e.members) is with_members]
        for name in names:
            self._channels[name].state = new
            self._channels[name].stands.clear()
        return names

    def _hear(self, kind: str, name: bytes, data: Any) -> None:
        entry = self._channels[name]
        match kind:
            case "message":
                self._deliver(name, entry, data)
            case "subscribe":
                self._stand(entry)
            case "unsubscribe":
                entry.state = _State.ABSENT
                self._changed = True

    def _stand(self, entry: _Channel) -> None:
        if entry.state is not _State.ASKED:
            # A confirmation that nobody asked for: the client retries, and has reconnected and subscribed again without
            # a word. What was published meanwhile is lost, as after any other loss.
            raise redis.ConnectionError("the client has reconnected by itself")
        entry.state = _State.STANDING
        if entry.broken:
            for member in entry.members:
                member._miss()
        entry.broken = False
        entry.stands.set()
        self._changed = True  # the last member may have left by now

    def _deliver(self, name: bytes, entry: _Channel, payload: bytes) -> None:
        try:
            message = Message(json.loads(payload.decode()))
        except (ValueError, RecursionError) as error:
            _log.warning("skipped a message on %r: %s", name, error)
            return
        for member in entry.members:
            member._take(message)
