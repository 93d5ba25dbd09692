"""No test waits: time is virtual, for asyncio, `time`, `datetime`, the server and the web framework."""

from __future__ import annotations

import asyncio
import datetime
import time

import httpx
import pytest
from fastapi import FastAPI
from redis.exceptions import LockError

from dojo.lab.errors import Deadlock, NeverFinishes
from dojo.lab.explore import Experiment, conduct


def test_a_month_passes_at_once(green):
    async def month(lab):
        begun = time.time(), time.monotonic(), datetime.datetime.now(datetime.UTC), time.perf_counter_ns()
        await asyncio.sleep(31 * 86_400)
        assert time.time() - begun[0] == 31 * 86_400
        assert time.monotonic() - begun[1] == 31 * 86_400
        assert time.perf_counter_ns() - begun[3] == 31 * 86_400 * 10**9
        assert datetime.datetime.now(datetime.UTC) - begun[2] == datetime.timedelta(days=31)
        assert lab.now == 31 * 86_400

    real = time.perf_counter()
    green(month)
    assert time.perf_counter() - real < 5  # a month would be two and a half million


def test_the_smallest_timers_still_fire_after_years(green):
    async def years(lab):
        for days in (100, 1_000, 10_000):
            await asyncio.sleep(days * 86_400)
            for seconds in (0.1, 1e-3, 1e-6, 1e-7):
                begun = lab.now
                await asyncio.sleep(seconds)
                assert lab.now - begun == pytest.approx(seconds, abs=2e-6)

    green(years)


def test_a_synchronous_sleep_passes_at_once(green):
    def hour(lab):
        redis = lab.redis_sync()
        redis.set("k", 1, ex=3600)
        time.sleep(3600)
        assert redis.get("k") == b"1", "alive at exactly its TTL"
        time.sleep(0.001)
        assert redis.get("k") is None

    green(hour)


def test_keys_age_with_the_loop(green):
    async def ages(lab):
        redis = lab.redis()
        await redis.set("k", 1, px=1500)
        await asyncio.sleep(1.0)
        assert lab.server.ttl("k") == 0.5
        await asyncio.sleep(0.501)
        assert await redis.get("k") is None
        with pytest.raises(KeyError):
            lab.server.ttl("k")

    green(ages)


def test_timeouts_blocking_pops_and_locks_run_on_virtual_time(green):
    async def waits(lab):
        redis = lab.redis()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.Event().wait(), timeout=45)
        assert lab.now == 45
        assert await redis.blpop(["nothing"], timeout=10) is None
        assert lab.now == pytest.approx(55, abs=0.2)
        lock = redis.lock("l", timeout=30)
        assert await lock.acquire()
        other = redis.lock("l", timeout=30, blocking_timeout=5)
        assert not await other.acquire()
        await asyncio.sleep(40)
        with pytest.raises(LockError):
            await lock.release()

    green(waits)


def test_web_endpoints_run_on_virtual_time(green):
    app = FastAPI()

    @app.get("/async")
    async def slow() -> float:
        await asyncio.sleep(30)
        return time.monotonic()

    @app.get("/sync")
    def blocking() -> float:
        time.sleep(30)
        return time.monotonic()

    async def requests(lab):
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://kata") as client:
            first = (await client.get("/async")).json()
            second = (await client.get("/sync")).json()
        assert second - first == 30
        assert lab.now == 60

    green(requests)


def test_the_wall_clock_can_step_back_and_monotonic_time_does_not_notice(green):
    async def stepped(lab):
        wall, steady = time.time(), time.monotonic()
        lab.step_wall_clock(-3600)
        assert time.time() == wall - 3600
        assert time.monotonic() == steady
        await asyncio.sleep(1)
        assert (time.time(), time.monotonic()) == (wall - 3599, steady + 1)

    green(stepped)


