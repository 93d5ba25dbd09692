"""The pytest plugin: finds the learner's code, runs kata tests in the lab, and reports as the README promises.

``--impl TREE`` says whose code is tested, ``--redis`` on which server, ``--schedule`` replays one run.
"""

from __future__ import annotations

import functools
import gc
import inspect
import unittest
import warnings
from collections.abc import Generator, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from dojo.catalog import Catalog, CatalogError, Kata, kata_of_tests, load, resolve_impl
from dojo.lab.blame import without_foreign_frames
from dojo.lab.errors import LabError, NeverFinishes, Stuck
from dojo.lab.explore import Experiment, Session, conduct, replayable
from dojo.lab.imports import Finder, Unusable, missing_name
from dojo.lab.modules import Learner
from dojo.lab.report import Report, report, rule_of
from dojo.lab.schedule import Plan
from dojo.lab.servers import Backend, open_backend
from dojo.lab.watchdog import ENDLESS_BEFORE_S

_REPORT = pytest.StashKey[Report]()
_BENCH = pytest.StashKey["Bench"]()
_THE_LEARNERS_AFFAIR = (DeprecationWarning, ResourceWarning)


class KataFailed(Exception):
    """Carries a verdict whose own exception pytest would take for something else (a skip, an exit)."""


@dataclass
class Bench:
    """What one pytest session knows: the katas, whose code is tested, and on which server."""

    catalog: Catalog
    tree: Path
    backend: Backend
    schedule: str | None
    every_failure: bool
    learners: dict[Path, Learner] = field(default_factory=dict)
    first_failures: dict[str, tuple[str, int | None]] = field(default_factory=dict)
    """The node id and the rule of each kata's first failing test, which is the one to fix next."""
    later_failures: dict[str, dict[str, int | None]] = field(default_factory=dict)
    """For each kata the node ids and rules of those that fail too."""
    on_a_broker: list[str] = field(default_factory=list)
    """Katas whose tests on a real worker were left out, for no broker was named."""
    endless: set[str] = field(default_factory=set)
    """Katas whose code has computed without end in this session."""

    def kata_of(self, path: Path) -> Kata | None:
        """The kata that a test file belongs to; None for the repository's own tests."""
        return kata_of_tests(path, self.catalog)

    def learner(self, item: pytest.Function) -> Learner | None:
        kata = self.kata_of(item.path)
        if kata is None:
            return None
        if item.path not in self.learners:
            self.learners[item.path] = Learner(kata.name, locate(self.catalog, self.tree, kata.name), item.module)
        return self.learners[item.path]


def locate(catalog: Catalog, tree: Path, name: str) -> Path:
    """The file that implements a kata. Raises Unusable if the tree has none."""
    kata = catalog.find(name)
    try:
        file = resolve_impl(tree, kata)
    except CatalogError as error:
        raise Unusable(str(error)) from None
    if file is None and tree.is_file():
        raise Unusable(f"{tree} does not implement {name}. Call the file {name}.py.")
    if file is None:
        raise Unusable(f"{tree} has no {name}.py. `dojo reset {name}` puts the stub back into katas/.")
    return file


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("dojo", "kata tests")
    group.addoption(
        "--impl", metavar="TREE", default="katas",
        help="whose code to test: a directory (katas, solutions, a submission) or one file; default: katas",
    )  # fmt: skip
    group.addoption(
        "--redis", metavar="SERVER", default="fake",
        help="fake (default), valkey (a private server, needs the extra `real`), or the URL of an empty database",
    )  # fmt: skip
    group.addoption(
        "--broker", metavar="SERVER",
        help="also run the katas' tests on a real Celery worker (on_a_broker.py), on valkey (a private server, needs "
        "the extra `real`) or on the URL of a Redis or a RabbitMQ",
    )  # fmt: skip
    group.addoption(
        "--schedule", metavar="S",
        help="replay one run of a race or a crash test, as its failure names it: ABBA, A2:lost-reply",
    )  # fmt: skip
    group.addoption(
        "--every-failure", action="store_true",
        help="show each failing test of a kata in full; by default only the first, which is the one to fix next",
    )  # fmt: skip


def pytest_configure(config: pytest.Config) -> None:
    try:
        catalog = load(config.rootpath)
        backend = open_backend(config.getoption("redis"))
    except (CatalogError, LabError) as error:
        raise pytest.UsageError(str(error)) from None
    tree = _tree(config)
    if tree != catalog.root / "solutions" and _only_katas(config, catalog):
        # A learner may import what a library has deprecated, and leave something unclosed; our own code may not.
        for category in _THE_LEARNERS_AFFAIR:
            config.addinivalue_line("filterwarnings", f"default::{category.__name__}")
            # Between tests too, where the collector may come by: pytest has set its filters for that already.
            warnings.simplefilter("default", category)
    finder = Finder([kata.name for kata in catalog], functools.partial(locate, catalog, tree))
    finder.install()
    config.add_cleanup(finder.remove)
    config.add_cleanup(backend.close)
    config.stash[_BENCH] = Bench(
        catalog, tree, backend, config.getoption("schedule"), config.getoption("every_failure")
    )


