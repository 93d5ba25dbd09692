"""The rules of README.md, in teaching order. Time is virtual: `asyncio.sleep(60)` returns at once."""

import asyncio
import copy

import pytest
from write_behind import Closed, Refused, WriteBehind

from dojo.lab.properties import given, settings, st

SOON = 0.1  # seconds; what waits for nobody has happened by then
FALSY = [None, False, 0, "", [], {}]
ORDER = {"total": 10.0, "paid": True, "lines": [1, None, ["zoë"]], "units": 2**70, "to": {"rooms": [{}, []], "": -0.5}}
NONSENSE = [{"batch_size": 0}, {"batch_size": 3, "capacity": 2}, {"max_age": 0}, {"max_age": -1.0}]
NONSENSE += [{"max_age": float("nan")}, {"retry_base": 0}, {"retry_base": 2, "retry_cap": 1}]
DriverError = type("DriverError", (Exception,), {})

# What is put and when, and the writes that this leads to: when each begins, and its batch.
TIMES = {
    "by age": (
        ("age-restarts", {"max_age": 1.1}),
        "0.25 k=1, 0.5 k=2, 0.75 k=3, 1 k=4, 1.25 k=5, 1.5 k=6, 1.75 k=7, 5.4 k=9, 6.1 x=1, 20.7 y=2",
        [(1.35, {"k": 5}), (2.6, {"k": 7}), (6.5, {"k": 9, "x": 1}), (21.8, {"y": 2})],
    ),
    "by age, after a write of 5 s": (
        ("age-restarts", {"seconds": 5}),
        "0 a=1, 2 b=2, 3 a=6, 5.7 c=3, 9 d=4, 30 e=5",
        [(1, {"a": 1}), (6, {"b": 2, "a": 6, "c": 3}), (11, {"d": 4}), (31, {"e": 5})],
    ),
    "by count": (
        ("counts-values", {"seconds": 5, "batch_size": 3, "max_age": 60}),
        "0 a=1 b=2 a=3 b=4, 10 c=5, 11 d=6 f=7 g=8 h=9",
        [(10, {"a": 3, "b": 4, "c": 5}), (15, {"d": 6, "f": 7, "g": 8}), (71, {"h": 9})],
    ),
    "in turn": (
        ("out-of-turn", {"seconds": 5, "batch_size": 3}),
        "0 a=0, 2 b=0 c=1 b=2 d=3 a=4 e=5 b=6 f=7 g=8",
        [(1, {"a": 0}), (6, {"b": 6, "c": 1, "d": 3}), (11, {"a": 4, "e": 5, "f": 7}), (16, {"g": 8})],
    ),
}


class Table:
    """A write takes `seconds`; `plan` says which of the next ones raise an error, or "lose" their reply."""

    def __init__(self, lab, seconds=0.0, plan=(), bad=()):
        self.lab, self.seconds, self.plan = lab, seconds, [*plan]
        self.bad = {*map(repr, bad)}  # the values that it refuses
        self.rows, self.began, self.batches, self.refused = {}, [], [], []
        self.cancelled = self.under_way = self.most = self.changed = 0

    async def write(self, batch):
        given = {str(key): copy.deepcopy(value) for key, value in batch.items()}
        self.lab.note(f"write of {', '.join(given) or 'nothing'} begins")
        self.began.append(self.lab.now), self.batches.append(given)
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        values = self.lab.plain("a batch", [*given.values()], trap="shared-copy")
        try:
            await asyncio.sleep(self.seconds)
            self.changed += repr({**batch}) != repr(given)
            end = self.plan.pop(0) if self.plan else ""
            if isinstance(end, type):
                raise end("the database is down")
            if {*map(repr, values)} & self.bad:
                raise Refused
            self.rows |= given
            if end == "lose":
                raise TimeoutError("no reply")
        except (Exception, asyncio.CancelledError) as error:
            self.lab.note(f"write ends in {type(error).__name__}")
            self.cancelled += isinstance(error, asyncio.CancelledError)
            raise
        finally:
            self.under_way -= 1

    async def read(self, key):
        return copy.deepcopy(self.rows.get(str(key)))


