"""The last rules once more, on a real Celery worker and a real RabbitMQ: `pytest --broker amqp://guest:guest@localhost/`"""

import os
import signal

import pytest
from dlq_router import Malformed, dead_lettered_task, replay_tasks
from kombu import Queue


class Shop:
    """The task "charge", which does what `answer` does, and tells in Redis that it did."""

    def __init__(self, broker, answer, **options):
        if not broker.is_amqp:
            pytest.skip("Redis has no dead-letter queues: what a worker rejects there is gone")
        self.app, self.ledger, self.answer = broker.app(), broker.redis(), answer
        self.queue = broker.queue("orders")
        self.charge = dead_lettered_task(self.app, "charge", self.execute, queue=self.queue, **options)

    def execute(self, order):
        self.ledger.incr(f"executions:{order}")
        self.answer(self, order)
        self.ledger.incr(f"charges:{order}")

    def told(self, what, order):
        return int(self.ledger.get(f"{what}:{order}") or 0)

    def dead(self):
        with self.app.connection_for_read() as connection:
            return Queue(f"{self.queue}.dlq")(connection.default_channel).queue_declare(passive=True).message_count


def failing(error):
    def answer(shop, order):
        if not shop.ledger.get("fixed"):
            raise error

    return answer


def test_a_celery_task_that_keeps_failing_is_dead_lettered_and_replayed(broker):
    """Rules 12 and 13. It is executed `max_attempts` times, then parked; after the fix a replay gets it done."""
    shop = Shop(broker, failing(OSError("provider is down")), max_attempts=2, retry_delay=1)
    with broker.worker(shop.app, [shop.queue]):
        shop.charge.delay(7)
        broker.until(lambda: shop.dead() == 1, "the task is dead-lettered (trap: celery-does-not-dead-letter)")
        assert shop.told("executions", 7) == 2, "trap: retries-are-not-attempts"
        shop.ledger.set("fixed", 1)
        assert replay_tasks(shop.app, shop.queue) == 1
        broker.until(lambda: shop.told("charges", 7) == 1, "the replayed task succeeds (trap: wrong-replay)")
    assert shop.dead() == 0


def test_a_hopeless_celery_task_is_executed_once(broker):
    """Rule 12. A task that raises `Malformed` is dead-lettered after one execution."""
    shop = Shop(broker, failing(Malformed("no price")), max_attempts=3, retry_delay=1)
    with broker.worker(shop.app, [shop.queue]):
        shop.charge.delay(7)
        broker.until(lambda: shop.dead() == 1, "the task is dead-lettered (trap: celery-does-not-dead-letter)")
    assert shop.told("executions", 7) == 1, "trap: hopeless-retry"


def test_a_celery_task_that_kills_its_worker_is_dead_lettered(broker):
    """Rule 12. An execution that ends with its process counts as well."""
    shop = Shop(broker, lambda shop, order: os.kill(os.getpid(), signal.SIGKILL), max_attempts=3)
    with broker.worker(shop.app, [shop.queue]):
        shop.charge.delay(7)
        broker.until(lambda: shop.dead() == 1, "the task is dead-lettered (trap: lost-worker-acknowledges)")
    assert shop.told("executions", 7) == 3, "trap: lost-worker-acknowledges"
