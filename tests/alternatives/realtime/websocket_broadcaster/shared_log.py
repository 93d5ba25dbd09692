"""One log for all peers, in which each message stands once; no task waits for messages.

Design: a peer holds numbers of log entries, an entry counts the peers that still want it. Each send is a task of its
own, started by the completion callback of the one before it, so an idle peer costs no task at all.

Breaks: none
"""

from __future__ import annotations

import asyncio
import functools
import json
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from fastapi import FastAPI, WebSocket


class JoinRefused(Exception):
    def __init__(self, code: int) -> None:
        super().__init__(str(code))
        self.code = code


@dataclass
class Entry:
    text: str
    readers: int = 0


@dataclass(eq=False)
class Reader:
    peer: Any
    room: str
    name: str
    unread: deque[int] = field(default_factory=deque)
    sending: asyncio.Task[None] | None = None


class Broadcaster:
    def __init__(
        self,
        *,
        backlog: int = 100,
        overflow: str = "drop-oldest",
        max_peers: int = 10_000,
        close_timeout: float = 5.0,
        encode: Callable[[Any], str] = json.dumps,
    ) -> None:
        self._make_room = {"drop-oldest": self._skip_oldest, "drop-new": self._skip_new, "disconnect": self._evict}.get(
            overflow
        )
        if self._make_room is None or backlog <= 0 or max_peers <= 0 or close_timeout <= 0:
            raise ValueError("unknown policy, or a limit that is not positive")
        self._backlog, self._max_peers, self._close_timeout = backlog, max_peers, close_timeout
        self._encode = encode
        self._readers: dict[int, Reader] = {}
        self._log: dict[int, Entry] = {}
        self._next = 0
        self._departures: deque[Reader] = deque()
        self._closing: set[asyncio.Future[None]] = set()
        self._refusal = 1013

    async def join(self, peer: Any, *, room: str, name: str) -> None:
        if id(peer) in self._readers:
            raise ValueError("one room at a time")
        if self._refusal == 1001 or len(self._readers) >= self._max_peers:
            await self._close(peer, self._refusal)
            raise JoinRefused(self._refusal)
        self._readers[id(peer)] = Reader(peer, room, name)

    async def leave(self, peer: Any) -> None:
        reader = self._readers.get(id(peer))
        if reader is not None:
            self._forget(reader)
            self._announce()

    async def broadcast(self, room: str, message: Any, *, exclude: Any = None) -> None:
        self._append(room, self._encode(message), exclude)
        self._announce()
        for _ in range(3):  # a send that returns at once takes a turn to start, one to end, one to start the next
            await asyncio.sleep(0)

    async def shutdown(self) -> None:
        self._refusal = 1001
        readers = list(self._readers.values())
        for reader in readers:
            self._forget(reader)
        self._departures.clear()
        for reader in readers:
            self._close_in_background(reader.peer, 1001)
        try:
            while self._closing:
                await asyncio.wait(self._closing)
        finally:
            for closing in self._closing:
                closing.cancel()

    def _append(self, room: str, text: str, exclude: Any = None) -> None:
        number, self._next = self._next, self._next + 1
        entry = self._log[number] = Entry(text)
        entry.readers = 1  # this method itself, so that nobody drops the entry in between
        for reader in [r for r in self._readers.values() if r.room == room and r.peer is not exclude]:
            if reader.sending is not None and len(reader.unread) >= self._backlog and not self._make_room(reader):
                continue
            entry.readers += 1
            reader.unread.append(number)
            if reader.sending is None:
                self._send_next(reader)
        self._release(number)

    def _release(self, number: int) -> str:
        entry = self._log[number]
        entry.readers -= 1
        if not entry.readers:
            del self._log[number]
        return entry.text

    def _skip_oldest(self, reader: Reader) -> bool:
        self._release(reader.unread.popleft())
        return True

    def _skip_new(self, reader: Reader) -> bool:
        return False

    def _evict(self, reader: Reader) -> bool:
        self._forget(reader)
        self._close_in_background(reader.peer, 1013)
        return False

    def _send_next(self, reader: Reader) -> None:
        text = self._release(reader.unread.popleft())
        reader.sending = asyncio.ensure_future(reader.peer.send_text(text))
        reader.sending.add_done_callback(functools.partial(self._sent, reader))

    def _sent(self, reader: Reader, sending: asyncio.Task[None]) -> None:
        reader.sending = None
        if sending.cancelled():
            return
        if sending.exception() is not None:
            self._forget(reader)
            self._announce()
        elif reader.unread:
            self._send_next(reader)

    def _forget(self, reader: Reader) -> None:
        if self._readers.pop(id(reader.peer), None) is None:
            return
        while reader.unread:
            self._release(reader.unread.popleft())
        if reader.sending is not None:
            reader.sending.cancel()
        self._departures.append(reader)

    def _announce(self) -> None:
        while self._departures:
            gone = self._departures.popleft()
            self._append(gone.room, self._encode({"type": "left", "name": gone.name}))

    def _close_in_background(self, peer: Any, code: int) -> None:
        closing = asyncio.ensure_future(self._close(peer, code))
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)

    async def _close(self, peer: Any, code: int) -> None:
        closing = asyncio.ensure_future(peer.close(code))
        try:
            await asyncio.wait({closing}, timeout=self._close_timeout)
        finally:
            if not closing.cancel():
                closing.exception()  # looked at, so that the event loop has nothing to complain about


def create_app(hub: Broadcaster) -> FastAPI:
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await hub.shutdown()

    app = FastAPI(lifespan=lifespan)

    @app.websocket("/ws")
    async def ws(socket: WebSocket, room: str, name: str) -> None:
        await socket.accept()
        try:
            await hub.join(socket, room=room, name=name)
        except JoinRefused:
            return
        try:
            async for text in socket.iter_text():
                await hub.broadcast(room, {"type": "message", "name": name, "text": text}, exclude=socket)
        finally:
            await hub.leave(socket)

    return app
