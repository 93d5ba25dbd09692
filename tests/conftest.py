"""Starts gathering the gate's evidence as soon as it is known that the gate will be asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from .gate.evidence import Evidence, Gathering

_GATHERING = pytest.StashKey[Gathering]()
_PARTS = {
    "test_small_faults_are_noticed": "score",
    "test_the_solution_passes_in_any_order_and_on_a_real_server": "elsewhere",
    "test_another_interpreter_gives_the_same_results": "elsewhere",
}

_HERE = Path(__file__).parent
_TOOLS = ("author", "cli", "fidelity", "grader", "lab", "plots", "plugin", "practice", "runner", "watch")
"""Directories of tests that are about `dojo/` and say nothing of a kata."""


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """The tools' tests are run by `-m tools`, or if one of their paths is given."""
    if collection_path.parent != _HERE or collection_path.name not in _TOOLS or config.option.markexpr:
        return None
    given = [Path(config.invocation_params.dir, str(arg).split("::")[0]).resolve() for arg in config.args]
    return None if any(path.is_relative_to(collection_path) for path in given) else True


@pytest.hookimpl(tryfirst=True)  # before pytest deselects by marker
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent.parent == _HERE and item.path.parent.name in _TOOLS:
            item.add_marker("tools")


def pytest_collection_finish(session: pytest.Session) -> None:
    """Nothing is started for a mere listing, nor by each of xdist's workers."""
    if not session.config.option.collectonly and not hasattr(session.config, "workerinput"):
        _start(session)


def _start(session: pytest.Session) -> Gathering | None:
    items = [item for item in session.items if item.path.name == "test_gate.py" and isinstance(item, pytest.Function)]
    if not items:
        return None
    katas = {item.callspec.params["kata"].name for item in items if hasattr(item, "callspec")}
    parts = {_PARTS.get(item.originalname, "check") for item in items}
    gathering = Gathering(sorted(katas), sorted(parts))
    session.config.stash[_GATHERING] = gathering
    return gathering


def pytest_unconfigure(config: pytest.Config) -> None:
    if _GATHERING in config.stash:
        config.stash[_GATHERING].stop()


@pytest.fixture(scope="session")
def evidence(request: pytest.FixtureRequest) -> Evidence:
    """What the gate's tests look at."""
    gathering = request.config.stash.get(_GATHERING, None) or _start(request.session)
    assert gathering is not None
    return gathering.wait()
