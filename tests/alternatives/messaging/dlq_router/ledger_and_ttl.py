"""Attempts are written into a ledger before they are made; on Celery the broker delays and counts.

The ledger is a queue of its own, one entry a message, so the broker's count of deliveries is not needed. On Celery a
failed message is rejected into a queue whose TTL brings it back, `x-death` counts these rounds, and the task itself
sends the dead on: retries as they were made in RabbitMQ before there were quorum queues.

Design: write-ahead ledger; TTL queue with x-death
Breaks: none
"""

import time
from collections import Counter

from celery.exceptions import Ignore, Reject
from kombu import Queue

SUFFIX = ".dlq"
DEATHS = "deaths"
FIRST_QUEUE = "first-death-queue"
REPLAYS = "replays"


class Malformed(Exception):
    pass


class Rejected(Exception):
    pass


class WorkerDied(Exception):
    pass


class DeadLetterRouter:
    def __init__(self, broker, *, max_attempts=3, retry_delay=10.0, suffix=SUFFIX, discard=()):
        if max_attempts < 1 or not suffix:
            raise ValueError("max_attempts is at least 1, and the suffix is not empty")
        self._broker = broker
        self._max_attempts = max_attempts
        self._retry_delay = retry_delay
        self._suffix = suffix
        self._discard = frozenset(discard)
        self.discarded = Counter()

    def handle(self, delivery, handler):
        if delivery.queue.endswith(self._suffix):
            raise ValueError(f"{delivery.queue} is a dead-letter queue")
        attempt = self._begin(delivery)
        outcome = "poison" if attempt > self._max_attempts else self._try(delivery, handler, attempt)
        if outcome == "retry":
            self._broker.nack(delivery, delay=self._retry_delay)
            return outcome
        if outcome != "done":
            outcome = self._bury(delivery, outcome, self._error)
            if outcome == "retry":
                return outcome
        self._entries(delivery, keep=False)
        self._broker.ack(delivery)
        return outcome

    def _try(self, delivery, handler, attempt):
        try:
            handler(delivery.body)
        except Exception as error:  # noqa: BLE001
            self._error = error
            last = "failed" if attempt == self._max_attempts else "retry"
            hopeless = {Malformed: "malformed", Rejected: "rejected"}
            return next((reason for kind, reason in hopeless.items() if isinstance(error, kind)), last)
        return "done"

    def _begin(self, delivery):
        """Write the attempt down before it is made: what comes after may not survive."""
        self._error = None
        earlier = self._entries(delivery, keep=True)
        attempt = 1 + max((entry.headers["attempt"] for entry in earlier), default=0)
        ledger = f"attempts at {delivery.queue}"
        self._broker.publish(ledger, b"", id=delivery.id, headers={"attempt": attempt})
        for entry in earlier:
            self._broker.ack(entry)
        return attempt

    def _entries(self, delivery, keep):
        """Take this message's entries out of the ledger; those of the others go back."""
        ledger, mine, others = f"attempts at {delivery.queue}", [], []
        while (entry := self._broker.get(ledger)) is not None:
            (mine if entry.id == delivery.id else others).append(entry)
        for entry in others:
            self._broker.nack(entry)
        if not keep:
            for entry in mine:
                self._broker.ack(entry)
        return mine

    def replay(self, queue, *, limit=None):
        moved = 0
        while moved != limit and (letter := self._broker.get(queue + self._suffix)) is not None:
            headers = {**letter.headers, REPLAYS: letter.headers.get(REPLAYS, 0) + 1}
            self._broker.publish(queue, letter.body, id=letter.id, headers=headers)
            self._broker.ack(letter)
            moved += 1
        return moved

    def _bury(self, delivery, reason, error):
        if delivery.queue in self._discard:
            self.discarded[delivery.queue, reason] += 1
            return "discarded"
        headers = with_death(delivery.headers, delivery.queue, reason, error)
        try:
            self._broker.publish(delivery.queue + self._suffix, delivery.body, id=delivery.id, headers=headers)
        except ConnectionError:
            self._broker.nack(delivery, delay=self._retry_delay)
            return "retry"
        return "dead"


def with_death(headers, queue, reason, error):
    deaths = headers.get(DEATHS, [])
    same = [death for death in deaths if (death["queue"], death["reason"]) == (queue, reason)]
    newest = {
        "queue": queue,
        "reason": reason,
        "count": sum(death["count"] for death in same) + 1,
        "at": time.time(),
        "error": None if error is None else f"{type(error).__name__}: {error}",
    }
    others = [death for death in deaths if death not in same]
    return {**headers, DEATHS: [newest, *others], FIRST_QUEUE: headers.get(FIRST_QUEUE, queue)}


def dead_lettered_task(app, name, handler, *, queue, max_attempts=3, retry_delay=10.0):
    waiting = f"{queue}.waiting"
    queues = [
        Queue(queue, queue_arguments={"x-dead-letter-exchange": "", "x-dead-letter-routing-key": waiting}),
        Queue(
            waiting,
            queue_arguments={
                "x-dead-letter-exchange": "",
                "x-dead-letter-routing-key": queue,
                "x-message-ttl": round(retry_delay * 1000),
            },
        ),
        Queue(queue + SUFFIX),
    ]
    app.amqp.queues.add(queues[0])
    app.conf.task_routes = {**(app.conf.task_routes or {}), name: {"queue": queue}}
    with app.connection_for_write() as connection:
        for each in queues:
            each(connection.default_channel).declare()

    def execute(self, *args, **kwargs):
        if self.request.delivery_info["redelivered"]:
            raise Reject("its worker died", requeue=False)  # counted by the broker, and back after the TTL
        deaths = self.request.get("x-death") or []
        attempt = 1 + sum(death["count"] for death in deaths if death["queue"] == queue)
        error = WorkerDied(f"{attempt - 1} attempts")
        try:
            if attempt <= max_attempts:
                return handler(*args, **kwargs)
        except Exception as failure:  # noqa: BLE001
            error = failure
            if attempt < max_attempts and not isinstance(error, (Malformed, Rejected)):
                raise Reject(error, requeue=False) from error
        self.signature_from_request(queue=queue + SUFFIX, exchange="", routing_key=queue + SUFFIX).apply_async()
        raise Ignore(str(error))

    return app.task(name=name, bind=True, acks_late=True, reject_on_worker_lost=True)(execute)


def replay_tasks(app, queue, *, limit=None):
    moved = 0
    with app.connection_for_write() as connection, app.producer_or_acquire() as producer:
        parked = Queue(queue + SUFFIX)(connection.default_channel)
        while moved != limit and (letter := parked.get()) is not None:
            headers = {**letter.headers, "retries": 0, REPLAYS: letter.headers.get(REPLAYS, 0) + 1}
            kept = {k: letter.properties.get(k) for k in ("correlation_id", "reply_to", "priority")}
            producer.publish(
                letter.body,
                routing_key=queue,
                headers=headers,
                content_type=letter.content_type,
                content_encoding=letter.content_encoding,
                **{k: value for k, value in kept.items() if value is not None},
            )
            letter.ack()
            moved += 1
    return moved
