"""anyio's memory object streams as backlogs, and one cancel scope a peer.

Design: structured concurrency. A nursery task owns everything that runs; a peer is a buffered stream whose sending end
the hub holds and whose receiving end its own scope reads. `send_nowait` raising WouldBlock is the overflow.

Breaks: none
"""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
from anyio.abc import TaskGroup
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from fastapi import FastAPI, WebSocket, WebSocketDisconnect


class JoinRefused(Exception):
    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class Line:
    """What the hub knows of a peer."""

    def __init__(self, peer: Any, room: str, name: str, backlog: int) -> None:
        self.peer, self.room, self.name = peer, room, name
        self.scope = anyio.CancelScope()
        streams: tuple[MemoryObjectSendStream[str], MemoryObjectReceiveStream[str]]
        streams = anyio.create_memory_object_stream(backlog)
        self.inlet, self.outlet = streams


class Nursery:
    """A task group that lives as long as there is something to look after."""

    def __init__(self) -> None:
        self.group: TaskGroup | None = None
        self.host: asyncio.Task[None] | None = None
        self.jobs: list[tuple[Any, ...]] = []

    def start(self, *job: Any) -> None:
        self.jobs.append(job)
        if self.group is not None:
            self._start_all()
        elif self.host is None or self.host.done():
            self.host = asyncio.create_task(self._live())

    def _start_all(self) -> None:
        assert self.group is not None
        while self.jobs:
            self.group.start_soon(*self.jobs.pop(0))

    async def _live(self) -> None:
        try:
            while self.jobs:
                async with anyio.create_task_group() as self.group:
                    self._start_all()
        finally:
            self.group = None

    async def stop(self) -> None:
        if self.host is not None:
            await asyncio.wait({self.host})


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
        if backlog < 1 or max_peers < 1 or close_timeout <= 0:
            raise ValueError("a limit is out of range")
        if overflow not in {"drop-oldest", "drop-new", "disconnect"}:
            raise ValueError(overflow)
        self.backlog, self.overflow, self.max_peers = backlog, overflow, max_peers
        self.close_timeout, self.encode = close_timeout, encode
        self.lines: dict[Any, Line] = {}
        self.nursery = Nursery()
        self.is_open = True

    async def join(self, peer: Any, *, room: str, name: str) -> None:
        if peer in self.lines:
            raise ValueError(f"{name} is here")
        if not self.is_open:
            await self.refuse(peer, 1001)
        if len(self.lines) >= self.max_peers:
            await self.refuse(peer, 1013)
        self.lines[peer] = Line(peer, room, name, self.backlog)
        self.nursery.start(self.pump, self.lines[peer])

    async def leave(self, peer: Any) -> None:
        if peer in self.lines:
            self.say_farewell([self.cut(peer)])

    async def broadcast(self, room: str, message: Any, *, exclude: Any = None) -> None:
        self.say_farewell(self.spread(room, message, exclude))
        await asyncio.sleep(0)

    async def shutdown(self) -> None:
        self.is_open = False
        for peer in list(self.lines):
            self.cut(peer)
            self.nursery.start(self.close, peer, 1001)
        try:
            await self.nursery.stop()
        except asyncio.CancelledError:
            if self.nursery.host is not None:
                self.nursery.host.cancel()
            raise

    async def refuse(self, peer: Any, code: int) -> None:
        await self.close(peer, code)
        raise JoinRefused(code)

    def spread(self, room: str, message: Any, exclude: Any = None) -> list[Line]:
        """Offer to the room; the lines that were cut for not keeping up."""
        text, cut = self.encode(message), []
        for line in [line for line in self.lines.values() if line.room == room and line.peer is not exclude]:
            try:
                line.inlet.send_nowait(text)
            except anyio.WouldBlock:
                if self.overflow == "drop-oldest":
                    line.outlet.receive_nowait()
                    line.inlet.send_nowait(text)
                elif self.overflow == "disconnect":
                    cut.append(self.cut(line.peer))
                    self.nursery.start(self.close, line.peer, 1013)
        return cut

    def cut(self, peer: Any) -> Line:
        line = self.lines.pop(peer)
        line.scope.cancel()
        return line

    def say_farewell(self, gone: list[Line]) -> None:
        while gone:
            by_room = defaultdict(list)
            for line in gone:
                by_room[line.room].append(line.name)
            gone = [
                late
                for room, names in by_room.items()
                for name in names
                for late in self.spread(room, {"type": "left", "name": name})
            ]

    async def pump(self, line: Line) -> None:
        with line.scope, line.inlet, line.outlet:
            try:
                async for text in line.outlet:
                    await line.peer.send_text(text)
            except Exception:  # noqa: BLE001 - any failure of a send is the end of the line
                await self.leave(line.peer)

    async def close(self, peer: Any, code: int) -> None:
        with anyio.move_on_after(self.close_timeout):
            try:
                await peer.close(code)
            except Exception:  # noqa: BLE001 - it is closed, one way or the other
                return


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
            while True:
                text = await socket.receive_text()
                await hub.broadcast(room, {"type": "message", "name": name, "text": text}, exclude=socket)
        except (JoinRefused, WebSocketDisconnect):
            pass
        finally:
            await hub.leave(socket)

    return app
