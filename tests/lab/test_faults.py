"""Every crash point is swept, and a dead process stays dead."""

from __future__ import annotations

import asyncio
import gc
import time

import pytest
import redis as redis_py

from dojo.lab import explore, sweep
from dojo.lab.errors import LabError
from dojo.lab.faults import ALL_KINDS, Fault, check_kind, parse_fault


async def incr_then_expire(redis):
    await redis.incr("n")
    await redis.expire("n", 60)


async def both_at_once(redis):
    async with redis.pipeline(transaction=True) as pipe:
        pipe.incr("n")
        pipe.expire("n", 60)
        await pipe.execute()


def leaves_no_key_without_ttl(write):
    @sweep
    async def crashes(lab):
        await lab.attempt(write(lab.redis()))
        lab.expect("keys without a TTL", lab.server.keys_without_ttl(), [], trap="no-ttl")

    return crashes


def test_a_key_without_ttl_is_found_by_a_crash_between_two_commands(run):
    session = run(leaves_no_key_without_ttl(incr_then_expire))
    assert session.failed.token == "A1:died-after"


def test_a_transaction_leaves_no_gap(green):
    assert green(leaves_no_key_without_ttl(both_at_once)).runs == 1 + len(ALL_KINDS)


def test_every_step_is_struck_by_every_kind(green):
    struck = []

    @sweep
    async def three(lab):
        async def work():
            redis = lab.redis()
            for _ in range(3):
                await redis.incr("n")

        outcome = await lab.attempt(work())
        fault = lab.world.plan.fault
        struck.append((str(fault), outcome.died, type(outcome.error).__name__, lab.server.raw.get("n")))

    green(three)
    assert struck[0] == ("None", False, "NoneType", b"3")
    assert struck[1:5] == [
        ("A1:died-before", True, "NoneType", None),
        ("A1:died-after", True, "NoneType", b"1"),
        ("A1:lost-request", False, "ConnectionError", None),
        ("A1:lost-reply", False, "ConnectionError", b"1"),
    ]
    assert len(struck) == 1 + 3 * len(ALL_KINDS)


@pytest.mark.parametrize("error", [redis_py.ConnectionError, redis_py.TimeoutError])
def test_a_loss_is_told_as_the_test_says(green, error):
    told = []

    @sweep(kinds=("lost-request", "lost-reply"))
    async def loses(lab):
        lab.server.lost = error
        outcome = await lab.attempt(lab.redis().incr("n"))
        told.append((type(outcome.error), lab.server.raw.get("n")))

    @sweep(kinds=("lost-request", "lost-reply"))
    def loses_sync(lab):
        lab.server.lost = error
        outcome = lab.attempt_sync(lambda: lab.redis_sync().incr("n"))
        told.append((type(outcome.error), lab.server.raw.get("n")))

    green(loses)
    green(loses_sync)
    assert told == [(type(None), b"1"), (error, None), (error, b"1")] * 2


def test_the_finally_of_a_dead_process_repairs_nothing(green):
    @sweep(kinds=("died-before", "died-after"))
    async def dies(lab):
        async def work():
            redis = lab.redis()
            try:
                await redis.set("lock", "mine")
                await redis.get("data")
            finally:
                await redis.delete("lock")

        outcome = await lab.attempt(work())
        await asyncio.sleep(3600)
        held.append((str(lab.world.plan.fault), outcome.died, lab.server.keys()))

    held: list[object] = []
    green(dies)
    assert ("A1:died-after", True, [b"lock"]) in held
    assert ("A2:died-before", True, [b"lock"]) in held
    assert ("A3:died-after", True, []) in held


def test_the_finally_of_a_dead_thread_repairs_nothing(green):
    @sweep(kinds=("died-before", "died-after"))
    def dies(lab):
        def work():
            redis = lab.redis_sync()
            try:
                redis.set("lock", "mine")
                redis.get("data")
            finally:
                redis.delete("lock")

        outcome = lab.attempt_sync(work)
        time.sleep(3600)
        held.append((str(lab.world.plan.fault), outcome.died, lab.server.keys()))

    held: list[object] = []
    green(dies)
    assert ("A1:died-after", True, [b"lock"]) in held
    assert ("A2:died-before", True, [b"lock"]) in held


