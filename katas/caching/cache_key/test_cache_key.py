"""The rules of README.md, in the order in which it is easiest to make them hold."""

import ast
import asyncio
import collections
import dataclasses
import datetime
import enum
import itertools
import math

import pytest
import redis
from cache_key import Unkeyable, bump_version, current_version, make_key

from dojo.lab import explore, sweep
from dojo.lab.properties import given, settings, st

SHOP = '''
def price(item, currency="eur", *, vat=True): ...
async def stock(item, depot="main"): ...
def find(*words, **filters): ...
def labelled(name, /, **labels): ...
def rate(day="today"): ...
def scan(item, seen=object()): ...
class Account:
    def __init__(self, number): self.number = number
    def __cache_key__(self): return self.number
    def __repr__(self): return "<Account>"
    def balance(self, day="today"): ...
    @classmethod
    def count(cls, day="today"): ...
    @staticmethod
    def rate(day="today"): ...
class Savings(Account):
    class Loan(Account): ...
class Loan(Account):
    def balance(self, day="today"): ...
    @staticmethod
    def rate(day="today"): ...
class Session(metaclass=type("Meta", (type,), {})):
    def user(self): ...
'''  # fmt: skip
CODE = compile(SHOP, "shop.py", "exec")


def process(name="shop"):
    """The module `name` as one more process holds it: SHOP, with functions, classes and objects of its own."""
    module = {"__name__": name}
    exec(CODE, module)
    return module


def make(lab, fn, *args, namespace="web", version=1, maker=None, **kwargs):
    """What make_key makes: it must be a str itself, and nothing else may have changed."""
    before = repr((args, kwargs))
    key = (maker or make_key)(fn, args, kwargs, namespace=namespace, version=version)
    lab.require(type(key) is str, expected="a key, as a str", got=f"a {type(key).__name__}", trap="not-a-key")
    after = repr((args, kwargs))
    lab.require(after == before, expected=f"{before}, as it was", got=after, trap="arguments-changed")
    return key


def key_of(lab, text, **values):
    """The key of the call that `text` writes down, such as "Account(7).balance('today')", in a process of its own."""
    names = {**process(), **values, "given": lambda *args, **kwargs: (args, kwargs)}
    fn = ast.unparse(ast.parse(text, mode="eval").body.func)
    args, kwargs = eval("given" + text.removeprefix(fn), names)
    return make(lab, eval(fn, names), *args, **kwargs)


def same(lab, what, keys, trap, got="{} and {}"):
    for key in keys:
        lab.require(key == keys[0], expected=f"one key for {what}", got=got.format(keys[0], key), trap=trap)


def agree(lab, texts, trap):
    for text in texts:
        same(lab, f"{texts[0]} and {text}", [key_of(lab, texts[0]), key_of(lab, text)], trap)


def differ(lab, keys, trap):
    """`keys` are pairs of what is asked and the key of that."""
    asked = {}
    for what, key in keys:
        due = f"two keys for {asked.setdefault(key, what)} and {what}"
        lab.require(asked[key] == what, expected=due, got=f"{key} twice", trap=trap)


def keys_of(lab, texts, call="{}"):
    return [(call.format(text), key_of(lab, call.format(text))) for text in texts]


def test_spellings_of_a_call_share_a_key(lab):
    """Rule 1. Spellings of one call share a key: positional or by keyword, defaults given or left out."""
    lab.scenario("def price(item, currency='eur', *, vat=True)")
    spellings = ["price('eur')", "price(item='eur')", "price('eur', 'eur')", "price('eur', currency='eur', vat=True)"]
    agree(lab, [*spellings, "price('eur', ''.join(['e', 'u', 'r']))"], trap="spelling-splits-keys")
    agree(lab, ["stock(1000)", "stock(int('1000'), 'main')", "stock(item=1000)"], trap="spelling-splits-keys")


def test_the_order_of_keywords_does_not_matter(lab):
    """Rule 2. The order of keyword arguments does not matter, those of `**kwargs` included."""
    agree(lab, ["price('tea', vat=False, currency='usd')", "price('tea', 'usd', vat=False)"], trap="order-splits-keys")
    agree(lab, ["find('tea', color='red', size=3)", "find('tea', size=3, color='red')"], trap="order-splits-keys")


