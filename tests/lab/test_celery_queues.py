"""The broker under Celery: order, priorities, requeueing and dead letters as RabbitMQ has them."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

import pytest
from celery.exceptions import Ignore, Reject
from kombu import Exchange, Queue
from kombu.exceptions import ChannelError

DEAD_LETTERED = (
    Queue("orders", queue_arguments={"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "orders.dlq"}),
    Queue("orders.dlq"),
)


def declared(celery: Any, *queues: Queue, **settings: Any) -> Any:
    """An app with these queues, of which the first is the default, and a worker that has declared them."""
    app = celery.app(task_queues=queues, task_default_queue=queues[0].name, **settings)
    celery.worker(app)
    return app


def test_a_quorum_queue_counts_deliveries_and_gives_up(green: Any) -> None:
    def test(lab: Any) -> None:
        celery = lab.celery()
        arguments = {**DEAD_LETTERED[0].queue_arguments, "x-queue-type": "quorum", "x-delivery-limit": 2}
        app = declared(celery, Queue("orders", queue_arguments=arguments), Queue("orders.dlq"), task_acks_late=True,
                       task_reject_on_worker_lost=True)  # fmt: skip
        counts = []

        @app.task(bind=True)
        def poison(self: Any) -> None:
            counts.append(self.request.get("x-delivery-count"))
            lab.die()

        poison.delay()
        celery.worker(app, queues=["orders"], pool="prefork").run()
        [dead] = celery.messages("orders.dlq")
        assert dead.headers["x-death"][0]["reason"] == "delivery_limit"
        assert counts == [None, 1, 2]
        assert "x-delivery-count" not in dead.headers

    green(test)


@pytest.mark.parametrize(
    ("limit", "deliveries"), [({}, 21), ({"x-delivery-limit": 0}, 1), ({"x-delivery-limit": -1}, 30)]
)
def test_a_quorum_queue_has_a_limit_unless_it_is_negative(green: Any, limit: dict[str, int], deliveries: int) -> None:
    def test(lab: Any) -> None:
        celery = lab.celery()
        app = declared(celery, Queue("orders", queue_arguments={"x-queue-type": "quorum", **limit}))
        app.send_task("charge", (7,))
        for taken in range(30):
            with app.connection_for_read() as connection:
                if Queue("orders")(connection.default_channel).get() is None:
                    assert taken == deliveries
                    break
        assert [task.args for task in celery.dropped()] == [(7,)] * (deliveries < 30)

    green(test)


def test_priorities_need_a_queue_that_has_them(green: Any) -> None:
    def test(lab: Any) -> None:
        celery = lab.celery()
        app = declared(celery, Queue("urgent", queue_arguments={"x-max-priority": 5}), Queue("plain"))
        ran = []

        @app.task
        def note(name: str) -> None:
            ran.append(name)

        for queue in ("urgent", "plain"):
            for name, priority in (("low", 1), ("none", None), ("high", 5), ("over", 9), ("high again", 5)):
                note.apply_async((f"{queue} {name}",), queue=queue, priority=priority)
        celery.worker(app, queues=["urgent"]).run()
        celery.worker(app, queues=["plain"]).run()
        assert ran == [
            *("urgent high", "urgent over", "urgent high again", "urgent low", "urgent none"),
            *("plain low", "plain none", "plain high", "plain over", "plain high again"),
        ]

    green(test)


def test_a_rejected_message_keeps_its_body_and_gains_its_history(green: Any) -> None:
    def test(lab: Any) -> None:
        celery = lab.celery()
        app = declared(celery, *DEAD_LETTERED, task_acks_late=True)

        @app.task
        def charge(n: int, *, currency: str) -> None:
            raise Reject("no such account", requeue=False)

        charge.delay(7, currency="EUR")
        [sent] = celery.messages("orders")
        time.sleep(5)
        celery.worker(app, queues=["orders"]).run()
        [dead] = celery.messages("orders.dlq")
        assert (dead.body, dead.id, dead.args, dead.kwargs) == (sent.body, sent.id, (7,), {"currency": "EUR"})
        [death] = dead.headers["x-death"]
        assert death == {
            "count": 1,
            "reason": "rejected",
            "queue": "orders",
            "time": datetime.fromtimestamp(time.time(), UTC).replace(tzinfo=None),
            "exchange": "",
            "routing-keys": ["orders"],
        }
        assert dead.headers["x-first-death-queue"] == dead.headers["x-last-death-queue"] == "orders"
        assert not dead.redelivered

    green(test)


def test_deaths_are_counted_a_queue_and_reason_the_newest_first(green: Any) -> None:
    """A message that waits out a TTL in a second queue and comes back, three times."""

    def test(lab: Any) -> None:
        celery = lab.celery()
        app = declared(
            celery,
            Queue("work", queue_arguments={"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "wait"}),
            Queue("wait", queue_arguments={"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "work",
                                           "x-message-ttl": 10_000}),
            task_acks_late=True,
        )  # fmt: skip
        seen = []

        @app.task(bind=True)
        def work(self: Any) -> None:
            deaths = self.request.get("x-death") or []
            seen.append((lab.now, [(d["queue"], d["reason"], d["count"]) for d in deaths]))
            raise Reject(requeue=False)

        work.delay()
        worker = celery.worker(app, queues=["work"])
        for _ in range(3):
            assert worker.step()
        assert celery.depth("wait") == 1
        time.sleep(10)
        assert seen == [
            (0.0, []),
            (10.0, [("wait", "expired", 1), ("work", "rejected", 1)]),
            (20.0, [("wait", "expired", 2), ("work", "rejected", 2)]),
        ]
        [message] = celery.messages("work")
        assert message.headers["x-first-death-queue"] == "work"
        assert message.headers["x-last-death-queue"] == "wait"

    green(test)


def test_the_history_that_a_client_publishes_is_not_the_brokers(green: Any) -> None:
    """As since RabbitMQ 4.0; and Celery itself drops `x-death` from a retry."""

    def test(lab: Any) -> None:
        celery = lab.celery()
        app = declared(celery, *DEAD_LETTERED, task_acks_late=True)

        @app.task
        def charge() -> None:
            raise Reject(requeue=False)

        charge.delay()
        for _ in range(2):
            celery.worker(app, queues=["orders"]).run()
            [dead] = celery.messages("orders.dlq")
            assert [death["count"] for death in dead.headers["x-death"]] == [1]
            with app.connection_for_read() as connection, app.producer_or_acquire() as producer:
                held = Queue("orders.dlq")(connection.default_channel).get()
                producer.publish(held.body, routing_key="orders", exchange="", headers=held.headers,
                                 content_type=held.content_type, content_encoding=held.content_encoding)  # fmt: skip
                held.ack()

    green(test)


def test_dead_letters_go_through_an_exchange(green: Any) -> None:
    def test(lab: Any) -> None:
        celery = lab.celery()
        dlx = Exchange("dlx", type="fanout")
        app = declared(
            celery,
            Queue("orders", queue_arguments={"x-dead-letter-exchange": "dlx"}),
            *(Queue(f"dead.{name}", dlx) for name in ("a", "b")),
        )

        @app.task(acks_late=True)
        def charge() -> None:
            raise Reject(requeue=False)

        charge.delay()
        celery.worker(app, queues=["orders"]).run()
        assert (celery.depth("dead.a"), celery.depth("dead.b")) == (1, 1)

    green(test)


@pytest.mark.parametrize(("arguments", "told"), [({}, "no dead-letter exchange"), (None, "no queue 'orders.dlq'")])
def test_a_dead_letter_with_nowhere_to_go_is_gone_and_the_timeline_says_so(
    green: Any, arguments: dict[str, str] | None, told: str
) -> None:
    def test(lab: Any) -> None:
        celery = lab.celery()
        queue = Queue("orders", queue_arguments=arguments) if arguments is not None else DEAD_LETTERED[0]
        app = declared(celery, queue)

        @app.task(acks_late=True)
        def charge() -> None:
            raise Reject(requeue=False)

        charge.delay()
        celery.worker(app).run()
        assert celery.depth("orders") == celery.depth("orders.dlq") == 0
        assert any(told in step.text for step in lab.world.trace.entries)

    green(test)


def test_a_failing_task_is_acknowledged_not_dead_lettered(green: Any) -> None:
    def test(lab: Any) -> None:
        celery = lab.celery()
        app = declared(celery, *DEAD_LETTERED, task_acks_late=True)

        @app.task(max_retries=0)
        def charge() -> None:
            raise ValueError("bug")

        charge.delay()
        celery.worker(app, queues=["orders"]).run()
        assert celery.depth("orders") == celery.depth("orders.dlq") == 0

    green(test)


def test_a_requeued_message_keeps_its_place(green: Any) -> None:
    def test(lab: Any) -> None:
        celery = lab.celery()
        app = celery.app(task_acks_late=True)
        ran = []

        @app.task(bind=True)
        def charge(self: Any, n: int) -> None:
            ran.append((n, self.request.delivery_info["redelivered"]))
            if n == 1 and len(ran) == 1:
                raise Reject(requeue=True)
            raise Ignore

        for n in (1, 2):
            charge.delay(n)
        celery.worker(app).run()
        assert ran == [(1, False), (1, True), (2, False)]

    green(test)


def test_what_celery_will_not_have(green: Any) -> None:
    """It rejects an unknown task, and acknowledges (loses) what it cannot decode."""

    def test(lab: Any) -> None:
        celery = lab.celery()
        app = declared(celery, *DEAD_LETTERED)
        app.send_task("nobody.knows", queue="orders")
        celery.publish("orders", b"{}")
        celery.publish("orders", b"{", headers={"task": "broken", "id": "1"})
        celery.publish("orders", b"{")
        assert celery.worker(app, queues=["orders"]).run() == 0
        assert celery.depth("orders") == 0
        assert [m.task for m in celery.messages("orders.dlq")] == ["nobody.knows", None, "broken"]

    green(test)


def test_messages_can_be_moved_by_hand(green: Any) -> None:
    """What a replay does: kombu's own get, publish and ack; a closed connection gives back what it held."""

    def test(lab: Any) -> None:
        celery = lab.celery()
        app = declared(celery, *DEAD_LETTERED)
        celery.publish("orders.dlq", b"[]", headers={"task": "charge"}, priority=3)
        with app.connection_for_read() as connection:
            fetched = connection.default_channel.basic_get("orders.dlq")
            assert fetched.body == b"[]"
            with pytest.raises(AttributeError, match=r"kombu\.Queue"):
                fetched.ack()  # as on AMQP, where this is not kombu's message yet
            assert [m.task for m in celery.unacked("orders.dlq")] == ["charge"]
        [message] = celery.messages("orders.dlq")
        assert message.redelivered
        assert message.properties["priority"] == 3
        with app.connection_for_read() as connection, app.producer_or_acquire() as producer:
            held = Queue("orders.dlq")(connection.default_channel).get()
            producer.publish(held.body, routing_key="orders", exchange="", headers=held.headers)
            held.ack()
            with pytest.raises(ChannelError, match="unknown delivery tag"):
                connection.default_channel.basic_ack(held.delivery_tag)
        assert (celery.depth("orders"), celery.depth("orders.dlq")) == (1, 0)

    green(test)


def test_the_same_run_gives_the_same_bytes(green: Any) -> None:
    told = []

    def test(lab: Any) -> None:
        celery = lab.celery()
        app = declared(celery, *DEAD_LETTERED)

        @app.task
        def charge() -> None: ...

        charge.delay()
        told.append([(m.body, m.headers, m.properties) for m in celery.messages("orders")])

    green(test)
    green(test)
    assert told[0] == told[1]


def test_a_passive_declaration_asks_and_declares_nothing(green):
    def asks(lab):
        celery = lab.celery()
        app = celery.app()
        arguments = {"x-queue-type": "quorum", "x-overflow": "reject-publish"}
        with app.connection_for_write() as connection:
            channel = connection.default_channel
            channel.queue_declare("orders", arguments=arguments)
            channel.queue_declare("orders", passive=True)
            with pytest.raises(ChannelError, match="NOT_FOUND"):
                channel.queue_declare("nowhere", passive=True)
            with pytest.raises(ChannelError, match="NOT_FOUND"):
                channel.queue_declare("nowhere", passive=True)

    green(asks)
