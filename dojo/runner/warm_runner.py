"""The client of `dojo.runner.server`: send a job, hear how it goes, change your mind.

A job that follows costs no imports. The server is started again by itself when it has died and when the dojo or an
installed package has changed since it was started.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import IO, Any

from dojo.runner.fingerprint import Fingerprint, fingerprint
from dojo.runner.journal import read_printed
from dojo.runner.results import Job, Outcome, RunnerError, RunResult

PACKAGE = Path(__file__).resolve().parents[1]
_PATIENCE_S = 1.0


@dataclass(frozen=True, slots=True)
class Advanced:
    """A test of a run has finished."""

    run: int
    name: str
    rule: int | None
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Finished:
    """A run has ended; the last that is heard of it."""

    run: int
    result: RunResult


@dataclass(frozen=True, slots=True)
class Failed:
    """There will be no result of a run, and that is not the tested code's doing. The message names the remedy."""

    run: int
    message: str


Event = Advanced | Finished | Failed


@dataclass(slots=True)
class _Server:
    process: subprocess.Popen[bytes]
    stderr: IO[bytes]
    made_from: Fingerprint
    ready: bool = False
    """It has said that it is."""


@dataclass(slots=True)
class _Asked:
    """The run whose result is awaited."""

    run: int
    job: Job
    focus: bool
    sent: int = field(default=0)
    """How many servers it was sent to."""


class WarmRunner:
    """Runs one job at a time. Close it, or use it as a context manager; nothing is left running then."""

    def __init__(self, wake: Callable[[], None] = lambda: None, package: Path = PACKAGE) -> None:
        """`wake` is called, on another thread, when `events` has something new. `package` is the dojo to run."""
        self._wake = wake
        self._package = package
        self._inbox: queue.Queue[tuple[_Server, dict[str, Any] | None]] = queue.Queue()
        self._server: _Server | None = None
        self._asked: _Asked | None = None
        self._runs = 0

    def __enter__(self) -> WarmRunner:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    @property
    def pid(self) -> int | None:
        """The server's, if there is one."""
        return None if self._server is None else self._server.process.pid

    def start(self) -> None:
        """See that a server is there that runs the present code. The first job finds it warm."""
        present = fingerprint(self._package)
        if self._server is not None and (self._server.process.poll() is not None or self._server.made_from != present):
            self._stop()
        if self._server is None:
            self._server = self._started(present)

    def submit(self, job: Job, *, focus: bool = False) -> int:
        """Run the job instead of the one that is running, if any; the number that its events will carry.

        With `focus` the output of a red result is the first failing test's alone.
        """
        self.cancel()
        self._runs += 1
        self._asked = _Asked(self._runs, job, focus)
        self._send()
        return self._runs

    def cancel(self) -> None:
        """End the running job; nothing more is heard of it."""
        if self._asked is not None:
            self._tell({"cancel": self._asked.run})
            self._asked = None

    def events(self, patience: float = 0.0) -> list[Event]:
        """What has happened since the last call; waits up to `patience` seconds if that is nothing."""
        found: list[Event] = []
        deadline = monotonic() + patience
        while True:
            left = 0.0 if found else max(0.0, deadline - monotonic())
            try:
                server, message = self._inbox.get(timeout=left) if left else self._inbox.get_nowait()
            except queue.Empty:
                return found
            if server is self._server:
                found += self._understood(server, message)

    def run(self, job: Job) -> RunResult:
        """Submit a job and wait for its result. Raises RunnerError if there is none."""
        number = self.submit(job)
        while True:
            for event in self.events(patience=60.0):
                if event.run == number and isinstance(event, Finished):
                    return event.result
                if event.run == number and isinstance(event, Failed):
                    raise RunnerError(event.message)

    def close(self) -> None:
        """End the server and what it runs."""
        self._asked = None
        self._stop()

    def _understood(self, server: _Server, message: dict[str, Any] | None) -> Iterator[Event]:
        if message is None:
            yield from self._after_its_death(server)
        elif message["event"] == "ready":
            server.ready = True
        elif self._asked is None or message["run"] != self._asked.run:
            return  # a run that was cancelled
        elif message["event"] == "test":
            yield Advanced(message["run"], message["name"], message["rule"], message["outcome"])
        elif message["event"] == "result":
            self._asked = None
            yield Finished(message["run"], RunResult.from_json(message["result"]))
        elif message["event"] == "failed":
            self._asked = None
            yield Failed(message["run"], message["message"])

    def _after_its_death(self, server: _Server) -> Iterator[Event]:
        said = read_printed(server.stderr).strip()  # type: ignore[arg-type]
        self._stop()
        if self._asked is None:
            return
        if server.ready and self._asked.sent < 2:
            self._send()  # somebody has killed it: that is not the job's fault, yet
            return
        run, self._asked = self._asked.run, None
        if server.ready:
            yield Failed(run, f"the test runner has died twice in this run.\n\n{said}".rstrip())
        else:
            yield Failed(run, f"the test runner cannot start. Mend this and save again:\n\n{said}".rstrip())

    def _send(self) -> None:
        assert self._asked is not None
        self.start()
        asked = self._asked
        asked.sent += 1
        self._tell({"run": asked.run, "job": asked.job.to_json(), "focus": asked.focus})

    def _tell(self, request: dict[str, Any]) -> None:
        if self._server is None:
            return
        assert self._server.process.stdin is not None
        with contextlib.suppress(OSError):  # it has died: the reader says so, in its turn
            self._server.process.stdin.write(json.dumps(request).encode() + b"\n")
            self._server.process.stdin.flush()

    def _started(self, made_from: Fingerprint) -> _Server:
        stderr = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the server
        process = subprocess.Popen(
            [sys.executable, "-m", f"{self._package.name}.runner.server"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            cwd=self._package.parent,
            # Ctrl-C and Ctrl-Z in the client's terminal are for the client.
            start_new_session=os.name == "posix",
        )
        server = _Server(process, stderr, made_from)
        threading.Thread(target=self._forward, args=(server,), daemon=True).start()
        return server

    def _forward(self, server: _Server) -> None:
        assert server.process.stdout is not None
        with server.process.stdout as answers, contextlib.suppress(ValueError):  # half a line: it died writing
            for line in answers:
                self._inbox.put((server, json.loads(line)))
                self._wake()
        self._inbox.put((server, None))
        self._wake()

    def _stop(self) -> None:
        server, self._server = self._server, None
        if server is None:
            return
        assert server.process.stdin is not None
        with contextlib.suppress(OSError):
            server.process.stdin.close()
        try:
            server.process.wait(_PATIENCE_S if server.ready else 0.0)
        except subprocess.TimeoutExpired:
            server.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                server.process.wait(_PATIENCE_S)
            server.process.kill()
            server.process.wait()
        server.stderr.close()