def test_a_call_that_cannot_be_is_refused(lab):
    """Rule 3. A call that does not fit the signature is a `TypeError`, as if the function were called."""
    lab.scenario("def price(item, currency='eur', *, vat=True), and a method def balance(self, day='today')")
    for text in ("price()", "price(currency='eur')", "price('tea', 'eur', True)", "price('tea', item='tea')",
                 "price('tea', colour='red')", "Account(7).balance('today', 'now')"):  # fmt: skip
        with lab.raises(TypeError, when=f"for {text}", trap="misfit-accepted"):
            key_of(lab, text)


def test_functions_of_one_name_have_different_keys(lab):
    """Rule 4. Functions of one name in different modules or classes have different keys."""
    modules, names = ["shop", "old.shop", "shop.rate", "shop.Account"], ["rate", "stock", "Account.rate", "Loan.rate"]
    found = [(f"{name}('tea') of module {m}", eval(name, process(m))) for m in modules for name in names]
    differ(lab, [(what, make(lab, fn, "tea")) for what, fn in found], trap="bare-name")


def test_self_is_an_argument(lab):
    """Rule 5. A bound method's object is its first argument, told by its class and its `__cache_key__()`."""
    lab.scenario("class Account has __cache_key__(), which gives its number; Savings and Loan derive from it")
    one, two = (process()["Account"](7) for _ in range(2))
    keys = [make(lab, one.balance), make(lab, two.balance)]
    same(lab, "balance() of two objects, both Account(7)", keys, trap="address-in-key", got="two")
    others = ["Account(7)", "Account(8)", "Account('7')", "Savings(7)", "Loan(7)", "Savings.Loan(7)"]
    differ(lab, keys_of(lab, others, "{}.balance()"), trap="self-forgotten")
    others += ["7", "(7,)", "(Account, 7)", "('shop', 'Account', 7)"]
    differ(lab, keys_of(lab, others, "price({})"), trap="self-forgotten")
    agree(lab, ["Savings(7).balance()", "Account.balance(self=Savings(7), day='today')"], trap="self-forgotten")
    two.number = 8
    mine, bank = make(lab, two.balance), make(lab, process()["find"], process("bank")["Account"](7))
    differ(lab, [("Account(7).balance()", keys[1]), ("that of the same object, now 8", mine)], trap="self-forgotten")
    differ(lab, [*keys_of(lab, ["find(Account(7))"]), ("find of a bank.Account(7)", bank)], trap="self-forgotten")


def test_cls_is_an_argument(lab):
    """Rule 6. A class method's class is its first argument; a class is told by its module and qualified name."""
    lab.scenario("class Account has a class method count(), and Savings and Loan inherit it")
    agree(lab, ["Savings.count()", "Savings.count('today')", "Savings(7).count(day='today')"], trap="address-in-key")
    differ(lab, keys_of(lab, ["Account", "Savings", "Loan"], "{}.count()"), trap="class-forgotten")
    agree(lab, ["Savings.count()", "Account.count.__func__(Savings)"], trap="class-forgotten")
    values = ["Account", "Savings", "Loan", "Savings.Loan", "'Loan'", "'shop.Loan'", "'shop:Loan'", "('shop', 'Loan')",
              "\"<class 'shop.Loan'>\"", "int", "str", "Session"]  # fmt: skip
    with lab.no_error(expected=f"a key for each of {', '.join(values)}", trap="class-forgotten"):
        keys = keys_of(lab, values, "find({})")
    elsewhere = ("find(Loan), that of module shop.Savings", key_of(lab, "find(it)", it=process("shop.Savings")["Loan"]))
    differ(lab, [*keys, elsewhere], trap="class-forgotten")


