"""`dojo watch`: a verdict after each save."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from dojo.cli.choice import OneKata, one
from dojo.cli.terminal import GREEN, RED, catalog, marks, say, typed

if TYPE_CHECKING:
    from dojo.watch.scene import Scene


def watch(
    kata: OneKata = None,
    auto: Annotated[bool, typer.Option("--auto", help="Go on to the next kata as soon as one is green.")] = False,
) -> None:
    """Run a kata's tests whenever you save; single keys for the rest, ? lists them.

    When the output is no terminal, each verdict is a block of lines, and it ends with the input or Ctrl-C.

    \b
    Example:
      dojo watch rate_limiter
      dojo watch --auto
    """
    found = catalog()
    chosen = one(found, kata)
    from dojo.watch import loop
    from dojo.watch.terminal import usable

    if usable():
        scene = loop.at_terminal(found, chosen, auto=auto, program=typed("dojo"), marks=marks())
        if scene.verdict is not None:
            again = "" if scene.verdict.result.green else f" {scene.kata.name}"
            say(f"{scene.kata.name}: {scene.verdict.summary}. Go on: {typed('dojo')} watch{again}")
        return
    scene = loop.in_lines(found, chosen, auto=auto, program=typed("dojo"), tell=_tell)
    green = scene.verdict is not None and scene.verdict.result.green
    raise typer.Exit(GREEN if green else RED)


def _tell(scene: Scene) -> None:
    from dojo.cli.checklist import show

    if scene.trouble:
        say(f"{scene.trouble}\n")
    elif scene.verdict is not None:
        show(scene.kata, scene.verdict.result)
    if scene.notice:
        say(f"{scene.notice}\n")
