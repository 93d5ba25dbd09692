"""The process that `crew.Cell` starts: runs the trusted tests on submissions, each run in a cage. Not for people.

The first line of standard input is a `Setting`, every other one asks for a run: `{"number": …, "kata": …, "file": …,
"only": […], "mixed_in": {name: kind}, "source": base64}`. Each answer is one line on standard output, with the run's
number and its `result`. The cell itself never executes what was handed in: for each run it forks a process that has
imported everything and collected the tests on the stub, and has never seen a submission.
"""

from __future__ import annotations

import base64
import contextlib
import functools
import gc
import json
import os
import select
import signal
import sys
import tempfile
import traceback
from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from time import monotonic
from typing import Any, NoReturn

import pytest

from dojo.catalog import load
from dojo.grader import seal
from dojo.grader.confine import kernel
from dojo.grader.confine.cage import Bars, Cage
from dojo.grader.confine.root import SCRATCH, TRUSTED, enter_new_root
from dojo.grader.watched import Watched
from dojo.lab.modules import names_in
from dojo.lab.trust import learners
from dojo.runner import Job, Limits, RunResult, warm
from dojo.runner.collected import Collected, Unfit
from dojo.runner.ending import die_with_parent, leave_on_sigterm
from dojo.runner.forked import Child, Records, Task, fork
from dojo.runner.fresh import forget_parent
from dojo.runner.limits import write_all
from dojo.runner.preload import read_constants
from dojo.runner.service import Requests
from dojo.runner.session import Reporter, Write, emitter, finish, pytest_main

_LOOK_EVERY_S = 0.2


