"""The tree that submissions are graded in: tests and stubs, and nothing that would help to fake a solution."""

from __future__ import annotations

import hashlib
import importlib.metadata
import platform
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import dojo
from dojo.catalog import SYLLABUS, Catalog, Kata
from dojo.grader.model import GraderError
from dojo.stubs import stub_of

_LIBRARIES = (
    *("pytest", "pytest-asyncio", "hypothesis", "redis", "fakeredis", "lupa", "time-machine"),
    *("fastapi", "starlette", "httpx", "httpx-ws", "celery", "kombu", "limits", "tenacity", "throttled-py"),
    *("async-lru", "purgatory", "httpx-sse", "sse-starlette", "broadcaster", "cachetools"),
)


@dataclass(frozen=True, slots=True)
class TestFile:
    """One file of tests of a kata."""

    __test__ = False

    kata: str
    path: str
    """Relative to the trusted tree."""
    hidden: bool
    digest: str
    """Of its text, in hexadecimal."""


def build(tree: Path, catalog: Catalog, katas: Sequence[Kata], hidden: Path | None = None) -> list[TestFile]:
    """Fills the empty directory `tree`; returns its test files, those of each kata in the order in which they run.

    `hidden` is a directory with tests of the instructor's own, called `test_<kata>.py` as well.
    Raises GraderError if a part is missing.
    """
    for relative in (Path("conftest.py"), Path("pyproject.toml"), SYLLABUS):
        _copy(catalog.root / relative, tree / relative)
    files = []
    for kata in katas:
        directory = tree / kata.directory.relative_to(catalog.root)
        directory.mkdir(parents=True)
        (directory / kata.stub.name).write_text(stub_of(kata), encoding="utf-8")
        files.append(_test_file(tree, kata, kata.test_file, directory / kata.test_file.name, hidden=False))
        own = hidden / kata.test_file.name if hidden is not None else None
        if own is not None and own.is_file():
            files.append(_test_file(tree, kata, own, directory / f"test_hidden_{kata.name}.py", hidden=True))
    for path in (tree, *tree.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)  # whoever runs the tests may read them
    return files


def _test_file(tree: Path, kata: Kata, source: Path, target: Path, *, hidden: bool) -> TestFile:
    _copy(source, target)
    return TestFile(kata.name, target.relative_to(tree).as_posix(), hidden, _digest(target.read_bytes()))


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        shutil.copyfile(source, target)
    except OSError as error:
        raise GraderError(f"cannot read {source}: {error.strerror}. Restore it from a fresh clone.") from error


def lab_version() -> str:
    """A digest of all that a verdict depends on apart from the tests and the submission."""
    package = Path(dojo.__file__).parent
    digest = hashlib.sha256(platform.python_version().encode())
    for part in ("plugin.py", "catalog.py", "lab", "runner", "grader"):
        for path in sorted([package / part] if part.endswith(".py") else (package / part).rglob("*.py")):
            digest.update(path.relative_to(package).as_posix().encode() + b"\0" + path.read_bytes())
    for name in _LIBRARIES:
        try:
            digest.update(f"{name}={importlib.metadata.version(name)}".encode())
        except importlib.metadata.PackageNotFoundError:
            continue
    return digest.hexdigest()


def key(source: bytes, files: Sequence[TestFile], lab: str, settings: Mapping[str, object]) -> str:
    """What a verdict is kept under: the same key, the same verdict."""
    parts = [_digest(source), *(file.digest for file in files), lab, repr(sorted(settings.items()))]
    return _digest("\n".join(parts).encode())


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
