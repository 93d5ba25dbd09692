"""What the lab costs and saves, as ratios against the plain way: `python tests/benchmarks/lab.py`.

Medians of several rounds; a ratio survives a busy machine where a number of milliseconds does not.
"""

from __future__ import annotations

import asyncio
import functools
import gc
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fakeredis

sys.path.insert(0, str(Path(__file__).parents[2]))

from dojo.lab import explore, sweep
from dojo.lab.explore import Experiment, Session, conduct
from dojo.lab.servers import FakeBackend, open_backend

ROUNDS = 5


def conducted(test: Callable[..., Any]) -> Session:
    return conduct(Experiment(test, {}, FakeBackend()))


def seconds(work: Callable[[], Any]) -> float:
    """The median of a few rounds, after one to warm up."""
    work()
    spent = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        work()
        spent.append(time.perf_counter() - begun)
    return statistics.median(spent)


def line(what: str, measured: str, against: str = "") -> None:
    print(f"{what:<58}{measured:>22}  {against}")


# virtual time


async def an_hour(lab: Any) -> None:
    redis = lab.redis()
    await redis.set("k", 1, ex=3600)
    await asyncio.sleep(3600.001)
    assert await redis.get("k") is None


async def polls(lab: Any) -> None:
    for _ in range(1000):
        await asyncio.sleep(0.062)


def virtual_time() -> None:
    spent = seconds(lambda: conducted(an_hour))
    line("an hour's TTL", f"{spent * 1e3:.1f} ms", f"{3600 / spent:,.0f} times faster than waiting")
    spent = seconds(lambda: conducted(polls))
    line("62 s of polling, 1,000 sleeps", f"{spent * 1e3:.1f} ms", f"{62 / spent:,.0f} times faster than waiting")


# schedules


async def get_then_incr(redis: Any) -> bool:
    if int(await redis.get("n") or 0) >= 1:
        return False
    await redis.incr("n")
    return True


def sync_steps(redis: Any, count: int) -> None:
    for _ in range(count):
        redis.incr("n")


async def steps(redis: Any, count: int) -> None:
    for _ in range(count):
        await redis.incr("n")


def walk(callers: int, count: int, **options: Any) -> Callable[..., Any]:
    @explore(**options)
    async def walking(lab: Any) -> None:
        await lab.race(*(steps(lab.redis(), count) for _ in range(callers)))

    return walking


@explore
def sync_walk(lab: Any) -> None:
    lab.race_sync(*(functools.partial(sync_steps, lab.redis_sync(), 4) for _ in range(2)))


@explore
async def racy(lab: Any) -> None:
    admitted = await lab.race(*(get_then_incr(lab.redis()) for _ in range(2)))
    lab.expect("admitted", sum(admitted), 1, trap="check-then-act")


async def plain_gather() -> int:
    """The test that people write: twenty callers at once, and luck."""
    redis = fakeredis.FakeAsyncRedis(server=fakeredis.FakeServer(), socket_timeout=None)
    admitted = sum(await asyncio.gather(*(get_then_incr(redis) for _ in range(20))))
    await redis.aclose()
    return admitted


def schedules() -> None:
    for callers, count in ((2, 4), (3, 3)):
        test = walk(callers, count)
        runs, spent = conducted(test).runs, seconds(functools.partial(conducted, test))
        line(f"{callers} callers x {count} commands, bound 2", f"{runs} schedules", f"{runs / spent:,.0f} a second")
    runs, spent = conducted(sync_walk).runs, seconds(lambda: conducted(sync_walk))
    line("the same with threads, 2 x 4", f"{runs} schedules", f"{runs / spent:,.0f} a second")
    session, spent = conducted(racy), seconds(lambda: conducted(racy))
    assert session.failed is not None
    found = f"run {session.runs}, {session.failed.token}"
    lucky = f"20 callers under plain gather admit {asyncio.run(plain_gather())}"
    line("first bug of the get-then-incr limiter", f"{spent * 1e3:.1f} ms", f"{found}; {lucky}")
    own = walk_own_keys(reduce=False), walk_own_keys(reduce=True)
    full, fewer = (conducted(test).runs for test in own)
    line("two callers with own keys, all interleavings", f"{full} schedules", f"{fewer} with sleep sets")
    conducting = walk(2, 4)
    off = seconds(lambda: [conducted(conducting) for _ in range(5)])
    enabled = seconds(functools.partial(with_collector, conducting))
    line("exploring with the garbage collector on", f"{enabled / off:.2f} x the time", "it is off while searching")