def open_buffer(lab, *, seconds=0.0, plan=(), bad=(), **options):
    """A buffer with `options` in front of a table."""
    table = Table(lab, seconds, plan, bad)
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
    got = await lab.within(SOON, buffer.get(key), what=f"get of {key!r} returns", trap=trap)
    lab.expect(f"get of {key!r}", got, value, trap=trap)


async def at(lab, moment):
    """Wait until so many seconds after the beginning."""
    await asyncio.sleep(moment - lab.now)


def spoil(body):
    """Change a copy of ORDER in all its depths."""
    body["to"]["rooms"][0]["changed"] = True
    body["lines"][2].append("changed"), body["lines"].pop(0), body["to"].pop(""), body.update(total=0)


@pytest.mark.parametrize("value", [*FALSY, ORDER], ids=repr)
async def test_what_was_put_is_read(lab, value):
    """Rule 1. `get` gives the newest value that was put; all else it asks the store, each time."""
    lab.scenario(f"k and '' are 'old', a write takes 60 s; 'first', {value!r} are put; k = 'newer' during the write")
    buffer, table = open_buffer(lab, seconds=60)
    for key in "k", "":
        table.rows[key] = "old"
        await expect_read(lab, buffer, key, "old")
        await puts(lab, buffer, **{key: "first"})
        await puts(lab, buffer, **{key: copy.deepcopy(value)})
        await expect_read(lab, buffer, key, value)
    await at(lab, 30)
    await expect_read(lab, buffer, "k", value, "reads-around")
    await puts(lab, buffer, k="newer")
    for moment in (31, 62, 150):
        await at(lab, moment)
        await expect_read(lab, buffer, "k", "newer", "newer-value-dropped" if moment > 60 else "reads-around")
    table.rows["k"] = "another server's"
    await expect_read(lab, buffer, "k", "another server's", "keeps-what-is-written")
    table.rows = None
    with lab.raises(AttributeError, when="from get, when read raises it", trap="keeps-what-is-written"):
        await buffer.get("k")


async def test_put_and_flush_go_on_whatever_the_store_does(lab):
    """Rule 2. `put` waits for the store only if there is no room, and neither `put` nor `flush` raises its errors."""
    lab.scenario("batch_size 1; writes take 60 s, four raise, each another error; a, b, c and a newer a; flush")
    plan = [OSError, DriverError, TimeoutError, ValueError]
    buffer, table = open_buffer(lab, seconds=60, plan=plan, batch_size=1)
    with lab.no_error(expected="put and flush raise nothing", trap="store-error-escapes"):
        await play(lab, buffer, "0 a=1 b=2, 1 c=3, 90 a=3")
        await lab.within(500, buffer.flush(), what="flush returns", trap="gives-up")
    lab.expect("rows", table.rows, {"a": 3, "b": 2, "c": 3}, trap="failed-batch-lost")
    lab.expect("exceptions nobody awaited", lab.errors_nobody_saw(), [], trap="store-error-escapes")


@pytest.mark.parametrize("case", TIMES)
async def test_when_a_write_begins(lab, case):
    """Rule 3. A write begins when `batch_size` keys wait, or one has waited for `max_age`; it takes the oldest."""
    (trap, options), script, due = TIMES[case]
    lab.scenario(f"{', '.join(f'{name} {value}' for name, value in options.items())}; put: {script}")
    buffer, table = open_buffer(lab, **options)
    await play(lab, buffer, script)
    await at(lab, 100)
    on_time = [next((d for d, _ in due if -0.001 <= t - d <= SOON), round(t, 3)) for t in table.began]
    lab.expect("writes, and when they began", [*zip(on_time, table.batches, strict=True)], due, trap=trap)


