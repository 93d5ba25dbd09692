"""Runs as new interpreters, for systems without `os.fork`: slower, the same results.

Also the way to a run in another environment, such as under another hash seed.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import monotonic
from typing import IO

from dojo.runner.journal import End, EndedBy, Journal, read_printed
from dojo.runner.results import Job, OnTest, RunResult, TestResult

_TICK = 0.02
_PROJECT = Path(__file__).resolve().parents[2]


def run_spawned(
    jobs: Sequence[Job],
    workers: int,
    on_test: OnTest | None = None,
    environment: Mapping[str, str] | None = None,
    on_tick: Callable[[], None] | None = None,
    *,
    program: str = "dojo.runner.child",
) -> list[RunResult]:
    """Runs the jobs, at most `workers` at a time; the results are in the jobs' order.

    `environment` is added to this process's own. `on_tick` is called at least every 20 ms while a job runs;
    what it raises ends that job and comes out here. `program` is the module that does a job, in an interpreter
    of its own.
    """
    env = {**os.environ, **(environment or {})}
    env["PYTHONPATH"] = os.pathsep.join([str(_PROJECT), *filter(None, [env.get("PYTHONPATH")])])

    def one(numbered: tuple[int, Job]) -> RunResult:
        index, job = numbered
        return _spawn(job, program, env, None if on_test is None else lambda test: on_test(index, test), on_tick)

    with ThreadPoolExecutor(max_workers=max(1, workers)) as pool:
        return list(pool.map(one, enumerate(jobs)))


def _spawn(
    job: Job,
    program: str,
    env: dict[str, str],
    on_test: Callable[[TestResult], None] | None,
    on_tick: Callable[[], None] | None,
) -> RunResult:
    journal = Journal(job, on_test)
    output = ""
    with tempfile.TemporaryDirectory(prefix="dojo-run-") as directory:
        printed = Path(directory) / "output"
        start = monotonic()
        process = subprocess.Popen(
            [sys.executable, "-m", program, str(printed)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=env,
            cwd=job.root,
            start_new_session=os.name == "posix",
        )
        assert process.stdin is not None
        assert process.stdout is not None
        with contextlib.suppress(BrokenPipeError), process.stdin as stdin:
            stdin.write(json.dumps(job.to_json()).encode())
        arrived: queue.Queue[bytes] = queue.Queue(maxsize=256)
        reader = threading.Thread(target=_forward, args=(process.stdout, arrived), daemon=True)
        reader.start()
        try:
            ended_by = _supervise(process, job, journal, arrived, printed, start, on_tick)
        finally:
            _end(process)
        wall = monotonic() - start
        reader.join(timeout=1.0)
        while not arrived.empty():
            journal.feed(arrived.get())
        with contextlib.suppress(FileNotFoundError), printed.open("rb") as file:
            output = read_printed(file)
    code = process.returncode
    return journal.verdict(End(ended_by, code), cpu=journal.cpu_seconds, wall=round(wall, 3), output=output)


def _supervise(
    process: subprocess.Popen[bytes],
    job: Job,
    journal: Journal,
    arrived: queue.Queue[bytes],
    printed: Path,
    start: float,
    on_tick: Callable[[], None] | None,
) -> EndedBy:
    """Waits until the process ends or has to be ended; says why."""
    ended_by: EndedBy | None = None
    while ended_by is None:
        if on_tick is not None:
            on_tick()
        with contextlib.suppress(queue.Empty):
            journal.feed(arrived.get(timeout=_TICK))
        if process.poll() is not None:
            ended_by = "itself"
        elif monotonic() - start > job.limits.wall_seconds:
            ended_by = "wall-clock"
        elif printed.exists() and printed.stat().st_size > job.limits.output_bytes:
            ended_by = "output"
        elif journal.damaged:
            ended_by = "records"
    return ended_by


def _end(process: subprocess.Popen[bytes]) -> None:
    """The process and its children are gone when this returns."""
    if os.name == "posix":
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.wait()


def _forward(stream: IO[bytes], arrived: queue.Queue[bytes]) -> None:
    while data := os.read(stream.fileno(), 1 << 16):
        arrived.put(data)
    stream.close()