@dataclass(frozen=True, slots=True)
class Setting:
    """What a cell is told when it starts."""

    trusted: str
    """A tree with the tests and the stubs, and nothing else."""
    hidden: tuple[str, ...]
    """Directories that must not be seen from inside."""
    place: str
    """An empty directory to make the new root at."""
    bars: Bars
    limits: Limits

    def to_json(self) -> dict[str, Any]:
        """JSON-ready; `from_json` is its inverse."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Setting:
        limits, bars = Limits(**data["limits"]), Bars(**data["bars"])
        return cls(data["trusted"], tuple(data["hidden"]), data["place"], bars, limits)


def main() -> NoReturn:
    """Serves standard input until it ends."""
    answers = os.dup(1)
    os.dup2(2, 1)  # whatever libraries print when they are imported is no answer
    requests = Requests(0)
    first = requests.next()
    if first is None:
        sys.exit(0)
    setting = Setting.from_json(first)
    warm()
    seal.prepare()
    if setting.bars.tier == "namespaces":
        _enter_namespaces(setting)
    else:
        die_with_parent()
    cell = _Cell(setting, requests, answers)
    write_all(answers, b'{"event": "ready"}\n')
    cell.serve()
    sys.exit(0)


def _enter_namespaces(setting: Setting) -> None:
    """Goes on as the first process of new namespaces, in a new root; the old process waits for it."""
    uid, gid = os.getuid(), os.getgid()
    flags = kernel.NEWNS | kernel.NEWPID | kernel.NEWNET | kernel.NEWIPC | kernel.NEWUTS
    kernel.unshare(flags if uid == 0 else flags | kernel.NEWUSER)
    if uid != 0:
        kernel.map_root(uid, gid)
    child = fork()
    if child != 0:
        die_with_parent()
        leave_on_sigterm()
        for fd in (0, 1):
            os.close(fd)
        os.closerange(3, 64)
        os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) & 0xFF)
    die_with_parent()
    enter_new_root(Path(setting.place), Path(setting.trusted), [Path(path) for path in setting.hidden])
    tempfile.tempdir = str(SCRATCH)


class _Cell:
    """Has one host at a time, which has collected the tests of one file."""

    def __init__(self, setting: Setting, requests: Requests, answers: int) -> None:
        self._setting = setting
        self._requests = requests
        self._answers = answers
        self._root = TRUSTED if setting.bars.tier == "namespaces" else Path(setting.trusted)

    def serve(self) -> None:
        while (request := self._requests.next()) is not None:
            self._requests.put_back(request)
            self._host(request["kata"], request["file"])

    def _host(self, kata: str, file: str) -> None:
        """Forks a host for the requests to come, and waits for it; it takes them from the pipe that we both have."""
        reader, writer = os.pipe()
        pid = fork()
        if pid == 0:
            os.close(reader)
            self._be_the_host(kata, file, writer)
        os.close(writer)
        with open(reader, "rb") as answer:
            left = answer.read()
        _, status = os.waitpid(pid, 0)
        if not left:
            sys.exit(os.waitstatus_to_exitcode(status) & 0xFF or 1)  # the supervisor starts another cell
        data = json.loads(left)
        buffer = base64.b64decode(data["buffer"])
        self._requests.resume((buffer, deque(data["waiting"]), set(), data["closed"]))

    def _be_the_host(self, kata: str, file: str, writer: int) -> NoReturn:
        code = 1
        try:
            die_with_parent()
            gc.freeze()
            forget_parent(self._root, kata)
            found = load(self._root).find(kata)
            job = Job(kata, self._root, self._root / file, found.stub, limits=self._setting.limits)
            host = _Host(self._setting, self._requests, self._answers, job, file)
            if pytest_main(job, [host.reporter, host]) == pytest.ExitCode.INTERNAL_ERROR:
                pass  # pytest has told; whoever still waits for an answer is to learn at once that there is none
            elif host.broken:
                print(host.broken, file=sys.stderr)
            else:
                buffer, waiting, _, closed = self._requests.state
                state = {"buffer": base64.b64encode(buffer).decode(), "waiting": list(waiting), "closed": closed}
                write_all(writer, json.dumps(state).encode())
                code = 0
        except BaseException:  # noqa: BLE001 - nothing may return into the parent's frames
            traceback.print_exc()
        finally:
            os._exit(code)


class _Caged(Child):
    def __init__(self, task: Task, cage: Cage) -> None:
        self._cage = cage
        super().__init__(task, forking=cage.fork)

    def exit_code(self, code: int) -> int:
        return self._cage.exit_code(code)


class _Host:
    """A pytest plugin that serves requests instead of running the collected tests."""

    def __init__(self, setting: Setting, requests: Requests, answers: int, job: Job, file: str) -> None:
        self._bars = setting.bars
        self._requests = requests
        self._answers = answers
        self._job = job
        self._file = file
        self._in_child = False
        self._seal: seal.Seal | None = None
        self._records: list[dict[str, Any]] = []
        self.reporter = Reporter(job, self._records.append)
        self._collected = Collected(job, self.reporter)
        self.broken = "the tests were not collected"

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        if self._in_child:
            return None  # pytest's own loop
        if session.testsfailed or not session.items:
            self.broken = "\n".join(str(record.get("message", "")) for record in self._records)
            return True
        self.broken = ""
        read_constants(session.items)
        module = session.items[0].getparent(pytest.Module)
        assert module is not None
        # A cage closes the descriptor of pytest's log file, and code that replaces all handlers closes the file again.
        logs: Any = session.config.pluginmanager.get_plugin("logging-plugin")
        logs.log_file_handler.close()
        learners.add(self._job.kata)  # a run does it too, and the seal tells who takes it away
        self._seal = seal.Seal(session, module.obj, names_in(module.obj, self._job.kata))
        gc.collect()
        gc.freeze()
        cage = Cage(self._bars)
        while (request := self._requests.next()) is not None:
            if (request["kata"], request["file"]) != (self._job.kata, self._file):
                self._requests.put_back(request)
                break
            result = self._run(session, cage, request)
            answer = {"event": "result", "number": request["number"], "result": result.to_json()}
            write_all(self._answers, json.dumps(answer).encode() + b"\n")
        return True

    def _run(self, session: pytest.Session, cage: Cage, request: dict[str, Any]) -> RunResult:
        job = replace(self._job, only=tuple(request["only"]))
        child = _Caged(Task(job, functools.partial(self._confined, session, cage, job, request)), cage)
        looked = monotonic()
        try:
            while (result := child.poll()) is None:
                select.select([] if child.at_end else [child.reader], [], [], 0.002 if child.at_end else 0.02)
                child.read()
                if monotonic() - looked > _LOOK_EVERY_S:
                    looked = monotonic()
                    if _family_bytes() > job.limits.memory_bytes < _family_bytes(shared_once=True):
                        child.end("memory")
        finally:
            child.close()
        if result.status == "crashed" and result.cpu_seconds >= job.limits.cpu_seconds:
            result = _out_of_time(result, job.limits.cpu_seconds)
        if strays := cage.clean():
            result = replace(result, flags=(*result.flags, f"left {strays} processes running"))
        return result

    def _confined(self, session: pytest.Session, cage: Cage, job: Job, request: dict[str, Any], write: Write) -> int:
        assert isinstance(write, Records)
        return cage.confine(write.fd, functools.partial(self._graded, session, job, request, write))

    def _graded(self, session: pytest.Session, job: Job, request: dict[str, Any], write: Write, place: Path) -> int:
        file = place / f"{job.kata}.py"
        file.write_bytes(base64.b64decode(request["source"]))
        job = replace(job, impl=file)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        self._in_child = True
        assert self._seal is not None
        watched = Watched(self._seal, emitter(write))
        watched.read(file)
        watched.add(session, request["mixed_in"])
        watched.listen(file)
        try:
            return self._collected.run(session, job, write)
        except Unfit as unfit:
            # Collecting on it says what is wrong with it. What it has printed so far it prints again.
            with contextlib.suppress(Exception):  # it may have closed that, or put something else there
                sys.stdout.flush()
            with contextlib.suppress(OSError):
                os.ftruncate(1, 0)
                os.lseek(1, 0, os.SEEK_SET)
            forget_parent(job.root, job.kata)
            emit = emitter(write)
            code = pytest_main(replace(job, only=()), [Reporter(replace(job, only=()), emit), _NothingRuns()])
            if code in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
                emit({"event": "trouble", "message": str(unfit)})
            finish(code, emit)
            return code


def _out_of_time(result: RunResult, seconds: int) -> RunResult:
    """The kernel's last word to a process that does not listen to its first is an ordinary SIGKILL."""
    detail = f"used more than {seconds} s of CPU: it never ends."
    tests = (
        replace(test, kind="timed-out", message=detail) if test.kind == "crashed" else test for test in result.tests
    )
    return replace(result, status="timed-out", detail=detail, tests=tuple(tests))


class _NothingRuns:
    """A pytest plugin for a session that only collects: what could not be imported the first time gets no second."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self) -> bool:
        return True


def _family_bytes(*, shared_once: bool = False) -> int:
    """Memory that is resident in this process's descendants, in bytes; what they share counts for each, unless asked.

    Counting it once is exact, and takes the kernel longer.
    """
    parents: dict[int, int] = {}
    sizes: dict[int, int] = {}
    page = os.sysconf("SC_PAGE_SIZE")
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            fields = (process / "stat").read_text().rpartition(")")[2].split()
            parents[int(process.name)], sizes[int(process.name)] = int(fields[1]), int(fields[21]) * page
    family = {os.getpid()}
    while more := {pid for pid, parent in parents.items() if parent in family} - family:
        family |= more
    family.discard(os.getpid())
    if shared_once:
        return sum(_proportional_bytes(pid, sizes[pid]) for pid in family)
    return sum(sizes[pid] for pid in family)


def _proportional_bytes(pid: int, resident: int) -> int:
    try:
        for line in Path("/proc", str(pid), "smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) << 10
    except PermissionError:  # a process of our own user may close itself to us, and is not to gain by that
        return resident
    except (OSError, ValueError):
        pass
    return 0
