"""`grading.toml`: what it may say, and that whatever is wrong in it names the file, the key and the way out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dojo.catalog import load
from dojo.grader.config import Config, Limits
from dojo.grader.init import initial_text, write_initial
from dojo.grader.model import Expected, GraderError

KATAS = ("rate_limiter", "cache_aside")
INVENTORY = {
    "rate_limiter": (
        Expected("test_limit", 1, "Up to the limit."),
        Expected("test_race[1-0]", 9, "Racing."),
        Expected("test_race[2-1]", 9, "Racing."),
        Expected("test_own", None, "", hidden=True),
    ),
    "cache_aside": (Expected("test_hit", 1, "A hit."),),
}


@pytest.fixture
def toml(tmp_path: Path) -> Path:
    return tmp_path / "grading.toml"


def read(toml: Path, text: str) -> Config:
    toml.write_text(text, encoding="utf-8")
    return Config.read(toml, KATAS)


def test_no_file_is_the_defaults() -> None:
    assert Config.read(None, KATAS) == Config()


def test_all_of_it(toml: Path) -> None:
    (toml.parent / "own").mkdir()
    (toml.parent / "own" / "test_cache_aside.py").write_text("", encoding="utf-8")
    config = read(
        toml,
        """
        title = "Week 3"
        feedback = "rule"
        hidden = "own"
        [limits]
        wall_seconds = 2.5
        cpu_seconds = 2
        [points]
        per_kata = 10
        rate_limiter = 20.5
        [weights.rate_limiter]
        9 = 3
        test_limit = 0
        "test_race[2-1]" = 0.5
        """,
    )
    assert (config.title, config.feedback) == ("Week 3", "rule")
    assert config.limits == Limits(wall_seconds=2.5, cpu_seconds=2)
    assert (config.total("rate_limiter"), config.total("cache_aside")) == (20.5, 10)
    assert [config.weight("rate_limiter", test) for test in INVENTORY["rate_limiter"]] == [0, 3, 0.5, 1]
    assert config.hidden_tests("cache_aside") == (toml.parent / "own" / "test_cache_aside.py").resolve()
    assert config.hidden_tests("rate_limiter") is None
    config.check(INVENTORY)


def test_the_closest_name_of_a_test_decides(toml: Path) -> None:
    config = read(toml, '[weights.rate_limiter]\n9 = 2\ntest_race = 3\n"test_race[1-0]" = 4\n')
    assert [config.weight("rate_limiter", test) for test in INVENTORY["rate_limiter"]] == [1, 4, 3, 1]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("titel = 'x'", "titel: there is no such key. Nearest: title."),
        ("title = 3", "title: 3 is not a text in quotes."),
        ("title = ' '", "title: is empty"),
        ('title = "a\\u001b[2J"', "title: is empty, too long or has unprintable characters."),
        ("feedback = 'rules'", "feedback: there is no feedback 'rules'. Nearest: rule"),
        ("feedback = true", "feedback: true is not one of full, rule, none"),
        ("hidden = 'nowhere'", "nowhere is no directory. Make it"),
        ("hidden = 3", "hidden: 3 is not a directory's name"),
        ("limits = 3", "limits: 3 is not a table. Begin it with [limits]"),
        ("[limits]\nwall = 3", "limits.wall: there is no such key. Nearest: wall_seconds"),
        ("[limits]\nwall_seconds = 0", "limits.wall_seconds: 0 would end every submission"),
        ("[limits]\nwall_seconds = -1", "limits.wall_seconds: -1 is not from 0 to"),
        ("[limits]\ncpu_seconds = 1.5", "limits.cpu_seconds: 1.5 is not a whole number"),
        ("[limits]\nprocesses = true", "limits.processes: true is not a number"),
        (f"[limits]\nmemory_mb = {'9' * 6000}", "is not valid TOML"),
        (f"[limits]\nmemory_mb = {'9' * 4000}", "limits.memory_mb: a number of that size is not from 0 to"),
        ("[points]\nrate_limter = 3", "points.rate_limter: there is no kata 'rate_limter'. Nearest: rate_limiter"),
        ("[points]\nper_kat = 3", "Nearest: per_kata"),
        ("[points]\nper_kata = inf", "points.per_kata: inf is not from 0 to"),
        ("[points]\nper_kata = '10'", "points.per_kata: '10' is not a number"),
        ("[weights]\nrate_limiter = 3", "weights.rate_limiter: 3 is not a table. Begin it with [weights.rate_limiter]"),
        ("[weights.dlq]\n1 = 3", "weights.dlq: there is no kata 'dlq'. There are: rate_limiter, cache_aside."),
        ("[weights.rate_limiter]\n1 = nan", "weights.rate_limiter.1: nan is not from 0 to"),
        ("[weights.rate_limiter]\n1 = -0.5", "weights.rate_limiter.1: -0.5 is not from 0 to"),
        ("[weights.rate_limiter]\n1 = [1]", "weights.rate_limiter.1: [1] is not a number"),
        ("title = ", "is not valid TOML"),
    ],
)
def test_what_is_wrong_is_named_with_its_remedy(toml: Path, text: str, said: str) -> None:
    with pytest.raises(GraderError, match=re.escape(said)) as caught:
        read(toml, text)
    assert str(caught.value).startswith(str(toml))


def test_a_file_that_cannot_be_read_is_named(toml: Path) -> None:
    with pytest.raises(GraderError, match=r"there is no .*grading.toml. `dojo grade --init`"):
        Config.read(toml, KATAS)
    toml.write_bytes(b"title = '\xff'")
    with pytest.raises(GraderError, match="not UTF-8"):
        Config.read(toml, KATAS)
    with pytest.raises(GraderError, match="cannot be read: Is a directory"):
        Config.read(toml.parent, KATAS)


def test_hidden_tests_of_no_kata_would_be_silently_left_out(toml: Path) -> None:
    own = toml.parent / "own"
    own.mkdir()
    with pytest.raises(GraderError, match="holds no test_"):
        read(toml, "hidden = 'own'")
    (own / "test_rate_limter.py").write_text("", encoding="utf-8")
    with pytest.raises(GraderError, match=r"test_rate_limter.py in .* is of no kata. Nearest: rate_limiter"):
        read(toml, "hidden = 'own'")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "[weights.rate_limiter]\ntest_limt = 1",
            "weights.rate_limiter.test_limt: rate_limiter has no test test_limt.",
        ),
        ("[weights.rate_limiter]\ntest_limt = 1", "Nearest: test_limit"),
        ("[weights.rate_limiter]\n8 = 1", "weights.rate_limiter.8: rate_limiter has no rule 8. There are: 1, 9."),
        ("[points]\nper_kata = 5\n[weights.cache_aside]\n1 = 0", "points.per_kata: nobody can earn the 5 points of"),
        ("[points]\ncache_aside = 5\n[weights.cache_aside]\n1 = 0", "all its weights are 0 (weights.cache_aside)"),
    ],
)
def test_what_the_tests_do_not_have_is_named(toml: Path, text: str, said: str) -> None:
    config = read(toml, text)
    with pytest.raises(GraderError, match=re.escape(said)):
        config.check(INVENTORY)


def test_what_is_not_graded_this_time_is_left_alone(toml: Path) -> None:
    config = read(toml, "[weights.rate_limiter]\n77 = 1\n")
    config.check({"cache_aside": INVENTORY["cache_aside"]})


def test_a_kata_may_be_worth_nothing(toml: Path) -> None:
    read(toml, "[points]\nper_kata = 5\ncache_aside = 0\n[weights.cache_aside]\n1 = 0").check(INVENTORY)
    read(toml, "[weights.cache_aside]\n1 = 0").check(INVENTORY)


def test_points_of_a_kata_without_tests_cannot_be_earned(toml: Path) -> None:
    with pytest.raises(GraderError, match="it has no tests"):
        read(toml, "[points]\nper_kata = 5").check({"cache_aside": ()})


def test_the_first_file_changes_nothing_and_overwrites_nothing(toml: Path) -> None:
    write_initial(toml)
    assert toml.read_text(encoding="utf-8") == initial_text()
    assert Config.read(toml, KATAS) == Config()
    toml.write_text("mine", encoding="utf-8")
    with pytest.raises(GraderError, match="is there already"):
        write_initial(toml)
    assert toml.read_text(encoding="utf-8") == "mine"
    with pytest.raises(GraderError, match=r"cannot write .*No such file"):
        write_initial(toml.parent / "no" / "grading.toml")


def test_what_the_first_file_suggests_is_right(toml: Path) -> None:
    """Its commented lines, taken as they stand, are about a kata and tests that there are."""
    kata = load().find("rate_limiter")
    suggested = re.sub(r"^# (?=\[|\w+ = )", "", initial_text(), flags=re.MULTILINE)
    (toml.parent / "hidden").mkdir()
    (toml.parent / "hidden" / "test_rate_limiter.py").write_text("", encoding="utf-8")
    config = read(toml, suggested)
    assert config.hidden is not None
    assert config.points == {"rate_limiter": 20}
    assert config.weights.keys() == {"rate_limiter"}
    tests = kata.test_file.read_text(encoding="utf-8")
    found = re.findall(r'def (test_\w+)\(.*\n    """Rule (\d+)\.', tests)
    config.check({"rate_limiter": tuple(Expected(name, int(rule), "") for name, rule in found)})
