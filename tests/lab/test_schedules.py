"""Every race is enumerated: racy and correct code are told apart, with the fewest switches, replayably."""

from __future__ import annotations

import asyncio
import functools
import threading

import pytest
import redis as redis_py

from dojo.lab import explore
from dojo.lab.errors import Deadlock, LabError, NeverFinishes
from dojo.lab.explore import parse_plan

LUA = "local n = redis.call('INCR', KEYS[1]) return n <= tonumber(ARGV[1]) and 1 or 0"


async def get_then_incr(redis):
    if int(await redis.get("n") or 0) >= 1:
        return False
    await redis.incr("n")
    return True


async def incr(redis):
    return await redis.incr("n") <= 1


async def lua(redis):
    return await redis.eval(LUA, 1, "n", 1) == 1


async def watch(redis):
    async with redis.pipeline() as pipe:
        while True:
            try:
                await pipe.watch("n")
                if int(await pipe.get("n") or 0) >= 1:
                    return False
                pipe.multi()
                pipe.incr("n")
                await pipe.execute()
                return True
            except redis_py.WatchError:
                continue


async def multi_without_watch(redis):
    if int(await redis.get("n") or 0) >= 1:
        return False
    async with redis.pipeline(transaction=True) as pipe:
        pipe.incr("n")
        await pipe.execute()
    return True


async def locked(redis):
    async with redis.lock("l", timeout=10, sleep=0.1):
        return await get_then_incr(redis)


async def locked_too_shortly(redis):
    async with redis.lock("l", timeout=10, sleep=0.1):
        n = int(await redis.get("n") or 0)
    if n >= 1:
        return False
    await redis.incr("n")
    return True


def admits_one(limiter, callers=2, **options):
    @explore(**options)
    async def one_of(lab):
        admitted = await lab.race(*(limiter(lab.redis()) for _ in range(callers)))
        lab.expect("admitted", sum(admitted), 1, trap="race")

    return one_of


@pytest.mark.parametrize("callers", [2, 3])
@pytest.mark.parametrize("limiter", [incr, lua, watch, locked])
def test_correct_limiters_pass_every_schedule(green, limiter, callers):
    session = green(admits_one(limiter, callers, preemptions=4 - callers))
    assert session.runs >= 2
    assert not session.capped


@pytest.mark.parametrize("callers", [2, 3])
@pytest.mark.parametrize("limiter", [get_then_incr, multi_without_watch, locked_too_shortly])
def test_racy_limiters_are_caught(run, limiter, callers):
    session = run(admits_one(limiter, callers))
    assert session.failed.error.trap == "race"


def test_the_same_verdicts_on_a_real_server(backend):
    from dojo.lab.explore import Experiment, conduct

    for limiter, right in [(incr, True), (lua, True), (watch, True), (get_then_incr, False)]:
        session = conduct(Experiment(admits_one(limiter), {}, backend))
        assert (session.failed is None) is right, limiter.__name__


def test_the_first_failure_has_the_fewest_switches(run):
    session = run(admits_one(get_then_incr))
    assert session.failed.token == "ABBA"
    assert session.runs == 3


def test_a_long_schedule_is_told_as_far_as_it_decides(run):
    """A thousand steps would be no line that anybody copies: after its last switch a run goes by itself."""

    async def caller(redis):
        seen = await redis.get("k")
        await redis.set("k", int(seen or 0) + 1)
        for _ in range(200):
            await redis.ping()

    @explore()
    async def hundreds(lab):
        await lab.race(*(caller(lab.redis()) for _ in range(2)))
        assert await lab.redis().get("k") == b"2"

    session = run(hundreds)
    token = session.failed.token
    assert len(token) <= 60
    again = run(hundreds, replay=token).failed
    assert again.world.scheduler.schedule == session.failed.world.scheduler.schedule
    assert len(again.world.scheduler.schedule) > 300


