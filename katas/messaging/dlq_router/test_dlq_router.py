"""The rules of README.md, in order. Rules 1 to 11 run on a plain broker, 12 and 13 on Celery."""

import functools
import time

from celery.signals import task_success
from dlq_router import DeadLetterRouter, Malformed, Rejected, dead_lettered_task, replay_tasks

from dojo.lab import sweep


class Consumer:
    """One process that consumes: a connection to the broker and a router on it (by default 3 attempts, 10 s apart)."""

    def __init__(self, lab, router=None, **options):
        self.lab, self.broker = lab, lab.broker()
        self.router = (router or DeadLetterRouter)(self.broker, **options)

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
        """The ids of all messages, by where they are."""
        both = (queue, f"{queue}.dlq")
        ids = {place: [message.id for message in self.broker.messages(place)] for place in both}
        held = [id for place in both for id in self.broker.held(place)]
        return {place: there for place, there in {**ids, "held": held}.items() if there}

    def only(self, queue):
        """The one message in `queue`."""
        messages = self.broker.messages(queue)
        self.lab.expect(f"messages in {queue}", len(messages), 1, trap="lost-message")
        return messages[0]

    def deaths(self, queue="orders"):
        """The history of the one dead letter of `queue`."""
        return self.only(f"{queue}.dlq").headers.get("deaths") or [{}]


def failing(error, times=10**9, runs=None):
    """A handler that raises `error` the first `times` times; `runs` collects the bodies."""
    runs = [] if runs is None else runs

    def handler(body):
        runs.append(body)
        if len(runs) <= times:
            raise error

    return handler


def never_nowhere(lab, places, queue):
    """Demand that the one message is in `queue`, twice at most, and nowhere else."""
    copies = len(places.pop(queue, []))
    ok, got = copies in (1, 2) and not places, f"{copies} in {queue}; elsewhere {places or 'none'}"
    lab.require(ok, expected=f"1 in {queue}, or 2; elsewhere none", got=got, trap="ack-before-confirm")


def test_a_handled_message_is_done(lab):
    """Rule 1. A message whose handler returns is acknowledged, and that is the end of it."""
    orders, seen = Consumer(lab), []
    for result in (None, False):
        orders.broker.publish("orders", b"order 7", id="m1")
        outcome = orders.one("orders", lambda body, result=result: seen.append(body) or result)
        lab.expect(f"outcome of a handler that returns {result}", outcome, "done", trap="wrong-outcome")
    lab.expect("what the handler was given", seen, [b"order 7"] * 2, trap="wrong-outcome")
    lab.expect("messages, by place", orders.places(), {}, trap="never-settled")


@sweep(kinds=("lost-request", "lost-reply"))
def test_a_lost_acknowledgement_is_no_failure_of_the_handler(lab):
    """Rule 1. A message whose handler returned does not die of an acknowledgement that got lost."""
    orders = Consumer(lab, max_attempts=1)
    orders.broker.publish("orders", b"", id="m1")
    lab.attempt_sync(lambda: orders.one("orders", lambda body: None), name="consumer")
    dead = [message.id for message in orders.broker.messages("orders.dlq")]
    lab.expect("dead letters, after a handler that returned", dead, [], trap="blamed-handler")


def test_max_attempts_counts_the_first_delivery(lab):
    """Rule 2. A message is delivered `max_attempts` times, the first time included; only then it is dead."""
    for attempts in (3, 1):
        orders, runs = Consumer(lab, max_attempts=attempts), []
        orders.broker.publish("orders", b"", id=f"m{attempts}")
        outcomes = orders.all("orders", failing(ValueError("no stock"), runs=runs))
        lab.expect(f"attempts, max_attempts={attempts}", len(runs), attempts, trap="retries-are-not-attempts")
        lab.expect("outcomes", outcomes, ["retry"] * (attempts - 1) + ["dead"], trap="wrong-outcome")
    lab.expect("messages, by place", orders.places(), {"orders.dlq": ["m3", "m1"]}, trap="lost-message")
    cards = Consumer(lab)
    cards.broker.publish("cards", b"", id="m2")
    outcomes = cards.all("cards", failing(ConnectionError("card network down"), times=2))
    lab.expect("outcomes when it works again", outcomes, ["retry", "retry", "done"], trap="retries-are-not-attempts")
    with lab.raises(ValueError, when="for max_attempts=0", trap="silent-misconfiguration"):
        DeadLetterRouter(orders.broker, max_attempts=0)


