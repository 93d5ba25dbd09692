"""The list of a course's students, as a learning platform or a spreadsheet exports it."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dojo.grader.intake.names import clean, same, squashed
from dojo.grader.model import GraderError

_LARGEST = 16 << 20

_NAMES = ("name", "full_name", "student", "student_name", "display_name", "participant_name")
_FIRST = ("first_name", "firstname", "given_name", "forename")
_LAST = ("last_name", "lastname", "surname", "family_name")
_IDS = (
    *("roster_identifier", "student_id", "id_number", "orgdefinedid", "org_defined_id", "student_number"),
    *("sis_user_id", "sis_id", "sis_login_id", "sid", "id", "identifier", "email", "email_address", "username"),
)
"""In this order: the first that a row has a value for is the student's id in the book."""
_ACCOUNTS = ("github_username", "username", "user_name", "login", "login_id", "sis_login_id")
_REPOSITORY = "student_repository_name"
_KNOWN = {*_NAMES, *_FIRST, *_LAST, *_IDS, *_ACCOUNTS, _REPOSITORY}
_WANTED = "name, id or student_id, email, username or github_username, roster_identifier"


@dataclass(frozen=True, slots=True)
class Row:
    """One student of the roster."""

    id: str
    name: str
    """As a person writes it, `Ann Lee`; empty if the roster has no names."""
    keys: frozenset[str]
    """What may name the student: every id, address, account and repository, as `same` makes them."""
    accounts: frozenset[str] = frozenset()
    """Accounts that GitHub Classroom appends to a repository's name."""
    participant: str = ""
    """Moodle's number in the names of its directories."""
    canvas: str = ""
    """Canvas's number in the names of its files."""

    @property
    def shown(self) -> str:
        return clean(self.name or self.id or min(self.keys, default=""))


@dataclass(frozen=True, slots=True)
class Claim:
    """What is known of an entry that may be a student's of the roster."""

    name: str
    entry: str
    """The entry's name without an archive's ending."""
    platform: str = ""
    id: str = ""
    """The platform's own."""
    ids: tuple[str, ...] = ()
    """Other ids and addresses."""


