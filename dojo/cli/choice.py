"""Which katas a command is about: what was named, else what the learner is doing."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dojo import practice
from dojo.catalog import Catalog, Kata, resolve_impl
from dojo.cli.terminal import USAGE, fail, kata_here

Katas = Annotated[
    list[str] | None,
    typer.Argument(metavar="KATA", help="A name, track/name, a path, a prefix or a whole track.", show_default=False),
]
OneKata = Annotated[
    str | None,
    typer.Argument(
        metavar="KATA", help="Default: the one you are in, else the one `dojo` says is next.", show_default=False
    ),
]


def one(found: Catalog, query: str | None) -> Kata:
    """The named kata, else the one we are in, else the next one."""
    if query is not None:
        return found.find(query)
    if (here := kata_here(found)) is not None:
        return here
    following = practice.next_kata(found, practice.states(found))
    if following is None:
        fail("Which kata? `dojo list` shows them all.", USAGE)
    return following


def several(found: Catalog, queries: list[str] | None, impl: Path | None) -> tuple[Kata, ...]:
    """The named katas, else what `impl` implements, else the one we are in, else every one that is started."""
    if queries:
        return found.select(queries)
    if impl is not None:
        handed_in = tuple(kata for kata in found if resolve_impl(impl, kata) is not None)
        return handed_in or fail(f"{impl} implements no kata. Call its files like the katas.", USAGE)
    if (here := kata_here(found)) is not None:
        return (here,)
    standing = practice.states(found)
    begun = tuple(kata for kata in found if standing[kata.name] in ("started", "changed", "solved"))
    return begun or (one(found, None),)
