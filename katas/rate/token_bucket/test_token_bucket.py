import asyncio
import dataclasses
import math
import time
from fractions import Fraction
from unittest import mock

import pytest
import redis
from token_bucket import TokenBucket

from dojo.lab import explore, sweep
from dojo.lab.properties import example, given, settings, st

MILLISECOND = 0.001
# rate, per, seconds between two calls, calls for a token, trap
POLLING = (10, 3, 0.1, 3, "dropped-fraction"), (4, 0.01, 0.0005, 5, "coarse-time"), (2, 5, 0.5, 5, "refill-in-batches")
# capacity, taken, cost on A, calls allowed, trap
RACES = (1, 0, 1, 1, "check-then-act"), (2, 0, 1, 2, "refused-by-conflict"), (2, 1, 2, 1, "spend-then-refund")
TENTHS = st.integers(0, 9).map(lambda tenths: tenths / 10)
# Not the learner's class, which may have ideas of its own about what equals it.
FIELDS = ("allowed", "remaining", "retry_after", "reset_after")
Decision = dataclasses.make_dataclass("Decision", FIELDS)


def bucket_model(capacity, interval):
    """The rules in their plainest form, for one caller and one server: how many tokens there are, in fractions."""
    tokens, seen = Fraction(capacity), Fraction(0)

    def take(now, cost):
        nonlocal tokens, seen
        now = Fraction(round(now * 1_000_000), 1_000_000)
        tokens, seen = min(Fraction(capacity), tokens + (now - seen) / interval), now
        allowed = cost <= tokens
        wait = 0.0 if allowed else float((cost - tokens) * interval) if cost <= capacity else math.inf
        tokens -= cost if allowed else 0
        return Decision(allowed, math.floor(tokens), wait, float((capacity - tokens) * interval))

    return take


def expect_seconds(lab, what, got, seconds, trap):
    right = type(got) is float and (got == seconds or abs(got - seconds) <= 1e-5)
    lab.require(right, expected=f"{what}: {seconds:.9g} s, as a float", got=f"{what}: {got!r}", trap=trap)


def expect_decision(lab, what, got, right, trap, retry_trap=None, reset_trap=None):
    told, truth = (got.allowed, got.remaining), (right.allowed, right.remaining)
    lab.expect(f"(allowed, remaining) of {what}", told, truth, trap=trap)
    expect_seconds(lab, f"retry_after of {what}", got.retry_after, right.retry_after, trap=retry_trap or trap)
    expect_seconds(lab, f"reset_after of {what}", got.reset_after, right.reset_after, trap=reset_trap or trap)


def count(lab, trap, *decisions):
    """How many of `decisions` allow; no `allowed` may have a way of its own to be added up."""
    return sum(lab.plain("allowed", [decision.allowed for decision in decisions], trap=trap))


async def allowed(bucket, calls=1, cost=1, key="ann"):
    return [(await bucket.take(key, cost)).allowed for _ in range(calls)]


async def test_a_full_bucket_allows_one_burst(lab):
    """Rule 1. A new bucket is full: `capacity` tokens can be taken in one instant, and then none."""
    lab.scenario("capacity 3, a token every 20 s; at 0 s five calls of ann, and two of bob that cost 2 and 1")
    bucket = TokenBucket(lab.redis(), capacity=3, rate=3, per=60)
    anns = [await bucket.take("ann") for _ in range(5)]
    lab.expect("ann's calls allowed", [d.allowed for d in anns], [True] * 3 + [False] * 2, trap="off-by-one")
    lab.expect("remaining", [d.remaining for d in anns], [2, 1, 0, 0, 0], trap="off-by-one")
    bobs = [await bucket.take("bob", cost) for cost in (2, 1)]
    lab.expect("remaining for bob", [d.remaining for d in bobs], [1, 0], trap="off-by-one")


