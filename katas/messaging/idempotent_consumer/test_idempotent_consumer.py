"""Idempotent consumer: a message may be delivered any number of times; it is processed once."""

import contextlib
import functools
import itertools
import time
import zlib

import pytest
import redis
from idempotent_consumer import IdempotentConsumer, InProgress, Message, PayloadMismatch, register_process_order

from dojo.lab import explore, sweep

LEASE, DAY = 60, 86_400
CHARGE = {"id": "ch_1", "reference": "order-7", "amount": 1999}
ERRORS = [redis.ConnectionError("refused"), redis.TimeoutError("timed out"), redis.ResponseError("READONLY replica")]
NAMES = "died", "InProgress", "PayloadMismatch", "LookupError", *(type(error).__name__ for error in ERRORS)
failures = pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)


def billing(lab, make=None, *, client=None, **settings):
    """A consumer with a client of its own; `make` is the class as another process has loaded it."""
    settings = {"namespace": "billing", "lease": LEASE, "retention": 8 * DAY, **settings}
    return (make or IdempotentConsumer)(client or lab.redis_sync(), **settings)


def in_another_process(lab, salt=1):
    """The class as another process has loaded it, where hash() of text and bytes is salted anew."""
    module = lab.process()
    module.hash = lambda value: zlib.crc32(repr(value).encode(), salt)
    return module.IdempotentConsumer


def order(id="order-7", body=b'{"amount": 1999}'):
    return Message(id, body)


def working(lab, runs, result="paid", seconds=0.0, error=None):
    """A handler that notes each of its runs, and takes its time."""
    end = f"returns {result!r}" if error is None else f"raises {error!r}"

    def handler(message):
        runs.append(result)
        lab.note(f"handler runs for {seconds:g} s and {end}" if seconds else f"handler {end}")
        time.sleep(seconds)
        if error is not None:
            raise error
        return result

    return handler


def recurring(lab, consumer, trap):
    """A handler that causes its own message again while it works."""

    def handler(message):
        with lab.raises(InProgress, when="for a delivery while the handler runs", trap=trap):
            consumer.process(message, working(lab, [], "paid again"))
        return "paid"

    return handler


def charging(gateway, with_key=False):
    """A handler that charges 19.99, with or without the message's id as its idempotency key."""
    return lambda message: gateway.charge(message.id, 1999, idempotency_key=message.id if with_key else None)


def ending(lab, outcome):
    """A call's value, or the name of the error that it raised; a text that is such a name is no error."""
    ended = "died" if outcome.died else outcome.value if outcome.ok else type(outcome.error).__name__
    ended = lab.plain("a result", ended, trap="already-processed")
    return f"the text {ended!r}" if outcome.ok and ended in NAMES else ended


def delivered(lab, consumer, handler, message=None, name=None):
    """How a delivery ends that faults may strike."""
    return ending(lab, lab.attempt_sync(lambda: consumer.process(message or order(), handler), name=name))


def losing_redis(lab, consumer, error, handler):
    """How a delivery ends if every command to Redis fails from the moment on at which its handler runs."""
    with contextlib.ExitStack() as failing:
        return delivered(lab, consumer, lambda m: failing.enter_context(lab.server.outage(error)) or handler(m))


def shifts(lab, consumer, runs, *workers, first_fails=None, second_gets=None):
    """The endings of one message's deliveries to workers; each one (gets it at, works for) so many seconds."""

    def delivery(n, start, seconds):
        time.sleep(start)
        handler = working(lab, runs, f"by worker {n}", seconds, first_fails if n == 1 else None)
        return consumer.process(second_gets if second_gets and n == 2 else order(), handler)

    calls = [functools.partial(delivery, n, *times) for n, times in enumerate(workers, start=1)]
    return [ending(lab, o) for o in lab.attempts_sync(*calls, names=[f"worker {n + 1}" for n in range(len(calls))])]


