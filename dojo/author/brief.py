"""What a kata's README, hints and tests say, and where they contradict each other."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass

from dojo.catalog import Kata
from dojo.lab.report import rule_of
from dojo.practice import PracticeError, read_hints

HINTS = 4

_HEADING = re.compile(r"^(#{1,6})\s+(.*?)\s*#*\s*$")
_ITEM = re.compile(r"^\s{0,3}(?:[-*]\s+)?\**(\d+)[.)]\**\s+(.*)")


@dataclass(frozen=True, slots=True)
class Section:
    """A heading of a Markdown file, and the lines under it up to the next heading of any level, code apart."""

    level: int
    title: str
    lines: tuple[str, ...]

    @property
    def anchor(self) -> str:
        """What a link to it ends with, as code hosts derive it: lower case, dashes, no punctuation."""
        plain = re.sub(r"[^\w\- ]", "", self.title.lower())
        return plain.strip().replace(" ", "-")


def sections(markdown: str) -> tuple[Section, ...]:
    """The sections of a Markdown text; what stands in fenced code is code."""
    found: list[tuple[int, str, list[str]]] = [(0, "", [])]
    fence = ""
    for line in markdown.splitlines():
        mark = line.lstrip()[:3]
        if mark in ("```", "~~~") and fence in ("", mark):
            fence = "" if fence else mark
        elif fence:
            continue
        elif heading := _HEADING.match(line):
            found.append((len(heading[1]), heading[2], []))
        else:
            found[-1][2].append(line)
    return tuple(Section(level, title, tuple(lines)) for level, title, lines in found)


def numbered_rules(markdown: str) -> dict[int, str]:
    """The README's rules: the numbered items under the heading that begins with "Rules" or "The rules"."""
    rules: dict[int, str] = {}
    inside = 0
    for section in sections(markdown):
        if inside and section.level <= inside:
            inside = 0
        if re.match(r"(the )?rules\b", section.title.lower()):
            inside = section.level
        if inside:
            for line in section.lines:
                if item := _ITEM.match(line):
                    rules.setdefault(int(item[1]), item[2])
    return rules


@dataclass(frozen=True, slots=True)
class Spoken:
    """What a kata's test file says, read without running it."""

    rules: tuple[int, ...]
    """In the order of the tests, each once."""
    unruled: tuple[str, ...]
    """Tests whose docstring is not `Rule N. …`."""
    traps: tuple[str, ...]


def read_tests(source: str) -> Spoken:
    """The rules and traps that a test file names. Raises SyntaxError."""
    rules: dict[int, None] = {}
    unruled: list[str] = []
    traps: dict[str, None] = {}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            rule = rule_of(ast.get_docstring(node))
            if rule.number is None or not rule.text:
                unruled.append(node.name)
            else:
                rules[rule.number] = None
        elif isinstance(node, ast.keyword) and node.arg == "trap" and isinstance(node.value, ast.Constant):
            traps[str(node.value.value)] = None
    return Spoken(tuple(rules), tuple(unruled), tuple(traps))


def complaints(kata: Kata, declared_traps: tuple[str, ...]) -> list[str]:
    """Where README, hints and tests contradict each other; `declared_traps` are those of the mutants."""
    readme = kata.readme.read_text(encoding="utf-8")
    said = read_tests(kata.test_file.read_text(encoding="utf-8"))
    rules = numbered_rules(readme)
    found = [f"{name}: its docstring must be `Rule N. One sentence.`" for name in said.unruled]
    for number in said.rules:
        if number not in rules:
            found.append(f"README.md states no rule {number}, which a test checks: number it under `## Rules`.")
    for number in rules:
        if number not in said.rules:
            found.append(f"README.md states rule {number}, which no test checks: write the test or drop the rule.")
    explained = {section.anchor for section in sections(readme) if section.level == 3}
    for trap in dict.fromkeys((*said.traps, *declared_traps)):
        if trap not in explained:
            found.append(f"README.md has no heading `### {trap}`, which tests or mutants name.")
    try:
        hints = len(read_hints(kata))
    except PracticeError as error:
        found.append(str(error))
    else:
        if hints != HINTS:
            found.append(f"hints.md has {hints} hints; a kata has {HINTS}.")
    return found
