"""The rules of README.md, in order. Rules 1 to 11 run on a plain broker, 12 and 13 on Celery."""

import time

import pytest
from dlq_router import DeadLetterRouter, Malformed, Rejected, dead_lettered_task, replay_tasks

from dojo.lab import sweep


class Consumer:
    """One process that consumes: a connection to the broker and a router on it (by default 3 attempts, 10 s apart)."""

    def __init__(self, lab, *, router=None, **options):
        self.lab, self.broker = lab, lab.broker()
        self.router = (router or DeadLetterRouter)(self.broker, **options)

    def one(self, queue, handler):
        """Take one message and handle it; the outcome."""
        return self.router.handle(self.broker.get(queue), handler)

    def all(self, queue, handler):
        """Handle what there is, waiting out the delays; the outcomes. A queue that never empties is left after 20."""
        outcomes = []
        for _ in range(40):
            if (delivery := self.broker.get(queue)) is not None:
                outcomes.append(self.router.handle(delivery, handler))
            elif self.broker.messages(queue) and len(outcomes) < 20:
                time.sleep(10)
        return outcomes

    def places(self, queue="orders"):
        """The ids of all messages, by where they are."""
        found = {queue: self.broker.messages(queue), f"{queue}.dlq": self.broker.messages(f"{queue}.dlq")}
        ids = {place: [message.id for message in messages] for place, messages in found.items()}
        held = [id for place in found for id in self.broker.held(place)]
        return {place: there for place, there in {**ids, "held": held}.items() if there}

    def headers(self, queue):
        """The headers of the one message in `queue`."""
        messages = self.broker.messages(queue)
        self.lab.expect(f"messages in {queue}", len(messages), 1, trap="lost-message")
        return messages[0].headers


def failing(error, times=10**9, seen=None):
    """A handler that raises `error` the first `times` times; `seen` collects the bodies."""
    calls = [] if seen is None else seen

    def handler(body):
        calls.append(body)
        if len(calls) <= times:
            raise error

    return handler


def test_a_handled_message_is_done(lab):
    """Rule 1. A message whose handler returns is acknowledged, and that is the end of it."""
    orders, seen = Consumer(lab), []
    orders.broker.publish("orders", b"order 7", id="m1")
    lab.expect("outcome", orders.one("orders", seen.append), "done", trap="wrong-outcome")
    lab.expect("what the handler was given", seen, [b"order 7"], trap="wrong-outcome")
    lab.expect("messages, by place", orders.places(), {}, trap="never-settled")


def test_max_attempts_counts_the_first_delivery(lab):
    """Rule 2. A message is delivered `max_attempts` times, the first time included; then it is dead."""
    for attempts in (3, 1):
        orders, seen = Consumer(lab, max_attempts=attempts), []
        orders.broker.publish("orders", b"", id=f"m{attempts}")
        outcomes = orders.all("orders", failing(ValueError("no stock"), seen=seen))
        lab.expect(f"attempts, max_attempts={attempts}", len(seen), attempts, trap="retries-are-not-attempts")
        lab.expect("outcomes", outcomes, ["retry"] * (attempts - 1) + ["dead"], trap="wrong-outcome")
    lab.expect("messages, by place", orders.places(), {"orders.dlq": ["m3", "m1"]}, trap="lost-message")


def test_a_failure_that_passes_costs_nothing(lab):
    """Rule 2. A message is delivered `max_attempts` times, the first time included; only then it is dead."""
    orders = Consumer(lab)
    orders.broker.publish("orders", b"", id="m1")
    outcomes = orders.all("orders", failing(ConnectionError("card network down"), times=2))
    lab.expect("outcomes", outcomes, ["retry", "retry", "done"], trap="retries-are-not-attempts")
    lab.expect("messages, by place", orders.places(), {}, trap="never-settled")
    with lab.raises(ValueError, when="for max_attempts=0", trap="silent-misconfiguration"):
        DeadLetterRouter(orders.broker, max_attempts=0)