@pytest.mark.parametrize("newer", [2, True], ids=repr)
@pytest.mark.parametrize("end", ["", OSError, "lose", "is refused"])
async def test_what_is_put_during_a_write_is_kept(lab, end, newer):
    """Rule 4. One write is under way at a time; what is put during it is written after it, however it ended."""
    told = {"": "succeeds", "lose": "loses its reply", OSError: "fails"}.get(end, end)
    lab.scenario(f"the write of k = 1 and m = 5 takes 1 s and {told}; meanwhile k = {newer!r} and x are put, and flush")
    bad = [5] if end == "is refused" else []
    buffer, table = open_buffer(lab, seconds=1, plan=[] if bad else [end], bad=bad, batch_size=2)
    await play(lab, buffer, "0 k=1 m=5, 0.5 y=0")
    await puts(lab, buffer, k=newer, x="new")
    flushing = asyncio.create_task(buffer.flush())
    trap = "old-value-returns" if end in (OSError, "lose") else "newer-value-dropped"
    for moment in (0.6, 1.05):
        await at(lab, moment)
        await expect_read(lab, buffer, "k", newer, trap)
    await at(lab, 30)
    lab.expect("writes under way at once", table.most, 1, trap="writes-overlap")
    due = {"k": newer, "x": "new", "y": 0} | ({} if bad else {"m": 5})
    lab.expect("rows", table.rows, due, trap=trap)
    lab.expect("batches that changed while they were written", table.changed, 0, trap="live-batch")
    await lab.within(SOON, flushing, what="flush has returned", trap="flush-never-ends")


async def test_a_failed_write_is_tried_again(lab):
    """Rule 5. A failed write is tried again, after a pause that doubles up to `retry_cap` and starts anew."""
    lab.scenario("base 1, cap 6; writes take 1 s; five fail, one not, two do; c, d, a at 2.2 s; many flush")
    plan = [OSError] * 5 + [""] + [OSError] * 2
    buffer, table = open_buffer(lab, seconds=1, plan=plan, batch_size=3, retry_base=1, retry_cap=6)
    await play(lab, buffer, "0 a=1 b=2")
    flushing = [asyncio.create_task(buffer.flush())]
    for moment in range(1, 12):
        await play(lab, buffer, "2.2 c=3 d=5 a=4" if moment == 2 else str(moment))
        flushing.append(asyncio.create_task(buffer.flush()))
    await at(lab, 99)
    lab.expect("rows", table.rows, {"a": 4, "b": 2, "c": 3, "d": 5}, trap="failed-batch-lost")
    keys = [sorted(batch)[:2] for batch in table.batches[:6]]
    lab.expect("the first two keys of the first batches", keys, [["a", "b"]] * 6, trap="out-of-turn")
    gaps = [round(b - a - 1, 3) for a, b in zip(table.began, table.began[1:], strict=False)]
    due = [1, 2, 4, 6, 6, 0, 1, 2]
    ok = len(gaps) == len(due) and all(d / 2 - 0.001 <= gap <= d + SOON for d, gap in zip(due, gaps, strict=True))
    lab.require(ok, expected=f"pauses of {due} s, or half as long", got=f"pauses of {gaps} s", trap="wrong-pause")
    await lab.within(SOON, asyncio.gather(*flushing), what="flush has returned", trap="flush-never-ends")


async def test_an_outage_may_last(lab):
    """Rule 5. However often it failed, a write is tried again; what is not given is a pause from 0.1 s to 30 s."""
    lab.scenario("the store is down for a thousand writes and some; then it is back")
    buffer, table = open_buffer(lab, plan=[OSError] * 1030)
    await puts(lab, buffer, a=1)
    await at(lab, 1040 * 30)
    gaps = [b - a for a, b in zip(table.began, table.began[1:], strict=False)]
    ok = 0.05 <= gaps[0] <= 0.1 + SOON and 15 <= gaps[10] <= 30 + SOON
    lab.require(ok, expected="pauses from 0.1 to 30 s", got=f"from {gaps[0]} to {gaps[10]} s", trap="wrong-pause")
    lab.expect("rows", table.rows, {"a": 1}, trap="gives-up")