@pytest.mark.parametrize(("rate", "per", "pause", "calls", "trap"), POLLING)
async def test_tokens_come_back_one_by_one(lab, rate, per, pause, calls, trap):
    """Rule 2. A token comes back every `per / rate` seconds, at that very instant, however often somebody asks."""
    lab.scenario(f"capacity 1, {rate} tokens every {per} s; a call every {pause} s, so that each {calls}th is allowed")
    with lab.no_error(expected=f"{rate} tokens every {per} s work", trap=trap):
        bucket, got = TokenBucket(lab.redis(), capacity=1, rate=rate, per=per), []
        for call in range(4 * calls):
            got += [call] if count(lab, trap, await bucket.take("ann")) else []
            await asyncio.sleep(pause)
    lab.expect("calls allowed", got, [0, calls, 2 * calls, 3 * calls], trap=trap)


@pytest.mark.parametrize(("rate", "per", "micros"), [(4, 0.01, 2_500), (1, 86_400, 86_400_000_000)])
async def test_a_token_is_not_a_microsecond_early(lab, rate, per, micros):
    """Rule 2. A token comes back every `per / rate` seconds, and not a microsecond earlier."""
    lab.scenario(f"capacity 1, a token every {micros:,} microseconds; takes at so many microseconds")
    bucket, second, third = TokenBucket(lab.redis(), capacity=1, rate=rate, per=per), 2 * micros + 200, 3 * micros + 200
    for at, right in (0, True), (micros - 1, False), (micros + 1, True), (second, True), (third - 1, False):
        await asyncio.sleep(at / 1_000_000 - lab.now)
        lab.expect(f"allowed at {at:,} microseconds", await allowed(bucket), [right], trap="coarse-time")


async def test_idle_time_is_saved_up_to_the_capacity(lab):
    """Rule 3. A bucket that nobody uses fills up to `capacity` and no further."""
    lab.scenario("capacity 2, eight tokens a second; one is taken, and after each pause as many as there are")
    bucket = TokenBucket(lab.redis(), capacity=2, rate=8)
    await bucket.take("ann")
    for pause in (0.15, 0.65, 0.95, 3600):
        await asyncio.sleep(pause)
        lab.expect(f"allowed after {pause} s", await allowed(bucket, 3), [True, True, False], trap="hoarded-tokens")


async def test_a_take_gets_its_cost_or_nothing(lab):
    """Rule 4. A take gets its whole cost or nothing, and a refused take changes nothing."""
    bucket = TokenBucket(lab.redis(), capacity=5, rate=6, per=60)
    lab.scenario("capacity 5, a token every 10 s; a take of 5 at 0 s, then one of 1 every second")
    await bucket.take("ann", 5)
    for second in range(1, 11):
        await asyncio.sleep(1)
        lab.expect(f"allowed at {second} s", await allowed(bucket), [second == 10], trap="refused-takes-count")
    lab.scenario("capacity 5, a token every 10 s; later, at once, takes of bob's of 3, 3 and 2")
    got = [(d.allowed, d.remaining) for d in [await bucket.take("bob", cost) for cost in (3, 3, 2)]]
    lab.expect("(allowed, remaining)", got, [(True, 2), (False, 2), (True, 0)], trap="partial-spend")


async def test_a_cost_of_zero_only_looks(lab):
    """Rule 5. A cost of 0 is allowed, even by an empty bucket, takes nothing and leaves nothing behind."""
    lab.scenario("capacity 3, a token every 20 s; takes of 0, 2, 0, 1 and 0")
    bucket = TokenBucket(lab.redis(), capacity=3, rate=3, per=60)
    with lab.no_error(expected="five decisions", trap="peek-spends"):
        fresh = await bucket.take("ann", 0)
        lab.expect("keys stored", lab.server.keys(), [], trap="peek-spends")
        got = [await bucket.take("ann", cost) for cost in (2, 0, 1, 0)]
    expect_decision(lab, "the first", fresh, Decision(True, 3, 0.0, 0.0), trap="peek-spends")
    expect_decision(lab, "the third", got[1], Decision(True, 1, 0.0, 40.0), trap="peek-spends")
    expect_decision(lab, "the last", got[3], Decision(True, 0, 0.0, 60.0), trap="peek-spends")


