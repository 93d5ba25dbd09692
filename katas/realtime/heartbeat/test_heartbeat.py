"""The rules of README.md, in teaching order. Time is virtual: `asyncio.sleep(60)` returns at once.

`lab.peer(name, kind)` is a WebSocket as the server holds it: healthy, slow, hung (no ping or close ever returns) or
dead (each raises). Here no peer answers a ping unless the test says so.
"""

import asyncio
import math
import random
import time

import pytest
from heartbeat import Heartbeat
from starlette.websockets import WebSocketDisconnect

from dojo.lab.properties import example, given, settings, st

SOON = 0.1  # seconds; what is to happen at an instant has happened by then
FIRSTS = st.sampled_from((0, 3, 11))
GAPS, EVENTS = st.sampled_from((0.7, 4.3, 8.9, 14.1, 23.5)), st.sampled_from(("pong", "data", "old", "junk"))


def chosen(number):
    """A generator that always gives this number."""
    rng = random.Random(0)
    rng.random = lambda: number
    return rng


class Line:
    """A connection: the peer, its heartbeat, and the server's reader, which hands over what comes in.

    first: seconds from now to the first ping. answers: seconds from each ping to its pong; 0 is before `ping` returns.
    """

    def __init__(self, lab, peer="ann", *, first=0.0, answers=None, interval=20, timeout=10, **options):
        self.lab, self.peer, self.start = lab, lab.peer(*peer.split()) if isinstance(peer, str) else peer, lab.now
        options |= {"interval": interval, "timeout": timeout, "rng": chosen(first / interval)}
        self.heartbeat = Heartbeat(self.peer, **options)
        if answers is not None:
            self.peer.on_ping = lambda payload: self.pong_after(answers, payload) if answers else self.pong(payload)
        self.run = asyncio.create_task(self.heartbeat.run())

    def pong_after(self, seconds, payload):
        asyncio.get_running_loop().call_later(seconds, self.pong, payload)

    @property
    def payloads(self):
        return [ping.data for ping in self.peer.pings]

    def pong(self, payload, last=None, error=None):
        if last == len(self.payloads):
            raise error
        self.lab.note(f"{self.peer.name}'s pong({payload!r}) comes in")
        self.heartbeat.pong(payload)

    def data(self):
        self.lab.note(f"{self.peer.name}'s data comes in")
        self.heartbeat.received()

    def expect_pings(self, *seconds, trap):
        """Demand that pings have begun at these seconds since the start, and no others."""
        self._expect("pinged", [ping.time for ping in self.peer.pings], seconds, SOON, trap)

    def expect_closed(self, at, *, trap, late=2 * SOON):
        """Demand that the close has begun at this second since the start, or at most `late` seconds later."""
        self._expect("closed", [] if self.peer.closed_at is None else [self.peer.closed_at], [at], late, trap)

    def _expect(self, what, times, due, late, trap):
        got = [time - self.start for time in times]
        pairs = enumerate(zip(got, due, strict=False), 1)
        # What comes after something that came late may be late by as much again.
        in_time = len(got) == len(due) and all(-1e-6 <= mine - wanted <= late * nth for nth, (mine, wanted) in pairs)
        told = [", ".join(f"{s:.1f} s" for s in ss[:9]) + ", …" * (len(ss) > 9) or "no time" for ss in (due, got)]
        what = f"{self.peer.name} {what} at "
        self.lab.require(in_time, expected=what + told[0], got=what + told[1], trap=trap)

    def expect_alive(self, *, trap):
        """Demand that nobody has closed the peer."""
        self.lab.expect(f"{self.peer.name}'s close code at {self.lab.now:.1f} s", self.peer.close_code, None, trap=trap)


