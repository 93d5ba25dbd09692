"""Whatever the tested code does, a run ends as a clear result."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from time import monotonic, sleep

import pytest

from dojo.runner import Job, Limits, RunnerError, RunResult, run, run_many, run_variants, warm
from dojo.runner.results import TestResult
from dojo.runner.spawned import run_spawned

from .sample import implementation, make_repository, write

TESTS = '''
from tally import add, double

def test_adds(lab):
    """Rule 1. The sum of two numbers."""
    lab.expect("add(2, 3)", add(2, 3), 5, trap="off-by-one")

def test_doubles(lab):
    """Rule 2. Twice a number.

    More text that is not the rule.
    """
    lab.expect("double(4)", double(4), 8, trap="squared")

def test_zero(lab):
    """Rule 3. Twice nothing is nothing."""
    lab.expect("double(0)", double(0), 0, trap="off-by-one")
'''
SOLUTION = """
def add(a, b):
    return a + b

def double(a):
    return 2 * a
"""
SMALL = Limits(wall_seconds=20, cpu_seconds=2, output_bytes=200_000)


@pytest.fixture(scope="module", autouse=True)
def _warm():
    warm()


@pytest.fixture
def kata(tmp_path):
    return make_repository(tmp_path, tests=TESTS, solution=SOLUTION)


@pytest.fixture
def attempt(kata):
    """Runs source text as the kata's implementation, in a fork of this process."""

    def runner(text: str, **options) -> RunResult:
        job = Job.of(kata, implementation(kata.root, text), **{"limits": SMALL, **options})
        return run_many([job])[0]

    return runner


@pytest.fixture(params=["forked", "spawned"])
def either(request, kata, attempt):
    """Like `attempt`, in either kind of process."""

    def spawned(text: str, **options) -> RunResult:
        job = Job.of(kata, implementation(kata.root, text), **{"limits": SMALL, **options})
        return run_spawned([job], 1)[0]

    return attempt if request.param == "forked" else spawned


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


def outcomes(result: RunResult) -> list[str]:
    return [test.outcome for test in result.tests]


def test_right_code_is_green(either):
    result = either(SOLUTION)
    assert (result.status, result.detail) == ("green", "")
    assert [(test.name, test.rule, test.text) for test in result.tests] == [
        ("test_adds", 1, "The sum of two numbers."),
        ("test_doubles", 2, "Twice a number."),
        ("test_zero", 3, "Twice nothing is nothing."),
    ]
    assert all(test.passed for test in result.tests)
    assert 0 < result.cpu_seconds < 10
    assert result.wall_seconds > 0


def test_a_wrong_answer_is_red_and_names_rule_and_trap(either):
    result = either(SOLUTION.replace("2 * a", "a * a"))
    assert result.status == "red"
    assert outcomes(result) == ["passed", "failed", "passed"]
    [failed] = result.failed
    assert (failed.rule, failed.kind, failed.trap) == (2, "failure", "squared")
    assert "Rule 2" in failed.message
    assert result.detail == failed.message


def test_an_unwritten_body_is_missing(attempt):
    result = attempt(SOLUTION.replace("return 2 * a", "raise NotImplementedError"))
    assert [test.kind for test in result.tests] == [None, "missing", "missing"]


def test_an_error_that_comes_after_the_verdict_is_shown(attempt):
    late = "class Late:\n    def __del__(self):\n        raise ValueError('too late')\n"
    result = attempt(SOLUTION.replace("return 2 * a", "Late(); return 2 * a") + late)
    assert result.status == "red"
    assert [test.outcome for test in result.tests] == ["passed", "failed", "failed"]
    assert "too late" in result.tests[1].message


def test_stop_at_first_leaves_the_rest_unrun(attempt):
    result = attempt("def add(a, b):\n    return 0\ndef double(a):\n    return 0\n", stop_at_first=True)
    assert outcomes(result) == ["failed", "not-run", "not-run"]
    assert result.status == "red"


def test_only_chooses_and_orders(attempt):
    result = attempt(SOLUTION, only=("test_zero", "test_adds"))
    assert [test.name for test in result.tests] == ["test_zero", "test_adds"]
    assert result.status == "green"


def test_only_with_an_unknown_name_is_broken_and_lists_the_names(attempt):
    result = attempt(SOLUTION, only=("test_nothing",))
    assert result.status == "broken"
    assert "test_nothing" in result.detail
    assert "test_adds, test_doubles, test_zero" in result.detail


