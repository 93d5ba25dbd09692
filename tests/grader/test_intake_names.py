"""Whose an entry is: the platforms' names, and the roster."""

from __future__ import annotations

from pathlib import Path

import pytest

from dojo.grader.intake import Roster, look
from dojo.grader.intake.exports import Submitters, recognised, submitters
from dojo.grader.intake.names import clean, nearly, size
from dojo.grader.model import GraderError

from .handed_in import SOURCE, Desk, zipped

KATA = "cache_aside"
FILES = {KATA: SOURCE}


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def roster(desk: Desk, text: str | bytes) -> Roster:
    path = desk.folder.parent / "roster.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return Roster.read(path)


def test_moodle(desk: Desk) -> None:
    packed = zipped({"work/cache_aside.py": SOURCE})
    desk.put({"Ann Lee_1234567_assignsubmission_file_/cache_aside.py": SOURCE})
    desk.put({"Ann Lee_1234567_assignsubmission_onlinetext_/onlinetext.html": "see the file"})
    desk.put({"Bob de la Cruz_1234568_assignsubmission_file/work.zip": packed})
    desk.put({"Cid Ek_1234569_assignsubmission_file_cache_aside.py": SOURCE})
    desk.put({"Dot Fox_1234570_assignsubmission_file_.zip": packed})
    desk.put({"Eve Gee_1234571_assignsubmission_file_work.zip": packed})
    desk.put({"Group 1_55_assignsubmission_file_/cache_aside.py": SOURCE})
    found = desk.read()
    assert list(found) == ["Ann Lee", "Bob de la Cruz", "Cid Ek", "Dot Fox", "Eve Gee", "Group 1"]
    assert all(one.files == FILES for one in found.values())


def test_moodles_anonymous_participants_and_namesakes_stay_apart(desk: Desk) -> None:
    desk.put({f"Participant_{n}_assignsubmission_file_/cache_aside.py": SOURCE for n in (11, 12)})
    desk.put({f"Ann Lee_{n}_assignsubmission_file_/cache_aside.py": SOURCE for n in (13, 14)})
    assert list(desk.read()) == [
        *("Ann Lee (Moodle 13)", "Ann Lee (Moodle 14)"),
        *("Participant (Moodle 11)", "Participant (Moodle 12)"),
    ]


def test_canvas(desk: Desk) -> None:
    desk.put({"leeann_LATE_12345_67890_cache_aside.py": SOURCE, "leeann_LATE_12345_67891_rate_limiter-2.py": SOURCE})
    desk.put({"cruzbobde la_1_2_x.txt": "", "ekcid_12346_67892_work.zip": zipped({"cache_aside.py": SOURCE})})
    desk.put({"foxdot_12347_text.html": "typed", "anon_q3Xz9_67893_cache_aside-1.py": SOURCE})
    desk.put({"geeeve_12348_67894_work.tar-1.gz": zipped({"cache_aside.py": SOURCE})})
    found = desk.read()
    assert list(found) == ["anon_q3Xz9", "ekcid", "foxdot", "geeeve", "leeann"]
    assert found["leeann"].files == {KATA: SOURCE, "rate_limiter": SOURCE}
    assert found["leeann"].notes == ("handed in late, says Canvas",)
    assert found["foxdot"].files == {}
    assert found["ekcid"].files == found["geeeve"].files == found["anon_q3Xz9"].files == FILES
    assert found["leeann"].origin.startswith("leeann_LATE_12345_67890_cache_aside.py, ")


def test_of_two_uploads_to_canvas_the_later_counts_and_it_is_said(desk: Desk) -> None:
    desk.put({"leeann_12345_67890_cache_aside.py": b"old", "leeann_12345_100000_cache_aside-1.py": SOURCE})
    one = desk.ann()
    assert one.files == FILES
    assert one.notes[0].startswith("leeann_12345_100000_cache_aside-1.py is graded, leeann_12345_67890_cache_aside.py")


