"""The rules of README.md, in teaching order. Time is virtual: `asyncio.sleep(60)` returns at once.

What a call came to is one word: "ok", "none", "failed" or "ignored" (that very answer or exception), or "rejected".
"""

import asyncio
from unittest.mock import Mock

import pytest
from circuit_breaker import CircuitBreaker, CircuitOpen

from dojo.lab import explore
from dojo.lab.properties import given, settings, st

SOON = 0.1  # seconds; what waits for nothing has happened by then


class Service:
    """An upstream, and the breaker that guards it: minimum_calls 4, window 10, LookupError ignored, else by default."""

    def __init__(self, lab, **options):
        self.lab = lab
        self.reached, self.running, self.most, self.rejection = 0, 0, 0, None
        usual = {"minimum_calls": 4, "window": 10, "ignore": (EOFError, LookupError)}
        told = {"on_transition": lambda old, new: lab.note(f"** {old} → {new} **")}
        self.breaker = CircuitBreaker(**usual | told | options)

    def answer(self, answer, seconds):
        """What the breaker is given to await: two coroutines, then a task."""
        self.reached += 1
        serving = self.serve(answer, seconds)
        return serving if self.reached % 3 else asyncio.ensure_future(serving)

    async def serve(self, answer, seconds):
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            await asyncio.sleep(seconds)
            await self.lab.call("GET /offers", lambda: answer)
        finally:
            self.running -= 1
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def call(self, word="ok", seconds=0):
        """One call through the breaker, which the service answers after `seconds`; what it came to."""
        answer = {"ok": [], "none": None, "failed": ConnectionError("503"), "ignored": KeyError("404")}[word]
        try:
            got = await self.breaker.call(lambda: self.answer(answer, seconds))
        except CircuitOpen as rejection:
            own, self.rejection = rejection is not self.rejection, rejection
            self.lab.require(own, expected="its own CircuitOpen", got="that of the call before", trap="error-replaced")
            self.retry_after = self.lab.plain("retry_after", rejection.retry_after, trap="wrong-retry-after")
            self.lab.note(f"rejected, retry_after {self.retry_after!r:.6}")
            return "rejected"
        except Exception as error:
            if error is not answer and error.__context__ is not answer and not isinstance(error, TimeoutError):
                raise
            got = error
        return word if got is answer else f"another: {got!r}"

    def start(self, words, seconds):
        """Calls in the background, all at once; their tasks."""
        return [asyncio.create_task(self.call(word, seconds)) for word in words.split()]

    async def see(self, words, state, *, trap, after=0, lasting=None, came_to=None):
        """After `after` seconds make these calls, in turn, or at once if they last; demand what comes of them."""
        await asyncio.sleep(after)
        if lasting is None:
            got = [await self.call(word) for word in words.split()]
        else:
            got = await asyncio.gather(*self.start(words, lasting))
        self.lab.expect("what the calls came to", got, (came_to or words).split(), trap=trap)
        self.lab.expect("the state then", self.breaker.state, state, trap=trap)

    async def half_open(self):
        """Four failures, and the time to wait after them: the next call is a probe."""
        await self.see("failed failed failed failed", "open", trap="wrong-rate")
        await asyncio.sleep(30.01)


async def test_a_closed_breaker_is_not_noticed(lab):
    """Rule 1. While it is closed, each caller gets what `fn` gives, answer or exception, and calls run side by side."""
    service = Service(lab)
    value = OSError("returned, not raised")
    own = {"__await__": lambda _: asyncio.sleep(0, value).__await__(), "__repr__": lambda _: "an object with __await__"}
    with lab.no_error(expected="any awaitable is awaited, and returned what it gives", trap="error-replaced"):
        got = await service.breaker.call(type("Awaitable", (), own))
    lab.require(got is value, expected=f"the answer {value!r}", got=repr(got), trap="error-replaced")
    await service.see("ok ok failed ok ignored ok", "closed", trap="error-replaced")
    lab.expect("calls that reached the service", service.reached, 6, trap="error-replaced")
    together = service.see("ok " * 20, "closed", lasting=1, trap="one-at-a-time")
    await lab.within(1 + SOON, together, what="twenty calls at once, of a second each, return", trap="one-at-a-time")


