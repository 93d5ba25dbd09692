"""The rules of README.md, in teaching order. Time is virtual: `asyncio.sleep(60)` returns at once.

`Upstream` is what `call` is given as `fn`: it answers by a script, and notes when it was asked, and with which key.
"""

import asyncio
import contextlib
import os
import time
import traceback
from email.utils import formatdate
from types import SimpleNamespace
from unittest.mock import patch

import httpx
import pytest
import redis.exceptions as of_redis
from retry_policy import Policy, call

from dojo.lab import sweep
from dojo.lab.properties import example, given, settings, st


class OrdersUnavailable(Exception):
    """What somebody's repository makes of its driver's errors."""


def response(status, retry_after=None):
    """What a client of httpx returns."""
    headers = None if retry_after is None else {"Retry-After": retry_after}
    return httpx.Response(status, headers=headers, request=httpx.Request("POST", "https://payments.example/charges"))


def failure(kind, retry_after=None, cause=None):
    """An exception of this class; for a status, what `raise_for_status()` raises."""
    if type(kind) is int:
        answer = response(kind, retry_after)
        error = httpx.HTTPStatusError(f"HTTP {kind}", request=answer.request, response=answer)
    else:
        error = kind("as it happens")
    error.__cause__ = cause
    return error


def wrapped(cause):
    return failure(OrdersUnavailable, cause=cause)


class Upstream:
    """A service that gives these answers in turn, and raises those that are exceptions; then it is "ok"."""

    def __init__(self, lab, *answers, seconds=0.0, at_once=False):
        self.lab, self.answers, self.seconds, self.at_once = lab, list(answers), seconds, at_once
        self.asked, self.keys, self.running, self.began = [], [], 0, lab.now

    def __call__(self, key):
        self.asked.append(round(self.lab.now - self.began, 2))
        self.keys.append(key)
        answer = self.answers.pop(0) if self.answers else "ok"
        if self.at_once and isinstance(answer, Exception):
            raise answer
        return self.serve(answer)

    async def serve(self, answer):
        self.running += 1
        try:
            await asyncio.sleep(self.seconds)
            await self.lab.call(f"attempt {len(self.asked)}", lambda: getattr(answer, "response", answer))
        finally:
            self.running -= 1
        if isinstance(answer, BaseException):
            raise answer
        return answer

    async def see(self, *, asked, trap, gives="ok", ends=None, shared=None, idempotent=True, **policy):
        """Make a call, idempotent by default; demand this very answer or exception, and attempts at these seconds."""
        self.began, cause = self.lab.now, getattr(gives, "__cause__", None)
        policy = shared or Policy(**{"retries": 3, "delay": lambda retry: 1.0} | policy)
        outcome = await self.lab.attempt(call(self, policy, idempotent=idempotent))
        self.lab.expect("seconds at which attempts began", self.asked, asked, trap=trap)
        if ends is not None:
            self.lab.expect("seconds after which the call ended", round(self.lab.now - self.began, 2), ends, trap=trap)
        got = outcome.value if outcome.error is None else outcome.error
        self.lab.require(got is gives, expected=f"the call gives {gives!r}", got=repr(got), trap=trap)
        kept = getattr(gives, "__cause__", None) is cause
        self.lab.require(kept, expected=f"its cause is still {cause!r}", got="another one", trap="error-replaced")


async def test_the_caller_gets_the_first_success(lab):
    """Rule 1. The caller gets what `fn` gives at its first success, whatever it is; each attempt calls `fn` anew."""
    first, second = failure(ConnectionError), failure(TimeoutError)
    lab.scenario("answers, each alone, and after two failures; then a failure and a future")
    foreign = SimpleNamespace(status_code=503, raise_for_status=next)  # no response of httpx
    for answer in ("ok", None, False, [], response(200), response(304), foreign):
        await Upstream(lab, answer).see(gives=answer, asked=[0.0], trap="answer-judged")
        await Upstream(lab, first, second, answer).see(gives=answer, asked=[0.0, 1.0, 2.0], trap="same-coroutine")
    for at_once in (False, True):
        lab.scenario(f"ConnectionError, raised by {'fn itself' if at_once else 'what fn returns'}")
        await Upstream(lab, first, at_once=at_once).see(asked=[0.0, 1.0], trap="failure-overlooked")
    got = await lab.attempt(call(lambda _: asyncio.gather(asyncio.sleep(0, 7)), Policy(0, float)))
    lab.expect("what a future gives", got.value, [7], trap="coroutines-only")