@pytest.mark.parametrize("bad", [[0], [2, 3, 7], range(8)], ids=str)
async def test_refused_values_are_isolated(lab, bad):
    """Rule 6. A refused value is reported once and dropped; the others of its batch are written without a pause."""
    lab.scenario(f"twice k0 … k7 are put; the store refuses {', '.join(f'k{n}' for n in bad)}; then all are 99")
    buffer, table = open_buffer(lab, batch_size=8, capacity=8, bad=bad, retry_base=30)
    due = {f"k{n}": n for n in range(8) if n not in bad}
    for times in (1, 2):
        await puts(lab, buffer, **{f"k{n}": n for n in range(8)})
        waiting = asyncio.create_task(buffer.put("x", "waits for room"))
        await lab.within(SOON, buffer.flush(), what="flush returns", trap="poison-takes-all-down")
        await expect_read(lab, buffer, f"k{bad[0]}", None if times == 1 else 99, "poison-takes-all-down")
        lab.expect("rows, at once", {key: table.rows.get(key) for key in due}, due, trap="poison-takes-all-down")
        await lab.within(SOON, waiting, what="a put that waits for room returns", trap="never-woken")
        await lab.within(SOON, buffer.flush(), what="flush returns", trap="poison-takes-all-down")
        await puts(lab, buffer, **{f"k{n}": 99 for n in range(8)})
        await lab.within(SOON, buffer.flush(), what="flush returns", trap="poison-takes-all-down")
        lab.expect("the last batch", table.batches[-1], {f"k{n}": 99 for n in range(8)}, trap="poison-takes-all-down")
        refused = sorted(lab.plain("values reported", table.refused, trap="refused-in-silence"))
        lab.expect("reported", refused, sorted([(f"k{n}", n) for n in bad] * times), trap="refused-in-silence")
    lab.expect("empty batches", table.batches.count({}), 0, trap="empty-write")
    count = len(table.began)
    lab.require(count <= 2 * 34, expected="at most 4 writes a row", got=f"{count} writes", trap="poison-takes-all-down")


@pytest.mark.parametrize("n", range(5))
async def test_a_store_may_fail_while_values_are_isolated(lab, n):
    """Rule 6. So it is if the store fails while the batch is split: after the pause."""
    lab.scenario(f"k0 … k4, of which the store refuses k1 and k4; base 8; its write {n} fails, and 6 loses its reply")
    plan = [OSError if i == n else "lose" if i == 6 else "" for i in range(7)]
    buffer, table = open_buffer(lab, batch_size=5, bad=[1, 4], plan=plan, max_age=999, retry_base=8)
    await play(lab, buffer, "0 k0=0 k1=1 k2=2 k3=3 k4=4")
    await at(lab, 99)
    lab.expect("rows", table.rows, {"k0": 0, "k2": 2, "k3": 3}, trap="failed-batch-lost")
    lab.expect("reported", sorted(table.refused), [("k1", 1), ("k4", 4)], trap="refused-in-silence")
    pause = [*table.began, 0][n + 1] - table.began[n]
    lab.require(pause >= 4 - 0.001, expected="a pause of 8 s, or half as long", got=f"{pause} s", trap="wrong-pause")


async def test_a_refused_value_may_be_replaced(lab):
    """Rule 6. What replaced a refused value while it was on its way is another value, which is written."""
    lab.scenario("batch_size 1; the store refuses 0; k = 0 is on its way for 1 s, and meanwhile k = False is put")
    buffer, table = open_buffer(lab, batch_size=1, seconds=1, bad=[0])
    await play(lab, buffer, "0 k=0, 0.5 x=1")
    await puts(lab, buffer, k=False)
    await at(lab, 9)
    lab.expect("rows", table.rows, {"k": False, "x": 1}, trap="newer-value-dropped")
    lab.expect("reported", table.refused, [("k", 0)], trap="refused-in-silence")


