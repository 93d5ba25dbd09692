"""Charts for a terminal: columns of blocks, or of ASCII characters, what one did beside what another did.

Both panels have the same axes, so that they can be compared at a glance.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from dojo.plots.chart import Chart
from dojo.plots.scale import Rows, highest, number, rows_for, ticks

Line = list[tuple[str, str]]
"""Pieces of text, each with its style; an empty style is the terminal's own."""

COLOURS = ("cyan", "yellow")
"""Of the first panel and of the second."""
_OVER, _LIGHT = "bold red", "bright_black"
_GAP = 3


@dataclass(frozen=True, slots=True)
class Glyphs:
    column: str
    """From the lowest part of a cell to a full one."""
    behind: str
    over: str
    """For a full cell above the limit; empty where colour tells."""
    limit: tuple[str, str, str]
    """A line at the bottom, in the middle and at the top of a cell."""
    moment: str
    wall: str
    tick: str
    corner: str
    floor: str
    floor_tick: str


BLOCKS = Glyphs("▁▂▃▄▅▆▇█", "░", "", ("▁", "─", "▔"), "┊", "│", "┤", "└", "─", "┬")
ASCII = Glyphs("_=#", ".", "!", ("-", "-", "-"), ":", "|", "+", "+", "-", "+")


def draw(
    charts: Sequence[tuple[str, Chart]], *, width: int, rows: int, glyphs: Glyphs, first_colour: int = 0
) -> list[Line]:
    """One chart of one or two implementations, each with its name, in `width` columns and at most `rows` rows of plot.

    A name's colour is `COLOURS[first_colour]`, the next one's the next.
    """
    scale = rows_for(max(chart.peak for _, chart in charts), rows)
    labels = len(number(scale.top))
    room = (width - labels - 2 - (_GAP + 1) * (len(charts) - 1)) // len(charts)
    lines = _heading(charts[0][1], width, glyphs)
    panels = [
        _panel(name, replace(chart, end=_end(charts)), room, scale, glyphs, COLOURS[first_colour + index])
        for index, (name, chart) in enumerate(charts)
    ]
    for row, pieces in enumerate(zip(*panels, strict=True)):
        line: Line = []
        for index, (wall, piece) in enumerate(pieces):
            margin = _label(scale.count - row + 1, scale, labels) if index == 0 else " " * _GAP
            line += [(margin + (" " if index == 0 else ""), _LIGHT), (wall, _LIGHT), *piece]
        lines.append(line)
    names = max(len(name) for name, _ in charts)
    for index, (name, chart) in enumerate(charts):
        for nth, text in enumerate(_wrapped(chart.note, width - names - 2)):
            lines.append([(f"{'' if nth else name:<{names}}", COLOURS[first_colour + index]), (f"  {text}", "")])
    return lines


def _end(charts: Sequence[tuple[str, Chart]]) -> float:
    return max(chart.end for _, chart in charts)


def _heading(chart: Chart, width: int, glyphs: Glyphs) -> list[Line]:
    """The title, and what the signs mean: in one line if both fit."""
    title: Line = [(chart.title, "bold"), ("" if chart.y.label == chart.shown.name else f": {chart.y}", "")]
    key = [f"{glyphs.column[-1]} {chart.shown.name}"]
    if chart.behind is not None:
        key.append(f"{glyphs.behind} {chart.behind.name}")
    if chart.limit is not None:
        key.append(f"{glyphs.limit[1]} {chart.limit.label}")
    legend: Line = [("  ".join(key), _LIGHT)]
    if sum(len(text) for text, _ in [*title, *legend]) + 2 <= width:
        return [[*title, ("  ", ""), *legend]]
    return [title, legend]


def _label(edge: int, scale: Rows, width: int) -> str:
    """The y axis' text beside the row whose upper edge is so many rows above the floor."""
    return f"{number(edge * scale.height) if scale.tick_at(edge) else '':>{width}}"