@pytest.mark.parametrize("reason", ["malformed", "rejected"])
def test_what_can_never_succeed_is_dead_at_once(lab, reason):
    """Rule 3. A message whose handler raises `Malformed` or `Rejected` is dead at its first delivery."""
    error = {"malformed": Malformed("no JSON"), "rejected": Rejected("no items")}[reason]
    orders = Consumer(lab)
    orders.broker.publish("orders", b"{", id="m1")
    lab.expect("outcomes", orders.all("orders", failing(error)), ["dead"], trap="hopeless-retry")
    lab.expect("messages, by place", orders.places(), {"orders.dlq": ["m1"]}, trap="lost-message")
    deaths = orders.headers("orders.dlq").get("deaths") or [{}]
    lab.expect("reason", deaths[0].get("reason"), reason, trap="no-reason")


def test_a_message_that_kills_its_consumers_dies_too(lab):
    """Rule 4. A delivery whose consumer dies counts as well; after `max_attempts` of them no handler runs."""
    lab.scenario("each consumer is a new process, and the message kills it")
    orders, started = Consumer(lab), []
    orders.broker.publish("orders", b"", id="m1")

    def explode(body):
        started.append(body)
        lab.die()

    for n in range(1, 7):
        worker = Consumer(lab, router=lab.process().DeadLetterRouter)
        if orders.broker.messages("orders"):
            lab.attempt_sync(lambda worker=worker: worker.one("orders", explode), name=f"consumer {n}")
        if n == 1:
            lab.expect("after the first death, by place", orders.places(), {"orders": ["m1"]}, trap="early-ack")
    lab.expect("consumers killed", len(started), 3, trap="in-memory-counter")
    lab.expect("messages, by place", orders.places(), {"orders.dlq": ["m1"]}, trap="lost-message")
    deaths = orders.headers("orders.dlq").get("deaths") or [{}]
    lab.expect("reason", deaths[0].get("reason"), "poison", trap="no-reason")


def test_healthy_messages_pass_a_failing_one(lab):
    """Rule 5. A failing message waits `retry_delay` seconds outside the queue's head, and others pass it meanwhile."""
    orders = Consumer(lab)
    for id in ("poison", "healthy"):
        orders.broker.publish("orders", id.encode(), id=id)
    lab.expect("outcome", orders.one("orders", failing(ValueError("no"))), "retry", trap="wrong-outcome")
    lab.expect("seconds spent in `handle`", lab.now, 0.0, trap="head-of-line-blocking")
    following = orders.broker.get("orders")
    lab.expect("delivered next", following and following.id, "healthy", trap="head-of-line-blocking")
    orders.router.handle(following, lambda body: None)
    for wait, ready in ((0, None), (9.999, None), (0.001, "poison")):
        time.sleep(wait)
        following = orders.broker.get("orders")
        lab.expect(f"delivered after {lab.now:g} s", following and following.id, ready, trap="wrong-delay")


def test_the_dead_letter_is_the_message(lab):
    """Rule 6. A dead letter has the body, byte for byte, the id and the headers that its producer gave it."""
    body = b'{"b": 1.10,  "a": "\\u00e9"}\r\n\xff\x00'
    orders = Consumer(lab)
    orders.broker.publish("orders", body, id="m1", headers={"trace": "4bf9", "tags": ["a", {"b": None}]})
    orders.all("orders", failing(ValueError("no")))
    [letter] = orders.broker.messages("orders.dlq") or [None]
    lab.require(letter is not None, expected="a dead letter", got="none", trap="lost-message")
    lab.expect("body", letter.body, body, trap="re-serialised-body")
    lab.expect("id", letter.id, "m1", trap="identity-lost")
    own = {key: letter.headers.get(key) for key in ("trace", "tags")}
    lab.expect("the producer's headers", own, {"trace": "4bf9", "tags": ["a", {"b": None}]}, trap="headers-lost")


