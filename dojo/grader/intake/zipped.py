"""The members of a zip archive, in memory or on the disk."""

from __future__ import annotations

import io
import itertools
import stat
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

from dojo.grader.intake.archive import Member
from dojo.grader.intake.directory import word
from dojo.grader.intake.names import clean, size
from dojo.grader.intake.tree import Kind, Refused, Unsafe, hidden, too_large

_ENCRYPTED = 0x1 | 0x40 | 0x2000
_UTF8 = 0x800
_LOCAL_HEADER = 30
"""Bytes of a member's own header at least."""
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
# The others are rare, and Python's readers of them unpack a whole block at once: 4 KiB of bzip2 can be gigabytes.


class Zip:
    """An open zip archive. Close it.

    `table` bounds its directory in bytes, which is read at once: an entry has about a hundred of them.
    Raises Unsafe if it is no zip archive, damaged, or plays tricks.
    """

    def __init__(self, source: bytes | Path, table: int = 8 << 20) -> None:
        self._source, self._table = source, table
        self._file: zipfile.ZipFile | None = None
        self.members = [_member(info) for info in self._infos()]

    def _infos(self) -> list[zipfile.ZipInfo]:
        file = self._opened()
        try:
            infos = file.infolist()
            places = sorted((info.header_offset, info.compress_size) for info in infos)
            for (start, packed), (following, _) in itertools.pairwise([*places, (file.start_dir, 0)]):
                if start + _LOCAL_HEADER + packed > following:
                    raise Unsafe("is not safe to open: its entries overlap")
        except BaseException:
            self.close()
            raise
        return infos

    def _opened(self) -> zipfile.ZipFile:
        if self._file is None:
            # zipfile leaves a file open that it was given, and this one knows when to close.
            raw = io.BytesIO(self._source) if isinstance(self._source, bytes) else self._source.open("rb")
            guard = _Guarded(cast(io.RawIOBase, raw), self._table)
            try:
                self._file = zipfile.ZipFile(guard)
            except BaseException as error:
                guard.close()
                if isinstance(error, OSError | zipfile.BadZipFile | NotImplementedError | ValueError | OverflowError):
                    raise Unsafe(f"is damaged, or not a zip archive: {clean(str(error))}") from error
                raise
            self._guard = guard
        return self._file

    def fetch(self, member: Member, limit: int) -> bytes:
        """The content of a member. Raises Refused if there is more than `limit`, Unsafe if the archive is damaged."""
        info = cast(zipfile.ZipInfo, member.key)
        try:
            with self._opened().open(info) as file:
                return b"".join(_chunks(file, limit))
        except Refused:
            raise
        except Exception as error:  # zipfile lets those of zlib, struct and codecs through
            raise Unsafe(f"is damaged at {clean(member.name, 60)!r}: {clean(str(error))}") from error

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._guard.close()
            self._file = None


class _Guarded(io.BufferedReader):
    """A file of which no more than `most` bytes are read at a time: zipfile reads a directory of any size whole."""

    def __init__(self, raw: io.RawIOBase, most: int) -> None:
        super().__init__(raw)
        self._most = most

    def read(self, count: int | None = -1, /) -> bytes:
        if count is None or count < 0 or count > self._most:
            here = self.tell()
            left = self.seek(0, io.SEEK_END) - here
            self.seek(here)
            if (left if count is None or count < 0 else min(count, left)) > self._most:
                raise Unsafe(f"has a directory of more than {size(self._most)}. Hand in the kata files alone")
        return super().read(count)


def _member(info: zipfile.ZipInfo) -> Member:
    name = info.orig_filename  # as it stands there, before zipfile makes it harmless
    if not info.flag_bits & _UTF8:
        name = _respelt(name)
    kind, what = _kind(info)
    flaw = ""
    if info.flag_bits & _ENCRYPTED:
        flaw = "is encrypted. Make the archive anew without a password"
    elif kind == "file" and info.compress_type not in _METHODS and not hidden(name):
        flaw = "is packed by an unusual method. Make the archive anew with the system's own zip"
    return Member(name, kind, what, max(0, info.file_size), flaw, info)


def _kind(info: zipfile.ZipInfo) -> tuple[Kind, str]:
    mode = info.external_attr >> 16  # of Unix, whatever system the entry says it is from: unzip looks there as well
    if stat.S_ISLNK(mode):
        return "link", "a symbolic link"
    if info.orig_filename.endswith("/") or stat.S_ISDIR(mode):
        return "directory", "a directory"
    if stat.S_IFMT(mode) and not stat.S_ISREG(mode):
        return "other", word(mode)
    return "file", "a file"


def _respelt(name: str) -> str:
    """A name that is UTF-8 without saying so, as macOS writes them."""
    try:
        return name.encode("cp437").decode("utf-8")
    except UnicodeError:
        return name


def _chunks(file: IO[bytes], limit: int) -> Iterator[bytes]:
    """To the end, where the check sum is compared; what the directory says of the size is not relied on."""
    count = 0
    while chunk := file.read(1 << 16):
        count += len(chunk)
        if count > limit:
            raise Refused(too_large(count, limit))
        yield chunk
