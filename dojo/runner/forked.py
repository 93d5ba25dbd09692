"""Runs as forks of this process: what it has imported, each run has for nothing.

One loop watches all children. It uses no threads, because a fork copies the locks that other threads
hold at that moment and nobody in the child will ever release them.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import sys
import tempfile
import traceback
from collections import deque
from collections.abc import Sequence
from time import monotonic
from typing import NoReturn

from dojo.runner.fresh import forget_parent
from dojo.runner.journal import End, EndedBy, Journal, read_printed
from dojo.runner.limits import apply_limits, write_all
from dojo.runner.results import Job, OnTest, RunResult
from dojo.runner.session import run_pytest

_TICK = 0.02


def run_forked(jobs: Sequence[Job], workers: int, on_test: OnTest | None = None) -> list[RunResult]:
    """Runs the jobs, at most `workers` at a time; the results are in the jobs' order."""
    waiting = deque(enumerate(jobs))
    running: dict[int, _Child] = {}
    results: dict[int, RunResult] = {}
    with selectors.SelectSelector() as selector:
        try:
            while waiting or running:
                while waiting and len(running) < workers:
                    index, job = waiting.popleft()
                    child = running[index] = _Child(job, index, on_test)
                    selector.register(child.reader, selectors.EVENT_READ, child)
                # A child that has closed its end is about to exit: look again at once.
                closing = any(child.at_end for child in running.values())
                for key, _ in selector.select(0.001 if closing else _TICK):
                    key.data.read()
                    if key.data.at_end:
                        selector.unregister(key.fileobj)
                for index, child in list(running.items()):
                    if (result := child.poll()) is not None:
                        if not child.at_end:
                            selector.unregister(child.reader)
                        child.close()
                        results[index] = result
                        del running[index]
        finally:
            for child in running.values():
                child.kill()
                os.waitpid(child.pid, 0)
                child.close()
    return [results[index] for index in range(len(jobs))]


class _Child:
    """A forked run, from the side of its parent."""

    def __init__(self, job: Job, index: int, on_test: OnTest | None) -> None:
        self._job = job
        self._journal = Journal(job, None if on_test is None else lambda test: on_test(index, test))
        self._ended_by: EndedBy = "itself"
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 - closed by close(), with the child
        self.at_end = False
        self.reader, writer = (_above_standard_streams(fd) for fd in os.pipe())
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()  # else the child holds a copy of what is buffered
        self._start = monotonic()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self.reader)
            _be_the_child(job, writer, self._output.fileno())
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
        if self._ended_by == "itself" and not self._has_exited():
            if monotonic() - self._start > self._job.limits.wall_seconds:
                self._ended_by = "wall-clock"
            elif os.fstat(self._output.fileno()).st_size > self._job.limits.output_bytes:
                self._ended_by = "output"
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
            End(self._ended_by, os.waitstatus_to_exitcode(status)),
            cpu=round(usage.ru_utime + usage.ru_stime, 3),
            wall=round(wall, 3),
            output=read_printed(self._output),
        )

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


def _be_the_child(job: Job, writer: int, output: int) -> NoReturn:
    code = 70  # EX_SOFTWARE: replaced by pytest's own code, if it gets that far
    try:
        os.setsid()
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.dup2(output, 1)
        os.dup2(output, 2)
        # The parent's stream objects stay alive in its frames, unflushed; these are the child's own.
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
        sys.stdout = open(1, "w", encoding="utf-8", errors="replace", buffering=1, closefd=False)  # noqa: SIM115
        sys.stderr = open(2, "w", encoding="utf-8", errors="replace", buffering=1, closefd=False)  # noqa: SIM115
        forget_parent(job.root, job.kata)
        apply_limits(job.limits)
        code = run_pytest(job, lambda data: write_all(writer, data))
    except BaseException:  # noqa: BLE001 - nothing may return into the parent's frames
        with contextlib.suppress(BaseException):
            traceback.print_exc()
    finally:
        with contextlib.suppress(BaseException):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _above_standard_streams(fd: int) -> int:
    """`fd`, or a copy above 2: if we were started with stdin closed, a pipe may well be number 0."""
    if fd > 2:
        return fd
    import fcntl

    copy = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 3)
    os.close(fd)
    return copy