def test_values_of_different_types_differ(lab):
    """Rule 7. Values of different types have different keys, at every depth; and so have different values."""
    values = [
        "1", "True", "1.0", "'1'", "b'1'", "'True'", "'1.0'", '"b\'1\'"', "0", "False", "0.0", "None", "'None'",
        "'null'", "''", "b''", "()", "[]", "{}", "set()", "frozenset()", "(1,)", "[1]", "{1}", "frozenset({1})",
        "(True,)", "[1.0]", "{True}", "{1.0}", "{'1'}", "{1: 'a'}", "{1.0: 'a'}", "{'1': 'a'}", "{True: 'a'}",
        "{1: 'a', '1': 'b'}", "{1: 'b', '1': 'a'}", "{'a': 1}", "{'a': True}", "{'a': (1,)}", "float('inf')",
        "float('-inf')", "[('a', 1)]", "-1", "-2", "2**64", "2**64 - 1", "10**16", "1e16", "10**16 + 1", "0.3",
        "0.1 + 0.2", "'inf'", "'a'", "'A'", "b'a'", "'Zoë'", "'Zo'", "'Zo?'", "'Zo\\\\xeb'", "'Zoe\\u0308'", "'Zoe?'",
        "'Zoe'", "'Zo\\xeb'.encode()", "b'\\xff'", "b'\\xfe'", "b'\\0'", "'\\n'", "'\\r\\n'", "[1, 2]", "[2, 1]",
        "(1, 2)", "{(1, 2)}", "[[1], [2]]", "[[1, 2]]", "[[[1]], 2]", "[" * 49 + "]" * 49, "[" * 50 + "]" * 50,
    ]  # fmt: skip
    near = ["'tea'", "'eur', 'tea'", "'tea', vat=1", "'tea', ''", "'tea', ()", "'tea', {}", "'tea', 0"]
    differ(lab, [*keys_of(lab, values, "find({})"), *keys_of(lab, near, "price({})")], trap="types-blurred")


def test_no_two_lists_of_arguments_run_together(lab):
    """Rule 8. Where one part of a call ends and the next begins is never in doubt, whatever the texts contain."""
    lab.scenario("def find(*words, **filters), and def labelled(name, /, **labels)")
    texts = [
        "find()", "find('')", "find('', '')", "find('b')", "find('a', 'b')", "find('b', 'a')", "find(\"a', 'b\")",
        "find(('a', 'b'))", "find(['a', 'b'])", "find(['a'], ['b'])", "find(['a'], 'b')", "find('a', b=1)",
        "find('a', 'b', 1)", "find('a', ('b', 1))", "find('a', {'b': 1})", "find('a', 'b=1')", "find('a', b='1')",
        "find('a', filters={'b': 1})", "find('a', words='b')", "find('c', words='b')", "find(a='b', c='d')",
        "find(a=\"b', c='d\")", "find(a='b,c=d')", "find(ab='c')", "find(a='bc')", "find(**{'': 'b'})", "find(a=None)",
        "price('tea')", "find('str:1:a')", "find(12, 3)", "find(1, 23)", "price('eur', 'tea')", "price('tea', None)",
        "labelled('tea', name='milk')", "labelled('coffee', name='milk')", "labelled('milk', name='tea')",
    ]  # fmt: skip
    differ(lab, keys_of(lab, texts), trap="parts-run-together")
    find = process()["find"]
    ends = ("'{}'", '"{}"', "){}(", "{}str:", "{}s:", "){}str(", "){0}(str{0}")
    marks = [end.format(mark) for end in ends for mark in (",", ", ", ":", "|", " ", "\0", "\x1f", "")]
    marks += [*map(chr, range(65)), *"[\\]^_`{|}~", "::", "||", ", ", "\0\0"]
    calls = [call for mark in marks for call in ((f"a{mark}", "b"), ("a", f"{mark}b"), (f"a{mark}b",))]
    differ(lab, [(f"find{call}", make(lab, find, *call)) for call in calls], trap="parts-run-together")


def test_sets_and_dicts_have_no_order(lab):
    """Rule 9. Equal sets and dicts have one key, in whichever order they were filled, and whatever they mix."""
    find, words = process()["find"], [f"word {n}" for n in range(20)]
    # Whether two words change places in a set depends on the process; of twenty, some two always do.
    pair = next([a, b] for a, b in itertools.combinations(words, 2) if [*{a, b}] != [*{b, a}])
    for what, members in {
        "0 and 8": [0, 8], "two words": pair, "twenty words": words, "1, '1' and (2,)": [1, "1", (2,)],
        "sets, which compare as subsets": [frozenset(of) for of in ((1, 2), (2, 3), (3,), (0, 8), (4,))],
    }.items():  # fmt: skip
        for kind in (set, frozenset, dict.fromkeys, lambda of: {"in": [set(of)]}, lambda of: {n: n for n in of}):
            with lab.no_error(expected=f"a key for {what}", trap="fill-order"):
                keys = [make(lab, find, kind(order)) for order in (members, [*map(rebuilt, members)][::-1])]
            same(lab, f"{what}, in a set or dict that was filled in two orders", keys, trap="fill-order")