def test_a_schedule_replays(run):
    test = admits_one(get_then_incr)
    assert run(test, replay="ABBA").failed is not None
    assert run(test, replay="AAB").failed is None
    error = run(test, replay="AAAA").failed.error
    assert isinstance(error, LabError)
    assert "does not fit this code" in str(error)


def steps(count):
    async def take(redis):
        for _ in range(count):
            await redis.incr("k")
        return True

    return take


@pytest.mark.parametrize(("callers", "count", "schedules"), [(2, 4, 26 + 8), (3, 3, 192 + 2 * 42)])
def test_the_bound_of_two_forced_switches(green, callers, count, schedules):
    # Counted by hand: k callers without a forced switch have k! orders; each forced switch cuts one caller's steps
    # in two blocks that do not touch. 2 x 4: 2 + 6 + 18. 3 x 3: 6 + 36 + 150. And for each further caller that
    # may start first, the schedules with at most one forced switch once more.
    @explore
    async def walk(lab):
        await lab.race(*(steps(count)(lab.redis()) for _ in range(callers)))

    assert green(walk).runs == schedules


def test_all_interleavings_of_three_by_two(green):
    @explore(preemptions=99)
    async def walk(lab):
        await lab.race(*(steps(2)(lab.redis()) for _ in range(3)))

    assert green(walk).runs == 90 + 2 * 24  # 6! / (2! 2! 2!), and the other two starting first


def test_independent_steps_need_not_be_permuted(run):
    async def own_keys(redis, name):
        await redis.set(f"own:{name}", 1)
        await redis.get(f"own:{name}")
        return await get_then_incr(redis)

    def walk(reduce):
        @explore(preemptions=99, reduce=reduce, max_runs=10_000)
        async def racing(lab):
            admitted = await lab.race(*(own_keys(lab.redis(), n) for n in "ab"))
            seen.add(tuple(admitted))

        return racing

    seen: set[object] = set()
    full = run(walk(False)).runs
    everything, seen = seen, set()
    fewer = run(walk(True)).runs
    assert fewer * 4 < full
    assert seen == everything == {(True, True), (True, False), (False, True)}


def test_reduction_still_finds_the_bug(run):
    assert run(admits_one(get_then_incr, 3, preemptions=99, reduce=True)).failed is not None


def test_a_cap_is_told(run):
    session = run(admits_one(incr, 3, preemptions=99, max_runs=3))
    assert session.failed is None
    assert session.capped
    assert session.runs == 3


def test_children_of_an_actor_act_in_its_name(run):
    async def through_children(redis):
        async with asyncio.TaskGroup() as group:
            child = group.create_task(get_then_incr(redis))
        return child.result()

    session = run(admits_one(through_children))
    assert session.failed.token == "ABBA"


def test_who_starts_first_is_explored_too(run):
    @explore
    async def first_come(lab):
        taken = []

        async def take(name):
            free = not taken  # before the first round trip: no gate stands between the callers here
            taken.append(name)
            await lab.redis().incr("n")
            return free

        lab.expect("winners", await lab.race(take("a"), take("b")), [True, False], trap="order")

    session = run(first_come)
    assert session.failed.token == "B>AB"
    assert run(first_come, replay="B>AB").failed is not None
    assert run(first_come, replay="AB").failed is None


def test_waiting_inside_an_actor_lets_the_other_go_on(green):
    @explore
    async def handover(lab):
        event = asyncio.Event()

        async def first():
            await lab.redis().set("k", 1)
            event.set()

        async def second():
            await event.wait()
            return await lab.redis().get("k")

        assert await lab.race(first(), second()) == [None, b"1"]

    green(handover)


# the synchronous twin


def sync_get_then_incr(redis):
    if int(redis.get("n") or 0) >= 1:
        return False
    redis.incr("n")
    return True


def sync_incr(redis):
    return redis.incr("n") <= 1


def sync_watch(redis):
    with redis.pipeline() as pipe:
        while True:
            try:
                pipe.watch("n")
                if int(pipe.get("n") or 0) >= 1:
                    return False
                pipe.multi()
                pipe.incr("n")
                pipe.execute()
                return True
            except redis_py.WatchError:
                continue


