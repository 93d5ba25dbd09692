"""A real terminal for the command line's tests: 80 columns, 24 lines, and a person who waits for what they see."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time
from pathlib import Path

from .conftest import REPOSITORY

PATIENCE_S = 60.0
"""Only a test that fails waits that long: two cores may be shared by many."""

_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[()][A-Z0-9]")


class Terminal:
    """`python -m dojo.cli …`, or a Python program, in a pseudo-terminal of its own. A context manager."""

    def __init__(self, root: Path, *arguments: str, program: str = "", **environment: str) -> None:
        command = [sys.executable, program] if program else [sys.executable, "-m", "dojo.cli", *arguments]
        env = {**os.environ, "PYTHONPATH": str(REPOSITORY), "TERM": "xterm", "NO_COLOR": "1", **environment}
        for name in ("COLUMNS", "LINES", "UV"):
            env.pop(name, None)
        self.text = ""
        """All that was written, without control sequences."""
        self._seen = 0
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            try:
                fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
                os.chdir(root)
                os.execve(sys.executable, command, env)
            finally:
                os._exit(127)
        self._code: int | None = None

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._code is None:
            self.kill()
        with contextlib.suppress(OSError):
            os.close(self._fd)

    def press(self, keys: str) -> None:
        os.write(self._fd, keys.encode())

    def see(self, text: str) -> None:
        """Wait until `text` is written after what was seen before."""
        deadline = time.monotonic() + PATIENCE_S
        while (found := self.text.find(text, self._seen)) < 0:
            assert self._read(deadline), f"{text!r} did not come:\n{self.text[self._seen :]}"
        self._seen = found + len(text)

    def glance(self, seconds: float) -> None:
        """Look for so long."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self._read(deadline):
            pass

    def drain(self) -> None:
        """Take what was written before the end."""
        while self._read(time.monotonic() + PATIENCE_S):
            pass

    def ended(self) -> int:
        """Wait for the end; the exit code, or minus the signal."""
        deadline = time.monotonic() + PATIENCE_S
        while self._read(deadline):
            pass
        assert time.monotonic() < deadline, f"it goes on:\n{self.text}"
        return self._reap()

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Send a signal and wait for the end."""
        os.kill(self.pid, number)
        self._reap()

    def close(self) -> int:
        """Close the window; the exit code."""
        os.close(self._fd)
        return self._reap()

    def _reap(self) -> int:
        if self._code is None:
            _, status = os.waitpid(self.pid, 0)
            self._code = os.waitstatus_to_exitcode(status)
        return self._code

    def _read(self, deadline: float) -> bool:
        """Take what is written next; False at the end, or when time is up."""
        ready, _, _ = select.select([self._fd], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            return False
        try:
            data = os.read(self._fd, 1 << 16)
        except OSError:  # Linux's way to say that the other side has gone
            return False
        self.text += _CONTROL.sub("", data.decode(errors="replace")).replace("\r\n", "\n")
        return bool(data)
