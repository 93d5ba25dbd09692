"""A ring buffer and two marks for each peer; nobody ever cancels a writer.

Design: `collections.deque(maxlen=backlog)` drops the oldest by itself, one `asyncio.Event` says that something waits,
another that the peer is gone. The writer races each send against the second mark and ends by itself; there is one flat
list of seats and no table of rooms.

Breaks: none
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import deque
from collections.abc import Callable
from typing import Any

from fastapi import FastAPI, WebSocket
from starlette.websockets import WebSocketDisconnect


class JoinRefused(Exception):
    def __init__(self, code: int) -> None:
        super().__init__(f"closed with {code}")
        self.code = code


class Seat:
    """One peer in one room."""

    def __init__(self, peer: Any, room: str, name: str, backlog: int) -> None:
        self.peer, self.room, self.name = peer, room, name
        self.waiting: deque[str] = deque(maxlen=backlog)
        self.changed = asyncio.Event()
        self.gone = asyncio.Event()


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
        if min(backlog, max_peers) < 1 or not close_timeout > 0 or overflow not in POLICIES:
            raise ValueError(f"limits must be positive and the policy one of {sorted(POLICIES)}")
        self.backlog, self.max_peers, self.close_timeout, self.encode = backlog, max_peers, close_timeout, encode
        self.overflow = POLICIES[overflow]
        self.seats: list[Seat] = []
        self.running: set[asyncio.Task[None]] = set()
        self.open = True

    async def join(self, peer: Any, *, room: str, name: str) -> None:
        if any(seat.peer is peer for seat in self.seats):
            raise ValueError(f"{name} has a seat already")
        if not self.open or len(self.seats) == self.max_peers:
            code = 1013 if self.open else 1001
            await self.hang_up(peer, code)
            raise JoinRefused(code)
        seat = Seat(peer, room, name, self.backlog)
        self.seats.append(seat)
        self.start(self.serve(seat))

    async def leave(self, peer: Any) -> None:
        for seat in self.seats:
            if seat.peer is peer:
                self.tell_departures(self.clear([seat]))
                return

    async def broadcast(self, room: str, message: Any, *, exclude: Any = None) -> None:
        self.tell_departures(self.tell(room, message, exclude))
        for _ in range(3):  # the writer's wait, its batch, and what it started for it
            await asyncio.sleep(0)

    async def shutdown(self) -> None:
        self.open = False
        peers = [seat.peer for seat in self.seats]
        for seat in self.seats:
            seat.gone.set()
        self.seats.clear()
        async with asyncio.TaskGroup() as group:
            for task in list(self.running):
                group.create_task(self.wait_for(task))
            for peer in peers:
                group.create_task(self.hang_up(peer, 1001))

    def put(self, seat: Seat, text: str) -> bool:
        full = len(seat.waiting) == self.backlog
        if not (full and self.overflow == "keep"):
            seat.waiting.append(text)
            seat.changed.set()
        return not (full and self.overflow == "evict")

    def tell(self, room: str, message: Any, exclude: Any = None) -> list[Seat]:
        """Put a message into a room's buffers; the seats that overflowed, which are taken away already."""
        text = self.encode(message)
        audience = [seat for seat in self.seats if seat.room == room and seat.peer is not exclude]
        overflowed = [seat for seat in audience if not self.put(seat, text)]
        for seat in overflowed:
            self.start(self.hang_up(seat.peer, 1013))
        return self.clear(overflowed)

    def clear(self, seats: list[Seat]) -> list[Seat]:
        for seat in seats:
            seat.gone.set()
        self.seats = [seat for seat in self.seats if not seat.gone.is_set()]
        return seats

    def tell_departures(self, leaving: list[Seat]) -> None:
        while leaving:
            leaving = [late for seat in leaving for late in self.tell(seat.room, {"type": "left", "name": seat.name})]

    def start(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self.running.add(task)
        task.add_done_callback(self.running.discard)

    async def serve(self, seat: Seat) -> None:
        gone = asyncio.create_task(seat.gone.wait())
        changed = send = None
        try:
            while not seat.gone.is_set():
                if seat.waiting:
                    send = asyncio.create_task(seat.peer.send_text(seat.waiting.popleft()))
                    await asyncio.wait({send, gone}, return_when=asyncio.FIRST_COMPLETED)
                    if send.done() and send.exception() is not None:
                        await self.leave(seat.peer)
                else:
                    seat.changed.clear()
                    changed = asyncio.create_task(seat.changed.wait())
                    await asyncio.wait({changed, gone}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (gone, changed, send):
                if task is not None:
                    task.cancel()

    async def wait_for(self, task: asyncio.Task[None]) -> None:
        try:
            await task
        except asyncio.CancelledError:
            task.cancel()
            raise

    async def hang_up(self, peer: Any, code: int) -> None:
        try:
            async with asyncio.timeout(self.close_timeout):
                await peer.close(code)
        except Exception:  # noqa: BLE001 - a peer that cannot be closed is closed enough
            return


POLICIES = {"drop-oldest": "rotate", "drop-new": "keep", "disconnect": "evict"}


def create_app(hub: Broadcaster) -> FastAPI:
    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> Any:
        try:
            yield
        finally:
            await hub.shutdown()

    app = FastAPI(lifespan=lifespan)

    @app.websocket("/ws")
    async def talk(socket: WebSocket, room: str, name: str) -> None:
        await socket.accept()
        try:
            await hub.join(socket, room=room, name=name)
            while True:
                said = {"type": "message", "name": name, "text": await socket.receive_text()}
                await hub.broadcast(room, said, exclude=socket)
        except (JoinRefused, WebSocketDisconnect):
            return
        finally:
            await hub.leave(socket)

    return app
