"""`dojo grade DIR --similarity`: pairs that are worth a look."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from time import monotonic

from dojo.catalog import Kata
from dojo.cli.terminal import complain, say, table
from dojo.grader.book.text import line, title
from dojo.grader.intake import Roster, look
from dojo.grader.similarity import Listing, compare
from dojo.grader.similarity.book import HTML, write_listing
from dojo.grader.similarity.page import bar_of, names, percent, remark

_GOOD_MANNERS_S = 5.0
"""Between two lines about progress."""
_SHOWN = 20
"""Pairs of one kata; the page has more."""


def similarity(folder: Path, book: Path, katas: Sequence[Kata], roster: Roster | None, *, as_json: bool) -> None:
    """Compares the submissions in `folder`, writes what is worth a look into the book, and shows it.

    Nothing is run and nothing is graded. Raises GraderError.
    """
    found = look(folder, katas, roster)
    said_at = monotonic()

    def tell(read: int) -> None:
        nonlocal said_at
        if monotonic() - said_at > _GOOD_MANNERS_S:
            said_at = monotonic()
            complain(f"{read} of {len(found)} submissions read")

    listing = compare(found, katas, tell)
    write_listing(listing, book)
    if as_json:
        say(json.dumps(listing.to_json(), indent=1))
        return
    _show(listing)
    say(f"side by side: {book / HTML}")


def _show(listing: Listing) -> None:
    for found in listing.katas:
        if not found.students:
            continue
        say(f"{found.kata}: {bar_of(found)}")
        rows = [
            (f"{percent(pair.similarity):>7}", names(pair.left), names(pair.right), remark(pair))
            for pair in found.pairs[:_SHOWN]
        ]
        if rows:
            table(rows, [None] * len(rows))
        if more := len(found.pairs) - len(rows) + found.more:
            say(f"  and {more} more")
    for each in listing.skipped:
        what = f"{title(each.student)}/{each.kata}" if each.kata else title(each.student)
        say(f"not compared: {what}: {line(each.why)}")
    if not any(found.students for found in listing.katas):
        say("There is nothing to compare.")
    say("Worth a look is all that a pair is: only a person who reads both can tell what happened.")
