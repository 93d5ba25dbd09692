"""Charts as SVG: one implementation's line solid and filled, the other's dashed, in colours that most eyes tell apart.

Colours are custom properties, so that one style sheet serves light and dark, a page and a picture on its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from dojo.plots.chart import Chart, Mark, Series
from dojo.plots.drawing import Drawing, Figure
from dojo.plots.scale import number, ticks

# Blue and vermilion of Okabe and Ito's palette (2008) and their lighter kin, which differ for the colour-blind as well.
STYLE = """
.plot { --ink: #1c2024; --faint: #5d666f; --grid: #e3e6e9; --paper: #ffffff; --behind: #ccd2d8;
  --c0: #0072b2; --c1: #c44e00; --over: #b0005b; font: 13px system-ui, sans-serif; }
@media (prefers-color-scheme: dark) {
  .plot { --ink: #e8eaed; --faint: #a3acb5; --grid: #32383e; --paper: #16191c; --behind: #4a525a;
    --c0: #56b4e9; --c1: #f0a030; --over: #ff6fae; } }
.plot text { fill: var(--ink); }
.plot .title { font-size: 16px; font-weight: 600; }
.plot .faint { fill: var(--faint); }
.plot .grid { stroke: var(--grid); }
.plot .paper { fill: var(--paper); }
.plot .axis { stroke: var(--faint); }
.plot .limit { stroke: var(--ink); stroke-width: 1.5; }
.plot .moment { stroke: var(--faint); stroke-dasharray: 2 4; }
.plot .behind { fill: var(--behind); fill-opacity: .45; stroke: none; }
.plot .behind0 { fill: none; stroke: var(--c0); stroke-width: 2; stroke-dasharray: 1 4; stroke-linecap: round; }
.plot .behind1 { fill: none; stroke: var(--c1); stroke-width: 2; stroke-dasharray: 1 4; stroke-linecap: round; }
.plot .area0 { fill: var(--c0); fill-opacity: .18; stroke: none; }
.plot .area1 { fill: var(--c1); fill-opacity: .14; stroke: none; }
.plot .over { fill: var(--over); fill-opacity: .4; stroke: none; }
.plot .line0 { fill: none; stroke: var(--c0); stroke-width: 2.5; }
.plot .line1 { fill: none; stroke: var(--c1); stroke-width: 2.5; stroke-dasharray: 7 5; }
.plot .name0 { fill: var(--c0); font-weight: 600; }
.plot .name1 { fill: var(--c1); font-weight: 600; }
""".strip()

WIDTH = 900
_LEFT, _RIGHT, _PLOT = 64, 20, 200
_TOP = 66
"""Below the title and the legend."""
_LINE = 19
_TITLE = 28
"""What the title takes of `_TOP`."""


def picture(drawing: Drawing) -> str:
    """All charts in one SVG document that stands alone."""
    heights = [_height(figure) for figure in drawing.figures]
    total, y, parts = sum(heights) + 44, 44, []
    for nth, (figure, height) in enumerate(zip(drawing.figures, heights, strict=True)):
        parts.append(
            f'<g transform="translate(0 {y})">\n{_heading(figure)}\n{_body(figure, drawing.names, f"c{nth}")}\n</g>'
        )
        y += height
    title = f"{escape(drawing.kata)}. {escape(drawing.setting)}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="plot" role="img" viewBox="0 0 {WIDTH} {total}" '
        f'width="{WIDTH}" height="{total}" aria-labelledby="t d">\n'
        f'<title id="t">{title}</title>\n<desc id="d">{escape(_told(drawing))}</desc>\n<style>\n{STYLE}\n</style>\n'
        f'<rect class="paper" width="{WIDTH}" height="{total}"/>\n'
        f'<text class="faint" x="{_LEFT}" y="26">{title}</text>\n' + "\n".join(parts) + "\n</svg>\n"
    )


def inline(figure: Figure, names: Sequence[str], nth: int) -> str:
    """One chart, without its heading, as an element of a page that has `STYLE`.

    `nth` keeps the ids of the page's charts apart.
    """
    chart, height = figure[-1][1], _height(figure) - _TITLE
    return (
        f'<svg class="plot" role="img" viewBox="0 {_TITLE} {WIDTH} {height}" aria-labelledby="t{nth} d{nth}">\n'
        f'<title id="t{nth}">{escape(chart.title)}</title>\n'
        f'<desc id="d{nth}">{escape(told(figure, names))}</desc>\n{_body(figure, names, f"c{nth}")}\n</svg>'
    )


def told(figure: Figure, names: Sequence[str]) -> str:
    """A chart in words."""
    return " ".join([figure[-1][1].about, *(f"{names[which]}: {chart.note}." for which, chart in figure)])


def _told(drawing: Drawing) -> str:
    return " ".join(f"{figure[-1][1].title}. {told(figure, drawing.names)}" for figure in drawing.figures)


def _height(figure: Figure) -> int:
    return _TOP + _PLOT + 52 + _LINE * len(figure)


def _heading(figure: Figure) -> str:
    return f'<text class="title" x="{_LEFT}" y="20">{escape(figure[-1][1].title)}</text>'


class _Scale:
    """From values to the picture's coordinates."""

    def __init__(self, figure: Figure) -> None:
        charts = [chart for _, chart in figure]
        self.end = max(chart.end for chart in charts)
        self.y_ticks = ticks(max(chart.peak for chart in charts), 5)
        self.top = self.y_ticks[-1]

    def x(self, value: float) -> float:
        return round(_LEFT + min(value, self.end) / self.end * (WIDTH - _LEFT - _RIGHT), 2)

    def y(self, value: float) -> float:
        return round(_TOP + _PLOT * (1 - value / self.top), 2)

    def steps(self, series: Series) -> str:
        """The series as a path: level, then up or down."""
        inside = [(x, y) for x, y in series.points if x < self.end]
        if not inside:
            return f"M{_LEFT} {self.y(0)}H{self.x(self.end)}"
        path = [f"M{self.x(inside[0][0])} {self.y(inside[0][1])}"]
        path += [f"H{self.x(x)}V{self.y(y)}" for x, y in inside[1:]]
        return "".join(path) + f"H{self.x(self.end)}"

    def area(self, series: Series) -> str:
        start = self.x(min(series.points[0][0], self.end))
        return f"{self.steps(series)}V{self.y(0)}H{start}Z"


def _body(figure: Figure, names: Sequence[str], clip: str) -> str:
    chart, scale = figure[-1][1], _Scale(figure)
    return "\n".join(
        [
            _legend(figure, names),
            *_grid(chart, scale),
            *_behind(figure, scale),
            # Only the first: two areas on each other are of neither's colour.
            f'<path class="area{figure[0][0]}" d="{scale.area(figure[0][1].shown)}"/>',
            *_over(figure, scale, clip),
            *_marks(chart, scale),
            *(f'<path class="line{which}" d="{scale.steps(each.shown)}"/>' for which, each in figure),
            *_notes(figure, names),
        ]
    )


def _legend(figure: Figure, names: Sequence[str]) -> str:
    """One line below the title: what the lines show, a sample of each one's, and what stands behind them."""
    chart = figure[-1][1]
    x, parts = _LEFT + _wide(chart.shown.name), [f'<text x="{_LEFT}" y="44">{escape(chart.shown.name)}:</text>']
    for which, _ in figure:
        parts.append(f'<path class="line{which}" d="M{x} 40H{x + 28}"/>')
        parts.append(f'<text class="name{which}" x="{x + 35}" y="44">{escape(names[which])}</text>')
        x += 35 + _wide(names[which])
    if chart.behind is not None:
        x += 12
        if _same_behind(figure):
            parts.append(f'<rect class="behind" x="{x}" y="34" width="28" height="11"/>')
        else:
            parts += [f'<path class="behind{which}" d="M{x} {37 + 6 * which}H{x + 28}"/>' for which, _ in figure]
        parts.append(f'<text x="{x + 35}" y="44">{escape(chart.behind.name)}</text>')
    return "".join(parts)


def _wide(text: str) -> int:
    """Room for a bold text and what separates it from the next; fonts differ, so it is plenty."""
    return round(8.2 * len(text)) + 14


def _grid(chart: Chart, scale: _Scale) -> list[str]:
    parts = []
    right, ground = WIDTH - _RIGHT, scale.y(0)
    for value in scale.y_ticks:
        y = scale.y(value)
        if value:
            parts.append(f'<line class="grid" x1="{_LEFT}" y1="{y}" x2="{right}" y2="{y}"/>')
        parts.append(f'<text class="faint" text-anchor="end" x="{_LEFT - 8}" y="{y + 4}">{number(value)}</text>')
    parts.append(f'<line class="axis" x1="{_LEFT}" y1="{ground}" x2="{right}" y2="{ground}"/>')
    half = 0.5 if chart.x.counts else 0.0
    for value in ticks(scale.end, 14 if chart.x.counts else 10):
        if value + half > scale.end or (chart.x.counts and value == 0):
            continue
        x = scale.x(value + half)
        if not chart.x.counts:
            parts.append(f'<line class="axis" x1="{x}" y1="{ground}" x2="{x}" y2="{ground + 4}"/>')
        parts.append(f'<text class="faint" text-anchor="middle" x="{x}" y="{ground + 18}">{number(value)}</text>')
    middle = (_LEFT + right) / 2
    parts.append(
        f'<text class="faint" text-anchor="middle" x="{middle}" y="{ground + 36}">{escape(str(chart.x))}</text>'
    )
    centre = _TOP + _PLOT / 2
    parts.append(
        f'<text class="faint" text-anchor="middle" transform="translate(16 {centre}) rotate(-90)">'
        f"{escape(str(chart.y))}</text>"
    )
    return parts


def _same_behind(figure: Figure) -> bool:
    return len({chart.behind.points for _, chart in figure if chart.behind is not None}) == 1


def _behind(figure: Figure, scale: _Scale) -> list[str]:
    """One grey area if it is the same for both, else a dotted line each."""
    charts = [(which, chart.behind) for which, chart in figure if chart.behind is not None]
    if not charts:
        return []
    if _same_behind(figure):
        return [f'<path class="behind" d="{scale.area(charts[0][1])}"/>']
    return [f'<path class="behind{which}" d="{scale.steps(series)}"/>' for which, series in charts]


def _over(figure: Figure, scale: _Scale, clip: str) -> list[str]:
    """What is above the limit, once more."""
    parts = []
    for which, chart in figure:
        if chart.limit is not None and chart.shown.peak > chart.limit.at:
            name, height = f"{clip}-{which}", scale.y(chart.limit.at) - _TOP
            parts.append(
                f'<clipPath id="{name}"><rect x="{_LEFT}" y="{_TOP}" width="{WIDTH}" height="{height}"/></clipPath>'
                f'<path class="over" clip-path="url(#{name})" d="{scale.area(chart.shown)}"/>'
            )
    return parts


def _marks(chart: Chart, scale: _Scale) -> list[str]:
    parts = []
    if chart.limit is not None:
        y, right = scale.y(chart.limit.at), WIDTH - _RIGHT
        parts.append(f'<line class="limit" x1="{_LEFT}" y1="{y}" x2="{right}" y2="{y}"/>')
        parts.append(f'<text text-anchor="end" x="{right - 4}" y="{y - 5}">{escape(chart.limit.label)}</text>')
    if chart.moment is not None:
        parts.append(_moment(chart.moment, scale))
    return parts


def _moment(moment: Mark, scale: _Scale) -> str:
    x = scale.x(moment.at)
    return (
        f'<line class="moment" x1="{x}" y1="{_TOP - 6}" x2="{x}" y2="{scale.y(0)}"/>'
        f'<text class="faint" x="{x + 5}" y="{_TOP - 1}">{escape(moment.label)}</text>'
    )


def _notes(figure: Figure, names: Sequence[str]) -> list[str]:
    y, parts = _TOP + _PLOT + 56, []
    for which, chart in figure:
        name = f'<tspan class="name{which}">{escape(names[which])}</tspan>'
        parts.append(f'<text x="{_LEFT}" y="{y}">{name}  {escape(chart.note)}</text>')
        y += _LINE
    return parts
