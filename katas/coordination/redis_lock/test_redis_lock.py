"""A lock in Redis: one holder at a time, and everybody knows when it was lost."""

import asyncio
import contextlib
import copy
import itertools
import random

import pytest
import redis
from redis_lock import RedisLock

from dojo.lab import explore, sweep
from dojo.lab.properties import example, given, settings, st

TTL, MOMENT = 30, 0.01
ERRORS = [redis.ConnectionError("refused"), redis.TimeoutError("timed out"), redis.ResponseError("READONLY replica")]
KNOWN = "LockTimeout", "LockLost", "LookupError", *(type(error).__name__ for error in ERRORS)
GAPS = st.integers(0, 8).map(lambda steps: steps * 0.4)  # leases of 1.1 and 2.3 s never end at one of these instants
STORY = [(0, "acquire", 0), (0.8, "extend", 0), (0.8, "release", 0), (0, "acquire", 0), (0, "extend 2.3", 1)]
STORY += [(0.4, "extend", 1), (0, "extend", 0), (1.2, "release", 1), (0, "release", 1)]
ACTIONS = st.sampled_from(["acquire", "acquire", "release", "extend", "extend 2.3"])
ENDS = {"return": "done", "release": "done", "error": "LookupError", "Redis' error": "ConnectionError"}
ENDS |= {"another lock's error": "LockLost", "timeout": "TimeoutError"}
decoding = pytest.mark.parametrize("decode", [False, True], ids=["bytes replies", "str replies"])


def report(lab, make=None, name="report", **settings):
    """The lock "report", with a client of its own; `make` is the class as another process has loaded it."""
    return (make or RedisLock)(lab.redis(), name, **{"ttl": TTL, **settings})


def servers(lab, count, where="processes", **settings):
    """The lock "report" in so many processes, or one object so many times: itself, or as forks copy it."""
    if where != "processes":
        lock = report(lab, **settings)
        return [copy.copy(lock) if where == "copies of one object" else lock for _ in range(count)]
    return [report(lab, lab.process().RedisLock, **settings) for _ in range(count)]


async def ending(call):
    """How a call ends: "done", or the name of the error that it raises (of which each process has its own copy)."""
    try:
        await call
    except (AssertionError, NotImplementedError):
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, the test compares its name
        names = [kind.__name__ for kind in type(error).__mro__]
        return next((name for name in KNOWN if name in names), f"the error {names[0]}")
    return "done"


async def is_held(lab, lock, who, trap, due="LockTimeout"):
    """Demand that `who` asks for the lock and, not waiting for it, is refused."""
    lab.expect(f"{who}, asking at {lab.now:g} s", await ending(lock.acquire(timeout=0)), due, trap=trap)


async def is_free(lab, lock, who, trap):
    """Demand that `who` asks for the lock and gets it, and so holds it from now on."""
    await is_held(lab, lock, who, trap, due="done")


@pytest.mark.parametrize("where", ["one object", "processes"])
async def test_one_holder_at_a_time(lab, where):
    """Rule 1. A free lock is given at once; while somebody holds it nobody else gets it, its holder neither."""
    lab.scenario(f"{where}: acquire, acquire again twice, release, acquire")
    lock, other = servers(lab, 2, where)
    lease = await lock.acquire()
    await is_held(lab, other, "another", trap="lock-in-the-process")
    await is_held(lab, lock, "its holder, once more", trap="shared-owner")
    await lease.release()
    await is_free(lab, other, "another, after the release", trap="never-released")
    lab.expect("seconds that all this took", lab.now, 0.0, trap="late-poll")


@pytest.mark.parametrize("ttl", [0.004, 2.345, 86_400.5])
async def test_a_lease_lasts_for_its_ttl(lab, ttl):
    """Rule 2. A lease lasts for exactly `ttl` seconds, fractions included; nothing prolongs it by itself."""
    lab.scenario(f"ttl {ttl} s; another asks 0.002 s before and after the end of a lease")
    holder, other = servers(lab, 2, ttl=ttl)
    await holder.acquire()
    await asyncio.sleep(ttl - 0.002)
    await is_held(lab, other, "another", trap="inexact-ttl")
    await asyncio.sleep(0.004)
    await is_free(lab, other, "another", trap="inexact-ttl")


