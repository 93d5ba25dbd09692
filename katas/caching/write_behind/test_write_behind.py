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
FALSY = [None, False, 0, "", [], {}]
ORDER = {"total": 10.0, "paid": True, "lines": [1, None, ["zoë"]], "units": 2**70, "to": {"rooms": [{}, []], "": -0.5}}
NONSENSE = [{"batch_size": 0}, {"batch_size": -1}, {"batch_size": 3, "capacity": 2}, {"max_age": 0}, {"max_age": -1.0}]
NONSENSE += [{"retry_base": 0}, {"retry_base": -1, "retry_cap": 1}, {"retry_base": 2, "retry_cap": 1}]
DriverError = type("DriverError", (Exception,), {})
Tracked = type("Tracked", (str,), {})  # a str that weak references can watch

# What is put and when, and the writes that this leads to: when each begins, and its batch.
TIMES = {
    "by age": (
        ("age-restarts", {"max_age": 1.1}),
        "0.25 k=1, 0.5 k=2, 0.75 k=3, 1 k=4, 1.25 k=5, 1.5 k=6, 1.75 k=7, 5.4 k=9, 6.1 x=1, 20.7 y=2",
        [(1.35, {"k": 5}), (2.6, {"k": 7}), (6.5, {"k": 9, "x": 1}), (21.8, {"y": 2})],
    ),
    "by age, after a write of 5 s": (
        ("last-ones-stay", {"seconds": 5}),
        "0 a=1, 2 b=2, 5.7 c=3, 9 d=4, 30 e=5",
        [(1, {"a": 1}), (6, {"b": 2, "c": 3}), (11, {"d": 4}), (31, {"e": 5})],
    ),
    "by count": (
        ("counts-values", {"seconds": 5, "batch_size": 3, "max_age": 60}),
        "0 a=1 b=2 a=3 b=4, 10 c=5, 11 d=6 f=7 g=8 h=9",
        [(10, {"a": 3, "b": 4, "c": 5}), (15, {"d": 6, "f": 7, "g": 8}), (71, {"h": 9})],
    ),
}


class Table:
    """A write takes `seconds`; `plan` says which of the next ones raise an error, or "lose" their reply."""

    def __init__(self, lab, seconds=0.0, plan=(), bad=(), name="rows"):
        self.lab, self.database, self.name = lab, lab.database(), name
        self.seconds, self.plan, self.bad = seconds, [*plan], bad  # bad: the values that it refuses
        self.began, self.batches, self.refused = [], [], []
        self.cancelled = self.under_way = self.most = self.changed = 0

    async def write(self, batch):
        self.lab.note(f"write of {', '.join(map(str, batch)) or 'nothing'} begins")
        self.began.append(self.lab.now)
        self.batches.append({str(key): copy.deepcopy(value) for key, value in batch.items()})
        number, self.under_way = len(self.batches) - 1, self.under_way + 1
        self.most = max(self.most, self.under_way)
        try:
            await asyncio.sleep(self.seconds)
            self.changed += repr({**batch}) != repr(self.batches[number])
            end = self.plan.pop(0) if self.plan else ""
            if isinstance(end, type):
                raise end("the database is down")
            if any(value in self.bad for value in self.lab.plain("a batch", [*batch.values()], trap="shared-copy")):
                raise Refused
            async with self.database.begin() as tx:
                for key, value in batch.items():
                    await tx.put(self.name, str(key), value)
            if end == "lose":
                raise TimeoutError("no reply")
        except (Exception, asyncio.CancelledError) as error:
            self.lab.note(f"write ends in {type(error).__name__}")
            self.cancelled += isinstance(error, asyncio.CancelledError)
            raise
        finally:
            self.under_way -= 1

    async def read(self, key):
        async with self.database.begin() as tx:
            return await tx.get(self.name, str(key))

    def rows(self):
        return self.database.rows(self.name)


def open_buffer(lab, *, seconds=0.0, plan=(), bad=(), name="rows", **options):
    """A buffer with `options` in front of a table."""
    table = Table(lab, seconds, plan, bad, name)
    return WriteBehind(table, on_refused=lambda *pair: table.refused.append(pair), **options), table


async def puts(lab, buffer, trap="put-waits-for-the-store", /, **values):
    """Put all these values; each call has to return at once."""
    for key, value in values.items():
        lab.note(f"put {key} = {value!r}")
        await lab.within(SOON, buffer.put(key, value), what=f"put of {key} returns", trap=trap)


