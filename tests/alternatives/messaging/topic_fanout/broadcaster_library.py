"""The `broadcaster` library carries the topic; asyncio.Queue and one asyncio.Queue a key carry the queue.

Design: library. A subscriber is a subscription of the library, whose unbounded backlog a task empties at once into a
bounded queue. An echo to the topic itself tells `publish` when the library has handed out the message.

Breaks: none
"""

import asyncio
import json
from contextlib import AsyncExitStack
from dataclasses import dataclass
from itertools import count
from typing import Any

from broadcaster import Broadcast, Event


class Closed(Exception):
    pass


@dataclass(frozen=True, eq=False)
class Delivery:
    body: Any
    key: str | None
    attempt: int


@dataclass(eq=False)
class Parcel:
    text: str
    key: str | None
    attempt: int = 1


class Queue:
    def __init__(self, *, capacity: int = 1000) -> None:
        if capacity < 1:
            raise ValueError("capacity is at least 1")
        self.dropped = 0
        self.room = capacity
        self.ready: asyncio.Queue[Parcel] = asyncio.Queue()
        self.lines: dict[str, asyncio.Queue[Parcel]] = {}  # what waits behind the first of a key
        self.gate = asyncio.Condition()

    def consumer(self) -> "Consumer":
        return Consumer(self)

    async def send(self, body: Any, *, key: str | None = None) -> None:
        text = json.dumps(body)
        async with self.gate:
            await self.gate.wait_for(lambda: self.room > 0)
            self.put(Parcel(text, key))

    def put(self, parcel: Parcel) -> None:
        self.room -= 1
        if parcel.key is None:
            self.ready.put_nowait(parcel)
        elif parcel.key in self.lines:
            self.lines[parcel.key].put_nowait(parcel)
        else:
            self.lines[parcel.key] = asyncio.Queue()
            self.ready.put_nowait(parcel)

    def put_or_drop(self, parcel: Parcel) -> None:
        if self.room > 0:
            self.put(parcel)
        else:
            self.dropped += 1

    async def taken(self) -> None:
        async with self.gate:
            self.room += 1
            self.gate.notify_all()


class Consumer:
    def __init__(self, queue: Queue) -> None:
        self.queue = queue
        self.held: dict[int, tuple[Delivery, Parcel]] = {}
        self.end = asyncio.Event()

    async def receive(self) -> Delivery:
        if self.end.is_set():
            raise Closed
        getting = asyncio.ensure_future(self.queue.ready.get())
        ending = asyncio.ensure_future(self.end.wait())
        try:
            await asyncio.wait({getting, ending}, return_when=asyncio.FIRST_COMPLETED)
            if self.end.is_set():
                raise Closed
            parcel = getting.result()
            await self.queue.taken()
        except BaseException:
            getting.cancel()
            getting.add_done_callback(self.rescue)
            raise
        finally:
            ending.cancel()
        delivery = Delivery(json.loads(parcel.text), parcel.key, parcel.attempt)
        self.held[id(delivery)] = delivery, parcel
        return delivery

    def rescue(self, getting: "asyncio.Future[Parcel]") -> None:
        if not getting.cancelled():
            self.queue.ready.put_nowait(getting.result())

    def release(self, delivery: Delivery) -> Parcel:
        if id(delivery) not in self.held:
            raise ValueError("not held by this consumer")
        return self.held.pop(id(delivery))[1]

    async def ack(self, delivery: Delivery) -> None:
        parcel = self.release(delivery)
        if parcel.key is not None:
            line = self.queue.lines[parcel.key]
            if line.empty():
                del self.queue.lines[parcel.key]
            else:
                self.queue.ready.put_nowait(line.get_nowait())

    async def nack(self, delivery: Delivery) -> None:
        parcel = self.release(delivery)
        parcel.attempt += 1
        self.queue.room -= 1
        self.queue.ready.put_nowait(parcel)

    async def close(self) -> None:
        self.end.set()
        for delivery, _ in list(self.held.values()):
            await self.nack(delivery)


class Topic:
    def __init__(self) -> None:
        self.broadcast: Broadcast | None = None
        self.numbers = count()
        self.subscriptions: dict[Queue, asyncio.Task[None]] = {}

    async def subscribe(self, *, capacity: int = 1000) -> Queue:
        queue = Queue(capacity=capacity)
        if self.broadcast is None:
            self.broadcast = Broadcast("memory://")
            await self.broadcast.connect()
        entered = asyncio.Event()
        self.subscriptions[queue] = asyncio.create_task(self.pump(queue, self.broadcast, entered))
        await entered.wait()
        return queue

    async def pump(self, queue: Queue, broadcast: Broadcast, entered: asyncio.Event) -> None:
        async with AsyncExitStack() as stack:
            subscriber = await stack.enter_async_context(broadcast.subscribe("topic"))
            entered.set()
            while True:
                event: Event = await subscriber.get()
                text, key = json.loads(event.message)
                queue.put_or_drop(Parcel(text, key))

    async def unsubscribe(self, queue: Queue) -> None:
        pump = self.subscriptions.pop(queue, None)
        if pump is not None:
            await asyncio.sleep(0.01)  # what the library has handed out is still on its way
            pump.cancel()
            await asyncio.wait({pump})

    async def publish(self, body: Any, *, key: str | None = None) -> None:
        if self.broadcast is None:
            return
        message, number = json.dumps([json.dumps(body), key]), f"echo {next(self.numbers)}"
        async with self.broadcast.subscribe(number) as echo:
            await self.broadcast.publish("topic", message)
            await self.broadcast.publish(number, "")
            await echo.get()
