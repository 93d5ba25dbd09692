"""The rules of README.md, in teaching order. Clocks are moved by hand: nothing waits."""

import gc
import time
import weakref
from collections import Counter
from statistics import mean, median

import pytest
from lru_stats import LRU

from dojo.lab.properties import given, settings, st
from dojo.lab.work import Key, Moment, bytes_taken, lines_run, memory_traced

TTL = 60
NUMBERS = ("hits", "misses", "insertions", "evictions", "expirations")


class Shop:
    """A cache and its clock. Keys are letters, and each has a value of its own; x is never put."""

    def __init__(self, lab, capacity, *, ttl=TTL, start=5000.0):
        self.lab, self.now = lab, start
        self.cache = LRU(capacity, ttl=ttl, clock=lambda: self.now)
        self.own = {key: [key] for key in "abcdefghijz"}

    def call(self, name, *args):
        """What a method gives; "wait" moves the clock. Each call is a line of the timeline."""
        if name == "wait":
            self.now += args[0]
            return self.lab.note(f"** the clock moves by {args[0]:.10g} s **")
        got = getattr(self.cache, name)(*args)
        self.lab.note(f"{name} {', '.join(map(repr, args))} → {got!r:.60}")
        return got

    def do(self, script):
        """Make calls such as "put a b, get b, wait 60"; keys for which get or peek did not give the right value."""
        lost = ""
        for name, *keys in filter(None, map(str.split, script.split(","))):
            for key in keys:
                got = self.call(name, float(key) if name == "wait" else key, *[self.own.get(key)] * (name == "put"))
                lost += key * (name in ("get", "peek") and got is not self.own.get(key))
        return lost

    def see(self, script, *, trap, left=None, **due):
        """Make these calls, and demand that these numbers are `due`, and which of all letters are `left` then.

        Each get must give the right value. What is left is seen by get, in the order of the alphabet.
        """
        self.lab.expect("keys that were not found", self.do(script), "", trap=trap)
        stats = self.cache.stats()
        self.lab.expect("stats", {name: getattr(stats, name) for name in due}, due, trap=trap)
        if left is not None:
            found = "".join(key for key in "abcdefghij" if self.cache.get(key) is not None)
            self.lab.note(f"get 'a' to 'j' finds {found}")
            self.lab.expect("entries that are left", found, left, trap=trap)


class Odd:
    """A value that is false, and not to be compared, copied or hashed."""

    def refuse(self, *args):
        raise RuntimeError("a value was compared, copied or hashed")

    __eq__ = __hash__ = __copy__ = __reduce_ex__ = refuse
    __len__ = int  # so that bool() is False


def test_get_gives_what_was_put(lab):
    """Rule 1. `get` and `peek` give the very value that was put last, `None` too; or else `default`."""
    cache, nothing = Shop(lab, 20).cache, list  # a default that could be called, and is not
    for key in ("a", 1, ("a", 1), "", None, frozenset("a"), -1, -2, 0.5, "1"):
        for call in (cache.get, cache.peek):
            lab.expect(f"{call.__name__}({key!r})", call(key), None, trap="another-value")
            itself = call(key, nothing) is nothing and call(key, default=nothing) is nothing
            due = f"{call.__name__}({key!r}, list) gives list itself"
            lab.require(itself, expected=due, got="something else", trap="another-value")
        for value in ("x", [], None, 0, "", False, Odd(), Odd(), nothing, [1]):
            with lab.no_error(expected="a value is stored, whatever it is", trap="another-value"):
                cache.put(key, value)
                got = [cache.get(key, "default"), cache.peek(key, "default")]
            trap = "another-value" if value is not None else "none-is-a-miss"
            due = f"the very {type(value).__name__} that was put, from get and peek"
            said = " and ".join(f"a {type(one).__name__}" for one in got)
            lab.require(all(one is value for one in got), expected=due, got=f"{said}, not both that one", trap=trap)
    cache.put(True, "yes")
    lab.expect("get(1.0) after put(True, 'yes')", cache.get(1.0), "yes", trap="another-value")


