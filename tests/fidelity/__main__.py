"""`python -m tests.fidelity [RANDOM_SCRIPTS]`: how far the fake and a real server agree, in numbers.

Exit code 1 if they differ where `deviations.toml` does not say so.
"""

from __future__ import annotations

import sys

from dojo.lab.servers import FakeBackend, open_backend

from .chance import random_script
from .conduct import differences
from .known import known_deviations
from .scripts import SCRIPTS


def main() -> int:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    known = {(script, step) for deviation in known_deviations() for script, step in deviation.steps}
    scripts = {**SCRIPTS, **{f"random {seed}": random_script(seed, 250) for seed in range(count)}}
    fake, server = FakeBackend(), open_backend("valkey")
    compared = unknown = 0
    try:
        for name, script in scripts.items():
            replies, found = differences(script, fake, server)
            compared += replies
            for one, other in found:
                if (name, one.step) not in known:
                    unknown += 1
                    print(f"{name}: {one}\n{' ' * len(name)}  on the server: {other.value!r}")
    finally:
        server.close()
    print(f"{compared:,} replies of {len(scripts)} scripts compared; {len(known)} of them are known to differ, in")
    print(f"{len(known_deviations())} ways (deviations.toml); {unknown} more differ")
    return 1 if unknown else 0


if __name__ == "__main__":
    sys.exit(main())
