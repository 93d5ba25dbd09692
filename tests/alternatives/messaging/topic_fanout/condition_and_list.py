"""One list, searched from the front; an asyncio.Condition; bodies are kept as JSON text.

Design: locking. Whatever changes the list holds the condition's lock and notifies all. A message knows its number and
who holds it, and whether it can be given out is worked out anew each time.

Breaks: none
"""

import asyncio
import json
from dataclasses import dataclass, field
from itertools import count
from typing import Any


class Closed(Exception):
    pass


@dataclass(frozen=True, eq=False)
class Delivery:
    body: Any
    key: str | None
    attempt: int


@dataclass(eq=False)
class Record:
    text: str
    key: str | None
    number: int
    attempts: int = 0
    holder: "Consumer | None" = None
    delivery: Delivery | None = field(default=None, repr=False)


class Queue:
    def __init__(self, *, capacity: int = 1000) -> None:
        if capacity <= 0:
            raise ValueError(capacity)
        self.capacity, self.dropped = capacity, 0
        self.records: list[Record] = []
        self.numbers = count()
        self.changed = asyncio.Condition()

    def waiting(self) -> int:
        return sum(record.holder is None for record in self.records)

    def consumer(self) -> "Consumer":
        return Consumer(self)

    async def send(self, body: Any, *, key: str | None = None) -> None:
        text = json.dumps(body)
        async with self.changed:
            await self.changed.wait_for(lambda: self.waiting() < self.capacity)
            self.append(text, key)

    async def offer(self, text: str, key: str | None) -> None:
        async with self.changed:
            if self.waiting() < self.capacity:
                self.append(text, key)
            else:
                self.dropped += 1

    def append(self, text: str, key: str | None) -> None:
        self.records.append(Record(text, key, next(self.numbers)))
        self.changed.notify_all()

    def next_record(self) -> Record | None:
        oldest: dict[str | None, int] = {}
        for record in self.records:
            oldest[record.key] = min(record.number, oldest.get(record.key, record.number))
        for record in self.records:
            if record.holder is None and (record.key is None or record.number == oldest[record.key]):
                return record
        return None


class Consumer:
    def __init__(self, queue: Queue) -> None:
        self.queue, self.closed = queue, False

    async def receive(self) -> Delivery:
        queue = self.queue
        async with queue.changed:
            while not self.closed and (record := queue.next_record()) is None:
                await queue.changed.wait()
            if self.closed:
                raise Closed
            record.holder, record.attempts = self, record.attempts + 1
            record.delivery = Delivery(json.loads(record.text), record.key, record.attempts)
            queue.changed.notify_all()
            return record.delivery

    async def ack(self, delivery: Delivery) -> None:
        async with self.queue.changed:
            self.queue.records.remove(self.find(delivery))
            self.queue.changed.notify_all()

    async def nack(self, delivery: Delivery) -> None:
        async with self.queue.changed:
            self.put_back(self.find(delivery))

    async def close(self) -> None:
        async with self.queue.changed:
            self.closed = True
            for record in [record for record in self.queue.records if record.holder is self]:
                self.put_back(record)
            self.queue.changed.notify_all()

    def find(self, delivery: Delivery) -> Record:
        for record in self.queue.records:
            if record.delivery is delivery and record.holder is self:
                return record
        raise ValueError("not held")

    def put_back(self, record: Record) -> None:
        record.holder = record.delivery = None
        self.queue.records.remove(record)
        self.queue.records.append(record)  # its number still says which of its key comes first
        self.queue.changed.notify_all()


class Topic:
    def __init__(self) -> None:
        self.queues: list[Queue] = []

    async def subscribe(self, *, capacity: int = 1000) -> Queue:
        self.queues.append(Queue(capacity=capacity))
        return self.queues[-1]

    async def unsubscribe(self, queue: Queue) -> None:
        self.queues = [other for other in self.queues if other is not queue]

    async def publish(self, body: Any, *, key: str | None = None) -> None:
        text = json.dumps(body)
        for queue in self.queues:  # the list is replaced or appended to, never shortened
            await queue.offer(text, key)
