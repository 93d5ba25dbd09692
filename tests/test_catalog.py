"""The syllabus, looking katas up in it, and finding the file of a tree that implements one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from dojo.catalog import Catalog, CatalogError, Kata, find_root, kata_of_file, load, resolve_impl

ENTRY = """
[[kata]]
track = "{track}"
name = "{name}"
title = "A title"
difficulty = 3
minutes = 45
needs = {needs}
"""

NAMES = (("rate", "rate_limiter"), ("rate", "redis_lock"), ("messaging", "dlq_router"))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_syllabus(tmp_path / "clone", "".join(ENTRY.format(track=t, name=n, needs="[]") for t, n in NAMES))


@pytest.fixture
def catalog(root: Path) -> Catalog:
    return load(root)


def write_syllabus(root: Path, text: str) -> Path:
    (root / "katas").mkdir(parents=True, exist_ok=True)
    (root / "katas" / "syllabus.toml").write_text(text, encoding="utf-8")
    return root


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("", encoding="utf-8")
    return path


def limiter(catalog: Catalog) -> Kata:
    return catalog.find("rate_limiter")


def test_the_syllabus_keeps_its_order(catalog: Catalog) -> None:
    assert [kata.id for kata in catalog] == ["rate/rate_limiter", "rate/redis_lock", "messaging/dlq_router"]
    assert catalog.tracks == ("rate", "messaging")


def test_the_projects_own_syllabus_starts_with_the_gentlest_kata() -> None:
    katas = load().katas
    assert katas[0].id == "resilience/backoff_schedule"
    assert katas[0].difficulty == min(kata.difficulty for kata in katas)


@pytest.mark.parametrize(
    "query",
    [
        "dlq_router",
        "messaging/dlq_router",
        "dlq",
        "messaging/dlq",
        "mess",
        "katas/messaging/dlq_router",
        "./katas/messaging/dlq_router/",
        "katas/messaging/dlq_router/dlq_router.py",
        "katas/messaging/dlq_router/test_dlq_router.py",
        "test_dlq_router.py",
    ],
)
def test_a_kata_answers_to_its_name_its_path_and_a_prefix(catalog: Catalog, query: str) -> None:
    assert catalog.find(query).name == "dlq_router"


def test_an_unknown_name_lists_the_nearest(catalog: Catalog) -> None:
    with pytest.raises(CatalogError, match=r"'rate_limter'.*Nearest: rate_limiter") as caught:
        catalog.find("rate_limter")
    assert "dojo list" in str(caught.value)


@pytest.mark.parametrize("query", ["zzzzzz", "", "/"])
def test_a_name_like_nothing_lists_all(catalog: Catalog, query: str) -> None:
    with pytest.raises(CatalogError, match="There are: rate_limiter, redis_lock, dlq_router"):
        catalog.find(query)


def test_an_ambiguous_prefix_lists_the_candidates(catalog: Catalog) -> None:
    with pytest.raises(CatalogError, match="rate_limiter, redis_lock"):
        catalog.find("r")


def test_a_full_name_wins_over_longer_names_that_start_with_it(root: Path) -> None:
    write_syllabus(root, "".join(ENTRY.format(track="a", name=name, needs="[]") for name in ("cache", "cache_key")))
    assert load(root / "." / "katas" / "..").find("cache").name == "cache"


def test_a_tracks_name_selects_all_of_it_once_and_in_order(catalog: Catalog) -> None:
    assert [kata.name for kata in catalog.select(["dlq", "redis_lock", "rate"])] == [n for _, n in NAMES]


def test_the_root_is_found_from_below(root: Path) -> None:
    below = root / "katas" / "rate" / "rate_limiter"
    below.mkdir(parents=True)
    assert find_root(below) == root


def test_outside_a_clone_the_installed_package_says_where_the_root_is(tmp_path: Path) -> None:
    assert find_root(tmp_path) == Path(__file__).resolve().parents[1]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[[kata", "not valid TOML"),
        ("", "lists no kata"),
        (ENTRY.format(track="a", name="b", needs="[]").replace("minutes", "minuets"), "minuets, minutes"),
        (ENTRY.format(track="a", name="b", needs="[]").replace("45", '"45"'), "minutes must be a int"),
        (ENTRY.format(track="a", name="b", needs="[]").replace("3", "6"), "difficulty is 1 to 5"),
        (ENTRY.format(track="a", name="b-c", needs="[]"), "lower_case"),
        (ENTRY.format(track="../a", name="b", needs="[]"), "lower_case"),
        (ENTRY.format(track="a", name="b", needs="[]") * 2, "listed twice"),
        (ENTRY.format(track="a", name="b", needs='["later"]'), "needs later"),
    ],
)
def test_a_wrong_syllabus_says_what_is_wrong(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(CatalogError, match=complaint):
        load(write_syllabus(tmp_path, text))


def test_a_missing_syllabus_names_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match="fresh clone"):
        load(tmp_path)


def test_an_incomplete_kata_is_listed_and_says_what_is_missing(catalog: Catalog) -> None:
    kata = limiter(catalog)
    touch(kata.readme)
    touch(kata.mutants / "one.py")
    assert [path.as_posix() for path in kata.missing()] == [
        "katas/rate/rate_limiter/rate_limiter.py",
        "katas/rate/rate_limiter/test_rate_limiter.py",
        "katas/rate/rate_limiter/hints.md",
        "solutions/rate/rate_limiter.py",
        "tests/alternatives/rate/rate_limiter",
    ]


@pytest.mark.parametrize(
    "place",
    [
        "rate/rate_limiter/rate_limiter.py",
        "rate/rate_limiter.py",
        "rate_limiter/rate_limiter.py",
        "rate_limiter.py",
        "katas/rate/rate_limiter/rate_limiter.py",
        "week 3/mine/rate_limiter.py",
    ],
)
def test_a_tree_may_have_any_of_the_usual_shapes(catalog: Catalog, tmp_path: Path, place: str) -> None:
    tree = tmp_path / "tree"
    file = touch(tree / place)
    assert resolve_impl(tree, limiter(catalog)) == file
    assert resolve_impl(tree, catalog.find("dlq_router")) is None


def test_the_katas_own_place_comes_before_a_loose_file(catalog: Catalog, tmp_path: Path) -> None:
    touch(tmp_path / "rate_limiter.py")
    own = touch(tmp_path / "rate" / "rate_limiter" / "rate_limiter.py")
    assert resolve_impl(tmp_path, limiter(catalog)) == own


def test_hidden_copies_do_not_count(catalog: Catalog, tmp_path: Path) -> None:
    touch(tmp_path / ".dojo" / "backups" / "rate_limiter.py")
    assert resolve_impl(tmp_path, limiter(catalog)) is None


def test_two_candidates_far_down_are_an_error_not_a_guess(catalog: Catalog, tmp_path: Path) -> None:
    touch(tmp_path / "a" / "old" / "rate_limiter.py")
    touch(tmp_path / "a" / "new" / "rate_limiter.py")
    with pytest.raises(CatalogError, match=r"a/new/rate_limiter.py, a/old/rate_limiter.py"):
        resolve_impl(tmp_path, limiter(catalog))


def test_a_tree_that_is_not_there_is_an_error(catalog: Catalog, tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match="no implementation tree"):
        resolve_impl(tmp_path / "nowhere", limiter(catalog))


def test_one_file_implements_the_kata_of_its_directory_else_of_its_own_name(
    catalog: Catalog, root: Path, tmp_path: Path
) -> None:
    mutant = touch(root / "tests" / "mutants" / "rate" / "rate_limiter" / "redis_lock.py")
    loose = touch(tmp_path / "inbox" / "redis_lock.py")
    assert kata_of_file(mutant, catalog) == limiter(catalog)
    assert kata_of_file(loose, catalog) == catalog.find("redis_lock")
    assert kata_of_file(touch(tmp_path / "other.py"), catalog) is None
    assert resolve_impl(mutant, limiter(catalog)) == mutant
    assert resolve_impl(mutant, catalog.find("redis_lock")) is None


def test_importing_the_catalogue_stays_cheap() -> None:
    code = (
        "import sys, dojo.catalog; "
        "print([m for m in ('typer', 'rich', 'pytest', 'redis', 'celery', 'asyncio') if m in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_several_names_may_stand_in_one_query():
    chosen = load().select(["cache_aside,rate_limiter", "rate_limiter"])
    assert [kata.name for kata in chosen] == ["cache_aside", "rate_limiter"]
