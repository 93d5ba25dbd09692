"""Each retry is a new message that carries its attempts; on Celery, a redelivery is a failed attempt.

The handler's failures are counted in a header, crashes by the broker's count of this one message, and both are added.
On Celery `self.retry` does the same, and classic queues are enough: a message that comes again after its worker died
is not executed but sent on as the next retry.

Design: republish with a header
Breaks: none
"""

import time
from collections import Counter

from celery.exceptions import Reject
from kombu import Queue

SUFFIX = ".dlq"
DEATHS = "deaths"
FIRST_QUEUE = "first-death-queue"
REPLAYS = "replays"
ATTEMPTS = "attempts"


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
        attempt = delivery.headers.pop(ATTEMPTS, 0) + delivery.delivery_count
        if attempt > self._max_attempts:
            return self._bury(delivery, "poison", None)
        try:
            handler(delivery.body)
        except Malformed as error:
            return self._bury(delivery, "malformed", error)
        except Rejected as error:
            return self._bury(delivery, "rejected", error)
        except Exception as error:  # noqa: BLE001
            if attempt == self._max_attempts:
                return self._bury(delivery, "failed", error)
            headers = {**delivery.headers, ATTEMPTS: attempt}
            publish, delay = self._broker.publish, self._retry_delay
            publish(delivery.queue, delivery.body, id=delivery.id, headers=headers, delay=delay)
            self._broker.ack(delivery)
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
    arguments = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": queue + SUFFIX}
    app.amqp.queues.add(Queue(queue, queue_arguments=arguments))
    app.conf.task_routes = {**(app.conf.task_routes or {}), name: {"queue": queue}}
    with app.connection_for_write() as connection:
        Queue(queue + SUFFIX)(connection.default_channel).declare()
        app.amqp.queues[queue](connection.default_channel).declare()

    def execute(self, *args, **kwargs):
        died_before = self.request.delivery_info["redelivered"]
        try:
            if died_before:
                raise WorkerDied("the worker that executed it did not survive")
            return handler(*args, **kwargs)
        except Exception as error:
            hopeless = isinstance(error, (Malformed, Rejected))
            if hopeless or self.request.retries + 1 >= max_attempts:
                raise Reject(error, requeue=False) from error
            raise self.retry(exc=error, countdown=retry_delay) from error

    return app.task(name=name, bind=True, max_retries=None, acks_late=True, reject_on_worker_lost=True)(execute)


def replay_tasks(app, queue, *, limit=None):
    moved = 0
    with app.connection_for_read() as connection:
        while moved != limit:
            letter = Queue(queue + SUFFIX)(connection.default_channel).get()
            if letter is None:
                break
            args, kwargs, _ = letter.payload
            app.send_task(
                letter.headers["task"],
                args,
                kwargs,
                task_id=letter.headers["id"],
                queue=app.amqp.queues[queue],
                priority=letter.properties.get("priority"),
                headers={REPLAYS: letter.headers.get(REPLAYS, 0) + 1},
            )
            letter.ack()
            moved += 1
    return moved
