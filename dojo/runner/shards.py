"""One run in several processes at once, with the verdict that one process would have given.

Tests are independent of each other: each has a fresh world and a fresh copy of the learner's module, and the gate runs
them in random order. So a machine with idle CPUs need not run them one after the other. What each test costs is known
from the run before.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from time import monotonic

from dojo.runner.forked import Task, supervise
from dojo.runner.results import Job, RunResult, TestResult

Bodied = Callable[[Job], Task]

MAX_SHARDS = 8
_UNKNOWN_S = 0.02


class _Decided(Exception):
    """What is still running cannot change the verdict."""


@dataclass(frozen=True, slots=True)
class _Known:
    """The tests of a file, as an earlier run found them."""

    tests: tuple[TestResult, ...]
    """In teaching order, none of them run."""
    seconds: dict[str, float]


class Sharder:
    """Remembers what tests cost, and runs jobs in as many processes as are worth it."""

    def __init__(self, cpus: int | None = None, worth_s: float = 0.1) -> None:
        """`worth_s` is what beginning a run costs: a process that has less to do is not worth it."""
        self._worth_s = worth_s
        self._cpus = min(MAX_SHARDS, cpus or _usable_cpus())
        self._known: dict[tuple[str, int, int], _Known] = {}

    def run(
        self, job: Job, *, task: Bodied, on_test: Callable[[TestResult], None], on_tick: Callable[[], None]
    ) -> RunResult:
        """The result of the job. `task` makes a child's work from a job; `on_tick` is as in `supervise`."""
        key = _key(job)
        known = self._known.get(key)
        shards = [] if known is None or job.only else self._split(known)
        result = None
        if known is not None and len(shards) > 1:
            result = _Sharded(job, known, shards).run(task, on_test, on_tick)
        if result is None:
            [result] = supervise([task(job)], 1, lambda _, test: on_test(test), on_tick=on_tick)
        if result.tests and not job.only:
            self._learn(key, result)
        return result

    def _split(self, known: _Known) -> list[tuple[str, ...]]:
        """The tests' names, in parts that promise to take equally long; teaching order in each."""
        cost = {test.name: known.seconds.get(test.name, _UNKNOWN_S) for test in known.tests}
        count = max(1, min(self._cpus, len(cost), int(sum(cost.values()) / self._worth_s)))
        parts: list[list[str]] = [[] for _ in range(count)]
        loads = [0.0] * count
        for name in sorted(cost, key=lambda name: -cost[name]):
            lightest = loads.index(min(loads))
            parts[lightest].append(name)
            loads[lightest] += cost[name]
        return [tuple(name for name in cost if name in part) for part in parts if part]

    def _learn(self, key: tuple[str, int, int], result: RunResult) -> None:
        before = self._known.get(key)
        seconds = dict(before.seconds) if before else {}
        seconds.update({test.name: test.seconds for test in result.tests if test.outcome == "passed"})
        blank = TestResult("", None, "", "not-run")
        tests = tuple(replace(blank, name=test.name, rule=test.rule, text=test.text) for test in result.tests)
        self._known[key] = _Known(tests, seconds)


class _Sharded:
    """One job in parts."""

    def __init__(self, job: Job, known: _Known, shards: list[tuple[str, ...]]) -> None:
        self._job = job
        self._shards = shards
        self._order = [test.name for test in known.tests]
        self._blank = {test.name: test for test in known.tests}
        self._tests = dict(self._blank)
        self._results: list[RunResult] = []

    def run(self, task: Bodied, on_test: Callable[[TestResult], None], on_tick: Callable[[], None]) -> RunResult | None:
        """The result, or None if only a run as a whole can tell."""
        begun = monotonic()

        def hear(_: int, test: TestResult) -> None:
            self._tests[test.name] = test
            on_test(test)

        def tick() -> None:
            on_tick()
            if self._unclear() or (self._job.stop_at_first and self._decided()):
                raise _Decided

        tasks = [task(replace(self._job, only=shard)) for shard in self._shards]
        with contextlib.suppress(_Decided):
            supervise(tasks, len(tasks), hear, self._ended, tick)
        return None if self._unclear() else self._merged(round(monotonic() - begun, 3))

    def _ended(self, result: RunResult) -> None:
        self._results.append(result)
        self._tests.update({test.name: test for test in result.tests})

    def _unclear(self) -> bool:
        """Something ended in a way that may look different when everything is in one process."""
        return any(result.status in ("broken", "crashed") for result in self._results)

    def _first_failure(self) -> str | None:
        return next((name for name in self._order if self._tests[name].outcome == "failed"), None)

    def _decided(self) -> bool:
        """The first failure is known, everything before it has passed, and its process has said all that it had to."""
        name = self._first_failure()
        if name is None or not any(name in _names(result) for result in self._results):
            return False
        return all(self._tests[before].passed for before in self._order[: self._order.index(name)])

    def _merged(self, wall: float) -> RunResult | None:
        cpu = round(sum(result.cpu_seconds for result in self._results), 3)
        name = self._first_failure()
        if name is None:
            if len(self._results) < len(self._shards) or not all(result.green for result in self._results):
                return None
            output = "".join(result.output for result in self._results)
            return RunResult(self._job.kata, "green", self._in_order(), cpu, wall, output)
        at_fault = next(result for result in self._results if name in _names(result))
        if self._job.stop_at_first:
            for later in self._order[self._order.index(name) + 1 :]:
                self._tests[later] = self._blank[later]
        detail = at_fault.detail if at_fault.status != "red" else self._tests[name].message
        return RunResult(self._job.kata, at_fault.status, self._in_order(), cpu, wall, at_fault.output, detail)

    def _in_order(self) -> tuple[TestResult, ...]:
        return tuple(self._tests[name] for name in self._order)


def _names(result: RunResult) -> set[str]:
    return {test.name for test in result.tests}


def _key(job: Job) -> tuple[str, int, int]:
    found = job.test_file.stat()
    return str(job.test_file), found.st_mtime_ns, found.st_size


def _usable_cpus() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
