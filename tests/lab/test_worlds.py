"""Each run has a fresh world: its own server, actors and copy of the learner's module; the same run, the same bytes."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

from dojo.lab import explore, sweep
from dojo.lab.explore import Experiment, conduct
from dojo.lab.modules import Learner
from dojo.lab.report import report, rule_of
from dojo.lab.servers import FakeBackend

LIMITER = """
import asyncio, uuid

LOCK = asyncio.Lock()
SEEN = []

class Limiter:
    def __init__(self, redis):
        self.redis = redis

    async def hit(self):
        SEEN.append(1)
        async with LOCK:
            n = int(await self.redis.get("n") or 0)
            if n >= 1:
                return False
            await self.redis.set("n", n + 1)
            await self.redis.set("token", str(uuid.uuid4()))
            return True
"""
TESTS = '''
from learner_limiter import SEEN, Limiter

async def one_process(lab):
    """Rule 1. One process admits one."""
    a, b = Limiter(lab.redis()), Limiter(lab.redis())
    lab.expect("admitted", sum(await lab.race(a.hit(), b.hit())), 1, trap="race")
    lab.expect("calls seen", len(SEEN), 2, trap="leak")

async def two_processes(lab):
    """Rule 2. Two processes admit one."""
    a, b = (lab.process().Limiter(lab.redis()) for _ in range(2))
    lab.expect("admitted", sum(await lab.race(a.hit(), b.hit())), 1, trap="local-lock")
'''


@pytest.fixture
def learner(tmp_path: Path):
    """A learner whose limiter is guarded by a module-level lock, and a test module that imports it."""
    files = {}
    for name, source in (("learner_limiter", LIMITER), ("limiter_tests", TESTS)):
        files[name] = tmp_path / f"{name}.py"
        files[name].write_text(source)
        spec = importlib.util.spec_from_file_location(name, files[name])
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    yield Learner("learner_limiter", files["learner_limiter"], module)
    for name in files:
        del sys.modules[name]


def conducted(learner, name, mark):
    test = mark(getattr(learner.test_module, name))
    return conduct(Experiment(test, {}, FakeBackend(), learner)), test


def test_a_module_level_lock_guards_one_process_and_not_two(learner):
    inside, _ = conducted(learner, "one_process", explore)
    assert inside.failed is None
    assert inside.runs > 1
    across, _ = conducted(learner, "two_processes", explore)
    assert across.failed.error.trap == "local-lock"


def test_the_imported_names_are_back_afterwards(learner):
    before = dict(vars(learner.test_module)), sys.modules["learner_limiter"]
    conducted(learner, "one_process", explore)
    assert (dict(vars(learner.test_module)), sys.modules["learner_limiter"]) == before
    assert learner.test_module.SEEN == []


@pytest.mark.parametrize(("name", "mark"), [("two_processes", explore), ("one_process", sweep)])
def test_a_hundred_repeats_give_the_same_bytes(learner, name, mark):
    def bytes_of_a_run():
        session, test = conducted(learner, name, mark)
        told = report(session, rule_of(test.__doc__), "limiter", learner.path, name)
        steps = [(s.actor.letter, s.time, s.text, repr(s.reply), s.note) for s in session.last.world.trace.entries]
        return repr((told, steps))

    assert len({bytes_of_a_run() for _ in range(100)}) == 1


def test_worlds_share_no_keys():
    async def writes(lab):
        assert lab.server.keys() == []
        await lab.redis().set("k", 1)

    for _ in range(2):
        assert conduct(Experiment(writes, {}, FakeBackend())).failed is None


def test_worlds_share_no_keys_on_a_real_server(backend):
    async def writes(lab):
        assert lab.server.keys() == []
        redis = lab.redis()
        await redis.set("k", 1, ex=60)
        assert lab.server.ttl("k") == 60

    for _ in range(2):
        session = conduct(Experiment(writes, {}, backend))
        assert session.failed is None, session.failed.error


def test_round_trips_count_every_step_of_every_caller(green):
    async def asks(lab):
        redis = lab.redis()
        assert lab.round_trips == 0
        await redis.get("k")
        await lab.race(redis.set("k", 1), redis.mget("k", "l"))
        assert lab.round_trips == 3
        lab.server.keys()  # inspection is no step
        assert lab.round_trips == 3

    green(asks)


def test_received_counts_the_data_of_every_reply(green):
    async def asks(lab):
        redis = lab.redis()
        assert lab.received == 0
        await redis.hset("h", mapping={"field": "12345", "other": "678"})
        assert lab.received == 1  # the number 2
        await redis.hgetall("h")
        assert lab.received == 1 + len("field12345other678")
        await redis.get("nothing")
        assert lab.received == 1 + len("field12345other678")

    green(asks)
