"""An order pipeline: the client gets its answer at once, a worker does the work later, and no order is lost."""

import asyncio
import functools
import itertools
import re
import threading
import time

import httpx
import order_pipeline
import pytest
import redis
from order_pipeline import Conflict, InvalidOrder, OrderPipeline, Rejected, create_app

from dojo.lab import sweep

DAY, PATIENCE, MAX_AMOUNT = 86_400, 60, 10**12
NAN, INF, HALF = float("nan"), float("inf"), "half a surrogate pair: \ud83d"
UNKNOWN = "/orders/" + "0" * 32
PENDING, SHIPPED = ("pending", None, None), ("done", "shipped", None)


class Process:
    """One process with the pipeline: its Celery app, its client of the store, its copy of the module."""

    def __init__(self, shop, module, retries=0):
        self.shop, self.module, self.app = shop, module, shop.celery.app()
        client = shop.lab.redis_sync(decode_responses=True, retries=retries)
        self.pipeline = module.OrderPipeline(self.app, client, shop.fulfil, **shop.settings)

    def receipt(self, customer="ann", amount=1999, key=None):
        told = self.pipeline.submit(self.module.Order(customer, amount), key=key)
        return self.shop.lab.plain("the receipt", (told.id, told.state), trap="wrong-answer")

    def submit(self, *order, **key):
        return self.receipt(*order, **key)[0]

    def status(self, id):
        told = self.pipeline.status(id)
        return told and (told.state, told.result, told.error)

    def work(self):  # until no task is ready
        self.shop.celery.worker(self.app).run()


class Shop(Process):
    """This process, and what all share. `answers`: what `fulfil` returns or raises, call by call; then it charges."""

    def __init__(self, lab, *answers, retries=0, **settings):
        self.lab, self.celery, self.gateway, self.runs = lab, lab.celery(), lab.gateway_sync(), []
        self.answers, self.settings = list(answers), {"retention": DAY, "patience": PATIENCE, **settings}
        super().__init__(self, order_pipeline, retries)

    other = functools.cached_property(lambda self: Process(self, self.lab.process()))

    def fulfil(self, order_id, order):
        self.runs.append((order_id, order.customer, order.amount))
        if not self.answers:
            return self.gateway.charge(order_id, order.amount, idempotency_key=order_id)
        answer = self.answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return answer() if callable(answer) else answer

    def recover(self):  # what goes on all the time in the other process
        time.sleep(PATIENCE + 1)
        self.other.pipeline.relay()
        self.other.work()

    def expect_one_end(self, id, trap):
        self.recover()
        self.lab.expect("orders charged", [charge.reference for charge in self.gateway.ledger], [id], trap=trap)
        charge = {"id": "ch_1", "reference": id, "amount": 1999}
        self.lab.expect("its status", self.status(id), ("done", charge, None), trap=trap)
        time.sleep(PATIENCE + 1)
        self.lab.expect("relay() after its end", self.pipeline.relay(), 0, trap="published-for-ever")
        time.sleep(DAY)
        self.lab.expect("its status after the retention", self.status(id), None, trap="kept-for-ever")


def test_an_order_is_answered_at_once(lab):
    """Rule 1. `submit` answers at once, without calling `fulfil`; a worker of `app` calls it, once an order."""
    shop, due = Shop(lab), []
    for order in (("ann", 1999), (" Zoë Zoe\u0308 字\n", MAX_AMOUNT), ("ann", 1999)):
        id, state = shop.receipt(*order)
        lab.expect("state, calls of fulfil in submit", (state, len(shop.runs)), ("pending", 0), trap="works-in-submit")
        due.append((id, ascii(order[0]), order[1]))
    shop.work()
    runs = [
        (id, ascii(customer), amount) for id, customer, amount in lab.plain("calls", shop.runs, trap="nobody-works")
    ]
    lab.expect("calls of fulfil by the app's worker", runs, due, trap="nobody-works")


