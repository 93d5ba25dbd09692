"""`dojo doctor`: is this machine, this installation and this clone fit to practise in?"""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import typer

import dojo
from dojo.catalog import Catalog, Kata
from dojo.cli.terminal import GREEN, TOOL_FAILED, catalog, console, say, typed
from dojo.practice import HOME, PracticeError, load
from dojo.stubs import StubError, stub_of

Verdict = Literal["fine", "note", "wrong"]
_STYLES: dict[Verdict, str] = {"fine": "green", "note": "yellow", "wrong": "bold red"}


@dataclass(frozen=True, slots=True)
class Finding:
    verdict: Verdict
    text: str
    remedy: str = ""


def doctor() -> None:
    """Check Python, packages, katas and the installation; say how to mend what is wrong.

    \b
    Example:
      dojo doctor
    """
    katas = catalog()
    findings = list(examine(katas))
    out = console()
    for finding in findings:
        out.print(f"{finding.verdict:<6} {finding.text}", style=_STYLES[finding.verdict])
        if finding.remedy:
            out.print(f"       {finding.remedy}")
    wrong = sum(finding.verdict == "wrong" for finding in findings)
    say()
    say(f"{wrong} to mend" if wrong else "Ready to practise.", style="bold red" if wrong else "bold green")
    raise typer.Exit(TOOL_FAILED if wrong else GREEN)


def examine(katas: Catalog) -> Iterator[Finding]:
    """Every check, in the order in which one would mend things."""
    try:
        project = tomllib.loads((katas.root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    except (OSError, ValueError, KeyError) as error:
        yield Finding("wrong", f"pyproject.toml cannot be read: {error}", "Restore it from a fresh clone.")
        project = {}
    yield _python(project)
    yield from _packages(project)
    yield _installed_from(katas.root)
    yield _writable(katas.root)
    yield _remembered(katas.root)
    for kata in katas:
        yield _complete(kata)


def _python(project: dict[str, Any]) -> Finding:
    here = f"Python {sys.version.split()[0]} at {sys.executable}"
    wanted = project.get("requires-python", "")
    if _fits(sys.version.split()[0], wanted):
        return Finding("fine", here)
    return Finding("wrong", f"{here}, needs {wanted}", "Install that Python and make a new environment with it.")


def _packages(project: dict[str, Any]) -> Iterator[Finding]:
    from packaging.requirements import Requirement

    wrong, fine = [], []
    for text in project.get("dependencies", []):
        wanted = Requirement(text)
        found = _version(wanted.name)
        if found is None:
            wrong.append(f"{text} is missing")
        elif not wanted.specifier.contains(found, prereleases=True):
            wrong.append(f"{wanted.name} {found} is here, {wanted.specifier} is needed")
        else:
            fine.append(f"{wanted.name} {found}")
    if fine:
        yield Finding("fine", f"packages: {', '.join(fine)}")
    for complaint in wrong:
        yield Finding("wrong", complaint, f"{_installer()} (in {Path.cwd()})")
    extra = [Requirement(text).name for text in project.get("optional-dependencies", {}).get("real", [])]
    if missing := [name for name in extra if _version(name) is None]:
        yield Finding(
            "note",
            f"a real server for `--redis valkey`: not installed ({', '.join(missing)})",
            f"only if you want it: {_installer('real')}",
        )
    elif extra:
        versions = ", ".join(f"{name} {_version(name)}" for name in extra)
        yield Finding("fine", f"a real server for `--redis valkey`: {versions}")


def _installed_from(root: Path) -> Finding:
    source = Path(dojo.__file__).resolve().parents[1]
    if source == root:
        return Finding("fine", f"the dojo runs from this clone, {root}")
    return Finding(
        "wrong",
        f"you are in {root}, but the dojo that runs comes from {source}",
        f"In {root}: {_installer()}",
    )


def _writable(root: Path) -> Finding:
    import tempfile

    for directory in (root / HOME, root / "katas"):
        try:
            directory.mkdir(exist_ok=True)
            with tempfile.TemporaryFile(dir=directory):
                pass
        except OSError as error:
            return Finding(
                "wrong",
                f"cannot write in {directory}: {error.strerror}",
                f"Make it yours: chown -R $USER {root}",
            )
    return Finding("fine", f"progress and backups can be written to {root / HOME}")


def _remembered(root: Path) -> Finding:
    try:
        solved = sum(one.solved_at is not None for one in load(root).values())
    except PracticeError as error:
        return Finding("wrong", str(error))
    return Finding("fine", f"progress is readable: {solved} solved so far")


def _complete(kata: Kata) -> Finding:
    if missing := kata.missing():
        names = ", ".join(path.as_posix() for path in missing)
        remedy = "Restore what is missing from a fresh clone."
        if missing == (kata.stub.relative_to(kata.root),):
            remedy = f"{typed('dojo')} reset {kata.name}"
        return Finding("wrong", f"{kata.id} lacks {names}", remedy)
    try:
        stub_of(kata)
    except StubError as error:
        return Finding("wrong", f"{kata.id} has no stub: {error}")
    return Finding("fine", f"{kata.id} is complete")


def _version(name: str) -> str | None:
    from importlib import metadata

    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _fits(version: str, wanted: str) -> bool:
    from packaging.specifiers import SpecifierSet

    return SpecifierSet(wanted).contains(version, prereleases=True)


def _installer(extra: str = "") -> str:
    """The command that installs what pyproject.toml asks for, in the way this environment was made."""
    if typed("dojo").startswith("uv "):
        return f"uv sync --extra {extra}" if extra else "uv sync"
    return f'pip install -e ".[{extra}]"' if extra else "pip install -e ."
