"""The rules of README.md, in order. Where both policies promise the same, a test is run for each."""

import contextlib
import functools
import time
import zlib

import pytest
import redis
from write_policies import WriteAround, WriteThrough

from dojo.lab import explore, sweep
from dojo.lab.fakes.database import Disconnected, SerializationError
from dojo.lab.properties import given, settings, st

TTL = 90
BOTH = pytest.mark.parametrize("policy", ["WriteThrough", "WriteAround"])
REFUSED, SLOW, REPLICA = redis.ConnectionError("refused"), redis.TimeoutError("slow"), redis.ResponseError("READONLY")
failures = pytest.mark.parametrize(
    ("policy", "error"),
    [("WriteThrough", REFUSED), ("WriteThrough", REPLICA), ("WriteAround", REFUSED), ("WriteAround", SLOW)],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)


class Store:
    """The database as one server sees it: counts its transactions; may be down, or let something happen at a commit."""

    SerializationError = SerializationError

    def __init__(self, lab):
        self.database = lab.database_sync()
        self.asked, self.down = 0, False
        self.pause, self.after_write = None, None
        self.left = "nothing"  # the price of tea that its last commit left

    def rows(self):
        return self.database.rows("prices")

    @contextlib.contextmanager
    def begin(self):
        self.asked += 1
        if self.down:
            raise Disconnected("the database cannot be reached")
        before = self.rows()
        with self.database.begin() as tx:
            yield tx
            if self.pause:
                pause, self.pause = self.pause, None
                pause()
        self.left = self.rows().get("tea")
        if self.after_write and before != self.rows():
            after, self.after_write = self.after_write, None
            after()

    def insert(self, **prices):
        """Rows from before there was a cache."""
        with self.database.begin() as tx:
            for key, row in prices.items():
                tx.put("prices", key, row)


class Server:
    """One server, with its clients and an object of the learner's class; `module` is another process' copy of that."""

    def __init__(self, lab, policy, *, module=None, table="prices", ttl=TTL, **client):
        self.lab, self.store = lab, Store(lab)
        make = getattr(module, policy) if module else {"WriteThrough": WriteThrough, "WriteAround": WriteAround}[policy]
        self.items = make(lab.redis_sync(**client), self.store, table=table, ttl=ttl)
        self.put, self.delete = self.items.put, self.items.delete

    def get(self, key="tea"):
        return self.lab.plain("an item", self.items.get(key), trap="hit-differs-from-miss")

    def expect(self, when, value, *, asked, trap, key="tea"):
        """Demand that `get` gives this value, and that it asks the database, or not."""
        before = self.store.asked
        told = self.get(key), self.store.asked > before
        self.lab.expect(f"{when}: the item, and whether the database was asked", told, (value, asked), trap=trap)


def two_servers(lab, policy, **client):
    """Two processes, of which each has its own salt for hash() of text."""
    module = lab.process()
    module.hash = lambda value: zlib.crc32(repr(value).encode(), 1)
    return Server(lab, policy, **client), Server(lab, policy, module=module, **client)


def agree(lab, servers, trap):
    """Demand that every server, asked twice, gives the row that is in the database."""
    row = servers[0].store.rows().get("tea")
    answers = [server.get() for _ in range(2) for server in servers]
    where = "each server" if len(servers) > 1 else "another server"
    lab.expect(f"get, twice on {where} (the row is {row})", answers, [row] * len(answers), trap=trap)


def at(seconds, call):
    """`call`, but so many seconds later."""
    return lambda: (time.sleep(seconds), call())[1]


def no_conflict(lab, outcomes):
    for told in (o.error for o in outcomes):
        got = f"{type(told).__name__}: {told}"
        lab.require(told is None, expected="both calls return", got=got, trap="conflict-raised")


@BOTH
@pytest.mark.parametrize("decode", [False, True], ids=["bytes replies", "str replies"])
def test_a_repeated_read_is_a_hit(lab, policy, decode):
    """Rule 1. `get` gives the item, or None; within `ttl` it asks the database once, on whichever server."""
    one, two = two_servers(lab, policy, decode_responses=decode)
    item = {"eur": 3.0, "usd": 0.1 + 0.2, "tags": ["hot", None, True], "name": "Thé"}
    one.store.insert(tea=item)
    lab.expect("get('milk'), which is not there", one.get("milk"), None, trap="hit-differs-from-miss")
    answers = [one.get(), one.get(), two.get()]
    lab.expect("server one, once more, and server two", answers, [item] * 3, trap="hit-differs-from-miss")
    answers[2]["tags"].append("changed by a caller")
    two.expect("get again", item, asked=False, trap="never-a-hit")


