"""Cells from the outside: started, asked, watched over and replaced when they die; and a crew of them."""

from __future__ import annotations

import base64
import contextlib
import functools
import json
import os
import queue
import random
import select
import signal
import subprocess
import sys
import tempfile
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import IO, Any, Generic, TypeVar

import dojo
from dojo.grader.cell import Setting
from dojo.grader.model import TestVerdict, Verdict
from dojo.grader.trusted import TestFile
from dojo.grader.verdict import Judgement, Mixed, together
from dojo.runner import RunResult

T = TypeVar("T")
R = TypeVar("R")

START_S = 60.0
_GRACE_S = 30.0
_TRIES = 2
_BEGIN = "from dojo.runner.ending import die_with_parent; die_with_parent(); from dojo.grader.cell import main; main()"
"""Before it imports what takes seconds: whoever is killed at that moment leaves nothing behind."""


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
        # In its owner's workspace, which somebody tidies up whatever happens.
        self._place = tempfile.TemporaryDirectory(prefix="cell-", dir=Path(setting.trusted).parent)
        self._setting = replace(setting, place=self._place.name)
        self._process: subprocess.Popen[bytes] | None = None
        self._number = 0
        self._stopped = False
        self._buffer = b""
        self._complaints: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the cell

    def __enter__(self) -> Cell:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._kill()
        self._complaints.close()
        self._place.cleanup()

    @property
    def pid(self) -> int:
        """The process, once it has been started."""
        assert self._process is not None
        return self._process.pid

    def stop(self) -> None:
        """For another thread: whatever it is doing ends with CellDied, and it does not start again."""
        self._stopped = True
        process = self._process
        if process is not None:
            with contextlib.suppress(OSError):
                os.killpg(process.pid, signal.SIGKILL)

    def start(self) -> None:
        """Raises CellDied with what it complained of if it does not get ready."""
        if self._process is not None:
            return
        if self._stopped:
            raise CellDied("it was told to stop")
        root = Path(dojo.__file__).parents[1]
        env = {key: os.environ[key] for key in ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR") if key in os.environ}
        self._process = subprocess.Popen(
            [sys.executable, "-c", _BEGIN],
            cwd=root,
            env={**env, "PYTHONHASHSEED": "0", "PYTHONPATH": str(root), "PYTHONDONTWRITEBYTECODE": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._complaints,
            start_new_session=True,  # Ctrl-C is the supervisor's to answer
        )
        self._buffer = b""
        self._send(self._setting.to_json())
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
    why = f"the process that runs it died {_TRIES} times"
    # Whoever manages that has one kata less in the total.
    return Verdict(kata, "ungraded", f"{why}: {deaths[-1]}", flags=(why,))


def _judgement(cell: Cell, exam: Exam, source: bytes, patience: Patience, chance: random.Random) -> Judgement:
    judgement = Judgement(exam.tests, chance, patience.most_runs)
    deadline = monotonic() + patience.kata_seconds
    while (asked := judgement.next()) is not None:
        judgement.hear(cell.run(exam.file, source, asked))
        if monotonic() > deadline:
            judgement.give_up(f"not run: the kata's time, {patience.kata_seconds:g} s, was used up.")
    return judgement


@dataclass(frozen=True, slots=True)
class Done(Generic[T, R]):
    """One piece of work, finished: with a result, or with what went wrong."""

    item: T
    result: R | None
    error: BaseException | None


class _Pile:
    """Work that waits for a cell. Each takes what is like its last piece, for which it has collected the tests."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: dict[str, deque[Callable[[Cell], None]]] = {}
        self._last: dict[Cell, str] = {}
        self._closed = False

    def put(self, kind: str, piece: Callable[[Cell], None]) -> None:
        with self._changed:
            self._waiting.setdefault(kind, deque()).append(piece)
            self._changed.notify()

    def take(self, cell: Cell) -> Callable[[Cell], None] | None:
        """Waits for a piece; None when there will be no more."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed)
            if self._closed:
                return None
            kind = self._last[cell] = self._best_for(cell)
            pieces = self._waiting[kind]
            piece = pieces.popleft()
            if not pieces:
                del self._waiting[kind]
            return piece

    def close(self) -> None:
        """What has not begun never will."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _best_for(self, cell: Cell) -> str:
        if self._last.get(cell) in self._waiting:
            return self._last[cell]
        taken = Counter(kind for other, kind in self._last.items() if other is not cell)
        return min(self._waiting, key=lambda kind: taken[kind])  # of those alike, the one that came first


class Crew:
    """So many cells at work side by side; a context manager.

    Each has a thread of its own that stays with it, because a cell ends when the thread that started it does.
    """

    def __init__(self, setting: Setting, size: int) -> None:
        """With a user in the setting's bars, each cell gets one of its own, counting on from that one."""
        self._work = _Pile()
        self._cells = [Cell(_with_own_user(setting, number)) for number in range(size)]
        self._threads = [threading.Thread(target=self._serve, args=(cell,), daemon=True) for cell in self._cells]

    def __enter__(self) -> Crew:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._work.close()
        for cell in self._cells:
            cell.stop()
        for thread in self._threads:
            thread.join()

    def each(
        self, work: Callable[[Cell, T], R], items: Iterable[T], kata: Callable[[T], str] = lambda item: ""
    ) -> Iterator[Done[T, R]]:
        """Does `work` with each item; they come back as they are finished. Those of one `kata` stay together."""
        finished: queue.SimpleQueue[Done[T, R]] = queue.SimpleQueue()

        def do(item: T, cell: Cell) -> None:
            try:
                finished.put(Done(item, work(cell, item), None))
            except BaseException as error:  # noqa: BLE001 - it is raised where it can be answered
                finished.put(Done(item, None, error))

        count = 0
        for item in items:
            count += 1
            self._work.put(kata(item), functools.partial(do, item))
        for _ in range(count):
            yield finished.get()

    def _serve(self, cell: Cell) -> None:
        with cell:
            while (work := self._work.take(cell)) is not None:
                work(cell)


def _with_own_user(setting: Setting, number: int) -> Setting:
    if setting.bars.uid is None:
        return setting
    return replace(setting, bars=replace(setting.bars, uid=setting.bars.uid + number))
