import asyncio
import dataclasses
import time
from unittest import mock

import httpx
import pytest
import redis
from fastapi import Depends, FastAPI
from rate_limiter import RateLimiter, rate_limited

from dojo.lab import explore, sweep
from dojo.lab.properties import example, given, settings, st

MILLISECOND = 0.001
EDGES = (60, 0.001, 0, "window-edge"), (0.5, 0.1, 0.1, "whole-seconds"), (0.5, 0.001, 0, "window-edge")
RACES = (1, 0, 1, 1, "check-then-act"), (2, 0, 1, 2, "refused-by-conflict"), (2, 1, 2, 1, "spend-then-refund")
EIGHTHS = st.integers(0, 20).map(lambda eighths: eighths / 8)
THREE_EIGHTHS = st.integers(0, 6).map(lambda steps: steps * 0.375)  # these never meet the edge of a window of 4 s
# Not the learner's class, which may have ideas of its own about what equals it.
FIELDS = ("allowed", "remaining", "retry_after", "reset_after")
Decision = dataclasses.make_dataclass("Decision", FIELDS)


def log_model(limit, window):
    """The rules in their plainest form, for one caller and one server: a list of the instants of the spent units."""
    spent = []

    def hit(now, cost):
        spent[:] = [at for at in spent if now - at < window]
        missing = cost - (limit - len(spent))
        if missing > 0:
            return Decision(False, limit - len(spent), spent[missing - 1] + window - now, spent[-1] + window - now)
        spent.extend([now] * cost)
        return Decision(True, limit - len(spent), 0.0, float(window))

    return hit


def expect_seconds(lab, what, got, seconds, trap):
    """Durations may be less than a millisecond too long, never too short; the last microsecond is float noise."""
    close = type(got) is float and -1e-6 <= got - seconds < MILLISECOND
    lab.require(close, expected=f"{what} {seconds:g} (a float, in seconds)", got=f"{what} {got!r}", trap=trap)


def expect_sliding(lab, instants, limit, window, trap):
    span = [at for at in instants if lab.now - at < window]
    got = f"{len(span)} admitted, at {', '.join(f'{at:g}' for at in span)} s"
    lab.require(len(span) <= limit, expected=f"at most {limit} calls admitted in any {window} s", got=got, trap=trap)


def units(lab, trap, *decisions):
    """How many of `decisions` admit; no `allowed` may have a way of its own to be added up."""
    return sum(lab.plain("allowed", [decision.allowed for decision in decisions], trap=trap))


async def admitted(limiter, calls, key="ann"):
    return [(await limiter.hit(key)).allowed for _ in range(calls)]


async def test_calls_up_to_the_limit_are_admitted(lab):
    """Rule 1. The first `limit` units are admitted and the next is refused; `remaining` counts down to 0."""
    lab.scenario("limit 3 in 60 s; ann calls five times a second apart, bob five times in one instant")
    limiter = RateLimiter(lab.redis(), limit=3, window=60)
    decisions = []
    for _ in range(5):
        decisions.append(await limiter.hit("ann"))
        await asyncio.sleep(1)
    lab.expect("ann's calls admitted", [d.allowed for d in decisions], [True] * 3 + [False] * 2, trap="off-by-one")
    lab.expect("remaining", [d.remaining for d in decisions], [2, 1, 0, 0, 0], trap="off-by-one")
    lab.expect("bob's calls admitted", await admitted(limiter, 5, "bob"), [True] * 3 + [False] * 2, trap="same-instant")


