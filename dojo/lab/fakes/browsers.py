"""Real WebSocket clients (httpx-ws) of an ASGI application, inside one world and without a socket.

Each browser lives in a task of its own: httpx-ws ties a connection to the task that opened it, and what goes wrong
there must not reach a test wrapped into an exception group.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

import httpx
from httpx_ws import AsyncWebSocketSession, HTTPXWSException, WebSocketDisconnect, aconnect_ws
from httpx_ws.transport import ASGIWebSocketTransport

from dojo.lab.errors import LabError
from dojo.lab.fakes.peers import ABNORMAL
from dojo.lab.verdict import one_line
from dojo.lab.world import World

PATIENCE_S = 0.5
"""Virtual seconds that an application may take to accept; less than the second that httpx-ws grants."""


class HandshakeRefused(Exception):
    """The application closed before it accepted; ASGI servers answer that with HTTP 403, without the close code."""

    def __init__(self, reason: str) -> None:
        told = f" ({reason})" if reason else ""
        super().__init__(f"HTTP 403: the application closed before it accepted{told}, so no close code arrives")


@dataclass(eq=False)
class Browser:
    """One client; `Browser.open` connects it."""

    world: World = field(repr=False)
    name: str
    texts: list[str] = field(default_factory=list, init=False)
    """The text messages that came, in order."""
    close_code: int | None = field(default=None, init=False)
    """The code with which the server closed;
    1006 if the connection was lost, None while it stands."""
    _session: AsyncWebSocketSession | None = field(default=None, init=False, repr=False)
    _life: asyncio.Task[None] | None = field(default=None, init=False, repr=False)

    @property
    def messages(self) -> list[Any]:
        """What came, in order, decoded from JSON."""
        return [json.loads(text) for text in self.texts]

    async def open(self, app: Any, url: str) -> None:
        """Connect to `app`; returns when the handshake is over. Raises HandshakeRefused if it fails."""
        opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._life = asyncio.create_task(self._live(app, url, opened))
        try:
            await opened
        except Exception as error:
            self._note(f"cannot connect to {url}: {type(error).__name__}")
            raise
        self._note(f"connected to {url}")

    async def send_text(self, text: str) -> None:
        """Send one text message."""
        self._note(f"sends {one_line(text, 60)}")
        await self._connected().send_text(text)

    async def close(self) -> None:
        """Close the tab: the server sees a normal closure (1000)."""
        self._note("closes the tab")
        assert self._life is not None
        self._life.cancel()
        await asyncio.wait({self._life})

    def _connected(self) -> AsyncWebSocketSession:
        if self._session is None:
            raise LabError(f"browser {self.name} is not connected")
        return self._session

    def _note(self, text: str) -> None:
        self.world.trace.note(self.world.actor, self.world.clock.elapsed, f"{self.name} {text}")

    async def _live(self, app: Any, url: str, opened: asyncio.Future[None]) -> None:
        try:
            async with (
                httpx.AsyncClient(transport=ASGIWebSocketTransport(_answering(app))) as client,
                aconnect_ws(f"http://lab{url}", client) as self._session,
            ):
                opened.set_result(None)
                await self._listen(self._session)
        except Exception as error:
            if opened.done():
                raise
            opened.set_exception(_unwrapped(error))
        finally:
            self._session = None

    async def _listen(self, session: AsyncWebSocketSession) -> None:
        try:
            while True:
                text = await session.receive_text()
                self._note(f"got {one_line(text, 60)}")
                self.texts.append(text)
        except WebSocketDisconnect as closed:
            self.close_code = int(closed.code)
            told = f" ({one_line(closed.reason, 60)})" if closed.reason else ""
            self._note(f"is closed by the server with {self.close_code}{told}")
        except HTTPXWSException:
            self.close_code = ABNORMAL
            self._note("loses the connection")


def _answering(app: Any) -> Any:
    """`app`, refusing what it has not answered in time. httpx-ws's own limit leaves its streams unclosed."""

    async def answer(scope: Any, receive: Any, send: Any) -> None:
        async def answered(message: Any) -> None:
            limit.reschedule(None)
            await send(message)

        try:
            async with asyncio.timeout(PATIENCE_S) as limit:
                await app(scope, receive, answered)
        except TimeoutError:
            if not limit.expired():
                raise
            await send({"type": "websocket.close", "code": ABNORMAL, "reason": f"no answer in {PATIENCE_S:g} s"})

    return answer


def _unwrapped(error: Exception) -> Exception:
    """What went wrong in a handshake, out of the groups into which task groups have put it."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return HandshakeRefused(error.reason or "") if isinstance(error, WebSocketDisconnect) else error
