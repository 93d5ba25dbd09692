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
import time

import pytest
import redis
from cache_aside import cached

from dojo.lab import sweep

ERRORS = [redis.ConnectionError("refused"), redis.TimeoutError("timed out"), redis.ResponseError("READONLY replica")]
failures = pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)


@pytest.fixture(params=["sync", "async"])
def kind(request):
    """What is decorated, a plain function or an async one; a test that asks for it is run for both."""
    return request.param


class Shop:
    """A server whose slow function `price` stands under the learner's decorator; `runs` counts its real runs."""

    def __init__(self, lab, kind, answer=lambda item: 3, *, server=None, seconds=0, **options):
        self.lab, self.kind, self.runs = lab, kind, 0
        if kind == "sync":

            def price(item, currency="eur", *, vat=True):
                """What an item costs."""
                self.runs += 1
                time.sleep(seconds)
                return answer(item)
        else:

            async def price(item, currency="eur", *, vat=True):
                """What an item costs."""
                self.runs += 1
                await asyncio.sleep(seconds)
                return answer(item)

        price.__module__, price.__qualname__ = options.pop("module", "shop"), options.pop("qualname", "price")
        client = lab.redis_sync() if kind == "sync" else lab.redis()
        self.function = (server.cached if server else cached)(client, **{"ttl": 60, **options})(price)
        lab.scenario("a plain function" if kind == "sync" else "an async function")

    async def price(self, *args, **kwargs):
        return await self._answer(self.function(*args, **kwargs))

    async def invalidate(self, *args, **kwargs):
        await self._answer(self.function.invalidate(*args, **kwargs))

    async def attempt(self, *args, **kwargs):
        """The same call as an actor whose steps may fail; an `Outcome`."""
        if self.kind == "sync":
            return self.lab.attempt_sync(lambda: self.function(*args, **kwargs), name="the call")
        return await self.lab.attempt(self.price(*args, **kwargs), name="the call")

    async def _answer(self, result):
        """What a call has given, awaited if that is due."""
        if self.kind == "async":
            got, due = f"a {type(result).__name__}", "something to await"
            self.lab.require(inspect.isawaitable(result), expected=due, got=got, trap="coroutine-cached")
            result = await result
        if inspect.iscoroutine(result):
            result.close()  # nobody will await it; without this, Python would warn of that at some later time
            self.lab.require(False, expected="an answer", got="a coroutine", trap="coroutine-cached")
        return result


async def test_a_repeated_call_is_a_hit(lab, kind):
    """Rule 1. Within `ttl` a repeated call is answered from Redis, on whichever server it arrives."""
    one, two = (Shop(lab, kind, lambda item: {"item": item}, server=lab.process()) for _ in range(2))
    answers = [await shop.price("tea") for shop in (one, one, two)]
    due = [{"item": "tea"}] * 3
    lab.expect("server one, once more, and server two answer", answers, due, trap="hit-differs-from-miss")
    lab.expect("runs on server one and server two", (one.runs, two.runs), (1, 0), trap="never-a-hit")


async def test_falsy_answers_are_cached(lab, kind):
    """Rule 2. `None`, `False`, `0`, `0.0`, `""`, `[]` and `{}` are answers like any other and are cached."""
    falsy = [None, False, 0, 0.0, "", [], {}]
    shop = Shop(lab, kind, falsy.__getitem__)
    lab.scenario("ttl 60 s; each call is repeated after 59 s")
    for n, value in enumerate(falsy):
        answers = [await shop.price(n)]
        await asyncio.sleep(59)
        answers.append(await shop.price(n))
        lab.expect("first and second answer", answers, [value] * 2, trap="hit-differs-from-miss")
        lab.expect(f"runs of the function that returns {value!r}", shop.runs, n + 1, trap="falsy-as-miss")