def _only_katas(config: pytest.Config, catalog: Catalog) -> bool:
    """Whether nothing but katas' tests is asked for."""
    here = config.invocation_params.dir
    asked = [(here / argument.partition("::")[0]).resolve() for argument in config.args]
    return all(path.is_relative_to(catalog.root / "katas") for path in asked)


def _tree(config: pytest.Config) -> Path:
    """`--impl` as the user means it: from where they stand, else from the repository's root."""
    given = Path(config.getoption("impl"))
    for base in (config.invocation_params.dir, config.rootpath):
        if (base / given).exists():
            return (base / given).resolve()
    raise pytest.UsageError(f"--impl: there is no {given}. Name a directory (katas, solutions, …) or one .py file.")


class KataModule(pytest.Module):
    """A kata's test file; when it cannot be imported, the learner reads why in one clear message."""

    def collect(self) -> Iterable[pytest.Item | pytest.Collector]:
        try:
            return super().collect()
        except Unusable as error:
            raise self.CollectError(str(error)) from None
        except self.CollectError as error:
            names = [kata.name for kata in self.config.stash[_BENCH].catalog]
            raise self.CollectError(missing_name(error.__cause__, names) or str(error)) from None


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Module | None:
    """Tests on a real worker take seconds and a server, so they are collected only if a broker is named."""
    bench = parent.config.stash[_BENCH]
    kata = bench.kata_of(file_path)
    if kata is None or file_path != kata.on_a_broker:
        return None
    if parent.config.getoption("broker") is None:
        bench.on_a_broker.append(kata.name)
        return None
    module: pytest.Module = KataModule.from_parent(parent, path=file_path)
    return module


@pytest.fixture(scope="session")
def _real_broker(request: pytest.FixtureRequest) -> Generator[Any]:
    from dojo.lab.real_broker import RealBroker

    try:
        server = RealBroker(request.config.getoption("broker"))
    except LabError as error:
        pytest.exit(str(error), returncode=pytest.ExitCode.USAGE_ERROR)
    yield server
    server.close()


@pytest.fixture
def broker(_real_broker: Any) -> Generator[Any]:
    """A part of the real broker that ``--broker`` names (`dojo.lab.real_broker.Part`)."""
    with _real_broker.part() as part:
        yield part


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> pytest.Module | None:
    if parent.config.stash[_BENCH].kata_of(module_path) is None:
        return None
    module: pytest.Module = KataModule.from_parent(parent, path=module_path)
    return module


def pytest_itemcollected(item: pytest.Item) -> None:
    """As in `pytest_configure`, where other tests are run too."""
    bench = item.config.stash[_BENCH]
    kata = bench.kata_of(item.path)
    if kata is not None and (item.path == kata.flip or bench.tree != bench.catalog.root / "solutions"):
        for category in _THE_LEARNERS_AFFAIR:
            item.add_marker(pytest.mark.filterwarnings(f"default::{category.__name__}"))


def pytest_collection_finish(session: pytest.Session) -> None:
    """A schedule belongs to one test; on another it would prove nothing and blame the innocent."""
    # What importing has left is not for the collector to walk through, at each run of a test and at the very end:
    # one kata's tests are a fifth faster.
    gc.freeze()
    if session.config.stash[_BENCH].schedule is None or session.testsfailed:
        return
    names = [item.name for item in session.items if isinstance(item, pytest.Function) and replayable(item.obj)]
    if len(names) != 1:
        which = f"choose one of them: {', '.join(names)}" if names else "no test that is selected here has any"
        raise pytest.UsageError(f"--schedule replays a run of one test; add -k NAME ({which})")


