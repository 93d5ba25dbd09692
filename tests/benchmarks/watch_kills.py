"""`kill -9` at random moments of `dojo watch`: is everything that was shown on record, and does nothing stay behind?

    python -m tests.benchmarks.watch_kills --kills 50 --seed 1

One line a kill and one for all; exit code 1 if anything was lost or left, or if the next `dojo watch` did not start.
Some kills come at any moment, some during the start, some on sight of a verdict, some while SQLite writes. Every few
kills the history is a new one: to make it is a moment to be killed in, and a kata has only four hints to show.
"""

from __future__ import annotations

import os
import random
import re
import signal
import sqlite3
import sys
import tempfile
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep

from dojo.catalog import Kata
from dojo.practice import Event, history
from dojo.practice.history import FILE
from tests.benchmarks.drill_kills import asked
from tests.benchmarks.watch import burst, clone, of_the, replace
from tests.cli.terminal import Terminal

LONGEST_S = 3.0
PATIENCE_S = 60.0
LEAVING_S = 10.0
"""A server that is still importing hears only then that its client is gone."""

_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_STATE = re.compile(r"^(?:[✗✓] (all \d+ rules hold|\d+ of \d+ rules hold|nothing could be run|no verdict)|· (running))")
_HINT = re.compile(r"^(\d) of \d: ", re.MULTILINE)


@dataclass(frozen=True)
class Killed:
    moment: str
    torn: bool
    """SQLite was writing."""
    after: float
    """Seconds since the start."""
    shown: int
    """Attempts and hints that were on the screen."""
    recorded: int
    lost: int
    left: list[int]
    """Processes."""
    leaving: float
    """Seconds until the last process had ended."""
    damage: list[str]


@dataclass(frozen=True)
class Seen:
    verdicts: list[str]
    hints: set[int]


def seen(terminal: Terminal, kata: Kata) -> Seen:
    """What was ever shown: a verdict is new if the picture before it said that tests are running."""
    verdicts, hints, running = [], set(), False
    for picture in terminal.raw.decode("utf-8", "replace").split("\x1b[H")[1:]:
        text = _CONTROL.sub("", picture).replace("\r", "")
        if f"\n{kata.name}: hints" in text:
            hints |= {int(number) for number in _HINT.findall(text)}
        for state in filter(None, map(_STATE.match, text.split("\n"))):
            if running and state[1] and state[1] != "no verdict":
                verdicts.append(state[1])
            running = bool(state[2])
    return Seen(verdicts, hints)


def told(attempt: Event) -> str:
    """What `dojo watch` shows of an attempt."""
    data = attempt.data
    if data["status"] == "green":
        return f"all {data['rules']} rules hold"
    return f"{data['kept']} of {data['rules']} rules hold" if data["rules"] else "nothing could be run"


def work(kata: Kata, terminal: Terminal, lot: random.Random, until: float) -> None:
    """Save and press keys, with pauses in which a run may end."""
    while monotonic() < until:
        act = lot.random()
        if act < 0.15:
            replace(kata.stub, kata.solution.read_bytes() + b"\nwhile True:\n    pass  # %f\n" % act)
        elif act < 0.5:
            burst(kata, lot, lot.randrange(10**6))
        elif act < 0.75:
            terminal.press(lot.choice("hhhHr\x1b"))
        look(terminal, min(until, monotonic() + lot.choice([0.0, 0.1, 0.5, 1.0])))


def look(terminal: Terminal, until: float, stop: Callable[[], bool] = lambda: False) -> None:
    while monotonic() < until and not stop():
        terminal.read(0.002)


def wait_for(moment: str, kata: Kata, terminal: Terminal) -> None:
    """Save once more, and look until it is time to kill."""
    before, deadline = len(seen(terminal, kata).verdicts), monotonic() + PATIENCE_S
    replace(kata.stub, kata.solution.read_bytes() + b"\n# the last: %d\n" % len(terminal.raw))
    while monotonic() < deadline:
        if moment == "writing" and journal(kata).exists():
            return
        if terminal.read(0.0) and len(seen(terminal, kata).verdicts) > before:
            return  # if it was to be while SQLite writes: nobody saw that, and now it is over


def journal(kata: Kata) -> Path:
    """It is there while SQLite writes."""
    return kata.root / f"{FILE}-journal"


