"""The rules of README.md, in teaching order. Time is virtual: `asyncio.sleep(60)` returns at once.

`desk.call("tea", "run 1")` is somebody who awaits `do` for the key "tea"; the function is one that `Desk.fn` makes.
"""

import asyncio
import contextlib
import gc
import weakref
from functools import partial
from unittest.mock import Mock

import pytest
from singleflight import ReentrantCall, SingleFlight

from dojo.lab.properties import example, given, settings, st

SOON = 0.1  # seconds; what waits for nobody has happened by then


class Desk:
    """A SingleFlight, its callers and their functions; a run takes `seconds`, awaits `then()`, returns its name."""

    def __init__(self, lab):
        self.lab, self.flights, self.record = lab, SingleFlight(), []

    def fn(self, name, seconds=1.0, *, then=None, error=None, cleanup=0.0):
        async def run():
            self.note(f"{name} begins")
            try:
                await asyncio.sleep(seconds)
                value = name if then is None else f"{name} with {await then()}"
            except asyncio.CancelledError:
                self.note(f"{name} is cancelled")
                if cleanup:
                    await asyncio.sleep(cleanup)
                    self.note(f"{name} has cleaned up")
                raise error or asyncio.CancelledError from None
            self.note(f"{name} ends")
            if error is not None:
                raise error
            return value

        return run

    def note(self, text):
        self.lab.note(text)
        self.record.append(text)

    def do(self, key, name, seconds=1.0, **options):
        return self.flights.do(key, self.fn(name, seconds, **options))

    def call(self, key, name, seconds=1.0, **options):
        return asyncio.create_task(self.do(key, name, seconds, **options))


class Tracked(Exception):
    """A key, a value or an error that weak references can watch; awaited, it gives its argument, a second later."""

    def __await__(self):
        return asyncio.sleep(1, *self.args).__await__()


def outcome(caller):
    """What has become of a caller by now."""
    if not caller.done() or caller.cancelled():
        return "cancelled" if caller.done() else "waits"
    if isinstance(error := caller.exception(), NotImplementedError):
        raise error
    return caller.result() if error is None else f"{type(error).__name__}: {error}"


async def later(seconds, *callers, cancel=()):
    """Cancel some callers, let some time pass; the outcomes of `callers`."""
    for caller in cancel:
        caller.cancel()
    await asyncio.sleep(seconds)
    return [outcome(caller) for caller in callers]


async def test_callers_share_the_run_that_is_under_way(lab):
    """Rule 1. Whoever calls while a run for the key is under way waits for that run and gets its value."""
    lab.scenario("a run takes 100 s; callers come at 0, 30, 60 and 90 s, each with a function of its own")
    desk, callers = Desk(lab), []
    for n in (1, 2, 3, 4):
        callers.append(desk.call("tea", f"run {n}", 100))
        await asyncio.sleep(30)
    lab.expect("what they got", await later(80, *callers), ["run 1"] * 4, trap="run-per-caller")
    lab.expect("runs", desk.record, ["run 1 begins", "run 1 ends"], trap="run-per-caller")


