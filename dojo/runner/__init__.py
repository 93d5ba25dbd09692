"""The one way in which a kata's tests are run on an implementation.

Stub check, solution check, mutants, alternatives, mutation score, `dojo test`, and whatever else asks
"do the tests pass on this file?" call `run` or `run_many` and get a `RunResult`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from dojo.catalog import Kata
from dojo.runner.preload import warm
from dojo.runner.results import Job, Limits, OnTest, RuleResult, RunnerError, RunResult, Status, TestResult, rules

__all__ = [
    "Job",
    "Limits",
    "OnTest",
    "RuleResult",
    "RunResult",
    "RunnerError",
    "Status",
    "TestResult",
    "rules",
    "run",
    "run_many",
    "run_variants",
    "warm",
]


def run(
    kata: Kata,
    impl: Path,
    *,
    stop_at_first: bool = False,
    only: Iterable[str] = (),
    redis: str = "fake",
    schedule: str = "",
    limits: Limits | None = None,
    on_test: OnTest | None = None,
) -> RunResult:
    """Runs the kata's tests on `impl`, a file or a tree, in a process of their own.

    Raises RunnerError if there is nothing to run; whatever the tested code does ends as a result.
    """
    job = Job.of(
        kata,
        impl,
        stop_at_first=stop_at_first,
        only=only,
        redis=redis,
        schedule=schedule,
        limits=limits,
    )
    return run_many([job], workers=1, on_test=on_test)[0]


def run_many(
    jobs: Sequence[Job],
    workers: int | None = None,
    *,
    on_test: OnTest | None = None,
    environment: Mapping[str, str] | None = None,
) -> list[RunResult]:
    """Runs the jobs in parallel, by default one per CPU; the results are in the jobs' order.

    `environment` asks for new interpreters with these variables set, for what an interpreter reads
    only at its start (PYTHONHASHSEED).
    """
    workers = max(1, workers or os.cpu_count() or 1)
    if environment is not None or not hasattr(os, "fork"):
        from dojo.runner.spawned import run_spawned

        return run_spawned(jobs, workers, on_test, environment)
    from dojo.runner.forked import run_forked

    if len(jobs) > 1:
        warm()
    return run_forked(jobs, workers, on_test)


def run_variants(
    base: Path, jobs: Sequence[Job], workers: int | None = None, *, any_order: bool = False
) -> list[RunResult]:
    """Runs jobs that differ only in `impl`, `only`, `stop_at_first` and `limits`; results in the jobs' order.

    Like `run_many`, but the tests are collected only once, on the implementation `base`, so that a run
    costs a fourth. With `any_order` each job's tests run in whatever order promises an early failure.
    Raises RunnerError if the tests cannot be collected on `base`.
    """
    if not jobs:
        return []
    workers = max(1, workers or os.cpu_count() or 1)
    if not hasattr(os, "fork"):
        return run_many(jobs, workers)
    from dojo.runner.variants import run_collected

    warm()
    return run_collected(base.resolve(), jobs, workers, any_order)
