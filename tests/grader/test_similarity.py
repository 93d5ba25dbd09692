"""Pairs that are worth a look: copies however disguised, and not what a class writes alike anyway."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dojo.catalog import Kata, load
from dojo.cli.app import app
from dojo.grader.model import Submission
from dojo.grader.similarity import KataPairs, Listing, compare
from dojo.grader.similarity.book import write_listing
from dojo.grader.similarity.fingerprints import LENGTH, WINDOW, passages, winnow
from dojo.grader.similarity.page import similarity_page
from dojo.grader.similarity.pairs import Comparison
from dojo.grader.similarity.reader import MAX_BYTES, NotComparedError, symbols
from dojo.grader.similarity.reading import MOST_LOST, Reader
from dojo.stubs import stub_of

from . import disguises
from .the_class import HOSTILE as TEXTS

CATALOG = load(Path(__file__).parents[2])
LIMITER = CATALOG.find("rate_limiter")


def designs(kata: Kata) -> dict[str, str]:
    """Right solutions of unrelated designs, each by its name."""
    return {path.stem: path.read_text() for path in sorted(kata.alternatives.glob("*.py"))}


def listing(files: Mapping[str, str | bytes], kata: Kata = LIMITER) -> Listing:
    handed_in = [
        Submission(name, name, {kata.name: text if isinstance(text, bytes) else text.encode()})
        for name, text in files.items()
    ]
    return compare(handed_in, [kata])


def found(files: Mapping[str, str | bytes], kata: Kata = LIMITER) -> KataPairs:
    [only] = listing(files, kata).katas
    return only


def students(pairs: KataPairs) -> list[set[str]]:
    return [{*pair.left, *pair.right} for pair in pairs.pairs]


@pytest.mark.parametrize("kata", CATALOG.katas, ids=lambda kata: kata.name)
def test_unrelated_designs_are_not_listed_and_who_hands_in_the_solution_is_said_to(kata: Kata) -> None:
    assert not found(designs(kata), kata).pairs
    [pair] = found({**designs(kata), "Ann": kata.solution.read_text()}, kata).pairs
    assert (pair.left, pair.right, pair.similarity, pair.same) == (("Ann",), (), 1.0, "code")


def test_of_a_class_only_those_of_one_design_are_listed() -> None:
    """The mutants are edited copies of few designs: the reference's or an alternative's."""
    kata = CATALOG.find("idempotent_consumer")
    mutants = {path.stem: path.read_text() for path in sorted(kata.mutants.glob("*.py"))[:30]}
    scripted = {name: "lua" in text.lower() for name, text in {**designs(kata), **mutants}.items()}
    pairs = found({**designs(kata), **mutants}, kata).pairs
    assert pairs
    for pair in pairs:
        assert len({scripted[name] for name in (*pair.left, *pair.right)}) == 1, pair.left + pair.right


@pytest.mark.parametrize("disguise", ["renamed", "commented", "reordered", "split", "retyped"])
@pytest.mark.parametrize("kata", [CATALOG.katas[0], LIMITER], ids=lambda kata: kata.name)
def test_a_disguised_copy_is_found(kata: Kata, disguise: str) -> None:
    for name, text in designs(kata).items():
        copy = getattr(disguises, disguise)(text)
        pairs = found({**designs(kata), "copy": copy}, kata)
        assert students(pairs) == [{name, "copy"}]
        assert pairs.pairs[0].similarity > 0.7


@pytest.mark.parametrize("kata", CATALOG.katas, ids=lambda kata: kata.name)
def test_a_copy_in_all_disguises_is_found(kata: Kata) -> None:
    name, text = next(iter(designs(kata).items()))
    copy = disguises.retyped(disguises.reordered(disguises.split(disguises.renamed(text))))
    assert students(found({**designs(kata), "copy": copy}, kata)) == [{name, "copy"}]


def test_the_same_file_is_one_pair_however_many_handed_it_in() -> None:
    text = designs(LIMITER)["sorted_set"]
    pairs = found({"Ann": text, "Bo": text.replace("\n", "\r\n"), "Cy": text, "Di": designs(LIMITER)["watch_multi"]})
    [pair] = pairs.pairs
    assert (pair.left, pair.right, pair.similarity, pair.same) == (("Ann",), ("Bo", "Cy"), 1.0, "text")
    other = disguises.renamed(text)
    [pair] = found({"Ann": text, "Bo": text, "Cy": other}).pairs
    assert (pair.left, pair.right, pair.same, pair.sources) == (("Ann",), ("Cy", "Bo"), "code", (text, other))


@pytest.mark.parametrize("kata", CATALOG.katas, ids=lambda kata: kata.name)
def test_the_stub_is_nobodys(kata: Kata) -> None:
    stub = stub_of(kata)
    given = {"Ann": stub, "Bo": stub, "Cy": stub.replace("\n", "\r\n"), "Di": disguises.commented(stub), "Ed": ""}
    given["Flo"] = "\n".join("        pass" if "NotImplementedError" in text else text for text in stub.split("\n"))
    pairs = found(given, kata)
    assert (pairs.pairs, pairs.students, pairs.untouched) == ((), 0, 6)


def test_what_all_the_class_writes_counts_little() -> None:
    shared = "def helper(a, b):\n" + "".join(
        f"    if a[{n}] {op} b.c(a, b):\n        return a\n" for n, op in OPERATORS
    )
    own = {
        f"s{number}": shared + "".join(f"x = [{'a, ' * (each + 1)}{'b(c), ' * (number + 1)}]\n" for each in range(9))
        for number in range(12)
    }
    assert not found(own).pairs
    assert students(found({"Ann": own["s1"], "Bo": own["s2"]})) == [{"Ann", "Bo"}]


OPERATORS = [*enumerate(["<", "<=", ">", ">=", "==", "!=", "in", "is", "not in", "is not", "and", "or"])]

HOSTILE: dict[str, bytes] = {
    "not UTF-8 text": b"\xff\xfe\x80" * 100,
    "not a text: it holds NUL characters": b"a = 1\n\0",
    f"longer than {MAX_BYTES >> 10} KiB": b"x" * 10_000_000,
    "more than 10,000 tokens": b"a + " * 8_000,
    "more than 40,000 tokens, comments and line ends included": b"\n" * 200_000,
}


def test_hostile_files_are_skipped_with_a_remark() -> None:
    text = designs(LIMITER)["sorted_set"]
    files = {**HOSTILE, "Ann": text, "Bo": text}
    result = listing(files)
    assert {each.student: each.why for each in result.skipped} == {why: why for why in HOSTILE}
    assert students(result.katas[0]) == [{"Ann", "Bo"}]


@pytest.mark.parametrize(
    "text",
    [
        b"(" * 9_000,
        b"x = " + b"[" * 5_000,
        b'x = """' + b"a\n" * 30_000,
        b"\\\n" * 30_000,
        b"1_" * 120_000,
        b'f"{' * 3_000,
        b'"' + b"\\" * 100_000,
        b'x = """\n' + b"--" * 90_000 + b'\n\n"""',
        b"".join(b" " * depth + b"if 1:\n" for depth in range(500)),
        b"def f(" + b"a:b," * 2_000 + b"): pass",
        b"# coding: zlib_codec\nx",
        b"# coding: no-such\nx",
        b"def f(:\n  -> ,, = : ) ]\n",
    ],
)
def test_no_text_stops_the_reader(text: bytes) -> None:
    try:
        numbers, lines = symbols(text)
    except NotComparedError:
        return
    assert len(numbers) == len(lines) <= 10_000


