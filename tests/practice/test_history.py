"""The history: only ever added to, safe from whatever ends the process, merged without loss."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from dojo.practice import FILE, PracticeError, history
from dojo.practice.history import VERSION
from dojo.practice.transfer import exported, imported

PROJECT = Path(__file__).parents[2]


def test_events_come_back_in_the_order_of_their_time(tmp_path: Path) -> None:
    noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
    with history(tmp_path) as past:
        past.record("add", "hint", noon + timedelta(seconds=1), number=1)
        past.record("add", "attempt", noon, status="red")
        past.record("other", "give-up", noon)
    with history(tmp_path) as past:
        assert [(event.kind, event.at, event.data) for event in past.events("add")] == [
            ("attempt", noon, {"status": "red"}),
            ("hint", noon + timedelta(seconds=1), {"number": 1}),
        ]
        assert len(past.events()) == 3
        assert [event.kata for event in past.events(None, "give-up")] == ["other"]


def test_a_damaged_file_is_moved_aside_and_said(tmp_path: Path) -> None:
    with history(tmp_path) as past:
        past.record("add", "attempt", status="red")
    damaged = b"SQLite format 3\0" + os.urandom(2000)
    (tmp_path / FILE).write_bytes(damaged)
    said: list[str] = []
    with history(tmp_path, said.append) as past:
        assert past.events() == []
    [aside] = tmp_path.glob(".dojo/progress-damaged-*")
    assert aside.read_bytes() == damaged
    assert len(said) == 1
    assert str(aside) in said[0]
    with history(tmp_path, said.append):
        assert len(said) == 1


def test_damage_within_is_found(tmp_path: Path) -> None:
    with history(tmp_path) as past:
        for _ in range(50):
            past.record("add", "attempt", note="x" * 400)
    data = bytearray((tmp_path / FILE).read_bytes())
    data[8192:12288] = b"\xff" * 4096
    (tmp_path / FILE).write_bytes(data)
    said: list[str] = []
    with history(tmp_path, said.append):
        assert "is damaged" in said[0]


def test_a_newer_file_is_left_alone(tmp_path: Path) -> None:
    with history(tmp_path) as past:
        past.record("add", "attempt", status="red")
    with sqlite3.connect(tmp_path / FILE) as connection:
        connection.execute(f"PRAGMA user_version = {VERSION + 1}")
    connection.close()
    before = (tmp_path / FILE).read_bytes()
    with pytest.raises(PracticeError, match="git pull"):
        history(tmp_path)
    assert (tmp_path / FILE).read_bytes() == before


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / ".dojo").write_text("a file where a directory must be")
    with pytest.raises(PracticeError, match="writable"):
        history(tmp_path)


WRITER = """
import sys
from pathlib import Path
from dojo.practice import history
with history(Path(sys.argv[1])) as past:
    for number in range(100_000):
        past.record("add", "attempt", number=number)
        print(number, flush=True)
"""


def test_what_was_recorded_survives_kill_9(tmp_path: Path) -> None:
    for patience in (1, 40, 7, 23, 64):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path)], cwd=PROJECT, stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            said = [int(process.stdout.readline()) for _ in range(patience)]
            process.send_signal(signal.SIGKILL)
            said += [int(line) for line in process.stdout]
        with history(tmp_path, pytest.fail) as past:
            kept = [event.data["number"] for event in past.events()]
            # At most one more than was said: killed between the commit and the print.
            assert len(kept) - len(said) in (0, 1)
            assert sorted(kept)[: len(said)] == said
            past._connection.execute("DELETE FROM events")
            past._connection.commit()


def test_several_processes_may_write_at_once(tmp_path: Path) -> None:
    writer = WRITER.replace("100_000", "50")
    processes = [
        subprocess.Popen([sys.executable, "-c", writer, str(tmp_path)], cwd=PROJECT, stdout=subprocess.DEVNULL)
        for _ in range(3)
    ]
    assert [process.wait(timeout=60) for process in processes] == [0, 0, 0]
    with history(tmp_path) as past:
        assert len(past.events()) == 150


def test_two_machines_merge_without_loss(tmp_path: Path) -> None:
    laptop, desktop = tmp_path / "laptop", tmp_path / "desktop"
    for machine in (laptop, desktop):
        with history(machine) as past:
            past.record("add", "attempt", status="red", where=machine.name)
    with history(laptop) as past:
        document = exported(past.events())
    with history(desktop) as past:
        assert past.add(imported(document)) == 1
        assert past.add(imported(document)) == 0
        assert {event.data["where"] for event in past.events("add")} == {"laptop", "desktop"}
        back = exported(past.events())
    with history(laptop) as past:
        past.add(imported(back))
        assert exported(past.events()) == back


GOOD = {
    "id": "6f2c1b9e-0d2f-4c7a-9a37-0d6a4b1f2c3d",
    "at": "2026-03-01T12:00:00+00:00",
    "kata": "add",
    "kind": "attempt",
    "data": {},
}


def document(**fields: Any) -> str:
    return json.dumps({"format": "dojo-progress", "version": 1, **fields})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "not JSON"),
        ("[]", "not a progress export"),
        (document(version=99, events=[]), "another version"),
        (document(), "no list of events"),
        (document(events=[GOOD, {**GOOD, "id": "no uuid"}]), "event 2 cannot be read"),
        (document(events=[{**GOOD, "at": "2026-03-01T12:00:00"}]), "event 1 cannot be read"),
        (document(events=[{**GOOD, "kind": "miracle"}]), "event 1 cannot be read"),
        (document(events=["attempt"]), "event 1 cannot be read"),
    ],
)
def test_a_bad_export_says_what_is_wrong(text: str, said: str) -> None:
    assert len(imported(document(events=[GOOD]))) == 1
    with pytest.raises(PracticeError, match=said):
        imported(text)
