"""`grading.toml`: how a course grades, in a file that can be kept in version control.

    title = "Resilience, week 3"
    feedback = "rule"            # what students see of a failing test: full, rule, none
    hidden = "hidden"            # directory with the instructor's own test_<kata>.py, relative to this file

    [limits]                     # of the processes that run a submission
    wall_seconds = 60

    [points]
    per_kata = 10                # what each kata is worth in all; without it, a test is worth its weight
    rate_limiter = 20            # ... and this one

    [weights.rate_limiter]       # by rule number, by test, or by a parametrised test's base name; 1 if not said
    9 = 3
    test_steady_traffic_is_never_punished = 2

A weight is that of each test which its key names, not of all of them together. A test's own name comes before its
base name, and that before its rule. Nothing is guessed: a key, a kata, a test or a rule that does not exist is an
error, because a misspelt weight would silently grade a whole class wrongly.
"""

from __future__ import annotations

import difflib
import json
import math
import tomllib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, NoReturn, cast, get_args

from dojo.grader.model import Expected, GraderError, Inventory

FILE = "grading.toml"
LARGEST = 1_000_000
"""Of any number in the file: far above every sensible one, and far below where a float or a kernel's limit ends."""

Feedback = Literal["full", "rule", "none"]


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of what runs a submission. Ordinary code never comes near them; hostile code ends at them."""

    wall_seconds: float = 60.0
    """Of one process."""
    kata_seconds: float = 180.0
    """Of all processes together that one kata of one submission needs, since a test that ends its process costs
    a new one."""
    cpu_seconds: int = 30
    """Of one process, counted by the kernel, so that a busy machine changes no verdict."""
    memory_mb: int = 4096
    """Address space and not resident memory: the threads of sync tests reserve much and use little."""
    output_kb: int = 16_384
    """What one process may print before the rest is cut off."""
    processes: int = 64
    """Processes and threads at once."""
    disk_mb: int = 64
    """The largest file, and where a private file system is possible, all files together."""


@dataclass(frozen=True, slots=True)
class Config:
    """What `grading.toml` says. `Config()` is no file at all."""

    title: str = "Grades"
    feedback: Feedback = "full"
    hidden: Path | None = None
    """The directory of the instructor's own tests, absolute."""
    limits: Limits = field(default_factory=Limits)
    per_kata: float | None = None
    """What each kata is worth that `points` does not name; None if a test is worth its weight."""
    points: Mapping[str, float] = field(default_factory=dict)
    """What a kata is worth in all, by its name."""
    weights: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """By a kata's name: weights by a rule's number, a test's name or a parametrised test's base name."""
    source: Path | None = field(default=None, compare=False)
    """The file, for messages."""

    @classmethod
    def read(cls, path: Path | None, katas: Iterable[str]) -> Config:
        """The file at `path`, or the defaults if it is None. `katas` are the names of all that there are.

        Raises GraderError that names the file, the key and the remedy. Tests and rules are for `check`, when the
        inventory is known.
        """
        return cls() if path is None else _File(path, tuple(katas)).config()

    def check(self, inventory: Inventory) -> None:
        """That every weight is one of a test of `inventory`, and that every kata's points can be earned.

        A kata that is not in the inventory is not graded this time, and what is said of it is left alone.
        Raises GraderError that names the file, the key and the remedy.
        """
        for kata, tests in inventory.items():
            for key in self.weights.get(kata, {}):
                if not any(key in _keys(test) for test in tests):
                    self._unknown_test(kata, key, tests)
            total = self.total(kata)
            if total and not any(self.weight(kata, test) for test in tests):
                where = f"points.{kata}" if kata in self.points else "points.per_kata"
                why = f"all its weights are 0 (weights.{kata})" if tests else "it has no tests"
                raise GraderError(
                    f"{self.source or FILE}: {where}: nobody can earn the {total:g} points of {kata}, because {why}. "
                    f"Give a test a weight above 0, or set {kata} = 0 under [points]."
                )

    def weight(self, kata: str, test: Expected) -> float:
        """The weight of one test among those of its kata."""
        said = self.weights.get(kata, {})
        return next((said[key] for key in _keys(test) if key in said), 1.0)

    def total(self, kata: str) -> float | None:
        """What the kata is worth in all, or None if each of its tests is worth its weight."""
        return self.points.get(kata, self.per_kata)

    def hidden_tests(self, kata: str) -> Path | None:
        """The instructor's own tests of a kata, if there are any."""
        path = None if self.hidden is None else self.hidden / f"test_{kata}.py"
        return path if path is not None and path.is_file() else None

    def to_toml(self, katas: Collection[str], hidden: str | None) -> str:
        """A file that says the same of these katas, with the directory of hidden tests called `hidden`, if any."""
        lines = [f"title = {_quoted(self.title)}", f"feedback = {_quoted(self.feedback)}"]
        if hidden is not None:
            lines.append(f"hidden = {_quoted(hidden)}")
        limits = [f"{one.name} = {getattr(self.limits, one.name)!r}" for one in fields(Limits)]
        points = [f"{kata} = {points!r}" for kata, points in self.points.items() if kata in katas]
        if self.per_kata is not None:
            points.insert(0, f"per_kata = {self.per_kata!r}")
        lines += ["", "[limits]", *limits, "", "[points]", *points]
        for kata, weights in self.weights.items():
            if kata in katas:
                lines += ["", f"[weights.{kata}]", *(f"{_quoted(key)} = {one!r}" for key, one in weights.items())]
        return "\n".join(lines) + "\n"

    def _unknown_test(self, kata: str, key: str, tests: Iterable[Expected]) -> NoReturn:
        known = list(dict.fromkeys(name for test in tests for name in reversed(_keys(test))))
        what = "rule" if key.isdigit() else "test"
        known = [name for name in known if name.isdigit() == key.isdigit()]
        raise GraderError(
            f"{self.source or FILE}: weights.{kata}.{key}: {kata} has no {what} {key}. {_nearest(key, known)}"
        )


