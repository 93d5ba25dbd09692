"""`kill -9` in the middle of a drill, and a look at what is left. Also a program: how many times, and a seed.

python -m tests.cli.drill_murder 50 1
"""

from __future__ import annotations

import random
import re
import time
from dataclasses import dataclass

from dojo.catalog import Catalog
from dojo.practice import drill, history

from .terminal import PATIENCE_S, Terminal


@dataclass(frozen=True)
class Killed:
    after: float
    """Seconds at the keyboard."""
    shown: int
    """Attempts and hints that were on the screen."""
    recorded: int
    used_before: float
    used_after: float


def murder(katas: Catalog, lot: random.Random, longest: float = 2.0) -> Killed:
    """Work at the drill of a little clone (the unfinished one, else a new one), and be killed within `longest` seconds,
    of the start or of a verdict.

    Raises PracticeError if the drill or the history cannot be read afterwards.
    """
    before = drill.unfinished(katas.root)
    arguments = ["--kata", "add_one", "--minutes", "600"] if before is None else ["--resume"]
    already = 0 if before is None else _recorded(katas, before.id)
    with Terminal(katas.root, "drill", *arguments) as terminal:
        terminal.see("q pause")
        going = drill.unfinished(katas.root)
        assert going is not None
        if lot.random() < 0.5:  # a verdict is certain, and the moment after it is what counts
            going.file.write_text(f"def add_one(number):\n    return number  # {lot.random()}\n", encoding="utf-8")
            terminal.see(" left  ✗ ")
        began = time.monotonic()
        until = began + lot.uniform(0.0, longest)
        while (now := time.monotonic()) < until:
            if lot.random() < 0.3:
                going.file.write_text(f"def add_one(number):\n    return number  # {lot.random()}\n", encoding="utf-8")
            elif lot.random() < 0.3:
                terminal.press(lot.choice("hf"))
            terminal.glance(min(until - now, lot.uniform(0.0, 0.3)))
        terminal.kill()
    after = drill.unfinished(katas.root)
    assert after is not None
    assert after.id == going.id
    assert going.used_seconds <= after.used_seconds <= going.used_seconds + PATIENCE_S
    verdicts = terminal.text.count(" left  ✗ ")
    hints = {int(number) for number in re.findall(r"^hint (\d) of", terminal.text, re.MULTILINE)}
    known = 0 if before is None else before.hints  # the last one may be shown again
    return Killed(
        round(time.monotonic() - began, 2),
        verdicts + sum(number > known for number in hints),
        _recorded(katas, after.id) - already,
        going.used_seconds,
        after.used_seconds,
    )


def _recorded(katas: Catalog, id: str) -> int:
    with history(katas.root) as past:
        return sum(event.data.get("drill") == id for event in past.events(None, "attempt", "hint"))
