"""What a learner reads: the rule, the picture, the verdict, and where to look; never more than fits a screen."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import textwrap
import traceback
from pathlib import Path

import pytest
from redis.exceptions import ConnectionError

from dojo.lab import sweep
from dojo.lab.explore import Experiment, conduct
from dojo.lab.report import report, rule_of
from dojo.lab.servers import FakeBackend
from dojo.lab.timeline import timeline
from dojo.lab.trace import Actor, Step, Trace
from dojo.lab.verdict import Failure, other_type, same


def told(test, doc="Rule 3. Each vote counts once."):
    session = conduct(Experiment(test, {}, FakeBackend()))
    return report(session, rule_of(doc), "tally", Path("tally.py"), test.__name__)


def test_a_pass_says_nothing():
    async def passes(lab):
        lab.expect("votes", 1, 1, trap="off-by-one")

    result = told(passes)
    assert (result.outcome, result.rendered, result.rule, result.runs) == ("passed", "", 3, 1)


def test_a_long_history_is_elided_and_polling_told_once():
    async def polls(lab):
        redis = lab.redis()
        for n in range(30):
            await redis.set("k", n)
        for _ in range(50):
            await redis.get("k")
            await asyncio.sleep(1)
        lab.expect("votes", 0, 1, trap="lost-vote")

    lines = told(polls).rendered.splitlines()
    assert len(lines) <= 25
    assert any("more steps" in line for line in lines)
    assert any("(the same 49 more times)" in line for line in lines)


def test_what_is_cleaned_up_after_the_end_is_not_told():
    async def votes(lab):
        async def leftover():
            try:
                await asyncio.sleep(60)
            finally:
                lab.note("cleaned up")

        task = asyncio.create_task(leftover())
        await asyncio.sleep(1)
        lab.note("the end")
        lab.expect("done", task.done(), True, trap="leak")

    text = told(votes).rendered
    assert "the end" in text
    assert "cleaned up" not in text


def test_of_a_long_history_charges_and_the_end_are_shown():
    def drones(lab):
        redis, gateway = lab.redis_sync(), lab.gateway_sync()
        for n in range(20):
            with lab.server.outage(), contextlib.suppress(ConnectionError):
                redis.get(f"before {n}")
        gateway.charge("order-7", 5, idempotency_key="order-7")
        for n in range(20):
            redis.get(f"after {n}")
        lab.expect("votes", 0, 1, trap="lost-vote")

    lines = told(drones).rendered.splitlines()
    assert len(lines) <= 24
    assert sum("connection refused" in line for line in lines) == 4, "an outage is told once, after the beginning"
    assert "  0.000       charge order-7 5 key=order-7 → ch_1" in lines
    assert sum("GET after" in line for line in lines) >= 4


def test_bytes_that_are_no_text_are_escaped_in_commands_and_replies():
    def pickles(lab):
        redis = lab.redis_sync()
        redis.set("k", b"\x80\x04")
        redis.get("k")
        lab.expect("votes", 0, 1, trap="lost-vote")

    rendered = told(pickles).rendered
    assert r"SET k \x80\x04 → OK" in rendered
    assert r"GET k → b'\x80\x04'" in rendered


def test_an_error_that_is_raised_again_tells_of_the_last_time():
    error = ConnectionError("refused")

    def earlier(lab):
        with lab.server.outage(error), contextlib.suppress(ConnectionError):
            lab.redis_sync().get("k")

    def later(lab):
        with lab.server.outage(error):
            lab.redis_sync().get("k")

    told(earlier), told(later)
    names = {frame.name for frame in traceback.extract_tb(error.__traceback__)}
    assert "later" in names
    assert "earlier" not in names


def test_long_sentences_are_wrapped():
    async def fails(lab):
        lab.scenario("a " + "very " * 40 + "long story")
        lab.expect("votes", list(range(60)), [], trap="lost-vote")

    result = told(fails, "Rule 12. " + "Each and every vote counts, " * 8 + "once.")
    lines = result.rendered.splitlines()
    assert max(map(len, lines)) <= 100
    assert lines[0].endswith("tally.py")
    assert lines[1].startswith("         ")


def test_many_actors_share_one_column():
    async def crowd(lab):
        await lab.race(*(lab.redis().incr("n") for _ in range(5)))
        lab.expect("votes", 5, 6, trap="lost-vote")

    assert "  0.000       caller E: INCRBY n 1 → 5" in told(crowd).rendered.splitlines()


def picture(*told):
    """The lines of a timeline in which each of `told`, (actor, text, whether it is a remark), happens at once."""
    trace = Trace()
    for actor, text, remark in told:
        trace.entries.append(Step(actor, -remark, text, None, lambda: None, 0.0, "OK"))
    return timeline(trace)


def test_the_last_of_three_columns_takes_the_room_that_it_needs():
    caller, worker, replay = Actor("M", "caller"), Actor("A", "worker A"), Actor("B", "replay")
    short = [(caller, "PUBLISH orders", False), (worker, "GET orders", False), (replay, "GET orders.dlq", False)]
    assert picture(*short)[-1].index("GET orders.dlq → OK") == 14 + 56
    lines = picture(*short, (replay, "PUBLISH orders charge(7, currency='EUR')", False))
    assert [lines[0].index(title) for title in ("caller", "worker A", "replay")] == [14, 14 + 14, 14 + 28]
    assert lines[-1].endswith("  PUBLISH orders charge(7, currency='EUR') → OK")


def test_a_remark_that_is_too_long_for_its_column_begins_further_left():
    caller, worker = Actor("M", "caller"), Actor("A", "worker A")
    remark = "broker drops orders's charge(7, currency='EUR'): no dead-letter exchange"
    lines = picture((caller, "PUBLISH orders charge(7)", False), (worker, remark, True))
    assert lines[-1].endswith(f"  {remark}")
    assert len(lines[-1]) == 100


def test_the_actor_of_a_fault_is_named_as_in_the_timeline():
    @sweep(kinds=("died-after",))
    async def breaks(lab):
        outcome = await lab.attempt(lab.call("writes", lambda: "OK"), name="writer")
        lab.expect("died", outcome.died, False, trap="lost-vote")

    assert "  A (writer) dies right after step 1 is applied; run 2" in told(breaks).rendered.splitlines()


def test_a_type_that_is_not_the_promised_one_is_named():
    @dataclasses.dataclass
    class Decision:
        allowed: bool
        left: float

    async def fails(lab):
        lab.expect("decision", [Decision(True, 1)], [Decision(True, 1.0)], trap="wrong")

    assert "(equal, but int where float is due)" in told(fails).rendered
    assert other_type(1, 2) == ""
    assert other_type({"a": (1, True)}, {"a": (1, 1)}) == "  (equal, but bool where int is due)"


@pytest.mark.parametrize(
    ("a", "b", "alike"),
    [
        (1, 1, True), (1, True, False), (1, 1.0, False), ([1], (1,), False), ({1: 2}, {True: 2}, False),
        ({"a": [1.0]}, {"a": [1]}, False), ({1, 2}, {2, 1}, True), ({1}, {True}, False),
        (float("nan"), float("nan"), True), (None, None, True), (b"a", "a", False), ([1, 2], [1], False),
    ],
)  # fmt: skip
def test_equality_is_exact_in_types(a, b, alike):
    assert same(a, b) is alike


def test_an_object_that_equals_everything_gains_nothing():
    class Yes:
        def __eq__(self, other):
            return True

        def __hash__(self):
            return 1

    class Int(int):
        def __eq__(self, other):
            return True

        def __hash__(self):
            return 1

    for liar in (Yes(), Int(7), [Yes()], {"k": Int(3)}):
        for expected in (1, [1], {"k": 1}, True, "x", None):
            assert not same(liar, expected)


def test_the_verdicts_turn_exceptions_into_failures():
    def verdict(body):
        def test(lab):
            body(lab)

        return conduct(Experiment(test, {}, FakeBackend())).failed

    def swallowed(lab):
        with lab.no_error(expected="a result", trap="raises"):
            raise KeyError("x")

    def refused(lab):
        with lab.raises(ValueError, when="for -1", trap="accepts"):
            pass

    def other(lab):
        with lab.raises(ValueError, when="for -1", trap="accepts"):
            raise KeyError("x")

    def right(lab):
        with lab.raises(ValueError, when="for -1", trap="accepts"):
            raise ValueError

    def unwritten(lab):
        with lab.raises(Exception, when="for -1", trap="accepts"):
            raise NotImplementedError

    assert verdict(right) is None
    for body, got in [(swallowed, "KeyError: 'x'"), (refused, "no exception for -1"), (other, "KeyError: 'x'")]:
        error = verdict(body).error
        assert isinstance(error, Failure)
        assert error.got == got
    assert isinstance(verdict(unwritten).error, NotImplementedError)


def test_only_the_learners_own_lines_are_shown(tmp_path):
    from dojo.lab.modules import Learner

    file = tmp_path / "own_lines.py"
    file.write_text(
        textwrap.dedent("""\
        import json

        async def read(redis):
            return json.loads(await redis.get("k"))
        """)
    )
    learner = Learner("own_lines", file)

    async def fails(lab):
        redis = lab.redis()
        await redis.set("k", "{")
        await lab.process().read(redis)

    session = conduct(Experiment(fails, {}, FakeBackend(), learner))
    text = report(session, rule_of("Rule 1. It reads."), "own_lines", file, "fails").rendered
    assert "raised    JSONDecodeError: Expecting property name" in text
    assert "at own_lines.py:4 in read" in text
    assert 'return json.loads(await redis.get("k"))' in text
    assert "decoder.py" not in text
