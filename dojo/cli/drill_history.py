"""`dojo drill --history`: past drills, what has become faster, and what is due when."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from dojo import practice
from dojo.catalog import Catalog
from dojo.cli.drill_screen import clock
from dojo.cli.terminal import say, table, typed
from dojo.practice import Event
from dojo.practice.schedule import Card, Practice, cards

_STYLES = {"again": "red", "hard": "yellow", "good": "green", "easy": "green"}
KINDS: tuple[Practice, ...] = ("drill", "review")


def when(due: datetime, now: datetime | None = None) -> str:
    """A day as people say it: `today`, `tomorrow`, `in 5 days (Fri 27 Nov)`."""
    now = now or datetime.now().astimezone()
    local = due.astimezone(now.tzinfo)
    days = (local.date() - now.date()).days
    if days < 0:
        return f"since {local:%a %d %b}"
    return ("today", "tomorrow")[days] if days < 2 else f"in {days} days ({local:%a %d %b %Y})"


def show_history(found: Catalog, as_json: bool) -> None:
    if (found.root / practice.FILE).exists():
        with practice.history(found.root) as past:
            events = past.events()
    else:
        events = []
    drilled = [event for event in events if event.kind == "drill"]
    planned = [(kind, card) for kind in KINDS for card in cards(events, kind).values() if found.get(card.kata)]
    planned.sort(key=lambda pair: pair[1].due)
    if as_json:
        say(json.dumps(_as_json(drilled, planned), indent=2))
        return
    if not drilled:
        say(f"No drills yet. The first one: {typed('dojo')} drill")
    else:
        _show_drills(drilled)
        _show_trends(drilled)
    if planned:
        say("\nDue", "bold")
        rows = [[card.kata, kind, when(card.due), f"{card.times}x, last {card.last_rating}"] for kind, card in planned]
        now = datetime.now().astimezone()
        table(rows, ["yellow" if card.is_due(now) else None for _, card in planned])


def _show_drills(drilled: Sequence[Event]) -> None:
    rows = [["when", "kata", "time", "of", "rules", "hints", "ended", "rated"]]
    for event in drilled:
        data = event.data
        rows.append(
            [
                f"{event.at.astimezone():%Y-%m-%d %H:%M}",
                event.kata,
                clock(data.get("seconds", 0.0)),
                clock(data.get("limit_seconds", 0.0)),
                f"{data.get('kept', 0)}/{data.get('rules') or '?'}",
                str(data.get("hints", 0)),
                str(data.get("status", "")),
                str(data.get("rating", "")),
            ]
        )
    table(rows, ["bold", *(_STYLES.get(event.data.get("rating", "")) for event in drilled)])


def _show_trends(drilled: Sequence[Event]) -> None:
    rows = []
    for kata in dict.fromkeys(event.kata for event in drilled):
        trend = _trend(kata, drilled)
        if trend["change"] is not None:
            before, last = (clock(seconds) for seconds in trend["green_seconds"][-2:])
            word = "faster" if trend["change"] < 0 else "slower"
            rows.append([kata, f"{before}, then {last}", f"{abs(trend['change']):.0%} {word}"])
    if rows:
        say("\nTrend, green to green", "bold")
        table(rows, [None] * len(rows))


def _trend(kata: str, drilled: Sequence[Event]) -> dict[str, Any]:
    """The times to green in order; `change` from the last but one to the last, -0.25 for a quarter less."""
    mine = [event for event in drilled if event.kata == kata]
    green = [event.data["seconds"] for event in mine if event.data.get("status") == "green"]
    change = round(green[-1] / green[-2] - 1, 3) if len(green) > 1 and green[-2] > 0 else None
    return {"kata": kata, "drills": len(mine), "green_seconds": green, "change": change}


def _as_json(drilled: Sequence[Event], planned: Sequence[tuple[Practice, Card]]) -> dict[str, Any]:
    names = dict.fromkeys(event.kata for event in drilled)
    return {
        "drills": [{"at": event.at.isoformat(), "kata": event.kata, **event.data} for event in drilled],
        "trends": [_trend(kata, drilled) for kata in names],
        "due": [
            {
                "kata": card.kata,
                "practice": kind,
                "due": card.due.isoformat(),
                "times": card.times,
                "last_at": card.last_at.isoformat(),
                "last_rating": card.last_rating,
                "stability_days": round(card.stability, 3),
            }
            for kind, card in planned
        ],
    }
