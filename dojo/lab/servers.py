"""The Redis server of a world: a fake in memory, a private Valkey, or a server that somebody else runs.

All three show the same face to the lab: connection classes with their options, a clock that follows the world's,
and inspection that is neither gated nor traced.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Collection, Iterator
from typing import TYPE_CHECKING, Any, Protocol

import redis
from fakeredis import FakeServer
from fakeredis._clients._async import FakeAsyncRedisConnection
from fakeredis._clients._sync import FakeRedisConnection
from redis.exceptions import ConnectionError as RedisConnectionError

from dojo.lab.faithful import agree_with_the_server

if TYPE_CHECKING:
    from dojo.lab.clock import Clock


CUT = b"\0the connection is cut"
"""What a subscriber of the fake finds behind its last message when the server has hung up."""


class Backend(Protocol):
    """Where the worlds of one test session keep their keys."""

    remote: bool
    """Whether commands travel over a real socket."""
    async_connection: type[Any]
    sync_connection: type[Any]

    def fresh(self, clock: Clock) -> dict[str, Any]:
        """Empty the server for a new world; returns the connection options to reach it."""

    def keep_up(self, clock: Clock) -> None:
        """Bring the server's clock to the world's; called before each command."""

    def cut(self, raw: redis.Redis, subscribers: Collection[Any]) -> None:
        """Close the connections of all subscribers; `raw` is a client of the server's."""

    def close(self) -> None:
        """Stop whatever was started."""


class FakeBackend:
    """fakeredis: no process, no socket; time is the interpreter's, which the world's clock has replaced."""

    remote = False
    async_connection: type[Any] = FakeAsyncRedisConnection
    sync_connection: type[Any] = FakeRedisConnection

    def __init__(self) -> None:
        agree_with_the_server()

    def fresh(self, clock: Clock) -> dict[str, Any]:
        return {"server": FakeServer(version=(7,))}

    def keep_up(self, clock: Clock) -> None:
        """The fake reads the world's clock itself."""

    def cut(self, raw: redis.Redis, subscribers: Collection[Any]) -> None:
        for connection in subscribers:
            socket = connection._sock
            socket.kill()  # nothing more is delivered
            socket.responses.put_nowait(CUT)
            socket._response_available.set()

    def close(self) -> None:
        """There is nothing to stop."""


def open_backend(choice: str) -> Backend:
    """The backend that ``--redis`` names: ``fake``, ``valkey`` or a URL.

    Raises LabError, at once and once, if it cannot be had.
    """
    if choice == "fake":
        return FakeBackend()
    from dojo.lab import real_servers  # only here: it imports what the fake does not need

    return real_servers.open_real(choice)


class Server:
    """One world's server, as tests inspect it. Nothing here is a step: no gate, no trace, no fault."""

    def __init__(self, backend: Backend, clock: Clock) -> None:
        self._backend = backend
        self._clock = clock
        self._down: Exception | None = None
        self.lost: Callable[[str], Exception] = RedisConnectionError
        """Builds what a client raises for a lost request or reply; `redis.TimeoutError` is the other usual one."""
        self._raw: redis.Redis | None = None
        self.subscribers: set[Any] = set()
        """The gated connections that have subscribed to something."""
        self.subscriptions_take = 0.0
        """Seconds from sending SUBSCRIBE, UNSUBSCRIBE and the like to the moment when they take effect."""

    @functools.cached_property
    def options(self) -> dict[str, Any]:
        """What a connection needs to reach it. Most worlds are asked for no server, and have none."""
        return self._backend.fresh(self._clock)

    @property
    def raw(self) -> redis.Redis:
        """A plain synchronous client (bytes in, bytes out)."""
        if self._raw is None:
            pool = redis.ConnectionPool(
                connection_class=self._backend.sync_connection, **connection_options(), **self.options
            )
            self._raw = redis.Redis(connection_pool=pool)
        self._backend.keep_up(self._clock)
        return self._raw

    def keys(self) -> list[bytes]:
        """All keys, sorted."""
        return sorted(key for key in self.raw.scan_iter(count=10_000) if isinstance(key, bytes))

    def ttl(self, key: str | bytes) -> float | None:
        """Seconds left to live; None for a key without TTL; KeyError if there is no such key."""
        left = self.raw.pttl(key)
        if left == -2:
            raise KeyError(key)
        return None if left == -1 else left / 1000

    def keys_without_ttl(self) -> list[bytes]:
        return [key for key in self.keys() if self.raw.pttl(key) == -1]

    def memory(self, key: str | bytes) -> int:
        """How many elements a key holds (1 for a string, 0 if absent)."""
        kind: Any = self.raw.type(key)
        count = {b"zset": self.raw.zcard, b"list": self.raw.llen, b"set": self.raw.scard, b"hash": self.raw.hlen,
                 b"stream": self.raw.xlen}.get(kind)  # fmt: skip
        return int(count(key)) if count else int(kind != b"none")

    def cut_subscribers(self) -> int:
        """Hang up on everybody who has subscribed, as a server that restarts does; how many there were.

        What was published before can still be read, what is published from now on is lost to them.
        """
        count = len(self.subscribers)
        self._backend.cut(self.raw, self.subscribers)
        return count

    def forget(self, connection: Any) -> None:
        """A subscriber hangs up."""
        self.subscribers.discard(connection)
        if not self._backend.remote and connection._sock is not None:
            connection._sock.kill()  # the fake would notice when the collector comes by
            # Whoever is reading learns of it, as from a real socket.
            connection._sock._response_available.set()

    def settle(self) -> None:
        """Wait until what has been published is where its subscribers can read it."""
        if self.subscribers and self._backend.remote:
            # The first answer may be written before what is owed to others, if both are due in the same turn of the
            # server's loop. The second one is read in a later turn.
            self.raw.ping()
            self.raw.ping()

    @contextlib.contextmanager
    def outage(self, error: Exception | None = None) -> Iterator[None]:
        """While this lasts, every command of every client raises `error`, by default a ConnectionError."""
        self._down = error or RedisConnectionError("connection refused (outage)")
        try:
            yield
        finally:
            self._down = None

    @property
    def is_away(self) -> bool:
        """Whether an outage keeps everybody from connecting."""
        return isinstance(self._down, (redis.ConnectionError, redis.TimeoutError))

    def arrive(self) -> None:
        """A command of a client arrives."""
        if self._down is not None:
            # One object for every command, perhaps of several tests: it must not tell of those before.
            raise self._down.with_traceback(None)
        self._backend.keep_up(self._clock)

    def close(self) -> None:
        if self._raw is not None:
            self._raw.connection_pool.disconnect()
            self._raw = None


def connection_options() -> dict[str, Any]:
    """What every connection of the lab has in common: RESP2, no greeting chatter, no hidden retry, no real timeout."""
    return {"protocol": 2, "driver_info": None, "socket_timeout": None, "socket_connect_timeout": None}
