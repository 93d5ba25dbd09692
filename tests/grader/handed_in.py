"""Folders and archives as students and platforms make them, for the tests of the intake."""

from __future__ import annotations

import io
import tarfile
import unicodedata
import zipfile
from collections.abc import Mapping
from pathlib import Path

from dojo.catalog import Kata
from dojo.grader.intake import Roster, submissions
from dojo.grader.model import Submission

SOURCE = b"answer = 42\n"
KATAS = (("caching", "cache_aside"), ("rate", "rate_limiter"), ("messaging", "dlq_router"))
NASTY = (
    b"an\xff\xfen",
    b"a\nb\r\x1b[31m",
    "x\u202egnp.exe".encode(),
    "a\u2066b\u2028c".encode(),
    b"n" * 250,
    b"=1+1\t2",
)
"""Names of students and files: not UTF-8, with control characters, turned round, very long, a formula."""
TRUSTED_TEST = "def test_cache_aside():\n    assert True\n"


def repository(root: Path) -> tuple[Kata, ...]:
    """The katas of a small repository of the instructor's, with its tests and what steers pytest."""
    katas = tuple(Kata(track, name, name, 1, 10, (), root) for track, name in KATAS)
    for kata in katas:
        kata.directory.mkdir(parents=True)
        kata.stub.write_text("")
        kata.test_file.write_text(TRUSTED_TEST.replace("cache_aside", kata.name))
    (root / "conftest.py").write_text("# the repository's\n")
    (root / "pyproject.toml").write_text("[project]\n")
    return katas


class Desk:
    """A repository of the instructor's, and a folder of submissions that a test fills."""

    def __init__(self, root: Path) -> None:
        self.katas = repository(root / "repository")
        self.folder = root / "handed-in"
        self.folder.mkdir()

    def put(self, files: Mapping[str, bytes | str]) -> None:
        write(self.folder, files)

    def read(self, roster: Roster | None = None, where: Path | None = None) -> dict[str, Submission]:
        """What is in the folder, or in an archive of such, by the student's name; no name may come twice."""
        found = list(submissions(where or self.folder, self.katas, roster))
        assert len({one.name for one in found}) == len(found)
        return {one.name: one for one in found}

    def ann(self) -> Submission:
        """The only student's."""
        [one] = self.read().values()
        return one


def write(root: Path, files: Mapping[str, bytes | str]) -> None:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)


def zipped(files: Mapping[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


def tarred(files: Mapping[str, bytes], packing: str = "gz", more: tuple[tarfile.TarInfo, ...] = ()) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=f"w:{packing}") as archive:  # type: ignore[call-overload]
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
        for info in more:
            archive.addfile(info)
    return out.getvalue()


def special(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def zip_member(name: str, mode: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.create_system, info.external_attr = 3, mode << 16
    return info


def harmless(one: Submission) -> None:
    """Nothing that a person reads can move the cursor, hide text, or fill the page."""
    for text in (one.name, one.origin, one.trouble, *one.notes, *one.refused.values()):
        assert len(text) < 1000
        assert not [c for c in text if unicodedata.category(c) in ("Cc", "Cs") or c in "\u202e\u2066\u2028"]
        text.encode()
