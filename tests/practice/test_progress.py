"""Progress is derived from events, whatever order they arrived in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from dojo.practice import Event, Progress, progress_of

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def event(minute: float, kind: Any, **data: Any) -> Event:
    return Event(str(minute), NOON + timedelta(minutes=minute), "add", kind, data)


def after(*events: Event) -> Progress:
    return progress_of(events)["add"]


def test_attempts_hints_and_the_first_green() -> None:
    one = after(
        event(0, "attempt", status="red", sha256="a"),
        event(1, "hint", number=1, sha256="a"),
        event(4, "attempt", status="green", sha256="b"),
        event(9, "attempt", status="green", sha256="c"),
    )
    assert (one.attempts, one.greens, one.hints, one.gave_up) == (3, 2, 1, False)
    assert one.solved_at == NOON + timedelta(minutes=4)
    assert one.solved_sha256 == "c"
    assert one.minutes == 4.0


def test_a_night_counts_as_a_quarter_of_an_hour() -> None:
    one = after(
        event(0, "attempt", status="red"), event(600, "attempt", status="red"), event(605, "attempt", status="green")
    )
    assert one.minutes == 20.0


def test_giving_up_counts_only_before_the_first_green() -> None:
    assert after(event(0, "give-up")).gave_up
    assert not after(event(0, "attempt", status="green"), event(1, "give-up")).gave_up


def test_an_attempt_unlocks_the_next_hint() -> None:
    assert not after(event(0, "hint", number=1, sha256="a")).attempted_since_hint
    assert after(event(0, "hint", number=1, sha256="a"), event(1, "attempt", status="red")).attempted_since_hint


def test_a_drill_has_a_file_of_its_own_and_changes_nothing_here() -> None:
    assert after(event(0, "attempt", status="green", where="drill")) == Progress()
