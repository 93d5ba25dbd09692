"""`dojo drill`: choosing, checking, the clock, what is recorded. A fake clock, real test runs where it matters."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from dojo.catalog import Catalog, Kata
from dojo.cli.drill_desk import Desk
from dojo.cli.drill_screen import Screen, clock
from dojo.practice import Event, PracticeError, Progress, history, progress_of
from dojo.practice import drill as drills
from dojo.practice.drill import Drill
from dojo.practice.runs import run_once
from dojo.runner import RunResult, TestResult
from dojo.stubs import is_pristine, stub_of

from .conftest import Run

WRONG = "def add_one(number):\n    return number\n"


def events(katas: Catalog, *kinds: Any) -> list[Event]:
    with history(katas.root) as past:
        return past.events(None, *kinds)


def open_drill(katas: Catalog) -> Drill:
    found = drills.unfinished(katas.root)
    assert found is not None
    return found


# --- the desk, with a clock, a keyboard and test runs that do as they are told


class Script:
    """A clock, a keyboard and test runs in one: `keys` and `saves` happen at given seconds."""

    def __init__(self, file: Path, keys: dict[float, str] | None = None, saves: dict[float, str] | None = None) -> None:
        self.file = file
        self.time = 0.0
        self.busy = False
        self._keys = dict(sorted((keys or {}).items()))
        self._saves = dict(sorted((saves or {}).items()))
        self._result_at: float | None = None
        self.run_takes = 0.5
        self.runs = 0

    def now(self) -> float:
        return self.time

    def read(self, seconds: float) -> str | None:
        self.time = round(self.time + seconds, 3)
        for at in [at for at in self._saves if at <= self.time]:
            self.file.write_text(self._saves.pop(at), encoding="utf-8")
        for at in [at for at in self._keys if at <= self.time]:
            if (key := self._keys.pop(at)) == "^C":
                raise KeyboardInterrupt
            return key
        return None

    @contextlib.contextmanager
    def suspended(self) -> Iterator[None]:
        yield

    def start(self, file: Path) -> None:
        self.busy, self.runs = True, self.runs + 1
        self._result_at = self.time + self.run_takes

    def poll(self) -> RunResult | None:
        if self._result_at is None or self.time < self._result_at:
            return None
        self.busy, self._result_at = False, None
        return result(green="+ 1" in self.file.read_text(encoding="utf-8"))


def result(green: bool) -> RunResult:
    tests = (
        TestResult("test_counts", 1, "It counts.", "passed"),
        TestResult("test_refuses", 2, "It refuses.", "passed" if green else "failed", message="Rule 2\n\n  next  x"),
    )
    return RunResult("add_one", "green" if green else "red", tests, 0.1, 0.1)


@pytest.fixture
def sit(katas: Catalog, first: Kata) -> Callable[..., tuple[Any, Drill, Script]]:
    """Sits at a drill of 60 seconds: how it ended, how it stands, and the script."""

    def run(
        drill: Drill | None = None, takes: float = 0.5, limit: float = 60.0, **plan: Any
    ) -> tuple[Any, Drill, Script]:
        drill = drill or drills.begin(first, limit)
        script = Script(drill.file, **plan)
        script.run_takes = takes
        with history(katas.root) as past:
            desk = Desk(first, drill, past, script, script, Screen(live=False), script.now)
            try:
                outcome: Any = desk.work()
            except KeyboardInterrupt:
                outcome = "interrupted"
        assert drills.read(drill.directory) == desk.drill
        return outcome, desk.drill, script

    return run


def test_green_ends_it_and_the_time_is_that_of_the_save(sit: Any, katas: Catalog, capsys: Any) -> None:
    outcome, drill, _ = sit(saves={10: WRONG, 20: "return + 1"}, takes=3.0)
    assert outcome == "green"
    assert drill.used_seconds == pytest.approx(20, abs=0.2)
    assert (drill.attempts, drill.kept, drill.rules) == (2, 2, 2)
    assert [event.data["status"] for event in events(katas, "attempt")] == ["red", "green"]
    assert {event.data["drill"] for event in events(katas)} == {drill.id}
    out = capsys.readouterr().out.splitlines()
    assert out == ["0:50 left  ✗ 1 of 2 rules  first: 2 It refuses.", "0:40 left  ✓ 2 of 2 rules"]


def test_the_time_is_up(sit: Any) -> None:
    outcome, drill, script = sit(saves={10: WRONG})
    assert (outcome, drill.used_seconds, drill.left_seconds) == ("time-up", 60.0, 0.0)
    assert script.time == pytest.approx(60, abs=0.2)


def test_a_save_in_time_counts_although_its_run_ends_later(sit: Any) -> None:
    outcome, drill, _ = sit(saves={59.5: "return + 1"}, takes=20.0)
    assert outcome == "green"
    assert drill.used_seconds == pytest.approx(59.6, abs=0.1)


def test_a_save_during_a_run_is_tested_next(sit: Any, katas: Catalog) -> None:
    outcome, _, script = sit(saves={10: WRONG, 11: "return + 1"}, takes=2.0)
    assert outcome == "green"
    assert script.runs == 2
    # Of the first run nobody knows which text it saw, so it is neither shown nor counted.
    assert [event.data["status"] for event in events(katas, "attempt")] == ["green"]


def test_hints_are_counted_before_they_are_shown(sit: Any, katas: Catalog, capsys: Any) -> None:
    outcome, drill, _ = sit(keys={1: "h", 2: "h", 3: "h", 4: "h", 5: "h", 6: "q"})
    assert (outcome, drill.hints) == ("paused", 4)
    assert [event.data["number"] for event in events(katas, "hint")] == [1, 2, 3, 4]
    out = capsys.readouterr().out
    assert "hint 1 of 4: Say it again" in out
    assert out.count("hint 4 of 4: The step") == 2


def test_giving_up_takes_two_keys(sit: Any) -> None:
    assert sit(keys={1: "g", 2: "x", 3: "g", 4: "f", 5: "q"})[0] == "paused"
    drill = sit(keys={1: "g", 2: "g"})
    assert drill[0] == "gave-up"


def test_the_failure_in_full_on_a_key(sit: Any, capsys: Any) -> None:
    sit(keys={1: "f", 5: "f", 6: "q"}, saves={2: WRONG})
    out = capsys.readouterr().out
    assert "Nothing was tested yet. Save .dojo/drills/" in out
    assert "\nRule 2\n" in out
    assert "next  x" not in out  # it would name a hint that the drill does not count


def test_only_time_at_work_counts(sit: Any) -> None:
    drill = sit(keys={20: "q"})[1]
    assert drill.used_seconds == pytest.approx(20, abs=0.1)
    outcome, drill, _ = sit(drill, keys={15: "^C"})
    assert outcome == "interrupted"
    assert drill.used_seconds == pytest.approx(35, abs=0.1)
    assert sit(drill)[0] == "time-up"


def test_a_machine_that_slept_was_not_at_work(sit: Any, first: Kata) -> None:
    drill = drills.begin(first, 60.0)
    script_read = Script.read

    def read(self: Script, seconds: float) -> str | None:
        key = script_read(self, seconds)
        if self.time == 10.0:
            self.time += 3600
        return key

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Script, "read", read)
        drill = sit(drill, keys={3615: "q"})[1]
    assert drill.used_seconds == pytest.approx(17, abs=1)


def test_the_state_on_disk_is_never_a_second_old(sit: Any, first: Kata) -> None:
    drill = drills.begin(first, 60.0)
    script_read, behind = Script.read, []

    def read(self: Script, seconds: float) -> str | None:
        behind.append(self.time - drills.read(drill.directory).used_seconds)
        return script_read(self, seconds)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Script, "read", read)
        sit(drill, keys={20: "q"}, saves={3: WRONG})
    assert max(behind) < 1.0


def test_a_resumed_drill_says_where_it_stands(sit: Any) -> None:
    drill = sit(saves={1: WRONG}, keys={5: "q"})[1]
    _, drill, script = sit(drill, keys={5: "q"})
    assert script.runs == 1
    assert drill.attempts == 2


def test_the_editor_has_the_terminal_and_saves_are_tested(
    sit: Any, first: Kata, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    editor = tmp_path / "editor.sh"
    editor.write_text('#!/bin/sh\necho "return + 1" > "$1"\nsleep 0.3\n')
    editor.chmod(0o755)
    monkeypatch.setenv("EDITOR", str(editor))
    monkeypatch.delenv("VISUAL", raising=False)
    outcome, _, script = sit(keys={1: "e"}, takes=0.0)
    assert (outcome, script.runs) == ("green", 1)


def test_an_editor_that_is_not_there_is_named(sit: Any, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("EDITOR", "/no/such/editor")
    sit(keys={1: "e", 2: "q"})
    assert "/no/such/editor cannot be started" in capsys.readouterr().out
    monkeypatch.delenv("EDITOR")
    sit(keys={1: "e", 2: "q"})
    assert "EDITOR is not set. Open .dojo/drills/" in capsys.readouterr().out


@pytest.mark.parametrize(("seconds", "said"), [(0, "0:00"), (0.4, "0:01"), (59.9, "1:00"), (1500, "25:00")])
def test_the_clock_shows_no_second_that_has_not_begun(seconds: float, said: str) -> None:
    assert clock(seconds) == said


# --- the record


def test_an_end_is_recorded_once_whatever_interrupts_it(katas: Catalog, first: Kata) -> None:
    drill = replace(drills.begin(first, 300.0), used_seconds=100.0, hints=1)
    with history(katas.root) as past:
        drills.end(drill, past, first, "green")
        drills.keep(drill)  # as if killed between the event and the file
        assert drills.unfinished(katas.root) is None
        _, rating = drills.end(drill, past, first, "green")
    [event] = events(katas, "drill")
    assert event.id == drill.id
    assert rating == "good"
    assert event.data == {
        "seconds": 100.0,
        "limit_seconds": 300.0,
        "minutes": 5,
        "status": "green",
        "kept": 0,
        "rules": 0,
        "hints": 1,
        "gave_up": False,
        "rating": "good",
    }


def test_a_damaged_state_names_the_remedy(katas: Catalog, first: Kata) -> None:
    drill = drills.begin(first, 300.0)
    for text in ("", "[]", "{}", '{"version": 99}'):
        (drill.directory / drills.STATE).write_text(text, encoding="utf-8")
        with pytest.raises(PracticeError, match=r"Move .* away|git pull"):
            drills.unfinished(katas.root)


def test_two_drills_in_one_second_have_two_places(first: Kata) -> None:
    now = datetime(2026, 3, 1, tzinfo=UTC)
    one, two = (drills.begin(first, 300.0, now) for _ in range(2))
    assert one.directory != two.directory
    assert one.file.read_text(encoding="utf-8") == stub_of(first)


# --- the command


@pytest.fixture
def red(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every run is red at once, where only the choice matters."""
    monkeypatch.setattr("dojo.cli.drill.run_once", lambda kata, file: result(green=False))


