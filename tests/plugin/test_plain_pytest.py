"""What a learner gets from plain `pytest`, run as they run it: in a process of its own.

Starting Python and importing everything takes longer than the tests, so most are run in forks.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import textwrap
import threading
from pathlib import Path
from time import tzset

import pytest

from dojo.runner import Limits, warm
from dojo.runner.forked import be_the_child, fork
from dojo.runner.fresh import forget_parent
from dojo.runner.session import Write

from ..runner.sample import KATA, PROJECT, implementation, make_repository

TESTS = '''
    import asyncio
    import logging

    import pytest

    from dojo.lab import explore, sweep
    from tally import Tally

    async def test_counts(lab):
        """Rule 1. Each vote counts once."""
        tally = Tally(lab.redis())
        lab.expect("votes", await tally.vote(), 1, trap="off-by-one")

    @explore
    async def test_race(lab):
        """Rule 2. Two servers share one tally."""
        lab.scenario("two votes at the same instant")
        a, b = (lab.process().Tally(lab.redis()) for _ in range(2))
        await lab.race(a.vote(), b.vote(), names=("server A", "server B"))
        lab.expect("votes", await Tally(lab.redis()).total(), 2, trap="check-then-act")

    @sweep(kinds=("died-after",))
    async def test_crash(lab):
        """Rule 3. A crash leaves no key without TTL."""
        await lab.attempt(Tally(lab.redis()).vote())
        lab.expect("keys without a TTL", lab.server.keys_without_ttl(), [], trap="no-ttl")
'''
PROPERTY = '''
    from dojo.lab.properties import given, st
    from tally import Tally

    @given(votes=st.integers(0, 9))
    async def test_property(lab, votes):
        """Rule 4. As many as were cast."""
        tally = Tally(lab.redis())
        for _ in range(votes):
            await tally.vote()
        lab.expect("votes", await tally.total(), votes, trap="lost-vote")
'''
RIGHT = """
    class Tally:
        def __init__(self, redis):
            self.redis = redis

        async def vote(self):
            return (await self.redis.pipeline().incr("n").expire("n", 60).execute())[0]

        async def total(self):
            return int(await self.redis.get("n") or 0)
"""
RACY = """
    import asyncio, logging

    class Tally:
        def __init__(self, redis):
            self.redis = redis

        async def vote(self):
            await asyncio.sleep(3600)
            print("voting")
            logging.getLogger("tally").warning("about to vote")
            n = int(await self.redis.get("n") or 0)
            await self.redis.set("n", n + 1, ex=60)
            return n + 1

        async def total(self):
            return int(await self.redis.get("n") or 0)
"""


SCREEN = {"COLUMNS": "100", "TZ": "UTC"}


@pytest.fixture(scope="module", autouse=True)
def _warm():
    warm()


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("clone")
    make_repository(root, tests=TESTS, solution=RIGHT)
    return root


def pytest_in(directory: Path, *arguments: str) -> tuple[int, str]:
    """Exit code and output of plain pytest, in a fork that has its imports already."""

    def body(write: Write) -> int:
        forget_parent(directory, KATA)
        for name in (name for name in list(os.environ) if name.startswith(("PYTEST_", "COV_"))):
            del os.environ[name]
        os.environ.update(SCREEN)
        tzset()
        os.chdir(directory)
        # What is imported already cannot be rewritten, which pytest mentions for each plugin.
        return int(pytest.main(["--no-header", "-Wignore::pytest.PytestAssertRewriteWarning", *arguments]))

    with tempfile.TemporaryFile() as output, open(os.devnull, "wb") as nowhere:
        child = fork()
        if child == 0:
            be_the_child(body, Limits(), nowhere.fileno(), output.fileno())
        patience = threading.Timer(120, os.kill, (child, signal.SIGKILL))
        patience.start()
        _, status = os.waitpid(child, 0)
        patience.cancel()
        output.seek(0)
        return os.waitstatus_to_exitcode(status), output.read().decode()


def cold_pytest_in(directory: Path, *arguments: str, stdin: str = "") -> tuple[int, str]:
    """The same from the command line, for what depends on how an interpreter begins and ends."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST_", "COV_"))}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--no-header", *arguments],
        cwd=directory,
        env={**environment, **SCREEN, "PYTHONPATH": str(PROJECT)},
        input=stdin,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def on(repository: Path, source: str, name: str, *arguments: str) -> tuple[int, str]:
    file = implementation(repository, source, name)
    return pytest_in(repository, "katas", f"--impl={file}", *arguments)