def test_what_can_never_succeed_is_dead_at_once(lab):
    """Rule 3. A message whose handler raises `Malformed` or `Rejected` is dead at its first delivery."""
    late = type("TooLate", (Rejected,), {})("yesterday's")
    for queue, error in (("malformed", Malformed("no JSON")), ("rejected", Rejected("no items")), ("rejected", late)):
        consumer = Consumer(lab)
        consumer.broker.publish(queue, b"{", id="m1")
        lab.expect(f"outcomes of {error!r}", consumer.all(queue, failing(error)), ["dead"], trap="hopeless-retry")
        lab.expect("reason", consumer.deaths(queue)[0].get("reason"), queue, trap="no-reason")
        consumer.broker.ack(consumer.broker.get(f"{queue}.dlq"))


def test_a_message_that_kills_its_consumers_dies_too(lab):
    """Rule 4. A delivery whose consumer dies counts as well; after `max_attempts` of them no handler runs."""
    lab.scenario("each consumer is a new process, and the message kills it")
    orders, started = Consumer(lab), []
    orders.broker.publish("orders", b"", id="m1")
    for n in range(1, 7):
        worker = Consumer(lab, lab.process().DeadLetterRouter)
        if orders.broker.messages("orders"):
            explode = functools.partial(worker.one, "orders", lambda body: started.append(body) or lab.die())
            lab.attempt_sync(explode, name=f"consumer {n}")
        if n == 1:
            lab.expect("after the first death, by place", orders.places(), {"orders": ["m1"]}, trap="early-ack")
    lab.expect("consumers killed", len(started), 3, trap="in-memory-counter")
    lab.expect("messages, by place", orders.places(), {"orders.dlq": ["m1"]}, trap="lost-message")
    death = orders.deaths()[0]
    lab.expect("reason and error", (death.get("reason"), death.get("error")), ("poison", None), trap="no-reason")


def test_healthy_messages_pass_a_failing_one(lab):
    """Rule 5. A failing message waits `retry_delay` seconds outside the queue's head, and others pass it meanwhile."""
    orders = Consumer(lab)
    for id in ("poison", "healthy"):
        orders.broker.publish("orders", id.encode(), id=id)
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
    letter = orders.only("orders.dlq")
    lab.expect("body", letter.body, body, trap="re-serialised-body")
    lab.expect("id", letter.id, "m1", trap="identity-lost")
    lab.expect("the producer's headers", {key: letter.headers.get(key) for key in own}, own, trap="headers-lost")


def test_a_dead_letter_tells_why(lab):
    """Rule 7. `deaths` tells where, why, how often and when it died, one entry a (queue, reason), newest first."""
    orders = Consumer(lab, max_attempts=2)
    orders.broker.publish("orders", b"", id="m1", headers={"trace": "4bf9"})
    orders.all("orders", failing(ValueError("no stock")))
    expected = {"queue": "orders", "reason": "failed", "count": 1, "at": time.time(), "error": "ValueError: no stock"}
    lab.expect("deaths", orders.deaths(), [expected], trap="no-reason")


