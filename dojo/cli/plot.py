"""`dojo plot`: a picture of what an implementation does, beside the reference."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from dojo import practice
from dojo.catalog import Catalog, Kata, is_class_repository, resolve_impl
from dojo.cli.choice import OneKata, one
from dojo.cli.terminal import GREEN, RED, USAGE, ToolFailure, catalog, complain, console, fail, place, say, typed

if TYPE_CHECKING:
    from dojo.plots.drawing import Drawing

_DEFAULT = Path("in .dojo/plots")
_REFERENCE = "reference"


class OptionalFile(TyperCommand):
    """Lets `--html` stand without its FILE: what follows it is one only if it is called like a page."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if "--html" in args:
            after = args.index("--html") + 1
            if after == len(args) or not args[after].endswith((".html", ".htm")):
                args = [*args[:after], str(_DEFAULT), *args[after:]]
        return super().parse_args(ctx, args)


def plot(
    kata: OneKata = None,
    impl: Annotated[
        Path | None, typer.Option(metavar="TREE", help="Draw another directory or file than your own.")
    ] = None,
    html: Annotated[
        Path | None,
        typer.Option(metavar="[FILE.html]", help="Write a page for the browser; default: .dojo/plots/KATA.html."),
    ] = None,
    svg: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the picture alone, as SVG.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For scripts: what was measured.")] = False,
) -> None:
    """Draw what your code does, beside what the reference does where there is one.

    A thousand clients that retry, requests around the end of a window, a cache that expires: the real code is run
    in virtual time and with fixed seeds, so the same code gives the same picture.

    \b
    Example:
      dojo plot backoff_schedule
      dojo plot rate_limiter --html
    """
    from dojo.plots import drawable

    found = catalog()
    chosen = one(found, kata)
    if not drawable(chosen):
        there = ", ".join(each.name for each in found if drawable(each))
        fail(f"{chosen.name} has no picture yet. There are some of: {there or 'no kata'}.", USAGE)
    drawing = _drawing(chosen, *_asked_for(found, chosen, impl))
    if as_json:
        say(json.dumps(drawing.to_json(), indent=2))
    if not drawing.figures:  # in a class repository, where there is no reference to draw instead
        fail(drawing.trouble, RED)
    written = _write(drawing, found, html, svg)
    if not (as_json or written):
        _show(drawing)
    if drawing.trouble:
        complain(drawing.trouble)
    raise typer.Exit(RED if drawing.trouble else GREEN)


def _asked_for(found: Catalog, kata: Kata, impl: Path | None) -> tuple[Path, str]:
    """The file to be drawn, and what it is called in the picture."""
    if impl is not None and not impl.exists():
        fail(f"no implementation at {impl}. Name a directory or one Python file.", USAGE)
    file = resolve_impl(impl or found.root / "katas", kata)
    if file is None and impl is None:
        fail(f"{place(kata.stub)} is gone. `{typed('dojo')} reset {kata.name}` restores the stub.", USAGE)
    if file is None:
        fail(f"{impl} does not implement {kata.name}. Call the file {kata.name}.py.", USAGE)
    return file, "yours" if impl is None else impl.resolve().stem[:24]


def _drawing(kata: Kata, file: Path, name: str) -> Drawing:
    from dojo.plots import measure, seed
    from dojo.plots.drawing import Drawing
    from dojo.runner import RunnerError

    alone = is_class_repository(kata.root) and not kata.solution.is_file()
    try:
        asked, *references = measure(kata, [file] if alone else [file, kata.solution])
    except RunnerError as error:
        raise ToolFailure(str(error)) from error
    if alone:
        return Drawing(kata.name, (name,), (asked,), seed(kata))
    [reference] = references
    if reference.trouble:
        raise ToolFailure(f"the reference {place(kata.solution)} cannot be drawn:\n{reference.trouble}")
    return Drawing(kata.name, (name, _REFERENCE), (asked, reference), seed(kata))


def _write(drawing: Drawing, found: Catalog, html: Path | None, svg: Path | None) -> bool:
    """Writes the files that were asked for; whether there were any."""
    from dojo.plots.page import page
    from dojo.plots.svg import picture

    if html == _DEFAULT:
        html = found.root / practice.HOME / "plots" / f"{drawing.kata}.html"
    for path, text in ((html, page), (svg, picture)):
        if path is not None:
            practice.write_atomically(path, text(drawing).encode())
            complain(f"wrote {place(path.resolve())}")
    return html is not None or svg is not None


def _show(drawing: Drawing) -> None:
    from rich.text import Text

    from dojo.plots.columns import ASCII, BLOCKS, draw

    out = console()
    blocks = out.is_terminal and os.environ.get("TERM") != "dumb" and _encodes("█░┤─▲┊▔")
    width, height = shutil.get_terminal_size() if out.is_terminal else (80, 40)
    figures = drawing.figures
    # What is left of the screen once each chart has its heading, its axis and its notes; a line for the prompt.
    rows = max(4, min(10, (height - 2) // len(figures) - 7))
    out.print(Text.assemble((drawing.kata, "bold"), f"  {drawing.setting}"))
    for figure in figures:
        if height > 2 + len(figures) * (rows + 7):
            out.print()
        lines = draw(
            [(drawing.names[which], chart) for which, chart in figure],
            width=min(width, 160),
            rows=rows,
            glyphs=BLOCKS if blocks else ASCII,
            first_colour=figure[0][0],
        )
        for line in lines:
            out.print(Text.assemble(*line))


def _encodes(signs: str) -> bool:
    try:
        signs.encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
