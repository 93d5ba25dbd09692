"""A class repository: the katas, the tools and nothing that gives a solution away.

What is copied is a list of what may go, and never one of what may not: a file that somebody adds tomorrow, such as
an instructor's `grading.toml` or hidden tests, stays behind until it is named here. From `katas/` it is the
syllabus and each kata's README, tests and hints; the stub is derived, so no learner's work goes out as one.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from dojo.catalog import PRISTINE, SYLLABUS, Catalog, Kata
from dojo.grader.class_readme import class_project, class_readme
from dojo.grader.model import GraderError
from dojo.grader.templates import template
from dojo.readme import current
from dojo.stubs import stub_of

_AS_THEY_ARE = ("LICENSE", "conftest.py", ".gitignore", ".vscode/settings.json")
_QUOTED = "tests/readme/failure.txt"
"""What README.md quotes: a failure, which gives away no more than the README does."""


class DestinationError(GraderError):
    """What was to be written cannot go where it should; the message names the remedy."""


@dataclass(frozen=True, slots=True)
class Exported:
    """A class repository that has been written."""

    root: Path
    files: int
    left_behind: tuple[str, ...]
    """Tracked files of `katas/` that are not a kata's README, stub, tests or hints, relative to the repository."""


def export(katas: Catalog, destination: Path) -> Exported:
    """Write the class repository of all katas to a directory that is not there yet, or empty.

    It is there whole or not at all. Raises DestinationError, GraderError if a file is missing or cannot be written,
    StubError if a stub cannot be derived, and CatalogError if the README's table has lost its place.
    """
    destination = destination.resolve()
    _check(destination, katas.root)
    draft = destination.with_name(f".{destination.name}.{os.getpid()}.new")
    try:
        destination.parent.mkdir(parents=True, exist_ok=True)
        files = lay_out(katas, draft)
        if destination.exists():
            destination.rmdir()  # empty; a rename onto it is not possible everywhere
        draft.rename(destination)
    except OSError as error:
        raise GraderError(f"cannot write {destination}: {error.strerror}. Name another place.") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return Exported(destination, files, _left_behind(katas))


def lay_out(katas: Catalog, root: Path, chosen: Iterable[Kata] | None = None) -> int:
    """Write the files below `root`, which is made, with all katas or only those `chosen`; how many files.

    Raises what `export` does, OSError among it as it comes.
    """
    texts = _texts(katas, katas.katas if chosen is None else tuple(chosen))
    for path, text in texts.items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(text.encode())
    copied = [path for path in (*_AS_THEY_ARE, *_tools(katas.root)) if (katas.root / path).is_file()]
    if "dojo/__init__.py" not in copied:
        raise GraderError(f"{katas.root} has no dojo/ to hand out. Export from a whole clone.")
    for path in copied:
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(katas.root / path, target)
    return len(texts) + len(copied)


def _texts(katas: Catalog, chosen: tuple[Kata, ...]) -> dict[str, str]:
    """What is written anew, by its path in the class repository."""
    root = katas.root
    found: dict[str, str] = {}
    for kata in chosen:
        stub = stub_of(kata)
        found[_within(kata.stub, root)] = found[_within(kata.pristine, root)] = stub
        for path in (kata.readme, kata.test_file, kata.hints, *_extra(kata)):
            found[_within(path, root)] = _read(path)
    whole = len(chosen) == len(katas)
    found[SYLLABUS.as_posix()] = _read(root / SYLLABUS) if whole else _syllabus(chosen)
    readme = _read(root / "README.md")
    found["README.md"] = class_readme(current(readme, Catalog(root, chosen)))
    if f"quote: {_QUOTED} " in readme:
        found[_QUOTED] = _read(root / _QUOTED)
    found["pyproject.toml"] = class_project(_read(root / "pyproject.toml"))
    found["tests/test_class_repository.py"] = template("class_tests.py")
    found[f"{PRISTINE}/README.md"] = template("pristine.md")
    return found


def _syllabus(chosen: Iterable[Kata]) -> str:
    """The list of these katas alone. What they build on is named if it is among them."""
    entries: list[str] = []
    names: list[str] = []
    for kata in chosen:
        needs = ", ".join(f'"{need}"' for need in kata.needs if need in names)
        title = kata.title.replace("\\", "\\\\").replace('"', '\\"')
        entries.append(
            f'[[kata]]\ntrack = "{kata.track}"\nname = "{kata.name}"\ntitle = "{title}"\n'
            f"difficulty = {kata.difficulty}\nminutes = {kata.minutes}\nneeds = [{needs}]\n"
        )
        names.append(kata.name)
    return "\n".join(entries)


def _tools(root: Path) -> list[str]:
    """The files of `dojo/`: those that git tracks if this is a clone, else all but caches and hidden ones."""
    paths = _tracked(root, "dojo")
    if paths is None:
        paths = [
            path.relative_to(root).as_posix()
            for path in (root / "dojo").rglob("*")
            if path.is_file()
            and not any(part.startswith((".", "__pycache__")) for part in path.relative_to(root).parts)
        ]
    # A link may lead anywhere, to a solution for instance.
    return sorted(path for path in paths if (root / path).resolve() == root.resolve() / path)


def _tracked(root: Path, directory: str) -> list[str] | None:
    """What git tracks below a directory of the repository; None without git or outside a clone."""
    if not (root / ".git").exists():
        return None
    command = ["git", "-C", str(root), "ls-files", "-z", "--", directory]
    # Inside a hook or an alias, GIT_DIR and its like speak of another repository.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        done = subprocess.run(command, env=environment, capture_output=True, check=True, timeout=60)
    except (OSError, subprocess.SubprocessError):
        return None
    return [path for path in os.fsdecode(done.stdout).split("\0") if path] or None


def _extra(kata: Kata) -> Iterator[Path]:
    """What only some katas have."""
    if kata.on_a_broker.is_file():
        yield kata.on_a_broker


def _left_behind(katas: Catalog) -> tuple[str, ...]:
    known = {SYLLABUS.as_posix()}
    for kata in katas:
        files = (kata.readme, kata.stub, kata.test_file, kata.hints, *_extra(kata))
        known.update(_within(path, katas.root) for path in files)
    return tuple(path for path in _tracked(katas.root, "katas") or () if path not in known)


def _check(destination: Path, root: Path) -> None:
    if destination.is_relative_to(root):
        raise DestinationError(f"{destination} is inside this repository. Name a directory outside it.")
    if destination.is_dir():
        if any(destination.iterdir()):
            raise DestinationError(f"{destination} is not empty. Name a directory that is not there yet.")
    elif destination.exists():
        raise DestinationError(f"{destination} is a file. Name a directory that is not there yet.")


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise GraderError(f"cannot read {path}: {error}. Restore it from a fresh clone.") from error


def _within(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()
