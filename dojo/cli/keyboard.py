"""Single keys from a terminal, without Enter."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import time
from collections.abc import Iterator
from typing import Any, Protocol

END = "\x04"
"""What `read` gives when there is no more input: the terminal was closed, or Ctrl-D."""


class Keys(Protocol):
    def read(self, seconds: float) -> str | None:
        """The next key; None if none was pressed within that time."""
        ...

    def suspended(self) -> contextlib.AbstractContextManager[None]:
        """A while in which another program has the terminal."""
        ...


class NoKeys:
    """For output that goes to a file, and for systems without POSIX terminals."""

    def read(self, seconds: float) -> str | None:
        time.sleep(seconds)
        return None

    @contextlib.contextmanager
    def suspended(self) -> Iterator[None]:
        yield


class Keyboard:
    """The terminal's keys while the context is open; whatever ends it, the terminal is as before."""

    def __init__(self) -> None:
        self._fd = sys.stdin.fileno()
        self._before: list[Any] = []
        self._handler: Any = None
        self._lent = False

    def __enter__(self) -> Keyboard:
        import termios

        self._before = termios.tcgetattr(self._fd)
        self._take()
        # A shell that has brought us back from Ctrl-Z leaves the terminal as itself likes it.
        self._handler = signal.signal(signal.SIGCONT, lambda number, frame: None if self._lent else self._take())
        return self

    def __exit__(self, *exception: object) -> None:
        signal.signal(signal.SIGCONT, self._handler)
        self._give_back()

    def read(self, seconds: float) -> str | None:
        """The next key; None if none was pressed, END at the end of input. Arrows and the like are no keys."""
        ready, _, _ = select.select([self._fd], [], [], seconds)
        if not ready:
            return None
        try:
            data = os.read(self._fd, 64)
        except OSError:  # the terminal is gone
            return END
        if not data:
            return END
        return None if data.startswith(b"\x1b") else data.decode(errors="replace")[0]

    @contextlib.contextmanager
    def suspended(self) -> Iterator[None]:
        import termios

        self._lent = True
        self._give_back()
        try:
            yield
        finally:
            self._lent = False
            with contextlib.suppress(termios.error):
                termios.tcflush(self._fd, termios.TCIFLUSH)
            self._take()

    def _take(self) -> None:
        import termios
        import tty

        with contextlib.suppress(termios.error):
            tty.setcbreak(self._fd)

    def _give_back(self) -> None:
        import termios

        with contextlib.suppress(termios.error):
            termios.tcsetattr(self._fd, termios.TCSADRAIN, self._before)


@contextlib.contextmanager
def keys() -> Iterator[Keys]:
    """The keyboard if a person sits at a terminal that can be drawn on, otherwise nobody's."""
    if not live():
        yield NoKeys()
        return
    with Keyboard() as keyboard:
        yield keyboard


def live() -> bool:
    """Whether a person sits at a terminal that can be drawn on."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()) or os.environ.get("TERM", "dumb") == "dumb":
        return False
    try:
        import termios  # noqa: F401
    except ImportError:  # Windows
        return False
    return True


@contextlib.contextmanager
def interrupted_by_the_system() -> Iterator[None]:
    """A closed terminal or a polite kill is to us what Ctrl-C is: KeyboardInterrupt."""

    def stop(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    names = [name for name in ("SIGHUP", "SIGTERM") if hasattr(signal, name)]
    before = {name: signal.signal(getattr(signal, name), stop) for name in names}
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(getattr(signal, name), handler)
