"""The rules of README.md, in teaching order. Time is virtual: `asyncio.sleep(60)` returns at once.

`Table` is the store: a table of the lab's database, whose writes are slow, fail or are refused as a test says.
"""

import asyncio
import copy
import gc
import weakref

import pytest
from write_behind import Closed, Refused, WriteBehind

from dojo.lab import sweep
from dojo.lab.properties import given, settings, st

SOON = 0.1  # seconds; what waits for nobody has happened by then
NEVER = 10**6  # seconds
FALSY = [None, False, 0, 0.0, "", [], {}]
ORDER = {"total": 10.0, "paid": True, "lines": [1, None, ["zoë"]], "units": 2**70, "to": {"rooms": [{}, []], "": -0.5}}
NONSENSE = [{"batch_size": 0}, {"batch_size": -1}, {"batch_size": 3, "capacity": 2}, {"max_age": 0}, {"max_age": -1.0}]
NONSENSE += [{"retry_base": 0}, {"retry_base": -1, "retry_cap": 1}, {"retry_base": 2, "retry_cap": 1}]
Tracked = type("Tracked", (str,), {})  # a str that weak references can watch


class Table:
    """A write takes `seconds`; `plan` says of the next ones which "fail" and which "lose" their reply."""

    def __init__(self, lab, seconds=0.0, plan=(), bad=(), name="rows"):
        self.lab, self.database, self.name = lab, lab.database(), name
        self.seconds, self.plan, self.bad = seconds, [*plan], bad  # bad: the values that it refuses
        self.began, self.batches, self.cancelled, self.under_way, self.most_at_once = [], [], 0, 0, 0
        self.refused = []

    async def write(self, batch):
        self.began.append(self.lab.now)
        self.batches.append({str(key): copy.deepcopy(value) for key, value in batch.items()})
        self.lab.note(f"write of {', '.join(map(str, batch)) or 'nothing'} begins")
        self.under_way += 1
        self.most_at_once = max(self.most_at_once, self.under_way)
        try:
            await asyncio.sleep(self.seconds)
            what = self.plan.pop(0) if self.plan else ""
            if what == "fail":
                raise OSError("the database is down")
            if any(value in self.bad for value in self.lab.plain("a batch", [*batch.values()], trap="shared-copy")):
                raise Refused
            async with self.database.begin() as tx:
                for key, value in batch.items():
                    await tx.put(self.name, str(key), value)
            if what == "lose":
                raise TimeoutError("no reply")
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.under_way -= 1

    async def read(self, key):
        async with self.database.begin() as tx:
            return await tx.get(self.name, str(key))

    def rows(self):
        return self.database.rows(self.name)

    def on_refused(self, key, value):
        self.lab.note(f"on_refused({key!r}, {value!r})")
        self.refused.append((key, value))


def open_buffer(lab, *, seconds=0.0, plan=(), bad=(), name="rows", **options):
    """A buffer with `options` in front of a table."""
    table = Table(lab, seconds, plan, bad, name)
    return WriteBehind(table, on_refused=table.on_refused, **options), table


async def puts(lab, buffer, trap="put-waits-for-the-store", /, **values):
    """Put all these values; each call has to return at once."""
    for key, value in values.items():
        lab.note(f"put {key} = {value!r}")
        await lab.within(SOON, buffer.put(key, value), what=f"put of {key} returns", trap=trap)


async def read(lab, buffer, key, trap):
    """What `get` gives, at once."""
    return await lab.within(SOON, buffer.get(key), what=f"get of {key} returns", trap=trap)


async def at(lab, moment):
    """Wait until so many seconds after the beginning."""
    await asyncio.sleep(moment - lab.now)


def expect_begun(lab, table, *due, trap, slack=SOON):
    """Demand that the writes until now began at these moments, or up to 0.1 s later."""
    ok = len(table.began) == len(due) and all(
        d - 0.001 <= t <= d + slack for d, t in zip(due, table.began, strict=True)
    )
    got = ", ".join(f"{t:g}" for t in table.began)
    lab.require(
        ok, expected=f"writes that begin at {', '.join(f'{d:g}' for d in due)} s", got=f"{got or 'none'}", trap=trap
    )


async def turns(number):
    """Let the event loop turn so many times."""
    for _ in range(number):
        await asyncio.sleep(0)


def spoil(body):
    """Change a copy of ORDER in all its depths."""
    body["to"]["rooms"][0]["changed"] = True
    body["lines"][2].append("changed"), body["lines"].pop(0), body["to"].pop(""), body.update(total=0)


