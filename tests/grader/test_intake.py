"""Who is in a folder, and which file of theirs is graded."""

from __future__ import annotations

from pathlib import Path

import pytest

from dojo.grader.intake import look, submissions
from dojo.grader.model import GraderError

from .handed_in import SOURCE, TRUSTED_TEST, Desk, tarred, zipped

KATA = "cache_aside"


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


SHAPES = (
    "katas/caching/cache_aside/cache_aside.py",
    "katas/caching/cache_aside.py",
    "caching/cache_aside/cache_aside.py",
    "caching/cache_aside.py",
    "cache_aside/cache_aside.py",
    "cache_aside.py",
    "homework/week 3/cache_aside.py",
    "backend-dojo-main/katas/caching/cache_aside/cache_aside.py",
)


@pytest.mark.parametrize("shape", SHAPES)
def test_each_layout_is_found_in_a_directory_and_in_each_kind_of_archive(desk: Desk, shape: str) -> None:
    desk.put({f"dir/{shape}": SOURCE, "zip.zip": zipped({shape: SOURCE}), "tar.tar": tarred({shape: SOURCE}, "")})
    desk.put({f"{packing}.tar.{packing}": tarred({f"./{shape}": SOURCE}, packing) for packing in ("gz", "bz2", "xz")})
    found = desk.read()
    assert list(found) == ["bz2", "dir", "gz", "tar", "xz", "zip"]
    for one in found.values():
        assert one.files == {KATA: SOURCE}
        assert (one.refused, one.trouble, one.notes) == ({}, "", ())


def test_the_precedence_is_that_of_implementation_trees(desk: Desk) -> None:
    ordered = (
        "caching/cache_aside/cache_aside.py",
        "caching/cache_aside.py",
        "cache_aside/cache_aside.py",
        "cache_aside.py",
        "katas/caching/cache_aside/cache_aside.py",
        "katas/cache_aside.py",
        "deeper/cache_aside.py",
    )
    for number in range(len(ordered)):
        desk.put({f"{number}/{shape}": shape for shape in ordered[number:]})
    for number, one in enumerate(desk.read().values()):
        assert one.files[KATA].decode() == ordered[number]


def test_several_places_further_down_are_refused_and_named(desk: Desk) -> None:
    desk.put({"ann/a/cache_aside.py": "1", "ann/b/cache_aside.py": "2", "ann/x/rate_limiter.py": SOURCE})
    one = desk.ann()
    assert "a/cache_aside.py, b/cache_aside.py" in one.refused[KATA]
    assert one.files == {"rate_limiter": SOURCE}


def test_copies_do_not_contradict_each_other(desk: Desk) -> None:
    desk.put({"ann/a/cache_aside.py": SOURCE, "ann/b/cache_aside.py": SOURCE})
    assert desk.ann().files == {KATA: SOURCE}


def test_the_repositorys_own_files_in_a_wrapped_clone_are_no_candidates(desk: Desk) -> None:
    clone = {
        "dojo-1/katas/caching/cache_aside/cache_aside.py": SOURCE,
        "dojo-1/solutions/caching/cache_aside.py": b"solution",
        "dojo-1/tests/mutants/caching/cache_aside/cache_aside.py": b"mutant",
        "dojo-1/README.md": b"",
    }
    desk.put({f"ann/{name}": content for name, content in clone.items()})
    desk.put({"bob.zip": zipped(clone), "cid/notes.txt": "", **{f"cid/{name}": text for name, text in clone.items()}})
    assert [one.files for one in desk.read().values()] == [{KATA: SOURCE}] * 3


def test_hidden_and_installed_files_are_not_looked_at(desk: Desk) -> None:
    for place in (".git", "__pycache__", "__MACOSX", "venv/lib/site-packages", "x/node_modules"):
        desk.put({f"ann/{place}/cache_aside.py": SOURCE})
    assert desk.ann().files == {}


@pytest.mark.parametrize(
    "slip",
    [
        *("Cache_Aside.py", "cache-aside.py", "CacheAside.py", "cache_aside.py.txt", "cache_aside (1).py"),
        *("cache_aside_v2.py", "cache_aside-2.py", "cache aside.py", "cache_aside.PY", "cache_aside copy.py"),
        *("\uff43ache_aside.py", "cache_aside.txt", "cache_aside.ipynb", "cache_aside_final_2.py", "cache_aside"),
    ],
)
def test_a_slip_in_the_name_is_refused_with_the_remedy(desk: Desk, slip: str) -> None:
    desk.put({f"ann/week/{slip}": SOURCE, "ann/test_cache_aside_old.py": "", "ann/cache_aside.json": ""})
    one = desk.ann()
    assert one.files == {}
    assert "rename it to cache_aside.py" in one.refused[KATA]
    assert list(one.refused) == [KATA]


def test_other_names_are_no_slips(desk: Desk) -> None:
    desk.put({f"ann/{name}": "" for name in ("cache_aside.md", "cache.py", "limiter.py", "test_cache_aside.py.txt")})
    assert desk.ann().refused == {}


def test_what_is_in_a_file_is_not_judged(desk: Desk) -> None:
    contents = [b"", b"\0\0", b"\xff\xfe\xfa", b"# coding: latin-1\n\xe9", b"def (", b"x" * (1 << 20)]
    for number, content in enumerate(contents):
        desk.put({f"{number}/cache_aside.py": content})
    assert [one.files[KATA] for one in desk.read().values()] == contents


def test_own_tests_and_settings_are_noted_once(desk: Desk) -> None:
    desk.put({"ann/cache_aside.py": SOURCE, "ann/test_cache_aside.py": "def test_cache_aside(): ...\n"})
    steering = ("conftest.py", "pytest.ini", "pyproject.toml", "tox.ini", "setup.cfg", "x/sitecustomize.py", "x/a.pth")
    desk.put({f"ann/{name}": "evil" for name in (*steering, "test_mine.py")})
    first, second = desk.ann().notes
    assert "test_cache_aside.py is not the repository's" in first
    assert second.startswith("ignored: conftest.py, ")
    assert "1 more" in second


