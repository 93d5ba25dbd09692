"""Pairs of submissions that are worth a look, which is never a verdict.

It is winnowing over the standard library's tokenizer, because no library that is kept up fits: copydetect was last
released in March 2024, brings matplotlib and numpy (200 MB), compares all pairs, takes what a file repeats for
boilerplate, and hashes differently in each process; pycode-similar dates from 2020 and diffs each pair; diffinite needs
a PDF stack, and csim pins a numpy that Python 3.13 has no wheels of.

Every text is reduced to the hashes of its passages (`reader`, `fingerprints`); those of the stub and of the kata's
README are taken out, those of the reference solution count as if half the class had written them, and any other counts
the less the more students have it. An index by passage leads to each text's nearest, which alone are compared in full
(`pairs`), so a class of a thousand takes seconds. What was handed in is read in a child process, with limits.
"""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dojo.catalog import Kata
from dojo.grader.model import GraderError, Submission
from dojo.grader.similarity.fingerprints import passages, winnow
from dojo.grader.similarity.listing import KataPairs, Listing, Pair, Same, Skipped
from dojo.grader.similarity.pairs import Alike, Comparison
from dojo.grader.similarity.reader import NotComparedError, text_of
from dojo.grader.similarity.reading import Read, Reader
from dojo.grader.similarity.tiles import tiles
from dojo.stubs import StubError, stub_of

__all__ = ["KataPairs", "Listing", "Pair", "Skipped", "compare"]

LISTED = 100
"""Pairs of one kata at most."""
OWN = 4
"""Passages that a text must have, beyond the stub, to be compared at all: about two lines of code."""

_SNIPPET = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)


@dataclass(slots=True)
class _Version:
    """A text, or several of the same code, with those who handed it in."""

    read: Read
    prints: dict[int, int]
    students: list[str] = field(default_factory=list)
    shas: list[str] = field(default_factory=list)
    """Of each student's text, line ends apart."""


@dataclass(slots=True)
class _Bench:
    """One kata, while submissions are read."""

    kata: Kata
    ignored: frozenset[int]
    reference: _Version | None
    reference_text: str
    versions: dict[bytes, _Version] = field(default_factory=dict)
    """By their symbols."""
    untouched: int = 0


def compare(
    submissions: Iterable[Submission], katas: Sequence[Kata], tell: Callable[[int], None] = lambda read: None
) -> Listing:
    """Compares what a class handed in for each kata; `tell` hears how many submissions were read.

    Raises GraderError if a kata's own stub cannot be had.
    """
    skipped: list[Skipped] = []
    with Reader() as reader, tempfile.TemporaryDirectory(prefix="dojo-similar-") as folder:
        benches = [_bench(kata, reader) for kata in katas]
        for number, submission in enumerate(submissions, start=1):
            if submission.trouble:
                skipped.append(Skipped(submission.name, "", submission.trouble))
            for bench in benches:
                name = bench.kata.name
                why = submission.refused.get(name, "")
                if name in submission.files:
                    why = _enter(bench, reader, submission.name, submission.files[name], Path(folder))
                if why:
                    skipped.append(Skipped(submission.name, name, why))
            tell(number)
        found = tuple(_pairs(bench, Path(folder)) for bench in benches)
    return Listing(found, tuple(skipped))


def _bench(kata: Kata, reader: Reader) -> _Bench:
    try:
        boilerplate = [stub_of(kata)]
        if kata.readme.is_file():
            boilerplate += _SNIPPET.findall(kata.readme.read_text("utf-8"))
        ignored = frozenset(p for text in boilerplate for p in passages(reader.read(text.encode()).symbols))
        bench = _Bench(kata, ignored, None, "")
        if kata.solution.is_file():  # a class repository has none
            data = kata.solution.read_bytes()
            read = reader.read(data)
            bench.reference, bench.reference_text = _Version(read, winnow(read.symbols, ignored)), text_of(data)
    except (StubError, NotComparedError, OSError, UnicodeDecodeError) as error:
        raise GraderError(f"{kata.id}: what everybody was given cannot be read: {error}") from error
    return bench


def _enter(bench: _Bench, reader: Reader, student: str, data: bytes, folder: Path) -> str:
    """Files one text; why it cannot be compared, if so."""
    try:
        read = reader.read(data)
    except NotComparedError as error:
        return str(error)
    key = hashlib.sha256(read.symbols.tobytes()).digest()
    if (version := bench.versions.get(key)) is None:
        version = _Version(read, winnow(read.symbols, bench.ignored))
        if len(version.prints) < OWN:
            bench.untouched += 1
            return ""
        bench.versions[key] = version
    text = data.replace(b"\r\n", b"\n")
    sha = hashlib.sha256(text).hexdigest()
    # Not in memory: of a thousand, a few will be shown. Decoded once: its author chose the encoding, and punycode takes
    # two seconds for a text, which may be shown two hundred times.
    (folder / sha).write_bytes(text_of(text).encode("utf-8", "surrogatepass"))
    version.students.append(student)
    version.shas.append(sha)
    return ""


def _pairs(bench: _Bench, folder: Path) -> KataPairs:
    versions = list(bench.versions.values())
    every = [*versions, bench.reference] if bench.reference is not None else versions
    found = Comparison([each.prints for each in every], reference=bench.reference is not None).find()
    groups = [version for version in versions if len(version.students) > 1]
    listed: list[_Version | Alike] = [*groups, *found.pairs]
    texts = _Texts(bench, every, folder)
    return KataPairs(
        bench.kata.name,
        sum(len(version.students) for version in versions),
        bench.untouched,
        found.bar,
        found.median,
        tuple(texts.same(each) if isinstance(each, _Version) else texts.alike(each) for each in listed[:LISTED]),
        max(0, len(listed) - LISTED),
    )


@dataclass(frozen=True, slots=True)
class _Texts:
    """What is shown of the pairs of one kata."""

    bench: _Bench
    versions: Sequence[_Version]
    folder: Path

    def same(self, version: _Version) -> Pair:
        """Several students with the same code: the first, and the first whose text differs, if any does."""
        other = next((place for place, sha in enumerate(version.shas) if sha != version.shas[0]), 1)
        same: Same = "text" if version.shas[other] == version.shas[0] else "code"
        first, *others = version.students
        # The one whose text is shown comes first.
        others.insert(0, others.pop(other - 1))
        sources = (self._text(version, 0), self._text(version, other))
        # Both texts have the same symbols, but not in the same lines.
        return Pair((first,), tuple(others), 1.0, same, (), sources)

    def alike(self, alike: Alike) -> Pair:
        left, right = self.versions[alike.left], self.versions[alike.right]
        found = tuple(tiles(left.read, right.read, left.prints, right.prints))
        whole = left.read.symbols == right.read.symbols  # only the reference's may be
        return Pair(
            tuple(left.students),
            tuple(right.students),
            alike.similarity,
            "code" if whole else "",
            found,
            (self._text(left, 0), self._text(right, 0)),
        )

    def _text(self, version: _Version, place: int) -> str:
        if version is self.bench.reference:
            return self.bench.reference_text
        return (self.folder / version.shas[place]).read_bytes().decode("utf-8", "surrogatepass")
