"""A pass needs everything that should have been said; whatever is missing or contradicts itself is none."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from dojo.grader.model import TestVerdict
from dojo.grader.verdict import FORGED, Judgement, Mixed, mix, status_of, together
from dojo.grader.watched import CANARIES
from dojo.runner import RunResult, TestResult

NAMES = ("test_one", "test_two", "test_three")
INVENTORY = [TestVerdict(name, number, f"Rule {number}", "error") for number, name in enumerate(NAMES, start=1)]


def judgement(most_runs: int = 4) -> Judgement:
    return Judgement(INVENTORY, random.Random(1), most_runs)


def ran(asked: Mixed, failing: tuple[str, ...] = (), *, ended_in: str = "", kind: str = "crashed") -> RunResult:
    """What an honest run of what was asked says; with `ended_in` it ends there."""
    tests, ended = [], False
    for name in asked.order:
        mixed = asked.mixed_in.get(name)
        outcome = "failed" if name in failing or mixed in CANARIES else "passed"
        test = TestResult(name, None, "", "not-run" if ended else outcome, kind=None if ended else "failure")
        if name == ended_in:
            test, ended = replace(test, outcome="failed", kind=kind), True
        tests.append(test)
    return RunResult("kata", kind if ended_in else "red", tuple(tests), 0.1, 0.1, detail="why it ended")  # type: ignore[arg-type]


def statuses(judged: Judgement) -> list[str]:
    assert judged.next() is None
    return [test.status for test in judged.tests]


def test_an_honest_run_is_believed():
    judged = judgement()
    judged.hear(ran(judged.next(), failing=("test_two",)))
    assert statuses(judged) == ["passed", "failed", "passed"]
    assert together("kata", [judged]).status == "failed"


def test_canaries_hide_among_the_tests_and_the_seal_is_last():
    places, names = set(), set()
    for seed in range(40):
        asked = mix(NAMES, random.Random(seed))
        assert [name for name in asked.order if name in NAMES] == list(NAMES)
        assert asked.mixed_in[asked.order[-1]] == "seal"
        assert sorted(asked.mixed_in.values()) == sorted((*CANARIES, "seal"))
        names.update(asked.mixed_in)
        places.update(place for place, name in enumerate(asked.order) if asked.mixed_in.get(name) in CANARIES)
    assert places == set(range(6))
    assert len(names) > 80


def changed(result: RunResult, names: set[str], **fields) -> RunResult:
    return replace(result, tests=tuple(replace(t, **fields) if t.name in names else t for t in result.tests))


@pytest.mark.parametrize("forgery", ["canary passes", "all pass", "seal fails", "other tests", "fewer tests"])
def test_a_forged_run_earns_nothing(forgery):
    judged = judgement()
    asked = judged.next()
    honest = ran(asked)
    canary = next(name for name, kind in asked.mixed_in.items() if kind in CANARIES)
    judged.hear(
        {
            "canary passes": changed(honest, {canary}, outcome="passed"),
            "all pass": replace(changed(honest, set(asked.order), outcome="passed"), status="green"),
            "seal fails": changed(honest, {asked.order[-1]}, outcome="failed", kind="error"),
            "other tests": replace(honest, tests=(*honest.tests, TestResult("test_new", None, "", "passed"))),
            "fewer tests": replace(honest, tests=honest.tests[1:]),
        }[forgery]
    )
    assert statuses(judged) == ["error"] * 3
    assert {test.message for test in judged.tests} == {FORGED}
    assert together("kata", [judged]).flags[0].startswith("forged")


def test_a_run_without_its_end_proves_nothing_so_the_others_run_again():
    judged = judgement()
    judged.hear(ran(judged.next(), ended_in="test_two"))
    again = judged.next()
    assert [name for name in again.order if name in NAMES] == ["test_one"]  # known to come to an end
    judged.hear(ran(again))
    last = judged.next()
    assert [name for name in last.order if name in NAMES] == ["test_three"]
    judged.hear(ran(last, failing=("test_three",)))
    assert statuses(judged) == ["passed", "error", "failed"]


def test_ending_in_one_test_after_the_other_is_given_up():
    judged = judgement(most_runs=2)
    judged.hear(ran(judged.next(), ended_in="test_one", kind="timed-out"))
    judged.hear(ran(judged.next(), ended_in="test_two", kind="timed-out"))
    assert statuses(judged) == ["timed-out", "timed-out", "error"]
    assert status_of(judged.tests) == "timed-out"


def test_ending_in_a_canary_is_an_error_of_all():
    judged = judgement()
    asked = judged.next()
    judged.hear(ran(asked, ended_in=next(iter(asked.mixed_in))))
    assert statuses(judged) == ["error"] * 3


def test_what_cannot_be_imported_is_an_error_of_all_with_its_reason():
    judged = judgement()
    judged.next()
    judged.hear(RunResult("kata", "broken", (), 0.1, 0.1, detail="SyntaxError: invalid syntax"))
    assert statuses(judged) == ["error"] * 3
    assert together("kata", [judged]).message == "SyntaxError: invalid syntax"


def test_a_skipped_test_is_an_error():
    judged = judgement()
    asked = judged.next()
    judged.hear(changed(ran(asked), {"test_two"}, outcome="failed", kind="skipped"))
    assert statuses(judged) == ["passed", "error", "passed"]