async def test_a_full_buffer_lets_put_wait(lab):
    """Rule 7. At most `capacity` keys are unwritten: `put` of another one waits for room; cancelled, it put nothing."""
    lab.scenario("capacity 3, batch_size 2; writes take 60 s, a and b's fails after which b, c wait; then d, e, f")
    buffer, table = open_buffer(lab, seconds=60, plan=[OSError], batch_size=2, capacity=3, max_age=100, retry_base=8)
    await play(lab, buffer, "0 a=1 b=2, 1 b=3")
    await puts(lab, buffer, "capacity-miscounted", c=4)
    calls = {"d": (order := copy.deepcopy(ORDER)), "e": 6, "f": 7, "gone": 8}
    *waiting, gone = [asyncio.create_task(buffer.put(key, value)) for key, value in calls.items()]
    await at(lab, 2)
    spoil(order), gone.cancel()
    for moment, due in (30, 0), (63, 0), (123, 0), (129, 2), (189, 3):
        await at(lab, moment)
        got = sum(task.done() for task in waiting)
        trap = "never-woken" if got < due else "unbounded" if got == 3 and not due else "capacity-miscounted"
        lab.expect(f"how many of d, e and f have returned by {moment} s", got, due, trap=trap)
        if moment == 30:
            await puts(lab, buffer, "capacity-miscounted", a=8, b=9, c=10)
    await at(lab, 400)
    lab.expect("rows", table.rows, {"a": 8, "b": 9, "c": 10, "d": ORDER, "e": 6, "f": 7}, trap="put-after-all")


async def test_flush_returns_when_all_is_written(lab):
    """Rule 8. `flush` returns when what was put before is in the store, neither earlier nor later."""
    lab.scenario(
        "batch_size 2, max_age 60, a write takes 5 s, one fails; flush before and after a, at 2 s, and after b, c, a"
    )
    buffer, table = open_buffer(lab, seconds=5, plan=["", OSError], batch_size=2, max_age=60)
    await lab.within(SOON, buffer.flush(), what="flush of nothing returns", trap="flush-never-ends")
    lab.expect("writes of nothing", table.batches, [], trap="empty-write")
    await puts(lab, buffer, a=1)
    flushing = [asyncio.create_task(buffer.flush())]
    await at(lab, 2)
    flushing.append(asyncio.create_task(buffer.flush()))
    await asyncio.sleep(0.1)
    await puts(lab, buffer, b=2, c=3, a=4)
    flushing.append(asyncio.create_task(buffer.flush()))
    for moment, due in (4.9, [False] * 3), (5.2, [True, True, False]), (19.9, [True, True, False]), (20.3, [True] * 3):
        await at(lab, moment)
        done = [task.done() for task in flushing]
        trap = "flush-too-early" if sum(done) > sum(due) else "flush-never-ends"
        lab.expect(f"the three have returned by {moment} s", done, due, trap=trap)
        if moment > 10:
            await puts(lab, buffer, a=9)
    lab.expect("rows", table.rows, {"a": 4, "b": 2, "c": 3}, trap="flush-too-early")
    await at(lab, 60)
    lab.expect("writes by then", len(table.began), 4, trap="counts-values")


