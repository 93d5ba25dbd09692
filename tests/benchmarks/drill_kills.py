"""`kill -9` at random moments of a drill, as often as you like: is everything that was shown on record?

    python -m tests.benchmarks.drill_kills --kills 50 --seed 1

One line a kill; exit code 1 if anything was lost. The tests do the same three times.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from pathlib import Path

from tests.cli.conftest import little_clone
from tests.cli.drill_murder import murder


def asked(about: str) -> argparse.Namespace:
    """How many kills, and the seed."""
    parser = argparse.ArgumentParser(description=about.splitlines()[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def main() -> int:
    assert __doc__ is not None
    arguments = asked(__doc__)
    lot = random.Random(arguments.seed)
    lost = shown = 0
    with tempfile.TemporaryDirectory(prefix="dojo-kills-") as directory:
        katas = little_clone(Path(directory) / "clone")
        for number in range(1, arguments.kills + 1):
            killed = murder(katas, lot, longest=2.0)
            shown += killed.shown
            lost += max(0, killed.shown - killed.recorded)
            print(
                f"{number:>3}  after {killed.after:4.2f} s  shown {killed.shown:>2}  recorded {killed.recorded:>2}  "
                f"time used {killed.used_before:6.2f} -> {killed.used_after:6.2f} s",
                flush=True,
            )
    print(f"{arguments.kills} kills, {shown} attempts and hints shown, {lost} of them lost")
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
