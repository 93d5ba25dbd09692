"""The book as a table for the terminal. The colours are rich's to leave out: NO_COLOR, no terminal, a file."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from rich.console import Group
from rich.table import Table
from rich.text import Text

from dojo.grader.book.signs import SIGNS
from dojo.grader.book.text import line, number, title
from dojo.grader.model import KataGrade, Report, StudentGrade

_NAME = 16
"""Cells of a name that are shown at least, if it is that long."""


def table(report: Report, width: int, *, ascii: bool = False) -> Group:
    """Title, table and legend, in at most `width` cells (50 or more): a column a kata, students in the report's order.

    Where the katas' names do not fit they become numbers, which the legend explains; then the points go, then the
    columns, of which a count is left. `ascii` is for an output whose encoding has no ✓.
    """
    katas = [_shown(line(kata), ascii) for kata in report.katas]
    numbers = [str(place) for place in range(1, len(katas) + 1)]
    full = [[_cell(kata, ascii) for kata in student.katas] for student in report.students]
    short = [[_cell(kata, ascii, points=False) for kata in student.katas] for student in report.students]
    fixed = _fixed(report, ascii)
    for heads, cells in ((katas, full), (numbers, full), (numbers, short)):
        if fixed + _breadth(heads, cells) <= width:
            legend = [] if heads is katas else [f"{place} {kata}" for place, kata in zip(numbers, katas, strict=True)]
            return _table(report, width, heads, cells, [*legend, *_meanings(report, ascii)], ascii)
    counts = [[Text(_count(student))] for student in report.students]
    return _table(report, width, ["passed"], counts, [], ascii)


def _table(
    report: Report, width: int, heads: Sequence[str], cells: list[list[Text]], legend: list[str], ascii: bool
) -> Group:
    result = Table(
        box=None,
        pad_edge=False,
        padding=(0, 2, 0, 0),
        header_style="bold",
    )
    flagged = any(student.flags for student in report.students)
    name = _NAME + max(0, width - _fixed(report, ascii) - _breadth(heads, cells))
    result.add_column("student", no_wrap=True, overflow="crop" if ascii else "ellipsis", max_width=name)
    for head in heads:
        result.add_column(Text(head), justify="right", no_wrap=True)
    result.add_column("points", justify="right", no_wrap=True)
    if flagged:
        result.add_column("flags", justify="right", no_wrap=True)
    for student, row in zip(report.students, cells, strict=True):
        flags = [Text(f"{_flag(ascii)} {len(student.flags)}" if student.flags else "", style="yellow")]
        result.add_row(
            Text(_shown(title(student.name), ascii)), *row, Text(_points(student)), *(flags if flagged else [])
        )
    heading = Text(_shown(line(report.title), ascii), style="bold")
    return Group(heading, result, _caption(report, legend, width, ascii))


def _caption(report: Report, legend: list[str], width: int, ascii: bool) -> Text:
    parts = _flow(legend, width)
    parts.append(f"confinement: {line(report.tier)}")
    if report.not_enforced:
        parts.append(f"not enforced: {'; '.join(line(text).rstrip('.') for text in report.not_enforced)}")
    if any(kata.verdict.status == "ungraded" for student in report.students for kata in student.katas):
        parts.append("* without what is ungraded")
    return Text(_shown("\n".join(parts), ascii), style="dim")


def _flow(items: Sequence[str], width: int) -> list[str]:
    """As many items a line as there is room for, and none broken."""
    lines: list[str] = []
    for item in items:
        if lines and cell_len(lines[-1]) + 2 + cell_len(item) <= width:
            lines[-1] += f"  {item}"
        else:
            lines.append(item)
    return lines


def _fixed(report: Report, ascii: bool) -> int:
    """The cells that all but the katas' columns need."""
    points = max([len("points"), *(len(_points(student)) for student in report.students)]) + 2
    counts = [len(f"{_flag(ascii)} {len(student.flags)}") for student in report.students if student.flags]
    return _NAME + 2 + points + (max(len("flags"), *counts) + 2 if counts else 0)


def _breadth(heads: Sequence[str], cells: list[list[Text]]) -> int:
    """The cells of the katas' columns."""
    return sum(max([cell_len(head), *(row[place].cell_len for row in cells)]) + 2 for place, head in enumerate(heads))


def _cell(kata: KataGrade, ascii: bool, points: bool = True) -> Text:
    sign = SIGNS[kata.verdict.status]
    symbol = sign.ascii if ascii else sign.symbol
    bare = not points or kata.verdict.status in ("ungraded", "missing")
    return Text(symbol if bare else f"{symbol} {number(kata.points)}", style=sign.colour)


def _count(student: StudentGrade) -> str:
    return f"{sum(kata.verdict.status == 'passed' for kata in student.katas)} of {len(student.katas)}"


def _points(student: StudentGrade) -> str:
    mark = "*" if any(kata.verdict.status == "ungraded" for kata in student.katas) else ""
    return f"{number(student.points)}/{number(student.max)}{mark}"


def _meanings(report: Report, ascii: bool) -> list[str]:
    """Of the signs that occur, in the order of `SIGNS`."""
    there = {kata.verdict.status for student in report.students for kata in student.katas}
    return [
        f"{sign.ascii if ascii else sign.symbol} {sign.meaning.split(':')[0]}"
        for status, sign in SIGNS.items()
        if status in there
    ]


def _flag(ascii: bool) -> str:
    return "!" if ascii else "⚑"


def _shown(text: str, ascii: bool) -> str:
    return text.encode("ascii", "replace").decode() if ascii else text
