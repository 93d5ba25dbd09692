"""The rules of README.md, in order. Most are checked twice: for a plain function and for an async one."""

import asyncio
import collections
import contextlib
import datetime
import decimal
import http
import inspect
import itertools
import random

import pytest
import redis
from cache_aside import cached

from dojo.lab import sweep

both = pytest.mark.parametrize("kind", ["sync", "async"])


class Shop:
    """A server whose slow function `price` stands under the learner's decorator; `runs` counts its real runs."""

    def __init__(self, lab, kind, answer=lambda item: 3, *, server=None, qualname="price", module="shop", **options):
        self.lab, self.kind, self.runs = lab, kind, 0
        if kind == "sync":

            def price(item, currency="eur", *, vat=True):
                """What an item costs."""
                self.runs += 1
                return answer(item)
        else:

            async def price(item, currency="eur", *, vat=True):
                """What an item costs."""
                self.runs += 1
                return answer(item)

        price.__module__, price.__qualname__ = module, qualname
        client = lab.redis_sync() if kind == "sync" else lab.redis()
        decorator = server.cached if server else cached
        self.function = decorator(client, **{"ttl": 60, **options})(price)
        lab.scenario("a plain function" if kind == "sync" else "an async function")

    async def price(self, *args, **kwargs):
        return await answer_of(self.lab, self.kind, self.function(*args, **kwargs))

    async def invalidate(self, *args, **kwargs):
        await answer_of(self.lab, self.kind, self.function.invalidate(*args, **kwargs))

    async def attempt(self, *args, **kwargs):
        """The same call as an actor whose steps may fail; an `Outcome`."""
        if self.kind == "sync":
            return self.lab.attempt_sync(lambda: self.function(*args, **kwargs), name="the call")
        return await self.lab.attempt(self.price(*args, **kwargs), name="the call")


async def answer_of(lab, kind, result):
    """What a call to a function of that kind has given, awaited if that is due."""
    if kind == "async":
        got, trap = f"a {type(result).__name__}", "coroutine-cached"
        lab.require(inspect.isawaitable(result), expected="something to await", got=got, trap=trap)
        result = await result
    if inspect.iscoroutine(result):
        result.close()  # nobody will await it; without this, Python would warn of that at some later time
        lab.require(False, expected="an answer", got="a coroutine", trap="coroutine-cached")
    return result


@both
async def test_a_repeated_call_is_a_hit(lab, kind):
    """Rule 1. Within `ttl` a repeated call is answered from Redis: the function runs once per miss."""
    shop = Shop(lab, kind, lambda item: {"item": item, "cents": 350})
    answers = [await shop.price("tea"), await shop.price("tea")]
    lab.expect("the two answers", answers, [{"item": "tea", "cents": 350}] * 2, trap="hit-differs-from-miss")
    lab.expect("runs of the function", shop.runs, 1, trap="never-a-hit")


@both
async def test_servers_share_their_entries(lab, kind):
    """Rule 1. Within `ttl` a repeated call is answered from Redis, on whichever server it arrives."""
    one, two = (Shop(lab, kind, server=lab.process()) for _ in range(2))
    lab.expect("their answers", [await one.price("tea"), await two.price("tea")], [3, 3], trap="hit-differs-from-miss")
    lab.expect("runs on server one and server two", (one.runs, two.runs), (1, 0), trap="never-a-hit")


@both
async def test_falsy_answers_are_cached(lab, kind):
    """Rule 2. `None`, `False`, `0`, `0.0`, `""`, `[]` and `{}` are answers like any other and are cached."""
    falsy = [None, False, 0, 0.0, "", [], {}]
    shop = Shop(lab, kind, falsy.__getitem__)
    for n, value in enumerate(falsy):
        answers = [await shop.price(n), await shop.price(n)]
        lab.expect("first and second answer", answers, [value] * 2, trap="hit-differs-from-miss")
        lab.expect(f"runs of the function that returns {value!r}", shop.runs, n + 1, trap="falsy-as-miss")


