"""What every command shares: exit codes, output that suits the terminal, and names as one types them here."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import typer

from dojo.catalog import Catalog, CatalogError, Kata, is_class_repository, load

if TYPE_CHECKING:
    from rich.console import Console

GREEN, RED, USAGE, TOOL_FAILED = 0, 1, 2, 3
"""Exit codes: all tests passed, some failed, the command was wrong, the dojo itself failed."""


class ToolFailure(Exception):
    """The dojo cannot do its work here; the message names the remedy. Ends with exit code 3."""


def catalog() -> Catalog:
    """The catalogue of the repository we are in. A broken one is our failure, not wrong usage."""
    try:
        return load()
    except CatalogError as error:
        raise ToolFailure(str(error)) from error


def console() -> Console:
    """Standard output: colours only on a terminal and never under NO_COLOR, lines never re-wrapped."""
    from rich.console import Console

    return Console(highlight=False, markup=False, emoji=False, soft_wrap=True)


def say(text: str = "", style: str | None = None) -> None:
    """One line or paragraph on standard output."""
    if style is None:
        typer.echo(text)
    else:
        console().print(text, style=style)


def complain(text: str) -> None:
    """One line or paragraph on standard error."""
    typer.echo(text, err=True)


def fail(text: str, code: int) -> NoReturn:
    """End the command with a message on standard error."""
    complain(text)
    raise typer.Exit(code)


def refuse_in_a_class(root: Path, command: str) -> None:
    """End a command that needs solutions or mutants in a repository that was made without them."""
    if is_class_repository(root):
        fail(f"This is a class repository, made without the solutions that `{typed('dojo')} {command}` needs.", USAGE)


def table(rows: Sequence[Sequence[str]], styles: Iterable[str | None]) -> None:
    """Columns as wide as their widest cell, two spaces apart; `styles` has one entry per row.

    Not cut to the terminal's width: a script or a narrow window gets whole cells.
    """
    from rich.text import Text

    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    out = console()
    for row, style in zip(rows, styles, strict=True):
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        out.print(Text(line.rstrip(), style=style or ""))


@functools.cache
def marks() -> dict[str, str]:
    """The signs for passed, failed and not-run, in what the output's encoding can show."""
    signs = {"passed": "✓", "failed": "✗", "not-run": "·"}
    try:
        "".join(signs.values()).encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        signs = {"passed": "+", "failed": "x", "not-run": "."}
    return signs


def typed(program: str) -> str:
    """How a program of this environment is started by somebody who started us this way."""
    if "UV" in os.environ and "UV_RUN_RECURSION_DEPTH" in os.environ:
        return f"uv run {program}"
    if Path(sys.argv[0]).name == "__main__.py":
        return "python -m " + {"dojo": "dojo.cli"}.get(program, program)
    return program


def place(path: Path) -> str:
    """A path as one would type it from here."""
    try:
        return path.relative_to(Path.cwd()).as_posix()
    except ValueError:
        return str(path)


def kata_here(found: Catalog) -> Kata | None:
    """The kata in whose directory we are, or in that of our own tests of it; None if we are in neither."""
    here = Path.cwd()
    return next((k for k in found if here.is_relative_to(k.directory) or here.is_relative_to(k.flip.parent)), None)
