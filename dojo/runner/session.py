"""The inside of a test process: one `pytest.main`, its results sent out as data.

Runs in a child of whatever started it, never in the process that reads the results.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Callable, Sequence
from time import process_time
from typing import TYPE_CHECKING, Any

from dojo.runner.results import Job

if TYPE_CHECKING:
    import pytest

Emit = Callable[[dict[str, Any]], None]
Write = Callable[[bytes], None]

MAX_MESSAGE = 20_000
# pytest's own plugins that neither kata tests nor data over a pipe need; without them a run starts 8 ms sooner.
_UNUSED = (
    *("cacheprovider", "terminal", "junitxml", "pastebin", "doctest"),
    *("setuponly", "setupplan", "stepwise", "legacypath"),
)


def run_pytest(job: Job, write: Write) -> int:
    """Runs the job's tests in this process and returns pytest's exit code.

    `write` takes one JSON line per record. Standard output is left alone: the caller has pointed it
    at a bounded file, so capturing it here again would only make a flood unbounded.
    """
    emit = emitter(write)
    code = pytest_main(job, [Reporter(job, emit)])
    finish(code, emit)
    return code


def emitter(write: Write) -> Emit:
    return lambda record: write(json.dumps(record).encode() + b"\n")


def finish(code: int, emit: Emit) -> None:
    """The completion record, without which no run is green."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):  # the tested file may have replaced or closed it
            stream.flush()
    emit({"event": "done", "exit": code, "cpu": round(process_time(), 3)})


def pytest_main(job: Job, plugins: list[object]) -> int:
    """One pytest session on the job, with no plugins but the repository's own and the given ones."""
    for name in [name for name in os.environ if name.startswith("PYTEST_")]:
        del os.environ[name]
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    os.chdir(job.root)
    import pytest

    arguments = [
        str(job.test_file),
        f"--rootdir={job.root}",
        f"--impl={job.impl}",
        f"--redis={job.redis}",
        "--capture=no",
        *(f"-pno:{name}" for name in _UNUSED),
        # Autoload is off, but pyproject.toml has this plugin's options, and unknown ones are an error.
        *("-p", "pytest_asyncio.plugin"),
        # Warm processes have imported the plugins already; pytest would complain of that once each.
        *("-W", "ignore::pytest.PytestAssertRewriteWarning"),
    ]
    if job.stop_at_first:
        arguments.append("--maxfail=1")
    if job.schedule:
        arguments.append(f"--schedule={job.schedule}")
    return int(pytest.main(arguments, plugins=plugins))


class Reporter:
    """A pytest plugin that sends what pytest reports, and judges nothing but what a pass is."""

    def __init__(self, job: Job, emit: Emit) -> None:
        self._job = job
        self.emit = emit
        self._phases: dict[str, pytest.TestReport] = {}

    def pytest_configure(self, config: pytest.Config) -> None:
        # Without the terminal plugin nobody has set it. The lab renders what a learner sees, and pytest's
        # own long form costs 50 ms a failure, most of it looking for the source of the lab.
        config.option.tbstyle = "native"

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        self.choose(items, self._job.only)

    def choose(self, items: list[pytest.Item], only: Sequence[str]) -> None:
        """Leaves the named tests in the given order, or all of them if none is named."""
        if not only:
            return
        found = {test_name(item.nodeid): item for item in items}
        if unknown := [name for name in only if name not in found]:
            self._trouble(f"{self._job.test_file.name} has no test called {unknown[0]}. It has: {', '.join(found)}.")
            items[:] = []
        else:
            items[:] = [found[name] for name in only]

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        from dojo.lab.report import rule_of

        tests = []
        for item in session.items:
            rule = rule_of(getattr(getattr(item, "obj", None), "__doc__", None))
            tests.append({"name": test_name(item.nodeid), "rule": rule.number, "text": rule.text})
        self.emit({"event": "collected", "tests": tests})

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self._trouble(report.longreprtext)
        elif report.skipped:
            self._trouble(f"{report.nodeid} was skipped as a whole; nothing was tested.")

    def pytest_internalerror(self, excrepr: object) -> None:
        self._trouble(str(excrepr))

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self._phases = {}
        self.emit({"event": "start", "name": test_name(nodeid)})

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._phases[report.when or ""] = report
        if report.when == "teardown":
            self.emit({"event": "test", "result": _result(test_name(report.nodeid), self._phases)})

    def _trouble(self, message: str) -> None:
        self.emit({"event": "trouble", "message": message[:MAX_MESSAGE]})


def test_name(nodeid: str) -> str:
    """A test's name within its file."""
    return nodeid.partition("::")[2]


def _result(name: str, phases: dict[str, pytest.TestReport]) -> dict[str, Any]:
    """One test's fields. Passed means: its call was made and passed, and nothing around it failed."""
    seconds = sum(report.duration for report in phases.values())
    result: dict[str, Any] = {"name": name, "outcome": "failed", "seconds": round(seconds, 6)}
    broken = [phase for phase in ("setup", "teardown") if phase in phases and phases[phase].failed]
    call = phases.get("call")
    said = _said(call)
    if call is not None and call.passed and not broken and not hasattr(call, "wasxfail"):
        if said.get("outcome", "passed") == "passed":
            return {**result, "outcome": "passed", "schedule": said.get("schedule")}
        return {**result, **_verdict(said, call)}
    if call is not None and call.failed:
        return {**result, **_verdict(said, call)}
    if broken:
        report = phases[broken[0]]
        return {**result, "kind": broken[0], **_verdict(_said(report), report, kind=broken[0])}
    reason = next((_skip_reason(report) for report in phases.values() if report.skipped), "")
    message = f"the test was skipped, which is not a pass. {reason}".rstrip()
    return {**result, "kind": "skipped", "message": message}


def _said(report: pytest.TestReport | None) -> dict[str, Any]:
    for key, value in reversed(report.user_properties if report is not None else []):
        if key == "dojo" and isinstance(value, dict):
            return value
    return {}


def _verdict(said: dict[str, Any], report: pytest.TestReport, kind: str = "error") -> dict[str, Any]:
    message = str(said.get("rendered") or report.longreprtext)
    return {
        "kind": said.get("kind") or kind,
        "trap": said.get("trap"),
        "message": message[:MAX_MESSAGE],
        "schedule": said.get("schedule"),
    }


def _skip_reason(report: pytest.TestReport) -> str:
    reason = getattr(report, "wasxfail", "")
    if not reason and isinstance(report.longrepr, tuple):
        reason = report.longrepr[2]
    return str(reason)
