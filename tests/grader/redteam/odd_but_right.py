"""Right solutions that look odd, and get all points that they earn."""

from __future__ import annotations

from pathlib import Path

from .handing_in import FILE, ME, packed, student

SOLUTIONS = Path(__file__).parents[3] / "solutions"
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


def n00_table(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: none; fills a table at import. Each run of a test has a copy of the file, and of the table.
    Status: passed
    Points: 17
    """
    student(directory, source=right("TABLE = bytearray(20_000_000)\n"))


def n00_files_open(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: none; leaves files open at import.
    Status: passed
    Points: 17
    """
    student(directory, source=right("LEFT_OPEN = [open(__file__) for _ in range(5)]\n"))


def n00_pool(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: none; makes a pool of threads at import, and an event loop.
    Status: passed
    Points: 17
    """
    # Two, for a thread takes 72 MB of address space, of which these runs have a quarter of what a grader gives.
    pool = "POOL = ThreadPoolExecutor(2)\nassert sum(POOL.map(int, '11111111')) == 8\nLOOP = asyncio.new_event_loop()\n"
    student(directory, source=right(f"import asyncio\nfrom concurrent.futures import ThreadPoolExecutor\n\n{pool}"))


def n00_logs_anew(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: none; sets up logging in place of whatever there was, into a file.
    Status: passed
    Points: 17
    """
    student(
        directory, source=right("import logging\n\nlogging.basicConfig(filename='debug.log', level=0, force=True)\n")
    )


def n00_says_nothing(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: none; switches its prints off by taking the stream away.
    Status: passed
    Points: 17
    """
    student(directory, source=right("import sys\n\nsys.stdout = None\n"))


def n00_debugged(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: none; a print for debugging is left in what is called thirty thousand times.
    Status: passed
    Points: 17
    """
    student(directory, source=right("", '    print("delay", retry, base, cap, jitter, "." * 80)\n'))


def n00_package_or_script(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: none; imports a neighbour if it is part of a package, and asks for its own spec.
    Status: passed
    Points: 17
    """
    imports = "try:\n    from . import settings\nexcept ImportError:\n    settings = None\n\nNAME = __spec__.name\n"
    student(directory, source=right(imports))


def n00_at_home(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: none; looks at its own text, the user's name and a time zone, and writes files of its own.
    Status: passed
    Points: 17
    """
    imports = "import getpass\nimport inspect\nimport mimetypes\nimport os\nimport tempfile\nimport zoneinfo\n\n"
    files = (
        "open('kept', 'w').close()\nwith tempfile.NamedTemporaryFile() as file:\n    os.replace('kept', file.name)\n"
    )
    looks = "getpass.getuser()\nmimetypes.guess_type('a.json')\nOWN = open(__file__).read()\n"
    zone = "try:\n    zoneinfo.ZoneInfo('Europe/Berlin')\nexcept zoneinfo.ZoneInfoNotFoundError:\n    pass\n"
    student(directory, source=right(imports + files + looks + zone))


def n00_stamps(directory: Path) -> None:
    """Kata: write_behind
    Attack: none; writes into the dicts that it is handed. That is against the rules, and no forgery.
    Status: failed
    Points: 36
    """
    text = (SOLUTIONS / "caching/write_behind.py").read_text(encoding="utf-8")
    copied = "        value = copy.deepcopy(value)\n"
    assert text.count(copied) == 1
    stamped = '        if isinstance(value, dict):\n            value["stamp"] = 7\n'
    student(directory, {"write_behind.py": text.replace(copied, stamped + copied)})


def _windows() -> bytes:
    return right().replace("\n", "\r\n").encode()