def test_what_only_looks_like_canvas_is_not_merged_into_one_student(desk: Desk) -> None:
    packed = zipped({"cache_aside.py": SOURCE})
    desk.put({"hw_2026_1127_ann.zip": packed, "hw_2026_1127_bob.zip": packed})
    assert list(desk.read()) == ["hw_2026_1127_ann", "hw_2026_1127_bob"]


def test_brightspace_and_its_resubmissions(desk: Desk) -> None:
    ann = "123456-7890123 - Ann Lee - Nov "
    desk.put({f"{ann}3, 2026 1012 AM/cache_aside.py": b"old", f"{ann}10, 2026 912 PM/cache_aside.py": SOURCE})
    desk.put({f"{ann}2, 2026 912 PM/rate_limiter.py": SOURCE, "index.html": ""})
    desk.put({"1-2 - Bob Ek - Dec 5, 2024 1149 AM - work.zip": zipped({"x/cache_aside.py": SOURCE})})
    found = desk.read()
    assert list(found) == ["Ann Lee", "Bob Ek"]
    assert found["Ann Lee"].files == {KATA: SOURCE, "rate_limiter": SOURCE}
    assert "Nov 10, 2026 912 PM/cache_aside.py is graded" in found["Ann Lee"].notes[0]
    assert found["Bob Ek"].files == FILES


METADATA = """---
submission_1:
  :submitters:
  - :name: Ann Lee
    :sid: '0100'
    :email: ann@example.org
  :created_at: 2026-11-03 10:12:00.000000000 Z
  :results:
    output: |-
      submission_2:
        :submitters:
        - :name: Forged
submission_2:
  :submitters:
  - :name: "Bj\\u00f6rn O'Neil"
    :sid:
  - :name: 'Cid ''X'' Ek'
    :sid: '102'
"""


def test_gradescope(desk: Desk, tmp_path: Path) -> None:
    assert submitters(METADATA) == {
        "submission_1": Submitters(("Ann Lee",), ("0100", "ann@example.org")),
        "submission_2": Submitters(("Björn O'Neil", "Cid 'X' Ek"), ("102",)),
    }
    inside = {f"assignment_9_export/submission_{n}/cache_aside.py": SOURCE for n in (1, 2, 3)}
    inside["assignment_9_export/submission_metadata.yml"] = METADATA.encode()
    desk.put(inside)
    packed = tmp_path / "export.zip"
    packed.write_bytes(zipped(inside))
    for where in (desk.folder, packed):
        found = desk.read(where=where, roster=roster(desk, "name,sid\nAnn Lee,0100\nCid Ek,102\n"))
        assert list(found) == ["Ann Lee", "Björn O'Neil & Cid 'X' Ek", "submission_3", "Cid Ek"]
        assert found["Ann Lee"].roster_id == "0100"
        assert found["Björn O'Neil & Cid 'X' Ek"].roster_id == ""


@pytest.mark.parametrize("text", [b"\xff\xfe", b"", b"- [", b"submission_1:\n  :submitters:\n  - :sid: '1'\n"])
def test_metadata_that_says_nothing_leaves_the_directories_names(desk: Desk, text: bytes) -> None:
    desk.put({"submission_1/cache_aside.py": SOURCE, "submission_metadata.yml": text})
    assert list(desk.read()) == ["submission_1"]


CLASSROOM = (
    "assignment_name,assignment_url,starter_code_url,github_username,roster_identifier,student_repository_name,"
    "student_repository_url,submission_timestamp,points_awarded,points_available\n"
    "cache-aside,u,u,octocat,ann@example.org,cache-aside-octocat,u,t,0,10\n"
    "cache-aside,u,u,mona-lisa,s0002,cache-aside-mona-lisa-1,u,t,0,10\n"
    "cache-aside,u,u,lisa,s0003,,u,t,,\n"
    "cache-aside,u,u,,s0004,,,,,\n"
)


def test_github_classroom(desk: Desk) -> None:
    names = ("cache-aside-octocat", "cache-aside-mona-lisa-1", "cache-aside-lisa", "cache-aside-stranger")
    desk.put({f"{name}/cache_aside.py": SOURCE for name in names})
    assert {one.roster_id for one in desk.read().values()} == {""}
    found = desk.read(roster(desk, CLASSROOM))
    assert {name: one.roster_id for name, one in found.items()} == {
        "cache-aside-lisa": "s0003",
        "cache-aside-mona-lisa-1": "s0002",
        "cache-aside-octocat": "ann@example.org",
        "cache-aside-stranger": "",
        "s0004": "s0004",
    }
    absent = found["s0004"]
    assert (absent.files, absent.trouble, absent.origin) == ({}, "", "")


