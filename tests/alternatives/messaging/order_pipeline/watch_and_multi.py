"""Optimistic transactions on a record of JSON, which says when it is due; the ids of what has not ended are in a set.

Design: WATCH, MULTI and EXEC, a set as the outbox, Celery's own retries and late acknowledgements
Breaks: none
"""

import json
import secrets
import time
from dataclasses import dataclass
from typing import Any, NamedTuple

import redis
from fastapi import APIRouter, FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse

MAX_AMOUNT, MAX_TEXT = 10**12, 200


class InvalidOrder(ValueError):
    pass


class Conflict(Exception):
    pass


class Rejected(Exception):
    pass


@dataclass(frozen=True)
class Order:
    customer: str
    amount: int


class Receipt(NamedTuple):
    id: str
    state: str


class Status(NamedTuple):
    id: str
    state: str
    result: Any = None
    error: str | None = None


class OrderPipeline:
    def __init__(self, app, client, fulfil, *, retention, patience=60.0):
        self.client, self.fulfil, self.retention, self.patience = client, fulfil, retention, patience

        @app.task(name="orders.fulfil", bind=True, acks_late=True, reject_on_worker_lost=True, max_retries=None)
        def task(task, order_id):
            try:
                self._work(order_id)
            except (ConnectionError, TimeoutError, redis.ConnectionError, redis.TimeoutError) as error:
                raise task.retry(exc=error, countdown=1) from error

        self.task = task

    def submit(self, order, *, key=None):
        for text in (order.customer, "-" if key is None else key):
            if not isinstance(text, str) or not 0 < len(text) <= MAX_TEXT or text.encode("utf-8", "ignore") == b"":
                raise InvalidOrder("customer and key are text")
            if any(0xD800 <= ord(char) < 0xE000 for char in text):
                raise InvalidOrder("half a surrogate pair")
        if (
            isinstance(order.amount, bool)
            or not isinstance(order.amount, int)
            or order.amount not in range(1, MAX_AMOUNT + 1)
        ):
            raise InvalidOrder("amount")
        mine, asked = secrets.token_urlsafe(24), [order.customer, order.amount]

        def accept(pipe):
            known = None if key is None else pipe.get(f"key/{key}")
            if (record := self._read(pipe, known or mine)) is not None:
                return known or mine, record, pipe.multi()
            record = {"order": asked, "state": "pending", "due": time.time() + self.patience, "key": key}
            pipe.multi()
            pipe.set(f"order/{mine}", json.dumps(record))
            pipe.sadd("open", mine)
            if key is not None:
                pipe.set(f"key/{key}", mine)
            return mine, record, None

        order_id, record, _ = self._transact(accept, f"order/{mine}", *([] if key is None else [f"key/{key}"]))
        if record["order"] != asked:
            raise Conflict(key)
        if order_id == mine:
            self._publish(mine)
        return Receipt(order_id, record["state"])

    def relay(self):
        return sum(self._publish(order_id) for order_id in self.client.smembers("open") if self._claim(order_id))

    def status(self, order_id):
        record = self._read(self.client, order_id)
        return record and Status(order_id, record["state"], record.get("result"), record.get("error"))

    def _read(self, client, order_id):
        raw = client.get(f"order/{order_id}")
        return None if raw is None else json.loads(raw)

    def _transact(self, step, *keys):
        return self.client.transaction(step, *keys, value_from_callable=True)

    def _claim(self, order_id):
        def claim(pipe):
            record = self._read(pipe, order_id)
            pipe.multi()
            if record is None or record["due"] > time.time():
                return False
            record["due"] = time.time() + self.patience
            pipe.set(f"order/{order_id}", json.dumps(record), keepttl=True)
            return True

        return self._transact(claim, f"order/{order_id}")

    def _publish(self, order_id):
        try:
            self.task.delay(order_id)
        except Exception:  # noqa: BLE001
            return False
        return True

    def _move(self, order_id, **news):
        def move(pipe):
            record = self._read(pipe, order_id)
            pipe.multi()
            if record is None or record["state"] in ("done", "failed"):
                pipe.srem("open", order_id)
                return None
            record |= news
            ended = record["state"] != "started"
            ms = round(self.retention * 1000) if ended else None
            pipe.set(f"order/{order_id}", json.dumps(record), px=ms)
            if ended:
                pipe.srem("open", order_id)
                if record["key"] is not None:
                    pipe.pexpire(f"key/{record['key']}", ms)
            return record

        return self._transact(move, f"order/{order_id}")

    def _work(self, order_id):
        record = self._move(order_id, state="started")
        if record is None:
            return
        try:
            result = self.fulfil(order_id, Order(*record["order"]))
            json.dumps(result, allow_nan=False)
        except (ConnectionError, TimeoutError):
            raise
        except Rejected as error:
            self._move(order_id, state="failed", error=f"{type(error).__name__}: {error}")
        except Exception as error:  # noqa: BLE001
            self._move(order_id, state="failed", error=type(error).__name__)
        else:
            self._move(order_id, state="done", result=result)


def create_app(pipeline):
    router = APIRouter()

    async def call(method, *args, **options):
        try:
            return await run_in_threadpool(method, *args, **options)
        except (redis.ConnectionError, redis.TimeoutError):
            return JSONResponse({"error": "try again"}, 503)

    @router.post("/orders")
    async def accept(request: Request):
        try:
            order = Order(**json.loads(await request.body()))
        except (ValueError, TypeError, RecursionError):
            return JSONResponse({"error": "no order"}, 422)
        try:
            receipt = await call(pipeline.submit, order, key=request.headers.get("Idempotency-Key"))
        except InvalidOrder:
            return JSONResponse({"error": "no order"}, 422)
        except Conflict:
            return JSONResponse({"error": "the key came with another order"}, 409)
        if not isinstance(receipt, Receipt):
            return receipt
        return JSONResponse(receipt._asdict(), 202, {"Location": str(request.url_for("tell", order_id=receipt.id))})

    @router.get("/orders/{order_id}", name="tell")
    async def tell(order_id: str):
        status = await call(pipeline.status, order_id)
        if status is None:
            return JSONResponse({"error": "unknown"}, 404)
        return JSONResponse(status._asdict()) if isinstance(status, Status) else status

    app = FastAPI()
    app.include_router(router)
    return app