def test_a_text_that_ends_or_stalls_its_reader_costs_no_other_its_comparison() -> None:
    def program(does: str) -> tuple[str, ...]:
        code = f"import os, sys, time, json, struct\nwhile h := sys.stdin.buffer.read(4):\n{does}"
        return sys.executable, "-c", code

    good = (
        " d = sys.stdin.buffer.read(*struct.unpack('<I', h))\n"
        " if d == b'die': os._exit(9)\n if d == b'stall': time.sleep(60)\n"
        " r = json.dumps([[1], [1]]).encode()\n"
        " sys.stdout.buffer.write(struct.pack('<I', len(r)) + r); sys.stdout.buffer.flush()\n"
    )
    with Reader(program(good)) as reader:
        for bad, why in ((b"die", "ended the process"), (b"stall", "took longer than 1 s")):
            with pytest.raises(NotComparedError, match=why):
                reader.read(bad, 1)
            assert list(reader.read(b"fine").symbols) == [1]
        for _ in range(MOST_LOST):
            with pytest.raises(NotComparedError):
                reader.read(b"die")
        with pytest.raises(NotComparedError, match="not tried"):
            reader.read(b"fine")


def test_winnowing_misses_no_shared_run_that_is_long_enough() -> None:
    long = LENGTH + WINDOW - 1
    shared = [1000 + number for number in range(long)]
    for before in range(12):
        one = winnow([*range(before), *shared, *range(300, 340)], ())
        other = winnow([*range(100, 125), *shared], ())
        assert one.keys() & other.keys()
    assert winnow(shared, frozenset(passages(shared))) == {}
    assert winnow([], ()) == winnow([1, 2], ()) == {}


