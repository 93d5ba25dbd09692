"""The journal: nothing recorded is lost, nothing is graded twice, and nobody waits for the dead."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest

from dojo.grader.journal import FILE, VERSION, Entry, Journal
from dojo.grader.model import GraderError, TestVerdict, Verdict

PROJECT = Path(__file__).parents[2]
PASSED = Verdict("add", "passed", tests=(TestVerdict("test_it", 1, "It adds.", "passed"),), flags=("odd",))
FAILED = Verdict("add", "failed", "One test failed.")
UNGRADED = Verdict("add", "ungraded", "The disk is full.")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "book" / FILE


def test_what_was_recorded_is_there_again(path: Path) -> None:
    ada = Entry(
        "Ada",
        "ada.zip",
        "s1",
        ("conftest.py was not used.",),
        "",
        MappingProxyType({"pop": "not UTF-8"}),
        {"add": "sha"},
        {"add": "key"},
    )
    with Journal(path) as journal:
        journal.begin([ada, Entry("Björn", "b")])
        sha = journal.keep_source(b"x = 1\n")
        assert journal.keep_source(b"x = 1\n") == sha == hashlib.sha256(b"x = 1\n").hexdigest()
        journal.record("key", PASSED)
        journal.set_meta("tier", {"name": "namespaces", "not enforced": ["memory"]})
    with Journal(path, reading=True) as journal:
        assert journal.entries() == (replace(ada, refused=dict(ada.refused)), Entry("Björn", "b"))
        assert journal.source(sha) == b"x = 1\n"
        assert journal.verdict("key") == PASSED
        assert journal.verdict("other") is None
        assert journal.meta("tier") == {"name": "namespaces", "not enforced": ["memory"]}
        assert journal.meta("nothing") is None
        with pytest.raises(GraderError, match="holds no submission"):
            journal.source("0" * 64)


def test_text_that_sqlite_cannot_keep_comes_back_as_it_was(path: Path) -> None:
    name = "half \ud83d of \udcff\x00 a name"
    with Journal(path) as journal:
        journal.begin([Entry(name, name, name, (name,), name, {"add": name})])
        journal.record("key", replace(FAILED, message=name))
    with Journal(path, reading=True) as journal:
        assert journal.entries() == (Entry(name, name, name, (name,), name, {"add": name}),)
        assert journal.verdict("key") == replace(FAILED, message=name)


def test_the_first_verdict_counts_unless_it_is_graded_again_on_purpose(path: Path) -> None:
    with Journal(path) as journal:
        assert journal.record("key", FAILED) == FAILED
        assert journal.record("key", PASSED) == FAILED
        assert [verdict for _, verdict in journal.history("key")] == [FAILED]
        assert journal.record("key", PASSED, regrade=True) == PASSED
        assert journal.verdict("key") == PASSED
        (first, old), (second, new) = journal.history("key")
        assert (old, new) == (FAILED, PASSED)
        assert first <= second


def test_ungraded_is_kept_but_never_counts_beside_another(path: Path) -> None:
    with Journal(path) as journal:
        assert journal.record("key", UNGRADED) == UNGRADED
        assert not journal.graded("key")
        assert journal.record("key", replace(UNGRADED, message="Again.")).message == "Again."
        assert journal.record("key", FAILED) == FAILED
        assert journal.graded("key")
        # A regrade that came to nothing leaves the grade that there was.
        assert journal.record("key", UNGRADED, regrade=True) == FAILED
        assert len(journal.history("key")) == 4


def test_entering_a_student_again_replaces_them_in_their_place(path: Path) -> None:
    with Journal(path) as journal:
        journal.begin([Entry("Ada", "1"), Entry("Björn", "2")])
        journal.enter(Entry("Ada", "3"))
        journal.enter(Entry("Chloé", "4"))
        assert [(entry.name, entry.origin) for entry in journal.entries()] == [
            ("Ada", "3"),
            ("Björn", "2"),
            ("Chloé", "4"),
        ]
        with pytest.raises(GraderError):
            journal.begin([Entry("Ada", "5"), Entry("Ada", "6")])
        assert len(journal.entries()) == 3


def test_progress_counts_what_the_batch_plans(path: Path) -> None:
    with Journal(path) as journal:
        empty = journal.progress()
        assert (empty.planned, empty.waiting, empty.last) == (0, 0, None)
        journal.begin([Entry(name, name, keys={"add": f"add {name}", "pop": "pop"}) for name in "abc"])
        for key, verdict in (("add a", PASSED), ("add b", UNGRADED), ("pop", FAILED), ("of another batch", PASSED)):
            journal.record(key, verdict)
        progress = journal.progress()
    assert (progress.students, progress.planned, progress.graded, progress.ungraded, progress.waiting) == (
        3,
        6,
        4,
        1,
        1,
    )
    assert progress.last is not None


def test_a_damaged_file_is_moved_aside_and_said(path: Path) -> None:
    with Journal(path) as journal:
        journal.record("key", PASSED)
    damaged = b"SQLite format 3\0" + os.urandom(2000)
    path.write_bytes(damaged)
    with pytest.raises(GraderError, match="is damaged"), Journal(path, reading=True):
        pass  # a reader leaves it where it is
    said: list[str] = []
    with Journal(path, tell=said.append) as journal:
        assert journal.verdict("key") is None
        journal.record("key", FAILED)
    [aside] = path.parent.glob("journal-damaged-*.sqlite3")
    assert aside.read_bytes() == damaged
    assert len(said) == 1
    assert str(aside) in said[0]
    with Journal(path, tell=said.append):
        assert len(said) == 1


def test_damage_within_is_found(path: Path) -> None:
    with Journal(path) as journal:
        for number in range(60):
            journal.record(str(number), replace(FAILED, message="x" * 400))
    data = bytearray(path.read_bytes())
    data[8192:12288] = b"\xff" * 4096
    path.write_bytes(data)
    said: list[str] = []
    with Journal(path, tell=said.append):
        assert "is damaged" in said[0]


@pytest.mark.parametrize("reading", [False, True])
def test_a_newer_file_is_left_alone(path: Path, reading: bool) -> None:
    with Journal(path) as journal:
        journal.record("key", PASSED)
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {VERSION + 1}")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(GraderError, match="git pull"), Journal(path, reading=reading):
        pass
    assert path.read_bytes() == before


def test_what_cannot_be_used_names_the_remedy(path: Path) -> None:
    with pytest.raises(GraderError, match="Run `dojo grade` first"), Journal(path, reading=True):
        pass
    path.parent.write_text("a file where a directory must be")
    with pytest.raises(GraderError, match="writable directory"), Journal(path):
        pass
    path.parent.unlink()
    with Journal(path) as journal:
        journal.record("key", PASSED)
    with Journal(path, reading=True) as reader, pytest.raises(GraderError, match="reading only"):
        reader.record("key", PASSED)
    with pytest.raises(GraderError, match="context manager"):
        Journal(path).verdict("key")


OPEN = """
import sys, pathlib
from dojo.grader.journal import Journal
with Journal(pathlib.Path(sys.argv[1])): pass
"""


def test_one_batch_at_a_time_and_any_number_of_readers(path: Path) -> None:
    with Journal(path) as journal:
        journal.record("key", PASSED)
        with pytest.raises(GraderError, match=f"by process {os.getpid()}"), Journal(path):
            pass
        for _ in range(2):  # neither attempt costs us the lock
            other = subprocess.run(
                [sys.executable, "-c", OPEN, str(path)], cwd=PROJECT, capture_output=True, text=True, check=False
            )
            assert other.returncode == 1
            assert f"being graded into by process {os.getpid()}" in other.stderr
        with Journal(path, reading=True) as one, Journal(path, reading=True) as two:
            journal.record("another", FAILED)
            assert one.verdict("another") == two.verdict("another") == FAILED
    with Journal(path) as journal:
        assert journal.graded("another")


def test_threads_may_share_it(path: Path) -> None:
    with Journal(path) as journal:

        def grade(start: int) -> None:
            for number in range(start, start + 10):
                journal.record(str(number), FAILED)

        threads = [threading.Thread(target=grade, args=(10 * each,)) for each in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert all(journal.graded(str(number)) for number in range(40))


BATCH = """
import os, sys, time
from pathlib import Path
from dojo.grader.journal import Journal, Entry
from dojo.grader.model import Verdict
with Journal(Path(sys.argv[1])) as journal:
    if os.fork() == 0:  # a submission's process that outlives us
        time.sleep(20)
        os._exit(0)
    print("child", flush=True)
    for number in range(100_000):
        if number % 5 == 0:
            journal.begin([Entry(str(each), "x") for each in range(20)])
        sha = journal.keep_source(b"%d" % number)
        journal.record(f"{sys.argv[2]} {number}", Verdict("add", "failed", sha))
        print(number, flush=True)
"""


def test_what_was_recorded_survives_kill_9_and_so_does_nothing_else(path: Path) -> None:
    luck = random.Random(3)
    for turn in range(5):
        with subprocess.Popen(
            [sys.executable, "-c", BATCH, str(path), str(turn)],
            cwd=PROJECT,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "child\n"
            time.sleep(luck.uniform(0.0, 0.12))
            process.send_signal(signal.SIGKILL)
            process.wait()
            try:
                # At once, while the child that it forked is alive: the lock is free, and the file sound.
                with Journal(path, tell=pytest.fail) as journal:
                    os.killpg(process.pid, signal.SIGKILL)
                    said = [int(line) for line in process.stdout if line.endswith("\n")]
                    for number in said:
                        verdict = journal.verdict(f"{turn} {number}")
                        assert verdict is not None
                        assert journal.source(verdict.message) == b"%d" % number
                    assert not journal.graded(f"{turn} {len(said) + 1}")
                    if said:
                        assert len(journal.entries()) == 20
            except BaseException:
                os.killpg(process.pid, signal.SIGKILL)
                raise