async def test_what_can_never_be_is_never_promised(lab):
    """Rule 6. A cost above `capacity` is refused with a `retry_after` of infinity; what makes no sense, ValueError."""
    lab.scenario("capacity 3, a token a day; takes of 4, 2, 10^18 and 3")
    client = lab.redis()
    bucket = TokenBucket(client, capacity=3, rate=1, per=86_400)
    with lab.no_error(expected="a refusal", trap="false-promise"):
        got = [await bucket.take("ann", cost) for cost in (4, 2, 10**18, 3)]
    for take, right in (0, Decision(False, 3, math.inf, 0.0)), (2, Decision(False, 1, math.inf, 172_800.0)):
        expect_decision(lab, f"take {take + 1}", got[take], right, trap="false-promise")
    expect_seconds(lab, "retry_after of take 4", got[3].retry_after, 172_800.0, trap="vague-retry-after")
    with lab.raises(ValueError, when="for a cost of -1", trap="unchecked-arguments"):
        await bucket.take("ann", -1)
    lab.expect("remaining", (await bucket.take("ann", 0)).remaining, 1, trap="unchecked-arguments")
    wrong = [("per", value) for value in (0, -60, 0.0009, math.nan, math.inf)]
    for name, value in ("capacity", 0), ("capacity", -1), ("rate", 0), ("rate", -1), *wrong:
        with lab.raises(ValueError, when=f"for {name}={value!r}", trap="unchecked-arguments"):
            TokenBucket(client, **{"capacity": 3, "rate": 3, "per": 60, name: value})
    with lab.no_error(expected="the smallest settings work", trap="unchecked-arguments"):
        TokenBucket(client, capacity=1, rate=1, per=0.001)


@pytest.mark.parametrize(("rate", "per"), [(3, 1), (7, 60)])
async def test_waiting_retry_after_is_enough(lab, rate, per):
    """Rule 7. Waiting `retry_after` allows the same take, a millisecond less does not; `reset_after` fills all."""
    lab.scenario(f"capacity 5, {rate} tokens every {per} s; all are taken, then one of 2, one of 5, and one of 5")
    bucket = TokenBucket(lab.redis(), capacity=5, rate=rate, per=per)
    await bucket.take("ann", 5)
    for cost in (2, 5):
        refused = await bucket.take("ann", cost)
        wait = lab.plain("retry_after", refused.retry_after, trap="vague-retry-after")
        lab.require(0.001 < wait < 60, expected="less than a minute", got=f"{wait!r} s", trap="vague-retry-after")
        await asyncio.sleep(wait - MILLISECOND)
        early = await allowed(bucket, cost=cost)
        lab.expect(f"{cost} allowed a millisecond before retry_after", early, [False], trap="vague-retry-after")
        await asyncio.sleep(MILLISECOND)
        late = await bucket.take("ann", cost)
        told = late.allowed, late.retry_after
        lab.expect(f"(allowed, retry_after) of {cost} after it", told, (True, 0.0), trap="vague-retry-after")
    await asyncio.sleep(lab.plain("reset_after", late.reset_after, trap="vague-reset-after"))
    lab.expect("5 allowed after reset_after", await allowed(bucket, cost=5), [True], trap="vague-reset-after")


