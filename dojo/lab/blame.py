"""Where in the learner's file something happens: frames of the learner's code, and nobody else's."""

from __future__ import annotations

import asyncio
import linecache
import re
import traceback
from collections.abc import Collection
from pathlib import Path
from types import CodeType, FrameType, TracebackType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dojo.lab.world import World


def place(path: str, line: int, name: str = "") -> str:
    """``file:line in name``, and the line itself below."""
    source = linecache.getline(path, line).strip()
    return f"{Path(path).name}:{line}" + (f" in {name}" if name else "") + (f"\n    {source}" if source else "")


def learner_frames(files: set[str], tb: TracebackType | None) -> list[traceback.FrameSummary]:
    """The frames of a traceback that lie in one of the learner's `files`, outermost first."""
    return [f for f in traceback.extract_tb(tb) if f.filename in files]


def without_foreign_frames(text: str, files: Collection[str]) -> str:
    """`text` with the tracebacks that somebody logged, cut down to the frames in one of `files`."""
    kept = []
    own = True
    for line in text.splitlines(keepends=True):
        if frame := re.match(r'  File "(.+)", line \d+', line):
            own = frame[1] in files
        elif not line.startswith(("    ", "  [Previous line repeated")):
            own = True  # neither a frame nor the source below it
        if own:
            kept.append(line)
    return "".join(kept)


def learner_line(files: set[str], frame: FrameType | None, until: CodeType | None = None) -> str | None:
    """The innermost line of one of the learner's `files` under `frame`, and above a frame of `until`; or None."""
    while frame is not None:
        code = frame.f_code
        if code.co_filename in files:
            return place(code.co_filename, frame.f_lineno, code.co_name)
        if code is until:
            return None
        frame = frame.f_back
    return None


def waiting_tasks(world: World) -> str:
    """One line a task: who waits, and on which line of the learner's file."""
    lines = []
    assert world.loop is not None
    for task in asyncio.all_tasks(world.loop):
        actor = world.actor_of(task)
        where = waits_at(world.learner_files, task)
        if where is not None and not actor.dead:
            lines.append(f"  {actor.title} waits at {where}")
    return "\n".join(sorted(lines)) or "  nobody is in your file; the test itself waits"


def waits_at(files: set[str], task: asyncio.Task[Any]) -> str | None:
    """The innermost line of one of the learner's `files` at which `task` is suspended, or None."""
    for frame in reversed(_await_chain(task)):
        if frame.f_code.co_filename in files:
            return place(frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name)
    return None


def _await_chain(task: asyncio.Task[object]) -> list[FrameType]:
    """The frames of a suspended task along its awaits, outermost first (Task.get_stack stops at the first)."""
    frames: list[FrameType] = []
    coro: object = task.get_coro()
    while coro is not None:
        frame = getattr(coro, "cr_frame", None) or getattr(coro, "gi_frame", None) or getattr(coro, "ag_frame", None)
        if frame is not None:
            frames.append(frame)
        coro = getattr(coro, "cr_await", None) or getattr(coro, "gi_yieldfrom", None) or getattr(coro, "ag_await", None)
    return frames
