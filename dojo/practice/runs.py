"""A drill's test runs, in processes beside it: the clock goes on and keys are heard while tests run."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from dojo.catalog import Kata
from dojo.practice.bench import PracticeError

if TYPE_CHECKING:
    from dojo.runner import RunResult


def run_once(kata: Kata, file: Path) -> RunResult:
    """One run of a kata's tests on a drill's file. Raises PracticeError if it cannot be started."""
    from dojo.runner import RunnerError, run

    try:
        return run(kata, file)
    except RunnerError as error:
        raise PracticeError(str(error)) from error


class Runs:
    """Runs one after the other, each asked for with `start` and fetched with `poll`. A context manager."""

    def __init__(self, kata: Kata) -> None:
        from dojo.runner.warm_runner import WarmRunner

        self._kata = kata
        self._runner = WarmRunner()
        self._run: int | None = None
        with contextlib.suppress(OSError):  # the first run tries again, and says what is wrong
            self._runner.start()

    def __enter__(self) -> Runs:
        return self

    def __exit__(self, *exception: object) -> None:
        self._runner.close()

    @property
    def busy(self) -> bool:
        """Whether a run has not been fetched yet."""
        return self._run is not None

    def start(self, file: Path) -> None:
        """Begin a run on `file`; the one before must have been fetched. Raises PracticeError if it cannot begin."""
        from dojo.runner import Job, RunnerError

        assert not self.busy
        try:
            self._run = self._runner.submit(Job.of(self._kata, file))
        except (RunnerError, OSError) as error:
            raise PracticeError(str(error)) from error

    def poll(self) -> RunResult | None:
        """The result, once it is there. Raises PracticeError if there will be none."""
        from dojo.runner.warm_runner import Failed, Finished

        for event in self._runner.events():
            if event.run != self._run or not isinstance(event, Finished | Failed):
                continue
            self._run = None
            if isinstance(event, Failed):
                raise PracticeError(event.message)
            return event.result
        return None