def test_the_history_of_a_wanderer(lab):
    """Rule 7. `deaths` has one entry a (queue, reason), newest first; the first queue never changes."""
    consumer, headers = Consumer(lab, max_attempts=1), {}
    reasons = {"failed": KeyError("sku"), "rejected": Rejected("too late"), "malformed": Malformed("empty")}
    lived = [("orders", "failed"), ("orders", "malformed"), ("orders", "failed"), ("billing", "rejected")] * 3
    for queue, reason in lived:
        time.sleep(1)
        consumer.broker.publish(queue, b"", id="m1", headers=headers)
        consumer.one(queue, failing(reasons[reason]))
        headers = consumer.only(f"{queue}.dlq").headers
        consumer.broker.ack(consumer.broker.get(f"{queue}.dlq"))
    told = [(death["queue"], death["reason"], death["count"]) for death in headers.get("deaths", [])]
    lab.require(len(told) <= 3, expected="at most 3 entries", got=f"{len(told)}", trap="unbounded-history")
    expected = [("billing", "rejected", 3), ("orders", "failed", 6), ("orders", "malformed", 3)]
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
    never_nowhere(lab, successor.places(), "orders.dlq")


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
    consumer, billed, mailed = Consumer(lab, max_attempts=1), [], []
    for subscriber in ("events.billing", "events.mail"):
        consumer.broker.publish(subscriber, b"signed up", id="e1")
    consumer.all("events.billing", failing(KeyError("vat")))
    consumer.all("events.mail", mailed.append)
    dead = {"events.billing.dlq": ["e1"]}
    lab.expect("billing's, by place", consumer.places("events.billing"), dead, trap="shared-dead-letters")
    lab.expect("mail's, by place", consumer.places("events.mail"), {}, trap="shared-dead-letters")
    consumer.router.replay("events.billing")
    for subscriber, inbox in (("events.billing", billed), ("events.mail", mailed)):
        consumer.all(subscriber, inbox.append)
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
    other = Consumer(lab, suffix=".d", max_attempts=1)
    other.broker.publish("bills.dlq", b"", id="m2")
    with lab.no_error(expected='bills.dlq is a queue like any other for suffix=".d"', trap="self-loop"):
        other.all("bills.dlq", failing(OSError()))
    lab.expect("replayed from bills.dlq.d", other.router.replay("bills.dlq"), 1, trap="shared-dead-letters")


def test_a_replayed_message_has_all_its_attempts_again(lab):
    """Rule 10. `replay` gives a dead letter back to its queue as it was, with new attempts, its history, and a tag."""
    orders, body = Consumer(lab), b'{"n":  1}'
    orders.broker.publish("orders", body, id="m1", headers={"trace": "4bf9"})
    orders.all("orders", failing(ValueError("bug")))
    for replays in (1, 2):
        lab.expect("moved", orders.router.replay("orders"), 1, trap="wrong-replay")
        lab.expect("replays", orders.only("orders").headers.get("replays"), replays, trap="replay-forgets")
        outcomes = orders.all("orders", failing(ValueError("bug")))
        lab.expect("outcomes after the replay", outcomes, ["retry", "retry", "dead"], trap="replay-keeps-count")
        counts = [death.get("count") for death in orders.deaths()]
        lab.expect("deaths counted", counts, [replays + 1], trap="replay-forgets")
    orders.router.replay("orders")
    message = orders.only("orders")
    told = (message.body, message.id, message.headers.get("trace"))
    lab.expect("its body, id and own header", told, (body, "m1", "4bf9"), trap="identity-lost")
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
    moved = [orders.router.replay("orders", limit=0), orders.router.replay("orders")]
    lab.expect("moved with limit=0, then without", moved, [0, 1], trap="wrong-replay")
    lab.expect("ready at once", getattr(orders.broker.get("orders"), "id", None), "m1", trap="wrong-delay")


@sweep
def test_a_replayed_message_is_never_lost(lab):
    """Rule 10. A replay confirms before it acknowledges: whatever breaks, the message is in one of the two queues."""
    orders = Consumer(lab)
    orders.broker.publish("orders.dlq", b"", id="m1")
    lab.attempt_sync(lambda: orders.router.replay("orders"), name="replay")
    orders.broker.close()
    Consumer(lab).router.replay("orders")
    never_nowhere(lab, orders.places(), "orders")


@sweep
def test_a_replay_that_breaks_doubles_one_message_at_most(lab):
    """Rule 10. A replay moves one message after the other: whatever breaks, it strikes only one of them."""
    orders = Consumer(lab)
    for id in ("m1", "m2", "m3"):
        orders.broker.publish("orders.dlq", b"", id=id)
    lab.attempt_sync(lambda: orders.router.replay("orders"), name="replay")
    orders.broker.close()
    here, there = ({message.id for message in orders.broker.messages(queue)} for queue in ("orders", "orders.dlq"))
    ok, got = len(here & there) <= 1, f"in both queues: {', '.join(sorted(here & there))}"
    lab.require(ok, expected="in both queues: 1 message at most", got=got, trap="wholesale-replay")


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
    """A Celery app with the task "charge" on the queue "orders"; `runs` are its executions, `results` its results."""

    def __init__(self, lab, answer, **options):
        self.lab, self.celery, self.answer, self.runs, self.results = lab, lab.celery(), answer, [], []
        self.app = self.celery.app()
        self.charge = dead_lettered_task(self.app, "charge", self.execute, queue="orders", **options)
        task_success.connect(lambda result, **_: self.results.append(result), weak=False)

    def execute(self, order, **kwargs):
        self.runs.append((self.lab.now, order, kwargs))
        return self.answer(order)

    def work(self):
        """Run a worker (`celery worker -Q orders`) until nothing is ready or due."""
        self.celery.worker(self.app, queues=["orders"]).run()

    def places(self):
        """The arguments of all messages, by where they are."""
        found = {queue: [m.args for m in self.celery.messages(queue)] for queue in ("orders", "orders.dlq")}
        return {queue: there for queue, there in found.items() if there}


