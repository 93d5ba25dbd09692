"""From the records that a test process sends to the verdict on its run.

The records come from a process that runs somebody else's code, so nothing here trusts them to be
complete, well-formed or short: a run is green only if everything that should have been said was said.
"""

from __future__ import annotations

import json
import math
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, BinaryIO, Literal, get_args

from dojo.runner.results import Job, Outcome, RunResult, Status, TestResult
from dojo.runner.session import MAX_MESSAGE

MAX_LINE = 1 << 20
MAX_RECORDS = 16 << 20
_SHOWN = 32 << 10
_FLAG, _FLAGS = 500, 100

EndedBy = Literal["itself", "wall-clock", "output", "records", "memory"]


@dataclass(frozen=True, slots=True)
class End:
    """How a test process ended."""

    by: EndedBy
    code: int
    """Exit code; minus the signal's number if a signal ended it."""


class Journal:
    """Collects the records of one run."""

    def __init__(self, job: Job, on_test: Callable[[TestResult], None] | None = None) -> None:
        self._job = job
        self._on_test = on_test
        self._buffer = b""
        self._received = 0
        self._order: list[str] = []
        self._tests: dict[str, TestResult] = {}
        self._running: str | None = None
        self._trouble: list[str] = []
        self._flags: list[str] = []
        self._exit: int | None = None
        self.damaged = False
        self.cpu_seconds = 0.0
        """As the process itself counted, for systems that do not tell its parent."""

    @property
    def done(self) -> bool:
        """The process has said that it is finished."""
        return self._exit is not None

    def feed(self, data: bytes) -> None:
        """Takes bytes as they arrive; sets `damaged` if they cannot be what a run sends."""
        self._received += len(data)
        if self._received > MAX_RECORDS:
            self.damaged = True
            return
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        if len(self._buffer) > MAX_LINE:
            self.damaged = True
        for line in lines:
            self._take(line)

    def _take(self, line: bytes) -> None:
        try:
            record = json.loads(line)
            event = record["event"]
            if event == "collected":
                if self._order:
                    raise ValueError("tests are collected once")
                for test in map(_collected, record["tests"]):
                    self._order.append(test.name)
                    self._tests[test.name] = test
            elif event == "start":
                self._running = _text(record["name"])
            elif event == "test":
                self._finish_test(record["result"])
            elif event == "trouble":
                self._trouble.append(_text(record["message"]))
            elif event == "flag":
                self._flags.append(_text(record["text"])[:_FLAG])
            elif event == "done":
                self._exit = int(record["exit"])
                self.cpu_seconds = _seconds(record["cpu"])
            else:
                self.damaged = True
        except Exception:  # noqa: BLE001 - what anybody may have written can raise anything: a RecursionError, too
            self.damaged = True

    def _finish_test(self, result: dict[str, Any]) -> None:
        if result["name"] != self._running:
            raise ValueError("only the running test has a result, and one alone")
        outcome = result["outcome"]
        if outcome not in get_args(Outcome):
            raise ValueError("this is no outcome")
        test = replace(
            self._tests[result["name"]],
            outcome=outcome,
            # A failure's alone is shown to people; a measurement that passed has its curves in it.
            message=_text(result.get("message", ""), MAX_LINE if outcome == "passed" else MAX_MESSAGE),
            seconds=_seconds(result.get("seconds", 0.0)),
            kind=_text_or_none(result.get("kind")),
            trap=_text_or_none(result.get("trap")),
            schedule=_text_or_none(result.get("schedule")),
        )
        self._tests[test.name] = test
        self._running = None
        if self._on_test is not None:
            self._on_test(test)

    def verdict(self, end: End, *, cpu: float, wall: float, output: str) -> RunResult:
        """The run's result, once the process is gone. `cpu` and `wall` in seconds."""
        status, detail = self._judge(end)
        if status in ("timed-out", "crashed") and self._running in self._tests:
            # The test that the process died in is the one to look at, and it did not pass.
            assert self._running is not None
            self._tests[self._running] = replace(
                self._tests[self._running], outcome="failed", kind=status, message=detail
            )
        tests = tuple(self._tests[name] for name in self._order)
        if status == "red":
            detail = next(test.message for test in tests if test.outcome == "failed")
        return RunResult(self._job.kata, status, tests, cpu, wall, output, detail, tuple(self._flags[:_FLAGS]))

    def _judge(self, end: End) -> tuple[Status, str]:
        limits, where = self._job.limits, f" in {self._running}" if self._running else ""
        if end.by == "wall-clock":
            return (
                "timed-out",
                f"not finished after {limits.wall_seconds:g} s{where}: it never ends, or it waits.",
            )
        if end.by == "output":
            return "crashed", (
                f"printed more than {limits.output_bytes >> 10} KiB{where}: is there a print in an endless loop?"
            )
        if end.by == "memory":
            return "crashed", f"used more than {limits.memory_bytes >> 20} MiB of memory{where}: does something grow?"
        if end.by == "records" or self.damaged:
            return (
                "crashed",
                f"the results of the run were damaged on the way{where}: something wrote into them.",
            )
        if not self.done:
            return self._died(end.code, where)
        if self._trouble or self._exit not in (0, 1, 2, 5):
            told = "\n".join(self._trouble)[:MAX_MESSAGE]
            return "broken", told or f"pytest ended with code {self._exit}; see the output."
        if not self._tests:
            return "broken", f"no tests were found in {self._job.test_file.name}."
        if any(test.outcome == "failed" for test in self._tests.values()):
            return "red", ""
        left = [name for name in self._order if not self._tests[name].passed]
        if left:
            return "crashed", f"the run ended by itself before {left[0]}: does something call pytest.exit()?"
        if self._exit != 0 or end.code != 0:
            return "crashed", f"every test passed, yet pytest ended with code {self._exit}."
        return "green", ""

    def _died(self, code: int, where: str) -> tuple[Status, str]:
        if code == -getattr(signal, "SIGXCPU", 0):
            return (
                "timed-out",
                f"used more than {self._job.limits.cpu_seconds} s of CPU{where}: it never ends.",
            )
        if code < 0:
            try:
                name = signal.Signals(-code).name
            except ValueError:
                name = f"signal {-code}"
            return "crashed", f"the interpreter was killed by {name}{where}."
        return "crashed", f"the interpreter ended with code {code}{where}: does something call os._exit()?"


def _collected(test: dict[str, Any]) -> TestResult:
    rule = test["rule"]
    if rule is not None and type(rule) is not int:
        raise ValueError("this is no rule")
    return TestResult(_text(test["name"]), rule, _text(test["text"]), "not-run")


def _text(value: object, most: int = MAX_MESSAGE) -> str:
    """A text of a record: no other type, which whoever shows it would stumble over, and no longer than ours are."""
    if not isinstance(value, str):
        raise TypeError("this is no text")
    return value[:most]


def _text_or_none(value: object) -> str | None:
    return None if value is None else _text(value)


def _seconds(value: object) -> float:
    if not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError("this is no time")
    return float(value)


def read_printed(file: BinaryIO) -> str:
    """What a run has printed, for people: if it is long, its beginning and its end.

    A process that the run has left may still write to it, or cut it off.
    """
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    if size <= 2 * _SHOWN:
        return file.read(2 * _SHOWN).decode("utf-8", "replace")
    head = file.read(_SHOWN)
    file.seek(size - _SHOWN)
    gap = f"\n[… {size - 2 * _SHOWN} bytes left out …]\n"
    return head.decode("utf-8", "replace") + gap + file.read(_SHOWN).decode("utf-8", "replace")
