"""`dojo export --no-solutions`: what a class gets, what it does not get, and what the commands say there."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dojo.catalog import PRISTINE, Catalog, load
from dojo.cli.app import app
from dojo.grader import export as exporting
from dojo.grader.class_readme import GONE, class_readme
from dojo.grader.export import DestinationError, export
from dojo.grader.model import GraderError
from dojo.readme import BEGIN, END
from dojo.stubs import is_pristine, stub_of

from ..cli.conftest import REPOSITORY, little_clone

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def clone(tmp_path: Path) -> Catalog:
    """The little clone with what an export needs besides."""
    found = little_clone(tmp_path / "clone")
    readme = f"# Little\n\nWords.\n\n{BEGIN}\n{END}\n\n```console\n$ dojo test\n$ dojo solution\n```\n"
    for name, text in {"README.md": readme, "LICENSE": "MIT\n", "dojo/__init__.py": "", "dojo/tool.py": ""}.items():
        (found.root / name).parent.mkdir(exist_ok=True)
        (found.root / name).write_text(text, encoding="utf-8")
    return found


@pytest.fixture
def little(clone: Catalog, tmp_path: Path) -> Catalog:
    """Its class repository."""
    return load(export(clone, tmp_path / "class").root)


@pytest.fixture
def dojo(little: Catalog, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command in the little class repository: its exit code, and all that it said."""
    monkeypatch.chdir(little.root)
    monkeypatch.setattr("sys.argv", ["dojo"])
    monkeypatch.setattr("dojo.__file__", str(little.root / "dojo" / "__init__.py"))
    monkeypatch.delenv("UV", raising=False)

    def run(*arguments: str) -> tuple[int, str]:
        result = CliRunner().invoke(app, list(arguments), prog_name="dojo")
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.exit_code, result.stdout + result.stderr

    return run


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The real class repository."""
    root = tmp_path_factory.mktemp("export") / "class"
    export(load(REPOSITORY), root)
    yield root
    shutil.rmtree(root)


def texts(root: Path) -> dict[str, str]:
    """All files below `root`."""
    paths = [path for path in root.rglob("*") if path.is_file() and not {"__pycache__", ".dojo"} & set(path.parts)]
    return {path.relative_to(root).as_posix(): path.read_text(encoding="utf-8") for path in paths}


def lines(text: str) -> set[str]:
    """Those that could be nobody else's: no imports, and nothing that any program might say."""
    found = (" ".join(line.split()) for line in text.splitlines())
    return {line for line in found if len(line) >= 28 and not line.startswith(("from ", "import ", "except ", "with "))}


def git(root: Path, *arguments: str) -> None:
    subprocess.run(["git", "-C", str(root), *arguments], check=True, capture_output=True)


def test_nothing_gives_a_solution_away(whole: Path) -> None:
    """Hardly a distinctive line of a solution, a mutant or an alternative is anywhere in the export."""
    handed_out = texts(whole)
    known = {line for path in whole.joinpath(PRISTINE).rglob("*.py") for line in lines(path.read_text("utf-8"))}
    everywhere = {line for text in handed_out.values() for line in lines(text)} - known
    secret = 0
    for tree in ("solutions", "tests/mutants", "tests/alternatives"):
        for path in REPOSITORY.joinpath(tree).rglob("*.py"):
            own = lines(path.read_text(encoding="utf-8")) - known
            secret += len(own)
            assert len(own & everywhere) <= 2, f"{path}: {own & everywhere}"
    assert secret > 1000
    outside = [name for name in handed_out if not name.startswith("dojo/")]
    assert not [name for name in outside if re.search(r"solution|mutant|alternative|golden|survivors", name)]


