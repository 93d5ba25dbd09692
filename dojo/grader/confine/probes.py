"""Trying the bars: what a submission could do on this machine, asked of one that tries.

The probe is run like any submission. What it prints is all that it says; it need not be believed, because it is ours.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_PROBE = """
import json, os, pathlib, socket, threading

ASKED = json.loads({asked!r})
found = {{}}


def attempt(what, action):
    try:
        found[what] = bool(action())
    except BaseException:
        found[what] = False


def reach():
    with socket.create_connection(("127.0.0.1", ASKED["port"]), 2):
        return True


def look(path):
    return os.listdir(path) is not None if os.path.isdir(path) else open(path, "rb").read(1) is not None


def write(place):
    path = pathlib.Path(place, "dojo-probe")
    path.write_text("x")
    path.unlink()
    return True


def start():
    threading.stack_size(64 << 10)
    over = threading.Event()
    try:
        for _ in range(ASKED["processes"] + 8):
            threading.Thread(target=over.wait, daemon=True).start()
        return True
    finally:
        over.set()


def allocate():
    return len(bytearray(ASKED["memory"] + (64 << 20))) > 0


def hide():
    os.close(os.memfd_create("probe"))
    return True


attempt("reach the network", reach)
for path in ASKED["secret"]:
    attempt("read " + path, lambda: look(path))
for path in ASKED["kept"]:
    attempt("write to " + path, lambda: write(path))
attempt("see the grader's process", lambda: os.kill(ASKED["pid"], 0) is None)
attempt("be root", lambda: os.getuid() == 0 and os.setuid(0) is None and os.setgroups([]) is None)
attempt("use more memory than allowed", allocate)
attempt({uncounted!r}, hide)
attempt("start any number of processes", start)  # a thread counts as one
print(json.dumps(found))
raise SystemExit
"""


_UNCOUNTED = "use memory that no limit counts"


@dataclass(frozen=True, slots=True)
class Findings:
    """What the probe could do that it should not."""

    possible: tuple[str, ...]

    @property
    def tight(self) -> bool:
        """Worth having. What is refused by the numbers of system calls is not to be had on every processor."""
        return set(self.possible) <= {_UNCOUNTED}


def probe(
    run: Callable[[bytes], str], secret: Sequence[Path], kept: Sequence[Path], processes: int, memory: int
) -> Findings:
    """Has the probe run by `run`, which takes its source and returns what it printed.

    `secret` paths should not be readable, `kept` directories not writable. Raises ValueError if it said nothing.
    """
    with socket.create_server(("127.0.0.1", 0)) as server:
        asked = {
            "port": server.getsockname()[1],
            "secret": [str(path) for path in secret],
            "kept": [str(path) for path in kept],
            "pid": os.getpid(),
            "processes": processes,
            "memory": memory,
        }
        printed = run(_PROBE.format(asked=json.dumps(asked), uncounted=_UNCOUNTED).encode())
    for line in printed.splitlines():
        if line.startswith("{"):
            found: Mapping[str, bool] = json.loads(line)
            return Findings(tuple(what for what, could in found.items() if could))
    raise ValueError(f"the probe of confinement said nothing: {printed[-500:]!r}")