@BOTH
def test_falsy_items_are_items(lab, policy):
    """Rule 1. `get` gives the item, also if it is false, 0 or empty, and from the cache like any other."""
    server = Server(lab, policy)
    for n, value in enumerate((False, 0, 0.0, "", [], {})):
        server.put(f"item {n}", value)
        for when, asked in (("first get", policy == "WriteAround"), ("second get", False)):
            server.expect(when, value, asked=asked, trap="falsy-as-miss", key=f"item {n}")


def test_through_fills_the_cache(lab):
    """Rule 2. What `WriteThrough.put` has written is in the cache: the next `get`, on any server, is a hit."""
    one, two = two_servers(lab, "WriteThrough")
    one.store.insert(tea=1)
    for value in (1, 1.0, True, {"eur": 0.1 + 0.2}, {"eur": 0.1 + 0.2}, "5", [6]):
        one.put("tea", value)
        two.expect("get after put", value, asked=False, trap="not-through")
    one.delete("tea")
    two.put("tea", 7)
    one.expect("get after delete and put", 7, asked=False, trap="version-starts-again")


def test_around_leaves_the_cache_to_readers(lab):
    """Rule 3. `WriteAround.put` does not fill the cache: the first `get` after it asks the database, the second not."""
    one, two = two_servers(lab, "WriteAround")
    for value in (3, {"eur": 4}, [5]):
        one.put("tea", value)
        two.expect("first get after put", value, asked=True, trap="not-around")
        one.expect("second get after put", value, asked=False, trap="never-a-hit")
    one.delete("tea")
    two.put("tea", 6)
    one.expect("first get after delete and put", 6, asked=True, trap="not-around")
    two.expect("second get after delete and put", 6, asked=False, trap="version-starts-again")


@BOTH
def test_a_write_is_seen_at_once(lab, policy):
    """Rule 4. Once a `put` or `delete` has returned, the database has it and no `get`, on any server, is older."""
    one, two = two_servers(lab, policy)
    one.store.insert(tea=1, milk=1)
    lab.expect("before", [two.get("tea"), two.get("milk")], [1, 1], trap="hit-differs-from-miss")
    for n, writer in enumerate((one, two) * 6, start=2):
        writer.put("tea", n)
        lab.expect("rows of the table", one.store.rows(), {"tea": n, "milk": 1}, trap="row-differs")
        lab.expect("get on both servers", [one.get(), two.get()], [n, n], trap="stale-after-write")
    for key in ("tea", "no such item"):
        one.delete(key)
        lab.expect("rows of the table", one.store.rows(), {"milk": 1}, trap="row-differs")
        lab.expect("get on both servers", [one.get(key), two.get(key)], [None, None], trap="stale-after-delete")
    two.expect("get('milk')", 1, asked=False, trap="evicts-too-much", key="milk")


@BOTH
@settings(max_examples=5)
@given(data=st.data())
def test_any_sequence_of_calls(lab, policy, data):
    """Rule 4. After whatever writes, on whichever server, every `get` gives what the last one left."""
    servers, model = two_servers(lab, policy), {}
    calls = st.sampled_from(("get", "get", "put", "put", "delete", "wait"))
    steps = st.lists(st.tuples(calls, st.integers(0, 1), st.sampled_from(("a", "b"))), max_size=14)
    for n, (call, which, key) in enumerate(data.draw(steps)):
        if call == "wait":
            time.sleep(TTL * 0.6)
        elif call == "put":
            servers[which].put(key, n)
            model[key] = n
        elif call == "delete":
            servers[which].delete(key)
            model.pop(key, None)
        lab.expect(f"get({key!r})", servers[1 - which].get(key), model.get(key), trap="stale-after-write")
    lab.expect("rows of the table", servers[0].store.rows(), model, trap="row-differs")


