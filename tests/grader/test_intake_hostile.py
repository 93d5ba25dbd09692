"""Submissions that are not files at all, too large, or traps for who opens them."""

from __future__ import annotations

import io
import os
import socket
import stat
import struct
import tarfile
import unicodedata
import zipfile
import zlib
from pathlib import Path

import pytest

from dojo.grader.intake import archive, directory, tarred, tree, zipped
from dojo.grader.model import Submission

from . import handed_in
from .handed_in import SOURCE, Desk, special, zip_member

KATA = "cache_aside"


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def harmless(one: Submission) -> None:
    """Nothing that a person reads can move the cursor, hide text, or fill the page."""
    for text in (one.name, one.origin, one.trouble, *one.notes, *one.refused.values()):
        assert len(text) < 1000
        assert not [c for c in text if unicodedata.category(c) in ("Cc", "Cs") or c in "\u202e\u2066\u2028"]
        text.encode()


def test_no_link_is_followed(desk: Desk, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "cache_aside.py").write_text("secret")
    desk.put({"ann/rate_limiter.py": SOURCE, "bob/x": "", "cid/x": ""})
    (desk.folder / "ann" / "cache_aside.py").symlink_to("/etc/passwd")
    (desk.folder / "bob" / "caching").symlink_to(secret)
    (desk.folder / "cid" / "loop").symlink_to(".")
    (desk.folder / "dot").symlink_to(secret)
    (desk.folder / "eve.zip").symlink_to("/etc/passwd")
    found = desk.read()
    assert "cache_aside.py is a symbolic link" in found["ann"].refused[KATA]
    assert found["ann"].files == {"rate_limiter": SOURCE}
    assert found["bob"].files == {}
    assert found["bob"].notes == ("not files, ignored: caching",)
    assert found["cid"].files == {}
    assert "symbolic link" in found["dot"].trouble
    assert "symbolic link" in found["eve"].trouble


def test_a_link_that_replaces_a_file_or_directory_meanwhile_is_not_followed(desk: Desk) -> None:
    desk.put({"ann/caching/cache_aside.py": SOURCE})
    ann = directory.Directory(desk.folder / "ann")
    (desk.folder / "ann" / "caching").rename(desk.folder / "elsewhere")
    (desk.folder / "ann" / "caching").symlink_to(desk.folder / "elsewhere")
    with pytest.raises(tree.Refused):
        ann.read("caching/cache_aside.py")
    (desk.folder / "ann" / "caching").unlink()
    (desk.folder / "ann" / "caching").mkdir()
    (desk.folder / "ann" / "caching" / "cache_aside.py").symlink_to(desk.folder / "elsewhere" / "cache_aside.py")
    with pytest.raises(tree.Refused, match="symbolic link"):
        ann.read("caching/cache_aside.py")
    (desk.folder / "ann" / "caching" / "cache_aside.py").unlink()
    os.mkfifo(desk.folder / "ann" / "caching" / "cache_aside.py")
    with pytest.raises(tree.Refused, match="FIFO"):
        ann.read("caching/cache_aside.py")


