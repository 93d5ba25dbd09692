"""Many variants of one implementation against tests that are collected once.

A mutation score runs the same tests on hundreds of nearly equal files, and most of each run would be
pytest collecting. So a host process collects, and forks a child for each variant from there.
"""

from __future__ import annotations

import functools
import gc
import json
import os
import signal
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dojo.lab.modules import Learner
from dojo.runner.forked import Task, above_standard_streams, be_the_child, fork, supervise
from dojo.runner.fresh import forget_parent
from dojo.runner.journal import read_printed
from dojo.runner.results import Job, RunnerError, RunResult
from dojo.runner.session import Reporter, Write, emitter, finish, pytest_main


def run_collected(job: Job, files: Sequence[Path], workers: int) -> list[RunResult]:
    """The results of the job's tests on each file, in the files' order.

    Raises RunnerError if the tests cannot be collected on the job's own implementation.
    """
    reader, writer = above_standard_streams(os.pipe())
    with tempfile.TemporaryFile() as output, open(reader, "rb") as answer:
        pid = fork()
        if pid == 0:
            answer.close()
            be_the_child(functools.partial(_host, job, files, workers, writer), None, writer, output.fileno())
        os.close(writer)
        try:
            text = answer.read()
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
            f"the tests of {job.kata} cannot be collected on {job.impl}: run them there first.\n{printed}"
        ) from error


def _host(job: Job, files: Sequence[Path], workers: int, writer: int, write: Write) -> int:
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(1))
    forget_parent(job.root, job.kata)
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(1))
    fan = _Fan(job, files, workers, writer)
    code = pytest_main(job, [fan.reporter, fan])
    if fan.results is None:
        print(*(record["message"] for record in fan.collected if record["event"] == "trouble"), sep="\n")
        return code
    write(json.dumps([result.to_json() for result in fan.results]).encode())
    return 0


class _Fan:
    """A pytest plugin that runs the collected tests once per file, each time in a child."""

    def __init__(self, job: Job, files: Sequence[Path], workers: int, writer: int) -> None:
        self._jobs = [replace(job, impl=file) for file in files]
        self._workers = workers
        self._writer = writer
        self._in_child = False
        self.collected: list[dict[str, Any]] = []
        self.reporter = Reporter(job, self.collected.append)
        self.results: list[RunResult] | None = None

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        if self._in_child:
            return None  # pytest's own loop
        if session.testsfailed or not session.items:
            return True
        gc.collect()
        gc.freeze()
        tasks = [Task(job, functools.partial(self._run, session, job)) for job in self._jobs]
        self.results = supervise(tasks, self._workers)
        return True

    def _run(self, session: pytest.Session, job: Job, write: Write) -> int:
        os.close(self._writer)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        self._in_child = True
        self.reporter.emit = emitter(write)
        for record in self.collected:
            self.reporter.emit(record)
        # The plugin asks its bench where the implementation is when the first test runs, which is later;
        # the test module has imported its names already, and gets those of the variant here.
        from dojo.plugin import _BENCH

        session.config.stash[_BENCH].tree = job.impl
        module = session.items[0].getparent(pytest.Module)
        assert module is not None
        code = 0
        with Learner(job.kata, job.impl, module.obj).fresh():
            try:
                session.config.hook.pytest_runtestloop(session=session)
            except (session.Failed, session.Interrupted):
                code = 1
        code = code or int(session.testsfailed > 0)
        finish(code, self.reporter.emit)
        return code
