"""When a kata is due again: FSRS on what was practised, replayed from the history each time.

A kata has one card for drills and one for reviews. Neither is stored: whoever merges two machines' histories has
merged their schedules too.

What the events hold:

- `drill`: `seconds` (used), `limit_seconds`, `minutes` (the kata's own), `status` (`green`, `time-up`, `gave-up`),
  `kept` and `rules`, `hints`, `gave_up`, `rating`
- `review`: `mutant`, `rule_right`, `line_right`, `seconds` (None if unknown), `rating`
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, cast, get_args

from dojo.catalog import Kata
from dojo.practice.history import Event

Rating = Literal["again", "hard", "good", "easy"]
"""As FSRS knows them."""
RATINGS: tuple[Rating, ...] = get_args(Rating)

Practice = Literal["drill", "review"]

QUICK_REVIEW_S = 120.0


def rate_drill(
    *, green: bool, seconds: float, limit_seconds: float, minutes: float, hints: int, gave_up: bool = False
) -> Rating:
    """How well a drill went. `minutes` are the kata's own; whichever is shorter, they or the limit, is its time."""
    time = min(limit_seconds, minutes * 60)
    if gave_up or not green:
        return "again"
    if seconds > time or hints >= 2:
        return "hard"
    return "easy" if hints == 0 and seconds < time / 2 else "good"


def rate_review(*, rule_right: bool, line_right: bool, seconds: float | None, seen: bool) -> Rating:
    """How well a review went. `seconds` is None if nobody knows; `seen` says that this code was reviewed before."""
    if not rule_right:
        return "again"
    if not line_right:
        return "hard"
    return "easy" if seconds is not None and seconds < QUICK_REVIEW_S and not seen else "good"


@dataclass(frozen=True, slots=True)
class Card:
    """Where one kata stands in one kind of practice."""

    kata: str
    times: int
    """How often it was practised, at least once."""
    last_at: datetime
    last_rating: Rating
    due: datetime
    """In UTC."""
    stability: float
    """Days after which it is remembered with a probability of 90 %."""

    def is_due(self, now: datetime) -> bool:
        """Whether its day has come, in the time zone of `now`; the hour does not matter."""
        return self.due.astimezone(now.tzinfo).date() <= now.date()


def cards(events: Iterable[Event], kind: Practice) -> dict[str, Card]:
    """The cards by kata name, from events in their order; those that tell no rating are passed over."""
    from fsrs import Card as FsrsCard
    from fsrs import Rating as FsrsRating
    from fsrs import Scheduler

    # No steps of minutes, as for words on flash cards: a kata takes an hour, so the next time is another day.
    scheduler = Scheduler(learning_steps=(), relearning_steps=(), enable_fuzzing=False)
    states: dict[str, FsrsCard] = {}
    found: dict[str, Card] = {}
    for event in events:
        rating = event.data.get("rating")
        if event.kind != kind or rating not in RATINGS:
            continue
        at = event.at.astimezone(UTC)
        state = states.get(event.kata) or FsrsCard(card_id=0, due=at)
        state, _ = scheduler.review_card(state, FsrsRating(RATINGS.index(rating) + 1), at)
        states[event.kata] = state
        found[event.kata] = Card(
            event.kata,
            found[event.kata].times + 1 if event.kata in found else 1,
            at,
            cast(Rating, rating),
            state.due,
            state.stability or 0.0,
        )
    return found


@dataclass(frozen=True, slots=True)
class Choice:
    """What to practise, and why that."""

    kata: Kata
    reason: Literal["due", "solved", "new", "ahead"]
    """due: its day has come. solved: the kata is solved, and was not practised like this yet. new: neither.
    ahead: nothing is due, this will be first."""


def choose(katas: Sequence[Kata], known: Mapping[str, Card], solved: Iterable[str], now: datetime) -> Choice | None:
    """The kata to practise next; None if there are none to choose from."""
    mine = sorted((known[kata.name].due, number) for number, kata in enumerate(katas) if kata.name in known)
    if mine and known[katas[mine[0][1]].name].is_due(now):
        return Choice(katas[mine[0][1]], "due")
    done = set(solved)
    fresh = [kata for kata in katas if kata.name not in known]
    for kata in fresh:
        if kata.name in done:
            return Choice(kata, "solved")
    if fresh:
        return Choice(fresh[0], "new")
    return Choice(katas[mine[0][1]], "ahead") if mine else None