def test_what_would_block_or_is_no_file_is_refused_with_its_kind(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.put({"ann/cache_aside.py/x.txt": "", "bob/x": "", "dot.zip": handed_in.zipped({"cache_aside.py/x": b""})})
    os.mkfifo(desk.folder / "bob" / "cache_aside.py")
    os.mkfifo(desk.folder / "pipe")
    monkeypatch.chdir(desk.folder)  # a socket's path may have a hundred bytes
    os.mkdir("cid")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("cid/cache_aside.py")
        found = desk.read()
    kinds = {"ann": "a directory", "bob": "a FIFO", "cid": "a socket", "dot": "a directory"}
    for name, kind in kinds.items():
        assert found[name].refused == {KATA: f"cache_aside.py is {kind}. Hand in a file."}
    assert "pipe" not in found


def test_a_file_goes_before_what_is_none(desk: Desk) -> None:
    desk.put({"ann/katas/cache_aside.py": SOURCE})
    (desk.folder / "ann" / "cache_aside.py").symlink_to("katas/cache_aside.py")
    assert desk.ann().files == {KATA: SOURCE}


def test_a_hard_link_is_read_and_noted(desk: Desk) -> None:
    desk.put({"ann/cache_aside.py": SOURCE})
    (desk.folder / "ann" / "other").hardlink_to(desk.folder / "ann" / "cache_aside.py")
    one = desk.ann()
    assert one.files == {KATA: SOURCE}
    assert "2 hard links" in one.notes[0]


def test_a_large_file_is_refused_unread(desk: Desk) -> None:
    desk.put({"ann/rate_limiter.py": SOURCE, "bob.zip": handed_in.zipped({"cache_aside.py": bytes(5 << 20)})})
    desk.put({"cid.tgz": handed_in.tarred({"cache_aside.py": bytes(5 << 20), "rate_limiter.py": SOURCE})})
    with (desk.folder / "ann" / "cache_aside.py").open("wb") as file:
        file.truncate(50 << 20)
    found = desk.read()
    assert found["ann"].refused[KATA] == "cache_aside.py is 50 MiB; at most 1 MiB is read. Hand in the source alone."
    assert "is 5 MiB" in found["bob"].refused[KATA]
    assert "is 5 MiB" in found["cid"].refused[KATA]
    assert found["ann"].files == found["cid"].files == {"rate_limiter": SOURCE}


def test_a_file_that_grows_while_it_is_read_is_refused(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.put({"ann/cache_aside.py": "x"})
    monkeypatch.setattr(os, "read", lambda descriptor, count: b"x" * count)
    assert "at most 1 MiB" in desk.ann().refused[KATA]


def test_thousands_of_files_are_fine_and_too_many_are_refused(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    many = {f"data/{n % 50}/{n}.txt": b"" for n in range(5_000)}
    desk.put({**{f"ann/{name}": text for name, text in many.items()}, "ann/cache_aside.py": SOURCE})
    desk.put({"bob.zip": handed_in.zipped({**many, "cache_aside.py": SOURCE})})
    assert [one.files for one in desk.read().values()] == [{KATA: SOURCE}] * 2
    for module in (directory, archive):
        monkeypatch.setattr(module, "MAX_NODES", 4_000)
    for one in desk.read().values():
        assert "more than 4,000 files" in one.trouble
        assert one.files == {}


def test_deep_directories_end_somewhere(desk: Desk) -> None:
    desk.put({"ann/cache_aside.py": SOURCE, "bob.zip": handed_in.zipped({"d/" * 300 + "cache_aside.py": SOURCE})})
    here = os.open(desk.folder / "ann", os.O_RDONLY)
    for _ in range(300):
        os.mkdir("directory", dir_fd=here)
        here, before = os.open("directory", os.O_RDONLY, dir_fd=here), here
        os.close(before)
    os.close(here)
    ann, bob = desk.read().values()
    assert ann.files == {KATA: SOURCE}
    assert bob.files == {}
    assert "24 directories deep" in ann.notes[0]
    assert "24 directories deep" in bob.notes[0]


def test_what_may_not_be_read_is_said(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.put({"ann/locked/cache_aside.py": "", "ann/rate_limiter.py": SOURCE, "bob/x": "", "cid/cache_aside.py": ""})
    plain = os.open

    def forbidding(path, flags, mode=0o777, *, dir_fd=None):  # type: ignore[no-untyped-def]
        if os.path.basename(path) in ("locked", "bob") or (dir_fd is not None and path == "cache_aside.py"):
            raise PermissionError(13, "Permission denied")
        return plain(path, flags, mode, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", forbidding)
    monkeypatch.setattr(directory, "_BY_DESCRIPTOR", True)
    found = desk.read()
    assert found["ann"].files == {"rate_limiter": SOURCE}
    assert found["ann"].notes == ("cannot be read: locked",)
    assert found["bob"].trouble == "bob cannot be read: Permission denied."
    assert found["cid"].refused == {KATA: "cache_aside.py cannot be read: Permission denied."}


def test_without_descriptors_of_directories_links_are_not_followed_either(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(directory, "_BY_DESCRIPTOR", False)
    desk.put({"ann/caching/cache_aside.py": SOURCE, "bob/x": ""})
    (desk.folder / "bob" / "caching").symlink_to(desk.folder / "ann" / "caching")
    ann, bob = desk.read().values()
    assert ann.files == {KATA: SOURCE}
    assert bob.files == {}


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
    assert found["ann"].files == found["bob"].files == found["fay"].files == files_of(SOURCE)
    assert "RAR" in found["cid"].trouble
    assert "Hand in a .zip" in found["dot.rar"].trouble
    assert "Hand in a .zip" in found["eve.7z"].trouble


def files_of(source: bytes) -> dict[str, bytes]:
    return {KATA: source}


NASTY = (
    b"an\xff\xfen",
    b"a\nb\r\x1b[31m",
    "x\u202egnp.exe".encode(),
    "a\u2066b\u2028c".encode(),
    b"n" * 250,
    b"=1+1\t2",
)


def test_names_reach_the_book_harmless(desk: Desk) -> None:
    for nasty in NASTY:
        inside = os.fsencode(desk.folder) + b"/" + nasty + b"/" + nasty
        os.makedirs(inside)
        for name in (b"/a", b"/b"):
            os.makedirs(inside + name)
            Path(os.fsdecode(inside + name), "cache_aside.py").write_bytes(name)
        Path(os.fsdecode(inside), "conftest.py").write_bytes(b"")
        os.symlink(b"x", inside + b"/link")
    found = desk.read()
    assert len(found) == len(NASTY)
    for one in found.values():
        harmless(one)
        assert "more than once" in one.refused[KATA]
        assert len(one.name) <= 80
    assert "an??n" in found
    assert "a?b??[31m" in found


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
