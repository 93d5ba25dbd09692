"""The last rules once more, on a real Celery worker and a real broker: `pytest --broker valkey`, or amqp://…"""

import os
import signal
import time

from order_pipeline import Order, OrderPipeline, Rejected


class Shop:
    """A pipeline, and a gateway that keeps its ledger in Redis, for it is called in the worker's processes."""

    def __init__(self, broker, trouble=lambda call: None):
        self.app, self.trouble = broker.app(), trouble
        self.ledger = broker.redis(decode_responses=True)
        store = broker.redis(decode_responses=True)
        self.pipeline = OrderPipeline(self.app, store, self.fulfil, retention=60, patience=1)

    def fulfil(self, order_id, order):
        if self.ledger.set(f"charge of {order_id}", order.amount, nx=True):
            self.ledger.incr("charges")
        self.trouble(self.ledger.incr("calls"))
        return {"charged": order.amount}

    def told(self, what):
        return int(self.ledger.get(what) or 0)

    def ended(self, id):
        self.pipeline.relay()
        status = self.pipeline.status(id)
        return status if status.state in ("done", "failed") else None


def test_an_order_is_taken_at_once_and_fulfilled_later(broker):
    """Rules 1, 4 and 6. A worker of `app` fulfils it, once; the retry with its key is the same order."""
    shop = Shop(broker)
    receipt = shop.pipeline.submit(Order("ann", 1999), key="k1")
    assert receipt.state == "pending"
    assert shop.told("calls") == 0, "trap: works-in-submit"
    with broker.worker(shop.app, processes=2):
        broker.until(lambda: shop.ended(receipt.id), "the order ends (trap: nobody-works)")
        again = shop.pipeline.submit(Order("ann", 1999), key="k1")
    assert (again.id, again.state) == (receipt.id, "done"), "trap: retry-orders-twice"
    assert shop.pipeline.status(receipt.id).result == {"charged": 1999}
    assert shop.told("charges") == 1


def test_an_order_outlasts_its_worker(broker):
    """Rules 8 and 13. The child is killed after the charge, the next call meets an outage, the third one ends it."""

    def trouble(call):
        if call == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        if call == 2:
            raise ConnectionError("the warehouse is out of reach")

    shop = Shop(broker, trouble)
    id = shop.pipeline.submit(Order("ann", 1999)).id
    with broker.worker(shop.app):
        broker.until(lambda: shop.told("calls") == 1, "the order is worked on (trap: nobody-works)")
        broker.until(lambda: shop.ended(id), "the order ends (trap: gave-up)")
    assert shop.pipeline.status(id).state == "done", "trap: failed-too-early"
    assert shop.told("charges") == 1, "trap: lost-on-its-way"


def test_an_order_outlasts_its_message(broker):
    """Rules 7, 12 and 13. The broker loses the message before any worker comes; the relay sends another one."""

    def trouble(call):
        raise Rejected("sold out")

    shop = Shop(broker, trouble)
    id = shop.pipeline.submit(Order("ann", 1999)).id
    with shop.app.connection_for_write() as connection:
        connection.default_channel.queue_purge(shop.app.conf.task_default_queue)
    assert shop.pipeline.status(id).state == "pending", "trap: read-once"
    time.sleep(1.1)
    assert shop.pipeline.relay() == 1, "trap: impatient-relay"
    with broker.worker(shop.app):
        broker.until(lambda: shop.ended(id), "the order ends (trap: lost-on-its-way)")
    assert shop.pipeline.status(id).error == "Rejected: sold out", "trap: leaked-details"
    assert shop.told("calls") == 1, "trap: second-life"
