"""Who acts, whatever the tested code does with contexts and threads; and what it cannot unsay."""

from __future__ import annotations

import asyncio
import contextvars
import sys

import pytest
import redis

from dojo.lab.explore import Experiment, conduct, explore, sweep
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
    done = asyncio.Event()
    async def put():
        try:
            await client.set("key", "value")
        finally:
            done.set()
    start = lambda: tasks.append(asyncio.ensure_future(put()))
    tasks = []
    asyncio.get_running_loop().call_soon(start, context=contextvars.Context())
    await done.wait()

async def puts(client, key):
    await client.set(key, "value")

async def by_hand(client):
    await asyncio.Task(client.set("key", "value"))

async def shuts_down():
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        raise RuntimeError("shut down") from None

async def adds(client, shared):
    lock = vars(asyncio.get_running_loop()).setdefault("ours", asyncio.Lock()) if shared else asyncio.Lock()
    async with lock:
        await client.set("key", int(await client.get("key") or 0) + 1)

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


def test_a_thread_of_its_own_acts_for_the_only_caller(told):
    outcomes = []

    @sweep(kinds=("died-before", "lost-reply"))
    def dies(lab, mine):
        outcome = lab.attempt_sync(lambda: mine.in_a_thread(lab.redis_sync()))
        outcomes.append(outcome)

    session = told(dies)
    assert error(session) is None
    assert [outcome.died for outcome in outcomes] == [False, True, False]
    assert isinstance(outcomes[2].error, redis.ConnectionError)


def test_among_several_callers_it_is_refused_also_if_that_is_swallowed(told):
    def asks(lab, mine):
        client = lab.redis_sync()
        assert mine.in_a_thread(client) is None
        lab.attempts_sync(lambda: mine.swallow(lambda: mine.in_a_thread(client)), lambda: client.ping())
        lab.expect("answer", 1, 2, trap="second")

    assert "no turn" in str(error(told(asks)))


def test_a_callback_acts_for_whoever_scheduled_it(told):
    @sweep(kinds=("lost-reply",))
    async def asks(lab, mine):
        await lab.attempt(mine.in_an_empty_callback(lab.redis()))
        lab.expect("keys", lab.server.keys(), [b"key"], trap="lost")

    session = told(asks)
    assert error(session) is None
    assert session.runs == 2


def test_a_task_that_no_loop_has_made_acts_for_whoever_made_it(told):
    @sweep(kinds=("died-before",))
    async def dies(lab, mine):
        await lab.attempt(mine.by_hand(lab.redis()))
        assert lab.server.keys() == [b"key"]

    session = told(dies)
    assert session.runs == 2
    assert session.failed.world.actors[0].dead


def test_what_is_said_while_a_world_is_disposed_of_is_no_verdict(told):
    async def leaves(lab, mine):
        async def waits():
            with lab.no_error(expected="it works", trap="late"):
                await mine.shuts_down()

        task = asyncio.ensure_future(waits())
        await asyncio.sleep(0)
        assert not task.done()

    assert error(told(leaves)) is None


@pytest.mark.parametrize("shared", [True, False], ids=["a lock on the loop", "a lock in each process"])
def test_processes_that_never_meet_prove_nothing(told, shared):
    @explore
    async def race(lab, mine):
        client = lab.redis()
        one, other = lab.process(), lab.process()
        await lab.race(one.adds(client, shared), other.adds(client, shared))

    found = error(told(race))
    assert ("never two of them at once" in str(found)) is shared


def test_processes_that_work_on_different_data_need_not_meet(told):
    @explore
    async def race(lab, mine):
        client = lab.redis()
        await lab.race(lab.process().puts(client, "one"), lab.process().puts(client, "other"))

    assert error(told(race)) is None
