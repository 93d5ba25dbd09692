"""Directories with what is no file, too large, too many, too deep, or badly named."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from dojo.grader.intake import archive, directory, tree

from . import handed_in
from .handed_in import NASTY, SOURCE, Desk, harmless

KATA = "cache_aside"


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


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


def test_a_student_who_is_called_katas_does_not_stand_for_the_class(desk: Desk) -> None:
    desk.put({"ann/cache_aside.py": SOURCE, "bob/cache_aside.py": SOURCE, "katas/caching/cache_aside.py": SOURCE})
    assert set(desk.read()) == {"ann", "bob", "katas"}


def test_a_clone_with_an_old_copy_beside_it_is_one_students(desk: Desk) -> None:
    desk.put({"katas/caching/cache_aside.py": SOURCE, "old/cache_aside.py": SOURCE, "pyproject.toml": ""})
    [student] = desk.read().values()
    assert student.files == {KATA: SOURCE}
