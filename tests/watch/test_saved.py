"""A save is noticed, however it is made, and a text that was replaced gets no verdict."""

from __future__ import annotations

import os
from pathlib import Path
from time import monotonic, sleep

import pytest

from dojo.watch import saved
from dojo.watch.saved import SavedFile


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "mine.py"
    path.write_bytes(b"one")
    return path


@pytest.fixture
def file(path: Path) -> SavedFile:
    file = SavedFile(path)
    assert file.take() == b"one"
    return file


def test_nothing_happens_until_something_does(file: SavedFile) -> None:
    assert not file.saved()
    assert file.stands()


def test_a_save_in_place_and_a_save_by_rename_are_saves(file: SavedFile, path: Path, tmp_path: Path) -> None:
    path.write_bytes(b"three")
    assert file.saved()
    assert not file.stands()
    assert file.take() == b"three"
    (tmp_path / "draft").write_bytes(b"three")
    os.replace(tmp_path / "draft", path)
    assert file.saved()


def test_a_save_without_a_change_is_a_save(file: SavedFile, path: Path) -> None:
    os.utime(path, ns=(1, 1))
    assert file.saved()


def test_two_saves_in_one_tick_of_the_clock_are_two(
    file: SavedFile, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A coarse file system shows the same time and size for both."""
    monkeypatch.setattr(saved, "_signature", lambda path: (1, 1, 3, 1, 1))
    file.take()
    path.write_bytes(b"two")
    assert file.saved()
    assert not file.stands()


def test_a_file_that_is_away_for_a_moment_is_not_gone(file: SavedFile, path: Path, tmp_path: Path) -> None:
    path.rename(tmp_path / "aside")
    assert not file.saved()
    assert not file.stands()
    (tmp_path / "aside").rename(path)
    assert file.take() == b"one"
    assert file.stands()


def test_a_file_that_stays_away_is_gone_and_may_come_back(file: SavedFile, path: Path) -> None:
    path.unlink()
    deadline = monotonic() + 10
    while not file.saved():
        assert monotonic() < deadline
        sleep(0.01)
    assert file.take() is None
    assert not file.saved()
    path.write_bytes(b"one")
    assert file.saved()
    assert file.take() == b"one"
