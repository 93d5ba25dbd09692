"""An order pipeline: the client gets its answer at once, a worker does the work later, and no order is lost."""

import asyncio
import contextlib
import functools
import itertools
import re
import threading
import time

import httpx
import order_pipeline
import pytest
import redis
from order_pipeline import MAX_AMOUNT, Conflict, InvalidOrder, Order, OrderPipeline, Rejected, create_app

from dojo.lab import explore, sweep

DAY, PATIENCE = 86_400, 60
NAN, INF, HALF = float("nan"), float("inf"), "half a surrogate pair: \ud83d"
PENDING, SHIPPED = ("pending", None, None), ("done", "shipped", None)
OUTAGES = [redis.ConnectionError("refused"), redis.TimeoutError("slow")]


class Process:
    """One process with the pipeline: its Celery app, its client of the store, its copy of the module."""

    def __init__(self, shop, module, retries=0):
        self.shop, self.module, self.app = shop, module, shop.celery.app()
        client = shop.lab.redis_sync(decode_responses=True, retries=retries)
        self.pipeline = module.OrderPipeline(self.app, client, shop.fulfil, **shop.settings)
        self.relay = self.pipeline.relay

    def receipt(self, customer="ann", amount=1999, key=None):
        told = self.pipeline.submit(self.module.Order(customer, amount), key=key)
        return self.shop.lab.plain("the receipt", (told.id, told.state), trap="wrong-answer")

    def submit(self, *order, **key):
        return self.receipt(*order, **key)[0]

    def status(self, id):
        told = self.pipeline.status(id)
        return None if told is None else (told.state, told.result, told.error)

    def work(self):  # until no task is ready
        self.shop.celery.worker(self.app).run()


class Shop(Process):
    """This process, and what all share: the broker, the store, and a gateway at which orders are charged.

    `answers` are what `fulfil` returns or raises, call after call; later calls charge. `runs` are all calls.
    """

    def __init__(self, lab, *answers, retries=0, **settings):
        self.lab, self.celery, self.gateway, self.runs = lab, lab.celery(), lab.gateway_sync(), []
        self.answers, self.settings = list(answers), {"retention": DAY, "patience": PATIENCE, **settings}
        super().__init__(self, order_pipeline, retries)

    @functools.cached_property
    def other(self):
        return Process(self, self.lab.process())

    def fulfil(self, order_id, order):
        self.runs.append((order_id, order.customer, order.amount))
        if not self.answers:
            return self.gateway.charge(order_id, order.amount, idempotency_key=order_id)
        answer = self.answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return answer() if callable(answer) else answer

    def recover(self):
        """What goes on all the time in the other process: the relay is called, and a worker works."""
        time.sleep(PATIENCE + 1)
        self.other.relay()
        self.other.work()

    def expect_done(self, id, trap):
        self.lab.expect("orders charged", [charge.reference for charge in self.gateway.ledger], [id], trap=trap)
        charge = {"id": "ch_1", "reference": id, "amount": 1999}
        self.lab.expect("its status", self.status(id), ("done", charge, None), trap=trap)


def test_an_order_is_answered_at_once(lab):
    """Rule 1. `submit` answers at once, without calling `fulfil`; a worker of `app` calls it, once an order."""
    shop, due = Shop(lab), []
    for order in (("ann", 1999), ("Zoë 字", MAX_AMOUNT), ("ann", 1999)):
        id, state = shop.receipt(*order)
        lab.expect("state, calls of fulfil in submit", (state, len(shop.runs)), ("pending", 0), trap="works-in-submit")
        due.append((id, *order))
    lab.expect("seconds that it took", lab.now, 0.0, trap="works-in-submit")
    shop.work()
    lab.expect("calls of fulfil by the app's worker", shop.runs, due, trap="nobody-works")


def test_ids_are_long_and_unlike(lab):
    """Rule 2. An id is 20 to 64 characters that may stand in a URL; no two are the same, or nearly so."""
    shop = Shop(lab)
    ids = [process.submit(key=key) for process in (shop, shop.other) for key in (None, None, f"k {id(process)}")]
    for one, other in itertools.permutations(ids, 2):
        fits = re.fullmatch(r"[A-Za-z0-9_-]{20,64}", one) is not None
        lab.require(fits, expected="20 to 64 characters of A-Z a-z 0-9 - _", got=repr(one), trap="short-id")
        unlike = sum(a == b for a, b in zip(one, other, strict=False)) * 3 < len(one) * 2
        lab.require(unlike, expected="ids that differ in a third", got=f"{one}, {other}", trap="short-id")