async def test_a_hit_is_what_the_function_returned(lab, kind):
    """Rule 3. A hit equals what the function returned, in value and in type, all the way down."""
    json = [True, 2**70, 0.1, "naïve ☕", "3", [1, 1.0, True, "1", None], {"a": {"b": [{}, []]}, "c": {"a": 1}}]
    others = [
        (1, 2), [(1,)], {1: "one"}, {"sizes": {1, 2}}, b"raw", decimal.Decimal("1.10"), datetime.date(2024, 2, 29),
        http.HTTPStatus.OK, {http.HTTPMethod.GET: 1}, collections.OrderedDict(a=1), "\ud83d\ude00",
    ]  # fmt: skip
    shop = Shop(lab, kind, (json + others).__getitem__)
    for n, value in enumerate(json + others):
        with lab.no_error(expected=f"{value!r} reaches the caller", trap="result-lost"):
            answers = [await shop.price(n), await shop.price(n)]
        lab.expect("first and second answer", answers, [value] * 2, trap="hit-differs-from-miss")
        if n < len(json):
            lab.expect(f"runs of the function that returns {value!r}", shop.runs, n + 1, trap="never-a-hit")


async def test_a_caller_cannot_change_the_entry(lab, kind):
    """Rule 4. A caller who changes an object that it was given changes nobody else's answer."""
    shop = Shop(lab, kind, lambda item: {"tags": ["hot"]})
    for n in range(3):
        answer = await shop.price("tea")
        lab.expect(f"answer {n + 1}", answer, {"tags": ["hot"]}, trap="shared-object")
        answer["tags"].append("changed by a caller")
    lab.expect("runs of the function", shop.runs, 1, trap="never-a-hit")


async def test_callers_at_the_same_moment_share_nothing(lab):
    """Rule 4. A caller who changes an object that it was given changes nobody else's answer."""
    shop = Shop(lab, "async", lambda item: ["hot"], seconds=2)
    one, two = await lab.race(shop.price("tea"), shop.price("tea"), names=("one caller", "another"))
    one.append("changed by a caller")
    lab.expect("the other caller's answer", two, ["hot"], trap="shared-object")


async def test_what_cannot_be_stored_is_returned(lab, kind):
    """Rule 5. A result that cannot be stored is returned all the same, after one run of the function."""
    circular, nested = [], []
    circular.append(circular)
    for _ in range(20_000):
        nested = [nested]
    values = {
        "an open generator": (n for n in range(3)), "a function": lambda: 3,
        "a list that contains itself": circular, "20,000 nested lists": nested, "half an emoji": "\ud83d",
    }  # fmt: skip
    shop = Shop(lab, kind, values.get)
    for n, what in enumerate(values, start=1):
        with lab.no_error(expected=f"the caller gets {what}", trap="result-lost"):
            answer = await shop.price(what)
        lab.require(answer is values[what], expected=f"{what} itself", got=type(answer).__name__, trap="result-lost")
        lab.expect(f"runs of the function, with the one for {what}", shop.runs, n, trap="loader-inside-the-try")


@pytest.mark.parametrize("ttl", [60, 0.25])
async def test_an_entry_lives_for_ttl(lab, kind, ttl):
    """Rule 6. An entry lives for `ttl` seconds from its storing, within a millisecond; reading does not prolong it."""
    prices = itertools.count(1)
    shop = Shop(lab, kind, lambda item: next(prices), ttl=ttl)
    lab.scenario(f"ttl={ttl}; every run of the function gives a new price; tea is read again and again, milk is not")
    lab.expect("tea and milk at first", [await shop.price("tea"), await shop.price("milk")], [1, 2], trap="never-a-hit")
    for passed, wait in ((ttl / 2, ttl / 2), (ttl - 0.002, ttl / 2 - 0.002)):
        await asyncio.sleep(wait)
        lab.expect(f"price of tea after {passed:g} s", await shop.price("tea"), 1, trap="wrong-lifetime")
    await asyncio.sleep(0.004)
    lab.expect(f"price of milk after {ttl + 0.002:g} s", await shop.price("milk"), 3, trap="wrong-lifetime")
    lab.expect(f"price of tea after {ttl + 0.002:g} s", await shop.price("tea"), 4, trap="hit-extends-life")