@decoding
async def test_a_lease_frees_only_its_own(lab, decode):
    """Rule 3. `release` frees this very lease; one that has run out raises `LockLost` and harms nobody."""
    lab.scenario("ttl 30 s; A acquires at 0 s, B at 31 s, then A releases, and B twice")
    a, b, c = (RedisLock(lab.redis(decode_responses=decode), "report", ttl=TTL) for _ in "abc")
    late = await a.acquire()
    await asyncio.sleep(TTL + 1)
    lease = await b.acquire()
    told = await ending(late.release())
    await is_held(lab, c, "C, while B holds", trap="foreign-release")
    lab.expect("A's release", told, "LockLost", trap="lost-unnoticed")
    lab.expect("B's release", await ending(lease.release()), "done", trap="bytes-or-text")
    await is_free(lab, c, "C, after B's release", trap="never-released")
    lab.expect("B's second release", await ending(lease.release()), "done", trap="lost-unnoticed")
    await is_held(lab, b, "B, while C holds", trap="foreign-release")


@pytest.mark.parametrize("where", ["one object", "copies of one object", "processes"])
async def test_every_acquisition_has_a_token_of_its_own(lab, where):
    """Rule 4. Each acquisition is told from every other: of one object, or of processes that are copies."""
    lab.scenario(f"{where}, `random` in one state; A acquires at 0 s, B at 31 s, then A extends, releases")
    a, b = servers(lab, 2, where)
    random.seed(7)
    late = await a.acquire(timeout=0)
    await asyncio.sleep(TTL + 1)
    random.seed(7)
    await b.acquire(timeout=0)
    told = [await ending(call()) for call in (late.extend, late.release)]
    lab.expect("A's extend, A's release", told, ["LockLost"] * 2, trap="weak-token")
    await is_held(lab, report(lab), "C, while B holds", trap="weak-token")


@sweep(kinds=("lost-request", "lost-reply"))
@pytest.mark.parametrize(("what", "pause"), [("release", 0), ("extend", 20)])
async def test_what_failed_may_be_called_again(lab, what, pause):
    """Rule 4. After a `release` or `extend` that failed, `release` frees this lease, but not B's that came after it."""
    lab.scenario(f"A acquires at 0 s; A's {what} at {pause} s; at {2 * pause} s B asks for the lock, then A releases")
    a, b, c = servers(lab, 3)
    lease = await a.acquire()
    await asyncio.sleep(pause)
    await lab.attempt(getattr(lease, what)(), name="server A")
    await asyncio.sleep(pause)
    taken = await ending(b.acquire(timeout=0)) == "done"
    told = await ending(lease.release())
    await (is_held if taken else is_free)(lab, c, "C", trap="weak-token" if taken else "never-released")
    lab.require(taken or told == "done", expected="A's release succeeds", got=told, trap="lost-unnoticed")


@pytest.mark.parametrize(("ttls", "lasts"), [([], 30), ([0.25], 0.25), ([90.5], 90.5)])
async def test_extend_counts_from_now(lab, ttls, lasts):
    """Rule 5. After `extend` the lease lasts for `ttl` seconds from that instant, whatever was left of it."""
    lab.scenario(f"ttl 30 s; at 20 s extend({', '.join(map(str, ttls))}), so until {20 + lasts} s")
    holder, other = servers(lab, 2)
    lease = await holder.acquire()
    await asyncio.sleep(20)
    lab.expect("extend", await ending(lease.extend(*ttls)), "done", trap="bytes-or-text")
    await asyncio.sleep(lasts - MOMENT)
    await is_held(lab, other, "another", trap="inexact-extension")
    await asyncio.sleep(2 * MOMENT)
    await is_free(lab, other, "another", trap="inexact-extension")


