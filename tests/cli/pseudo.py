"""A program in a pseudo-terminal: keys go in, and what a person would see comes out."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic
from typing import Any

import pyte

REPOSITORY = Path(__file__).resolve().parents[2]
PATIENCE_S = 60.0

# As a shell does: the terminal is the session's, and the program has a process group of its own in its foreground.
# Otherwise Ctrl-C would reach nobody, and Ctrl-Z would stop nobody.
_START = """
import fcntl, os, signal, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
signal.signal(signal.SIGTTOU, signal.SIG_IGN)
pid = os.fork()
if pid:
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
os.setpgid(0, 0)
os.tcsetpgrp(0, os.getpid())
signal.signal(signal.SIGTTOU, signal.SIG_DFL)
os.execv(sys.executable, [sys.executable, "-m", "dojo.cli", *sys.argv[1:]])
"""


def children(pid: int) -> list[int]:
    """Of a process, at this moment."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


class Screen:
    """`dojo …` at a terminal of 80 by 24 or of another size."""

    def __init__(self, *arguments: str, cwd: Path, columns: int = 80, lines: int = 24, **environment: str) -> None:
        self._screen = pyte.Screen(columns, lines)
        self._stream = pyte.ByteStream(self._screen)
        self._master, self._slave = pty.openpty()
        self._set_size()
        self.attributes = termios.tcgetattr(self._slave)
        env = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "VISUAL")}
        self.process = subprocess.Popen(
            [sys.executable, "-c", _START, *arguments],
            stdin=self._slave,
            stdout=self._slave,
            stderr=self._slave,
            cwd=cwd,
            env={**env, "PYTHONPATH": str(REPOSITORY), "TERM": "xterm", "LANG": "C.UTF-8", **environment},
            start_new_session=True,
        )
        self.raw = b""
        """Everything that was written."""

    @property
    def text(self) -> str:
        return "\n".join(line.rstrip() for line in self._screen.display)

    @property
    def pid(self) -> int:
        """Of the program; the process that was started is its shell."""
        return children(self.process.pid)[0]

    def press(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def resize(self, columns: int, lines: int) -> None:
        self._screen.resize(lines, columns)
        self._set_size()

    def until(self, *wanted: str, without: str = "\0") -> str:
        """Read until all these texts are on the screen; what is there then."""
        return self.until_true(lambda text: all(part in text for part in wanted) and without not in text, wanted)

    def until_true(self, condition: Callable[[str], bool], what: object) -> str:
        deadline = monotonic() + PATIENCE_S
        while not condition(self.text):
            assert monotonic() < deadline, f"not there: {what}\n{self.text}"
            assert self.process.poll() is None or self.read(0.0), f"ended without: {what}\n{self.text}"
            self.read(0.1)
        return self.text

    def read(self, patience: float) -> bool:
        """Take what has been written; whether there was anything."""
        if not select.select([self._master], [], [], patience)[0]:
            return False
        data = os.read(self._master, 1 << 16)
        self.raw += data
        self._stream.feed(data)
        return True

    def ended(self) -> int:
        """The exit code, after the last output."""
        deadline = monotonic() + PATIENCE_S
        while self.process.poll() is None:
            assert monotonic() < deadline, self.text
            self.read(0.05)
        while self.read(0.0):
            pass
        return self.process.returncode

    @property
    def restored(self) -> bool:
        """The terminal is as it was before the program."""
        modes: list[Any] = termios.tcgetattr(self._slave)
        last = max(self.raw.rfind(b"\x1b[?1049h"), self.raw.rfind(b"\x1b[?1049l"))
        return modes == self.attributes and self.raw[last:].startswith(b"\x1b[?1049l") and b"\x1b[?25h" in self.raw

    def close(self) -> None:
        if self.process.poll() is None:
            for pid in (*children(self.process.pid), self.process.pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        self.process.wait()
        os.close(self._master)
        os.close(self._slave)

    def _set_size(self) -> None:
        size = struct.pack("HHHH", self._screen.lines, self._screen.columns, 0, 0)
        fcntl.ioctl(self._slave, termios.TIOCSWINSZ, size)


@contextlib.contextmanager
def at_a_terminal(*arguments: str, cwd: Path, **options: Any) -> Iterator[Screen]:
    screen = Screen(*arguments, cwd=cwd, **options)
    try:
        yield screen
    finally:
        screen.close()