async def test_a_lifetime_begins_with_the_storing(lab, kind):
    """Rule 6. An entry lives for `ttl` seconds from its storing, however long the function took."""
    shop = Shop(lab, kind, seconds=45)
    await shop.price("tea")
    await asyncio.sleep(59)
    await shop.price("tea")
    lab.expect("runs, with a ttl of 60 s and 59 s after the end of the first", shop.runs, 1, trap="wrong-lifetime")


def drawing(number):
    """A generator that draws the same number, 0 ≤ number < 1, for ever."""
    rng = random.Random()
    rng.random = lambda: number
    return rng


LIVES = {
    (60, 0.25): [  # from 45 to 60 s
        (0, 3, "when all are new"), (44.99, 3, "when all still live"), (45.01, 4, "after the shortest life"),
        (52.49, 4, "before the end of the middle one"), (52.51, 5, "after the middle one, of 52.5 s"),
        (59.99, 5, "before the end of the longest life"), (60.01, 6, "after the longest life too"),
    ],
    (0.001, 0.9): [(0, 3, "when all are new"), (0.0005, 3, "while all live"), (0.0021, 6, "after all lives")],
}  # fmt: skip


@pytest.mark.parametrize(("ttl", "jitter"), LIVES)
async def test_jitter_shortens_a_lifetime_within_its_bounds(lab, kind, ttl, jitter):
    """Rule 7. Each lifetime is drawn from `rng`, uniformly between `ttl * (1 - jitter)` and `ttl`; 1 ms at least."""
    shops = [Shop(lab, kind, ttl=ttl, jitter=jitter, rng=drawing(number)) for number in (0.0, 0.5, 0.999999999)]
    lab.scenario(f"ttl {ttl}, jitter {jitter}; three rngs draw the least, the middle and the greatest number")
    for at, runs, why in LIVES[ttl, jitter]:
        await asyncio.sleep(at - lab.now)
        for shop, item in zip(shops, ("tea", "sugar", "milk"), strict=True):
            await shop.price(item)
        lab.expect(f"runs by {at} s, {why}", sum(shop.runs for shop in shops), runs, trap="jitter-out-of-bounds")


async def test_every_entry_draws_its_own_lifetime(lab, kind):
    """Rule 7. Each lifetime is drawn anew from `rng`, uniformly between `ttl * (1 - jitter)` and `ttl`."""
    servers = [Shop(lab, kind, lambda item: lab.now, server=lab.process(), jitter=0.5) for _ in range(2)]
    lab.scenario("two servers store 32 entries each; ttl 60, jitter 0.5, no rng given; each is asked for again at 45 s")
    for wait in (0, 45):
        await asyncio.sleep(wait)
        made = [[await server.price((n, item)) for item in range(32)] for n, server in enumerate(servers)]
        made = lab.plain("an answer", made, trap="hit-differs-from-miss")
    expired = sum(at > 0 for entries in made for at in entries)
    due, got, trap = "some of 64 entries have expired, and some have not", f"{expired} have", "synchronised-expiry"
    lab.require(0 < expired < 64, expected=due, got=got, trap=trap)
    lab.require(made[0] != made[1], expected="each server draws its own lifetimes", got="both draw the same", trap=trap)


@pytest.mark.parametrize("error_type", [LookupError, ValueError, redis.ConnectionError])
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