def test_a_duplicate_gets_the_first_result(lab):
    """Rule 1. Every delivery returns what the message's first one returned, and the handler runs once."""
    consumer, gateway = billing(lab), lab.gateway_sync()
    answers = [consumer.process(order(), charging(gateway)) for _ in range(3)]
    lab.expect("delivery and two duplicates", answers, [CHARGE] * 3, trap="already-processed")
    lab.expect("charges", len(gateway.ledger), 1, trap="already-processed")


@pytest.mark.parametrize("decode", [False, True], ids=["bytes replies", "str replies"])
def test_every_json_value_is_a_result(lab, decode):
    """Rule 1. Every delivery returns what the message's first one returned, whatever JSON value that is."""
    consumer = billing(lab, client=lab.redis_sync(decode_responses=decode))
    for result in (None, False, 0, "", [], {}, 1.0, "Zoë", {"paid": True, "lines": [1, None, {"n": "0"}]}):
        runs, message = [], order(id=f"returns {result!r}")
        answers = [consumer.process(message, working(lab, runs, result)) for _ in range(2)]
        lab.expect("delivery and duplicate", answers, [result, result], trap="falsy-result")
        lab.expect("results of the handler", runs, [result], trap="falsy-result")


@explore
@pytest.mark.parametrize(("where", "trap"), [("two processes", "check-then-act"), ("two threads", "shared-owner")])
def test_two_deliveries_at_once_run_the_handler_once(lab, where, trap):
    """Rule 2. However two deliveries interleave, the handler runs once; who does not get its result gets InProgress."""
    lab.scenario(f"one message is delivered twice at the same instant, to {where}")
    gateway, one = lab.gateway_sync(), billing(lab, in_another_process(lab))
    other = one if where == "two threads" else billing(lab, in_another_process(lab, salt=2))
    calls = [functools.partial(worker.process, order(), charging(gateway)) for worker in (one, other)]
    told = [ending(lab, o) for o in lab.attempts_sync(*calls, names=("worker 1", "worker 2"))]
    lab.expect("charges", len(gateway.ledger), 1, trap=trap)
    right = CHARGE in told and all(e in (CHARGE, "InProgress") for e in told)
    lab.require(right, expected="the charge, and the charge or InProgress", got=str(told), trap=trap)


def test_a_handler_that_causes_its_own_message_again(lab):
    """Rule 2. A delivery that the handler itself causes, in its own thread, gets InProgress like any other."""
    consumer = billing(lab)
    answers = [consumer.process(order(), recurring(lab, consumer, trap="shared-owner")) for _ in range(2)]
    lab.expect("outer delivery and duplicate", answers, ["paid", "paid"], trap="shared-owner")


@pytest.mark.parametrize("lease", [60, 0.25])
def test_a_claim_holds_for_its_lease(lab, lease):
    """Rule 3. While a message is processed, another delivery raises InProgress at once; after `lease` it takes over."""
    lab.scenario(f"lease {lease} s; worker 1 hangs in its handler")
    consumer, runs = billing(lab, lease=lease), []
    _, within, after = shifts(lab, consumer, runs, (0, 100 * lease), (lease - 0.01, 0), (lease + 0.01, 0))
    lab.expect("delivery just within the lease", within, "InProgress", trap="early-acknowledgement")
    lab.expect("delivery just after the lease", after, "by worker 3", trap="inexact-lease")
    lab.expect("the handler ran", runs, ["by worker 1", "by worker 3"], trap="inexact-lease")


@pytest.mark.parametrize("error", [LookupError("card declined"), SystemExit("shutdown")], ids=["declined", "shutdown"])
def test_a_failed_handler_releases_its_claim(lab, error):
    """Rule 4. If the handler raises (anything, `SystemExit` too), its error is seen; the next delivery runs at once."""
    consumer = billing(lab)
    try:
        seen = consumer.process(order(), working(lab, [], error=error))
    except (LookupError, SystemExit) as raised:
        seen = raised
    lab.require(seen is error, expected=f"the handler's own {error!r}", got=repr(seen), trap="error-hidden")
    lab.expect("redelivery", delivered(lab, consumer, working(lab, [])), "paid", trap="claim-kept-after-failure")


