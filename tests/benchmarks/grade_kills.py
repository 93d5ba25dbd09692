"""`kill -9` at random moments of `dojo grade`: is everything that was graded on record, and does nothing stay behind?

    python -m tests.benchmarks.grade_kills --kills 100 --seed 1

A small class is graded once in peace. Then it is graded again and again into new books, each time killed and started
again until it comes to its end: some kills come at any moment, some when the journal is being written, some while the
book is. One line a kill and one for all; exit code 1 if anything was lost, graded twice or left, or if a book is not,
byte for byte, the one that was made in peace.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, sleep

from dojo.catalog import Kata, load
from dojo.grader.supervisor import JOURNAL
from tests.cli.conftest import REPOSITORY
from tests.grader.synthetic import LIMITS, make_class

LEAVING_S = 1.0
"""After so long nothing may be left of a batch whose supervisor was killed."""
PATIENCE_S = 300.0
MOMENTS = ("any", "any", "any", "journal", "journal", "book")
FILES = ("report.json", "grades.csv")

Row = tuple[int, str, str, int, str]


@dataclass(frozen=True)
class Killed:
    moment: str
    after: float
    """Seconds since the start."""
    ended: bool
    """It had come to its end before the kill."""
    before: int
    """Verdicts on record before the start."""
    recorded: int
    """Verdicts on record after the kill."""
    lost: int
    twice: int
    """Keys with more than one verdict that counts."""
    left: list[str]
    """Processes that there still were after `LEAVING_S`."""
    leaving: float
    """Seconds until the last of them had ended."""
    litter: int
    """Directories in the temporary directory."""
    damage: list[str] = field(default_factory=list)


class Course:
    """A class, and the books that it is graded into."""

    def __init__(self, place: Path, katas: Sequence[Kata], students: int, seed: int) -> None:
        self.folder = place / "class"
        self.folder.mkdir()
        self._place, self._katas = place, katas
        make_class(self.folder, students, katas, seed)
        (place / "grading.toml").write_text(LIMITS)
        self.temporary = place / "tmp"
        """What a grader's processes have in their environment, and nobody else; the cells inherit it."""
        self.temporary.mkdir()
        begun = monotonic()
        process = self.start(place / "peace")
        output, _ = process.communicate()
        self.seconds = monotonic() - begun
        if process.returncode != 0:
            raise SystemExit(f"the class cannot be graded in peace: {output.decode()}")
        self.results = rows(place / "peace")
        self.books = {name: (place / "peace" / name).read_bytes() for name in FILES}

    def start(self, book: Path) -> subprocess.Popen[bytes]:
        arguments = ["grade", str(self.folder), "--out", str(book), "--config", str(self._place / "grading.toml")]
        arguments += [*(f"--katas={kata.name}" for kata in self._katas), "--workers=2"]
        return subprocess.Popen(
            [sys.executable, "-m", "dojo.cli", *arguments],
            cwd=REPOSITORY,
            env={**os.environ, "PYTHONPATH": str(REPOSITORY), "TMPDIR": str(self.temporary)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def processes(self) -> list[str]:
        """Those of any grader of this course, wherever they are and whoever their parent is by now."""
        token, found = f"TMPDIR={self.temporary}".encode(), []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if token in (process / "environ").read_bytes():
                    command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
                    found.append(f"{process.name} {command[-60:]}")
            except OSError:
                continue
        return found


def rows(book: Path) -> list[Row]:
    """All verdicts that were ever recorded, from a copy, so that looking changes nothing. Raises sqlite3.Error."""
    if not (book / JOURNAL).exists():
        return []
    with tempfile.TemporaryDirectory(prefix="dojo-look-") as directory:
        for suffix in ("", "-wal"):
            if (source := Path(f"{book / JOURNAL}{suffix}")).exists():
                shutil.copy(source, Path(directory, f"{JOURNAL}{suffix}"))
        connection = sqlite3.connect(Path(directory, JOURNAL))
        try:
            [sound] = connection.execute("PRAGMA integrity_check").fetchone()
            if sound != "ok":
                raise sqlite3.DatabaseError(sound)
            if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'results'").fetchall():
                return []
            return connection.execute("SELECT id, key, at, graded, data FROM results ORDER BY id").fetchall()
        finally:
            connection.close()


def wait_for(moment: str, process: subprocess.Popen[bytes], book: Path, lot: random.Random, usual: float) -> None:
    """Until it is time to kill, or the batch has ended."""
    deadline = monotonic() + PATIENCE_S
    if moment == "any":
        deadline = monotonic() + lot.uniform(0.0, 1.1 * usual)
    written, wanted, last = 0, lot.randrange(2, 40), ""
    there = {path.name: path.stat().st_mtime_ns for path in book.glob("*.*")}
    while process.poll() is None and monotonic() < deadline:
        if moment == "journal":
            try:
                found = os.stat(f"{book / JOURNAL}-wal")
                now = f"{found.st_mtime_ns}/{found.st_size}"
            except OSError:
                now = ""
            written, last = written + (now != last), now
            if written >= wanted:
                return
        if moment == "book" and any(
            path.stat().st_mtime_ns != there.get(path.name)
            for path in (book / "report.json", book / "grades.csv", book / "junit.xml")
            if path.exists()
        ):
            sleep(lot.uniform(0.0, 0.03))
            return
        sleep(0.0005)


def kill(course: Course, book: Path, lot: random.Random) -> Killed:
    """Start, be killed, and look at what is there."""
    damage: list[str] = []
    moment, before = lot.choice(MOMENTS), rows(book)
    process, begun = course.start(book), monotonic()
    wait_for(moment, process, book, lot, course.seconds)
    ended = process.poll() is not None
    process.kill()
    at, after = monotonic(), monotonic() - begun
    output, _ = process.communicate()
    if ended and process.returncode not in (0, -signal.SIGKILL):
        damage.append(f"it ended with {process.returncode}: {output.decode()[-500:]}")
    late: list[str] = []
    while (left := course.processes()) and monotonic() < at + PATIENCE_S / 10:
        late = late or (left if monotonic() > at + LEAVING_S else [])
        sleep(0.02)
    leaving = monotonic() - at
    try:
        found = rows(book)
    except sqlite3.Error as error:
        damage.append(f"the journal is damaged: {error}")
        found = []
    lost = sum(row not in found for row in before)
    counted = [key for _, key, _, is_graded, _ in found if is_graded]
    twice = len(counted) - len(set(counted))
    if any(not is_graded for _, _, _, is_graded, _ in found):
        damage.append("something was recorded as ungraded")
    if strange := set(counted) - {row[1] for row in course.results}:
        damage.append(f"{len(strange)} verdicts under keys that the undisturbed batch has not")
    if list(book.parent.glob(f"{book.name}/journal-damaged*")):
        damage.append("a journal was moved aside as damaged")
    litter = len(list(course.temporary.iterdir()))
    return Killed(moment, after, ended, len(before), len(found), lost, twice, late, leaving, litter, damage)


def finish(course: Course, book: Path) -> list[str]:
    """Let it come to its end; what is wrong with its book then."""
    process = course.start(book)
    output, _ = process.communicate()
    wrong = [] if process.returncode == 0 else [f"it ended with {process.returncode}: {output.decode()[-500:]}"]
    for name, wanted in course.books.items():
        if not (book / name).exists() or (book / name).read_bytes() != wanted:
            wrong.append(f"{name} is not the one that was made in peace")
    if len(rows(book)) != len(course.results):
        wrong.append(f"{len(rows(book))} verdicts instead of {len(course.results)}")
    return wrong


def told(number: int, one: Killed) -> str:
    parts = [
        f"{number:>3}",
        f"{one.moment:<7}",
        f"after {one.after:5.2f} s",
        f"verdicts {one.before:>2} -> {one.recorded:>2}",
        f"lost {one.lost}",
        f"twice {one.twice}",
        f"{len(one.left)} processes left, the last ended after {one.leaving:4.2f} s",
    ]
    return "  ".join([*parts, *one.left, *one.damage])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--students", type=int, default=24)
    parser.add_argument("--katas", nargs="*", default=["websocket_broadcaster"])
    asked = parser.parse_args()
    lot, kills, wrong, books = random.Random(asked.seed), [], [], 0
    with tempfile.TemporaryDirectory(prefix="dojo-kills-") as directory:
        katas = tuple(load(REPOSITORY).select(asked.katas))
        course = Course(Path(directory).resolve(), katas, asked.students, asked.seed)
        print(f"{len(course.results)} files, graded in peace in {course.seconds:.1f} s", flush=True)
        while len(kills) < asked.kills:
            book = Path(directory).resolve() / f"book{books}"
            books += 1
            starts, ended = 1, False
            while len(kills) < asked.kills and not ended:
                one, starts = kill(course, book, lot), starts + 1
                ended = one.ended  # it was quicker than the kill
                if not ended or one.damage:
                    kills.append(one)
                    print(told(len(kills), one), flush=True)
            faults = finish(course, book)
            wrong += faults
            print(f"     book {books}: {starts} starts, {'; '.join(faults) or 'the same as in peace'}", flush=True)
        litter = max((one.litter for one in kills), default=0)
    print(
        f"seed {asked.seed}: {len(kills)} kills in {books} books "
        f"({', '.join(f'{sum(one.moment == each for one in kills)} {each}' for each in dict.fromkeys(MOMENTS))}), "
        f"{sum(one.recorded - one.before for one in kills)} verdicts recorded between them, "
        f"{sum(one.lost for one in kills)} lost, {sum(one.twice for one in kills)} counted twice, "
        f"{sum(len(one.left) for one in kills)} processes left (the last ended after "
        f"{max(one.leaving for one in kills):.2f} s), {sum(bool(one.damage) for one in kills)} other faults, "
        f"{len(wrong)} books or exits other than in peace; {litter} temporary directories left by them"
    )
    bad = any(one.lost or one.twice or one.left or one.damage for one in kills)
    return 1 if bad or wrong else 0


if __name__ == "__main__":
    sys.exit(main())
