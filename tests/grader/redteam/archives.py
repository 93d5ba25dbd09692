"""Submissions that are archives (class 15)."""

from __future__ import annotations

import gzip
import io
import os
import stat
import struct
import tarfile
import zipfile
from pathlib import Path

from .handing_in import FILE, ME, STUB, member, packed, taped


def n15_zip_slip(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: Entries of a ZIP archive climb out of the directory with `..`, in both kinds of slashes.
    Status: refused
    Points: 0
    """
    names = ("../HARM", "../../HARM", "a/../../HARM", "..\\HARM", "../alice/backoff_schedule.py")
    packed(directory, {FILE: STUB, **dict.fromkeys(names, "HARM")})


def n15_absolute_zip(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: Entries of a ZIP archive have absolute paths, of POSIX and of Windows.
    Status: refused
    Points: 0
    """
    packed(directory, {FILE: STUB, "/tmp/HARM": "HARM", "C:\\HARM": "HARM", "//host/share/HARM": "HARM"})


def n15_zip_symlink(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: A ZIP archive has symbolic links to /etc/passwd and to a directory, through which it writes.
    Status: refused
    Points: 0
    """
    directory.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(directory / f"{ME}.zip", "w") as archive:
        for name, target in ((FILE, "/etc/passwd"), ("out", "/tmp")):
            entry = zipfile.ZipInfo(name)
            entry.create_system, entry.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
            archive.writestr(entry, target)
        archive.writestr("out/HARM", "HARM")


def n15_zip_bomb(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: An entry of a ZIP archive has a gigabyte of zeros behind a megabyte.
    Status: refused
    Points: 0
    """
    directory.mkdir(parents=True, exist_ok=True)
    block = b"\0" * (1 << 24)
    with zipfile.ZipFile(directory / f"{ME}.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(FILE, STUB)
        with archive.open("zeros", "w", force_zip64=True) as file:
            for _ in range(64):
                file.write(block)


def n15_zip_bomb_in_the_file(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: The kata's own entry unpacks to 200 MB, though its header in the archive says 100 bytes.
    Status: refused
    Points: 0
    """
    path = packed(directory, {FILE: b"#" * (200 << 20)})
    size = struct.pack("<I", 200 << 20)
    path.write_bytes(path.read_bytes().replace(size, struct.pack("<I", 100)))


def n15_nested_bomb(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: Archives in archives, five deep and eight wide, the innermost with 16 MB of zeros.
    Status: refused or missing
    Points: 0
    """
    inner = b"\0" * (1 << 24)
    for level in range(5):
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
            for number in range(8):
                archive.writestr(f"{level}-{number}.zip", inner)
        inner = stream.getvalue()
    directory.mkdir(parents=True, exist_ok=True)
    (directory / f"{ME}.zip").write_bytes(inner)


def n15_overlapping_zip(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: A thousand entries of the directory of a ZIP archive share one piece of data.
    Status: refused or missing or failed
    Points: 0
    """
    stream = packed(directory, {"kernel": b"\0" * (1 << 24)}).read_bytes()
    start = stream.index(b"PK\x01\x02")
    end = stream.index(b"PK\x05\x06")
    entry = stream[start:end]
    entries = b"".join(entry.replace(b"kernel", f"f{number:05}".encode()) for number in range(1000))
    tail = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1000, 1000, len(entries), start, 0)
    (directory / f"{ME}.zip").write_bytes(stream[:start] + entries + tail)


def n15_many_entries(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: A ZIP archive with 50,000 empty entries.
    Status: refused or failed
    Points: 0
    """
    packed(directory, {FILE: STUB, **{f"d/{number}": b"" for number in range(50_000)}})


def n15_encrypted(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: A ZIP archive whose entries are marked as encrypted.
    Status: refused
    Points: 0
    """
    path = packed(directory, {FILE: STUB})
    data = bytearray(path.read_bytes())
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)


def n15_truncated(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: A ZIP archive without its second half.
    Status: refused
    Points: 0
    """
    path = packed(directory, {FILE: STUB * 100, "other.py": os.urandom(4000)})
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def n15_damaged(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: A ZIP archive whose data do not fit their checksum.
    Status: refused
    Points: 0
    """
    path = packed(directory, {FILE: STUB})
    data = bytearray(path.read_bytes())
    data[60] ^= 0xFF
    path.write_bytes(data)


def n15_unknown_method(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: A ZIP archive that says it is compressed in a way that does not exist.
    Status: refused
    Points: 0
    """
    path = packed(directory, {FILE: STUB})
    data = bytearray(path.read_bytes())
    data[8] = 77
    data[data.index(b"PK\x01\x02") + 10] = 77
    path.write_bytes(data)


def n15_no_archive(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: Files that are called .zip and .tar.gz and are none; one is empty.
    Status: refused
    Points: 0
    """
    directory.mkdir(parents=True, exist_ok=True)
    (directory / f"{ME}.zip").write_text("it is in the post")
    (directory / "eve.tar.gz").write_bytes(b"")
    (directory / "trent.tar").write_bytes(b"\0" * 100)


def n15_twice_the_same_name(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: A ZIP archive with two entries of the kata's name, and further ones that differ in case alone.
    Status: refused or failed
    Points: 0
    """
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        directory.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(directory / f"{ME}.zip", "w") as archive:
            for name in (FILE, FILE, FILE.upper(), f"./{FILE}", f"x/../{FILE}"):
                archive.writestr(name, STUB)


def n15_names_without_sense(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: Entries of a ZIP archive have names with control characters, reversed text, NUL bytes and 60,000 letters.
    Status: refused or failed
    Points: 0
    """
    packed(
        directory, {FILE: STUB, "\x1b[2J\n": "x", "\u202eyp.x": "x", "a" * 60_000: "x", "": "x", ".": "x", "b\0c": "x"}
    )


def n15_tar_slip(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: Members of a tar archive climb out of the directory, or have absolute paths.
    Status: refused
    Points: 0
    """
    names = (FILE, "../HARM", "/tmp/HARM", "a/../../HARM")
    taped(directory, [(member(name), STUB.encode()) for name in names])


def n15_tar_links(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: A tar archive makes a link to /tmp and writes through it, and hard links to files outside.
    Status: refused
    Points: 0
    """
    links = [member("out", tarfile.SYMTYPE, "/tmp"), member("out/HARM"), member(FILE, tarfile.LNKTYPE, "/etc/passwd")]
    taped(directory, [(links[0], b""), (links[1], b"HARM"), (links[2], b"")])


def n15_tar_devices(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: Members of a tar archive are devices, pipes and programs with other people's rights.
    Status: refused
    Points: 0
    """
    odd = [member("zero", tarfile.CHRTYPE), member(FILE, tarfile.FIFOTYPE), member("sh", mode=0o6777)]
    odd[0].devmajor, odd[0].devminor = 1, 5
    taped(directory, [(info, b"") for info in odd])


def n15_tar_bomb(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: A compressed tar archive unpacks to half a gigabyte.
    Status: refused
    Points: 0
    """
    directory.mkdir(parents=True, exist_ok=True)
    head = member("zeros")
    head.size = 512 << 20
    with gzip.open(directory / f"{ME}.tar.gz", "wb", compresslevel=1) as file:
        file.write(head.tobuf())
        for _ in range(32):
            file.write(b"\0" * (1 << 24))


def n15_tar_lies_about_its_size(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: A member of a tar archive says that it has 8 exabytes; another has a negative size.
    Status: refused
    Points: 0
    """
    directory.mkdir(parents=True, exist_ok=True)
    head = member(FILE)
    head.size = 1 << 62
    with gzip.open(directory / f"{ME}.tar.gz", "wb") as file:
        file.write(head.tobuf(tarfile.GNU_FORMAT) + b"\0" * 4096)


def n15_tar_map_of_a_sparse_file(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: A tar.gz of 250 KB has a sparse file of 60 million pieces, whose map tarfile reads: for hours, in gigabytes.
    Status: missing
    Points: 0
    """
    length = 240 << 20
    info = tarfile.TarInfo("sparse.bin")
    info.size = length
    info.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "sparse.bin"}
    ones = b"1\n" * (1 << 19)
    directory.mkdir(parents=True, exist_ok=True)
    with gzip.open(directory / f"{ME}.tar.gz", "wb") as file:
        file.write(info.tobuf(tarfile.PAX_FORMAT) + f"{length // 4 - 8:<1048575}\n".encode())
        for _ in range((length >> 20) - 1):
            file.write(ones)
        file.write(bytes(10_240))


def n15_tar_old_map_of_a_sparse_file(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: The map of a sparse file in the old format goes on for 200 MB, block after block.
    Status: refused
    Points: 0
    """
    info = tarfile.TarInfo("sparse.bin")
    info.type = tarfile.GNUTYPE_SPARSE
    head = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    head[482] = 1  # there is more
    head[148:156] = b"%06o\0 " % (sum(head[:148]) + 8 * 32 + sum(head[156:512]))
    block = (b"00000000001\0" * 42 + b"\1").ljust(512, b"\0")
    directory.mkdir(parents=True, exist_ok=True)
    with gzip.open(directory / f"{ME}.tar.gz", "wb") as file:
        file.write(head)
        for _ in range(200):
            file.write(block * 2048)
        file.write(bytes(10_240))
