"""The command tree, and what becomes of an error."""

from __future__ import annotations

import sys
import traceback
from typing import Any

import typer
from typer.core import TyperGroup

from dojo.catalog import CatalogError
from dojo.cli import (
    author,
    doctor,
    drill,
    export,
    flip,
    grade,
    overview,
    plot,
    progress,
    reading,
    review,
    watch,
    work,
    worker,
)
from dojo.cli.terminal import TOOL_FAILED, USAGE, ToolFailure, fail
from dojo.practice import PracticeError
from dojo.stubs import StubError


class _Commands(TyperGroup):
    """Turns the errors that name a remedy into one message and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except CatalogError as error:
            fail(str(error), USAGE)
        except (ToolFailure, PracticeError, StubError) as error:
            fail(str(error), TOOL_FAILED)


app = typer.Typer(
    cls=_Commands,
    invoke_without_command=True,
    no_args_is_help=False,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.callback()(overview.dojo)
app.command("next")(overview.next_step)
app.command("list")(overview.list_katas)
app.command("test")(work.run_tests)
app.command("watch")(watch.watch)
app.command("hint")(reading.hint)
app.command("solution")(reading.solution)
app.command("diff")(reading.diff)
app.command("further")(reading.further)
app.command("plot", cls=plot.OptionalFile)(plot.plot)
app.command("flip")(flip.flip)
app.command("reset")(work.reset)
app.add_typer(progress.app, name="progress")
app.command("drill")(drill.drill)
app.command("review")(review.review)
app.command("grade")(grade.grade)
app.command("export")(export.export)
app.command("worker")(worker.worker)
app.command("doctor")(doctor.doctor)
app.add_typer(author.app, name="author")


def run() -> None:
    """Parse the command line, do it, exit."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # an arrow must not end a report on an ASCII terminal
    try:
        app()
    except Exception:  # noqa: BLE001 - whatever it is, 1 would read as "tests failed"
        traceback.print_exc()
        typer.echo("\nThis is a fault in the dojo, not in your code. `dojo doctor` may say why.", err=True)
        sys.exit(TOOL_FAILED)
