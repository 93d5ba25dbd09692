"""What students wrote is harmless before any format sees it."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dojo.grader.book import slugs
from dojo.grader.book.text import LIMIT, line, number, plain, title

from .hostile import same, texts

BIDI = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
"""What changes the order of the letters around it."""


@same
@given(texts)
def test_no_control_and_nothing_invisible_is_left(text: str) -> None:
    for shown in (plain(text), line(text), title(text)):
        shown.encode()  # no half of a surrogate pair
        odd = {c for c in shown if unicodedata.category(c) in ("Cc", "Cs") or unicodedata.bidirectional(c) in BIDI}
        assert odd <= {"\t", "\n"}
    assert not re.search(r"[\n\t]", line(text))
    assert title(text).strip()
    assert plain(plain(text)) == plain(text)


def test_what_is_invisible_or_reorders_is_shown_by_its_number() -> None:
    everywhere = [chr(code) for code in range(0x110000)]
    controls = [c for c in everywhere if unicodedata.category(c) == "Cc" and c not in "\t\n"]
    assert not set(controls) & set(plain("".join(controls)))
    bidi = [c for c in everywhere if unicodedata.bidirectional(c) in BIDI]
    assert len(bidi) == 9
    assert all(plain(c) == f"<U+{ord(c):04X}>" for c in bidi)


@pytest.mark.parametrize(
    "text",
    ["Zoë Müller-Lüdenscheidt", "李 小龍", "محمد", "\u0645\u06cc\u200c\u062e", "👩\u200d💻", "O'Neill", "a\tb\n  c"],
)
def test_honest_text_stays_as_it_is(text: str) -> None:
    assert plain(text) == text


def test_colours_are_dropped_and_other_escapes_are_shown() -> None:
    assert plain("\x1b[1;31mred\x1b[0m \x1b[2J") == "red "
    assert plain("\x1b]0;title\x07\x9b31m") == "␛]0;title␇<U+009B>31m"
    assert plain("a\r\nb\rc\u2028d") == "a\nb\nc\nd"


@pytest.mark.parametrize(
    "text", ["x" * 1_000_000, "\x1b[31m" * 200_000, "\u202e" * 1_000_000, "\x1b[" * 500_000, "\n" * 1_000_000]
)
def test_a_message_of_a_megabyte_is_cut_with_a_remark(text: str) -> None:
    shown = plain(text)
    assert len(shown) <= LIMIT + 60
    assert shown.endswith("\n[cut here: 1,000,000 characters in all]")
    assert len(line(text)) <= 200


def test_text_at_the_limit_is_not_cut() -> None:
    assert plain("x" * LIMIT) == "x" * LIMIT
    assert plain("x" * (LIMIT + 1)).startswith("x" * LIMIT + "\n[cut here: 20,001 ")


@same
@given(st.lists(texts, max_size=8))
def test_slugs_are_safe_and_unique(names: list[str]) -> None:
    found = slugs([*names, *names])
    assert len(set(found)) == len(found)
    assert all(re.fullmatch(r"[a-z0-9](-?[a-z0-9]+)*", slug) and len(slug) <= 60 for slug in found)


def test_a_slug_stays_when_others_come_and_go() -> None:
    [alone] = slugs(["Ada Lovelace"])
    assert alone.startswith("ada-lovelace-")
    assert slugs(["Björn", "Ada Lovelace", "ada lovelace"])[1] == alone
    assert slugs(["CON"])[0].startswith("con-")
    assert slugs(["花子"])[0].startswith("student-")


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (-0.0, "0"), (10, "10"), (100.0, "100"), (2.5, "2.5"), (1 / 3, "0.3333"), (-1.5, "-1.5")],
)
def test_points_have_no_needless_digits(value: float, text: str) -> None:
    assert number(value) == text
