"""How practice is rated, and when it is due again: FSRS on the history, replayed."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from fsrs import Card as FsrsCard
from fsrs import Rating as FsrsRating
from fsrs import Scheduler

from dojo.catalog import Kata
from dojo.practice import Event, history
from dojo.practice.schedule import RATINGS, Card, cards, choose, rate_drill, rate_review
from dojo.practice.transfer import exported, imported

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("went", "rating"),
    [
        ({"green": False}, "again"),
        ({"green": False, "seconds": 60}, "again"),
        ({"green": True, "gave_up": True}, "again"),
        ({"green": True, "seconds": 749}, "easy"),
        ({"green": True, "seconds": 750}, "good"),
        ({"green": True, "seconds": 1500}, "good"),
        ({"green": True, "seconds": 749, "hints": 1}, "good"),
        ({"green": True, "seconds": 1500, "hints": 1}, "good"),
        ({"green": True, "seconds": 1501}, "hard"),
        ({"green": True, "seconds": 60, "hints": 2}, "hard"),
        ({"green": True, "seconds": 60, "hints": 4}, "hard"),
        # The kata's own minutes are the measure if the limit is longer.
        ({"green": True, "seconds": 3601, "limit_seconds": 7200}, "hard"),
        ({"green": True, "seconds": 3600, "limit_seconds": 7200}, "good"),
        ({"green": True, "seconds": 1799, "limit_seconds": 7200}, "easy"),
    ],
)
def test_a_drill_is_rated_by_what_happened(went: dict[str, Any], rating: str) -> None:
    assert rate_drill(**{"seconds": 1500, "limit_seconds": 1500, "minutes": 60, "hints": 0, **went}) == rating


@pytest.mark.parametrize(
    ("rule", "line", "seconds", "seen", "rating"),
    [
        (False, False, 10, False, "again"),
        (False, True, 10, False, "again"),
        (True, False, 10, False, "hard"),
        (True, True, 10, False, "easy"),
        (True, True, 119.9, False, "easy"),
        (True, True, 120, False, "good"),
        (True, True, 10, True, "good"),
        (True, True, None, False, "good"),
    ],
)
def test_a_review_is_rated_by_rule_and_line(
    rule: bool, line: bool, seconds: float | None, seen: bool, rating: str
) -> None:
    assert rate_review(rule_right=rule, line_right=line, seconds=seconds, seen=seen) == rating


def drilled(days: float, rating: str, kata: str = "add", kind: Any = "drill") -> Event:
    return Event(f"{kata} {days}", NOON + timedelta(days=days), kata, kind, {"rating": rating})


def test_the_schedule_is_the_packages_own() -> None:
    """Thirty histories of a dozen drills, some within a day, some late, against fsrs itself."""
    lot = random.Random(7)
    scheduler = Scheduler(learning_steps=(), relearning_steps=(), enable_fuzzing=False)
    for _ in range(30):
        events, theirs, days = [], FsrsCard(card_id=1), 0.0
        for _ in range(12):
            rating = lot.choice(RATINGS)
            events.append(drilled(days, rating))
            theirs, _ = scheduler.review_card(theirs, FsrsRating[rating.capitalize()], events[-1].at)
            ours = cards(events, "drill")["add"]
            assert (ours.due, ours.stability) == (theirs.due, theirs.stability)
            assert (ours.times, ours.last_at, ours.last_rating) == (len(events), events[-1].at, rating)
            days += lot.choice([0.01, 0.5, 1, 3, 10, 60])


@pytest.mark.parametrize(("rating", "days"), [("again", 1), ("hard", 1), ("good", 2), ("easy", 8)])
def test_the_first_time_decides_the_days_until_the_second(rating: str, days: int) -> None:
    assert cards([drilled(0, rating)], "drill")["add"].due == NOON + timedelta(days=days)


def test_drills_and_reviews_are_planned_apart() -> None:
    events = [drilled(0, "good"), drilled(0, "easy", kind="review"), drilled(0, "again", kata="sub")]
    assert {name: card.last_rating for name, card in cards(events, "drill").items()} == {"add": "good", "sub": "again"}
    assert {name: card.last_rating for name, card in cards(events, "review").items()} == {"add": "easy"}


def test_an_event_of_another_version_is_passed_over() -> None:
    events = [drilled(0, "good"), drilled(1, "splendid"), Event("x", NOON, "add", "drill", {})]
    assert cards(events, "drill") == cards(events[:1], "drill")


def test_two_machines_have_one_schedule_once_merged(tmp_path: Path) -> None:
    laptop, desktop = tmp_path / "laptop", tmp_path / "desktop"
    for machine, days in ((laptop, (0, 4)), (desktop, (2, 9))):
        with history(machine) as past:
            for day in days:
                past.record("add", "drill", NOON + timedelta(days=day), rating="good")
    with history(laptop) as one, history(desktop) as two:
        one.add(imported(exported(two.events())))
        two.add(imported(exported(one.events())))
        assert cards(one.events(), "drill") == cards(two.events(), "drill")
        assert cards(one.events(), "drill")["add"].times == 4


def test_due_is_a_day_where_the_learner_is() -> None:
    card = Card("add", 1, NOON, "good", NOON + timedelta(days=2), 2.0)
    assert not card.is_due(NOON + timedelta(days=1, hours=11))
    assert card.is_due(NOON + timedelta(days=1, hours=12))
    # Just after midnight in Auckland, where the card is due past midnight too.
    assert card.is_due(datetime(2026, 3, 4, 0, 10, tzinfo=timezone(timedelta(hours=13))))
    assert not card.is_due(datetime(2026, 3, 3, 23, 50, tzinfo=timezone(timedelta(hours=13))))


def test_what_is_due_comes_first_then_what_is_solved_then_the_next() -> None:
    one, two, three = katas = [Kata("t", name, "", 1, 5, (), Path("/")) for name in ("one", "two", "three")]

    def chosen(known: dict[str, float], solved: list[str]) -> tuple[Kata, str]:
        planned = {name: Card(name, 1, NOON, "good", NOON + timedelta(days=days), 1.0) for name, days in known.items()}
        choice = choose(katas, planned, solved, NOON)
        assert choice is not None
        return choice.kata, choice.reason

    assert chosen({}, []) == (one, "new")
    assert chosen({}, ["two", "three"]) == (two, "solved")
    assert chosen({"one": 3, "two": -1}, ["three"]) == (two, "due")
    assert chosen({"one": -1, "two": -2}, ["three"]) == (two, "due")
    assert chosen({"one": 3, "two": 1}, ["one", "two"]) == (three, "new")
    assert chosen({"one": 3, "two": 1, "three": 2}, []) == (two, "ahead")
    assert choose([], {}, [], NOON) is None