@pytest.mark.parametrize(("window", "early", "late", "trap"), EDGES)
async def test_a_unit_comes_back_after_exactly_one_window(lab, window, early, late, trap):
    """Rule 2. A unit counts for exactly `window` seconds: a millisecond earlier it still does, then no more."""
    lab.scenario(f"limit 2 in {window} s; units spent at 0 and at {window / 4} s")
    with lab.no_error(expected=f"a window of {window} s works", trap=trap):
        limiter = RateLimiter(lab.redis(), limit=2, window=window)
        await limiter.hit("ann")
        await asyncio.sleep(window / 4)
        await limiter.hit("ann")
        await asyncio.sleep(window * 3 / 4 - early)
        lab.expect(f"admitted at {lab.now:g} s", await admitted(limiter, 1), [False], trap=trap)
        await asyncio.sleep(early + late)
        lab.expect(f"two calls at {lab.now:g} s admitted", await admitted(limiter, 2), [True, False], trap=trap)
        await asyncio.sleep(window - early)
        lab.expect(f"two calls at {lab.now:g} s admitted", await admitted(limiter, 2), [True, False], trap=trap)


async def test_a_unit_is_not_even_a_little_early(lab):
    """Rule 2. A unit counts for exactly `window` seconds, between whole milliseconds too: it never comes back early."""
    lab.scenario("limit 1 in 60 s; a unit spent at 0.00094 s, which counts until 60.00094 s")
    limiter = RateLimiter(lab.redis(), limit=1, window=60)
    for instant, right in (0.00094, True), (60.00092, False), (60.00194, True):
        await asyncio.sleep(instant - lab.now)
        lab.expect(f"admitted at {instant} s", await admitted(limiter, 1), [right], trap="window-edge")


@settings(max_examples=5)
@example(gaps=[1.75, 1.75, 0.0, 1.875])
@given(gaps=st.lists(EIGHTHS, min_size=1, max_size=16))
async def test_no_span_of_one_window_admits_too_many(lab, gaps):
    """Rule 3. No span of `window` seconds, wherever it begins, admits more than `limit` units."""
    lab.scenario("limit 3 in 4 s; calls after gaps of so many seconds")
    limiter, instants = RateLimiter(lab.redis(), limit=3, window=4), []
    for gap in gaps:
        await asyncio.sleep(gap)
        if units(lab, "not-a-sliding-window", await limiter.hit("ann")):
            instants.append(lab.now)
        expect_sliding(lab, instants, limit=3, window=4, trap="not-a-sliding-window")


async def test_steady_traffic_is_never_punished(lab):
    """Rule 4. Traffic never extends the window: one call every 59 s passes for ever."""
    lab.scenario("limit 3 in 60 s, one call every 59 s")
    limiter = RateLimiter(lab.redis(), limit=3, window=60)
    for call in range(1, 11):
        lab.expect(f"call {call} admitted", (await limiter.hit("ann")).allowed, True, trap="refreshed-expiry")
        await asyncio.sleep(59)


async def test_a_hit_spends_its_cost_or_nothing(lab):
    """Rule 5. A hit spends its whole cost or nothing, and a refused hit spends nothing."""
    limiter = RateLimiter(lab.redis(), limit=5, window=60)
    lab.scenario("limit 5 in 60 s; a call that costs 5 at 0 s, then a call every 10 s")
    await limiter.hit("ann", 5)
    for _ in range(5):
        await asyncio.sleep(10)
        await limiter.hit("ann")
    await asyncio.sleep(10.5)
    lab.expect("admitted at 60.5 s", await admitted(limiter, 1), [True], trap="refused-hits-count")
    lab.scenario("limit 5 in 60 s; later three calls of bob's, which cost 3, 3 and 2")
    got = [(d.allowed, d.remaining) for d in [await limiter.hit("bob", cost) for cost in (3, 3, 2)]]
    lab.expect("(allowed, remaining)", got, [(True, 2), (False, 2), (True, 0)], trap="partial-spend")


