"""What else a student handed in that is ignored, and that an instructor may want to know of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from dojo.catalog import Kata
from dojo.grader.intake.names import listed
from dojo.grader.intake.shapes import Layer
from dojo.grader.intake.tree import Refused

STEERING = frozenset(
    {
        *("conftest.py", "pytest.ini", "pytest.toml", "pyproject.toml", "tox.ini", "setup.cfg"),
        *("sitecustomize.py", "usercustomize.py"),
    }
)
"""What pytest or Python would obey if it stood beside the tests."""


def remarks(layers: Sequence[Layer], katas: Sequence[Kata]) -> Iterator[str]:
    """One line on each subject; nothing on what every clone holds.

    Raises Unsafe if a file that had to be compared shows that its archive is damaged.
    """
    for kata in katas:
        if differing := list(_differing(layers, kata)):
            yield f"test_{kata.name}.py is not the repository's, which is used instead: {listed(differing)}"
    if steering := list(_steering(layers, katas)):
        yield f"ignored: {listed(steering, 6)}"
    links = [
        layer.tree.shown(node.path)
        for layer in layers
        for node in layer.tree.nodes.values()
        if node.kind in ("link", "other")
    ]
    if links:
        yield f"not files, ignored: {listed(links)}"
    for layer in layers:
        yield from layer.tree.remarks


def _differing(layers: Sequence[Layer], kata: Kata) -> Iterator[str]:
    trusted: bytes | None = None
    for layer in layers:
        for node in layer.tree.nodes.values():
            if node.name != f"test_{kata.name}.py" or layer.ours(node.path):
                continue
            trusted = trusted if trusted is not None else _lines(kata.test_file.read_bytes())
            if not _equal(layer, node.path, trusted):
                yield layer.tree.shown(node.path)


def _steering(layers: Sequence[Layer], katas: Sequence[Kata]) -> Iterator[str]:
    root = katas[0].root if katas else None
    for layer in layers:
        for node in layer.tree.nodes.values():
            if node.name not in STEERING and not node.name.endswith(".pth"):
                continue
            if root is None or not any(
                _is_the_repositorys(layer, node.path, root / node.path.removeprefix(clone))
                for clone in layer.clones
                if node.path.startswith(clone)
            ):
                yield layer.tree.shown(node.path)


def _is_the_repositorys(layer: Layer, path: str, own: Path) -> bool:
    try:
        return own.is_file() and _equal(layer, path, _lines(own.read_bytes()))
    except (OSError, ValueError):  # a name that no file here can have
        return False


def _equal(layer: Layer, path: str, trusted: bytes) -> bool:
    if layer.tree.nodes[path].kind != "file":
        return False
    try:
        return _lines(layer.tree.read(path)) == trusted
    except Refused:
        return False


def _lines(content: bytes) -> bytes:
    """Without what git and editors do to ends of lines."""
    return content.replace(b"\r\n", b"\n").rstrip()
