"""Messages that are delivered up to three times, some to a worker that is killed, and how often they take effect."""

from __future__ import annotations

import functools
import random
import time
from typing import Any

from dojo.lab import Lab
from dojo.plots.chart import Axis, Chart, Mark, Series
from dojo.plots.scale import changing

MESSAGES = 12
SEED = 7
"""Of the `random.Random` that decides how often and when each message is delivered."""
WORKERS = 3
KILLED = (4, 9)
"""Messages whose first worker is killed before it could do the work."""
WORK_S, LEASE_S, REDELIVERY_S = 0.5, 3, 2.0
END_S = 30.0


def redelivered(lab: Lab, module: Any) -> list[Chart]:
    """Each delivery is an actor of its own, on one of three workers; what is in progress comes again 2 s later."""
    rng = random.Random(SEED)
    processes = [module, *(lab.process() for _ in range(WORKERS - 1))]
    workers = [
        each.IdempotentConsumer(lab.redis_sync(), namespace="billing", lease=LEASE_S, retention=3600)
        for each in processes
    ]
    deliveries: list[tuple[float, int]] = []
    effects: list[tuple[float, int]] = []
    failures: list[str] = []

    def deliver(worker: int, number: int, at: float, killed: bool) -> None:
        time.sleep(at)

        def charge(message: Any) -> str:
            time.sleep(WORK_S)
            if killed:
                lab.die()
            effects.append((lab.now, number))
            return f"charged {number}"

        message = processes[worker].Message(f"order-{number}", b"{}")
        while lab.now < END_S:
            deliveries.append((lab.now, number))
            try:
                workers[worker].process(message, charge)
            except processes[worker].InProgress:
                time.sleep(REDELIVERY_S)
            else:
                return

    calls = []
    for number in range(1, MESSAGES + 1):
        times = [float(number)]
        # A duplicate comes at once, while the first one is at work, or when everything is over.
        times += [number + rng.choice((0.0, 0.25, 3.0, 8.0)) for _ in range(rng.randint(0, 2))]
        if number in KILLED:
            times.append(number + WORK_S + REDELIVERY_S)
        for nth, at in enumerate(times):
            worker = (number + nth) % WORKERS
            calls.append(functools.partial(deliver, worker, number, at, number in KILLED and nth == 0))
    for outcome in lab.attempts_sync(*calls):
        if outcome.error is not None:
            failures.append(f"{type(outcome.error).__name__}: {outcome.error}")
    return _charts(deliveries, effects, failures)


SCENES = (redelivered,)


def _charts(deliveries: list[tuple[float, int]], effects: list[tuple[float, int]], failures: list[str]) -> list[Chart]:
    per_message = _per_message(effects)
    wrong = [f"{number:.0f} ({count:.0f}x)" for number, count in per_message[1:-1] if count != 1]
    note = f"{len(deliveries)} deliveries, {len(effects)} effects"
    note += f"; not exactly once: {', '.join(wrong)}" if wrong else "; each message exactly once"
    if failures:
        note += f"; {len(failures)} deliveries failed, the first with {failures[0]}"
    return [
        Chart(
            title="Effects of each message",
            about=f"{MESSAGES} messages, delivered up to three times, and again while one is in progress; "
            f"the first workers of {' and '.join(map(str, KILLED))} are killed.",
            x=Axis("message", counts=True),
            y=Axis("times"),
            end=MESSAGES + 1.0,
            shown=Series("effects", per_message),
            behind=Series("deliveries", _per_message(deliveries)),
            limit=Mark(1.0, "once"),
            note=note,
        ),
        Chart(
            title="Deliveries and effects so far",
            about="One new message a second. However often they come, the effects end at the number of messages.",
            x=Axis("time", "s"),
            y=Axis("in all"),
            end=END_S,
            shown=Series("effects", changing((at, 1) for at, _ in effects)),
            behind=Series("deliveries", changing((at, 1) for at, _ in deliveries)),
            limit=Mark(float(MESSAGES), f"{MESSAGES} messages"),
            note=f"the last effect at {max(effects)[0]:g} s" if effects else "no effect at all",
        ),
    ]


def _per_message(events: list[tuple[float, int]]) -> tuple[tuple[float, float], ...]:
    """How many events each message has; a step from each number to the next, and nothing outside."""
    counts = [0] * (MESSAGES + 2)
    for _, number in events:
        counts[number] += 1
    return tuple((float(number), float(count)) for number, count in enumerate(counts))
