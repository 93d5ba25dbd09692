"""The warm runner: the same verdicts as everywhere, at once, and nothing is left behind."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from time import monotonic, sleep

import pytest

from dojo.catalog import Kata
from dojo.runner import Job, Limits, RunnerError, run_many, server, service
from dojo.runner.results import RunResult
from dojo.runner.service import Requests, Service
from dojo.runner.warm_runner import PACKAGE, Advanced, Event, Failed, Finished, WarmRunner

from .sample import PROJECT, implementation, make_repository

TESTS = '''
from tally import add

def test_adds(lab):
    """Rule 1. The sum of two numbers."""
    lab.expect("add(2, 3)", add(2, 3), 5, trap="off-by-one")

def test_adds_nothing(lab):
    """Rule 2. Nothing changes nothing."""
    lab.expect("add(2, 0)", add(2, 0), 2, trap="off-by-one")
'''
SOLUTION = "def add(a, b):\n    return a + b\n"
WAITS = "import threading\n\ndef add(a, b):\n    threading.Event().wait()\n"
"""Waits for ever without using any CPU, so that only its end can end it."""
SMALL = Limits(wall_seconds=20, cpu_seconds=1, output_bytes=200_000)
PATIENCE_S = 60.0


@pytest.fixture(scope="module")
def kata(tmp_path_factory: pytest.TempPathFactory) -> Kata:
    return make_repository(tmp_path_factory.mktemp("server"), tests=TESTS, solution=SOLUTION)


@pytest.fixture(scope="module")
def warm() -> Iterator[WarmRunner]:
    """One for all tests: that they may follow each other is half of what is tested."""
    with WarmRunner() as runner:
        yield runner


def job(kata: Kata, text: str, limits: Limits = SMALL, **options: bool) -> Job:
    return Job.of(kata, implementation(kata.root, text), limits=limits, **options)


def until(runner: WarmRunner, number: int) -> list[Event]:
    """The events of a run, up to its last."""
    found: list[Event] = []
    deadline = monotonic() + PATIENCE_S
    while not any(isinstance(event, Finished | Failed) for event in found):
        assert monotonic() < deadline, found
        found += [event for event in runner.events(patience=1.0) if event.run == number]
    return found


def result_of(runner: WarmRunner, number: int) -> RunResult:
    last = until(runner, number)[-1]
    assert isinstance(last, Finished), last
    return last.result


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z"
    except FileNotFoundError:
        return True


def soon(condition: object, what: str) -> None:
    deadline = monotonic() + PATIENCE_S
    while not condition():  # type: ignore[operator]
        assert monotonic() < deadline, what
        sleep(0.01)


def children(pid: int) -> list[int]:
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in listed]


def running(server: int) -> list[int]:
    """What it has forked, as soon as a run has begun: the kata's host and the run."""
    soon(lambda: [run for host in children(server) for run in children(host)], "the run has not begun")
    [host] = children(server)
    return [host, *children(host)]


def test_a_run_is_told_test_by_test_and_ends_with_the_result(warm: WarmRunner, kata: Kata) -> None:
    events = until(warm, warm.submit(job(kata, SOLUTION)))
    assert [event.name for event in events if isinstance(event, Advanced)] == ["test_adds", "test_adds_nothing"]
    assert isinstance(events[-1], Finished)
    assert events[-1].result.green


def test_the_text_of_the_moment_is_run(warm: WarmRunner, kata: Kata) -> None:
    for wanted, text in (("red", SOLUTION.replace("+", "-")), ("green", SOLUTION), ("broken", "def add(a, b")):
        assert warm.run(job(kata, text)).status == wanted
    pid = warm.pid
    assert warm.run(job(kata, SOLUTION)).green
    assert warm.pid == pid


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ("while True: pass", "timed-out", "never ends"),
        ("import os; os._exit(0)", "crashed", "os._exit"),
        ("import os; os.abort()", "crashed", "SIGABRT"),
        ("import ctypes; ctypes.string_at(0)", "crashed", "SIGSEGV"),
        ("while True: print('x' * 1000)", "crashed", "KiB"),
        ("import os, signal; os.kill(0, signal.SIGKILL)", "crashed", "SIGKILL"),
    ],
)
def test_whatever_a_run_does_it_ends_as_a_verdict(
    warm: WarmRunner, kata: Kata, body: str, status: str, said: str
) -> None:
    result = warm.run(job(kata, f"def add(a, b):\n    {body}\n", stop_at_first=True))
    assert (result.status, said in result.detail) == (status, True), result.detail
    assert warm.run(job(kata, SOLUTION)).green


