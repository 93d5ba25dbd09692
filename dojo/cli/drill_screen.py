"""What a drill shows: lines that stay, and at a terminal one line below them with the time that is left."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable

from dojo.cli.terminal import say


def clock(seconds: float) -> str:
    """`24:59`, never a second that has not begun: 0.4 s left are `0:01`."""
    whole = int(seconds) + (seconds > int(seconds))
    return f"{whole // 60}:{whole % 60:02}"


def columns() -> int:
    return shutil.get_terminal_size((80, 24)).columns


def cut(text: str, width: int | None = None) -> str:
    """A text that fits on one line of the terminal, or of `width` columns."""
    width = width or columns()
    return text if len(text) <= width else f"{text[: max(1, width - 1)]}…"


class Screen:
    """`live` is for a terminal; without it there is no line below."""

    def __init__(self, live: bool) -> None:
        self.live = live
        self._below = ""
        self._held: list[Callable[[], None]] | None = None

    def say(self, text: str = "", style: str | None = None) -> None:
        self.show(lambda: say(text, style))

    def show(self, draw: Callable[[], None]) -> None:
        """Call what prints whole lines, above the line below; later, if the terminal is somebody else's now."""
        if self._held is not None:
            self._held.append(draw)
            return
        below = self._below
        self.wipe()
        draw()
        self.below(below)

    def below(self, text: str) -> None:
        """Draw the line below, if it has changed."""
        if not self.live or self._held is not None or text == self._below:
            return
        self._below = text
        plain = bool(os.environ.get("NO_COLOR"))
        shown = cut(text, columns() - 1)
        _write(f"\r\x1b[2K{shown}" if plain or not text else f"\r\x1b[2K\x1b[2m{shown}\x1b[0m")

    def wipe(self) -> None:
        """Take the line below away."""
        if self._below:
            self._below = ""
            _write("\r\x1b[2K")

    def hold(self) -> None:
        """Show nothing until `release`: another program has the terminal."""
        self.wipe()
        self._held = []

    def release(self) -> None:
        held, self._held = self._held or [], None
        for draw in held:
            self.show(draw)


def _write(text: str) -> None:
    """Raises KeyboardInterrupt if the terminal has gone: its signal is on the way, and may be late."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError as error:
        raise KeyboardInterrupt from error