@settings(max_examples=6)
@example(calls=[(0.5, 2), (0.4, 2), (0.8, 4)])
@example(calls=[(0.0, 4), (0.1, 0), (0.1, 0), (0.1, 1), (0.9, 3), (0.2, 5)])
@given(calls=st.lists(st.tuples(TENTHS, st.integers(0, 5)), min_size=1, max_size=10))
async def test_any_history_is_that_of_a_bucket(lab, calls):
    """Rule 7. Every field of every decision is right, whatever came before."""
    lab.scenario("capacity 4, a token every 0.3 s; calls are (seconds since the call before, cost)")
    bucket, model = TokenBucket(lab.redis(), capacity=4, rate=10, per=3), bucket_model(4, Fraction(3, 10))
    for gap, cost in calls:
        await asyncio.sleep(gap)
        got, right = await bucket.take("ann", cost), model(lab.now, cost)
        what = f"a take of {cost} at {lab.now:g} s"
        expect_decision(lab, what, got, right, "wrong-level", "vague-retry-after", "vague-reset-after")


async def test_errors_do_not_add_up(lab):
    """Rule 8. Times are right to 10 microseconds after any number of takes of any cost, whatever `per / rate` is."""
    lab.scenario("61 tokens every 1.015 s; ann takes 5,000 at once, bob 150 one by one")
    bucket = TokenBucket(lab.redis(), capacity=5000, rate=61, per=1.015)
    got = (await bucket.take("ann", 5000)).reset_after
    expect_seconds(lab, "ann's reset_after", got, 5000 * 1.015 / 61, trap="drift")
    for _ in range(150):
        bobs = await bucket.take("bob")
    expect_seconds(lab, "bob's reset_after", bobs.reset_after, 150 * 1.015 / 61, trap="drift")


async def test_each_caller_has_a_bucket(lab):
    """Rule 9. Each key of each namespace has a bucket of its own, and calls that overlap do not mix."""
    lab.scenario("capacity 40; calls that overlap, each the first of its bucket, and each at another cost")
    client, seps = lab.redis(), (":", "", "/", "|", "-", "_", " ", "\0")
    names = [pair for sep in seps for pair in (("api", f"a{sep}b"), (f"api{sep}a", "b"))]
    names += [("API", "a:b"), ("", "a:b"), ("token-bucket", "a:b")]
    keys = ["", "a", "a:b ", "a::b", "A:b", "zo\u00eb", "zoe\u0308", "\U0001f600", "\U0001f601"]
    keys += ["x" * 2**17, "x" * (2**17 + 1), "plumless", "buckeroo"]  # the last two are alike to CRC-32
    names += [("api", key) for key in keys]
    buckets = [(TokenBucket(client, capacity=40, rate=1, namespace=name), key) for name, key in names]
    calls = [bucket.take(key, cost) for cost, (bucket, key) in enumerate(buckets, 1)]
    right = [40 - cost for cost, _ in enumerate(names, 1)]
    got = [decision.remaining for decision in await asyncio.gather(*calls)]
    lab.expect("remaining", got, right, trap="shared-bucket")
    lab.scenario("capacity 40; calls that overlap on one TokenBucket, each of another key and at another cost")
    bucket = TokenBucket(client, capacity=40, rate=1, namespace="one")
    with lab.no_error(expected="a decision for each call", trap="mixed-up-calls"):
        got = await asyncio.gather(*(bucket.take(f"caller {cost}", cost) for cost, _ in enumerate(names, 1)))
    lab.expect("remaining", [decision.remaining for decision in got], right, trap="mixed-up-calls")


async def test_servers_share_one_bucket(lab):
    """Rule 10. All servers share one bucket."""
    lab.scenario("capacity 3; two calls on server A, then two on server B")
    modules = [lab.process(), lab.process()]
    modules[1].hash = lambda value: hash(("another process salts its strings with another seed", value))
    a, b = (module.TokenBucket(lab.redis(), capacity=3, rate=1, per=60) for module in modules)
    lab.expect("allowed", await allowed(a, 2) + await allowed(b, 2), [True] * 3 + [False], trap="bucket-per-process")
    lab.scenario("capacity 12; twelve calls at once")
    b = TokenBucket(lab.redis(), capacity=12, rate=1, per=60)
    with lab.no_error(expected="twelve decisions", trap="refused-by-conflict"):
        got = [decision.allowed for decision in await asyncio.gather(*(b.take("bob") for _ in range(12)))]
    lab.expect("allowed", got, [True] * 12, trap="refused-by-conflict")


