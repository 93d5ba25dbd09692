"""How a run is shown: the kata's rules as a checklist, then the first failure in full."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dojo.cli.terminal import console, marks, say
from dojo.runner.results import rules

if TYPE_CHECKING:
    from dojo.catalog import Kata
    from dojo.runner.results import RunResult

PRINTED_LINES = 20

_STYLES: dict[str, str] = {"passed": "green", "failed": "red", "not-run": "dim"}
_ENDS = {"timed-out": "The run was stopped", "crashed": "The run ended early", "broken": "Nothing could be run"}


def show(kata: Kata, result: RunResult) -> None:
    """Print a run for a person."""
    out = console()
    out.print(f"{kata.name}: {kata.title}", style="bold")
    listed = rules(result)
    for rule in listed:
        out.print(f"  {marks()[rule.outcome]} {rule.number:>2}  {rule.sentence}", style=_STYLES[rule.outcome])
    say()
    message = next((test.message for test in result.failed), "") or result.detail
    if not result.green:
        if result.status in _ENDS and message != result.detail:
            say(f"{_ENDS[result.status]}: {result.detail}\n")
        say(f"{message.rstrip()}\n")
        if result.output.strip() and result.status != "broken":  # broken: nothing of the learner's ran
            _printed(result)
    if not listed:
        return
    kept = sum(rule.outcome == "passed" for rule in listed)
    style = "green" if result.green else "red"
    say(f"{kept} of {len(listed)} rules hold, {result.cpu_seconds:.1f} s\n", style=f"bold {style}")


def _printed(result: RunResult) -> None:
    """What the learner's code printed, or its end: a test may run it under hundreds of schedules."""
    lines = result.output.rstrip().split("\n")
    where = " in that test" if result.status == "red" else ""
    shown = lines[-PRINTED_LINES:]
    which = f", the last {len(shown)} of {len(lines)} lines" if len(shown) < len(lines) else ""
    say(f"printed by your code{where}{which}:\n" + "\n".join(f"  {line}" for line in shown) + "\n")
