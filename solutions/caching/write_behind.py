"""Writes that are acknowledged at once and reach the store later, in batches; see README.md for the policies.

Sources: Oracle Coherence documentation, "Read-Through, Write-Through, Write-Behind, and Refresh-Ahead Caching"; Linux
kernel documentation, `dirty_expire_centisecs` and `dirty_ratio`, which are the age and the bound of the page cache.
"""

from __future__ import annotations

import asyncio
import copy
import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol


class Refused(Exception):
    """The store will never take some value of this batch, and does not say which. Nothing of the batch is written."""


class Closed(Exception):
    """This buffer was closed; put into another one."""


class Store(Protocol):
    """What is written to, and read from when nothing newer is in the buffer."""

    async def write(self, batch: dict[str, Any]) -> None:
        """Write all values of the batch, by key, or none.

        Raises Refused if it will never take some value; any other Exception if it has failed this time, and then
        nobody knows whether the batch is written.
        """

    async def read(self, key: str) -> Any:
        """The value that was last written for `key`, or None."""


@dataclass(eq=False)
class _Slot:
    """The newest value of a key, and the place in the line that the first value which it stands for has had."""

    value: Any
    place: int
    due: float


class WriteBehind:
    """A buffer in front of a store. Make it and use it in one running event loop.

    store: where the values go.
    on_refused: called with key and value for each value that the store refuses, once.
    batch_size: keys in one write at most; as many as that are written without waiting for `max_age`.
    max_age: seconds that a value may wait before a write is due.
    capacity: keys whose newest value may be unwritten; at least `batch_size`.
    retry_base, retry_cap: seconds of the pause after a first failed write, and of the longest pause.

    Raises ValueError for a batch_size below 1, a smaller capacity than that, a time that is not positive, and a
    retry_cap below retry_base.
    """

    def __init__(
        self,
        store: Store,
        *,
        on_refused: Callable[[str, Any], None],
        batch_size: int = 100,
        max_age: float = 1.0,
        capacity: int = 10_000,
        retry_base: float = 0.1,
        retry_cap: float = 30.0,
    ) -> None:
        if not 1 <= batch_size <= capacity:
            raise ValueError(f"not 1 <= batch_size <= capacity: {batch_size}, {capacity}; a full buffer has to be due")
        if not (max_age > 0 and 0 < retry_base <= retry_cap):
            raise ValueError(f"not 0 < max_age, 0 < retry_base <= retry_cap: {max_age}, {retry_base}, {retry_cap}")
        self._store = store
        self._on_refused = on_refused
        self._batch_size = batch_size
        self._max_age = max_age
        self._capacity = capacity
        self._retry_base = retry_base
        self._retry_cap = retry_cap
        self._places = itertools.count()
        # A key may be in both: then the newer value waits. Both are in the order of their places.
        self._waiting: dict[str, _Slot] = {}
        self._under_way: dict[str, _Slot] = {}
        self._news = asyncio.Event()
        self._worker: asyncio.Task[None] | None = None
        self._is_closed = False
        self._has_given_up = False

    async def put(self, key: str, value: Any) -> None:
        """Take the value, as it is now, to be written later; waits only for room. Raises Closed after `close`.

        value: None, bool, int, float, str, and lists and dicts (with str keys) of them.
        """
        value = copy.deepcopy(value)
        while not self._is_closed:
            # Nothing awaits between finding room and taking it.
            if self._has_room_for(key):
                self._take(key, value)
                return
            await self._change()
        raise Closed("this buffer was closed; put into another one")

    async def get(self, key: str) -> Any:
        """The newest value of `key`: a copy of the unwritten one, or what the store reads. Raises what that raises."""
        slot = self._waiting.get(key) or self._under_way.get(key)
        return await self._store.read(key) if slot is None else copy.deepcopy(slot.value)

    async def flush(self) -> None:
        """Write what is unwritten, whatever its age; returns when it, or a newer value, is written, or it was refused.

        Raises Closed if `close` gives up meanwhile.
        """
        last = next(self._places)
        for slot in self._waiting.values():
            slot.due = -math.inf
        self._notify()
        while self._oldest_place() < last:
            await self._change()
            if self._has_given_up:
                raise Closed("this buffer was closed before the store had taken everything")

    async def close(self, *, timeout: float = 10.0) -> dict[str, Any]:
        """Take no more and write what is unwritten; give up after `timeout` seconds. The unwritten values, by key."""
        self._is_closed = True
        self._notify()
        if self._worker is not None:
            worker = self._worker
            await asyncio.wait({worker}, timeout=timeout)
            # No-ops if it has ended. A write that is cut short may have happened; nobody knows, so it is unwritten.
            worker.cancel()
            await asyncio.wait({worker})
        unwritten = {key: slot.value for key, slot in (self._under_way | self._waiting).items()}
        self._has_given_up = bool(unwritten)
        self._under_way, self._waiting = {}, {}
        self._notify()
        return unwritten

    def _has_room_for(self, key: str) -> bool:
        if key in self._waiting or key in self._under_way:
            return True
        return len(self._waiting) + sum(k not in self._waiting for k in self._under_way) < self._capacity

    def _take(self, key: str, value: Any) -> None:
        slot = self._waiting.get(key)
        if slot is not None:
            slot.value = value
            return
        due = asyncio.get_running_loop().time() + self._max_age
        self._waiting[key] = _Slot(value, next(self._places), due)
        self._notify()
        if self._worker is None:
            self._worker = asyncio.create_task(self._work())

    def _oldest_place(self) -> float:
        firsts = (next(iter(slots.values())).place for slots in (self._under_way, self._waiting) if slots)
        return min(firsts, default=math.inf)

    # The only one who writes, so that no two values of a key are ever on their way at once, and a task of its own, so
    # that no caller's cancellation reaches a write. It ends when there is nothing to write.

    async def _work(self) -> None:
        size, pause = self._batch_size, self._retry_base
        while self._waiting:
            await self._until_due()
            batch = self._begin(size)
            try:
                await self._store.write({key: slot.value for key, slot in batch.items()})
            except Refused:
                # Ever smaller batches, until what is refused is alone.
                size = len(batch) // 2
                if size:
                    self._return(batch)
                else:
                    [(key, slot)] = batch.items()
                    self._settle()
                    self._on_refused(key, slot.value)
                    size = self._batch_size
            except Exception:  # noqa: BLE001 - stores fail in their own ways
                self._return(batch)
                await asyncio.sleep(pause)
                # Not base * 2 ** n, which is too large for a float after a thousand failures.
                pause = min(2 * pause, self._retry_cap)
            else:
                self._settle()
                size, pause = self._batch_size, self._retry_base
        self._worker = None

    async def _until_due(self) -> None:
        while len(self._waiting) < self._batch_size and not self._is_closed:
            oldest = next(iter(self._waiting.values()))
            try:
                async with asyncio.timeout_at(oldest.due):
                    await self._change()
            except TimeoutError:
                return

    def _begin(self, size: int) -> dict[str, _Slot]:
        self._under_way = {key: self._waiting[key] for key in itertools.islice(self._waiting, size)}
        for key in self._under_way:
            del self._waiting[key]
        return self._under_way

    def _settle(self) -> None:
        # What was put meanwhile waits in a slot of its own.
        self._under_way = {}
        self._notify()

    def _return(self, batch: dict[str, _Slot]) -> None:
        """Nothing is known to be written: back to the front, where a newer value takes the older one's place."""
        for key, slot in batch.items():
            slot.due = -math.inf
            newer = self._waiting.pop(key, None)
            if newer is not None:
                slot.value = newer.value
        self._waiting = batch | self._waiting
        self._under_way = {}

    # Whatever changes wakes everybody who waits, and they look for themselves.

    def _notify(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    async def _change(self) -> None:
        await self._news.wait()
