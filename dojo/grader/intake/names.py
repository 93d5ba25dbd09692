"""Names that students, their machines and their archives chose, made fit for a book that people read."""

from __future__ import annotations

import re
import unicodedata

NAME = 80
"""Characters of a student's name."""

_JOINERS = "\u200c\u200d"
"""Invisible, but part of the spelling of Persian and Indic names."""
_EXTENSIONS = (".py", ".txt", ".pyw", ".py3", ".ipynb", ".rtf", ".doc", ".docx", ".bak")
_LATER = re.compile(r"(?:[-_. ]*(?:\(\d+\)|v?\d+|copy|kopie|copie|copia|final|new|old|\[\d+\]))+\Z", re.IGNORECASE)


def clean(text: str, cap: int = NAME) -> str:
    """`text` on one line of at most `cap` characters, without control characters, text-direction overrides and
    bytes that are not UTF-8: each of them becomes a question mark. Never empty."""
    text = unicodedata.normalize("NFC", text[: 4 * cap])
    text = "".join(character if _harmless(character) else "?" for character in text)
    text = " ".join(text.split())
    return (text if len(text) <= cap else f"{text[: cap - 1]}…") or "?"


def _harmless(character: str) -> bool:
    category = unicodedata.category(character)
    return character in _JOINERS or not (category.startswith("C") or category in ("Zl", "Zp"))


def same(text: str) -> str:
    """Equal for names that people take for the same one: case, accents' encoding and blanks do not matter."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def squashed(text: str) -> str:
    """Letters and digits alone: what is left of a name in Canvas's exports, and of a file's that was renamed."""
    return "".join(character for character in same(text) if character.isalnum())


def nearly(name: str, kata: str) -> bool:
    """Whether a file's name is a slip of `<kata>.py`: `Cache-Aside.py`, `cache_aside.py.txt`, `cache_aside (1).py`."""
    stem = unicodedata.normalize("NFKC", name).casefold().strip()
    while stem.endswith(_EXTENSIONS):
        stem = stem[: stem.rindex(".")].rstrip()
    if "." in stem[1:] and not _LATER.search(stem):
        return False  # some other kind of file
    return squashed(kata) in (squashed(stem), squashed(_LATER.sub("", stem)))


def size(count: int) -> str:
    """`count` bytes for people."""
    for unit, scale in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if count >= scale:
            return f"{count / scale:.1f} {unit}".replace(".0 ", " ")
    return f"{count} bytes"


def listed(names: list[str], most: int = 3) -> str:
    """Some of the names, and how many more there are."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")
