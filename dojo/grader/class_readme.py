"""README.md and pyproject.toml, as they are true in a class repository.

What speaks of solutions stands in README.md between

    <!-- with solutions -->
    <!-- end of with solutions -->

and goes. In a block of commands, where no comment can stand, so do the lines that call a command which needs them.
"""

from __future__ import annotations

import re

GONE = ("solution", "diff", "plot", "review", "flip", "author")
"""Commands that a class repository does not offer; `plot` works there, but has nothing to draw beside."""

_PASSAGE = re.compile(r"<!-- with solutions -->\n.*?<!-- end of with solutions -->\n", re.DOTALL)
_COMMAND = re.compile(rf"^\$ (?:uv run )?dojo (?:{'|'.join(GONE)})\b.*\n", re.MULTILINE)
_HEADING = re.compile(r"\A# .+\n")

_NOTE = """
This is a class repository: the katas and the tools, without solutions. `dojo plot KATA` draws what your code does, and
fresh stubs come from `.pristine/`.
"""


def class_readme(text: str) -> str:
    """README.md without what needs solutions, and with a note that says so."""
    text = _COMMAND.sub("", _PASSAGE.sub("", text))
    text = re.sub(r"\n{3,}", "\n\n", text).rstrip("\n") + "\n"
    if _NOTE.strip() in text:  # a class repository's own
        return text
    head = _HEADING.match(text)
    return f"{head[0] if head else ''}{_NOTE}{text[head.end() if head else 0 :]}"


def class_project(text: str) -> str:
    """pyproject.toml without the directories that are not there."""
    return text.replace('files = ["dojo", "solutions"]', 'files = ["dojo"]')
