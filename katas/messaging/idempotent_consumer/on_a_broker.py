"""The last rules once more, on a real Celery worker and a real broker: `pytest --broker valkey`, or amqp://…"""

import os
import signal

from idempotent_consumer import IdempotentConsumer, PayloadMismatch, register_process_order


class Shop:
    """A gateway that keeps its ledger in Redis, for it is called in the worker's processes; and the task."""

    def __init__(self, broker, trouble=lambda request: None):
        self.app, self.ledger, self.trouble = broker.app(), broker.redis(decode_responses=True), trouble
        consumer = IdempotentConsumer(broker.redis(), namespace="billing", lease=1, retention=3600)
        self.task = register_process_order(self.app, consumer, self.charge)

    def charge(self, reference, amount, *, idempotency_key):
        request = self.ledger.incr(f"requests:{reference}")
        if self.ledger.set(f"charge:{idempotency_key}", f"{reference} {amount}", nx=True):
            self.ledger.incr(f"charges:{reference}")
        self.trouble(request)
        self.ledger.incr(f"replies:{reference}")
        return self.ledger.get(f"charge:{idempotency_key}")

    def told(self, what, order):
        return int(self.ledger.get(f"{what}:{order}") or 0)


def test_an_order_that_is_sent_twice_is_charged_once(broker):
    """Rule 14. `process_order` charges an order once, however often the order is sent, and returns the charge."""
    shop = Shop(broker)
    with broker.worker(shop.app, processes=2):
        for order in ("order-7", "order-7", "order-7", "order-8"):
            shop.app.send_task("process_order", (order, "ann", 1999))
        broker.until(lambda: shop.told("replies", "order-8"), "order-8 is charged")
    assert shop.told("charges", "order-7") == 1
    assert shop.told("requests", "order-7") == 1, "trap: delivery-as-identity"
    assert shop.task("order-7", "ann", 1999) == "order-7 1999"
    try:
        shop.task("order-7", "bob", 1999)
    except PayloadMismatch:
        return
    raise AssertionError("trap: payload-ignored")


def test_an_order_outlasts_the_process_that_works_on_it(broker):
    """Rule 16. Whatever step the child dies at, the order is charged exactly once: here, after the charge."""
    shop = Shop(broker, lambda request: os.kill(os.getpid(), signal.SIGKILL) if request == 1 else None)
    with broker.worker(shop.app):
        shop.app.send_task("process_order", ("order-7", "ann", 1999))
        broker.until(
            lambda: shop.told("replies", "order-7"), "order-7 is delivered again (trap: acknowledged-too-early)"
        )
    assert shop.told("charges", "order-7") == 1, "trap: effect-without-key"
    assert shop.told("requests", "order-7") == 2


def test_an_order_outlasts_an_outage(broker):
    """Rule 15. While the gateway is unreachable, the task is retried within a lease."""

    def trouble(request):
        if request <= 2:
            raise ConnectionError("the gateway is out of reach")

    shop = Shop(broker, trouble)
    with broker.worker(shop.app):
        shop.app.send_task("process_order", ("order-7", "ann", 1999))
        broker.until(lambda: shop.told("replies", "order-7"), "order-7 is retried (trap: acknowledged-too-early)")
    assert (shop.told("charges", "order-7"), shop.told("requests", "order-7")) == (1, 3)