@pytest.mark.parametrize("value", [*FALSY, ORDER], ids=repr)
async def test_what_was_put_is_read(lab, value):
    """Rule 1. `get` gives the newest value that was put, whether it waits, is on its way or is written."""
    lab.scenario(f"the store has k = 'old', a write takes 60 s; {value!r} is put, and 'newer' while it is on its way")
    buffer, table = open_buffer(lab, seconds=60)
    async with table.database.begin() as tx:
        await tx.put("rows", "k", "old")
    lab.expect("k, when nothing was put", await read(lab, buffer, "k", "reads-around"), "old", trap="reads-around")
    await puts(lab, buffer, k=value)
    lab.expect("k, while it waits", await read(lab, buffer, "k", "reads-around"), value, trap="reads-around")
    await at(lab, 30)
    lab.expect("k, on its way", await read(lab, buffer, "k", "gone-on-the-way"), value, trap="gone-on-the-way")
    await puts(lab, buffer, k="newer")
    lab.expect("k, put meanwhile", await read(lab, buffer, "k", "reads-around"), "newer", trap="reads-around")
    await at(lab, 62)
    lab.expect("k, when the first is written", await buffer.get("k"), "newer", trap="newer-value-dropped")
    await at(lab, 150)
    lab.expect("k, when all is written", await buffer.get("k"), "newer", trap="newer-value-dropped")


async def test_all_else_is_asked_from_the_store(lab):
    """Rule 1. What is not unwritten is asked from the store, each time, with the errors that it raises."""
    lab.scenario("k is put and written; then another server changes the row; then the store cannot read")
    buffer, table = open_buffer(lab)
    await puts(lab, buffer, k=1)
    await at(lab, 2)
    async with table.database.begin() as tx:
        await tx.put("rows", "k", "another server's")
    got = [await buffer.get("k"), await buffer.get("missing")]
    lab.expect("k, and a key that there is not", got, ["another server's", None], trap="keeps-what-is-written")

    async def broken(key):
        raise OSError(key)

    table.read = broken
    with lab.raises(OSError, when="from get, when read raises it", trap="keeps-what-is-written"):
        await buffer.get("k")


async def test_put_does_not_wait_for_the_store(lab):
    """Rule 2. `put` waits for the store only if there is no room."""
    lab.scenario("batch_size 2, and a write takes an hour")
    buffer, table = open_buffer(lab, seconds=3600, batch_size=2)
    await puts(lab, buffer, a=1, b=2, c=3, d=4, e=5, a_again=6)
    await at(lab, 30)
    await puts(lab, buffer, a=7, f=8, g=9)
    lab.expect("writes begun", len(table.began), 1, trap="writes-overlap")


@pytest.mark.parametrize("error", [OSError, ValueError, type("DriverError", (Exception,), {})])
async def test_the_stores_errors_stay_inside(lab, error):
    """Rule 2. Neither `put` nor `flush` raises an error of a write; both values are written when it works again."""
    lab.scenario(f"batch_size 1; the first three writes raise {error.__name__}")
    buffer, table = open_buffer(lab, batch_size=1)
    works, table.write = table.write, None

    async def fails(batch):
        table.began.append(lab.now)
        if len(table.began) == 3:
            table.write = works
        raise error("down")

    table.write, trap = fails, "store-error-escapes"
    with lab.no_error(expected="put and flush raise nothing", trap=trap):
        await puts(lab, buffer, a=1, b=2)
        await asyncio.sleep(SOON)
        await puts(lab, buffer, a=3)
        await lab.within(10, buffer.flush(), what="flush returns", trap="one-error-stops-all")
    lab.expect("rows", table.rows(), {"a": 3, "b": 2}, trap="failed-batch-lost")
    lab.expect("exceptions nobody awaited", lab.errors_nobody_saw(), [], trap="store-error-escapes")


async def test_a_write_begins_by_age(lab):
    """Rule 3. A write begins when a key has waited for `max_age`, and not earlier, however often it is overwritten."""
    lab.scenario("max_age 1.1; k is put every 0.25 s until 2 s, and at 5.4 s; x at 6.1 s, and y at 20.7 s")
    buffer, table = open_buffer(lab, max_age=1.1)
    for n in range(1, 9):
        await at(lab, n / 4)
        await puts(lab, buffer, k=n)
    for moment, values in (5.4, {"k": 9}), (6.1, {"x": 1}), (20.7, {"y": 2}):
        await at(lab, moment)
        await puts(lab, buffer, **values)
    await at(lab, 30)
    expect_begun(lab, table, 1.35, 2.6, 6.5, 21.8, trap="age-restarts")
    lab.expect("batches", table.batches, [{"k": 5}, {"k": 8}, {"k": 9, "x": 1}, {"y": 2}], trap="one-row-a-write")