def sync_admits_one(limiter, callers=2):
    @explore
    def one_of(lab):
        admitted = lab.race_sync(*(functools.partial(limiter, lab.redis_sync()) for _ in range(callers)))
        lab.expect("admitted", sum(admitted), 1, trap="race")

    return one_of


@pytest.mark.parametrize("callers", [2, 3])
def test_threads_are_explored_too(run, green, callers):
    assert run(sync_admits_one(sync_get_then_incr, callers)).failed.error.trap == "race"
    green(sync_admits_one(sync_incr, callers))
    green(sync_admits_one(sync_watch, callers))


def test_both_engines_explore_the_same_schedules(run):
    assert run(sync_admits_one(sync_get_then_incr)).failed.token == run(admits_one(get_then_incr)).failed.token


def test_a_sleeping_thread_lets_the_other_go_on(green):
    import time

    @explore
    def lease(lab):
        def holds():
            redis = lab.redis_sync()
            redis.set("lock", "A", ex=5)
            time.sleep(8)
            return redis.get("lock")

        def polls():
            redis = lab.redis_sync()
            while not redis.set("lock", "B", nx=True, ex=50):
                time.sleep(1)
            return lab.now

        first, second = lab.race_sync(holds, polls)
        assert (first, second) in [(b"B", 6.0), (None, 0.0)]

    green(lease)


def test_two_threads_that_wake_at_the_same_instant_race(run):
    import time

    @explore
    def wake(lab):
        def late(redis):
            time.sleep(5)
            time.sleep(0)
            return sync_get_then_incr(redis)

        admitted = lab.race_sync(*(functools.partial(late, lab.redis_sync()) for _ in range(2)))
        lab.expect("admitted", sum(admitted), 1, trap="race")

    assert run(wake).failed.token == "ABBA"


def test_sleeping_nothing_for_ever_ends(run, monkeypatch):
    import time

    monkeypatch.setattr("dojo.lab.threads.MAX_WAKES", 2_000)

    def spin(lab):
        def spins():
            while True:
                time.sleep(0)

        lab.attempt_sync(spins)

    assert isinstance(run(spin).failed.error, NeverFinishes)


def test_a_lock_that_is_held_across_a_round_trip_is_named(run, monkeypatch):
    monkeypatch.setattr("dojo.lab.threads.BATON_PATIENCE_S", 0.2)
    lock = threading.Lock()

    @explore
    def blocks(lab):
        def critical(redis):
            with lock:
                redis.incr("n")

        lab.race_sync(*(functools.partial(critical, lab.redis_sync()) for _ in range(2)))

    error = run(blocks).failed.error
    assert isinstance(error, NeverFinishes)
    assert "blocks on something that is no server" in str(error)


def test_an_error_in_one_thread_is_raised_in_the_test(run):
    def breaks(lab):
        lab.race_sync(lambda: 1 / 0, lambda: 1)

    assert isinstance(run(breaks).failed.error, ZeroDivisionError)


def test_asynchronous_deadlocks_between_actors_are_found(run):
    @explore
    async def crossed(lab):
        one, two = asyncio.Lock(), asyncio.Lock()

        async def take(first, second):
            async with first:
                await lab.redis().incr("n")
                async with second:
                    await lab.redis().incr("n")

        await lab.race(take(one, two), take(two, one))

    assert isinstance(run(crossed).failed.error, Deadlock)


@pytest.mark.parametrize(
    ("text", "prefix", "fault"),
    [("ABBA", ("A", "B", "B", "A"), None), ("B>BA", ("B", "A"), None), ("A2:lost-reply", (), "A2:lost-reply"),
     ("B1:stall:70/AB", ("A", "B"), "B1:stall:70")],
)  # fmt: skip
def test_reading_what_the_schedule_option_takes(text, prefix, fault):
    plan = parse_plan(text)
    assert plan.prefix == prefix
    assert (str(plan.fault) if plan.fault else None) == fault
