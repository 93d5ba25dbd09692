"""Who asks for twice the limit, steadily and in a burst around the end of a window, and how many are admitted."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from dojo.lab import Lab
from dojo.plots.chart import Axis, Chart, Mark, Point, Series
from dojo.plots.scale import changing

LIMIT, WINDOW_S = 10, 10  # whole numbers, so that a first draft passes them on to Redis without an error
END_S = 40.0


async def steady(lab: Lab, module: Any) -> list[Chart]:
    """Two requests a second, where one a second fits."""
    times = [n / 2 for n in range(int(2 * END_S))]
    about = (
        f"Two requests a second, twice what fits into {LIMIT} in {WINDOW_S:g} s. No span may admit more than {LIMIT}."
    )
    return [await _traffic(lab, module, times, "Steady traffic at twice the limit", about, None)]


async def around_the_boundary(lab: Lab, module: Any) -> list[Chart]:
    """One early request, which opens a window; the rest of the limit just before its end, and all of it just after.

    The world begins on a full minute's third part, so a window of the clock ends where that one ends, too.
    """
    before = [0.0, *(9.0 + n / 10 for n in range(LIMIT - 1))]
    after = [WINDOW_S + n / 10 for n in range(LIMIT)]
    about = "A burst just before a window's end and one just after it: a window that starts afresh admits them both."
    title = "A burst around the boundary"
    return [await _traffic(lab, module, before + after, title, about, Mark(float(WINDOW_S), "boundary"))]


SCENES = (steady, around_the_boundary)


async def _traffic(lab: Lab, module: Any, times: Sequence[float], title: str, about: str, moment: Mark | None) -> Chart:
    limiter = module.RateLimiter(lab.redis(), limit=LIMIT, window=WINDOW_S)
    admitted = []
    for time in times:
        await asyncio.sleep(max(0.0, time - lab.now))
        now = lab.now
        if (await limiter.hit("ann")).allowed:
            admitted.append(now)
    end = min(END_S, times[-1] + WINDOW_S + 5)
    shown = Series("admitted", _rolling(admitted))
    over = "" if shown.peak <= LIMIT else f": {shown.peak - LIMIT:.0f} over the limit"
    return Chart(
        title=title,
        about=about,
        x=Axis("time", "s"),
        y=Axis(f"requests in the last {WINDOW_S:g} s"),
        end=end,
        shown=shown,
        behind=Series("asked for", _rolling(times)),
        limit=Mark(float(LIMIT), f"limit {LIMIT}"),
        moment=moment,
        note=f"{len(admitted)} of {len(times)} admitted, at most {shown.peak:.0f} in {WINDOW_S:g} s{over}",
    )


def _rolling(times: Sequence[float]) -> tuple[Point, ...]:
    """How many of `times` lie within the window that ends at each instant; one window later they no longer do."""
    return changing([(time, 1) for time in times] + [(time + WINDOW_S, -1) for time in times])
