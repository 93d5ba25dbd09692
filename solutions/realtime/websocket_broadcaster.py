"""A broadcast hub for WebSockets that no dead, slow or hung peer can spoil.

Sources: RFC 6455, section 7.4 (close codes) and the IANA registry of them (1013, "try again later");
ASGI specification, WebSocket messages; documentation of `websockets`, "Broadcasting".
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, get_args

from fastapi import FastAPI, WebSocket, WebSocketDisconnect
from starlette.websockets import WebSocketState

#: Close code: the server is shutting down.
GOING_AWAY = 1001

#: Close code: the server has no room for this peer now, or the peer reads too slowly.
TRY_AGAIN_LATER = 1013

#: What becomes of a message for a peer whose backlog is full.
Overflow = Literal["drop-oldest", "drop-new", "disconnect"]


class Peer(Protocol):
    """One accepted connection. Starlette's `WebSocket` is one; compared by identity, and hashable."""

    async def send_text(self, data: str) -> None:
        """Send one text message. May take for ever, and may raise any exception once the peer is gone."""
        ...

    async def close(self, code: int = 1000, reason: str | None = None) -> None:
        """Close the connection with a code of RFC 6455. May take for ever and may raise, too."""
        ...


class JoinRefused(Exception):
    """The hub did not take a peer; it has closed the peer with `code`, which says why."""

    def __init__(self, code: int) -> None:
        self.code = code

    def __str__(self) -> str:
        return f"refused with close code {self.code}; the peer may try again elsewhere or later"


@dataclass(eq=False)
class _Member:
    """A peer that has joined. Nobody but its writer sends to it, so nobody else ever waits for it."""

    peer: Peer
    room: str
    name: str
    waiting: asyncio.Queue[str]
    writer: asyncio.Task[None] = field(init=False)


