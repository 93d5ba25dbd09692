"""A heartbeat that finds a dead peer in bounded time, and takes no living one for dead.

Sources: RFC 6455, sections 5.5.2 and 5.5.3 (ping, pong) and 7.4.1 (close codes); documentation of `websockets`,
"Keepalive and latency".
"""

from __future__ import annotations

import random
from typing import Protocol

#: Close code: the peer did not answer. What `websockets` and the servers built on it send for a keepalive time-out.
NO_ANSWER = 1011


class Peer(Protocol):
    """One open connection, as its server holds it."""

    async def ping(self, payload: bytes) -> None:
        """Send a ping frame with 1 to 125 bytes. May take for ever, and may raise anything once the peer is gone."""
        ...

    async def close(self, code: int = 1000, reason: str | None = None) -> None:
        """Close the connection with a code of RFC 6455. May take for ever and may raise, too."""
        ...


class Heartbeat:
    """Watches one peer: pings it when it is silent, closes it when it stays so. Use it in one event loop.

    peer: the connection; the heartbeat alone pings it, and others may close it.
    interval: seconds of silence after which the peer is pinged, more than 0.
    timeout: seconds that it has to answer, more than 0.
    close_timeout: seconds that closing it may take, more than 0.
    rng: where the time of the first ping comes from; None for a source of your own.

    Raises ValueError for anything else.
    """

    def __init__(
        self,
        peer: Peer,
        *,
        interval: float = 20.0,
        timeout: float = 20.0,
        close_timeout: float = 5.0,
        rng: random.Random | None = None,
    ) -> None:
        raise NotImplementedError("Heartbeat.__init__ is yours to write; its rules stand in README.md")

    async def run(self) -> None:
        """Watch the peer until it is dead and closed. To stop watching, cancel this; the peer is not closed then.

        Raises nothing but CancelledError. Run it once.
        """
        raise NotImplementedError("Heartbeat.run is yours to write; its rules stand in README.md")

    def received(self) -> None:
        """A message, or a piece of one, has come in from the peer: it lives."""
        raise NotImplementedError("Heartbeat.received is yours to write; its rules stand in README.md")

    def pong(self, payload: bytes) -> None:
        """A pong frame has come in. It is a sign of life if `payload` is that of the ping that is open now."""
        raise NotImplementedError("Heartbeat.pong is yours to write; its rules stand in README.md")
