"""A lock in Redis: one holder at a time, and everybody knows when it was lost."""

import asyncio
import contextlib
import itertools
import random

import pytest
import redis
from redis_lock import RedisLock

from dojo.lab import explore, sweep
from dojo.lab.properties import given, settings, st

TTL, MOMENT = 30, 0.01
ERRORS = [redis.ConnectionError("refused"), redis.TimeoutError("timed out"), redis.ResponseError("READONLY replica")]
KNOWN = "LockTimeout", "LockLost", "LookupError", *(type(error).__name__ for error in ERRORS)
failures = pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
places = pytest.mark.parametrize("where", ["one object", "two processes"])
GAPS = st.integers(0, 8).map(lambda steps: steps * 0.4)  # leases of 1.1 and 2.3 s never end at one of these instants
ACTIONS = st.sampled_from(["acquire", "acquire", "release", "extend", "extend 2.3"])
WAYS = {
    "return": None,
    "release": None,
    "error": LookupError,
    "cancel": asyncio.CancelledError,
    "timeout": TimeoutError,
}


def report(lab, make=None, name="report", **settings):
    """The lock "report", with a client of its own; `make` is the class as another process has loaded it."""
    return (make or RedisLock)(lab.redis(), name, **{"ttl": TTL, **settings})


def servers(lab, count, **settings):
    """The lock "report" in so many processes."""
    return [report(lab, lab.process().RedisLock, **settings) for _ in range(count)]


def pair(lab, where):
    return [report(lab)] * 2 if where == "one object" else servers(lab, 2)


async def ending(call):
    """How a call ends: "done", or the name of the error that it raises (of which each process has its own copy)."""
    try:
        await call
    except NotImplementedError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, the test compares its name
        names = [kind.__name__ for kind in type(error).__mro__]
        return next((name for name in KNOWN if name in names), f"the error {names[0]}")
    return "done"


async def is_held(lab, lock, who, trap):
    """Somebody who asks for the lock and does not wait is refused."""
    lab.expect(f"{who}, at {lab.now:g} s", await ending(lock.acquire(timeout=0)), "LockTimeout", trap=trap)


async def is_free(lab, lock, who, trap):
    """Somebody who asks for the lock and does not wait gets it, and holds it from now on."""
    lab.expect(f"{who}, at {lab.now:g} s", await ending(lock.acquire(timeout=0)), "done", trap=trap)


@places
async def test_one_holder_at_a_time(lab, where):
    """Rule 1. A free lock is given at once; while somebody holds it nobody else gets it, its holder neither."""
    lab.scenario(f"{where}: acquire, acquire again twice, release, acquire")
    lock, other = pair(lab, where)
    lease = await lock.acquire()
    await is_held(lab, other, "another", trap="lock-in-the-process")
    await is_held(lab, lock, "its holder, once more", trap="shared-owner")
    await lease.release()
    await is_free(lab, other, "another, after the release", trap="never-released")
    lab.expect("seconds that all this took", lab.now, 0.0, trap="late-poll")


@pytest.mark.parametrize("ttl", [30, 0.25, 86_400.5])
async def test_a_lease_lasts_for_its_ttl(lab, ttl):
    """Rule 2. A lease lasts for exactly `ttl` seconds, fractions included; nothing prolongs it by itself."""
    lab.scenario(f"ttl {ttl} s; another asks {MOMENT} s before and after the end of a lease")
    holder, other = servers(lab, 2, ttl=ttl)
    await holder.acquire()
    await asyncio.sleep(ttl - MOMENT)
    await is_held(lab, other, "another", trap="inexact-ttl")
    await asyncio.sleep(2 * MOMENT)
    await is_free(lab, other, "another", trap="inexact-ttl")