RATES = [
    (0.5, "ok ok failed", "open", "wrong-rate"),
    (0.5, "none none none failed", "closed", "wrong-rate"),
    (0.5, "failed ok failed ok", "open", "consecutive-failures"),
    (0.5, "failed failed ok ok ok", "open", "success-opens"),
]


@pytest.mark.parametrize(("rate", "before", "state", "trap"), RATES)
async def test_it_opens_at_the_failure_rate(lab, rate, before, state, trap):
    """Rule 2. A failure opens it if now at least `failure_rate` of the calls in the window have failed."""
    service = Service(lab, failure_rate=rate)
    lab.scenario(f"failure_rate {rate}, minimum_calls 4; {before}, and one more fails")
    await service.see(before, "closed", trap=trap)
    await service.see("failed", state, trap=trap)


async def test_every_exception_is_a_failure(lab):
    """Rule 2. A failure is any `Exception` that is not ignored, whether `fn` raises it or what it returns."""
    lab.scenario("fn itself raises: once ZeroDivisionError, and once the CircuitOpen of another breaker; later again")
    for error in (ZeroDivisionError("a bug"), CircuitOpen(7.0)):
        service = Service(lab)
        for pause in (0, 0, 0, 0, 31):
            await asyncio.sleep(pause)
            got = (await lab.attempt(service.breaker.call(Mock(side_effect=error)))).error
            hidden = got is error and got.__suppress_context__
            told = f"{got!r}{', its context hidden' * hidden}"
            lab.require(got is error and not hidden, expected=repr(error), got=told, trap="error-replaced")
        lab.expect("the state after it failed as a probe", service.breaker.state, "open", trap="failure-overlooked")


@pytest.mark.parametrize("minimum", [1, 5, 10])
async def test_few_calls_prove_nothing(lab, minimum):
    """Rule 3. With fewer than `minimum_calls` calls in the window it stays closed, even if all of them fail."""
    lab.scenario(f"minimum_calls {minimum}{', the default' * (minimum == 10)}")
    service = Service(lab, minimum_calls=minimum)
    if minimum == 10:
        service.breaker = CircuitBreaker()
    await service.see("failed " * (minimum - 1), "closed", trap="no-minimum-volume")
    await service.see("failed", "open", trap="no-minimum-volume")


async def test_an_outcome_counts_for_the_window(lab):
    """Rule 4. An outcome counts for `window` seconds after its call has ended, and no longer."""
    lab.scenario("window 10: a failure each 4 s; 20 successes, and 12 s later 4 failures; two bursts; calls of 20 s")
    service = Service(lab)
    for _ in range(15):
        await service.see("failed", "closed", after=4, trap="never-forgets")
    await service.see("ok " * 20 + "failed", "closed", after=12, trap="never-forgets")
    await service.see("failed failed failed", "closed", after=12, trap="never-forgets")
    await service.see("failed", "open", trap="never-forgets")
    service = Service(lab)
    await service.see("ok", "closed", trap="tumbling-window")
    await service.see("failed failed", "closed", after=8.5, trap="tumbling-window")
    await service.see("failed failed", "open", after=8.5, trap="tumbling-window")
    service = Service(lab)
    await service.see("failed", "closed", trap="never-forgets")
    await service.see("failed failed failed", "closed", lasting=20, trap="never-forgets")
    await service.see("failed", "open", trap="stamped-at-the-start")


TENTHS, WORDS = st.sampled_from([0, 0, 1.1, 4.3, 13]), st.sampled_from(["ok", "failed"])
TRAFFIC = st.lists(st.tuples(TENTHS, WORDS), min_size=9)


