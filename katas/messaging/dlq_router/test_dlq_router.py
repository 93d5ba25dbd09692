"""The rules of README.md, in order. Rules 1 to 11 run on a plain broker, 12 and 13 on Celery."""

import contextlib
import time

import pytest
from celery.signals import task_success
from dlq_router import DeadLetterRouter, Malformed, Rejected, dead_lettered_task, replay_tasks

from dojo.lab import sweep


class Consumer:
    """A connection to the broker and a router on it (by default 3 attempts, 10 s apart); `ids` are put into `queue`."""

    def __init__(self, lab, *ids, queue="orders", router=None, **options):
        self.lab, self.broker = lab, lab.broker()
        self.router = (router or DeadLetterRouter)(self.broker, **options)
        for id in ids:
            self.broker.publish(queue, b"", id=id)

    def one(self, queue, handler):
        return self.router.handle(self.broker.get(queue), handler)

    def all(self, queue, handler):
        """Handle what there is, waiting out the delays; the outcomes. A queue that never empties is left after 20."""
        outcomes = []
        while self.broker.messages(queue) and len(outcomes) < 20:
            if (delivery := self.broker.get(queue)) is not None:
                outcomes.append(self.router.handle(delivery, handler))
            else:
                time.sleep(10)
        return outcomes

    def places(self, queue="orders"):
        return self.broker.places(queue, f"{queue}.dlq")

    def letter(self, queue="orders"):
        """The one dead letter of `queue`."""
        letters = self.broker.messages(f"{queue}.dlq")
        self.lab.expect(f"messages in {queue}.dlq", len(letters), 1, trap="lost-message")
        return letters[0]

    def deaths(self, queue="orders"):
        return self.letter(queue).headers.get("deaths") or [{}]


def failing(error, times=10**9):
    """A handler that raises `error` the first `times` times; its `runs` are the bodies that it was given."""

    def handler(body):
        handler.runs.append(body)
        if len(handler.runs) <= times:
            raise error

    handler.runs = []
    return handler


def one_move_at_most_is_open(lab, sent, places, dropped=()):
    """Demand that each of `sent` is in "orders" or its dead-letter queue, and no more than one of them in both."""
    here, there = (places.get(queue, []) for queue in ("orders", "orders.dlq"))
    lost = [m for m in sent if m not in here + there]
    lab.expect("lost since the broker dropped them", [m for m in lost if m in dropped], [], trap="lost-message")
    lab.expect("messages in neither queue", lost, [], trap="ack-before-confirm")
    lab.expect("in both queues, the first apart", [m for m in here if m in there][1:], [], trap="wholesale-replay")


def test_a_handled_message_is_done(lab):
    """Rule 1. A message whose handler returns is acknowledged, and that is the end of it."""
    orders, seen = Consumer(lab), []
    for result in (None, False):
        orders.broker.publish("orders", b"order 7", id="m1")
        outcome = orders.one("orders", lambda body, result=result: seen.append(body) or result)
        lab.expect(f"outcome of a handler that returns {result}", outcome, "done", trap="wrong-outcome")
    lab.expect("what the handler was given", seen, [b"order 7"] * 2, trap="wrong-outcome")
    lab.expect("messages, by place", orders.places(), {}, trap="never-settled")


@pytest.mark.parametrize("attempts", [1, 2])
@sweep(kinds=("lost-request", "lost-reply"))
def test_a_lost_acknowledgement_is_no_failure_of_the_handler(lab, attempts):
    """Rule 1. A message whose handler returned neither dies nor is a retry because its acknowledgement got lost."""
    orders = Consumer(lab, "m1", max_attempts=attempts)
    outcome = lab.attempt_sync(lambda: orders.one("orders", lambda body: None), name="consumer").value
    outcome = lab.plain("outcome", outcome, trap="wrong-outcome")
    dead = [message.id for message in orders.broker.messages("orders.dlq")]
    told = (dead, outcome == "retry")
    lab.expect("dead letters, and whether it is a retry", told, ([], False), trap="blamed-handler")