async def play(lab, buffer, script):
    """Put what `script` says, "0.5 k=1 m=2, 3 k=3": two values after half a second, one after three."""
    for moment, *values in map(str.split, script.split(",")):
        await at(lab, float(moment))
        for key, value in (text.split("=") for text in values):
            await puts(lab, buffer, **{key: int(value)})


async def expect_read(lab, buffer, key, value, trap="reads-around"):
    """Demand that `get` gives `value`, at once."""
    got = await lab.within(SOON, buffer.get(key), what=f"get of {key} returns", trap=trap)
    lab.expect(f"get of {key}", got, value, trap=trap)


def expect_writes(lab, table, due, trap):
    """Demand that the writes until now began at these moments, or up to 0.1 s later, with these batches."""
    on_time = [next((d for d, _ in due if -0.001 <= t - d <= SOON), round(t, 3)) for t in table.began]
    lab.expect("writes, and when they began", [*zip(on_time, table.batches, strict=True)], due, trap=trap)


async def at(lab, moment):
    """Wait until so many seconds after the beginning."""
    await asyncio.sleep(moment - lab.now)


def spoil(body):
    """Change a copy of ORDER in all its depths."""
    body["to"]["rooms"][0]["changed"] = True
    body["lines"][2].append("changed"), body["lines"].pop(0), body["to"].pop(""), body.update(total=0)


@pytest.mark.parametrize("value", [*FALSY, ORDER], ids=repr)
async def test_what_was_put_is_read(lab, value):
    """Rule 1. `get` gives the newest value that was put, whether it waits, is on its way or is written."""
    lab.scenario(f"the store has k = 'old', a write takes 60 s; 'first', {value!r} are put; 'newer' during the write")
    buffer, table = open_buffer(lab, seconds=60)
    async with table.database.begin() as tx:
        await tx.put("rows", "k", "old")
    await expect_read(lab, buffer, "k", "old")
    await puts(lab, buffer, k="first")
    await puts(lab, buffer, k=value)
    await expect_read(lab, buffer, "k", value)
    await at(lab, 30)
    await expect_read(lab, buffer, "k", value, "gone-on-the-way")
    await puts(lab, buffer, k="newer")
    await expect_read(lab, buffer, "k", "newer")
    for moment in (62, 150):
        await at(lab, moment)
        await expect_read(lab, buffer, "k", "newer", "newer-value-dropped")


async def test_all_else_is_asked_from_the_store(lab):
    """Rule 1. All else is asked from the store, each time, with the errors that it raises."""
    lab.scenario("k is put and written; then another server changes the row; then the store cannot read")
    buffer, table = open_buffer(lab)
    await puts(lab, buffer, k=1, **{"": 2})
    await at(lab, 2)
    async with table.database.begin() as tx:
        await tx.put("rows", "k", "another server's")
    await expect_read(lab, buffer, "k", "another server's", "keeps-what-is-written")
    await expect_read(lab, buffer, "missing", None)
    await expect_read(lab, buffer, "", 2)
    table.database = None
    with lab.raises(AttributeError, when="from get, when read raises it", trap="keeps-what-is-written"):
        await buffer.get("k")
    await puts(lab, buffer, k="unwritten")
    with lab.no_error(expected="what is unwritten is not asked from the store", trap="reads-around"):
        await expect_read(lab, buffer, "k", "unwritten")


async def test_put_does_not_wait_for_the_store(lab):
    """Rule 2. `put` waits for the store only if there is no room."""
    lab.scenario("batch_size 2, and a write takes an hour")
    buffer, _ = open_buffer(lab, seconds=3600, batch_size=2)
    await play(lab, buffer, "0 a=1 b=2 c=3 d=4 e=5 a=6, 30 a=7 f=8 g=9")
    await expect_read(lab, buffer, "a", 7)


@pytest.mark.parametrize("error", [OSError, ValueError, DriverError])
async def test_the_stores_errors_stay_inside(lab, error):
    """Rule 2. Neither `put` nor `flush` raises an error of a write."""
    lab.scenario(f"batch_size 1; three writes raise {error.__name__}; a, b and a newer a are put, then flush")
    buffer, table = open_buffer(lab, batch_size=1, plan=[error] * 3)
    with lab.no_error(expected="put and flush raise nothing", trap="store-error-escapes"):
        await play(lab, buffer, "0 a=1 b=2, 0.12 a=3")
        await lab.within(10, buffer.flush(), what="flush returns", trap="one-error-stops-all")
    lab.expect("rows", table.rows(), {"a": 3, "b": 2}, trap="failed-batch-lost")
    lab.expect("exceptions nobody awaited", lab.errors_nobody_saw(), [], trap="store-error-escapes")