def cold_on(repository: Path, source: str, name: str, *arguments: str, stdin: str = "") -> tuple[int, str]:
    file = implementation(repository, source, name)
    return cold_pytest_in(repository, "katas", f"--impl={file}", *arguments, stdin=stdin)


def test_the_solution_is_green_from_inside_the_katas_directory(repository):
    code, output = pytest_in(repository / "katas/basics/tally", "--impl", "solutions")
    assert code == 0, output
    assert "3 passed" in output


def test_an_editors_way_of_naming_a_test_works_from_anywhere(repository):
    """VS Code gives a root and absolute paths; PyCharm starts in the directory of the test."""
    test = f"{repository}/katas/basics/tally/test_tally.py::test_race"
    for arguments in (("--rootdir", str(repository), test), (test,)):
        code, output = pytest_in(repository / "katas/basics", *arguments, "--impl", str(repository / "solutions"))
        assert code == 0, output
        assert "1 passed" in output


def test_vs_code_finds_the_katas():
    settings = json.loads((PROJECT / ".vscode/settings.json").read_text())
    assert settings["python.testing.pytestEnabled"]
    assert all((PROJECT / path).is_dir() for path in settings["python.testing.pytestArgs"])


def test_the_first_failure_is_shown_as_a_timeline_and_the_others_in_a_line(repository):
    lost = RACY.replace(", ex=60", "")
    code, output = cold_on(repository, lost, "racy", "-p", "no:logging")
    assert code == 1
    picture = textwrap.dedent("""\
        Rule 2  Two servers share one tally.                                                        tally.py
          two votes at the same instant; run 3

          time        caller                      server A                    server B
          3600.000                                GET n → None
          3600.000                                                            GET n → None
          3600.000                                                            SET n 1 → OK
          3600.000                                SET n 1 → OK
          3600.000    GET n → '1'

          expected  votes: 2
          got       votes: 1
          trap      check-then-act     README.md#check-then-act

          replay    -k test_race --schedule ABBA
          next      dojo hint tally
        """)
    assert picture in output
    assert "test_crash" not in output
    assert "tally: rule 3 to go after the one above; --every-failure shows all." in output
    assert "2 failed, 1 passed" in output
    assert "voting" in output
    assert "dojo/lab" not in output, "no frame of the lab is shown"


def test_a_schedule_replays_one_run(repository):
    code, output = on(repository, RACY, "racy", "-k", "race", "--schedule", "ABBA", "-p", "no:logging")
    assert code == 1
    assert "replay    -k test_race --schedule ABBA" in output
    assert output.count("voting") == 2
    code, output = on(repository, RACY, "racy", "-k", "race", "--schedule", "AABB")
    assert code == 0, output


def test_logging_is_shown_at_virtual_time(repository):
    stamped = ("--log-format=%(asctime)s %(message)s", "--log-date-format=%H:%M:%S")
    code, output = on(repository, RACY, "racy", "-k", "race", "--schedule", "ABBA", *stamped)
    assert code == 1
    assert "23:13:20 about to vote" in output, "an hour after every world begins"


def test_of_a_logged_traceback_only_the_learners_frames_are_shown(repository):
    logging_it = RACY.replace("import asyncio", "import json, asyncio").replace(
        'logging.getLogger("tally").warning("about to vote")',
        """try:
                json.loads("{")
            except ValueError:
                logging.getLogger("tally").exception("about to vote")""",
    )
    code, output = on(repository, logging_it, "logging", "-k", "race", "--schedule", "ABBA")
    assert code == 1
    assert "about to vote" in output
    assert '    json.loads("{")' in output
    assert "JSONDecodeError: Expecting property name" in output
    assert "decoder.py" not in output


def test_what_cannot_be_encoded_is_logged_in_two_processes_too(repository):
    logging_it = RIGHT.replace("return (await", r'import logging; logging.error("half \ud83d"); return (await')
    code, output = cold_on(repository, logging_it, "halves", "-n", "2")
    assert code == 0, output
    assert "3 passed" in output


def test_a_breakpoint_in_the_learners_file_opens_the_debugger(repository):
    source = RIGHT.replace("return (await", "breakpoint(); return (await")
    code, output = cold_on(repository, source, "debugged", "-k", "counts", stdin="p 6 * 7\nc\n")
    assert code == 0, output
    assert "42" in output