def test_what_is_no_order_is_refused(lab):
    """Rule 3. An order or key that breaks the contract raises InvalidOrder, and nothing is stored or published."""
    shop = Shop(lab)
    wrong = [("ann", amount) for amount in (0, -5, True, NAN, INF, 19.99, "1999", None, MAX_AMOUNT + 1)]
    wrong += [(customer, 5) for customer in ("", None, 7, b"ann", "a" * 201, HALF)]
    wrong += [("ann", 5, key) for key in ("", 7, "k" * 201, HALF)]
    for order in wrong:
        with lab.raises(InvalidOrder, when=f"for {str(order):.60}", trap="unchecked-order"):
            shop.submit(*order)
    left = (lab.server.keys(), shop.celery.places("celery"))
    lab.expect("keys in the store, messages", left, ([], {}), trap="unchecked-order")
    with lab.no_error(expected="the smallest and the longest are orders", trap="unchecked-order"):
        ids = [shop.submit("a" * 200, 1, key="k" * 200), shop.submit("é", 2, key="é" * 200)]
    lab.expect("their statuses", [shop.status(id) for id in ids], [PENDING] * 2, trap="unchecked-order")


def test_a_key_makes_a_retry_the_same_order(lab):
    """Rule 4. The same key with the same order is the same order, as it stands; with another one it is a Conflict."""
    shop = Shop(lab, Rejected("no stock"))
    first = shop.receipt(key="k1")
    lab.expect("the retry's receipt", shop.other.receipt(key="k1"), first, trap="retry-orders-twice")
    shop.work()
    lab.expect("and after its end", shop.other.receipt(key="k1"), (first[0], "failed"), trap="retry-orders-twice")
    for order in (("ann", 1998), ("bob", 1999), ("Ann", 1999), ("ann1", 999)):
        with lab.raises(Conflict, when=f"for {order} after ('ann', 1999) under one key", trap="reused-key"):
            shop.submit(*order, key="k1")
    ids = {first[0], *(shop.submit(key=key) for key in ("k2", "K1", " k1", "k1 ", first[0], None, None))}
    lab.expect("orders with other keys or none, and that one", len(ids), 8, trap="retry-orders-twice")
    shop.recover()
    lab.expect("calls of fulfil", len(shop.runs), 8, trap="retry-orders-twice")


@explore(preemptions=1)
@pytest.mark.parametrize("amount", [1999, 1998], ids=["one order", "two orders"])
def test_two_retries_at_once_are_one_order(lab, amount):
    """Rule 4. However two submits with one key race, in two processes, there is one order."""
    shop = Shop(lab)
    told = lab.attempts_sync(lambda: shop.submit(key="k1"), lambda: shop.other.submit("ann", amount, key="k1"))
    refused = [type(outcome.error).__name__ for outcome in told if not outcome.ok]
    lab.expect("errors", refused, ["Conflict"] * (amount != 1999), trap="check-then-act")
    lab.expect("ids", len({outcome.value for outcome in told if outcome.ok}), 1, trap="check-then-act")
    shop.work()
    lab.expect("orders that were fulfilled", len(shop.gateway.ledger), 1, trap="check-then-act")


def test_the_status_tells_how_an_order_stands(lab):
    """Rule 5. The status is pending, then started while `fulfil` runs, then done or failed; None means unknown."""
    seen = []
    shop = Shop(lab, lambda: seen.append(shop.other.status(id)) or "shipped", KeyError())
    id, failing = shop.submit(), shop.submit()
    for unknown in ("", "order-7", id[:-1], id + "0", "*", f"{id}:", "é"):
        lab.expect(f"status of {unknown!r}", shop.status(unknown), None, trap="pending-means-unknown")
    lab.expect("before it is worked on", shop.status(id), PENDING, trap="pending-means-unknown")
    shop.work()
    lab.expect("while fulfil runs", seen, [("started", None, None)], trap="never-started")
    told = [(shop.pipeline.status(i).id, *shop.status(i)) for i in (id, failing)]
    due = [(id, *SHIPPED), (failing, "failed", None, "KeyError")]
    lab.expect("ids and statuses afterwards", told, due, trap="pending-means-unknown")