@settings(max_examples=12)
@given(rate=st.sampled_from([0.25, 0.5, 1]), least=st.integers(1, 5), tenth=st.sampled_from([0.19, 9]), traffic=TRAFFIC)
async def test_any_traffic_is_judged_by_the_last_window(lab, rate, least, tenth, traffic):
    """Rule 4. Whatever came before, the outcomes of the last `window` seconds decide, and all of them."""
    lab.scenario("calls are (tenths of a window since the one before, the answer); if it opens, a probe closes it")
    service, record = Service(lab, failure_rate=rate, minimum_calls=least, window=10 * tenth), []
    trap = "never-forgets"
    for tenths, word in traffic:
        await asyncio.sleep(tenths * tenth)
        while any(8.9 < (lab.now - then) / tenth < 11.1 for then, _ in record):
            await asyncio.sleep(2 * tenth)  # a window may be off by a tenth
        record = [(then, failed) for then, failed in record if (lab.now - then) / tenth < 10]
        record.append((lab.now, word == "failed"))
        bad = len(record) >= least and sum(failed for _, failed in record) / len(record) >= rate
        await service.see(word, "open" if bad and word == "failed" else "closed", trap=trap)
        if bad and word == "failed":
            await service.see("ok", "closed", after=31, trap="never-closes")
            record, trap = [], "old-record-kept"


async def test_the_failure_that_opens_it_is_raised(lab):
    """Rule 5. The call that opens it, or opens it again, raises its own exception."""
    service = Service(lab)
    await service.see("failed failed failed failed", "open", trap="error-replaced")
    await service.see("failed", "open", after=31, trap="error-replaced")


@pytest.mark.parametrize("open_for", [30, 2.3])
async def test_an_open_breaker_rejects_without_calling(lab, open_for):
    """Rule 6. While it is open, each call raises CircuitOpen at once; `fn` is not called, and nothing is counted."""
    lab.scenario(f"open_for {open_for} s; a call each tenth of that, and one just before its end and after; open again")
    service = Service(lab, open_for=open_for)
    await service.see("failed failed failed failed", "open", lasting=20, trap="wrong-rate")
    for n in range(10):
        tried = service.see("ok", "open", came_to="rejected", trap="calls-while-open")
        await lab.within(SOON, tried, what="an open breaker rejects", trap="calls-while-open")
        lab.expect("calls that reached the service", service.reached, 4, trap="calls-while-open")
        await asyncio.sleep(open_for / 10 - (n == 9) * 0.01)
    await service.see("ok", "open", came_to="rejected", trap="wrong-open-time")
    await service.see("ok", "closed", after=0.012, trap="rejections-count" if open_for == 30 else "wrong-open-time")
    await service.see("failed failed failed failed", "open", trap="wrong-rate")
    await service.see("ok", "open", after=open_for / 5, came_to="rejected", trap="calls-while-open")
    lab.expect("retry_after", round(service.retry_after, 2), round(open_for * 0.8, 2), trap="wrong-retry-after")


@explore
async def test_a_half_open_breaker_admits_few(lab):
    """Rule 7. After `open_for` at most `probes` calls run at the same time; others are rejected at once."""
    lab.scenario("probes 2, successes 2; open_for has passed, and three callers come at once")
    service = Service(lab, probes=2, successes=2)
    await service.half_open()
    got = await lab.race(service.call(), service.call(), service.call(), names=["ann", "bob", "cleo"])
    lab.expect("calls that ran at the same time", service.most, 2, trap="half-open-stampede")
    lab.expect("what they came to", sorted(got), ["ok", "ok", "rejected"], trap="half-open-stampede")