async def test_callers_of_the_same_moment_start_one_run(lab):
    """Rule 1. While a run for the key is under way, no second one begins."""
    lab.scenario("an entry has just expired: 200 callers in one turn of the event loop")
    desk = Desk(lab)
    got = await later(1 + SOON, *[desk.call("tea", f"run {n}") for n in range(200)])
    lab.expect("runs that began", len(desk.record) // 2, 1, trap="check-then-act")
    lab.expect("what they got", got, ["run 0"] * 200, trap="run-per-caller")


@pytest.mark.parametrize("value", [None, False, 0, "", [], ValueError("a value"), Tracked("tea")], ids=repr)
async def test_the_value_is_what_the_run_returns(lab, value):
    """Rule 2. Each caller gets the very object that the run returns, whatever it is; `fn` may give any awaitable."""
    lab.scenario(f"four callers at once; fn gives an object with __await__, whose value is {value!r}")
    flights, given, trap = SingleFlight(), [], "value-mistaken"
    fn = lambda: given.append(Tracked(value)) or given[-1]  # noqa: E731
    with lab.no_error(expected="do returns the value", trap=trap):
        got = await asyncio.gather(*(flights.do("tea", fn) for _ in range(4)))
    lab.expect("calls of fn", len(given), 1, trap=trap)
    lab.expect("who got the object itself", [each is value for each in got], [True] * 4, trap=trap)


async def test_keys_do_not_wait_for_each_other(lab):
    """Rule 3. Different keys have runs of their own, side by side, and so have two instances; equal keys are one."""
    lab.scenario("a run takes 1 s; two instances, 140 keys, two callers for each, all at once")
    keys = [None, 0, "", "0", b"0", (), ("0",), "a:b", ("a", "b"), ("a:b",), frozenset({"0"}), *range(10, 139)]
    callers, equal = {}, {0: False, ("0",): tuple("0"), ("a", "b"): tuple("ab")}  # and not the same objects
    for name, desk in {"one": Desk(lab), "two": Desk(lab)}.items():
        for n, key in enumerate(keys * 2):
            who = f"instance {name}, key {key!r}, caller {1 + n // len(keys)}"
            callers[who] = desk.call(equal.get(key, key) if n >= len(keys) else key, who)
    await asyncio.sleep(1 + SOON)
    waiting = [who for who, caller in callers.items() if not caller.done()]
    lab.expect("who still waits after 1.1 s", waiting, [], trap="waits-in-line")
    for who, caller in callers.items():
        lab.expect(f"what {who} got", outcome(caller), f"{who[:-1]}1", trap="keys-confused")


@pytest.mark.parametrize("how", ["in the run", "when called", "as CancelledError"])
async def test_an_error_is_everybodys(lab, how):
    """Rule 4. An error of the run, or of the call of `fn`, is raised for each of its callers, and only for them."""
    lab.scenario(f"three callers at once; fn fails {how}; then there is another call")
    desk, due, trap = Desk(lab), "TimeoutError: no tea", "error-kept-from-callers"
    error = asyncio.CancelledError() if how == "as CancelledError" else TimeoutError("no tea")
    fn = Mock(side_effect=error) if how == "when called" else desk.fn("run", error=error)
    callers = [asyncio.create_task(desk.flights.do("tea", fn)) for _ in range(3)]
    got = await later(1 + SOON, *callers)
    lab.expect("the callers", got, ["cancelled" if how == "as CancelledError" else due] * 3, trap=trap)
    if how == "in the run":  # a CancelledError may be another one; who calls fn at once has a run for each caller
        same = [caller.exception() is callers[0].exception() for caller in callers]
        lab.expect("who got the same exception object", same, [True] * 3, trap=trap)
    lab.expect("the next call", await later(1 + SOON, desk.call("tea", "run 2")), ["run 2"], trap="key-poisoned")


@pytest.mark.parametrize("error", [None, ValueError("cold"), asyncio.CancelledError()], ids=repr)
async def test_nothing_is_remembered(lab, error):
    """Rule 5. Once a caller has the outcome, value or error, the next call for the key starts a new run."""
    lab.scenario(f"one caller calls three times, at once after each answer; the error of each run: {error!r}")
    desk, got, trap = Desk(lab), [], "outcome-remembered"

    async def again():
        for n in range(3):
            try:
                got.append(await desk.do("tea", f"run {n}", error=error))
            except (ValueError, asyncio.CancelledError) as raised:
                got.append(type(raised).__name__)

    await lab.within(3 + 4 * SOON, again(), what="three runs in a row end", trap="key-poisoned")
    due = [f"run {n}" if error is None else type(error).__name__ for n in range(3)]
    lab.expect("what the caller got", got, due, trap=trap)
    lab.expect("runs", desk.record, [f"run {n} {what}" for n in range(3) for what in ("begins", "ends")], trap=trap)


@pytest.mark.parametrize("how", ["are cancelled at once", "are cancelled after 0.5 s", "time out after 0.5 s"])
@pytest.mark.parametrize("who", [(1,), (2,), (1, 2, 3), (2, 3, 4)], ids=str)
async def test_callers_may_leave(lab, who, how):
    """Rule 6. A cancelled caller, the first like any other, ends at once; the run and the others do not notice."""
    lab.scenario(f"four callers, of which {who} {how}; another one comes after 0.8 s")
    desk, trap, by_timeout = Desk(lab), "one-takes-all-down", how == "time out after 0.5 s"

    async def patient(n):
        async with asyncio.timeout(0.5 if by_timeout and n in who else None):
            return await desk.do("tea", f"run {n}")

    callers = [asyncio.create_task(patient(n)) for n in (1, 2, 3, 4)]
    await asyncio.sleep(0 if how == "are cancelled at once" else 0.5)
    leaving = [callers[n - 1] for n in who]
    got = await later(SOON, *leaving, cancel=() if by_timeout else leaving)
    due = "TimeoutError: " if by_timeout else "cancelled"
    lab.expect("who left, 0.1 s later", got, [due] * len(who), trap="cancellation-delayed")
    await asyncio.sleep(0.8 - lab.now)
    stay = [*(caller for caller in callers if caller not in leaving), desk.call("tea", "run 5")]
    lab.expect("what the others got", await later(0.3, *stay), ["run 1"] * len(stay), trap=trap)
    lab.expect("runs", desk.record, ["run 1 begins", "run 1 ends"], trap=trap)


@pytest.mark.parametrize("turns", range(4))
async def test_callers_may_leave_as_the_run_ends(lab, turns):
    """Rule 6. So it is in the very moment in which the run ends: those who stay get its value."""
    lab.scenario(f"four callers; the run ends, and {turns} turns of the event loop later two of them are cancelled")
    flights, end = SingleFlight(), asyncio.Future()
    callers = [asyncio.create_task(flights.do("tea", lambda: end)) for _ in range(4)]
    await asyncio.sleep(SOON)
    end.set_result("tea")
    for _ in range(turns):
        await asyncio.sleep(0)
    got = await later(SOON, *callers, cancel=callers[::2])
    lab.expect("who stayed", got[1::2], ["tea", "tea"], trap="one-takes-all-down")


@pytest.mark.parametrize(("callers", "leave"), [(1, 0), (1, 0.3), (2, 0.3)])
async def test_a_run_that_nobody_waits_for_is_cancelled(lab, callers, leave):
    """Rule 7. When the last caller has left, the run is cancelled; who calls from then on does not get to see it."""
    lab.scenario(f"run 1: {callers} caller(s), who leave after {leave} s, 5 s of cleaning up; others call from then on")
    desk = Desk(lab)
    first = [desk.call("tea", "run 1", 60, cleanup=5) for _ in range(callers)]
    await asyncio.sleep(leave)
    await later(0, cancel=first)
    await asyncio.wait(first, timeout=SOON)
    got, new = [outcome(caller) for caller in first], desk.call("tea", "run 2")
    lab.expect("who left, 0.1 s later", got, ["cancelled"] * callers, trap="cancellation-delayed")
    await asyncio.sleep(0.2)
    told = [text for text in desk.record if "run 1" in text]
    due = ["run 1 begins", "run 1 is cancelled"] if leave or told else []  # left at once, it may not have begun
    lab.expect("run 1", told, due, trap="run-for-nobody")
    for run, pause, trap in (("run 2", 4.2, "joins-the-dying"), ("run 3", 2, "old-run-evicts-new")):
        await asyncio.sleep(0.3)
        got = await later(pause, new, desk.call("tea", "one run too many"))
        lab.expect(f"the callers of {run}", got, [run, run], trap=trap)
        new = desk.call("tea", "run 3")
    lab.expect("clean-ups done", desk.record.count("run 1 has cleaned up"), len(due) // 2, trap="run-for-nobody")


@pytest.mark.parametrize("leave", [False, True], ids=["its callers stay", "its callers leave"])
async def test_forget_detaches_the_run(lab, leave):
    """Rule 8. After `forget` the next call starts a run; the old one serves those who wait for it, and nobody else."""
    lab.scenario(f"run 1 is forgotten at 0.5 s{', left by all at once' * leave}; others call at 0.5, 1.2 and 1.4 s")
    desk = Desk(lab)
    with lab.no_error(expected="forget of what is not there does nothing", trap="forgets-too-much"):
        desk.flights.forget("tea")
    old, milk = [desk.call("tea", "run 1") for _ in range(2)], desk.call("milk", "milk")
    await asyncio.sleep(0.5)
    desk.flights.forget("tea")
    new, more_milk = [desk.call("tea", "run 2")], desk.call("milk", "more milk")
    got = await later(0.7, *old, cancel=old if leave else ())
    lab.expect("who called before", got, ["cancelled" if leave else "run 1"] * 2, trap="forget-cancels")
    told = [text for text in desk.record if "run 1" in text]
    lab.expect("run 1", told, ["run 1 begins", f"run 1 {'is cancelled' if leave else 'ends'}"], trap="run-for-nobody")
    lab.expect("who called afterwards, by 1.2 s", outcome(new[0]), "waits", trap="forgotten-run-still-serves")
    new.append(desk.call("tea", "run 3"))
    await asyncio.sleep(0.2)
    new.append(desk.call("tea", "run 4"))
    lab.expect("who called at 0.5, 1.2 and 1.4 s", await later(1, *new), ["run 2"] * 3, trap="old-run-evicts-new")
    lab.expect("who called for milk", [outcome(milk), outcome(more_milk)], ["milk"] * 2, trap="forgets-too-much")


EVENTS = st.sampled_from([(what, n) for what in ("call", "call", "leave", "end", "forget") for n in (0, 1)])


@settings(max_examples=15)
@example([("call", 1), ("forget", 1), ("call", 1), ("forget", 1), ("call", 1), ("end", 0), ("end", 0), ("call", 1)])
@given(st.lists(EVENTS, min_size=9))
async def test_any_order_of_events(lab, events):
    """Rule 8. In whatever order callers come and leave and runs end: a run serves its own callers and nobody else."""
    flights, tasks = SingleFlight(), {}
    due, serving, current = {}, {}, {}  # a model: what becomes of all, whom each run serves, which one a key has now

    for what, n in events:
        key, waiting = (None, "tea")[n], [who for own in serving.values() for who in own]
        if what == "call":
            who = f"caller {len(tasks)}"
            run = current.setdefault(key, f"run of {who}")
            fn = partial(lambda name: tasks.setdefault(name, asyncio.Future()), f"run of {who}")
            tasks[who] = asyncio.create_task(flights.do(key, fn))
            serving.setdefault(run, []).append(who)
            due |= {who: "waits", run: "waits"}
        elif what == "forget":
            current.pop(key, None)
            flights.forget(key)
        elif what == "leave" and waiting:
            who = waiting[-n]
            tasks[who].cancel()
            run = next(run for run, own in serving.items() if who in own)
            serving[run].remove(who)
            due |= {who: "cancelled", run: "waits" if serving[run] else "cancelled"}
        elif what == "end" and serving:
            run = [*serving][-n]
            tasks[run].set_result(f"value of {run}")
            due |= dict.fromkeys([run, *serving[run]], f"value of {run}")
        serving = {run: own for run, own in serving.items() if due[run] == "waits"}
        current = {key: run for key, run in current.items() if run in serving}
        lab.note(what)
        await asyncio.sleep(SOON)
        lab.expect("callers and runs", {name: outcome(task) for name, task in tasks.items()}, due, trap="runs-mixed-up")


CIRCLES = {
    "itself": lambda ask, here, there: ask(),
    "itself in a task that it starts": lambda ask, here, there: asyncio.create_task(ask()),
    "milk, whose run calls do for tea": lambda ask, here, there: here.do("milk", ask),
    "tea of another instance, whose run comes back": lambda ask, here, there: there.do(("tea", 7), ask),
}


@pytest.mark.parametrize("through", CIRCLES)
async def test_a_run_cannot_wait_for_itself(lab, through):
    """Rule 9. A call that would wait for a run that waits for this call raises ReentrantCall, naming the key."""
    lab.scenario(f"tea's run calls do for {through}")
    key, desk, other = ("tea", 7), Desk(lab), SingleFlight()
    brew = desk.fn("tea", 0, then=lambda: CIRCLES[through](lambda: desk.do(key, "inner"), desk.flights, other))
    fn = (lambda: asyncio.create_task(brew())) if "starts" in through else brew
    attempt, trap = lab.attempt(desk.flights.do(key, fn), name="caller"), "waits-for-itself"
    error = (await lab.within(3 * SOON, attempt, what="the call is refused", trap=trap)).error
    named = isinstance(error, ReentrantCall) and repr(key) in lab.plain("its text", str(error), trap=trap)
    lab.require(named, expected=f"ReentrantCall, naming the key {key}", got=repr(error), trap=trap)
    lab.expect("its key", getattr(error, "key", None), key, trap=trap)
    lab.expect("runs", desk.record, ["tea begins"], trap=trap)


async def test_runs_cannot_wait_for_each_other(lab):
    """Rule 9. Runs of several callers that would wait for each other are found, too; the last to ask is refused."""
    lab.scenario(
        "tea asks for milk, jam, milk again (to 0.2 s); milk for ice; at 0.5 s ice for tea; tea's caller leaves"
    )
    desk, other = Desk(lab), Desk(lab)  # milk is at the other one

    async def ask_three():
        waits = [at.call(key, "nothing") for at, key in ((other, "milk"), (desk, "jam"), (other, "milk"))]
        await asyncio.sleep(0.2)
        waits[2].cancel()
        other.flights.forget("milk")
        desk.note(f"tea has {await waits[0]}")
        await asyncio.sleep(60)

    async def ask_back():
        return type((await lab.attempt(desk.do("tea", "nothing"), name="ice")).error).__name__

    ice, _jam = desk.call("ice", "ice", 0.5, then=ask_back), desk.call("jam", "jam")
    milk = other.call("milk", "milk", 0.1, then=lambda: desk.do("ice", "nothing"))
    tea = desk.call("tea", "tea", 0, then=ask_three)
    await asyncio.sleep(0.3)
    desk.call("ice", "nothing")
    got, due = await later(0.2 + 4 * SOON, ice, milk), ["ice with ReentrantCall", "milk with ice with ReentrantCall"]
    lab.expect("ice and milk after 0.9 s", got, due, trap="waits-for-itself")
    await later(SOON, cancel=[tea])
    told = [text for text in desk.record if "tea" in text]
    lab.expect("tea", told, ["tea begins", f"tea has {due[1]}", "tea is cancelled"], trap="run-for-nobody")


@pytest.mark.parametrize("where", ["of another instance", "that began when the first was forgotten"])
async def test_a_key_may_need_other_keys(lab, where):
    """Rule 10. A run may wait for other keys, several ways to the same one, and for another run of its own key."""
    lab.scenario(f"breakfast needs tea and milk; tea needs milk, too, and a breakfast {where}")
    desk, both = Desk(lab), asyncio.gather
    other = desk if "forgotten" in where else Desk(lab)
    for_tea = lambda: both(desk.do("milk", "milk"), other.do("breakfast", ""))  # noqa: E731
    tea, own = desk.call("tea", "tea", 0.2, then=for_tea), "milk" if other is desk else "breakfast"
    first = desk.call("breakfast", "first", 0, then=lambda: both(desk.do("tea", ""), other.do(own, own)))
    await asyncio.sleep(SOON)
    if other is desk:
        desk.flights.forget("breakfast")
    other.call("breakfast", "breakfast")
    got, served = await later(1 + 5 * SOON, first, tea), "tea with ['milk', 'breakfast']"
    lab.expect("the callers", got, [f"first with {[served, own]}", served], trap="false-alarm")


async def test_what_is_over_is_no_circle(lab):
    """Rule 10. Only what waits now counts: not a run that has ended, not a wait that is over."""
    lab.scenario("tea gives up jam at 0.5 s, has milk at 1 s, leaves a task behind, ends at 5 s; jam, milk 2 want tea")
    desk, left, trap = Desk(lab), [], "false-alarm"

    async def leave_behind():
        await asyncio.sleep(6)
        return await desk.do("tea", "tea 3")

    async def brew():
        left.append(asyncio.create_task(leave_behind()))
        milk = desk.call("milk", "milk")
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(desk.do("jam", "nothing"), 0.5)
        return await milk, await asyncio.sleep(4)

    async def ask_twice():
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1):
                await desk.do("tea", "tea", 0, then=brew)
        return await desk.do("tea", "tea 1")

    callers = [desk.call("jam", "jam", then=lambda: desk.do("tea", "nothing"))]
    callers += [asyncio.create_task(ask_twice()), desk.call("tea", "tea 1")]
    await asyncio.sleep(2)
    callers.append(desk.call("milk", "milk 2", 0, then=lambda: desk.do("tea", "tea 1")))
    tea = "tea with ('milk', None)"
    due = [f"jam with {tea}", tea, tea, f"milk 2 with {tea}"]
    lab.expect("the callers", await later(4 - SOON, *callers), due, trap=trap)
    lab.expect("a caller, and the task", await later(2, desk.call("tea", "tea 2"), *left), ["tea 2"] * 2, trap=trap)


async def test_nothing_goes_on_in_the_background(lab):
    """Rule 11. When a run has ended, no task is left, and nobody reports an exception that was never retrieved."""
    lab.scenario("failing runs: for two callers, for one who stayed, for nobody, forgotten with and without callers")
    desk = Desk(lab)
    callers = [desk.call(n // 2, f"run {n // 2}", error=ValueError("cold"), cleanup=0.5) for n in range(10)]
    await asyncio.sleep(0.5)
    desk.flights.forget(3)
    desk.flights.forget(4)
    await later(SOON, cancel=[callers[n] for n in (2, 4, 5, 6, 8, 9)])
    due = ["ValueError: cold" if n in (0, 1, 3, 7) else "cancelled" for n in range(10)]
    lab.expect("the callers", await later(5, *callers), due, trap="error-kept-from-callers")
    del callers
    lab.expect("exceptions nobody awaited", lab.errors_nobody_saw(), [], trap="never-retrieved")
    lab.expect("tasks still alive", lab.tasks_alive(), [], trap="unowned-task")


async def test_nothing_is_kept(lab):
    """Rule 12. Once a run is over, neither its key nor its outcome stays in memory."""
    lab.scenario("runs that are left by their callers, are forgotten, return, fail; then all garbage is collected")
    desk, alive = Desk(lab), weakref.WeakSet()
    for n in range(12):
        key, value, error = parts = [Tracked(f"{what} {n}") for what in ("key", "value", "error")]
        alive.update(parts)
        callers = [desk.call(key, value, error=error if n % 2 else None) for _ in range(2)]
        await asyncio.sleep(0.5)
        if 2 <= n < 8:
            desk.flights.forget(key)
        await later(2, *callers, cancel=callers if n < 4 else ())
        del key, value, error, parts, callers
    gc.collect()
    lab.expect("keys and outcomes still in memory", sorted(map(str, alive)), [], trap="keeps-what-is-over")