@sweep(kinds=("lost-request", "lost-reply"))
def test_the_handlers_error_is_never_hidden(lab):
    """Rule 4. The handler's error reaches the caller, even when Redis fails while the claim is released."""
    runs = []
    seen = delivered(lab, billing(lab), working(lab, runs, error=LookupError("card declined")))
    lab.expect("error that the caller sees", seen, "LookupError" if runs else "ConnectionError", trap="error-hidden")


@failures
def test_an_outage_does_not_hide_the_handlers_error(lab, error):
    """Rule 4. The handler's error reaches the caller, however Redis fails while the claim is released."""
    seen = losing_redis(lab, billing(lab), error, working(lab, [], error=LookupError("card declined")))
    lab.expect("error that the caller sees", seen, "LookupError", trap="error-hidden")


@explore
def test_a_claim_may_go_while_another_looks_at_it(lab):
    """Rule 4. A delivery that meets another one's failure gets InProgress, or runs the handler under a claim."""
    consumer = billing(lab)
    handlers = working(lab, [], error=LookupError("card declined")), recurring(lab, consumer, trap="vanished-claim")
    calls = [functools.partial(consumer.process, order(), handler) for handler in handlers]
    told = ending(lab, lab.attempts_sync(*calls, names=("failing", "working"))[1])
    lab.require(told in ("paid", "InProgress"), expected="'paid' or InProgress", got=repr(told), trap="vanished-claim")


@failures
def test_what_redis_cannot_record_is_an_error(lab, error):
    """Rule 5. If Redis cannot be asked for the claim, the handler does not run; an unstored result is an error."""
    consumer, runs, due = billing(lab), [], type(error).__name__
    lab.scenario(f"Redis fails: {error}")
    with lab.server.outage(error):
        told = delivered(lab, consumer, working(lab, runs))
    lab.expect("runs during the outage", len(runs), 0, trap="fail-open")
    lab.expect("delivery during the outage", told, due, trap="fail-open")
    lab.expect("delivery after the outage", consumer.process(order(), working(lab, runs)), "paid", trap="fail-open")
    told = losing_redis(lab, billing(lab, namespace="shipping"), error, working(lab, [], "shipped"))
    lab.expect("delivery, Redis failing while its handler runs", told, due, trap="unrecorded-success")


@sweep
def test_a_crash_neither_loses_nor_blocks_a_message(lab):
    """Rule 6. Whatever step a worker dies at, the first delivery after `lease` gets the message's result."""
    gateway, worker, successor = lab.gateway_sync(), billing(lab), billing(lab, in_another_process(lab))
    charge = charging(gateway, with_key=True)
    delivered(lab, worker, charge, name="worker")
    time.sleep(LEASE + 1)
    told, gone = delivered(lab, successor, charge, name="redelivery"), f"{LEASE + 1} s later the claim has run out"
    lab.require(told != "InProgress", expected=gone, got="InProgress", trap="claim-outlives-lease")
    lab.expect("redelivery", told, CHARGE, trap="lost-message")
    lab.expect("charges", len(gateway.ledger), 1, trap="lost-message")


@sweep
@pytest.mark.parametrize("error", [None, LookupError("card declined")], ids=["success", "failure"])
def test_every_key_expires(lab, error):
    """Rule 7. Whatever step a worker dies at, every key in Redis has a TTL."""
    consumer = billing(lab)
    for _ in range(2):
        delivered(lab, consumer, working(lab, [], error=error))
    lab.expect("keys without a TTL", lab.server.keys_without_ttl(), [], trap="no-ttl")


@sweep(kinds=("stall:61",))
def test_a_stored_result_is_final(lab):
    """Rule 8. A worker that was paused past its lease cannot replace its successor's result; it returns that result."""
    lab.scenario("lease 60 s; worker 2 gets the message at 60.5 s, worker 3 looks at 60.8 s what has been stored")
    consumer, runs = billing(lab), []
    one, two, stored = shifts(lab, consumer, runs, (0, 0), (60.5, 0), (60.8, 0))
    lab.require(stored != "by worker 3", expected="a result stored by 60.8 s", got="none", trap="late-finisher")
    told = {"worker 1": one, "worker 2": two, "a duplicate": consumer.process(order(), working(lab, runs, "by it"))}
    lab.expect(f"stored first was {stored!r}, so", told, dict.fromkeys(told, stored), trap="late-finisher")