@explore
@pytest.mark.parametrize(("capacity", "taken", "cost", "fit", "trap"), RACES)
async def test_racing_servers_allow_what_fits(lab, capacity, taken, cost, fit, trap):
    """Rule 10. Servers that decide at the same instant allow what fits, no more and no less."""
    lab.scenario(f"capacity {capacity}, {taken} taken; at the same instant a call on A costs {cost}, one on B 1")
    a, b = (lab.process().TokenBucket(lab.redis(), capacity=capacity, rate=1, per=60) for _ in range(2))
    await allowed(a, taken), await allowed(b, cost=0, key="bob")  # by now Redis knows every script
    with lab.no_error(expected="two decisions", trap=trap):
        decisions = await lab.race(a.take("ann", cost), b.take("ann"), names=("server A", "server B"))
    lab.expect("calls allowed", count(lab, trap, *decisions), fit, trap=trap)
    left = sorted(lab.plain("remaining", [d.remaining for d in decisions if d.allowed], trap="stale-clock"))
    lab.expect("remaining after those, the least first", left, list(range(fit)), trap="stale-clock")


@sweep(kinds=("stall:30",))
async def test_a_server_that_stalls_bends_nothing(lab):
    """Rule 11. A take is judged at one instant between its call and its return, however long its server stalls."""
    lab.scenario("capacity 1, a token a minute; A is called at 0 s and may stand still for 30 s; B at 10 s and at 65 s")
    a, b = (lab.process().TokenBucket(lab.redis(), capacity=1, rate=1, per=60) for _ in range(2))

    async def ten_seconds_later():
        await asyncio.sleep(10)
        return await b.take("ann")

    decisions = await lab.race(a.take("ann"), ten_seconds_later(), names=("server A", "server B"))
    first, second = (count(lab, "expired-lock", decision) for decision in decisions)
    lab.expect("calls allowed", first + second, 1, trap="expired-lock")
    if second:
        wait = lab.plain("retry_after", decisions[0].retry_after, trap="stale-clock")
        got = f"{wait!r} s, told at {lab.now:g} s"
        lab.require(39.999 < wait < 60.001, expected="retry_after of 40 to 60 s on A", got=got, trap="stale-clock")
        await asyncio.sleep(65 - lab.now)
        lab.expect("B's token of 10 s is back at 65 s", await allowed(b), [False], trap="stale-clock")


@pytest.mark.parametrize("error", [45, -45])
async def test_only_the_clock_of_redis_counts(lab, error):
    """Rule 12. Hosts may disagree about the time: only Redis' clock counts."""
    lab.scenario(f"capacity 1, a token a minute; server A's clocks are right, B's are wrong by {error:+} s")
    a, b = (lab.process().TokenBucket(lab.redis(), capacity=1, rate=1, per=60) for _ in range(2))
    ours, ours_ns, loop = time.monotonic, time.monotonic_ns, asyncio.get_running_loop()
    booted = {"monotonic": lambda: ours() + error, "monotonic_ns": lambda: ours_ns() + error * 10**9}

    async def on_b(key):
        other_boot = mock.patch.multiple(time, **booted), mock.patch.object(loop, "time", booted["monotonic"])
        with lab.wrong_host(error), other_boot[0], other_boot[1]:
            return await b.take(key)

    first = count(lab, "hosts-clock", await a.take("ann"), await on_b("bob"))
    lab.expect("first calls allowed", first, 2, trap="hosts-clock")
    for seconds in (0, 40, 19.9):
        await asyncio.sleep(seconds)
        for name, got in ("B", await on_b("ann")), ("A", await a.take("bob")):
            what, right = f"a second call on {name} at {lab.now:g} s", Decision(False, 0, 60 - lab.now, 60 - lab.now)
            expect_decision(lab, what, got, right, trap="hosts-clock")
    await asyncio.sleep(0.1)
    late = count(lab, "hosts-clock", await on_b("ann"), await a.take("bob"))
    lab.expect("calls allowed at 60 s", late, 2, trap="hosts-clock")