def test_max_attempts_counts_the_first_delivery(lab):
    """Rule 2. A message is delivered `max_attempts` times, the first time included; only then it is dead."""
    for attempts in (3, 1):
        orders, handler = Consumer(lab, f"m{attempts}", max_attempts=attempts), failing(ConnectionError("bank down"))
        outcomes = orders.all("orders", handler)
        lab.expect(f"attempts, max_attempts={attempts}", len(handler.runs), attempts, trap="retries-are-not-attempts")
        lab.expect("outcomes", outcomes, ["retry"] * (attempts - 1) + ["dead"], trap="wrong-outcome")
    lab.expect("messages, by place", orders.places(), {"orders.dlq": ["m3", "m1"]}, trap="lost-message")
    outcomes = Consumer(lab, "m2").all("orders", failing(ValueError("no stock"), times=2))
    lab.expect("outcomes when it works again", outcomes, ["retry", "retry", "done"], trap="retries-are-not-attempts")
    with lab.raises(ValueError, when="for max_attempts=0", trap="silent-misconfiguration"):
        DeadLetterRouter(orders.broker, max_attempts=0)


def test_what_can_never_succeed_is_dead_at_once(lab):
    """Rule 3. A message whose handler raises `Malformed` or `Rejected` is dead at its first delivery."""
    late = type("TooLate", (Rejected,), {})("yesterday's")
    for queue, error in (("malformed", Malformed("no JSON")), ("rejected", late)):
        consumer = Consumer(lab, "m1", queue=queue)
        lab.expect(f"outcomes of {error!r}", consumer.all(queue, failing(error)), ["dead"], trap="hopeless-retry")
        death, text = consumer.deaths(queue)[0], f"{type(error).__name__}: {error}"
        lab.expect("reason and error", (death.get("reason"), death.get("error")), (queue, text), trap="no-reason")


def test_a_message_that_kills_its_consumers_dies_too(lab):
    """Rule 4. A delivery whose consumer dies counts as well; after `max_attempts` of them no handler runs."""
    lab.scenario("each consumer is a new process, and the message kills it")
    orders, runs = Consumer(lab, "m1"), []
    for n in range(1, 7):
        worker = Consumer(lab, router=lab.process().DeadLetterRouter)
        lab.attempt_sync(lambda w=worker: w.all("orders", lambda _: runs.append(1) or lab.die()), f"consumer {n}")
        if n == 1:
            lab.expect("after the first death, by place", orders.places(), {"orders": ["m1"]}, trap="early-ack")
    lab.expect("consumers killed", len(runs), 3, trap="in-memory-counter")
    lab.expect("messages, by place", orders.places(), {"orders.dlq": ["m1"]}, trap="lost-message")
    death = orders.deaths()[0]
    lab.expect("reason and error", (death.get("reason"), death.get("error")), ("poison", None), trap="no-reason")


def test_a_consumer_that_is_told_to_stop_stops(lab):
    """Rule 4. What a handler raises to end the process leaves `handle`, which settles nothing: it counts as a death."""
    orders, ended_by = Consumer(lab, "m1"), "SystemExit"
    with contextlib.suppress(SystemExit):
        ended_by = orders.one("orders", failing(SystemExit()))
    lab.expect("what ended `handle`", ended_by, "SystemExit", trap="unstoppable")
    lab.expect("messages, by place", orders.places(), {"held": ["m1"]}, trap="unstoppable")


def test_healthy_messages_pass_a_failing_one(lab):
    """Rule 5. A failing message waits `retry_delay` seconds outside the queue's head, and others pass it meanwhile."""
    orders = Consumer(lab, "poison", "healthy")
    outcome = orders.one("orders", failing(ValueError("no")))
    lab.expect("outcome, after seconds", (outcome, lab.now), ("retry", 0.0), trap="head-of-line-blocking")
    following = orders.broker.get("orders")
    lab.expect("delivered next", following and following.id, "healthy", trap="head-of-line-blocking")
    orders.router.handle(following, lambda body: None)
    for wait, ready in ((0, None), (9.999, None), (0.001, "poison")):
        time.sleep(wait)
        following = orders.broker.get("orders")
        lab.expect(f"delivered after {lab.now:g} s", following and following.id, ready, trap="wrong-delay")