def test_the_least_recently_used_is_evicted(lab):
    """Rule 2. A full cache evicts the entry that was least recently used; a `put` is a use, and so is a hit."""
    Shop(lab, 3).see("put a b c d", left="bcd", trap="wrong-victim")
    shop = Shop(lab, 4)
    shop.see("put a b c d, get a c a, put e, get a c d e", trap="get-is-no-use")
    shop.see("put f g", left="defg", trap="wrong-victim")
    shop.see("put h i", left="fghi", trap="wrong-victim")
    Shop(lab, 3).see("put a b c, get a a a a a b c x x, put d", left="bcd", trap="wrong-victim")
    Shop(lab, 6).see("put a b, get a, put c d e f g", left="acdefg", trap="get-is-no-use")
    cache = Shop(lab, 90).cache
    for n in (*range(90), *range(80, 0, -2), *range(90, 120)):
        cache.get(n) is not None or cache.put(n, n)
    gone = [n for n in range(120) if cache.get(n) is None]
    lab.expect("which of many were evicted", gone, [0, *range(1, 58, 2)], trap="wrong-victim")


def test_peek_leaves_no_trace(lab):
    """Rule 3. `peek` is no use, and neither a hit nor a miss."""
    shop = Shop(lab, 3)
    shop.see("put a b c", hits=0, misses=0, trap="wrong-hits")
    shop.see("peek a a b a x", hits=0, misses=0, trap="peek-counts")
    shop.see("put d e", left="cde", trap="peek-is-a-use")
    shop.do("wait 60, peek c c d x")
    shop.see("", hits=3, misses=7, trap="peek-counts")


def test_overwriting_evicts_nobody(lab):
    """Rule 4. A `put` on a live entry replaces its value, is a use, and evicts nobody."""
    shop = Shop(lab, 3)
    shop.see("put a b c a c a", evictions=0, insertions=3, trap="overwrite-evicts")
    shop.see("put d", left="acd", trap="overwrite-is-no-use")


def test_the_order_decides_and_not_the_time(lab):
    """Rule 5. The order of the calls decides who was used last, also while the clock stands still."""
    shop = Shop(lab, 4, ttl=None)
    shop.see("put d b c a, get b d, put e f", left="bdef", trap="use-by-clock")
    shop.see("get f e d b, put a c", left="abcd", trap="use-by-clock")


def test_delete_removes_an_entry(lab):
    """Rule 6. `delete` removes an entry, and says whether there was a live one."""
    shop, trap = Shop(lab, 3), "wrong-delete"
    shop.do("put a b c")
    shop.cache.put("b", None)
    lab.expect("delete of b, b again, x", [shop.call("delete", key) for key in "bbx"], [True, False, False], trap=trap)
    lab.expect("get('b', 'none') and len", [shop.call("get", "b", "none"), len(shop.cache)], ["none", 2], trap=trap)
    shop.see("put d", evictions=0, expirations=0, insertions=4, trap=trap)
    shop.see("wait 59, get d", trap="wrong-lifetime")
    shop.see("put b e", left="bde", trap=trap)
    shop.do("wait 1")
    lab.expect("delete of what has expired", shop.call("delete", "d"), False, trap=trap)
    shop.see("", left="be", trap=trap)


@pytest.mark.parametrize("ttl", [60, 0.25, 86_400])
def test_an_entry_lives_for_its_ttl(lab, ttl):
    """Rule 7. An entry lives until the clock has moved by `ttl` since its last `put`; at exactly `ttl` it is gone."""
    lab.scenario(f"ttl {ttl} s; b is put half of that after a")
    shop, trap, moment = Shop(lab, 3, ttl=ttl), "wrong-lifetime", 2**-20
    shop.see(f"put a, wait {ttl / 2}, put b, wait {ttl / 2 - moment}, get a b", trap=trap)
    for call, wait, due in ("peek", moment, "b"), ("get", 0, "b"), ("peek", ttl / 2, ""), ("get", 0, ""):
        shop.call("wait", wait)
        found = "".join(key for key in "ab" if shop.call(call, key) is not None)
        lab.expect(f"what {call} finds", found, due, trap=trap)


def test_only_a_put_gives_more_time(lab):
    """Rule 8. A `get` does not prolong a life; a `put` begins a new one."""
    shop = Shop(lab, 3)
    shop.see("put a b c, wait 40, get a, peek c, put b, wait 19, get a c b", trap="wrong-lifetime")
    shop.do("wait 1")
    lab.expect("what peek does not find", shop.do("peek a c"), "ac", trap="get-prolongs")
    shop.see("get b, wait 39, get b", trap="put-does-not-prolong")
    shop.see("wait 1", left="", trap="get-prolongs")
    for pause in (0.5, 15, 59.5):
        shop.see(f"put d, wait {pause}, put d, wait 59.5, get d", trap="put-does-not-prolong")