@failures
async def test_a_failing_store_costs_no_answer(lab, kind, error):
    """Rule 9. A store that fails costs time, never an answer: after one run of the function its result is returned."""
    with contextlib.ExitStack() as failing:

        def answer(item):
            if item == "milk":
                failing.enter_context(lab.server.outage(error))
            return 3

        shop = Shop(lab, kind, answer)
        lab.scenario(f"while the function runs for milk, Redis begins to fail: {error}")
        with lab.no_error(expected="an answer to every call", trap="outage-fails-the-call"):
            answers = [await shop.price(item) for item in ("tea", "milk", "tea")]
        lab.expect("answers", answers, [3, 3, 3], trap="outage-fails-the-call")
        lab.expect("runs of the function, one a call", shop.runs, 3, trap="loader-inside-the-try")
    lab.expect("later answers", [await shop.price("tea"), await shop.price("tea")], [3, 3], trap="never-a-hit")
    lab.expect("runs of the function once Redis is back", shop.runs, 3, trap="never-a-hit")


@sweep(kinds=("lost-request", "lost-reply"))
async def test_a_lost_message_costs_no_answer(lab, kind):
    """Rule 9. A store that fails costs time, never an answer: after one run of the function its result is returned."""
    shop = Shop(lab, kind)
    got = await shop.attempt("tea")
    lab.expect("the answer", got.error or got.value, 3, trap="outage-fails-the-call")
    lab.expect("runs of the function in this call", shop.runs, 1, trap="loader-inside-the-try")


@pytest.mark.parametrize("entry", [b"", b"\xff\x00 in no encoding", ["a list"], b"{}", b"7"], ids=repr)
async def test_an_entry_that_nobody_can_read_is_a_miss(lab, kind, entry):
    """Rule 9. A store that fails costs time, never an answer: an unreadable entry is a miss, and is replaced."""
    shop = Shop(lab, kind)
    await shop.price("tea")
    lab.note(f"another release puts {entry if type(entry) is bytes else 'a Redis list'} in the entry's place")
    for key in lab.server.keys():  # noqa: SIM118 - no dict
        lab.server.raw.delete(key)
        lab.server.raw.set(key, entry) if isinstance(entry, bytes) else lab.server.raw.lpush(key, *entry)
    for n in (2, 3):
        with lab.no_error(expected="the answer 3", trap="undecodable-entry"):
            answer = lab.plain("the answer", await shop.price("tea"), trap="undecodable-entry")
        if entry in (b"{}", b"7") and answer in ({}, 7):
            return  # an encoding that writes plain JSON can have written this
        lab.expect("the answer", answer, 3, trap="undecodable-entry")
        lab.expect(f"runs of the function after call {n}", shop.runs, 2, trap="undecodable-entry")


@sweep
async def test_no_key_lives_for_ever(lab, kind):
    """Rule 10. Every key in Redis has a TTL, whatever crashes."""
    shop = Shop(lab, kind)
    for use in (shop.price, shop.price, shop.invalidate):
        await use("milk")
    await shop.attempt("tea")
    lab.expect("keys without a TTL", lab.server.keys_without_ttl(), [], trap="set-then-expire")


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
    answers, what = [find(a=1, b=2), find(b=2, a=1)], "the filters that find(a=1, b=2) was run with, and find(b=2, a=1)"
    lab.expect(what, answers, [["a", "b"]] * 2, trap="spelling-splits-entries")


def test_different_arguments_never_share_an_entry(lab):
    """Rule 12. Different calls never share an entry: other values, other types, other functions, other prefixes."""
    calls = [
        "find()", "find('')", "find('', '')", "find(None)", "find('None')", "find(1)", "find('1')", "find(True)",
        "find(1.0)", "find(-1)", "find(-2)", "find((1, 2))", "find(1, 2)", "find('(1, 2)')", "find('a')", "find('A')",
        "find('a b')", "find('a', 'b')", "find('b', 'a')", "find('a,b')", "find('a:b', 'c')", "find('a', 'b:c')",
        "find(\"a', 'b\")", "find('a', b=1)", "find('a', ('b', 1))", "find('a', 'b', 1)", "find('a', 'b=1')",
        "find('a', b='1')", "find(a=2, b=1)", "find(a=1, b=2)",
        "find('Zoë')", "find('Zo')", "find('Zo?')", "find('a' * 2_000)", "find('a' * 2_000 + 'b')",
    ]  # fmt: skip

    def find(*words, **filters):
        return text  # of the call that runs it

    find.__module__, find.__qualname__ = "shop", "find"
    names = {"find": cached(lab.redis_sync(), ttl=60)(find)}
    lab.scenario("find(*words, **filters); the calls are all different, and find answers with the call that runs it")
    for text in calls:
        got = lab.plain("an answer", eval(text, names), trap="hit-differs-from-miss")
        lab.require(got == text, expected=f"{text} runs the function", got=f"the entry of {got}", trap="keys-collide")


