"""The file that a learner's own tests begin as: the contract and the rules to test, and nothing of the kata's tests."""

from __future__ import annotations

import ast
import re
import textwrap
from datetime import datetime
from pathlib import Path

from dojo.author.brief import numbered_rules
from dojo.catalog import Kata
from dojo.flip.contract import promised_names
from dojo.practice import PracticeError, keep, write_atomically
from dojo.stubs import stub_of

WIDTH = 100

_CONTRACT = re.compile(r"^## Contract[ \t]*$(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
_ITEM = re.compile(r"\s*(?:[-*]|\d+[.)])\s+")


def start(kata: Kata, *, fresh: bool = False, now: datetime | None = None) -> Path | None:
    """Write the scaffold to `kata.flip`, unless a file is there; with `fresh` in its place.

    Returns the backup of what stood there, None if there was nothing of the learner's own to keep.
    Raises PracticeError if a file cannot be read or written, and StubError if the kata has no stub.
    """
    text = scaffold(kata).encode()
    backup = None
    if kata.flip.exists():
        if not fresh:
            return None
        try:
            if kata.flip.read_bytes() != text:
                backup = keep(kata, kata.flip, now, "flip-")
        except OSError as error:
            raise PracticeError(f"cannot read {kata.flip}: {error.strerror}. Nothing was changed.") from error
    write_atomically(kata.flip, text)
    return backup


def scaffold(kata: Kata) -> str:
    """The text of an empty flip. Raises StubError if no stub can be derived, PracticeError without a README."""
    stub = ast.parse(stub_of(kata))
    try:
        readme = kata.readme.read_text(encoding="utf-8")
    except OSError as error:
        raise PracticeError(
            f"{kata.readme} cannot be read: {error.strerror}. Restore it from a fresh clone."
        ) from error
    section = _CONTRACT.search(readme)
    contract = _wrapped(section[1]) if section else ast.get_docstring(stub) or ""
    rules = [
        line
        for number, sentence in numbered_rules(readme).items()
        for line in textwrap.wrap(
            f"{number}. {sentence}", WIDTH, initial_indent="#  " if number < 10 else "# ", subsequent_indent="#     "
        )
    ]
    return _TEMPLATE.format(
        docstring=_docstring(f"Your tests of {kata.name}: {kata.title}.\n\n{contract.strip()}\n"),
        imports=_imports(kata.name, promised_names(kata)),
        rules="\n".join(rules) or "# see README.md",
    )


def _imports(module: str, names: list[str]) -> str:
    names = sorted(names, key=lambda name: (not name.isupper(), not name[0].isupper(), name))
    line = f"from {module} import {', '.join(names)}"
    if len(line) <= WIDTH:
        return line
    return f"from {module} import (\n" + "".join(f"    {name},\n" for name in names) + ")"


def _docstring(text: str) -> str:
    text = text.replace('"""', "'''")
    return f'r"""{text}"""' if "\\" in text else f'"""{text}"""'


def _wrapped(markdown: str) -> str:
    """Paragraphs and list items broken to WIDTH; code and tables as they stand."""
    lines: list[str] = []
    paragraph: list[str] = []
    code = False

    def flush() -> None:
        if paragraph:
            item = _ITEM.match(paragraph[0])
            indent = " " * (item.end() if item else len(paragraph[0]) - len(paragraph[0].lstrip()))
            first = paragraph[0][: item.end()] if item else indent
            rest = " ".join([paragraph[0].lstrip() if item is None else paragraph[0][item.end() :], *paragraph[1:]])
            lines.extend(
                textwrap.wrap(
                    rest,
                    WIDTH,
                    initial_indent=first,
                    subsequent_indent=indent,
                    break_long_words=False,
                    break_on_hyphens=False,
                )
            )
            paragraph.clear()

    for line in markdown.splitlines():
        fence = line.lstrip().startswith("```")
        if fence or code or not line.strip() or line.startswith(("|", "#")) or _ITEM.match(line):
            flush()
        if fence:
            code = not code
        if fence or code or not line.strip() or line.startswith(("|", "#")):
            lines.append(line.rstrip())
        else:
            paragraph.append(line if not paragraph else line.strip())
    flush()
    return "\n".join(lines)


_TEMPLATE = '''\
{docstring}

{imports}

from dojo.lab import explore

# The rules. A test may name the one that it checks: """Rule 1. What must hold."""
#
{rules}
#
# A test asks for `lab`: virtual time, servers, clients, faults (what there is: dojo/lab/lab.py). `assert` will do;
# `lab.expect` also says what was asked. `await asyncio.sleep(3600)` takes no time.
#
#     async def test_one_caller(lab):
#         lab.expect("the answer", await call(lab.redis()), 42, trap="what-went-wrong")
#
#     @explore  # once for each order in which the two can meet; lab.process() is a server of its own
#     async def test_two_at_once(lab):
#         assert sorted(await lab.race(one(lab.redis()), another(lab.redis()))) == [False, True]
#
# Each run has a fresh copy of the code under test, so build nothing from it outside of a test.
'''