def test_a_clone_is_noted_only_where_it_differs(desk: Desk) -> None:
    same = {
        "katas/caching/cache_aside/test_cache_aside.py": TRUSTED_TEST.replace("\n", "\r\n"),
        "conftest.py": "# the repository's\r\n",
        "pyproject.toml": "[project]\n",
    }
    for student in ("ann", "bob/dojo"):
        desk.put({f"{student}/{name}": text for name, text in same.items()})
        desk.put({f"{student}/katas/caching/cache_aside/cache_aside.py": SOURCE})
    desk.put({"bob/dojo/conftest.py": "import evil", "bob/dojo/katas/conftest.py": ""})
    ann, bob = desk.read().values()
    assert ann.notes == ()
    assert bob.notes == ("ignored: dojo/conftest.py, dojo/katas/conftest.py",)


def test_foreign_entries_are_skipped_and_said(desk: Desk) -> None:
    foreign = ("README.md", "grades.csv", "task.pdf", ".DS_Store", "Thumbs.db", "cache_aside.py")
    desk.put(dict.fromkeys(foreign, ""))
    desk.put({"__MACOSX/x": "", ".hidden/x": "", "ann/cache_aside.py": SOURCE, "bob/notes.txt": ""})
    found = look(desk.folder, desk.katas)
    assert [student.name for student in found.students] == ["ann", "bob"]
    assert {name for name, _ in found.skipped} == {*foreign, "__MACOSX", ".hidden"}
    assert "student's name" in dict(found.skipped)["cache_aside.py"]
    assert len(found) == len(list(found)) == len(list(found)) == 2


def test_a_student_with_nothing_stands_in_the_book(desk: Desk) -> None:
    desk.put({"ann/notes.txt": "sorry"})
    one = desk.ann()
    assert (one.files, one.refused, one.trouble) == ({}, {}, "")


def test_one_students_work_instead_of_a_folder_of_them_is_that_students(desk: Desk, tmp_path: Path) -> None:
    desk.put({"katas/caching/cache_aside/cache_aside.py": SOURCE, "docs/x.md": "", "tests/rate_limiter.py": ""})
    assert [(one.name, one.files) for one in desk.read().values()] == [("handed-in", {KATA: SOURCE})]
    for number, names in enumerate((["cache_aside.py"], ["cache_aside.py", "x/y.py"], ["caching/cache_aside.py"])):
        packed = tmp_path / f"ann{number}.zip"
        packed.write_bytes(zipped(dict.fromkeys(names, SOURCE)))
        [one] = desk.read(where=packed).values()
        assert (one.name, one.origin, one.files) == (f"ann{number}", packed.name, {KATA: SOURCE})


@pytest.mark.parametrize("make", [zipped, tarred, lambda files: tarred(files, "")])
@pytest.mark.parametrize("around", ["", "export/", "a/b/"])
def test_one_archive_of_all_is_taken_for_the_folder(desk: Desk, tmp_path: Path, make, around: str) -> None:  # type: ignore[no-untyped-def]
    inside = {
        f"{around}ann/cache_aside.py": SOURCE,
        f"{around}bob.zip": zipped({"x/cache_aside.py": SOURCE}),
        f"{around}cid/cache_aside/cache_aside.py": SOURCE,
        "__MACOSX/ann": b"",
        f"{around}README": b"",
    }
    packed = tmp_path / ("all.zip" if make is zipped else "all.tar")
    packed.write_bytes(make(inside))
    found = desk.read(where=packed)
    assert {name: one.files for name, one in found.items()} == {name: {KATA: SOURCE} for name in ("ann", "bob", "cid")}
    assert found["ann"].origin == f"{around}ann"


def test_archives_in_a_students_directory_or_archive_are_opened_once(desk: Desk) -> None:
    inner = zipped({"cache_aside.py": SOURCE})
    desk.put({"ann/work.zip": inner, "bob.tar.gz": tarred({"work.zip": inner}), "cid/cache_aside.py": b"loose"})
    desk.put({"cid/work.zip": inner, "dot.zip": zipped({"a.zip": zipped({"b.zip": inner})})})
    desk.put({"eve/work.rar": b"Rar!", "fay/cache_aside.py": SOURCE, "fay/x.zip": b"rubbish"})
    found = desk.read()
    assert found["ann"].files == found["bob"].files == {KATA: SOURCE}
    assert found["cid"].files == {KATA: b"loose"}
    assert found["cid"].notes == ("cache_aside.py is graded, work.zip/cache_aside.py is not",)
    assert found["dot"].files == {}
    assert "Hand in a .zip" in found["eve"].trouble
    assert found["fay"].files == {KATA: SOURCE}
    assert "x.zip is damaged" in found["fay"].notes[0]


def test_an_instructors_mistake_is_said_at_once(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("")
    (tmp_path / "empty.zip").write_bytes(zipped({}))
    (tmp_path / "bad.zip").write_bytes(b"PK\3\4 and no more")
    for place, said in (
        (tmp_path / "none", "no submissions at"),
        (tmp_path / "a.txt", "neither a folder nor"),
        (desk.folder, "it is empty"),
        (tmp_path / "empty.zip", "it is empty"),
        (tmp_path / "bad.zip", "Download it again"),
    ):
        with pytest.raises(GraderError, match=said):
            submissions(place, desk.katas)
    desk.put({"README": ""})
    with pytest.raises(GraderError, match="README: neither"):
        submissions(desk.folder, desk.katas)
