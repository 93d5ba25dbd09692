"""The learner's file is executed afresh each time, and nobody else notices how that is made cheap."""

from __future__ import annotations

import dataclasses
import importlib
import json
import sys

from dojo.lab.modules import Learner

TEXT = """
from dataclasses import dataclass, field

@dataclass(frozen=True, slots=True)
class Point:
    x: int
    y: int = {default}
    seen: list = field(default_factory=list)
"""


def load(tmp_path, name, default):
    file = tmp_path / f"{name}.py"
    file.write_text(TEXT.format(default=default))
    return Learner(name, file).load()


def test_dataclasses_of_the_same_text_share_nothing(tmp_path):
    first, second = load(tmp_path, "first", 1), load(tmp_path, "second", 2)
    assert (first.Point(0), second.Point(0)) == (first.Point(0, 1), second.Point(0, 2))
    assert first.Point(0) != second.Point(0)
    assert first.Point.__init__.__globals__ is not second.Point.__init__.__globals__
    first.Point(0).seen.append(1)
    assert first.Point(0).seen == second.Point(0).seen == []


def test_dataclasses_are_left_as_they_were(tmp_path):
    load(tmp_path, "first", 1)
    assert "exec" not in vars(dataclasses)

    @dataclasses.dataclass
    class Other:
        x: int

    assert Other(1) == Other(1)


def test_the_tests_keep_what_they_have_not_imported(tmp_path, monkeypatch):
    """A tested file that calls another number, or a class of its own, as the first one did changes no test."""
    texts = {
        "tested": "import json\n\nDEFAULT = 60\n\ndef answer():\n    return 1\n",
        "other": "class json:\n    pass\n\nDEFAULT = 5\n\ndef answer():\n    return 2\n",
        "tests_of_it": "import json\n\nimport tested as whole\nfrom tested import answer as asked\n\nTTL = 60\n",
    }
    for name, text in texts.items():
        (tmp_path / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    tests = importlib.import_module("tests_of_it")
    monkeypatch.delitem(sys.modules, "tests_of_it")
    monkeypatch.setitem(sys.modules, "tested", sys.modules.pop("tested"))  # gone again afterwards
    before = dict(vars(tests))
    with Learner("tested", tmp_path / "other.py", tests).fresh():
        assert (tests.asked(), tests.whole.DEFAULT) == (2, 5)
        assert (tests.TTL, tests.json) == (60, json)
    assert vars(tests) == before
