"""Which tasks the learner's code has started, and where: what is still alive when it should not be, is a leak."""

from __future__ import annotations

import asyncio
import sys
from asyncio.base_events import BaseEventLoop
from types import FrameType
from typing import Any

from dojo.lab.blame import learner_line

_TURN = BaseEventLoop._run_once.__code__  # type: ignore[attr-defined]  # typeshed leaves private methods out
"""Below it on the stack there is the lab, and pytest with its dozens of frames."""


class StartedTasks:
    """The tasks that came to be with a frame of the learner's file on the stack, also deep in a library."""

    def __init__(self, learner_files: set[str]) -> None:
        self._files = learner_files
        # Strong references, unlike the loop's own: whether a forgotten task is still there must not be up to the
        # garbage collector.
        self._places: dict[asyncio.Task[Any], str] = {}

    def note(self, task: asyncio.Task[Any]) -> None:
        """Remember `task` if the learner's code is the one that is starting it now."""
        frame: FrameType | None = sys._getframe(1)
        place = learner_line(self._files, frame, until=_TURN)
        if place is not None:
            self._places[task] = place.splitlines()[0]
            task.add_done_callback(self._places.pop)

    def alive(self) -> list[str]:
        """Where each of them that has not ended yet was started: ``hub.py:12 in join``. In order of text."""
        return sorted(place for task, place in self._places.items() if not task.done())