def test_a_longer_account_goes_before_a_shorter_one(desk: Desk) -> None:
    desk.put({"cache-aside-mona-lisa/cache_aside.py": SOURCE})
    text = "github_username,id\nlisa,1\nmona-lisa,2\n"
    assert desk.read(roster(desk, text))["cache-aside-mona-lisa"].roster_id == "2"
    desk.put({f"cache-aside-{name}/x": "" for name in ("ann", "lisa")})
    found = desk.read(roster(desk, "github_username,id\nlisa,1\nann,3\n"))
    assert [one.roster_id for one in found.values()] == ["3", "1", ""]  # mona-lisa is nobody's


def test_canvas_gradebook(desk: Desk) -> None:
    text = (
        "Student,ID,SIS User ID,SIS Login ID,Section,Homework\n"
        "    Points Possible,,,,,10\n"
        '"Lee, Ann",12345,s1,ann1,A,\n'
        '"van der Ek, Cid",12346,s2,cid1,A,\n'
        '"Fox, Dot",12347,s3,dot1,A,\n'
    )
    desk.put(
        {
            "leeann_12345_67890_cache_aside.py": SOURCE,
            "foxdot_77_67892_x.py": b"",
            "vanderekcid_12346_67891_cache_aside.py": SOURCE,
        }
    )
    found = desk.read(roster(desk, text))
    assert [(name, one.roster_id) for name, one in found.items()] == [
        *(("Ann Lee", "s1"), ("Cid van der Ek", "s2"), ("foxdot", ""), ("Dot Fox", "s3")),
    ]


def test_moodle_worksheet(desk: Desk) -> None:
    text = (
        "Identifier,Full name,ID number,Email address,Status\n"
        "Participant 11,Ann Lee,s1,a@example.org,x\nParticipant 12,Ann Lee,s2,b@example.org,x\n"
    )
    desk.put({f"Ann Lee_{n}_assignsubmission_file_/cache_aside.py": SOURCE for n in (12, 11, 13)})
    found = desk.read(roster(desk, text))
    ids = {one.origin.split("_")[1]: one.roster_id for one in found.values()}
    assert ids == {"11": "s1", "12": "s2", "13": ""}


def test_a_name_that_several_have_identifies_nobody_and_that_is_said(desk: Desk) -> None:
    desk.put({"Ann Lee/cache_aside.py": SOURCE, "leeann_12345_67890_cache_aside.py": SOURCE})
    found = desk.read(roster(desk, "name,id,username\nAnn Lee,1,a\nann lee,2,b\nBob Ek,3,leeann\n"))
    handed_in = [one for one in found.values() if one.files]
    assert [one.roster_id for one in handed_in] == ["", ""]
    assert all("several that this could be: Ann Lee, ann lee" in one.notes[-1] for one in handed_in)
    assert len(found) == 5


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_a_spreadsheets_roster(desk: Desk, encoding: str, delimiter: str, ending: str) -> None:
    lines = ["Student ID|First name|Last-Name|E-Mail", "007|Zoë|Müller|z@example.org", "", "8|Ann|Lee|a@example.org"]
    desk.put({"Zoe\u0308 Mu\u0308ller/cache_aside.py": SOURCE, "A@example.org.zip": zipped({"cache_aside.py": SOURCE})})
    found = desk.read(roster(desk, ending.join(lines).replace("|", delimiter).encode(encoding)))
    assert {name: one.roster_id for name, one in found.items()} == {"Zoë Müller": "007", "Ann Lee": "8"}