async def test_a_write_begins_by_count(lab):
    """Rule 3. A write begins when `batch_size` keys wait, counted as keys, and the next when the one before has ended."""
    lab.scenario("batch_size 3, max_age 60, a write takes 5 s; a and b twice; c at 10 s; then d at 11 s, and f, g, h")
    buffer, table = open_buffer(lab, seconds=5, batch_size=3, max_age=60)
    await puts(lab, buffer, a=1, b=2)
    await puts(lab, buffer, a=3, b=4)
    await at(lab, 10)
    expect_begun(lab, table, trap="counts-values")
    await puts(lab, buffer, c=5)
    await at(lab, 11)
    await puts(lab, buffer, d=6, f=7, g=8, h=9)
    await at(lab, 70)
    expect_begun(lab, table, 10, 15, trap="counts-values")
    await at(lab, 90)
    expect_begun(lab, table, 10, 15, 71, trap="last-ones-stay")


async def test_age_counts_during_a_write(lab):
    """Rule 3. What has waited for `max_age` during a write is written at once after it."""
    lab.scenario(
        "max_age 1; a write takes 5 s; a is put at 0 s, b at 2 s, and c at 5.7 s; then d at 10 s, and e at 30 s"
    )
    buffer, table = open_buffer(lab, seconds=5)
    for moment, key in (0, "a"), (2, "b"), (5.7, "c"), (10, "d"), (30, "e"):
        await at(lab, moment)
        await puts(lab, buffer, **{key: 1})
    await at(lab, 40)
    expect_begun(lab, table, 1, 6, 11, 31, trap="last-ones-stay")


async def test_values_of_a_key_become_one(lab):
    """Rule 4. Of several values of a key the last one is written, once, in its place; a batch takes the oldest."""
    lab.scenario("batch_size 3; a write takes 5 s; a is on its way, meanwhile b, c, b, d, a, e, b, f and g are put")
    buffer, table = open_buffer(lab, seconds=5, batch_size=3)
    await puts(lab, buffer, a=0)
    await at(lab, 2)
    for n, key in enumerate("bcbdaebfg"):
        await puts(lab, buffer, **{key: n})
    await at(lab, 30)
    due = [{"a": 0}, {"b": 6, "c": 1, "d": 3}, {"a": 4, "e": 5, "f": 7}, {"g": 8}]
    lab.expect("batches", table.batches, due, trap="every-value-written" if len(table.batches) > 4 else "out-of-turn")


async def test_one_write_at_a_time(lab):
    """Rule 5. One write is under way at a time, so the values of a key reach the store in the order of their puts."""
    lab.scenario("batch_size 1; a write takes 3 s; k is put each second and others in between; two call flush")
    buffer, table = open_buffer(lab, seconds=3, batch_size=1)
    flushing = []
    for n in range(10):
        await puts(lab, buffer, k=n, **{f"other{n % 3}": n})
        if n in (2, 5):
            flushing.append(asyncio.create_task(buffer.flush()))
        await asyncio.sleep(1)
    await at(lab, 100)
    lab.expect("writes under way at once", table.most_at_once, 1, trap="writes-overlap")
    values = [batch["k"] for batch in table.batches if "k" in batch]
    lab.expect("values of k, as they were written", values, sorted(values), trap="writes-overlap")
    lab.expect("rows", table.rows(), {"k": 9, "other0": 9, "other1": 7, "other2": 8}, trap="writes-overlap")
    await lab.within(SOON, asyncio.gather(*flushing), what="flush has returned", trap="flush-never-ends")


@pytest.mark.parametrize("newer", [2, True, 1.0, None], ids=repr)
@pytest.mark.parametrize("end", ["is written", "fails", "loses its reply", "is refused"])
async def test_what_is_put_during_a_write_is_kept(lab, end, newer):
    """Rule 6. What is put during a write is written after it, whatever that write was given, and however it ended."""
    lab.scenario(f"a write of k = 1 and m = 5 {end}; k = {newer!r} and x = 'new' are put while it is on its way")
    plan = {"fails": ["fail"], "loses its reply": ["lose"]}.get(end, [])
    buffer, table = open_buffer(lab, seconds=1, plan=plan, bad=[5] if end == "is refused" else [])
    await puts(lab, buffer, k=1, m=5)
    await at(lab, 1.5)
    await puts(lab, buffer, k=newer, x="new")
    lab.expect("k", await read(lab, buffer, "k", "reads-around"), newer, trap="reads-around")
    await at(lab, 1 + 1.05)
    trap = "old-value-returns" if plan else "newer-value-dropped"
    lab.expect("k, as its write ends", await read(lab, buffer, "k", trap), newer, trap=trap)
    await at(lab, 30)
    due = {"k": newer, "x": "new"} | ({} if end == "is refused" else {"m": 5})
    lab.expect("rows", table.rows(), due, trap=trap)
    if end == "is written":
        lab.expect("batches", table.batches, [{"k": 1, "m": 5}, {"k": newer, "x": "new"}], trap="live-batch")


