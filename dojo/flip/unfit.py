"""Tests that cannot be scored at all, and why, in one message with the line."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from dojo.catalog import Kata
from dojo.flip.contract import promised_names
from dojo.runner import RunResult


class UnfitTests(Exception):
    """The learner's file cannot be run; the message says where and what to do."""


def check(kata: Kata, text: bytes) -> ast.Module:
    """The learner's tests, parsed.

    Raises UnfitTests for a syntax error, and for a name that the kata does not promise: right solutions need
    not have it.
    """
    file = kata.flip.name
    try:
        tests = ast.parse(text)
    except SyntaxError as error:
        source = (error.text or "").rstrip()
        raise UnfitTests(
            f"{file} line {error.lineno}: {type(error).__name__}: {error.msg}"
            + (f"\n    {source.lstrip()}" if source.strip() else "")
        ) from None
    except ValueError as error:  # a null byte
        raise UnfitTests(f"{file} is not Python: {error}.") from None
    offered = promised_names(kata)
    for node in ast.walk(tests):
        if isinstance(node, ast.ImportFrom) and node.module == kata.name and not node.level:
            for alias in node.names:
                if alias.name not in (*offered, "*"):
                    raise UnfitTests(
                        f"{file} line {alias.lineno}: {kata.name} need not have `{alias.name}`, "
                        f"so tests cannot import it.\n    What it has: {', '.join(offered)}"
                    )
    return tests


def has_tests(tests: ast.Module) -> bool:
    """Whether the file defines any test at all, so that an empty one need not be run."""
    return any(
        isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test")
        for node in ast.walk(tests)
    )


def broken(file: Path, result: RunResult) -> UnfitTests:
    """What a run says that could not even collect the tests: the error and the last line of the file in it."""
    lines = [line.removeprefix("E").strip() for line in result.detail.splitlines() if line.strip()]
    raised = [line for line in lines if re.match(r"[\w.]*(Error|Exception|Exit|Interrupt|Failed|Skipped)\b", line)]
    at = re.findall(rf'{re.escape(file.name)}(?:", line |:)(\d+)', result.detail)
    what = (raised or lines or ["it cannot be imported"])[-1]
    return UnfitTests(f"{file.name}{f' line {at[-1]}' if at else ''}: {what}")
