"""Finds the `await` that a learner forgot: the commonest mistake of all, and the one with the quietest symptom.

Python only warns, when the coroutine is thrown away, at whatever moment that is. Here it is part of the run.
"""

from __future__ import annotations

import contextlib
import inspect
import warnings
from collections.abc import Iterator
from types import CoroutineType, TracebackType

from dojo.lab.blame import place

_MESSAGE = "coroutine '.*' was never awaited"


@contextlib.contextmanager
def forgotten_awaits(learner_files: set[str], found: list[str]) -> Iterator[None]:
    """Collect in `found`, once each, the coroutines that were never awaited inside; pass other warnings on."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.filterwarnings("always", _MESSAGE, RuntimeWarning)
        yield
    for warning in caught:
        text = str(warning.message)
        if "was never awaited" not in text:
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
            continue
        mine = warning.filename in learner_files
        told = text.splitlines()[0] + (f", {place(warning.filename, warning.lineno)}" if mine else "")
        if told not in found:
            found.append(told)


def held_back(traceback: TracebackType | None, learner_files: set[str]) -> list[str]:
    """The coroutines that wait, never started, in the learner's frames of a failure; they are closed here.

    Left alone they would be reported when the garbage collector finds them, in some other test.
    """
    told = []
    while traceback is not None:
        frame = traceback.tb_frame
        if frame.f_code.co_filename in learner_files:
            for value in list(frame.f_locals.values()):
                if isinstance(value, CoroutineType) and inspect.getcoroutinestate(value) == inspect.CORO_CREATED:
                    where = place(frame.f_code.co_filename, traceback.tb_lineno)
                    told.append(f"coroutine '{value.__qualname__}' was never awaited, {where}")
                    value.close()
        traceback = traceback.tb_next
    return told