@pytest.mark.parametrize("ttl", [5, 500])
async def test_what_is_lost_is_not_extended(lab, ttl):
    """Rule 5. `extend` of a lease that is over raises `LockLost` and changes nothing, for its successor neither."""
    lab.scenario(f"ttl 30 s; A acquires at 0 s, B at 31 s; A's extend({ttl}) at 41 s, and when B's lease is over")
    a, b, c = servers(lab, 3)
    late = await a.acquire()
    await asyncio.sleep(TTL + 1)
    await b.acquire()
    await asyncio.sleep(10)
    lab.expect("A's extend while B holds", await ending(late.extend(ttl)), "LockLost", trap="foreign-extend")
    await asyncio.sleep(20 - MOMENT)
    await is_held(lab, c, "C, just before B's lease is over", trap="foreign-extend")
    await asyncio.sleep(2 * MOMENT)
    lab.expect("A's extend when nobody holds it", await ending(late.extend(ttl)), "LockLost", trap="extend-revives")
    await is_free(lab, c, "C, just after B's lease is over", trap="foreign-extend")


@settings(max_examples=8)
@example(story=STORY)
@given(story=st.lists(st.tuples(GAPS, ACTIONS, st.integers(0, 3)), min_size=1, max_size=14))
async def test_any_history(lab, story):
    """Rule 5. Whatever came before, exactly the lease that is not over can be extended and released."""
    lab.scenario("ttl 1.1 s; steps are (seconds since the step before, what, the lease's number)")
    lock, leases, ends = report(lab, ttl=1.1), [], []  # of each lease the instant of its end; None once released

    async def acquire():
        leases.append(await lock.acquire(timeout=0))

    for gap, action, number in story:
        await asyncio.sleep(gap)
        verb, *ttl = action.split() if leases else ["acquire"]
        alive = [n for n, end in enumerate(ends) if end is not None and lab.now < end]
        n, due = number % max(len(leases), 1), "LockTimeout" if alive else "done"
        call = acquire() if verb == "acquire" else getattr(leases[n], verb)(*map(float, ttl))
        if verb == "acquire":
            ends += [] if alive else [lab.now + 1.1]
        else:
            due = "done" if n in alive or (verb == "release" and ends[n] is None) else "LockLost"
            if n in alive:
                ends[n] = None if verb == "release" else lab.now + float(*ttl or [1.1])
        lab.expect(f"{verb} ({n}) at {lab.now:g} s", await ending(call), due, trap="lost-unnoticed")


@pytest.mark.parametrize("way", ENDS)
async def test_the_lock_is_released_however_the_body_ends(lab, way):
    """Rule 6. `hold` releases the lock however its body ends, a cancellation too, and passes on what it raised."""
    lab.scenario(f"how the body of `async with lock.hold()` ends: {way}")
    holder, other = servers(lab, 2)

    async def work():
        async with asyncio.timeout(10), holder.hold() as lease:
            await is_held(lab, other, "another, while the body runs", trap="lock-in-the-process")
            if way == "release":
                await lease.release()
            if "error" in way and "lock" not in way:
                raise LookupError("no such report") if way == "error" else ERRORS[0]
            if way == "another lock's error":
                another = await type(holder)(lab.redis(), "another", ttl=TTL).acquire()
                await another.release()
                await another.extend()
            await asyncio.sleep(100 if way == "timeout" else 1)

    told = await ending(work())
    await is_free(lab, other, "another, after the body's end", trap="kept-after-failure")
    lab.expect("end that the caller sees", told, ENDS[way], trap="error-hidden")


@pytest.mark.parametrize("fails", [False, True], ids=["returns", "fails"])
@pytest.mark.parametrize("loss", ["taken over", "run out", *ERRORS], ids=lambda loss: str(loss).split()[0])
async def test_a_lock_that_is_not_released_is_reported(lab, loss, fails):
    """Rule 7. If the lock was lost, `hold` ends with `LockLost`, if Redis fails with its error, or with the body's."""
    body = "returns" if not fails else "is cancelled" if loss == "run out" else "raises"
    lab.scenario(f"ttl 30 s; the body {body} after 31 s; meanwhile: {loss}")
    lock = report(lab)
    successor = lock.hold(timeout=0)  # of the same object, which may not mix the two up

    async def work(failing):
        async with asyncio.timeout(None) as limit, lock.hold() as lease:
            if isinstance(loss, Exception):
                failing.enter_context(lab.server.outage(loss))
            else:
                await asyncio.sleep(TTL + 1)
            if loss == "taken over":
                await successor.__aenter__()
            if loss == "run out":
                lab.expect("the body's own release", await ending(lease.release()), "LockLost", trap="lost-unnoticed")
                limit.reschedule(0 if fails else None)
                await asyncio.sleep(1)
            elif fails:
                raise LookupError("no such report")

    with contextlib.ExitStack() as failing:
        told = await ending(work(failing))
    due = type(loss).__name__ if isinstance(loss, Exception) else "LockLost"
    due = {"raises": "LookupError", "is cancelled": "TimeoutError"}.get(body, due)
    lab.expect("end of `async with lock.hold()`", told, due, trap="error-hidden" if fails else "lost-unnoticed")
    await (is_free if loss == "run out" else is_held)(lab, report(lab), "another, afterwards", trap="foreign-release")


