"""Points: what a kata is worth is the supervisor's to say, and what is shown adds up."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dojo.grader.config import Config
from dojo.grader.model import Expected, Inventory, Submission, TestVerdict, Verdict
from dojo.grader.scoring import counts, grade, report, worth

ANN = Submission("Ann", "ann.zip", notes=("own tests differ",), roster_id="17")
TESTS = (
    Expected("test_limit", 1, "Up to the limit."),
    Expected("test_race[1]", 2, "Racing."),
    Expected("test_race[2]", 2, "Racing."),
    Expected("test_own", None, "", hidden=True),
)
INVENTORY: Inventory = {"rate_limiter": TESTS, "cache_aside": TESTS[:1]}
KATAS = ("rate_limiter", "cache_aside")


def said(test: Expected, status: str = "passed") -> TestVerdict:
    return TestVerdict(test.name, test.rule, test.text, status, "why", hidden=test.hidden)  # type: ignore[arg-type]


def verdict(*passed: int, tests: tuple[Expected, ...] = TESTS, status: str = "failed") -> Verdict:
    rows = tuple(said(test, "passed" if number in passed else "failed") for number, test in enumerate(tests))
    return Verdict("rate_limiter", status, tests=rows)  # type: ignore[arg-type]


def test_a_test_is_worth_its_weight() -> None:
    config = Config(weights={"rate_limiter": {"2": 2.5, "test_own": 0}})
    row = grade(ANN, {"rate_limiter": verdict(0, 1)}, KATAS[:1], INVENTORY, config)
    assert (row.name, row.roster_id, row.origin, row.notes) == ("Ann", "17", "ann.zip", ("own tests differ",))
    assert (row.points, row.max) == (3.5, 6)
    assert [(test.points, test.max) for test in row.katas[0].tests] == [(1, 1), (2.5, 2.5), (0, 2.5), (0, 0)]


def test_a_katas_points_are_shared_to_the_hundredth() -> None:
    assert worth("rate_limiter", TESTS[:3], Config(per_kata=10)) == (3.34, 3.33, 3.33)
    assert worth("rate_limiter", TESTS, Config(points={"rate_limiter": 3}, weights={"rate_limiter": {"1": 3}})) == (
        1.5,
        0.5,
        0.5,
        0.5,
    )
    assert worth("rate_limiter", (), Config(per_kata=10)) == ()


def test_weights_that_are_all_zero_divide_by_nothing() -> None:
    config = Config(per_kata=10, weights={"rate_limiter": {"1": 0, "2": 0, "test_own": 0}})
    row = grade(ANN, {"rate_limiter": verdict(0, 1)}, KATAS[:1], INVENTORY, config)
    assert (row.points, row.max) == (0, 0)


@pytest.mark.parametrize("status", ["missing", "refused", "error", "timed-out"])
def test_what_was_not_run_earns_nothing_of_the_same_maximum(status: str) -> None:
    for one in (verdict(0, 1, status=status), Verdict("rate_limiter", status, "why")):  # type: ignore[arg-type]
        (kata,) = grade(ANN, {"rate_limiter": one}, KATAS[:1], INVENTORY, Config(per_kata=10)).katas
        assert (kata.points, kata.max) == (0, 10)
        assert [test.test.name for test in kata.tests] == [test.name for test in TESTS]
        assert "passed" not in {test.test.status for test in kata.tests}


def test_ungraded_is_seen_and_counts_for_nothing() -> None:
    verdicts = {"rate_limiter": verdict(0), "cache_aside": Verdict("cache_aside", "ungraded", "the disk is full")}
    for given_ in (verdicts, {"rate_limiter": verdict(0)}):
        row = grade(ANN, given_, KATAS, INVENTORY, Config(per_kata=10))
        assert (row.points, row.max) == (2.5, 10)
        assert [(kata.verdict.status, counts(kata), kata.max) for kata in row.katas] == [
            ("failed", True, 10),
            ("ungraded", False, 10),
        ]


def test_a_verdict_can_neither_add_nor_rename_nor_repeat_a_test() -> None:
    forged = tuple(TestVerdict(f"test_{n}", 1, "", "passed") for n in range(997))
    one = Verdict("rate_limiter", "passed", tests=(*forged, said(TESTS[0]), said(TESTS[0], "failed")))
    (kata,) = grade(ANN, {"rate_limiter": one}, KATAS[:1], INVENTORY, Config()).katas
    assert (kata.points, kata.max) == (0, 4)
    assert [test.test.status for test in kata.tests] == ["failed", "error", "error", "error"]


def test_a_hidden_test_is_not_passed_by_a_namesake() -> None:
    twins = (replace(TESTS[0], hidden=True), TESTS[0])
    one = Verdict("rate_limiter", "failed", tests=(said(TESTS[0]),))
    (kata,) = grade(ANN, {"rate_limiter": one}, KATAS[:1], {"rate_limiter": twins}, Config()).katas
    assert [(test.points, test.test.hidden) for test in kata.tests] == [(0, True), (1, False)]


def test_flags_carry_their_katas_name() -> None:
    flagged = replace(verdict(0), flags=("a canary passed",))
    row = grade(ANN, {"rate_limiter": flagged}, KATAS[:1], INVENTORY, Config(), flags=("a symlink",))
    assert row.flags == ("rate_limiter: a canary passed", "a symlink")
    assert row.points == 1


def test_the_book_says_how_it_came_to_be() -> None:
    row = grade(ANN, {}, KATAS, INVENTORY, Config())
    book = report([row], KATAS, Config(title="Week 3", feedback="none"), tier="process", not_enforced=["network"])
    assert (book.title, book.feedback, book.tier, book.not_enforced) == ("Week 3", "none", "process", ("network",))
    assert (book.katas, book.students) == (KATAS, (row,))


STATUSES = ("passed", "failed", "error", "timed-out")
WHOLE = ("passed", "failed", "error", "timed-out", "missing", "refused", "ungraded")
WEIGHTS = st.one_of(st.just(0.0), st.floats(0, 1_000_000), st.integers(0, 5).map(float))


@dataclass(frozen=True)
class Class:
    """Some students' verdicts of the same katas under one config."""

    inventory: Inventory
    config: Config
    verdicts: list[dict[str, Verdict]]