def test_a_dead_letter_tells_why(lab):
    """Rule 7. `deaths` tells where, why, how often and when it died, one entry a (queue, reason), newest first."""
    orders = Consumer(lab, max_attempts=2)
    orders.broker.publish("orders", b"", id="m1", headers={"trace": "4bf9"})
    orders.all("orders", failing(ValueError("no stock")))
    expected = {"queue": "orders", "reason": "failed", "count": 1, "at": time.time(), "error": "ValueError: no stock"}
    headers = orders.headers("orders.dlq")
    lab.expect("deaths", headers.get("deaths"), [expected], trap="no-reason")
    lab.expect("first-death-queue", headers.get("first-death-queue"), "orders", trap="muddled-history")


def test_the_history_of_a_wanderer(lab):
    """Rule 7. `deaths` has one entry a (queue, reason), newest first; the first queue never changes."""
    consumer, headers = Consumer(lab, max_attempts=1), {}
    reasons = {"failed": KeyError("sku"), "rejected": Rejected("too late"), "malformed": Malformed("empty")}
    lived = [("orders", "failed"), ("orders", "malformed"), ("orders", "failed"), ("billing", "rejected")] * 3
    for queue, reason in lived:
        time.sleep(1)
        consumer.broker.publish(queue, b"", id="m1", headers=headers)
        consumer.one(queue, failing(reasons[reason]))
        headers = consumer.headers(f"{queue}.dlq")
        consumer.broker.ack(consumer.broker.get(f"{queue}.dlq"))
    told = [(death["queue"], death["reason"], death["count"]) for death in headers.get("deaths", [])]
    expected = [("billing", "rejected", 3), ("orders", "failed", 6), ("orders", "malformed", 3)]
    got = f"{len(told)} entries after twelve deaths"
    lab.require(len(told) <= 3, expected="3 entries, or fewer", got=got, trap="unbounded-history")
    lab.expect("deaths", told, expected, trap="muddled-history")
    ages = [round(time.time() - death["at"]) for death in headers["deaths"]]
    lab.expect("seconds since each entry's latest death", ages, [0, 1, 2], trap="muddled-history")
    lab.expect("first-death-queue", headers.get("first-death-queue"), "orders", trap="muddled-history")


@sweep
def test_a_message_that_dies_is_never_lost(lab):
    """Rule 8. Whatever breaks, the message is in its queue or a confirmed dead letter: twice perhaps, never nowhere."""
    orders = Consumer(lab)
    orders.broker.publish("orders", b"", id="m1")
    lab.attempt_sync(lambda: orders.one("orders", failing(Rejected("no items"))), name="consumer")
    orders.broker.close()
    successor = Consumer(lab)
    successor.all("orders", failing(Rejected("no items")))
    places = successor.places()
    copies = len(places.pop("orders.dlq", []))
    expected, got = "1 dead letter, or 2, and nothing elsewhere", f"{copies} dead letters, elsewhere {places}"
    lab.require(copies in (1, 2) and not places, expected=expected, got=got, trap="ack-before-confirm")


def test_a_dead_letter_queue_that_takes_nothing(lab):
    """Rule 8. If the dead-letter queue takes no message, `handle` gives it back for later; the consumer lives on."""
    orders = Consumer(lab)
    orders.broker.publish("orders", b"", id="m1")
    with orders.broker.outage("orders.dlq"):
        outcome = lab.attempt_sync(lambda: orders.one("orders", failing(Malformed("no JSON"))), name="consumer")
    lab.expect("error raised by `handle`", outcome.error, None, trap="stuck-delivery")
    lab.expect("messages, by place", orders.places(), {"orders": ["m1"]}, trap="swallowed-publish-failure")
    lab.expect("outcome", outcome.value, "retry", trap="wrong-outcome")
    lab.expect("delivered at once", orders.broker.get("orders"), None, trap="wrong-delay")
    lab.expect("outcomes later", orders.all("orders", failing(Malformed("no JSON"))), ["dead"], trap="wrong-outcome")


