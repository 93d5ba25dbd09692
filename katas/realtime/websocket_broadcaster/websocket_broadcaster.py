"""A broadcast hub for WebSockets that no dead, slow or hung peer can spoil.

Sources: RFC 6455, section 7.4 (close codes) and the IANA registry of them (1013, "try again later");
ASGI specification, WebSocket messages; documentation of `websockets`, "Broadcasting".
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Literal, Protocol

from fastapi import FastAPI

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
        raise NotImplementedError("Broadcaster.__init__ is yours to write; its rules stand in README.md")

    async def join(self, peer: Peer, *, room: str, name: str) -> None:
        """Take `peer`, whose handshake is complete, into `room`; `name` is what others learn when it goes.

        Raises JoinRefused, after closing the peer, with 1013 if the hub is full and with 1001 once it has been shut
        down. Raises ValueError for a peer that is in a room already.
        """
        raise NotImplementedError("Broadcaster.join is yours to write; its rules stand in README.md")

    async def leave(self, peer: Peer) -> None:
        """Forget `peer` with its backlog, and tell its room; the socket stays open. No-op for a stranger."""
        raise NotImplementedError("Broadcaster.leave is yours to write; its rules stand in README.md")

    async def broadcast(self, room: str, message: Any, *, exclude: Peer | None = None) -> None:
        """Queue `message` for everybody in `room` but `exclude`; does not wait for any of them.

        Raises what `encode` raises, and then nobody gets anything.
        """
        raise NotImplementedError("Broadcaster.broadcast is yours to write; its rules stand in README.md")

    async def shutdown(self) -> None:
        """Close every peer with 1001, all at once, within `close_timeout`; the hub takes nobody afterwards.

        Backlogs are dropped and nobody's leaving is announced. A second call is a no-op.
        """
        raise NotImplementedError("Broadcaster.shutdown is yours to write; its rules stand in README.md")


def create_app(hub: Broadcaster) -> FastAPI:
    """An application whose WebSocket ``/ws?room=R&name=N`` joins room R of `hub` as N.

    Each text frame is relayed to the others in the room as ``{"type": "message", "name": N, "text": frame}``.
    The application's shutdown shuts the hub down.
    """
    raise NotImplementedError("create_app is yours to write; its rules stand in README.md")
