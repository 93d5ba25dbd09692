"""Stubs derived from solutions: what stays and what goes."""

from __future__ import annotations

import ast
import importlib.util
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from dojo.catalog import Kata, load
from dojo.stubs import StubError, derive_stub, is_pristine, stub_of, write_stub

ROOT = Path(__file__).resolve().parents[1]
FINISHED = [kata for kata in load(ROOT) if kata.solution.is_file()]


def stub(source: str) -> str:
    return derive_stub(dedent(source).lstrip("\n"))


# A solution with everything that the rules speak of, and its stub. They are files of their own so
# that `ruff format --check` and `ruff check` judge the derived text as they judge the katas.
WHOLE = (Path(__file__).parent / "stubs" / "whole_solution.py").read_text(encoding="utf-8")
WHOLE_STUB = (Path(__file__).parent / "stubs" / "whole_stub.py").read_text(encoding="utf-8")


def test_a_whole_solution() -> None:
    assert derive_stub(WHOLE) == WHOLE_STUB


def test_a_stub_of_a_stub_is_itself() -> None:
    once = derive_stub(WHOLE)
    assert derive_stub(once) == once


def test_a_decorator_factory_loses_everything_inside() -> None:
    text = stub(
        '''
        from collections.abc import Callable
        from functools import wraps
        from typing import ParamSpec, TypeVar, overload

        P = ParamSpec("P")
        _T = TypeVar("_T")


        @overload
        def cached(function: Callable[P, _T]) -> Callable[P, _T]: ...


        @overload
        def cached(*, ttl: float) -> Callable[[Callable[P, _T]], Callable[P, _T]]: ...


        def cached(function=None, *, ttl=1.0):
            """Caches."""

            def decorate(inner):
                @wraps(inner)
                def call(*args, **kwargs):
                    return inner(*args, **kwargs)

                return call

            return decorate if function is None else decorate(function)
        '''
    )
    assert "from functools" not in text
    assert '_T = TypeVar("_T")' in text
    assert text.count("@overload") == 2
    assert text.endswith(
        '    """Caches."""\n    raise NotImplementedError("cached is yours to write; its rules stand in README.md")\n'
    )


def test_comments_say_keep_drop_and_where_to_start() -> None:
    text = stub(
        """
        import asyncio
        import json

        CODES = {1: "gone"}  # stub: drop


        # stub: keep
        def encode(body: object) -> bytes:
            return json.dumps(body).encode()


        @staticmethod
        def route(body: bytes) -> str:  # stub: rule 4
            return asyncio.run(body)


        def internal() -> None:  # stub: drop
            return None


        class Router:
            def close(self) -> None:  # stub: keep
                self.closed = True

            # stub: drop
            def open(self) -> None:
                self.closed = False
        """
    )
    assert text == dedent(
        """
        import json


        def encode(body: object) -> bytes:
            return json.dumps(body).encode()


        @staticmethod
        def route(body: bytes) -> str:
            raise NotImplementedError("route is yours to write; start with rule 4 of README.md")


        class Router:
            def close(self) -> None:
                self.closed = True
        """
    ).lstrip("\n")


def test_importing_a_stub_never_runs_what_is_unwritten() -> None:
    text = stub(
        """
        class Schedule:
            def __post_init__(self) -> None:
                self.ready = True


        def build() -> Schedule:
            return Schedule()


        DEFAULT = build()
        OTHER = Schedule()
        LIMIT = int("3")
        """
    )
    assert "DEFAULT" not in text
    assert "OTHER" not in text
    assert 'LIMIT = int("3")' in text


def test_a_lower_case_name_stays_only_if_something_needs_it() -> None:
    text = stub(
        """
        import logging

        from fastapi import APIRouter

        router = APIRouter()
        logger = logging.getLogger(__name__)


        @router.get("/")
        async def home() -> str:
            logger.info("home")
            return "home"
        """
    )
    assert "router = APIRouter()" in text
    assert "logg" not in text


