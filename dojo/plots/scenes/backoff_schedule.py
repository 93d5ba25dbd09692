"""A thousand clients that have all lost their server at the same moment, and when each knocks again."""

from __future__ import annotations

import heapq
import math
import random
from typing import Any

from dojo.lab import Lab
from dojo.plots.chart import Axis, Chart, Mark, Series
from dojo.plots.measuring import Unmeasurable
from dojo.plots.scale import counted

CLIENTS = 1000
SEED = 7
"""Client n draws from `random.Random` seeded with SEED * CLIENTS + n."""
BASE_S, CAP_S = 5, 40
BACK_S = 60.0
"""When the server answers again."""
END_S = 100.0
MOST_RETRIES = 100
"""Of one client; who waits no time at all would otherwise knock for ever."""


def without_jitter(lab: Lab, module: Any) -> list[Chart]:
    return [
        _herd(module, "none", "Retries without jitter", "Everybody waits the same time, so everybody knocks at once.")
    ]


def with_full_jitter(lab: Lab, module: Any) -> list[Chart]:
    return [
        _herd(
            module, "full", "Retries with full jitter", "Everybody draws a time of their own, which spreads the load."
        )
    ]


SCENES = (without_jitter, with_full_jitter)


def _herd(module: Any, jitter: str, title: str, lesson: str) -> Chart:
    retries, through = _knocks(module, jitter)
    points = counted(retries, END_S, 1.0)
    second, peak = max(points, key=lambda point: point[1])
    last = (
        f"the last gets through at {max(through):.0f} s" if len(through) == CLIENTS else f"{len(through)} get through"
    )
    return Chart(
        title=title,
        about=f"{CLIENTS} clients lose the server at 0 s; base {BASE_S:g} s, cap {CAP_S:g} s. {lesson}",
        x=Axis("time", "s"),
        y=Axis("retries a second"),
        end=END_S,
        shown=Series("retries a second", points),
        moment=Mark(BACK_S, "server is back"),
        note=f"at most {peak:.0f} a second, at {second:.0f} s; {last}",
    )


def _knocks(module: Any, jitter: str) -> tuple[list[float], list[float]]:
    """When clients retry, and when each gets through."""
    clients = []
    for n in range(CLIENTS):
        rng = random.Random(SEED * CLIENTS + n)
        clients.append(module.Backoff(base=BASE_S, cap=CAP_S, jitter=jitter, rng=rng))
    due = [(_pause(clients[n]), n, 1) for n in range(CLIENTS)]
    heapq.heapify(due)
    retries, through = [], []
    while due:
        now, n, count = heapq.heappop(due)
        retries.append(now)
        if now >= BACK_S:
            through.append(now)
        elif count < MOST_RETRIES:
            heapq.heappush(due, (now + _pause(clients[n]), n, count + 1))
    return retries, through


def _pause(client: Any) -> float:
    pause = next(client)
    if not isinstance(pause, (int, float)) or not 0 <= pause < math.inf:
        raise Unmeasurable(f"next() of a Backoff gave {pause!r}, which is no number of seconds to wait")
    return float(pause)