class Broadcaster:
    """Rooms of peers, and messages to all of a room. Use it from one event loop.

    backlog: messages that may wait for one peer, at least 1; the one that is being sent does not count.
    overflow: what becomes of a message for a peer whose backlog is full.
    max_peers: peers that may be joined at the same time, in all rooms together; at least 1.
    close_timeout: seconds that closing one peer may take, more than 0.
    encode: turns a message into the text that is sent; called once for each message.

    Raises ValueError for anything else.
    """

    def __init__(
        self,
        *,
        backlog: int = 100,
        overflow: Overflow = "drop-oldest",
        max_peers: int = 10_000,
        close_timeout: float = 5.0,
        encode: Callable[[Any], str] = json.dumps,
    ) -> None:
        if backlog < 1 or max_peers < 1 or not close_timeout > 0:
            raise ValueError("backlog and max_peers must be at least 1, close_timeout more than 0")
        if overflow not in get_args(Overflow):
            raise ValueError(f"unknown overflow policy {overflow!r}; known: {', '.join(get_args(Overflow))}")
        self._backlog = backlog
        self._overflow = overflow
        self._max_peers = max_peers
        self._close_timeout = close_timeout
        self._encode = encode
        self._members: dict[Peer, _Member] = {}
        self._rooms: dict[str, dict[Peer, _Member]] = {}
        self._closings: set[asyncio.Task[None]] = set()
        self._shut_down = False

    async def join(self, peer: Peer, *, room: str, name: str) -> None:
        """Take `peer`, whose handshake is complete, into `room`; `name` is what others learn when it goes.

        Raises JoinRefused, after closing the peer, with 1013 if the hub is full and with 1001 once it has been shut
        down. Raises ValueError for a peer that is in a room already.
        """
        if peer in self._members:
            raise ValueError(f"{name} is in a room already; leave it first")
        refusal = GOING_AWAY if self._shut_down else TRY_AGAIN_LATER if self._is_full else None
        if refusal is not None:
            await self._close(peer, refusal)
            raise JoinRefused(refusal)
        member = _Member(peer, room, name, asyncio.Queue(self._backlog))
        member.writer = asyncio.create_task(self._write(member))
        self._members[peer] = member
        self._rooms.setdefault(room, {})[peer] = member

    async def leave(self, peer: Peer) -> None:
        """Forget `peer` with its backlog, and tell its room; the socket stays open. No-op for a stranger."""
        member = self._members.get(peer)
        if member is not None:
            member.writer.cancel()
            self._publish(*self._remove(member))

    async def broadcast(self, room: str, message: Any, *, exclude: Peer | None = None) -> None:
        """Queue `message` for everybody in `room` but `exclude`; does not wait for any of them.

        Raises what `encode` raises, and then nobody gets anything.
        """
        self._publish(room, message, exclude)
        # One turn for the writers: a caller that finds message after message at hand never yields to the loop itself,
        # and would overflow the backlogs of peers that keep up.
        await asyncio.sleep(0)

    async def shutdown(self) -> None:
        """Close every peer with 1001, all at once, within `close_timeout`; the hub takes nobody afterwards.

        Backlogs are dropped and nobody's leaving is announced. A second call is a no-op.
        """
        self._shut_down = True
        members = list(self._members.values())
        for member in members:
            member.writer.cancel()
            self._remove(member)
        await asyncio.gather(*(self._close(member.peer, GOING_AWAY) for member in members), *self._closings)

    @property
    def _is_full(self) -> bool:
        return len(self._members) >= self._max_peers

    def _publish(self, room: str, message: Any, exclude: Peer | None = None) -> None:
        """Fill backlogs. Nothing in here awaits, so nobody joins or leaves half-way."""
        # Who is disconnected has to be announced, which may disconnect the next: a loop, because a whole room can
        # overflow at once and recursion would end at the interpreter's limit.
        outbox = deque([(room, message, exclude)])
        while outbox:
            room, message, exclude = outbox.popleft()
            text = self._encode(message)
            for member in list(self._rooms.get(room, {}).values()):
                if member.peer is not exclude and not self._offer(member, text):
                    outbox.append((*self._evict(member), None))

    def _offer(self, member: _Member, text: str) -> bool:
        """Queue `text` as the policy says; whether `member` may stay."""
        if member.waiting.full():
            if self._overflow != "drop-oldest":
                return self._overflow == "drop-new"
            member.waiting.get_nowait()
        member.waiting.put_nowait(text)
        return True

    def _evict(self, member: _Member) -> tuple[str, Any]:
        member.writer.cancel()
        # In the background: closing needs the very socket that is stuck. The set keeps the task from being collected.
        closing = asyncio.create_task(self._close(member.peer, TRY_AGAIN_LATER))
        self._closings.add(closing)
        closing.add_done_callback(self._closings.discard)
        return self._remove(member)

    def _remove(self, member: _Member) -> tuple[str, Any]:
        """Forget `member`; what the room should hear about it."""
        del self._members[member.peer]
        room = self._rooms[member.room]
        del room[member.peer]
        if not room:
            del self._rooms[member.room]
        return member.room, {"type": "left", "name": member.name}

    async def _write(self, member: _Member) -> None:
        """Send what waits, one message at a time, until the peer goes."""
        try:
            while True:
                text = await member.waiting.get()
                await member.peer.send_text(text)
        except Exception:  # noqa: BLE001 - servers differ in what they raise; each of it means that the peer is gone
            await self.leave(member.peer)

    async def _close(self, peer: Peer, code: int) -> None:
        # A peer that cannot be closed in time, or is closed already, is none of the hub's business any more.
        with contextlib.suppress(Exception):
            await asyncio.wait_for(peer.close(code), self._close_timeout)


def create_app(hub: Broadcaster) -> FastAPI:
    """An application whose WebSocket ``/ws?room=R&name=N`` joins room R of `hub` as N.

    Each text frame is relayed to the others in the room as ``{"type": "message", "name": N, "text": frame}``.
    The application's shutdown shuts the hub down.
    """

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        await hub.shutdown()

    app = FastAPI(lifespan=lifespan)

    @app.websocket("/ws")
    async def relay(socket: WebSocket, room: str, name: str) -> None:
        # Before `join`, which may close with 1013: a close code reaches only a client whose handshake is complete.
        await socket.accept()
        with contextlib.suppress(JoinRefused):
            await hub.join(socket, room=room, name=name)
            try:
                while socket.application_state is WebSocketState.CONNECTED:
                    text = await socket.receive_text()
                    await hub.broadcast(room, {"type": "message", "name": name, "text": text}, exclude=socket)
            except WebSocketDisconnect:
                pass
            finally:
                await hub.leave(socket)

    return app
