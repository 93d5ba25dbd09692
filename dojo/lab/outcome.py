"""What became of one actor."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from dojo.lab.verdict import Failure


@dataclass(frozen=True)
class Outcome:
    """How an actor ended: with a `value`, with an `error`, or because its process `died`."""

    value: Any = None
    error: BaseException | None = None
    died: bool = False

    @property
    def ok(self) -> bool:
        return self.error is None and not self.died

    def result(self) -> Any:
        """The value; raises the error. A dead process has neither and gives None."""
        if self.error is not None:
            raise self.error
        return self.value


def written(outcomes: list[Outcome]) -> list[Outcome]:
    """The outcomes, unless one of them must not be taken for a result.

    What is not written yet says nothing about a rule, and a test that swallowed it could pass on a stub.
    """
    for outcome in outcomes:
        error = outcome.error
        told = error is None or isinstance(error, (Exception, asyncio.CancelledError))
        if not told or isinstance(error, (NotImplementedError, Failure)):
            assert error is not None
            raise error
    return outcomes


def outcome_of(task: asyncio.Task[Any]) -> Outcome:
    """Of an actor's task; one that has not ended is dead."""
    if not task.done():
        return Outcome(died=True)
    if task.cancelled():
        return Outcome(error=asyncio.CancelledError())
    error = task.exception()
    return Outcome(error=error) if error is not None else Outcome(value=task.result())
