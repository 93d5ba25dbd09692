"""Threads under a baton share a CPU while they race, and only then."""

from __future__ import annotations

import os

import pytest

from dojo.lab import one_cpu

movable = pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="threads cannot be moved here")


def race(lab, seen):
    lab.attempts_sync(*[lambda: seen.append(allowed())] * 2)


def allowed():
    return os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()


@movable
def test_racing_threads_share_one_cpu_and_give_it_back(lab):
    before, seen = allowed(), []
    race(lab, seen)
    assert len(seen) == 2
    assert seen[0] == seen[1] <= before
    assert len(seen[0]) == 1
    assert allowed() == before


def test_where_threads_cannot_be_moved_they_race_all_the_same(lab, monkeypatch):
    monkeypatch.setattr(one_cpu, "_CURRENT", None)
    seen = []
    race(lab, seen)
    assert len(seen) == 2