def test_the_dead_letter_is_the_message(lab):
    """Rule 6. A dead letter has the body, byte for byte, the id and the headers that its producer gave it."""
    body, own = b'{"b": 1.10,  "a": "\\u00e9"}\r\n\xff\x00', {"trace": "4bf9", "tags": ["a", {"b": None}]}
    orders = Consumer(lab)
    orders.broker.publish("orders", body, id="m1", headers=own)
    orders.all("orders", failing(ValueError("no")))
    letter = orders.letter()
    lab.expect("body", letter.body, body, trap="re-serialised-body")
    lab.expect("id", letter.id, "m1", trap="identity-lost")
    lab.expect("the producer's headers", {key: letter.headers.get(key) for key in own}, own, trap="headers-lost")


def test_a_dead_letter_tells_why(lab):
    """Rule 7. `deaths` tells where, why, how often and when it died, one entry a (queue, reason), newest first."""
    orders = Consumer(lab, "m1", max_attempts=2)
    orders.all("orders", failing(ValueError("no stock")))
    expected = {"queue": "orders", "reason": "failed", "count": 1, "at": time.time(), "error": "ValueError: no stock"}
    lab.expect("deaths", orders.deaths(), [expected], trap="no-reason")


def test_the_history_of_a_wanderer(lab):
    """Rule 7. `deaths` has one entry a (queue, reason), newest first; the first queue never changes."""
    consumer, headers = Consumer(lab, max_attempts=1), {}
    failed, malformed = failing(KeyError("sku")), failing(Malformed("empty"))
    for queue, handler in [("orders", failed), ("billing", malformed), ("orders", failed), ("billing", failed)] * 3:
        time.sleep(1)
        consumer.broker.publish(queue, b"", id="m1", headers=headers)
        consumer.one(queue, handler)
        headers = consumer.letter(queue).headers
        consumer.broker.ack(consumer.broker.get(f"{queue}.dlq"))
    told = [(death["queue"], death["reason"], death["count"]) for death in headers.get("deaths", [])]
    lab.require(len(told) <= 3, expected="at most 3 entries", got=f"{len(told)}", trap="unbounded-history")
    expected = [("billing", "failed", 3), ("orders", "failed", 6), ("billing", "malformed", 3)]
    lab.expect("deaths", told, expected, trap="muddled-history")
    ages = [round(time.time() - death["at"]) for death in headers["deaths"]]
    lab.expect("seconds since each entry's latest death", ages, [0, 1, 2], trap="muddled-history")
    lab.expect("first-death-queue", headers.get("first-death-queue"), "orders", trap="muddled-history")


@pytest.mark.parametrize("reason", ["rejected", "failed", "poison"])
@sweep
def test_a_message_that_dies_is_never_lost(lab, reason):
    """Rule 8. Whatever breaks, the message is in its queue or a confirmed dead letter: twice perhaps, never nowhere."""
    orders = Consumer(lab, "m1", max_attempts=1)
    handler = failing(Rejected("no items") if reason == "rejected" else OSError("down"))
    if reason == "poison":
        with orders.broker.outage("orders.dlq"):
            orders.one("orders", handler)
        time.sleep(10)
    lab.attempt_sync(lambda: orders.one("orders", handler), name="consumer")
    orders.broker.close()
    one_move_at_most_is_open(lab, ["m1"], orders.places())


@pytest.mark.parametrize(("attempts", "runs", "reason"), [(3, 2, "malformed"), (1, 1, "poison")])
def test_a_dead_letter_queue_that_takes_nothing(lab, attempts, runs, reason):
    """Rule 8. If the dead-letter queue takes no message, `handle` gives it back for later; the consumer lives on."""
    orders, handler = Consumer(lab, "m1", max_attempts=attempts), failing(Malformed("no JSON"))
    with orders.broker.outage("orders.dlq"):
        outcome = lab.attempt_sync(lambda: orders.one("orders", handler), name="consumer")
    lab.expect("error raised by `handle`", outcome.error, None, trap="stuck-delivery")
    lab.expect("messages, by place", orders.places(), {"orders": ["m1"]}, trap="swallowed-publish-failure")
    lab.expect("outcome", outcome.value, "retry", trap="wrong-outcome")
    lab.expect("delivered at once", orders.broker.get("orders"), None, trap="wrong-delay")
    lab.expect("outcomes later", orders.all("orders", handler), ["dead"], trap="wrong-outcome")
    died = (len(handler.runs), orders.deaths()[0].get("reason"))
    lab.expect("attempts and reason", died, (runs, reason), trap="attempts-forgotten")