def test_what_has_expired_makes_room_first(lab):
    """Rule 9. A live entry is evicted only if all the others are live as well."""
    shop, trap = Shop(lab, 3), "dead-take-room"
    shop.see("put j a b, wait 59, put a b, get j, wait 1, put c", evictions=0, left="abc", trap=trap)
    shop.see("put d", evictions=1, trap=trap)
    shop.see("wait 59, get c, put e f", left="cef", trap=trap)


def test_len_is_the_number_of_live_entries(lab):
    """Rule 10. `len` is the number of live entries, and never above `capacity`."""
    for capacity in (1, 2, 250):
        shop = Shop(lab, capacity)
        for n in range(capacity + 10):
            shop.call("put", n, n)
            lab.expect(f"len, capacity {capacity}", len(shop.cache), min(n + 1, capacity), trap="over-capacity")
        for script, due in ("wait 30, put z", capacity), ("wait 30", 1), ("wait 30", 0):
            shop.do(script)
            lab.expect(f"len after {script}", len(shop.cache), due, trap="dead-counted")


@pytest.mark.parametrize("start", [-1e6, -60, -30.5, 0, 2.0**20])
def test_only_the_clock_tells_the_time(lab, start):
    """Rule 11. Only `clock` tells the time, wherever its zero is."""
    shop = Shop(lab, 9, start=start)
    shop.do("put a")
    time.sleep(7 * 86_400), lab.step_wall_clock(-86_400)
    shop.see("get a", trap="another-clock")
    for script, left in ("wait 30, put b", "ab"), ("wait 30, put c", "bc"), ("wait 30, put d", "cd"):
        shop.see(script, left=left, trap="zero-means-none")


def test_without_a_clock_time_is_monotonic(lab):
    """Rule 11. Without `clock` it is `time.monotonic`, and without `ttl` nothing expires."""
    cache, lasting = LRU(2, ttl=TTL), LRU(2)
    cache.put("a", "x"), lasting.put("a", "x")
    for step, wait, due in (3600, TTL - 0.01, "x"), (-7200, 0.02, None):
        lab.step_wall_clock(step), time.sleep(wait)
        lab.expect(f"get after {wait} more seconds", cache.get("a"), due, trap="another-clock")
    time.sleep(1e9)
    lab.expect("get without ttl, after 30 years", lasting.get("a"), "x", trap="wrong-lifetime")


def test_each_get_is_a_hit_or_a_miss(lab):
    """Rule 12. Each `get` is one hit or one miss, and nothing else is either."""
    shop, trap = Shop(lab, 2), "wrong-hits"
    shop.do("get a b a b")
    shop.see("put a a b", hits=0, misses=4, trap=trap)
    shop.cache.put("b", None)
    shop.do("get a b b b a a, peek a, delete a a x, peek a x")
    shop.see("", hits=6, misses=4, trap=trap)
    shop.do("wait 60, get b b a")
    shop.see("put a b", hits=6, misses=7, trap=trap)


def test_evictions_are_not_expirations(lab):
    """Rule 13. Live entries that made room are evictions; entries whose time ran out are expirations, each once."""
    shop = Shop(lab, 3)
    shop.see("put a b c d e d, delete e", evictions=2, expirations=0, trap="expiry-is-eviction")
    shop.see("wait 59, put d, wait 1, put e e", evictions=2, expirations=1, trap="expiry-is-eviction")
    shop.do("wait 59, get d d, peek d, delete d")
    shop.see("put a b c", evictions=3, expirations=2, trap="counted-twice")


@pytest.mark.parametrize("first", ["get a", "peek a", "delete a", "put a", "__len__", "stats"])
def test_whoever_notices_an_expiry(lab, first):
    """Rule 13. An expiration counts from the moment at which the time ran out, whoever notices it, and how late."""
    lab.scenario(f"a and b have expired, and the first call after that is {first}")
    shop, trap = Shop(lab, 3), "uncounted-expiry"
    shop.do("put a a b, wait 60")
    shop.do(first) if " " in first else shop.call(first)
    shop.see("", evictions=0, expirations=2, trap=trap)
    shop.see("wait 3600", evictions=0, expirations=3 if first == "put a" else 2, trap=trap)


def test_insertions_are_new_entries(lab):
    """Rule 14. A `put` that finds no live entry of its key is an insertion."""
    shop, trap = Shop(lab, 2), "wrong-insertions"
    for script, due in ("put a b a b", 2), ("put c a, get x", 4), ("delete a, put a a", 5), ("wait 60, put a a", 6):
        shop.see(script, insertions=due, trap=trap)