async def test_a_silent_peer_is_pinged(lab):
    """Rule 1. A peer that has been silent for `interval` seconds is pinged."""
    lab.scenario("the first ping is due after 5 s of 20 (ann), 2 of 8 (bob), 0.25 of 0.5 (cleo); nobody says anything")
    options = {"ann": (5, 20), "bob": (2, 8), "cleo": (0.25, 0.5)}
    lines = [Line(lab, name, first=first, interval=interval) for name, (first, interval) in options.items()]
    await asyncio.sleep(5 + SOON)
    for line, (first, _) in zip(lines, options.values(), strict=True):
        line.expect_pings(first, trap="no-ping")
        payload = lab.plain("the payload", line.payloads[0], trap="payload-unfit")
        ok = type(payload) is bytes and 1 <= len(payload) <= 125
        lab.require(ok, expected="a payload of 1 to 125 bytes", got=repr(payload), trap="payload-unfit")


@pytest.mark.parametrize("answers", [0.3, 9.8, 0])
async def test_a_pong_keeps_the_peer(lab, answers):
    """Rule 2. The pong that brings back the payload is a sign of life: the next ping comes `interval` seconds later."""
    lab.scenario(f"interval 20, timeout 10; ann answers after {answers} s; 0 is before the call of `ping` has returned")
    line, fast = Line(lab, first=5, answers=answers), "payload-noted-too-late"
    await asyncio.sleep(100)
    line.expect_alive(trap="pong-unheard" if answers else fast)
    due = [5 + n * (20 + answers) for n in range(5)]
    line.expect_pings(*[second for second in due if second < 100], trap="interval-from-elsewhere" if answers else fast)


@pytest.mark.parametrize(("interval", "timeout"), [(20, 10), (4.5, 50), (60, 1.5)])
async def test_silence_closes(lab, interval, timeout):
    """Rule 3. A peer that gives no sign of life within `timeout` seconds of a ping is closed with 1011; `run` ends."""
    lab.scenario(f"interval {interval}, timeout {timeout}; ann answers two pings, each after 1 s, and then no more")
    line = Line(lab, first=3, answers=1, interval=interval, timeout=timeout)
    await asyncio.sleep(4 + 1.5 * interval)
    line.peer.on_ping = lambda payload: lab.note("ann is dead")
    last = 3 + 2 * (interval + 1)
    await asyncio.sleep(last + timeout - lab.now - SOON)
    line.expect_alive(trap="closed-too-early")
    await asyncio.sleep(4 * SOON)
    line.expect_closed(last + timeout, trap="half-open-for-ever", late=4 * SOON)
    lab.expect("ann's close code", line.peer.close_code, 1011, trap="wrong-code")
    await lab.within(SOON, line.run, what="run ends", trap="run-goes-on")
    await asyncio.sleep(3 * interval)
    line.expect_pings(3, 3 + interval + 1, last, trap="one-ping-at-a-time")


async def test_the_defaults(lab):
    """Rule 3. By default 20 s of silence, 20 s to answer and 5 s for closing."""
    lab.scenario("the default times; ann sends data before `run`, and as it begins (so the first ping is due at 20 s)")
    ann = lab.peer("ann", "hung")
    (heartbeat := Heartbeat(ann)).received()
    run = asyncio.create_task(heartbeat.run())
    await asyncio.sleep(0)
    heartbeat.received()
    await lab.within(45 + 4 * SOON, run, what="run ends", trap="half-open-for-ever")
    times = [round(second) for second in (ann.pings[-1].time, ann.closed_at, lab.now)]
    lab.expect("seconds of the last ping, the close and the end", times, [20, 40, 45], trap="half-open-for-ever")