@pytest.mark.parametrize("retries", [0, 1, 2, 12])
async def test_retries_are_not_attempts(lab, retries):
    """Rule 2. There are at most 1 + `retries` attempts."""
    lab.scenario(f"retries {retries}, a second between; the service fails always, or each time but the last")
    errors, due = [failure(TimeoutError) for _ in range(15)], [float(n) for n in range(retries + 1)]
    for script, gives in (errors, errors[retries]), (errors[:retries], "ok"):
        await Upstream(lab, *script).see(retries=retries, gives=gives, asked=due, trap="attempts-off-by-one")


async def test_pauses_are_those_of_the_policy(lab):
    """Rule 3. Before retry n the call waits `delay(n)` seconds, from the failure on; after the last one it does not."""
    lab.scenario("delays 0.5, 3, 0.25 s, then 600; each attempt takes 2 s and fails")
    failures = [failure(httpx.ReadTimeout) for _ in range(4)]
    for ends, trap in (None, "wrong-pause"), (11.75, "sleeps-after-the-last"):
        delays, asked = {1: 0.5, 2: 3, 3: 0.25}, [0.0, 2.5, 7.5, 9.75]
        upstream, delay = Upstream(lab, *failures, seconds=2), lambda n, delays=delays: delays.pop(n, 600)
        await upstream.see(delay=delay, gives=failures[3], asked=asked, ends=ends, trap=trap)
    await Upstream(lab, bug := KeyError()).see(gives=bug, asked=[0.0], ends=0.0, trap="sleeps-after-the-last")
    lab.scenario("two calls at the same time, each with one failure and a pause of 10 s")
    both = [Upstream(lab, failure(ConnectionResetError)) for _ in range(2)]
    await asyncio.gather(*(u.see(asked=[0.0, 10.0], delay=lambda _: 10, trap="blocks-the-loop") for u in both))


NOT_MENDED = {
    "bug": [ValueError, TypeError, KeyError, ZeroDivisionError, AssertionError, RuntimeError, UnicodeError],
    "file": [FileNotFoundError, PermissionError, OSError, EOFError, type("TimeoutError", (Exception,), {})],
    "httpx": [httpx.UnsupportedProtocol, httpx.LocalProtocolError, httpx.DecodingError, httpx.TooManyRedirects],
    "redis": [of_redis.ResponseError, of_redis.DataError, of_redis.WatchError],
    "password": [of_redis.AuthenticationError, of_redis.AuthorizationError],
}


@pytest.mark.parametrize("kind", NOT_MENDED)
async def test_what_repeating_cannot_mend_is_raised_at_once(lab, kind):
    """Rule 4. An error that repeating cannot mend is raised at once, whether or not the call is idempotent."""
    trap = "subclass-retried" if kind == "password" else "retries-bugs"
    for error in map(failure, NOT_MENDED[kind]):
        lab.scenario(f"fn raises {error!r}")
        await Upstream(lab, error).see(gives=error, asked=[0.0], trap=trap)
        await Upstream(lab, error).see(gives=error, asked=[0.0], idempotent=False, trap=trap)


NOT_DONE = {
    "builtin": [ConnectionRefusedError],
    "httpx": [httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout],
    "redis": [of_redis.BusyLoadingError, of_redis.MaxConnectionsError],
    "status": [429],
}
UNKNOWN = {
    "builtin": [ConnectionError, ConnectionResetError, BrokenPipeError, ConnectionAbortedError, TimeoutError],
    "httpx": [
        httpx.ReadTimeout,
        httpx.WriteTimeout,
        httpx.ReadError,
        httpx.WriteError,
        type("Hung", (httpx.ReadTimeout,), {}),
    ],
    "httpx, rarer": [httpx.CloseError, httpx.RemoteProtocolError, httpx.NetworkError, httpx.TimeoutException],
    "redis": [of_redis.ConnectionError, of_redis.TimeoutError],
    "status": [502, 503, 504],
}


@pytest.mark.parametrize("client", ["builtin", "httpx", "httpx, rarer", "redis"])
async def test_transient_errors_of_each_client_are_repeated(lab, client):
    """Rule 5. Transient errors are repeated, and each client has its own: Python, httpx, redis-py."""
    for kind in NOT_DONE.get(client, []) + UNKNOWN[client]:
        lab.scenario(f"fn raises {kind.__module__}.{kind.__name__} once; the call is idempotent")
        await Upstream(lab, failure(kind)).see(asked=[0.0, 1.0], trap="builtin-only")


