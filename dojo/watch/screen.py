"""Lays a scene out in a window of any size; the result is lines that fit."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from io import StringIO
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from dojo.watch.scene import Page, Row, Scene, Verdict

if TYPE_CHECKING:
    from rich.console import RenderableType

STYLES = {"passed": "green", "failed": "bold red", "not-run": "dim"}
STATE_WORDS = {
    "solved": ("solved", "green"),
    "changed": ("solved, edited since", "green"),
    "started": ("in progress", "yellow"),
    "new": ("not started", ""),
    "incomplete": ("incomplete", "red"),
}
_LABELS = {"expected": "green", "got": "red", "trap": "yellow", "replay": "dim", "next": "dim"}
_LABEL = re.compile(r"(?:  )?(\w+(?: \d+)?) {2,}(?=\S)")
_HANGING = " " * 8
"""How the second line of a rule's sentence begins, which was broken for another width."""
_STEP = re.compile(r"  \d+\.\d{3} +")
"""How a row of a timeline begins."""
_FILE_AT_THE_END = re.compile(r"\s{2,}\S+\.py$")
_READING_WIDTH = 100
_AROUND = 5
"""Lines that are not body: title, a blank, a blank, the state of things, the keys."""


@dataclass(frozen=True, slots=True)
class Frame:
    lines: list[Text]
    """Never more than the window is high, none wider than it."""
    top: int
    """The first line of the body, after correction."""
    room: int
    """How many lines of the body there are."""


def frame(scene: Scene, width: int, height: int, marks: Mapping[str, str]) -> Frame:
    """The scene in a window of so many columns and lines."""
    room = max(1, height - _AROUND)
    body = _body(scene, width, room, marks)
    top = min(scene.top, max(0, len(body) - room))
    shown = body[top : top + room]
    lines = [
        _between(_title(scene), Text(scene.progress, "dim"), width),
        Text(),
        *shown,
        *(Text() for _ in range(room - len(shown))),
        Text(),
        _bottom(scene, marks, width, max(0, top), len(body) - top - room),
        _keys(scene, width),
    ]
    return Frame([_cut(line, width) for line in lines[-height:]], top, room)


def failure_lines(text: str, width: int) -> list[Text]:
    """A failure's text, folded to the width, its labels coloured."""
    heading, *rest = text.split("\n")
    heading = _FILE_AT_THE_END.sub("", heading)  # it is named after the kata, which stands in the title
    while heading.startswith("Rule ") and rest and rest[0].startswith(_HANGING):
        heading += " " + rest.pop(0).strip()
    lines: list[Text] = []
    for number, line in enumerate([heading, *rest]):
        styled = Text(line.expandtabs(8), "bold" if number == 0 else "")
        label = _LABEL.match(line)
        if label is not None and label[1] in _LABELS:
            styled.stylize(_LABELS[label[1]], 0, label.end())
        lines += _folded(styled, width, _hang(line, label, width))
    return lines


