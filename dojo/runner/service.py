"""What every process that serves a client has to do: take requests, run them, answer."""

from __future__ import annotations

import json
import os
import queue
import select
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol

from dojo.runner.limits import write_all
from dojo.runner.results import Job, RunnerError, RunResult, TestResult

FORKS = hasattr(os, "fork")


class Run(Protocol):
    """Runs a job. `on_tick` is called all the time; what it raises ends the run and comes out here."""

    def __call__(
        self, job: Job, *, on_test: Callable[[TestResult], None], on_tick: Callable[[], None]
    ) -> RunResult: ...


class _Cancelled(Exception):
    """The client wants no result of the running job any more."""


class Requests:
    """The lines on a descriptor, taken without ever keeping a run waiting."""

    def __init__(self, fd: int) -> None:
        self._read = _polled(fd) if FORKS else _threaded(fd)
        self._buffer = b""
        self._waiting: deque[dict[str, Any]] = deque()
        self._cancelled: set[int] = set()
        self.closed = False

    def next(self) -> dict[str, Any] | None:
        """The next run, as soon as there is one; None when the client is gone."""
        while not self.closed:
            if self._waiting:
                return self._waiting.popleft()
            self._take(None)
        return None

    def put_back(self, request: dict[str, Any]) -> None:
        """It will be the next again."""
        self._waiting.appendleft(request)

    def cancelled(self, number: int) -> bool:
        """Whether this run's result is not wanted any more; looks at what has arrived meanwhile."""
        self._take(0.0)
        return self.closed or number in self._cancelled

    @property
    def state(self) -> tuple[bytes, deque[dict[str, Any]], set[int], bool]:
        """What has arrived, for `resume` in another process."""
        return self._buffer, self._waiting, self._cancelled, self.closed

    def resume(self, state: Any) -> None:
        """Go on where another process has stopped."""
        self._buffer, self._waiting, self._cancelled, self.closed = state

    def _take(self, patience: float | None) -> None:
        data = self._read(patience)
        if data is None:
            return
        self.closed = self.closed or not data
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        for line in lines:
            request = json.loads(line)
            if "cancel" in request:
                self._cancelled.add(request["cancel"])
            else:
                self._waiting.append(request)


def _polled(fd: int) -> Callable[[float | None], bytes | None]:
    """Reads what is there within so many seconds: None if nothing is, nothing (`b""`) at the end of the file."""

    def read(patience: float | None) -> bytes | None:
        ready, _, _ = select.select([fd], [], [], patience)
        return os.read(fd, 1 << 16) if ready else None

    return read


def _threaded(fd: int) -> Callable[[float | None], bytes | None]:
    """The same where pipes cannot be polled. Never together with forks, which threads do not survive."""
    arrived: queue.Queue[bytes] = queue.Queue()

    def forward() -> None:
        while data := os.read(fd, 1 << 16):
            arrived.put(data)
        arrived.put(b"")

    threading.Thread(target=forward, daemon=True).start()

    def read(patience: float | None) -> bytes | None:
        try:
            return arrived.get(timeout=patience) if patience != 0.0 else arrived.get_nowait()
        except queue.Empty:
            return None

    return read


class Service:
    """One client's requests and the way to answer them."""

    def __init__(self, requests: Requests, answers: int) -> None:
        """`answers` is the descriptor that the client reads."""
        self.requests = requests
        self.answers = answers

    def answer(self, message: dict[str, Any]) -> None:
        write_all(self.answers, json.dumps(message).encode() + b"\n")

    def serve(self, request: dict[str, Any], run: Run) -> None:
        """Run what is asked for, tell how it goes, and how it ended."""
        number = request["run"]
        try:
            if self.requests.cancelled(number):  # before it began
                raise _Cancelled
            job = Job.from_json(request["job"])
            result = self._run(number, job, run)
            if request["focus"] and result.status == "red" and result.output.strip():
                # All tests print into one stream; the first failing one is run alone for its own.
                alone = self._run(number, replace(job, only=(result.failed[0].name,)), run)
                result = replace(result, output=alone.output)
        except _Cancelled:
            self.answer({"event": "cancelled", "run": number})
        except RunnerError as error:
            self.answer({"event": "failed", "run": number, "message": str(error)})
        else:
            self.answer({"event": "result", "run": number, "result": result.to_json()})

    def _run(self, number: int, job: Job, run: Run) -> RunResult:
        def on_test(test: TestResult) -> None:
            self.answer({"event": "test", "run": number, "name": test.name, "rule": test.rule, "outcome": test.outcome})

        def on_tick() -> None:
            if self.requests.cancelled(number):
                raise _Cancelled

        return run(job, on_test=on_test, on_tick=on_tick)