async def test_a_wrapped_error_is_recognised_by_its_cause(lab):
    """Rule 6. An error of no listed kind is what its cause is (`raise … from`), or that one's cause, and so on."""
    for kind in (UnicodeError, 404, of_redis.AuthenticationError):
        lab.scenario(f"{failure(kind)!r} because of a ConnectionError, bare or wrapped")
        for error in (failure(kind, cause=ConnectionError()), wrapped(failure(kind, cause=ConnectionError()))):
            await Upstream(lab, error).see(gives=error, asked=[0.0], trap="cause-outranks-error")
    for kind in (TimeoutError, httpx.ConnectError, of_redis.TimeoutError, 503):
        error = failure(kind, cause=asyncio.CancelledError())  # as `asyncio.timeout` does it
        lab.scenario(f"OrdersUnavailable because of {error!r}, then one with two more between")
        near, far = wrapped(error), wrapped(failure(KeyError, cause=wrapped(error)))
        await Upstream(lab, near, far).see(asked=[0.0, 1.0, 2.0], trap="cause-unseen")
    lab.scenario("a KeyError, raised while a ConnectionError was handled, bare or wrapped")
    (met := KeyError("a bug in the handler")).__context__ = ConnectionError()
    for error in (met, wrapped(met)):
        await Upstream(lab, error).see(gives=error, asked=[0.0], trap="context-followed")


async def test_few_statuses_are_transient(lab):
    """Rule 7. Of the statuses 429, 502, 503 and 504 are repeated, and no other one."""
    for status in (400, 401, 404, 408, 409, 422, 425, 428, 430, 500, 501, 505, 520, 304, 429, 502, 503, 504):
        lab.scenario(f"HTTPStatusError {status}; the call is idempotent")
        error, again = failure(status), status in (429, 502, 503, 504)
        gives, asked = ("ok", [0.0, 1.0]) if again else (error, [0.0])
        await Upstream(lab, error).see(gives=gives, asked=asked, trap="wrong-statuses")


async def test_a_returned_error_response_is_no_success(lab):
    """Rule 8. A response from 400 on that `fn` returns counts as the HTTPStatusError of its `raise_for_status()`."""
    lab.scenario("fn returns 503, 429, 201, and looks at no status; then 400, 404, 599, 503 each time, retries 2")
    bad, answer, trap = [response(503), response(429, "5")], response(201), "no-status-check"
    await Upstream(lab, *bad, answer).see(gives=answer, asked=[0.0, 1.0, 7.0], trap=trap)
    for status, attempts in (400, 1), (404, 1), (599, 1), (503, 3):
        bad = [response(status) for _ in range(3)]
        outcome = await lab.attempt(call(Upstream(lab, *bad), Policy(retries=2, delay=float), idempotent=True))
        got = outcome.error
        mine = type(got) is httpx.HTTPStatusError and got.response is bad[attempts - 1]
        lab.require(mine, expected="the last response's error", got=repr(got or outcome.value), trap=trap)


async def test_retry_after_comes_on_top(lab):
    """Rule 9. The seconds of a Retry-After header are waited first, and the policy's delay after them."""
    lab.scenario("Retry-After 7, 0, 700000 (wrapped); no delay, and then delays of 0.5, 1, 1.5 s")
    errors, trap = [failure(502, "7"), failure(429, "0"), wrapped(failure(503, "700000"))], "retry-after-unheard"
    await Upstream(lab, *errors).see(delay=lambda n: 0, asked=[0.0, 7.0, 7.0, 700007.0], trap=trap)
    await Upstream(lab, *errors).see(delay=lambda n: n / 2, asked=[0.0, 7.5, 8.5, 700010.0], trap="on-the-second")
    lab.scenario("a ConnectionError, whose cause is a 503 with a Retry-After of 7 s; delay 1 s")
    error = failure(ConnectionError, cause=failure(503, "7"))
    await Upstream(lab, error).see(asked=[0.0, 1.0], trap="cause-outranks-error")


