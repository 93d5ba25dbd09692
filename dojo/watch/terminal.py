"""The learner's terminal: single keys, the window, and whose it is. Gives it back whatever happens.

Importing this needs no POSIX; a `Terminal` does.
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import shutil
import signal
import sys
from collections.abc import Iterator, Sequence
from types import FrameType
from typing import Any

from dojo.runner.ending import leave

_ENTER = "\x1b[?1049h\x1b[?25l"
"""The alternate screen, so that what stood there comes back; no cursor."""
_LEAVE = "\x1b[?25h\x1b[?1049l"

_KEY = re.compile(r"\x1b\[[0-9;]*[A-Za-z~]|\x1bO[A-Za-z]|\x1b|[^\x1b]")
_LETTERS = {"A": "up", "B": "down", "H": "home", "F": "end"}
_NAMES = {
    **{f"\x1b{kind}{letter}": name for kind in "[O" for letter, name in _LETTERS.items()},
    "\x1b[5~": "page-up",
    "\x1b[6~": "page-down",
    "\x1b": "escape",
    "\r": "enter",
    "\n": "enter",
    "\x7f": "backspace",
    "\x08": "backspace",
    "\x04": "q",
}


def usable() -> bool:
    """Whether there are keys to read and a window to draw in."""
    if os.environ.get("TERM", "") in ("", "dumb"):
        return False
    try:
        import termios  # noqa: F401
    except ImportError:  # Windows
        return False
    return sys.stdin.isatty() and sys.stdout.isatty()


def keys(data: str) -> list[str]:
    """The keys that a terminal has sent: characters, and names such as `up`, `enter`, `escape`."""
    return [_NAMES.get(key, key) for key in _KEY.findall(data)]


class Terminal:
    """The terminal for the time of a `with`: keys come one by one, the window is ours to paint.

    Ends the `with` with KeyboardInterrupt on Ctrl-C and with SystemExit on SIGTERM and SIGHUP. Ctrl-Z gives the
    terminal back until the process goes on.
    """

    def __init__(self) -> None:
        self._fd = sys.stdin.fileno()
        self._attributes: list[Any] = []
        self._handlers: dict[int, Any] = {}
        self._reader, self._writer = os.pipe()
        for fd in (self._reader, self._writer):
            os.set_blocking(fd, False)
        self._painted: list[str] = []
        self.closed = False
        """The terminal itself has gone."""

    def __enter__(self) -> Terminal:
        import termios

        self._attributes = termios.tcgetattr(self._fd)
        try:
            self._handlers = {
                signal.SIGTERM: signal.signal(signal.SIGTERM, leave),
                signal.SIGHUP: signal.signal(signal.SIGHUP, leave),
                signal.SIGTSTP: signal.signal(signal.SIGTSTP, self._stop),
                signal.SIGWINCH: signal.signal(signal.SIGWINCH, self._resized),
            }
            signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)  # a wait ends when a signal comes
            self._take()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        with _signals_wait():
            with contextlib.suppress(OSError):
                self._give_back()
            signal.set_wakeup_fd(-1)
            for number, handler in self._handlers.items():
                signal.signal(number, handler)

    @property
    def blank(self) -> bool:
        """Nothing has been painted yet, or not in a window of this size."""
        return not self._painted

    def wake(self) -> None:
        """End a wait, from any thread."""
        with contextlib.suppress(BlockingIOError):  # full: it will wake
            os.write(self._writer, b".")

    def wait(self, seconds: float) -> list[str]:
        """The keys that were pressed; none if something else has happened, or nothing in so many seconds."""
        ready, _, _ = select.select([self._fd, self._reader], [], [], seconds)
        if self._reader in ready:
            with contextlib.suppress(BlockingIOError):
                os.read(self._reader, 1 << 12)
        if self._fd not in ready:
            return []
        data = self._read()
        if data.endswith(b"\x1b") and select.select([self._fd], [], [], 0.03)[0]:
            data += self._read()  # the rest of what one key sends
        return keys(data.decode("utf-8", "replace"))

    def size(self) -> tuple[int, int]:
        """Columns and lines."""
        return shutil.get_terminal_size()

    def paint(self, lines: Sequence[str]) -> None:
        """Show these lines; none may be wider than the window, nor may there be more than it is high."""
        if self._painted == list(lines):
            return
        self._painted = list(lines)
        # Each line is erased before it is written: after it, the cursor may still stand on its last character.
        self._write("\x1b[H" + "\n".join(f"\x1b[2K{line}" for line in lines) + "\x1b[J")

    @contextlib.contextmanager
    def lent(self) -> Iterator[None]:
        """The terminal as it was before, for another program; Ctrl-C and Ctrl-Z are between it and the learner."""
        self._give_back()
        interrupted = signal.signal(signal.SIGINT, lambda number, frame: None)  # unlike SIG_IGN, not inherited
        stopped = signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, interrupted)
            signal.signal(signal.SIGTSTP, stopped)
            self._take()

    def _take(self) -> None:
        import termios
        import tty

        tty.setcbreak(self._fd, termios.TCSADRAIN)
        self._painted = []
        self._write(_ENTER)

    def _give_back(self) -> None:
        import termios

        self._write(_LEAVE)
        termios.tcsetattr(self._fd, termios.TCSADRAIN, self._attributes)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self._give_back()
        signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTSTP)
        # Here the process goes on, some time later.
        signal.signal(signal.SIGTSTP, self._stop)
        self._take()

    def _resized(self, number: int, frame: FrameType | None) -> None:
        self._painted = []

    def _read(self) -> bytes:
        try:
            data = os.read(self._fd, 1 << 10)
        except OSError:
            data = b""
        self.closed = self.closed or not data
        return data

    def _write(self, text: str) -> None:
        view = memoryview(text.encode(sys.stdout.encoding or "ascii", "replace"))
        while view:
            view = view[os.write(sys.stdout.fileno(), view) :]


@contextlib.contextmanager
def _signals_wait() -> Iterator[None]:
    """A second Ctrl-C must not interrupt what gives the terminal back."""
    numbers = {signal.SIGINT, signal.SIGTERM, signal.SIGTSTP}
    signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, numbers)