@pytest.mark.parametrize(("ends", "seconds"), [("fails", 50), ("fails", 9), ("finishes", 50), ("finishes", 9)])
def test_a_late_worker_leaves_its_successors_claim_alone(lab, ends, seconds):
    """Rule 8. A worker that ends after its lease lets no third one in, while its successor works and after."""
    lab.scenario(f"lease 60 s; worker 1 {ends} at 90 s, worker 2 works from 61 to {61 + seconds} s, worker 3 from 95 s")
    consumer, runs = billing(lab), []
    error = LookupError("card declined") if ends == "fails" else None
    answers = shifts(lab, consumer, runs, (0, 90), (61, seconds), (95, 0), first_fails=error)
    lab.expect("runs", runs, ["by worker 1", "by worker 2"], trap="foreign-release")
    final = lab.plain("a result", consumer.process(order(), working(lab, runs, "by it")), trap="late-finisher")
    results = sorted({*answers, final} - {"InProgress", "LookupError"})
    lab.expect("results that anybody got", results, [final], trap="late-finisher")


def test_a_late_result_counts_if_nobody_took_over(lab):
    """Rule 8. If the lease ran out and nobody took over, the late result is stored and returned as usual."""
    lab.scenario("lease 60 s; the only worker takes 61 s")
    answers = shifts(lab, billing(lab), [], (0, LEASE + 1), (LEASE + 1.5, 0))
    lab.expect("late worker and duplicate", answers, ["by worker 1"] * 2, trap="result-thrown-away")


@sweep(kinds=("lost-request", "lost-reply"))
def test_a_client_that_retries_changes_nothing(lab):
    """Rule 9. With a client that repeats a round trip whose reply was lost, a delivery still returns its result."""
    lab.scenario("the Redis client is configured with 3 retries")
    consumer, runs = billing(lab, client=lab.redis_sync(retries=3)), []
    lab.expect("delivery, runs", [delivered(lab, consumer, working(lab, runs)), *runs], ["paid"] * 2, trap="own-claim")


@pytest.mark.parametrize(("seconds", "at"), [(10, 5), (90, 61), (120, 61)], ids=["in time", "late", "too late"])
def test_one_id_with_two_payloads_is_an_error(lab, seconds, at):
    """Rule 10. The same id with another body raises PayloadMismatch, during processing and after, and does nothing."""
    lab.scenario(f"lease 60 s; worker 1 takes {seconds} s; worker 2 gets another body after {at} s and takes 50 s")
    consumer, runs, late = billing(lab), [], at > LEASE
    other, (one, two) = order(body=b'{"amount": 1998}'), ("by worker 1", "by worker 2")
    told = shifts(lab, consumer, runs, (0, seconds), (at, 50), second_gets=other)
    lab.expect("runs", runs, [one, two] if late else [one], trap="payload-ignored")
    final = [delivered(lab, consumer, working(lab, runs, "again"), message) for message in (order(), other)]
    right = final in [[one, "PayloadMismatch"], ["PayloadMismatch", two]][: 1 + late]
    right = right and (told == final or (late and told == ["InProgress", final[1]]))
    due = "one body's worker and duplicate get its result, the other's PayloadMismatch"
    lab.require(right, expected=due, got=f"workers: {told}, duplicates: {final}", trap="payload-ignored")


