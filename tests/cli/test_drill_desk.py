"""At a drill: keys, saves, the clock and what is recorded, with a clock and test runs that do as they are told."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dojo.catalog import Catalog, Kata
from dojo.cli.drill_desk import Desk
from dojo.cli.drill_screen import Screen, clock
from dojo.practice import drill as drills
from dojo.practice import history
from dojo.practice.drill import Drill
from dojo.runner import RunResult

from .conftest import events, run_result

WRONG = "def add_one(number):\n    return number\n"


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
        return run_result(green="+ 1" in self.file.read_text(encoding="utf-8"))


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