@both
async def test_a_hit_is_what_the_function_returned(lab, kind):
    """Rule 3. A hit equals what the function returned, in value and in type, all the way down."""
    json = [True, 2**70, 0.1, "naïve ☕", "3", [1, 1.0, True, "1", None], {"a": {"b": [{}, []]}, "c": {"a": 1}}]
    others = [
        (1, 2), [(1,)], {1: "one"}, {"sizes": {1, 2}}, b"raw", decimal.Decimal("1.10"), datetime.date(2024, 2, 29),
        http.HTTPStatus.OK, {http.HTTPMethod.GET: 1}, collections.OrderedDict(a=1),
    ]  # fmt: skip
    shop = Shop(lab, kind, (json + others).__getitem__)
    for n, value in enumerate(json + others):
        with lab.no_error(expected=f"{value!r} reaches the caller", trap="result-lost"):
            answers = [await shop.price(n), await shop.price(n)]
        lab.expect("first and second answer", answers, [value] * 2, trap="hit-differs-from-miss")
        if n < len(json):
            lab.expect(f"runs of the function that returns {value!r}", shop.runs, n + 1, trap="never-a-hit")


@both
async def test_a_caller_cannot_change_the_entry(lab, kind):
    """Rule 4. A caller who changes an object that it was given changes nobody else's answer."""
    shop = Shop(lab, kind, lambda item: {"tags": ["hot"]})
    for n in range(3):
        answer = await shop.price("tea")
        lab.expect(f"answer {n + 1}", answer, {"tags": ["hot"]}, trap="shared-object")
        answer["tags"].append("changed by a caller")
    lab.expect("runs of the function", shop.runs, 1, trap="never-a-hit")


@both
async def test_what_cannot_be_stored_is_returned(lab, kind):
    """Rule 5. A result that cannot be stored is returned all the same."""
    circular, nested = [], []
    circular.append(circular)
    for _ in range(20_000):
        nested = [nested]
    values = {
        "an open generator": (n for n in range(3)), "a function": lambda: 3,
        "a list that contains itself": circular, "20,000 nested lists": nested,
        "half an emoji": "\ud83d",
    }  # fmt: skip
    shop = Shop(lab, kind, values.get)
    for what in values:
        with lab.no_error(expected=f"the caller gets {what}", trap="result-lost"):
            answer = await shop.price(what)
        same = answer is values[what]
        lab.require(same, expected=f"the caller gets {what}", got=f"a {type(answer).__name__}", trap="result-lost")


@both
@pytest.mark.parametrize("ttl", [60, 0.25])
async def test_an_entry_lives_for_ttl(lab, kind, ttl):
    """Rule 6. An entry lives for `ttl` seconds from its storing, to the millisecond; reading does not prolong it."""
    prices = itertools.count(1)
    shop = Shop(lab, kind, lambda item: next(prices), ttl=ttl)
    lab.scenario(f"ttl={ttl}; every run of the function gives a new price; tea is read again and again, milk is not")
    lab.expect("tea and milk at first", [await shop.price("tea"), await shop.price("milk")], [1, 2], trap="never-a-hit")
    for passed, wait in ((ttl / 2, ttl / 2), (ttl - 0.001, ttl / 2 - 0.001)):
        await asyncio.sleep(wait)
        lab.expect(f"price of tea after {passed} s", await shop.price("tea"), 1, trap="wrong-lifetime")
    await asyncio.sleep(0.002)
    lab.expect(f"price of milk after {ttl + 0.001} s", await shop.price("milk"), 3, trap="wrong-lifetime")
    lab.expect(f"price of tea after {ttl + 0.001} s", await shop.price("tea"), 4, trap="hit-extends-life")


def drawing(number):
    """A generator that draws the same number, 0 ≤ number < 1, for ever."""
    rng = random.Random()
    rng.random = lambda: number
    return rng


@both
async def test_jitter_shortens_a_lifetime_within_its_bounds(lab, kind):
    """Rule 7. Each lifetime is drawn anew from `rng`, uniformly between `ttl * (1 - jitter)` and `ttl`."""
    shops = [Shop(lab, kind, jitter=0.25, rng=drawing(number)) for number in (0.0, 0.5, 0.999999999)]
    lab.scenario("ttl 60, jitter 0.25: from 45 to 60 s; three rngs draw the least, the middle and the greatest number")
    for at, runs, why in (
        (0, 3, "when all are new"), (44.99, 3, "when all still live"), (45.01, 4, "after the shortest life"),
        (52.49, 4, "before the end of the middle one"), (52.51, 5, "after the middle one, of 52.5 s"),
        (59.99, 5, "before the end of the longest life"), (60.01, 6, "after the longest life too"),
    ):  # fmt: skip
        await asyncio.sleep(at - lab.now)
        for shop, item in zip(shops, ("tea", "sugar", "milk"), strict=True):
            await shop.price(item)
        lab.expect(f"runs by {at} s, {why}", sum(shop.runs for shop in shops), runs, trap="jitter-out-of-bounds")