@pytest.mark.parametrize("step", [999_999, 55, 5])
async def test_a_clock_stepped_back_bends_nothing(lab, step):
    """Rule 13. After a step back of Redis' clock nothing is given away, and one filling later all is back."""
    lab.scenario(f"capacity 3, a token every 30 s, 2 taken at 0 s; at 10 s Redis' clock goes back by {step:,} s")
    a, b = (lab.process().TokenBucket(lab.redis(), capacity=3, rate=2, per=60) for _ in range(2))
    await allowed(a, 2)
    await asyncio.sleep(10)
    lab.step_wall_clock(-step)
    for name, bucket in ("B", b), ("A", a):
        lab.expect(f"3 allowed at 10 s on {name}", await allowed(bucket, cost=3), [False], trap="step-back-frees")
    lab.expect("keys without a TTL", lab.server.keys_without_ttl(), [], trap="no-ttl")
    await asyncio.sleep(19.5)
    refused = await a.take("ann", 2)
    lab.expect("2 allowed at 29.5 s", refused.allowed, False, trap="step-back-frees")
    wait = lab.plain("retry_after", refused.retry_after, trap="step-back-locks-out")
    lab.require(wait < 40.502, expected="retry_after of 40.5 s at most", got=f"{wait!r} s", trap="step-back-locks-out")
    await asyncio.sleep(wait)
    lab.expect("2 allowed after retry_after", await allowed(b, cost=2), [True], trap="step-back-locks-out")
    await asyncio.sleep(90 + MILLISECOND)
    lab.expect("3 allowed 90.001 s later", await allowed(a, cost=3), [True], trap="step-back-locks-out")


@settings(max_examples=4)
@example(calls=[(0.0, 0), (0.0, 0.02), (1.2, 0), (0.0, 0), (0.8, 0), (0.0, 0.02)])
@example(calls=[(0.0, 0), (0.0, 0), (1.0, 3600), (0.5, 3600), (2.0, 0), (0.5, 0)])
@given(calls=st.lists(st.tuples(TENTHS, st.sampled_from([0, 0, 0.5, 2, 3600])), min_size=1, max_size=10))
async def test_no_step_back_bends_the_rate(lab, calls):
    """Rule 13. However often the clock goes back, any t seconds allow `capacity + t * rate / per` tokens at most."""
    lab.scenario("capacity 2, a token a second; calls are (seconds since the last, seconds that the clock goes back)")
    bucket, instants = TokenBucket(lab.redis(), capacity=2, rate=1), []
    for gap, step in calls:
        await asyncio.sleep(gap)
        if step:
            lab.step_wall_clock(-step)
        if count(lab, "step-back-frees", await bucket.take("ann")):
            instants.append(lab.now)
        for tokens, begin in enumerate(reversed(instants), 1):
            most, got = 2 + lab.now - begin, f"{tokens} tokens, at {', '.join(f'{at:g}' for at in instants)} s"
            lab.require(tokens <= most + 1e-5, expected=f"{most:g} tokens at most", got=got, trap="step-back-frees")
    await asyncio.sleep(2 + MILLISECOND)
    what = "2 allowed 2.001 s after the last of those"
    lab.expect(what, await allowed(bucket, cost=2), [True], trap="step-back-locks-out")


@sweep(kinds=("died-after",))  # dying before a step leaves what dying after the one before it leaves
async def test_a_crash_leaves_nothing_for_ever(lab):
    """Rule 14. Whatever crashes between two steps, every stored key has a TTL and the next take waits for nobody."""
    bucket, another = (lab.process().TokenBucket(lab.redis(), capacity=1, rate=1, per=60) for _ in range(2))
    await lab.attempt(bucket.take("ann"))
    lab.expect("keys without a TTL", lab.server.keys_without_ttl(), [], trap="no-ttl")
    crashed = lab.now
    await lab.attempt(another.take("ann"), name="another server")
    lab.expect("seconds that another server waits", lab.now - crashed, 0.0, trap="abandoned-lock")
    lab.expect("keys without a TTL", lab.server.keys_without_ttl(), [], trap="no-ttl")