def test_each_subscriber_has_its_own_dead_letters(lab):
    """Rule 9. A message dies in one queue at a time: `<queue>.dlq` is for that queue alone."""
    lab.scenario("one event, copied to the queues of two subscribers; billing cannot read it")
    consumer, handled = Consumer(lab, "e1", queue="events.billing", max_attempts=1), []
    consumer.broker.publish("events.mail", b"", id="e1")
    consumer.all("events.billing", failing(KeyError("vat")))
    lab.expect("billing", consumer.places("events.billing"), {"events.billing.dlq": ["e1"]}, trap="shared-dead-letters")
    lab.expect("mail", consumer.places("events.mail"), {"events.mail": ["e1"]}, trap="shared-dead-letters")
    for subscriber in ("events.mail", "events.billing", "events.mail"):
        consumer.all(subscriber, lambda body, subscriber=subscriber: handled.append(subscriber))
        consumer.router.replay("events.billing")
    lab.expect("handled by", handled, ["events.mail", "events.billing"], trap="shared-dead-letters")


def test_a_dead_letter_queue_has_none_of_its_own(lab):
    """Rule 9. Nothing dies twice in a row: `handle` refuses dead letters, and a router needs a suffix."""
    consumer = Consumer(lab, "m1", queue="orders.dlq")
    with lab.raises(ValueError, when="for a delivery from orders.dlq", trap="self-loop"):
        consumer.one("orders.dlq", lambda body: None)
    lab.expect("the dead letter", consumer.places(), {"held": ["m1"]}, trap="self-loop")
    with lab.raises(ValueError, when='for suffix=""', trap="self-loop"):
        DeadLetterRouter(consumer.broker, suffix="")
    other = Consumer(lab, "m2", queue="bills.dlq", suffix=".d", max_attempts=1)
    with lab.no_error(expected='bills.dlq is a queue like any other for suffix=".d"', trap="self-loop"):
        other.all("bills.dlq", failing(OSError()))
    lab.expect("replayed from bills.dlq.d", other.router.replay("bills.dlq"), 1, trap="shared-dead-letters")


def test_a_replayed_message_has_all_its_attempts_again(lab):
    """Rule 10. `replay` gives a dead letter back to its queue as it was, with new attempts, its history, and a tag."""
    orders, body, bug = Consumer(lab), b'{"n":  1}', failing(ValueError("bug"))
    orders.broker.publish("orders", body, id="m1", headers={"trace": "4bf9"})
    orders.all("orders", bug)
    for replays in (1, 2):
        lab.expect("moved", orders.router.replay("orders"), 1, trap="wrong-replay")
        tags = [message.headers.get("replays") for message in orders.broker.messages("orders")]
        lab.expect("replays", tags, [replays], trap="replay-forgets")
        lab.expect("after the replay", orders.all("orders", bug), ["retry", "retry", "dead"], trap="replay-keeps-count")
        lab.expect("deaths", [death.get("count") for death in orders.deaths()], [replays + 1], trap="replay-forgets")
    orders.router.replay("orders")
    again = [(message.body, message.id, message.headers.get("trace")) for message in orders.broker.messages("orders")]
    lab.expect("its body, id and own header", again, [(body, "m1", "4bf9")], trap="identity-lost")
    lab.expect("outcomes after the fix", orders.all("orders", lambda body: None), ["done"], trap="wrong-replay")
    lab.expect("messages, by place", orders.places(), {}, trap="wrong-replay")