def test_each_subscriber_has_its_own_dead_letters(lab):
    """Rule 9. A message dies in one queue at a time: `<queue>.dlq` is for that queue alone."""
    lab.scenario("one event, copied to the queues of two subscribers; billing cannot read it")
    consumer, mailed, billed = Consumer(lab, max_attempts=1), [], []
    for subscriber in ("events.billing", "events.mail"):
        consumer.broker.publish(subscriber, b"signed up", id="e1")
    consumer.all("events.billing", failing(KeyError("vat")))
    consumer.all("events.mail", mailed.append)
    lab.expect(
        "billing's", consumer.places("events.billing"), {"events.billing.dlq": ["e1"]}, trap="shared-dead-letters"
    )
    lab.expect("mail's", consumer.places("events.mail"), {}, trap="shared-dead-letters")
    consumer.router.replay("events.billing")
    consumer.all("events.billing", billed.append)
    consumer.all("events.mail", mailed.append)
    lab.expect("handled by billing and mail", (len(billed), len(mailed)), (1, 1), trap="shared-dead-letters")


def test_a_dead_letter_queue_has_none_of_its_own(lab):
    """Rule 9. Nothing dies twice in a row: `handle` refuses dead letters, and a router needs a suffix."""
    consumer = Consumer(lab)
    consumer.broker.publish("orders.dlq", b"", id="m1")
    with lab.raises(ValueError, when="for a delivery from orders.dlq", trap="self-loop"):
        consumer.one("orders.dlq", lambda body: None)
    lab.expect("the dead letter", consumer.places(), {"held": ["m1"]}, trap="self-loop")
    with lab.raises(ValueError, when='for suffix=""', trap="self-loop"):
        DeadLetterRouter(consumer.broker, suffix="")
    other = Consumer(lab, suffix="/dead", max_attempts=1)
    other.broker.publish("bills.dlq", b"", id="m2")
    with lab.no_error(expected='bills.dlq is a queue like any other for suffix="/dead"', trap="self-loop"):
        other.all("bills.dlq", failing(OSError()))
    lab.expect("dead letters", len(other.broker.messages("bills.dlq/dead")), 1, trap="shared-dead-letters")


def test_a_replayed_message_has_all_its_attempts_again(lab):
    """Rule 10. `replay` gives a dead letter back to its queue as it was, with new attempts, its history, and a tag."""
    orders, body = Consumer(lab), b'{"n":  1}'
    orders.broker.publish("orders", body, id="m1", headers={"trace": "4bf9"})
    orders.all("orders", failing(ValueError("bug")))
    for replays in (1, 2):
        lab.expect("moved", orders.router.replay("orders"), 1, trap="wrong-replay")
        headers = orders.headers("orders")
        lab.expect("replays", headers.get("replays"), replays, trap="replay-forgets")
        outcomes = orders.all("orders", failing(ValueError("bug")))
        lab.expect("outcomes after the replay", outcomes, ["retry", "retry", "dead"], trap="replay-keeps-count")
        deaths = orders.headers("orders.dlq").get("deaths") or [{}]
        lab.expect("deaths counted", [death.get("count") for death in deaths], [replays + 1], trap="replay-forgets")
    orders.router.replay("orders")
    [message] = orders.broker.messages("orders")
    lab.expect("its body and id", (message.body, message.id), (body, "m1"), trap="identity-lost")
    lab.expect("its own header", message.headers.get("trace"), "4bf9", trap="headers-lost")
    lab.expect("outcomes after the fix", orders.all("orders", lambda body: None), ["done"], trap="wrong-replay")
    lab.expect("messages, by place", orders.places(), {}, trap="wrong-replay")


