"""How fast `dojo grade` is, and what it takes: `python -m tests.benchmarks.grade [PART …]`.

    speed     a class of 100 students x 6 katas with known grades, with one worker and with two
    ratio     one judged file against a cold `pytest` in a namespace of its own, the same files in turn
    loop      the whole command on a class, on all cores, against a shell loop of such cold runs over the same files
    memory    the whole process tree's peak at 100 students and at 1,000

A ratio survives a busy machine where seconds do not. Exit code 1 if a grade is not the one that was known beforehand.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter, sleep

from dojo.catalog import Catalog, Kata, load
from dojo.grader import trusted
from dojo.grader.config import Config
from dojo.grader.crew import judge
from dojo.grader.guard import check
from dojo.grader.intake import submissions
from dojo.grader.journal import Journal
from dojo.grader.supervisor import JOURNAL, Bench, Order
from tests.cli.conftest import REPOSITORY
from tests.grader.synthetic import LIMITS, Marks, choices, make_class

PARTS = ("speed", "ratio", "loop", "memory")
CHEAP = "websocket_broadcaster"

PLAIN = r"""
set -u
ulimit -t 30 -v 4194304 -f 65536
place=$(mktemp -d)
cp -r "$TREE/." "$place"
cp "$FILE" "$place/$TARGET"
cd "$place"
timeout -k 1 60 unshare -rnpmf --mount-proc --kill-child \
    "$PYTHON" -m pytest -q -p no:cacheprovider "$(dirname "$TARGET")" > output 2>&1