def test_a_run_that_waits_for_ever_is_ended(warm: WarmRunner, kata: Kata) -> None:
    result = warm.run(job(kata, "import ctypes\nctypes.CDLL(None).pause()\n", Limits(wall_seconds=0.5)))
    assert result.status == "timed-out"


def test_a_new_job_ends_the_old_one(warm: WarmRunner, kata: Kata) -> None:
    assert warm.run(job(kata, SOLUTION)).green
    endless = warm.submit(job(kata, WAITS))
    assert warm.pid is not None
    pid = warm.pid
    forked = running(pid)
    assert result_of(warm, warm.submit(job(kata, SOLUTION))).green
    assert gone(forked[-1])
    assert not [event for event in warm.events() if event.run == endless]


def test_tests_are_collected_once_for_all_runs_on_a_kata(warm: WarmRunner, kata: Kata) -> None:
    assert warm.run(job(kata, SOLUTION)).green
    [host] = children(warm.pid or 0)
    for status, text in (("red", SOLUTION.replace("+", "-")), ("broken", "def plus(a, b): ..."), ("green", SOLUTION)):
        assert warm.run(job(kata, text)).status == status
    assert children(warm.pid or 0) == [host]


def test_changed_tests_are_collected_anew(warm: WarmRunner, kata: Kata) -> None:
    assert warm.run(job(kata, SOLUTION)).green
    before = kata.test_file.read_text()
    try:
        kata.test_file.write_text(before.replace("5, trap", "6, trap"))
        assert warm.run(job(kata, SOLUTION)).status == "red"
        kata.test_file.write_text("this is not Python")
        assert warm.run(job(kata, SOLUTION)).status == "broken"
    finally:
        kata.test_file.write_text(before)
    assert warm.run(job(kata, SOLUTION)).green


def test_what_cannot_be_imported_is_told_as_by_a_run_of_its_own(warm: WarmRunner, kata: Kata) -> None:
    for text in ("def add(a, b", "print('once')\nraise OSError('no disk')", "def plus(a, b): ...", "import nothing"):
        [alone] = run_many([job(kata, text)], workers=1)
        there = warm.run(job(kata, text))
        assert (there.status, there.detail, there.output) == (alone.status, alone.detail, alone.output)


def test_without_a_solution_every_run_collects(warm: WarmRunner, tmp_path: Path) -> None:
    kata = make_repository(tmp_path, tests=TESTS, solution=SOLUTION)
    kata.solution.unlink()
    assert warm.run(job(kata, SOLUTION)).green
    assert warm.run(job(kata, SOLUTION.replace("+", "-"))).status == "red"
    assert not children(warm.pid or 0)


def test_a_host_that_was_killed_is_replaced(warm: WarmRunner, kata: Kata) -> None:
    text = "import os, signal\nos.kill(os.getppid(), signal.SIGKILL)\n" + SOLUTION
    last = until(warm, warm.submit(job(kata, text)))[-1]
    assert isinstance(last, Failed)
    assert "died twice" in last.message
    assert warm.run(job(kata, SOLUTION)).green


def test_a_job_that_has_not_begun_is_never_run(warm: WarmRunner, kata: Kata) -> None:
    for _ in range(20):
        last = warm.submit(job(kata, WAITS))
    last = warm.submit(job(kata, SOLUTION))
    assert result_of(warm, last).green


def test_the_output_can_be_the_first_failures_alone(warm: WarmRunner, kata: Kata) -> None:
    text = "def add(a, b):\n    print('adding', a, b)\n    return 2\n"
    both = result_of(warm, warm.submit(job(kata, text)))
    assert "adding 2 0" in both.output
    alone = result_of(warm, warm.submit(job(kata, text), focus=True))
    assert (alone.status, alone.output) == ("red", "adding 2 3\n")


def test_a_server_that_was_killed_is_replaced(warm: WarmRunner, kata: Kata) -> None:
    number = warm.submit(job(kata, WAITS))
    killed = warm.pid
    assert killed is not None
    forked = running(killed)
    os.kill(killed, signal.SIGKILL)
    # By itself, and the same job is run again.
    soon(lambda: warm.events() or warm.pid not in (None, killed), "no new server")
    if sys.platform == "linux":
        soon(lambda: all(map(gone, forked)), "the killed server's run is still there")
    assert warm.submit(job(kata, SOLUTION)) > number
    assert result_of(warm, number + 1).green
    os.kill(warm.pid or 0, signal.SIGKILL)
    assert warm.run(job(kata, SOLUTION)).green