@pytest.mark.parametrize("decode", [False, True], ids=["bytes replies", "str replies"])
async def test_a_lease_frees_only_its_own(lab, decode):
    """Rule 3. `release` frees this very lease; one that has run out raises `LockLost` and harms nobody."""
    lab.scenario("ttl 30 s; A acquires at 0 s, B at 31 s, then A releases, B twice, A once more at 62 s")
    a, b, c = (RedisLock(lab.redis(decode_responses=decode), "report", ttl=TTL) for _ in "abc")
    late = await a.acquire()
    await asyncio.sleep(TTL + 1)
    lease = await b.acquire()
    lab.expect("A's release", await ending(late.release()), "LockLost", trap="lost-unnoticed")
    await is_held(lab, c, "C, while B holds", trap="foreign-release")
    lab.expect("B's release", await ending(lease.release()), "done", trap="bytes-or-text")
    await is_free(lab, c, "C, after B's release", trap="never-released")
    lab.expect("B's second release", await ending(lease.release()), "done", trap="lost-unnoticed")
    await is_held(lab, b, "B, while C holds", trap="foreign-release")
    await asyncio.sleep(TTL + 1)
    lab.expect("A's release, when nobody holds it", await ending(late.release()), "LockLost", trap="lost-unnoticed")


@places
async def test_every_acquisition_has_a_token_of_its_own(lab, where):
    """Rule 4. Each acquisition is told from every other: of one object, or of processes that are copies."""
    lab.scenario(f"{where}, as forked (`random` in one state); A acquires at 0 s, B at 31 s, then A extends, releases")
    a, b = pair(lab, where)
    random.seed(7)
    late = await a.acquire(timeout=0)
    await asyncio.sleep(TTL + 1)
    random.seed(7)
    await b.acquire(timeout=0)
    for what, call in ("extend", late.extend), ("release", late.release):
        lab.expect(f"A's {what}", await ending(call()), "LockLost", trap="weak-token")
    await is_held(lab, report(lab), "C, while B holds", trap="weak-token")


@sweep(kinds=("lost-reply",))
async def test_a_release_may_be_repeated(lab):
    """Rule 4. A release that failed may be called again: it frees this lease, or nothing if the lock is B's by then."""
    lab.scenario("all in one instant: A acquires and releases, B acquires, A releases again")
    a, b, c = servers(lab, 3)
    lease = await a.acquire()
    await lab.attempt(lease.release(), name="server A")
    if await ending(b.acquire(timeout=0)) == "done":
        await ending(lease.release())
        await is_held(lab, c, "C, while B holds", trap="weak-token")
    else:
        lab.expect("A's second release", await ending(lease.release()), "done", trap="lost-unnoticed")
        await is_free(lab, c, "C, after it", trap="never-released")


@pytest.mark.parametrize(("ttl", "lasts"), [((), 30), ((0.25,), 0.25), ((90.5,), 90.5)])
async def test_extend_counts_from_now(lab, ttl, lasts):
    """Rule 5. After `extend` the lease lasts for `ttl` seconds from that instant, whatever was left of it."""
    lab.scenario(f"ttl 30 s; at 20 s extend({', '.join(map(str, ttl))}), so until {20 + lasts} s")
    holder, other = servers(lab, 2)
    lease = await holder.acquire()
    await asyncio.sleep(20)
    lab.expect("extend", await ending(lease.extend(*ttl)), "done", trap="bytes-or-text")
    await asyncio.sleep(lasts - MOMENT)
    await is_held(lab, other, "another", trap="inexact-extension")
    await asyncio.sleep(2 * MOMENT)
    await is_free(lab, other, "another", trap="inexact-extension")


@pytest.mark.parametrize("ttl", [5, 500])
async def test_what_is_lost_is_not_extended(lab, ttl):
    """Rule 5. `extend` of a lease that is over raises `LockLost` and changes nothing, for its successor neither."""
    lab.scenario(f"ttl 30 s; A acquires at 0 s, B at 31 s; A's extend({ttl}) at 41 s and, when B's is over, at 62 s")
    a, b, c = servers(lab, 3)
    late = await a.acquire()
    await asyncio.sleep(TTL + 1)
    await b.acquire()
    await asyncio.sleep(10)
    lab.expect("A's extend while B holds", await ending(late.extend(ttl)), "LockLost", trap="foreign-extend")
    await asyncio.sleep(20 - MOMENT)
    await is_held(lab, c, "C, just before B's lease is over", trap="foreign-extend")
    await asyncio.sleep(1 + MOMENT)
    lab.expect("A's extend when nobody holds it", await ending(late.extend(ttl)), "LockLost", trap="extend-revives")
    lease = await c.acquire(timeout=0)
    await lease.release()
    lab.expect("C's extend after its release", await ending(lease.extend(ttl)), "LockLost", trap="extend-revives")
    await is_free(lab, b, "B, after C's release", trap="extend-revives")