def test_every_json_value_is_a_result(lab):
    """Rule 6. The result is what `fulfil` returned, whatever JSON value that is; what is none fails the order."""
    results = [None, False, 0, "", [], {}, 1.0, "Zoë", "null", {"paid": True, "lines": [1, None, {"n": "0"}]}, 2**80]
    shop = Shop(lab, *results, NAN, {"no": {"JSON"}}, [INF])
    ids = [shop.submit() for _ in shop.answers]
    shop.work()
    told = [shop.status(id) for id in ids]
    lab.expect("statuses", told[:-3], [("done", result, None) for result in results], trap="falsy-result")
    told = [status and status[:2] for status in told[-3:]]
    lab.expect("after NaN, a set, infinity", told, [("failed", None)] * 3, trap="unreadable-result")


def test_a_failure_is_told_without_its_secrets(lab):
    """Rule 7. A failed order tells the exception's type, and its text only if it is a Rejected."""
    declined = type("CardDeclined", (Rejected,), {})
    shop = Shop(lab, ValueError("db://shop:hunter2@db"), KeyError("ann"), declined("no funds"), Rejected("sold out"))
    ids = [shop.submit() for _ in shop.answers]
    shop.work()
    due = ["ValueError", "KeyError", "CardDeclined: no funds", "Rejected: sold out"]
    told = [shop.status(id) for id in ids]
    lab.expect("statuses", told, [("failed", None, error) for error in due], trap="leaked-details")


def test_anybody_may_ask_at_any_time(lab):
    """Rule 8. `status` asks the store and nobody else: in every process, any number of times, without waiting."""
    shop = Shop(lab, "shipped")
    id = shop.submit()
    for status, trap in ((PENDING, "waits-for-the-result"), (SHIPPED, "read-once")):
        with shop.celery.outage(), lab.no_error(expected="a status without the broker", trap="asks-the-broker"):
            told = [process.status(id) for process in (shop.other, shop, shop.other, shop)]
        lab.expect("statuses, asked four times", told, [status] * 4, trap=trap)
        lab.expect("seconds that it took", lab.now, 0.0, trap="waits-for-the-result")
        shop.other.work()


@pytest.mark.parametrize("error", [ConnectionRefusedError("db"), TimeoutError("api"), SystemExit()], ids=repr)
def test_what_is_tried_again_has_not_failed(lab, error):
    """Rule 9. A ConnectionError or TimeoutError of `fulfil`, or the end of its process, is no end of the order."""
    shop = Shop(lab, error)
    id = shop.submit()
    shop.celery.worker(shop.app).step()
    lab.expect("after the first attempt", shop.status(id), ("started", None, None), trap="failed-too-early")
    shop.recover()
    shop.expect_done(id, trap="gave-up")


@sweep(kinds=("stall:100",))
@pytest.mark.parametrize("answers", [("1", KeyError()), (KeyError(), "2"), ("1", "2")], ids=["done", "failed", "both"])
def test_an_end_is_final(lab, answers):
    """Rule 10. The first end is final: a worker that was paused and ends the order once more changes nothing."""
    lab.scenario("the order is published twice; worker 1 may be paused for 100 s; a client looks at 50 s")
    shop = Shop(lab, *answers)
    id = shop.submit()
    shop.app.send_task("orders.fulfil", (id,))

    def look():
        time.sleep(50)
        return shop.status(id)

    first = lab.race_sync(shop.work, shop.other.work, look, names=("worker 1", "worker 2", "client"))[-1]
    lab.require(first[0] in ("done", "failed"), expected="an end by 50 s", got=repr(first), trap="straggler")
    lab.expect("its status at last", shop.status(id), first, trap="straggler")


