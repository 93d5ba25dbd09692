"""The members of a tar archive, packed or not, read once from its beginning to its end."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
from collections.abc import Callable
from typing import IO, Any, Self, cast

from dojo.grader.intake.archive import Member, normal
from dojo.grader.intake.names import clean, size
from dojo.grader.intake.tree import ALONE, MAX_NODES, MAX_UNPACKED, Kind, Refused, Unsafe, too_many

MAX_KEPT = 64 << 20
"""Bytes of the members that are kept for reading them later."""
_MAX_HEADER = 16 << 10
_MAX_HEADERS = 2 << 20
"""Bytes of one extended header, and of all of them: tarfile takes each whole, and searches it slowly."""
_LZMA_MEMORY = 128 << 20
"""xz -9 needs 65 MiB; an archive may demand 4 GiB."""
_EXTENDED = {
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
}
_MORE_PIECES = 482
"""Where the old header of a sparse file says that its map goes on, for as many blocks as it likes."""
_MOST_ENDS = 16
_MAGIC = ((b"\x1f\x8b", "gz"), (b"BZh", "bz2"), (b"\xfd7zXZ\0", "xz"))


def members(
    source: IO[bytes],
    wanted: Callable[[str], int],
    *,
    most: int = MAX_NODES,
    unpacked: int = MAX_UNPACKED,
    kept: int = MAX_KEPT,
) -> list[Member]:
    """The members, each regular one with its content as `key` where `wanted(path)` is at least its size.

    At most five times `most` members are read, hidden ones among them, and `unpacked` bytes in all.
    Raises Unsafe if the archive is damaged, too large or none.
    """
    found: list[Member] = []
    left = kept
    ended: list[bool] = []
    try:
        with tarfile.open(
            fileobj=cast(IO[bytes], _Counted(_unpacked(source), unpacked)), mode="r|", tarinfo=_header(ended)
        ) as tar:
            for info in tar:
                kind, what = _kind(info)
                name = info.name + ("/" if kind == "directory" else "")
                content = None
                if kind == "file" and 0 <= info.size <= wanted(normal(name)):
                    left -= info.size
                    if left < 0:
                        raise Unsafe(f"holds more than {size(kept)} of Python files and archives. {ALONE}")
                    content = _content(tar, info)
                found.append(Member(name, kind, what, max(0, info.size) if kind == "file" else 0, key=content))
                if len(found) > 5 * most:
                    raise Unsafe(too_many(5 * most))
    except Unsafe:
        raise
    except Exception as error:  # tarfile and the decompressors raise their own, struct's, ValueError, EOFError, ...
        raise Unsafe(f"is damaged, or not a tar archive: {clean(str(error))}") from error
    if not any(ended):
        raise Unsafe("is damaged: its end is missing")
    return found


def fetch(member: Member, limit: int) -> bytes:
    """The content of a member that was wanted."""
    if not isinstance(member.key, bytes):
        raise Refused("was not read")
    return member.key


def _content(tar: tarfile.TarFile, info: tarfile.TarInfo) -> bytes:
    file = tar.extractfile(info)
    content = file.read(info.size) if file else b""
    if len(content) != info.size:
        raise Unsafe(f"is damaged at {clean(info.name, 60)!r}: its end is missing")
    return content


def _kind(info: tarfile.TarInfo) -> tuple[Kind, str]:
    if info.isdir():
        return "directory", "a directory"
    if info.issym():
        return "link", "a symbolic link"
    if info.islnk():
        return "link", "a hard link"
    if info.issparse():
        return "other", "a sparse file"
    if info.isreg():
        return "file", "a file"
    return "other", "a FIFO" if info.isfifo() else "a device"


def _header(ended: list[bool]) -> type[tarfile.TarInfo]:
    """A reader of headers that notes in `ended` whether the archive's end was seen, and bounds the extended ones.

    tarfile itself takes an archive that breaks off between two members, or goes on with rubbish, for a whole one.
    """
    budget = _MAX_HEADERS

    class Header(tarfile.TarInfo):
        @classmethod
        def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
            nonlocal budget
            if len(buf) == tarfile.BLOCKSIZE and not any(buf):
                ended.append(True)
            found = super().frombuf(buf, encoding, errors)
            if found.type == tarfile.GNUTYPE_SPARSE and buf[_MORE_PIECES]:
                raise Unsafe("is not safe to open: it holds a sparse file of many pieces")
            if found.type in _EXTENDED:
                budget -= found.size
                if not 0 <= found.size <= _MAX_HEADER or budget < 0:
                    raise Unsafe("is not safe to open: its headers are too large")
            return found

        def _proc_gnusparse_10(self, file: tarfile.TarInfo, *_: object) -> None:
            """tarfile's own reads a map of any length, in time that grows with its square: 40 KB kept it for 33 s."""
            file.sparse = []  # type: ignore[assignment]  # sparse all the same, so nobody reads it

    return Header


def _unpacked(source: IO[bytes]) -> io.BufferedIOBase | io.RawIOBase:
    start = source.read(8)
    source.seek(0)
    packing = next((name for magic, name in _MAGIC if start.startswith(magic)), "")
    if packing == "gz":
        return gzip.GzipFile(fileobj=source)
    if packing == "bz2":
        return bz2.BZ2File(source)
    if packing == "xz":
        return _Xz(source)
    return cast(io.BufferedIOBase, source)


class _Xz(io.RawIOBase):
    """lzma.LZMAFile with a bound on the memory that the archive may ask for."""

    def __init__(self, source: IO[bytes]) -> None:
        self._source = source
        self._unpacker = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_LZMA_MEMORY)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer)
        while not self._unpacker.eof:
            packed = self._source.read(1 << 16) if self._unpacker.needs_input else b""
            if self._unpacker.needs_input and not packed:
                raise EOFError("its end is missing")
            if data := self._unpacker.decompress(packed, len(view)):
                view[: len(data)] = data
                return len(data)
        return 0


class _Counted:
    """The unpacked bytes, as many as there really are, up to a bound."""

    def __init__(self, source: io.BufferedIOBase | io.RawIOBase, most: int) -> None:
        self._source, self._left, self._most = source, most, most
        self._ends = 0

    def read(self, count: int) -> bytes:
        data = self._source.read(count) or b""
        self._left -= len(data)
        # tarfile skips a member block by block, also where its header claims exabytes and nothing is left to read.
        self._ends += not data
        if self._ends > _MOST_ENDS:
            raise Unsafe("is damaged: its end is missing")
        if self._left < 0:
            raise Unsafe(f"unpacks to more than {size(self._most)}. {ALONE}")
        return data