async def test_other_pongs_are_ignored(lab):
    """Rule 4. Any other pong is ignored: an old one, a repeated one, one that nobody asked for."""
    lab.scenario("interval 20, timeout 10; ann's only right answer comes at 5.3 s; from then on she sends other pongs")
    line = Line(lab, first=5)
    trap = "any-pong-will-do"
    with lab.no_error(expected="pong raises nothing", trap=trap):
        await asyncio.sleep(1)
        line.pong(b"")
        await asyncio.sleep(4.3)
        line.expect_pings(5, trap=trap)
        line.pong(first := line.payloads[0])
        for _ in range(4):
            await asyncio.sleep(4)
            line.pong(first)
            line.pong(b"")
        await asyncio.sleep(4 + SOON)
        line.expect_pings(5, 25.3, trap=trap)
        second = line.payloads[-1]
        for other in (first, b"", second[:-1], second + b"\0", b"\0" + second, b"\xff"):
            await asyncio.sleep(1)
            line.pong(other)
        await asyncio.sleep(5)
    line.expect_closed(35.3, trap=trap, late=3 * SOON)


async def test_data_spares_the_ping(lab):
    """Rule 5. Data that comes in is a sign of life: while a peer sends, it is not pinged."""
    lab.scenario("interval 20; ann sends something every 7 s up to 98 s, and then a burst")
    line = Line(lab, first=15)
    for _ in range(14):
        await asyncio.sleep(7)
        line.data()
    for _ in range(200):
        line.heartbeat.received()
    busy = len(lab.tasks_alive())
    lab.require(busy <= 5, expected="at most 5 tasks for a peer", got=f"{busy} tasks", trap="task-per-message")
    line.expect_pings(trap="pings-the-busy")
    await asyncio.sleep(20 + SOON)
    line.expect_pings(118, trap="pings-the-busy")


@pytest.mark.parametrize("answers", [7, None])
async def test_data_answers_the_ping(lab, answers):
    """Rule 5. Data also answers the ping that is open; the pong that comes for it later is like any other pong."""
    lab.scenario(f"interval 20, timeout 10; ann sends data at 9 s, and the pong {'at 12 s' if answers else 'never'}")
    line = Line(lab, first=5, answers=answers)
    await asyncio.sleep(9)
    with lab.no_error(expected="received raises nothing, however often", trap="data-is-no-answer"):
        line.data()
        line.data()
    await asyncio.sleep(16)
    line.expect_alive(trap="data-is-no-answer")
    await asyncio.sleep(5)
    line.expect_pings(5, 29, trap="any-pong-will-do")


async def test_one_ping_at_a_time(lab):
    """Rule 6. At most one ping is open, and no `ping` begins before the call of the one before has ended."""
    lab.scenario("interval 4, timeout 50; ann answers after 30 s; no ping to bob returns; he sends data at 7 and 14 s")
    ann, bob = (Line(lab, peer, first=2, interval=4, timeout=50, answers=30) for peer in ("ann", "bob hung"))
    for pause in (7, 7, 23):
        await asyncio.sleep(pause)
        bob.data()
    ann.expect_pings(2, 36, trap="one-ping-at-a-time")
    bob.expect_pings(2, 11, 18, trap="one-ping-at-a-time")
    lab.expect("calls of ping at once", bob.peer.most_pings_at_once, 1, trap="one-ping-at-a-time")


async def test_no_payload_comes_twice(lab):
    """Rule 6. Each ping of a connection has a payload of its own."""
    lab.scenario("interval 0.5; ann answers more than 256 pings")
    line = Line(lab, interval=0.5, answers=0.01)
    while len(line.peer.pings) < 260 and lab.now < 200:
        await asyncio.sleep(2)
    payloads = lab.plain("the payloads", line.payloads, trap="payload-unfit")
    lab.require(len(payloads) > 256, expected="260 pings", got=str(len(payloads)), trap="pong-unheard")
    lab.expect("pings whose payload was used before", len(payloads) - len(set(payloads)), 0, trap="payload-unfit")


@pytest.mark.parametrize("kind", ["hung", "slow"])
async def test_a_stuck_ping_delays_no_verdict(lab, kind):
    """Rule 7. `timeout` runs from the beginning of the ping, whether or not the call of `ping` returns."""
    lab.scenario(f"interval 20, timeout 10; a ping to bob {'hangs' if kind == 'hung' else 'takes 4 s'}; no pong comes")
    line = Line(lab, lab.peer("bob", kind, seconds=4), first=5)
    await asyncio.sleep(15 + 2 * SOON)
    line.expect_closed(15, trap="ping-without-timeout")


