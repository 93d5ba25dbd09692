"""No submission of the red team gains a point, and none harms the machine, its neighbours or the batch.

What the grader says of each is asserted as its docstring states it. Where namespaces are not to be had, those that need
them are left out, which is said.
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from dojo.grader.intake import submissions
from dojo.runner.session import MAX_MESSAGE

from .redteam_corpus import DAEMON, HARM, ME, Attack, corpus, honest

ATTACKS = [*corpus(), *honest()]
TIME = 10
"""The class of those that take all the time there is."""


@pytest.fixture(scope="session")
def outcomes(bench, hurried, tmp_path_factory):
    """Every attack's verdict, with what the intake made of it; all of them before the first is looked at."""
    kata_of = {kata.name: kata for kata in bench.catalog}
    handed_in, asked = {}, []
    for attack in ATTACKS:
        if not _may_run(attack, bench):
            continue
        if isinstance(attack.source, Path):
            files, submission = {attack.kata: attack.source.read_bytes()}, None
        else:
            folder = tmp_path_factory.mktemp("class")
            attack.source(folder)
            found = {each.name: each for each in submissions(folder, [kata_of[attack.kata]])}
            submission = found.get(ME) or next(iter(found.values()))
            files = dict(submission.files)
            # Not left to pytest: it cannot remove a tree that is a thousand directories deep.
            subprocess.run(["rm", "-rf", "--", str(folder)], check=True)
        handed_in[attack.name] = submission
        if attack.kata in files:
            asked.append((attack.name, attack.kata, files[attack.kata]))
    before = _daemons()
    endless = {attack.name: attack for attack in ATTACKS if "timed-out" in attack.status or attack.number == TIME}
    # Those that also have something right need the time for it, after each test that never ends.
    halves = {name for name, attack in endless.items() if attack.points}
    verdicts = {}
    for judges, some in (
        (bench, [each for each in asked if each[0] not in endless]),
        (hurried, [each for each in asked if each[0] in endless.keys() - halves]),
        (replace(hurried, patience=bench.patience), [each for each in asked if each[0] in halves]),
    ):
        found = judges.all([(kata, source) for _, kata, source in some])
        verdicts.update({name: verdict for (name, _, _), verdict in zip(some, found, strict=True)})
    assert _daemons() <= before, "something that a submission has started is still there"
    return handed_in, verdicts


def _may_run(attack: Attack, bench) -> bool:
    return not attack.needs or bench.confinement.tier == "namespaces"


def _daemons() -> set[str]:
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if DAEMON.encode() in (process / "cmdline").read_bytes() + (process / "comm").read_bytes():
                found.add(process.name)
        except OSError:
            continue
    return found


def test_the_corpus_is_as_large_as_it_says():
    assert {attack.number for attack in corpus()} == set(range(1, 17))
    assert len(corpus()) >= 200


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_an_attack_gains_nothing(attack, bench, outcomes):
    if not _may_run(attack, bench):
        pytest.skip(f"needs confinement of {attack.needs}, and there are no namespaces here")
    handed_in, verdicts = outcomes
    submission, verdict = handed_in[attack.name], verdicts.get(attack.name)
    if verdict is None:
        status = "refused" if submission.trouble or attack.kata in submission.refused else "missing"
        assert status in attack.status, (submission.trouble, submission.refused, submission.notes)
        assert submission.trouble or submission.refused.get(attack.kata) or status == "missing"
        return
    passed = [test.name for test in verdict.tests if test.status == "passed"]
    told = [f"{test.name}: {test.status}: {test.message[:300]}" for test in verdict.tests if test.status != "passed"]
    assert (verdict.status in attack.status, len(passed)) == (True, attack.points), (verdict.message, passed, told[:2])
    for word in attack.flags:
        assert any(word in flag for flag in verdict.flags), verdict.flags
    assert attack.number or attack.flags or not verdict.flags, verdict.flags
    assert not any(HARM in test.message for test in verdict.tests), told
    assert len(verdict.tests) == len(bench.checked.inventory[attack.kata])
    assert all(len(test.message) <= MAX_MESSAGE for test in verdict.tests), "the journal keeps each of them"


def test_nothing_is_left_on_the_machine(outcomes):
    assert not any(HARM in name for place in (Path("/tmp"), Path.home(), Path.cwd()) for name in os.listdir(place))