def test_threads_that_a_loop_would_start_run_inline(green):
    async def inline(lab):
        assert await asyncio.to_thread(time.sleep, 5) is None
        assert lab.now == 5
        with pytest.raises(ZeroDivisionError):
            await asyncio.to_thread(lambda: 1 / 0)

    green(inline)


def test_a_wrong_host_has_a_wall_clock_of_its_own(backend):
    async def wrong(lab):
        redis, right = lab.redis(), time.time()
        with lab.wrong_host(90.25):
            assert time.time() == right + 90.25
            assert datetime.datetime.now(datetime.UTC).timestamp() == right + 90.25
            assert await redis.time() == (int(right), 0), "the server's clock is right"
            assert lab.redis_sync().time() == (int(right), 0)
            await redis.set("k", 1, ex=60)
            assert time.time() == right + 90.25, "wrong again after a command"
            await asyncio.sleep(30)
            with lab.wrong_host(-100):
                assert time.time() == right + 20.25
        assert time.time() == right + 30
        assert lab.server.ttl("k") == 30

    session = conduct(Experiment(wrong, {}, backend))
    if session.failed is not None:
        raise session.failed.error


def test_the_real_clocks_are_back_afterwards(run):
    real = time.monotonic, time.sleep

    async def breaks(lab):
        raise ValueError

    assert isinstance(run(breaks).failed.error, ValueError)
    assert (time.monotonic, time.sleep) == real
    assert abs(time.time() - datetime.datetime.now(datetime.UTC).timestamp()) < 60


def test_what_a_library_keeps_of_time_serves_the_next_world_and_the_real_one(green):
    kept = {}

    def keeps(lab):
        kept.update(sleep=time.sleep, monotonic=time.monotonic)

    def uses(lab):
        before = kept["monotonic"]()
        kept["sleep"](7)
        assert kept["monotonic"]() - before == lab.now == 7

    green(keeps)
    green(uses)
    kept["sleep"](0)
    assert kept["monotonic"]() == pytest.approx(time.monotonic(), abs=60)


def test_waiting_for_ever_is_a_deadlock_that_says_so(run):
    async def waits(lab):
        await asyncio.Event().wait()

    error = run(waits).failed.error
    assert isinstance(error, Deadlock)
    assert "waits for ever" in str(error)


def test_polling_for_ever_ends(run):
    async def polls(lab):
        while True:
            await asyncio.sleep(0.1)

    error = run(polls).failed.error
    assert isinstance(error, NeverFinishes)
    assert "20,000 timers in 2,000 virtual seconds" in str(error)


def test_retrying_a_step_for_ever_ends(run, monkeypatch):
    monkeypatch.setattr("dojo.lab.world.MAX_STEPS", 2_000)

    async def retries(lab):
        redis = lab.redis()
        while True:
            await redis.get("k")

    error = run(retries).failed.error
    assert isinstance(error, NeverFinishes)
    assert "2,000 steps taken, the last was 'GET k'" in str(error)


def test_computing_for_ever_ends_even_if_the_exception_is_swallowed(run, monkeypatch):
    monkeypatch.setattr("dojo.lab.watchdog.CPU_LIMIT_S", 0.1)
    swallowed = []

    def computes(lab):
        while len(swallowed) < 2:
            try:
                while True:
                    pass
            except Exception:  # noqa: BLE001 - what a careless learner writes
                continue
            except BaseException:  # noqa: BLE001 - and a worse one
                swallowed.append(1)
        raise TimeoutError

    assert isinstance(run(computes).failed.error, TimeoutError)
    assert len(swallowed) == 2


def test_tokens_and_random_numbers_repeat(run):
    import random
    import secrets
    import uuid

    def draw(lab):
        drawn.append((random.random(), secrets.token_hex(8), uuid.uuid4(), uuid.uuid1()))

    drawn: list[object] = []
    state = random.getstate()
    run(draw)
    run(draw)
    assert drawn[0] == drawn[1]
    assert random.getstate() == state
    assert uuid.uuid4() != uuid.uuid4()