def _hang(line: str, label: re.Match[str] | None, width: int) -> int:
    """How far the rest of a folded line is indented: under its text, or towards its caller's column."""
    if label is not None:
        return label.end()
    if (step := _STEP.match(line)) is not None:
        return min(step.end(), width // 2 - 1)
    return len(line) - len(line.lstrip())


def ansi(line: Text, color: bool) -> str:
    """A line as a terminal takes it; without colours it may still be bold or dim."""
    console = _console(color)
    with console.capture() as captured:
        console.print(line, end="", soft_wrap=True)
    return captured.get()


@functools.cache
def _console(color: bool) -> Console:
    return Console(
        file=StringIO(), force_terminal=True, color_system="standard", no_color=not color, width=10_000, highlight=False
    )


def _body(scene: Scene, width: int, room: int, marks: Mapping[str, str]) -> list[Text]:
    if scene.listing:
        return _listed(scene, room)
    if scene.page is not None:
        return list(_page(scene.page, width))
    if scene.trouble:
        return failure_lines(scene.trouble, width)
    if scene.verdict is None:
        return [Text(f"  {scene.kata.readme.relative_to(scene.kata.root).as_posix()}", "dim")]
    return _verdict(scene, scene.verdict, width, room, marks)


def _verdict(scene: Scene, verdict: Verdict, width: int, room: int, marks: Mapping[str, str]) -> list[Text]:
    rows = verdict.rows
    below = failure_lines(verdict.failure, width) if verdict.failure else []
    if verdict.printed:
        below += [Text(), Text("printed by your code in that test:", "bold")]
        below += [
            line for text in verdict.printed.split("\n") for line in _folded(Text(f"  {text.expandtabs(8)}"), width)
        ]
    if verdict.result.green:
        below = _after_green(scene)
    listed = [_row(row, width, marks) for row in rows]
    if listed and len(listed) + 1 + len(below) > room:
        listed = _strip(rows, width, marks)  # so that as much as possible of the failure is in sight
    return [*listed, *([Text()] if listed and below else []), *below]


def _after_green(scene: Scene) -> list[Text]:
    return [
        Text.assemble(("  n", "bold"), "  the next kata"),
        Text.assemble(("  s", "bold"), "  yours against the reference"),
        Text.assemble(("  f", "bold"), "  follow-up questions, as an interviewer would ask them"),
    ]


def _row(row: Row, width: int, marks: Mapping[str, str]) -> Text:
    line = Text(f"  {marks[row.outcome]} {row.number:>2}  {row.sentence}", STYLES[row.outcome])
    if row.outcome == "passed":
        line = Text.assemble(("  " + marks["passed"], "green"), f" {row.number:>2}  {row.sentence}")
    return _cut(line, width)


def _strip(rows: list[Row], width: int, marks: Mapping[str, str]) -> list[Text]:
    """The checklist without its sentences."""
    lines = [Text(" ")]
    for row in rows:
        cell = Text(f" {marks[row.outcome]}{row.number or '?':<2}", STYLES[row.outcome])
        if cell_len(lines[-1].plain) + cell_len(cell.plain) > width:
            lines.append(Text(" "))
        lines[-1].append_text(cell)
    return lines


def _listed(scene: Scene, room: int) -> list[Text]:
    names = max(len(kata.name) for kata in scene.katas)
    words = max(len(word) for word, _ in STATE_WORDS.values())
    lines = []
    for number, kata in enumerate(scene.katas):
        word, style = STATE_WORDS[scene.standing[kata.name]]
        line = Text.assemble(
            " > " if number == scene.cursor else "   ", (f"{kata.name:<{names}}  {word:<{words}}  ", style), kata.title
        )
        if number == scene.cursor:
            line.stylize("bold")
        lines.append(line)
    if scene.cursor < scene.top:
        scene.top = scene.cursor
    scene.top = max(scene.top, scene.cursor - room + 1)
    return lines


@functools.lru_cache(maxsize=4)
def _page(page: Page, width: int) -> tuple[Text, ...]:
    title = [Text(page.title, "bold"), Text()]
    if page.kind == "plain":
        return (*title, *(line for text in page.text.split("\n") for line in _folded(Text(text), width)))
    if page.kind == "diff":
        styles = {"-": "red", "+": "green", "@": "cyan"}
        lines = [Text(line, styles.get(line[:1], "")) for line in page.text.split("\n")]
        return (*title, *(part for line in lines for part in _folded(line, width)))
    if page.kind == "python":
        from rich.syntax import Syntax

        return (*title, *_rendered(Syntax(page.text, "python", theme="ansi_dark", background_color="default"), width))
    from rich.markdown import Markdown

    return (*title, *_rendered(Markdown(page.text), min(width, _READING_WIDTH)))


def _rendered(what: RenderableType, width: int) -> list[Text]:
    console = Console(file=StringIO(), width=width, force_terminal=True, color_system="standard", no_color=False)
    lines = console.render_lines(what, console.options.update(width=width), pad=False)
    found = [Text.assemble(*((part.text, part.style or "") for part in line if not part.control)) for line in lines]
    for line in found:
        line.rstrip()
    return found


def _title(scene: Scene) -> Text:
    return Text.assemble((scene.kata.name, "bold"), "  ", scene.kata.title)


def _bottom(scene: Scene, marks: Mapping[str, str], width: int, above: int, below: int) -> Text:
    """How things stand, and how many lines are out of sight; in a narrow window only what matters most."""
    state, details = _standing(scene, marks)
    if below > 0:
        where = [f"{below} more lines: space, or o for all", f"{below} more: space"]
    else:
        where = ["the end: b goes back up", "the end"] if above else [""]
    choices = [(details, where[0]), ("", where[0]), ("", where[-1]), ("", "")]
    for detail, right in choices:
        left = Text.assemble(state, (detail, "dim"))
        if cell_len(left.plain) + cell_len(right) + 2 <= width:
            break
    return _between(left, Text(right, "dim"), width)


def _standing(scene: Scene, marks: Mapping[str, str]) -> tuple[Text, str]:
    """The state in a few words, and details."""
    if scene.running:
        done = f", {scene.finished} tests done" if scene.finished else ""
        return Text(f"{marks['not-run']} running", "yellow"), done
    if scene.trouble:
        return Text(f"{marks['failed']} no verdict", STYLES["failed"]), ""
    if (verdict := scene.verdict) is None:
        return Text(), ""
    outcome = "passed" if verdict.result.green else "failed"
    state = Text(f"{marks[outcome]} {verdict.summary}", "bold " + STYLES[outcome])
    return state, f" · {verdict.result.wall_seconds:.1f} s · {verdict.at:%H:%M:%S}"


def _keys(scene: Scene, width: int) -> Text:
    if scene.notice:
        return Text(scene.notice, "yellow")
    if scene.listing:
        return Text("j k choose  Enter work on it  Esc back", "dim")
    if scene.page is not None:
        keys = f"{scene.page.keys}  " if scene.page.keys else ""
        return Text(f"{keys}j k space b scroll  Esc back", "dim")
    green = scene.verdict is not None and scene.verdict.result.green
    keys = "n next  s compare  f further  l list" if green else "h hint  r run all  n next  l list"
    return Text(f"{keys}  e edit  o open  ? keys  q quit", "dim")


def _between(left: Text, right: Text, width: int) -> Text:
    """Both on one line, at its ends; the left gives way."""
    room = max(0, width - cell_len(right.plain) - 2)
    left = _cut(left, room)
    gap = width - cell_len(left.plain) - cell_len(right.plain)
    return Text.assemble(left, " " * max(0, gap), right)


def _cut(line: Text, width: int) -> Text:
    if cell_len(line.plain) > width:
        line = line.copy()
        line.truncate(width, overflow="ellipsis" if width > 1 else "crop")
    return line


def _folded(line: Text, width: int, hang: int = 0) -> list[Text]:
    """The line and, indented by `hang`, what does not fit: a timeline that is cut tells another story."""
    hang = hang if 0 < hang < width // 2 else 0
    parts, rest = [], line
    while cell_len(rest.plain) > width:
        at = _fold_at(rest.plain, width, hang)
        parts.append(rest[:at])
        rest = Text(" " * hang).append_text(rest[at:])
    return [*parts, rest]


def _fold_at(text: str, width: int, hang: int) -> int:
    """How many characters go on the first line: up to a space if there is one near its end."""
    at = 0
    taken = 0
    while at < len(text) and taken + cell_len(text[at]) <= width:
        taken += cell_len(text[at])
        at += 1
    space = text.rfind(" ", max(hang + 1, at - 20), at)
    return space + 1 if space > 0 else max(hang + 1, at)
