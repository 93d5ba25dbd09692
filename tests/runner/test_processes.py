"""Runs in processes of their own: in order, apart from each other and from who asked, and nothing is left of them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from time import monotonic, sleep

import pytest

from dojo.runner import Job, Limits, RunnerError, RunResult, run, run_many, run_variants
from dojo.runner.results import TestResult

from .conftest import SMALL, SOLUTION
from .sample import implementation, write


def dead_within(seconds: float, pid: int) -> bool:
    """A killed process takes a moment to go, and a moment more until somebody reaps it."""
    deadline = monotonic() + seconds
    while monotonic() < deadline:
        try:
            os.kill(pid, 0)
            if Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z":
                return True
        except (ProcessLookupError, FileNotFoundError):
            return True
        sleep(0.02)
    return False


def test_missing_files_are_said_before_anything_is_run(kata, tmp_path):
    with pytest.raises(RunnerError, match="no implementation at"):
        run(kata, tmp_path / "nowhere.py")
    kata.test_file.unlink()
    with pytest.raises(RunnerError, match="is missing"):
        run(kata, kata.solution)


def test_results_come_in_the_order_of_the_jobs(kata):
    texts = [SOLUTION, SOLUTION.replace("2 *", "3 *"), "import os; os._exit(1)", SOLUTION]
    jobs = [Job.of(kata, implementation(kata.root, text, f"a{n}")) for n, text in enumerate(texts)]
    results = run_many(jobs, workers=2)
    assert [result.status for result in results] == ["green", "red", "crashed", "green"]


def test_each_test_is_announced_as_it_finishes(kata):
    seen: list[tuple[int, str]] = []

    def on_test(index: int, test: TestResult) -> None:
        seen.append((index, test.name))

    run(kata, kata.solution, on_test=on_test)
    assert seen == [(0, "test_adds"), (0, "test_doubles"), (0, "test_zero")]


def test_a_stray_process_neither_delays_nor_survives_the_run(kata, tmp_path):
    note = tmp_path / "pid"
    text = SOLUTION.replace(
        "    return 2 * a",
        f"""
    import os, pathlib, signal
    note = pathlib.Path({str(note)!r})
    if not note.exists():
        pid = os.fork()
        if pid == 0:
            signal.pause()
        note.write_text(str(pid))
    return 2 * a""",
    )
    result = run(kata, implementation(kata.root, text))
    assert result.status == "green"
    assert result.wall_seconds < 10
    assert dead_within(5, int(note.read_text()))


def test_threads_that_the_lab_has_parked_here_are_not_waited_for_in_a_run(kata):
    write(
        kata.test_file,
        '''
        from tally import add

        def test_races(lab):
            """Rule 1. Two callers each get their sum."""
            sums = lab.race_sync(lambda: add(1, 2), lambda: add(3, 4))
            lab.expect("sums", sums, [3, 7], trap="mixed-up")
        ''',
    )
    done = subprocess.run(
        [sys.executable, "-c", _RACE_HERE_THEN_RUN, str(kata.root)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("dojo-actor\ngreen\n", "")


_RACE_HERE_THEN_RUN = """
import sys, threading
from pathlib import Path
from dojo.catalog import load
from dojo.lab.threads import _POOL
from dojo.runner import Limits, run

parked = threading.Event()
_POOL.submit(parked.set)
parked.wait(10)
while not _POOL._idle:
    pass
print(threading.enumerate()[-1].name)
kata = load(Path(sys.argv[1])).find("tally")
print(run(kata, kata.solution, limits=Limits(wall_seconds=10)).status)
"""


def test_the_parent_keeps_its_streams_and_modules(kata, capfd):
    print("before", flush=False)
    run(kata, implementation(kata.root, SOLUTION + "print('inside')"))
    print("after")
    assert capfd.readouterr().out == "before\nafter\n"
    assert "tally" not in sys.modules


def test_an_open_file_is_all_that_a_finished_run_leaves_behind(kata):
    def descriptors() -> int:
        return len(os.listdir("/proc/self/fd"))

    run(kata, kata.solution)
    before = descriptors()
    run_many([Job.of(kata, kata.solution)] * 3, workers=2)
    assert descriptors() == before


@pytest.mark.parametrize("streams", ["<&-", "<&- >&- 2>&-"])
def test_closed_standard_streams_do_no_harm(kata, tmp_path, streams):
    answer = tmp_path / "answer"
    script = write(
        tmp_path / "script.py",
        f"""
        from pathlib import Path
        from dojo.catalog import load
        from dojo.runner import run
        kata = load(Path({str(kata.root)!r})).find("tally")
        result = run(kata, kata.solution)
        Path({str(answer)!r}).write_text(result.status + result.output)
        """,
    )
    project = Path(__file__).parents[2]
    command = f"exec {sys.executable} {script} {streams}"
    subprocess.run(["sh", "-c", command], check=True, timeout=60, env={**os.environ, "PYTHONPATH": str(project)})
    assert answer.read_text() == "green"


@pytest.mark.parametrize("seed", ["0", "1"])
def test_another_hash_seed_is_another_interpreter(kata, seed):
    text = SOLUTION + "import os, sys\nprint(os.environ['PYTHONHASHSEED'], sys.flags.hash_randomization)\n"
    job = Job.of(kata, implementation(kata.root, text))
    [result] = run_many([job], environment={"PYTHONHASHSEED": seed})
    assert result.status == "green"
    assert result.output.split()[:2] == [seed, "0" if seed == "0" else "1"]


def test_a_job_survives_json(kata):
    job = Job.of(kata, kata.solution, only=("test_adds",), limits=SMALL, schedule="AB")
    assert Job.from_json(job.to_json()) == job


def test_warming_up_hides_no_warning():
    code = "import dojo.runner as r; r.warm(); r.warm()"
    project = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=project, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_variants_give_the_results_of_separate_runs(kata):
    texts = [
        SOLUTION,
        SOLUTION.replace("2 *", "3 *"),
        SOLUTION.replace("return 2 * a", "import os; os._exit(0)"),
        "raise ValueError\n" + SOLUTION,
        "def add(a, b): return a + b",
        SOLUTION.replace("a + b", "a - b"),
        SOLUTION,
    ]
    files = [implementation(kata.root, text, f"v{number}") for number, text in enumerate(texts)]
    only = ("test_zero", "test_doubles", "test_adds")
    jobs = [Job.of(kata, file, stop_at_first=True, only=only, limits=Limits(20, 1)) for file in files]
    jobs.append(Job.of(kata, files[1]))
    together = run_variants(kata.solution, jobs, workers=2)
    apart = run_many(jobs, workers=2)

    def gist(result: RunResult) -> list[tuple[object, ...]]:
        return [(test.name, test.rule, test.outcome, test.kind, test.trap, test.message) for test in result.tests]

    expected = ["green", "red", "crashed", "broken", "broken", "red", "green", "red"]
    assert [result.status for result in together] == expected
    assert [result.status for result in apart] == expected
    for one, other in zip(together, apart, strict=True):
        if one.status in ("green", "red"):
            assert gist(one) == gist(other)
    any_order = run_variants(kata.solution, jobs, workers=2, any_order=True)
    assert [result.status for result in any_order] == expected


def test_variants_of_what_cannot_be_collected_are_refused(kata):
    with pytest.raises(RunnerError, match=r"cannot be collected(.|\n)*line 1"):
        run_variants(implementation(kata.root, "def add(a, b:"), [Job.of(kata, kata.solution)])
