"""From a student's entries to the submission: opened, resolved and read, one student at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dojo.grader.intake.archive import foreign, stem
from dojo.grader.intake.entries import Part, Student
from dojo.grader.intake.exports import without_number
from dojo.grader.intake.names import clean, listed
from dojo.grader.intake.opening import Wanted, opened
from dojo.grader.intake.remarks import remarks
from dojo.grader.intake.shapes import Layer, Place, resolve
from dojo.grader.intake.shelf import Shelf
from dojo.grader.intake.tree import MAX_ARCHIVE, MAX_FILE, Loose, Refused, Tree, Unsafe
from dojo.grader.model import Submission

_ARCHIVES = 8
"""Archives that one student's directory or archive may hold; more are not opened."""


def read(student: Student, shelf: Shelf, wanted: Wanted, whole: bool = False) -> Submission:
    """What the student handed in. `whole`: all that is on the shelf is this student's.

    Never raises for what was handed in.
    """
    layers: list[Layer] = []
    failures: list[str] = []
    if whole:
        _open_whole(shelf, wanted, layers, failures)
    else:
        for part, rank in _ranked(student.parts):
            _open(shelf, part, rank, len(student.parts) > 1, wanted, layers, failures)
    files: dict[str, bytes] = {}
    refused: dict[str, str] = {}
    notes = list(student.notes)
    try:
        for kata in wanted.katas:
            place = None
            try:
                if (place := resolve(layers, kata)) is not None:
                    files[kata.name] = place.read()
                    notes += _about(place, layers)
            except Refused as error:
                refused[kata.name] = f"{place.shown} {error}." if place else str(error)
        notes += remarks(layers, wanted.katas)
    except Unsafe as error:  # opening it read the same files, so this is a file that changes under our hands
        files, refused, failures = {}, {}, [*failures, str(error)]
    if failures and not (files or refused):
        return _submission(student, trouble=" ".join(f"{failure}." for failure in failures), notes=notes)
    return _submission(student, files, refused, notes=[*notes, *failures])


def _submission(
    student: Student,
    files: dict[str, bytes] | None = None,
    refused: dict[str, str] | None = None,
    trouble: str = "",
    notes: Sequence[str] = (),
) -> Submission:
    return Submission(
        student.name, student.origin, files or {}, refused or {}, trouble, tuple(notes), roster_id=student.roster_id
    )


def _ranked(parts: Sequence[Part]) -> Iterator[tuple[Part, int]]:
    """The latest hand-in first; those without a time, or with the same, are of one rank."""
    times = sorted({part.exported.when if part.exported else () for part in parts}, reverse=True)
    for part in parts:
        yield part, times.index(part.exported.when if part.exported else ())


def _open(
    shelf: Shelf, part: Part, rank: int, several: bool, wanted: Wanted, layers: list[Layer], failures: list[str]
) -> None:
    label = part.entry.name if several else ""
    try:
        tree = _tree(shelf, part, label, wanted)
    except (Refused, Unsafe) as error:
        failures.append(f"{clean(part.entry.name, 160)} {error}")
        return
    _add(tree, rank, wanted, layers, failures)


def _open_whole(shelf: Shelf, wanted: Wanted, layers: list[Layer], failures: list[str]) -> None:
    try:
        tree = shelf.whole()
    except Unsafe as error:
        failures.append(f"this {error}")
        return
    _add(tree, 0, wanted, layers, failures)


def _tree(shelf: Shelf, part: Part, label: str, wanted: Wanted) -> Tree:
    """Raises Refused and Unsafe."""
    entry = part.entry
    if entry.kind == "link":
        raise Unsafe("is a symbolic link, which is not followed. Put the directory itself there")
    if entry.kind == "directory":
        return shelf.tree(entry.name, label)
    own = part.exported.own if part.exported else ""
    if foreign(own or entry.name):
        raise Unsafe("is an archive that is not read. Hand in a .zip")
    if stem(own or entry.name) is not None:
        return opened(shelf.file(entry.name, MAX_ARCHIVE), label, wanted)
    plain = without_number(own)
    own = plain if plain in wanted.read else own
    try:
        return Loose(own, shelf.file(entry.name, MAX_FILE), entry.name)
    except Refused as error:
        return Loose(own, None, entry.name, str(error), entry.size)


def _add(tree: Tree, rank: int, wanted: Wanted, layers: list[Layer], failures: list[str]) -> None:
    """The tree as a layer, and the archives at its top, as Moodle's directories hold them, as layers behind it."""
    layer = Layer(tree, (rank, 0))
    layers.append(layer)
    tops = ("", layer.top)
    packed = [
        node
        for node in tree.nodes.values()
        if node.kind == "file" and node.path[: -len(node.name)] in tops and (stem(node.name) or foreign(node.name))
    ]
    for node in packed[:_ARCHIVES]:
        shown = tree.shown(node.path)
        try:
            if foreign(node.name):
                raise Unsafe("is an archive that is not read. Hand in a .zip")
            inner = opened(tree.read(node.path, MAX_ARCHIVE), shown, wanted)
        except (Refused, Unsafe) as error:
            failures.append(f"{shown} {error}")
            continue
        layers.append(Layer(inner, (rank, 1)))
    if len(packed) > _ARCHIVES:
        failures.append(f"holds more than {_ARCHIVES} archives; only the first were opened")


def _about(place: Place, layers: Sequence[Layer]) -> Iterator[str]:
    """What is worth knowing of a file that is graded."""
    if place.node.links > 1:
        yield f"{place.shown} is one of {place.node.links} hard links to a file"
    others = [
        layer.tree.shown(node.path)
        for layer in layers
        if layer.rank != place.layer.rank
        for node in layer.tree.nodes.values()
        if node.name == place.node.name and node.kind == "file" and not layer.ours(node.path)
    ]
    if others:
        yield f"{place.shown} is graded, {listed(others)} is not"
