"""`similarity.html`: what is worth a look, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from dojo.grader.book.document import document, identifier
from dojo.grader.book.text import line, plain, title
from dojo.grader.similarity.listing import REFERENCE, KataPairs, Listing, Pair, Skipped
from dojo.grader.similarity.tiles import Span

_NAMES = 5
"""So many of those who handed in the same stand in a cell."""
_PASSAGES = 12
"""Of one pair, the longest."""
_LINES, _COLUMNS = 60, 160
"""Of one passage."""

MEANING = (
    "A pair is worth a look; that is all it says. People who learn together, use the same library or follow the same "
    "article write alike. Only a person who reads both can tell what happened."
)
MEASURE = (
    "The percentage is the share of the shorter text's own passages that both have. Names, numbers, comments, layout "
    "and order do not count; the stub and the README's examples are left out; what the reference solution says too, or "
    "many in the class, counts little."
)


def similarity_page(listing: Listing) -> str:
    """The page's text."""
    katas = "".join(map(_kata, listing.katas))
    body = (
        '<h1>Worth a look</h1>\n<p class="dim">Pairs of submissions that resemble each other more than the class '
        f'does</p>\n<div class="box"><p>{escape(MEANING)}</p><p>{escape(MEASURE)}</p></div>\n'
        f"{katas}{_skipped(listing.skipped)}"
    )
    return document("Worth a look", body)


def names(students: Sequence[str]) -> str:
    """Those who handed in one text, in one line; the reference solution if there are none."""
    if not students:
        return REFERENCE
    more = f" and {len(students) - _NAMES} more" if len(students) > _NAMES else ""
    return ", ".join(map(title, students[:_NAMES])) + more


def remark(pair: Pair) -> str:
    """What makes a pair so alike, in a few words."""
    if pair.same == "text":
        return "the same file"
    if pair.same == "code":
        return "the same but for names, numbers, comments and layout"
    lines = sum(last - first + 1 for first, last in _spans(pair))
    many = len(pair.passages)
    return f"{lines} lines in {many} passage{'s' if many != 1 else ''}"


def _spans(pair: Pair) -> list[Span]:
    """The lines of the left text that are in a passage, each once."""
    merged: list[Span] = []
    for tile in pair.passages:
        first, last = tile.left
        if merged and first <= merged[-1][1]:
            first, last = merged[-1][0], max(last, merged.pop()[1])
        merged.append((first, last))
    return merged


def percent(similarity: float) -> str:
    """Rounded down: of 100 %, nothing of the shorter text is missing in the other."""
    return f"{int(similarity * 100 + 1e-9)} %"


def bar_of(found: KataPairs) -> str:
    """From where on pairs of one kata are listed, and why."""
    pair = "pair is" if len(found.pairs) == 1 else "pairs are"
    untouched = f"; {found.untouched} more handed in the stub" if found.untouched else ""
    return (
        f"{len(found.pairs) or 'No'} {pair} worth a look, of {found.students} submissions{untouched}. "
        f"Listed from {percent(found.bar)} up; half of the pairs that were compared are below {percent(found.median)}."
    )


def _kata(found: KataPairs) -> str:
    more = f"<p>{found.more} more pairs are not shown.</p>\n" if found.more else ""
    rows = "".join(_row(found.kata, place, pair) for place, pair in enumerate(found.pairs, start=1))
    head = "".join(f'<th scope="col">{name}</th>' for name in ("similarity", "one", "other", "what both have"))
    table = (
        f'<div class="wide"><table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}</tbody>\n</table></div>\n'
        if rows
        else ""
    )
    details = "".join(_details(found.kata, place, pair) for place, pair in enumerate(found.pairs, start=1))
    return (
        f'<h2>{identifier(line(found.kata))}</h2>\n<p class="dim">{escape(bar_of(found))}</p>\n{table}{more}{details}'
    )


def _row(kata: str, place: int, pair: Pair) -> str:
    return (
        f'<tr><td class="n"><a href="#{escape(kata)}-{place}">{percent(pair.similarity)}</a></td>'
        f"<td><bdi>{escape(names(pair.left))}</bdi></td><td><bdi>{escape(names(pair.right))}</bdi></td>"
        f"<td>{escape(remark(pair))}</td></tr>\n"
    )


def _details(kata: str, place: int, pair: Pair) -> str:
    left, right = (source.split("\n") for source in pair.sources)
    chosen = sorted(pair.passages, key=lambda tile: (-tile.symbols, tile.left))[:_PASSAGES]
    spans = [(tile.left, tile.right) for tile in sorted(chosen, key=lambda tile: (tile.left, tile.right))]
    if not pair.passages:
        spans = [((1, len(left)), (1, len(right)))]
    rows = "".join(f"<tr>{_cell(left, one)}{_cell(right, other)}</tr>\n" for one, other in spans)
    hidden = len(pair.passages) - len(chosen)
    more = f'<p class="dim">{hidden} shorter passages are not shown.</p>\n' if hidden > 0 else ""
    return (
        f'<section id="{escape(kata)}-{place}" class="test"><p><strong>{percent(pair.similarity)}</strong> '
        f"{escape(remark(pair))}</p>\n"
        '<div class="wide"><table class="twin">\n'
        f'<thead><tr><th scope="col"><bdi>{escape(names(pair.left))}</bdi></th>'
        f'<th scope="col"><bdi>{escape(names(pair.right))}</bdi></th></tr></thead>\n<tbody>\n{rows}</tbody>\n'
        f"</table></div>\n{more}</section>\n"
    )


def _cell(source: Sequence[str], span: Span) -> str:
    first, last = span
    shown = source[first - 1 : min(last, first - 1 + _LINES)]
    text = "\n".join(
        plain(each[:_COLUMNS]).replace("\n", " ") + ("…" if len(each) > _COLUMNS else "") for each in shown
    )
    rest = last - first + 1 - len(shown)
    more = f'<span class="dim">and {rest} more lines</span>' if rest > 0 else ""
    where = f"lines {first} to {last}" if last > first else f"line {first}"
    return f'<td><span class="dim">{where}</span><pre>{escape(text)}</pre>{more}</td>'


def _skipped(skipped: Sequence[Skipped]) -> str:
    if not skipped:
        return ""
    items = "".join(
        f"<li><bdi>{escape(title(each.student))}</bdi> {identifier(line(each.kata))}: {escape(line(each.why))}</li>\n"
        for each in skipped
    )
    return f"<h2>Not compared</h2>\n<ul>\n{items}</ul>\n"
