"""What became of one actor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


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
