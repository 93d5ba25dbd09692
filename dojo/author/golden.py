"""`dojo author golden`: failure messages are under test like any other feature.

`tests/golden/<kata>/<mutant>.txt` holds what a learner sees who made that mutant's mistake: the first
failure of the rule that the mutant declares. Where a newer Python words or schedules something else,
`<mutant>.py3.13.txt` beside it holds for that version and those after it.
"""

from __future__ import annotations

import difflib
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from dojo.author import verdicts
from dojo.author.declared import DeclarationError, Mutant
from dojo.author.gate import run_mutants, run_solutions
from dojo.catalog import Kata, load
from dojo.runner import RunnerError, RunResult

FIRST_PYTHON = (3, 11)
"""The version whose messages the plain files hold."""
PYTHON = (sys.version_info.major, sys.version_info.minor)

MAX_LINES = 25
MAX_WIDTH = 120


@dataclass(frozen=True, slots=True)
class Golden:
    """One message as it is now, and the files that say what it should be."""

    mutant: str
    directory: Path
    message: str

    def path(self) -> Path:
        """The file that holds for this version of Python; the plain one, if none does."""
        newer = [(PYTHON[0], minor) for minor in range(PYTHON[1], FIRST_PYTHON[1], -1)]
        files = [self._of_version(version) for version in newer]
        return next((file for file in files if file.is_file()), self._of_version(FIRST_PYTHON))

    def path_to_write(self) -> Path:
        """Where this version's message belongs if it differs; the first message of all is everybody's."""
        plain = self._of_version(FIRST_PYTHON)
        return self._of_version(PYTHON) if plain.is_file() else plain

    def _of_version(self, version: tuple[int, int]) -> Path:
        suffix = "" if version <= FIRST_PYTHON else f".py{version[0]}.{version[1]}"
        return self.directory / f"{self.mutant}{suffix}.txt"

    def difference(self) -> str:
        """A unified diff from the file to the message; empty if they are the same."""
        path = self.path()
        there = path.read_text(encoding="utf-8") if path.is_file() else ""
        lines = difflib.unified_diff(
            there.splitlines(), self.message.splitlines(), f"{path.name} (golden)", "now", lineterm=""
        )
        return "\n".join(lines)


def directory(kata: Kata) -> Path:
    return kata.root / "tests" / "golden" / kata.name


def messages(kata: Kata, results: Iterable[tuple[Mutant, RunResult]]) -> tuple[Golden, ...]:
    """The messages of those mutants that die as they declare, as these results have them."""
    return tuple(
        Golden(mutant.name, directory(kata), _trimmed(test.message))
        for mutant, result in results
        if (test := verdicts.killing(mutant, result)) is not None
    )


def goldens(kata: Kata, results: Iterable[tuple[Mutant, RunResult]]) -> tuple[Golden, ...]:
    """The same, whatever hash seed this interpreter has.

    A mistake may show its interpreter's hash seed, such as `hash(key)` in a key. So a message that differs
    from its file is made again under seed 0, and that one counts.
    """
    found = messages(kata, results)
    differing = [golden.mutant for golden in found if golden.difference()]
    if differing and os.environ.get("PYTHONHASHSEED") != "0":
        seeded = _under_seed_0(kata, differing)
        found = tuple(replace(golden, message=seeded.get(golden.mutant, golden.message)) for golden in found)
    return found


def _trimmed(message: str) -> str:
    return "\n".join(line.rstrip() for line in message.strip("\n").splitlines()) + "\n"


def _under_seed_0(kata: Kata, names: Sequence[str]) -> dict[str, str]:
    """The messages of the named mutants in a new interpreter, by mutant."""
    package = Path(__file__).resolve().parents[2]
    path = os.pathsep.join([str(package), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, "-m", "dojo.author.golden", kata.name, *names],
        cwd=kata.root,
        env={**os.environ, "PYTHONHASHSEED": "0", "PYTHONPATH": path},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise RunnerError(f"the mutants of {kata.name} cannot be run under hash seed 0:\n{done.stderr.strip()}")
    found: dict[str, str] = json.loads(done.stdout)
    return found


def _print_messages(name: str, mutants: Sequence[str]) -> None:
    """What `_under_seed_0` reads."""
    kata = load().find(name)
    [solution] = run_solutions([kata])
    found = messages(kata, run_mutants(kata, solution, mutants))
    print(json.dumps({golden.mutant: golden.message for golden in found}))


def complaints(golden: Golden) -> list[str]:
    """What is wrong with a message: it is too long or too wide for a screen, or not what it was."""
    lines = golden.message.splitlines()
    found = []
    if len(lines) >= MAX_LINES:
        found.append(f"{golden.mutant}: {len(lines)} lines; a failure message stays under {MAX_LINES}.")
    if wide := [line for line in lines if len(line) > MAX_WIDTH]:
        found.append(f"{golden.mutant}: a line of {len(wide[0])} characters; at most {MAX_WIDTH}.")
    if difference := golden.difference():
        found.append(
            f"{golden.mutant}: the message changed. Read it as a learner would; if it is right, "
            f"`dojo author golden --update`.\n{difference}"
        )
    return found


def orphans(kata: Kata, mutants: Iterable[Mutant]) -> tuple[Path, ...]:
    """Golden files whose mutant is gone."""
    names = {mutant.name for mutant in mutants}
    return tuple(path for path in sorted(directory(kata).glob("*.txt")) if path.name.partition(".")[0] not in names)


def main(chosen: Sequence[Kata], update: bool) -> int:
    """Compares the katas' messages with their files, or writes the files; 0 if nothing differs or all was written."""
    katas = [kata for kata in chosen if kata.test_file.is_file() and kata.solution.is_file()]
    try:
        solutions = zip(katas, run_solutions(katas), strict=True)
        runs = [run_mutants(kata, solution) for kata, solution in solutions]
    except (DeclarationError, RunnerError) as error:
        print(error, file=sys.stderr)
        return 3
    wrong = 0
    for kata, results in zip(katas, runs, strict=True):
        wrong += _update(kata, results) if update else _compare(kata, results)
    return 1 if wrong else 0


def _compare(kata: Kata, results: Sequence[tuple[Mutant, RunResult]]) -> int:
    found = [complaint for golden in goldens(kata, results) for complaint in complaints(golden)]
    found += [f"{path.name}: its mutant is gone; delete it." for path in orphans(kata, (m for m, _ in results))]
    print(f"{kata.name}: {len(found)} of {len(results)} messages to look at" if found else f"{kata.name}: as they were")
    for complaint in found:
        print(f"  {complaint}")
    return len(found)


def _update(kata: Kata, results: Sequence[tuple[Mutant, RunResult]]) -> int:
    """Writes what changed; a message that is too long is written and still wrong."""
    for path in orphans(kata, (mutant for mutant, _ in results)):
        path.unlink()
    wrong = 0
    for golden in goldens(kata, results):
        if golden.difference():
            path = golden.path_to_write()
            path.parent.mkdir(parents=True, exist_ok=True)
            draft = path.with_name(f".{path.name}.new")
            draft.write_text(golden.message, encoding="utf-8")
            os.replace(draft, path)
            print(f"{path.relative_to(kata.root)} written")
        for complaint in complaints(golden):
            wrong += 1
            print(f"  {complaint}")
    return wrong


if __name__ == "__main__":
    _print_messages(sys.argv[1], sys.argv[2:])