BROKEN = {
    "syntax": ("class Tally\n", "tally.py line 1: SyntaxError: expected ':'\n    class Tally\n"),
    "missing": ("class Tolly: pass\n", "tally.py does not define Tally, which the tests import."),
    "raises": ("import nowhere_at_all\n", "tally.py cannot be imported: ModuleNotFoundError: No module named"),
    "exits": ("import sys; sys.exit(0)\n", "the file ends the interpreter when it is imported (SystemExit: 0)"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_file_that_cannot_be_imported_is_one_clear_message(repository, case):
    source, message = BROKEN[case]
    code, output = on(repository, source, case)
    assert code == 2
    assert message in output
    assert "Traceback" not in output
    assert "importlib" not in output


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--redis=redis://127.0.0.1:1/0", "cannot be reached"),
        ("--redis=postgres", "say fake, valkey, or a URL"),
        ("--impl=nowhere", "there is no nowhere"),
        ("--schedule=ABBA", "add -k NAME (choose one of them: test_race, test_crash)"),
    ],
)
def test_a_wrong_option_fails_once_and_at_once(repository, option, message):
    code, output = pytest_in(repository, "katas", "--impl=solutions", option)
    assert code == 4
    assert output.count(message) == 1
    assert "Traceback" not in output


def test_a_file_of_another_name_is_told_which_name_it_needs(repository):
    code, output = pytest_in(repository, "katas", "--impl=pyproject.toml")
    assert code == 2
    assert output.count("pyproject.toml does not implement tally. Call the file tally.py.") == 1


def test_a_property_shows_its_smallest_counterexample(tmp_path):
    make_repository(tmp_path, tests=PROPERTY, solution=RIGHT)
    forgetful = RIGHT.replace("or 0)", "or 0) % 3")
    code, output = on(tmp_path, forgetful, "forgetful")
    assert code == 1
    assert "  votes=3\n" in output
    assert "expected  votes: 3\n  got       votes: 0" in output
    assert "hypothesis" not in output.lower().replace("plugins: ", "")


def test_a_property_that_was_tried_on_no_example_is_no_pass(tmp_path):
    make_repository(tmp_path, tests=PROPERTY, solution=RIGHT)
    idle = """\
from hypothesis.core import StateForActualGivenExecution
StateForActualGivenExecution.run_engine = lambda self: setattr(self, "ever_executed", True)
"""
    code, output = on(tmp_path, idle + textwrap.dedent(RIGHT), "idle")
    assert code == 1, output
    assert "no example" in output


FORGETFUL = {
    "thrown_away": ("return (await", "self.redis.set('x', 1)\n            return (await", "self.redis.set('x', 1)"),
    "taken_for_a_number": ("return int(await self.redis.get", "return int(self.redis.get", "return int(self.redis.get"),
}


@pytest.mark.parametrize("case", FORGETFUL)
def test_a_forgotten_await_is_named(repository, case):
    right, wrong, line = FORGETFUL[case]
    code, output = cold_on(repository, RIGHT.replace(right, wrong), case)
    assert code == 1
    assert "coroutine" in output
    assert line in output
    assert "is an `await` missing?" in output
    assert "Traceback" not in output
    assert "Exception ignored" not in output


def test_deprecated_calls_are_allowed(repository):
    source = RIGHT.replace("return (await", "import warnings; warnings.warn('old', DeprecationWarning); return (await")
    code, output = on(repository, source, "deprecated")
    assert code == 0, output
    assert "3 passed" in output


def test_skipping_is_not_passing(repository):
    code, output = on(repository, RIGHT.replace("return (await", "import pytest; pytest.skip(); (await"), "skips")
    assert code == 1
    assert "passed" not in output
    assert "skipped" not in output


def test_the_learners_own_tests_run_like_the_katas(repository):
    flip = repository / f".dojo/flips/{KATA}/test_{KATA}.py"
    flip.parent.mkdir(parents=True)
    flip.write_bytes((repository / f"katas/basics/{KATA}/test_{KATA}.py").read_bytes())
    code, output = pytest_in(repository, ".dojo/flips/tally", "--impl=solutions")
    assert code == 0, output
    assert "3 passed" in output
    file = implementation(repository, RACY, "flipped")
    code, output = pytest_in(flip.parent, f"--impl={file}", "-k", "race", "--schedule=ABBA", "-p", "no:logging")
    assert code == 1
    assert "  replay    -k test_race --schedule ABBA\n  next      dojo flip tally\n" in output
    assert "server A" in output
