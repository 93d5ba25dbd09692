"""Two texts beside each other, their differences coloured."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

Row = tuple[str | None, str | None, bool]
"""Left, right (None where a side has no line), and whether they are the same."""


def rows(left: Sequence[str], right: Sequence[str]) -> Iterator[Row]:
    """The lines of both, aligned."""
    for tag, i, j, k, m in difflib.SequenceMatcher(None, left, right, autojunk=False).get_opcodes():
        here, there = left[i:j], right[k:m]
        for number in range(max(len(here), len(there))):
            yield (
                here[number] if number < len(here) else None,
                there[number] if number < len(there) else None,
                tag == "equal",
            )


def show_side_by_side(
    out: Console, left: Sequence[str], right: Sequence[str], left_title: str, right_title: str
) -> None:
    """Print both in columns of equal width; longer lines are folded."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), expand=True, header_style="bold")
    table.add_column(left_title, ratio=1, overflow="fold")
    table.add_column(right_title, ratio=1, overflow="fold")
    for here, there, same in rows(left, right):
        table.add_row(
            Text(here or "", style="" if same else "red"),
            Text(there or "", style="" if same else "green"),
        )
    out.print(table, soft_wrap=False)