def test_a_replay_can_be_a_sample(lab):
    """Rule 10. `replay` moves the oldest first, and at most `limit` of them."""
    orders = Consumer(lab)
    for n in (1, 2, 3):
        orders.broker.publish("orders", b"", id=f"m{n}")
    orders.all("orders", failing(Rejected("bug")))
    lab.expect("moved with limit=2", orders.router.replay("orders", limit=2), 2, trap="wrong-replay")
    expected = {"orders": ["m1", "m2"], "orders.dlq": ["m3"]}
    lab.expect("messages, by place", orders.places(), expected, trap="wrong-replay")
    lab.expect("moved with limit=0", orders.router.replay("orders", limit=0), 0, trap="wrong-replay")
    lab.expect("moved without a limit", orders.router.replay("orders"), 1, trap="wrong-replay")


@sweep
def test_a_replayed_message_is_never_lost(lab):
    """Rule 10. A replay confirms before it acknowledges: whatever breaks, the message is in one of the two queues."""
    orders = Consumer(lab)
    orders.broker.publish("orders.dlq", b"", id="m1")
    lab.attempt_sync(lambda: orders.router.replay("orders"), name="replay")
    orders.broker.close()
    Consumer(lab).router.replay("orders")
    copies = orders.places().get("orders", [])
    got = f"{len(copies)} copies, messages by place {orders.places()}"
    lab.require(len(copies) in (1, 2), expected="1 copy in the queue, or 2", got=got, trap="ack-before-confirm")


def test_what_may_be_lost_is_dropped_and_counted(lab):
    """Rule 11. What dies in a queue named in `discard` is dropped, and counted by queue and reason."""
    consumer = Consumer(lab, discard=("pings", "clicks"))
    for n, queue in enumerate(("pings", "pings", "clicks", "click")):
        consumer.broker.publish(queue, b"", id=f"m{n}")
    lab.expect("outcome", consumer.one("pings", failing(Malformed("no"))), "discarded", trap="wrong-outcome")
    later = consumer.all("pings", failing(OSError("down")))
    lab.expect("a ping's outcomes", later, ["retry", "retry", "discarded"], trap="discarded-too-early")
    consumer.all("clicks", failing(OSError("down")))
    counts = {("pings", "malformed"): 1, ("pings", "failed"): 1, ("clicks", "failed"): 1}
    lab.expect("router.discarded", dict(consumer.router.discarded), counts, trap="silent-discard")
    lab.expect("pings, by place", consumer.places("pings"), {}, trap="never-settled")
    others = consumer.all("click", failing(Rejected("no")))
    lab.expect('outcomes in the queue "click"', others, ["dead"], trap="silent-discard")


class Shop:
    """A Celery app with the task "charge" on the queue "orders"; `runs` are its executions."""

    def __init__(self, lab, answer, **options):
        self.lab, self.celery, self.answer, self.runs = lab, lab.celery(), answer, []
        self.app = self.celery.app()
        self.charge = dead_lettered_task(self.app, "charge", self.execute, queue="orders", **options)

    def execute(self, *args, **kwargs):
        self.runs.append((self.lab.now, args, kwargs))
        return self.answer()

    def work(self, **options):
        """Run a worker (`celery worker -Q orders`) until nothing is ready or due."""
        self.celery.worker(self.app, queues=["orders"], **options).run()

    def places(self):
        depths = {queue: self.celery.depth(queue) for queue in ("orders", "orders.dlq")}
        return {queue: depth for queue, depth in depths.items() if depth}


def fail():
    raise OSError("provider is down")


