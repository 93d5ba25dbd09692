"""Which katas there are, where their files stand, and which file implements one.

The syllabus (`katas/syllabus.toml`) is the only list; everything else follows from a kata's track
and name. Nothing here imports more than the standard library: the pytest plugin and every command
start by importing this module.
"""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

SYLLABUS = Path("katas") / "syllabus.toml"
"""The marker of a repository root, relative to it."""

HOME = ".dojo"
"""The directory at the repository root that holds what belongs to one learner, never in git."""

PRISTINE = ".pristine"
"""The directory at the root of a class repository, which has no solutions, that holds what one derives from them
elsewhere: the stubs, as they were. An implementation tree like any other."""

_NAME = re.compile(r"[a-z][a-z0-9_]*\Z")
_FIELDS = {"track": str, "name": str, "title": str, "difficulty": int, "minutes": int, "needs": list}


class CatalogError(Exception):
    """A kata, a tree or the syllabus is not what was asked for; the message names the remedy."""


@dataclass(frozen=True, slots=True)
class Kata:
    """One kata of the syllabus. Its files may be incomplete: see `missing`."""

    track: str
    name: str
    title: str
    difficulty: int
    """1 (a warm-up) to 5 (a capstone)."""
    minutes: int
    """How long a working engineer needs the first time."""
    needs: tuple[str, ...]
    """Names of earlier katas whose ideas this one builds on."""
    root: Path
    """The repository that holds it, an absolute path."""

    @property
    def id(self) -> str:
        """`track/name`, as in the tree and in the tables."""
        return f"{self.track}/{self.name}"

    @property
    def directory(self) -> Path:
        return self.root / "katas" / self.track / self.name

    @property
    def readme(self) -> Path:
        return self.directory / "README.md"

    @property
    def stub(self) -> Path:
        """The file that the learner edits."""
        return self.directory / f"{self.name}.py"

    @property
    def test_file(self) -> Path:
        return self.directory / f"test_{self.name}.py"

    @property
    def on_a_broker(self) -> Path:
        """Tests on a real Celery worker, for ``--broker``; most katas have none."""
        return self.directory / "on_a_broker.py"

    @property
    def hints(self) -> Path:
        return self.directory / "hints.md"

    @property
    def solution(self) -> Path:
        return self.root / "solutions" / self.track / f"{self.name}.py"

    @property
    def pristine(self) -> Path:
        """The stub as it was, in a class repository."""
        return self.root / PRISTINE / self.track / f"{self.name}.py"

    @property
    def mutants(self) -> Path:
        """The directory of the wrong solutions that the kata's tests must reject."""
        return self.root / "tests" / "mutants" / self.track / self.name

    @property
    def alternatives(self) -> Path:
        """The directory of the right solutions of another design."""
        return self.root / "tests" / "alternatives" / self.track / self.name

    @property
    def flip(self) -> Path:
        """The learner's own tests of the kata, as `dojo flip` scores them."""
        return self.root / HOME / "flips" / self.name / f"test_{self.name}.py"

    @property
    def resettable(self) -> bool:
        """Whether there is what a fresh stub comes from."""
        return self.solution.is_file() or self.pristine.is_file()

    def missing(self) -> tuple[Path, ...]:
        """The parts of a complete kata that are not there, relative to the root."""
        for_class = is_class_repository(self.root)
        files = (self.readme, self.stub, self.test_file, self.hints, self.pristine if for_class else self.solution)
        gone = [path for path in files if not path.is_file()]
        if not for_class:
            gone += [path for path in (self.mutants, self.alternatives) if not any(path.glob("*.py"))]
        return tuple(path.relative_to(self.root) for path in gone)