def typed(value):
    """A model of when two values are the same: their types and parts are; sets and dicts without an order."""
    if isinstance(value, dict):
        return dict, frozenset((typed(k), typed(v)) for k, v in value.items())
    if isinstance(value, (set, frozenset)):
        return type(value), frozenset(map(typed, value))
    return type(value), tuple(map(typed, value)) if isinstance(value, (list, tuple)) else value


def rebuilt(value):
    """The same value in other objects, sets and dicts filled the other way round."""
    if isinstance(value, dict):
        return {rebuilt(k): rebuilt(v) for k, v in reversed(value.items())}
    if isinstance(value, (list, tuple, set, frozenset)):
        parts = [*map(rebuilt, value)]
        return type(value)(parts if isinstance(value, (list, tuple)) else parts[::-1])
    return "".join([*value]) if isinstance(value, str) else value


ATOMS = st.sampled_from([None, True, False, 0, 1, 8, 1.0, 1.5, "", "1", "a", "b", "a,b", "('a',)", b"a", b""])
HASHABLE = st.recursive(ATOMS, lambda part: st.lists(part, max_size=2).map(tuple) | st.frozensets(part, max_size=2))
LISTS = st.recursive(HASHABLE, lambda part: st.lists(part, max_size=3) | st.dictionaries(ATOMS, part, max_size=3))


@settings(max_examples=7)
@given(values=st.lists(LISTS | st.sets(HASHABLE, max_size=3), min_size=5, max_size=5))
def test_keys_are_equal_just_when_the_values_are(lab, values):
    """Rule 7. Values of different types have different keys, at every depth; and so have different values."""
    find, asked = process()["find"], {}
    for value in values:
        keys = [make(lab, find, value), make(lab, find, rebuilt(value))]
        same(lab, f"find({value!r}), built in two orders", keys, trap="fill-order")
        other = asked.setdefault(keys[0], value)
        due = f"two keys for find({other!r}) and find({value!r})"
        lab.require(typed(value) == typed(other), expected=due, got=f"{keys[0]} twice", trap="types-blurred")


def test_what_cannot_be_told_apart_is_refused(lab):
    """Rule 10. An argument that is not supported raises `Unkeyable`, wherever in the call it stands."""
    point = type("Point", (), {"__repr__": lambda self: "Point(1, 2)", "__eq__": lambda self, other: True})
    deep, data = type("Deep", (), {"__cache_key__": lambda self: [1j]}), dataclasses.make_dataclass("Data", ["id"])
    for value in (
        object(), point(), deep(), data(1), lambda: 1, (n for n in [1]), range(3), 1j, bytearray(b"a"), {"a": 1}.keys(),
        *(type(f"A{t.__name__}", (t,), {})() for t in (str, bytes, int, float, tuple, list, set, frozenset, dict)),
        collections.namedtuple("Row", "id")(1), enum.IntEnum("Size", "BIG").BIG, list[int], math, ...,
        datetime.date(2024, 2, 29), datetime.datetime(2024, 2, 29),
    ):  # fmt: skip
        for what, args, kwargs in ("x", [value], {}), ("[1, x]", [[1, value]], {}), ("a={1: x}", [], {"a": {1: value}}):
            with lab.raises(Unkeyable, when=f"for find({what}), x: {type(value).__name__}", trap="guessed-from-repr"):
                make(lab, process()["find"], *args, **kwargs)
    for text in ("Session().user()", "scan('tea')", "find({(1, 2j)})", "find({1j: 1})"):
        with lab.raises(Unkeyable, when=f"for {text}", trap="address-in-key"):
            key_of(lab, text)


def test_every_process_makes_the_same_key(lab):
    """Rule 11. Every process makes the same key: no address, no seed of `hash` and no code of a function is in it."""
    other = lab.process()
    # What differs between two processes is made to differ here: functions and objects, addresses, hashes.
    other.hash, other.id = (lambda value: hash(("salt", value))), (lambda value: id(value) + 4096)
    for fn, *args in (
        ("price", "tea"), ("stock", 3), ("find", {*"abcdefgh"}, None, 1.5, b"c", {"d": [(1,)]}),
        ("Savings(7).balance", "today"), ("Savings.count",),
    ):  # fmt: skip
        keys = [make(lab, eval(fn, process()), *args, maker=maker) for maker in (make_key, other.make_key)]
        same(lab, f"one call of {fn} in two processes", keys, trap="one-process-only", got="two")
    exec("\n\ndef price(item: str, currency='eur', *, vat=True): return 3", newer := {"__name__": "shop"})
    keys = [make(lab, names["price"], "tea") for names in (process(), newer)]
    same(lab, "price('tea') before and after a change of its code", keys, trap="one-process-only")