@settings(max_examples=12)
@given(story=st.lists(st.tuples(GAPS, ACTIONS, st.integers(0, 3)), min_size=1, max_size=14))
async def test_any_history(lab, story):
    """Rule 5. Whatever came before, exactly the lease that is not over can be extended and released."""
    lab.scenario("ttl 1.1 s; steps are (seconds since the step before, what, the lease's number)")
    lock, leases, ends = report(lab, ttl=1.1), [], []  # of each lease the instant of its end; None once released

    async def acquire():
        leases.append(await lock.acquire(timeout=0))

    for gap, action, number in story:
        await asyncio.sleep(gap)
        verb, *ttl = action.split()
        alive = [n for n, end in enumerate(ends) if end is not None and lab.now < end]
        if verb == "acquire":
            told, due = await ending(acquire()), "LockTimeout" if alive else "done"
            lab.expect(f"acquire at {lab.now:g} s", told, due, trap="inexact-ttl")
            ends += [] if alive else [lab.now + 1.1]
        elif leases:
            n = number % len(leases)
            told = await ending(getattr(leases[n], verb)(*map(float, ttl)))
            due = "done" if n in alive or (verb == "release" and ends[n] is None) else "LockLost"
            lab.expect(f"{verb} of lease {n} at {lab.now:g} s", told, due, trap="lost-unnoticed")
            if n in alive:
                ends[n] = None if verb == "release" else lab.now + float(*ttl or [1.1])


@pytest.mark.parametrize("way", WAYS)
async def test_the_lock_is_released_however_the_body_ends(lab, way):
    """Rule 6. `hold` releases the lock however its body ends, a cancellation too, and passes on what it raised."""
    lab.scenario(f"the body of `async with lock.hold()` ends at 10 s; how: {way}")
    holder, other = servers(lab, 2, ttl=300)

    async def work():
        async with asyncio.timeout(10 if way == "timeout" else None), holder.hold() as lease:
            await asyncio.sleep(5)
            if way == "release":
                await lease.release()
            await asyncio.sleep(5 if way in ("return", "release", "error") else 100)
            if way == "error":
                raise LookupError("no such report")

    task = asyncio.create_task(work())
    await asyncio.sleep(4)
    await is_held(lab, other, "another, while the body runs", trap="lock-in-the-process")
    await asyncio.sleep(6 + MOMENT)
    if way == "cancel":
        task.cancel()
    await asyncio.wait([task], timeout=1)
    await is_free(lab, other, "another, after the body's end", trap="kept-after-failure")
    [seen] = await asyncio.gather(task, return_exceptions=True)
    due = WAYS[way] or type(None)
    lab.require(type(seen) is due, expected=f"the caller sees {due.__name__}", got=repr(seen), trap="error-hidden")


@pytest.mark.parametrize("successor", [True, False], ids=["taken over", "nobody came"])
@pytest.mark.parametrize("error", [None, LookupError("no such report")], ids=["returns", "raises"])
async def test_a_lost_lock_is_reported(lab, successor, error):
    """Rule 7. If the lock was lost meanwhile, `hold` raises `LockLost` at its end, or what the body raised."""
    lab.scenario("ttl 30 s; A's body takes 40 s" + ("; B acquires at 31 s" if successor else ""))
    a, b, c = servers(lab, 3)

    async def slow():
        async with a.hold():
            await asyncio.sleep(TTL + 1)
            if successor:
                await b.acquire(timeout=0)
            await asyncio.sleep(9)
            if error:
                raise error

    due, trap = ("LookupError", "error-hidden") if error else ("LockLost", "lost-unnoticed")
    lab.expect("end of `async with lock.hold()`", await ending(slow()), due, trap=trap)
    await (is_held if successor else is_free)(lab, c, "C, afterwards", trap="foreign-release")