@dataclass(frozen=True, slots=True)
class Catalog:
    """The syllabus, in teaching order."""

    root: Path
    katas: tuple[Kata, ...]

    def __iter__(self) -> Iterator[Kata]:
        return iter(self.katas)

    def __len__(self) -> int:
        return len(self.katas)

    @property
    def tracks(self) -> tuple[str, ...]:
        """Track names in the order of their first kata."""
        return tuple(dict.fromkeys(kata.track for kata in self.katas))

    def get(self, name: str) -> Kata | None:
        """The kata of exactly this name, or None."""
        return next((kata for kata in self.katas if kata.name == name), None)

    def find(self, query: str) -> Kata:
        """The kata that `query` names: a name, `track/name`, a path to it, or an unambiguous prefix.

        Raises CatalogError with the nearest names when there is none, and with the candidates when
        there are several.
        """
        wanted = _spoken_name(query)
        for kata in self.katas:
            if wanted in (kata.name, kata.id):
                return kata
        starts = [k for k in self.katas if wanted and (k.name.startswith(wanted) or k.id.startswith(wanted))]
        if len(starts) == 1:
            return starts[0]
        if starts:
            names = ", ".join(kata.name for kata in starts)
            raise CatalogError(f"{query!r} could be any of: {names}. Type more of the name.")
        raise CatalogError(self._unknown(query, wanted))

    def select(self, queries: Iterable[str]) -> tuple[Kata, ...]:
        """The katas that the queries name, in teaching order, each once; a track's name means all of it.

        A query may have several names with commas between them.
        """
        chosen: set[str] = set()
        for query in ",".join(queries).split(","):
            if _spoken_name(query) in self.tracks:
                chosen.update(kata.name for kata in self.katas if kata.track == _spoken_name(query))
            else:
                chosen.add(self.find(query).name)
        return tuple(kata for kata in self.katas if kata.name in chosen)

    def _unknown(self, query: str, wanted: str) -> str:
        import difflib  # only on the way to an error message

        names = [name for kata in self.katas for name in (kata.name, kata.id)]
        close = difflib.get_close_matches(wanted, names, n=6, cutoff=0.4)
        nearest = list(dict.fromkeys(match.rpartition("/")[2] for match in close))[:3]
        if nearest:
            return f"no kata is called {query!r}. Nearest: {', '.join(nearest)}. `dojo list` shows them all."
        return f"no kata is called {query!r}. There are: {', '.join(kata.name for kata in self.katas)}."


def _spoken_name(query: str) -> str:
    """What a query says once a path to the kata, as shell completion types it, is taken for its name."""
    parts = [part for part in query.replace("\\", "/").split("/") if part not in ("", ".")]
    if "katas" in parts:
        parts = parts[parts.index("katas") + 1 :]
    if parts and parts[-1].endswith((".py", ".md")):
        stem = parts.pop().rpartition(".")[0]
        parts = parts or [stem.removeprefix("test_")]
    return "/".join(parts[:2])


def find_root(start: Path | None = None) -> Path:
    """The repository root: the nearest directory from `start` (default: here) upwards with a syllabus,
    else the repository that this package is installed from.

    Raises CatalogError if neither holds one.
    """
    here = (start or Path.cwd()).resolve()
    for directory in (here, *here.parents, Path(__file__).resolve().parents[1]):
        if (directory / SYLLABUS).is_file():
            return directory
    raise CatalogError(
        f"no {SYLLABUS.as_posix()} in {here} or above it. Run dojo inside a clone of backend-dojo, "
        "or install that clone with `pip install -e .`."
    )


def is_class_repository(root: Path) -> bool:
    """Whether the repository at `root` is one that `dojo export --no-solutions` has made."""
    return (root / PRISTINE).is_dir()


def load(root: Path | None = None) -> Catalog:
    """The catalogue of the repository at `root`, or of the one we are in.

    Raises CatalogError if there is no syllabus or it is wrong; a kata whose files are incomplete is
    listed like any other.
    """
    return _load((root or find_root()).resolve())


