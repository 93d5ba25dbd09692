"""A drawing as one HTML page that needs nothing else: it opens from a file and without a network."""

from __future__ import annotations

from html import escape

from dojo.plots.drawing import Drawing, Figure
from dojo.plots.scale import number
from dojo.plots.svg import STYLE, inline

_PAGE = """
:root { color-scheme: light dark; }
body { margin: 0 auto; max-width: 960px; padding: 1.5rem; font: 16px/1.5 system-ui, sans-serif;
  color: #1c2024; background: #ffffff; }
h1 { font-size: 1.5rem; margin: 0 0 .25rem; }
.setting, summary { color: #5d666f; margin: 0; }
.trouble { border-left: 4px solid #c44e00; padding: .25rem 1rem; white-space: pre-wrap;
  font: 14px/1.5 ui-monospace, monospace; }
figure { margin: 2rem 0; }
figure > svg { display: block; width: 100%; height: auto; }
figcaption { margin-bottom: .75rem; }
h2 { font-size: 1.125rem; margin: 0; }
table { border-collapse: collapse; margin: .5rem 0; font-size: .875rem; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: .1rem .75rem; }
th { font-weight: 600; }
@media (prefers-color-scheme: dark) {
  body { color: #e8eaed; background: #16191c; }
  .setting, summary { color: #a3acb5; } }
""".strip()


def page(drawing: Drawing) -> str:
    """The document's text."""
    trouble = f'<p class="trouble">{escape(drawing.trouble)}</p>\n' if drawing.trouble else ""
    figures = "\n".join(_figure(figure, drawing, nth) for nth, figure in enumerate(drawing.figures))
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(drawing.kata)}: {escape(drawing.who)}</title>\n"
        f"<style>\n{_PAGE}\n{STYLE}\n</style>\n</head>\n<body>\n<main>\n<h1>{escape(drawing.kata)}</h1>\n"
        f'<p class="setting">{escape(drawing.setting)}</p>\n{trouble}{figures}\n</main>\n</body>\n</html>\n'
    )


def _figure(figure: Figure, drawing: Drawing, nth: int) -> str:
    chart = figure[-1][1]
    return (
        f"<figure>\n<figcaption><h2>{escape(chart.title)}</h2>{escape(chart.about)}</figcaption>\n"
        f"{inline(figure, drawing.names, nth)}\n"
        f"<details><summary>The numbers</summary>\n{_table(figure, drawing)}</details>\n</figure>"
    )


def _table(figure: Figure, drawing: Drawing) -> str:
    """Every point of every line; a cell is empty where a line has no point of its own."""
    columns = []
    for which, chart in figure:
        for series in (chart.shown, chart.behind):
            if series is not None:
                columns.append((f"{series.name}, {drawing.names[which]}", dict(series.points)))
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in (str(figure[-1][1].x), *(n for n, _ in columns)))
    rows = []
    for x in sorted({x for _, points in columns for x in points}):
        cells = "".join(f"<td>{number(points[x]) if x in points else ''}</td>" for _, points in columns)
        rows.append(f'<tr><th scope="row">{number(x)}</th>{cells}</tr>')
    return f"<table>\n<tr>{head}</tr>\n" + "\n".join(rows) + "\n</table>"