@pytest.mark.parametrize("zone", ["UTC0", "XXX-9", "XXX5"])
async def test_retry_after_may_be_a_date(lab, zone):
    """Rule 10. A Retry-After may be a date: what is left until then, by this host's clock, is waited first."""
    dates = [formatdate(time.time() + seconds, usegmt=True) for seconds in (90, -3600, 132, 700137)]
    lab.scenario(f"delay 0.75 s; the local zone is {zone}; dates 90 s ahead, an hour ago, 132 s and 700137 s ahead")
    upstream = Upstream(lab, *(failure(503, date) for date in dates))
    try:
        with patch.dict(os.environ, TZ=zone):
            time.tzset()
            due = [0.0, 90.75, 91.5, 132.75, 700137.75]
            await upstream.see(retries=4, delay=lambda _: 0.75, asked=due, trap="date-unread")
    finally:
        time.tzset()


async def test_a_broken_retry_after_is_as_none(lab):
    """Rule 11. A Retry-After that is neither digits nor a date is as good as none."""
    dates = "Wed, 32 Foo 2023 25:61:00 GMT", "Fri, 31 Dec 99999 23:59:59 GMT"
    for value in ("soon", "", "-5", "+5", "1_0", "nan", "inf", "٣".encode(), b"\xb2", *dates):
        lab.scenario(f"429 with Retry-After: {value!r}; delay 1 s")
        await Upstream(lab, failure(429, value)).see(deadline=600, asked=[0.0, 1.0], trap="header-trusted")


@pytest.mark.parametrize(("deadline", "made"), [(7.6, 2), (7.4, 1), (13.6, 3), (13.4, 2), (0.5, 1), (None, 4)])
async def test_no_pause_beyond_the_deadline(lab, deadline, made):
    """Rule 12. If the pause would end after the deadline, the error is raised instead, at once."""
    lab.scenario(f"deadline {deadline} s; attempts take 2 s, pauses 5.5 s, then 4, 4; all fail")
    failures, due = [failure(httpx.ReadTimeout) for _ in range(4)], [0.0, 7.5, 13.5, 19.5][:made]
    due = {"gives": failures[made - 1], "asked": due, "ends": due[-1] + 2, "trap": "sleeps-past-deadline"}
    await Upstream(lab, *failures, seconds=2).see(deadline=deadline, delay=lambda n: 5.5 if n == 1 else 4, **due)
    lab.scenario("deadline 1 s; the first attempt fails after 2 s, and the delay is 0")
    due |= {"gives": failures[0], "asked": [0.0], "ends": 2.0}
    await Upstream(lab, *failures, seconds=2).see(deadline=1, delay=lambda n: 0, **due)


@pytest.mark.parametrize("seconds", [3600, 10, 8])
async def test_the_deadline_outranks_retry_after(lab, seconds):
    """Rule 12. A Retry-After that leads beyond the deadline is not waited for, and not shortened."""
    lab.scenario(f"deadline 10 s, delay 1 s; 503 with a Retry-After of {seconds} s, as a number or as a date")
    for as_date in (False, True):
        header = formatdate(time.time() + seconds, usegmt=True) if as_date else str(seconds)
        error, due = failure(503, header), [0.0, 9.0][: 1 + (seconds == 8)]
        gives = error if len(due) == 1 else "ok"
        await Upstream(lab, error).see(deadline=10, gives=gives, asked=due, ends=due[-1], trap="sleeps-past-deadline")


async def test_an_attempt_is_never_cut_short(lab):
    """Rule 13. The deadline stops no attempt that runs: its answer is the answer, however late."""
    lab.scenario("deadline 10 s; the first attempt fails after 8 s, the second one succeeds after 8 s")
    await Upstream(lab, failure(TimeoutError), seconds=8).see(deadline=10, asked=[0.0, 9.0], trap="attempt-cut")


@pytest.mark.parametrize("step", [3600, -3600])
async def test_a_stepped_clock_moves_no_deadline(lab, step):
    """Rule 14. Deadline and pauses are measured by what passes, whatever the wall clock is set to."""
    lab.scenario(f"deadline 10 s, pauses of 4 s; the wall clock is stepped by {step:+} s at 2 s")
    asyncio.get_running_loop().call_later(2, lab.step_wall_clock, step)
    errors, due, trap = [failure(TimeoutError) for _ in range(4)], [0.0, 4.0, 8.0], "wall-clock"
    await Upstream(lab, *errors).see(deadline=10, delay=lambda _: 4, gives=errors[2], asked=due, trap=trap)