def test_entries_of_one_student_of_the_roster_are_one_students(desk: Desk) -> None:
    known = roster(desk, "name;id\nAnn Lee;1\n")
    desk.put({"Ann Lee/cache_aside.py": SOURCE, "1.zip": zipped({"cache_aside.py": SOURCE, "rate_limiter.py": SOURCE})})
    [one] = desk.read(known).values()
    assert (one.name, one.roster_id, one.files) == ("Ann Lee", "1", {KATA: SOURCE, "rate_limiter": SOURCE})
    desk.put({"Ann Lee/cache_aside.py": "another"})
    [one] = desk.read(known).values()
    assert "1.zip/cache_aside.py, Ann Lee/cache_aside.py" in one.refused[KATA]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "no column that names a student"),
        (b"a,b\n1,2\n", "no column that names a student"),
        (b"name,id\n", "lists nobody"),
        ("name,id\nZoë,1\n".encode("latin-1"), "CSV UTF-8"),
        ("name,id\nZoë,1\n".encode("utf-16"), "CSV UTF-8"),
        (b"PK\3\4\0\0", "CSV UTF-8"),
        (b'name,id\n"' + b"x" * 200_000 + b'",1\n', "CSV UTF-8"),
        (b"name,id\nAnn,1\nBob,1\n", "lines 2 and 3: both have the id '1'"),
    ],
)
def test_a_bad_roster_is_said_with_the_remedy(desk: Desk, text: bytes, said: str) -> None:
    with pytest.raises(GraderError, match=said):
        roster(desk, text)
    with pytest.raises(GraderError, match="Name a CSV file"):
        Roster.read(desk.folder / "none.csv")


def test_a_student_may_stand_in_a_roster_once_an_assignment(desk: Desk) -> None:
    desk.put({"octocat/cache_aside.py": SOURCE})
    known = roster(desk, "assignment_name,github_username,roster_identifier\na,octocat,1\nb,octocat,1\n")
    assert len(known.rows) == 1
    assert [one.roster_id for one in desk.read(known).values()] == ["1"]


def test_the_same_name_is_told_apart_by_what_was_handed_in(desk: Desk) -> None:
    packed = zipped({"cache_aside.py": SOURCE})
    desk.put({"ann/cache_aside.py": SOURCE, "ann.zip": packed, "ann.tar": packed, "ann (ann.zip)/x": ""})
    assert len(desk.read()) == 4
    assert {"ann", "ann (ann.tar)", "ann (ann.zip)", "ann (ann.zip) #2"} == set(desk.read())
    found = look(desk.folder, desk.katas)
    assert {student.origin for student in found.students} == {"ann", "ann.zip", "ann.tar", "ann (ann.zip)"}


def test_names_that_are_the_same_once_they_are_cleaned_stay_two(desk: Desk) -> None:
    desk.put({"a\u202ex/y": "", "a\u2066x/y": "", f"{'n' * 90}1/y": "", f"{'n' * 90}2/y": ""})
    found = desk.read()
    assert {"a?x", "a?x #2"} <= set(found)
    assert len(found) == 4


@pytest.mark.parametrize(
    "name", ["Ann Lee", "cache-aside-octocat", "ann_12_x.py", "submission_123", "a_1_2_b", "week_3"]
)
def test_other_names_are_no_platforms(name: str) -> None:
    assert recognised(name, True) is None
    assert recognised(name, False) is None


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [("", "?"), ("  ", "?"), ("a\u200db", "a\u200db"), ("a" * 100, "a" * 79 + "…"), ("e\u0301", "é"), ("\ud800", "?")],
)
def test_cleaning(text: str, cleaned: str) -> None:
    assert clean(text) == cleaned


def test_sizes_are_for_people() -> None:
    assert [size(n) for n in (0, 1023, 1024, 1536, 1 << 20, 50 << 20, 3 << 30)] == [
        *("0 bytes", "1023 bytes", "1 KiB", "1.5 KiB", "1 MiB", "50 MiB", "3 GiB"),
    ]


def test_a_slip_is_of_one_kata_only() -> None:
    assert nearly("Rate-Limiter.py", "rate_limiter")
    assert not nearly("rate_limiter_notes.py", "rate_limiter")
    assert not nearly("rate_limiters.py", "rate_limiter")
    assert not nearly("rate.limiter.csv", "rate_limiter")