@BOTH
def test_a_failed_write_changes_nothing(lab, policy):
    """Rule 5. If the database fails, its error reaches the caller, and readers get what they got before."""
    one, two = two_servers(lab, policy)
    one.store.insert(tea=1)
    for call in (lambda: one.put("tea", 2), lambda: one.put("milk", 2), lambda: one.delete("tea")):
        two.get()
        one.store.down = True
        with lab.raises(Disconnected, when="while the database cannot be reached", trap="database-error-hidden"):
            call()
        one.store.down = False
        lab.expect("get('tea'), get('milk')", [one.get(), two.get("milk")], [1, None], trap="phantom")
    one.store.down = True
    time.sleep(TTL + 1)
    with lab.raises(Disconnected, when="for a get that must ask the database", trap="database-error-hidden"):
        one.get()


@failures
def test_redis_fails_before_the_commit(lab, policy, error):
    """Rule 6. If Redis fails before the commit, the write raises `redis.RedisError` and nothing is written."""
    one, two = two_servers(lab, policy)
    one.store.insert(tea=1)
    lab.expect("before", two.get(), 1, trap="hit-differs-from-miss")
    for what, call in (("put", lambda: one.put("tea", 2)), ("delete", lambda: one.delete("tea"))):
        with lab.server.outage(error), lab.raises(redis.RedisError, when=f"for the {what}", trap="stale-after-outage"):
            call()
        lab.expect("rows of the table", one.store.rows(), {"tea": 1}, trap="stale-after-outage")
        lab.expect("get after the outage", [one.get(), two.get()], [1, 1], trap="phantom")


@failures
def test_redis_fails_after_the_commit(lab, policy, error):
    """Rule 6. If Redis fails after the commit, the write returns, and no older item is served, then or later."""
    one, two = two_servers(lab, policy)
    one.store.insert(tea=1)
    for what, call, due in (("put", lambda: one.put("tea", 2), 2), ("delete", lambda: one.delete("tea"), None)):
        two.get()
        lab.scenario(f"Redis fails right after the commit of a {what}: {error}")
        with contextlib.ExitStack() as failing:
            one.store.after_write = lambda: failing.enter_context(lab.server.outage(error))
            with lab.no_error(expected=f"the {what} returns: it is committed", trap="committed-but-raised"):
                call()
        lab.expect("row", one.store.rows().get("tea"), due, trap="committed-but-raised")
        agree(lab, (one, two), trap="stale-after-outage")


@failures
def test_reads_go_on_without_redis(lab, policy, error):
    """Rule 7. `get` never raises an error of Redis: it asks the database."""
    one, two = two_servers(lab, policy)
    one.store.insert(tea=3, milk=3, coffee=3, juice=3)
    for key, due in (("tea", 1), ("milk", 0), ("coffee", None)):
        one.get(key)
        two.delete(key) if due is None else two.put(key, due)
        with lab.server.outage(error), lab.no_error(expected=f"get({key!r}) answers", trap="outage-fails-the-read"):
            answer = one.get(key)
        lab.expect(f"get({key!r}) while Redis fails", answer, due, trap="outage-fails-the-read")
    lab.scenario("Redis fails between a miss and the store")
    with contextlib.ExitStack() as failing, lab.no_error(expected="get answers", trap="outage-fails-the-read"):
        one.store.pause = lambda: failing.enter_context(lab.server.outage(error))
        lab.expect("get('juice')", one.get("juice"), 3, trap="outage-fails-the-read")


@sweep(kinds=("lost-request", "lost-reply"))
def test_one_lost_message_fails_no_read(lab):
    """Rule 7. `get` never raises an error of Redis, whichever of its commands it loses."""
    server = Server(lab, "WriteAround")
    server.store.insert(tea=1)
    outcome = lab.attempt_sync(server.get)
    got = f"{type(outcome.error).__name__}: {outcome.error}"
    right = outcome.ok or isinstance(outcome.error, Disconnected)
    lab.require(right, expected="the item, or an error of the database", got=got, trap="outage-fails-the-read")
    agree(lab, (server,), trap="stale-after-outage")