@pytest.mark.parametrize("client", UNKNOWN)
async def test_what_may_have_been_done_is_not_done_again(lab, client):
    """Rule 15. If nobody knows whether it was done, only an idempotent call is repeated."""
    for kind in UNKNOWN[client]:
        lab.scenario(f"{failure(kind)!r}, bare or as a cause; the call is not idempotent")
        for error in (failure(kind), wrapped(failure(kind))):
            await Upstream(lab, error).see(idempotent=False, gives=error, asked=[0.0], trap="blind-repeat")


@sweep(kinds=("lost-request", "lost-reply"))
async def test_nobody_pays_twice(lab):
    """Rule 15. A charge that has no key is not made twice when its reply is lost: by default no call is idempotent."""
    gateway = lab.gateway()
    await lab.attempt(call(lambda key: gateway.charge("order-7", 1999), Policy(3, lambda retry: 1.0)))
    lab.require(len(gateway.ledger) <= 1, expected="at most 1 charge", got="2 charges", trap="blind-repeat")


@pytest.mark.parametrize("client", NOT_DONE)
async def test_what_was_not_begun_may_be_repeated(lab, client):
    """Rule 16. If it has certainly not been done, any call is repeated, idempotent or not."""
    for kind in NOT_DONE[client]:
        lab.scenario(f"{failure(kind)!r}, then as a cause; the call is not idempotent")
        both = failure(kind), wrapped(failure(kind))
        await Upstream(lab, *both).see(idempotent=False, asked=[0.0, 1.0, 2.0], trap="too-timid")


@sweep(kinds=("lost-request", "lost-reply"))
async def test_a_key_makes_a_charge_repeatable(lab):
    """Rule 17. With one key for all attempts, a charge that is repeated is made once."""
    gateway, policy = lab.gateway(), Policy(3, lambda retry: 1.0)
    pay = call(lambda key: gateway.charge("order-7", 1999, idempotency_key=key), policy, idempotent=True)
    await lab.attempt(pay)
    lab.expect("charges for order-7", len(gateway.ledger), 1, trap="key-per-attempt")


async def test_each_call_has_a_key_of_its_own(lab):
    """Rule 17. All attempts of a call get one key; no other call gets it, in this process or in another."""
    lab.scenario("two processes, each with two calls at the same instant, one of them idempotent; three attempts each")
    upstream, keys = Upstream(lab, *[failure(429), failure(429), "ok"] * 4), []
    for module in (lab.process(), lab.process()):
        policy = module.Policy(2, lambda _: 0.0)
        for idempotent in (True, False):
            await lab.attempt(module.call(upstream, policy, idempotent=idempotent))
            keys += lab.plain("the keys", upstream.keys[-1:], trap="key-malformed")
            lab.expect("keys of the three attempts", upstream.keys[-3:], keys[-1:] * 3, trap="key-per-attempt")
    ok = all(type(key) is str and 1 <= len(key) <= 255 and key.isascii() and key.isprintable() for key in keys)
    lab.require(ok, expected="keys of 1 to 255 printable ASCII characters", got=f"{keys}", trap="key-malformed")
    lab.require(len(set(keys)) == 4, expected="four calls, four keys", got=f"{keys}", trap="key-shared")


@pytest.mark.parametrize("options", [{"retries": 2}, {"retries": 9, "deadline": 2.5}])
async def test_the_last_error_is_raised_as_it_is(lab, options):
    """Rule 18. In the end the last attempt's exception is raised: itself, with its traceback and its cause."""
    lab.scenario(f"{options}; the service fails always, with another error each time")
    failures = [wrapped(failure(httpx.ReadTimeout)) for _ in range(9)]
    await Upstream(lab, *failures).see(**options, gives=failures[2], asked=[0.0, 1.0, 2.0], trap="error-replaced")
    names = [frame.name for frame in traceback.extract_tb(failures[2].__traceback__)]
    lab.require("serve" in names, expected="a traceback down to `serve`", got=f"{names}", trap="traceback-lost")