async def test_different_names_are_different_locks(lab):
    """Rule 8. Names that differ anywhere are different locks, and a lock leaves all other keys alone."""
    names = ["report", "Report", " report", "report ", "report:1", "report:01", "lock:report", "", "Zoë", "Zoe\u0308"]
    names += ["report\n", "report\0", "*", "{report}", "{report}:1", "%3A", ":", "r" * 999, "r" * 1000]
    names += ["plumless", "buckeroo"]  # alike to CRC-32
    lab.scenario("under each name, there is other people's data as well")
    others = [name for name in names if not name.startswith("lock:")]
    for name in others:
        lab.server.raw.set(name, "data")
    client, leases = lab.redis(), []
    for name in names:
        with lab.no_error(expected=f"the lock {name!a} is free", trap="shared-key"):
            leases.append(await RedisLock(client, name, ttl=TTL).acquire(timeout=0))
            await leases[-1].extend()
    for name, lease in zip(names, leases, strict=True):
        await is_held(lab, RedisLock(client, name, ttl=TTL), f"who asks for {name!a} once more", trap="shared-key")
        await lease.release()
    data = [lab.server.raw.get(name) for name in others]
    lab.expect("other people's data", data, [b"data"] * len(others), trap="shared-key")


async def test_nonsense_is_refused(lab):
    """Rule 9. A ttl or poll below 0.001 s or over ten years and a timeout below 0, infinite or nan: ValueError."""
    inf, nan, most, client, trap = float("inf"), float("nan"), 315_360_000, lab.redis(), "unchecked-seconds"
    lease = await report(lab).acquire()
    for seconds in (0, -1, 0.0009, most + 1, 1e300, inf, nan):
        for what in ("ttl", "poll"):
            with lab.raises(ValueError, when=f"for {what}={seconds}", trap=trap):
                RedisLock(client, "other", **{"ttl": TTL, what: seconds})
        with lab.raises(ValueError, when=f"for extend({seconds})", trap=trap):
            await lease.extend(seconds)
    for timeout in (-1, -0.001, inf, nan):
        with lab.raises(ValueError, when=f"for acquire(timeout={timeout})", trap=trap):
            await report(lab, name="other").acquire(timeout=timeout)
        with lab.raises(ValueError, when=f"for hold(timeout={timeout})", trap=trap):
            async with report(lab, name="other").hold(timeout=timeout):
                pass
    await is_free(lab, report(lab, name="other"), "another, as nothing was taken", trap=trap)
    for seconds in (0.001, most):
        with lab.no_error(expected=f"{seconds} s is allowed", trap=trap):
            lease = await report(lab, name=f"{seconds}", ttl=seconds, poll=seconds).acquire(timeout=0)
            await lease.extend(most)


@pytest.mark.parametrize(("free", "poll", "timeout"), [(7.3, 1, 10), (2.25, 0.25, None), (2_000, 40, None)])
async def test_a_waiter_gets_what_becomes_free(lab, free, poll, timeout):
    """Rule 10. A waiter gets the lock at most `poll` seconds after it is free, and for a whole `ttl`."""
    lab.scenario(f"the lock is free at {free} s; another waits from 0 s, with poll={poll}, timeout={timeout}")
    holder, waiter, other = *servers(lab, 1, ttl=free), *servers(lab, 2, poll=poll)
    await holder.acquire()
    call, latest = waiter.acquire(timeout), free + poll + MOMENT
    with lab.no_error(expected="the waiter gets the lock", trap="gives-up-early"):
        await lab.within(latest, call, what="the waiter gets the lock", trap="late-poll")
    early = lab.now < free
    lab.require(not early, expected=f"not before {free} s", got=f"at {lab.now:g} s", trap="lock-in-the-process")
    await asyncio.sleep(TTL - MOMENT)
    await is_held(lab, other, "another, just before the waiter's lease is over", trap="inexact-ttl")


@pytest.mark.parametrize(("timeout", "poll"), [(5, 1), (0.7, 0.1), (3, 30), (0, 1)])
async def test_a_waiter_gives_up_in_time(lab, timeout, poll):
    """Rule 10. A waiter gives up when `timeout` is over, at most `poll` seconds earlier and never later."""
    lab.scenario(f"the lock is held; another waits for {timeout} s, poll={poll}; the wall clock is stepped back")
    await report(lab, ttl=7200).acquire()
    waiter = asyncio.create_task(ending(report(lab, poll=poll).acquire(timeout)))
    await asyncio.sleep(timeout / 2)
    lab.step_wall_clock(-3600)
    told = await lab.within(timeout / 2 + MOMENT, waiter, what="the waiter gives up", trap="wall-clock")
    lab.expect("the waiter", told, "LockTimeout", trap="lock-in-the-process")
    due, got = f"it gives up from {timeout - poll:g} s on", f"at {lab.now:g} s"
    lab.require(lab.now >= timeout - poll - MOMENT, expected=due, got=got, trap="gives-up-early")


