"""File names for students' pages."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable


def slugs(names: Iterable[str]) -> tuple[str, ...]:
    """A file name without its ending for each name: a-z, 0-9 and hyphens, at most 60 long, no two the same.

    A name keeps its slug when other students come and go, so a page that was handed out stays where it was. They
    can be guessed from the name: give each student their own page, not the directory.
    """
    taken: set[str] = set()
    result = []
    for name in names:
        letters = unicodedata.normalize("NFKD", name[:200]).encode("ascii", "ignore").decode().lower()
        readable = re.sub(r"[^a-z0-9]+", "-", letters).strip("-")[:40].rstrip("-") or "student"
        # The digest tells apart what reads the same, and keeps clear of names that Windows reserves.
        digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
        slug, number = f"{readable}-{digest[:8]}", 1
        while slug in taken:
            number += 1
            slug = f"{readable}-{digest[:8]}-{number}"
        taken.add(slug)
        result.append(slug)
    return tuple(result)