def test_a_replay_can_be_a_sample(lab):
    """Rule 10. `replay` moves the oldest first, and at most `limit` of them."""
    orders = Consumer(lab, "m1", "m2", "m3")
    orders.all("orders", failing(Rejected("bug")))
    for limit in (0, 2):
        lab.expect(f"moved, limit={limit}", orders.router.replay("orders", limit=limit), limit, trap="wrong-replay")
    lab.expect("by place", orders.places(), {"orders": ["m1", "m2"], "orders.dlq": ["m3"]}, trap="wrong-replay")
    lab.expect("moved without limit", orders.router.replay("orders"), 1, trap="wrong-replay")
    lab.expect("ready at once", getattr(orders.broker.get("orders"), "id", None), "m1", trap="wrong-delay")


@sweep
def test_a_replay_that_breaks_strikes_one_message(lab):
    """Rule 10. A replay confirms, then acknowledges, one message after the other: it loses none and doubles one."""
    orders = Consumer(lab, "m1", "m2", "m3", queue="orders.dlq")
    lab.attempt_sync(lambda: orders.router.replay("orders"), name="replay")
    orders.broker.close()
    one_move_at_most_is_open(lab, ["m1", "m2", "m3"], orders.places())


def test_what_may_be_lost_is_dropped_and_counted(lab):
    """Rule 11. What dies in a queue named in `discard` is dropped, and counted by queue and reason."""
    consumer = Consumer(lab, discard=("pings", "clicks"))
    for queue in ("pings", "pings", "clicks", "click"):
        consumer.broker.publish(queue, b"", id="m1")
    lab.expect("outcome", consumer.one("pings", failing(Malformed("no"))), "discarded", trap="wrong-outcome")
    later = consumer.all("pings", failing(OSError("down")))
    lab.expect("a ping's outcomes", later, ["retry", "retry", "discarded"], trap="discarded-too-early")
    for _ in range(3):
        lab.attempt_sync(lambda: consumer.one("clicks", lambda body: lab.die()))
    lab.expect("a poisonous click", consumer.all("clicks", failing(OSError())), ["discarded"], trap="wrong-outcome")
    counts = {("pings", "malformed"): 1, ("pings", "failed"): 1, ("clicks", "poison"): 1}
    lab.expect("router.discarded", dict(consumer.router.discarded), counts, trap="silent-discard")
    lab.expect("another router's", dict(Consumer(lab).router.discarded), {}, trap="silent-discard")
    lab.expect("pings, by place", consumer.places("pings"), {}, trap="never-settled")
    lab.expect('what dies in "click"', consumer.all("click", failing(Rejected("no"))), ["dead"], trap="silent-discard")


class Shop:
    """A Celery app and its task "charge" on the queue "orders", sent for all `orders`; `runs` are its executions."""

    def __init__(self, lab, answer, *orders, **options):
        self.lab, self.celery, self.answer, self.runs, self.results = lab, lab.celery(), answer, [], []
        self.app = self.celery.app()
        self.charge = dead_lettered_task(self.app, "charge", self.execute, queue="orders", **options)
        task_success.connect(lambda result, **_: self.results.append(result), weak=False)
        for order in orders:
            self.charge.delay(order)

    def execute(self, order, **kwargs):
        self.runs.append((self.lab.now, order, kwargs))
        return self.answer(order)

    def work(self):  # until nothing is ready or due
        self.celery.worker(self.app, queues=["orders"]).run()

    def places(self):
        return self.celery.places("orders", "orders.dlq")


def test_a_celery_task_that_keeps_failing_is_dead_lettered(lab):
    """Rule 12. On Celery, a task is executed `max_attempts` times and then rejected into the dead-letter queue."""
    shop = Shop(lab, failing(OSError("provider is down")), max_attempts=5)
    dead_lettered_task(shop.app, "mail", failing(None, times=0), queue="mails").delay(8)
    shop.charge.delay(7, currency="EUR")
    there = shop.celery.places("orders", "mails")
    lab.expect("sent, by place", there, {"orders": [(7,)], "mails": [(8,)]}, trap="undeclared-queue")
    [sent] = shop.celery.messages("orders")
    shop.work()
    expected = [(float(at), 7, {"currency": "EUR"}) for at in (0, 10, 20, 30, 40)]
    lab.expect("executions: time and arguments", shop.runs, expected, trap="retries-are-not-attempts")
    lab.expect("messages, by place", shop.places(), {"orders.dlq": [(7,)]}, trap="celery-does-not-dead-letter")
    [letter] = shop.celery.messages("orders.dlq")
    lab.expect("its id and body", (letter.id, letter.body), (sent.id, sent.body), trap="identity-lost")
    shop.celery.worker(shop.app).run()  # this one has no -Q, and consumes whatever it thinks it should
    lab.expect("executions, after a worker without -Q", len(shop.runs), 5, trap="executes-the-dead")