def _panel(name: str, chart: Chart, width: int, scale: Rows, glyphs: Glyphs, colour: str) -> Iterator[tuple[str, Line]]:
    """From the heading down to the numbers of the x axis: the wall on the left, and what is to its right."""
    name = name[:width]
    axis = str(chart.x)[: max(0, width - len(name) - 2)]
    yield " ", [(name, colour), (f"{axis:>{width - len(name)}}", _LIGHT)]
    cells = _Cells(chart, width, scale, glyphs, colour)
    for row in range(scale.count - 1, -1, -1):
        yield (
            glyphs.tick if scale.tick_at(row + 1) else glyphs.wall,
            _joined([cells.at(column, row) for column in range(width)]),
        )
    numbers = _numbers(chart, width)
    floor = [glyphs.floor] * width
    for column, _ in numbers:
        floor[column] = glyphs.floor_tick
    yield glyphs.corner, [("".join(floor), _LIGHT)]
    text = [" "] * width
    for column, label in numbers:
        text[column : column + len(label)] = label
    yield " ", [("".join(text[:width]), _LIGHT)]


class _Cells:
    """What stands in each cell of a panel's plot."""

    def __init__(self, chart: Chart, width: int, scale: Rows, glyphs: Glyphs, colour: str) -> None:
        self._glyphs, self._colour, self._height = glyphs, colour, scale.height
        edges = [chart.end * column / width for column in range(width + 1)]
        spans = list(itertools.pairwise(edges))
        self._shown = [highest(chart.shown, *span) for span in spans]
        behind = chart.behind
        self._behind = [0.0 if behind is None else highest(behind, *span) for span in spans]
        self._limit = None if chart.limit is None else chart.limit.at
        moment = chart.moment
        self._moment = None if moment is None else _column(moment.at, chart, width)
        self._limit_row = -1
        if self._limit is not None:
            self._limit_row = min(scale.count - 1, int(self._limit / self._height + 1e-9))

    def at(self, column: int, row: int) -> tuple[str, str]:
        """The sign, and its style."""
        floor = row * self._height
        over = self._limit is not None and floor >= self._limit - 1e-9
        if (glyph := self._filled(self._shown[column] - floor, row)) is not None:
            full = glyph == self._glyphs.column[-1]
            return (
                self._glyphs.over if over and full and self._glyphs.over else glyph
            ), _OVER if over else self._colour
        if self._limit is not None and row == self._limit_row:
            part = min(1.0, (self._limit - floor) / self._height)
            return self._glyphs.limit[0 if part < 0.25 else 1 if part < 0.75 else 2], ""
        if self._behind[column] - floor >= self._height / 2 - 1e-9:
            return self._glyphs.behind, _LIGHT
        if column == self._moment:
            return self._glyphs.moment, _LIGHT
        return " ", ""

    def _filled(self, above: float, row: int) -> str | None:
        """The part of a cell that a value so far above its floor fills; what is little is not nothing on the ground."""
        levels = len(self._glyphs.column)
        level = min(levels, math.floor(above / self._height * levels + 0.5))
        if level <= 0 and row == 0 and above > 0:
            level = 1
        return self._glyphs.column[level - 1] if level > 0 else None


def _joined(cells: Sequence[tuple[str, str]]) -> Line:
    """Neighbours of one style as one piece."""
    line: Line = []
    for sign, style in cells:
        if line and line[-1][1] == style:
            line[-1] = (line[-1][0] + sign, style)
        else:
            line.append((sign, style))
    return line


def _column(x: float, chart: Chart, width: int) -> int:
    return min(width - 1, int(x / chart.end * width + 1e-9))


def _numbers(chart: Chart, width: int) -> list[tuple[int, str]]:
    """The x axis' texts and their columns; none touches another, and the moment's comes first."""
    labels = []
    if chart.moment is not None:
        labels.append((_column(chart.moment.at, chart, width), f"{number(chart.moment.at)} {chart.moment.label}"))
    for x in ticks(chart.end, max(2, min(10, width // 7))):
        if x < chart.end and not (chart.x.counts and x == 0):
            labels.append((_column(x + chart.x.counts / 2, chart, width), number(x)))
    taken: list[tuple[int, str]] = []
    for start, text in labels:
        start = max(0, min(start, width - len(text)))
        if all(start + len(text) < at or at + len(other) < start for at, other in taken):
            taken.append((start, text))
    return sorted(taken)


def _wrapped(text: str, width: int) -> list[str]:
    import textwrap

    return textwrap.wrap(text, max(20, width)) or [""]