def test_check_starts_tests_and_ends_a_drill(dojo: Run, katas: Catalog, first: Kata) -> None:
    result = dojo("drill", "--check")
    assert result.code == 1
    assert "add_one: the next one." in result.out
    assert "0 of 2 rules" in result.out
    drill = open_drill(katas)
    assert is_pristine(first)
    drill.file.write_bytes(first.solution.read_bytes())
    result = dojo("drill", "--check", "--json")
    assert result.code == 0
    document = json.loads(result.out)
    assert document["run"]["status"] == "green"
    assert document["drill"]["ended"] == "green"
    assert document["drill"]["rating"] == "easy"
    assert is_pristine(first)
    [event] = events(katas, "drill")
    assert (event.kata, event.data["status"], event.data["kept"], event.data["rules"]) == ("add_one", "green", 2, 2)
    assert [event.data["where"] for event in events(katas, "attempt")] == ["drill", "drill"]
    assert progress_of(events(katas)) == {"add_one": Progress()}
    assert dojo().out.startswith("0 of 2 katas solved")


@pytest.mark.usefixtures("red")
def test_between_two_checks_the_clock_goes_on_but_not_for_ever(dojo: Run, katas: Catalog, first: Kata) -> None:
    dojo("drill", "--check", "--minutes", "60", "--kata", "add_one")
    drill = open_drill(katas)
    drills.keep(replace(drill, checked_at=datetime.now(UTC) - timedelta(minutes=4)))
    dojo("drill", "--check")
    assert open_drill(katas).used_seconds == pytest.approx(240, abs=30)
    drills.keep(replace(open_drill(katas), checked_at=datetime.now(UTC) - timedelta(days=4)))
    dojo("drill", "--check")
    assert open_drill(katas).used_seconds == pytest.approx(240 + 900, abs=30)