def _quoted(text: str) -> str:
    """A basic string of TOML, whose escapes JSON's are among."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def base_name(name: str) -> str:
    """A test's name without its parameters: `test_x` of `test_x[3]`."""
    return name.partition("[")[0]


def _keys(test: Expected) -> tuple[str, ...]:
    """What a weight may call the test, the closest name first."""
    names = (test.name, base_name(test.name)) if "[" in test.name else (test.name,)
    return names if test.rule is None else (*names, str(test.rule))


def _nearest(word: str, known: Collection[str]) -> str:
    """The remedy for a name that does not exist."""
    if close := difflib.get_close_matches(word, list(known), n=3, cutoff=0.4):
        return f"Nearest: {', '.join(close)}."
    if not known:
        return "There are none."
    shown = sorted(known, key=lambda name: (len(name), name)) if all(map(str.isdigit, known)) else list(known)
    return f"There are: {', '.join(shown[:12])}{', …' if len(shown) > 12 else ''}."


@dataclass(frozen=True, slots=True)
class _File:
    """A `grading.toml` on its way to a Config."""

    path: Path
    katas: tuple[str, ...]

    def config(self) -> Config:
        data = self._load()
        self._known("", data, ("title", "feedback", "hidden", "limits", "points", "weights"))
        points = {key: self._number(f"points.{key}", value) for key, value in self._table("points", data).items()}
        per_kata = points.pop("per_kata", None)
        for kata in points:
            self._kata(f"points.{kata}", kata, ("per_kata",))
        return Config(
            title=self._title(data.get("title", Config().title)),
            feedback=self._feedback(data.get("feedback", Config().feedback)),
            hidden=self._hidden(data["hidden"]) if "hidden" in data else None,
            limits=self._limits(self._table("limits", data)),
            per_kata=per_kata,
            points=points,
            weights=self._weights(self._table("weights", data)),
            source=self.path,
        )

    def _load(self) -> dict[str, Any]:
        try:
            return tomllib.loads(self.path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise GraderError(f"there is no {self.path}. `dojo grade --init` writes one with the defaults.") from None
        except OSError as error:
            raise GraderError(f"{self.path} cannot be read: {error.strerror}. Name a file that can.") from error
        except UnicodeDecodeError as error:
            raise GraderError(f"{self.path} is not UTF-8. Save it as UTF-8.") from error
        except (ValueError, RecursionError) as error:  # an integer of thousands of digits is no TOMLDecodeError
            raise GraderError(
                f"{self.path} is not valid TOML: {error}. `dojo grade --init` shows how one looks."
            ) from error

    def _title(self, value: object) -> str:
        if not isinstance(value, str):
            self._wrong("title", value, "a text in quotes")
        if not value.strip() or not value.isprintable() or len(value) > 200:
            self._fail("title", "is empty, too long or has unprintable characters. Write one line of text.")
        return value

    def _feedback(self, value: object) -> Feedback:
        known = get_args(Feedback)
        if not isinstance(value, str):
            self._wrong("feedback", value, f"one of {', '.join(known)}, in quotes")
        if value not in known:
            self._fail("feedback", f"there is no feedback {value!r}. {_nearest(value, known)}")
        return cast(Feedback, value)

    def _hidden(self, value: object) -> Path:
        if not isinstance(value, str) or not value or "\0" in value:
            self._wrong("hidden", value, "a directory's name in quotes")
        directory = (self.path.parent / value).resolve()
        if not directory.is_dir():
            self._fail("hidden", f"{directory} is no directory. Make it, and put test_<kata>.py files into it.")
        found = sorted(path.stem.removeprefix("test_") for path in directory.glob("test_*.py"))
        for kata in found:
            if kata not in self.katas:
                self._fail("hidden", f"test_{kata}.py in {directory} is of no kata. {_nearest(kata, self.katas)}")
        if not found:
            self._fail("hidden", f"{directory} holds no test_<kata>.py. Put one there, or remove the line.")
        return directory

    def _limits(self, table: Mapping[str, object]) -> Limits:
        defaults = {one.name: getattr(Limits(), one.name) for one in fields(Limits)}
        self._known("limits.", table, tuple(defaults))
        given: dict[str, Any] = {}
        for key, value in table.items():
            given[key] = self._number(f"limits.{key}", value)
            if isinstance(defaults[key], int):
                if not isinstance(value, int):
                    self._wrong(f"limits.{key}", value, "a whole number")
                given[key] = value
            if not value:
                self._fail(f"limits.{key}", "0 would end every submission. Leave the line out for the default.")
        return Limits(**given)

    def _weights(self, table: Mapping[str, object]) -> dict[str, dict[str, float]]:
        weights: dict[str, dict[str, float]] = {}
        for kata, given in table.items():
            where = f"weights.{kata}"
            self._kata(where, kata)
            if not isinstance(given, dict):
                self._wrong(where, given, f"a table. Begin it with [weights.{kata}]")
            weights[kata] = {key: self._number(f"{where}.{key}", value) for key, value in given.items()}
        return weights

    def _table(self, key: str, data: Mapping[str, Any]) -> dict[str, Any]:
        value = data.get(key, {})
        if not isinstance(value, dict):
            self._wrong(key, value, f"a table. Begin it with [{key}]")
        return value

    def _number(self, where: str, value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            self._wrong(where, value, f"a number from 0 to {LARGEST}")
        if not (0 <= value <= LARGEST and math.isfinite(value)):  # NaN is in no interval either
            self._fail(where, f"{_shown(value)} is not from 0 to {LARGEST}. Write a number that is.")
        return float(value)

    def _kata(self, where: str, kata: str, besides: tuple[str, ...] = ()) -> None:
        if kata not in self.katas:
            self._fail(where, f"there is no kata {kata!r}. {_nearest(kata, (*self.katas, *besides))}")

    def _known(self, where: str, table: Mapping[str, object], known: Collection[str]) -> None:
        for key in table:
            if key not in known:
                self._fail(f"{where}{key}", f"there is no such key. {_nearest(key, known)}")

    def _wrong(self, where: str, value: object, wanted: str) -> NoReturn:
        self._fail(where, f"{_shown(value)} is not {wanted}.")

    def _fail(self, where: str, what: str) -> NoReturn:
        raise GraderError(f"{self.path}: {where}: {what}")


def _shown(value: object) -> str:
    """A value as the file may have it, cut to what fits a message; a huge integer has no decimal text in Python."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > 10**12:
        return "a number of that size"
    text = {True: "true", False: "false"}[value] if isinstance(value, bool) else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