def test_ids_are_long_and_unlike(lab):
    """Rule 2. An id is 20 to 64 characters that may stand in a URL; no two are the same, or nearly so."""
    shop = Shop(lab)
    ids = [process.submit(key=key) for process in (shop, shop.other) for key in (None, None, f"k {id(process)}")]
    for one, other in itertools.permutations(ids, 2):
        fits = re.fullmatch(r"[A-Za-z0-9_-]{20,64}", one) is not None
        unlike = sum(a == b for a, b in zip(one, other, strict=False)) * 3 < len(one) * 2
        due = "20 to 64 characters of A-Z a-z 0-9 - _, a third of them its own"
        lab.require(fits and unlike, expected=due, got=f"{one!r}, beside {other!r}", trap="short-id")


def test_what_is_no_order_is_refused(lab):
    """Rule 3. An order or key that breaks the contract raises InvalidOrder, and nothing is stored or published."""
    shop = Shop(lab)
    wrong = [("ann", amount) for amount in (0, -5, True, NAN, INF, 19.99, "1999", None, MAX_AMOUNT + 1)]
    wrong += [(customer, 5) for customer in ("", None, 7, b"ann", "a" * 201, HALF)]
    wrong += [("ann", 5, key) for key in ("", 7, "k" * 201, HALF)]
    for order in wrong:
        with lab.raises(InvalidOrder, when=f"for {order!s:.60}", trap="unchecked-order"):
            shop.submit(*order)
    left = (lab.server.keys(), shop.celery.depth("celery"))
    lab.expect("keys in the store, messages", left, ([], 0), trap="unchecked-order")
    with lab.no_error(expected="the smallest and the longest are orders", trap="unchecked-order"):
        shop.submit("a" * 200, 1, key="k" * 200)
        shop.submit("é", MAX_AMOUNT, key="é" * 200)


def test_a_key_makes_a_retry_the_same_order(lab):
    """Rule 4. The same key with the same order is the same order, as it stands; with another one it is a Conflict."""
    shop = Shop(lab, Rejected("no stock"))
    first = shop.submit(key="k1")
    for state, messages in (("pending", 1), ("failed", 0)):
        told = (*shop.other.receipt(key="k1"), shop.celery.depth("celery"))
        lab.expect("the retry's receipt, messages", told, (first, state, messages), trap="retry-orders-twice")
        shop.work()
    for order in (("ann", 1998), ("bob", 1999), ("Ann", 1999), ("ann1", 999)):
        with lab.raises(Conflict, when=f"for {order} after ('ann', 1999) under one key", trap="reused-key"):
            shop.submit(*order, key="k1")
    names = {name[cut:] for name in map(bytes.decode, lab.server.keys()) for cut in (0, name.find(":") + 1)}
    keys = [None, None, "k2", "K1", "k1 ", "k" * 200, "k" * 199 + "l", *sorted(names - {"k1"})]
    with lab.no_error(expected="any text may be a key, the name of a record, too", trap="reused-key"):
        ids = {first, *(shop.submit("bob", key=key) for key in keys)}
    lab.expect("orders with other keys or none, and that one", len(ids), len(keys) + 1, trap="retry-orders-twice")


@sweep(kinds=("stall:100",))
@pytest.mark.parametrize("amount", [1999, 1998], ids=["one order", "two orders"])
def test_two_retries_at_once_are_one_order(lab, amount):
    """Rule 4. However two submits with one key race, in two processes, there is one order."""
    shop = Shop(lab)
    told = lab.attempts_sync(lambda: shop.submit(key="k1"), lambda: shop.other.submit("ann", amount, key="k1"))
    errors = [type(outcome.error).__name__ for outcome in told if not outcome.ok]
    lab.expect("errors", errors, ["Conflict"] * (amount != 1999), trap="check-then-act")
    lab.expect("ids", len({outcome.value for outcome in told if outcome.ok}), 1, trap="check-then-act")
    shop.work()
    lab.expect("orders that were fulfilled", len(shop.gateway.ledger), 1, trap="check-then-act")


def test_the_status_tells_how_an_order_stands(lab):
    """Rule 5. The status is pending, then started while `fulfil` runs, then done or failed; None means unknown."""
    seen = []
    shop = Shop(lab, lambda: seen.append(shop.other.status(id)) or "shipped")
    id = shop.submit()
    for unknown in ("", "order-7", id[:-1], id + "0", "*", f"{id}:", "é"):
        lab.expect(f"status of {unknown!r}", shop.status(unknown), None, trap="pending-means-unknown")
    lab.expect("before it is worked on", shop.status(id), PENDING, trap="pending-means-unknown")
    shop.work()
    lab.expect("while fulfil runs", seen, [("started", None, None)], trap="pending-means-unknown")
    lab.expect("its status afterwards", shop.status(id), SHIPPED, trap="wrong-answer")
    lab.expect("its id", shop.pipeline.status(id).id, id, trap="wrong-answer")


