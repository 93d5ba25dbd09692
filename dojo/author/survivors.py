"""The mutations that somebody has read and found to change nothing that a kata promises.

They stand in `tests/mutants/<track>/<kata>/survivors.toml`, never in the solution:

    ["constant+1@41:19"]
    was = "deadline = now + 1"
    why = "only moves the time-out of a wait that a notification ends first"

`was` is the line as it stood when it was read, so that an entry does not silently come to explain
another mutation when the solution changes.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dojo.author.mutations import Mutation
from dojo.catalog import Kata

FILE = "survivors.toml"


class SurvivorsError(Exception):
    """A list of survivors cannot be read; the message names the remedy."""


@dataclass(frozen=True, slots=True)
class Explained:
    """One entry."""

    was: str
    why: str


def path_of(kata: Kata) -> Path:
    return kata.mutants / FILE


def read(kata: Kata) -> dict[str, Explained]:
    """Explanations by mutation id; empty if the kata has no such file. Raises SurvivorsError."""
    path = path_of(kata)
    if not path.is_file():
        return {}
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SurvivorsError(f"{path} is not valid TOML: {error}.") from error
    found: dict[str, Explained] = {}
    for key, entry in data.items():
        if (
            not isinstance(entry, Mapping)
            or entry.keys() != {"was", "why"}
            or not all(isinstance(text, str) and text.strip() for text in entry.values())
        ):
            raise SurvivorsError(f'{path}: ["{key}"] needs two lines, was = "the source line", why = "the reason".')
        found[key] = Explained(entry["was"].strip(), entry["why"].strip())
    return found


def entry(mutation: Mutation, source: str) -> str:
    """An entry to be completed by whoever reads the mutation."""
    was = source.splitlines()[mutation.line - 1].strip()
    quoted = "'" + was + "'" if "'" not in was else '"' + was.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return f'["{mutation.id}"]\nwas = {quoted}\nwhy = ""\n'