def test_a_celery_task_that_keeps_failing_is_dead_lettered(lab):
    """Rule 12. On Celery, a task is executed `max_attempts` times and then rejected into the dead-letter queue."""
    shop = Shop(lab, fail, max_attempts=5)
    shop.charge.delay(7, currency="EUR")
    [sent] = shop.celery.messages("orders") or [None]
    lab.require(sent is not None, expected='a message in "orders"', got="none", trap="undeclared-queue")
    shop.work()
    expected = [(float(at), (7,), {"currency": "EUR"}) for at in (0, 10, 20, 30, 40)]
    lab.expect("executions: time and arguments", shop.runs, expected, trap="retries-are-not-attempts")
    lab.expect("messages, by place", shop.places(), {"orders.dlq": 1}, trap="celery-does-not-dead-letter")
    [letter] = shop.celery.messages("orders.dlq")
    lab.expect("its id and body", (letter.id, letter.body), (sent.id, sent.body), trap="identity-lost")
    shop.celery.worker(shop.app).run()  # this one has no -Q, and consumes whatever it thinks it should
    lab.expect("executions, after a worker without -Q", len(shop.runs), 5, trap="executes-the-dead")
    lab.expect("messages, by place", shop.places(), {"orders.dlq": 1}, trap="executes-the-dead")


@pytest.mark.parametrize("reason", ["malformed", "rejected"])
def test_a_hopeless_celery_task_is_executed_once(lab, reason):
    """Rule 12. On Celery, a task that raises `Malformed` or `Rejected` is dead-lettered after one execution."""

    def refuse():
        raise {"malformed": Malformed, "rejected": Rejected}[reason]("no items")

    shop = Shop(lab, refuse)
    shop.charge.delay(7)
    shop.work()
    lab.expect("executions", len(shop.runs), 1, trap="hopeless-retry")
    lab.expect("messages, by place", shop.places(), {"orders.dlq": 1}, trap="celery-does-not-dead-letter")


def test_a_celery_task_that_kills_its_worker_is_dead_lettered(lab):
    """Rule 12. On Celery, an execution that ends with its process counts as well."""
    lab.scenario("the child process of the worker is killed in the middle of each execution")
    shop = Shop(lab, lab.die)
    shop.charge.delay(7)
    worker = shop.celery.worker(shop.app, queues=["orders"], pool="prefork")
    for _ in range(10):
        worker.step()
    lab.expect("executions", len(shop.runs), 3, trap="lost-worker-acknowledges")
    lab.expect("messages, by place", shop.places(), {"orders.dlq": 1}, trap="lost-worker-acknowledges")


def test_a_celery_task_is_replayed_after_the_fix(lab):
    """Rule 13. `replay_tasks` gives dead-lettered tasks back to their queue, with their id and all their attempts."""
    shop = Shop(lab, fail)
    for n in (1, 2):
        shop.charge.apply_async((n,), priority=3)
    sent = shop.celery.messages("orders")
    shop.work()
    lab.expect("moved with limit=1", replay_tasks(shop.app, "orders", limit=1), 1, trap="wrong-replay")
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
    tags = [message.headers.get("replays") for message in (other, again)]
    lab.expect("replays", tags, [1, 2], trap="replay-forgets")
    shop.answer = lambda: "charged"
    shop.runs.clear()
    shop.work()
    lab.expect("executions after the fix", [args for _, args, _ in shop.runs], [(2,), (1,)], trap="wrong-replay")
    lab.expect("messages, by place", shop.places(), {}, trap="wrong-replay")


@sweep(actor="B")  # A is the worker
def test_a_replayed_celery_task_is_never_lost(lab):
    """Rule 13. A replay confirms before it acknowledges: whenever it dies, the task is in one of the two queues."""
    shop = Shop(lab, fail, max_attempts=1)
    shop.charge.delay(7)
    shop.work()
    lab.attempt_sync(lambda: replay_tasks(shop.app, "orders"), name="replay")
    replay_tasks(shop.app, "orders")
    copies = shop.celery.depth("orders")
    got = f"{copies} copies, messages by place {shop.places()}"
    lab.require(copies in (1, 2), expected="1 copy in the queue, or 2", got=got, trap="ack-before-confirm")