def walk_own_keys(reduce: bool) -> Callable[..., Any]:
    async def own(redis: Any, name: str) -> None:
        for _ in range(3):
            await redis.incr(name)
        await redis.incr("shared")

    @explore(preemptions=99, reduce=reduce, max_runs=20_000)
    async def walking(lab: Any) -> None:
        await lab.race(*(own(lab.redis(), name) for name in "ab"))

    return walking


def with_collector(test: Callable[..., Any]) -> None:
    keep, gc.disable = gc.disable, lambda: None
    try:
        for _ in range(5):
            conducted(test)
    finally:
        gc.disable = keep


# faults


@sweep
async def swept(lab: Any) -> None:
    await lab.attempt(steps(lab.redis(), 4))


def faults() -> None:
    runs, spent = conducted(swept).runs, seconds(lambda: conducted(swept))
    line("every fault at each of 4 steps", f"{runs} runs", f"{spent * 1e3:.1f} ms")


# Celery


def hundred_tasks(lab: Any) -> None:
    celery = lab.celery()
    app = celery.app()
    done = []

    @app.task(name="note", shared=False)
    def task(number: int) -> None:
        done.append(number)

    for number in range(100):
        task.delay(number)
    celery.worker(app).run()
    assert len(done) == 100


def four_attempts(lab: Any) -> None:
    celery = lab.celery()
    app = celery.app()
    begun, attempts = time.monotonic(), []

    @app.task(bind=True, max_retries=3, name="flaky", shared=False)
    def flaky(self: Any) -> None:
        attempts.append(round(time.monotonic() - begun))
        if len(attempts) < 4:
            raise self.retry(countdown=2 ** len(attempts))

    flaky.delay()
    celery.worker(app).run()
    assert attempts == [0, 2, 6, 14]


def worker_in_a_thread() -> float:
    """Seconds a task, with the worker that Celery's own documentation has for tests."""
    from celery import Celery
    from celery.contrib.testing.worker import start_worker

    app = Celery(broker="memory://", backend="cache+memory://", set_as_current=False)

    @app.task(name="number", shared=False)
    def task(number: int) -> int:
        return number

    begun = time.perf_counter()
    with start_worker(app, pool="solo", perform_ping_check=False, shutdown_timeout=30):
        for number in range(10):
            task.delay(number).get(timeout=30)
    return (time.perf_counter() - begun) / 10


def celery() -> None:
    spent = seconds(lambda: conducted(hundred_tasks)) / 100
    thread = worker_in_a_thread()
    line(
        "a Celery task, a hundred in a row",
        f"{spent * 1e3:.2f} ms",
        f"start_worker takes {thread / spent:,.0f} times that",
    )
    spent = seconds(lambda: conducted(four_attempts))
    line(
        "a world whose task runs at 0, 2, 6 and 14 s",
        f"{spent * 1e3:.1f} ms",
        f"{14 / spent:,.0f} times faster than waiting",
    )


# servers


def servers() -> None:
    begun = time.perf_counter()
    real = open_backend("valkey")
    started = time.perf_counter() - begun
    on_fake = seconds(lambda: conduct(Experiment(racy, {}, FakeBackend())))
    on_real = seconds(lambda: conduct(Experiment(racy, {}, real)))
    line(
        "the same race on a real Valkey",
        f"{on_real / on_fake:.1f} x the time",
        f"the server started in {started:.2f} s",
    )
    real.close()


if __name__ == "__main__":
    virtual_time()
    schedules()
    faults()
    celery()
    servers()
