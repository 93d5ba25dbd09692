"""Each grading process has a directory of its own; a killed one's is gone when the next begins."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile

import pytest

from dojo.grader.workspace import workspace

LEAVES_ONE = """
import sys
from dojo.grader.workspace import workspace

with workspace("test") as place:
    (place / "deep" / "down").mkdir(parents=True)
    print(place, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))


def test_it_is_private_and_gone_afterwards(tmp_path):
    with workspace("test") as place:
        assert place.parent == tmp_path
        assert place.stat().st_mode & 0o777 == 0o700
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_goes_with_the_next(tmp_path):
    command = [sys.executable, "-c", LEAVES_ONE]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        left = process.stdout.readline().strip()
        with workspace("test"):
            assert os.path.isdir(left), "its process lives"
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert os.path.isdir(left)
    with workspace("other"):
        assert os.path.isdir(left), "it is another kind's"
    with workspace("test"):
        assert not os.path.exists(left)


def test_two_in_one_process_leave_each_other_alone():
    with workspace("test") as first, workspace("test") as second, workspace("test") as third:
        assert all(place.is_dir() for place in (first, second, third))


def test_what_is_not_a_workspace_stays(tmp_path):
    (tmp_path / "dojo-test-file").write_text("mine")
    (tmp_path / "dojo-test-folder").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "owner").touch()
    (tmp_path / "dojo-test-link").symlink_to(tmp_path / "elsewhere")
    with workspace("test"):
        pass
    kept = sorted(path.name for path in tmp_path.iterdir())
    assert kept == ["dojo-test-file", "dojo-test-folder", "dojo-test-link", "elsewhere"]
    assert (tmp_path / "elsewhere" / "owner").exists()
