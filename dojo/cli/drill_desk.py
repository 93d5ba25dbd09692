"""The drill itself: the clock runs, each save is tested, keys are heard."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Literal, Protocol

from dojo.catalog import Kata
from dojo.cli.drill_screen import Screen, clock, cut
from dojo.cli.keyboard import END, Keys
from dojo.cli.laid_out import markdown
from dojo.cli.terminal import marks, place
from dojo.practice import History, PracticeError, read_hints
from dojo.practice.drill import Drill, attempted, hinted, keep, ticked
from dojo.stubs import stub_of

if TYPE_CHECKING:
    from pathlib import Path

    from dojo.runner import RunResult

Outcome = Literal["green", "time-up", "gave-up", "paused"]

TICK_S = 0.05
KEEP_S = 0.5
LONGEST_STEP_S = 2.0
"""More than this between two ticks, and the drill was not running: the machine slept, or Ctrl-Z."""

KEYS = "h hint  f failure  e editor  g give up  q pause"


class Runs(Protocol):
    @property
    def busy(self) -> bool: ...

    def start(self, file: Path) -> None: ...

    def poll(self) -> RunResult | None: ...


class Desk:
    """One sitting at one drill. `drill` is how it stands, also after `work` was interrupted."""

    def __init__(
        self,
        kata: Kata,
        drill: Drill,
        past: History,
        runs: Runs,
        keys: Keys,
        screen: Screen,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._kata = kata
        self.drill = drill
        self._past = past
        self._runs = runs
        self._keys = keys
        self._screen = screen
        self._now = now
        self._ticked_at = self._kept_at = now()
        self._glimpsed: object = None
        """The file's stamp at the last look: one that still changes is being written."""
        self._tested: object = _stamp(drill.file) if self._is_untouched() else None
        """The stamp of what was tested last, or need not be."""
        self._text = b""
        self._saved_at = drill.used_seconds
        self._giving_up = False
        self.result: RunResult | None = None

    def work(self) -> Outcome:
        """Until it is green, the time is up, or the learner has had enough.

        The drill is kept on the way, also when KeyboardInterrupt ends this. Raises PracticeError.
        """
        try:
            while True:
                key = self._keys.read(TICK_S)
                outcome = self._step()
                if outcome is None and key is not None:
                    outcome = self._pressed(key)
                if outcome is not None:
                    return outcome
        finally:
            keep(self.drill)
            self._screen.wipe()

    def _is_untouched(self) -> bool:
        """Whether there is nothing to test yet. A drill that goes on is tested at once: where does it stand?"""
        with contextlib.suppress(OSError):
            return not self.drill.attempts and self.drill.file.read_bytes() == stub_of(self._kata).encode()
        return False

    def _step(self) -> Outcome | None:
        """What happens by itself: time goes on, saves are tested, results come."""
        self._tick()
        if self._take_result():
            return "green"
        untested = self._look()
        if not self.drill.left_seconds and not untested and not self._runs.busy:
            return "time-up"
        self._screen.below(self._below())
        return None

    def _tick(self) -> None:
        now = self._now()
        self.drill = ticked(self.drill, min(now - self._ticked_at, LONGEST_STEP_S))
        self._ticked_at = now
        if now - self._kept_at >= KEEP_S:
            keep(self.drill)
            self._kept_at = now

    def _look(self) -> bool:
        """Start a run if there is a save that was not tested; whether there is one that waits."""
        stamp = _stamp(self.drill.file)
        settled, self._glimpsed = stamp == self._glimpsed, stamp
        if stamp is None or stamp == self._tested:
            return False
        if self._runs.busy or not settled:
            return True
        try:
            self._text = self.drill.file.read_bytes()
        except OSError:  # some editors move the old file away before they write the new one
            return True
        self._tested = stamp
        self._saved_at = self.drill.used_seconds
        self._runs.start(self.drill.file)
        return True

    def _take_result(self) -> bool:
        """Record and show a run that has ended; whether it was the last one needed."""
        result = self._runs.poll()
        if result is None or not self._is_of_the_text():
            return False
        from dojo.runner import rules

        held = rules(result)
        kept = sum(rule.outcome == "passed" for rule in held)
        self.drill = attempted(self.drill, self._past, self._text, result.status, kept, len(held))
        self.result = result
        self._screen.say(cut(verdict(result, self._saved_left())), "green" if result.green else "red")
        if result.green:
            self.drill = replace(self.drill, used_seconds=self._saved_at)  # the tests' own time is nobody's fault
        return result.green

    def _is_of_the_text(self) -> bool:
        """Whether the file is as it was when the run began; otherwise nobody knows what was tested."""
        try:
            return self.drill.file.read_bytes() == self._text
        except OSError:
            return False

    def _saved_left(self) -> float:
        return max(0.0, self.drill.limit_seconds - self._saved_at)

    def _below(self) -> str:
        if not self.drill.left_seconds:
            return "time is up; the last save is being tested"
        if self._giving_up:
            return f"{clock(self.drill.left_seconds)}  give up? g once more; any other key goes on"
        state = "testing" if self._runs.busy else f"{self.drill.kept}/{self.drill.rules or '?'} rules"
        return f"{clock(self.drill.left_seconds)}  {state}  {KEYS}"

    def _pressed(self, key: str) -> Outcome | None:
        if key in ("q", END):
            return "paused"
        if self._giving_up:
            self._giving_up = False
            return "gave-up" if key == "g" else None
        if key == "g":
            self._giving_up = True
        elif key == "h":
            self._hint()
        elif key == "f":
            self._failure()
        elif key == "e":
            return self._edit()
        return None

    def _hint(self) -> None:
        try:
            hints = read_hints(self._kata)
        except PracticeError as error:
            self._screen.say(str(error))
            return
        number = min(self.drill.hints + 1, len(hints))
        self.drill = hinted(self.drill, self._past, number)
        hint = hints[number - 1]
        self._screen.say(f"\nhint {number} of {len(hints)}: {hint.title}\n", "bold")
        self._screen.show(lambda: markdown(hint.text))
        self._screen.say()

    def _failure(self) -> None:
        if self.result is None:
            self._screen.say(f"Nothing was tested yet. Save {place(self.drill.file)}")
        else:
            self._screen.say(f"\n{failure(self.result)}\n")

    def _edit(self) -> Outcome | None:
        """The editor has the terminal; time goes on, and saves are tested."""
        command = shlex.split(os.environ.get("VISUAL") or os.environ.get("EDITOR") or "")
        if not command:
            self._screen.say(f"EDITOR is not set. Open {place(self.drill.file)} in yours.")
            return None
        outcome: Outcome | None = None
        self._screen.hold()
        try:
            with self._keys.suspended(), _interrupts_are_the_editors():
                process = subprocess.Popen([*command, str(self.drill.file)])
                while process.poll() is None:
                    time.sleep(TICK_S)
                    outcome = outcome or self._step()
        except OSError as error:
            self._screen.say(f"{command[0]} cannot be started: {error.strerror}. Set EDITOR to a program that can.")
        finally:
            self._screen.release()
        return outcome