def test_the_class_repository_is_whole_and_green(whole: Path) -> None:
    """Its own tests prove that every test of every kata fails on the stub."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=whole, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (whole / "katas").is_dir()
    assert {path.name for path in whole.iterdir()} >= {"README.md", "LICENSE", "dojo", "katas", "tests", PRISTINE}
    for kata in load(whole):
        assert is_pristine(kata)
        assert kata.stub.read_text("utf-8") == stub_of(load(REPOSITORY).find(kata.name))


def test_the_readme_is_true_without_solutions(whole: Path) -> None:
    text = re.sub("<!-- (?!with).*? -->", "", (whole / "README.md").read_text(encoding="utf-8"))
    assert "This is a class repository" in text
    assert not re.search(r"with solutions -->|--impl solutions|solutions/|CONTRIBUTING", text)
    offered = {command.name for command in app.registered_commands} | {"progress"}
    said = set(re.findall(r"`dojo ([a-z]+)|^\$ (?:uv run )?dojo ([a-z]+)", text, re.MULTILINE))
    names = {first or second for first, second in said}
    assert {"test", "watch", "hint", "list"} <= names <= offered
    assert names & set(GONE) <= {"plot"}
    for link in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (whole / link).exists(), link


def test_an_export_of_an_export_is_the_same(little: Catalog, tmp_path: Path) -> None:
    export(little, tmp_path / "again")
    assert texts(tmp_path / "again") == texts(little.root)


def test_a_learners_work_does_not_go_out_as_a_stub(clone: Catalog, tmp_path: Path) -> None:
    first, second = clone
    first.stub.write_text("MINE = 1\n", encoding="utf-8")
    second.stub.unlink()
    found = load(export(clone, tmp_path / "class").root)
    assert all(is_pristine(kata) for kata in found)
    assert [kata.missing() for kata in found] == [(), ()]


@pytest.mark.parametrize("with_git", [True, False])
def test_only_what_is_on_the_list_goes_out(clone: Catalog, tmp_path: Path, with_git: bool) -> None:
    first = clone.katas[0]
    added = {
        "grading.toml": "secret",
        "hidden/test_add_one.py": "secret",
        ".dojo/backups/add_one.py": "secret",
        ".venv/secret.py": "secret",
        "dojo/.cache/secret.py": "secret",
        "dojo/__pycache__/secret.py": "secret",
        "CONTRIBUTING.md": "secret",
        f"katas/{first.id}/add_one_old.py": "secret",
        f"katas/{first.id}/ANSWERS.md": "secret",
    }
    for path, text in added.items():
        (clone.root / path).parent.mkdir(parents=True, exist_ok=True)
        (clone.root / path).write_text(text, encoding="utf-8")
    (clone.root / "dojo" / "link.py").symlink_to(first.solution)
    if with_git:
        git(clone.root, "init", "-q")
        (clone.root / ".gitignore").write_text(".dojo/\n.venv/\n__pycache__/\n.cache/\n", encoding="utf-8")
        git(clone.root, "add", "-A")
        (clone.root / "dojo" / "untracked.py").write_text("secret", encoding="utf-8")
    done = export(clone, tmp_path / "class")
    assert sorted(texts(done.root)) == sorted(
        [
            *([".gitignore"] if with_git else []),
            f"{PRISTINE}/README.md",
            *(f"{PRISTINE}/{kata.track}/{kata.name}.py" for kata in clone),
            *("LICENSE", "README.md", "conftest.py", "pyproject.toml", "tests/test_class_repository.py"),
            *("dojo/__init__.py", "dojo/tool.py", "katas/syllabus.toml"),
            *(
                f"katas/{kata.id}/{name}"
                for kata in clone
                for name in ("README.md", "hints.md", f"{kata.name}.py", f"test_{kata.name}.py")
            ),
        ]
    )
    assert "secret" not in "".join(texts(done.root).values())
    wanted = (f"katas/{first.id}/ANSWERS.md", f"katas/{first.id}/add_one_old.py") if with_git else ()
    assert done.left_behind == wanted


def test_the_directory_must_be_new_or_empty(clone: Catalog, tmp_path: Path) -> None:
    empty, full, file = tmp_path / "empty", tmp_path / "full", tmp_path / "file"
    empty.mkdir()
    (full / "x").mkdir(parents=True)
    file.write_text("", encoding="utf-8")
    assert export(clone, empty).root == empty
    assert (empty / "README.md").is_file()
    for path, said in ((full, "is not empty"), (file, "is a file"), (clone.root / "class", "inside this repository")):
        with pytest.raises(DestinationError, match=said):
            export(clone, path)
    assert [path.name for path in full.iterdir()] == ["x"]


def test_it_is_there_whole_or_not_at_all(clone: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "out"
    clone.katas[1].hints.unlink()
    with pytest.raises(GraderError, match=r"hints.md.*Restore it"):
        export(clone, place / "class")
    clone.katas[1].hints.write_text("", encoding="utf-8")

    def disk_full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(exporting.shutil, "copy", disk_full)
    with pytest.raises(GraderError, match="No space left on device"):
        export(clone, place / "class")
    assert list(place.iterdir()) == []


def test_the_command_says_what_it_wrote_and_what_was_wrong(
    clone: Catalog, tmp_path: Path, dojo: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(clone.root)
    code, said = dojo("export", "--no-solutions", "../handed-out")
    assert code == 0
    assert f"files to {tmp_path / 'handed-out'}: all katas and the tools, and no solutions." in said
    assert "git init" in said
    assert dojo("export", "--no-solutions", "../handed-out")[0] == 2
    for wrong in (
        [],
        ["--no-solutions", "../a", "--classroom", "b.yml"],
        ["--no-solutions", "../a", "--katas", "add_one"],
        ["--no-solutions", "../a", "--repository", "a/b"],
        ["--classroom", "b.yml", "--repository", "nonsense"],
    ):
        code, said = dojo("export", *wrong)
        assert (code, said.count("\n")) == (2, 1), said
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize(
    "command",
    [
        ["solution", "add_one"],
        ["solution", "add_one", "--give-up"],
        ["diff", "add_one"],
        ["review"],
        ["review", "--kata", "add_one"],
        ["flip", "add_one"],
        ["author", "check"],
        ["author", "mutate", "add_one"],
        ["author", "stubs", "--check"],
        ["author", "golden"],
    ],
    ids=" ".join,
)
def test_what_needs_solutions_says_so_in_a_sentence(dojo: Run, command: list[str]) -> None:
    code, said = dojo(*command)
    assert code == 2
    assert said.startswith("This is a class repository, made without the solutions that `dojo ")
    assert said.count("\n") == 1


def test_everything_else_works(dojo: Run, little: Catalog, clone: Catalog) -> None:
    first = little.katas[0]
    assert "0 of 2 katas solved" in dojo()[1]
    assert "not started" in dojo("list")[1]
    code, said = dojo("doctor")
    assert code == 0, said
    assert "counting/add_one is complete" in said
    assert "Say it again" in dojo("hint", "add_one")[1]
    assert "solution" not in dojo("hint", "add_one", "--all")[1]
    assert dojo("author", "readme", "--check")[0] == 0
    assert dojo("test", "add_one")[0] == 1
    first.stub.write_bytes(clone.katas[0].solution.read_bytes())
    code, said = dojo("test", "add_one")
    assert code == 0
    assert "dojo diff" not in said
    assert "dojo further" in said
    assert "What you wrote" in dojo("reset", "add_one")[1]
    assert is_pristine(first)


def test_solutions_that_are_released_later_are_shown(dojo: Run, little: Catalog, clone: Catalog) -> None:
    first = little.katas[0]
    first.solution.parent.mkdir(parents=True)
    first.solution.write_bytes(clone.katas[0].solution.read_bytes())
    assert "return number + 1" in dojo("solution", "add_one", "--give-up")[1]
    assert dojo("solution", "add_two", "--give-up")[0] == 2


def test_a_stub_that_is_gone_from_there_is_named(dojo: Run, little: Catalog) -> None:
    little.katas[0].pristine.unlink()
    code, said = dojo("reset", "add_one")
    assert code == 3
    assert f"{PRISTINE}/counting/add_one.py" in said
    assert f"lacks {PRISTINE}/counting/add_one.py" in dojo("doctor")[1]


def test_what_speaks_of_solutions_goes_from_the_readme() -> None:
    text = (
        "# T\n\nA.\n\n<!-- with solutions -->\nB.\n\n<!-- end of with solutions -->\n```console\n$ dojo test  # t\n"
        "$ dojo diff x   # d\n$ uv run dojo review\n```\n"
    )
    short = class_readme(text)
    assert short.startswith("# T\n\nThis is a class repository")
    assert short.endswith("A.\n\n```console\n$ dojo test  # t\n```\n")
    assert class_readme(short) == short
