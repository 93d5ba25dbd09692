"""Cells from the outside: started, asked, watched over and replaced when they die."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import random
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import IO, Any

import dojo
from dojo.grader.cell import Setting
from dojo.grader.model import TestVerdict, Verdict
from dojo.grader.trusted import TestFile
from dojo.grader.verdict import Judgement, Mixed, together
from dojo.runner import RunResult

START_S = 60.0
_GRACE_S = 30.0
_TRIES = 2


class CellDied(Exception):
    """A cell has gone or does not answer; what it was asked has no result."""


@dataclass(frozen=True, slots=True)
class Exam:
    """One file of tests with what it asks."""

    file: TestFile
    tests: tuple[TestVerdict, ...]
    """The inventory; their status is of no account."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How much time a kata of a submission may take."""

    kata_seconds: float = 60.0
    """Over all its processes; what has not run by then is an error."""
    most_runs: int = 10
    """Processes for one file of tests, for submissions that end the process in one test after the other."""


class Cell:
    """One cell; a context manager. It is started when it is first needed, and again after it has died."""

    def __init__(self, setting: Setting) -> None:
        """`setting.place` is replaced by a directory of this cell's own."""
        self._setting = setting
        self._process: subprocess.Popen[bytes] | None = None
        self._number = 0
        self._buffer = b""
        self._complaints: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by stop()
        self._place = tempfile.TemporaryDirectory(prefix="dojo-cell-")

    def __enter__(self) -> Cell:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._kill()
        self._complaints.close()
        self._place.cleanup()

    def start(self) -> None:
        """Raises CellDied with what it complained of if it does not get ready."""
        if self._process is not None:
            return
        root = Path(dojo.__file__).parents[1]
        env = {key: os.environ[key] for key in ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR") if key in os.environ}
        setting = json.loads(self._setting.to_json())
        setting["place"] = self._place.name
        self._process = subprocess.Popen(
            [sys.executable, "-m", "dojo.grader.cell"],
            cwd=root,
            env={**env, "PYTHONHASHSEED": "0", "PYTHONPATH": str(root), "PYTHONDONTWRITEBYTECODE": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._complaints,
            start_new_session=True,  # Ctrl-C is the supervisor's to answer
        )
        self._buffer = b""
        self._send(setting)
        self._answer(START_S)

    def run(self, exam_file: TestFile, source: bytes, asked: Mixed) -> RunResult:
        """One run. Raises CellDied."""
        self.start()
        self._number += 1
        self._send(
            {
                "number": self._number,
                "kata": exam_file.kata,
                "file": exam_file.path,
                "only": asked.order,
                "mixed_in": dict(asked.mixed_in),
                "source": base64.b64encode(source).decode(),
            }
        )
        answer = self._answer(self._setting.limits.wall_seconds + _GRACE_S)
        if answer.get("number") != self._number:
            self._kill()
            raise CellDied("a cell answered a question that it had not been asked")
        return RunResult.from_json(answer["result"])

    def _send(self, message: dict[str, Any]) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(message).encode() + b"\n")
            self._process.stdin.flush()
        except OSError as error:
            raise self._death("it hung up") from error

    def _answer(self, patience: float) -> dict[str, Any]:
        assert self._process is not None
        assert self._process.stdout is not None
        deadline = monotonic() + patience
        while b"\n" not in self._buffer:
            ready, _, _ = select.select([self._process.stdout], [], [], max(0.0, deadline - monotonic()))
            if not ready:
                raise self._death(f"no answer after {patience:.0f} s")
            data = os.read(self._process.stdout.fileno(), 1 << 16)
            if not data:
                raise self._death("it ended")
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\n")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _death(self, why: str) -> CellDied:
        self._kill()
        self._complaints.seek(0)
        said = self._complaints.read().decode("utf-8", "replace").strip().splitlines()
        self._complaints.seek(0)
        self._complaints.truncate()
        return CellDied(f"{why}: {said[-1]}" if said else why)

    def _kill(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()


def judge(cell: Cell, exams: Sequence[Exam], source: bytes, patience: Patience, chance: random.Random) -> Verdict:
    """The verdict on one kata's file; "ungraded" if the cell dies in it twice."""
    kata = exams[0].file.kata
    deaths: list[str] = []
    while len(deaths) < _TRIES:
        try:
            return together(kata, [_judgement(cell, exam, source, patience, chance) for exam in exams])
        except CellDied as death:
            deaths.append(str(death))
    return Verdict(kata, "ungraded", f"the process that runs it died {_TRIES} times: {deaths[-1]}")


def _judgement(cell: Cell, exam: Exam, source: bytes, patience: Patience, chance: random.Random) -> Judgement:
    judgement = Judgement(exam.tests, chance, patience.most_runs)
    deadline = monotonic() + patience.kata_seconds
    while (asked := judgement.next()) is not None:
        judgement.hear(cell.run(exam.file, source, asked))
        if monotonic() > deadline:
            judgement.give_up(f"not run: the kata's time, {patience.kata_seconds:g} s, was used up.")
    return judgement


def inventory(cell: Cell, file: TestFile, stub: bytes) -> Exam:
    """What a file of tests asks, by collecting it on the stub, which it must reject from end to end.

    Raises CellDied with what is wrong with the file, if something is.
    """
    result = cell.run(file, stub, Mixed((), {}))
    if result.status != "red" or any(test.outcome != "failed" for test in result.tests):
        passing = [test.name for test in result.tests if test.passed]
        raise CellDied(f"{file.path} passes on the stub: {', '.join(passing)}" if passing else result.detail)
    tests = (TestVerdict(test.name, test.rule, test.text, "error", hidden=file.hidden) for test in result.tests)
    return Exam(file, tuple(tests))
