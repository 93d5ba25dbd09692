"""A namespace that was changed has another version, however it was changed; where Python counts none, that is said."""

from __future__ import annotations

import math
import sys
from types import ModuleType

import pytest

from dojo.grader.versions import version_of


class Owner:
    here = 1


def changes(owner):
    yield lambda: setattr(owner, "new", 1)
    yield lambda: setattr(owner, "new", math.pi)
    yield lambda: delattr(owner, "new")
    if not isinstance(owner, type):
        yield lambda: vars(owner).update(new=2)
        yield lambda: vars(owner).pop("new")
        yield lambda: vars(owner).setdefault("other", 3)
        yield lambda: object.__setattr__(owner, "other", 4)
        yield vars(owner).clear


@pytest.mark.parametrize(
    "owner", [ModuleType("one"), Owner, lambda: None, Owner()], ids=["module", "class", "def", "object"]
)
def test_each_change_is_counted_and_a_look_is_none(owner):
    version = version_of(vars(owner), of_object=isinstance(owner, Owner))
    if version is None:
        assert sys.version_info >= (3, 13)
        return
    seen = [version.value]
    for change in changes(owner):
        change()
        seen.append(version.value)
        getattr(owner, "other", None), list(vars(owner).values()), dir(owner)
        assert version.value == seen[-1]
    assert len(set(seen)) == len(seen)
