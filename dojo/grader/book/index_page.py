"""The instructor's page: the class in one table, and what it did not understand."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from dojo.grader.book.document import SORT, document, identifier, mark, sign
from dojo.grader.book.signs import SIGNS
from dojo.grader.book.statistics import Caught, Summary, summaries
from dojo.grader.book.text import line, number, plain, title
from dojo.grader.model import KataGrade, Report, StudentGrade

_FLAGS = 2
"""So many of a student's flags stand in the table; their page has all."""

# It may be written before or after this page, or never, and each is read on its own.
_SIMILAR = (
    '<p class="dim screen">Pairs of submissions that are worth a look: <code>dojo grade DIR --similarity</code> writes '
    "<code>similarity.html</code> beside this page.</p>\n"
)


def index_page(report: Report, slugs: Sequence[str]) -> str:
    """The page's text. A student's row leads to `instructor/<slug>.html`, and to what they are handed out."""
    heading = line(report.title) or "Grades"
    ungraded = sum(kata.verdict.status == "ungraded" for student in report.students for kata in student.katas)
    flagged = sum(bool(student.flags) for student in report.students)
    counts = [f"{len(report.students)} students", f"{len(report.katas)} katas", f"{flagged} with flags"]
    if ungraded:
        counts.append(f"{ungraded} ungraded, which count in no total")
    body = (
        f'<h1>{escape(heading)}</h1>\n<p class="dim">{escape(" · ".join(counts))} · '
        f'<a class="screen" href="#class">What the class did not pass</a></p>\n{_confinement(report)}'
        f"{_legend()}{_table(report, slugs)}{_statistics(report)}{_SIMILAR}"
    )
    return document(heading, body, SORT)


def _confinement(report: Report) -> str:
    text = f"<p>Confinement: <strong>{escape(line(report.tier))}</strong>."
    if not report.not_enforced:
        return f'<div class="box">{text} Everything it should prevent is enforced on this machine.</p></div>\n'
    items = "".join(f"<li>{escape(plain(text))}</li>" for text in report.not_enforced)
    return f'<div class="box">{text} Not enforced on this machine:</p><ul>{items}</ul></div>\n'


def _legend() -> str:
    signs = " ".join(
        f'<span><span class="sign {status}">{each.symbol}</span> {escape(each.meaning)}</span>'
        for status, each in SIGNS.items()
    )
    return f'<p class="dim legend">{signs}</p>\n'


def _table(report: Report, slugs: Sequence[str]) -> str:
    heads = ["student", "roster id", *map(line, report.katas), "points", "of", "flags"]
    head = "".join(f'<th scope="col">{identifier(name)}</th>' for name in heads)
    head += '<th scope="col" class="screen">to hand out</th>'
    rows = "".join(_row(student, slug) for student, slug in zip(report.students, slugs, strict=True))
    return (
        f'<div class="wide"><table class="book">\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}</tbody>\n'
        "</table></div>\n"
    )


def _row(student: StudentGrade, slug: str) -> str:
    incomplete = any(kata.verdict.status == "ungraded" for kata in student.katas)
    star = ' <abbr title="without what is ungraded">*</abbr>' if incomplete else ""
    flags = [f"<div>⚑ {escape(line(flag, 160))}</div>" for flag in student.flags[:_FLAGS]]
    if len(student.flags) > _FLAGS:
        flags.append(f'<div><a href="instructor/{slug}.html">and {len(student.flags) - _FLAGS} more</a></div>')
    return (
        f'<tr><th scope="row"><bdi><a href="instructor/{slug}.html">{escape(title(student.name))}</a></bdi></th>'
        f"<td>{escape(line(student.roster_id))}</td>{''.join(map(_cell, student.katas))}"
        f'<td class="n key" data-v="{student.points!r}">{number(student.points)}{star}</td>'
        f'<td class="n" data-v="{student.max!r}">{number(student.max)}</td>'
        f'<td class="flags" data-v="{len(student.flags)}">{"".join(flags)}</td>'
        f'<td class="screen"><a href="students/{slug}.html">page</a></td></tr>\n'
    )


def _cell(kata: KataGrade) -> str:
    status = kata.verdict.status
    # Ungraded sorts below everything: that is what is left to do.
    value = -1e9 if status == "ungraded" else kata.points
    meaning = escape(SIGNS[status].meaning)
    shade = f"{status} some" if status == "failed" and kata.points > 0 else status
    return f'<td class="n {shade}" data-v="{value!r}" title="{meaning}">{mark(kata)}</td>'


def _statistics(report: Report) -> str:
    if not report.students:
        return ""
    rows = "".join(map(_summary, summaries(report)))
    return (
        '<h2 id="class">What the class did not pass</h2>\n<div class="wide"><table>\n'
        '<thead><tr><th scope="col">kata</th>'
        '<th scope="col">passed</th><th scope="col">mean</th><th scope="col">not handed in</th>'
        f'<th scope="col">the tests that most did not pass</th></tr></thead>\n<tbody>\n{rows}</tbody>\n</table></div>\n'
    )


def _summary(summary: Summary) -> str:
    ungraded = f"<div>{sign('ungraded')} {summary.ungraded}</div>" if summary.ungraded else ""
    mean = f"{summary.mean:.1f} of {number(summary.max)}" if summary.students else "-"
    caught = "".join(map(_caught, summary.caught)) or "-"
    return (
        f'<tr><th scope="row">{identifier(line(summary.kata))}</th>'
        f'<td class="n">{summary.passed} of {summary.students}{ungraded}</td><td class="n">{mean}</td>'
        f'<td class="n">{summary.missing}</td><td>{caught}</td></tr>\n'
    )


def _caught(caught: Caught) -> str:
    test = caught.test
    rule = f"rule {test.rule}: " if test.rule is not None else ""
    hidden = " (hidden)" if test.hidden else ""
    return (
        f"<div><strong>{caught.count} of {caught.of}</strong> {escape(rule + line(test.text, 300))} "
        f'<span class="dim">{identifier(line(test.name))}{hidden}</span></div>'
    )