async def test_a_failed_write_is_tried_again(lab):
    """Rule 7. A failed write is tried again, after a pause that doubles up to `retry_cap` and starts anew."""
    lab.scenario(
        "base 1, cap 6: five writes fail and one succeeds, then two more fail; flush is called in the third pause"
    )
    buffer, table = open_buffer(lab, plan=["fail"] * 5 + [""] + ["fail"] * 2, batch_size=2, retry_base=1, retry_cap=6)
    await puts(lab, buffer, a=1, b=2)
    await puts(lab, buffer, c=3)
    await asyncio.sleep(4.5)
    flushing = asyncio.create_task(buffer.flush())
    await asyncio.sleep(30)
    lab.expect("rows", table.rows(), {"a": 1, "b": 2, "c": 3}, trap="failed-batch-lost")
    await asyncio.sleep(60)
    lab.expect("the first six batches", table.batches[:6], [{"a": 1, "b": 2}] * 6, trap="failed-goes-last")
    gaps = [round(b - a, 3) for a, b in zip(table.began, table.began[1:], strict=False)]
    due = [1, 2, 4, 6, 6, 0, 1, 2]
    ok = len(gaps) == len(due) and all(d / 2 - 0.001 <= gap <= d + SOON for d, gap in zip(due, gaps, strict=True))
    lab.require(ok, expected=f"pauses of {due} s, or half as long", got=f"pauses of {gaps} s", trap="wrong-pause")
    await lab.within(SOON, flushing, what="flush has returned", trap="flush-never-ends")


async def test_an_outage_may_last(lab):
    """Rule 7. However often it failed, the write is tried again."""
    lab.scenario("the store is down for eleven hundred writes, half a minute apart; then it is back")
    buffer, table = open_buffer(lab, retry_base=29, batch_size=1)
    works = table.write

    async def down(batch):
        table.began.append(lab.now)
        table.write = down if len(table.began) < 1100 else works
        raise OSError("down")

    table.write = down
    await puts(lab, buffer, a=1)
    await asyncio.sleep(1100 * 31)
    lab.expect("rows", table.rows(), {"a": 1}, trap="gives-up")


@pytest.mark.parametrize("bad", [[0], [7], [2, 3], [1, 4, 6], range(8)], ids=str)
async def test_refused_values_are_isolated(lab, bad):
    """Rule 8. A refused value is reported once and dropped; the others of its batch are written without a pause."""
    lab.scenario(f"a batch of k0 … k7, of which the store refuses {', '.join(f'k{n}' for n in bad)}")
    buffer, table = open_buffer(lab, batch_size=8, bad=bad, retry_base=30)
    await puts(lab, buffer, **{f"k{n}": n for n in range(8)})
    await asyncio.sleep(SOON)
    due = {f"k{n}": n for n in range(8) if n not in bad}
    lab.expect("rows, at once", table.rows(), due, trap="poison-takes-all-down")
    refused = sorted(lab.plain("refused", table.refused, trap="refused-in-silence"))
    lab.expect("values reported", refused, [(f"k{n}", n) for n in bad], trap="refused-in-silence")
    await asyncio.sleep(60)
    lab.require(len(table.began) <= 30, expected="at most 30 writes", got=str(len(table.began)), trap="poison-stays")
    lab.expect("a refused key", await buffer.get(f"k{bad[0]}"), None, trap="poison-stays")
    await puts(lab, buffer, k0="good", k7="good")
    await asyncio.sleep(2)
    lab.expect("rows, later", table.rows(), due | {"k0": "good", "k7": "good"}, trap="poison-stays")
    lab.expect("values reported", len(table.refused), len(bad), trap="refused-in-silence")


@pytest.mark.parametrize("fails", range(5))
async def test_a_store_may_fail_while_values_are_isolated(lab, fails):
    """Rule 8. So it is if the store fails while the batch is split."""
    lab.scenario(
        f"k0 … k4, of which the store refuses k1 and k4; of its writes number {fails} fails, and the reply of 6"
    )
    buffer, table = open_buffer(
        lab, batch_size=5, bad=[1, 4], plan=[""] * fails + ["fail"] + [""] * (5 - fails) + ["lose"]
    )
    await puts(lab, buffer, **{f"k{n}": n for n in range(5)})
    await asyncio.sleep(20)
    lab.expect("rows", table.rows(), {"k0": 0, "k2": 2, "k3": 3}, trap="failed-batch-lost")
    lab.expect("values reported", sorted(table.refused), [("k1", 1), ("k4", 4)], trap="refused-in-silence")


