"""Runs as forks of this process: what it has imported, each run has for nothing.

One loop watches all children. It uses no threads, because a fork copies the locks that other threads
hold at that moment and nobody in the child will ever release them.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import os
import selectors
import signal
import sys
import tempfile
import traceback
import warnings
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import NoReturn

from dojo.runner.fresh import forget_parent
from dojo.runner.journal import End, EndedBy, Journal, read_printed
from dojo.runner.limits import apply_limits, write_all
from dojo.runner.results import Job, Limits, OnTest, RunResult
from dojo.runner.session import Write, run_pytest

_TICK = 0.02


@dataclass(frozen=True, slots=True)
class Task:
    """What a forked child does."""

    job: Job
    body: Callable[[Write], int]
    """Runs in the child: sends records, returns the exit code."""


def run_forked(jobs: Sequence[Job], workers: int, on_test: OnTest | None = None) -> list[RunResult]:
    """Runs the jobs, at most `workers` at a time; the results are in the jobs' order."""

    def body(job: Job, write: Write) -> int:
        forget_parent(job.root, job.kata)
        return run_pytest(job, write)

    return supervise([Task(job, functools.partial(body, job)) for job in jobs], workers, on_test)


def supervise(
    tasks: Sequence[Task],
    workers: int,
    on_test: OnTest | None = None,
    on_result: Callable[[RunResult], None] | None = None,
    on_tick: Callable[[], None] | None = None,
) -> list[RunResult]:
    """Forks a child for each task, at most `workers` at a time; the results are in the tasks' order.

    `on_result` hears each result at once, before the next child is forked. `on_tick` is called at least every
    20 ms; what it raises ends all children and comes out here.
    """
    waiting = deque(enumerate(tasks))
    running: dict[int, Child] = {}
    results: dict[int, RunResult] = {}
    with selectors.SelectSelector() as selector:
        try:
            while waiting or running:
                if on_tick is not None:
                    on_tick()
                while waiting and len(running) < workers:
                    index, task = waiting.popleft()
                    child = running[index] = Child(task, index, on_test)
                    selector.register(child.reader, selectors.EVENT_READ, child)
                # A child that has closed its end is about to exit: look again at once.
                closing = any(child.at_end for child in running.values())
                for key, _ in selector.select(0.001 if closing else _TICK):
                    key.data.read()
                    if key.data.at_end:
                        selector.unregister(key.fileobj)
                for index, child in list(running.items()):
                    was_registered = not child.at_end
                    if (result := child.poll()) is not None:
                        if was_registered:
                            selector.unregister(child.reader)
                        child.close()
                        results[index] = result
                        del running[index]
                        if on_result is not None:
                            on_result(result)
        finally:
            for child in running.values():
                child.kill()
                os.waitpid(child.pid, 0)
                child.close()
    return [results[index] for index in range(len(tasks))]


