"""A terminal with `dojo …` in it, and a person: keys go in, and what one would see comes out."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import Any

import pyte

from .conftest import REPOSITORY

PATIENCE_S = 60.0
"""Only a test that fails waits that long: two cores may be shared by many."""

# As a shell does: the terminal is the session's, and the program has a process group of its own in its foreground.
# Otherwise Ctrl-C would reach nobody, and Ctrl-Z would stop nobody. A closed window is the shell's to pass on.
_SHELL = """
import fcntl, os, signal, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
signal.signal(signal.SIGTTOU, signal.SIG_IGN)
pid = os.fork()
if pid:
    signal.signal(signal.SIGHUP, lambda *_: os.kill(pid, signal.SIGHUP))
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
os.setpgid(0, 0)
os.tcsetpgrp(0, os.getpid())
# As a shell at a terminal does it; a job in the background of another shell would have inherited that they are ignored.
for number in (signal.SIGTTOU, signal.SIGINT, signal.SIGQUIT):
    signal.signal(number, signal.SIG_DFL)
os.execv(sys.executable, [sys.executable, "-m", "dojo.cli", *sys.argv[1:]])
"""
# They would change what is shown, or how a command is spelled.
_NOT_PASSED_ON = ("COLUMNS", "LINES", "NO_COLOR", "UV", "VISUAL")
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[()][A-Z0-9]")


def children(pid: int) -> list[int]:
    """Of a process, at this moment."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


class Terminal:
    """`dojo …` in the directory `root`, at a terminal of 80 by 24 or of another size. A context manager."""

    def __init__(self, root: Path, *arguments: str, columns: int = 80, lines: int = 24, **environment: str) -> None:
        self._screen = pyte.Screen(columns, lines)
        self._stream = pyte.ByteStream(self._screen)
        self.raw = b""
        """Everything that was written."""
        self._seen = 0
        master, self._slave = pty.openpty()
        self._window = open(master, "r+b", buffering=0)  # noqa: SIM115 - closed by the person, or at the end
        self._set_size()
        self._modes = termios.tcgetattr(self._slave)
        env = {name: value for name, value in os.environ.items() if name not in _NOT_PASSED_ON}
        self._shell = subprocess.Popen(
            [sys.executable, "-c", _SHELL, *arguments],
            stdin=self._slave,
            stdout=self._slave,
            stderr=self._slave,
            cwd=root,
            env={**env, "PYTHONPATH": str(REPOSITORY), "TERM": "xterm", "LANG": "C.UTF-8", **environment},
            start_new_session=True,
        )

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._shell.poll() is None:
            for pid in (*children(self._shell.pid), self._shell.pid):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        self._shell.wait()
        self._window.close()
        os.close(self._slave)

    @property
    def pid(self) -> int:
        """Of the program, as soon as it has been started."""
        self.until_true(lambda: bool(children(self._shell.pid)), "a program")
        return children(self._shell.pid)[0]

    @property
    def screen(self) -> str:
        """What is there now."""
        return "\n".join(line.rstrip() for line in self._screen.display)

    @property
    def text(self) -> str:
        """All that was written, without control sequences."""
        return _CONTROL.sub("", self.raw.decode(errors="replace")).replace("\r\n", "\n")

    @property
    def restored(self) -> bool:
        """The terminal is as it was before the program: its modes, its screen and its cursor."""
        modes: list[Any] = termios.tcgetattr(self._slave)
        screen = self.raw.rfind(b"\x1b[?1049h") <= self.raw.rfind(b"\x1b[?1049l")
        cursor = self.raw.rfind(b"\x1b[?25l") <= self.raw.rfind(b"\x1b[?25h")
        return modes == self._modes and screen and cursor

    def press(self, keys: str) -> None:
        self._window.write(keys.encode())

    def resize(self, columns: int, lines: int) -> None:
        self._screen.resize(lines, columns)
        self._set_size()

    def see(self, text: str) -> None:
        """Wait until `text` is written after what was seen before, be it on the screen still or not."""
        self.until_true(lambda: text in self.text[self._seen :], text)
        self._seen = self.text.index(text, self._seen) + len(text)

    def until(self, *wanted: str, without: str = "\0") -> str:
        """Wait until all these texts are on the screen together; what is there then."""

        def there() -> bool:
            text = self.screen
            return all(part in text for part in wanted) and without not in text

        self.until_true(there, wanted)
        return self.screen

    def until_true(self, condition: Callable[[], bool], what: object) -> None:
        deadline = monotonic() + PATIENCE_S
        while not condition():
            assert monotonic() < deadline, f"not there: {what}\n{self.screen}"
            assert self._shell.poll() is None or self.read(0.0), f"ended without: {what}\n{self.screen}"
            self.read(0.1)

    def glance(self, seconds: float) -> None:
        """Look for so long."""
        deadline = monotonic() + seconds
        while (left := deadline - monotonic()) > 0:
            self.read(left)

    def read(self, patience: float) -> bool:
        """Take what has been written; whether there was anything."""
        if not select.select([self._window], [], [], patience)[0]:
            return False
        data = self._window.read(1 << 16)
        self.raw += data
        self._stream.feed(data)
        return True

    def ended(self) -> int:
        """Wait for the end; the exit code, after the last output."""
        deadline = monotonic() + PATIENCE_S
        while self._shell.poll() is None:
            assert monotonic() < deadline, f"it goes on:\n{self.screen}"
            self.read(0.05)
        while self.read(0.0):
            pass
        return self._shell.returncode

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Send the program a signal and wait for its end."""
        os.kill(self.pid, number)
        self.ended()

    def close(self) -> None:
        """Close the window and wait for the program's end."""
        self._window.close()
        self._shell.wait(PATIENCE_S)

    def _set_size(self) -> None:
        size = struct.pack("HHHH", self._screen.lines, self._screen.columns, 0, 0)
        fcntl.ioctl(self._slave, termios.TIOCSWINSZ, size)
