"""`dojo worker`: grades what other machines ask for, over a broker."""

from __future__ import annotations

from typing import Annotated

import typer

from dojo.cli.terminal import GREEN, TOOL_FAILED, USAGE, catalog, complain, fail


def worker(
    queue: Annotated[
        str,
        typer.Option(
            "--queue", metavar="URL", help="redis://…, rediss://…, amqp://… or amqps://…; @FILE: what it says"
        ),
    ],
    cells: Annotated[int | None, typer.Option(min=1, metavar="N", help="Side by side. Default: one a core.")] = None,
    katas: Annotated[
        list[str] | None,
        typer.Option(
            "--katas", metavar="KATA", help="Only check and grade these; several with commas, or again. All if none."
        ),
    ] = None,
    confinement: Annotated[
        str | None, typer.Option(metavar="TIER", help="namespaces, process or none. Default: the tightest that works.")
    ] = None,
) -> None:
    """Grade what `dojo grade --queue URL` asks for, on as many machines as you like, until Ctrl-C.

    It must have the tests, the lab, the Python and the libraries of the machine that asks: an other worker's verdict
    would not be the same, so it grades nothing and says what to update. A worker may be killed at any time. Keep the
    broker as private as the repository: who can write to it runs code here. A URL on the command line is seen by
    everybody on the machine, so one with a password belongs in a file that only you can read: --queue @FILE.

    \b
    Example:
      dojo worker --queue @broker-url
      dojo worker --queue amqps://user:password@broker.example/grading --cells 8
    """
    from dojo.grader.model import GraderError
    from dojo.grader.remote.working import work
    from dojo.grader.supervisor import cores

    if confinement not in (None, "namespaces", "process", "none"):
        fail(f"--confinement {confinement}: there is namespaces, process and none.", USAGE)
    found = catalog()
    chosen = found.select(katas or found.tracks)
    try:
        code = work(queue, found, chosen, cells or cores(), confinement, complain)  # type: ignore[arg-type]
    except GraderError as error:
        fail(str(error), TOOL_FAILED)
    raise typer.Exit(TOOL_FAILED if code else GREEN)