@dataclass(frozen=True)
class Roster:
    """The students of a course, in the order of the file."""

    rows: tuple[Row, ...]
    _index: Mapping[tuple[str, str], list[int]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        index: dict[tuple[str, str], list[int]] = {}
        for number, row in enumerate(self.rows):
            for kind, key in _indexed(row):
                if key and number not in index.setdefault((kind, key), []):
                    index[kind, key].append(number)
        object.__setattr__(self, "_index", index)

    @classmethod
    def read(cls, path: Path) -> Roster:
        """The roster in a CSV file with a line of headers, separated by `,` or `;` or tabs, in UTF-8.

        Columns are found by their headers, in any order, case and number: those of GitHub Classroom, Canvas's
        gradebook, Moodle's grading worksheet, Brightspace, Gradescope, or one's own. Raises GraderError.
        """
        try:
            with path.open("rb") as file:
                data = file.read(_LARGEST + 1)
        except OSError as error:
            raise GraderError(f"cannot read the roster {path}: {error.strerror}. Name a CSV file.") from error
        if len(data) > _LARGEST or b"\0" in data:
            raise GraderError(f"the roster {path} is not a CSV file. Save it as `CSV UTF-8`.")
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise GraderError(f"the roster {path} is not in UTF-8. Save it as `CSV UTF-8`.") from error
        return cls(tuple(_rows(path, text)))

    def find(self, claim: Claim) -> tuple[Row | None, str]:
        """The student that an entry belongs to, and what to say if that is not certain.

        What identifies somebody goes before a name, and a name before the end of a repository's.
        """
        parts = claim.entry.split("-")
        tails = ["-".join(parts[n:]) for n in range(1, len(parts))]
        for keys in (
            [({"Moodle": "participant", "Canvas": "canvas"}.get(claim.platform, "key"), claim.id)],
            [("key", same(key)) for key in claim.ids],
            [("key", same(claim.entry)), ("key", same(claim.name))],
            [("name", same(claim.name))],
            [("squashed", squashed(claim.name))] if claim.platform == "Canvas" else [],
            *([("account", same(tail))] for tail in tails),  # the longest first
        ):
            rows = {number for key in keys if key[1] for number in self._index.get(key, ())}
            if len(rows) == 1:
                return self.rows[rows.pop()], ""
            if rows:
                several = ", ".join(self.rows[number].shown for number in sorted(rows)[:3])
                return None, f"the roster has several that this could be: {several}"
        return None, ""


def _indexed(row: Row) -> Iterable[tuple[str, str]]:
    yield from (("key", key) for key in row.keys)
    yield from (("account", account) for account in row.accounts)
    yield "participant", row.participant
    yield "canvas", row.canvas
    yield "name", same(row.name)
    first, _, last = row.name.rpartition(" ")
    for spelling in (row.name, f"{last} {first}", *_turned(row.name)):
        yield "squashed", squashed(spelling)


def _turned(name: str) -> Iterable[str]:
    """`Ann van der Lee` with every possible surname in front: Canvas knows which it is, a roster need not."""
    words = name.split()
    return (" ".join(words[n:] + words[:n]) for n in range(1, min(len(words), 6)))


def _rows(path: Path, text: str) -> Iterable[Row]:
    headers, lines = _table(path, text)
    canvas = "id" in headers and any(header.startswith("sis_") for header in headers)
    seen: dict[str, tuple[int, Row]] = {}
    count = 0
    for number, line in lines:
        cells = {header: cell for header, cell in zip(headers, line, strict=False) if header and cell}
        row = _row(cells, canvas)
        if row is None:
            continue
        count += 1
        before, other = seen.setdefault(row.id, (number, row)) if row.id else (number, row)
        if other != row and (same(other.name), other.accounts) != (same(row.name), row.accounts):
            raise GraderError(f"{path}, lines {before} and {number}: both have the id {clean(row.id)!r}. Keep one.")
        if before == number:
            yield row
    if not count:
        raise GraderError(f"the roster {path} lists nobody. Each student is a line below the headers.")


def _table(path: Path, text: str) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """The headers as `lower_case`, and the lines with their numbers, blanks around cells removed."""
    best: tuple[list[str], list[tuple[int, list[str]]]] = ([], [])
    known = 0
    for delimiter in ",;\t":
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
        try:
            lines = [(reader.line_num, [cell.strip() for cell in line]) for line in reader]
        except csv.Error as error:
            if best[0] or delimiter != "\t":
                continue
            raise GraderError(f"{path}, line {reader.line_num}: {error}. Save it as `CSV UTF-8`.") from error
        lines = [line for line in lines if any(line[1])]
        headers = [_header(cell) for cell in lines[0][1]] if lines else []
        if (count := len(_KNOWN.intersection(headers))) > known:
            best, known = (headers, lines[1:]), count
    if not known:
        raise GraderError(
            f"the roster {path} has no column that names a student. Its first line needs one of: {_WANTED}."
        )
    return best


def _header(cell: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", cell.casefold()).strip("_")


def _row(cells: Mapping[str, str], canvas: bool) -> Row | None:
    def first(columns: Iterable[str]) -> str:
        return next((cells[column].lstrip("#") for column in columns if column in cells), "")

    name = first(_NAMES)
    if same(name) == "points possible":  # Canvas's second line
        return None
    surname, comma, given = name.partition(",")
    if comma and given.strip():
        name = f"{given.strip()} {surname.strip()}"
    if not name:
        name = f"{first(_FIRST)} {first(_LAST)}".strip()
    participant = re.search(r"\d+\Z", cells.get("identifier", ""))
    keys = {same(cells[column].lstrip("#")) for column in {*_IDS, *_ACCOUNTS, _REPOSITORY} if column in cells}
    if canvas:
        keys.discard(same(cells.get("id", "")))
    if not (name or keys):
        return None
    accounts = {same(cells[column]) for column in _ACCOUNTS if column in cells}
    return Row(
        clean(first(_IDS), 200) if first(_IDS) else "",
        clean(name) if name else "",
        frozenset(keys),
        frozenset(accounts),
        participant[0] if participant else "",
        cells.get("id", "") if canvas else "",
    )