@pytest.mark.parametrize("case", TIMES)
async def test_when_a_write_begins(lab, case):
    """Rule 3. A write begins when `batch_size` keys wait, or when one has waited for `max_age`, and not earlier."""
    (trap, options), script, due = TIMES[case]
    lab.scenario(f"{', '.join(f'{name} {value}' for name, value in options.items())}; put: {script}")
    buffer, table = open_buffer(lab, **options)
    await play(lab, buffer, script)
    await at(lab, 100)
    expect_writes(lab, table, due, trap)


async def test_values_of_a_key_become_one(lab):
    """Rule 4. Of several values of a key the last one is written, once, in its place; a batch takes the oldest."""
    lab.scenario("batch_size 3; a write takes 5 s; meanwhile others are put, b three times, and a again")
    buffer, table = open_buffer(lab, seconds=5, batch_size=3)
    await play(lab, buffer, "0 a=0, 2 b=0 c=1 b=2 d=3 a=4 e=5 b=6 f=7 g=8")
    await at(lab, 60)
    trap = "every-value-written" if len(table.batches) > 4 else "out-of-turn"
    due = [{"a": 0}, {"b": 6, "c": 1, "d": 3}, {"a": 4, "e": 5, "f": 7}, {"g": 8}]
    expect_writes(lab, table, [*zip([1, 6, 11, 16], due, strict=True)], trap)


async def test_one_write_at_a_time(lab):
    """Rule 5. One write is under way at a time, so the values of a key reach the store in the order of their puts."""
    lab.scenario("batch_size 1; a write takes 3 s; k and another key are put each second; two call flush")
    buffer, table = open_buffer(lab, seconds=3, batch_size=1)
    flushing = []
    for n in range(10):
        await puts(lab, buffer, k=n, **{f"other{n % 3}": n})
        if n in (2, 5):
            flushing.append(asyncio.create_task(buffer.flush()))
        await asyncio.sleep(1)
    await at(lab, 100)
    lab.expect("writes under way at once", table.most, 1, trap="writes-overlap")
    values = [batch["k"] for batch in table.batches if "k" in batch]
    lab.expect("values of k, as they were written", values, sorted(values), trap="writes-overlap")
    lab.expect("rows", table.rows(), {"k": 9, "other0": 9, "other1": 7, "other2": 8}, trap="writes-overlap")
    await lab.within(SOON, asyncio.gather(*flushing), what="flush has returned", trap="flush-never-ends")


@pytest.mark.parametrize("newer", [2, True, None], ids=repr)
@pytest.mark.parametrize("end", ["", OSError, "lose", "is refused"])
async def test_what_is_put_during_a_write_is_kept(lab, end, newer):
    """Rule 6. What is put during a write is written after it, whatever that write was given, and however it ended."""
    told = {"": "succeeds", "lose": "loses its reply", OSError: "fails"}.get(end, end)
    lab.scenario(f"a write of k = 1 and m = 5 takes a second and {told}; meanwhile k = {newer!r} and x = 'new' are put")
    bad = [5] if end == "is refused" else []
    buffer, table = open_buffer(lab, seconds=1, plan=[] if bad else [end], bad=bad)
    await play(lab, buffer, "0 k=1 m=5, 1.5 y=0")
    await puts(lab, buffer, k=newer, x="new")
    trap = "old-value-returns" if end in (OSError, "lose") else "newer-value-dropped"
    for moment in (1.6, 2.05):
        await at(lab, moment)
        await expect_read(lab, buffer, "k", newer, trap)
    await at(lab, 30)
    due = {"k": newer, "x": "new", "y": 0} | ({} if bad else {"m": 5})
    lab.expect("rows", table.rows(), due, trap=trap)
    lab.expect("batches that changed while they were written", table.changed, 0, trap="live-batch")