@both
async def test_every_entry_draws_its_own_lifetime(lab, kind):
    """Rule 7. Each lifetime is drawn anew from `rng`, uniformly between `ttl * (1 - jitter)` and `ttl`."""
    one, two = (Shop(lab, kind, server=lab.process(), jitter=0.5) for _ in range(2))
    lab.scenario("two servers store 32 entries each; ttl 60, jitter 0.5, no rng given; each is asked for again at 45 s")
    asked = list(enumerate([one] * 32 + [two] * 32))
    for item, server in asked:
        await server.price(item)
    await asyncio.sleep(45)
    expired = []
    for item, server in asked:
        before = server.runs
        await server.price(item)
        expired.append(server.runs > before)
    due, got = "some entries have expired at 45 s, and some have not", f"{sum(expired)} of 64 have expired"
    lab.require(0 < sum(expired) < 64, expected=due, got=got, trap="synchronised-expiry")
    due, got = "each server draws its own lifetimes", "both draw the same ones"
    lab.require(expired[:32] != expired[32:], expected=due, got=got, trap="synchronised-expiry")


@both
async def test_the_shortest_life_is_a_millisecond(lab, kind):
    """Rule 7. Each lifetime is drawn anew from `rng`; none is shorter than a millisecond."""
    for number in (0.0, 0.999999999):
        shop = Shop(lab, kind, ttl=0.001, jitter=0.9, rng=drawing(number))
        lab.scenario("ttl 0.001 s, jitter 0.9; the second call comes at the same instant, the third 2 ms later")
        for wait, runs in ((0, 1), (0, 1), (0.002, 2)):
            await asyncio.sleep(wait)
            await shop.price(number)
            lab.expect("runs of the function", shop.runs, runs, trap="jitter-out-of-bounds")


@both
@pytest.mark.parametrize("error_type", [LookupError, redis.ConnectionError])
async def test_errors_are_not_cached(lab, kind, error_type):
    """Rule 8. An exception of the function reaches the caller as it is, after one run, and is not cached."""
    error = error_type("the query behind the price failed")

    def answer(item):
        if shop.runs == 1:
            raise error
        return 3

    shop = Shop(lab, kind, answer)
    lab.scenario(f"the first run of the function raises {error_type.__name__}")
    got = await shop.attempt("tea")
    lab.expect("runs of the function", shop.runs, 1, trap="loader-inside-the-try")
    lab.require(got.error is error, expected=repr(error), got=repr(got.error or got.value), trap="error-swallowed")
    with lab.no_error(expected="the next call runs the function again", trap="exception-cached"):
        answers = [await shop.price("tea"), await shop.price("tea")]
    lab.expect("the next two answers", answers, [3, 3], trap="exception-cached")
    lab.expect("runs of the function", shop.runs, 2, trap="never-a-hit")


@both
async def test_an_outage_is_no_outage_of_the_function(lab, kind):
    """Rule 9. A store that fails costs time, never an answer: after one run of the function its result is returned."""
    shop = Shop(lab, kind)
    await shop.price("tea")
    with lab.server.outage(), lab.no_error(expected="an answer while Redis is down", trap="outage-fails-the-call"):
        answers = [await shop.price("tea"), await shop.price("tea")]
    lab.expect("answers while Redis is down", answers, [3, 3], trap="outage-fails-the-call")
    lab.expect("runs of the function, once before and once a call", shop.runs, 3, trap="loader-inside-the-try")
    lab.expect("later answers", [await shop.price("tea"), await shop.price("tea")], [3, 3], trap="never-a-hit")
    lab.expect("runs of the function once Redis is back", shop.runs, 3, trap="never-a-hit")


@both
@pytest.mark.parametrize("reply", ["OOM command not allowed", "READONLY this is a replica"])
async def test_a_store_that_is_refused_costs_no_answer(lab, kind, reply):
    """Rule 9. A store that fails costs time, never an answer: after one run of the function its result is returned."""
    with contextlib.ExitStack() as refusing:

        def answer(item):
            refusing.enter_context(lab.server.outage(redis.ResponseError(reply)))
            return 3

        shop = Shop(lab, kind, answer)
        lab.scenario(f"the read is a miss; while the function runs, Redis begins to refuse commands: {reply}")
        with lab.no_error(expected="the answer 3", trap="outage-fails-the-call"):
            lab.expect("the answer", await shop.price("tea"), 3, trap="outage-fails-the-call")
    lab.expect("runs of the function in this call", shop.runs, 1, trap="loader-inside-the-try")