async def test_a_refused_value_may_be_replaced(lab):
    """Rule 8. What replaced a refused value while it was on its way is another value, which is written."""
    lab.scenario("batch_size 1; the store refuses 0; k = 0 is on its way for 1 s, and meanwhile k = False is put")
    buffer, table = open_buffer(lab, batch_size=1, seconds=1)
    table.bad = type("Zero", (), {"__contains__": lambda _, value: value == 0 and value is not False})()
    await puts(lab, buffer, k=0)
    await asyncio.sleep(0.5)
    await puts(lab, buffer, k=False)
    await asyncio.sleep(5)
    lab.expect("rows", table.rows(), {"k": False}, trap="newer-value-dropped")
    lab.expect("values reported", table.refused, [("k", 0)], trap="refused-in-silence")


async def test_a_full_buffer_lets_put_wait(lab):
    """Rule 9. At most `capacity` keys are unwritten: `put` of another one waits for room, and is woken when there is."""
    lab.scenario(
        "capacity 3, batch_size 2; a write takes 60 s; a and b are on their way, and b and c wait; then d and e"
    )
    buffer, table = open_buffer(lab, seconds=60, batch_size=2, capacity=3, max_age=100)
    await puts(lab, buffer, a=1, b=2)
    await asyncio.sleep(1)
    await puts(lab, buffer, "capacity-miscounted", b=3, c=4)
    order = copy.deepcopy(ORDER)
    d, e, gone = (asyncio.create_task(buffer.put(key, value)) for key, value in [("d", order), ("e", 6), ("gone", 7)])
    await asyncio.sleep(1)
    spoil(order)
    gone.cancel()
    await at(lab, 30)
    waiting = [not task.done() for task in (d, e)]
    lab.expect("d and e wait", waiting, [True, True], trap="capacity-miscounted" if any(waiting) else "unbounded")
    lab.expect("the cancelled one has ended", gone.cancelled(), True, trap="capacity-miscounted")
    await puts(lab, buffer, "replacing-needs-no-room", a=8, b=9, c=10)
    await at(lab, 60 + 2 * SOON)
    lab.expect("d and e wait, when b and c are on their way", [d.done(), e.done()], [False, False], trap="unbounded")
    await at(lab, 121)
    lab.expect("d and e have returned, when these are written", [d.done(), e.done()], [True, True], trap="never-woken")
    await at(lab, 400)
    due = {"a": 8, "b": 9, "c": 10, "d": ORDER, "e": 6}
    lab.expect("rows", table.rows(), due, trap="put-after-all")


@pytest.mark.parametrize("plan", ["fails", "refused"])
async def test_room_is_neither_lost_nor_won(lab, plan):
    """Rule 9. A failed write makes no room; a refused value does."""
    lab.scenario(f"capacity 2, batch_size 2; a and b are full; c waits; the first write {plan}, the next after 8 s")
    bad = [1, 2] if plan == "refused" else []
    buffer, table = open_buffer(
        lab, seconds=1, plan=["fail"] * (plan == "fails"), bad=bad, batch_size=2, capacity=2, retry_base=8
    )
    await puts(lab, buffer, a=1, b=2)
    c = asyncio.create_task(buffer.put("c", 3))
    await at(lab, 3.5)
    lab.expect("c is in", c.done(), plan == "refused", trap="never-woken" if bad else "failed-batch-lost")
    await at(lab, 20)
    lab.expect("rows", table.rows(), {"c": 3} if bad else {"a": 1, "b": 2, "c": 3}, trap="failed-batch-lost")


async def test_flush_returns_when_all_is_written(lab):
    """Rule 10. `flush` returns when what was put before is in the store, neither earlier nor later."""
    lab.scenario(
        "batch_size 2, max_age 60, a write takes 5 s; a is on its way when b, c, d are put and flush is called"
    )
    buffer, table = open_buffer(lab, seconds=5, batch_size=2, max_age=60)
    await lab.within(SOON, buffer.flush(), what="flush of nothing returns", trap="flush-never-ends")
    await puts(lab, buffer, a=1)
    first = asyncio.create_task(buffer.flush())
    await at(lab, 2)
    second = asyncio.create_task(buffer.flush())
    await puts(lab, buffer, b=2, c=3, d=4)
    third = asyncio.create_task(buffer.flush())
    for moment, trap in (4.9, "flush-too-early"), (5.2, "flush-never-ends"):
        await at(lab, moment)
        got = [task.done() for task in (first, second, third)]
        lab.expect(f"the three have returned by {moment} s", got, [moment > 5] * 2 + [False], trap=trap)
    for n in range(3):  # later ones, the last of which it need not wait for
        await puts(lab, buffer, **{f"later{n}": n, "a": n})
    await at(lab, 14.9)
    lab.expect("the third has returned by 14.9 s", third.done(), False, trap="flush-too-early")
    await at(lab, 15.2)
    lab.expect("the third has returned by 15.2 s", third.done(), True, trap="flush-never-ends")
    held = {key: table.rows().get(key) for key in "bcd"}
    lab.expect("rows", held, {"b": 2, "c": 3, "d": 4}, trap="flush-too-early")
    expect_begun(lab, table, 0, 5, 10, *table.began[3:], trap="empty-write")
    lab.expect("empty batches", table.batches.count({}), 0, trap="empty-write")