@pytest.mark.parametrize(("nth", "after"), [(1, 0), (3, 3)])
async def test_a_failed_ping_is_the_verdict(lab, nth, after):
    """Rule 7. A ping that raises, whatever the exception, closes the peer at once; `run` raises nothing."""
    lab.scenario(f"interval 20, timeout 10; ping {nth} to each of three raises after {after} s, each in its own way")
    errors = {"bob": WebSocketDisconnect, "cleo": TimeoutError, "dan": type("ConnectionClosed", (Exception,), {})}
    lines = [Line(lab, lab.peer(name, "slow", seconds=after), first=5) for name in errors]
    for line, error in zip(lines, errors.values(), strict=True):
        line.peer.on_ping = lambda payload, line=line, error=error: line.pong(payload, nth, error)
    end = 5 + after + (nth - 1) * (20 + after)
    await asyncio.sleep(end + 2 * nth * SOON)
    for line in lines:
        trap = "ping-error-escapes" if line.run.done() else "ping-error-unheard"
        line.expect_closed(end, late=2 * nth * SOON, trap=trap)
        lab.expect(f"{line.peer.name}'s close code", line.peer.close_code, 1011, trap="wrong-code")
        with lab.no_error(expected="run raises nothing", trap="ping-error-escapes"):
            await lab.within(5 + SOON, line.run, what="run ends", trap="run-goes-on")
    lab.expect("exceptions nobody awaited", lab.errors_nobody_saw(), [], trap="unowned-task")


async def test_a_close_may_hang_or_fail(lab):
    """Rule 8. Closing takes at most `close_timeout` seconds, a close that raises is over, and the verdict stands."""
    lab.scenario("interval 2, timeout 5, close_timeout 7.5; bob's close hangs, cleo's raises; at 8 s both are heard")
    bob, cleo = (Line(lab, peer, first=1, interval=2, timeout=5, close_timeout=7.5) for peer in ("bob hung", "cleo"))
    await asyncio.sleep(2)
    cleo.peer.kind = "dead"
    await asyncio.sleep(6)
    for line in (bob, cleo):
        line.expect_closed(6, trap="ping-without-timeout")
        line.pong(line.payloads[0])
        line.data()
    with lab.no_error(expected="run raises nothing", trap="close-error-escapes"):
        value = await lab.within(SOON, cleo.run, what="run ends", trap="run-goes-on")
        lab.expect("what run returns", value, None, trap="run-goes-on")
        await asyncio.sleep(5.2)
        lab.expect("bob's run has ended at 13.2 s", bob.run.done(), False, trap="close-without-timeout")
        await lab.within(0.3 + 3 * SOON, bob.run, what="run ends", trap="close-without-timeout")
    await asyncio.sleep(20)
    for line in (bob, cleo):
        line.expect_pings(1, trap="run-goes-on")
    left = (lab.tasks_alive(), lab.errors_nobody_saw())
    lab.expect("tasks still alive, and exceptions nobody awaited", left, ([], []), trap="unowned-task")


async def test_the_first_ping_comes_at_random(lab):
    """Rule 9. The first ping comes after a random part of `interval`, taken from `rng`."""
    lab.scenario("four heartbeats, whose generators give 0, 0.25, 0.5 and 0.999; intervals of 40, 30, 4 and 100 s")
    parts = [(0, 40), (0.25, 30), (0.5, 4), (0.999, 100)]
    lines = [Line(lab, f"peer-{u}", interval=interval, first=u * interval, timeout=99) for u, interval in parts]
    await asyncio.sleep(100)
    for line, (part, interval) in zip(lines, parts, strict=True):
        line.expect_pings(part * interval, trap="marching-in-step")


