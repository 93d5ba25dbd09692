"""Sends to all at once, removes whoever failed, and awaits the slowest of them.

Trap: waits-for-the-slowest
Rule: 3
Published: in tutorials on WebSocket chats that have found `gather`
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import deque

from fastapi import FastAPI, WebSocket, WebSocketDisconnect


class JoinRefused(Exception):
    def __init__(self, code):
        super().__init__(f"refused with {code}")
        self.code = code


class Member:
    def __init__(self, peer, room, name, backlog):
        self.peer, self.room, self.name = peer, room, name
        self.waiting = asyncio.Queue(backlog)
        self.writer = None


class Broadcaster:
    def __init__(self, *, backlog=100, overflow="drop-oldest", max_peers=10_000, close_timeout=5.0, encode=json.dumps):
        if backlog < 1 or max_peers < 1 or close_timeout <= 0:
            raise ValueError("limits must be positive")
        if overflow not in ("drop-oldest", "drop-new", "disconnect"):
            raise ValueError(f"unknown policy {overflow!r}")
        self.backlog, self.overflow, self.max_peers = backlog, overflow, max_peers
        self.close_timeout, self.encode = close_timeout, encode
        self.members, self.rooms, self.closings, self.stopped = {}, {}, set(), False

    async def join(self, peer, *, room, name):
        if peer in self.members:
            raise ValueError(f"{name} has joined already")
        code = 1001 if self.stopped else 1013 if len(self.members) >= self.max_peers else None
        if code is not None:
            await self.close(peer, code)
            raise JoinRefused(code)
        member = self.members[peer] = Member(peer, room, name, self.backlog)
        self.rooms.setdefault(room, {})[peer] = member
        member.writer = asyncio.create_task(self.write(member))

    async def leave(self, peer):
        member = self.members.get(peer)
        if member is not None:
            member.writer.cancel()
            self.publish(*self.remove(member))

    async def broadcast(self, room, message, *, exclude=None):
        text = self.encode(message)
        peers = [m for m in self.rooms.get(room, {}).values() if m.peer is not exclude]
        results = await asyncio.gather(*(m.peer.send_text(text) for m in peers), return_exceptions=True)
        for member, result in zip(peers, results, strict=True):
            if isinstance(result, Exception):
                await self.leave(member.peer)

    async def shutdown(self):
        self.stopped = True
        members = list(self.members.values())
        self.members.clear()
        self.rooms.clear()
        for member in members:
            member.writer.cancel()
        await asyncio.gather(*(self.close(m.peer, 1001) for m in members), *self.closings)

    def publish(self, room, message, exclude=None):
        outbox = deque([(room, message, exclude)])
        while outbox:
            room, message, exclude = outbox.popleft()
            text = self.encode(message)
            for member in list(self.rooms.get(room, {}).values()):
                if member.peer is not exclude and not self.offer(member, text):
                    outbox.append((*self.evict(member), None))

    def offer(self, member, text):
        if member.waiting.full():
            if self.overflow == "disconnect":
                return False
            if self.overflow == "drop-new":
                return True
            member.waiting.get_nowait()
        member.waiting.put_nowait(text)
        return True

    def evict(self, member):
        member.writer.cancel()
        closing = asyncio.create_task(self.close(member.peer, 1013))
        self.closings.add(closing)
        closing.add_done_callback(self.closings.discard)
        return self.remove(member)

    def remove(self, member):
        del self.members[member.peer]
        room = self.rooms[member.room]
        del room[member.peer]
        if not room:
            del self.rooms[member.room]
        return member.room, {"type": "left", "name": member.name}

    async def write(self, member):
        try:
            while True:
                await member.peer.send_text(await member.waiting.get())
        except Exception:  # noqa: BLE001
            await self.leave(member.peer)

    async def close(self, peer, code):
        with contextlib.suppress(Exception):
            await asyncio.wait_for(peer.close(code), self.close_timeout)


def create_app(hub):
    @contextlib.asynccontextmanager
    async def lifespan(app):
        yield
        await hub.shutdown()

    app = FastAPI(lifespan=lifespan)

    @app.websocket("/ws")
    async def relay(socket: WebSocket, room: str, name: str):
        await socket.accept()
        with contextlib.suppress(JoinRefused):
            await hub.join(socket, room=room, name=name)
            try:
                while True:
                    text = await socket.receive_text()
                    await hub.broadcast(room, {"type": "message", "name": name, "text": text}, exclude=socket)
            except (WebSocketDisconnect, RuntimeError):
                pass
            finally:
                await hub.leave(socket)

    return app