async def test_flush_does_not_wait_for_what_is_put_later(lab):
    """Rule 10. `flush` ends while others go on to put, new keys and the same ones."""
    lab.scenario("a write takes 1 s; others put a new key and overwrite a each 0.3 s, for a minute; flush at 10 s")
    buffer, table = open_buffer(lab, seconds=1)

    async def others():
        for n in range(200):
            await buffer.put(f"k{n}", n)
            await buffer.put("a", n)
            await asyncio.sleep(0.3)

    task = asyncio.create_task(others())
    await at(lab, 10)
    await puts(lab, buffer, mine=1)
    await lab.within(2 + SOON, buffer.flush(), what="flush returns", trap="flush-never-ends")
    lab.expect("my row", table.rows().get("mine"), 1, trap="flush-too-early")
    lab.require(table.rows().get("a", 0) >= 30, expected="a value of a from 9 s", got="older", trap="flush-too-early")
    task.cancel()


async def test_flush_outlasts_failures(lab):
    """Rule 10. `flush` waits until a failed write has succeeded, or what it waits for was refused."""
    lab.scenario(
        "a write takes 1 s; the store fails at first and refuses b; flush while it is on its way, c in the pause"
    )
    buffer, table = open_buffer(lab, seconds=1, plan=["fail"], bad=[2], batch_size=2, retry_base=4)
    await puts(lab, buffer, a=1, b=2)
    await asyncio.sleep(0.5)
    flushing = asyncio.create_task(buffer.flush())
    await asyncio.sleep(1)
    await puts(lab, buffer, c=3)
    lab.expect("flush has returned after the failure", flushing.done(), False, trap="flush-too-early")
    await lab.within(9, flushing, what="flush returns", trap="flush-never-ends")
    lab.expect("row a", table.rows().get("a"), 1, trap="flush-too-early")
    lab.expect("refused by then", table.refused, [("b", 2)], trap="flush-too-early")


@sweep(kinds=("died-after", "lost-request", "lost-reply"))
async def test_a_crash_loses_only_what_was_not_flushed(lab):
    """Rule 10. Whenever the process dies or a connection breaks, what was flushed before is in the store."""
    lab.scenario("a server puts a, b and flushes, puts a, c and flushes; somewhere it dies or its connection breaks")
    buffer, table = open_buffer(lab, batch_size=2)
    flushed = {}

    async def server():
        for values in {"a": 1, "b": 2}, {"a": 3, "c": 4}:
            for key, value in values.items():
                await buffer.put(key, value)
            await buffer.flush()
            flushed.update(values)

    with lab.no_error(expected="flush raises nothing", trap="store-error-escapes"):
        outcome = await lab.attempt(server(), name="server")
        if not outcome.died:
            outcome.result()
    rows = table.rows()
    stale = sorted(key for key in flushed if rows.get(key, 0) < flushed[key])  # a newer value is as good
    lab.expect("keys that were flushed and have no row, or an older one", stale, [], trap="flush-too-early")
    if not outcome.died:
        lab.expect("rows", rows, {"a": 3, "b": 2, "c": 4}, trap="failed-batch-lost")


@pytest.mark.parametrize("who", ["flush", "put", "put in time", "get"])
async def test_who_is_cancelled_takes_no_write_along(lab, who):
    """Rule 11. Whoever is cancelled takes no write along."""
    for later in (0, 1, 2, 3, 30):
        lab.scenario(f"a is put, b, too; {who} is called and cancelled, {later} turns of the event loop later")
        buffer, table = open_buffer(lab, seconds=1, batch_size=2, name=f"{who} {later}", max_age=3)
        await puts(lab, buffer, a=1)
        if who == "flush":
            await puts(lab, buffer, b=2)
        task = asyncio.create_task(
            buffer.flush() if who == "flush" else buffer.get("z") if who == "get" else buffer.put("b", 2)
        )
        if who == "put in time":
            await task
        await turns(later)
        task.cancel()
        await asyncio.wait({task}, timeout=SOON)
        lab.expect("who is cancelled has ended", task.done(), True, trap="cancellation-swallowed")
        await asyncio.sleep(5)
        lab.expect("writes cancelled", table.cancelled, 0, trap="cancelled-with-the-caller")
        rows = table.rows()
        lab.expect("row a", rows.get("a"), 1, trap="cancelled-with-the-caller")
        if who == "flush" or (not task.cancelled() and who != "get"):
            lab.expect("row b", rows.get("b"), 2, trap="cancelled-with-the-caller")
        await puts(lab, buffer, c=3)
        await lab.within(2, buffer.flush(), what="the next flush returns", trap="cancelled-with-the-caller")
        lab.expect("row c", table.rows().get("c"), 3, trap="cancelled-with-the-caller")


