"""`dojo export`: what a class is handed, and what other graders need."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dojo.catalog import Catalog
from dojo.cli.terminal import USAGE, ToolFailure, catalog, complain, fail, say, typed


def export(
    no_solutions: Annotated[
        Path | None, typer.Option(metavar="DEST", help="A repository for students, in a new or empty directory.")
    ] = None,
    gradescope: Annotated[
        Path | None, typer.Option(metavar="FILE.zip", help="An autograder to upload to Gradescope.")
    ] = None,
    classroom: Annotated[
        Path | None, typer.Option(metavar="FILE.yml", help="A workflow for a GitHub Classroom assignment.")
    ] = None,
    katas: Annotated[
        list[str] | None,
        typer.Option(
            "--katas",
            metavar="KATA",
            help="For --gradescope: a kata or a track; several with commas, or again. All if none.",
        ),
    ] = None,
    config: Annotated[
        Path | None, typer.Option(metavar="TOML", help="For --gradescope. Default: grading.toml here, if any.")
    ] = None,
    repository: Annotated[
        str | None, typer.Option(metavar="OWNER/NAME[@REF]", help="For --classroom: where the class repository is.")
    ] = None,
) -> None:
    """Write what a class needs: a repository without solutions, or a grader for another platform.

    The repository has the katas and the tools, and nothing that gives a solution away. What each of the three is
    to be is said by exactly one option.

    \b
    Example:
      dojo export --no-solutions ../week-3
      dojo export --gradescope autograder.zip --katas rate_limiter
      dojo export --classroom classroom.yml --repository my-class/week-3
    """
    from dojo.grader.export import DestinationError
    from dojo.grader.model import GraderError

    if sum(one is not None for one in (no_solutions, gradescope, classroom)) != 1:
        fail("say what to write: one of --no-solutions DEST, --gradescope FILE.zip and --classroom FILE.yml.", USAGE)
    if gradescope is None and (katas or config is not None):
        fail("--katas and --config say what a --gradescope zip grades; `dojo export --help` says more.", USAGE)
    if classroom is None and repository is not None:
        fail("--repository goes with --classroom; `dojo export --help` says more.", USAGE)
    try:
        if no_solutions is not None:
            _class_repository(catalog(), no_solutions)
        elif gradescope is not None:
            _autograder(catalog(), gradescope, katas, config)
        elif classroom is not None:
            _workflow(classroom, repository)
    except DestinationError as error:
        fail(str(error), USAGE)
    except GraderError as error:
        raise ToolFailure(str(error)) from error


def _class_repository(found: Catalog, destination: Path) -> None:
    from dojo.grader.export import export as hand_out

    done = hand_out(found, destination)
    say(f"wrote {done.files} files to {done.root}: all katas and the tools, and no solutions.")
    if done.left_behind:
        complain(f"left behind, for they are no part of a kata: {', '.join(done.left_behind)}")
    say(f"  try it     cd {done.root} && {typed('pytest')}")
    say("  hand out   git init -b main && git add -A && git commit -m 'The katas'")


def _autograder(found: Catalog, destination: Path, queries: list[str] | None, path: Path | None) -> None:
    from dojo.grader.config import FILE, Config
    from dojo.grader.gradescope_zip import build

    here = Path(FILE)
    config = Config.read(path or (here if here.is_file() else None), [kata.name for kata in found])
    chosen = found.select(queries or found.tracks)
    files = build(destination, found, config, chosen)
    say(f"wrote {destination}: {files} files, which grade {', '.join(kata.name for kata in chosen)}.")
    say("  upload     Gradescope, Configure Autograder, a base image with Ubuntu 22.04 or later")


def _workflow(destination: Path, repository: str | None) -> None:
    from dojo.grader.classroom_workflow import UNKNOWN, write_workflow

    write_workflow(destination, repository)
    say(f"wrote {destination}: .github/workflows/classroom.yml of the assignment's template repository.")
    if repository is None:
        say(f"  set        CLASS_REPOSITORY in it: now it is {UNKNOWN}")
