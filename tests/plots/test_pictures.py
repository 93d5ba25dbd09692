"""The pictures: they fit, they stand alone, and they show what is in the charts."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence

import pytest

from dojo.plots import Axis, Chart, Mark, Measured, Series
from dojo.plots.columns import ASCII, BLOCKS, Glyphs, draw
from dojo.plots.drawing import Drawing
from dojo.plots.page import page
from dojo.plots.scale import changing, counted, highest, rows_for, ticks
from dojo.plots.svg import picture

FINE = Chart(
    title="A burst",
    about="Two bursts <one & two>.",
    x=Axis("time", "s"),
    y=Axis("requests in the last 10 s"),
    end=40.0,
    shown=Series("admitted", ((0.0, 4.0), (10.0, 10.0), (20.0, 0.0))),
    behind=Series("asked for", ((0.0, 20.0),)),
    limit=Mark(10.0, "limit 10"),
    moment=Mark(20.0, "boundary"),
    note="at most 10",
)
OVER = Chart(**{**{name: getattr(FINE, name) for name in FINE.__slots__}, "shown": Series("admitted", ((0.0, 20.0),))})


def text(charts: Sequence[tuple[str, Chart]], width: int = 80, rows: int = 4, glyphs: Glyphs = ASCII) -> list[str]:
    lines = draw(charts, width=width, rows=rows, glyphs=glyphs)
    return ["".join(piece for piece, _ in line).rstrip() for line in lines]


def drawing(*mine: Chart, name: str = "yours", trouble: str = "") -> Drawing:
    return Drawing("rate_limiter", (name, "reference"), (Measured(mine, trouble), Measured((FINE,))), seed=7)


def test_two_panels_with_the_same_axes_in_ascii() -> None:
    assert text([("yours", OVER), ("reference", FINE)]) == [
        "A burst: requests in the last 10 s  # admitted  . asked for  - limit 10",
        "    yours                       time (s)    reference                   time (s)",
        "20 +!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!   +....................................",
        "15 +!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!   +------------------------------------",
        "10 +####################################   +.........#########..................",
        " 5 +####################################   +=========#########..................",
        " 0 ++--------+--------+-----------------   ++--------+--------+-----------------",
        "    0        10       20 boundary           0        10       20 boundary",
        "yours      at most 10",
        "reference  at most 10",
    ]


def test_blocks_show_parts_of_a_row_and_the_moment() -> None:
    lines = text([("reference", FINE)], width=46, glyphs=BLOCKS)
    assert lines[3:7] == [
        "20 ┤" + "░" * 42,
        "15 ┤" + "▁" * 42,
        "10 ┤" + "░" * 10 + "█" * 11 + "░" * 21,
        " 5 ┤▆▆▆▆▆▆▆▆▆▆███████████" + "░" * 21,
    ]


def test_what_is_over_the_limit_has_a_style_of_its_own() -> None:
    top = draw([("yours", OVER)], width=80, rows=4, glyphs=BLOCKS)[2]
    assert [style for piece, style in top if "█" in piece] == ["bold red"]


@pytest.mark.parametrize("width", [40, 80, 120, 160])
@pytest.mark.parametrize("glyphs", [ASCII, BLOCKS], ids=["ascii", "blocks"])
def test_no_line_is_wider_than_the_terminal(width: int, glyphs: Glyphs) -> None:
    for charts in ([("a_name_of_24_characters_x", OVER), ("reference", FINE)], [("reference", FINE)]):
        lines = text(charts, width=width, rows=6, glyphs=glyphs)
        assert max(map(len, lines[1:])) <= width
        if glyphs is ASCII:
            assert all(line.isascii() for line in lines)


def test_axes_have_round_ticks_between_rows() -> None:
    for most in range(1, 11):
        for peak in (*range(40), 99, 305, 1000, 12_345):
            rows = rows_for(peak, most)
            assert 1 <= rows.count <= most
            assert rows.top >= peak
            assert rows.tick_at(0)
            assert rows.tick_at(rows.count)
    assert ticks(305, 5) == [0, 100, 200, 300, 400]
    assert ticks(0, 5) == [0, 1]


def test_step_functions() -> None:
    assert counted([0.0, 0.1, 1.0, 9.0], end=3, width=1) == ((0.0, 2.0), (1.0, 1.0), (2.0, 0.0))
    # On a border that floats cannot meet exactly.
    assert counted([0.1 * 3], end=0.5, width=0.1)[3] == (0.3, 1.0)
    assert changing([(1.0, 1), (1.0, 1), (3.0, -2)]) == ((0.0, 0.0), (1.0, 2.0), (3.0, 0.0))
    series = Series("s", ((1.0, 5.0), (2.0, 1.0)))
    assert [highest(series, *span) for span in ((0, 1), (0, 1.5), (1.2, 1.4), (1.5, 3), (2, 3))] == [0, 5, 5, 5, 1]


@pytest.mark.parametrize("mine", [(), (OVER,)], ids=["reference-alone", "both"])
def test_the_svg_is_well_formed_and_stands_alone(mine: tuple[Chart, ...]) -> None:
    one = drawing(*mine, name="<mine> & more")
    svg = picture(one)
    root = ElementTree.fromstring(svg)
    space = {"s": "http://www.w3.org/2000/svg"}
    assert root.get("role") == "img"
    title, desc = root.find("s:title", space), root.find("s:desc", space)
    assert title is not None
    assert desc is not None
    assert "at most 10" in (desc.text or "")
    ids = [element.get("id") for element in root.iter() if element.get("id")]
    assert len(ids) == len(set(ids))
    lines = root.findall(".//s:path[@class='line0']", space), root.findall(".//s:path[@class='line1']", space)
    assert [len(found) for found in lines] == [2 * len(mine), 2]  # the line, and its sample in the legend
    _no_address(svg.replace('xmlns="http://www.w3.org/2000/svg"', ""))
    assert picture(one) == svg


def test_the_page_needs_nothing_else_and_is_well_formed() -> None:
    html = page(drawing(OVER, trouble="<script>alert(1)</script>"))
    ElementTree.fromstring(html.removeprefix("<!DOCTYPE html>\n").replace('<meta charset="utf-8">', "").replace(
        '<meta name="viewport" content="width=device-width, initial-scale=1">', ""
    ))  # fmt: skip
    assert "<script" not in html
    assert "prefers-color-scheme: dark" in html
    assert '<th scope="col">admitted, yours</th>' in html
    _no_address(html)


def test_what_only_one_of_two_lines_exceeds_is_marked() -> None:
    assert picture(drawing(OVER)).count('class="over"') == 1
    assert picture(drawing(FINE)).count('class="over"') == 0


def test_a_drawing_pairs_charts_by_their_titles_and_says_what_is_missing() -> None:
    assert [which for which, _ in drawing(OVER).figures[0]] == [0, 1]
    alone = drawing(trouble="TypeError: x")
    assert [which for which, _ in alone.figures[0]] == [1]
    assert alone.setting == "In virtual time, seed 7: the reference alone."
    assert alone.trouble == "yours could not be drawn:\n  TypeError: x"
    assert drawing(OVER, trouble="a").trouble == "yours could not be drawn in full:\n  a"


def _no_address(text: str) -> None:
    for sign in ("http:", "https:", "//", "src=", "@import", "href="):
        assert sign not in text