def test_a_shortened_import_is_written_as_ruff_would() -> None:
    names = [f"Name{letter}{'x' * 12}" for letter in "abcdef"]
    text = stub(
        f"""
        from somewhere import (
            {("," + chr(10) + "            ").join([*names, "Zebra"])},
        )


        def use({", ".join(f"{name.lower()}: {name}" for name in names[:3])}) -> None:
            return Zebra()


        def more(
            {("," + chr(10) + "            ").join(f"{name.lower()}: {name}" for name in names[3:])},
        ) -> None:
            return None
        """
    )
    assert text.startswith("from somewhere import (\n    Nameaxxxxxxxxxxxx,\n")
    assert "Zebra" not in text
    assert stub("from a import Bb, Cc\n\n\ndef use(c: Cc) -> None:\n    Bb()\n").startswith("from a import Cc\n")


def test_a_method_that_is_left_to_subclasses_stays() -> None:
    source = """
        from abc import ABC, abstractmethod


        class Store(ABC):
            @abstractmethod
            def get(self, key: str) -> bytes:
                \"\"\"Reads.\"\"\"

            def put(self, key: str) -> None:
                raise NotImplementedError("this store is read-only")
        """
    assert stub(source) == dedent(source).lstrip("\n")


def test_a_quoted_annotation_needs_its_import() -> None:
    text = stub('from a import Thing\n\n\ndef use(thing: "Thing | None") -> "Thing":\n    return thing\n')
    assert text.startswith("from a import Thing\n")


def test_a_syntax_error_names_the_line() -> None:
    with pytest.raises(StubError, match="line 2"):
        derive_stub("x = 1\ndef (\n")


def test_a_misspelt_stub_comment_names_the_line_and_the_choices() -> None:
    with pytest.raises(StubError, match=r"line 1: '# stub: kepe'.*keep, drop or rule N"):
        derive_stub("X = 1  # stub: kepe\n")


@pytest.fixture
def kata(tmp_path: Path) -> Kata:
    made = Kata("rate", "rate_limiter", "A title", 3, 45, (), tmp_path)
    made.solution.parent.mkdir(parents=True)
    made.solution.write_text("def hit() -> int:\n    return 1\n", encoding="utf-8")
    return made


def test_writing_a_stub_replaces_the_learners_file_and_leaves_nothing_beside_it(kata: Kata) -> None:
    kata.directory.mkdir(parents=True)
    kata.stub.write_text("mine\n", encoding="utf-8")
    assert not is_pristine(kata)
    assert write_stub(kata) == kata.stub
    assert is_pristine(kata)
    assert kata.stub.read_text(encoding="utf-8") == stub_of(kata)
    assert [path.name for path in kata.directory.iterdir()] == ["rate_limiter.py"]


def test_a_missing_solution_is_an_error_that_names_it(kata: Kata) -> None:
    kata.solution.unlink()
    with pytest.raises(StubError, match=r"solutions/rate/rate_limiter\.py.*fresh clone"):
        stub_of(kata)


def test_a_wrong_solution_is_an_error_that_names_it(kata: Kata) -> None:
    kata.solution.write_text("def (\n", encoding="utf-8")
    with pytest.raises(StubError, match=r"rate_limiter\.py, line 1"):
        stub_of(kata)


@pytest.mark.parametrize("kata", FINISHED, ids=lambda kata: kata.name)
def test_every_stub_is_ready_to_work_in(kata: Kata, tmp_path: Path) -> None:
    """It imports, promises all that the solution promises, and hides how that is done."""
    text = stub_of(kata)
    assert derive_stub(text) == text
    path = tmp_path / kata.stub.name
    path.write_text(text, encoding="utf-8")
    spec = importlib.util.spec_from_file_location(f"stub_{kata.name}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    try:
        spec.loader.exec_module(module)
    finally:
        del sys.modules[spec.name]
    solution = ast.parse(kata.solution.read_text(encoding="utf-8"))
    promised = {node.name for node in solution.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    assert {name for name in promised if not name.startswith("_")} <= set(vars(module))
    assert "NotImplementedError" in text