def test_a_lost_reply_and_a_retrying_client_apply_incr_twice(run):
    @sweep(kinds=("lost-reply",))
    async def counts(lab):
        await lab.attempt(lab.redis(retries=3).incr("n"))
        lab.expect("n", lab.server.raw.get("n"), b"1", trap="retried-incr")

    error = run(counts).failed.error
    assert error.got == "n: b'2'"


def test_only_a_stall_makes_somebody_release_another_ones_lock(run, green):
    def holders(release):
        async def work(redis, token):
            if not await redis.set("lock", token, nx=True, ex=10):
                return
            await redis.get("data")
            await release(redis, token)

        async def body(lab):
            first, second = lab.redis(), lab.redis()

            async def late():
                await asyncio.sleep(11)
                await second.set("lock", "B", nx=True, ex=10)
                await asyncio.sleep(5)
                return await second.get("lock")

            holder = (await lab.attempts(work(first, "A"), late()))[1]
            lab.expect("B's lock", holder.value, b"B", trap="foreign-release")

        return body

    async def blindly(redis, token):
        await redis.delete("lock")

    async def if_mine(redis, token):
        await redis.eval(
            "if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end", 1, "lock", token
        )

    assert run(explore(holders(blindly))).failed is None
    assert run(sweep(kinds=("stall:12",))(holders(blindly))).failed.token == "A2:stall:12"
    green(sweep(kinds=("stall:12",))(holders(if_mine)))


def test_faults_strike_inside_races(run):
    @explore
    @sweep(kinds=("died-after",))
    async def handover(lab):
        async def claim(redis, name):
            if await redis.set("claim", name, nx=True):
                await redis.incr("effects")

        await lab.attempts(claim(lab.redis(), "A"), claim(lab.redis(), "B"))
        lab.expect("effects", lab.server.raw.get("effects"), b"1", trap="claim-without-lease")

    session = run(handover)
    assert session.failed.token.startswith("A1:died-after")
    assert run(handover, replay=session.failed.token).failed is not None


def test_an_outage_refuses_every_command(green):
    async def down(lab):
        redis = lab.redis()
        with lab.server.outage():
            with pytest.raises(redis_py.ConnectionError):
                await redis.get("k")
            with pytest.raises(redis_py.ConnectionError):
                lab.redis_sync().get("k")
        assert await redis.get("k") is None
        full = redis_py.ResponseError("OOM command not allowed")
        with lab.server.outage(full), pytest.raises(redis_py.ResponseError, match="OOM"):
            await redis.set("k", 1)

    green(down)


@pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")
def test_a_process_that_dies_while_it_watches_leaves_without_a_word(green):
    """redis-py's pipeline sends UNWATCH when it is left, and once more from its destructor."""

    @sweep
    def watches(lab):
        def work():
            with lab.redis_sync().pipeline() as pipe:
                pipe.watch("k")
                pipe.get("k")
                pipe.multi()
                pipe.set("k", 1)
                pipe.execute()

        lab.attempt_sync(work)

    green(watches)
    gc.collect()


def test_a_sweep_that_can_strike_nobody_is_refused(run):
    @sweep
    async def nobody(lab):
        await lab.redis().get("k")

    with pytest.raises(LabError, match=r"lab\.attempt"):
        run(nobody)


def test_what_is_not_written_yet_passes_no_sweep(run):
    async def stub():
        raise NotImplementedError

    async def tolerant(lab):
        await lab.attempt(stub())

    def tolerant_too(lab):
        def sync_stub():
            raise NotImplementedError

        lab.attempt_sync(sync_stub)

    for test in (tolerant, tolerant_too):
        assert isinstance(run(test).failed.error, NotImplementedError)


def test_faults_have_a_written_form():
    fault = Fault("A", 1, "lost-reply")
    assert parse_fault(str(fault)) == fault
    assert parse_fault("B1:stall:2.5") == Fault("B", 0, "stall:2.5")
    assert parse_fault("ABBA") is None
    with pytest.raises(LabError, match="died-before"):
        check_kind("explodes")
