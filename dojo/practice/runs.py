"""A drill's test runs, in a process beside it: the clock goes on and keys are heard while tests run."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from dojo.catalog import Kata, load
from dojo.practice.bench import PracticeError

if TYPE_CHECKING:
    from dojo.runner import RunResult

_PROJECT = Path(__file__).resolve().parents[2]
_PATIENCE_S = 5.0


def run_once(kata: Kata, file: Path) -> RunResult:
    """One run of a kata's tests on a drill's file. Raises PracticeError if it cannot be started."""
    from dojo.runner import RunnerError, run

    try:
        return run(kata, file)
    except RunnerError as error:
        raise PracticeError(str(error)) from error


class Runs:
    """Runs one after the other, each asked for with `start` and fetched with `poll`. A context manager.

    A thread would not do: runs are forks, and a fork copies the locks that other threads hold.
    """

    def __init__(self, kata: Kata) -> None:
        env = {**os.environ}
        env["PYTHONPATH"] = os.pathsep.join([str(_PROJECT), *filter(None, [env.get("PYTHONPATH")])])
        self._process = subprocess.Popen(
            [sys.executable, "-m", "dojo.practice.runs", str(kata.root), kata.name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=env,
            cwd=kata.root,
            start_new_session=os.name == "posix",  # Ctrl-C is for the drill, which may want to go on
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._stdin = self._process.stdin
        self._answers: queue.Queue[bytes | None] = queue.Queue()
        threading.Thread(target=_forward, args=(self._process.stdout, self._answers), daemon=True).start()
        self.busy = False

    def __enter__(self) -> Runs:
        return self

    def __exit__(self, *exception: object) -> None:
        with contextlib.suppress(OSError):
            self._stdin.close()
        self._process.terminate()
        try:
            self._process.wait(timeout=_PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def start(self, file: Path) -> None:
        """Begin a run on `file`; the one before must have been fetched."""
        assert not self.busy
        self.busy = True
        with contextlib.suppress(OSError):  # it has ended; `poll` says so
            self._stdin.write(json.dumps(str(file)).encode() + b"\n")
            self._stdin.flush()

    def poll(self) -> RunResult | None:
        """The result, once it is there. Raises PracticeError if there will be none."""
        from dojo.runner.results import RunResult

        try:
            line = self._answers.get_nowait()
        except queue.Empty:
            return None
        self.busy = False
        if line is None:
            raise PracticeError("the process that runs the tests has ended. `dojo doctor` may say why.")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise PracticeError(answer["error"])
        return RunResult.from_json(answer)


def _forward(stream: IO[bytes], answers: queue.Queue[bytes | None]) -> None:
    for line in stream:
        answers.put(line)
    answers.put(None)
    stream.close()


def _serve(root: Path, name: str) -> None:
    """Run what is asked for on standard input, one path a line, until it ends."""
    import signal

    from dojo.runner import warm

    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(1))  # so that a run's own processes are ended
    kata = load(root).find(name)
    if hasattr(os, "fork"):
        warm()
    for line in sys.stdin:
        answer: dict[str, Any]
        try:
            answer = run_once(kata, Path(json.loads(line))).to_json()
        except PracticeError as error:
            answer = {"error": str(error)}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    _serve(Path(sys.argv[1]), sys.argv[2])