async def test_a_probe_that_ends_makes_room(lab):
    """Rule 7. A call that finds no room is rejected at once, and `retry_after` is 0.0; a probe that ends makes room."""
    lab.scenario("probes 2, successes 9: two probes of a minute, calls meanwhile, and calls after them")
    service = Service(lab, probes=2, successes=9)
    await service.half_open()
    probes = service.start("ok ok", seconds=60)
    await asyncio.sleep(50)
    tried = service.see("ok", "half-open", came_to="rejected", trap="half-open-stampede")
    await lab.within(SOON, tried, what="a call without room is rejected", trap="half-open-stampede")
    lab.expect("retry_after", service.retry_after, 0.0, trap="wrong-retry-after")
    lab.expect("what the two came to", await asyncio.gather(*probes), ["ok", "ok"], trap="half-open-stampede")
    await service.see("ok ok ok", "half-open", trap="slot-leak")
    await service.see("ok ok ok", "half-open", lasting=1, came_to="ok ok rejected", trap="half-open-stampede")
    await service.see("ok ok", "closed", trap="never-closes")


@pytest.mark.parametrize(("probes", "successes"), [(1, 1), (1, 3), (3, 2)])
async def test_enough_successes_close_it(lab, probes, successes):
    """Rule 8. `successes` successful probes close it, with an empty record."""
    lab.scenario(f"probes {probes}, successes {successes}; open_for 1, so that all of it happens within the window, 10")
    service = Service(lab, probes=probes, successes=successes, open_for=1)
    await service.see("ok failed failed failed", "open", trap="wrong-rate")
    await asyncio.sleep(1.01)
    service.start("failed " * (probes - 1), seconds=1)
    for _ in range(successes - 1):
        await service.see("ok", "half-open", trap="closes-too-early")
    await service.see("none", "closed", trap="never-closes")
    await service.see("ignored " * 7, "closed", lasting=1, trap="never-closes")
    await service.see("failed failed failed", "closed", trap="old-record-kept")
    await service.see("failed", "open", trap="old-record-kept")
    await service.see("ok", "closed" if successes == 1 else "half-open", after=1.01, trap="closes-too-early")


async def test_a_failed_probe_opens_it_anew(lab):
    """Rule 9. A failed probe opens it again, for the whole of `open_for`, and what succeeded before is forgotten."""
    lab.scenario("successes 3: two probes succeed, and a third one, of 20 s, fails; open_for is 30 s")
    service = Service(lab, successes=3)
    await service.half_open()
    await service.see("ok ok", "half-open", trap="closes-too-early")
    await service.see("failed", "open", lasting=20, trap="probe-ignored")
    await service.see("ok", "open", after=29.9, came_to="rejected", trap="no-fresh-timer")
    await service.see("ignored", "half-open", after=0.2, trap="no-fresh-timer")
    await service.see("ok ok", "half-open", trap="closes-too-early")


async def test_ignored_exceptions_count_for_nothing(lab):
    """Rule 10. An exception of a type in `ignore` is raised as it is, and counts for nothing."""
    lab.scenario("minimum_calls 4; raised is KeyError, ignored LookupError and CircuitOpen, which fn itself raises")
    service = Service(lab, successes=2, ignore=(CircuitOpen, LookupError))
    await service.see("ignored " * 5 + "failed failed failed", "closed", trap="ignored-counts")
    await service.see("ignored failed", "open", trap="ignored-counts")
    await service.see("ignored", "half-open", after=31, trap="ignored-counts")
    await lab.attempt(service.breaker.call(Mock(side_effect=CircuitOpen(7.0))))
    lab.expect("the state after it", service.breaker.state, "half-open", trap="ignored-counts")
    await service.see("ok ignored", "half-open", trap="slot-leak")
    await service.see("ok", "closed", trap="never-closes")