async def test_a_failed_write_is_tried_again(lab):
    """Rule 7. A failed write is tried again, after a pause that doubles up to `retry_cap` and starts anew."""
    lab.scenario(
        "base 1, cap 6; a write takes 1 s; five fail, one not, two more do; a at 2.6 s; flush at 2.2, 3, 4, … s"
    )
    fails = [OSError] * 5 + [""] + [OSError] * 2
    buffer, table = open_buffer(lab, seconds=1, plan=fails, batch_size=2, retry_base=1, retry_cap=6)

    async def flush():
        await buffer.flush()
        return table.rows()

    await play(lab, buffer, "0 a=1 b=2, 0 c=3")
    await at(lab, 2.2)
    flushing = asyncio.create_task(flush())
    await play(lab, buffer, "2.6 a=4")
    others = []
    for moment in range(3, 12):
        await at(lab, moment)
        others.append(asyncio.create_task(buffer.flush()))
    await at(lab, 99)
    lab.expect("rows", table.rows(), {"a": 4, "b": 2, "c": 3}, trap="failed-batch-lost")
    keys = [sorted(batch) for batch in table.batches[:6]]
    lab.expect("keys of the first batches", keys, [["a", "b"]] * 6, trap="out-of-turn")
    gaps = [round(b - a - 1, 3) for a, b in zip(table.began, table.began[1:], strict=False)]
    due = [1, 2, 4, 6, 6, 0, 1, 2]
    ok = len(gaps) == len(due) and all(d / 2 - 0.001 <= gap <= d + SOON for d, gap in zip(due, gaps, strict=True))
    lab.require(ok, expected=f"pauses of {due} s, or half as long", got=f"pauses of {gaps} s", trap="wrong-pause")
    rows = await lab.within(SOON, flushing, what="flush has returned", trap="flush-never-ends")
    lab.expect("rows when flush returned", rows, {"a": 4, "b": 2, "c": 3}, trap="flush-too-early")


async def test_an_outage_may_last(lab):
    """Rule 7. However often it failed, a write is tried again."""
    lab.scenario("the store is down for a thousand writes and some, half a minute apart; then it is back")
    buffer, table = open_buffer(lab, plan=[OSError] * 1030, retry_base=29.0, batch_size=1)
    await puts(lab, buffer, a=1)
    await at(lab, 1030 * 31)
    lab.expect("rows", table.rows(), {"a": 1}, trap="gives-up")


@pytest.mark.parametrize("bad", [[0], [7], [2, 3], [1, 4, 6], range(8)], ids=str)
async def test_refused_values_are_isolated(lab, bad):
    """Rule 8. A refused value is reported once and dropped; the others of its batch are written without a pause."""
    lab.scenario(f"a batch of k0 … k7, of which the store refuses {', '.join(f'k{n}' for n in bad)}; later all are 99")
    buffer, table = open_buffer(lab, batch_size=8, bad=bad, retry_base=30)
    await puts(lab, buffer, **{f"k{n}": n for n in range(8)})
    await lab.within(SOON, buffer.flush(), what="flush returns", trap="poison-takes-all-down")
    due = {f"k{n}": n for n in range(8) if n not in bad}
    lab.expect("rows, at once", table.rows(), due, trap="poison-takes-all-down")
    await asyncio.sleep(60)
    lab.require(len(table.began) <= 32, expected="at most 32 writes", got=str(len(table.began)), trap="poison-stays")
    await expect_read(lab, buffer, f"k{bad[0]}", None, "poison-stays")
    await play(lab, buffer, "61 k0=99 k1=99 k2=99 k3=99 k4=99 k5=99 k6=99 k7=99")
    await at(lab, 70)
    due = {f"k{n}": 99 for n in range(8)}
    lab.expect("rows, and the last batch", [table.rows(), table.batches[-1]], [due] * 2, trap="poison-stays")
    refused = sorted(lab.plain("values reported", table.refused, trap="refused-in-silence"))
    lab.expect("values reported", refused, [(f"k{n}", n) for n in bad], trap="refused-in-silence")
    lab.expect("empty batches", table.batches.count({}), 0, trap="empty-write")


@pytest.mark.parametrize("n", range(5))
async def test_a_store_may_fail_while_values_are_isolated(lab, n):
    """Rule 8. So it is if the store fails while the batch is split."""
    lab.scenario(f"k0 … k4, of which the store refuses k1 and k4; its write {n} fails, and write 6 loses its reply")
    plan = [OSError if i == n else "lose" if i == 6 else "" for i in range(7)]
    buffer, table = open_buffer(lab, batch_size=5, bad=[1, 4], plan=plan)
    await play(lab, buffer, "0 k0=0 k1=1 k2=2 k3=3 k4=4")
    await at(lab, 20)
    lab.expect("rows", table.rows(), {"k0": 0, "k2": 2, "k3": 3}, trap="failed-batch-lost")
    lab.expect("values reported", sorted(table.refused), [("k1", 1), ("k4", 4)], trap="refused-in-silence")