def test_a_job_that_kills_its_server_is_given_up(warm: WarmRunner, kata: Kata) -> None:
    hostile = "import os, signal\nos.kill(os.getppid(), signal.SIGKILL)\n"
    with pytest.raises(RunnerError, match="died twice"):
        warm.run(job(kata, hostile))
    assert warm.run(job(kata, SOLUTION)).green


def test_a_dojo_that_has_changed_is_started_again(tmp_path: Path, kata: Kata) -> None:
    package = shutil.copytree(PACKAGE, tmp_path / "dojo", ignore=shutil.ignore_patterns("__pycache__"))
    limits = package / "runner" / "limits.py"
    sound = limits.read_text(encoding="utf-8")
    with WarmRunner(package=package) as runner:
        assert runner.run(job(kata, SOLUTION)).green
        before = runner.pid
        limits.write_text("def apply_limits(:\n", encoding="utf-8")
        last = until(runner, runner.submit(job(kata, SOLUTION)))[-1]
        assert isinstance(last, Failed)
        assert "cannot start" in last.message
        assert "limits.py" in last.message
        assert "SyntaxError" in last.message
        limits.write_text(sound, encoding="utf-8")
        assert runner.run(job(kata, SOLUTION)).green
        assert runner.pid != before
        assert before is not None
        assert gone(before)


def test_closing_ends_the_server_and_its_run(kata: Kata) -> None:
    with WarmRunner() as runner:
        runner.submit(job(kata, WAITS))
        pid = runner.pid
        assert pid is not None
        forked = running(pid)
    assert gone(pid)
    soon(lambda: all(map(gone, forked)), "the run is still there")


def test_nothing_outlives_a_client_that_was_killed(kata: Kata) -> None:
    code = (
        "import json, sys, time\n"
        "from dojo.runner import Job\n"
        "from dojo.runner.warm_runner import WarmRunner\n"
        "runner = WarmRunner()\n"
        "runner.submit(Job.from_json(json.loads(sys.argv[1])))\n"
        "print(runner.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    asked = json.dumps(job(kata, WAITS).to_json())
    with subprocess.Popen(
        [sys.executable, "-c", code, asked], stdout=subprocess.PIPE, text=True, cwd=PROJECT
    ) as client:
        assert client.stdout is not None
        pid = int(client.stdout.readline())
        forked = running(pid)
        client.kill()
    soon(lambda: gone(pid) and all(map(gone, forked)), "something is left")


def test_without_fork_the_answers_are_the_same(kata: Kata, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (server, service):
        monkeypatch.setattr(module, "FORKS", False)
    requests, ask = os.pipe()
    answers, reply = os.pipe()
    thread = threading.Thread(target=server.serve, args=(Service(Requests(requests), reply),), daemon=True)
    thread.start()
    endless = {"run": 1, "job": job(kata, WAITS).to_json(), "focus": True}
    right = {"run": 2, "job": Job.of(kata, kata.solution).to_json(), "focus": True}
    with os.fdopen(ask, "wb", buffering=0) as asking, os.fdopen(answers, "rb") as answering:
        asking.write(json.dumps(endless).encode() + b"\n")
        assert json.loads(answering.readline()) == {"event": "ready"}
        asking.write(json.dumps({"cancel": 1}).encode() + b"\n")
        assert json.loads(answering.readline()) == {"event": "cancelled", "run": 1}
        # Both in one go: the run is cancelled before it begins.
        at_once = [{**endless, "run": 3}, {"cancel": 3}]
        asking.write(b"".join(json.dumps(one).encode() + b"\n" for one in at_once))
        assert json.loads(answering.readline()) == {"event": "cancelled", "run": 3}
        asking.write(json.dumps(right).encode() + b"\n")
        heard = [json.loads(answering.readline()) for _ in range(3)]
        asking.close()
        thread.join(PATIENCE_S)
        os.close(reply)
    os.close(requests)
    assert [message["event"] for message in heard] == ["test", "test", "result"]
    assert RunResult.from_json(heard[-1]["result"]).green