async def test_a_cancelled_call_counts_for_nothing(lab):
    """Rule 11. A call that is cancelled counts for nothing, and what it awaits is cancelled with it."""
    lab.scenario("slow_after 1: five calls hang and are cancelled after 2 s; then four calls fail")
    service = Service(lab, slow_after=1)
    hung = service.start("ok " * 5, seconds=3600)
    await asyncio.sleep(2)
    for call in hung:
        call.cancel()
    await asyncio.wait(hung, timeout=SOON)
    lab.expect("how many of them were cancelled", sum(call.cancelled() for call in hung), 5, trap="cancelled-counts")
    lab.expect("calls that still run in the service", service.running, 0, trap="cancelled-counts")
    await service.see("failed failed failed", "closed", trap="cancelled-counts")
    await service.see("failed", "open", trap="cancelled-counts")


async def test_a_cancelled_probe_makes_room(lab):
    """Rule 11. A probe that is cancelled makes room for another one; it is neither a success nor a failure."""
    lab.scenario("probes 2: two probes hang; one is cancelled, and later the other one")
    service = Service(lab, probes=2, successes=3)
    await service.half_open()
    for call in service.start("ok ok", seconds=3600):
        await asyncio.sleep(SOON)
        call.cancel()
        await asyncio.sleep(SOON)
        lab.expect("the state after it is cancelled", service.breaker.state, "half-open", trap="cancelled-counts")
        await service.see("ok", "half-open", trap="slot-leak")
    await service.see("ok", "closed", trap="never-closes")


@pytest.mark.parametrize("late", ["ok", "failed", "ignored"])
async def test_late_results_count_for_nothing(lab, late):
    """Rule 12. A result counts only if the state has not changed since its call was admitted."""
    lab.scenario(f"calls from the beginning end ({late}) when it is open, half-open, open again, closed again")
    service, trap = Service(lab, successes=2), "late-result"
    calls = [call for end in (10, 35, 50, 75) for call in service.start(f"{late} " * 5, seconds=end)]
    await service.see("failed failed failed failed", "open", trap=trap)
    await service.see("ok", "open", after=29, came_to="rejected", trap=trap)
    await service.see("ok ok", "half-open", after=1.1, lasting=0, came_to="ok rejected", trap=trap)
    await service.see("failed", "open", after=7, trap=trap)
    await service.see("ok", "open", after=29.8, came_to="rejected", trap=trap)
    await service.see("ok ok", "closed", after=0.3, trap=trap)
    lab.expect("what the first calls came to", await asyncio.gather(*calls), [late] * 20, trap="error-replaced")
    await service.see("failed failed failed", "closed", trap=trap)
    await service.see("failed", "open", trap=trap)


async def test_a_late_probe_frees_no_room(lab):
    """Rule 12. A probe of an earlier half-open time neither takes up room in this one nor frees any."""
    lab.scenario("probes 3, successes 5: one probe fails, two others run for 40 s, into the next half-open time")
    service, trap = Service(lab, probes=3, successes=5), "late-result"
    await service.half_open()
    late = service.start("ok ignored", seconds=40)
    await service.see("failed", "open", after=SOON, trap=trap)
    await asyncio.sleep(30.1)
    probes = service.start("ok ok ok", seconds=20)
    lab.expect("what the late ones come to", await asyncio.gather(*late), ["ok", "ignored"], trap="error-replaced")
    await service.see("ok", "half-open", came_to="rejected", trap=trap)
    lab.expect("what the new ones come to", await asyncio.gather(*probes), ["ok", "ok", "ok"], trap=trap)
    await service.see("ok", "half-open", trap=trap)
    await service.see("ok", "closed", trap=trap)


async def test_a_slow_answer_is_a_failure(lab):
    """Rule 13. A call that takes longer than `slow_after` counts as failed; what it came to is not changed."""
    lab.scenario("slow_after 2.5: calls of 2.4 s and of 2.6 s, and probes of both")
    service = Service(lab, slow_after=2.5)
    await service.see("ok ok ok ok", "closed", lasting=2.4, trap="wrong-slowness")
    await service.see("ok ok ok", "closed", lasting=2.6, trap="answer-thrown-away")
    await service.see("ignored ignored", "closed", lasting=2.6, trap="ignored-counts")
    await service.see("ok", "open", lasting=2.6, trap="slow-is-success")
    await service.see("ignored", "half-open", after=31, lasting=2.6, trap="ignored-counts")
    await service.see("ok", "open", lasting=3600, trap="slow-is-success")
    await service.see("ok", "closed", after=31, lasting=2.4, trap="wrong-slowness")
    await Service(lab).see("ok ok ok ok", "closed", lasting=3600, trap="wrong-slowness")