def test_what_has_ended_is_not_done_again(lab):
    """Rule 10. A message for an order that has ended, or is not known, does nothing."""
    shop = Shop(lab, "shipped", Rejected("sold out"))
    ids = [shop.submit(key="k1"), shop.submit(), "order-7"]
    shop.work()
    for when in ("after their end", "after their retention"):
        told = [shop.status(id) for id in ids]
        for id in ids:
            shop.app.send_task("orders.fulfil", (id,))
        shop.work()
        lab.expect(f"calls of fulfil, {when}", len(shop.runs), 2, trap="second-life")
        lab.expect(f"statuses, {when}", [shop.status(id) for id in ids], told, trap="second-life")
        time.sleep(DAY + 1)


@pytest.mark.parametrize("retention", [100 * DAY, 2.5])
def test_an_order_is_kept_for_its_retention(lab, retention):
    """Rule 11. An order is known until `retention` seconds after its end, whatever happens; then nothing is left."""
    shop = Shop(lab, "shipped", KeyError(), retention=retention)
    ids = [shop.submit(key="k1"), shop.submit(key="k2")]
    time.sleep(200 * DAY)
    lab.expect("statuses after 200 days", [shop.status(id) for id in ids], [PENDING] * 2, trap="expires-unfinished")
    shop.work()
    time.sleep(retention - 0.01)
    for id in ids:
        shop.app.send_task("orders.fulfil", (id,))
    shop.work()
    told = [*shop.receipt(key="k1"), *shop.receipt(key="k2")]
    lab.expect("receipts just before it is over", told, [ids[0], "done", ids[1], "failed"], trap="short-retention")
    time.sleep(0.02)
    lab.expect("statuses just after it", [shop.status(id) for id in ids], [None, None], trap="kept-for-ever")
    id, state = shop.receipt("bob", 7, key="k1")
    lab.expect("another order under the old key", (id in ids, state), (False, "pending"), trap="kept-for-ever")


def test_nothing_of_an_order_is_left(lab):
    """Rule 11. The store does not grow with the orders that it no longer knows."""
    shop, left = Shop(lab), []
    for keys in ([None, "a"], [None, "b", "c", "d"]):
        for key in keys:
            shop.submit(key=key)
        shop.work()
        time.sleep(DAY + 1)
        shop.recover()
        left.append(sum(lab.server.memory(key) for key in lab.server.keys()))
    lab.expect("elements left after 2 orders and after 4 more", left, left[:1] * 2, trap="kept-for-ever")


def test_orders_are_taken_while_the_broker_is_down(lab):
    """Rule 12. While the broker cannot be reached, orders are accepted within 5 s; a later relay publishes them."""
    shop = Shop(lab, "shipped", "shipped")
    with shop.celery.outage():
        with lab.no_error(expected="receipts, although the broker is down", trap="broker-outage"):
            ids = [shop.submit(), shop.submit()]
        lab.require(lab.now <= 10, expected="5 s each", got=f"{lab.now / 2:g} s", trap="waits-for-the-broker")
        time.sleep(PATIENCE + 1)
        with lab.no_error(expected="a relay that waits for better times", trap="broker-outage"):
            lab.expect("published during the outage", shop.relay(), 0, trap="counts-what-is-not-sent")
    time.sleep(PATIENCE + 1)
    lab.expect("published by a relay elsewhere", shop.other.relay(), 2, trap="dual-write")
    shop.work()
    lab.expect("statuses", [shop.status(id) for id in ids], [SHIPPED] * 2, trap="dual-write")


def test_the_relay_publishes_what_is_due(lab):
    """Rule 13. `relay` publishes again what has not ended within `patience`, and counts it; what has ended never."""
    lab.scenario("patience 2.5 s; three orders; the first one is fulfilled after 2.6 s, the others after 5.2 s")
    shop, counts = Shop(lab, patience=2.5), []
    worker, none = shop.celery.worker(shop.app), int
    for _ in range(3):
        shop.submit()
    for wait, work in ((0, none), (2.4, none), (0.2, worker.step), (2.4, none), (0.2, worker.run), (9, none)):
        time.sleep(wait)
        counts.append(shop.other.relay())
        work()
    lab.expect("relay() at 0, 2.4, 2.6, 5 and 5.2 s", counts[:5], [0, 0, 3, 0, 2], trap="impatient-relay")
    lab.expect("relay() once all have ended", counts[5:], [0], trap="published-for-ever")


