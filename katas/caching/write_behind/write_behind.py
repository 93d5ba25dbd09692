"""Writes that are acknowledged at once and reach the store later, in batches; see README.md for the policies.

Sources: Oracle Coherence documentation, "Read-Through, Write-Through, Write-Behind, and Refresh-Ahead Caching"; Linux
kernel documentation, `dirty_expire_centisecs` and `dirty_ratio`, which are the age and the bound of the page cache.
"""

from __future__ import annotations

from collections.abc import Callable
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
        raise NotImplementedError("WriteBehind.__init__ is yours to write; its rules stand in README.md")

    async def put(self, key: str, value: Any) -> None:
        """Take the value, as it is now, to be written later; waits only for room. Raises Closed after `close`.

        value: None, bool, int, float, str, and lists and dicts (with str keys) of them.
        """
        raise NotImplementedError("WriteBehind.put is yours to write; its rules stand in README.md")

    async def get(self, key: str) -> Any:
        """The newest value of `key`: a copy of the unwritten one, or what the store reads. Raises what that raises."""
        raise NotImplementedError("WriteBehind.get is yours to write; its rules stand in README.md")

    async def flush(self) -> None:
        """Write what is unwritten, whatever its age; returns when it, or a newer value, is written, or it was refused.

        Raises Closed if `close` gives up meanwhile.
        """
        raise NotImplementedError("WriteBehind.flush is yours to write; its rules stand in README.md")

    async def close(self, *, timeout: float = 10.0) -> dict[str, Any]:
        """Take no more and write what is unwritten; give up after `timeout` seconds. The unwritten values, by key."""
        raise NotImplementedError("WriteBehind.close is yours to write; its rules stand in README.md")
