"""A room in which one peer reads four times too slowly: what waits for it, and what its neighbour notices of it."""

from __future__ import annotations

import asyncio
import functools
import gc
import json
import weakref
from typing import Any

from dojo.lab import Lab
from dojo.plots.chart import Axis, Chart, Mark, Series

BACKLOG = 5
EVERY_S, SLOW_S = 0.5, 2.0
MESSAGES = 40
END_S = 32
STEP_S = 0.5
SETTLED_S = 0.01
"""After a broadcast, when what waits for no slow peer has happened."""

_LOST = {
    "drop-oldest": "The oldest messages make room.",
    "drop-new": "Messages that find it full are not taken.",
    "disconnect": "One message too many, and the peer is closed.",
}


class _Text(str):
    """A message's text, which a weak reference can watch."""


class _SlowPeer:
    """Takes `SLOW_S` for each message, and keeps none of them, so that what is alive is what waits."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self.taken: set[int] = set()
        """Numbers of the messages that were sent or are on their way."""
        self.sending = 0
        self.closed = False

    async def send_text(self, data: str) -> None:
        number = json.loads(data).get("n")
        self.taken.add(number)
        del data
        self.sending += 1
        try:
            await self._lab.call(f"send {number} to the slow peer", lambda: None)
            await asyncio.sleep(SLOW_S)
        finally:
            self.sending -= 1

    @property
    def queuing(self) -> int:
        """Sends that wait for another one: a connection carries one message after the other."""
        return max(0, self.sending - 1)

    async def close(self, code: int = 1000, reason: str | None = None) -> None:
        self.closed = True


async def _policy(overflow: str, lab: Lab, module: Any) -> list[Chart]:
    """Two hubs in one world: in the first a slow and a healthy peer share a room, in the second one is alone.

    In the second, a text that is alive and was not sent yet can only be waiting for that peer.
    """
    options = {"backlog": BACKLOG, "overflow": overflow}
    alive: dict[int, weakref.ref[_Text]] = {}

    def encode(message: Any) -> str:
        text = _Text(json.dumps(message))
        if "n" in message:
            alive[message["n"]] = weakref.ref(text)
        return text

    shared, alone = module.Broadcaster(**options), module.Broadcaster(encode=encode, **options)
    healthy, slow = lab.peer("healthy"), _SlowPeer(lab)
    await shared.join(_SlowPeer(lab), room="lobby", name="slow")
    await shared.join(healthy, room="lobby", name="healthy")
    await alone.join(slow, room="lobby", name="slow")
    producers = [asyncio.create_task(_produce(hub)) for hub in (shared, alone)]
    waiting, lag = [], []
    for step in range(int(END_S / STEP_S)):
        await asyncio.sleep(max(0.0, step * STEP_S + SETTLED_S - lab.now))
        gc.collect()
        waits = slow.queuing + sum(ref() is not None for number, ref in alive.items() if number not in slow.taken)
        waiting.append((step * STEP_S, float(waits)))
        received = sum("n" in message for message in healthy.messages)
        lag.append((step * STEP_S, float(min(step + 1, MESSAGES) - received)))
    for producer in producers:
        producer.cancel()
    for result in await asyncio.gather(*producers, return_exceptions=True):
        if isinstance(result, Exception):
            raise result
    return [_chart(overflow, waiting, lag, slow)]


async def _produce(hub: Any) -> None:
    for number in range(MESSAGES):
        await hub.broadcast("lobby", {"n": number})
        await asyncio.sleep(EVERY_S)


def _chart(overflow: str, waiting: list[tuple[float, float]], lag: list[tuple[float, float]], slow: _SlowPeer) -> Chart:
    shown, behind = Series("waiting for the slow peer", tuple(waiting)), Series("lag of a healthy one", tuple(lag))
    closed = " and was closed" if slow.closed else ""
    return Chart(
        title=f"Backlog under {overflow}",
        about=f"A message each {EVERY_S:g} s until {MESSAGES * EVERY_S:g} s, a peer that takes {SLOW_S:g} s for each. "
        f"{_LOST[overflow]}",
        x=Axis("time", "s"),
        y=Axis("messages"),
        end=float(END_S),
        shown=shown,
        behind=behind,
        limit=Mark(float(BACKLOG), f"backlog {BACKLOG}"),
        note=f"at most {shown.peak:.0f} wait; the slow one got {len(slow.taken)} of {MESSAGES}{closed}, "
        f"a healthy one lags {behind.peak:.0f}",
    )


def _scene(overflow: str) -> Any:
    scene = functools.partial(_policy, overflow)
    functools.update_wrapper(scene, _policy)
    scene.__name__ = overflow.replace("-", "_")  # type: ignore[attr-defined]
    return scene


SCENES = tuple(_scene(overflow) for overflow in _LOST)