def test_bodies_are_compared_byte_by_byte(lab):
    """Rule 10. The same body, whatever its bytes, never raises PayloadMismatch; any other one does, however alike."""
    here, there = billing(lab), billing(lab, in_another_process(lab))
    json, long = b'{"to": "ann", "cents": 5}', b"-" * 70_000
    for what, body, other, trap in (
        ("a body that is no text", b"\xff\x00{", b"\xfe\x00{", "body-interpreted"),
        ("the same JSON with fewer spaces", json, b'{"to":"ann", "cents": 5}', "body-interpreted"),
        ("another last byte of 70,001", long + b"1", long + b"2", "payload-ignored"),
        ("another body with the same CRC-32", b"plumless", b"buckeroo", "payload-ignored"),
    ):
        with lab.no_error(expected="a body is processed, whatever its bytes", trap="body-interpreted"):
            first = here.process(order(what, body), working(lab, []))
        with lab.no_error(expected="its duplicate is answered, in another process", trap="salted-hash"):
            again = there.process(order(what, body), working(lab, [], "paid again"))
        lab.expect("delivery and duplicate", [first, again], ["paid", "paid"], trap="salted-hash")
        with lab.raises(PayloadMismatch, when=f"for {what}", trap=trap):
            here.process(order(what, other), working(lab, []))


def test_different_messages_never_meet(lab):
    """Rule 11. Messages that differ in namespace or anywhere in their id are different messages."""
    names = [("billing", "order-7"), ("shipping", "order-7"), ("billing", "Order-7"), ("billing", " order-7")]
    names += [("billing", "o" * 999), ("billing", "o" * 999 + "7"), ("billing", "7"), ("billing", "07")]
    names += [("billing", "Zoë"), ("billing", "Zo?"), ("billing", "%3A"), ("a%3A", "b")]
    for border in ("", *":/|.,;-_ #%{}\\\n\0"):
        names += [(f"a{border}b", "c"), ("a", f"b{border}c")]
    for namespace, id in names:
        with lab.no_error(expected=f"{id!r} in namespace {namespace!r} is a new message", trap="key-collision"):
            answer = billing(lab, namespace=namespace).process(order(id), working(lab, [], [namespace, id]))
        lab.expect("result of this namespace and id", answer, [namespace, id], trap="key-collision")


def test_a_result_is_kept_for_its_retention(lab):
    """Rule 12. A result is kept for `retention` seconds from its storing, whatever happens meanwhile; then it goes."""
    lab.scenario("retention 100 days; worker 2 stores its result at 70 s, worker 1 comes too late")
    consumer, runs, end = billing(lab, retention=100 * DAY), [], 100 * DAY + 70
    told = shifts(lab, consumer, runs, (0, 120), (61, 9), (end - 1, 0), (end + 1, 0))
    lab.expect("results until the end, and after", told, ["by worker 2"] * 3 + ["by worker 4"], trap="short-retention")


def test_durations_that_cannot_work_are_refused(lab):
    """Rule 13. A lease below 0.001 s, a retention below the lease or over ten years, and nan raise ValueError."""
    inf, nan, most = float("inf"), float("nan"), 3650 * DAY
    wrong = [(0, 60), (-1, 60), (0.0009, 60), (nan, 60), (60, inf), (60, nan), (60, 59.9), (60, most + 1), (60, 1e300)]
    for lease, retention in wrong:
        with lab.raises(ValueError, when=f"for lease={lease}, retention={retention}", trap="unchecked-duration"):
            billing(lab, lease=lease, retention=retention)
    for seconds in (0.001, most):
        with lab.no_error(expected=f"lease={seconds}, retention={seconds} is allowed", trap="unchecked-duration"):
            answer = billing(lab, lease=seconds, retention=seconds).process(order(f"{seconds}"), working(lab, []))
        lab.expect(f"result with durations of {seconds} s", answer, "paid", trap="unchecked-duration")