async def test_close_writes_what_is_left(lab):
    """Rule 12. `close` writes what is left, whatever fails meanwhile, and returns an empty dict as soon as that is done."""
    lab.scenario("batch_size 2; a write takes 1 s, the second fails; a, b are on their way, c waits; close, timeout 20")
    buffer, table = open_buffer(lab, seconds=1, plan=["", "fail"], batch_size=2, max_age=60, retry_base=2)
    await puts(lab, buffer, a=1, b=2)
    await asyncio.sleep(0.5)
    await puts(lab, buffer, c=3, a=4)
    closing = asyncio.create_task(buffer.close(timeout=20))
    await asyncio.sleep(1)
    lab.expect("a, while it is closed", await read(lab, buffer, "a", "reads-around"), 4, trap="reads-around")
    lost = await lab.within(4.5, closing, what="close returns", trap="drain-incomplete")
    lab.expect("what is lost", lost, {}, trap="drain-incomplete")
    lab.expect("rows", table.rows(), {"a": 4, "b": 2, "c": 3}, trap="drain-incomplete")
    lab.expect("a, after close", await buffer.get("a"), 4, trap="reads-around")
    lab.expect("close of what was never used", await open_buffer(lab)[0].close(), {}, trap="drain-incomplete")


@pytest.mark.parametrize("how", ["fails", "hangs"])
async def test_close_gives_up_and_tells(lab, how):
    """Rule 12. `close` gives up after `timeout` and returns what is lost, the newest value of each key."""
    lab.scenario(f"the store {how}; a = 1 is on its way or failed; a = 2 and c are put; flush waits; close, timeout 7")
    plan, seconds = (["fail"] * 99, 0.5) if how == "fails" else ([], NEVER)
    buffer, table = open_buffer(lab, seconds=seconds, plan=plan, batch_size=2, capacity=3)
    await puts(lab, buffer, a=1, b=ORDER)
    await asyncio.sleep(0.3)
    await puts(lab, buffer, a=2, c=None)
    flushing = asyncio.create_task(buffer.flush())
    await asyncio.sleep(1)
    closing = asyncio.create_task(buffer.close(timeout=7))
    await asyncio.sleep(6.9)
    lab.expect("close has returned after 6.9 s", closing.done(), False, trap="drain-incomplete")
    lost = await lab.within(0.2 + SOON, closing, what="close returns", trap="close-without-end")
    lab.expect("what is lost", lost, {"a": 2, "b": ORDER, "c": None}, trap="loss-untold")
    with lab.raises(Closed, when="from the flush that still waits", trap="waits-for-ever"):
        await lab.within(SOON, flushing, what="flush ends", trap="waits-for-ever")
    count = len(table.began)
    await asyncio.sleep(60)
    lab.expect("writes after close", len(table.began) - count, 0, trap="unowned-task")
    lab.expect("writes under way", table.under_way, 0, trap="unowned-task")
    lab.expect("a, after close", await buffer.get("a"), None, trap="keeps-what-is-written")
    lab.expect("tasks still alive", lab.tasks_alive(), [], trap="unowned-task")
    lab.expect("exceptions nobody awaited", lab.errors_nobody_saw(), [], trap="unowned-task")


async def test_what_was_closed_takes_nothing(lab):
    """Rule 13. From the call of `close` on `put` raises `Closed`, a `put` that waits for room, too; no task is left."""
    lab.scenario("capacity 2; a write takes 5 s; a, b are on their way and c waits for room; close, then put and close")
    buffer, table = open_buffer(lab, seconds=5, batch_size=2, capacity=2)
    await puts(lab, buffer, a=1, b=2)
    waiting = asyncio.create_task(buffer.put("c", 3))
    await asyncio.sleep(1)
    closing = asyncio.create_task(buffer.close())
    await asyncio.sleep(SOON)
    for who, call in ("waits for room", waiting), ("comes later", buffer.put("d", 4)), ("replaces", buffer.put("a", 5)):
        with lab.raises(Closed, when=f"from the put that {who}", trap="life-after-close"):
            await lab.within(SOON, call, what="put ends", trap="life-after-close")
    await closing
    with lab.no_error(expected="a second close raises nothing", trap="life-after-close"):
        await lab.within(SOON, buffer.close(), what="a second close returns", trap="life-after-close")
    with lab.raises(Closed, when="from a put after close", trap="life-after-close"):
        await buffer.put("e", 6)
    await asyncio.sleep(60)
    lab.expect("rows", table.rows(), {"a": 1, "b": 2}, trap="life-after-close")
    lab.expect("tasks still alive", lab.tasks_alive(), [], trap="unowned-task")