async def test_calls_that_overlap_get_their_own_answers(lab):
    """Rule 12. Different calls never share an entry, even if one comes while the other's function runs."""
    shop = Shop(lab, "async", lambda item: item, seconds=2)
    answers = await lab.race(shop.price("tea"), shop.price("milk"), names=("asks for tea", "asks for milk"))
    lab.expect("answers of price('tea') and price('milk')", answers, ["tea", "milk"], trap="keys-collide")


async def test_different_functions_never_share_an_entry(lab, kind):
    """Rule 12. Different calls never share an entry: other values, other types, other functions, other prefixes."""
    name = {"prefix": "cache", "module": "shop.tea", "qualname": "Black.price"}
    first = Shop(lab, kind, lambda item: 3, **name)
    await first.price("tea")
    for what, other in {
        "a function of the same name in another module": {"module": "warehouse.tea"},
        "a static method of the same name": {"qualname": "Green.price"},
        "a function in a module that is named like the class": {"module": "shop.tea.Black", "qualname": "price"},
        "the same function under another prefix": {"prefix": "cache-v2"},
        "a function of module tea under the prefix cache.shop": {"prefix": "cache.shop", "module": "tea"},
    }.items():
        second = Shop(lab, kind, lambda item: 2, **{**name, **other})
        lab.expect(f"price('tea') of {what} (the first says 3)", await second.price("tea"), 2, trap="keys-collide")
    lab.expect("price('tea') of the first function", await first.price("tea"), 3, trap="keys-collide")


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
    with lab.raises(TypeError, when="for an invalidate without an item", trap="silent-invalidate"):
        await shop.invalidate(currency="eur")


@failures
async def test_a_failed_invalidate_raises(lab, kind, error):
    """Rule 14. An `invalidate` that Redis does not confirm raises `redis.RedisError`."""
    shop = Shop(lab, kind)
    await shop.price("tea")
    with lab.server.outage(error), lab.raises(redis.RedisError, when=f"after: {error}", trap="silent-invalidate"):
        await shop.invalidate("tea")


async def test_nonsense_is_refused_where_it_is_written(lab, kind):
    """Rule 15. A `ttl` or `jitter` out of range is a `ValueError` at decoration, not at the first call."""
    for name, values in {"ttl": (0, -1, float("inf"), float("nan")), "jitter": (-0.1, 1, 1.5, float("nan"))}.items():
        for value in values:
            with lab.raises(ValueError, when=f"when decorating with {name}={value}", trap="late-validation"):
                Shop(lab, kind, **{name: value})


async def test_the_function_keeps_its_face(lab, kind):
    """Rule 16. The decorated function keeps its name, docstring and signature, and stays plain or async."""
    price = Shop(lab, kind).function
    for name, value in (("__name__", "price"), ("__qualname__", "price"), ("__module__", "shop")):
        lab.expect(name, getattr(price, name, None), value, trap="metadata-lost")
    lab.expect("docstring", inspect.getdoc(price), "What an item costs.", trap="metadata-lost")
    lab.expect("parameters", str(inspect.signature(price)), "(item, currency='eur', *, vat=True)", trap="metadata-lost")
    lab.expect("is a coroutine function", inspect.iscoroutinefunction(price), kind == "async", trap="metadata-lost")