async def test_waiting_retry_after_admits(lab):
    """Rule 6. Waiting `retry_after` admits the same hit, a millisecond less does not; `reset_after` frees all."""
    lab.scenario("limit 3 in 60 s; units spent at 0, 10 and 20 s; at 30 s a call that costs 2")
    limiter = RateLimiter(lab.redis(), limit=3, window=60)
    for _ in range(3):
        spent = await limiter.hit("ann")
        await asyncio.sleep(10)
    refused = await limiter.hit("ann", 2)
    expect_seconds(lab, "reset_after of the call at 20 s", spent.reset_after, 60.0, trap="vague-reset-after")
    expect_seconds(lab, "reset_after at 30 s", refused.reset_after, 50.0, trap="vague-reset-after")
    expect_seconds(lab, "retry_after at 30 s", wait := refused.retry_after, 40.0, trap="vague-retry-after")
    await asyncio.sleep(wait - MILLISECOND)
    early = (await limiter.hit("ann", 2)).allowed
    lab.expect("admitted a millisecond before retry_after is over", early, False, trap="vague-retry-after")
    await asyncio.sleep(MILLISECOND)
    told = (in_time := await limiter.hit("ann", 2)).allowed, in_time.retry_after
    lab.expect("(allowed, retry_after) when it is over", told, (True, 0.0), trap="vague-retry-after")


@settings(max_examples=8)
@given(calls=st.lists(st.tuples(THREE_EIGHTHS, st.integers(1, 4)), min_size=1, max_size=10))
async def test_any_history_is_counted_unit_by_unit(lab, calls):
    """Rule 6. Every field of every decision is right, whatever came before."""
    lab.scenario("limit 4 in 4 s; calls are (seconds since the call before, cost)")
    limiter = RateLimiter(lab.redis(), limit=4, window=4)
    model = log_model(limit=4, window=4)
    for gap, cost in calls:
        await asyncio.sleep(gap)
        got, right = await limiter.hit("ann", cost), model(lab.now, cost)
        told, truth = (got.allowed, got.remaining), (right.allowed, right.remaining)
        lab.expect(f"(allowed, remaining) at {lab.now:g} s", told, truth, trap="wrong-count")
        expect_seconds(lab, "retry_after", got.retry_after, right.retry_after, trap="vague-retry-after")
        expect_seconds(lab, "reset_after", got.reset_after, right.reset_after, trap="vague-reset-after")


async def test_each_caller_has_a_limit_of_its_own(lab):
    """Rule 7. Each key has a limit of its own; the integer 1 and the string "1" are two keys."""
    lab.scenario("limit 1: a first and a second call of each caller")
    limiter = RateLimiter(lab.redis(), limit=1, window=60)
    strange = ("zoe", "zoë", "zoe\u0308", "a:1", "'a'", 'a"b', "a\\b", "*", "", "x" * 99, "x" * 100)
    alike_to_a_hash = ("plumless", "buckeroo", -1, -2)  # to CRC-32, and to Python's hash()
    for key in ("ann", "Ann", " ann", "1", 1, *strange, *alike_to_a_hash):
        lab.expect(f"calls of {key!a} admitted", await admitted(limiter, 2, key), [True, False], trap="shared-key")


async def test_two_limits_never_mix(lab):
    """Rule 7. Limiters that differ in namespace, limit or window never touch each other's counts."""
    lab.scenario("twelve limiters on one server, each seeing its first call")
    client = lab.redis()
    for namespace, limit, window, key in (
        ("api", 1, 60, "login:ann"), ("api:login", 1, 60, "ann"), ("", 1, 60, "ann"), ("api", 1, 60, "ann"),
        ("api", 2, 60, "ann"), ("api", 11, 60, "ann"), ("api", 1, 160, "ann"), ("api", 1, 30, "ann"),
        ("API", 1, 60, "ann"), ("rate-limit", 1, 60, "ann"), ("api", 1, 604_800, "ann"), ("api", 1, 604_800.25, "ann"),
    ):  # fmt: skip
        first = await RateLimiter(client, limit=limit, window=window, namespace=namespace).hit(key)
        what = f"(allowed, remaining) for {key!r} of {namespace!r}, {limit} in {window} s"
        lab.expect(what, (first.allowed, first.remaining), (True, limit - 1), trap="shared-namespace")


