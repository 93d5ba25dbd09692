"""How far the learner is: which katas were green, on which text, and how many hints were shown."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from dojo.catalog import Catalog, Kata
from dojo.practice.bench import HOME, PracticeError, write_atomically
from dojo.stubs import StubError, is_pristine

State = Literal["solved", "changed", "started", "new", "incomplete"]
"""solved: green, and untouched since. changed: it was green, the file has been edited since.
started: the file is not the stub any more. new: it is. incomplete: files of the kata itself are
missing or wrong."""

_FILE = Path(HOME) / "progress.json"
_VERSION = 1


@dataclass(frozen=True, slots=True)
class Progress:
    """What is remembered of one kata."""

    hints: int = 0
    """How many have been shown."""
    solved_at: str | None = None
    """When its tests were first green, ISO 8601 in UTC."""
    solved_sha256: str | None = None
    """Of the learner's file when its tests were last green."""


def load(root: Path) -> dict[str, Progress]:
    """Progress by kata name. Raises PracticeError if the file is there but cannot be understood."""
    path = root / _FILE
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if data["version"] != _VERSION:
            raise PracticeError(f"{path} was written by another version of the dojo. Move it away to start afresh.")
        return {name: Progress(**fields) for name, fields in data["katas"].items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise PracticeError(f"{path} cannot be read: {error}. Move it away to start afresh.") from error


def record_hints(kata: Kata, shown: int) -> None:
    """Remember that hints 1 to `shown` were shown; showing fewer again takes nothing back."""
    progress = load(kata.root)
    now = progress.get(kata.name, Progress())
    if shown > now.hints:
        _save(kata.root, {**progress, kata.name: replace(now, hints=shown)})


def record_green(kata: Kata, text: bytes, at: datetime | None = None) -> None:
    """Remember that the tests passed on `text`, the learner's file as it was run."""
    progress = load(kata.root)
    now = progress.get(kata.name, Progress())
    first = now.solved_at or (at or datetime.now(UTC)).isoformat(timespec="seconds")
    solved = replace(now, solved_at=first, solved_sha256=hashlib.sha256(text).hexdigest())
    _save(kata.root, {**progress, kata.name: solved})


def state_of(kata: Kata, progress: Progress | None) -> State:
    """Where the learner stands with one kata, without running anything."""
    if not (kata.stub.is_file() and kata.test_file.is_file() and kata.solution.is_file()):
        return "incomplete"
    try:
        if is_pristine(kata):
            return "new"
    except StubError:  # `dojo doctor` says what is wrong with the solution
        return "incomplete"
    if progress is None or progress.solved_sha256 is None:
        return "started"
    same = hashlib.sha256(kata.stub.read_bytes()).hexdigest() == progress.solved_sha256
    return "solved" if same else "changed"


def states(katas: Catalog) -> dict[str, State]:
    """Where the learner stands with each kata, by name."""
    progress = load(katas.root)
    return {kata.name: state_of(kata, progress.get(kata.name)) for kata in katas}


def next_kata(katas: Catalog, standing: dict[str, State]) -> Kata | None:
    """The kata to go on with: one that is being worked on, else the first new one, else None."""
    for wanted in ("started", "new"):
        for kata in katas:
            if standing[kata.name] == wanted:
                return kata
    return None


def _save(root: Path, progress: dict[str, Progress]) -> None:
    katas = {name: asdict(progress[name]) for name in sorted(progress)}
    text = json.dumps({"version": _VERSION, "katas": katas}, indent=2) + "\n"
    write_atomically(root / _FILE, text.encode())
