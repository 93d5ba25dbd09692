"""What a submission can see, reach and use up, asked of submissions; and what the grader says of it."""

from __future__ import annotations

import itertools
import os
import random
import subprocess
import sys
import textwrap

import pytest

from dojo.grader.confine.root import shown_directories
from dojo.grader.confine.users import EACH
from dojo.grader.crew import Cell, judge

from .conftest import PATIENCE

KATA = "backoff_schedule"


@pytest.fixture
def says(bench):
    """Runs lines in a function under test; the messages of its verdict tell what they raised."""

    def run(lines: str) -> str:
        body = textwrap.indent(textwrap.dedent(lines), "    ")
        verdict = bench.judge(KATA, f"class Backoff: pass\n\ndef delay(*a, **k):\n{body}\n".encode())
        assert not any(test.status == "passed" for test in verdict.tests)
        return verdict.message + "\n".join(test.message for test in verdict.tests)

    return run


@pytest.fixture
def namespaces(bench):
    if bench.confinement.tier != "namespaces":
        pytest.skip(f"there are no namespaces here: {bench.confinement.tier}")


def test_the_reference_passes_and_is_not_flagged(bench):
    verdicts = bench.all([(kata.name, kata.solution.read_bytes()) for kata in bench.catalog])
    assert [(verdict.status, verdict.flags) for verdict in verdicts] == [("passed", ())] * len(bench.catalog)


@pytest.mark.usefixtures("namespaces")
def test_alternatives_and_mutants_are_judged_as_in_the_gate(bench):
    kata = bench.catalog.find(KATA)
    files = [*kata.alternatives.glob("*.py"), *kata.mutants.glob("*.py")]
    verdicts = bench.all([(KATA, path.read_bytes()) for path in files])
    forged = [path.name for path, verdict in zip(files, verdicts, strict=True) if "forged" in str(verdict.flags)]
    assert forged == []
    assert {verdict.status for verdict in verdicts} == {"passed", "failed"}


@pytest.mark.usefixtures("namespaces")
def test_there_is_nothing_to_see(bench, says):
    root = bench.catalog.root
    seen = says(f"""
        import os
        found = [path for path in ({str(root / "solutions")!r}, {str(root / "tests")!r}, {str(root / ".git")!r},
                                   "/home", "/var", "/etc/shadow", "/sys") if os.path.exists(path)]
        raise RuntimeError(f"found {{found}}; processes {{[n for n in os.listdir('/proc') if n.isdigit()]}}")
    """)
    assert "found []" in seen
    assert "processes ['1', '2']" in seen


@pytest.mark.usefixtures("namespaces")
def test_only_its_own_directory_can_be_written_to(says):
    told = says("""
        import os
        def may(path):
            try:
                open(os.path.join(path, "x"), "w").close()
            except OSError:
                return False
            return True
        places = "/", "/tmp", "/trusted", "/usr", "/etc", "/dev", os.getcwd()
        raise RuntimeError([path for path in places if may(path)])
    """)
    assert "['/scratch/run']" in told


def test_it_has_no_environment_of_ours(says, monkeypatch):
    monkeypatch.setenv("DOJO_SECRET", "hush")
    told = says("import os; raise RuntimeError(sorted(os.environ))")
    assert "HOME" in told
    assert "DOJO_SECRET" not in told


def test_it_inherits_no_open_file(says):
    told = says("""
        import os, stat
        kinds = []
        for fd in range(3, 300):
            try:
                kinds.append(stat.S_IFMT(os.fstat(fd).st_mode) == stat.S_IFIFO)
            except OSError:
                pass
        raise RuntimeError(f"open above 2: {kinds}")
    """)
    assert "open above 2: [True]" in told  # the pipe for the records


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="only root can become another user")
def test_it_is_nobody(says):
    told = says("""
        import os
        status = dict(line.split(":", 1) for line in open("/proc/self/status").read().splitlines())
        rights = [status[name].strip() for name in ("CapEff", "CapBnd", "NoNewPrivs")]
        raise RuntimeError(f"{os.getuid() >= 61000} {' '.join(rights)}")
    """)
    assert f"True {'0' * 16} {'0' * 16} 1" in told


