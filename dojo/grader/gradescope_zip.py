"""An autograder for Gradescope, as one zip to upload.

At its top are `setup.sh` and `run_autograder`, as Gradescope wants them
(https://gradescope-autograders.readthedocs.io/en/latest/specs/), and in `repository/` a class repository of the
katas that the assignment is about, with the course's `grading.toml` and hidden tests.

There are no solutions in it, although nobody but the instructor can download it: student code runs in the very
container that it is unpacked in, and what is not there cannot be read. So what the grader checks of itself there is
that stubs and empty files earn nothing; that the reference earns everything, it checks on the instructor's machine.
"""

from __future__ import annotations

import os
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

from dojo.catalog import Catalog, Kata
from dojo.grader.config import FILE, Config
from dojo.grader.export import DestinationError, lay_out
from dojo.grader.model import GraderError
from dojo.grader.templates import template

_WHEN = (1980, 1, 1, 0, 0, 0)
"""No file's own time, so that the same repository gives the same bytes."""


def build(destination: Path, katas: Catalog, config: Config, chosen: Sequence[Kata] | None = None) -> int:
    """Write the zip, which must not be there yet, for all katas or only those `chosen`; how many files it holds.

    It is there whole or not at all. Raises DestinationError, GraderError, and what `lay_out` raises.
    """
    if destination.exists():
        raise DestinationError(f"{destination} is there already. Remove it, or name another file.")
    try:
        with tempfile.TemporaryDirectory(prefix="dojo-gradescope-") as scratch:
            root = Path(scratch)
            lay_out(katas, root / "repository", chosen)
            _add_course(root / "repository", config, katas.katas if chosen is None else chosen)
            for name in ("setup.sh", "run_autograder"):
                (root / name).write_bytes(template(name).encode())
            destination.parent.mkdir(parents=True, exist_ok=True)
            draft = destination.with_name(f".{destination.name}.{os.getpid()}.new")
            try:
                files = _pack(root, draft)
                os.replace(draft, destination)
            finally:
                draft.unlink(missing_ok=True)
    except OSError as error:
        raise GraderError(f"cannot write {destination}: {error.strerror}. Name another place.") from error
    return files


def _add_course(root: Path, config: Config, katas: Sequence[Kata]) -> None:
    """The configuration as far as it is about these katas, and their hidden tests."""
    hidden = [(kata, path) for kata in katas if (path := config.hidden_tests(kata.name)) is not None]
    for _, path in hidden:
        target = root / "hidden" / path.name
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(path.read_bytes())
    text = config.to_toml([kata.name for kata in katas], hidden="hidden" if hidden else None)
    (root / FILE).write_bytes(text.encode())


def _pack(root: Path, target: Path) -> int:
    paths = sorted(path for path in root.rglob("*") if path.is_file())
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in paths:
            entry = zipfile.ZipInfo(path.relative_to(root).as_posix(), _WHEN)
            entry.create_system = 3  # Unix: what follows is read as a mode, also if we are elsewhere
            mode = 0o755 if path.parent == root else 0o644
            entry.external_attr = (0o100000 | mode) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, path.read_bytes())
    return len(paths)