async def test_a_crowd_is_spread(lab):
    """Rule 9. Those that connect in one instant are not pinged in one, also without an `rng`."""
    lab.scenario("interval 20; 60 peers connect in the same instant, as after a restart; 30 s later comes `run`")
    crowd = [lab.peer("peer") for _ in range(60)]
    heartbeats = [Heartbeat(peer, interval=20, timeout=60) for peer in crowd]
    await asyncio.sleep(30)
    runs = [asyncio.create_task(heartbeat.run()) for heartbeat in heartbeats]
    await asyncio.sleep(20 + SOON)
    thirds = [sum(low <= peer.pings[0].time - 30 < low + 7 for peer in crowd if peer.pings) for low in (0, 7, 14)]
    even, expected = sum(thirds) == len(runs) and min(thirds) > 0, "60 first pings, some in each third of the 20 s"
    lab.require(even, expected=expected, got=f"{thirds} in the thirds", trap="marching-in-step")


@pytest.mark.parametrize("stage", ["before any ping", "with an open ping", "while ping hangs", "while close hangs"])
async def test_stopping_leaves_nothing_behind(lab, stage):
    """Rule 10. A `run` that is cancelled ends at once with all that it began; the peer is neither closed nor pinged."""
    lab.scenario(f"interval 20, timeout 10; the connection has ended, so run is cancelled {stage}")
    line = Line(lab, "ann hung" if "hangs" in stage else "ann", first=5)
    await asyncio.sleep({"before any ping": 2, "while close hangs": 17}.get(stage, 8))
    closed, pings = line.peer.close_code, len(line.peer.pings)
    line.run.cancel()
    await asyncio.wait({line.run}, timeout=SOON)
    lab.expect("run ended as cancelled", line.run.done() and line.run.cancelled(), True, trap="cancel-swallowed")
    lab.expect("tasks still alive", lab.tasks_alive(), [], trap="unowned-task")
    with lab.no_error(expected="pong and received do nothing", trap="life-after-the-end"):
        line.data()
        line.pong(b"late")
    await asyncio.sleep(60)
    after = (line.peer.close_code, len(line.peer.pings) - pings)
    lab.expect("ann's close code, and pings after the end", after, (closed, 0), trap="life-after-the-end")


@pytest.mark.parametrize(("pause", "unit"), [(300, 1), (8, 1), (2.2, 0.4)])
async def test_a_paused_loop_kills_nobody_who_answers(lab, pause, unit):
    """Rule 11. While the event loop stands still, nobody's time runs out; the dead are found when it runs again."""
    lab.scenario(f"interval {20 * unit}, timeout {10 * unit}; the loop stands still for {pause} s; then pongs are read")
    # Units from the ping to the pause, and from its end until the reader comes to the pong: below 5 together.
    open_pings = [(0.3, 4.5), (1, 3.8), (2.5, 2.3), (4, 0.8)]
    times = {"interval": 20 * unit, "timeout": 10 * unit}
    waiting = [Line(lab, f"pinged-{b * unit:g}s-before", first=(6 - b) * unit, **times) for b, _ in open_pings]
    idle = [Line(lab, f"first-{first * unit:g}s", first=first * unit, answers=0.2, **times) for first in (1, 4.2, 13)]
    dead = [Line(lab, f"dead-{first * unit:g}s", first=first * unit, **times) for first in (2, 19)]
    await asyncio.sleep(6 * unit)
    lab.note(f"** the event loop stands still for {pause} s **")
    time.sleep(pause)
    for line, (_, reading) in zip(waiting, open_pings, strict=True):
        line.pong_after(reading * unit, line.payloads[0])
        line.peer.on_ping = lambda payload, line=line: line.pong_after(0.2, payload)
    end = lab.now
    for _ in range(5):
        await asyncio.sleep(6 * unit + SOON / 2)
        for line in waiting + idle:
            line.expect_alive(trap="paused-loop-kills")
    for line in dead:
        line.expect_closed(end, trap="paused-loop-spares", late=30 * unit + 2 * SOON)