async def test_different_names_are_different_locks(lab):
    """Rule 8. Names that differ anywhere are different locks, and a lock leaves all other keys alone."""
    names = ["report", "Report", " report", "report ", "report\n", "report\0", "", ":", "%3A", "Zoë", "Zoe\u0308"]
    names += ["кот", "кит", "a b", "a_b", "1", "01", "plumless", "buckeroo", *(end.center(2001, "r") for end in "12")]
    lab.scenario("under each name, there is other people's data as well")
    lab.server.raw.mset(dict.fromkeys(names, "data"))
    client, leases = lab.redis(), []
    names.append("lock:report")
    for name in names:
        with lab.no_error(expected=f"the lock {name[:9]!a} is free", trap="shared-key"):
            leases.append(await RedisLock(client, name, ttl=TTL).acquire(timeout=0))
            await leases[-1].extend()
    theirs = [name.encode() for name in names[:-1]]
    keys = [key for key in list(lab.server.keys()) if key not in theirs]
    lab.expect("keys outside `lock:`", [key for key in keys if not key.startswith(b"lock:")], [], trap="shared-key")
    for name in {key[5:].decode("utf-8", "replace") for key in keys}.difference(names):
        await is_free(lab, RedisLock(client, name, ttl=TTL), f"who asks for {name[:9]!a}", trap="shared-key")
    for name, lease in zip(names, leases, strict=True):
        await is_held(lab, RedisLock(client, name, ttl=TTL), f"who asks for {name[:9]!a} once more", trap="shared-key")
        await lease.release()
    lab.expect("other people's data", lab.server.raw.mget(theirs), [b"data"] * len(theirs), trap="shared-key")


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
            await report(lab, name="other").hold(timeout=timeout).__aenter__()
    await is_free(lab, report(lab, name="other"), "another, as nothing was taken", trap=trap)
    for seconds in (0.001, most):
        with lab.no_error(expected=f"{seconds} s is allowed", trap=trap):
            lease = await report(lab, name=f"{seconds}", ttl=seconds, poll=seconds).acquire(timeout=0)
            await lease.extend(most)


@pytest.mark.parametrize(("waits", "poll", "timeout"), [([1.3, *[0.15] * 5], 0.1, 10), ([100_000], 3000, None)])
async def test_a_waiter_gets_what_becomes_free(lab, waits, poll, timeout):
    """Rule 10. A waiter gets the lock at most `poll` seconds after it is free."""
    lab.scenario(f"poll={poll}; after {waits[0]} s of waiting the lock is released, just after it was asked for")
    holder, waiter = servers(lab, 2, ttl=200_000, **({} if poll == 0.1 else {"poll": poll}))  # 0.1 is the default
    lease = await holder.acquire()
    for wait in waits:
        waiting = asyncio.create_task(waiter.acquire(timeout))
        await asyncio.sleep(wait)
        before, limit = lab.round_trips, lab.now + 3 * poll
        while lab.round_trips == before and lab.now < limit:
            await asyncio.sleep(poll / 50)
        lab.require(not waiting.done(), expected="the waiter waits", got="it does not", trap="gives-up-early")
        await lease.release()
        with lab.no_error(expected="the waiter gets the lock", trap="gives-up-early"):
            lease = await lab.within(poll + MOMENT, waiting, what="the waiter gets the lock", trap="late-poll")