@pytest.mark.parametrize("who", ["flush", "put"])
async def test_who_is_cancelled_takes_nothing_along(lab, who):
    """Rule 9. Whoever is cancelled takes no write along, nor the turn of somebody else."""
    for moment, turns in (0.7, 0), *((1, turns) for turns in range(8)):
        lab.scenario(f"a, b are on their way; two call {who}, the first is cancelled at {moment} s + {turns} turns")
        start, trap = lab.now, "cancelled-with-the-caller"
        buffer, table = open_buffer(lab, seconds=1, batch_size=2, capacity=2, max_age=30)
        await puts(lab, buffer, a=1, b=2)
        await at(lab, start + 0.5)
        await puts(lab, buffer, a=4)
        calls = [buffer.flush(), buffer.flush()] if who == "flush" else [buffer.put("v", 5), buffer.put("c", 3)]
        gone, other = map(asyncio.create_task, calls)
        await at(lab, start + moment)
        for _ in range(turns):
            await asyncio.sleep(0)
        lab.note(f"the first {who} is cancelled")
        gone.cancel()
        await asyncio.wait({gone}, timeout=SOON)
        lab.expect("who is cancelled has ended", gone.done(), True, trap="cancelled-with-the-caller")
        await at(lab, start + 2.2)
        lab.expect(f"the other {who} has returned", other.done(), True, trap=trap)
        await puts(lab, buffer, d=6)
        brief = asyncio.create_task(buffer.flush())
        await asyncio.sleep(0.5)
        brief.cancel()
        await lab.within(3, buffer.flush(), what="the next flush returns", trap=trap)
        lab.expect("writes cancelled", table.cancelled, 0, trap=trap)
        due = {"a": 4, "b": 2, "d": 6} | ({"c": 3} if who == "put" else {})
        lab.expect("rows", {key: table.rows.get(key) for key in due}, due, trap=trap)


async def test_close_is_in_a_hurry(lab):
    """Rule 10. `close` makes due what waits, and returns `{}` as soon as all is written."""
    lab.scenario("batch_size 3, max_age 60; a write takes 1 s; at 0.5 s c and a wait; close")
    buffer, table = open_buffer(lab, seconds=1, batch_size=3, max_age=60)
    await play(lab, buffer, "0 a=1 b=2 d=5, 0.5 c=3 a=4")
    lost = await lab.within(1.5 + SOON, buffer.close(timeout=20), what="close returns", trap="drain-incomplete")
    lab.expect("what is lost", lost, {}, trap="drain-incomplete")
    lab.expect("rows", table.rows, {"a": 4, "b": 2, "c": 3, "d": 5}, trap="drain-incomplete")


@pytest.mark.parametrize("how", ["fails", "hangs", "is slow"])
async def test_close_gives_up_and_tells(lab, how):
    """Rule 10. `close` gives up after `timeout` and returns what is lost, the newest value of each key."""
    lab.scenario(f"the store {how}; a = 1, b; then a = 2 and c are put; flush waits; at 2 s close, timeout 7")
    seconds = {"fails": 0.5, "hangs": 10**6, "is slow": 5}[how]
    plan = [OSError] * 99 if how == "fails" else []
    buffer, table = open_buffer(lab, seconds=seconds, plan=plan, batch_size=2, capacity=3)
    await puts(lab, buffer, a=1, b=copy.deepcopy(ORDER))
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
    due = {"a": 2, "b": ORDER, "c": None}
    lab.expect("what is lost", lost, {k: due[k] for k in due if k not in table.rows or k == "a"}, trap="loss-untold")
    with lab.raises(Closed, when="from the flush that still waits", trap="loss-untold"):
        await lab.within(SOON, flushing, what="flush ends", trap="loss-untold")
    lab.expect("tasks still alive", lab.tasks_alive(), [], trap="unowned-task")
    lab.expect("exceptions nobody awaited", lab.errors_nobody_saw(), [], trap="unowned-task")
    count = len(table.began)
    lab.require(count <= 8, expected="pauses until close gives up", got=f"{count} writes", trap="wrong-pause")
    await expect_read(lab, buffer, "a", table.rows.get("a"), "keeps-what-is-written")