@pytest.mark.parametrize(("rate", "per"), [(1, 3600), (1000, 1), (3, 10)])
async def test_a_bucket_is_forgotten_when_it_is_full(lab, rate, per):
    """Rule 14. What is stored is small, and stays until the bucket is full and less than a second longer."""
    lab.scenario(f"capacity 900, {rate} tokens every {per} s; takes of 1, 500 and 302, and then nobody comes")
    bucket = TokenBucket(lab.redis(), capacity=900, rate=rate, per=per)
    raw, names = lab.server.raw, lab.server.keys
    with lab.no_error(expected="three takes", trap="early-expiry"):
        for cost in (1, 500, 302):
            await bucket.take("ann", cost)
            size = sum(raw.strlen(k) / 25 if raw.type(k) == b"string" else lab.server.memory(k) for k in names())
            lab.require(size <= 8, expected="a size of 8 at most", got=f"a size of {size:g}", trap="log-of-takes")
    await asyncio.sleep(803 * per / rate - MILLISECOND / 2)
    remaining = (await bucket.take("ann", 0)).remaining
    lab.expect("remaining half a millisecond before the bucket is full", remaining, 899, trap="early-expiry")
    await asyncio.sleep(1 + 2 * MILLISECOND)
    lab.expect("keys stored a second after the bucket is full", names(), [], trap="late-expiry")


@pytest.mark.parametrize("error", [redis.ConnectionError, redis.TimeoutError, redis.OutOfMemoryError])
async def test_an_error_reaches_the_caller(lab, error):
    """Rule 15. What redis-py raises reaches the caller, and after an outage the bucket works as before."""
    bucket = TokenBucket(lab.redis(), capacity=3, rate=1, per=60)
    await bucket.take("ann")
    with lab.raises(error, when="from a take", trap="swallowed-error"), lab.server.outage(error("out of order")):
        await bucket.take("ann")
    lab.expect("remaining after the outage", (await bucket.take("ann")).remaining, 1, trap="swallowed-error")
    lab.note("** Redis has restarted: it knows no key and no script any more **")
    lab.server.raw.flushdb(), lab.server.raw.script_flush()
    with lab.no_error(expected="back in service after the restart", trap="forgotten-script"):
        again = await bucket.take("ann")
    lab.expect("remaining after the restart", again.remaining, 2, trap="forgotten-script")


@sweep(kinds=("lost-request", "lost-reply"))
@pytest.mark.parametrize("error", [redis.ConnectionError, redis.TimeoutError])
async def test_a_lost_reply_costs_once_at_most(lab, error):
    """Rule 15. A take that loses its connection raises, and has taken its cost once or not at all."""
    lab.scenario(f"capacity 5; A's take of 2 is struck by a {error.__name__}, then B looks")
    lab.server.lost = error
    a, b = (lab.process().TokenBucket(lab.redis(), capacity=5, rate=1, per=60) for _ in range(2))
    await allowed(b, cost=0, key="bob")  # by now Redis knows every script
    outcome = await lab.attempt(a.take("ann", 2), name="server A")
    left = lab.plain("remaining", (await b.take("ann", 0)).remaining, trap="retried-take")
    lab.require(left in (3, 5), expected="5 or 3 tokens left", got=f"{left}", trap="retried-take")
    if outcome.error is None:
        told = outcome.result().allowed, left
        lab.expect("(allowed, tokens left) of a take without an error", told, (True, 3), trap="swallowed-error")
    else:
        with lab.raises(error, when="from a take that is struck", trap="swallowed-error"):
            raise outcome.error
