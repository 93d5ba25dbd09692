"""Right solutions that look odd, and get all points that they earn."""

from __future__ import annotations

from pathlib import Path

from .handing_in import FILE, ME, packed, student

RIGHT = Path(__file__).parents[2] / "alternatives/resilience/backoff_schedule/doubling_loop.py"


def right(more: str = "", before: str = "") -> str:
    """A right solution with `more` after its imports, and `before` as the first lines of `delay`."""
    text = RIGHT.read_text(encoding="utf-8")
    imports, body = "from random import SystemRandom\n", "def delay("
    assert imports in text
    start, _, rest = text.partition(body)
    signature, quotes, rest = rest.partition(":\n")
    return start.replace(imports, f"{imports}{more}") + body + signature + quotes + before + rest


def n00_careless(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: none; leaves a file and a socket open at import.
    Status: passed
    Points: 17
    """
    left_open = "SOURCE = open(__file__).readline()\nLEFT_OPEN = socket.socket(socket.AF_UNIX)\n"
    student(directory, source=right(f"import socket\n\n{left_open}"))


def n00_deprecated(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: none; a DeprecationWarning is raised while it is imported, as old libraries do.
    Status: passed
    Points: 17
    """
    warning = 'warnings.warn("this module will change", DeprecationWarning, stacklevel=1)\n'
    student(directory, source=right(f"import warnings\n\n{warning}"))


def n00_chatty(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: none; prints a line for each delay, on both streams.
    Status: passed
    Points: 17
    """
    said = '    print(f"delay({retry}) \\N{SNOWMAN}", "." * 20, file=sys.stderr if retry % 2 else sys.stdout)\n'
    student(directory, source=right("import sys\n", said))


def n00_windows(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: none; ends its lines in CR LF.
    Status: passed
    Points: 17
    """
    student(directory, source=_windows())


def n00_latin_1(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: none; a solution in Latin-1 that declares it.
    Status: passed
    Points: 17
    """
    source = f"# -*- coding: latin-1 -*-\n# Verzögerung\n{right()}"
    student(directory, source=source.encode("latin-1"))


def n00_byte_order_mark(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: none; a solution with a byte-order mark and CR LF, as Windows saves.
    Status: passed
    Points: 17
    """
    student(directory, source=b"\xef\xbb\xbf" + _windows())


def n00_windows_archive(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: none; a solution in a ZIP archive as macOS and Windows make them.
    Status: passed
    Points: 17
    """
    source = _windows()
    junk = {f"__MACOSX/{ME}/._{FILE}": b"\0\5\x16\7", f"{ME}/.DS_Store": b"\0\0\0\1Bud1", f"{ME}/Thumbs.db": b"\xd0"}
    packed(directory, {f"{ME}/": "", f"{ME}/{FILE}": source, **junk})


def _windows() -> bytes:
    return right().replace("\n", "\r\n").encode()
