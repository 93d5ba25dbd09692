"""Imports once what every run would otherwise import again."""

from __future__ import annotations

import contextlib
import gc
import importlib
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

from dojo.runner.results import RunnerError

if TYPE_CHECKING:
    import pytest

# What the katas and the lab stand on; in a forked run each is then there for nothing. Submodules are
# named where the libraries import them late. None may warn when it is imported: a warning that a plain
# pytest turns into an error would go unseen in a warm run.
_NEEDED = (
    "pytest",
    "pytest_asyncio.plugin",
    "time_machine",
    "fakeredis",
    "lupa",
    "redis.asyncio",
    "fastapi",
    "httpx",
    "celery",
    "celery.worker.request",
    "kombu.transport.memory",
    "hypothesis.strategies",
    "dojo.lab",
    "dojo.lab.imports",
    "dojo.lab.report",
)
# What only some runs use, and what libraries import late, private modules among it: a run imports it itself
# if it is missing here.
_WELCOME = (
    *("lupa.lua51", "httpx_ws", "limits", "limits.aio", "tenacity", "throttled.asyncio"),
    *("async_lru", "purgatory.domain.model", "httpx_sse", "sse_starlette", "broadcaster._backends.memory"),
    *("cachetools", "dojo.lab.properties"),
    *("celery.app.amqp", "celery.app.events", "celery.backends.base", "celery.events.receiver"),
    *("celery.loaders.app", "kombu.mixins", "kombu.simple", "dojo.lab.celery_driver"),
    *("pydantic.v1.main", "pydantic.v1.schema", "anyio._backends._asyncio", "anyio.streams.tls"),
    *("dojo.lab.fakes.peers", "dojo.lab.fakes.browsers", "pdb", "unittest.mock", "encodings.idna"),
)

_warm = False


def _pytest_plugins() -> list[str]:
    """pytest's own plugins, which it imports when a session begins."""
    from _pytest.config import default_plugins

    return [f"_pytest.{name}" for name in default_plugins]


def warm() -> None:
    """Imports pytest, the lab and the katas' libraries, and moves them out of the collector's sight.

    Worth its one or two seconds as soon as several runs follow; calls after the first do nothing.
    """
    global _warm
    if _warm:
        return
    for name in _NEEDED:
        try:
            importlib.import_module(name)
        except ImportError as error:
            raise RunnerError(f"cannot import {name}: {error}. Run `pip install -e .` in the clone.") from error
    for name in (*_WELCOME, *_pytest_plugins()):
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    # The fake reads its table of commands when its first server is made.
    import fakeredis

    fakeredis.FakeStrictRedis(server=fakeredis.FakeServer()).ping()
    # Otherwise the first collection in each child touches, and thereby copies, every page.
    gc.collect()
    gc.freeze()
    _warm = True


def read_constants(tests: Iterable[pytest.Item]) -> None:
    """Has Hypothesis, if any of `tests` is its, read the modules that there are, which otherwise each forked run does.

    That is a quarter of a second. Its examples stay the same: it collects the constants of all code that is nobody's
    library, the lab's among them, and remembers what it has found in each module; this only fills that memory.
    """
    if not any(hasattr(getattr(item, "obj", None), "hypothesis") for item in tests):
        return
    with contextlib.suppress(ImportError, AttributeError):  # it has no public name, and a run can do without
        from hypothesis.internal.constants_ast import constants_from_module, is_local_module_file

        for module in list(sys.modules.values()):
            file = getattr(module, "__file__", None)
            if isinstance(file, str) and is_local_module_file(file):
                constants_from_module(module)