async def test_a_refused_value_may_be_replaced(lab):
    """Rule 8. What replaced a refused value while it was on its way is another value, which is written."""
    lab.scenario("batch_size 1; the store refuses 0; k = 0 is on its way for 1 s, and meanwhile k = False is put")
    buffer, table = open_buffer(lab, batch_size=1, seconds=1)
    table.bad = type("Zero", (), {"__contains__": lambda _, value: value == 0 and value is not False})()
    await play(lab, buffer, "0 k=0, 0.5 x=1")
    await puts(lab, buffer, k=False)
    await at(lab, 9)
    lab.expect("rows", table.rows(), {"k": False, "x": 1}, trap="newer-value-dropped")
    lab.expect("values reported", table.refused, [("k", 0)], trap="refused-in-silence")


async def test_a_full_buffer_lets_put_wait(lab):
    """Rule 9. At most `capacity` keys are unwritten: `put` of another one waits for room; cancelled, it put nothing."""
    lab.scenario("capacity 3, batch_size 2; a write takes 60 s; a and b are on their way, b, c wait; then d, e, f")
    buffer, table = open_buffer(lab, seconds=60, batch_size=2, capacity=3, max_age=100)
    await play(lab, buffer, "0 a=1 b=2, 1 b=3")
    await puts(lab, buffer, "capacity-miscounted", c=4)
    order = copy.deepcopy(ORDER)
    calls = {"d": order, "e": 6, "f": 7, "gone": 8}
    *waiting, gone = [asyncio.create_task(buffer.put(key, value)) for key, value in calls.items()]
    await at(lab, 2)
    spoil(order), gone.cancel()
    for moment, due in (30, 0), (60.2, 0), (121, 2), (181, 3):
        await at(lab, moment)
        got = sum(task.done() for task in waiting)
        trap = "never-woken" if got < due else "unbounded" if got == 3 and not due else "capacity-miscounted"
        lab.expect(f"how many of d, e and f have returned by {moment} s", got, due, trap=trap)
        if moment == 30:
            await puts(lab, buffer, "replacing-needs-no-room", a=8, b=9, c=10)
    await at(lab, 400)
    lab.expect("row d, which was changed after the call", table.rows().get("d"), ORDER, trap="shared-copy")
    lab.expect("rows", table.rows(), {"a": 8, "b": 9, "c": 10, "d": ORDER, "e": 6, "f": 7}, trap="put-after-all")


@pytest.mark.parametrize("bad", [[], [1, 2]], ids=["fails", "is refused"])
async def test_only_what_is_done_makes_room(lab, bad):
    """Rule 9. A failed write makes no room, and a refused value does."""
    lab.scenario(f"capacity 2, batch_size 2, base 8; the write of a and b {'is refused' if bad else 'fails'}; c waits")
    buffer, table = open_buffer(lab, plan=[] if bad else [OSError], bad=bad, batch_size=2, capacity=2, retry_base=8)
    await play(lab, buffer, "0 a=1 b=2")
    c = asyncio.create_task(buffer.put("c", 3))
    await at(lab, 3.5)
    lab.expect("c has returned", c.done(), bool(bad), trap="never-woken" if bad else "unbounded")
    await at(lab, 20)
    lab.expect("rows", table.rows(), {"c": 3} if bad else {"a": 1, "b": 2, "c": 3}, trap="failed-batch-lost")


async def test_flush_returns_when_all_is_written(lab):
    """Rule 10. `flush` returns when what was put before is in the store, neither earlier nor later."""
    lab.scenario("batch_size 2, max_age 60, a write takes 5 s; flush before and after a, at 2 s, and after b, c, d")
    buffer, table = open_buffer(lab, seconds=5, batch_size=2, max_age=60)
    await lab.within(SOON, buffer.flush(), what="flush of nothing returns", trap="flush-never-ends")
    await puts(lab, buffer, a=1)
    flushing = [asyncio.create_task(buffer.flush())]
    await at(lab, 2)
    flushing.append(asyncio.create_task(buffer.flush()))
    await puts(lab, buffer, b=2, c=3, d=4)
    flushing.append(asyncio.create_task(buffer.flush()))
    for moment, due in (4.9, [False] * 3), (5.2, [True, True, False]), (14.9, [True, True, False]), (15.2, [True] * 3):
        await at(lab, moment)
        done = [task.done() for task in flushing]
        trap = "flush-too-early" if sum(done) > sum(due) else "flush-never-ends"
        lab.expect(f"the three have returned by {moment} s", done, due, trap=trap)
        if moment > 10:
            await puts(lab, buffer, later=moment)
    rows = {key: table.rows().get(key) for key in "abcd"}
    lab.expect("rows", rows, {"a": 1, "b": 2, "c": 3, "d": 4}, trap="flush-too-early")
    lab.expect("empty batches", table.batches.count({}), 0, trap="empty-write")
    await at(lab, 60)
    lab.expect("writes by then", len(table.began), 3, trap="counts-values")