async def test_values_are_copies(lab):
    """Rule 14. The buffer has copies of its own: who changes a value, put or got, changes no other."""
    lab.scenario("ORDER is put, then changed; what get gives is changed, while it waits and while it is on its way")
    buffer, table = open_buffer(lab, seconds=5)
    order = copy.deepcopy(ORDER)
    await puts(lab, buffer, k=order)
    spoil(order)
    for moment in (0.5, 0.6, 3, 4):
        await at(lab, moment)
        spoil(value := await buffer.get("k"))
        lab.expect("the value, got again", await buffer.get("k"), ORDER, trap="shared-copy")
        del value
    await at(lab, 10)
    lab.expect("rows", table.rows(), {"k": ORDER}, trap="shared-copy")


async def test_nothing_written_is_kept(lab):
    """Rule 14. Of what is written, refused or lost the buffer keeps nothing, and two buffers share nothing."""
    lab.scenario("20 keys, of which some fail at first and some are refused; another buffer with the same keys")
    alive = weakref.WeakSet()
    buffer, table = open_buffer(lab, plan=["", "fail"], bad=[3, 9], batch_size=4)
    other, another_table = open_buffer(lab, name="other", max_age=50)
    for n in range(20):
        alive.add(key := Tracked(f"k{n}"))
        await buffer.put(key, n), await buffer.put(key, n), await other.put(str(key), -1)
    lab.expect("k5 of the other", await other.get("k5"), -1, trap="shared-buffer")
    del key
    await buffer.flush()
    table.refused.clear()
    await asyncio.sleep(10)
    gc.collect()
    lab.require(len(alive) <= 4, expected="no keys in memory", got=f"{len(alive)} of 20", trap="keeps-what-is-written")
    lab.expect("rows of the other", another_table.rows(), {}, trap="shared-buffer")


def test_nonsense_is_refused(lab):
    """Rule 15. Arguments with which it could not work are a `ValueError`."""

    async def check():
        open_buffer(lab, batch_size=1, capacity=1, max_age=0.001, retry_base=0.5, retry_cap=0.5)
        for options in NONSENSE:
            with lab.raises(ValueError, when=f"for {options}", trap="nonsense-accepted"):
                open_buffer(lab, **options)

    return check()


EVENTS = st.sampled_from(
    [*(("put", key) for key in "aabc"), ("wait", 0.3), ("wait", 2), ("flush", 0), ("plan", "fail"), ("plan", "lose")]
)


@settings(max_examples=12)
@given(st.lists(st.tuples(EVENTS, st.sampled_from([*FALSY, 1, True, "bad"])), min_size=12, max_size=24))
async def test_any_order_of_events(lab, events):
    """Rule 12. Whatever is put and fails in whatever order: at each moment and in the end the newest value counts."""
    buffer, table = open_buffer(lab, seconds=0.5, bad=["bad"], batch_size=2, capacity=3)
    newest, history, flushing = {}, {}, []
    for (what, detail), value in events:
        if what == "put":
            await puts(lab, buffer, **{detail: value})
            newest[detail] = value
            history.setdefault(detail, []).append(value)
        elif what == "wait":
            await asyncio.sleep(detail)
        elif what == "flush":
            flushing.append(asyncio.create_task(buffer.flush()))
        else:
            table.plan.append(detail)
        for key in newest if what != "wait" else ():
            if newest[key] != "bad" and "bad" not in history[key]:
                lab.expect(
                    f"get of {key}", await read(lab, buffer, key, "reads-around"), newest[key], trap="reads-around"
                )
    lab.expect("what close returns", await buffer.close(timeout=99), {}, trap="drain-incomplete")
    rows = table.rows()
    for key, value in newest.items():
        if value != "bad":
            lab.expect(f"row {key}", rows.get(key), value, trap="old-value-returns")
    lab.expect("writes under way at once", max(table.most_at_once, 1), 1, trap="writes-overlap")
    await lab.within(SOON, asyncio.gather(*flushing), what="flush has returned", trap="flush-never-ends")