def test_keys_are_short_and_plain(lab):
    """Rule 12. A key starts with its namespace and a colon; it is at most 200 printable ASCII characters, no spaces."""
    values = {"10,000 letters": "x" * 10_000, "a big dict": {n: n for n in range(500)}, "spaces": "ë ☕\n\t\x7f"}
    cases = ("shop", "find", "web", 1), ("läden." * 50, "fände" * 50, "A:b!~" + "n" * 59, 2**63 - 1)
    for what, value in {**values, **{f"{n} letters": "ë" * n for n in range(10, 101, 10)}}.items():
        for module, name, namespace, version in cases:
            find = process(module)["find"]
            find.__name__ = find.__qualname__ = name
            key = make(lab, find, value, namespace=namespace, version=version)
            due, got = "at most 200 characters", f"{len(key)} for {what}"
            lab.require(len(key) <= 200, expected=due, got=got, trap="unbounded-key")
            odd = [c for c in key if not "!" <= c <= "~"]
            lab.expect(f"other than printable ASCII in the key for {what}", odd, [], trap="not-a-key")
            lab.expect("start of the key", key[: len(namespace) + 1], f"{namespace}:", trap="not-a-key")


def test_long_calls_differ_as_well(lab):
    """Rule 13. Calls too long for a key still have different keys, told by a digest of at least 120 bits."""
    find, far = process()["find"], "x" * 1000
    for place in (0, 500, 1500, 5000, 19_999):
        words = {letter: "x" * place + letter + "x" * (19_999 - place) for letter in "ab"}
        keys = [(f"20,000 x with {letter} at {place}", make(lab, find, word)) for letter, word in words.items()]
        differ(lab, keys, trap="cut-off")
    many = [make(lab, find, f"{n}{far}") for n in range(256)]
    # Each place tells as many calls apart as it takes characters, but for those that 256 calls miss: two bits at most.
    bits = round(sum(math.log2(len({*place})) for place in itertools.zip_longest(*many)))
    lab.require(bits >= 118, expected="keys that differ in 120 bits or more", got=f"{bits} bits", trap="short-digest")


def test_namespaces_and_versions_are_apart(lab):
    """Rule 14. The same call in another namespace or version has another key, whatever the namespaces contain."""
    find, versions = process()["find"], (0, 1, 2, 11, 111, 2**62, 2**63 - 2, 2**63 - 1)
    names = ["web", "Web", "web1", "web:1", "web:1:1", "web:v1", "web:", ":", "web:shop", "1", "web.1", "web-1"]
    keys = [(f"version {v} of {n}", make(lab, find, "a", namespace=n, version=v)) for n in names for v in versions]
    differ(lab, keys, trap="namespaces-run-together")


async def test_nonsense_is_refused(lab):
    """Rule 15. A namespace or version out of range is a `ValueError`, in all three functions."""
    price, client = process()["price"], lab.redis()
    for namespace in ("", "n" * 65, "two words", "web\n", "\nweb", "Käse", "web\x7f", "web\t"):
        for call in (None, current_version, bump_version):
            when = f"from {call.__name__ if call else 'make_key'} for namespace {namespace!r}"
            with lab.raises(ValueError, when=when, trap="unchecked-namespace"):
                await call(client, namespace) if call else make(lab, price, "tea", namespace=namespace)
    for version in (-1, 2**63):
        with lab.raises(ValueError, when=f"for version {version}", trap="unchecked-namespace"):
            make(lab, price, "tea", version=version)


def number(lab, version):
    """A version that was returned, which must be an int itself."""
    lab.require(type(version) is int, expected="an int", got=f"a {type(version).__name__}", trap="not-a-version")
    return version