def processes(token: str) -> list[int]:
    """Those that have inherited the token, wherever they are and whoever their parent is by now."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if token.encode() in (process / "environ").read_bytes():
                found.append(int(process.name))
        except OSError:
            continue
    return found


def leaving(token: str, root: Path) -> tuple[list[int], float]:
    """Wait until nothing of a watch is left; what is, and how long that took."""
    began = monotonic()
    while (left := sorted({*processes(token), *of_the(root)})) and monotonic() < began + LEAVING_S:
        sleep(0.02)
    return left, monotonic() - began


def kill(kata: Kata, lot: random.Random, *, early: bool) -> Killed:
    """Watch, be killed, and look at what is there. `early`: perhaps before the first verdict."""
    token, damage = uuid.uuid4().hex, []
    moment = "early" if early else lot.choice(["any", "verdict", "writing"])
    before = recorded(kata, damage)
    journal(kata).unlink(missing_ok=True)  # once the history was read, what is still there says nothing any more
    with Terminal(kata.root, "watch", kata.name, DOJO_KILLS=token) as terminal:
        began = monotonic()
        if not early:
            look(terminal, began + PATIENCE_S, lambda: bool(seen(terminal, kata).verdicts))
            if not seen(terminal, kata).verdicts:
                damage.append(f"no verdict after the start:\n{terminal.screen}")
            work(kata, terminal, lot, monotonic() + lot.uniform(0.0, LONGEST_S))
        else:
            look(terminal, began + lot.uniform(0.0, LONGEST_S / 2))
        if moment in ("verdict", "writing"):
            wait_for(moment, kata, terminal)
        os.kill(terminal.pid, signal.SIGKILL)
        after = monotonic() - began
        terminal.ended()  # and what was written until then is read
        torn = journal(kata).exists()
        left, seconds = leaving(token, kata.root)
        shown = seen(terminal, kata)
    events = recorded(kata, damage)[len(before) :]
    known = {event.data["number"] for event in before if event.kind == "hint"}
    hints = {event.data["number"] for event in events if event.kind == "hint"}
    attempts = [told(event) for event in events if event.kind == "attempt"]
    kept = 0
    while kept < min(len(attempts), len(shown.verdicts)) and attempts[kept] == shown.verdicts[kept]:
        kept += 1
    new = shown.hints - known
    lost = len(shown.verdicts) - kept + len(new - hints)
    if lost or len(attempts) > kept + 1:  # the last may have been recorded and not shown yet
        damage.append(f"shown {shown}, recorded {attempts}, {hints}")
    return Killed(moment, torn, after, len(shown.verdicts) + len(new), len(events), lost, left, seconds, damage)


def recorded(kata: Kata, damage: list[str]) -> list[Event]:
    """Of the kata, in order; `damage` hears what is wrong with the file."""
    with history(kata.root, tell=damage.append) as past:
        events = past.events(kata.name)
    connection = sqlite3.connect(kata.root / FILE)
    [found] = connection.execute("PRAGMA integrity_check").fetchone()
    connection.close()
    if found != "ok":
        damage.append(found)
    return events


def quits(kata: Kata) -> bool:
    """Whether `dojo watch` starts, gives a verdict and ends as it should."""
    with Terminal(kata.root, "watch", kata.name) as terminal:
        look(terminal, monotonic() + PATIENCE_S, lambda: bool(seen(terminal, kata).verdicts))
        terminal.press("q")
        return terminal.ended() == 0 and terminal.restored and bool(seen(terminal, kata).verdicts)


def main() -> int:
    assert __doc__ is not None
    arguments = asked(__doc__)
    lot, kills = random.Random(arguments.seed), []
    with tempfile.TemporaryDirectory(prefix="dojo-kills-") as directory:
        kata = clone(Path(directory).resolve()).find("backoff_schedule")
        for number in range(1, arguments.kills + 1):
            if lot.random() < 0.2:
                (kata.root / FILE).unlink(missing_ok=True)
            # Never twice: the watch after it shows that one can still begin.
            early = bool(kills) and kills[-1].moment != "early" and lot.random() < 0.2
            one = kill(kata, lot, early=early)
            kills.append(one)
            print(
                f"{number:>3}  {one.moment:<7}  after {one.after:5.2f} s  shown {one.shown:>2}  recorded "
                f"{one.recorded:>2}  {len(one.left)} processes left after {one.leaving:5.2f} s",
                *["while SQLite wrote"] * one.torn,
                *one.damage,
                sep="  ",
                flush=True,
            )
        sound = quits(kata)
    print(summary(arguments.seed, kills, sound))
    good = sound and not any(one.lost or one.left or one.damage for one in kills)
    return 0 if good else 1


def summary(seed: int, kills: list[Killed], sound: bool) -> str:
    return (
        f"seed {seed}: {len(kills)} kills ({sum(one.torn for one in kills)} while SQLite wrote), "
        f"{sum(one.shown for one in kills)} attempts and hints shown, {sum(one.recorded for one in kills)} recorded, "
        f"{sum(one.lost for one in kills)} lost, {sum(len(one.left) for one in kills)} processes left "
        f"(the last ended after {max(one.leaving for one in kills):.1f} s), "
        f"{sum(bool(one.damage) for one in kills)} other faults, "
        f"the next watch {'starts' if sound else 'does NOT start'}"
    )


if __name__ == "__main__":
    sys.exit(main())
