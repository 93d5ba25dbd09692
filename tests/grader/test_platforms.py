"""`dojo export --gradescope` and `--classroom`: what is written for them, and that its scripts do what they say."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from dojo.catalog import Catalog, load
from dojo.cli.app import app
from dojo.grader.classroom_workflow import write_workflow
from dojo.grader.config import Config, Limits
from dojo.grader.export import DestinationError
from dojo.grader.gradescope_zip import build
from dojo.grader.templates import template
from dojo.readme import BEGIN, END

from ..cli.conftest import REPOSITORY, little_clone

KATAS = ("add_one", "add_two")


@pytest.fixture
def clone(tmp_path: Path) -> Catalog:
    found = little_clone(tmp_path / "clone")
    for name, text in {"README.md": f"# Little\n\n{BEGIN}\n{END}\n", "LICENSE": "", "dojo/__init__.py": ""}.items():
        (found.root / name).parent.mkdir(exist_ok=True)
        (found.root / name).write_text(text, encoding="utf-8")
    return found


@pytest.fixture
def course(clone: Catalog) -> Config:
    """A course with hidden tests for both katas."""
    hidden = clone.root.parent / "course" / "mine"
    hidden.mkdir(parents=True)
    for name in KATAS:
        (hidden / f"test_{name}.py").write_text(f"# hidden {name}\n", encoding="utf-8")
    toml = hidden.parent / "grading.toml"
    toml.write_text(
        'title = "Week 3"\nhidden = "mine"\n[points]\nper_kata = 5\nadd_one = 7\n[weights.add_one]\n1 = 2\n'
        "[weights.add_two]\n1 = 3\n",
        encoding="utf-8",
    )
    return Config.read(toml, KATAS)


def unpacked(path: Path, where: Path) -> dict[str, str]:
    with zipfile.ZipFile(path) as archive:
        for entry in archive.infolist():
            target = where / entry.filename
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(archive.read(entry))
            target.chmod(entry.external_attr >> 16)
    return {name.relative_to(where).as_posix(): name.read_text("utf-8") for name in where.rglob("*") if name.is_file()}


def test_the_zip_grades_the_chosen_katas_and_holds_no_solution(clone: Catalog, course: Config, tmp_path: Path) -> None:
    files = build(tmp_path / "out" / "a.zip", clone, course, clone.katas[1:])
    found = unpacked(tmp_path / "out" / "a.zip", tmp_path / "source")
    assert files == len(found)
    assert [path.name for path in tmp_path.joinpath("out").iterdir()] == ["a.zip"]
    assert not [name for name in found if "add_one" in name or "solutions" in name or "mutants" in name]
    assert "return number + 2" not in "".join(found.values())
    assert found["repository/hidden/test_add_two.py"] == "# hidden add_two\n"
    (kata,) = load(tmp_path / "source" / "repository")
    assert (kata.id, kata.title, kata.needs, kata.missing()) == ("counting/add_two", "Two more", (), ())
    config = Config.read(tmp_path / "source" / "repository" / "grading.toml", ["add_two"])
    assert (config.title, config.total("add_two"), config.weights) == ("Week 3", 5, {"add_two": {"1": 3}})
    assert config.hidden_tests("add_two") is not None


def test_the_zip_is_the_same_bytes_each_time_and_overwrites_nothing(clone: Catalog, tmp_path: Path) -> None:
    for name in ("a.zip", "b.zip"):
        build(tmp_path / name, clone, Config())
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    with pytest.raises(DestinationError, match="is there already"):
        build(tmp_path / "a.zip", clone, Config())


@pytest.mark.parametrize("name", ["setup.sh", "run_autograder"])
def test_the_scripts_are_bash_and_executable(clone: Catalog, tmp_path: Path, name: str) -> None:
    build(tmp_path / "a.zip", clone, Config())
    unpacked(tmp_path / "a.zip", tmp_path / "source")
    script = tmp_path / "source" / name
    assert script.read_bytes().startswith(b"#!/usr/bin/env bash\n")
    assert os.access(script, os.X_OK)
    subprocess.run(["bash", "-n", script], check=True)


def program(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/usr/bin/env bash\n{text}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


@pytest.fixture
def autograder(tmp_path: Path) -> Callable[[str], subprocess.CompletedProcess[str]]:
    """Runs `run_autograder` as Gradescope would, with a grader that is the given script."""
    root = tmp_path / "autograder"
    (root / "source" / "repository").mkdir(parents=True)
    (root / "source" / "repository" / "grading.toml").touch()
    (root / "submission").mkdir()
    (root / "results").mkdir()
    (root / "results" / "results.json").write_text('{"score": 100}', encoding="utf-8")  # nobody's result
    script = program(root / "run_autograder", template("run_autograder"))

    def run(grader: str) -> subprocess.CompletedProcess[str]:
        program(tmp_path / "place" / "venv" / "bin" / "python", grader)
        environment = {**os.environ, "AUTOGRADER": str(root), "DOJO_PLACE": str(tmp_path / "place")}
        return subprocess.run([script], env=environment, capture_output=True, text=True, check=False)

    return run


_WRITES = 'while [ "$1" != --gradescope ]; do shift; done; echo "{\\"score\\": 7}" > "$2"'


def test_gradescope_gets_what_the_grader_wrote(
    autograder: Callable[[str], subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    done = autograder(f'echo "$@"; {_WRITES}')
    assert done.returncode == 0, done.stderr
    root = tmp_path / "autograder"
    assert done.stdout.startswith(f"-m dojo.cli grade {root}/submission --one --out ")
    assert "--config grading.toml" in done.stdout
    assert json.loads((root / "results" / "results.json").read_text(encoding="utf-8")) == {"score": 7}


@pytest.mark.parametrize("grader", [f"{_WRITES}; exit 3", "exit 0", "kill -9 $$"], ids=["exit 3", "nothing", "killed"])
def test_what_could_not_be_graded_has_no_result(
    autograder: Callable[[str], subprocess.CompletedProcess[str]], tmp_path: Path, grader: str
) -> None:
    done = autograder(grader)
    assert done.returncode == 1
    assert "counts as ungraded" in done.stderr
    assert not (tmp_path / "autograder" / "results" / "results.json").exists()


def test_the_options_that_the_scripts_use_are_the_graders() -> None:
    shown = CliRunner().invoke(app, ["grade", "--help"], env={"COLUMNS": "200"}).stdout
    for script in ("run_autograder", "classroom.yml"):
        for option in ("--one", "--out", "--config", "--gradescope", "--classroom"):
            assert option not in template(script) or option in shown


def test_the_workflow_says_whose_tests_are_trusted(tmp_path: Path) -> None:
    write_workflow(tmp_path / ".github" / "workflows" / "classroom.yml", "my-class/week.3@v1")
    text = (tmp_path / ".github" / "workflows" / "classroom.yml").read_text(encoding="utf-8")
    assert '      CLASS_REPOSITORY: my-class/week.3\n      CLASS_REF: "v1"\n' in text
    assert "@CLASS" not in text
    # Without these names no points arrive: README.md of classroom-resources/autograding-grading-reporter.
    assert "\nname: Autograding Tests " in text
    assert "\njobs:\n  run-autograding-tests:\n" in text
    assert text.count("persist-credentials: false") == 2
    write_workflow(tmp_path / "b.yml")
    assert "CLASS_REPOSITORY: OWNER/CLASS-REPOSITORY\n" in (tmp_path / "b.yml").read_text(encoding="utf-8")
    with pytest.raises(DestinationError, match="is there already"):
        write_workflow(tmp_path / "b.yml")
    for wrong in ("week-3", "a/b/c", "a/b@", "a/b: c", "a/b\nc: d", "https://github.com/a/b"):
        with pytest.raises(DestinationError, match="is no repository on GitHub"):
            write_workflow(tmp_path / "c.yml", wrong)
    assert not (tmp_path / "c.yml").exists()


@pytest.mark.parametrize("code", [0, 3])
def test_the_step_that_grades_hands_over_the_payload(tmp_path: Path, code: int) -> None:
    _, _, step = template("classroom.yml").partition("        id: dojo\n")
    body, _, _ = step.partition("run: |\n")[2].partition("\n\n")
    payload = '{"version": 1, "tests": []}'
    grader = f"while [ $1 != --classroom ]; do shift; done; echo '{payload}' > \"$2\"; echo a table; exit {code}"
    program(tmp_path / "bin" / "sudo", 'exec "$@"')
    program(tmp_path / "bin" / "dojo", grader)
    program(tmp_path / "bin" / "python", f'exec "{sys.executable}" "$@"')
    names = {"GITHUB_OUTPUT": "output", "GITHUB_STEP_SUMMARY": "summary", "GITHUB_WORKSPACE": "w", "RUNNER_TEMP": "."}
    environment = {**os.environ, **{name: str(tmp_path / file) for name, file in names.items()}}
    environment |= {"PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}", "PYTHONPATH": str(REPOSITORY)}
    script = tmp_path / "step.sh"
    script.write_text("\n".join(line[10:] for line in body.splitlines()) + "\n", encoding="utf-8")
    done = subprocess.run(["bash", "-eo", "pipefail", script], env=environment, capture_output=True, check=False)
    assert done.returncode == code, done.stderr
    if code:
        assert not (tmp_path / "output").exists()
        return
    key, _, encoded = (tmp_path / "output").read_text(encoding="utf-8").partition("=")
    assert key == "result"
    assert json.loads(base64.b64decode(encoded)) == json.loads(payload)
    assert "a table" in (tmp_path / "summary").read_text(encoding="utf-8")


WEIGHTS = st.one_of(st.just(0.0), st.floats(0, 1_000_000), st.integers(0, 9).map(float))
NAMES = st.one_of(st.sampled_from(["3", "test_x", "test_x[1-2]"]), st.text(min_size=1, max_size=12))
PRINTABLE = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30).filter(
    lambda text: text.isprintable() and bool(text.strip())
)


@settings(derandomize=True, database=None, deadline=None, max_examples=100)
@given(
    st.builds(
        Config,
        title=PRINTABLE,
        feedback=st.sampled_from(["full", "rule", "none"]),
        limits=st.builds(Limits, wall_seconds=st.floats(0.001, 1_000_000), processes=st.integers(1, 1000)),
        per_kata=st.none() | WEIGHTS,
        points=st.dictionaries(st.sampled_from(KATAS), WEIGHTS),
        weights=st.dictionaries(st.sampled_from(KATAS), st.dictionaries(NAMES, WEIGHTS)),
    )
)
def test_a_configuration_written_out_says_the_same(tmp_path_factory: pytest.TempPathFactory, config: Config) -> None:
    path = tmp_path_factory.getbasetemp() / "grading.toml"
    path.write_bytes(config.to_toml(KATAS, hidden=None).encode())
    assert Config.read(path, KATAS) == config
