"""Draws a trace: one column an actor, virtual time in front."""

from __future__ import annotations

from collections.abc import Sequence

from dojo.lab.trace import MAIN, NO_REPLY, Actor, Step, Trace
from dojo.lab.verdict import shown

INDENT = "  "
TIME_WIDTH = 12
MAX_COLUMNS = 3
"""More actors than this stand in one column, each line with its name."""
MAX_FAULTS = 3
MAX_TELLING = 4
"""Rows that an elided history shows between its beginning and its end, of which so many are faults."""


def timeline(trace: Trace, *, width: int = 100, max_rows: int = 14) -> list[str]:
    """The lines of the picture; long histories are elided in the middle."""
    entries = trace.entries
    actors = list(dict.fromkeys(step.actor for step in entries))
    if not actors:
        return []
    columns = sorted(actors, key=lambda a: (a.letter != MAIN, a.letter)) if len(actors) <= MAX_COLUMNS else []
    room = width - len(INDENT) - TIME_WIDTH
    room -= room % max(1, len(columns))
    steps = _collapsed(entries)
    starts = _starts(columns, steps, room)
    rows = [_row(step, columns, starts, room) for step in steps]
    if len(rows) > max_rows:
        rows = _elided(rows, _telling(steps), max_rows)
    titles = ""
    for actor, start in zip(columns, starts, strict=True):
        titles = f"{titles:<{start}}{actor.title}"
    return [f"{INDENT}{'time':<{TIME_WIDTH}}{titles or 'who and what'}", *rows]


def _starts(columns: Sequence[Actor], steps: Sequence[Step], room: int) -> list[int]:
    """Where each column begins.

    A third of a line is little. If the last of three columns needs more, the others give it half of theirs, for their
    own texts run over to the right.
    """
    starts = [room // len(columns) * at for at in range(len(columns))]
    needed = [len(_told(step)) for step in steps if columns and step.actor is columns[-1]]
    if len(columns) == MAX_COLUMNS and max(needed, default=0) > room - starts[-1]:
        for at, before in enumerate(columns[:-1], 1):
            starts[at] = max(starts[at] // 2, starts[at - 1] + len(before.title) + 2)
    return starts


def _telling(steps: Sequence[Step]) -> list[int]:
    """Where the story is: the first faults, each error that an outage repeats once, and then what was charged."""
    faults = {step.note or i: i for i, step in reversed([*enumerate(steps)]) if "**" in _told(step)}
    charges = [i for i, step in enumerate(steps) if _charges(step)]
    # If there is no room for all of them, those in the middle go first.
    return [*sorted(faults.values())[:MAX_FAULTS], *charges[:1], *charges[:0:-1]][:MAX_TELLING]


def _elided(rows: list[str], telling: list[int], room: int) -> list[str]:
    """The beginning, what tells most, and as much of the end as there is room for; the gaps are counted."""
    for count in range(len(telling), -1, -1):
        for tail in range(room, 1, -1):
            kept = {*range(room // 3), *telling[:count], *range(len(rows) - tail, len(rows))}
            if len(shown := _with_gaps(rows, kept)) <= room:
                return shown
    return rows[-room:]


def _with_gaps(rows: list[str], kept: set[int]) -> list[str]:
    shown: list[str] = []
    after = 0
    for index in sorted(kept):
        gap = index - after
        if gap > 1:
            shown.append(f"{INDENT}{'':{TIME_WIDTH}}… {gap} more steps …")
        elif gap == 1:
            shown.append(rows[after])  # to say that a row is missing takes a row
        shown.append(rows[index])
        after = index + 1
    return shown


def _row(step: Step, columns: Sequence[Actor], starts: Sequence[int], room: int) -> str:
    what = _told(step)
    stamp = f"{INDENT}{step.time:<{TIME_WIDTH}.3f}"
    if not columns:
        return f"{stamp}{_cut(f'{step.actor.title}: {what}', room)}".rstrip()
    at = columns.index(step.actor)
    start = starts[at]
    if step.index < 0:  # a remark names its subject, so it may begin further left
        start = max(0, min(start, room - len(what)))
    # A text may run over into the empty columns to its right; nothing else stands on this line.
    space = room - start - (0 if at == len(columns) - 1 or start < starts[at] else 1)
    return f"{stamp}{' ' * start}{_cut(what, space)}".rstrip()


def _told(step: Step) -> str:
    if step.index < 0:
        return step.text
    if step.note:
        return f"{step.text}  ** {step.note} **"
    if step.reply is NO_REPLY:
        return f"{step.text}  …"
    if isinstance(step.reply, BaseException):
        return f"{step.text} → {type(step.reply).__name__}"
    if _charges(step) and isinstance(step.reply, dict):
        return f"{step.text} → {step.reply['id']}"  # the rest repeats the request
    return f"{step.text} → {_reply(step.reply)}"


def _charges(step: Step) -> bool:
    """Whether a step asks the payment gateway for money."""
    return step.touches is not None and b"gateway" in step.touches


def _reply(reply: object) -> str:
    if isinstance(reply, bytes):
        try:
            reply = reply.decode()
        except UnicodeDecodeError:
            return shown(reply, 40)
    return reply if isinstance(reply, str) and reply == "OK" else shown(reply, 40)


def _cut(text: str, space: int) -> str:
    """`text` in `space` columns. Of a command and what came of it the latter is kept, because it is what tells."""
    if len(text) <= space:
        return text
    for mark in ("  ** ", " → "):
        command, found, came = text.rpartition(mark)
        if found:
            tail = _shortened(mark + came, space * 2 // 3)
            return _shortened(command, space - len(tail)) + tail
    return _shortened(text, space)


def _shortened(text: str, space: int) -> str:
    return text if len(text) <= space else text[: max(1, space - 1)] + "…"


def _collapsed(entries: Sequence[Step]) -> list[Step]:
    """The entries with a polling loop (the same step, the same answer, again and again) told once."""
    told: list[Step] = []
    repeated = 0
    for step in entries:
        before = told[-1] if told else None
        if before is not None and before.index >= 0 and _same(before, step):
            repeated += 1
            continue
        if repeated:
            told.append(_again(told[-1], repeated))
            repeated = 0
        told.append(step)
    if repeated:
        told.append(_again(told[-1], repeated))
    return told


def _same(a: Step, b: Step) -> bool:
    return (a.actor, a.text, repr(a.reply), a.note) == (b.actor, b.text, repr(b.reply), b.note)


def _again(step: Step, times: int) -> Step:
    return Step(step.actor, -1, f"(the same {times} more time{'s' * (times > 1)})", None, step.resume, step.time)
