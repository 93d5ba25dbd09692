"""Who in a crew does what. No cell starts a process here: it does so when it is asked to run something."""

from __future__ import annotations

import threading

from dojo.grader.cell import Setting
from dojo.grader.confine.cage import Bars
from dojo.grader.crew import Crew
from dojo.runner import Limits

SETTING = Setting("/nowhere", (), "", Bars("none"), Limits())
PATIENCE_S = 10


def test_what_is_alike_stays_with_one_cell_as_long_as_there_is_enough_of_it():
    both_at_work = threading.Barrier(2)
    seen: dict[object, list[str]] = {}

    def work(cell, item):
        both_at_work.wait(PATIENCE_S)
        seen.setdefault(cell, []).append(item)
        return item

    items = ["lock"] * 4 + ["queue"] * 2 + ["cache"] * 2
    with Crew(SETTING, 2) as crew:
        finished = [done.result for done in crew.each(work, items, str)]
    assert sorted(finished) == sorted(items)
    assert sorted(seen.values()) == [["lock"] * 4, ["queue"] * 2 + ["cache"] * 2]


def test_nobody_is_idle_while_another_has_work_left():
    both_at_work = threading.Barrier(2)

    def work(cell, item):
        both_at_work.wait(PATIENCE_S)
        return cell

    with Crew(SETTING, 2) as crew:
        cells = [done.result for done in crew.each(work, ["lock"] * 4, str)]
    assert len(set(cells)) == 2