@sweep(kinds=("died-after", "lost-request", "lost-reply"))
@pytest.mark.parametrize(("key", "retries"), [(None, 0), ("k1", 0), (None, 2)], ids=["no key", "a key", "repeated"])
def test_no_order_is_lost_when_it_is_taken(lab, key, retries):
    """Rule 14. Whatever step `submit` dies or fails at, an order with a receipt, or retried with its key, ends once."""
    shop = Shop(lab, retries=retries)
    taken = lab.attempt_sync(lambda: shop.submit(key=key), name="server")
    id = taken.value if taken.ok else None
    if key is not None:
        again = shop.other.submit(key=key)
        lab.expect("the retry's id", again, id or again, trap="retry-orders-twice")
        id = again
    shop.recover()
    lab.require(len(shop.gateway.ledger) < 2, expected="1 charge", got="2 charges", trap="retry-orders-twice")
    if id is not None:
        shop.expect_done(id, trap="dual-write")


@sweep(kinds=("died-after", "lost-reply", "stall:100"))
@pytest.mark.parametrize("who", ["relay", "worker"])
def test_no_order_is_lost_on_its_way(lab, who):
    """Rule 14. Whatever step a relay or worker dies, fails or pauses at, the order ends once, and is then forgotten."""
    shop = Shop(lab)
    with shop.celery.outage() if who == "relay" else contextlib.nullcontext():
        id = shop.submit(key="k1")
    time.sleep(PATIENCE + 1)
    calls = [shop.relay, shop.other.relay, shop.other.work] if who == "relay" else [shop.work]
    lab.attempts_sync(*calls, names=[who, "another relay", "another worker"][: len(calls)])
    shop.recover()
    shop.expect_done(id, trap="lost-on-its-way")
    time.sleep(PATIENCE + 1)
    lab.expect("relay() after its end", shop.relay(), 0, trap="published-for-ever")
    time.sleep(DAY)
    lab.expect("its status after the retention", shop.status(id), None, trap="kept-for-ever")


def test_no_order_is_taken_without_the_store(lab):
    """Rule 15. If the store cannot be reached, its error reaches the caller, and nothing is published."""
    shop = Shop(lab)
    for error in OUTAGES:
        for call in (shop.submit, lambda: shop.submit(key="k1"), lambda: shop.status("order-7"), shop.relay):
            told = lab.raises(type(error), when="while the store is down", trap="store-outage")
            with told, lab.server.outage(error):
                call()
    lab.expect("messages", shop.celery.places("celery"), {}, trap="dual-write")


def test_pipelines_with_different_names_share_nothing(lab):
    """Rule 16. Pipelines share their orders if their namespace is the same, and nothing otherwise."""
    app, names = lab.celery().app(), ["orders", "Orders", "order", "orders:order", "orders:key", "or*", "a b", "é{}"]
    client, runs = lab.redis_sync(decode_responses=True), []
    pipelines = [OrderPipeline(app, client, lambda *_: runs.append(1), retention=9, namespace=name) for name in names]
    ids = [pipeline.submit(Order("ann", 1999), key="k1").id for pipeline in pipelines]
    for id in ids:
        known = [name for name, pipeline in zip(names, pipelines, strict=True) if pipeline.status(id)]
        lab.expect("pipelines that know an order", len(known), 1, trap="shared-names")
    time.sleep(61)
    lab.expect("published by one relay", pipelines[0].relay(), 1, trap="shared-names")


