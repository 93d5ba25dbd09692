"""A queue with one message that always fails among healthy ones: its attempts, and what it does to the queue."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

from dojo.lab import Lab
from dojo.plots.chart import Axis, Chart, Mark, Series
from dojo.plots.scale import changing

MESSAGES = 20
POISON = 5
"""Fails each time."""
FLAKY = 11
"""Fails the first time."""
ATTEMPTS, DELAY_S = 3, 4
WORK_S = 0.75
END_S = 32.0


def one_poison_message(lab: Lab, module: Any) -> list[Chart]:
    """One message a second arrives; one consumer needs 0.75 s for each."""
    producer, consumer = lab.broker(), lab.broker()
    router = module.DeadLetterRouter(consumer, max_attempts=ATTEMPTS, retry_delay=DELAY_S)
    for number in range(1, MESSAGES + 1):
        producer.publish("orders", str(number).encode(), id=str(number), delay=float(number))
    attempts: Counter[int] = Counter()
    done: set[str] = set()

    def handler(body: bytes) -> None:
        number = int(body)
        attempts[number] += 1
        time.sleep(WORK_S)
        if number == POISON or (number == FLAKY and attempts[number] == 1):
            raise RuntimeError(f"order {number} cannot be handled")
        done.add(str(number))

    changes = [(float(number), 1) for number in range(1, MESSAGES + 1)]
    parked: list[tuple[float, int]] = []
    everything = {str(number) for number in range(1, MESSAGES + 1)}
    present, dead = everything, 0
    while lab.now < END_S:
        delivery = consumer.get("orders")
        if delivery is None:
            time.sleep(0.25)
        else:
            router.handle(delivery, handler)
        here = {message.id for message in producer.messages("orders")} | set(producer.held("orders"))
        changes += [(lab.now, -1)] * len(present - here)
        present = here
        letters = len(producer.messages("orders.dlq"))
        parked.append((lab.now, letters - dead))
        dead = letters
    lost = everything - present - done - {message.id for message in producer.messages("orders.dlq")}
    return _charts(attempts, changes, parked, lost)


SCENES = (one_poison_message,)


def _charts(
    attempts: Counter[int], changes: list[tuple[float, int]], parked: list[tuple[float, int]], lost: set[str]
) -> list[Chart]:
    bars = tuple((float(n), float(attempts[n])) for n in range(MESSAGES + 2))
    depth = Series("waiting or in work", changing(changes))
    dead = Series("dead letters", changing(parked))
    ends = f"{dead.points[-1][1]:.0f} in the dead-letter queue"
    if lost:
        ends += f", lost: {', '.join(sorted(lost, key=int))}"
    return [
        Chart(
            title="Attempts of each message",
            about=f"Message {POISON} always fails, {FLAKY} the first time; {ATTEMPTS} attempts, {DELAY_S:g} s apart.",
            x=Axis("message", counts=True),
            y=Axis("attempts"),
            end=MESSAGES + 1.0,
            shown=Series("attempts", bars),
            limit=Mark(float(ATTEMPTS), f"{ATTEMPTS} attempts"),
            note=f"message {POISON}: {attempts[POISON]}, message {FLAKY}: {attempts[FLAKY]}; in the end {ends}",
        ),
        Chart(
            title="Depth of the queue",
            about=f"One message a second arrives, each takes {WORK_S:g} s. One that fails must not hold up the others.",
            x=Axis("time", "s"),
            y=Axis("messages"),
            end=END_S,
            shown=depth,
            behind=dead,
            note=f"at most {depth.peak:.0f} in the queue, {depth.points[-1][1]:.0f} at the end",
        ),
    ]