@sweep(kinds=("stall:9",))
def test_a_status_is_of_one_instant(lab):
    """Rule 5. A client who asks while the order ends is told how it stood before, or after."""
    shop = Shop(lab, "shipped")
    id = shop.submit()
    told = lab.plain("status", lab.race_sync(lambda: shop.status(id), shop.other.work)[0], trap="wrong-answer")
    right = told in (PENDING, ("started", None, None), SHIPPED)
    lab.require(right, expected="pending, started, or done and shipped", got=repr(told), trap="wrong-answer")


def test_an_end_tells_what_became_of_the_order(lab):
    """Rule 6. A done order tells its result, any JSON value; a failed one the exception's type, a Rejected's text."""
    results = [None, False, 0, "", [], 1.0, "Zoë", "null", {"": [True, None, {"0": "0"}]}, 2**80 + 1, 0.1 + 0.2]
    body = {"__qualname__": "Shop.CardDeclined", "__str__": lambda error: "no funds"}
    errors = [PermissionError("db://hunter2@db"), type("CardDeclined", (Rejected,), body)(7), Rejected("sold out")]
    shop = Shop(lab, *results, *errors, NAN, {"no": {"JSON"}}, [INF], [HALF], Rejected(HALF))
    ids = [shop.submit() for _ in shop.answers]
    shop.work()
    told = [shop.status(id) for id in ids]
    lab.expect("results", told[:-8], [("done", result, None) for result in results], trap="falsy-result")
    due = [("failed", None, error) for error in ("PermissionError", "CardDeclined: no funds", "Rejected: sold out")]
    lab.expect("failures", told[-8:-5], due, trap="leaked-details")
    ends = lab.plain("ends", [status and status[0] for status in told[-5:]], trap="wrong-answer")
    lab.expect("after NaN, a set, infinity", ends[:3], ["failed"] * 3, trap="unreadable-result")
    whole = all(end in ("done", "failed") for end in ends)
    lab.require(whole, expected="ends after half a surrogate pair", got=repr(ends[3:]), trap="unreadable-result")


def test_anybody_may_ask_at_any_time(lab):
    """Rule 7. `status` asks the store and nobody else: in every process, any number of times, without waiting."""
    shop = Shop(lab, "shipped")
    id = shop.submit()
    for status, trap in ((PENDING, "waits-for-the-result"), (SHIPPED, "read-once")):
        with shop.celery.outage(), lab.no_error(expected="a status without the broker", trap="read-once"):
            told = [process.status(id) for process in (shop.other, shop, shop.other, shop)]
        lab.expect("statuses, asked four times", told, [status] * 4, trap=trap)
        lab.expect("seconds that it took", lab.now, 0.0, trap="waits-for-the-result")
        shop.other.work()


def test_what_is_tried_again_has_not_failed(lab):
    """Rule 8. A ConnectionError or TimeoutError of `fulfil`, or the end of its process, is no end of the order."""
    errors = [ConnectionRefusedError("db"), SystemExit(), TimeoutError("api"), ConnectionResetError("db")]
    errors += [TimeoutError("api")] * 2
    shop = Shop(lab, *errors)
    id = shop.submit()
    shop.celery.worker(shop.app).step()
    lab.expect("after the first attempt", shop.status(id), ("started", None, None), trap="failed-too-early")
    for error in errors:
        right = shop.status(id) and shop.status(id)[0] in ("started", "done")
        lab.require(right, expected="no end of the order", got=f"one by {error!r}", trap="failed-too-early")
        shop.recover()
    shop.expect_one_end(id, trap="gave-up")