@contextlib.asynccontextmanager
async def client_of(pipeline):
    transport = httpx.ASGITransport(create_app(pipeline), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://dojo") as client:
        yield client


async def post(client, body='{"customer": "ann", "amount": 1999}', key=None):
    headers = {"Content-Type": "application/json"} | ({} if key is None else {"Idempotency-Key": key})
    return await client.post("/orders", content=body, headers=headers)


async def test_a_client_posts_and_polls(lab):
    """Rule 17. POST answers 202 with Location, id and state, before any work; GET there tells the status, or 404."""
    shop = Shop(lab, {"charge": 1.0}, type("CardDeclined", (Rejected,), {})("no funds"), KeyError("hunter2"))
    ends = [("done", {"charge": 1.0}, None), ("failed", None, "CardDeclined: no funds"), ("failed", None, "KeyError")]
    async with client_of(shop.pipeline) as client:
        posted = [await post(client) for _ in ends]
        ids, places = [a.json().get("id") for a in posted], [a.headers.get("Location", "nowhere") for a in posted]
        told = [(answer.status_code, answer.json()) for answer in posted]
        lab.expect("POST", told, [(202, {"id": id, "state": "pending"}) for id in ids], trap="wrong-answer")
        lab.expect("calls of fulfil so far", len(shop.runs), 0, trap="works-in-submit")
        for statuses in ([PENDING] * 3, ends):
            told = [await client.get(place) for place in places]
            lab.expect("GET, status codes", [answer.status_code for answer in told], [200] * 3, trap="wrong-answer")
            due = [{"id": i, "state": s, "result": r, "error": e} for i, (s, r, e) in zip(ids, statuses, strict=True)]
            lab.expect("GET", [answer.json() for answer in told], due, trap="wrong-answer")
            shop.work()
        lab.expect("GET of another", (await client.get("/orders/x")).status_code, 404, trap="pending-means-unknown")


async def test_a_client_retries_with_its_key(lab):
    """Rule 18. With the same `Idempotency-Key` the same order is answered 202 with the same id, another one 409."""
    shop = Shop(lab, "shipped")
    async with client_of(shop.pipeline) as client:
        first = await post(client, key="k1")
        shop.work()
        again = await post(client, '{"amount":1999,"customer":"\\u0061nn"}', key="k1")
        other = await post(client, '{"customer": "ann", "amount": 1998}', key="k1")
    lab.expect("another order", other.status_code, 409, trap="reused-key")
    due = (202, {"id": first.json()["id"], "state": "done"}, first.headers.get("Location"))
    told = (again.status_code, again.json(), again.headers.get("Location"))
    lab.expect("the retry", told, due, trap="retry-orders-twice")


async def test_a_request_that_is_no_order(lab):
    """Rule 19. A body or key that breaks the contract is answered 422 (or 400, if it is no JSON); nothing is stored."""
    shop = Shop(lab)
    amounts = ["NaN", "-Infinity", "1e999", "-5", "0", "true", "null", '"5"', "19.99", "[5]", str(MAX_AMOUNT + 1)]
    bodies = [f'{{"customer": "ann", "amount": {amount}}}' for amount in amounts]
    customers = ["7", '""', "null", f'"{"a" * 201}"', '"\\ud83d"', "NaN"]
    bodies += [f'{{"customer": {customer}, "amount": 5}}' for customer in customers]
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
    """Rule 20. While the broker is down POST answers 202; while the store is down POST and GET answer 503."""
    shop = Shop(lab)
    async with client_of(shop.pipeline) as client:
        with shop.celery.outage():
            lab.expect("POST without the broker", (await post(client)).status_code, 202, trap="broker-outage")
        for error in OUTAGES:
            with lab.server.outage(error):
                told = [(await post(client, key="k1")).status_code, (await client.get("/orders/x")).status_code]
            lab.expect(f"POST and GET ({type(error).__name__})", told, [503, 503], trap="store-outage")
        lab.expect("POST after the outage", (await post(client, key="k1")).status_code, 202, trap="store-outage")


def test_nobody_waits_on_the_event_loop(lab):
    """Rule 21. The pipeline blocks, so the app calls it in worker threads and never on the event loop."""
    where = []

    def noted(method):
        def call(*args, **options):
            where.append("on the loop" if threading.get_ident() == loops else "in a worker thread")
            return method(*args, **options)

        return call

    class Watched(OrderPipeline):
        submit, status = noted(OrderPipeline.submit), noted(OrderPipeline.status)

    async def visit():
        async with client_of(pipeline) as client:
            await post(client)
            await client.get("/orders/x")

    loops = threading.get_ident()
    pipeline = Watched(lab.celery().app(), lab.redis_sync(decode_responses=True), lambda *_: None, retention=DAY)
    asyncio.run(visit())  # on a loop of its own: the lab's runs on its own thread what is sent to a worker thread
    lab.expect("POST and GET", where, ["in a worker thread"] * 2, trap="blocked-loop")