@pytest.mark.parametrize("code", [0, 3])
def test_os_exit_is_a_crash_in_its_test(either, code):
    result = either(SOLUTION.replace("return 2 * a", f"import os; os._exit({code})"))
    assert result.status == "crashed"
    assert outcomes(result) == ["passed", "failed", "not-run"]
    assert result.tests[1].kind == "crashed"
    assert f"code {code} in test_doubles" in result.detail


def test_os_exit_at_import_is_a_crash(attempt):
    result = attempt("import os; os._exit(0)")
    assert (result.status, result.tests) == ("crashed", ())


def test_a_segmentation_fault_is_a_crash(attempt):
    result = attempt(SOLUTION.replace("return 2 * a", "import ctypes; ctypes.string_at(0)"))
    assert result.status == "crashed"
    assert "SIGSEGV in test_doubles" in result.detail
    assert outcomes(result) == ["passed", "failed", "not-run"]


def test_a_loop_that_nothing_interrupts_is_timed_out(either):
    # It swallows the lab's own exception, so that only the kernel's limit ends it.
    stubborn = """
    import signal
    for number in (signal.SIGALRM, signal.SIGVTALRM):
        signal.signal(number, signal.SIG_IGN)
    while True:
        pass
    """
    result = either(SOLUTION.replace("    return 2 * a", stubborn), limits=Limits(20, 1))
    assert result.status == "timed-out"
    assert outcomes(result) == ["passed", "failed", "not-run"]
    assert result.tests[1].kind == "timed-out"
    assert "test_doubles" in result.detail


def test_a_wait_outside_virtual_time_is_timed_out(attempt):
    result = attempt(SOLUTION.replace("return 2 * a", "import os; os.read(os.pipe()[0], 1)"), limits=Limits(0.7, 5))
    assert result.status == "timed-out"
    assert "0.7 s in test_doubles" in result.detail
    assert result.wall_seconds < 8


def test_a_flood_is_ended_and_shown_in_part(either):
    result = either(SOLUTION.replace("return 2 * a", "\n    while True: print('flood' * 20)"))
    assert result.status in ("crashed", "red")  # whichever limit comes first: the parent's or the kernel's
    assert result.tests[1].outcome == "failed"
    assert "bytes left out" in result.output
    assert len(result.output) < 80_000


def test_ordinary_output_is_kept(attempt):
    result = attempt(SOLUTION + "print('loaded')")
    assert result.status == "green"
    assert "loaded" in result.output


@pytest.mark.parametrize(
    "text",
    [
        "def add(a, b:\n    pass",
        "from nowhere_at_all import nothing",
        "import sys; sys.exit(0)",
        "import pytest; pytest.skip('no', allow_module_level=True)",
        "import pytest; pytest.exit('enough', returncode=0)",
        "def add(a, b): return a + b",
        "",
    ],
    ids=["syntax", "import", "exit", "skip", "pytest-exit", "missing-name", "empty"],
)
def test_code_that_cannot_be_imported_never_passes(attempt, text):
    result = attempt(text)
    assert result.status in ("broken", "red", "crashed")
    assert not any(test.passed for test in result.tests)
    assert result.detail


@pytest.mark.parametrize(
    "body",
    [
        "import pytest; pytest.skip('later')",
        "import unittest; raise unittest.SkipTest('later')",
        "import pytest; pytest.xfail('known')",
        "import pytest; pytest.exit('enough', returncode=0)",
        "raise SystemExit(0)",
        "raise KeyboardInterrupt",
        "raise GeneratorExit",
    ],
)
def test_leaving_a_test_by_a_side_door_is_not_a_pass(attempt, body):
    result = attempt(SOLUTION.replace("return 2 * a", body))
    assert result.status in ("red", "crashed")
    assert result.tests[0].passed
    assert not result.tests[1].passed
    assert result.detail


def test_no_tests_is_broken(kata):
    kata.test_file.write_text("from tally import add\n", encoding="utf-8")
    result = run(kata, kata.solution)
    assert result.status == "broken"
    assert "no tests" in result.detail


def test_a_skipped_or_expected_failure_in_the_test_file_is_not_a_pass(kata):
    write(
        kata.test_file,
        '''
        import pytest

        @pytest.mark.skip
        def test_skipped(lab):
            """Rule 1. Skipped."""

        @pytest.mark.xfail
        def test_expected(lab):
            """Rule 2. Expected to fail."""
            assert False

        @pytest.mark.xfail
        def test_unexpected(lab):
            """Rule 3. Expected to fail, and passes."""
        ''',
    )
    result = run(kata, kata.solution)
    assert result.status == "red"
    assert outcomes(result) == ["failed"] * 3
    assert [test.kind for test in result.tests] == ["skipped"] * 3


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