@sweep(kinds=("stall:200",))
@pytest.mark.parametrize("answers", [("1", KeyError(), DAY), (KeyError(), "2", 90)], ids=["known", "forgotten"])
def test_an_end_is_final(lab, answers):
    """Rule 9. The first end is final: a worker that was paused and ends the order once more changes nothing."""
    lab.scenario("worker 1 may be paused for 200 s; worker 2 gets the order at 61 s, and a client looks at 80 s")
    shop = Shop(lab, *answers[:2], retention=answers[2])
    id = shop.submit()
    shop.app.send_task("orders.fulfil", kwargs={"order_id": id})
    one, two = (shop.celery.worker(process.app).step for process in (shop, shop.other))
    calls = one, lambda: time.sleep(PATIENCE + 1) or two(), lambda: time.sleep(80) or shop.status(id)
    first = lab.race_sync(*calls, names=("worker 1", "worker 2", "client"))[-1]
    lab.require(first[0] in ("done", "failed"), expected="an end by 80 s", got=repr(first), trap="gave-up")
    if answers[2] == DAY:
        lab.expect("its status at last", shop.status(id), first, trap="straggler")
    time.sleep(DAY + 1)
    lab.expect("its status after the retention", shop.status(id), None, trap="second-life")


def test_an_order_is_kept_for_its_retention(lab):
    """Rule 10. An ended order is not done again; `retention` seconds after its end nothing of it is left."""
    retention, seen, left = 10 * DAY + 0.5, [], []
    shop = Shop(lab, lambda: time.sleep(DAY) or {}["no"], *["shipped"] * 3, retention=retention)
    for keys, end in ((["k1"], ("failed", None, "KeyError")), (["k1", "k2", "k3"], SHIPPED)):
        ids = [shop.submit(key=key) for key in keys]
        seen += ids
        time.sleep(400 * DAY)
        lab.expect("after 400 days", [shop.status(id) for id in ids], [PENDING] * len(ids), trap="short-retention")
        shop.work()
        for wait, due, trap in ((retention - 0.01, end, "short-retention"), (0.02, None, "kept-for-ever")):
            time.sleep(wait)
            for id in (*ids, "order-7"):
                shop.app.send_task("orders.fulfil", (id,))
            shop.work()
            lab.expect("calls of fulfil", len(shop.runs), len(seen), trap="second-life")
            lab.expect("their statuses", [shop.status(id) for id in ids], [due] * len(ids), trap=trap)
            lab.expect("status of order-7", shop.status("order-7"), None, trap="kept-for-ever")
            if due:
                lab.expect("ids of retries", [shop.submit(key=key) for key in keys], ids, trap="short-retention")
        shop.other.pipeline.relay()
        left.append(sum(map(lab.server.memory, lab.server.keys())))
    lab.expect("different orders", len(set(seen)), 4, trap="second-life")
    lab.expect("elements left after 1 order and after 3 more", left, left[:1] * 2, trap="kept-for-ever")


def test_orders_are_taken_while_the_broker_is_down(lab):
    """Rule 11. While the broker cannot be reached, orders are accepted within 10 s; a later relay publishes them."""
    shop = Shop(lab, "shipped", "shipped")
    with shop.celery.outage(), lab.no_error(expected="receipts, although the broker is down", trap="broker-outage"):
        ids = [shop.submit(), shop.submit()]
        lab.require(lab.now <= 20, expected="10 s each", got=f"{lab.now / 2:g} s", trap="broker-outage")
        time.sleep(PATIENCE + 1)
        lab.expect("published during the outage", shop.pipeline.relay(), 0, trap="broker-outage")
    time.sleep(PATIENCE + 1)
    lab.expect("published by a relay elsewhere", shop.other.pipeline.relay(), 2, trap="dual-write")
    shop.work()
    lab.expect("statuses", [shop.status(id) for id in ids], [SHIPPED] * 2, trap="dual-write")


def test_the_relay_publishes_what_is_due(lab):
    """Rule 12. `relay` publishes again what has not ended within `patience`, and counts it; what has ended never."""
    lab.scenario("patience 2.5 s; 11 orders; the first one is fulfilled after 2.6 s, the others after 5.2 s")
    shop, counts, none = Shop(lab, patience=2.5), [], int
    worker = shop.celery.worker(shop.app)
    for _ in range(11):
        shop.submit()
    for wait, work in ((0, none), (2.4, none), (0.2, worker.step), (2.4, none), (0.2, worker.run), (9, none)):
        time.sleep(wait)
        counts.append(shop.other.pipeline.relay())
        work()
    lab.expect("relay() once all have ended", counts[5:], [0], trap="published-for-ever")
    lab.expect("relay() at 0, 2.4, 2.6, 5 and 5.2 s", counts[:5], [0, 0, 11, 0, 10], trap="impatient-relay")