@st.composite
def classes(draw: st.DrawFn) -> Class:
    katas = draw(st.lists(st.sampled_from("abc"), min_size=1, unique=True))
    inventory = {
        kata: tuple(Expected(f"test_{n}", n % 4, "", draw(st.booleans())) for n in range(draw(st.integers(0, 12))))
        for kata in katas
    }
    config = Config(
        per_kata=draw(st.one_of(st.none(), WEIGHTS)),
        points=draw(st.dictionaries(st.sampled_from(katas), WEIGHTS)),
        weights={
            kata: draw(st.dictionaries(st.sampled_from(["0", "1", "test_2", "test_3"]), WEIGHTS)) for kata in katas
        },
    )
    names = st.sampled_from([f"test_{n}" for n in range(14)])
    tests = st.builds(TestVerdict, names, st.none(), st.just(""), st.sampled_from(STATUSES), hidden=st.booleans())
    one = {
        kata: st.builds(Verdict, st.just(kata), st.sampled_from(WHOLE), tests=st.lists(tests, max_size=16).map(tuple))
        for kata in katas
    }
    return Class(inventory, config, draw(st.lists(st.fixed_dictionaries({}, optional=one), min_size=1, max_size=3)))


def shown(points: float) -> Decimal:
    return Decimal(f"{points:.2f}")


@settings(derandomize=True, database=None, deadline=None, max_examples=150)
@given(classes())
def test_whatever_a_verdict_says_the_book_adds_up(case: Class) -> None:
    maxima: set[tuple[float, ...]] = set()
    for verdicts in case.verdicts:
        row = grade(ANN, verdicts, tuple(case.inventory), case.inventory, case.config)
        maxima.add(tuple(kata.max for kata in row.katas))
        counted = [kata for kata in row.katas if counts(kata)]
        assert shown(row.points) == sum(map(shown, (kata.points for kata in counted)))
        assert shown(row.max) == sum(map(shown, (kata.max for kata in counted)))
        for kata in row.katas:
            assert 0 <= kata.points <= kata.max
            if counts(kata):
                assert shown(kata.points) == sum(shown(test.points) for test in kata.tests)
                assert shown(kata.max) == sum(shown(test.max) for test in kata.tests)
            for test in kata.tests:
                assert test.points == (test.max if test.test.status == "passed" else 0)
                assert float(shown(test.points)) == test.points
            passed = {(test.name, test.hidden) for test in kata.verdict.tests if test.status == "passed"}
            assert {(one.test.name, one.test.hidden) for one in kata.tests if one.points} <= passed
    assert len(maxima) == 1


@settings(derandomize=True, database=None, deadline=None, max_examples=100)
@given(classes(), st.data())
def test_one_more_pass_never_costs_a_point(case: Class, data: st.DataObject) -> None:
    kata = data.draw(st.sampled_from(sorted(case.inventory)))
    tests = case.inventory[kata]
    flags = data.draw(st.lists(st.booleans(), min_size=len(tests), max_size=len(tests)))
    before = tuple(said(test, "passed" if flag else "failed") for test, flag in zip(tests, flags, strict=True))
    last = 0.0
    for number in range(len(tests) + 1):
        rows = (*map(said, tests[:number]), *before[number:])
        row = grade(ANN, {kata: Verdict(kata, "failed", tests=rows)}, [kata], case.inventory, case.config)
        assert row.points >= last
        last = row.points
    assert last == row.max
