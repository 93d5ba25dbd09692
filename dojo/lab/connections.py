"""redis-py connections whose every round trip is a step of the lab.

The gate sits in the connection, below clients, pipelines, Lua scripts and redis-py's own ``Lock``: whatever a
learner calls, one round trip is one atomic, schedulable, breakable step.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import redis
import redis.asyncio
from redis.exceptions import ConnectionError as RedisConnectionError

from dojo.lab.commands import footprint, joined, spelled, unpack
from dojo.lab.errors import LabError
from dojo.lab.servers import CUT

if TYPE_CHECKING:
    from dojo.lab.trace import Step
    from dojo.lab.world import World


_SUBSCRIBING = (b"SUBSCRIBE", b"PSUBSCRIBE", b"UNSUBSCRIBE", b"PUNSUBSCRIBE")


@dataclass
class _Trip:
    """One round trip that is under way: its step, and the replies still to come."""

    step: Step
    left: int
    transaction: bool
    replies: list[Any] = field(default_factory=list)

    def take(self, reply: Any) -> bool:
        """Note one reply; True when it was the last."""
        self.replies.append(reply)
        self.left -= 1
        # Of MULTI … EXEC only EXEC's answer says what happened; the others are OK and QUEUED.
        self.step.reply = reply if self.transaction or len(self.replies) == 1 else list(self.replies)
        return self.left == 0


def _trip(step: Step, commands: list[list[bytes]]) -> _Trip:
    return _Trip(step, len(commands), commands[-1][0].upper() == b"EXEC")


class _GatedAsync:
    """Mixed into a ``redis.asyncio`` connection class."""

    def __init__(self, *, world: World, **options: Any) -> None:
        self._world = world
        self._trip: _Trip | None = None
        self._greeting = False
        self._subscriber = False
        self._subscribed_once = False
        self._travelling: deque[Any] = deque()
        super().__init__(**options)

    async def _connect(self) -> None:
        if self._subscribed_once and self._world.server.is_away:
            # A subscriber that comes back subscribes while it connects, and connects again if that fails. So here it
            # must be the connection that is refused, not its first command.
            step = await self._world.enter("(connect)", {}, self._world.server.lost)
            step.note = "connection refused"
            self._world.server.arrive()
        # While a real socket is being opened time must not jump, nor anybody else take a step.
        self._world.wire.in_flight += 1
        try:
            await super()._connect()  # type: ignore[misc]
        finally:
            self._world.wire.in_flight -= 1

    async def on_connect(self) -> None:
        self._greeting = True
        self._world.wire.in_flight += 1
        try:
            await super().on_connect()  # type: ignore[misc]
        finally:
            self._world.wire.in_flight -= 1
            self._greeting = False

    async def send_packed_command(self, command: Any, check_health: bool = True) -> None:
        if self._greeting:
            await super().send_packed_command(command, check_health)  # type: ignore[misc]
            return
        world = self._world
        commands = unpack(joined(command))
        self._end_trip()
        step = await world.enter(spelled(commands), footprint(commands), world.server.lost)
        if self._subscriber or commands[0][0].upper() in _SUBSCRIBING:
            await self._send_as_subscriber(step, command, check_health)
            return
        world.wire.in_flight += 1
        self._trip = _trip(step, commands)
        try:
            with world.clock.on_the_server():
                world.server.arrive()
                await super().send_packed_command(command, check_health)  # type: ignore[misc]
        except BaseException as error:
            self._end_trip()
            step.note = str(error) or type(error).__name__
            raise
        if world.faulted(step):
            # The request must have been applied before anybody can die of it or lose its reply.
            while self._trip is not None:
                try:
                    await self.read_response()
                except redis.ResponseError:
                    continue  # an error reply is a reply; the fault decides what the caller sees
            await self.disconnect()
            await world.leave(step, world.server.lost)

    async def _send_as_subscriber(self, step: Step, command: Any, check_health: bool) -> None:
        """What is answered on a connection that has subscribed comes among its messages, whenever somebody reads."""
        self._subscriber = self._subscribed_once = True
        self._world.server.arrive()
        self._world.server.subscribers.add(self)
        step.reply = None
        if seconds := self._world.server.subscriptions_take:
            # Whoever sent it goes on: that a request was written does not mean that it was served.
            step.note = f"arrives {seconds:g} s later"
            travelling, loop = self._travelling, asyncio.get_running_loop()
            travelling.append(command)
            loop.call_later(seconds, lambda: loop.create_task(self._arrive(travelling, check_health)))
            return
        await super().send_packed_command(command, check_health)  # type: ignore[misc]
        self._world.server.settle()
        if self._world.faulted(step):
            await self.disconnect()
            await self._world.leave(step, self._world.server.lost)

    async def _arrive(self, travelling: deque[Any], check_health: bool) -> None:
        """The oldest command that is under way reaches the server, if its connection still stands."""
        if travelling is self._travelling and travelling:
            await super().send_packed_command(travelling.popleft(), check_health)  # type: ignore[misc]
            self._world.server.settle()

    async def disconnect(self, *args: Any, **options: Any) -> None:
        self._travelling = deque()
        if self._subscriber:
            self._subscriber = False
            self._world.server.forget(self)
        await super().disconnect(*args, **options)  # type: ignore[misc]

    async def _read_message(self, *args: Any, **options: Any) -> Any:
        if options.get("timeout") == math.inf:
            options["timeout"] = None  # the fake would set a timer for the end of time
        message = await super().read_response(*args, **options)  # type: ignore[misc]
        if message == CUT:
            await self.disconnect()
            raise RedisConnectionError("the server closed the connection")
        if message is None and not self.is_connected:  # type: ignore[attr-defined]
            raise RedisConnectionError("the connection was closed while somebody read from it")
        return message

    async def read_response(self, *args: Any, **options: Any) -> Any:
        trip = self._trip
        if trip is None:
            return await self._read_message(*args, **options)
        try:
            reply = await super().read_response(*args, **options)  # type: ignore[misc]
        except redis.ResponseError as error:
            self._take(trip, error)
            raise
        except BaseException:
            self._end_trip()
            raise
        self._take(trip, reply)
        return reply

    def _take(self, trip: _Trip, reply: Any) -> None:
        if trip.take(reply):
            self._world.server.settle()
            self._end_trip()

    def _end_trip(self) -> None:
        if self._trip is not None:
            self._trip = None
            self._world.wire.in_flight -= 1


class _GatedSync:
    """Mixed into a ``redis`` connection class."""

    def __init__(self, *, world: World, **options: Any) -> None:
        self._world = world
        self._trip: _Trip | None = None
        self._greeting = False
        super().__init__(**options)

    def on_connect(self) -> None:
        self._greeting = True
        try:
            super().on_connect()  # type: ignore[misc]
        finally:
            self._greeting = False

    def send_packed_command(self, command: Any, check_health: bool = True) -> None:
        if self._greeting:
            super().send_packed_command(command, check_health)  # type: ignore[misc]
            return
        world = self._world
        commands = unpack(joined(command))
        self._trip = None
        if world.closed and commands == [[b"UNWATCH"]]:
            # A pipeline says this from __del__ too, where ProcessDied would be an unraisable exception.
            raise RedisConnectionError("the process that watched is dead")
        if commands[0][0].upper() in _SUBSCRIBING:
            raise LabError("the lab's synchronous clients do not subscribe; use `lab.redis()`, the asynchronous one")
        step = world.enter_sync(spelled(commands), footprint(commands), world.server.lost)
        try:
            with world.clock.on_the_server():
                world.server.arrive()
                super().send_packed_command(command, check_health)  # type: ignore[misc]
        except RedisConnectionError as error:
            step.note = str(error)
            raise
        self._trip = _trip(step, commands)
        if world.faulted(step):
            while self._trip is not None:
                try:
                    self.read_response()
                except redis.ResponseError:
                    continue
            self.disconnect()
            world.leave_sync(step, world.server.lost)

    def read_response(self, *args: Any, **options: Any) -> Any:
        trip = self._trip
        if trip is None:
            return super().read_response(*args, **options)  # type: ignore[misc]
        try:
            reply = super().read_response(*args, **options)  # type: ignore[misc]
        except redis.ResponseError as error:
            self._take(trip, error)
            raise
        except BaseException:
            self._trip = None
            raise
        self._take(trip, reply)
        return reply

    def _take(self, trip: _Trip, reply: Any) -> None:
        if trip.take(reply):
            self._world.server.settle()
            self._trip = None


_GATED: dict[type[Any], type[Any]] = {}


def gated(base: type[Any]) -> type[Any]:
    """The gated form of a redis-py (or fakeredis) connection class."""
    if base not in _GATED:
        mixin = _GatedAsync if issubclass(base, redis.asyncio.connection.AbstractConnection) else _GatedSync
        _GATED[base] = type(f"Gated{base.__name__}", (mixin, base), {})
    return _GATED[base]