@both
@sweep(kinds=("lost-request", "lost-reply"))
async def test_a_lost_message_costs_no_answer(lab, kind):
    """Rule 9. A store that fails costs time, never an answer: after one run of the function its result is returned."""
    shop = Shop(lab, kind)
    got = await shop.attempt("tea")
    with lab.no_error(expected="the answer 3", trap="outage-fails-the-call"):
        lab.expect("the answer", got.result(), 3, trap="outage-fails-the-call")
    lab.expect("runs of the function in this call", shop.runs, 1, trap="loader-inside-the-try")


FOREIGN = {
    "no bytes": lambda raw, key: raw.set(key, b""),
    "bytes in no encoding": lambda raw, key: raw.set(key, b"\xff\x00 in no encoding"),
    "a list": lambda raw, key: raw.delete(key) and raw.lpush(key, "a"),
}


@both
@pytest.mark.parametrize("what", FOREIGN)
async def test_an_entry_that_nobody_can_read_is_a_miss(lab, kind, what):
    """Rule 9. A store that fails costs time, never an answer: an unreadable entry is a miss, and is replaced."""
    shop = Shop(lab, kind)
    await shop.price("tea")
    lab.scenario(f"another release has written {what} over the entry")
    for key in lab.server.keys():  # noqa: SIM118 - no dict
        FOREIGN[what](lab.server.raw, key)
    for n in (2, 3):
        with lab.no_error(expected="the answer 3", trap="undecodable-entry"):
            lab.expect("the answer", await shop.price("tea"), 3, trap="undecodable-entry")
        lab.expect(f"runs of the function after call {n}", shop.runs, 2, trap="undecodable-entry")


@both
@sweep
async def test_no_key_lives_for_ever(lab, kind):
    """Rule 10. Every key in Redis has a TTL, whatever crashes."""
    shop = Shop(lab, kind)
    await shop.attempt("tea")
    lab.expect("keys without a TTL", lab.server.keys_without_ttl(), [], trap="set-then-expire")


@both
async def test_one_call_has_one_entry_however_it_is_spelled(lab, kind):
    """Rule 11. Spellings of one call share an entry: positional, keyword, in any order, defaults given or not."""
    shop = Shop(lab, kind)
    lab.scenario("price(item, currency='eur', *, vat=True) and find(**filters), each one call in several spellings")
    spellings = [
        "price('eur')", "price('eur', 'eur')", "price('eur', ''.join(['e', 'u', 'r']))", "price(item='eur')",
        "price('eur', vat=True)", "price(currency='eur', item='eur')", "price(vat=True, currency='eur', item='eur')",
    ]  # fmt: skip
    for text in spellings:
        await eval(text, {"price": shop.price})
        due = f"{text} is answered from the entry of {spellings[0]}"
        lab.require(shop.runs == 1, expected=due, got="the function ran again", trap="spelling-splits-entries")
    find = cached(lab.redis_sync(), ttl=60)(lambda **filters: [*filters])
    due, answers = "find(b=2, a=1) is answered from the entry of find(a=1, b=2)", [find(a=1, b=2), find(b=2, a=1)]
    lab.require(answers[1] == ["a", "b"], expected=due, got="the function ran again", trap="spelling-splits-entries")


def test_different_arguments_never_share_an_entry(lab):
    """Rule 12. Different calls never share an entry: other values, other types, other functions, other prefixes."""
    calls = [
        "find()", "find('')", "find('', '')", "find(None)", "find('None')", "find(1)", "find('1')", "find(True)",
        "find(1.0)", "find(-1)", "find(-2)", "find((1, 2))", "find(1, 2)", "find('(1, 2)')", "find('a')", "find('A')",
        "find('a b')", "find('a', 'b')", "find('b', 'a')", "find('a,b')", "find('a:b', 'c')", "find('a', 'b:c')",
        "find(\"a', 'b\")", "find('a', b=1)", "find('a', ('b', 1))", "find('a', 'b', 1)", "find('a', 'b=1')",
        "find('a', b='1')", "find(a=2, b=1)", "find(a=1, b=2)",
    ]  # fmt: skip

    def find(*words, **filters):
        return text  # of the call that runs it

    find.__module__, find.__qualname__ = "shop", "find"
    names = {"find": cached(lab.redis_sync(), ttl=60)(find)}
    lab.scenario("find(*words, **filters); the calls are all different, and find answers with the call that runs it")
    for text in calls:
        got = eval(text, names)
        lab.require(got == text, expected=f"{text} runs the function", got=f"the entry of {got}", trap="keys-collide")