@sweep(kinds=("stall:0.9",))
async def test_waiters_take_turns(lab):
    """Rule 10. Each waiter gets the lock alone and for a whole `ttl`, however long it has waited."""
    lab.scenario("the lock is free at 1 s; A and B wait for it from 0 s, with ttl=4, poll=1; A may be paused")
    [holder], waiters, instants = servers(lab, 1, ttl=1), servers(lab, 2, ttl=4, poll=1), []
    await holder.acquire()

    async def wait(lock):
        with lab.no_error(expected="each waiter gets the lock", trap="gives-up-early"):
            await lab.within(10, lock.acquire(timeout=20), what="each waiter gets the lock", trap="late-poll")
        instants.append(lab.now)

    await lab.race(*map(wait, waiters), names=("server A", "server B"))
    apart, got = instants[1] - instants[0], f"at {instants[0]:g} and {instants[1]:g} s"
    lab.require(instants[0] >= 1, expected="nobody gets it before 1 s", got=got, trap="lock-in-the-process")
    trap = "check-then-act" if apart < 1 else "inexact-ttl"
    lab.require(apart > 4 - MOMENT, expected="one gets it 4 s after the other", got=got, trap=trap)


@pytest.mark.parametrize("what", ["acquire", "hold"])
@pytest.mark.parametrize(("timeout", "poll"), [(0.7, 0.1), (3, 30), (0, 1)])
async def test_a_waiter_gives_up_in_time(lab, timeout, poll, what):
    """Rule 10. A waiter gives up when `timeout` is over, at most `poll` seconds earlier and never later."""
    lab.scenario(f"the lock is held; another's {what}({timeout}) waits, poll={poll}; the wall clock is stepped back")
    await report(lab, ttl=7200).acquire()
    lock = report(lab, poll=poll)
    call = lock.acquire(timeout) if what == "acquire" else lock.hold(timeout).__aenter__()
    waiter = asyncio.create_task(ending(call))
    await asyncio.sleep(timeout / 2)
    lab.step_wall_clock(-3600)
    then = f"from {lab.now:g} s on, the waiter gives up"
    told = await lab.within(timeout / 2 + MOMENT, waiter, what=then, trap="gives-up-late")
    lab.expect("the waiter", told, "LockTimeout", trap="lock-in-the-process")
    due, got = f"it gives up from {timeout - poll:g} s on", f"at {lab.now:g} s"
    lab.require(lab.now >= timeout - poll - MOMENT, expected=due, got=got, trap="gives-up-early")


async def test_waiters_do_not_march_in_step(lab):
    """Rule 11. Waiters that began together ask at different instants, and seldom: ten round trips a `poll` each."""
    lab.scenario("two waiters in each of three processes wait for one lock from 0 s on, with poll=1")
    await report(lab, ttl=60).acquire()
    waiters = [lock for lock in servers(lab, 3, poll=1) for _ in range(2)]
    waiting = asyncio.gather(*(ending(lock.acquire(timeout=10)) for lock in waiters))
    counts = []
    for _ in range(500):
        await asyncio.sleep(MOMENT)
        counts.append(lab.round_trips)
    asked, instants = counts[-1] - counts[0], sum(now > before for before, now in itertools.pairwise(counts))
    lab.require(asked <= 6 * 5 * 10, expected="at most 300 round trips", got=f"{asked}", trap="busy-waiting")
    got = f"{asked} round trips at {instants} instants"
    lab.require(instants >= 20, expected="the waiters ask at 20 different instants, at least", got=got, trap="in-step")
    lab.expect("all six, who waited for 10 s", await waiting, ["LockTimeout"] * 6, trap="lock-in-the-process")


async def test_who_gave_up_gets_nothing(lab):
    """Rule 12. A waiter that gave up, or was cancelled, takes nothing afterwards and leaves no task behind."""
    lab.scenario("A holds the lock until 10 s; B's hold(8) is over by then, C's is cancelled at 5.5 s; D asks at 15 s")
    a, b, c, d = servers(lab, 4)
    lease = await a.acquire()
    gives_up, cancelled = (asyncio.create_task(ending(call.__aenter__())) for call in (b.hold(8), c.hold()))
    await asyncio.sleep(5.5)
    cancelled.cancel()
    await asyncio.sleep(4.5)
    lab.expect("A's release", await ending(lease.release()), "done", trap="foreign-release")
    await asyncio.sleep(5)
    await is_free(lab, d, "D", trap="orphaned-waiter")
    ended = gives_up.done() and gives_up.result(), cancelled.cancelled()
    lab.expect("B's end, and whether C was cancelled", ended, ("LockTimeout", True), trap="orphaned-waiter")
    lab.expect("tasks left behind", lab.tasks_alive(), [], trap="orphaned-waiter")