def test_a_celery_task_that_keeps_failing_is_dead_lettered(lab):
    """Rule 12. On Celery, a task is executed `max_attempts` times and then rejected into the dead-letter queue."""
    shop = Shop(lab, failing(OSError("provider is down")), max_attempts=5)
    dead_lettered_task(shop.app, "mail", failing(None, times=0), queue="mails").delay(8)
    shop.charge.delay(7, currency="EUR")
    depths = {queue: shop.celery.depth(queue) for queue in ("orders", "mails")}
    lab.expect("messages of two tasks", depths, {"orders": 1, "mails": 1}, trap="undeclared-queue")
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
    for n, error in enumerate((Malformed("no price"), Rejected("no items")), 1):
        shop = Shop(lab, failing(error))
        shop.charge.delay(7)
        shop.work()
        lab.expect(f"executions ending in {error!r}", len(shop.runs), 1, trap="hopeless-retry")
        lab.expect("messages, by place", shop.places(), {"orders.dlq": [(7,)] * n}, trap="celery-does-not-dead-letter")


def test_a_celery_task_that_kills_its_worker_is_dead_lettered(lab):
    """Rule 12. On Celery, an execution that ends with its process counts as well."""
    lab.scenario("the child process of the worker is killed in the middle of each execution")
    shop = Shop(lab, lambda order: lab.die())
    shop.charge.delay(7)
    worker = shop.celery.worker(shop.app, queues=["orders"], pool="prefork")
    for _ in range(10):
        worker.step()
    lab.expect("executions", len(shop.runs), 3, trap="lost-worker-acknowledges")
    lab.expect("messages, by place", shop.places(), {"orders.dlq": [(7,)]}, trap="lost-worker-acknowledges")


def test_the_other_tasks_of_a_celery_app_are_left_alone(lab):
    """Rule 12. Only the task itself is dead-lettered: the other tasks of its app keep Celery's defaults."""
    lab.scenario('"report" is another task of the app; it kills its worker, which by default is the end of its message')
    shop = Shop(lab, lambda order: lab.die())

    def report():
        shop.execute(7)

    shop.app.task(name="report")(report).delay()
    worker = shop.celery.worker(shop.app, queues=["celery"], pool="prefork")
    for _ in range(5):
        worker.step()
    lab.expect("executions of report", len(shop.runs), 1, trap="options-for-all-tasks")


def test_a_celery_task_is_replayed_after_the_fix(lab):
    """Rule 13. `replay_tasks` gives dead-lettered tasks back to their queue, with their id and all their attempts."""
    shop = Shop(lab, failing(OSError("bug")))
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
    lab.expect("replays", [m.headers.get("replays") for m in (other, again)], [1, 2], trap="replay-forgets")
    shop.answer = "charged order {}".format
    shop.work()
    lab.expect("results after the fix", shop.results, ["charged order 2", "charged order 1"], trap="wrong-replay")


@sweep(actor="B")  # A is the worker
def test_a_replayed_celery_task_is_never_lost(lab):
    """Rule 13. A replay confirms before it acknowledges: whenever it dies, the task is in one of the two queues."""
    shop = Shop(lab, failing(OSError("bug")), max_attempts=1)
    shop.charge.delay(7)
    shop.work()
    lab.attempt_sync(lambda: replay_tasks(shop.app, "orders"), name="replay")
    replay_tasks(shop.app, "orders")
    never_nowhere(lab, shop.places(), "orders")