@pytest.mark.parametrize("seconds", [2, 6])
async def test_a_cancelled_call_ends_at_once(lab, seconds):
    """Rule 19. Cancelling a call ends it at once, and what it awaits; nothing is tried again."""
    lab.scenario(f"an attempt takes 4 s and fails, the pause is 4 s; cancelled after {seconds} s")
    upstream, policy = Upstream(lab, failure(ConnectionError), seconds=4), Policy(retries=3, delay=lambda _: 4.0)
    task, trap = asyncio.create_task(call(upstream, policy, idempotent=True)), "cancel-swallowed"
    await asyncio.sleep(seconds)
    task.cancel()
    await asyncio.wait({task}, timeout=0.1)
    lab.require(task.cancelled(), expected="the call is cancelled", got="it goes on, or ends otherwise", trap=trap)
    lab.expect("attempts that still run", upstream.running, 0, trap=trap)
    await asyncio.sleep(60)
    lab.expect("seconds at which attempts began", upstream.asked, [0.0], trap=trap)


# GeneratorExit stands for KeyboardInterrupt and SystemExit, which would end the event loop too.
@pytest.mark.parametrize("kind", [GeneratorExit, asyncio.CancelledError])
async def test_what_is_no_exception_is_not_judged(lab, kind):
    """Rule 20. What `fn` raises that is no `Exception` leaves the call at once, whatever its cause is."""
    lab.scenario(f"fn raises {kind.__name__}, whose cause is a ConnectionError")
    upstream = Upstream(lab, failure(kind, cause=ConnectionError()))
    with contextlib.suppress(GeneratorExit):
        got = (await lab.attempt(call(upstream, Policy(3, float), idempotent=True))).error
        lab.require(type(got) is kind, expected=f"{kind.__name__}", got=f"{got!r}", trap="cancel-swallowed")
    lab.expect("seconds at which attempts began", upstream.asked, [0.0], trap="cancel-swallowed")


KINDS = {"bug": lambda: failure(ValueError), "429": lambda: response(429, "2"), "503": lambda: response(503, "1")}
KINDS |= {"not done": lambda: failure(httpx.ConnectError), "unknown": lambda: failure(TimeoutError)}
SCRIPT = st.lists(st.tuples(st.sampled_from([*KINDS][1:] * 2 + ["bug"]), st.integers(0, 12)), max_size=6)


@settings(max_examples=12)
@given(script=SCRIPT, retries=st.integers(0, 6), limit=st.none() | st.integers(1, 30), idempotent=st.booleans())
@example(script=[("unknown", 0), ("503", 1)], retries=1, limit=30, idempotent=True)
@example(script=[("not done", 1), ("429", 2), ("unknown", 3)], retries=6, limit=None, idempotent=False)
async def test_each_failure_is_judged_by_itself(lab, script, retries, limit, idempotent):
    """Rule 21. Each failure is judged by itself, whatever came before: its kind, the retries and the time left."""
    lab.scenario("script: what comes, and how many quarters of a second the delay after it is")
    deadline = None if limit is None else limit / 4 + 0.1  # never just at a boundary
    due, now, trap = [0.0], 0.0, "state-between-failures"
    for n, (kind, quarters) in enumerate(script):
        now += quarters / 4 + {"429": 2, "503": 1}.get(kind, 0)
        fatal = kind == "bug" or (kind in ("unknown", "503") and not idempotent)
        if fatal or n >= retries or (deadline is not None and now > deadline):
            break
        due.append(now)
    upstream = Upstream(lab, *(KINDS[kind]() for kind, _ in script))
    policy = Policy(retries=retries, delay=lambda n: dict(enumerate(script, 1))[n][1] / 4, deadline=deadline)
    got = await lab.attempt(call(upstream, policy, idempotent=idempotent))
    lab.expect("seconds at which attempts began", upstream.asked, due, trap=trap)
    lab.expect("whether the call succeeds", got.error is None, len(due) > len(script), trap=trap)


async def test_calls_share_nothing(lab):
    """Rule 21. Calls that run at the same time and share a policy have retries, delays and time of their own."""
    lab.scenario(
        "one policy: retries 2, delays 1 and 2 s, deadline 10 s; three calls of 0, 1, 3 s, and later three more"
    )
    policy, trap = Policy(retries=2, delay=float, deadline=10), "state-between-calls"
    for _ in range(2):
        calls = [Upstream(lab, failure(TimeoutError), failure(TimeoutError), seconds=s) for s in (0.0, 1.0, 3.0)]
        due = [[0.0, 1.0 + each.seconds, 3.0 + 2 * each.seconds] for each in calls]
        await asyncio.gather(*(calls[n].see(shared=policy, asked=due[n], trap=trap) for n in range(3)))