@explore
async def test_one_of_two_racing_servers_gets_it(lab):
    """Rule 13. However servers race for a free lock, exactly one of them gets it."""
    lab.scenario("two servers ask at the same instant for a lock whose holder died; its lease has just run out")
    a, b, died = servers(lab, 3)
    await died.acquire()
    await asyncio.sleep(TTL + MOMENT)
    told = await lab.race(*(ending(lock.acquire(timeout=0)) for lock in (a, b)), names=("server A", "server B"))
    lab.expect("the two servers", sorted(told), ["LockTimeout", "done"], trap="check-then-act")


@explore
@sweep(kinds=("stall:31.25",))
@pytest.mark.parametrize("what", ["release", "extend"])
async def test_a_paused_holder_leaves_its_successor_alone(lab, what):
    """Rule 14. Wherever a holder is paused past its lease, it neither frees nor prolongs its successor's."""
    lab.scenario(f"ttl 30 s; A's {what} begins at 29.5 s, may be paused for 31.25 s; B asks at 31, 60 s, C at 60.75 s")
    a, b, c = servers(lab, 3)
    lease = await a.acquire()

    async def at(instant, call):
        await asyncio.sleep(instant - lab.now)
        return await ending(call()), instant

    async def asks():
        first = await at(31, lambda: b.acquire(0))
        return first if first[0] == "done" else await at(60, lambda: b.acquire(0))

    calls = at(29.5, getattr(lease, what)), asks(), at(60.75, lambda: c.acquire(0))
    _, (taken, start), (third, _) = await lab.race(*calls, names=("server A", "server B", "server C"))
    if taken == "done":
        lab.expect("C, before B's lease is over", third, "LockTimeout", trap="compare-then-act")
        await asyncio.sleep(start + TTL + 0.5 - lab.now)
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


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
async def test_what_redis_raises_is_raised(lab, error):
    """Rule 16. What Redis raises is raised, at once and as it is: no lease, no `LockTimeout`; later all works again."""
    lab.scenario(f"Redis fails from 3 s on: {error}")
    due, trap = type(error).__name__, "outage-misread"
    lock = report(lab)
    lease = await lock.acquire()
    await lease.extend()
    waiter = asyncio.create_task(ending(report(lab, poll=1).acquire(timeout=20)))
    await asyncio.sleep(3)
    with lab.server.outage(error):
        for timeout in (0, 5):
            told = await ending(report(lab, name="free").acquire(timeout))
            lab.expect(f"acquire({timeout}) of a free lock", told, due, trap=trap)
        lab.expect("extend", await ending(lease.extend()), due, trap=trap)
        lab.expect("release", await ending(lease.release()), due, trap=trap)
        lab.expect("instant at which all three have ended", lab.now, 3.0, trap=trap)
        told = await lab.within(1 + MOMENT, waiter, what="the waiter's acquire ends", trap=trap)
        lab.expect("a waiter", told, due, trap=trap)
    lab.note("** Redis is there again, but has forgotten its scripts **")
    for what, call in ("extend", lease.extend), ("release", lease.release), ("acquire", lock.acquire):
        lab.server.raw.script_flush()
        lab.expect(f"{what}, after the outage", await ending(call()), "done", trap="forgotten-script")


@sweep(kinds=("lost-request", "lost-reply"))
@pytest.mark.parametrize(("decode", "held"), [(False, 0), (True, 0.5)], ids=["free", "held at first"])
async def test_a_client_that_retries(lab, decode, held):
    """Rule 17. With a client that repeats a round trip whose reply was lost, `acquire` knows its own lease."""
    lab.scenario(f"the Redis client is configured with 3 retries; the lock is free from {held} s on")
    lock = RedisLock(lab.redis(retries=3, decode_responses=decode), "report", ttl=TTL, poll=1)
    if held:
        await report(lab, ttl=held).acquire()
    [told] = await lab.race(ending(lock.acquire(timeout=4 * held)), names=["server A"])
    lab.expect(f"acquire({4 * held:g})", told, "done", trap="own-token")
    await is_held(lab, report(lab), "another", trap="own-token")