@sweep(kinds=("died-after", "lost-request", "lost-reply"))
@pytest.mark.parametrize(("policy", "what"), [("WriteThrough", "put"), ("WriteAround", "delete")])
def test_a_write_that_breaks_off_leaves_nothing_stale(lab, policy, what):
    """Rule 8. Whatever step a write dies or loses its connection at, every later `get` gives what the database has."""
    one, two = two_servers(lab, policy)
    one.store.insert(tea=1)
    two.get()
    lab.scenario(f"the row is 1 and is cached; a {what} breaks off")
    call, due = (lambda: one.put("tea", 2), 2) if what == "put" else (lambda: one.delete("tea"), None)
    outcome = lab.attempt_sync(call, name=what)
    row = one.store.rows().get("tea")
    done = f"row {due}, since the {what} has returned"
    lab.require(not outcome.ok or row == due, expected=done, got=f"row {row}", trap="database-error-hidden")
    if isinstance(outcome.error, redis.RedisError):
        lab.expect("row after an error of Redis", row, 1, trap="committed-but-raised")
    agree(lab, (two,), trap="phantom" if row == 1 else "stale-after-crash")
    lab.expect("keys without a TTL", lab.server.keys_without_ttl(), [], trap="no-ttl")
    time.sleep(TTL + 1)
    agree(lab, (two,), trap="stale-after-crash")
    if row is not None:
        two.expect(f"second get, {TTL + 1} s later", row, asked=False, trap="blocked-for-ever")


@explore(reduce=True)
def test_two_writers_at_once(lab):
    """Rule 9. However two writers interleave, both return, and every later `get` gives what the database has."""
    one, two = two_servers(lab, "WriteThrough")
    one.store.insert(tea=1)
    calls = functools.partial(one.put, "tea", 2), functools.partial(two.put, "tea", 3)
    no_conflict(lab, lab.attempts_sync(*calls, names=("a put", "another put")))
    agree(lab, (two,), trap="late-writer")


@BOTH
@pytest.mark.parametrize("other", ["put", "delete"])
def test_a_slow_writer_meets_another(lab, policy, other):
    """Rule 9. However two writers interleave, also if one of them takes nearly `ttl` from step to step."""
    one, two = two_servers(lab, policy)
    one.store.insert(tea=1)

    def write():
        two.put("tea", 3) if other == "put" else two.delete("tea")
        two.get()

    for place in ("pause", "after_write"):
        where = {"pause": "until its commit", "after_write": "from its commit to its next step"}[place]
        lab.scenario(f"ttl {TTL} s; a put takes {TTL - 1} s {where}; meanwhile, a {other} on another server")
        setattr(one.store, place, lambda: time.sleep(TTL - 1))
        calls, one.store.left = (functools.partial(one.put, "tea", 2), at(1, write)), "nothing"
        no_conflict(lab, lab.attempts_sync(*calls, names=("slow put", f"other {other}")))
        lab.expect("what the slow put's commit left in the database", one.store.left, 2, trap="lost-write")
        agree(lab, (one, two), trap="late-writer")


@BOTH
def test_a_writer_that_loses(lab, policy):
    """Rule 9. However two writers interleave, both are committed, both calls return, and every later `get` is right."""
    lab.scenario("each try of a put takes 5 s until its commit; meanwhile another server puts every 5 s")
    one, two = two_servers(lab, policy)
    one.store.insert(tea=1)

    def try_slowly():
        time.sleep(5)
        one.store.pause = try_slowly if one.store.asked < 4 else None

    one.store.pause = try_slowly
    others = at(1, lambda: [(two.put("tea", n), two.get(), time.sleep(5)) for n in range(3, 7)])
    no_conflict(lab, lab.attempts_sync(functools.partial(one.put, "tea", 2), others, names=("put", "other puts")))
    one.store.pause = None
    lab.expect("what the put's commit left in the database", one.store.left, 2, trap="lost-write")
    agree(lab, (one, two), trap="late-writer")


@explore(reduce=True)
def test_a_reader_meets_a_writer(lab):
    """Rule 10. However a reader and a writer interleave, every later `get` gives what the database has."""
    lab.scenario("the cache is cold; the reader misses, and the writer comes at any moment")
    one, two = two_servers(lab, "WriteAround")
    one.store.insert(tea=1)
    calls = one.get, functools.partial(two.put, "tea", 2)
    outcomes = lab.attempts_sync(*calls, names=("reader", "writer"))
    no_conflict(lab, outcomes)
    read = repr(outcomes[0].value)
    lab.require(read in ("1", "2"), expected="the reader gets 1 or 2", got=read, trap="phantom")
    agree(lab, (two,), trap="late-reader")


