"""`dojo drill`: what is chosen, checked, kept and shown."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from dojo.catalog import Catalog, Kata
from dojo.practice import PracticeError, Progress, history, progress_of
from dojo.practice import drill as drills
from dojo.practice.drill import Drill
from dojo.practice.runs import run_once
from dojo.stubs import is_pristine, stub_of

from .conftest import Run, events, run_result


def open_drill(katas: Catalog) -> Drill:
    found = drills.unfinished(katas.root)
    assert found is not None
    return found


@pytest.fixture
def red(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every run is red at once, where only the choice matters."""
    monkeypatch.setattr("dojo.cli.drill.run_once", lambda kata, file: run_result(green=False))


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