def test_a_cell_that_is_killed_is_replaced(bench):
    exams, source = bench.checked.exams[KATA], bench.catalog.find(KATA).solution.read_bytes()
    with Cell(bench.setting) as cell:
        assert judge(cell, exams, source, PATIENCE, random.Random()).status == "passed"
        os.kill(cell.pid, 9)
        assert judge(cell, exams, source, PATIENCE, random.Random()).status == "passed"


CLAIMS = """
import sys
from dojo.grader.confine.users import claimed
print(claimed(), claimed(), flush=True)
sys.stdin.read()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="there are no abstract sockets")
def test_no_two_batches_share_their_users():
    def begin() -> tuple[subprocess.Popen[str], list[str]]:
        command = [sys.executable, "-c", CLAIMS]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        return process, process.stdout.readline().split()

    begun = [begin() for _ in range(3)]
    try:
        for _, told in begun:
            assert told[0] == told[1]
        firsts = sorted(int(told[0]) for _, told in begun)
        assert all(later - first >= EACH for first, later in itertools.pairwise(firsts))
    finally:
        for process, _ in begun:
            process.communicate("")


def test_another_clone_on_the_path_is_not_shown(tmp_path, monkeypatch):
    clone, library = tmp_path / "clone", tmp_path / "library"
    (clone / "katas").mkdir(parents=True)
    (clone / "katas" / "syllabus.toml").touch()
    library.mkdir()
    monkeypatch.setattr("sys.path", [*sys.path, str(clone), str(library)])
    assert library in set(shown_directories())
    assert clone not in set(shown_directories())


@pytest.mark.parametrize(
    ("body", "flagged"),
    [
        ("    try:\n        raise ValueError\n    except ValueError:\n        logging.exception('no')\n", False),
        ("    try:\n        open('/trusted/of-mine')\n    except OSError:\n        pass\n", True),
    ],
)
def test_who_logs_an_error_is_not_flagged_for_the_lines_that_it_shows(bench, body, flagged):
    source = f"import logging\n\ndef delay(*a, **k):\n{body}    return 1.0\n\nBackoff = delay\n"
    flags = bench.judge(KATA, source.encode()).flags
    assert any("open" in flag for flag in flags) == flagged, flags


@pytest.mark.parametrize(
    "body",
    [
        "os.chdir('/'); os.rmdir(place); os.symlink(sys.argv[1], place)",
        "[(os.mkdir('d'), os.chdir('d')) for _ in range(3000)]",
        "os.makedirs('a/b'); os.chmod('a', 0); os.chmod(place, 0)",
    ],
    ids=["a link to ours", "too deep", "locked"],
)
def test_what_a_run_makes_of_its_directory_is_removed_and_nothing_else_touched(tmp_path, body):
    ours = tmp_path / "ours"
    ours.mkdir(mode=0o755)
    # A process of its own: whatever children it has, the cage ends.
    program = f"""
import os, sys
from dojo.grader.confine.cage import Bars, Cage

def body(place):
    {body}
    return 0

cage = Cage(Bars("process"))
if (pid := cage.fork()) == 0:
    os._exit(cage.confine(os.open(os.devnull, os.O_RDONLY), body))
status = os.waitpid(pid, 0)[1]
cage.clean()
sys.exit(status != 0)
"""
    place = tmp_path / "tmp"
    place.mkdir()
    environment = {**os.environ, "TMPDIR": str(place)}
    subprocess.run([sys.executable, "-c", program, str(ours)], check=True, env=environment, timeout=60)
    assert (list(place.iterdir()), ours.stat().st_mode & 0o777) == ([], 0o755)
