"""Runs a kata's scenes on implementations, each in a child process like every other run of somebody's code.

To the runner a scene is what a test is: it has a name, it passes or fails, and it may never end. A scene that
passes carries its charts as JSON in its result's message.
"""

from __future__ import annotations

import functools
import gc
import importlib
import importlib.util
import inspect
import json
import os
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from dojo.catalog import Catalog, CatalogError, Kata, load, resolve_impl
from dojo.plots.chart import Chart
from dojo.runner.results import Job, Limits, RunResult
from dojo.runner.session import Write, emitter, finish

if TYPE_CHECKING:
    from dojo.lab import Lab
    from dojo.lab.explore import Experiment

Scene = Callable[["Lab", Any], list[Chart] | Awaitable[list[Chart]]]
"""Drives the module (its second argument) in a fresh world, and returns the charts of what it did."""

_LIMITS = Limits(wall_seconds=30.0, cpu_seconds=15)
_SCENES = "dojo.plots.scenes"


class Unmeasurable(Exception):
    """The implementation did what no axis can hold; the message says what."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What became of measuring one implementation."""

    charts: tuple[Chart, ...]
    """In the order of the scenes; those of a scene that failed are missing."""
    trouble: str = ""
    """Why some are missing, or none: what the learner reads. Empty if nothing is."""
    unwritten: bool = False
    """Whether the trouble is nothing but a stub."""


def drawable(kata: Kata) -> bool:
    """Whether there are scenes for this kata."""
    return importlib.util.find_spec(f"{_SCENES}.{kata.name}") is not None


def seed(kata: Kata) -> int | None:
    """What the scenes seed their random numbers with; None if they draw none."""
    drawn: int | None = getattr(importlib.import_module(f"{_SCENES}.{kata.name}"), "SEED", None)
    return drawn


def measure(kata: Kata, files: Sequence[Path]) -> list[Measured]:
    """Measures the implementations of one kata, side by side; the results are in the files' order."""
    jobs = [Job.of(kata, file, limits=_LIMITS) for file in files]
    if hasattr(os, "fork"):
        from dojo.runner.forked import Task, supervise

        importlib.import_module("dojo.lab")  # once, for all children
        results = supervise([Task(job, functools.partial(run_scenes, job)) for job in jobs], len(jobs))
    else:
        from dojo.runner.spawned import run_spawned

        results = run_spawned(jobs, len(jobs), program="dojo.plots.child")
    return [_measured(result) for result in results]


def run_scenes(job: Job, write: Write) -> int:
    """Runs the scenes of the job's kata on its implementation, in this process; 0 if all could be measured."""
    from dojo.lab.explore import Experiment
    from dojo.lab.imports import Finder, Unusable
    from dojo.lab.modules import Learner
    from dojo.lab.schedule import Plan
    from dojo.lab.servers import open_backend
    from dojo.runner.fresh import forget_parent

    forget_parent(job.root, job.kata)
    os.chdir(job.root)
    emit = emitter(write)
    catalog = load(job.root)
    scenes: Sequence[Scene] = importlib.import_module(f"{_SCENES}.{job.kata}").SCENES
    names = [scene.__name__ for scene in scenes]
    emit({"event": "collected", "tests": [{"name": name, "rule": None, "text": ""} for name in names]})
    Finder([kata.name for kata in catalog], functools.partial(_locate, catalog, job)).install()
    try:
        importlib.import_module(job.kata)
    except Unusable as error:
        emit({"event": "trouble", "message": str(error)})
        finish(1, emit)
        return 1
    learner = Learner(job.kata, job.impl)
    gc.freeze()  # the scenes may collect what the code under test has left, and nothing older
    code = 0
    for name, scene in zip(names, scenes, strict=True):
        emit({"event": "start", "name": name})
        charts: list[Chart] = []
        experiment = Experiment(_kept(scene, charts), {}, open_backend("fake"), learner)
        result = _result(name, charts, experiment, Plan(), job.kata)
        emit({"event": "test", "result": result})
        code |= result["outcome"] != "passed"
        if result.get("kind") == "never-finishes":
            break  # its other scenes will not end either, and nobody wants to wait for each
    finish(code, emit)
    return code


def _locate(catalog: Catalog, job: Job, name: str) -> Path:
    """What an import of a kata's name finds: the measured file, or another kata's beside it, else the learner's."""
    from dojo.lab.imports import Unusable

    if name == job.kata:
        return job.impl
    kata = catalog.find(name)
    for tree in (job.impl.parent, catalog.root / "katas"):
        try:
            if (found := resolve_impl(tree, kata)) is not None:
                return found
        except CatalogError:
            continue
    raise Unusable(f"there is no {name}.py beside {job.impl.name}.")


def _kept(scene: Scene, charts: list[Chart]) -> Callable[..., Any]:
    """The scene as the lab runs a test; its charts go into `charts`."""

    async def finished(result: Awaitable[list[Chart]]) -> None:
        charts.extend(await result)

    def test(lab: Lab) -> Any:
        result = scene(lab, lab.process())
        if inspect.isawaitable(result):
            return finished(result)
        charts.extend(result)
        return None

    return test


def _result(name: str, charts: list[Chart], experiment: Experiment, plan: Any, kata: str) -> dict[str, Any]:
    from dojo.lab.report import kind_of

    run = experiment.run(plan)
    if run.error is None:
        return {"name": name, "outcome": "passed", "message": json.dumps([chart.to_json() for chart in charts])}
    assert experiment.learner is not None
    message = _told(run.error, experiment.learner.path, kata)
    return {"name": name, "outcome": "failed", "kind": kind_of(run.error), "message": message}


def _told(error: BaseException, file: Path, kata: str) -> str:
    """Why a scene could not be measured, for whoever wrote `file`."""
    from dojo.lab.blame import learner_frames, place
    from dojo.lab.errors import ForgottenAwait, Stuck

    frames = learner_frames({str(file)}, error.__traceback__)
    where = place(frames[-1].filename, frames[-1].lineno or 0, frames[-1].name) if frames else ""
    if isinstance(error, NotImplementedError):
        # The place without the line itself, which says no more than that.
        return f"not written yet ({where.partition(chr(10))[0] or file.name})"
    if isinstance(error, ForgottenAwait):
        return f"{error}\nis an `await` missing?"
    if isinstance(error, (Stuck, Unmeasurable)):
        return str(error)
    if isinstance(error, AttributeError) and isinstance(error.obj, ModuleType) and error.obj.__name__ == kata:
        return f"{file.name} does not define {error.name}. Add it, or get the stub back: dojo reset {kata}"
    return f"{type(error).__name__}: {error}" + (f"\nat {where}" if where else "")


def _measured(result: RunResult) -> Measured:
    charts: list[Chart] = []
    trouble: list[str] = []
    for test in result.tests:
        if test.passed:
            try:
                charts.extend(Chart.from_json(data) for data in json.loads(test.message))
            except (ValueError, KeyError, TypeError):
                trouble.append("what was measured got damaged on the way: something wrote into the results.")
        elif test.outcome == "failed":
            trouble.append(test.message)
    if not trouble and result.status != "green":
        trouble.append(result.detail)
    unwritten = {test.kind for test in result.tests if test.outcome == "failed"} == {"missing"}
    return Measured(tuple(charts), "\n".join(_each_once(trouble)), unwritten)


def _each_once(lines: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(lines))