async def test_nonsense_is_refused_at_once(lab):
    """Rule 8. A cost, limit, window or policy that cannot be raises ValueError, a key that names nobody TypeError."""
    client = lab.redis()
    limiter = RateLimiter(client, limit=3, window=60)
    for cost in (0, -1, 4):
        with lab.raises(ValueError, when=f"for a cost of {cost} with limit 3", trap="unchecked-arguments"):
            await limiter.hit("ann", cost)
    lab.expect("keys stored", lab.server.keys(), [], trap="unchecked-arguments")
    lab.expect("a cost of 3 admitted", (await limiter.hit("ann", 3)).allowed, True, trap="unchecked-arguments")
    wrong = [("window", value) for value in (0, -60, 0.0001, float("nan"), float("inf"))]
    for name, value in ("limit", 0), ("limit", -1), ("on_outage", "ajar"), *wrong:
        with lab.raises(ValueError, when=f"for {name}={value!r}", trap="unchecked-arguments"):
            RateLimiter(client, **{"limit": 3, "window": 60, name: value})
    RateLimiter(client, limit=1, window=0.001)
    for key in (None, b"ann", 1.5, ("ann",)):
        with lab.raises(TypeError, when=f"for the key {key!r}", trap="unchecked-arguments"):
            await limiter.hit(key)


async def test_servers_count_together(lab):
    """Rule 9. All servers share one limit, also if they differ in how they write the window, or in `on_outage`."""
    for key, of_b in ("ann", {}), ("bob", {"window": 60.0}), ("eve", {"on_outage": "closed"}):
        lab.scenario(f"limit 1 in 60 s; server A is called, then server B, which is built with {of_b or 'the same'}")
        built = [{"limit": 1, "window": 60, **options} for options in ({}, of_b)]
        got = [(await lab.process().RateLimiter(lab.redis(), **options).hit(key)).allowed for options in built]
        lab.expect(f"calls of {key!r} admitted on A, on B", got, [True, False], trap="counted-per-process")


@explore
@pytest.mark.parametrize(("limit", "spent", "cost", "fit", "trap"), RACES)
async def test_racing_servers_admit_what_fits(lab, limit, spent, cost, fit, trap):
    """Rule 9. Servers that decide at the same instant admit what fits, and a refused hit takes nobody's place."""
    lab.scenario(f"limit {limit}, {spent} spent; at the same instant a call on A costs {cost}, one on B 1")
    a, b = (lab.process().RateLimiter(lab.redis(), limit=limit, window=60) for _ in range(2))
    await admitted(a, spent)
    decisions = await lab.race(a.hit("ann", cost), b.hit("ann"), names=("server A", "server B"))
    lab.expect("calls admitted", units(lab, trap, *decisions), fit, trap=trap)


async def test_calls_overlap_on_one_server(lab):
    """Rule 9. Calls that overlap on one server are decided one by one, each by its own key and cost."""
    lab.scenario("limit 3, one limiter; at once a call of ann, eve and zoe, costing 3, 2 and 1, and five of bob")
    limiter = RateLimiter(lab.redis(), limit=3, window=60)
    with lab.no_error(expected="eight decisions", trap="mixed-up-calls"):
        calls = ("ann", 3), ("eve", 2), ("zoe", 1), *[("bob", 1)] * 5
        decisions = await asyncio.gather(*(limiter.hit(key, cost) for key, cost in calls))
    lab.expect("remaining of ann, eve, zoe", [d.remaining for d in decisions[:3]], [0, 1, 2], trap="mixed-up-calls")
    bobs, trap = decisions[3:], "refused-by-conflict"
    lab.expect("bob's calls admitted", units(lab, trap, *bobs), 3, trap=trap)


@sweep(kinds=("stall:30",))
async def test_a_server_that_stalls_bends_nothing(lab):
    """Rule 9. A server that stands still halfway through a decision neither exceeds nor shortens the limit."""
    lab.scenario("limit 1 in 60 s; A is called at 0 s and stands still for 30 s; B is called at 10 s, and at 65 s")
    a, b = (lab.process().RateLimiter(lab.redis(), limit=1, window=60) for _ in range(2))

    async def ten_seconds_later():
        await asyncio.sleep(10)
        return await b.hit("ann")

    decisions = await lab.race(a.hit("ann"), ten_seconds_later(), names=("server A", "server B"))
    first, second = (units(lab, "expired-lock", decision) for decision in decisions)
    lab.expect("calls admitted", first + second, 1, trap="expired-lock")
    await asyncio.sleep(65 - lab.now)
    if second:
        lab.expect("B's unit of 10 s still counts at 65 s", await admitted(b, 1), [False], trap="stale-clock")