async def test_calls_that_overlap_get_their_own_answers(lab):
    """Rule 12. Different calls never share an entry, even if one comes while the other's function runs."""

    @cached(lab.redis(), ttl=60)
    async def price(item):
        await asyncio.sleep(2)
        return item

    answers = await lab.race(price("tea"), price("milk"), names=("asks for tea", "asks for milk"))
    lab.expect("answers of price('tea') and price('milk')", answers, ["tea", "milk"], trap="keys-collide")


@both
async def test_different_functions_never_share_an_entry(lab, kind):
    """Rule 12. Different calls never share an entry: other values, other types, other functions, other prefixes."""
    first = Shop(lab, kind, lambda item: 3)
    await first.price("tea")
    for what, other in {
        "a function of the same name in another module": {"module": "warehouse"},
        "a static method of the same name": {"qualname": "Wholesale.price"},
        "the same function under another prefix": {"prefix": "cache-v2"},
    }.items():
        second = Shop(lab, kind, lambda item: 2, **other)
        lab.expect(f"price('tea') of {what} (shop.price says 3)", await second.price("tea"), 2, trap="keys-collide")
    lab.expect("price('tea') of the first function", await first.price("tea"), 3, trap="keys-collide")


@both
async def test_invalidate_removes_the_entry_of_the_call(lab, kind):
    """Rule 13. `invalidate` takes the call's own arguments and removes that entry, for every server, and no other."""
    prices = itertools.count(1)
    shop, other = (Shop(lab, kind, lambda item: next(prices), server=lab.process()) for _ in range(2))
    lab.scenario("two servers, one Redis; every run of the function gives a new price; at first there is no entry")
    await shop.invalidate("tea")
    before = [await s.price(item) for s in (shop, other) for item in ("tea", "milk")]
    lab.expect("tea and milk, on both servers", before, [1, 2, 1, 2], trap="never-a-hit")
    await shop.invalidate(currency="eur", item="tea")
    lab.expect("the price of tea on the other server", await other.price("tea"), 3, trap="stale-after-invalidate")
    lab.expect("the price of tea on this server", await shop.price("tea"), 3, trap="stale-after-invalidate")
    lab.expect("the price of milk", await shop.price("milk"), 2, trap="invalidates-too-much")


@both
async def test_a_failed_invalidate_raises(lab, kind):
    """Rule 14. An `invalidate` that Redis does not confirm raises `redis.RedisError`."""
    shop = Shop(lab, kind)
    await shop.price("tea")
    with lab.server.outage(), lab.raises(redis.RedisError, when="when Redis is down", trap="silent-invalidate"):
        await shop.invalidate("tea")


@both
async def test_nonsense_is_refused_where_it_is_written(lab, kind):
    """Rule 15. A `ttl` or `jitter` out of range is a `ValueError` at decoration, not at the first call."""
    for name, values in {"ttl": (0, -1, float("inf"), float("nan")), "jitter": (-0.1, 1, 1.5, float("nan"))}.items():
        for value in values:
            with lab.raises(ValueError, when=f"when decorating with {name}={value}", trap="late-validation"):
                Shop(lab, kind, **{name: value})


@both
async def test_the_function_keeps_its_face(lab, kind):
    """Rule 16. The decorated function keeps its name, docstring and signature, and stays plain or async."""
    price = Shop(lab, kind).function
    for name, value in (("__name__", "price"), ("__qualname__", "price"), ("__module__", "shop")):
        lab.expect(name, getattr(price, name, None), value, trap="metadata-lost")
    lab.expect("docstring", inspect.getdoc(price), "What an item costs.", trap="metadata-lost")
    lab.expect("parameters", str(inspect.signature(price)), "(item, currency='eur', *, vat=True)", trap="metadata-lost")
    lab.expect("is a coroutine function", inspect.iscoroutinefunction(price), kind == "async", trap="metadata-lost")
