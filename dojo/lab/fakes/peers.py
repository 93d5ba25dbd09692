"""WebSocket peers as a server holds them: the interface of Starlette's ``WebSocket``, with a network of your choice.

==============  ======================================================================================
``healthy``     takes each message at once
``instant``     healthy, but its sends are no steps: they end before anything else can happen
``slow``        each send takes `seconds` (one number, or one for each send; the last one is repeated)
``hung``        no ``send``, ``ping`` or ``close`` ever returns: the cable is cut, TCP has not noticed yet
``dead``        each send raises, and ``close`` too
``dies-later``  healthy for `after` messages, then dead
==============  ======================================================================================

Each other send, ping and close is one step of the world: scheduled, traced, open to faults.

``ping`` is what `websockets` and other servers have and Starlette has not: a control frame with a payload. Whether a
pong comes back, and when, is for the test to say: it puts a function into ``on_ping``.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from starlette import websockets
from starlette.websockets import WebSocketDisconnect, WebSocketState

from dojo.lab.errors import LabError
from dojo.lab.trust import is_a, whole
from dojo.lab.verdict import one_line
from dojo.lab.world import World

Kind = Literal["healthy", "instant", "slow", "hung", "dead", "dies-later"]
Payload = str | bytes

# Older versions of Starlette raise the base class.
_Disconnected: type[RuntimeError] = getattr(websockets, "WebSocketDisconnected", RuntimeError)

ABNORMAL = 1006
"""RFC 6455, section 7.4.1: closed without a close frame."""

_SHOWN = 60
"""Characters of a message that a timeline can afford."""


def vanished(reason: str = "the peer is gone") -> Exception:
    """What Starlette raises when the transport breaks under a send."""
    return WebSocketDisconnect(ABNORMAL, reason)


def already_closed() -> Exception:
    """What Starlette raises for a send after a disconnect that it has noticed: no relation of the above."""
    return _Disconnected('Cannot call "send" once a close message has been sent.')


def _unheard(payload: bytes) -> None:
    """What a peer does with a ping if the test does not say."""


@dataclass(frozen=True)
class Delivery:
    """One message that reached the peer, and when (virtual seconds since the world began)."""

    time: float
    data: Payload


class _Said(str):
    """A remark, which the timeline shows without quotes."""

    __slots__ = ()
    __repr__ = str.__str__


@dataclass(eq=False)
class FakePeer:
    """One connection, seen from the server, and what a test may ask about it afterwards."""

    world: World = field(repr=False)
    name: str
    kind: Kind = "healthy"
    seconds: float | Sequence[float] = 1.0
    after: int = 0
    error: Callable[[], Exception] = vanished
    """Builds what a send to a dead peer raises; `vanished` and `already_closed` are Starlette's two ways."""
    accepted: bool = True
    """Whether the handshake is over; if not, somebody has to ``accept`` first."""

    client_state: WebSocketState = field(init=False)
    application_state: WebSocketState = field(init=False)
    received: list[Delivery] = field(default_factory=list, init=False)
    attempts: int = field(default=0, init=False)
    """Sends begun, whatever became of them."""
    most_at_once: int = field(default=0, init=False)
    """The largest number of sends that were under way at the same time."""
    pings: list[Delivery] = field(default_factory=list, init=False)
    """Pings begun, whatever became of them, each with the time of its beginning."""
    most_pings_at_once: int = field(default=0, init=False)
    """The largest number of calls of ``ping`` that were under way at the same time."""
    on_ping: Callable[[bytes], object] = field(default_factory=lambda: _unheard, init=False, repr=False)
    """Called with the payload when a ping reaches the peer, before ``ping`` returns."""
    close_code: int | None = field(default=None, init=False)
    """What the first ``close`` asked for, even if it never returned; None while nobody has closed."""
    closed_at: float | None = field(default=None, init=False)
    """When that was, in virtual seconds."""
    _sending: int = field(default=0, init=False, repr=False)
    _pinging: int = field(default=0, init=False, repr=False)

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise LabError(f"unknown kind of peer {self.kind!r}; known: {', '.join(get_args(Kind))}")
        state = WebSocketState.CONNECTED if self.accepted else WebSocketState.CONNECTING
        self.client_state = self.application_state = state

    # what a test asks

    @property
    def texts(self) -> list[Payload]:
        """What the peer received, in order."""
        return [delivery.data for delivery in self.received]

    @property
    def messages(self) -> list[Any]:
        """What the peer received, in order, decoded from JSON."""
        return [json.loads(text) for text in self.texts]

    # Starlette's interface

    async def accept(self, subprotocol: str | None = None, headers: Any = None) -> None:
        """Complete the handshake of a peer that was made with ``accepted=False``."""
        if self.application_state is not WebSocketState.CONNECTING:
            raise RuntimeError(
                'Expected ASGI message "websocket.send" or "websocket.close", but got "websocket.accept"'
            )
        self.client_state = self.application_state = WebSocketState.CONNECTED
        await self._step("accept()", lambda: _Said("OK"))

    async def send_text(self, data: str) -> None:
        """Send one text message; returns when the peer has taken it."""
        if is_a(data, str):
            data = str.__str__(data)  # what goes over a wire has no class of its own
        await self._send(f"send_text({one_line(data, _SHOWN)})", data)

    async def send_bytes(self, data: bytes) -> None:
        """Send one binary message; returns when the peer has taken it."""
        await self._send(f"send_bytes({one_line(repr(data), _SHOWN)})", data)

    async def send_json(self, data: Any, mode: str = "text") -> None:
        """Encode `data` and send it; each call encodes anew, as Starlette's does."""
        text = json.dumps(data, separators=(",", ":"), ensure_ascii=False)
        await (self.send_text(text) if mode == "text" else self.send_bytes(text.encode()))

    async def ping(self, payload: bytes) -> None:
        """Send a ping frame; returns when the network has taken it, not when the peer has answered."""
        if is_a(payload, bytes):
            payload = bytes(memoryview(payload))  # the bytes alone, whatever a subclass of them says
        self.pings.append(Delivery(self.world.clock.elapsed, payload))
        self._pinging += 1
        self.most_pings_at_once = max(self.most_pings_at_once, self._pinging)
        try:
            await self._transmit(f"ping({one_line(repr(payload), _SHOWN)})", lambda: self.on_ping(payload))
        finally:
            self._pinging -= 1

    async def close(self, code: int = 1000, reason: str | None = None) -> None:
        """Close with a code of RFC 6455; takes as long as a send does."""
        code = whole(code)
        if self.close_code is None:
            self.close_code, self.closed_at = code, self.world.clock.elapsed
        await self._transmit(f"close({code})", lambda: None, closing=True)

    # the network

    async def _send(self, text: str, data: Payload) -> None:
        self.attempts += 1
        self._sending += 1
        self.most_at_once = max(self.most_at_once, self._sending)
        try:
            await self._transmit(text, lambda: self.received.append(Delivery(self.world.clock.elapsed, data)))
        finally:
            self._sending -= 1

    async def _transmit(self, text: str, arrive: Callable[[], object], *, closing: bool = False) -> None:
        duration = self._duration()

        def leave() -> _Said:
            self._check_state()
            if self._is_dead:
                self.application_state = WebSocketState.DISCONNECTED
                raise self.error()
            if closing:
                self.application_state = WebSocketState.DISCONNECTED
            if self.kind == "hung":
                return _Said("never returns")
            if duration:
                return _Said(f"takes {duration:g} s")
            arrive()
            return _Said("OK")

        if self.kind == "instant":
            leave()
            return
        await self._step(text, leave)
        if self.kind == "hung":
            await asyncio.get_running_loop().create_future()
        if duration:
            await asyncio.sleep(duration)
            arrive()

    async def _step(self, text: str, apply: Callable[[], _Said]) -> None:
        await self.world.call(f"{self.name}.{text}", apply, {b"peer:" + self.name.encode(): "w"}, vanished)

    def _check_state(self) -> None:
        if self.application_state is WebSocketState.CONNECTING:
            raise RuntimeError(
                'Expected ASGI message "websocket.accept" or "websocket.close", but got "websocket.send"'
            )
        if self.application_state is not WebSocketState.CONNECTED:
            raise already_closed()

    @property
    def _is_dead(self) -> bool:
        return self.kind == "dead" or (self.kind == "dies-later" and len(self.received) >= self.after)

    def _duration(self) -> float:
        if self.kind != "slow":
            return 0.0
        if isinstance(self.seconds, (int, float)):
            return self.seconds
        return self.seconds[min(self.attempts, len(self.seconds)) - 1]