@sweep(kinds=("died-after",))  # dying before a step leaves what dying after the one before it leaves
async def test_a_crash_leaves_nothing_for_ever(lab):
    """Rule 10. Whatever crashes between two steps, every stored key has a TTL and the next hit waits for nobody."""
    limiter, another = (lab.process().RateLimiter(lab.redis(), limit=1, window=60) for _ in range(2))
    await lab.attempt(limiter.hit("ann"))
    lab.expect("keys without a TTL", lab.server.keys_without_ttl(), [], trap="no-ttl")
    crashed = lab.now
    await lab.attempt(another.hit("ann"), name="another server")
    lab.expect("seconds that another server waits", lab.now - crashed, 0.0, trap="abandoned-lock")
    lab.expect("keys without a TTL", lab.server.keys_without_ttl(), [], trap="no-ttl")


@pytest.mark.parametrize("window", [10, 1])
async def test_the_store_stays_small(lab, window):
    """Rule 11. What is stored grows with `limit`, not with the number of calls, and is gone two windows later."""
    lab.scenario(f"limit 5 in {window} s; 35 calls, {window / 10} s apart, of which 5 fill a window; then silence")
    limiter = RateLimiter(lab.redis(), limit=5, window=window)

    def stored():
        raw, names = lab.server.raw, lab.server.keys()
        return sum(raw.strlen(k) if raw.type(k) == b"string" else lab.server.memory(k) for k in names)

    sizes = []
    for _ in range(35):
        await asyncio.sleep(window / 10)
        await limiter.hit("ann")
        sizes.append(stored())
    most = 2 * sizes[4] + 4
    lab.require(max(sizes) <= most, expected=f"{most} elements at most", got=f"{max(sizes)}", trap="unbounded-log")
    await asyncio.sleep(2 * window + 1.5)
    lab.expect(f"keys stored {2 * window + 1.5:g} s after the last call", lab.server.keys(), [], trap="unbounded-log")


async def test_an_outage_is_answered_as_declared(lab):
    """Rule 12. While Redis cannot be reached, `on_outage` decides: `open` admits, `closed` refuses, nothing raises."""
    lab.scenario("limit 5 in 60 s; Redis is down; a call that costs 2")
    admit, refuse = Decision(True, 3, 0.0, 60.0), Decision(False, 0, 60.0, 60.0)
    for policy, right in ({}, admit), ({"on_outage": "open"}, admit), ({"on_outage": "closed"}, refuse):
        limiter = RateLimiter(lab.redis(), limit=5, window=60, **policy)
        await limiter.hit("ann")
        for event, error in (
            ("a refused connection", redis.ConnectionError("connection refused")),
            ("a timeout", redis.TimeoutError("Timeout reading from socket")),
            ("a refused password", redis.AuthenticationError("WRONGPASS invalid username-password pair")),
            ("LOADING, from a server that has just started", redis.BusyLoadingError("LOADING the dataset")),
        ):
            what = f"decision after {event}, with {policy or 'the default'}"
            with lab.no_error(expected=what, trap="outage-policy"), lab.server.outage(error):
                got = await limiter.hit("ann", 2)
            lab.expect(what, Decision(*(getattr(got, field) for field in FIELDS)), right, trap="outage-policy")
        lab.note("** Redis has restarted: it knows no key and no script any more **")
        lab.server.raw.flushdb(), lab.server.raw.script_flush()
        with lab.no_error(expected="back in service after the restart", trap="forgotten-script"):
            again = await limiter.hit("ann")
        lab.expect("remaining, back in service", again.remaining, 4, trap="outage-policy")