@sweep(kinds=("died-after", "lost-reply"))
@pytest.mark.parametrize(("key", "retries"), [("k1", 0), (None, 2)], ids=["with a key", "the client repeats"])
def test_no_order_is_lost_when_it_is_taken(lab, key, retries):
    """Rule 13. Whatever step `submit` dies or fails at, an order with a receipt, or retried with its key, ends once."""
    shop = Shop(lab, retries=retries)
    taken = lab.attempt_sync(lambda: shop.submit(key=key), name="server")
    lab.require(taken.ok or taken.died or not retries, expected="a receipt", got="none", trap="retry-orders-twice")
    id = taken.value if taken.ok else None
    if key is not None:
        first, id = id, shop.other.submit(key=key)
        lab.expect("the retry's id", id, first or id, trap="retry-orders-twice")
    if id is not None:
        shop.expect_one_end(id, trap="dual-write")


@sweep(kinds=("died-after", "stall:100"))
def test_no_order_is_lost_by_a_relay(lab):
    """Rule 13. Whatever step a relay dies or pauses at, while others go on, the order ends, and is then forgotten."""
    shop = Shop(lab)
    with shop.celery.outage():
        id = shop.submit(key="k1")
    time.sleep(PATIENCE + 1)
    race = shop.pipeline.relay, shop.other.pipeline.relay, shop.other.work
    lab.attempts_sync(*race, names=("relay 1", "relay 2", "worker"))
    shop.expect_one_end(id, trap="lost-on-its-way")


@sweep(kinds=("died-after", "lost-reply"))
def test_no_order_is_lost_by_a_worker(lab):
    """Rule 13. Whatever step a worker's child dies or fails at, the order ends, with one effect, and is forgotten."""
    shop = Shop(lab)
    id = shop.submit(key="k1")
    shop.celery.worker(shop.app, pool="prefork").run()
    shop.expect_one_end(id, trap="lost-on-its-way")


