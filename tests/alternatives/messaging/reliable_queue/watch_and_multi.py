"""No script: the whole queue is one JSON text; WATCH, decide in Python, MULTI, and again after a conflict.

Design: WATCH, MULTI and EXEC on a STRING
Breaks: none
"""

import base64
import json
import math
import time
import uuid
from typing import NamedTuple

import redis

LONGEST = 10 * 365 * 86_400


class Delivery(NamedTuple):
    id: str
    body: bytes
    receipt: str
    receives: int


class ReliableQueue:
    def __init__(self, client, name, *, visibility=30):
        self.client = client
        self.key = b"reliable queue " + name.encode()
        self.visibility = positive(visibility)

    async def send(self, body, *, delay=0):
        if type(body) is not bytes:
            raise TypeError("bytes, please")
        if not 0 <= delay <= LONGEST:
            raise ValueError("a delay is from 0 to ten years")
        message = {"id": uuid.uuid4().hex, "body": base64.b85encode(body).decode(), "receives": 0, "receipt": None}

        def step(messages, now):
            messages.append(message | {"at": now + delay})
            return message["id"]

        return await self.change(step)

    async def receive(self, visibility=None):
        timeout = self.visibility if visibility is None else positive(visibility)
        receipt = uuid.uuid4().hex

        def step(messages, now):
            visible = [message for message in messages if message["at"] <= now]
            if not visible:
                return None
            message = min(visible, key=lambda each: each["at"])
            message.update(at=now + timeout, receipt=receipt, receives=message["receives"] + 1)
            messages.sort(key=lambda each: each is message)
            return Delivery(message["id"], base64.b85decode(message["body"]), receipt, message["receives"])

        return await self.change(step)

    async def ack(self, receipt):
        return await self.settle(receipt, lambda messages, message, now: messages.remove(message))

    async def nack(self, receipt, *, delay=0):
        if not 0 <= delay <= LONGEST:
            raise ValueError("a delay is from 0 to ten years")
        return await self.settle(receipt, lambda _, message, now: message.update(at=now + delay, receipt=None))

    async def extend(self, receipt, visibility=None):
        timeout = self.visibility if visibility is None else positive(visibility)
        return await self.settle(receipt, lambda _, message, now: message.update(at=now + timeout))

    async def settle(self, receipt, how):
        def step(messages, now):
            for message in messages:
                if message["receipt"] == receipt:
                    how(messages, message, now)
                    return True
            return False

        return await self.change(step)

    async def change(self, step):
        async with self.client.pipeline() as pipe:
            while True:
                await pipe.watch(self.key)
                before = await pipe.get(self.key)
                messages = json.loads(before or "[]")
                result = step(messages, time.time())
                after = json.dumps(messages).encode()
                if after == (before or b"[]"):
                    return result
                pipe.multi()
                pipe.set(self.key, after)
                try:
                    await pipe.execute()
                except redis.WatchError as conflict:
                    # redis-py reports a connection that broke while watching as a conflict too. Then EXEC may have
                    # been applied, and doing it again would send twice.
                    if isinstance(conflict.__context__, redis.ConnectionError | redis.TimeoutError):
                        raise conflict.__context__ from None
                else:
                    return result


def positive(seconds):
    if math.isnan(seconds) or seconds < 0.001 or seconds > LONGEST:
        raise ValueError("a visibility is from 0.001 s to ten years")
    return seconds