def test_a_hopeless_celery_task_is_executed_once(lab):
    """Rule 12. On Celery, a task that raises `Malformed` or `Rejected` is dead-lettered after one execution."""
    errors = {7: Malformed("no price"), 8: type("TooLate", (Rejected,), {})("yesterday's")}
    shop = Shop(lab, lambda order: failing(errors[order])(order), *errors)
    shop.work()
    lab.expect("orders executed", [order for _, order, _ in shop.runs], [7, 8], trap="hopeless-retry")
    lab.expect("messages, by place", shop.places(), {"orders.dlq": [(7,), (8,)]}, trap="celery-does-not-dead-letter")


def test_a_celery_task_that_kills_its_worker_is_dead_lettered(lab):
    """Rule 12. On Celery, an execution that ends with its process counts as well; other tasks are left alone."""
    lab.scenario('"charge" and "report", another task of the app, kill their worker\'s child process at each execution')
    shop = Shop(lab, lambda order: lab.die(), 7)
    shop.app.task(shop.execute, name="report", typing=False).delay("report")
    worker = shop.celery.worker(shop.app, queues=["orders", "celery"], pool="prefork")
    for _ in range(8):
        worker.step()
    executed = [order for _, order, _ in shop.runs]
    lab.expect("executions of charge", executed.count(7), 3, trap="lost-worker-acknowledges")
    lab.expect("messages, by place", shop.places(), {"orders.dlq": [(7,)]}, trap="lost-worker-acknowledges")
    lab.expect("executions of report", executed.count("report"), 1, trap="options-for-all-tasks")


def test_a_celery_task_is_replayed_after_the_fix(lab):
    """Rule 13. `replay_tasks` gives dead-lettered tasks back to their queue, with their id and all their attempts."""
    shop = Shop(lab, failing(OSError("bug")))
    for n in (1, 2):
        shop.charge.apply_async((n,), priority=3)
    sent = shop.celery.messages("orders")
    shop.work()
    for limit in (0, 1):
        lab.expect(f"moved, limit={limit}", replay_tasks(shop.app, "orders", limit=limit), limit, trap="wrong-replay")
    shop.runs.clear()
    shop.work()
    lab.expect("executions of the replayed task", len(shop.runs), 3, trap="replay-keeps-count")
    lab.expect("moved", replay_tasks(shop.app, "orders"), 2, trap="wrong-replay")
    [other, again] = shop.celery.messages("orders")
    lab.expect("ids", [other.id, again.id], [sent[1].id, sent[0].id], trap="identity-lost")
    for name in ("body", "content_type", "content_encoding"):
        lab.expect(name, getattr(again, name), getattr(sent[0], name), trap="re-serialised-body")
    for name in ("correlation_id", "priority"):
        lab.expect(name, again.properties.get(name), sent[0].properties[name], trap="identity-lost")
    lab.expect("replays", [m.headers.get("replays") for m in (other, again)], [1, 2], trap="replay-forgets")
    shop.answer = "charged order {}".format
    shop.work()
    lab.expect("results after the fix", shop.results, ["charged order 2", "charged order 1"], trap="wrong-replay")


@sweep(kinds=("died-after",), actor="B")  # A is the worker
def test_a_celery_replay_that_breaks_strikes_one_task(lab):
    """Rule 13. A replay confirms, then acknowledges, one task after the other: it loses none and doubles one."""
    shop = Shop(lab, failing(OSError("bug")), 7, 8, max_attempts=1)
    shop.work()
    lab.attempt_sync(lambda: replay_tasks(shop.app, "orders"), name="replay")
    one_move_at_most_is_open(lab, [(7,), (8,)], shop.places(), [task.args for task in shop.celery.dropped()])