async def test_waiters_do_not_march_in_step(lab):
    """Rule 11. Waiters that began together ask at different instants, and seldom: ten round trips a `poll` each."""
    lab.scenario("eight locks end at 20 s; eight waiters, two in each of four processes, wait from 0 s with poll=1")
    for n in range(8):
        await report(lab, name=f"report-{n}", ttl=20).acquire()

    async def wait(n, make):
        await report(lab, make, name=f"report-{n}", poll=1).acquire(timeout=60)
        return round(lab.now, 3)

    processes, before = [lab.process().RedisLock for _ in range(4)], lab.round_trips
    instants = sorted(await asyncio.gather(*(wait(n, processes[n // 2]) for n in range(8))))
    asked, most = lab.round_trips - before, 8 * 20 * 10
    lab.require(asked <= most, expected=f"at most {most} round trips", got=f"{asked}", trap="busy-waiting")
    got, due = f"the waiters get it at {instants} s", "at least five different instants"
    lab.require(len(set(instants)) >= 5, expected=due, got=got, trap="in-step")


@pytest.mark.parametrize("way", ["timeout", "cancel"])
async def test_who_gave_up_gets_nothing(lab, way):
    """Rule 12. A waiter that gave up, or was cancelled, takes nothing afterwards and leaves no task behind."""
    lab.scenario(f"A holds the lock until 10 s; B's acquire ends by 5.5 s ({way}); C asks at 15 s")
    a, b, c = servers(lab, 3)
    lease = await a.acquire()
    waiter = asyncio.create_task(ending(b.acquire(5 if way == "timeout" else None)))
    await asyncio.sleep(5.5)
    waiter.cancel()
    await asyncio.sleep(4.5)
    await lease.release()
    await asyncio.sleep(5)
    await is_free(lab, c, "C", trap="orphaned-waiter")
    lab.expect("tasks left behind", lab.tasks_alive(), [], trap="orphaned-waiter")


@explore
@pytest.mark.parametrize("before", ["free", "released", "run out"])
async def test_one_of_two_racing_servers_gets_it(lab, before):
    """Rule 13. However servers race for a free lock, exactly one of them gets it."""
    lab.scenario(f"two servers ask at the same instant for a lock that is {before}")
    a, b, c = servers(lab, 3)
    if before != "free":
        lease = await c.acquire()
        await (lease.release() if before == "released" else asyncio.sleep(TTL + 1))
    calls = [ending(lock.acquire(timeout=0)) for lock in (a, b)]
    told = await lab.race(*calls, names=("server A", "server B"))
    lab.expect("the two servers", sorted(told), ["LockTimeout", "done"], trap="check-then-act")


async def test_everybody_has_a_turn_alone(lab):
    """Rule 13. Servers that wait for one lock all get it in the end, and no two at once."""
    lab.scenario("six servers wait for the lock from 0 s, and each holds it for a second")
    turns = []

    async def turn(lock):
        async with lock.hold(timeout=60):
            start = lab.now
            await asyncio.sleep(1)
            turns.append((start, lab.now))

    with lab.no_error(expected="six turns", trap="gives-up-early"):
        await asyncio.gather(*(turn(lock) for lock in servers(lab, 6)))
    alone = all(end <= start for (_, end), (start, _) in itertools.pairwise(turns))
    lab.require(alone, expected="six turns, one after the other", got=f"{turns}", trap="check-then-act")


@sweep(kinds=("stall:31",))
@pytest.mark.parametrize("what", ["release", "extend"])
async def test_a_paused_holder_leaves_its_successor_alone(lab, what):
    """Rule 14. Wherever a holder is paused past its lease, it neither frees nor prolongs its successor's."""
    lab.scenario(f"ttl 30 s; A's {what} begins at 29.5 s and may be paused for 31 s; B asks at 31 s, C at 60.8 s")
    a, b, c = servers(lab, 3)
    lease = await a.acquire()

    async def at(seconds, call):
        await asyncio.sleep(seconds)
        return await ending(call())

    calls = at(29.5, getattr(lease, what)), at(31, lambda: b.acquire(0)), at(60.8, lambda: c.acquire(0))
    _, taken, third = await lab.race(*calls, names=("server A", "server B", "server C"))
    if taken == "done":
        lab.expect("C, just before B's lease is over", third, "LockTimeout", trap="compare-then-act")
        await asyncio.sleep(61.5 - lab.now)
        await is_free(lab, c, "C, just after it is over", trap="compare-then-act")


@sweep
async def test_a_crash_blocks_nobody_for_long(lab):
    """Rule 15. Whatever step a server dies at, or loses, every key has a TTL and the lock is free after `ttl`."""
    lab.scenario("ttl 30 s; A holds the lock, extends it at 10 s, releases it")
    a, b = servers(lab, 2)

    async def working():
        async with a.hold() as lease:
            await asyncio.sleep(10)
            await lease.extend()

    await lab.attempt(working(), name="server A")
    lab.expect("keys without a TTL", lab.server.keys_without_ttl(), [], trap="no-ttl")
    await asyncio.sleep(TTL + MOMENT)
    await is_free(lab, b, "B, when the ttl is over", trap="abandoned-lock")
    await asyncio.sleep(TTL + 1)
    lab.expect("keys, a ttl and a second later", lab.server.keys(), [], trap="no-ttl")


@failures
async def test_what_redis_raises_is_raised(lab, error):
    """Rule 16. What Redis raises reaches the caller, at once and as it is: no lease, no `LockTimeout`, `LockLost`."""
    lab.scenario(f"Redis fails from 3 s on: {error}")
    due, trap = type(error).__name__, "outage-misread"
    lease = await report(lab).acquire()
    waiter = asyncio.create_task(ending(report(lab, poll=1).acquire(timeout=20)))
    await asyncio.sleep(3)
    with lab.server.outage(error):
        lab.expect("acquire of a free lock", await ending(report(lab, name="free").acquire(5)), due, trap=trap)
        lab.expect("extend", await ending(lease.extend()), due, trap=trap)
        lab.expect("release", await ending(lease.release()), due, trap=trap)
        lab.expect("instant at which all three have ended", lab.now, 3.0, trap=trap)
        told = await lab.within(1 + MOMENT, waiter, what="the waiter's acquire ends", trap=trap)
        lab.expect("a waiter", told, due, trap=trap)
    lab.expect("release, after the outage", await ending(lease.release()), "done", trap=trap)


@failures
@pytest.mark.parametrize("body", ["returns", "raises"])
async def test_an_outage_at_the_end_of_hold(lab, error, body):
    """Rule 16. If the release fails, `hold` raises what Redis raised, or what the body raised."""
    lab.scenario(f"the body {body}; Redis fails meanwhile: {error}")

    async def working(failing):
        async with report(lab).hold():
            failing.enter_context(lab.server.outage(error))
            if body == "raises":
                raise LookupError("no such report")

    with contextlib.ExitStack() as failing:
        told = await ending(working(failing))
    due, trap = ("LookupError", "error-hidden") if body == "raises" else (type(error).__name__, "outage-misread")
    lab.expect("end of `async with lock.hold()`", told, due, trap=trap)


async def test_a_server_without_scripts(lab):
    """Rule 16. A Redis that has forgotten its scripts serves all the same."""
    lock = report(lab)
    first = await lock.acquire()
    await first.extend(), await first.release()
    lease = await lock.acquire()
    for what, call in ("extend", lease.extend), ("release", lease.release), ("acquire", lock.acquire):
        lab.server.raw.script_flush()
        lab.expect(f"{what} after SCRIPT FLUSH", await ending(call()), "done", trap="forgotten-script")


@sweep(kinds=("lost-request", "lost-reply"))
async def test_a_client_that_retries(lab):
    """Rule 17. With a client that repeats a round trip whose reply was lost, `acquire` knows its own lease."""
    lab.scenario("the Redis client is configured with 3 retries")
    lock = RedisLock(lab.redis(retries=3), "report", ttl=TTL)
    [told] = await lab.race(ending(lock.acquire(timeout=0)), names=["server A"])
    lab.expect("acquire of a free lock", told, "done", trap="own-token")
    await is_held(lab, report(lab), "another", trap="own-token")
