"""Markdown and Python, laid out for a reader at a terminal; as they stand for everything else."""

from __future__ import annotations

from dojo.cli.terminal import console, say


def markdown(text: str) -> None:
    out = console()
    if out.is_terminal:
        from rich.markdown import Markdown

        out.print(Markdown(text), width=min(out.width, 100), soft_wrap=False)
    else:
        say(text)


def python(source: str, *, numbered: bool = False) -> None:
    """`numbered` puts each line's number before it; at a terminal, what is too long goes on below its beginning."""
    lines = source.rstrip("\n").split("\n")
    width = len(str(len(lines)))
    out = console()
    if not out.is_terminal:
        for number, plain in enumerate(lines, start=1):
            say(f"{number:>{width}}  {plain}".rstrip() if numbered else plain)
        return
    from rich.syntax import Syntax
    from rich.text import Text

    painted = Text("\n".join(lines))
    if not out.no_color:
        painted = Syntax("", "python", theme="ansi_dark", background_color="default").highlight(painted.plain)
        painted.rstrip()
    margin = width + 2 if numbered else 0
    room = max(20, out.width - margin)
    for number, line in enumerate(painted.split("\n"), start=1):
        for part, text in enumerate(line.divide(range(room, len(line), room)) if numbered else [line]):
            before = "" if not numbered else " " * margin if part else f"{number:>{width}}  "
            out.print(Text(before, style="dim") + text)
