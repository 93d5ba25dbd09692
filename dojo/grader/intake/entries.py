"""From the names on a shelf to students: which entries are one student's, and what the student is called."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from dojo.grader.intake.archive import foreign, stem
from dojo.grader.intake.exports import METADATA, Exported, Submitters, contradictory, recognised, submitters
from dojo.grader.intake.names import NAME, clean, same
from dojo.grader.intake.opening import Wanted
from dojo.grader.intake.roster import Claim, Roster
from dojo.grader.intake.shapes import CLONES_OWN
from dojo.grader.intake.shelf import Entry, Shelf
from dojo.grader.intake.tree import Kind, Refused, Unsafe, hidden
from dojo.grader.model import GraderError

_METADATA_BYTES = 32 << 20
_CLONES_FILES = frozenset({"conftest.py", "pyproject.toml"})
_SYSTEMS_OWN = ("thumbs.db", "desktop.ini")


@dataclass(frozen=True, slots=True)
class Part:
    """One entry of a student."""

    entry: Entry
    exported: Exported | None = None


@dataclass(frozen=True, slots=True)
class Student:
    """A row of the book to be, before anything that was handed in is opened."""

    name: str
    origin: str
    parts: tuple[Part, ...] = ()
    """Empty if nothing was handed in."""
    roster_id: str = ""
    notes: tuple[str, ...] = ()
    distinction: str = field(default="", compare=False)
    """What tells the student from another of the same name."""


def unwrapped(shelf: Shelf, wanted: Wanted) -> Shelf:
    """The shelf, or what stands in the directory that a platform or an unpacker has put around it.

    In an archive, two entries that look like students' are enough to tell it from one student's; in a folder, only
    a platform's names are, as the instructor can name the directory in it as well.
    """
    inner = shelf
    for _ in range(3):
        visible = [entry for entry in inner.entries if not _nobodys(entry.name)]
        places = [entry for entry in visible if entry.kind == "directory" or stem(entry.name) is not None]
        if len(places) != 1 or places[0].kind != "directory" or any(recognised(entry.name, True) for entry in visible):
            break
        inner = inner.within(places[0].name)
        kinds = {entry.name: entry.kind for entry in inner.entries}
        exported = [name for name, kind in kinds.items() if recognised(name, kind != "directory")]
        if METADATA in kinds or 2 * len(exported) > len(kinds):
            return inner
        alike = [name for name, kind in kinds.items() if _like_a_students(inner, name, kind, wanted)]
        if shelf.packed and len(alike) > 1 and not _shaped(kinds, wanted):
            return inner
    return shelf


def is_one(shelf: Shelf, wanted: Wanted) -> bool:
    """Whether the shelf is not a folder of submissions, but one student's: a clone, or katas' files alone."""
    top: dict[str, Kind] = {entry.name: entry.kind for entry in shelf.entries if not _nobodys(entry.name)}
    if top.get("katas") == "directory" and wanted.directories & shelf.inside("katas").keys():
        # A student may be called so too, and is not to stand for all others.
        others = [name for name, kind in top.items() if kind == "directory" and name not in ("katas", *CLONES_OWN)]
        alone = not any(_like_a_students(shelf, name, "directory", wanted) for name in others)
        return alone or not _CLONES_FILES.isdisjoint(top)
    own = {name for name, kind in top.items() if name in _own(kind, wanted)}
    if not own or any(recognised(name, kind == "file") for name, kind in top.items()):
        return False
    return not any(_like_a_students(shelf, name, kind, wanted) for name, kind in top.items() if name not in own)


def _own(kind: Kind, wanted: Wanted) -> frozenset[str]:
    return wanted.files if kind == "file" else wanted.directories if kind == "directory" else frozenset()


def _shaped(inside: Mapping[str, Kind], wanted: Wanted) -> bool:
    return "katas" in inside or any(name in _own(kind, wanted) for name, kind in inside.items())


def _like_a_students(shelf: Shelf, name: str, kind: Kind, wanted: Wanted) -> bool:
    if kind == "directory":
        return not _nobodys(name) and _shaped(shelf.inside(name), wanted)
    return kind == "file" and stem(name) is not None


def _nobodys(name: str) -> bool:
    return hidden(name) or name.lower() in _SYSTEMS_OWN


def students(
    shelf: Shelf, wanted: Wanted, roster: Roster | None
) -> tuple[tuple[Student, ...], tuple[tuple[str, str], ...]]:
    """The students in the order of their names, those who handed in nothing last; and what was skipped, and why."""
    skipped = [(clean(f"{shelf.prefix}{name}", 160), why) for name, why in shelf.skipped]
    groups: dict[tuple[str, ...], list[Part]] = {}
    for part in _parts(shelf, wanted, skipped):
        key = part.exported.key if part.exported else (part.entry.name,)
        groups.setdefault(key, []).append(part)
    metadata = _metadata(shelf)
    found = sorted((_student(shelf, parts, metadata) for parts in groups.values()), key=_by_name)
    absent: list[Student] = []
    if roster is not None:
        found, absent = _matched(found, roster, metadata)
    return tuple(_unique([*found, *absent])), tuple(skipped)


def the_one(path: Path, roster: Roster | None) -> Student:
    """The student whose work the whole folder or archive is."""
    plain = stem(path.name) or path.resolve().name
    row, note = roster.find(Claim(plain, plain)) if roster is not None else (None, "")
    name = clean((row.name if row else "") or plain)
    return Student(name, clean(path.name or plain, 160), (), row.id if row else "", (note,) if note else ())


def _by_name(student: Student) -> tuple[str, str]:
    return same(student.name), student.origin


def _parts(shelf: Shelf, wanted: Wanted, skipped: list[tuple[str, str]]) -> Iterator[Part]:
    seen = {entry.name: recognised(entry.name, entry.kind != "directory") for entry in shelf.entries}
    canvas = not contradictory(one for one in seen.values() if one)
    for entry in shelf.entries:
        exported = seen[entry.name]
        if exported and exported.platform == "Canvas" and not canvas:
            exported = None
        shown = clean(f"{shelf.prefix}{entry.name}", 160)
        if _nobodys(entry.name):
            skipped.append((shown, "hidden, or the system's own"))
        elif entry.kind in ("directory", "link") or (
            entry.kind == "file" and (exported or stem(entry.name) is not None or foreign(entry.name))
        ):
            yield Part(entry, exported)
        elif entry.kind == "file" and entry.name in wanted.files:
            skipped.append((shown, "whose it is, is not said. Put it into a directory with the student's name"))
        elif entry.name != METADATA:
            skipped.append((shown, "neither a directory nor an archive" if entry.kind == "file" else entry.what))


def _metadata(shelf: Shelf) -> dict[str, Submitters]:
    if not any(entry.name == METADATA and entry.kind == "file" for entry in shelf.entries):
        return {}
    try:
        return submitters(shelf.file(METADATA, _METADATA_BYTES).decode("utf-8"))
    except (Refused, Unsafe, UnicodeDecodeError):
        return {}


def _student(shelf: Shelf, parts: Sequence[Part], metadata: dict[str, Submitters]) -> Student:
    first = parts[0]
    origin = _origin(shelf, parts)
    notes = ("handed in late, says Canvas",) if any(part.exported and part.exported.late for part in parts) else ()
    if first.exported:
        platforms = f"{first.exported.platform} {first.exported.id}" if first.exported.id else origin
        return Student(clean(first.exported.student), origin, tuple(parts), "", notes, platforms)
    if known := metadata.get(first.entry.name):
        return Student(clean(" & ".join(known.names)), origin, tuple(parts), "", notes, first.entry.name)
    name = first.entry.name if first.entry.kind == "directory" else stem(first.entry.name) or first.entry.name
    return Student(clean(name), origin, tuple(parts), "", notes, origin)


def _origin(shelf: Shelf, parts: Sequence[Part]) -> str:
    return ", ".join(clean(f"{shelf.prefix}{part.entry.name}", 160) for part in parts[:4]) + (
        f" and {len(parts) - 4} more" if len(parts) > 4 else ""
    )


def _matched(
    found: Sequence[Student], roster: Roster, metadata: dict[str, Submitters]
) -> tuple[list[Student], list[Student]]:
    """The students with what the roster says of them, and those of the roster who handed in nothing.

    Entries of one student of the roster are one student's.
    """
    by_row: dict[int, Student] = {}
    order: list[Student | int] = []
    assignment = roster.assignment(stem(part.entry.name) or part.entry.name for one in found for part in one.parts)
    numbers = {id(row): number for number, row in enumerate(roster.rows)}
    for student in found:
        row, note = roster.find(replace(_claim(student, metadata), assignment=assignment))
        if note:
            student = replace(student, notes=(*student.notes, note))
        if row is None:
            order.append(student)
            continue
        number = numbers[id(row)]
        if number in by_row:
            other = by_row[number]
            by_row[number] = replace(
                other,
                origin=f"{other.origin}, {student.origin}"[:400],
                parts=other.parts + student.parts,
                notes=tuple(dict.fromkeys((*other.notes, *student.notes))),
            )
        else:
            by_row[number] = replace(student, name=row.name or student.name, roster_id=row.id)
            order.append(number)
    absent = [
        Student(row.shown, "", roster_id=row.id, distinction=clean(row.id))
        for number, row in enumerate(roster.rows)
        if number not in by_row
    ]
    return sorted((by_row[one] if isinstance(one, int) else one for one in order), key=_by_name), absent


def _claim(student: Student, metadata: dict[str, Submitters]) -> Claim:
    first = student.parts[0]
    entry = stem(first.entry.name) or first.entry.name
    if first.exported:
        return Claim(first.exported.student, entry, first.exported.platform, first.exported.id)
    known = metadata.get(first.entry.name)
    # A team's hand-in belongs to no single line of a roster.
    ids = known.ids if known and len(known.names) == 1 else ()
    return Claim(student.name, entry, ids=ids)


def _unique(found: Sequence[Student]) -> Iterator[Student]:
    """Those of the same name told apart by what they handed in, and whatever is the same still by a number."""
    often = Counter(student.name for student in found)
    taken = {name for name, count in often.items() if count == 1}
    for student in found:
        name = student.name
        if often[name] > 1:
            if student.distinction not in ("", name):
                name = f"{clean(name, NAME // 2)} ({clean(student.distinction, NAME // 2)})"
            plain, number = name, 1
            while name in taken:
                number += 1
                name = f"{plain} #{number}"
            taken.add(name)
        yield replace(student, name=name)


def nobody(path: Path, skipped: Sequence[tuple[str, str]]) -> GraderError:
    """The error that there is nothing to grade."""
    there = "; ".join(f"{name}: {why}" for name, why in skipped[:3]) or "it is empty"
    return GraderError(f"no submissions in {path}: {there}. It needs one directory or archive a student.")