async def test_a_defect_is_no_outage(lab):
    """Rule 12. An error that Redis answers is a defect, no outage: it is raised, whatever the policy."""
    limiters = [RateLimiter(lab.redis(), limit=5, window=60, on_outage=policy) for policy in ("open", "closed")]
    await limiters[0].hit("ann")
    raw, names = lab.server.raw, lab.server.keys()
    for key in names:
        other_type = raw.rpush if raw.type(key) == b"string" else raw.set
        raw.delete(key)
        other_type(key, "x")
    lab.note("** somebody replaces the stored value by one of another type **")
    full = redis.OutOfMemoryError("OOM command not allowed when used memory > 'maxmemory'")
    for limiter, policy in zip(limiters, ("open", "closed"), strict=True):
        with lab.raises(redis.ResponseError, when=f"for WRONGTYPE with {policy!r}", trap="every-error-is-an-outage"):
            await limiter.hit("ann")
        told = lab.raises(redis.ResponseError, when=f"for OOM with {policy!r}", trap="every-error-is-an-outage")
        with told, lab.server.outage(full):
            await limiter.hit("ann")


@sweep(kinds=("lost-request", "lost-reply"))
async def test_a_lost_reply_never_admits_too_many(lab):
    """Rule 12. With `closed`, no fault admits more than `limit`, and a lost hit spends at most its cost."""
    lab.scenario("limit 2, fail closed; A's call is struck, then B calls three times")
    a, b = (lab.process().RateLimiter(lab.redis(), limit=2, window=60, on_outage="closed") for _ in range(2))
    with lab.no_error(expected="the policy answers a lost connection", trap="outage-policy"):
        decision = (await lab.attempt(a.hit("ann"), name="server A")).result()
    hits = [] if decision is None else [decision], [await b.hit("ann") for _ in range(3)]
    got = [units(lab, "outage-policy", *decisions) for decisions in hits]
    lab.require(sum(got) <= 2, expected="at most 2 admitted", got=f"{got[0]} on A, {got[1]} on B", trap="retried-spend")
    lab.require(got[1] >= 1, expected="A's call spends at most 1 unit", got="2 units gone", trap="retried-spend")


async def test_a_clock_stepped_back_bends_nothing(lab):
    """Rule 13. After a step back spent units still count, but one window after the next call all are free."""
    lab.scenario(
        "limit 2 in 60 s, both spent at 0 s; at 30 s the wall clock (not the time shown) is stepped back an hour"
    )
    limiter = RateLimiter(lab.redis(), limit=2, window=60)
    await admitted(limiter, 2)
    await asyncio.sleep(30)
    lab.step_wall_clock(-3600)
    lab.expect("admitted at 30 s", await admitted(limiter, 1), [False], trap="step-back-frees")
    await asyncio.sleep(29.5)
    refused = await limiter.hit("ann")
    lab.expect("admitted at 59.5 s", refused.allowed, False, trap="step-back-frees")
    wait = lab.plain("retry_after", refused.retry_after, trap="step-back-locks-out")
    lab.require(wait < 30.502, expected="retry_after of 30.5 s at most", got=f"{wait!r} s", trap="step-back-locks-out")
    await asyncio.sleep(31)
    late = await limiter.hit("ann", 2)
    lab.expect("a call that costs 2 admitted at 90.5 s", late.allowed, True, trap="step-back-locks-out")


@settings(max_examples=5)
@example(calls=[(0.0, 0), (2.0, 0), (0.0, 0), (0.5, 2)])
@given(calls=st.lists(st.tuples(EIGHTHS, st.sampled_from([0, 0, 0.5, 2, 3600])), min_size=1, max_size=12))
async def test_no_step_back_bends_the_limit(lab, calls):
    """Rule 13. However often the clock is stepped back, the limit holds and nobody waits more than a window."""
    lab.scenario(
        "limit 3 in 4 s; calls are (seconds since the call before, seconds that the wall clock then goes back)"
    )
    limiter, instants = RateLimiter(lab.redis(), limit=3, window=4), []
    for gap, step in calls:
        await asyncio.sleep(gap)
        if step:
            lab.step_wall_clock(-step)
        if units(lab, "step-back-frees", await limiter.hit("ann")):
            instants.append(lab.now)
        expect_sliding(lab, instants, limit=3, window=4, trap="step-back-frees")
    await asyncio.sleep(4 + MILLISECOND)
    what, late = "a call that costs 3, 4.001 s after the last of those, admitted", await limiter.hit("ann", 3)
    lab.expect(what, late.allowed, True, trap="step-back-locks-out")