@explore
async def test_no_bump_is_lost(lab):
    """Rule 16. Each bump gives a version greater than all before, even if two servers bump at the same moment."""
    servers = [lab.process() for _ in range(2)]
    lab.expect("version before", number(lab, await current_version(lab.redis(), "web")), 0, trap="not-a-version")
    bumps = await lab.race(*(s.bump_version(lab.redis(), "web") for s in servers), names=["bumps", "bumps too"])
    low, high = sorted(number(lab, version) for version in bumps)
    lab.require(0 < low < high, expected="two new versions", got=f"{low} and {high}", trap="lost-bump")
    lab.expect("version now", number(lab, await current_version(lab.redis(), "web")), high, trap="lost-bump")
    after = number(lab, await bump_version(lab.redis(), "web"))
    lab.require(after > high, expected=f"a version greater than {high}", got=f"{after}", trap="lost-bump")


async def test_a_bump_is_seen_by_every_server(lab):
    """Rule 17. A bump is seen by every server at once, for its own namespace and no other."""
    lab.scenario("two servers, each with a client of its own")
    one, two, mine, yours = lab.process(), lab.process(), lab.redis(), lab.redis()
    names = ["web", "web:", "web:version", "version:web", "version", "Web", "w" * 64, "w" * 63 + "e"]
    seen = {name: number(lab, await two.current_version(yours, name)) for name in names}
    for name in (*names, *names[::-1], "web", "web"):
        bumped = number(lab, await one.bump_version(mine, name))
        lab.require(bumped > seen[name], expected=f"over {seen[name]} for {name}", got=f"{bumped}", trap="lost-bump")
        seen[name] = bumped
        now = {other: number(lab, await two.current_version(yours, other)) for other in names}
        lab.expect(f"version of {name} on the other server", now[name], bumped, trap="private-version")
        others = [other for other in names if now[other] != seen[other]]
        lab.expect(f"other namespaces that a bump of {name} has changed", others, [], trap="bump-too-wide")


async def test_a_bump_orphans_and_deletes_nothing(lab):
    """Rule 18. A bump deletes no entry, and a version never comes back, however long nobody bumps and whatever dies."""
    client, price = lab.redis(), process()["price"]
    lab.scenario("two entries with a TTL of an hour, then a bump")
    old = number(lab, await bump_version(client, "web"))
    entries = [make(lab, price, item, version=old) for item in ("tea", "milk")]
    for key in entries:
        lab.server.raw.set(key, "3", px=3_600_000)
    new = number(lab, await bump_version(client, "web"))
    lab.expect("entries under the old version", lab.server.raw.mget(entries), [b"3", b"3"], trap="entries-deleted")
    lab.expect("version of the namespace", await current_version(client, "web"), new, trap="private-version")
    kept = lab.server.keys_without_ttl()
    lab.require(kept != [], expected="a key without TTL", got="none", trap="version-comes-back")
    await asyncio.sleep(90 * 86_400)
    lab.expect("version after 90 days", await current_version(client, "web"), new, trap="version-comes-back")


@sweep
async def test_a_bump_that_dies_leaves_a_version(lab):
    """Rule 18. A bump deletes no entry, and a version never comes back, however long nobody bumps and whatever dies."""
    old = number(lab, await bump_version(lab.redis(), "web"))
    bump = await lab.attempt(bump_version(lab.redis(), "web"), name="bumps")
    new = number(lab, bump.value) if bump.ok else old + 1
    lab.require(new > old, expected=f"a version greater than {old}", got=f"{new}", trap="lost-bump")
    await asyncio.sleep(30 * 86_400)
    now = number(lab, await current_version(lab.redis(), "web"))
    lab.require(now >= old, expected=f"version {old} or a later one", got=f"{now}", trap="version-comes-back")
    again = lab.within(60, bump_version(lab.redis(), "web"), what="the next bump returns", trap="lost-bump")
    lab.require(number(lab, await again) > now, expected=f"a version after {now}", got="another", trap="lost-bump")


ERRORS = [redis.ConnectionError("refused"), redis.TimeoutError("timed out"), redis.ResponseError("READONLY replica")]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
async def test_a_failure_of_redis_is_not_a_version(lab, error):
    """Rule 19. If Redis fails, `current_version` and `bump_version` raise its `redis.RedisError`."""
    await bump_version(lab.redis(), "web")
    await current_version(lab.redis(), "web")
    for call in (current_version, bump_version):
        when = f"from {call.__name__}: {error}"
        with lab.server.outage(error), lab.raises(redis.RedisError, when=when, trap="silent-outage"):
            await call(lab.redis(), "web")