async def test_what_was_closed_takes_nothing(lab):
    """Rule 11. From the call of `close` on `put` raises `Closed`, a `put` that waits for room, too; no task is left."""
    lab.scenario("capacity 2; the store hangs; a, b are on their way and c waits for room; close, then put and close")
    buffer, _ = open_buffer(lab, seconds=10**6, batch_size=2, capacity=2)
    await play(lab, buffer, "0 a=1 b=2")
    waiting = asyncio.create_task(buffer.put("c", 3))
    await at(lab, 1)
    closing, trap = asyncio.create_task(buffer.close()), "life-after-close"
    await at(lab, 1 + SOON)
    for who, call in ("waits for room", waiting), ("comes later", buffer.put("d", 4)), ("replaces", buffer.put("a", 5)):
        with lab.raises(Closed, when=f"from the put that {who}", trap=trap):
            await lab.within(SOON, call, what="put ends", trap=trap)
    await expect_read(lab, buffer, "a", 1)
    await at(lab, 10.9)
    lab.expect("close has returned after 9.9 s", closing.done(), False, trap="drain-incomplete")
    lost = await lab.within(0.2, closing, what="close returns after 10 s", trap="close-without-end")
    lab.expect("what is lost", lost, {"a": 1, "b": 2}, trap=trap)
    with lab.no_error(expected="a second close raises nothing", trap=trap):
        await lab.within(SOON, buffer.close(), what="a second close returns", trap=trap)
    lab.expect("tasks still alive", lab.tasks_alive(), [], trap="unowned-task")


async def test_nothing_is_shared(lab):
    """Rule 12. Who changes a value, put or got, changes no other; two buffers share nothing."""
    lab.scenario("ORDER is put, then changed; what get gives is changed, while it waits and while it is on its way")
    buffer, table = open_buffer(lab, seconds=5)
    other, _ = open_buffer(lab)
    await puts(lab, buffer, k=(order := copy.deepcopy(ORDER)))
    spoil(order)
    for moment in (0.5, 0.6, 3, 4):
        await at(lab, moment)
        await expect_read(lab, buffer, "k", ORDER, "shared-copy")
        spoil(await buffer.get("k"))
        await expect_read(lab, other, "k", None, "shared-copy")
    await at(lab, 10)
    lab.expect("rows", table.rows, {"k": ORDER}, trap="shared-copy")


async def test_arguments(lab):
    """Rule 13. Arguments with which it could not work are a `ValueError`; what is not given is 100 rows a batch."""
    lab.scenario("99 keys are put, and 0.9 s later two more")
    for options in NONSENSE:
        with lab.raises(ValueError, when=f"for {options}", trap="nonsense-accepted"):
            open_buffer(lab, **options)
    open_buffer(lab, batch_size=1, capacity=1, max_age=0.001, retry_base=0.5, retry_cap=0.5)
    buffer, table = open_buffer(lab)
    await puts(lab, buffer, **{f"k{n}": n for n in range(99)})
    await at(lab, 0.9)
    lab.expect("writes after 99 keys", len(table.began), 0, trap="counts-values")
    await puts(lab, buffer, b=0, c=0)
    await at(lab, 0.95)
    lab.expect("rows of the first batch", [*map(len, table.batches)], [100], trap="counts-values")


EVENTS = ["a", "a", "b", "c", 0.3, 2.0, "flush", OSError, "lose"]  # put this key, wait, flush, let the next write fail


@settings(max_examples=5)
@given(st.lists(st.tuples(st.sampled_from(EVENTS), st.sampled_from([*FALSY, 1, True])), min_size=10, max_size=16))
async def test_any_order_of_events(lab, events):
    """Rule 10. `close` writes what is left, and returns `{}`: the newest values, whatever was put and failed before."""
    buffer, table = open_buffer(lab, seconds=0.5, batch_size=2, capacity=3)
    newest, flushing = {}, []
    for event, value in events:
        if event in ("a", "b", "c"):
            await puts(lab, buffer, **{event: copy.copy(value)})
            newest[event] = value
        elif event == "flush":
            flushing.append(asyncio.create_task(buffer.flush()))
        elif isinstance(event, float):
            await asyncio.sleep(event)
        else:
            table.plan.append(event)
        for key, due in newest.items():
            await expect_read(lab, buffer, key, due)
    lab.expect("what close returns", await buffer.close(timeout=99), {}, trap="drain-incomplete")
    lab.expect("rows", table.rows, newest, trap="old-value-returns")
    lab.expect("writes under way at once", max(table.most, 1), 1, trap="writes-overlap")
    await lab.within(SOON, asyncio.gather(*flushing), what="flush has returned", trap="flush-never-ends")
