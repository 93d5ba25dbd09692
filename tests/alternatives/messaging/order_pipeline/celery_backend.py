"""Celery's own key-value backend keeps the states and results; beside it a record an order, and an outbox.

The backend is given the pipeline's client. Its PENDING means unknown, so the record tells these two apart.

Design: celery.backends.base.KeyValueStoreBackend
Breaks: 9 because Celery reads the state and then writes the end in another step, and protects SUCCESS alone
"""

import json
import time
import uuid
from dataclasses import asdict, dataclass
from typing import Any

import redis
from celery import states
from celery.backends.base import KeyValueStoreBackend
from fastapi import FastAPI, Header, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, create_model

MAX_AMOUNT, MAX_TEXT = 10**12, 200
STATES = {states.PENDING: "pending", states.STARTED: "started", states.SUCCESS: "done", states.FAILURE: "failed"}


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


class Backend(KeyValueStoreBackend):
    """Results in the pipeline's own store. Only what has ended expires."""

    def __init__(self, app, client, retention_ms):
        super().__init__(app=app)
        self.client, self.retention_ms = client, retention_ms

    def get(self, key):
        return self.client.get(key)

    def _set_with_state(self, key, value, state):
        self.client.set(key, value, px=self.retention_ms if state in states.READY_STATES else None)


class OrderPipeline:
    def __init__(self, app, client, fulfil, *, retention, patience=60.0):
        self.client, self.fulfil, self.patience = client, fulfil, patience
        self.retention_ms = round(retention * 1000)
        self.backend = Backend(app, client, self.retention_ms)
        self.task = app.task(name="orders.fulfil", ignore_result=True, typing=False)(self.work)

    def submit(self, order, *, key=None):
        check(order.customer)
        if key is not None:
            check(key)
        if type(order.amount) is not int or not 0 < order.amount <= MAX_AMOUNT:
            raise InvalidOrder("amount")
        record = {"id": str(uuid.uuid4()), "order": asdict(order), "key": key}
        with self.client.pipeline() as pipe:
            while True:
                try:
                    if key is not None:
                        pipe.watch(f"key:{key}")
                        if known := pipe.get(f"key:{key}"):
                            record = json.loads(known)
                            break
                        pipe.multi()
                        pipe.set(f"key:{key}", json.dumps(record))
                    pipe.set(f"record:{record['id']}", json.dumps(record))
                    pipe.zadd("open", {record["id"]: time.time() + self.patience})
                    pipe.execute()
                    self.publish(record["id"])
                    break
                except redis.WatchError:
                    continue
        if record["order"] != asdict(order):
            raise Conflict(key)
        status = self.status(record["id"])
        return Receipt(record["id"], status.state if status else "pending")

    def relay(self):
        published = 0
        for order_id in self.client.zrangebyscore("open", "-inf", time.time()):
            if self.publish(order_id):
                published += 1
                self.client.zadd("open", {order_id: time.time() + self.patience}, xx=True)
        return published

    def status(self, order_id):
        if not order_id:
            return None
        meta = self.backend._get_task_meta_for(order_id)
        state = STATES[meta["status"]]
        if state == "pending" and not self.client.exists(f"record:{order_id}"):
            return None
        if state == "failed":
            return Status(order_id, state, error=str(meta["result"]))
        return Status(order_id, state, meta["result"])

    def publish(self, order_id):
        try:
            self.task.apply_async((order_id,), task_id=order_id)
        except Exception:  # noqa: BLE001
            return False
        return True

    def work(self, order_id):
        raw = self.client.get(f"record:{order_id}")
        if raw is None:
            return
        record = json.loads(raw)
        if self.backend._get_task_meta_for(order_id)["status"] not in states.READY_STATES:
            self.store(order_id, None, states.STARTED)
            try:
                result = self.fulfil(order_id, Order(**record["order"]))
                json.dumps(result, allow_nan=False)
            except (ConnectionError, TimeoutError):
                raise
            except Exception as error:  # noqa: BLE001
                told = type(error).__name__ + (f": {error}" if isinstance(error, Rejected) else "")
                self.store(order_id, {"exc_type": "Failed", "exc_module": None, "exc_message": [told]}, states.FAILURE)
            else:
                self.store(order_id, result, states.SUCCESS)
        with self.client.pipeline() as pipe:
            for name in [f"record:{order_id}"] + ([] if record["key"] is None else [f"key:{record['key']}"]):
                pipe.pexpire(name, self.retention_ms, nx=True)
            pipe.zrem("open", order_id)
            pipe.execute()

    def store(self, order_id, result, state):
        # `store_result` would make an exception of a failure's result, with its module and arguments.
        self.backend._store_result(order_id, result, state)


def check(text):
    if not isinstance(text, str) or not 1 <= len(text) <= MAX_TEXT or not encodes(text):
        raise InvalidOrder("customer and key are text")


def encodes(text):
    return text.encode("utf-8", "replace").decode() == text


def create_app(pipeline):
    app = FastAPI()
    model = create_model(
        "NewOrder", __config__=ConfigDict(strict=True, extra="forbid"), customer=(str, ...), amount=(int, ...)
    )

    def accept(body: BaseModel, response: Response, idempotency_key: str | None = Header(None)):
        try:
            receipt = pipeline.submit(Order(body.customer, body.amount), key=idempotency_key)
        except InvalidOrder as error:
            raise HTTPException(422) from error
        except Conflict as error:
            raise HTTPException(409) from error
        response.headers["Location"] = f"/orders/{receipt.id}"
        return receipt

    accept.__annotations__["body"] = model
    app.post("/orders", status_code=202)(accept)

    @app.get("/orders/{order_id}")
    def tell(order_id: str):
        status = pipeline.status(order_id)
        return JSONResponse({}, 404) if status is None else status

    @app.exception_handler(RequestValidationError)
    async def refuse(request: Request, error: RequestValidationError):
        return JSONResponse({"detail": [problem["msg"] for problem in error.errors()]}, 422)

    async def unavailable(request: Request, error: Exception):
        return Response(status_code=503)

    app.add_exception_handler(redis.ConnectionError, unavailable)
    app.add_exception_handler(redis.TimeoutError, unavailable)
    return app