code=$?
rm -rf "$place"
exit $code
"""
"""What a careful instructor's loop does for each file, and no less than the grader's confinement promises."""


@dataclass
class Peak:
    """Of a process tree, in MiB."""

    rss: float = 0.0
    """Pages that several processes share count for each."""
    pss: float = 0.0
    """They count once."""
    supervisor: float = 0.0
    """Of the `dojo grade` process alone."""
    processes: int = 0

    def look(self, root: int) -> None:
        family = _family(root)
        found = [_memory(pid) for pid in family]
        self.rss = max(self.rss, sum(rss for rss, _ in found))
        self.pss = max(self.pss, sum(pss for _, pss in found))
        self.supervisor = max(self.supervisor, _memory(root)[0])
        self.processes = max(self.processes, len(family))


@dataclass
class Batch:
    """One `dojo grade` from start to end."""

    seconds: float
    code: int
    files: int
    book: Path
    cpu: float = 0.0
    """Seconds, of all its processes."""
    wrong: list[str] = field(default_factory=list)
    peak: Peak = field(default_factory=Peak)


def _family(root: int) -> dict[int, float]:
    """The processes that descend from `root`, and it, with the CPU seconds of each and of those it has waited for."""
    parents, seconds = {}, {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            fields = (process / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents[int(process.name)] = int(fields[1])
        seconds[int(process.name)] = sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
    family = {root}
    while more := {pid for pid, parent in parents.items() if parent in family} - family:
        family |= more
    return {pid: seconds.get(pid, 0.0) for pid in sorted(family)}


def _memory(pid: int) -> tuple[float, float]:
    try:
        told = Path("/proc", str(pid), "smaps_rollup").read_text()
    except OSError:
        return 0.0, 0.0
    return tuple(int(re.findall(rf"^{name}:\s+(\d+)", told, re.MULTILINE)[0]) / 1024 for name in ("Rss", "Pss"))  # type: ignore[return-value]


def graded(folder: Path, katas: Sequence[Kata], workers: int, marks: Marks | None = None, every: float = 0.0) -> Batch:
    """Grade the class in `folder` into a new book; its memory is looked at each `every` seconds, if at all."""
    book = folder.with_name(f"{folder.name}-{workers}-book")
    shutil.rmtree(book, ignore_errors=True)
    config = folder.with_name("grading.toml")
    config.write_text(LIMITS)
    arguments = [sys.executable, "-m", "dojo.cli", "grade", str(folder), "--out", str(book), "--config", str(config)]
    arguments += [f"--katas={kata.name}" for kata in katas] + [f"--workers={workers}", "--json"]
    peak, begun = Peak(), perf_counter()
    process = subprocess.Popen(
        arguments,
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        stdout=subprocess.DEVNULL,
    )
    cpu = 0.0
    while process.poll() is None:
        cpu = max(cpu, sum(_family(process.pid).values()))
        if every:
            peak.look(process.pid)
        sleep(every or 0.3)
    seconds = perf_counter() - begun
    with Journal(book / JOURNAL, reading=True) as journal:
        files = len({key for entry in journal.entries() for key in entry.keys.values()})
    wrong = differences(book, marks) if marks is not None else []
    return Batch(seconds, process.returncode, files, book, cpu, wrong, peak)


def differences(book: Path, marks: Marks) -> list[str]:
    """Where the book does not say what it has to."""
    report = json.loads((book / "report.json").read_text(encoding="utf-8"))
    told = {student["name"]: student for student in report["students"]}
    if list(told) != list(marks):
        return [f"students: {list(told)[:5]} … instead of {list(marks)[:5]} …"]
    wrong = []
    for name, wanted in marks.items():
        points = sum(mark.points for mark in wanted.values())
        if told[name]["points"] != points:
            wrong.append(f"{name}: {told[name]['points']} points instead of {points}")
        for kata in told[name]["katas"]:
            mark, got = wanted[kata["kata"]], (kata["status"], kata["points"], kata["max"])
            if got != (mark.status, mark.points, mark.max):
                wrong.append(f"{name}/{kata['kata']}: {got} instead of {mark}: {kata['message'][:200]}")
    return wrong


def speed(place: Path, katas: Sequence[Kata], students: int, seed: int, workers: Sequence[int]) -> list[str]:
    folder = place / "class"
    folder.mkdir()
    begun = perf_counter()
    marks = make_class(folder, students, katas, seed)
    print(f"class of {students} x {len(katas)} (seed {seed}), its grades known after {perf_counter() - begun:.0f} s")
    seconds: dict[int, list[float]] = {}
    wrong = []
    for count in workers:
        batch = graded(folder, katas, count, marks)
        seconds.setdefault(count, []).append(batch.seconds)
        wrong += [f"exit code {batch.code}"] * (batch.code != 0) + batch.wrong
        print(
            f"  {count} workers: {batch.files} files in {batch.seconds:6.1f} s, {batch.files / batch.seconds:5.2f} "
            f"files/s, {students / batch.seconds:5.2f} students/s; CPU {batch.cpu:.0f} s = "
            f"{batch.cpu / batch.seconds:.2f} cores; "
            f"{len(batch.wrong)} grades wrong; load {os.getloadavg()[0]:.1f} on {os.cpu_count()}",
            flush=True,
        )
    medians = {count: statistics.median(found) for count, found in seconds.items()}
    if {1, 2} <= medians.keys():
        print(f"  2 workers are {medians[1] / medians[2]:.2f} x as fast as 1")
    return wrong


def pairs(katas: Sequence[Kata], number: int, seed: int) -> list[tuple[Kata, Path]]:
    """Files of all kinds and katas, about as many of each as a class hands in."""
    chance, found = random.Random(seed), []
    kinds = ["solution", "mutant", "solution", "stub", "alternative", "mutant"]
    for place in range(number):
        kata = katas[place % len(katas)]
        kind = kinds[(place + place // len(katas)) % len(kinds)]
        found.append((kata, chance.choice(choices(kata)[kind])))
    return found


def ratio(place: Path, catalog: Catalog, katas: Sequence[Kata], number: int, seed: int, students: int) -> None:
    """The same files under both, one after the other, each time in the other order."""
    chance, warm, cold, fates = random.Random(seed), [], [], []
    order = Order(place, place / "ratio-book", tuple(katas), Config())
    begun = perf_counter()
    with _workspace() as workspace, Journal(order.book / JOURNAL) as journal:
        bench = Bench.prepare(order, catalog, workspace, _Silent())
        with bench.crew(1) as crew:
            exams = check(crew, bench.tree, katas, bench.files, bench.patience).exams
            started = perf_counter() - begun
            plain_tree = place / "plain"
            plain_tree.mkdir()
            trusted.build(plain_tree, catalog, katas)

            def grader(kata: Kata, file: Path) -> Spent:
                def work(cell: object, source: bytes) -> object:
                    return judge(cell, exams[kata.name], source, bench.patience, random.Random())  # type: ignore[arg-type]

                cpu, begun = sum(_family(os.getpid()).values()), perf_counter()
                text = file.read_bytes() + b"\n# %d\n" % len(warm)
                [done] = crew.each(work, [journal.source(journal.keep_source(text))])
                if done.error is not None:
                    raise done.error
                journal.record(f"{len(warm)}", done.result)  # type: ignore[arg-type]
                fates.append(done.result.status)  # type: ignore[union-attr]
                seconds = perf_counter() - begun
                return Spent(seconds, sum(_family(os.getpid()).values()) - cpu)

            chosen = pairs(katas, number, seed)
            for kata in katas:  # a class is graded kata by kata, and only the first of each has to wait for it
                grader(kata, kata.solution)
            fates.clear()
            for kata, file in chosen:
                # Its host is up, as it is for all but one of a class's files of this kata.
                grader(kata, kata.stub)
                fates.pop()
                if chance.random() < 0.5:
                    warm.append(grader(kata, file))
                    spent, code = plain(plain_tree, kata, file)
                else:
                    spent, code = plain(plain_tree, kata, file)
                    warm.append(grader(kata, file))
                cold.append(spent)
                if code not in (0, 1) or (code == 0) != (fates[-1] == "passed"):
                    raise SystemExit(f"plain pytest ends with {code} on {file}, and the grader says {fates[-1]}")
    each = [one.wall / other.wall for one, other in zip(cold, warm, strict=True)]
    each_cpu = [one.cpu / other.cpu for one, other in zip(cold, warm, strict=True)]
    print(f"{number} files of {len(katas)} katas, in turn; load {os.getloadavg()[0]:.1f} on {os.cpu_count()}")
    for kata in katas:
        mine = [index for index, (one, _) in enumerate(chosen) if one is kata]
        print(
            f"  {kata.name:<22} grader {statistics.median(warm[index].wall for index in mine):5.2f} s  plain "
            f"{statistics.median(cold[index].wall for index in mine):5.2f} s  "
            f"{statistics.median(each[index] for index in mine):5.1f} x   CPU "
            f"{statistics.median(warm[index].cpu for index in mine):5.2f} s  plain "
            f"{statistics.median(cold[index].cpu for index in mine):5.2f} s  "
            f"{statistics.median(each_cpu[index] for index in mine):5.1f} x"
        )
    warm_sum, cold_sum = sum(one.wall for one in warm), sum(one.wall for one in cold)
    shared = number * started / (students * len(katas))
    whole, whole_cpu = cold_sum / warm_sum, sum(one.cpu for one in cold) / sum(one.cpu for one in warm)
    print(
        f"  median ratio {statistics.median(each):.1f} x, of CPU {statistics.median(each_cpu):.1f} x; "
        f"all together {whole:.1f} x, of CPU {whole_cpu:.1f} x; "
        f"with the start of {started:.1f} s shared by {students} x {len(katas)} "
        f"{cold_sum / (warm_sum + shared):.1f} x",
        flush=True,
    )


def loop(place: Path, catalog: Catalog, katas: Sequence[Kata], students: int, seed: int) -> list[str]:
    """What an instructor waits for: everything from the start of the command to the finished book."""
    folder, tree, files = place / "class", place / "plain", place / "files"
    for directory in (folder, tree, files):
        directory.mkdir(parents=True)
    trusted.build(tree, catalog, katas)
    # Without the hostile ones: in a loop they cost what somebody has set as a limit.
    marks = make_class(folder, students, katas, seed, hostile=())
    handed_in = [
        (kata, submission.files[kata.name], marks[submission.name][kata.name].status)
        for submission in submissions(folder, katas, None)
        for kata in katas
        if kata.name in submission.files
    ]
    cores = os.cpu_count() or 1
    batch = graded(folder, katas, cores, marks)
    wrong = [f"exit code {batch.code}"] * (batch.code != 0) + batch.wrong
    begun = perf_counter()
    for index, (kata, text, status) in enumerate(handed_in):
        file = files / f"{index}.py"
        file.write_bytes(text)
        code = plain(tree, kata, file)[1]
        if code not in (0, 1) or (code == 0) != (status == "passed"):
            wrong.append(f"plain pytest ends with {code} on {kata.name}, file {index}, which is to be {status}")
    seconds = perf_counter() - begun
    print(
        f"{students} students, {len(handed_in)} files of {len(katas)} katas: dojo grade {batch.seconds:.1f} s, "
        f"a shell loop {seconds:.1f} s: {seconds / batch.seconds:.1f} x; load {os.getloadavg()[0]:.1f} on {cores}",
        flush=True,
    )
    return wrong


@dataclass(frozen=True)
class Spent:
    """Seconds."""

    wall: float
    cpu: float


def plain(tree: Path, kata: Kata, file: Path) -> tuple[Spent, int]:
    """One file by the loop of an instructor who has no grader; the exit code of pytest."""
    before, begun = os.times(), perf_counter()
    code = subprocess.run(
        ["bash", "-c", PLAIN],
        env={
            **{name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ},
            "PYTHON": sys.executable,
            "PYTHONPATH": str(REPOSITORY),
            "TREE": str(tree),
            "FILE": str(file),
            "TARGET": kata.stub.relative_to(kata.root).as_posix(),
        },
        check=False,
    ).returncode
    seconds, after = perf_counter() - begun, os.times()
    used = after.children_user + after.children_system - before.children_user - before.children_system
    return Spent(seconds, used), code


class _Silent:
    """Hears nothing of a batch."""

    def said(self, text: str) -> None:
        print(text)

    def found(self, entry: object) -> None:
        pass

    def begins(self, tasks: int, kept: int) -> None:
        pass

    def done(self, task: object, verdict: object) -> None:
        pass


@contextmanager
def _workspace() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="dojo-grade-") as directory:
        yield Path(directory)


def memory(place: Path, catalog: Catalog, sizes: Sequence[int], seed: int, workers: int) -> list[str]:
    """With one cheap kata and equal files: what grows with a class is the supervisor and the book, not the cells."""
    wrong = []
    kata = catalog.find(CHEAP)
    print(f"memory with {workers} workers, {CHEAP}, equal files; MiB")
    for size in sizes:
        folder = place / f"memory-{size}"
        folder.mkdir()
        marks = make_class(folder, size, [kata], seed, identical=True)
        batch = graded(folder, [kata], workers, marks, every=0.25)
        wrong += batch.wrong
        peak = batch.peak
        print(
            f"  {size:>5} students, {batch.files} files: RSS {peak.rss:6.0f}  PSS {peak.pss:6.0f}  supervisor alone "
            f"{peak.supervisor:5.0f}  at most {peak.processes} processes; {batch.seconds:.1f} s; journal "
            f"{(batch.book / JOURNAL).stat().st_size >> 10} KiB; {len(batch.wrong)} grades wrong",
            flush=True,
        )
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART")
    parser.add_argument("--students", type=int, default=100)
    parser.add_argument("--katas", nargs="*", help="default: all")
    parser.add_argument(
        "--workers", type=int, nargs="*", default=[1, 2], help="for speed; twice the same is measured twice"
    )
    parser.add_argument("--pairs", type=int, default=24)
    parser.add_argument("--sizes", type=int, nargs="*", default=[100, 1000])
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    parts = asked.parts or list(PARTS)
    if unknown := set(parts) - set(PARTS):
        parser.error(f"there is no part {', '.join(unknown)}: {', '.join(PARTS)}")
    catalog = load(REPOSITORY)
    katas = tuple(catalog.select(asked.katas) if asked.katas else catalog)
    wrong: list[str] = []
    with tempfile.TemporaryDirectory(prefix="dojo-grading-") as directory:
        place = Path(directory).resolve()
        if "ratio" in parts:
            ratio(place, catalog, katas, asked.pairs, asked.seed, asked.students)
        if "loop" in parts:
            wrong += loop(place / "loop", catalog, katas, asked.students, asked.seed)
        if "memory" in parts:
            wrong += memory(place, catalog, asked.sizes, asked.seed, workers=2)
        if "speed" in parts:
            wrong += speed(place, katas, asked.students, asked.seed, asked.workers)
    print(*wrong, sep="\n", end="\n" * bool(wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