@pytest.mark.parametrize("step", [3600, -3600])
async def test_the_wall_clock_does_not_matter(lab, step):
    """Rule 12. Steps of the wall clock, in either direction, change nothing."""
    lab.scenario(f"interval 20, timeout 10; the clock is stepped by {step} s every 3.5 s; ann answers, bob is dead")
    ann, bob, cleo = Line(lab, first=5, answers=4), Line(lab, "bob", first=6), Line(lab, "cleo", first=12)
    asyncio.get_running_loop().call_later(7, cleo.data)
    for _ in range(9):
        await asyncio.sleep(3.5)
        lab.step_wall_clock(step)
    ann.expect_pings(5, 29, trap="wall-clock")
    cleo.expect_pings(27, trap="wall-clock")
    bob.expect_closed(16, trap="wall-clock")


async def test_heartbeats_do_not_mix(lab):
    """Rule 13. Each heartbeat watches its own peer: what one hears, no other one hears."""
    lab.scenario("interval 20, timeout 10; ann and cleo answer; bob and dan are stuck, and only dan sends data")
    ann, cleo = (Line(lab, name, first=5, answers=seconds) for name, seconds in (("ann", 2), ("cleo", 3)))
    bob, dan = Line(lab, "bob hung", first=1), Line(lab, "dan hung", first=5)
    for _ in range(8):
        await asyncio.sleep(6)
        dan.data()
    ann.expect_pings(5, 27, trap="shared-state")
    cleo.expect_pings(5, 28, trap="shared-state")
    dan.expect_pings(5, trap="shared-state")
    bob.expect_closed(11, trap="shared-state")


@given(script=st.lists(st.tuples(GAPS, EVENTS), max_size=8), first=FIRSTS, timeout=st.sampled_from((6, 30)))
@example(script=[(4.3, "pong"), (23.5, "old"), (0.7, "data"), (23.5, "pong")], first=3, timeout=6)
@example(script=[(14.1, "data"), (23.5, "junk"), (4.3, "old"), (4.3, "old")], first=11, timeout=30)
@settings(max_examples=8)
async def test_any_conversation(lab, script, first, timeout):
    """Rule 14. Whatever comes in, in whatever order, each ping and the verdict come at their times."""
    lab.scenario(f"interval 20, timeout {timeout}, the first ping at {first} s; then {script}, seconds and what comes")
    line = Line(lab, first=first, timeout=timeout)
    due, pings, now = first, [], 0.0
    for gap, what in [*script, (200, "end")]:
        now += gap
        now += 0.6 * any(abs(now - limit) < 0.3 for limit in (due, due + timeout))  # what is close is not decided
        asked = due <= now
        if asked and due not in pings:
            pings.append(due)
        if due + timeout <= now:
            break
        await asyncio.sleep(line.start + now - lab.now)
        if what == "data":
            line.data()
        else:
            known = {"pong": line.payloads[-1:] if asked else [], "old": line.payloads[:-1]}.get(what)
            line.pong(known[0] if known else b"x")
        if what == "data" or (what == "pong" and asked):
            due = now + 20
    await asyncio.sleep(line.start + due + timeout + 2 * SOON - lab.now)
    line.expect_pings(*pings, trap="out-of-time")
    line.expect_closed(due + timeout, trap="out-of-time")


async def test_nonsense_is_refused(lab):
    """Rule 15. Times that are not above 0 raise ValueError from the constructor."""
    Heartbeat(ann := lab.peer("ann"), interval=0.001, timeout=0.001, close_timeout=0.001)
    for name in ("interval", "timeout", "close_timeout"):
        for seconds in (0, -1.5, math.nan):
            with lab.raises(ValueError, when=f"for {name}={seconds}", trap="nonsense-accepted"):
                Heartbeat(ann, **{name: seconds})
