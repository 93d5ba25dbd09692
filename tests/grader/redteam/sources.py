"""Submissions whose file is hardly a source (class 16)."""

from __future__ import annotations

import base64
import os
from pathlib import Path

from .handing_in import FILE, STUB, only, student


def n16_not_utf8(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: Latin-1 text without a declaration of it.
    Status: error or refused
    Points: 0
    """
    student(directory, source='NAME = "Verzögerung"\n'.encode("latin-1") + STUB.encode())


def n16_utf16(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: UTF-16 with its byte-order mark, as some editors save.
    Status: error or refused
    Points: 0
    """
    student(directory, source=STUB.encode("utf-16"))


def n16_syntax_error(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: A bracket that is never closed.
    Status: error or refused
    Points: 0
    """
    student(directory, source="def delay(retry, *, base, cap:\n    return 1.0\n")


def n16_python_2(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: A language of the past, indented with tabs and spaces.
    Status: error or refused
    Points: 0
    """
    student(directory, source='def delay(retry):\n\tif retry:\n        print "hello"\n')


def n16_empty(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: An empty file.
    Status: error or refused
    Points: 0
    """
    student(directory, source="")


def n16_nothing_handed_in(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: An empty directory.
    Status: missing
    Points: 0
    """
    only(directory)


def n16_other_file(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: A file under another name.
    Status: missing
    Points: 0
    """
    (only(directory) / "homework.py").write_text(STUB)


def n16_word_document(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: A photograph of the code, called backoff_schedule.py.
    Status: error or refused
    Points: 0
    """
    student(directory, source=b"\x89PNG\r\n\x1a\n" + os.urandom(10_000))


def n16_nul_bytes(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: Source with NUL bytes in it.
    Status: error or refused
    Points: 0
    """
    student(directory, source=STUB.encode() + b"\0\0\0\n")


def n16_wrong_names(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: The functions are there, under other names.
    Status: error or failed
    Points: 0
    """
    student(directory, source=STUB.replace("delay", "get_delay").replace("Backoff", "BackOff"))


def n16_one_name_missing(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: One of the two names is missing.
    Status: error or failed
    Points: 0
    """
    student(directory, source=STUB[: STUB.index("class")])


def n16_missing_package(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: Imports a package that is not installed, and a module of its own that was not handed in.
    Status: error
    Points: 0
    """
    student(directory, source=f"import redteam_no_such_package\nimport helper\n\n{STUB}")


def n16_unknown_encoding(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: Declares an encoding that does not exist.
    Status: error or refused
    Points: 0
    """
    student(directory, source=f"# -*- coding: klingon -*-\n{STUB}")


def n16_encoding_that_is_none(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: Declares an encoding from bytes to bytes.
    Status: error or refused
    Points: 0
    """
    student(directory, source=f"# coding: rot13\n{STUB}")


def n16_hidden_by_encoding(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: Hides what it does from people and simple searches by the encoding UTF-7.
    Status: error or refused
    Points: 0
    """
    encoded = base64.b64encode("\nimport os\nos._exit(0)\n".encode("utf-16-be")).rstrip(b"=")
    student(directory, source=b"# coding: utf-7\n# +" + encoded + b"-\n" + STUB.encode())


def n16_hidden_by_escapes(directory: Path) -> None:
    r"""Kata: backoff_schedule
    Attack: Hides a statement in a comment, whose escapes the encoding unicode_escape turns into a line's end.
    Status: error or refused
    Points: 0
    """
    student(directory, source=b"# coding: unicode_escape\n# harmless \\nimport os\\nos._exit(0)\n" + STUB.encode())


def n16_future(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: Wants features that Python will never have.
    Status: error or refused
    Points: 0
    """
    student(directory, source=f"from __future__ import braces\n{STUB}")


def n16_nested_brackets(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: Brackets nested deeper than the parser goes.
    Status: error or refused
    Points: 0
    """
    student(directory, source=f"{STUB}\nx = {'(' * 5000}{')' * 5000}\n")


def n16_nested_operators(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: Operators nested so deeply that the compiler, or whoever reads its tree, exhausts its stack.
    Status: error or refused or failed
    Points: 0
    """
    student(directory, source=f"{STUB}\nx = lambda y: {'-' * 100_000}y\nz = lambda y: {'y.' * 50_000}y\n")


def n16_long_literal(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: A literal of 5 MB in one line, which takes the compiler a while.
    Status: failed or refused or error or timed-out
    Points: 0
    """
    student(directory, source=f"{STUB}\nx = [{'[], ' * 1_250_000}]\n")


def n16_constant_folding(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: Constants that the compiler computes beforehand, as large as it permits, thousands of times.
    Status: failed or refused or error or timed-out
    Points: 0
    """
    student(directory, source=STUB + "".join(f"x{n} = ({n},) * 200 + ('x' * 4000,) * 20\n" for n in range(20_000)))


def n16_huge(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: A file of 50 MB, nearly all of it a comment.
    Status: refused
    Points: 0
    """
    student(directory, source=STUB.encode() + b"#" + b"x" * (50 << 20))


def n16_sparse(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: A file of a terabyte that takes no room on the disk.
    Status: refused
    Points: 0
    """
    path = student(directory) / FILE
    with path.open("r+b") as file:
        try:
            file.truncate(1 << 40)
        except OSError:
            file.truncate(1 << 30)
