"""What is too much is dropped when the member reads, until then it waits.

Trap: silent-drop
Rule: 7
"""

import asyncio
import json
import logging
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any

import redis

_log = logging.getLogger(__name__)
_WAIT = 0.05


@dataclass(frozen=True)
class Message:
    data: Any


@dataclass(frozen=True)
class Gap:
    pass


class Member(AsyncIterator):
    def __init__(self, backlog, forget):
        self._backlog = backlog
        self._forget = forget
        self._waiting = deque()
        self._missed = False
        self._left = False
        self._news = asyncio.Event()

    async def __anext__(self):
        while not self._left:
            while len(self._waiting) > self._backlog:
                self._waiting.popleft()
                self._waiting[0] = (True, self._waiting[0][1])
            if self._missing_next():
                return Gap()
            if self._waiting:
                return self._waiting.popleft()[1]
            self._news.clear()
            await self._news.wait()
        raise StopAsyncIteration

    async def leave(self):
        if not self._left:
            self._end()
            self._forget(self)

    def _missing_next(self):
        if not self._waiting:
            missing, self._missed = (self._missed, False)
        else:
            missing, message = self._waiting[0]
            self._waiting[0] = (False, message)
        return missing

    def _take(self, message):
        self._waiting.append((self._missed, message))
        self._missed = False
        self._news.set()

    def _miss(self):
        self._missed = True
        self._news.set()

    def _end(self):
        self._left = True
        self._news.set()


class _State(Enum):
    ABSENT = auto()
    ASKED = auto()
    STANDING = auto()
    CANCELLED = auto()


@dataclass(eq=False)
class _Channel:
    members: dict = field(default_factory=dict)
    state: _State = _State.ABSENT
    stands: asyncio.Event = field(default_factory=asyncio.Event)
    broken: bool = False


class Bridge:
    def __init__(self, redis, *, backlog=100, retry_delay=1.0):
        if backlog < 1 or not retry_delay > 0:
            raise ValueError("out of range")
        self._redis = redis
        self._backlog = backlog
        self._retry_delay = retry_delay
        self._channels = {}
        self._changed = False
        self._keeper = None
        self._closed = False

    async def join(self, channel):
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

    async def publish(self, channel, message):
        await self._redis.publish(channel, json.dumps(message))

    async def aclose(self):
        self._closed = True
        for entry in self._channels.values():
            for member in entry.members:
                member._end()
            entry.stands.set()
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.wait({self._keeper})

    def _refuse_if_closed(self):
        if self._closed:
            raise RuntimeError("closed")

    def _forget(self, name, member):
        del self._channels[name].members[member]
        self._changed = True

    async def _keep(self):
        while True:
            try:
                await self._serve()
            except redis.RedisError as error:
                _log.warning("the subscriber's connection is lost: %s", error)
            self._lose_all()
            await asyncio.sleep(self._retry_delay)

    async def _serve(self):
        async with self._redis.pubsub() as pubsub:
            await pubsub.connect()
            while True:
                if self._changed:
                    self._changed = False
                    await self._ask(pubsub)
                answer = await pubsub.get_message(timeout=_WAIT)
                if answer is not None:
                    self._hear(answer["type"], answer["channel"], answer["data"])
                    await asyncio.sleep(0)

    def _lose_all(self):
        for entry in self._channels.values():
            entry.broken = entry.broken or entry.state is _State.STANDING
            entry.state = _State.ABSENT
            entry.stands.clear()
        self._changed = True

    async def _ask(self, pubsub):
        for name in [n for n, e in self._channels.items() if e.state is _State.ABSENT and (not e.members)]:
            del self._channels[name]
        joined = self._move(_State.ABSENT, _State.ASKED, with_members=True)
        left = self._move(_State.STANDING, _State.CANCELLED, with_members=False)
        if joined:
            await pubsub.subscribe(*joined)
        if left:
            await pubsub.unsubscribe(*left)

    def _move(self, old, new, *, with_members):
        names = [n for n, e in self._channels.items() if e.state is old and bool(e.members) is with_members]
        for name in names:
            self._channels[name].state = new
            self._channels[name].stands.clear()
        return names

    def _hear(self, kind, name, data):
        entry = self._channels[name]
        match kind:
            case "message":
                self._deliver(name, entry, data)
            case "subscribe":
                self._stand(entry)
            case "unsubscribe":
                entry.state = _State.ABSENT
                self._changed = True

    def _stand(self, entry):
        if entry.state is not _State.ASKED:
            raise redis.ConnectionError("the client has reconnected by itself")
        entry.state = _State.STANDING
        if entry.broken:
            for member in entry.members:
                member._miss()
        entry.broken = False
        entry.stands.set()
        self._changed = True

    def _deliver(self, name, entry, payload):
        try:
            message = Message(json.loads(payload.decode()))
        except (ValueError, RecursionError):
            return
        for member in entry.members:
            member._take(message)
