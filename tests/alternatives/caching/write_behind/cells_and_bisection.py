"""A worker for the whole life of the buffer, asyncio.Condition, and a future in each unwritten value.

Design: flush waits for the futures of the values that there are; a newer value inherits the future of the one that it
replaces. A batch is delivered by recursion: it retries itself until it is written, and halves itself when refused.
Breaks: none
"""

import asyncio
import pickle
from collections import OrderedDict


class Refused(Exception):
    """Some value is not acceptable."""


class Closed(Exception):
    """Closed."""


class Cell:
    def __init__(self, key, data, deadline):
        self.key, self.data, self.deadline = key, data, deadline
        self.ends = [asyncio.get_running_loop().create_future()]

    def end(self):
        for future in self.ends:
            if not future.done():
                future.set_result(True)

    def fail(self):
        for future in self.ends:
            if not future.done():
                future.set_result(False)


class WriteBehind:
    def __init__(
        self, store, *, on_refused, batch_size=100, max_age=1.0, capacity=10_000, retry_base=0.1, retry_cap=30.0
    ):
        for ok in (batch_size > 0, capacity >= batch_size, max_age > 0, retry_base > 0, retry_cap >= retry_base):
            if not ok:
                raise ValueError("arguments out of range")
        self._store, self._on_refused = store, on_refused
        self._size, self._age, self._capacity = batch_size, max_age, capacity
        self._base, self._cap, self._pause = retry_base, retry_cap, 0
        self._line = OrderedDict()
        self._sent = OrderedDict()
        self._closed = False
        self._changed = asyncio.Condition()
        self._task = asyncio.create_task(self._run())

    async def put(self, key, value):
        data = pickle.dumps(value)
        async with self._changed:
            await self._changed.wait_for(lambda: self._closed or self._fits(key))
            if self._closed:
                raise Closed("no more puts")
            if key in self._line:
                self._line[key].data = data
            else:
                self._line[key] = Cell(key, data, asyncio.get_running_loop().time() + self._age)
            self._changed.notify_all()

    def _fits(self, key):
        known = set(self._line) | set(self._sent)
        return key in known or len(known) < self._capacity

    async def get(self, key):
        for cells in (self._line, self._sent):
            if key in cells:
                return pickle.loads(cells[key].data)
        return await self._store.read(key)

    async def flush(self):
        cells = [*self._sent.values(), *self._line.values()]
        ends = [cell.ends[0] for cell in cells]
        async with self._changed:
            for cell in cells:
                cell.deadline = -1
            self._changed.notify_all()
        if ends:
            await asyncio.wait(ends)
        if not all(end.result() for end in ends):
            raise Closed("given up")

    async def close(self, *, timeout=10.0):
        async with self._changed:
            self._closed = True
            self._changed.notify_all()
        try:
            async with asyncio.timeout(timeout):
                await asyncio.wait({self._task})
        except TimeoutError:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        lost = {**self._sent, **self._line}
        for cell in [*self._sent.values(), *self._line.values()]:
            cell.fail()
        self._sent, self._line = OrderedDict(), OrderedDict()
        return {key: pickle.loads(cell.data) for key, cell in lost.items()}

    async def _run(self):
        while True:
            batch = await self._next()
            if not batch:
                return
            await self._deliver(batch)

    async def _next(self):
        def due():
            return self._closed or len(self._line) >= self._size

        async with self._changed:
            await self._changed.wait_for(lambda: self._line or self._closed)
            while not due():
                deadline = min(cell.deadline for cell in self._line.values())
                try:
                    async with asyncio.timeout_at(deadline):
                        await self._changed.wait()
                except TimeoutError:
                    break
            for _ in range(min(self._size, len(self._line))):
                key, cell = self._line.popitem(last=False)
                self._sent[key] = cell
            return list(self._sent.values())

    async def _deliver(self, cells):
        while True:
            batch = {cell.key: pickle.loads(cell.data) for cell in cells}
            try:
                await self._store.write(batch)
            except Refused:
                if len(cells) == 1:
                    self._pause = 0
                    await self._done(cells)
                    self._on_refused(cells[0].key, pickle.loads(cells[0].data))
                else:
                    middle = (len(cells) + 1) // 2
                    await self._deliver(cells[:middle])
                    await self._deliver(cells[middle:])
                return
            except Exception:  # noqa: BLE001
                self._pause = min(self._cap, 2 * self._pause or self._base)
                await asyncio.sleep(self._pause)
                for cell in cells:
                    if newer := self._line.pop(cell.key, None):
                        cell.data = newer.data
                        cell.ends += newer.ends
            else:
                self._pause = 0
                await self._done(cells)
                return

    async def _done(self, cells):
        for cell in cells:
            del self._sent[cell.key]
            cell.end()
        async with self._changed:
            self._changed.notify_all()
