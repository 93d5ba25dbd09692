"""The syllabus as the table that README.md shows between two markers."""

from __future__ import annotations

from dojo.catalog import Catalog, CatalogError

BEGIN = "<!-- syllabus: written by `dojo author readme` from katas/syllabus.toml -->"
END = "<!-- end of syllabus -->"


def syllabus_table(katas: Catalog) -> str:
    """A Markdown table, one row a kata, in teaching order."""
    rows = ["| # | kata | what you build | difficulty | minutes | builds on |", "|---|---|---|---|---|---|"]
    for number, kata in enumerate(katas, start=1):
        link = f"[{kata.name}]({kata.readme.relative_to(kata.root).as_posix()})"
        needs = ", ".join(kata.needs) or "-"
        rows.append(f"| {number} | {link} | {kata.title} | {kata.difficulty} of 5 | {kata.minutes} | {needs} |")
    return "\n".join(rows)


def readme_with_table(text: str, katas: Catalog) -> str:
    """README text with the current table between its markers. Raises CatalogError if they are gone."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise CatalogError(f"README.md has lost its markers. The table stands between {BEGIN} and {END}")
    return f"{before}{BEGIN}\n{syllabus_table(katas)}\n{END}{after}"