async def test_hosts_share_no_monotonic_clock(lab):
    """Rule 13. Hosts have only the wall clock in common: monotonic clocks count from each host's own boot."""
    lab.scenario("limit 1; server A was booted today, server B a week ago")
    a = lab.process().RateLimiter(lab.redis(), limit=1, window=60)
    got = await admitted(a, 1)
    ours, ours_ns, loop = time.monotonic, time.monotonic_ns, asyncio.get_running_loop()
    older = {"monotonic": lambda: ours() + 604_800, "monotonic_ns": lambda: ours_ns() + 604_800 * 10**9}
    with mock.patch.multiple(time, **older), mock.patch.object(loop, "time", older["monotonic"]):
        b = lab.process().RateLimiter(lab.redis(), limit=1, window=60)
        got += await admitted(b, 1)
    lab.expect("admitted on A, on B", got, [True, False], trap="monotonic-clock")


def api_key(request):
    return request.headers.get("X-Api-Key")


async def ask(client, path, caller, wait=0.0):
    await asyncio.sleep(wait)
    response = await client.get(path, headers={"X-Api-Key": caller} if caller else {})
    return response.status_code, response.headers.get("Retry-After")


async def test_a_refused_request_is_answered_429(lab):
    """Rule 14. A refused request is answered 429 with `Retry-After`, rounded up, and its endpoint does not run."""
    lab.scenario("limit 2 in 60 s; ann's cost 2, at 0, 0.75, 35.25 s and when Retry-After is over; bob's 1, 8 s apart")
    app, runs, limiter = FastAPI(), [], RateLimiter(lab.redis(), limit=2, window=60)

    @app.get("/search")
    async def search(decision=Depends(rate_limited(limiter, api_key, cost=2))):  # noqa: B008
        runs.append((lab.now, decision.remaining))

    @app.get("/ping", dependencies=[Depends(rate_limited(limiter, api_key))])
    async def ping():
        return "pong"

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://dojo") as client:
        anns = [await ask(client, "/search", "ann", wait) for wait in (0.0, 0.75, 34.5, 25.0)]
        bobs = [await ask(client, "/ping", "bob", 8.0) for _ in range(3)]
    lab.expect("status, wait", anns, [(200, None), (429, "60"), (429, "25"), (200, None)], trap="early-retry-after")
    lab.expect("(instant, remaining) of each run", runs, [(0.0, 0), (60.25, 0)], trap="endpoint-ran")
    lab.expect("bob's statuses", [status for status, _ in bobs], [200, 200, 429], trap="shared-key")
    lab.expect("bob's wait for one unit", bobs[2][1], "44", trap="vague-retry-after")


async def test_nonsense_is_no_way_past_the_limit(lab):
    """Rule 14. What rule 8 refuses is an error of the request, or of the dependency, and passes nobody."""
    app, limiter = FastAPI(), RateLimiter(lab.redis(), limit=2, window=60)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://dojo") as client:
        for what, error, cost, caller in (
            ("without an API key, so that key(request) is None", TypeError, 1, None),
            ("that costs 3 with limit 2", ValueError, 3, "ann"),
        ):
            # The dependency may refuse a cost when it is built.
            with lab.raises(error, when=f"for a request {what}", trap="unchecked-arguments"):
                app.get(f"/{cost}", dependencies=[Depends(rate_limited(limiter, api_key, cost))])(lambda: "pong")
                await ask(client, f"/{cost}", caller)
