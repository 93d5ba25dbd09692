"""From what the runs of a submission said to the verdict on it.

Nothing counts as passed unless everything that should have been said was said: an explicit pass for the test, in a run
that reached its end, whose canaries were rejected and whose seal held. The denominator is the inventory, which was
collected before anybody handed anything in.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from dojo.grader.model import KataStatus, TestStatus, TestVerdict, Verdict
from dojo.grader.watched import CANARIES, Kind
from dojo.runner import RunResult, TestResult

FORGED = (
    "the results cannot be trusted: code in it has changed the grader's own modules, or made a test pass that has to "
    "fail. Nothing of it counts until a person has looked at it."
)


@dataclass(frozen=True, slots=True)
class Mixed:
    """What one run is asked to run: the tests of the inventory, and others among them."""

    order: tuple[str, ...]
    mixed_in: Mapping[str, Kind]


def mix(names: Sequence[str], chance: random.Random) -> Mixed:
    """Canaries at places that nobody knows, under names like the tests' own, and a seal at the end."""
    order = list(names)
    mixed_in: dict[str, Kind] = {}
    words = sorted({word for name in names for word in name.partition("[")[0].split("_")[1:] if word.isidentifier()})
    for kind in (*CANARIES, "seal"):
        name = _like(words, chance)
        while name in names or name in mixed_in:
            name = _like(words, chance)
        mixed_in[name] = kind
        order.insert(len(order) if kind == "seal" else chance.randrange(len(order) + 1), name)
    return Mixed(tuple(order), mixed_in)


def _like(words: Sequence[str], chance: random.Random) -> str:
    return "_".join(["test", *(chance.choice(words or ["rule"]) for _ in range(chance.randint(4, 8)))])


@dataclass(frozen=True, slots=True)
class Heard:
    """What became of one run."""

    complete: bool
    """It reached its end, and its results count."""
    forged: bool
    passed: frozenset[str]
    failed: Mapping[str, TestResult]
    ended_in: str
    """The test in which it ended before its time, if it did."""
    result: RunResult


def hear(asked: Mixed, result: RunResult) -> Heard:
    """Judges one run."""
    told = {test.name: test for test in result.tests}
    canaries = [name for name, kind in asked.mixed_in.items() if kind != "seal"]
    [seal] = [name for name, kind in asked.mixed_in.items() if kind == "seal"]
    ended_in = next((test.name for test in result.tests if test.kind in ("timed-out", "crashed")), "")
    # With canaries a run that reaches its end is red, never green.
    reached = result.status in ("red", "green") and not any(test.outcome == "not-run" for test in result.tests)
    chirps = any(name in told and told[name].outcome == "passed" for name in canaries)
    broken = seal in told and told[seal].outcome == "failed" and told[seal].kind not in ("timed-out", "crashed")
    forged = chirps or broken or result.status == "green" or (reached and set(told) != set(asked.order))
    complete = reached and not forged and told[seal].passed
    real = [test for name, test in told.items() if name in asked.order and name not in asked.mixed_in]
    return Heard(
        complete=complete,
        forged=forged,
        passed=frozenset(test.name for test in real if test.passed) if complete else frozenset(),
        failed={test.name: test for test in real if test.outcome == "failed"},
        ended_in=ended_in if ended_in not in asked.mixed_in else "",
        result=result,
    )


class Judgement:
    """Collects the runs of one file of tests on one submission, until each test has its status.

    A run that ends before its time proves nothing about the tests before the one it ended in, so all the others run
    again in a fresh process, without that one; after `most_runs` of them the rest is given up.
    """

    def __init__(self, inventory: Sequence[TestVerdict], chance: random.Random, most_runs: int) -> None:
        """`inventory` holds the tests, their status being of no account."""
        self._inventory = {test.name: test for test in inventory}
        self._chance = chance
        self._left = most_runs
        self._found: dict[str, TestVerdict] = {}
        self._asked: Mixed | None = None
        self.results: list[RunResult] = []

    def next(self) -> Mixed | None:
        """What to run next; None if the judgement is complete."""
        names = [name for name in self._inventory if name not in self._found]
        if not names:
            return None
        if self._left == 0:
            self.give_up("not run: the process ended in too many of the tests before it.")
            return None
        self._left -= 1
        self._asked = mix(names, self._chance)
        return self._asked

    def hear(self, result: RunResult) -> None:
        """Take the result of what `next` asked for."""
        assert self._asked is not None
        heard = hear(self._asked, result)
        self.results.append(result)
        if heard.forged:
            self._found.clear()
            self._settle("error", FORGED)
        elif heard.complete:
            for name in self._asked.order:
                if name in self._inventory:
                    self._found[name] = self._told(name, heard)
        elif heard.ended_in in self._inventory:
            status: TestStatus = "timed-out" if result.status == "timed-out" else "error"
            self._found[heard.ended_in] = self._marked(heard.ended_in, status, result.detail)
        else:
            self._settle("timed-out" if result.status == "timed-out" else "error", result.detail)

    def give_up(self, why: str) -> None:
        """No more runs: what has no status yet is an error."""
        self._settle("error", why)

    def _told(self, name: str, heard: Heard) -> TestVerdict:
        if name in heard.passed:
            return self._marked(name, "passed", "")
        test = heard.failed[name]
        status: TestStatus = "error" if test.kind in ("skipped", "setup", "teardown") else "failed"
        return replace(self._marked(name, status, test.message), trap=test.trap)

    def _marked(self, name: str, status: TestStatus, message: str) -> TestVerdict:
        return replace(self._inventory[name], status=status, message=message)

    def _settle(self, status: TestStatus, message: str) -> None:
        for name in self._inventory:
            self._found.setdefault(name, self._marked(name, status, message))

    @property
    def tests(self) -> tuple[TestVerdict, ...]:
        """All of the inventory, in teaching order; call once `next` has said None."""
        return tuple(self._found[name] for name in self._inventory)


def together(kata: str, parts: Sequence[Judgement]) -> Verdict:
    """One verdict from the judgements of all files of a kata's tests."""
    tests = tuple(test for part in parts for test in part.tests)
    results = [result for part in parts for result in part.results]
    status = status_of(tests)
    flags = dict.fromkeys(flag for result in results for flag in result.flags)
    if any(test.message == FORGED for test in tests):
        flags = {"forged: a test that has to fail passed, or the grader's modules were changed": None} | flags
    return Verdict(
        kata,
        status,
        "" if status == "passed" else next(_brief(test) for test in tests if test.status != "passed"),
        tests,
        tuple(flags),
        round(sum(result.cpu_seconds for result in results), 3),
        round(sum(result.wall_seconds for result in results), 3),
    )


def status_of(tests: Sequence[TestVerdict]) -> KataStatus:
    kinds = {test.status for test in tests}
    if kinds == {"passed"}:
        return "passed"
    if kinds & {"passed", "failed"}:
        return "failed"
    return "timed-out" if "timed-out" in kinds else "error"


def _brief(test: TestVerdict) -> str:
    if test.status == "failed" and test.rule is not None:
        return f"Rule {test.rule}: {test.text}"
    lines = [line for line in test.message.splitlines() if line.strip()]
    return " ".join(line.strip() for line in lines[:2])[:500] or test.status
