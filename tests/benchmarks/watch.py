"""From a save to its verdict, as a learner at a terminal sees it: `python tests/benchmarks/watch.py [KATA …]`.

Saved is what a learner saves on the way: solutions that break one rule after the other, and in the end one that
breaks none. With `--stub` it is a stub each time, which is the quickest, with `--solution` the solution, the dearest.
For each kata: the median of the saves under `dojo watch`, the median of cold runs of `python -m pytest` between them,
their ratio, and the time from the start of `dojo watch` to its first verdict. A ratio survives a busy machine where
seconds do not.

`--stress` saves at random moments instead, in all the ways that editors save, some during runs and some half-written,
and checks that each last state gets its verdict: recorded, and on the screen.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from time import monotonic, perf_counter, sleep

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from dojo.author import declared
from dojo.catalog import Catalog, Kata, load
from dojo.practice import history
from dojo.stubs import stub_of
from tests.cli.conftest import REPOSITORY
from tests.cli.terminal import Terminal, children

PATIENCE_S = 90.0


def clone(directory: Path) -> Catalog:
    """A copy of the repository, so that nobody's work is touched."""
    for name in ("katas", "solutions", "tests/mutants"):
        shutil.copytree(REPOSITORY / name, directory / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("conftest.py", "pyproject.toml"):
        shutil.copy(REPOSITORY / name, directory / name)
    return load(directory)


def replace(path: Path, text: bytes) -> None:
    draft = path.with_suffix(".draft")
    draft.write_bytes(text)
    os.replace(draft, path)


def seconds_to_verdict(terminal: Terminal, since: int, begun: float, wanted: bytes) -> float:
    """Until the verdict that belongs to a save is on the screen."""
    while wanted not in terminal.raw[since:]:
        if perf_counter() - begun > PATIENCE_S:
            raise SystemExit(f"no verdict:\n{terminal.screen}")
        terminal.read(0.005)
    return perf_counter() - begun


def cold(kata: Kata) -> float:
    """`python -m pytest` on the same file, as one would type it."""
    begun = perf_counter()
    subprocess.run(
        [sys.executable, "-m", "pytest", "-q", str(kata.directory)],
        cwd=kata.root,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        check=False,
        stdout=subprocess.DEVNULL,
    )
    return perf_counter() - begun


def on_the_way(kata: Kata, saves: int) -> list[Path]:
    """So many wrong solutions, those that break the first rules first, and then the right one."""
    mutants = sorted((declared.mutant(path) for path in declared.files(kata.mutants)), key=lambda one: one.rule)
    chosen = [mutants[number * len(mutants) // (saves - 1)].path for number in range(saves - 1)]
    return [*chosen, kata.solution]


def measure(kata: Kata, sources: Sequence[Path], colds: int) -> None:
    """Print one line about saves of the texts in `sources`."""
    saves = len(sources)
    replace(kata.stub, kata.stub.read_bytes())
    warm_seconds, cold_seconds = [], []
    begun = perf_counter()
    with Terminal(kata.root, "watch", kata.name) as terminal:
        first = seconds_to_verdict(terminal, 0, begun, b"rules hold")
        for number, source in enumerate(sources):
            since = len(terminal.raw)
            text = source.read_bytes() + b"\n# save %d\n" % (number % 2)
            begun = perf_counter()
            replace(kata.stub, text)
            warm_seconds.append(seconds_to_verdict(terminal, since, begun, b"rules hold"))
            said = re.findall(rb"(all|of) \d+ rules hold", terminal.raw[since:])[-1]
            assert (said == b"all") == (source == kata.solution), terminal.screen
            if number * colds // saves != (number + 1) * colds // saves:
                cold_seconds.append(cold(kata))
        terminal.press("q")
        terminal.ended()
    warm, plain = statistics.median(warm_seconds), statistics.median(cold_seconds)
    tenths = statistics.quantiles(warm_seconds, n=10)
    spread = f"{warm:.2f} ({tenths[0]:.2f} to {tenths[-1]:.2f})"
    print(f"{kata.name:<22} {spread:<24}  {plain:6.2f}  {plain / warm:5.1f} x  {first:6.2f}", flush=True)


def burst(kata: Kata, chance: random.Random, number: int) -> bytes:
    """One save, in one of the ways in which editors and people save; the text that is there in the end."""
    solution = kata.solution.read_bytes() + b"\n# save %06d\n" % number
    text = chance.choice(
        [
            solution,
            solution.replace(b"return", b"raise", 1),
            stub_of(kata).encode() + b"\n# save %06d\n" % number,
            solution[: chance.randrange(len(solution))],
            b"",
            b"\xff\xfe" + solution,
        ]
    )
    way = chance.randrange(4)
    if way == 0:
        replace(kata.stub, text)
    elif way == 1:
        kata.stub.write_bytes(text)
    elif way == 2:
        kata.stub.unlink(missing_ok=True)
        sleep(chance.choice([0.0, 0.01, 0.5]))
        kata.stub.write_bytes(text)
    else:
        with kata.stub.open("wb") as file:
            file.write(text[: len(text) // 2])
            file.flush()
            sleep(chance.choice([0.0, 0.01, 0.2]))
            file.write(text[len(text) // 2 :])
    return text


def settled(kata: Kata, terminal: Terminal, text: bytes) -> str:
    """Wait until the text has its verdict, recorded and shown; the status."""
    digest, deadline = hashlib.sha256(text).hexdigest(), monotonic() + PATIENCE_S
    while monotonic() < deadline:
        while terminal.read(0.02):
            pass
        with history(kata.root) as past:
            events = past.events(kata.name, "attempt")
        if not events or events[-1].data["sha256"] != digest or "running" in terminal.screen:
            continue
        data = events[-1].data
        told = "all " if data["status"] == "green" else f"{data['kept']} of " if data["rules"] else "nothing could"
        if told in terminal.screen.splitlines()[-2]:
            return str(data["status"])
    raise SystemExit(f"the last text has no verdict: {text[:60]!r} …\n{terminal.screen}")


def stress(kata: Kata, saves: int, seed: int) -> None:
    """Print what came of it; ends with an error if a last state has no verdict or a process is left."""
    chance, statuses = random.Random(seed), []
    with Terminal(kata.root, "watch", kata.name) as terminal:
        settled(kata, terminal, kata.stub.read_bytes())
        watching, [server] = terminal.pid, children(terminal.pid)
        done = 0
        while done < saves:
            for _ in range(min(chance.randint(1, 12), saves - done)):
                done += 1
                text = burst(kata, chance, done)
                terminal.glance(chance.choice([0.0, 0.0, 0.02, 0.1, 0.3, 0.6]))
            statuses.append(settled(kata, terminal, text))
        terminal.press("q")
        code, restored = terminal.ended(), terminal.restored
    left = [pid for pid in (watching, server) if Path(f"/proc/{pid}").exists()] + of_the(kata.root)
    with history(kata.root) as past:
        attempts = len(past.events(kata.name, "attempt"))
    counts = {status: statuses.count(status) for status in sorted(set(statuses))}
    print(f"{saves} saves (seed {seed}), {len(statuses)} last states, all with their verdict: {counts}")
    print(f"{attempts} attempts recorded, exit code {code}, terminal restored: {restored}, processes left: {left}")
    if left or code or not restored:
        raise SystemExit(1)


def of_the(root: Path) -> list[int]:
    """Processes that have anything to do with this clone."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if Path(os.readlink(process / "cwd")).is_relative_to(root) and int(process.name) != os.getpid():
                found.append(int(process.name))
        except OSError:
            continue
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("katas", nargs="*")
    parser.add_argument("--saves", type=int, default=0, help="default: 30, and 500 with --stress")
    parser.add_argument("--colds", type=int, default=5)
    parser.add_argument("--stub", action="store_true", help="save stubs, red from the start")
    parser.add_argument("--solution", action="store_true", help="save solutions, green to the end")
    parser.add_argument("--stress", action="store_true")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="dojo-watch-") as directory:
        katas = clone(Path(directory).resolve())
        if asked.stress:
            stress(katas.find((asked.katas or ["backoff_schedule"])[0]), asked.saves or 500, asked.seed)
            return
        print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} CPUs; seconds")
        print(f"{'kata':<22} {'save to verdict (80 %)':<24}  {'cold':>6}  {'ratio':>7}  {'first':>6}")
        for kata in katas.select(asked.katas) if asked.katas else katas:
            saves = asked.saves or 30
            same = kata.stub if asked.stub else kata.solution if asked.solution else None
            measure(kata, [same] * saves if same else on_the_way(kata, saves), asked.colds)


if __name__ == "__main__":
    main()
