"""Each receive that waits leaves its future in a list, which is emptied when there is news; on a quiet queue it grows.

Trap: keys-pile-up
Rule: 11
"""

from __future__ import annotations

import asyncio
import copy
from collections import deque
from dataclasses import dataclass
from typing import Any


class Closed(Exception):
    pass


@dataclass(frozen=True, eq=False)
class Delivery:
    body: Any
    key: str | None
    attempt: int


@dataclass(eq=False)
class _Message:
    body: Any
    key: str | None
    attempts: int = 0


_Lane = deque[_Message]


class Queue:
    dropped: int

    def __init__(self, *, capacity: int = 1000) -> None:
        if capacity < 1:
            raise ValueError(f"a queue has room for one message at least, not for {capacity}")
        self.dropped = 0
        self._capacity = capacity
        self._waiting = 0
        self._lanes: dict[str, _Lane] = {}
        self._ready: deque[_Lane] = deque()
        self._waiters: list[asyncio.Future[None]] = []

    async def send(self, body: Any, *, key: str | None = None) -> None:
        body = copy.deepcopy(body)
        while self._is_full:
            await self._change()
        self._append(_Message(body, key))

    def consumer(self) -> Consumer:
        return Consumer(self)

    @property
    def _is_full(self) -> bool:
        return self._waiting >= self._capacity

    def _append(self, message: _Message) -> None:
        self._waiting += 1
        lane = None if message.key is None else self._lanes.get(message.key)
        if lane is not None:
            lane.append(message)
            return
        lane = deque([message])
        if message.key is not None:
            self._lanes[message.key] = lane
        self._ready.append(lane)
        self._notify()

    def _offer(self, message: _Message) -> None:
        if self._is_full:
            self.dropped += 1
        else:
            self._append(message)

    def _take(self) -> _Lane | None:
        if not self._ready:
            return None
        self._waiting -= 1
        self._notify()
        return self._ready.popleft()

    def _remove(self, lane: _Lane) -> None:
        done = lane.popleft()
        if lane:
            self._ready.append(lane)
            self._notify()
        elif done.key is not None:
            del self._lanes[done.key]

    def _give_back(self, lane: _Lane) -> None:
        self._waiting += 1
        self._ready.append(lane)
        self._notify()

    def _notify(self) -> None:
        for future in self._waiters:
            if not future.done():
                future.set_result(None)
        self._waiters = []

    async def _change(self) -> None:
        future = asyncio.get_running_loop().create_future()
        self._waiters.append(future)
        await future


class Consumer:
    def __init__(self, queue: Queue) -> None:
        self._queue = queue
        self._held: dict[Delivery, _Lane] = {}
        self._is_closed = False

    async def receive(self) -> Delivery:
        while not self._is_closed:
            lane = self._queue._take()
            if lane is not None:
                message = lane[0]
                message.attempts += 1
                delivery = Delivery(copy.deepcopy(message.body), message.key, message.attempts)
                self._held[delivery] = lane
                return delivery
            await self._queue._change()
        raise Closed("this consumer was closed; ask the queue for another one")

    async def ack(self, delivery: Delivery) -> None:
        self._queue._remove(self._let_go(delivery))

    async def nack(self, delivery: Delivery) -> None:
        self._queue._give_back(self._let_go(delivery))

    async def close(self) -> None:
        self._is_closed = True
        for delivery in list(self._held):
            await self.nack(delivery)
        self._queue._notify()

    def _let_go(self, delivery: Delivery) -> _Lane:
        lane = self._held.pop(delivery, None)
        if lane is None:
            raise ValueError("this consumer does not hold that delivery: settled already, given back, or another's")
        return lane


class Topic:
    def __init__(self) -> None:
        self._queues: dict[Queue, None] = {}

    async def subscribe(self, *, capacity: int = 1000) -> Queue:
        queue = Queue(capacity=capacity)
        self._queues[queue] = None
        return queue

    async def unsubscribe(self, queue: Queue) -> None:
        self._queues.pop(queue, None)

    async def publish(self, body: Any, *, key: str | None = None) -> None:
        for queue in self._queues:
            queue._offer(_Message(copy.deepcopy(body), key))
