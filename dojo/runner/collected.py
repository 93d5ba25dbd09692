"""Tests that are collected once, and run on one implementation after the other.

Collecting takes as long as running many a kata's tests, and it is the same work each time. So a process collects on
one implementation, and its forks swap in another before they run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import TYPE_CHECKING

import pytest

from dojo.lab.modules import Learner, imported_names
from dojo.runner.results import Job
from dojo.runner.session import Reporter, Write, emitter, finish, test_name

if TYPE_CHECKING:
    from dojo.plugin import Bench


class Unfit(Exception):
    """An implementation that the test module could not have imported."""


class Collected:
    """The collected tests of one kata. `run` is for forks, each once: it changes what the test module has imported."""

    def __init__(self, job: Job, reporter: Reporter) -> None:
        """`reporter` is a plugin of the session; `job` says which tests are collected."""
        self._imported = [name for name in imported_names(job.test_file, job.kata).values() if name and name != "*"]
        self._reporter = reporter

    def run(
        self,
        session: pytest.Session,
        job: Job,
        write: Write,
        *,
        cost: Callable[[str], float] | None = None,
    ) -> int:
        """Runs the job's tests and returns pytest's exit code; nothing has been written if Unfit is raised.

        With `cost` the order does not matter, and neither does where a test fails: the cheapest names go first.
        """
        module = session.items[0].getparent(pytest.Module)
        assert module is not None
        self._reporter.emit = emitter(write)
        with _implemented_by(job, module.obj, self._imported, session.config.stash[_bench_key()]):
            code = self._run(session, job, cost)
        finish(code, self._reporter.emit)
        return code

    def _run(self, session: pytest.Session, job: Job, cost: Callable[[str], float] | None) -> int:
        self._reporter.choose(session.items, job.only)
        if cost is not None:
            # What ends at all took milliseconds on the base; so the lab's short limit for endless loops will do.
            session.config.stash[_bench_key()].endless.add(job.kata)
            session.config.option.tbstyle = "value"
            session.items.sort(key=lambda item: cost(test_name(item.nodeid)))
        self._reporter.pytest_collection_finish(session)
        session.config.option.maxfail = 1 if job.stop_at_first else 0
        try:
            session.config.hook.pytest_runtestloop(session=session)
        except (session.Failed, session.Interrupted):
            return int(pytest.ExitCode.TESTS_FAILED)
        return int(pytest.ExitCode.TESTS_FAILED if session.testsfailed else pytest.ExitCode.OK)


def _bench_key() -> pytest.StashKey[Bench]:
    from dojo.plugin import _BENCH  # the session's own copy of the plugin, which was imported after the fork

    return _BENCH


@contextmanager
def _implemented_by(job: Job, tests: ModuleType, imported: Sequence[str], bench: Bench) -> Iterator[None]:
    """What the test module has imported from the base is the job's implementation's, from now on."""
    bench.tree = job.impl  # read when the first test runs, which is later
    learner = Learner(job.kata, job.impl, tests)
    try:
        there = learner.load()
    except BaseException as error:  # whatever it is, nothing can be tested
        raise Unfit(f"{job.impl.name} cannot be imported: {type(error).__name__}: {error}") from error
    if missing := [name for name in imported if not hasattr(there, name)]:
        raise Unfit(f"{job.impl.name} does not define {', '.join(missing)}, which the tests import.")
    with learner.fresh():
        yield
