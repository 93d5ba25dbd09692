"""A cache whose entries were all filled at the same moment, and what the database has to bear when they expire."""

from __future__ import annotations

import random
import time
from typing import Any

from dojo.lab import Lab
from dojo.plots.chart import Axis, Chart, Mark, Series
from dojo.plots.scale import counted

KEYS = 40
TTL_S = 12
JITTER = 0.5
SEED = 7
"""Of the `random.Random` from which the lifetimes are drawn."""
END_S = 32


def without_jitter(lab: Lab, module: Any) -> list[Chart]:
    return [_expiry(lab, module, 0.0, "Database load without jitter", "All entries expire together.")]


def with_jitter(lab: Lab, module: Any) -> list[Chart]:
    lesson = f"Each lifetime is cut by up to {JITTER:.0%}, so the entries expire one after the other."
    return [_expiry(lab, module, JITTER, "Database load with jitter", lesson)]


SCENES = (without_jitter, with_jitter)


def _expiry(lab: Lab, module: Any, jitter: float, title: str, lesson: str) -> Chart:
    """Every key is asked for at 0 s, and from then on once a second, evenly spread over the second."""
    loads: list[float] = []

    def price(key: int) -> int:
        loads.append(lab.now)
        return 100 + key

    cached = module.cached(lab.redis_sync(), ttl=TTL_S, jitter=jitter, rng=random.Random(SEED))(price)
    asked = []
    for second in range(END_S):
        for key in range(KEYS):
            if second:
                time.sleep(max(0.0, second + key / KEYS - lab.now))
            asked.append(lab.now)
            cached(key)
    points = counted(loads, END_S, 1.0)
    # The first second fills an empty cache, which no cache can help.
    worst_at, worst = max(points[1:], key=lambda point: point[1])
    hits = 1 - sum(y for _, y in points[1:]) / (KEYS * (END_S - 1))
    return Chart(
        title=title,
        about=f"{KEYS} keys filled at 0 s, ttl {TTL_S:g} s, each asked for once a second. {lesson}",
        x=Axis("time", "s"),
        y=Axis("calls a second"),
        end=float(END_S),
        shown=Series("loader calls: misses", points),
        behind=Series("requests: the rest are hits", counted(asked, END_S, 1.0)),
        moment=Mark(float(TTL_S), "ttl"),
        note=f"hit ratio {hits:.0%} after the fill, {1 - worst / KEYS:.0%} in the worst second ({worst_at:.0f} s)",
    )
