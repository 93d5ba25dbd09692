"""max_retries=max_attempts: Celery executes the task once more than that.

Trap: retries-are-not-attempts
Rule: 12
Published: Celery counts retries, write-ups count attempts
"""

import time
from collections import Counter

from celery.exceptions import Reject
from kombu import Queue

SUFFIX = ".dlq"
DEATHS = "deaths"
FIRST_QUEUE = "first-death-queue"
REPLAYS = "replays"


class Malformed(Exception):
    pass


class Rejected(Exception):
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
        if delivery.delivery_count > self._max_attempts:
            return self._bury(delivery, "poison", None)
        try:
            handler(delivery.body)
        except Malformed as error:
            return self._bury(delivery, "malformed", error)
        except Rejected as error:
            return self._bury(delivery, "rejected", error)
        except Exception as error:  # noqa: BLE001
            if delivery.delivery_count == self._max_attempts:
                return self._bury(delivery, "failed", error)
            self._broker.nack(delivery, delay=self._retry_delay)
            return "retry"
        self._broker.ack(delivery)
        return "done"

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
            self._broker.ack(delivery)
            self.discarded[delivery.queue, reason] += 1
            return "discarded"
        headers = with_death(delivery.headers, delivery.queue, reason, error)
        try:
            self._broker.publish(delivery.queue + self._suffix, delivery.body, id=delivery.id, headers=headers)
        except ConnectionError:
            self._broker.nack(delivery, delay=self._retry_delay)
            return "retry"
        self._broker.ack(delivery)
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
    work = Queue(
        queue,
        queue_arguments={
            "x-dead-letter-exchange": "",
            "x-dead-letter-routing-key": queue + SUFFIX,
            "x-queue-type": "quorum",
            "x-delivery-limit": max_attempts - 1,
        },
    )
    parked = Queue(queue + SUFFIX)
    app.amqp.queues.add(work)
    app.conf.update(task_routes={**(app.conf.task_routes or {}), name: {"queue": queue}})
    with app.connection_for_write() as connection:
        for each in (parked, work):
            each(connection.default_channel).declare()

    def execute(self, *args, **kwargs):
        try:
            return handler(*args, **kwargs)
        except (Malformed, Rejected) as error:
            raise Reject(error, requeue=False) from error
        except Exception as error:
            if self.request.retries >= max_attempts:
                raise Reject(error, requeue=False) from error
            raise self.retry(exc=error, countdown=retry_delay) from error

    return app.task(name=name, bind=True, max_retries=None, acks_late=True, reject_on_worker_lost=True)(execute)


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