def test_a_check_after_the_limit_is_hard_if_green_and_the_end_if_not(dojo: Run, katas: Catalog, first: Kata) -> None:
    for green, said in ((False, "again"), (True, "hard")):
        dojo("drill", "--check", "--kata", "add_one")
        drill = open_drill(katas)
        if green:
            drill.file.write_bytes(first.solution.read_bytes())
        drills.keep(replace(drill, used_seconds=301.0))
        assert f"Rated {said}." in dojo("drill", "--check").out
        assert drills.unfinished(katas.root) is None
    assert [event.data["status"] for event in events(katas, "drill")] == ["time-up", "green"]


def test_an_unfinished_drill_is_never_passed_over(dojo: Run, katas: Catalog, first: Kata) -> None:
    drills.begin(first, 750.0)
    for arguments in ([], ["--kata", "add_two"], ["--random"], ["--check", "--kata", "add_two"]):
        result = dojo("drill", *arguments)
        assert result.code == 2
        assert "A drill of add_one is unfinished, 12:30 left" in result.err
        assert "dojo drill --resume" in result.err
        assert "dojo drill --abandon" in result.err
    result = dojo("drill", "--abandon")
    assert result.code == 1
    assert "Given up after 0:00" in result.out
    [event] = events(katas, "drill")
    assert (event.data["status"], event.data["gave_up"], event.data["rating"]) == ("gave-up", True, "again")
    for arguments in (["--resume"], ["--abandon"]):
        assert "No drill is unfinished" in dojo("drill", *arguments).err


