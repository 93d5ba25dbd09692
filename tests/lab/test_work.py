"""What a call costs is counted: lines of Python, comparisons of keys and times, bytes."""

from __future__ import annotations

import heapq
import sys
import tracemalloc

import pytest

from dojo.lab.errors import NeverFinishes
from dojo.lab.work import Key, Moment, bytes_taken, lines_run, memory_traced

SIZE = 1000
ENTRIES = {Key(n): Moment(n) for n in range(SIZE)}
KEYS, TIMES = [*ENTRIES], [*ENTRIES.values()]


def loop() -> None:
    for _ in ENTRIES:
        pass


@pytest.mark.parametrize(
    "call",
    [
        loop,
        lambda: [key for key in ENTRIES if key is None],
        lambda: next((key for key in ENTRIES if key is None), None),
        lambda: min(ENTRIES, key=lambda key: key.n),
        lambda: KEYS.index(Key(SIZE - 1)),
        lambda: min(TIMES),
        lambda: min(5.0 + time for time in TIMES),
        lambda: heapq.nsmallest(2, TIMES),
        lambda: dict.fromkeys(map(Key, range(SIZE))),
    ],
)
def test_a_look_at_everything_is_seen(call) -> None:
    assert lines_run(call) >= SIZE


def test_a_look_at_one_entry_is_cheap() -> None:
    assert lines_run(lambda: ENTRIES[Key(7)]) == lines_run(lambda: ENTRIES[Key(7)]) < 20
    assert lines_run(ENTRIES.__len__) < 5


def test_a_copy_is_seen() -> None:
    with memory_traced():
        assert bytes_taken(list, ENTRIES) >= 8 * SIZE
        assert bytes_taken(lambda: sorted(ENTRIES, key=id)[0]) >= 8 * SIZE
        assert bytes_taken(lambda: next(iter(ENTRIES))) < 1000


def test_what_is_held_is_told() -> None:
    with memory_traced() as held_now:
        before = held_now()
        kept = bytes(100_000)
        assert held_now() - before >= len(kept)


def test_tracing_ends() -> None:
    before = sys.gettrace(), tracemalloc.is_tracing()
    with pytest.raises(ZeroDivisionError):
        lines_run(lambda: 1 // 0)
    with pytest.raises(ZeroDivisionError), memory_traced():
        bytes_taken(lambda: 1 // 0)
    assert (sys.gettrace(), tracemalloc.is_tracing()) == before


def endless() -> None:
    while True:
        pass


def test_an_endless_loop_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dojo.lab.work.ENDLESS", 10_000)
    with pytest.raises(NeverFinishes, match="10,000 lines of Python it is still in endless"):
        lines_run(endless)


def test_keys_and_moments_are_what_they_stand_for() -> None:
    assert Key(1) == Key(1) != Key(2)
    assert {Key(1): "a"}[Key(1)] == "a"
    assert Key(1) != 1
    for left, right in (Moment(1), 2.0), (1.0, Moment(2)), (Moment(1), Moment(2)):
        assert left < right
        assert left <= right
        assert not left > right
        assert not left >= right
        assert (type(left + right), left + right, right - left) == (Moment, 3.0, 1.0)
    assert Moment(1) == 1.0
    assert hash(Moment(1)) == hash(1.0)
