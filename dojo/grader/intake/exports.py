"""How learning platforms name what they export, and which student a name means.

    Moodle        Ann Lee_1234567_assignsubmission_file_/…           a directory a student and kind of hand-in
                  Ann Lee_1234567_assignsubmission_file_work.zip     without directories
                  Participant_1234567_assignsubmission_file_/…       with anonymous marking
                  Group 1_55_assignsubmission_file_/…                of a team
    Canvas        leeann_12345_67890_cache_aside.py                  student, user's id, file's id, file
                  leeann_LATE_12345_67890_cache_aside-2.py           late, handed in for the third time
                  anon_q3Xz9_67890_work.zip                          with anonymous marking
                  leeann_12345_text.html                             typed in, or a link
    Brightspace   123456-7890123 - Ann Lee - Nov 3, 2026 1012 AM/…   a directory a hand-in
                  123456-7890123 - Ann Lee - Nov 3, 2026 1012 AM - work.zip
    Gradescope    submission_12345678/…                              names stand in submission_metadata.yml beside it
    Classroom     cache-aside-octocat/…                              assignment and GitHub's user name

Canvas takes the sortable name (`Lee, Ann`), leaves letters, digits and `_` of it, in lower case.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass

from dojo.grader.intake.archive import stem

METADATA = "submission_metadata.yml"
"""Gradescope's list of who handed in what."""


@dataclass(frozen=True, slots=True)
class Exported:
    """What the name of one exported directory or file says."""

    platform: str
    student: str
    id: str
    """The platform's id of the student, or of the team."""
    own: str = ""
    """The name that the student gave to the file; empty for a directory, and for an archive made of one."""
    when: tuple[int, ...] = ()
    """Later hand-ins of a student are greater."""
    late: bool = False

    @property
    def key(self) -> tuple[str, str, str]:
        """Equal for the hand-ins of one student."""
        return self.platform, self.id, self.student


_MOODLE = re.compile(r"(?P<student>.+?)(?:_(?P<id>\d+))?_assignsubmission_[a-z]+(?:_(?P<own>.*)|\.[\w.]+)?")
_CANVAS = re.compile(r"(?P<student>\w+?)(?P<late>_LATE)?_(?P<id>\d{2,})_(?P<file>\d{3,})_(?P<own>.+)")
_CANVAS_ANONYMOUS = re.compile(r"(?P<late>LATE_)?(?P<student>anon_(?P<id>[A-Za-z0-9]+))_(?P<file>\d{3,})_(?P<own>.+)")
_CANVAS_TYPED = re.compile(r"(?P<student>\w+?)(?P<late>_LATE)?_(?P<id>\d{2,})_(?P<own>(?:text|link)\.html)")
_BRIGHTSPACE = re.compile(
    r"(?P<id>\d+-\d+) - (?P<student>.+?) ?- (?P<month>[A-Z][a-z]{2})[a-z]*\.? (?P<day>\d{1,2}), (?P<year>\d{4}) "
    r"(?P<hour>\d{1,2}):?(?P<minute>\d{2}) (?P<half>[AP])M(?: - (?P<own>.+))?"
)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_RESUBMITTED = re.compile(r"-\d{1,3}(?=(?:\.[A-Za-z0-9]+)+\Z)")
_LONGEST = 400


def recognised(name: str, is_file: bool) -> Exported | None:
    """What an entry's name says if it is one of the platforms'."""
    if len(name) > _LONGEST:
        return None
    if found := _MOODLE.fullmatch(name):
        own = found["own"] or ""
        return Exported("Moodle", found["student"], found["id"] or "", "" if stem(own) == "" else own)
    if found := _BRIGHTSPACE.fullmatch(name):
        return Exported("Brightspace", found["student"].strip(), found["id"], found["own"] or "", _when(found))
    if is_file:
        return _canvas(name)
    return None


def _canvas(name: str) -> Exported | None:
    for pattern in (_CANVAS_ANONYMOUS, _CANVAS_TYPED, _CANVAS):
        found = pattern.fullmatch(name)
        if found and (pattern is _CANVAS_ANONYMOUS or found["student"] == found["student"].lower()):
            file = found.groupdict().get("file") or "0"
            return Exported("Canvas", found["student"], found["id"], found["own"], (int(file),), bool(found["late"]))
    return None


def without_number(own: str) -> str:
    """The file's name before Canvas numbered it: `cache_aside-2.py` was `cache_aside.py` twice already."""
    return _RESUBMITTED.sub("", own)


def _when(found: re.Match[str]) -> tuple[int, ...]:
    month = _MONTHS.index(found["month"]) + 1 if found["month"] in _MONTHS else 0
    hour = int(found["hour"]) % 12 + (12 if found["half"] == "P" else 0)
    return int(found["year"]), month, int(found["day"]), hour, int(found["minute"])


def contradictory(exported: Iterable[Exported]) -> bool:
    """Whether names that look like Canvas's cannot be: its file ids are unique, and a user's id has one name.

    `hw_2026_1127_ann.zip` and `hw_2026_1127_bob.zip` look like two files of one student called hw.
    """
    files: set[tuple[int, ...]] = set()
    students: dict[str, str] = {}
    for one in exported:
        if one.platform != "Canvas" or one.when == (0,):
            continue
        if one.when in files or students.setdefault(one.id, one.student) != one.student:
            return True
        files.add(one.when)
    return False


@dataclass(frozen=True, slots=True)
class Submitters:
    """Who handed in one of Gradescope's directories."""

    names: tuple[str, ...]
    ids: tuple[str, ...]
    """Student ids and e-mail addresses, as far as there are any."""


_ENTRY = re.compile(r"(['\"]?)([^\s:'\"][^:'\"]{0,200})\1:\s*\Z")
_FIELD = re.compile(r"  [- ] :(name|sid|email):\s*(.*)\Z")


def submitters(text: str) -> dict[str, Submitters]:
    """By directory, as far as a few patterns read Gradescope's YAML. What students' programs printed is in it too,
    but always deeper than what is looked at here.

        submission_12345678:
          :submitters:
          - :name: Ann Lee
            :sid: '100'
            :email: ann@example.org
          :created_at: …
    """
    found: dict[str, dict[str, list[str]]] = {}
    entry, inside = "", False
    for line in text.splitlines():
        if line[:1] not in ("", " ", "#", "-"):
            match = _ENTRY.match(line)
            entry, inside = (match[2] if match else ""), False
        elif re.match(r"  [^ -]", line):
            inside = line.rstrip() == "  :submitters:"
        elif entry and inside and (field := _FIELD.match(line)) and (value := _scalar(field[2])):
            found.setdefault(entry, {}).setdefault(field[1], []).append(value)
    return {
        entry: Submitters(tuple(fields["name"]), (*fields.get("sid", ()), *fields.get("email", ())))
        for entry, fields in found.items()
        if "name" in fields
    }


def _scalar(text: str) -> str:
    text = text.strip()
    if len(text) > 1 and text[0] == text[-1] == "'":
        return text[1:-1].replace("''", "'")
    if len(text) > 1 and text[0] == text[-1] == '"':
        try:
            return str(json.loads(text))
        except ValueError:
            return text[1:-1]
    return "" if text in ("", "~", "null") else text
