"""`python -m dojo.runner.server`: imports everything once, then forks a child for each run. Not for people.

Requests are JSON lines on standard input: `{"run": number, "job": {…}, "focus": bool}` and `{"cancel": number}`.
Answers are JSON lines on standard output: `{"event": "ready"}` once, then for each run a `test` for each finished
test and in the end one of `result`, `cancelled` and `failed`, each with the run's number. With `focus`, the
output of a red result is the first failing test's alone.

The server ends when its standard input does, and so does whatever it is running: a client that is killed
leaves nothing behind.
"""

from __future__ import annotations

import functools
import json
import os
import queue
import select
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from types import FrameType
from typing import TYPE_CHECKING, Any

from dojo.runner.limits import write_all
from dojo.runner.results import Job, RunnerError, RunResult, TestResult

if TYPE_CHECKING:
    from dojo.runner.shards import Sharder

Answer = Callable[[dict[str, Any]], None]
_FORKS = hasattr(os, "fork")


class _Cancelled(Exception):
    """The client wants no result of the running job any more."""


class Requests:
    """The lines on a descriptor, taken without ever keeping a run waiting."""

    def __init__(self, fd: int) -> None:
        self._read = _polled(fd) if _FORKS else _threaded(fd)
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

    def cancelled(self, number: int) -> bool:
        """Whether this run's result is not wanted any more; looks at what has arrived meanwhile."""
        self._take(0.0)
        return self.closed or number in self._cancelled

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


def serve(requests: Requests, answers: int) -> None:
    """Runs what is asked for, one job after the other, until the client is gone."""

    def answer(message: dict[str, Any]) -> None:
        write_all(answers, json.dumps(message).encode() + b"\n")

    sharder = None
    if _FORKS:
        from dojo.runner.shards import Sharder

        sharder = Sharder()
    answer({"event": "ready"})
    while (request := requests.next()) is not None:
        number = request["run"]
        run = functools.partial(_run, number, requests, answers, answer, sharder)
        try:
            if requests.cancelled(number):  # before it began
                raise _Cancelled
            result = run(Job.from_json(request["job"]))
            if request["focus"] and result.status == "red" and result.output.strip():
                result = replace(result, output=_alone(run, request, result))
        except _Cancelled:
            answer({"event": "cancelled", "run": number})
        except RunnerError as error:
            answer({"event": "failed", "run": number, "message": str(error)})
        else:
            answer({"event": "result", "run": number, "result": result.to_json()})


def _alone(run: Callable[[Job], RunResult], request: dict[str, Any], result: RunResult) -> str:
    """What the first failing test prints: all tests print into one stream."""
    return run(replace(Job.from_json(request["job"]), only=(result.failed[0].name,))).output


def _run(number: int, requests: Requests, answers: int, answer: Answer, sharder: Sharder | None, job: Job) -> RunResult:
    def on_test(test: TestResult) -> None:
        answer({"event": "test", "run": number, "name": test.name, "rule": test.rule, "outcome": test.outcome})

    def on_tick() -> None:
        if requests.cancelled(number):
            raise _Cancelled

    if sharder is None:
        from dojo.runner.spawned import run_spawned

        return run_spawned([job], 1, lambda _, test: on_test(test), on_tick=on_tick)[0]
    from dojo.runner.forked import Task

    return sharder.run(job, lambda job: Task(job, functools.partial(_body, job, answers)), on_test, on_tick)


def _body(job: Job, answers: int, write: Callable[[bytes], None]) -> int:
    from dojo.runner.fresh import forget_parent
    from dojo.runner.session import run_pytest

    os.close(answers)  # the tested code has nothing to say there
    _die_with_parent()
    forget_parent(job.root, job.kata)
    return run_pytest(job, write)


def _die_with_parent() -> None:
    """Linux ends this process when the server does, also by `kill -9`. Elsewhere its own limits end it."""
    if sys.platform != "linux":
        return
    import ctypes

    server = os.getppid()
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    if os.getppid() != server:  # it died just before
        os._exit(1)


def _leave(number: int, frame: FrameType | None) -> None:
    sys.exit(128 + number)


def main() -> None:
    """Serves standard input until it ends."""
    signal.signal(signal.SIGTERM, _leave)
    answers = os.dup(1)
    os.dup2(2, 1)  # whatever libraries print when they are imported is no answer
    requests = Requests(0)
    if _FORKS:
        from dojo.runner.preload import warm

        warm()
        import ctypes  # noqa: F401 - for the children
    try:
        serve(requests, answers)
    except BrokenPipeError:
        return  # the client is gone


if __name__ == "__main__":
    main()
