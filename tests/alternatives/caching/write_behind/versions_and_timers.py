"""No worker: a state machine that each event kicks, a timer for the age, a task for the one write under way.

Design: one row for each key, with the version that was put and the one that is on its way; who flushes holds the
versions that it needs; those who wait are futures. A refused batch is written row by row.
Breaks: none
"""

import asyncio
import copy
import random
from dataclasses import dataclass


class Refused(Exception):
    """Some value is not acceptable."""


class Closed(Exception):
    """Closed."""


@dataclass
class Row:
    value: object
    version: int
    rank: int  # its place among those that wait; that of a put during its write is kept in `next_rank`
    born: float
    sent: object = None
    next_rank: int = 0
    next_born: float = 0.0
    busy: bool = False


class WriteBehind:
    def __init__(
        self, store, *, on_refused, batch_size=100, max_age=1.0, capacity=10_000, retry_base=0.1, retry_cap=30.0
    ):
        if batch_size < 1 or capacity < batch_size or not max_age > 0 or retry_base <= 0 or retry_cap < retry_base:
            raise ValueError("these limits make no sense")
        self.store, self.on_refused = store, on_refused
        self.size, self.max_age, self.capacity = batch_size, max_age, capacity
        self.base, self.cap = retry_base, retry_cap
        self.rows, self.clock, self.failures = {}, 0, 0
        self.writing, self.timer, self.paused, self.closing = None, None, False, False
        self.hurry = -1  # rows of this rank or a lower one are due
        self.suspects = []
        self.needs = []  # (what is needed: key to version, future)
        self.queue, self.idle = [], []

    async def put(self, key, value):
        value = copy.deepcopy(value)
        while not self.closing and key not in self.rows and len(self.rows) >= self.capacity:
            turn = asyncio.get_running_loop().create_future()
            self.queue.append(turn)
            try:
                await turn
            finally:
                if turn in self.queue:
                    self.queue.remove(turn)
        if self.closing:
            raise Closed("closed; open another one")
        self.clock += 1
        now = asyncio.get_running_loop().time()
        row = self.rows.get(key)
        if row is None:
            self.rows[key] = Row(value, self.clock, self.clock, now)
        else:
            if row.busy and not row.next_rank:
                row.next_rank, row.next_born = self.clock, now
            row.value, row.version = value, self.clock
        self.kick()

    async def get(self, key):
        if key in self.rows:
            return copy.deepcopy(self.rows[key].value)
        return await self.store.read(key)

    async def flush(self):
        if self.rows:
            self.hurry = self.clock
            done = asyncio.get_running_loop().create_future()
            needed = {}
            for key, row in self.rows.items():
                needed[key] = row.version
            self.needs.append((needed, done))
            self.kick()
            await done

    async def close(self, *, timeout=10.0):
        self.closing = True
        self.wake()
        self.kick()
        if self.rows:
            done = asyncio.get_running_loop().create_future()
            self.idle.append(done)
            await asyncio.wait([done], timeout=timeout)
        lost = {key: row.value for key, row in self.rows.items()}
        self.rows = {}
        if self.writing is not None:
            task, self.writing = self.writing, None
            task.cancel()
            await asyncio.wait([task])
        if self.timer is not None:
            self.timer.cancel()
        for _, done in self.needs:
            if not done.done():
                done.set_exception(Closed("given up"))
        self.needs = []
        return lost

    def wake(self):
        for turn in self.queue:
            if not turn.done():
                turn.set_result(None)

    def kick(self, *, timed=False):
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
        if self.writing is not None or self.paused or not self.rows:
            return
        self.suspects = [key for key in self.suspects if key in self.rows]
        if self.suspects:
            self.send([self.suspects[0]])
            return
        line = sorted(self.rows, key=lambda key: self.rows[key].rank)
        oldest = self.rows[line[0]]
        due = oldest.born + self.max_age
        hurried = oldest.rank <= self.hurry or self.closing
        if timed or hurried or len(line) >= self.size or due <= asyncio.get_running_loop().time():
            self.send(line[: self.size])
        else:
            self.timer = asyncio.get_running_loop().call_at(due, lambda: self.kick(timed=True))

    def send(self, keys):
        for key in keys:
            row = self.rows[key]
            row.busy, row.sent, row.next_rank = True, (row.version, row.value), 0
        self.writing = asyncio.create_task(self.write(keys))

    async def write(self, keys):
        sent = {key: self.rows[key].sent for key in keys}
        end = "written"
        try:
            await self.store.write({key: value for key, (_, value) in sent.items()})
        except Refused:
            end = "refused"
        except Exception:  # noqa: BLE001
            end = "failed"
        if self.writing is not asyncio.current_task():
            return
        self.writing = None
        for key in keys:
            self.rows[key].busy = False
        if end == "failed":
            self.failures += 1
            self.paused = True
            self.hurry = max(self.hurry, *(self.rows[key].rank for key in keys))
            pause = min(self.cap, self.base * 2.0 ** min(self.failures - 1, 99))
            self.timer = None
            self.resume_at(pause * random.uniform(0.5, 1.0))
            return
        self.failures = 0
        if end == "refused" and len(keys) > 1:
            self.suspects = list(keys)
            self.hurry = max(self.hurry, *(self.rows[key].rank for key in keys))
        else:
            for key in keys:
                self.settle(key, sent[key][0])
            if end == "refused":
                self.on_refused(keys[0], sent[keys[0]][1])
            self.wake()
        self.kick()
        if not self.rows:
            for done in self.idle:
                if not done.done():
                    done.set_result(None)

    def resume_at(self, pause):
        def resume():
            self.paused = False
            self.kick()

        # Under the name of the timer, so that close can end it; nothing kicks it away, as nothing kicks in a pause.
        self.pausing = asyncio.get_running_loop().call_later(pause, resume)

    def settle(self, key, version):
        row = self.rows[key]
        if key in self.suspects:
            self.suspects.remove(key)
        if row.version == version:
            del self.rows[key]
        else:
            row.rank, row.born = row.next_rank or row.rank, row.next_born or row.born
        for needed, done in self.needs:
            if key in needed and needed[key] <= version:
                del needed[key]
            if not needed and not done.done():
                done.set_result(None)
        self.needs = [(needed, done) for needed, done in self.needs if needed]