async def test_flush_does_not_wait_for_what_is_put_later(lab):
    """Rule 10. `flush` ends while others go on to put, new keys and the same ones."""
    lab.scenario("a write takes 1 s; a new key and a are put each 0.3 s, for a minute; at 10 s mine, and flush")
    buffer, table = open_buffer(lab, seconds=1)
    others = ", ".join(f"{n * 0.3} k{n}=1 a={n}" for n in range(200))
    task = asyncio.create_task(play(lab, buffer, others))
    await at(lab, 10)
    await puts(lab, buffer, mine=1)
    await lab.within(2 + SOON, buffer.flush(), what="flush returns", trap="flush-never-ends")
    lab.expect("my row", table.rows().get("mine"), 1, trap="flush-too-early")
    task.cancel()


@sweep(kinds=("died-after", "lost-request", "lost-reply"))
async def test_a_crash_loses_only_what_was_not_flushed(lab):
    """Rule 10. Whenever the process dies or a connection breaks, what was flushed before is in the store."""
    lab.scenario("a server puts a, b and flushes, puts a, c and flushes; somewhere it dies or its connection breaks")
    buffer, table = open_buffer(lab, batch_size=2)
    flushed = {}

    async def server():
        for values in {"a": 1, "b": 2}, {"a": 3, "c": 4}:
            await puts(lab, buffer, **values)
            await buffer.flush()
            flushed.update(values)

    outcome = await lab.attempt(server(), name="server")
    with lab.no_error(expected="flush raises nothing", trap="store-error-escapes"):
        done = outcome.died or outcome.result()
    rows = table.rows()
    stale = sorted(key for key in flushed if rows.get(key, 0) < flushed[key])  # a newer value is as good
    lab.expect("keys that were flushed and have no row, or an older one", stale, [], trap="flush-too-early")
    if not done:
        lab.expect("rows", rows, {"a": 3, "b": 2, "c": 4}, trap="failed-batch-lost")


@pytest.mark.parametrize("who", ["flush", "put", "get"])
async def test_who_is_cancelled_takes_no_write_along(lab, who):
    """Rule 11. Whoever is cancelled takes no write along."""
    for turns in (0, 1, 2, 3, 30):
        lab.scenario(f"a is put, {who} is called and cancelled, after {turns} turns of the event loop; then c is put")
        buffer, table = open_buffer(lab, seconds=1, batch_size=2, name=f"{who} {turns}", max_age=3)
        await puts(lab, buffer, a=1)
        arguments = {"flush": (), "put": ("b", 2), "get": ("z",)}[who]
        task, trap = asyncio.create_task(getattr(buffer, who)(*arguments)), "cancelled-with-the-caller"
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait({task}, timeout=SOON)
        lab.expect("who is cancelled has ended", task.done(), True, trap="cancellation-swallowed")
        await asyncio.sleep(5)
        lab.expect("writes cancelled", table.cancelled, 0, trap=trap)
        due = {"a": 1} | ({"b": 2} if who == "put" and "b" in table.rows() else {})
        lab.expect("rows", table.rows(), due, trap=trap)
        lab.require(who != "put" or "b" in due or task.cancelled(), expected="b, which was put", got="no b", trap=trap)
        await puts(lab, buffer, c=3)
        await lab.within(2, buffer.flush(), what="the next flush returns", trap=trap)
        lab.expect("rows", table.rows(), due | {"c": 3}, trap=trap)


async def test_close_writes_what_is_left(lab):
    """Rule 12. `close` writes what is left, whatever fails meanwhile, and returns `{}` as soon as that is done."""
    lab.scenario("batch_size 3; a write takes 1 s, the second fails; at 0.5 s a waits again, and c; close, timeout 20")
    buffer, table = open_buffer(lab, seconds=1, plan=["", OSError], batch_size=3, max_age=60, retry_base=2)
    await play(lab, buffer, "0 a=1 b=2 d=5, 0.5 c=3 a=4")
    closing = asyncio.create_task(buffer.close(timeout=20))
    await at(lab, 1.7)
    await expect_read(lab, buffer, "a", 4)
    lost = await lab.within(4.5, closing, what="close returns", trap="drain-incomplete")
    lab.expect("what is lost", lost, {}, trap="drain-incomplete")
    lab.expect("rows", table.rows(), {"a": 4, "b": 2, "c": 3, "d": 5}, trap="drain-incomplete")
    await expect_read(lab, buffer, "a", 4)
    lab.expect("close of what was never used", await open_buffer(lab)[0].close(), {}, trap="drain-incomplete")


