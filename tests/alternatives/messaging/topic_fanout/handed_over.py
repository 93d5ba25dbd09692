"""Messages are handed to waiting tasks, in the order in which those came; bodies are kept pickled.

Design: futures. There is no news to wait for: each waiting receiver and sender has a future of its own, and one
function matches them with messages and room. A receiver that is cancelled with a message in its hands gives it back.

Breaks: none
"""

import asyncio
import contextlib
import heapq
import pickle
from typing import Any, NamedTuple


class Closed(Exception):
    pass


class Message:
    def __init__(self, blob: bytes, key: str | None) -> None:
        self.blob, self.key, self.attempts, self.place = blob, key, 0, 0


class Delivery:
    def __init__(self, body: Any, key: str | None, attempt: int) -> None:
        self.body, self.key, self.attempt = body, key, attempt


class Sender(NamedTuple):
    future: "asyncio.Future[None]"
    message: Message


class Queue:
    def __init__(self, *, capacity: int = 1000) -> None:
        if not capacity > 0:
            raise ValueError("no room at all")
        self.capacity, self.dropped, self.waiting, self.places = capacity, 0, 0, 0
        self.heap: list[tuple[int, Message]] = []  # what can be given out, by its place
        self.behind: dict[str, list[Message]] = {}  # by key: what waits for the one before it
        self.receivers: list[tuple[asyncio.Future[Message], Consumer]] = []
        self.senders: list[Sender] = []

    def consumer(self) -> "Consumer":
        return Consumer(self)

    async def send(self, body: Any, *, key: str | None = None) -> None:
        sender = Sender(asyncio.get_running_loop().create_future(), Message(pickle.dumps(body), key))
        self.senders.append(sender)
        self.match()
        if not sender.future.done():
            try:
                await asyncio.wait([sender.future])
            except asyncio.CancelledError:
                if not sender.future.done():
                    self.senders.remove(sender)
                    raise
                # It is in the queue already: this call has succeeded, and says so.

    def offer(self, message: Message) -> None:
        if self.waiting >= self.capacity:
            self.dropped += 1
        else:
            self.put(message)
            self.match()

    def put(self, message: Message) -> None:
        self.waiting += 1
        if message.key is not None and message.key in self.behind:
            self.behind[message.key].append(message)
            return
        if message.key is not None:
            self.behind[message.key] = []
        self.make_ready(message)

    def make_ready(self, message: Message) -> None:
        self.places += 1
        message.place = self.places
        heapq.heappush(self.heap, (message.place, message))

    def put_back(self, message: Message) -> None:
        self.waiting += 1
        self.make_ready(message)
        self.match()

    def finish(self, message: Message) -> None:
        if message.key is not None:
            line = self.behind[message.key]
            if line:
                self.make_ready(line.pop(0))
            else:
                del self.behind[message.key]
        self.match()

    def match(self) -> None:
        moved = True
        while moved:
            moved = False
            while self.senders and self.waiting < self.capacity:
                sender = self.senders.pop(0)
                self.put(sender.message)
                sender.future.set_result(None)
            while self.receivers and self.heap:
                future, _ = self.receivers.pop(0)
                if not future.done():
                    future.set_result(heapq.heappop(self.heap)[1])
                    self.waiting -= 1
                    moved = True


class Consumer:
    def __init__(self, queue: Queue) -> None:
        self.queue, self.open = queue, True
        self.held: list[tuple[Delivery, Message]] = []

    async def receive(self) -> Delivery:
        if not self.open:
            raise Closed
        future: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self.queue.receivers.append((future, self))
        self.queue.match()
        try:
            message = await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled():
                self.queue.put_back(future.result())
            self.queue.receivers = [each for each in self.queue.receivers if each[0] is not future]
            raise
        if not self.open:
            self.queue.put_back(message)
            raise Closed
        message.attempts += 1
        self.held.append((Delivery(pickle.loads(message.blob), message.key, message.attempts), message))
        return self.held[-1][0]

    def release(self, delivery: Delivery) -> Message:
        for number, (mine, message) in enumerate(self.held):
            if mine is delivery:
                del self.held[number]
                return message
        raise ValueError("this consumer does not have it")

    async def ack(self, delivery: Delivery) -> None:
        self.queue.finish(self.release(delivery))

    async def nack(self, delivery: Delivery) -> None:
        self.queue.put_back(self.release(delivery))

    async def close(self) -> None:
        self.open = False
        for future, consumer in self.queue.receivers:
            if consumer is self and not future.done():
                future.set_exception(Closed())
        self.queue.receivers = [each for each in self.queue.receivers if each[1] is not self]
        with contextlib.suppress(IndexError):
            while True:
                self.queue.put_back(self.held.pop()[1])


class Topic:
    def __init__(self) -> None:
        self.queues: set[Queue] = set()

    async def subscribe(self, *, capacity: int = 1000) -> Queue:
        queue = Queue(capacity=capacity)
        self.queues.add(queue)
        return queue

    async def unsubscribe(self, queue: Queue) -> None:
        self.queues.discard(queue)

    async def publish(self, body: Any, *, key: str | None = None) -> None:
        blob = pickle.dumps(body)
        for queue in self.queues:
            queue.offer(Message(blob, key))
