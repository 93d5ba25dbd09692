"""One key an order, made by one SET with NX and GET; no outbox, the relay scans for records that are due.

The id holds a random part and the record's name, which is a hash of the client's key or random, so the key needs no
entry of its own. A server that comes late finds the record by the random part, or not at all.

Design: compare-and-set on a single string
Breaks: none
"""

import hashlib
import json
import os
import time
from dataclasses import asdict, dataclass
from typing import Any

import redis
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse
from starlette.routing import Route

MAX_AMOUNT = 1_000_000_000_000
MAX_TEXT = 200

SWAP = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if ARGV[3] == '' then redis.call('SET', KEYS[1], ARGV[2]) else redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) end
return 1
"""


class InvalidOrder(ValueError):
    pass


class Conflict(RuntimeError):
    pass


class Rejected(RuntimeError):
    pass


@dataclass(frozen=True)
class Order:
    customer: str
    amount: int


@dataclass(frozen=True)
class Receipt:
    id: str
    state: str


@dataclass(frozen=True)
class Status:
    id: str
    state: str
    result: Any = None
    error: str | None = None


class OrderPipeline:
    def __init__(self, app, client, fulfil, *, retention, patience=60.0):
        self._client, self._fulfil, self._patience = client, fulfil, patience
        self._retention = int(retention * 1000)
        self._swap = client.register_script(SWAP)
        self._task = app.task(self._work, name="orders.fulfil", typing=False)

    def submit(self, order, *, key=None):
        refuse(order, key)
        name = os.urandom(16).hex() if key is None else hashlib.sha256(key.encode()).hexdigest()[:32]
        mine = os.urandom(16).hex() + name
        record = {"id": mine, "order": asdict(order), "state": "pending", "due": time.time() + self._patience}
        found = self._client.set(f"orders-{name}", json.dumps(record), nx=True, get=True)
        if found is None:
            self._publish(mine)
        else:
            record = json.loads(found)
        if record["order"] != asdict(order):
            raise Conflict("another order under this key")
        return Receipt(record["id"], record["state"])

    def relay(self):
        published = 0
        for name in self._client.scan_iter("orders-*"):
            raw = self._client.get(name)
            record = json.loads(raw or "{}")
            if record.get("state") in ("pending", "started") and record["due"] < time.time():
                claimed = json.dumps(record | {"due": time.time() + self._patience})
                if self._swap([name], [raw, claimed, ""]):
                    published += self._publish(record["id"])
        return published

    def status(self, order_id):
        record = json.loads(self._client.get(f"orders-{order_id[32:]}") or "{}")
        if record.get("id") != order_id:
            return None
        return Status(order_id, record["state"], record.get("result"), record.get("error"))

    def _publish(self, order_id):
        try:
            self._task.apply_async([order_id], retry=False)
        except Exception:  # noqa: BLE001
            return 0
        return 1

    def _change(self, order_id, **news):
        """The record with its news; None if it has ended, or is not there."""
        name = f"orders-{order_id[32:]}"
        while True:
            raw = self._client.get(name)
            record = json.loads(raw or "{}")
            if record.get("id") != order_id or record["state"] in ("done", "failed"):
                return None
            record |= news
            ms = "" if record["state"] == "started" else self._retention
            if self._swap([name], [raw, json.dumps(record), ms]):
                return record

    def _work(self, order_id):
        record = self._change(order_id, state="started")
        if record is None:
            return
        try:
            result = self._fulfil(order_id, Order(**record["order"]))
            json.dumps(result, allow_nan=False)
            end = {"state": "done", "result": result}
        except (ConnectionError, TimeoutError):
            return
        except Exception as error:  # noqa: BLE001
            told = type(error).__name__ + (f": {error}" if isinstance(error, Rejected) else "")
            end = {"state": "failed", "error": told}
        self._change(order_id, **end)


def refuse(order, key):
    try:
        texts = [order.customer] if key is None else [order.customer, key]
        right = all(1 <= len(str.lower(text)) <= MAX_TEXT and text.encode() for text in texts)
        right = right and type(order.amount) is int and 0 < order.amount <= MAX_AMOUNT
    except (TypeError, UnicodeEncodeError):
        right = False
    if not right:
        raise InvalidOrder("customer, amount or key")


def create_app(pipeline):
    async def orders(request):
        try:
            body = json.loads(await request.body())
            order = Order(**body)
            receipt = await run_in_threadpool(pipeline.submit, order, key=request.headers.get("idempotency-key"))
        except Conflict:
            return JSONResponse({}, 409)
        except redis.RedisError:
            return JSONResponse({}, 503)
        except (ValueError, TypeError, RecursionError):
            return JSONResponse({}, 422)
        return JSONResponse(asdict(receipt), 202, headers={"location": f"/orders/{receipt.id}"})

    async def one(request):
        try:
            status = await run_in_threadpool(pipeline.status, request.path_params["id"])
        except redis.RedisError:
            return JSONResponse({}, 503)
        return JSONResponse({}, 404) if status is None else JSONResponse(asdict(status))

    return Starlette(routes=[Route("/orders", orders, methods=["POST"]), Route("/orders/{id}", one)])
