"""A class that was never there, whose grades are known before the grader has seen it.

Each student hands in solutions, mutants, alternatives, stubs, nothing, or one of a few hostile files, as a directory
or an archive. What each file is worth comes from `dojo.runner` on that very file, which knows nothing of cells, cages
and canaries; what a hostile one is worth is written down here.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from dojo.author.declared import files as declared_files
from dojo.catalog import Kata
from dojo.runner import Job, RunResult, run_many

from .handed_in import tarred, write, zipped

MUTANTS = 6
"""Of each kata, at most, spread over all that it has: each costs one run to know its grade."""

ALTERNATIVES = 2

HOSTILE = {
    "exits": ("import os\n\nos._exit(0)\n", "error"),
    "never ends": ("while True:\n    pass\n", "timed-out"),
    "cannot be parsed": ("def delay(attempt:\n    return 2 **\n", "error"),
    "ends pytest": ("import pytest\n\npytest.exit('all passed', returncode=0)\n", "error"),
}
"""Files that earn nothing in any kata, with the status that they get."""

CONFTEST = """
import pytest


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    outcome.get_result().outcome = "passed"
"""

LIMITS = "[limits]\ncpu_seconds = 10\n"
"""A `grading.toml` for such a class: only the endless ones come near it, and they are not what is measured."""

_SHARES = {"solution": 45, "mutant": 25, "alternative": 10, "stub": 10, "missing": 7, "hostile": 3}


@dataclass(frozen=True, slots=True)
class Mark:
    """What a student gets for one kata."""

    status: str
    points: float
    max: float


Marks = dict[str, dict[str, Mark]]
"""By student and by kata."""


@dataclass(frozen=True, slots=True)
class Piece:
    """What one student hands in for one kata."""

    text: bytes | None
    """None for nothing."""
    hostile: str = ""
    """A key of `HOSTILE`."""


def make_class(
    directory: Path,
    students: int,
    katas: Sequence[Kata],
    seed: int,
    *,
    identical: bool = False,
    hostile: Sequence[str] = tuple(HOSTILE),
) -> Marks:
    """Fills the empty `directory`; the marks that everybody has to get, in the book's order.

    The same arguments make the same class. Each file says at its end whose it is, because a grader may run equal files
    once; with `identical` it does not. `hostile` names those of `HOSTILE` that are handed in.
    """
    chance = random.Random(f"{seed}/{students}/{[kata.name for kata in katas]}")
    kinds = list(hostile)
    chance.shuffle(kinds)
    handed_in: dict[str, dict[str, Piece]] = {}
    for number in range(students):
        name = f"student{number:04}"
        handed_in[name] = {kata.name: _piece(kata, chance, kinds) for kata in katas}
    # Nobody's luck decides whether there are any: with four students there is one of each.
    for number, kind in enumerate(hostile[:students]):
        handed_in[f"student{number:04}"][katas[number % len(katas)].name] = Piece(HOSTILE[kind][0].encode(), kind)
    marks = _marks(handed_in, katas)
    for number, (name, pieces) in enumerate(handed_in.items()):
        texts = {
            kata: piece.text if identical else piece.text + f"\n# {name}\n".encode()
            for kata, piece in pieces.items()
            if piece.text is not None
        }
        _SHAPES[number % len(_SHAPES)](directory, name, katas, texts)
    return marks


def choices(kata: Kata) -> dict[str, tuple[Path, ...]]:
    """The honest files that are handed in for a kata, by their kind."""
    mutants, alternatives = declared_files(kata.mutants), declared_files(kata.alternatives)
    step = max(1, len(mutants) // MUTANTS)
    return {
        "solution": (kata.solution,),
        "mutant": mutants[::step][:MUTANTS],
        "alternative": alternatives[:ALTERNATIVES],
        "stub": (kata.stub,),
    }


def _piece(kata: Kata, chance: random.Random, hostile: list[str]) -> Piece:
    [kind] = chance.choices(list(_SHARES), list(_SHARES.values()))
    if kind == "missing":
        return Piece(None)
    if kind == "hostile" and hostile:
        hostile.append(name := hostile.pop(0))
        return Piece(HOSTILE[name][0].encode(), name)
    return Piece(chance.choice(choices(kata).get(kind) or (kata.solution,)).read_bytes())


def _marks(handed_in: dict[str, dict[str, Piece]], katas: Sequence[Kata]) -> Marks:
    by_name = {kata.name: kata for kata in katas}
    honest = {
        (kata, piece.text)
        for pieces in handed_in.values()
        for kata, piece in pieces.items()
        if piece.text is not None and not piece.hostile
    }
    _find_out([(by_name[kata], text) for kata, text in sorted(honest) if text is not None])
    tests = {kata.name: _result(kata, kata.solution.read_bytes()) for kata in katas}
    marks: Marks = {}
    for student, pieces in handed_in.items():
        marks[student] = {}
        for kata, piece in pieces.items():
            most = float(len(tests[kata].tests))
            if piece.text is None:
                mark = Mark("missing", 0.0, most)
            elif piece.hostile:
                mark = Mark(HOSTILE[piece.hostile][1], 0.0, most)
            else:
                mark = replace(_mark(_result(by_name[kata], piece.text)), max=most)
            marks[student][kata] = mark
    return marks


def _mark(result: RunResult) -> Mark:
    if result.status not in ("green", "red"):
        raise AssertionError(f"{result.kata}: a file that was to be honest ends a run: {result.detail}")
    passed = sum(test.passed for test in result.tests)
    status = "passed" if passed == len(result.tests) else "failed"
    return Mark(status, float(passed), float(len(result.tests)))


_RESULTS: dict[tuple[str, bytes], RunResult] = {}


def _find_out(wanted: Sequence[tuple[Kata, bytes]]) -> None:
    """Runs each file that has not been run yet."""
    new = [(kata, text) for kata, text in wanted if (kata.name, text) not in _RESULTS]
    with tempfile.TemporaryDirectory(prefix="dojo-class-") as directory:
        jobs = []
        for number, (kata, text) in enumerate(new):
            file = Path(directory, str(number), f"{kata.name}.py")
            write(file.parent, {file.name: text})
            jobs.append(Job.of(kata, file))
        for (kata, text), result in zip(new, run_many(jobs), strict=True):
            _RESULTS[kata.name, text] = result


def _result(kata: Kata, text: bytes) -> RunResult:
    _find_out([(kata, text)])
    return _RESULTS[kata.name, text]


Texts = dict[str, bytes]
Shape = Callable[[Path, str, Sequence[Kata], Texts], None]


def _tree(katas: Sequence[Kata], texts: Texts) -> Texts:
    """As in a clone."""
    return {
        (kata.stub.relative_to(kata.root)).as_posix(): texts[kata.name] for kata in katas if kata.name in texts
    } or {"README.md": b"I had no time.\n"}


def _loose(texts: Texts) -> Texts:
    return {f"{kata}.py": text for kata, text in texts.items()} or {"README.md": b"I had no time.\n"}


def _as_clone(directory: Path, name: str, katas: Sequence[Kata], texts: Texts) -> None:
    """With a conftest.py at the root that would have every test pass."""
    write(directory / name, {**_tree(katas, texts), "conftest.py": CONFTEST})


def _as_loose_files(directory: Path, name: str, katas: Sequence[Kata], texts: Texts) -> None:
    write(directory / name, _loose(texts))


def _as_zip(directory: Path, name: str, katas: Sequence[Kata], texts: Texts) -> None:
    (directory / f"{name}.zip").write_bytes(zipped(_loose(texts)))


def _as_tar(directory: Path, name: str, katas: Sequence[Kata], texts: Texts) -> None:
    inside = {f"{name}/{path}": text for path, text in _tree(katas, texts).items()}
    (directory / f"{name}.tar.gz").write_bytes(tarred(inside))


def _as_zip_in_a_directory(directory: Path, name: str, katas: Sequence[Kata], texts: Texts) -> None:
    write(directory / name, {"work.zip": zipped(_tree(katas, texts))})


_SHAPES: tuple[Shape, ...] = (_as_clone, _as_loose_files, _as_zip, _as_tar, _as_zip_in_a_directory)