@pytest.mark.parametrize("how", ["fails", "hangs"])
async def test_close_gives_up_and_tells(lab, how):
    """Rule 12. `close` gives up after `timeout` and returns what is lost, the newest value of each key."""
    lab.scenario(f"the store {how}; a = 1, b; then a = 2 and c are put; flush waits; at 2 s close, timeout 7")
    plan, seconds = ([OSError] * 99, 0.5) if how == "fails" else ([], 10**6)
    buffer, table = open_buffer(lab, seconds=seconds, plan=plan, batch_size=2, capacity=3)
    await puts(lab, buffer, a=1, b=ORDER)
    await play(lab, buffer, "0.3 a=2")
    await puts(lab, buffer, c=None)
    flushing = asyncio.create_task(buffer.flush())
    await at(lab, 2)

    async def close():
        return await buffer.close(timeout=7), table.under_way

    closing = asyncio.create_task(close())
    await at(lab, 8.9)
    lab.expect("close has returned after 6.9 s", closing.done(), False, trap="drain-incomplete")
    lost, under_way = await lab.within(0.2, closing, what="close returns", trap="close-without-end")
    lab.expect("writes under way, when close has returned", under_way, 0, trap="unowned-task")
    lab.expect("what is lost", lost, {"a": 2, "b": ORDER, "c": None}, trap="loss-untold")
    with lab.raises(Closed, when="from the flush that still waits", trap="waits-for-ever"):
        await lab.within(SOON, flushing, what="flush ends", trap="waits-for-ever")
    count = len(table.began)
    await at(lab, 99)
    lab.expect("writes begun after close", len(table.began) - count, 0, trap="unowned-task")
    lab.expect("tasks still alive", lab.tasks_alive(), [], trap="unowned-task")
    lab.expect("exceptions nobody awaited", lab.errors_nobody_saw(), [], trap="unowned-task")
    await expect_read(lab, buffer, "a", None, "keeps-what-is-written")


async def test_what_was_closed_takes_nothing(lab):
    """Rule 13. From the call of `close` on `put` raises `Closed`, a `put` that waits for room, too; no task is left."""
    lab.scenario("capacity 2; a write takes 5 s; a, b are on their way and c waits for room; close, then put and close")
    buffer, table = open_buffer(lab, seconds=5, batch_size=2, capacity=2)
    await play(lab, buffer, "0 a=1 b=2")
    waiting = asyncio.create_task(buffer.put("c", 3))
    await at(lab, 1)
    closing, trap = asyncio.create_task(buffer.close()), "life-after-close"
    await at(lab, 1 + SOON)
    for who, call in ("waits for room", waiting), ("comes later", buffer.put("d", 4)), ("replaces", buffer.put("a", 5)):
        with lab.raises(Closed, when=f"from the put that {who}", trap=trap):
            await lab.within(SOON, call, what="put ends", trap=trap)
    await closing
    with lab.no_error(expected="a second close raises nothing", trap=trap):
        await lab.within(SOON, buffer.close(), what="a second close returns", trap=trap)
    with lab.raises(Closed, when="from a put after close", trap=trap):
        await buffer.put("e", 6)
    await at(lab, 60)
    lab.expect("rows", table.rows(), {"a": 1, "b": 2}, trap=trap)
    lab.expect("tasks still alive", lab.tasks_alive(), [], trap="unowned-task")


async def test_values_are_copies(lab):
    """Rule 14. The buffer has copies of its own: who changes a value, put or got, changes no other."""
    lab.scenario("ORDER is put, then changed; what get gives is changed, while it waits and while it is on its way")
    buffer, table = open_buffer(lab, seconds=5)
    await puts(lab, buffer, k=(order := copy.deepcopy(ORDER)))
    spoil(order)
    for moment in (0.5, 0.6, 3, 4):
        await at(lab, moment)
        await expect_read(lab, buffer, "k", ORDER, "shared-copy")
        spoil(await buffer.get("k"))
    await at(lab, 10)
    lab.expect("rows", table.rows(), {"k": ORDER}, trap="shared-copy")