def test_an_order_is_charged_once_however_often_it_is_sent(lab):
    """Rule 14. `process_order` charges an order once, however often the order is sent, and returns the charge."""
    lab.scenario("order-7 is sent twice; the gateway's reply to its first charge is lost")
    celery, gateway, requests = lab.celery(), lab.gateway_sync(), []

    def charge(reference, amount, *, idempotency_key):
        requests.append((reference, amount))
        made = gateway.charge(reference, amount, idempotency_key=idempotency_key)
        if len(requests) == 1:
            raise ConnectionError("the reply was lost")
        return made

    process_order = register_process_order(app := celery.app(), billing(lab), charge)
    worker = celery.worker(app)
    for amounts, steps in (((1999, 1999), 4), ((2999,), 2)):
        for amount in amounts:
            app.send_task("process_order", ("order-7", "ann", amount))
        ran = sum(worker.step() for _ in range(steps))
    lab.expect("charges", len(gateway.ledger), 1, trap="delivery-as-identity")
    lab.expect("requests to the gateway", requests, [("order-7", 1999)] * 2, trap="delivery-as-identity")
    lab.expect("runs of the task with another payload (no retry helps)", ran, 1, trap="retried-for-ever")
    with lab.no_error(expected="order-8 is charged, too", trap="delivery-as-identity"):
        charges = [process_order(id, "ann", 1999)["id"] for id in ("order-7", "order-8")]
    lab.expect("charges of order-7 and of order-8", charges, ["ch_1", "ch_2"], trap="delivery-as-identity")
    for customer, amount in (("ann", 2999), ("bob", 1999), ("ann1", 999)):
        with lab.raises(PayloadMismatch, when=f"for order-7 of {customer}, {amount}", trap="payload-ignored"):
            process_order("order-7", customer, amount)


def test_an_order_outlasts_an_outage(lab):
    """Rule 15. While Redis or the gateway is unreachable, the task is retried within a lease; other errors fail it."""
    lab.scenario("lease 20 s; Redis is down for the first 8 attempts, the gateway is out of reach for the next 3")
    celery, gateway = lab.celery(), lab.gateway_sync()
    met, to_come = ["redis.exceptions.ConnectionError"], [ConnectionError, TimeoutError, redis.TimeoutError]

    def charge(*order, **key):
        if to_come:
            met.append(f"{to_come[0].__module__}.{to_come[0].__name__}")
            raise to_come.pop(0)("no charge")
        return gateway.charge(*order, **key)

    task = register_process_order(app := celery.app(), billing(lab, lease=20), charge)
    task.delay("order-7", "ann", 1999)
    worker = celery.worker(app)
    with lab.server.outage():
        times = [lab.now for _ in range(8) if worker.step()]
    times += [lab.now for _ in range(6) if worker.step()]
    lab.expect(f"charges (the task last met {met[-1]})", len(gateway.ledger), 1, trap="acknowledged-too-early")
    longest = max(round(end - at, 6) for at, end in itertools.pairwise([*times, lab.now]))
    lab.require(longest <= 20, expected="at most 20 s a delay", got=f"{longest:,.12g} s", trap="uncapped-delay")
    lab.scenario("then order-8, after 1,100 retries, meets one more outage of Redis, and order-9's card is declined")
    task.apply_async(("order-8", "ann", 1999), retries=1_100)
    with lab.server.outage():
        worker.step()
    worker.step()
    lab.expect("charges, with order-8 after 1,101 retries", len(gateway.ledger), 2, trap="acknowledged-too-early")
    to_come.append(LookupError)
    task.delay("order-9", "ann", 1999)
    lab.expect("runs of the task for order-9", worker.step() + worker.step(), 1, trap="retried-for-ever")


# Dying before a step leaves what dying after the one before it left, and lost requests to Redis are rule 15's outage.
@sweep(kinds=("died-after", "lost-reply"))
def test_an_order_outlasts_the_process_that_works_on_it(lab):
    """Rule 16. Whatever step the child dies at, or loses Redis or the gateway at, the order is charged exactly once."""
    lab.scenario("a prefork worker; lease 60 s; the fault strikes the child that executes the task")
    celery, gateway = lab.celery(), lab.gateway_sync()
    register_process_order(app := celery.app(), billing(lab), gateway.charge).delay("order-7", "ann", 1999)
    celery.worker(app, pool="prefork").run()
    charges = len(gateway.ledger)
    lab.require(charges > 0, expected="1 charge", got="none: the message is gone", trap="acknowledged-too-early")
    lab.require(charges < 2, expected="1 charge", got=f"{charges} charges", trap="effect-without-key")
