"""The worker looks first; then it starts what has not ended, and what is forgotten meanwhile has not.

Trap: second-life
Rule: 9
"""

import json
import time
import uuid
from dataclasses import asdict, dataclass
from typing import Annotated, Any

import redis
from fastapi import Body, FastAPI, Header, HTTPException, Response
from fastapi.responses import JSONResponse

MAX_AMOUNT = 10**12
MAX_TEXT = 200
DUE, RECORD, KEY = "{orders}:due", "{orders}:order:", "{orders}:key:"
TRANSIENT = (ConnectionError, TimeoutError, redis.ConnectionError, redis.TimeoutError)

ACCEPT = """
local id = KEYS[2] and redis.call('GET', KEYS[2]) or ARGV[1]
local record = ARGV[2] .. id
if redis.call('EXISTS', record) == 0 then
  redis.call('HSET', record, 'order', ARGV[3], 'state', 'pending')
  redis.call('ZADD', KEYS[1], ARGV[4], id)
  if KEYS[2] then
    redis.call('SET', KEYS[2], id)
    redis.call('HSET', record, 'key', KEYS[2])
  end
end
return {id, redis.call('HGET', record, 'order'), redis.call('HGET', record, 'state')}
"""

CLAIM = """
local id = redis.call('ZRANGE', KEYS[1], '-inf', ARGV[1], 'BYSCORE', 'LIMIT', 0, 1)[1]
if id then redis.call('ZADD', KEYS[1], ARGV[2], id) end
return id
"""

START = """
local state = redis.call('HGET', KEYS[1], 'state')
if state == 'done' or state == 'failed' then return false end
redis.call('HSET', KEYS[1], 'state', 'started')
return redis.call('HGET', KEYS[1], 'order')
"""

END = """
if redis.call('HGET', KEYS[1], 'state') ~= 'started' then return end
redis.call('HSET', KEYS[1], 'state', ARGV[1], ARGV[2], ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
local key = redis.call('HGET', KEYS[1], 'key')
if key then redis.call('PEXPIRE', key, ARGV[4]) end
redis.call('ZREM', KEYS[2], ARGV[5])
"""


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


class OrderPipeline:
    def __init__(self, app, client, fulfil, *, retention, patience=60.0):
        self.redis, self.fulfil = client, fulfil
        self.retention_ms, self.patience = round(retention * 1000), patience

        def work(order_id):
            self.work(order_id)

        self.task = app.task(name="orders.fulfil")(work)

    def submit(self, order, *, key=None):
        check(order, key)
        mine, body = uuid.uuid4().hex, json.dumps(asdict(order))
        keys = [DUE] if key is None else [DUE, KEY + key]
        due = time.time() + self.patience
        order_id, accepted, state = self.redis.eval(ACCEPT, len(keys), *keys, mine, RECORD, body, due)
        if accepted != body:
            raise Conflict(key)
        if order_id == mine:
            self.publish(mine)
        return Receipt(order_id, state)

    def relay(self):
        now, published = time.time(), 0
        while order_id := self.redis.eval(CLAIM, 1, DUE, now, now + self.patience):
            published += self.publish(order_id)
        return published

    def status(self, order_id):
        state, result, error = self.redis.hmget(RECORD + order_id, "state", "result", "error")
        if state is None:
            return None
        return Status(order_id, state, None if result is None else json.loads(result), error)

    def publish(self, order_id):
        try:
            self.task.apply_async((order_id,))
        except Exception:  # noqa: BLE001
            return False
        return True

    def work(self, order_id):
        if not self.redis.exists(RECORD + order_id):
            return
        body = self.redis.eval(START, 1, RECORD + order_id)
        if body is None:
            return
        try:
            end = "done", "result", json.dumps(self.fulfil(order_id, Order(**json.loads(body))), allow_nan=False)
        except TRANSIENT:
            raise
        except Exception as error:  # noqa: BLE001
            told = f"{type(error).__name__}: {error}" if isinstance(error, Rejected) else type(error).__name__
            end = "failed", "error", told
        self.redis.eval(END, 2, RECORD + order_id, DUE, *end, self.retention_ms, order_id)


def check(order, key):
    if not is_text(order.customer):
        raise InvalidOrder("customer")
    if type(order.amount) is not int or not 1 <= order.amount <= MAX_AMOUNT:
        raise InvalidOrder("amount")
    if key is not None and not is_text(key):
        raise InvalidOrder("key")


def is_text(value):
    try:
        return isinstance(value, str) and len(value) <= MAX_TEXT and bool(value.encode())
    except UnicodeEncodeError:
        return False


def create_app(pipeline):
    app = FastAPI()

    @app.post("/orders", status_code=202)
    def accept(
        body: Annotated[Any, Body()], response: Response, idempotency_key: Annotated[str | None, Header()] = None
    ):
        if not isinstance(body, dict) or body.keys() != {"customer", "amount"}:
            raise HTTPException(422)
        try:
            receipt = pipeline.submit(Order(**body), key=idempotency_key)
        except InvalidOrder as error:
            raise HTTPException(422, str(error)) from error
        except Conflict as error:
            raise HTTPException(409) from error
        response.headers["Location"] = f"/orders/{receipt.id}"
        return receipt

    @app.get("/orders/{order_id}")
    def tell(order_id: str):
        status = pipeline.status(order_id)
        if status is None:
            raise HTTPException(404)
        return status

    @app.exception_handler(redis.ConnectionError)
    @app.exception_handler(redis.TimeoutError)
    async def unavailable(request, error):
        return JSONResponse({}, 503)

    return app