def test_the_work_grows_with_the_class_and_not_with_its_square() -> None:
    """Everybody has the same 100 passages and 20 of their own; each is compared with their nearest only."""
    texts = [{each: each for each in (*range(100), *range(1000 + n * 15, 1020 + n * 15))} for n in range(400)]
    assert Comparison(texts, reference=False).find().compared <= 400 * 20


def test_the_same_class_gives_the_same_listing_and_page(tmp_path: Path) -> None:
    text = designs(LIMITER)
    files = {**text, "copy": disguises.reordered(text["watch_multi"]), "bad": b"\xff"}
    for name in ("one", "two"):
        write_listing(listing(files), tmp_path / name)
    for file in ("similarity.json", "similarity.html"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()
    data = json.loads((tmp_path / "one" / "similarity.json").read_text())
    [pair] = data["katas"][0]["pairs"]
    assert (pair["left"], pair["right"]) == (["watch_multi"], ["copy"])
    assert pair["passages"]
    page = (tmp_path / "one" / "similarity.html").read_text()
    assert "worth a look" in page
    assert "plagiar" not in page.lower()


def test_the_passages_are_the_lines_that_both_have() -> None:
    text = designs(LIMITER)["sorted_set"]
    [pair] = found(
        {"Ann": text, "Bo": f"{text}\n\nx = {{'a': [b for b in c if d], **e}}\nprint(*x, sep=x['a'])\n"}
    ).pairs
    tile = max(pair.passages, key=lambda each: each.symbols)
    left, right = (
        source.split("\n")[first - 1 : last]
        for source, (first, last) in zip(pair.sources, (tile.left, tile.right), strict=True)
    )
    assert left == right
    assert len(left) > 60


def test_untrusted_text_is_escaped_in_the_page() -> None:
    text = designs(LIMITER)["sorted_set"]
    for hostile in filter(None, TEXTS):
        page = similarity_page(
            listing({hostile: text + f"# {hostile!r}\n", "</pre><b>": text, "bad" + hostile: b"\xff"})
        )
        assert "<script" not in page
        assert "<img" not in page
        assert "</pre><b>" not in page
        assert "\x1b" not in page
        page.encode()


def test_the_command_writes_the_pages_and_grades_nothing(tmp_path: Path) -> None:
    text = designs(LIMITER)["sorted_set"]
    for name in ("Ann Lee", "Bo Li"):
        (tmp_path / "class" / name).mkdir(parents=True)
        (tmp_path / "class" / name / "rate_limiter.py").write_text(text)
    (tmp_path / "class" / "Cy").mkdir()
    (tmp_path / "class" / "Cy" / "rate_limiter.py").write_bytes(b"a" * 300_000)
    command = ["grade", str(tmp_path / "class"), "--similarity", "--katas", "rate_limiter"]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    assert "100 %  Ann Lee  Bo Li  the same file" in result.output
    assert "not compared: Cy/rate_limiter: longer than 256 KiB" in result.output
    assert sorted(path.name for path in (tmp_path / "class-book").iterdir()) == ["similarity.html", "similarity.json"]
    result = CliRunner().invoke(app, [*command, "--json"])
    assert json.loads(result.output) == json.loads((tmp_path / "class-book" / "similarity.json").read_text())
    assert CliRunner().invoke(app, ["grade", str(tmp_path / "nowhere"), "--similarity"]).exit_code == 3


@pytest.mark.parametrize("option", [("--regrade", "all"), ("--workers", "2"), ("--one",), ("--queue", "redis://x")])
def test_what_means_nothing_to_it_is_refused(tmp_path: Path, option: tuple[str, ...]) -> None:
    result = CliRunner().invoke(app, ["grade", str(tmp_path), "--similarity", *option])
    assert result.exit_code == 2
    assert f"{option[0]} means nothing to it" in result.output
