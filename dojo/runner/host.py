"""A process that has collected one kata's tests and serves its runs, as long as they are that kata's.

Somebody who works on a kata has it run again and again; all that a save then costs is the tests themselves. The host
takes over the server's requests, and gives them back when one is not for it.
"""

from __future__ import annotations

import functools
import gc
import os
import pickle
import signal
import sys
import traceback
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

import pytest

from dojo.catalog import CatalogError, load
from dojo.runner.collected import Collected, Unfit
from dojo.runner.ending import die_with_parent, leave_on_sigterm
from dojo.runner.forked import Task, above_standard_streams, fork
from dojo.runner.fresh import forget_parent
from dojo.runner.limits import write_all
from dojo.runner.preload import read_constants
from dojo.runner.results import Job
from dojo.runner.service import Service
from dojo.runner.session import Reporter, Write, pytest_main, run_pytest
from dojo.runner.shards import Sharder


@dataclass(frozen=True, slots=True)
class _Kind:
    """What jobs must have in common to be served by one host."""

    root: Path
    kata: str
    test_file: Path
    modified: int
    size: int

    @classmethod
    def of(cls, job: Job) -> _Kind | None:
        """None if the job is not one that hosts are for."""
        if job.redis != "fake" or job.schedule:
            return None
        try:
            found = job.test_file.stat()
        except OSError:
            return None
        return cls(job.root, job.kata, job.test_file, found.st_mtime_ns, found.st_size)


class Hosts:
    """Starts hosts, one at a time."""

    def __init__(self) -> None:
        self._without: set[_Kind] = set()

    def serve(self, service: Service, request: dict[str, Any]) -> bool:
        """Have a host serve the request, and those that follow as far as it can; False if no host can."""
        job = Job.from_json(request["job"])
        kind = _Kind.of(job)
        if kind is None or kind in self._without:
            return False
        base = _base(job)
        served = base is not None and self._host(service, request, kind, replace(job, impl=base))
        if not served:
            self._without.add(kind)
        return served

    def _host(self, service: Service, request: dict[str, Any], kind: _Kind, job: Job) -> bool:
        reader, writer = above_standard_streams(os.pipe())
        pid = fork()
        if pid == 0:
            os.close(reader)
            _be_the_host(service, request, kind, job, writer)
        os.close(writer)
        try:
            with open(reader, "rb") as answer:
                left = answer.read()
        except BaseException:
            os.kill(pid, signal.SIGTERM)
            raise
        finally:
            os.waitpid(pid, 0)
        if not left:
            sys.exit(1)  # somebody has killed it; the client knows what to do when a server dies
        served, state = pickle.loads(left)
        service.requests.resume(state)
        return bool(served)


def _base(job: Job) -> Path | None:
    """What the tests are collected on: an implementation that defines all that they import."""
    try:
        kata = load(job.root).find(job.kata)
    except CatalogError:
        return None
    return kata.solution if kata.test_file == job.test_file and kata.solution.is_file() else None


def _be_the_host(service: Service, request: dict[str, Any], kind: _Kind, job: Job, writer: int) -> NoReturn:
    code = 1
    try:
        die_with_parent()
        gc.freeze()  # what the parent has allocated is not this process's to collect
        forget_parent(job.root, job.kata)
        leave_on_sigterm()
        hosting = _Hosting(service, request, kind, job, writer)
        pytest_main(replace(job, stop_at_first=False, only=()), [hosting.reporter, hosting])
        write_all(writer, pickle.dumps((hosting.served, service.requests.state)))
        code = 0
    except BaseException:  # noqa: BLE001 - nothing may return into the parent's frames
        traceback.print_exc()
    finally:
        os._exit(code)


class _Hosting:
    """A pytest plugin that serves requests instead of running the collected tests."""

    def __init__(self, service: Service, request: dict[str, Any], kind: _Kind, job: Job, writer: int) -> None:
        self._service = service
        self._request: dict[str, Any] | None = request
        self._kind = kind
        self._writer = writer
        self._in_child = False
        self.reporter = Reporter(replace(job, only=()), lambda _: None)
        self._collected = Collected(job, self.reporter)
        self.served = False

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        if self._in_child:
            return None  # pytest's own loop
        if session.testsfailed or not session.items:
            return True
        self.served = True
        read_constants(session.items)
        gc.collect()
        gc.freeze()
        try:
            self._serve(session)
        except BrokenPipeError:
            return True  # the client is gone
        except BaseException:  # noqa: BLE001 - pytest would take it for a session's end, and the client would wait
            traceback.print_exc()
            os._exit(1)
        return True

    def _serve(self, session: pytest.Session) -> None:
        sharder = Sharder(worth_s=0.03)  # nothing has to be collected

        def task(job: Job) -> Task:
            return Task(job, functools.partial(self._run, session, job))

        while self._request is not None:
            if _Kind.of(Job.from_json(self._request["job"])) != self._kind:
                self._service.requests.put_back(self._request)
                return
            self._service.serve(self._request, functools.partial(sharder.run, task=task))
            self._request = self._service.requests.next()

    def _run(self, session: pytest.Session, job: Job, write: Write) -> int:
        os.close(self._service.answers)  # the tested code has nothing to say there
        os.close(self._writer)
        die_with_parent()
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        self._in_child = True
        try:
            return self._collected.run(session, job, write)
        except Unfit:
            # Collecting on it says what is wrong with it. What it has printed so far it prints again.
            sys.stdout.flush()
            os.ftruncate(1, 0)
            os.lseek(1, 0, os.SEEK_SET)
            forget_parent(job.root, job.kata)
            return run_pytest(job, write)