def test_a_drill_at_another_terminal_is_said(dojo: Run, katas: Catalog, first: Kata) -> None:
    drill = drills.begin(first, 300.0)
    with drills.alone(katas.root):
        result = dojo("drill", "--resume")
        assert result.code == 2
        assert "A drill of add_one is going on in another terminal." in result.err
        assert dojo("drill", "--check").code == 1  # a look, which leaves the state to the other
    assert drills.read(drill.directory) == drill
    assert len(events(katas, "attempt")) == 1


@pytest.mark.usefixtures("red")
def test_what_is_drilled_by_default(dojo: Run, katas: Catalog) -> None:
    def chosen(*arguments: str) -> str:
        name = json.loads(dojo("drill", "--check", "--json", *arguments).out)["drill"]["kata"]
        dojo("drill", "--abandon")
        with history(katas.root) as past:  # only what the test records shall count
            past._connection.execute("DELETE FROM events WHERE json_extract(data, '$.status') = 'gave-up'")
            past._connection.commit()
        return str(name)

    assert chosen() == "add_one"
    with history(katas.root) as past:
        past.record("add_two", "attempt", status="green")
    assert chosen() == "add_two"
    with history(katas.root) as past:
        past.record("add_two", "drill", rating="easy")
    assert chosen() == "add_one"
    with history(katas.root) as past:
        past.record("add_one", "drill", rating="good")
        past.record("add_two", "drill", datetime.now(UTC) + timedelta(days=-90), rating="again")
    assert chosen() == "add_one"  # in two days, the other in eight
    assert chosen("--track", "counting", "--seed", "3") == chosen("--random", "--seed", "3")


@pytest.mark.usefixtures("red")
def test_the_lot_can_be_drawn_again(dojo: Run, katas: Catalog) -> None:
    out = dojo("drill", "--check", "--random").out
    seed = out.split("--seed ")[1].split(".")[0]
    name = open_drill(katas).kata
    dojo("drill", "--abandon")
    dojo("drill", "--check", "--seed", seed)
    assert open_drill(katas).kata == name


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--resume", "--abandon"], "Use one of"),
        (["--json"], "--json goes with"),
        (["--minutes", "0"], "--minutes is more than 0"),
        (["--minutes", "nan"], "--minutes is more than 0"),
        (["--kata", "ad_one"], "Nearest: add_one"),
        (["--track", "flying"], "There are: counting"),
        (["--kata", "add_one", "--random"], "Use one or the other"),
    ],
)
def test_wrong_usage(dojo: Run, katas: Catalog, arguments: list[str], said: str) -> None:
    result = dojo("drill", *arguments)
    assert result.code == 2
    assert said in result.err
    assert drills.unfinished(katas.root) is None


def test_the_history_shows_drills_trends_and_what_is_due(dojo: Run, katas: Catalog) -> None:
    assert dojo("drill", "--history").out == "No drills yet. The first one: dojo drill\n"
    noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
    facts = {"limit_seconds": 300, "kept": 2, "rules": 2, "hints": 0}
    with history(katas.root) as past:
        past.record("add_one", "drill", noon, seconds=200, status="green", rating="good", **facts)
        past.record(
            "add_one", "drill", noon + timedelta(days=1), seconds=300, status="time-up", rating="again", **facts
        )
        past.record("add_one", "drill", noon + timedelta(days=2), seconds=150, status="green", rating="good", **facts)
        past.record("add_two", "review", noon, mutant="m", rating="easy")
    out = dojo("drill", "--history").out
    assert "add_one  3:20  5:00  2/2    0      green    good\n" in out
    assert "add_one  3:20, then 2:30  25% faster\n" in out
    assert "add_two  review  since " in out
    document = json.loads(dojo("drill", "--history", "--json").out)
    assert [drill["rating"] for drill in document["drills"]] == ["good", "again", "good"]
    assert document["trends"] == [{"kata": "add_one", "drills": 3, "green_seconds": [200, 150], "change": -0.25}]
    assert {(entry["kata"], entry["practice"], entry["last_rating"]) for entry in document["due"]} == {
        ("add_one", "drill", "good"),
        ("add_two", "review", "easy"),
    }


def test_the_runner_is_behind_one_function(first: Kata) -> None:
    drill = drills.begin(first, 300.0)
    assert run_once(first, drill.file).status == "red"
