"""A heartbeat that finds a dead peer in bounded time, and takes no living one for dead.

Sources: RFC 6455, sections 5.5.2 and 5.5.3 (ping, pong) and 7.4.1 (close codes); documentation of `websockets`,
"Keepalive and latency".
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
import time
from typing import Protocol

#: Close code: the peer did not answer. What `websockets` and the servers built on it send for a keepalive time-out.
NO_ANSWER = 1011

# One stretch in which the event loop stands still can eat up one of these parts of `timeout`, but never two.
_PARTS = 4


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
        # Not `interval <= 0`, which NaN would pass.
        if not (interval > 0 and timeout > 0 and close_timeout > 0):
            raise ValueError("interval, timeout and close_timeout are seconds and must be more than 0")
        self._peer = peer
        self._interval = interval
        self._timeout = timeout
        self._close_timeout = close_timeout
        self._uniform = random.uniform if rng is None else rng.uniform
        self._numbers = itertools.count()
        self._open: bytes | None = None
        self._due: float  # the moment of the next ping
        self._settled = asyncio.Event()
        self._gone = False

    async def run(self) -> None:
        """Watch the peer until it is dead and closed. To stop watching, cancel this; the peer is not closed then.

        Raises nothing but CancelledError. Run it once.
        """
        # As if the peer had been silent for a while already, each for another while: all that connect in the same
        # second, after a restart for instance, would be pinged in the same second for ever.
        self._due = time.monotonic() + self._uniform(0, self._interval)
        await self._silence()
        while await self._answers():
            await self._silence()
        # A peer that cannot be closed in time, or is closed already, is none of our business any more.
        with contextlib.suppress(Exception):
            await asyncio.wait_for(self._peer.close(NO_ANSWER), self._close_timeout)

    def received(self) -> None:
        """A message, or a piece of one, has come in from the peer: it lives."""
        self._due = time.monotonic() + self._interval
        self._settled.set()

    def pong(self, payload: bytes) -> None:
        """A pong frame has come in. It is a sign of life if `payload` is that of the ping that is open now."""
        if payload == self._open:
            self.received()

    async def _silence(self) -> None:
        """Return when a ping is due. Signs of life in between only move a number, so a busy peer costs nothing."""
        while (rest := self._due - time.monotonic()) > 0:
            await asyncio.sleep(rest)

    async def _answers(self) -> bool:
        """Ping the peer; whether it gives a sign of life in time."""
        # Before the ping begins: the pong may be here before the call has returned.
        self._open = b"%d" % next(self._numbers)
        self._settled.clear()
        sending = asyncio.create_task(self._send(self._open))
        try:
            # The clock runs on while the event loop stands still, and the pongs lie unread in the sockets' buffers.
            # So time is counted in parts that this loop has lived through, not read from the clock at the end.
            for _ in range(_PARTS):
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._settled.wait(), self._timeout / _PARTS)
                    break
            return self._settled.is_set() and not self._gone
        finally:
            self._open = None
            sending.cancel()

    async def _send(self, payload: bytes) -> None:
        # A task of its own: a full socket buffer blocks the ping, and that must not delay the verdict.
        try:
            await self._peer.ping(payload)
        except Exception:  # noqa: BLE001 - servers differ in what they raise; each of it means that the peer is gone
            self._gone = True
            self._settled.set()
