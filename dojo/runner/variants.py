"""Many implementations of one kata against tests that are collected once.

Mutants and mutations run the same tests on hundreds of similar files, and most of each run would be
pytest collecting. So a host process collects, and forks a child for each implementation from there.
"""

from __future__ import annotations

import functools
import gc
import json
import math
import os
import select
import signal
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import IO, Any

import pytest

from dojo.runner.collected import Collected, Unfit
from dojo.runner.ending import leave_on_sigterm
from dojo.runner.forked import Task, above_standard_streams, be_the_child, fork, supervise
from dojo.runner.fresh import forget_parent
from dojo.runner.journal import read_printed
from dojo.runner.preload import read_constants
from dojo.runner.results import Job, RunnerError, RunResult
from dojo.runner.session import Reporter, Write, emitter, finish, pytest_main

_COLLECTING_S = 60.0


def run_collected(base: Path, jobs: Sequence[Job], workers: int, any_order: bool) -> list[RunResult]:
    """The jobs' results in their order; the tests are collected on `base`.

    With `any_order` the tests that promise an early failure are tried first, to judge by the implementations
    before; then only the verdicts are the same in each run.
    Raises RunnerError if the tests cannot be collected.
    """
    if len({(job.kata, job.root, job.test_file, job.redis, job.schedule) for job in jobs}) != 1:
        raise RunnerError("variants must be of one kata, on one server and schedule. Use run_many for others.")
    patience = _COLLECTING_S + sum(job.limits.wall_seconds for job in jobs) / workers
    reader, writer = above_standard_streams(os.pipe())
    with tempfile.TemporaryFile() as output, open(reader, "rb", buffering=0) as answer:
        pid = fork()
        if pid == 0:
            answer.close()
            host = functools.partial(_host, base, jobs, workers, any_order, writer)
            be_the_child(host, None, writer, output.fileno())
        os.close(writer)
        try:
            text = _read_all(answer, patience)
        except BaseException:
            os.kill(pid, signal.SIGTERM)  # it has children to end
            raise
        finally:
            os.waitpid(pid, 0)
        printed = read_printed(output)
    try:
        return [RunResult.from_json(result) for result in json.loads(text)]
    except ValueError as error:
        raise RunnerError(
            f"the tests of {jobs[0].kata} cannot be collected on {base}: run them there first.\n{printed}"
        ) from error


def _read_all(answer: IO[bytes], patience: float) -> bytes:
    """Everything up to the end of the file. Raises RunnerError if it does not come within `patience` seconds."""
    deadline = monotonic() + patience
    parts: list[bytes] = []
    while True:
        ready, _, _ = select.select([answer], [], [], max(0.0, deadline - monotonic()))
        if not ready:
            raise RunnerError(f"no results after {patience:.0f} s: does importing the solution wait for something?")
        parts.append(os.read(answer.fileno(), 1 << 20))
        if not parts[-1]:
            return b"".join(parts)


def _host(base: Path, jobs: Sequence[Job], workers: int, any_order: bool, writer: int, write: Write) -> int:
    forget_parent(jobs[0].root, jobs[0].kata)
    leave_on_sigterm()
    fan = _Fan(base, jobs, workers, any_order, writer)
    code = pytest_main(replace(jobs[0], impl=base, stop_at_first=False), [fan.reporter, fan])
    if fan.results is None:
        print(*(record["message"] for record in fan.records if record["event"] == "trouble"), sep="\n")
        return code
    write(json.dumps([result.to_json() for result in fan.results]).encode())
    return 0


class Promise:
    """Which tests are likely to reject the next implementation soon, to judge by those before it.

    Neighbouring mutations differ from the solution in the same function, so what rejected the last ones
    has the best chances; but a test that takes thirty times as long needs thirty times the chance.
    """

    _FADING = 0.7
    _UNTRIED_CHANCE = 0.03

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}
        self._rejections: dict[str, float] = {}

    def learn(self, result: RunResult) -> None:
        for test in result.tests:
            if test.outcome != "not-run":
                self._seconds[test.name] = min(test.seconds, self._seconds.get(test.name, test.seconds))
        for name in self._rejections:
            self._rejections[name] *= self._FADING
        for test in result.failed[:1]:
            self._rejections[test.name] = self._rejections.get(test.name, 0.0) + 1.0

    def cost(self, name: str) -> float:
        """Seconds to be spent on this test for one rejection; infinite if it has never been run."""
        if name not in self._seconds:
            return math.inf
        return self._seconds[name] / (self._UNTRIED_CHANCE + self._rejections.get(name, 0.0))


class _Fan:
    """A pytest plugin that runs the collected tests once per job, each time in a child."""

    def __init__(self, base: Path, jobs: Sequence[Job], workers: int, any_order: bool, writer: int) -> None:
        self._jobs = jobs
        self._workers = workers
        self._any_order = any_order
        self._writer = writer
        self._in_child = False
        self._promise = Promise()
        self.records: list[dict[str, Any]] = []
        self.reporter = Reporter(replace(jobs[0], impl=base, only=()), self.records.append)
        self.results: list[RunResult] | None = None
        self._collected = Collected(jobs[0], self.reporter)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        if self._in_child:
            return None  # pytest's own loop
        if session.testsfailed or not session.items:
            return True
        read_constants(session.items)
        gc.collect()
        gc.freeze()
        tasks = [Task(job, functools.partial(self._run, session, job)) for job in self._jobs]
        self.results = supervise(tasks, self._workers, on_result=self._promise.learn)
        return True

    def _run(self, session: pytest.Session, job: Job, write: Write) -> int:
        os.close(self._writer)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        self._in_child = True
        try:
            cost = self._promise.cost if self._any_order else None
            return self._collected.run(session, job, write, cost=cost)
        except Unfit as error:
            emit = emitter(write)
            emit({"event": "trouble", "message": str(error)})
            finish(pytest.ExitCode.INTERRUPTED, emit)
            return pytest.ExitCode.INTERRUPTED