async def test_nothing_written_is_kept(lab):
    """Rule 14. Of what is written or refused the buffer keeps nothing, and two buffers share nothing."""
    lab.scenario("20 keys, of which some fail at first and some are refused; another buffer with the same keys")
    alive, trap = weakref.WeakSet(), "keeps-what-is-written"
    buffer, table = open_buffer(lab, plan=["", OSError], bad=[3, 9], batch_size=4)
    other, another_table = open_buffer(lab, name="other", max_age=50)
    for n in range(20):
        alive.add(key := Tracked(f"k{n}"))
        await buffer.put(key, n), await buffer.put(key, n), await other.put(str(key), -1)
    await expect_read(lab, buffer, "k5", 5, "shared-buffer")
    await expect_read(lab, other, "k5", -1, "shared-buffer")
    await buffer.flush()
    table.refused.clear()
    del key
    await at(lab, 10)
    gc.collect()
    lab.require(len(alive) <= 4, expected="no keys in memory", got=f"{len(alive)} of 20", trap=trap)
    lab.expect("rows of the other", another_table.rows(), {}, trap="shared-buffer")


async def test_nonsense_is_refused(lab):
    """Rule 15. Arguments with which it could not work are a `ValueError`."""
    open_buffer(lab, batch_size=1, capacity=1, max_age=0.001, retry_base=0.5, retry_cap=0.5)
    for options in NONSENSE:
        with lab.raises(ValueError, when=f"for {options}", trap="nonsense-accepted"):
            open_buffer(lab, **options)


async def test_what_is_not_given(lab):
    """Rule 15. What is not given is 100 rows or 1 s, pauses from 0.1 s to 30 s, and 10 s for `close`."""
    lab.scenario("101 keys, and the store fails twelve times; then it hangs, one more is put, and close")
    buffer, table = open_buffer(lab, plan=[OSError] * 12)
    await puts(lab, buffer, a=0)
    await at(lab, 0.9)
    await puts(lab, buffer, **{f"k{n}": n for n in range(98)})
    lab.expect("writes after 99 keys", len(table.began), 0, trap="counts-values")
    await puts(lab, buffer, b=0, c=0)
    await at(lab, 500)
    gaps = [b - a for a, b in zip(table.began, table.began[1:], strict=False)]
    ok = 0.05 <= gaps[0] <= 0.1 + SOON and 15 <= gaps[10] <= 30 + SOON
    lab.require(ok, expected="pauses from 0.1 to 30 s", got=f"from {gaps[0]} to {gaps[10]} s", trap="wrong-pause")
    lab.expect("rows of the first batch", len(table.batches[0]), 100, trap="counts-values")
    table.seconds = 10**6
    await puts(lab, buffer, d=1)
    closing = asyncio.create_task(buffer.close())
    await asyncio.sleep(9.9)
    lab.expect("close has returned after 9.9 s", closing.done(), False, trap="drain-incomplete")
    lost = await lab.within(0.2, closing, what="close returns", trap="close-without-end")
    lab.expect("what is lost", lost, {"d": 1}, trap="loss-untold")


EVENTS = [
    *(("put", key) for key in "aabc"),
    ("wait", 0.3),
    ("wait", 2),
    ("flush", 0),
    ("plan", OSError),
    ("plan", "lose"),
]


@settings(max_examples=6)
@given(st.lists(st.tuples(st.sampled_from(EVENTS), st.sampled_from([*FALSY, 1, True])), min_size=10, max_size=16))
async def test_any_order_of_events(lab, events):
    """Rule 12. Whatever is put and fails in whatever order: at each moment and in the end the newest value counts."""
    buffer, table = open_buffer(lab, seconds=0.5, batch_size=2, capacity=3)
    newest, flushing = {}, []
    for (what, detail), value in events:
        if what == "put":
            await puts(lab, buffer, **{detail: value})
            newest[detail] = value
        elif what == "wait":
            await asyncio.sleep(detail)
        elif what == "flush":
            flushing.append(asyncio.create_task(buffer.flush()))
        else:
            table.plan.append(detail)
        for key, due in newest.items():
            await expect_read(lab, buffer, key, due)
    lab.expect("what close returns", await buffer.close(timeout=99), {}, trap="drain-incomplete")
    lab.expect("rows", table.rows(), newest, trap="old-value-returns")
    lab.expect("writes under way at once", max(table.most, 1), 1, trap="writes-overlap")
    await lab.within(SOON, asyncio.gather(*flushing), what="flush has returned", trap="flush-never-ends")