@pytest.fixture
def lab() -> None:
    """One world: virtual time, a server, clients, fakes, races and faults (`dojo.lab.Lab`).

    The fixture only asks for it; the plugin makes a fresh one for each run of the test.
    """


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a test that asks for `lab`; the others are none of our business."""
    if "lab" not in pyfuncitem.fixturenames:
        return None
    bench = pyfuncitem.config.stash[_BENCH]
    learner = bench.learner(pyfuncitem)
    kata = bench.kata_of(pyfuncitem.path)
    names = [n for n in pyfuncitem._fixtureinfo.argnames if n != "lab"]
    arguments = {name: pyfuncitem.funcargs[name] for name in names}
    limit = ENDLESS_BEFORE_S if learner is not None and learner.name in bench.endless else None
    experiment = Experiment(pyfuncitem.obj, arguments, bench.backend, learner, limit)
    drawn = hasattr(pyfuncitem.obj, "hypothesis")
    session = _examples(experiment) if drawn else conduct(experiment, bench.schedule)
    if session.capped and session.failed is None:
        pyfuncitem.warn(pytest.PytestWarning(f"only {session.runs:,} schedules were run, not all of them (max_runs)"))
    if learner is not None and kata is not None:
        if session.failed is not None and isinstance(session.failed.error, NeverFinishes):
            bench.endless.add(learner.name)
        rule = rule_of(inspect.getdoc(pyfuncitem.obj))
        command = "flip" if pyfuncitem.path == kata.flip else "hint"
        pyfuncitem.stash[_REPORT] = report(session, rule, learner.name, learner.path, pyfuncitem.name, command)
    if session.failed is not None and session.failed.error is not None:
        error = session.failed.error
        if isinstance(error, (Exception, Stuck)) and not isinstance(error, (unittest.SkipTest, pytest.exit.Exception)):
            raise error
        raise KataFailed(f"{type(error).__name__}: {error}") from error
    return True


def _examples(experiment: Experiment) -> Session:
    """Run a Hypothesis test, a fresh world an example; Hypothesis shrinks, the last failing run is the smallest."""
    session = Session()
    handle: Any = experiment.test
    inner = handle.hypothesis.inner_test

    def one_example(lab: None, **drawn: Any) -> None:
        run = replace(experiment, test=inner, arguments=drawn).run(Plan())
        session.runs += 1
        session.last = run
        if run.error is None:
            return
        shown = ", ".join(f"{name}={value!r}" for name, value in drawn.items() if name not in experiment.arguments)
        run.lab.story = "; ".join(part for part in (run.lab.story, shown) if part)
        session.failed = run
        raise run.error if isinstance(run.error, Exception) else KataFailed(str(run.error))

    handle.hypothesis.inner_test = one_example
    try:
        handle(lab=None, **experiment.arguments)
    except Exception:
        if session.failed is None:
            raise  # Hypothesis itself complains; that is the test author's to see
    else:
        session.failed = None
        if session.runs == 0:
            raise LabError("Hypothesis has drawn no example, so this test has tested nothing")
    finally:
        handle.hypothesis.inner_test = inner
    return session


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    result = yield
    # Half a surrogate pair that somebody has logged can be written to no file, and pytest-xdist ends at it.
    result.sections = [(title, text.encode(errors="backslashreplace").decode()) for title, text in result.sections]
    told = item.stash.get(_REPORT, None)
    if call.when != "call" or told is None:
        return result
    result.user_properties.append(("dojo", told.as_dict()))
    # A warning that became an error after the test's own end is not the lab's to tell.
    if result.failed and told.outcome == "failed":
        result.longrepr = _shown(item, told)
        result.sections = _sections(item, result.sections)
    return result


def _sections(item: pytest.Item, sections: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """What was printed and logged. Of a traceback in it the lab's frames and the libraries' are a hundred lines."""
    bench = item.config.stash[_BENCH]
    files = {str(item.path), *(str(learner.path) for learner in bench.learners.values())}
    return [(title, without_foreign_frames(text, files)) for title, text in sections]


def _shown(item: pytest.Item, told: Report) -> str:
    """The report in full for a kata's first failure, one line for the others: first things first."""
    bench = item.config.stash[_BENCH]
    kata = bench.kata_of(item.path)
    assert kata is not None
    first, _ = bench.first_failures.setdefault(kata.name, (item.nodeid, told.rule))
    if bench.every_failure or first == item.nodeid:
        return told.rendered
    bench.later_failures.setdefault(kata.name, {})[item.nodeid] = told.rule
    return f"Rule {told.rule} fails too: {told.text}"


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> Generator[None]:
    """First things first: of each kata's failures only the first is shown, the others are counted."""
    bench = config.stash[_BENCH]
    later = bench.later_failures
    hidden = {nodeid for failures in later.values() for nodeid in failures}
    stats = terminalreporter.stats
    failed = stats.get("failed", [])
    if hidden:
        stats["failed"] = [report for report in failed if report.nodeid not in hidden]
    try:
        yield
    finally:
        if hidden:
            stats["failed"] = failed  # the last line counts them all
    for name, failures in later.items():
        rules = _ranges({rule for rule in failures.values() if rule is not None} - {bench.first_failures[name][1]})
        which = f"rule{'s' * (not rules.isdigit())} {rules}" if rules else f"{len(failures)} more of its tests"
        terminalreporter.write_line(f"{name}: {which} to go after the one above; --every-failure shows all.")
    if bench.on_a_broker and not failed:
        which = ", ".join(sorted(bench.on_a_broker))
        terminalreporter.write_line(f"not run: {which} on a real Celery worker; --broker valkey, redis://… or amqp://…")


def _ranges(numbers: set[int]) -> str:
    """``1, 3-5``"""
    parts: list[list[int]] = []
    for number in sorted(numbers):
        if parts and number == parts[-1][-1] + 1:
            parts[-1].append(number)
        else:
            parts.append([number])
    return ", ".join(f"{p[0]}" if len(p) == 1 else f"{p[0]}-{p[-1]}" for p in parts)