@pytest.mark.parametrize("step", [3600, -3600])
async def test_a_stepped_clock_changes_nothing(lab, step):
    """Rule 14. Only the time that passes counts, whatever the wall clock is set to."""
    lab.scenario(f"the wall clock is stepped by {step:+} s within the window and during calls, then while it is open")
    service, trap = Service(lab, slow_after=2), "wall-clock"
    await service.see("failed failed", "closed", trap=trap)
    asyncio.get_running_loop().call_later(SOON, lab.step_wall_clock, step)
    (slow,) = service.start("ok", seconds=2.1)
    await service.see("ok ok", "closed", lasting=1, trap=trap)
    lab.expect("what a slow call comes to", await slow, "ok", trap=trap)
    lab.expect("the state after it", service.breaker.state, "open", trap=trap)
    lab.step_wall_clock(step)
    await service.see("ok", "open", after=29.9, came_to="rejected", trap=trap)
    await service.see("ok", "closed", after=0.2, trap=trap)


async def test_each_change_is_told_once(lab):
    """Rule 15. Each change is told to `on_transition` once, when it happens; what that raises changes nothing."""
    lab.scenario("on_transition raises; ten calls fail at once; a probe fails; two probes succeed, one is enough")
    told, trap, events = [], "watcher-breaks-the-call", "wrong-events"

    def watch(old, new):
        told.append((old, new, service.breaker.state))
        raise RuntimeError("the metrics server is down")

    service = Service(lab, probes=2, on_transition=watch)
    due = [("closed", "open", "open"), ("open", "half-open", "half-open"), ("half-open", "open", "open")]
    with lab.no_error(expected="each call comes to what the service gives", trap=trap):
        await service.see("failed " * 10, "open", lasting=0, trap=trap)
        lab.expect("(old, new, state)", told, due[:1], trap=events)
        await service.see("failed", "open", after=31, trap=trap)
        lab.expect("(old, new, state)", told, due, trap=events)
        await service.see("ok ok", "closed", after=31, lasting=1, trap=trap)
    lab.expect("(old, new, state)", told, [*due, due[1], ("half-open", "closed", "closed")], trap=events)


def test_nonsense_is_refused(lab):
    """Rule 16. A parameter out of range raises ValueError; the constructor needs no running event loop."""
    least = {"failure_rate": 0.001, "window": 0.001, "open_for": 0.001, "slow_after": 0.001}
    with lab.no_error(expected="no error for the least values, without an event loop", trap="nonsense-accepted"):
        CircuitBreaker(minimum_calls=1, probes=1, successes=1, ignore=(), on_transition=None, **least)
    for name, values in {
        "failure_rate": (0, -0.5, 1.01, 50, float("nan")),
        **dict.fromkeys(("minimum_calls", "probes", "successes"), (0, -1)),
        **dict.fromkeys(("window", "open_for"), (0, -1, float("inf"), float("nan"))),
        "slow_after": (0, -1, float("nan")),
    }.items():
        for value in values:
            with lab.raises(ValueError, when=f"for {name}={value}", trap="nonsense-accepted"):
                CircuitBreaker(**{name: value})


async def test_breakers_share_nothing(lab):
    """Rule 17. Two breakers share nothing."""
    lab.scenario("two breakers in turn: the service of the first one fails, that of the other one does not")
    down, well = Service(lab), Service(lab)
    for state in ("closed", "closed", "closed", "open"):
        await down.see("failed", state, trap="shared-state")
        await well.see("ok", "closed", trap="shared-state")