def test_ratios(lab):
    """Rule 15. `hit_ratio` is hits / (hits + misses), `eviction_rate` evictions / insertions; `None` for 0 / 0."""
    shop, trap = Shop(lab, 3), "nothing-by-nothing"
    with lab.no_error(expected="numbers before any traffic", trap=trap):
        shop.see("peek x", hit_ratio=None, eviction_rate=None, trap=trap)
        shop.see("put a b c", hit_ratio=None, eviction_rate=0.0, trap=trap)
        shop.see("get x x x", hit_ratio=0.0, eviction_rate=0.0, trap=trap)
    shop.see("get a, put d e a a", hit_ratio=0.25, eviction_rate=0.4, trap="wrong-ratio")
    shop.see("wait 60, put a, get a a x", hit_ratio=3 / 7, eviction_rate=2 / 6, trap="wrong-ratio")


def test_stats_are_a_snapshot(lab):
    """Rule 16. What `stats` gave does not change any more, and asking changes nothing."""
    shop, trap = Shop(lab, 2), "live-stats"
    shop.do("put a b c, get b")
    before = shop.cache.stats()
    shop.do("get c x, put d, wait 60")
    for _ in range(2):
        shop.see("", hits=2, misses=1, insertions=4, evictions=2, expirations=2, trap=trap)
    due = {"hits": 1, "misses": 0, "insertions": 3, "evictions": 1, "expirations": 0, "hit_ratio": 1.0}
    lab.expect("the earlier stats", {name: getattr(before, name) for name in due}, due, trap=trap)


