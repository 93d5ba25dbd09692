"""Archives that are traps for who opens them: paths that lead out, bombs, damage, encryption, special members."""

from __future__ import annotations

import io
import os
import stat
import struct
import tarfile
import zipfile
import zlib
from pathlib import Path

import pytest

from dojo.grader.intake import tarred, zipped

from . import handed_in
from .handed_in import NASTY, SOURCE, Desk, harmless, special, zip_member

KATA = "cache_aside"


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


UNSAFE_NAMES = ("../cache_aside.py", "a/../../x", "/etc/x", "C:/x", "c:x", "a\\..\\x", "..", "\\\\host\\x", "a/..")


@pytest.mark.parametrize("name", UNSAFE_NAMES)
def test_paths_that_leave_an_archive_condemn_it(desk: Desk, name: str, tmp_path: Path) -> None:
    files = {"cache_aside.py": SOURCE, name: b"evil"}
    desk.put({"ann.zip": handed_in.zipped(files), "bob.tgz": handed_in.tarred(files)})
    before = sorted(tmp_path.rglob("*"))
    for one in desk.read().values():
        assert "is not safe to open" in one.trouble
        assert one.files == {}
        harmless(one)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_name_that_goes_on_behind_a_nul_is_not_that_of_a_kata(desk: Desk) -> None:
    data = handed_in.zipped({"cache_aside.py_txt": SOURCE}).replace(b"cache_aside.py_txt", b"cache_aside.py\0txt")
    desk.put({"ann.zip": data})
    assert "NUL" in desk.ann().trouble


@pytest.mark.parametrize(
    ("kind", "word"),
    [
        *((tarfile.SYMTYPE, "a symbolic link"), (tarfile.LNKTYPE, "a hard link"), (tarfile.FIFOTYPE, "a FIFO")),
        *((tarfile.CHRTYPE, "a device"), (tarfile.BLKTYPE, "a device")),
    ],
)
def test_a_special_member_that_is_called_like_a_kata_condemns_the_tar(desk: Desk, kind: bytes, word: str) -> None:
    evil = (special("x/cache_aside.py", kind, "/etc/passwd"),)
    other = (special("notes", kind, "/etc/passwd"),)
    desk.put({"ann.tar": handed_in.tarred({"rate_limiter.py": SOURCE}, "", evil)})
    desk.put({"bob.tar": handed_in.tarred({"rate_limiter.py": SOURCE}, "", other)})
    ann, bob = desk.read().values()
    assert word in ann.trouble
    assert ann.files == {}
    assert (bob.files, bob.notes) == ({"rate_limiter": SOURCE}, ("not files, ignored: notes",))