@contextlib.contextmanager
def _interrupts_are_the_editors() -> Iterator[None]:
    # Not ignored, which the editor would inherit, but heard without effect.
    before = signal.signal(signal.SIGINT, lambda number, frame: None)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _stamp(file: Path) -> object:
    """Changes with each save; None if there is no file."""
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def verdict(result: RunResult, left: float) -> str:
    """A run on one line: time left, rules kept, and the rule to look at."""
    from dojo.runner import rules

    held = rules(result)
    kept = sum(rule.outcome == "passed" for rule in held)
    sign = marks()["passed" if result.green else "failed"]
    line = f"{clock(left)} left  {sign} {kept} of {len(held)} rules" if held else f"{clock(left)} left  {sign}"
    if result.green:
        return line
    if result.status != "red" or not result.failed:
        reason = next((part.strip() for part in result.detail.splitlines() if part.strip()), "")
        return f"{line}  {result.status}: {reason}"
    first = result.failed[0]
    return f"{line}  first: {f'{first.rule} ' if first.rule else ''}{first.text or first.name}"


def failure(result: RunResult) -> str:
    """The first failure in full."""
    if result.green:
        return "All rules hold."
    return without_way_on(next((test.message for test in result.failed), "") or result.detail)


def without_way_on(message: str) -> str:
    """A failure's message but for `next  dojo hint …`: in a drill that would be a hint that is not counted."""
    return "\n".join(line for line in message.rstrip().split("\n") if not line.startswith("  next  ")).rstrip()