def measure(meter, size, rounds, ttl):
    """What each call took, as `meter` says, in so many rounds on a cache of `size` that is full or keeps expiring."""
    now, costs = Moment(5000), {}
    cache = LRU(size, ttl=ttl, clock=lambda: now)
    for n in range(size + rounds):
        now += 1
        for name, call, *args in (
            ("put", cache.put, Key(n), n), ("get (a hit)", cache.get, Key(n - size // 4)),
            ("get (a miss)", cache.get, Key(-n)), ("peek", cache.peek, Key(n - 3)),
            ("put (again)", cache.put, Key(n - size // 4), n), ("delete", cache.delete, Key(n - size // 3)),
            ("put (back)", cache.put, Key(n - size // 3), n), ("len", cache.__len__), ("stats", cache.stats),
        )[: 9 if n >= size else 1]:  # fmt: skip
            costs.setdefault(name, []).append(meter(call, *args) if n >= size else call(*args))
    return {name: each[-rounds:] for name, each in costs.items()}


@pytest.mark.parametrize("unit", ["lines of Python", "bytes"])
def test_work_does_not_grow(lab, unit):
    """Rule 17. What a call costs does not grow with the number of entries, the memory it takes included."""
    for share in (0.5, 9):  # with a ttl of half the size they expire, otherwise they are evicted
        if unit == "bytes":
            with memory_traced():
                small, large = (measure(bytes_taken, size, 15, size * share) for size in (20, 700))
        else:
            small, large = (measure(lines_run, size, size, size * share) for size in (20, 100))
        for call, costs in large.items():
            few, many = (round((median if unit == "bytes" else mean)(each)) for each in (small[call], costs))
            most, due = (few + 2500, 700) if unit == "bytes" else (2 * few + 20, 100)
            due = f"about {few} {unit} for {call} with {due} entries, the same as with 20"
            lab.require(many <= most, expected=due, got=f"{many} {unit}", trap="work-grows")


def test_what_is_gone_is_let_go(lab):
    """Rule 18. A value is held no longer than its entry lives, or else until the next `put`."""
    shop, refs = Shop(lab, 3), {}

    def held(keys, due, *, when):
        for key in keys:
            shop.cache.put(key.lower(), value := Odd()), lab.note(f"put {key.lower()!r}, another value")
            refs[key] = weakref.ref(value)
        value = None
        gc.collect()
        alive = "".join(key for key, ref in refs.items() if ref() is not None)
        lab.expect(f"values held {when}", alive, due, trap="held-too-long")

    held("abcd", "bcd", when="after a was evicted")
    held("B", "cdB", when="after b was overwritten by B")
    shop.do("delete c")
    held("e", "dBe", when="after c was deleted")
    shop.cache.get("e"), lab.note("get 'e'"), shop.do("delete e")
    held("", "dB", when="after e, the last one put and asked for, was deleted")
    shop.do("delete d, wait 60")
    held("f", "f", when="after all had expired and f was put")


def test_nothing_grows_with_the_calls(lab):
    """Rule 18. The memory that a cache takes is bounded by its capacity, not by the number of calls."""
    shop, taken = Shop(lab, 8), []
    with memory_traced() as held_now:
        for n in range(2500):
            shop.now += n % 3 * (n < 1400)  # and then it stands still
            shop.cache.put(n, n)
            shop.cache.get(n)
            shop.cache.put("same", n)
            shop.cache.get(("unknown", n))
            shop.cache.delete(n + n % 2)  # every other one; the rest is evicted
            taken += [held_now()] * (n in (500, 1300, 2499))
    got = f"{max(taken) - taken[0]} bytes more after 12,500 calls, with 8 entries"
    lab.require(max(taken) - taken[0] < 16_000, expected="bounded memory", got=got, trap="held-too-long")


def test_nonsense_is_refused(lab):
    """Rule 19. A capacity or ttl out of range is a `ValueError`."""
    LRU(1, ttl=1e-6, clock=time.monotonic)
    for capacity, ttl in (0, None), (-1, None), (3, 0), (3, -1), (3, 0.0), (3, float("nan")), (3, float("inf")):
        with lab.raises(ValueError, when=f"for capacity {capacity}, ttl {ttl}", trap="nonsense-accepted"):
            LRU(capacity, ttl=ttl)


def test_a_key_that_cannot_be_hashed_changes_nothing(lab):
    """Rule 19. A key that cannot be hashed is a `TypeError`, and then nothing has changed."""
    shop, trap = Shop(lab, 2), "half-done"
    shop.do("put a b")
    for key in [], ("c", []):
        for call in ("put", "get", "peek", "delete"):
            with lab.raises(TypeError, when=f"from {call} for {key}", trap=trap):
                shop.call(call, key, *["x"] * (call == "put"))
    shop.see("", hits=0, misses=0, insertions=2, evictions=0, expirations=0, left="ab", trap=trap)


def test_caches_share_nothing(lab):
    """Rule 20. Two caches share nothing."""
    one, two, trap = Shop(lab, 2), Shop(lab, 3, ttl=1), "shared-state"
    one.do("put a b c")
    two.see("", **dict.fromkeys(NUMBERS, 0), left="", trap=trap)
    two.do("wait 3")
    one.see("", hits=0, misses=0, insertions=3, evictions=1, expirations=0, left="bc", trap=trap)


def searched(capacity, calls):
    """What the calls give, and the numbers after them: a list of (key, value, end), searched from end to end."""
    now, entries, gives, numbers = 0, [], [], Counter()
    for call, n, *value in calls:
        now += n * (call == "wait")
        live = [entry for entry in entries if now < entry[2]]
        found = [entry for entry in live if entry[0] == n and call != "wait"]
        rest = [entry for entry in live if entry not in found]
        numbers["expirations"] += len(entries) - len(live)
        numbers["hits" if found else "misses"] += call == "get"
        if call == "put" and not found:
            numbers["insertions"] += 1
            numbers["evictions"] += len(rest) == capacity
            rest = rest[-capacity + 1 :] if capacity > 1 else []
        mine = [(n, *value, now + TTL)] if call == "put" else found if call == "get" else []
        entries = live if call in ("wait", "peek") else rest + mine
        gives.append(bool(found) if call == "delete" else found[0][1] if found and call != "put" else None)
    return gives, {**dict.fromkeys(NUMBERS, 0), **numbers}


CALLS = st.tuples(st.sampled_from(["wait", "wait", "put", "put", "get", "peek", "delete"]), st.integers(0, 4))


@settings(max_examples=16)
@given(capacity=st.integers(1, 4), calls=st.lists(CALLS, min_size=15, max_size=30))
def test_any_sequence_of_calls(lab, capacity, calls):
    """Rule 21. After any sequence of calls, all answers and numbers are those of a list searched from end to end."""
    shop, trap = Shop(lab, capacity), "unlike-the-model"
    calls = [call for call in calls if call != ("wait", 0)]
    calls = [(call, n * 10 ** (call == "wait"), *[k] * (call == "put")) for k, (call, n) in enumerate(calls)]
    gives, numbers = searched(capacity, calls)
    for call, due in zip(calls, gives, strict=True):
        got = shop.call(*call)
        lab.expect(" ".join(map(str, call)), None if call[0] == "put" else got, due, trap=trap)
    shop.see("", **numbers, trap=trap)