@pytest.mark.parametrize("mode", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_a_special_member_that_is_called_like_a_kata_condemns_the_zip(desk: Desk, mode: int) -> None:
    for student, name in (("ann", "cache_aside.py"), ("bob", "notes")):
        with zipfile.ZipFile(desk.folder / f"{student}.zip", "w") as packed:
            packed.writestr(zip_member(name, mode | 0o777), "/etc/passwd")
            packed.writestr("rate_limiter.py", SOURCE)
    ann, bob = desk.read().values()
    assert "is not safe to open" in ann.trouble
    assert bob.files == {"rate_limiter": SOURCE}


def test_a_sparse_member_is_no_file(desk: Desk) -> None:
    info = special("cache_aside.py", tarfile.GNUTYPE_SPARSE)
    desk.put({"ann.tar": handed_in.tarred({"rate_limiter.py": SOURCE}, "", (info,))})
    one = desk.ann()
    assert one.files == {}
    assert one.trouble


def test_names_that_come_twice_condemn_an_archive(desk: Desk) -> None:
    data = handed_in.zipped({"cache_aside.py": b"1", "cache_asidE.py": b"2"})
    desk.put({"ann.zip": data.replace(b"asidE", b"aside")})
    twice = {"./cache_aside.py": b"1", "cache_aside.py": b"2"}
    desk.put({"bob.tgz": handed_in.tarred(twice), "cid.zip": handed_in.zipped(twice)})
    for one in desk.read().values():
        assert "more than once" in one.trouble


def test_an_encrypted_archive_is_refused_with_the_remedy(desk: Desk) -> None:
    data = bytearray(handed_in.zipped({"cache_aside.py": SOURCE}))
    central = data.index(b"PK\1\2")
    data[6] |= 1
    data[central + 8] |= 1
    desk.put({"ann.zip": bytes(data), "bob/work.zip": bytes(data)})
    for one in desk.read().values():
        assert "without a password" in one.trouble


def test_damaged_archives_are_refused(desk: Desk) -> None:
    files = {"cache_aside.py": os.urandom(4_000), "rate_limiter.py": os.urandom(4_000)}
    packed = handed_in.zipped(files)
    flipped = bytearray(packed)
    flipped[2_000] ^= 0xFF
    desk.put({"a.zip": packed[:-30], "b.zip": packed[:500], "c.zip": b"", "d.zip": b"rubbish", "e.zip": bytes(flipped)})
    for packing in ("gz", "bz2", "xz", ""):
        data = handed_in.tarred(files, packing)
        ending = f".tar.{packing}".rstrip(".")
        desk.put({f"f{packing}{ending}": data[: len(data) // 2], f"g{packing}{ending}": data[:512]})
    plain = handed_in.tarred({"cache_aside.py": SOURCE}, "")
    desk.put({"h.tar": plain[:1024], "i.tar": plain[:1024] + b"x" * 512, "j.tar": plain[:400], "k.tgz": b"\x1f\x8b"})
    found = desk.read()
    assert len(found) == 17
    for one in found.values():
        assert one.trouble, one
        assert (one.files, one.refused) == ({}, {})
        harmless(one)


def test_any_byte_of_an_archive_may_be_wrong(desk: Desk) -> None:
    """Whatever a parser makes of rubbish, it is said and not raised."""
    import random

    chance = random.Random(7)
    originals = [handed_in.zipped({"cache_aside.py": SOURCE, "d/x": b"y"})]
    originals += [handed_in.tarred({"cache_aside.py": SOURCE, "d/x": b"y"}, packing) for packing in ("", "gz", "xz")]
    for number in range(240):
        data = bytearray(originals[number % 4])
        for _ in range(chance.randrange(1, 4)):
            data[chance.randrange(min(len(data), 1_200))] = chance.randrange(256)
        desk.put({f"{number}.{'zip' if number % 4 == 0 else 'tar'}": bytes(data)})
    for one in desk.read().values():
        harmless(one)
        assert set(one.files) <= {KATA}


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_unusual_compression_is_refused(desk: Desk, method: int) -> None:
    desk.put({"ann.zip": handed_in.zipped({"cache_aside.py": bytes(1_000)}, method)})
    assert "system's own zip" in desk.ann().trouble


def bomb(declared: int) -> bytes:
    """A zip whose one member of 2 GiB is packed into 2 MB, and says that it has `declared` bytes."""
    packer = zlib.compressobj(1, zlib.DEFLATED, -15)
    block = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    packer = zlib.compressobj(1, zlib.DEFLATED, -15)
    repeated = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    assert repeated == block
    data = block * 2_048 + zlib.compressobj(1, zlib.DEFLATED, -15).flush()
    name = b"cache_aside.py"
    fields = struct.pack("<HHHHHIIIHH", 20, 0, 8, 0, 33, 0, len(data), declared, len(name), 0)
    central = b"PK\1\2" + struct.pack("<H", 20) + fields + struct.pack("<HHHII", 0, 0, 0, 0, 0) + name
    local = b"PK\3\4" + fields + name + data
    return local + central + b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, 1, 1, len(central), len(local), 0)


def test_a_bomb_does_not_go_off_whatever_it_declares(desk: Desk) -> None:
    assert len(bomb(0)) < 16 << 20
    desk.put({"ann.zip": bomb(2 << 30), "bob.zip": bomb(100), "cid.zip": bomb(1 << 20)})
    ann, bob, cid = desk.read().values()
    assert "unpacks to 2 GiB" in ann.trouble
    assert "damaged" in bob.trouble
    assert "damaged" in cid.trouble


@pytest.mark.parametrize("packing", ["gz", "bz2", "xz"])
def test_a_tar_bomb_is_not_read_to_its_end(desk: Desk, packing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import bz2
    import gzip
    import lzma

    info = tarfile.TarInfo("zeros")
    info.size = 40 << 20
    block = info.tobuf() + bytes(40 << 20)
    pack = {"gz": lambda data: gzip.compress(data, 1), "bz2": bz2.compress, "xz": lambda d: lzma.compress(d, preset=0)}
    data = pack[packing](block)
    monkeypatch.setitem(tarred.members.__kwdefaults__, "unpacked", 8 << 20)
    desk.put({f"ann.tar.{packing}": data})
    assert "unpacks to more than 8 MiB" in desk.ann().trouble


def test_an_archive_that_wants_much_memory_is_refused(desk: Desk) -> None:
    import lzma

    plain = lzma.compress(handed_in.tarred({"cache_aside.py": SOURCE}, ""), filters=[{"id": lzma.FILTER_LZMA2}])
    # The size of the dictionary is a byte of the block's header, whose check sum follows; nothing is allocated here.
    greedy = bytearray(plain)
    assert greedy[14] == 0x21
    greedy[16] = 36  # 1 GiB
    greedy[20:24] = struct.pack("<I", zlib.crc32(bytes(greedy[12:20])))
    desk.put({"ann.tar.xz": plain, "bob.tar.xz": bytes(greedy)})
    ann, bob = desk.read().values()
    assert ann.files == {KATA: SOURCE}
    assert "emory" in bob.trouble


def test_entries_that_overlap_condemn_a_zip(desk: Desk) -> None:
    data = bytearray(handed_in.zipped({"cache_aside.py": SOURCE, "rate_limiter.py": SOURCE}))
    second = data.index(b"PK\1\2", data.index(b"PK\1\2") + 4)
    data[second + 42 : second + 46] = struct.pack("<I", 10)
    desk.put({"ann.zip": bytes(data)})
    assert "overlap" in desk.ann().trouble


def test_a_directory_of_millions_of_entries_is_not_read(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(zipped.Zip.__init__.__annotations__, "table", int)
    monkeypatch.setattr(zipped.Zip.__init__, "__defaults__", (10_000,))
    desk.put({"ann.zip": handed_in.zipped({f"{n}.txt": b"" for n in range(500)})})
    assert "has a directory of more than 9.8 KiB" in desk.ann().trouble


def test_headers_of_a_tar_are_bounded(desk: Desk) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as packed:
        info = tarfile.TarInfo("cache_aside.py")
        info.pax_headers = {"comment": "9" * 100_000}
        packed.addfile(info)
    desk.put({"ann.tar": out.getvalue(), "bob.tar": handed_in.tarred({"a" * 200 + "/cache_aside.py": SOURCE}, "")})
    ann, bob = desk.read().values()
    assert "headers are too large" in ann.trouble
    assert bob.files == {KATA: SOURCE}


def test_an_archive_that_is_too_large_is_refused_unread(desk: Desk) -> None:
    with (desk.folder / "ann.zip").open("wb") as file:
        file.truncate(200 << 20)
    assert "is 200 MiB; at most 64 MiB" in desk.ann().trouble


def test_what_an_archive_is_called_does_not_matter(desk: Desk) -> None:
    files = {"cache_aside.py": SOURCE}
    desk.put({"ann.zip": handed_in.tarred(files), "bob.tar.gz": handed_in.zipped(files), "cid.tgz": b"Rar!\x1a\7"})
    desk.put({"dot.rar": b"", "eve.7z": b"", "fay.tar": handed_in.tarred(files, "xz")})
    found = desk.read()
    assert found["ann"].files == found["bob"].files == found["fay"].files == {KATA: SOURCE}
    assert "RAR" in found["cid"].trouble
    assert "Hand in a .zip" in found["dot.rar"].trouble
    assert "Hand in a .zip" in found["eve.7z"].trouble


def test_names_within_archives_reach_the_book_harmless(desk: Desk) -> None:
    for number, nasty in enumerate(NASTY):
        name = os.fsdecode(nasty)
        files = {f"{name}/a/cache_aside.py": b"1", f"{name}/b/cache_aside.py": b"2", f"{name}/conftest.py": b""}
        desk.put({f"{number}.tar": handed_in.tarred(files, ""), f"zip{number}.tar": handed_in.tarred(files, "xz")})
        desk.put({f"bad{number}.tar": handed_in.tarred({f"../{name}": b""}, "")})
        if number:  # zipfile writes no surrogates
            desk.put({f"{number}.zip": handed_in.zipped(files)})
    data = handed_in.zipped({"cache_aside.py": SOURCE, "xxxx": b""}).replace(b"xxxx", b"\xff\xfe\xe9\x1b")
    desk.put({"raw.zip": data})
    found = desk.read()
    for one in found.values():
        harmless(one)
    assert found["raw"].files == {KATA: SOURCE}


def test_an_archive_of_all_keeps_students_apart(desk: Desk, tmp_path: Path) -> None:
    """What one student's name or file breaks in the platform's archive is that student's trouble alone."""
    packed = tmp_path / "all.zip"
    inside = {
        "ann/cache_aside.py": SOURCE,
        "bob/../../evil": b"",
        "bob/cache_aside.py": SOURCE,
        "/absolute": b"",
        "../up/cache_aside.py": SOURCE,
        "cid/caching/cache_aside.py": SOURCE,
        "dot.zip": b"rubbish",
    }
    packed.write_bytes(handed_in.zipped(inside))
    found = desk.read(where=packed)
    assert [name for name, one in found.items() if one.files] == ["ann", "cid"]
    assert "leaves the archive" in found["bob"].trouble
    assert "damaged" in found["dot"].trouble
    assert len(found) == 4