def client_of(pipeline):
    transport = httpx.ASGITransport(create_app(pipeline), raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://dojo", headers={"Content-Type": "application/json"})


async def post(client, body='{"customer": "ann", "amount": 1999}', key=None):
    return await client.post("/orders", content=body, headers={} if key is None else {"Idempotency-Key": key})


async def test_a_client_posts_and_polls(lab):
    """Rule 14. POST answers 202 with Location, id and state, before any work; GET there tells the status, or 404."""
    shop = Shop(lab, {"charge": 1.0}, type("CardDeclined", (Rejected,), {})("no funds"), KeyError("hunter2"))
    ends = [("done", {"charge": 1.0}, None), ("failed", None, "CardDeclined: no funds"), ("failed", None, "KeyError")]
    async with client_of(shop.pipeline) as client:
        posted = [await post(client) for _ in ends]
        lab.expect("POST, status codes", [answer.status_code for answer in posted], [202] * 3, trap="wrong-answer")
        ids, places = [a.json().get("id") for a in posted], [a.headers.get("Location", "nowhere") for a in posted]
        due = [{"id": id, "state": "pending"} for id in ids]
        lab.expect("POST", [answer.json() for answer in posted], due, trap="wrong-answer")
        lab.expect("calls of fulfil so far", len(shop.runs), 0, trap="works-in-submit")
        for statuses in ([PENDING] * 3, ends):
            told = [await client.get(place) for place in places]
            lab.expect("GET, status codes", [answer.status_code for answer in told], [200] * 3, trap="wrong-answer")
            due = [{"id": i, "state": s, "result": r, "error": e} for i, (s, r, e) in zip(ids, statuses, strict=True)]
            lab.expect("GET", [answer.json() for answer in told], due, trap="wrong-answer")
            shop.work()
        lab.expect("GET of another", (await client.get("/orders/x")).status_code, 404, trap="pending-means-unknown")


async def test_a_client_retries_with_its_key(lab):
    """Rule 15. With the same `Idempotency-Key` the same order is answered 202 with the same id, another one 409."""
    shop = Shop(lab, "shipped")
    async with client_of(shop.pipeline) as client:
        first = await post(client, key="k1")
        shop.work()
        again = await post(client, '{"amount":1999,"customer":"\\u0061nn"}', key="k1")
        other = await post(client, '{"customer": "ann", "amount": 1998}', key="k1")
    due = (202, {"id": first.json()["id"], "state": "done"}, first.headers.get("Location"))
    told = (again.status_code, again.json(), again.headers.get("Location"))
    lab.expect("the retry", told, due, trap="retry-orders-twice")
    lab.expect("another order", other.status_code, 409, trap="reused-key")


async def test_a_request_that_is_no_order(lab):
    """Rule 16. A body or key that breaks the contract is answered 422 (or 400, if it is no JSON); nothing is stored."""
    shop = Shop(lab)
    amounts = ["NaN", "-Infinity", "1e999", "-5", "0", "true", "null", '"5"', "19.99", "[5]", str(MAX_AMOUNT + 1)]
    bodies = [f'{{"customer": "ann", "amount": {amount}}}' for amount in amounts]
    bodies += [f'{{"customer": {c}, "amount": 5}}' for c in ("7", '""', "null", f'"{"a" * 201}"', '"\\ud83d"', "NaN")]
    bodies += ['{"customer": "ann"}', '{"amount": 5}', '{"customer": "ann", "amount": 5, "\\ud83d": NaN}', "{}", ""]
    bodies += ['{"customer": "ann", "amount": 5, "state": "done"}', "[]", "null", '"ann"', "[NaN]"]
    async with client_of(shop.pipeline) as client:
        for body in bodies:
            status = (await post(client, body)).status_code
            lab.expect(f"status for {body[:60]!r}", status, 422, trap="refusal-that-crashes")
        for key in ("", "k" * 201):
            status = (await post(client, key=key)).status_code
            lab.expect(f"status for the key {key[:9]!r}", status, 422, trap="unchecked-order")
        for body in ("{", "ann", b"\xff", "[" * 100_000):
            status = (await post(client, body)).status_code
            lab.require(status in (400, 422), expected="400 or 422", got=f"{status}", trap="refusal-that-crashes")
    lab.expect("keys in the store", lab.server.keys(), [], trap="unchecked-order")


async def test_outages_over_http(lab):
    """Rule 17. While the broker is down POST answers 202; while the store is down POST and GET answer 503."""
    shop = Shop(lab)
    async with client_of(shop.pipeline) as client:
        for error in (redis.ConnectionError("refused"), redis.TimeoutError("slow")):
            with lab.server.outage(error):
                told = [(await post(client, key="k1")).status_code, (await client.get(UNKNOWN)).status_code]
            lab.expect(f"POST and GET ({type(error).__name__})", told, [503, 503], trap="store-outage")
        lab.expect("messages", shop.celery.depth("celery"), 0, trap="dual-write")
        with shop.celery.outage():
            told = [(await post(client, key="k1")).status_code, (await client.get(UNKNOWN)).status_code]
        lab.expect("POST and GET without the broker", told, [202, 404], trap="broker-outage")


def test_nobody_waits_on_the_event_loop(lab):
    """Rule 18. The pipeline blocks, so the app calls it in worker threads and never on the event loop."""
    where, loops = [], threading.get_ident()

    def watched(method):
        return lambda *args, **key: where.append(threading.get_ident() != loops) or method(*args, **key)

    class Watched(OrderPipeline):
        submit, status = watched(OrderPipeline.submit), watched(OrderPipeline.status)

    async def visit():
        async with client_of(pipeline) as client:
            await post(client)
            await client.get(UNKNOWN)

    pipeline = Watched(lab.celery().app(), lab.redis_sync(decode_responses=True), print, retention=9, patience=9)
    asyncio.run(visit())  # the lab's own loop would run on its thread what is sent to a worker thread
    lab.expect("calls of submit and status in worker threads", {*where}, {True}, trap="blocked-loop")