class Child:
    """A forked run, from the side of its parent."""

    def __init__(
        self, task: Task, index: int = 0, on_test: OnTest | None = None, forking: Callable[[], int] | None = None
    ) -> None:
        """`forking` is another way to make the process, which returns what `os.fork` does."""
        self._job = task.job
        self._journal = Journal(task.job, None if on_test is None else lambda test: on_test(index, test))
        self._ended_by: EndedBy = "itself"
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 - closed by close(), with the child
        self.at_end = False
        self.reader, writer = above_standard_streams(os.pipe())
        self._start = monotonic()
        self.pid = (forking or fork)()
        if self.pid == 0:
            os.close(self.reader)
            be_the_child(task.body, task.job.limits, writer, self._output.fileno())
        os.close(writer)
        os.set_blocking(self.reader, False)

    def read(self) -> None:
        """Takes what has arrived."""
        while not self.at_end:
            try:
                data = os.read(self.reader, 1 << 16)
            except BlockingIOError:
                return
            self.at_end = not data
            self._journal.feed(data)
            if self._journal.damaged:
                return

    def poll(self) -> RunResult | None:
        """The result if the child has ended or has to be ended now, else None."""
        has_exited = self._has_exited()
        if os.fstat(self._output.fileno()).st_size > self._job.limits.output_bytes and self._ended_by == "itself":
            self._ended_by = "output"  # also if it has exited: whether that was seen in time must decide nothing
        if self._ended_by == "itself" and not has_exited:
            if monotonic() - self._start > self._job.limits.wall_seconds:
                self._ended_by = "wall-clock"
            elif self._journal.damaged:
                self._ended_by = "records"
            else:
                return None
        # The whole group, and before the leader is reaped: until then its number is not reused.
        self.kill()
        self._wait_for_exit()
        _, status, usage = os.wait4(self.pid, 0)
        wall = monotonic() - self._start
        self.read()
        return self._journal.verdict(
            End(self._ended_by, self.exit_code(os.waitstatus_to_exitcode(status))),
            cpu=round(usage.ru_utime + usage.ru_stime, 3),
            wall=round(wall, 3),
            output=read_printed(self._output),
        )

    def end(self, by: EndedBy) -> None:
        """Ends it at the next `poll`, for this reason."""
        self._ended_by = by

    def exit_code(self, code: int) -> int:
        """What the process's own exit code means."""
        return code

    def _has_exited(self) -> bool:
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None

    def _wait_for_exit(self) -> None:
        os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(self.pid, signal.SIGKILL)

    def close(self) -> None:
        os.close(self.reader)
        self._output.close()


@dataclass(frozen=True, slots=True)
class Records:
    """Where a child's records go: into this very pipe, and not into another one that now has its number."""

    fd: int
    pipe: int

    @classmethod
    def into(cls, fd: int) -> Records:
        """Those of the process that calls this."""
        return cls(fd, os.fstat(fd).st_ino)

    def __call__(self, data: bytes) -> None:
        if os.fstat(self.fd).st_ino != self.pipe:
            raise OSError("the pipe for the records was replaced")
        write_all(self.fd, data)


def fork() -> int:
    """`os.fork`, after flushing what the child would otherwise hold a copy of."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    with warnings.catch_warnings():
        # Python 3.12 warns if there are other threads: they might hold a lock that the child then waits for.
        # The lab's are parked and hold none, and a run that waits is ended by its limits.
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def be_the_child(body: Callable[[Write], int], limits: Limits | None, writer: int, output: int) -> NoReturn:
    """What a forked process does from its first moment to its last.

    Its records go to the descriptor `writer`; whatever it prints goes to `output`.
    """
    # What the parent has allocated is not this process's to collect, and even looking would copy every page. What its
    # own runs leave in cycles the lab collects now and then: a kata's tests take a twentieth less, for a few MB.
    gc.freeze()
    gc.disable()
    code = 70  # EX_SOFTWARE: replaced by the body's own code, if it gets that far
    try:
        os.setsid()
        nothing = os.open(os.devnull, os.O_RDONLY)
        for source, target in ((nothing, 0), (output, 1), (output, 2)):
            os.dup2(source, target)
        # The parent's stream objects stay alive in its frames, unflushed; these are the child's own.
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
        sys.stdout = open(1, "w", encoding="utf-8", errors="replace", buffering=1, closefd=False)  # noqa: SIM115
        sys.stderr = open(2, "w", encoding="utf-8", errors="replace", buffering=1, closefd=False)  # noqa: SIM115
        if limits is not None:
            apply_limits(limits)
        code = body(Records.into(writer))
    except BaseException:  # noqa: BLE001 - nothing may return into the parent's frames
        with contextlib.suppress(BaseException):
            traceback.print_exc()
    finally:
        with contextlib.suppress(BaseException):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def above_standard_streams(pipe: tuple[int, int]) -> tuple[int, int]:
    """The ends of a pipe, moved above 2: if we were started with stdin closed, one may well be number 0."""
    import fcntl

    moved = []
    for fd in pipe:
        if fd > 2:
            moved.append(fd)
        else:
            moved.append(fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 3))
            os.close(fd)
    return moved[0], moved[1]
