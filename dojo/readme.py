"""The parts of README.md that are written from elsewhere, between markers, so that they cannot go stale.

<!-- syllabus: ... -->      the table of katas
<!-- end of syllabus -->

<!-- quote: PATH -->        a file of the repository as it stands: real output, never retyped
<!-- end of quote -->
"""

from __future__ import annotations

import re

from dojo.catalog import Catalog, CatalogError

BEGIN = "<!-- syllabus: written by `dojo author readme` from katas/syllabus.toml -->"
END = "<!-- end of syllabus -->"
_QUOTE = re.compile(r"(<!-- quote: (\S+) -->\n).*?(<!-- end of quote -->)", re.DOTALL)


def syllabus_table(katas: Catalog) -> str:
    """A Markdown table, one row a kata, in teaching order."""
    rows = ["| # | kata | what you build | difficulty | minutes | builds on |", "|---|---|---|---|---|---|"]
    for number, kata in enumerate(katas, start=1):
        link = f"[{kata.name}]({kata.readme.relative_to(kata.root).as_posix()})"
        needs = ", ".join(kata.needs) or "-"
        rows.append(f"| {number} | {link} | {kata.title} | {kata.difficulty} of 5 | {kata.minutes} | {needs} |")
    return "\n".join(rows)


def current(text: str, katas: Catalog) -> str:
    """README text with everything between its markers as it should be.

    Raises CatalogError if the table's markers are gone or a quoted file is.
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise CatalogError(f"README.md has lost its markers. The table stands between {BEGIN} and {END}")
    text = f"{before}{BEGIN}\n{syllabus_table(katas)}\n{END}{after}"

    def quoted(match: re.Match[str]) -> str:
        try:
            file = (katas.root / match[2]).read_text(encoding="utf-8")
        except OSError as error:
            raise CatalogError(f"README.md quotes {match[2]}, which cannot be read: {error.strerror}.") from error
        return f"{match[1]}\n```text\n{file.rstrip()}\n```\n\n{match[3]}"

    return _QUOTE.sub(quoted, text)
