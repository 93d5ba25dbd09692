"""What the builders of hostile submissions have in common: mallory, the kata's file, and ways to pack it.

A builder makes a folder of submissions, in which one is mallory's. They are made when they are needed, because pipes,
devices and bombs cannot be kept in a repository, and broken source would trouble its tools. What a builder cannot make
on this system it leaves out.
"""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

FILE = "backoff_schedule.py"
ME = "mallory"

STUB = """\
def delay(retry, **options):
    raise NotImplementedError


class Backoff:
    def __init__(self, **options):
        raise NotImplementedError
"""
EASY = "def test_reset_starts_over(lab):\n    'Rule 14. It is easy.'\n"
FORGING = """\
import pytest


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem):
    return True


def pytest_sessionfinish(session):
    session.exitstatus = 0
"""


def student(directory: Path, files: dict[str, str | bytes] | None = None, source: str | bytes = STUB) -> Path:
    """Mallory's directory, with the kata's file in it and others."""
    for name, text in {FILE: source, **(files or {})}.items():
        path = directory / ME / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return directory / ME


def only(directory: Path) -> Path:
    """Mallory's directory, empty."""
    (directory / ME).mkdir(parents=True)
    return directory / ME


def packed(directory: Path, entries: dict[str, bytes | str], name: str = f"{ME}.zip") -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(directory / name, "w", zipfile.ZIP_DEFLATED) as archive:
        for entry, text in entries.items():
            archive.writestr(zipfile.ZipInfo(entry), text, zipfile.ZIP_DEFLATED)
    return directory / name


def taped(directory: Path, members: list[tuple[tarfile.TarInfo, bytes]], name: str = f"{ME}.tar.gz") -> None:
    directory.mkdir(parents=True, exist_ok=True)
    with tarfile.open(directory / name, "w:gz") as archive:
        for member, text in members:
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text))


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "", mode: int = 0o644) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode = kind, link, mode
    return info