@BOTH
@pytest.mark.parametrize("what", ["put", "delete"])
def test_slow_readers_and_slow_writers(lab, policy, what):
    """Rule 10. However a reader and a writer interleave, also if one of them takes nearly `ttl` from step to step."""
    one, two = two_servers(lab, policy)
    one.store.insert(tea=1)

    def write():
        one.put("tea", 2) if what == "put" else one.delete("tea")

    lab.scenario(f"ttl {TTL} s; a reader takes {TTL - 1} s until it stores the row; meanwhile, a {what} and a get")
    third = Server(lab, policy)
    two.store.pause, third.store.pause = (lambda: time.sleep(TTL - 1)), (lambda: time.sleep(2))
    calls = two.get, at(1, write), at(TTL - 2, third.get)
    no_conflict(lab, lab.attempts_sync(*calls, names=("reader", "writer", "third")))
    agree(lab, (one, two), trap="late-reader")
    one.put("tea", 3)
    lab.scenario(f"ttl {TTL} s; a {what} takes {TTL - 1} s until its commit; shortly before that, a get")
    one.store.pause = lambda: time.sleep(TTL - 1)
    outcomes = lab.attempts_sync(write, at(TTL - 2, two.get), names=("writer", "reader"))
    no_conflict(lab, outcomes)
    lab.expect("get before the commit", outcomes[1].value, 3, trap="phantom")
    agree(lab, (one, two), trap="late-reader")


@BOTH
@pytest.mark.parametrize("ttl", [100_000, 0.255])
def test_an_entry_lives_for_its_ttl(lab, policy, ttl):
    """Rule 11. An entry lives for `ttl` seconds from its storing; reading does not prolong it."""
    lab.scenario(f"ttl {ttl} s; the put and the first get take half of that until they store")
    server = Server(lab, policy, ttl=ttl)
    for call in (lambda: server.put("tea", 1), server.get):
        server.store.pause = lambda: time.sleep(ttl / 2)
        call()
    server.store.pause = None
    for wait in (ttl / 2, ttl / 2 - 0.002):
        time.sleep(wait)
        server.expect("get within ttl", 1, asked=False, trap="wrong-lifetime")
    time.sleep(0.004)
    server.expect("get 2 ms after ttl", 1, asked=True, trap="wrong-lifetime")


def test_different_items_never_meet(lab):
    """Rule 12. Items that differ in table or anywhere in their key are different items."""
    names = [("prices", "tea"), ("Prices", "tea"), ("prices", "Tea"), ("prices", " tea"), ("prices", "Zoë")]
    names += [("prices", "Zo?"), ("prices", "x" * 999), ("prices", "x" * 999 + "7"), ("prices", "7"), ("prices", "07")]
    names += [("prices", ""), ("%3A", "b"), ("a%3A", "b"), ("prices", "versions"), ("versions", "prices"), ("a", "c")]
    names += [("prices", "plumless"), ("prices", "buckeroo")]  # of one CRC-32
    names += [("prices", "Zoe\u0308"), ("prices", "tea:lock"), ("prices", "tea:version")]
    for border in ":/.-\0":
        names += [(f"a{border}b", "c"), ("a", f"b{border}c")]
    tables = list(dict.fromkeys(table for table, _ in names))
    servers = {t: Server(lab, ("WriteThrough", "WriteAround")[n % 2], table=t) for n, t in enumerate(tables)}
    for table, key in names:
        servers[table].put(key, ascii([table, key]))
    for turn in ("first", "second"):
        for table, key in names:
            got = servers[table].get(key)
            lab.expect(f"{turn} get({key!a}) of {table!a}", got, ascii([table, key]), trap="key-collision")


def test_a_ttl_that_cannot_work_is_refused(lab):
    """Rule 13. A `ttl` below 0.001, infinite or nan is a `ValueError` of the constructor."""
    for make in (WriteThrough, WriteAround):
        for ttl in (0, -1, 0.0009, float("inf"), float("-inf"), float("nan")):
            with lab.raises(ValueError, when=f"for ttl={ttl}", trap="late-validation"):
                make(lab.redis_sync(), Store(lab), table="prices", ttl=ttl)
    server = Server(lab, "WriteThrough", ttl=0.001)
    with lab.no_error(expected="ttl=0.001 is allowed", trap="late-validation"):
        server.put("tea", 1)
