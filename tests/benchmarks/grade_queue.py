"""Two workers on a broker, one killed every few seconds: is the book the one that this machine makes alone?

    python -m tests.benchmarks.grade_queue --students 20 --every 5
    python -m tests.benchmarks.grade_queue --url amqp://guest:guest@127.0.0.1/

Without --url, on a Valkey of its own (extra `real`), which with --restart is killed and comes back empty half-way.
Submissions that were in work in two killed workers are dead letters, as they should be; like an instructor, it then
gives the same command again, until everything is graded. Exit code 1 if points or statuses differ.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from dojo.catalog import load
from dojo.grader.journal import Journal
from dojo.grader.model import GraderError
from dojo.grader.supervisor import JOURNAL
from tests.grader import far

_MOST_COMMANDS = 10


def asked(about: str) -> argparse.Namespace:
    """What to run."""
    parser = argparse.ArgumentParser(description=about.splitlines()[0])
    parser.add_argument("--students", type=int, default=20)
    parser.add_argument("--kata", default="backoff_schedule")
    parser.add_argument(
        "--every", type=float, default=5.0, help="seconds that both work before one is killed; 0: never"
    )
    parser.add_argument("--url", help="default: a Valkey of its own")
    parser.add_argument("--restart", action="store_true", help="kill the Valkey half-way")
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def hand_in(folder: Path, kata: str, students: int) -> None:
    """The kata's mutants and its solution, each student another text."""
    found = load().find(kata)
    mutants = sorted((found.root / "tests/mutants" / found.track / kata).glob("*.py"))
    files = [found.solution, *mutants]
    for number in range(students):
        place = folder / f"student-{number:03}"
        place.mkdir(parents=True)
        text = files[number % len(files)].read_bytes() + f"# {number}\n".encode()
        (place / f"{kata}.py").write_bytes(text)


def told(book: Path) -> tuple[bytes, list[object]]:
    """The points, as they are written, and each test's status."""
    report = json.loads((book / "report.json").read_text(encoding="utf-8"))
    statuses = [
        (student["name"], kata["kata"], kata["status"], [(test["name"], test["status"]) for test in kata["tests"]])
        for student in report["students"]
        for kata in student["katas"]
    ]
    return (book / "grades.csv").read_bytes(), statuses


@contextlib.contextmanager
def workers(url: str, kata: str, logs: Path) -> Iterator[list[far.Worker]]:
    """Two, at work."""
    found = [far.Worker(url, logs / f"worker-{number}", "--katas", kata) for number in range(2)]
    try:
        for worker in found:
            worker.start()
        for worker in found:
            far.until(worker.ready)
        yield found
    finally:
        for worker in found:
            worker.kill()


def graded(book: Path) -> int:
    """How many files have their verdict."""
    with contextlib.suppress(GraderError), Journal(book / JOURNAL, reading=True) as journal:
        return journal.progress().graded
    return 0


def main() -> int:
    assert __doc__ is not None
    arguments = asked(__doc__)
    lot = random.Random(arguments.seed)
    with contextlib.ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dojo-queue-")))
        folder = home / "class"
        hand_in(folder, arguments.kata, arguments.students)
        command = far.dojo("grade", str(folder), "--katas", arguments.kata, "--out")
        begun = time.monotonic()
        subprocess.run([*command, str(home / "here")], cwd=far.ROOT, env=far.environment(), check=True, stdout=2)
        print(f"this machine alone: {arguments.students} files in {time.monotonic() - begun:.1f} s", flush=True)

        server = None if arguments.url else stack.enter_context(far.valkey())
        url = arguments.url or (server.url if server else "")
        team = stack.enter_context(workers(url, arguments.kata, home))
        begun = due = time.monotonic()
        kills = commands = restarts = 0
        code = None
        while code != 0 and commands < _MOST_COMMANDS:
            commands += 1
            batch = subprocess.Popen(
                [*command, str(home / "afar"), "--queue", url], cwd=far.ROOT, env=far.environment(), stdout=2
            )
            while (code := batch.poll()) is None:
                time.sleep(0.05)
                done = graded(home / "afar")
                if not all(worker.ready() for worker in team):
                    due = time.monotonic()  # the one that is starting again; the other one works meanwhile
                if arguments.every and done and time.monotonic() - due > arguments.every:
                    victim = lot.choice(team)
                    victim.kill()
                    victim.start()
                    kills += 1
                if server and arguments.restart and not restarts and done >= arguments.students // 2:
                    restarts += 1
                    server.kill()
                    server.start()
        seconds = time.monotonic() - begun
        same = [one == other for one, other in zip(told(home / "here"), told(home / "afar"), strict=True)]
        print(
            f"two workers: {arguments.students} files in {seconds:.1f} s, {kills} workers killed, {restarts} brokers "
            f"killed, {commands} commands; points the same: {same[0]}, statuses of all tests the same: {same[1]}"
        )
        return 0 if code == 0 and all(same) else 1


if __name__ == "__main__":
    sys.exit(main())
