"""`python -m dojo.runner.server`: imports everything once, then forks a child for each run. Not for people.

Requests are JSON lines on standard input: `{"run": number, "job": {…}, "focus": bool}` and `{"cancel": number}`.
Answers are JSON lines on standard output: `{"event": "ready"}` once, then for each run a `test` for each finished
test and in the end one of `result`, `cancelled` and `failed`, each with the run's number. With `focus`, the
output of a red result is the first failing test's alone.

The server ends when its standard input does, and so does whatever it is running: a client that is killed
leaves nothing behind.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable

from dojo.runner.ending import die_with_parent, leave_on_sigterm
from dojo.runner.results import Job, RunResult, TestResult
from dojo.runner.service import FORKS, Requests, Run, Service


def serve(service: Service) -> None:
    """Runs what is asked for, one job after the other, until the client is gone."""
    service.answer({"event": "ready"})
    if not FORKS:
        while (request := service.requests.next()) is not None:
            service.serve(request, _run_spawned)
        return
    from dojo.runner.host import Hosts

    hosts, run = Hosts(), _forking(service.answers)
    while (request := service.requests.next()) is not None:
        if not hosts.serve(service, request):
            service.serve(request, run)


def _run_spawned(job: Job, *, on_test: Callable[[TestResult], None], on_tick: Callable[[], None]) -> RunResult:
    from dojo.runner.spawned import run_spawned

    return run_spawned([job], 1, lambda _, test: on_test(test), on_tick=on_tick)[0]


def _forking(answers: int) -> Run:
    from dojo.runner.forked import Task
    from dojo.runner.shards import Sharder

    def task(job: Job) -> Task:
        return Task(job, functools.partial(_body, job, answers))

    return functools.partial(Sharder().run, task=task)


def _body(job: Job, answers: int, write: Callable[[bytes], None]) -> int:
    from dojo.runner.fresh import forget_parent
    from dojo.runner.session import run_pytest

    os.close(answers)  # the tested code has nothing to say there
    die_with_parent()
    forget_parent(job.root, job.kata)
    return run_pytest(job, write)


def main() -> None:
    """Serves standard input until it ends."""
    leave_on_sigterm()
    answers = os.dup(1)
    os.dup2(2, 1)  # whatever libraries print when they are imported is no answer
    service = Service(Requests(0), answers)
    if FORKS:
        from dojo.runner.preload import warm

        warm()
        import ctypes  # noqa: F401 - for the children
    try:
        serve(service)
    except BrokenPipeError:
        return  # the client is gone


if __name__ == "__main__":
    main()