@functools.lru_cache(maxsize=8)
def _load(root: Path) -> Catalog:
    path = root / SYLLABUS
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CatalogError(f"cannot read {path}: {error.strerror}. Restore it from a fresh clone.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CatalogError(f"{path} is not valid TOML: {error}.") from error
    katas: list[Kata] = []
    for number, entry in enumerate(data.get("kata", []), start=1):
        katas.append(_entry(path, number, entry, root, {kata.name for kata in katas}))
    if not katas:
        raise CatalogError(f"{path} lists no kata. Each one is a [[kata]] table.")
    return Catalog(root, tuple(katas))


def _entry(path: Path, number: int, entry: dict[str, object], root: Path, earlier: set[str]) -> Kata:
    where = f"{path}, [[kata]] number {number} ({entry.get('name', 'no name')})"
    if wrong := sorted(entry.keys() ^ _FIELDS.keys()):
        raise CatalogError(f"{where}: missing or unknown: {', '.join(wrong)}. Each needs {', '.join(_FIELDS)}.")
    for field, kind in _FIELDS.items():
        if type(entry[field]) is not kind:
            raise CatalogError(f"{where}: {field} must be a {kind.__name__}.")
    track, name, title = (cast(str, entry[field]) for field in ("track", "name", "title"))
    difficulty, minutes = (cast(int, entry[field]) for field in ("difficulty", "minutes"))
    needs = cast(list[str], entry["needs"])
    if not (_NAME.match(track) and _NAME.match(name)):
        raise CatalogError(f"{where}: track and name must be lower_case Python names.")
    if name in earlier:
        raise CatalogError(f"{where}: {name} is listed twice; kata names are unique in the repository.")
    if not 1 <= difficulty <= 5 or minutes < 1:
        raise CatalogError(f"{where}: difficulty is 1 to 5, minutes at least 1.")
    if late := [need for need in needs if need not in earlier]:
        raise CatalogError(f"{where}: needs {', '.join(map(str, late))}, which does not come earlier.")
    return Kata(track, name, title, difficulty, minutes, tuple(needs), root)


def kata_of_file(path: Path, catalog: Catalog) -> Kata | None:
    """The kata that a single file belongs to or implements, or None.

    A mutant or an alternative stands in a directory called like its kata, and so do the kata's own
    files; a loose submission carries the kata's name itself. The directory comes first: an
    alternative may be called after a mechanism that is some other kata's name.
    """
    path = path.resolve()
    return catalog.get(path.parent.name) or catalog.get(path.stem)


def kata_of_tests(path: Path, catalog: Catalog) -> Kata | None:
    """The kata that a test file tests, be it the repository's or the learner's own; None for any other file."""
    if path.is_relative_to(catalog.root / "katas"):
        return kata_of_file(path, catalog)
    return next((kata for kata in catalog if path == kata.flip), None)


def resolve_impl(tree: Path, kata: Kata) -> Path | None:
    """The file of the implementation tree `tree` that implements `kata`, or None if it has none.

    A tree is a directory that holds `<kata>.py` as `<track>/<kata>/<kata>.py`, `<track>/<kata>.py`,
    `<kata>/<kata>.py` or loose, at its top or under its own `katas/` (a whole clone), else in one
    single place further down. A tree may also be one file: a mutant, an alternative, a submission.

    Raises CatalogError if the tree does not exist, or holds several candidates further down.
    """
    if tree.is_file():
        return tree if kata_of_file(tree, load(kata.root)) == kata else None
    if not tree.is_dir():
        raise CatalogError(f"no implementation tree at {tree}. Name a directory or one Python file.")
    file = f"{kata.name}.py"
    shapes = (Path(kata.track, kata.name, file), Path(kata.track, file), Path(kata.name, file), Path(file))
    for top in (tree, tree / "katas"):
        for shape in shapes:
            if (top / shape).is_file():
                return top / shape
    deeper = sorted(path for path in tree.rglob(file) if path.is_file() and not _hidden(path.relative_to(tree)))
    if len(deeper) > 1:
        places = ", ".join(path.relative_to(tree).as_posix() for path in deeper)
        raise CatalogError(f"{tree} holds {file} more than once ({places}). Name the directory of one of them.")
    return deeper[0] if deeper else None


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") or part == "__pycache__" for part in path.parts)
