"""The HTML pages, as a browser's parser reads them."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given

from dojo.grader.book import slugs, write_book
from dojo.grader.book.index_page import index_page
from dojo.grader.book.student_page import handout, instructors
from dojo.grader.model import Report

from .hostile import same, texts
from .the_class import KATAS, a_class, a_report, a_student, a_test, everything, graded

VOID = {"meta", "wbr", "br"}
ALLOWED = {
    "code",
    *(
        "html",
        "head",
        "meta",
        "title",
        "style",
        "body",
        "main",
        "script",
        "h1",
        "h2",
        "p",
        "a",
        "div",
        "span",
        "strong",
    ),
    *("ul", "li", "table", "thead", "tbody", "tr", "th", "td", "pre", "section", "bdi", "abbr", "wbr"),
}
ATTRIBUTES = {"class", "href", "scope", "title", "data-v", "id", "lang", "charset", "name", "content", "http-equiv"}


class Page(HTMLParser):
    """Everything in a page, and whether what is opened is closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self.text = ""
        """What a person reads, in order."""
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        tag = self._open[-1] if self._open else ""
        self.texts.setdefault(tag, []).append(data)
        if tag not in ("style", "script"):
            self.text += data

    def handle_comment(self, data: str) -> None:
        pytest.fail(f"a comment: {data}")


def pages(report: Report) -> Iterator[tuple[str, str]]:
    """All pages of one student's report, each with its place in the book."""
    [student], [slug] = report.students, slugs([report.students[0].name])
    yield "index.html", index_page(report, [slug])
    yield f"students/{slug}.html", handout(report, student)
    yield f"instructor/{slug}.html", instructors(report, student)


@same
@given(texts)
def test_hostile_text_adds_no_tag_and_no_attribute(text: str) -> None:
    for (name, page), (_, honest) in zip(pages(everything(text)), pages(everything("honest")), strict=True):
        page.encode()
        read, expected = Page(page), Page(honest)
        assert {tag for tag, _ in read.tags} <= ALLOWED
        assert {attribute for _, attributes in read.tags for attribute in attributes} <= ATTRIBUTES
        assert read.texts.get("script") == expected.texts.get("script")
        assert read.texts["style"] == expected.texts["style"]
        for _, attributes in read.tags:
            href = attributes.get("href")
            assert href is None or re.fullmatch(
                r"#class|\.\./index\.html|(students|instructor)/[a-z0-9-]+\.html", href
            ), name


def test_the_policy_allows_what_is_written_here_and_nothing_else() -> None:
    for name, page in pages(everything("x")):
        read = Page(page)
        [policy] = [a["content"] for _, a in read.tags if a.get("http-equiv") == "Content-Security-Policy"]
        assert policy is not None
        rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
        assert rules["default-src"] == rules["base-uri"] == rules["form-action"] == "'none'"
        for kind, where in (("style", "style-src"), ("script", "script-src")):
            if where in rules:
                digest = hashlib.sha256("".join(read.texts[kind]).encode()).digest()
                assert rules[where] == f"'sha256-{base64.b64encode(digest).decode()}'"
        assert ("script-src" in rules) == (name == "index.html")
        assert not any({"src", "style"} & set(attributes) for _, attributes in read.tags)
        assert "url(" not in page


def test_the_index_shows_everybody_and_leads_to_their_pages(tmp_path: Path) -> None:
    report = a_class(30)
    write_book(report, tmp_path)
    read = Page((tmp_path / "index.html").read_text("utf-8"))
    links = [a["href"] for tag, a in read.tags if tag == "a" and a["href"] and not a["href"].startswith("#")]
    assert {str(link).split("/")[0] for link in links} == {"students", "instructor"}
    assert len(set(links)) == 60
    assert all((tmp_path / str(link)).is_file() for link in links)
    for student in report.students:
        assert student.name in read.text
    for kata in KATAS:
        assert kata in read.text
    assert "Confinement: namespaces" in read.text
    assert "this kernel has no cgroups" in read.text


def test_a_status_is_never_told_by_colour_alone() -> None:
    statuses = ("passed", "failed", "error", "timed-out", "missing", "refused", "ungraded")
    report = a_report(a_student("Ada", *(graded(status, status=status) for status in statuses)))
    cells = re.findall(r'<td class="n ([a-z-]+)[^>]*>([^<]*)<', index_page(report, ["ada"]))
    symbols = {status: text[0] for status, text in cells if status in statuses}
    assert set(symbols) == set(statuses)
    assert len(set(symbols.values())) == len(statuses)
    assert "? ungraded" in dict(cells).values()
    for status in statuses:
        assert status.replace("-", " ") in Page(handout(report, report.students[0])).text


HIDDEN = a_test("test_the_secret", "timed-out", "secret message", text="The secret rule.", hidden=True)
OPEN = a_test("test_open", "failed", "It was 2, not 1.\n\n  timeline", text="The open rule.")


@pytest.mark.parametrize(
    ("feedback", "told", "untold"),
    [
        ("full", ["It was 2, not 1.", "  timeline", "Two tests"], ["The open rule."]),
        ("rule", ["The open rule."], ["It was 2", "Two tests"]),
        ("none", [], ["The open rule.", "It was 2", "Two tests"]),
    ],
)
def test_a_student_sees_what_the_feedback_allows(feedback: str, told: list[str], untold: list[str]) -> None:
    kata = graded("lru_cache", OPEN, HIDDEN, message="Two tests did not pass.", flags=("a flag",))
    absent = graded("outbox_relay", status="missing", message="There is no outbox_relay.py.")
    report = a_report(a_student("Ada", kata, absent, flags=("a flag",), notes=("a note",)), feedback=feedback)
    text = Page(handout(report, report.students[0])).text
    for part in (*told, "test_open", "hidden test", "There is no outbox_relay.py.", "a note"):
        assert part in text
    for part in (*untold, "secret", "timed out", "a flag", "namespaces"):
        assert part not in text
    everything_known = Page(instructors(report, report.students[0])).text
    for part in ("It was 2, not 1.", "The open rule.", "test_the_secret", "secret message", "timed out", "a flag"):
        assert part in everything_known


@pytest.mark.parametrize("message", ["test_the_secret failed", "see: secret message", "1 failed: The secret rule."])
def test_a_message_that_repeats_a_hidden_test_is_not_handed_out(message: str) -> None:
    report = a_report(a_student("Ada", graded("lru_cache", OPEN, HIDDEN, message=message)))
    assert "ecret" not in handout(report, report.students[0])


def test_what_is_ungraded_is_no_failure_of_the_student() -> None:
    kata = graded("lru_cache", OPEN, status="ungraded", message="The disk was full.")
    report = a_report(a_student("Ada", kata, graded("b", a_test(status="passed"))))
    text = Page(handout(report, report.students[0])).text
    assert "1 of 1 points, without lru_cache, which could not be graded" in text
    assert "The disk was full." in text
    assert "test_open" not in text


def test_a_message_that_many_tests_share_is_read_once() -> None:
    why = "lru_cache.py cannot be imported: NameError: name 'x' is not defined"
    tests = [a_test(f"test_{name}", message=why) for name in "abc"] + [a_test("test_d", message="another")]
    report = a_report(a_student("Ada", graded("lru_cache", *tests)))
    for page in (handout(report, report.students[0]), instructors(report, report.students[0])):
        text = Page(page).text
        assert text.count(why) == 1
        assert text.count("the same as above") == 2
        assert text.count("another") == 1
