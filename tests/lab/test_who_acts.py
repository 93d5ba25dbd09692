"""Who acts, whatever the tested code does with contexts and threads; and what it cannot unsay."""

from __future__ import annotations

import contextvars
import sys

import pytest

from dojo.lab.explore import Experiment, conduct, sweep
from dojo.lab.modules import Learner
from dojo.lab.servers import FakeBackend
from dojo.lab.verdict import Failure

SOURCE = """
import asyncio, contextvars, threading

def swallow(call):
    try:
        call()
    except Exception:
        pass

async def in_an_empty_context(client):
    await asyncio.create_task(client.set("key", "value"), context=contextvars.Context())

async def in_an_empty_callback(client):
    asyncio.get_running_loop().call_soon(swallow, client.ping, context=contextvars.Context())
    await asyncio.sleep(0)

async def keep(value):
    asyncio.get_running_loop().kept = value

def in_a_thread(client):
    errors = []
    def ask():
        try:
            client.ping()
        except Exception as error:
            errors.append(error)
    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
"""


@pytest.fixture
def told(tmp_path, monkeypatch):
    """Conducts a test function that knows a learner's module as `mine`; the session."""
    file = tmp_path / "mine.py"
    file.write_text(SOURCE)
    learner = Learner("mine", file)
    monkeypatch.setitem(sys.modules, "mine", learner.load())
    return lambda test: conduct(Experiment(test, {"mine": sys.modules["mine"]}, FakeBackend(), learner))


def error(session):
    return session.failed and session.failed.error


def test_a_verdict_stands_whoever_has_caught_it(told):
    def swallows(lab, mine):
        mine.swallow(lambda: lab.expect("answer", 1, 2, trap="first"))
        mine.swallow(lambda: lab.require(False, expected="this", got="that", trap="second"))

    found = error(told(swallows))
    assert isinstance(found, Failure)
    assert found.trap == "first"


def test_a_task_in_an_empty_context_acts_for_whoever_started_it(told):
    @sweep(kinds=("died-before",))
    async def dies(lab, mine):
        await lab.attempt(mine.in_an_empty_context(lab.redis()))
        assert lab.server.keys() == [b"key"]

    session = told(dies)
    assert session.runs == 2
    assert session.failed.world.actors[0].dead


def test_a_thread_stays_in_its_turn_in_any_context(told):
    def dies(lab, mine):
        outcome = lab.attempt_sync(lambda: contextvars.Context().run(lab.die))
        assert outcome.died

    assert error(told(dies)) is None


def test_a_thread_that_nobody_can_schedule_is_refused_also_if_that_is_swallowed(told):
    def asks(lab, mine):
        assert mine.in_a_thread(lab.redis_sync()) is None
        lab.attempt_sync(lambda: mine.swallow(lambda: mine.in_a_thread(lab.redis_sync())))
        lab.expect("answer", 1, 2, trap="second")

    assert "no turn" in str(error(told(asks)))


def test_a_callback_in_an_empty_context_is_refused(told):
    async def asks(lab, mine):
        await mine.in_an_empty_callback(lab.redis_sync())

    assert "empty context" in str(error(told(asks)))


def test_two_processes_share_no_event_loop(told):
    async def keeps(lab, mine):
        await mine.keep(1)

    async def shares(lab, mine):
        await lab.process().keep(1)

    assert error(told(keeps)) is None
    assert "kept: kept on the event loop" in str(error(told(shares)))
