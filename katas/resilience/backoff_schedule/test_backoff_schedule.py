"""The rules of README.md, in the order in which it is easiest to make them hold."""

import contextlib
import itertools
import math
import random

from backoff_schedule import Backoff, delay
from celery.utils.time import get_exponential_backoff_interval

from dojo.lab.properties import given, st

RANDOM_MODES = ("full", "equal", "decorrelated")


def scripted(*numbers):
    """A generator whose random() gives just these numbers, over and over, so that chance can be tested exactly."""
    chosen = itertools.cycle(numbers)

    class Scripted(random.Random):
        def random(self):
            return next(chosen)

    return Scripted()


def first(count, delays):
    return list(itertools.islice(delays, count))


def expect(lab, what, got, seconds, trap):
    """Just these floats. Integers that equal them are a mistake of their own, whatever the rule is about."""
    lab.expect(what, got, seconds, trap="not-a-float" if got == seconds else trap)


def floats(lab, delays):
    """`delays`, which are compared by other means than `lab.expect`: none may have comparisons of its own."""
    return lab.plain("a delay", delays, trap="not-a-float")


@contextlib.contextmanager
def global_random_restored():
    state = random.getstate()
    try:
        yield
    finally:
        random.setstate(state)


# the plain schedule


def test_delays_start_at_base_and_double(lab):
    """Rule 1. The first retry waits `base` seconds, and each later one twice as long as the one before."""
    lab.scenario("base 3 s, cap 1000 s, no jitter")
    delays = [delay(retry, base=3, cap=1000) for retry in range(1, 6)]
    expect(lab, "delay before retry 1", delays[0], 3.0, trap="off-by-one")
    expect(lab, "delays before retries 1 to 5", delays, [3.0, 6.0, 12.0, 24.0, 48.0], trap="not-doubling")


def test_fractions_of_a_second_survive(lab):
    """Rule 2. A base below one second keeps its fractions."""
    for base, doubled in (0.0125, [0.0125, 0.025, 0.05, 0.1, 0.2]), (1 / 3, [1 / 3, 2 / 3, 4 / 3, 8 / 3, 16 / 3]):
        lab.scenario(f"base {base} s, cap 60 s, no jitter")
        delays = [delay(retry, base=base, cap=60) for retry in range(1, 6)]
        lab.expect("delays before retries 1 to 5", delays, doubled, trap="integer-truncation")


def test_growth_stops_at_the_cap(lab):
    """Rule 3. No delay is longer than `cap`, after five failures as after a million."""
    lab.scenario("base 1 s, cap 5 s, no jitter")
    delays = [delay(retry, base=1.0, cap=5.0) for retry in range(1, 7)]
    lab.expect("delays before retries 1 to 6", delays, [1.0, 2.0, 4.0, 5.0, 5.0, 5.0], trap="uncapped")
    # 2 ** 1023 is a float, three times that is none; and a month has more milliseconds than 2 ** 31.
    for base, cap, retry in (1.0, 5.0, 1_025), (3.0, 5.0, 1_025), (1.0, 5.0, 1_000_000), (0.001, 2_592_000.0, 40):
        lab.scenario(f"base {base} s, cap {cap} s, no jitter")
        with lab.no_error(expected=f"{cap} s before retry {retry:,}", trap="power-before-cap"):
            late = delay(retry, base=base, cap=cap)
        lab.expect(f"delay before retry {retry:,}", late, cap, trap="power-before-cap")


@given(base_and_cap=st.builds(lambda base, times: (base, base * times), st.integers(1, 600), st.integers(2, 1_000_000)))
def test_whole_seconds_agree_with_celery(lab, base_and_cap):
    """Rule 4. Without jitter, and for whole seconds, the delay is the one that Celery computes."""
    base, cap = base_and_cap
    lab.scenario("no jitter")
    for retry in range(1, 25):
        celery = get_exponential_backoff_interval(base, retry - 1, cap)
        right = min(cap, base * 2 ** (retry - 1))
        lab.require(celery == right, expected="Celery as it was installed", got=f"{celery} s", trap="not-doubling")
        mine = delay(retry, base=base, cap=cap)
        expect(lab, f"delay before retry {retry}, base {base} s, cap {cap} s", mine, float(celery), trap="not-doubling")


# chance


def test_full_jitter_uses_the_whole_delay(lab):
    """Rule 5. Full jitter picks from 0 to the capped delay."""
    lab.scenario("base 1 s, cap 10 s; the generator gives 0, 1/4, 1/2, 3/4")
    rng = scripted(0.0, 0.25, 0.5, 0.75)
    delays, again = (
        floats(lab, [delay(3, base=1, cap=10, jitter="full", rng=rng) for _ in range(4)]) for _ in range(2)
    )
    lab.require(
        delays == again,
        expected="the same delays when the generator gives the same numbers",
        got="other delays",
        trap="global-random",
    )
    lab.require(
        max(delays) <= 4, expected="delays before retry 3: at most 4.0", got=f"{delays}", trap="jitter-above-delay"
    )
    lab.expect("delays before retry 3", delays, [0.0, 1.0, 2.0, 3.0], trap="wrong-window")
    late = [delay(8, base=1, cap=10, jitter="full", rng=rng) for _ in range(4)]
    lab.expect("delays before retry 8", late, [0.0, 2.5, 5.0, 7.5], trap="jitter-before-cap")


def test_equal_jitter_keeps_half_the_delay(lab):
    """Rule 6. Equal jitter picks from half the capped delay to all of it."""
    lab.scenario("base 1 s, cap 10 s; the generator gives 0, 1/4, 1/2, 3/4")
    rng = scripted(0.0, 0.25, 0.5, 0.75)
    delays = [delay(3, base=1, cap=10, jitter="equal", rng=rng) for _ in range(4)]
    lab.require(min(delays) >= 2, expected="delays before retry 3: at least 2.0", got=f"{delays}", trap="no-floor")
    lab.expect("delays before retry 3", delays, [2.0, 2.5, 3.0, 3.5], trap="wrong-window")
    late = [delay(8, base=1, cap=10, jitter="equal", rng=rng) for _ in range(4)]
    lab.expect("delays before retry 8", late, [5.0, 6.25, 7.5, 8.75], trap="jitter-before-cap")


def test_decorrelated_jitter_grows_from_the_previous_delay(lab):
    """Rule 7. Decorrelated jitter picks from `base` to three times `prev`, then cuts at `cap`."""

    def before_retry_5(prev, *numbers):
        rng = scripted(*numbers)
        return delay(5, base=1, cap=100, jitter="decorrelated", rng=rng, prev=prev), rng.random()

    lab.scenario("base 1 s, cap 100 s, retry 5")
    lowest, left = before_retry_5(8.0, 0.0, 0.5, 0.25)
    lab.expect("of 0, 1/2, 1/4 the generator gives next, after one delay", left, 0.5, trap="wrong-window")
    (short, _), (middle, _) = before_retry_5(4.0, 0.5), before_retry_5(8.0, 0.5)
    told = f"{middle} s and {short} s"
    lab.require(middle > short, expected="with prev 8 s a longer delay than with 4 s", got=told, trap="forgotten-prev")
    expect(lab, "prev 8 s, the generator gives 0 and 1/2", [lowest, middle], [1.0, 12.5], trap="wrong-window")
    expect(lab, "no prev, which counts as base; 1/2", before_retry_5(None, 0.5)[0], 2.0, trap="forgotten-prev")
    # The second number is for code that draws again where a cut is due: it shall fail, not draw for ever.
    cut, _ = before_retry_5(50.0, 0.75, 0.0)
    lab.require(cut <= 100, expected="prev 50 s, 3/4: at most 100.0", got=f"{cut}", trap="jitter-after-cap")
    expect(lab, "prev 50 s, 3/4: 112.75 cut at the cap", cut, 100.0, trap="wrong-window")


@given(retry=st.integers(1, 12), base=st.floats(0.01, 2), cap=st.floats(2.01, 200))
def test_no_delay_is_negative_or_above_the_cap(lab, retry, base, cap):
    """Rule 8. With jitter too, every delay is from 0 to `cap`."""
    for jitter, number in itertools.product(("none", *RANDOM_MODES), (0.0, 0.5, 0.999999)):
        lab.scenario(f"{jitter} jitter, the generator gives {number}")
        got = floats(lab, delay(retry, base=base, cap=cap, jitter=jitter, rng=scripted(number, 0.0), prev=cap))
        lab.require(got >= 0, expected="a delay of 0 or more", got=f"{got} s", trap="negative-delay")
        lab.require(got <= cap, expected=f"a delay up to the cap, {cap} s", got=f"{got} s", trap="jitter-after-cap")


def test_jitter_outlives_a_long_outage(lab):
    """Rule 8. With jitter too, a delay is found after a million failures, and it is up to `cap`."""
    for jitter, middle in (("full", 2.5), ("equal", 3.75), ("decorrelated", 2.0)):
        lab.scenario(f"{jitter} jitter, base 1 s, cap 5 s; the generator gives 1/2")
        with lab.no_error(expected=f"{middle} s before retry 1,000,000", trap="power-before-cap"):
            late = delay(1_000_000, base=1.0, cap=5.0, jitter=jitter, rng=scripted(0.5))
        lab.expect("delay before retry 1,000,000", late, middle, trap="power-before-cap")


def test_full_jitter_is_even(lab):
    """Rule 9. Full jitter favours no part of its range: over many delays the mean is half the longest."""
    lab.scenario("4,000 delays, full jitter, base 0.5 s, retry 1, one seeded generator")
    count, longest, rng = 4_000, 0.5, random.Random(2015)
    delays = floats(lab, [delay(1, base=longest, cap=60, jitter="full", rng=rng) for _ in range(count)])
    different = len(set(delays))
    lab.require(
        different > 100,
        expected="delays in fractions of a second",
        got=f"{different} different delays",
        trap="integer-truncation",
    )
    # Five standard deviations of what chance does to an even generator.
    mean, slack = sum(delays) / count, 5 * longest / math.sqrt(12 * count)
    lab.require(
        abs(mean - longest / 2) < slack,
        expected=f"a mean of {longest / 2} s, give or take {slack:.3f}",
        got=f"a mean of {mean:.3f} s",
        trap="uneven-jitter",
    )
    quarters = [sum(longest * q / 4 <= d <= longest * (q + 1) / 4 for d in delays) for q in range(4)]
    slack = 5 * math.sqrt(count * 3 / 16)
    lab.require(
        all(abs(part - count / 4) < slack for part in quarters),
        expected=f"{count // 4} delays in each quarter, give or take {slack:.0f}",
        got=f"{quarters}",
        trap="uneven-jitter",
    )


def test_all_chance_comes_from_the_generator(lab):
    """Rule 10. All chance comes from `rng`: one seed, one schedule; the module `random` is left alone."""

    def six_delays(jitter, seed):
        rng = random.Random(seed)
        return floats(lab, [delay(retry, base=1, cap=60, jitter=jitter, rng=rng, prev=4.0) for retry in range(1, 7)])

    for jitter in RANDOM_MODES:
        lab.scenario(f"{jitter} jitter, six delays; between the runs somebody calls random.seed()")
        with global_random_restored():
            random.seed(1)
            before = random.getstate()
            run = six_delays(jitter, seed=7)
            untouched = random.getstate() == before
            random.seed(2)
            same_seed, other_seed = six_delays(jitter, seed=7), six_delays(jitter, seed=8)
        lab.expect("the same seed again", same_seed, run, trap="global-random")
        lab.require(untouched, expected="random.getstate() as it was before", got="another state", trap="global-random")
        lab.require(
            other_seed != run, expected="another seed gives other delays", got=f"{run} again", trap="fixed-seed"
        )


def test_parameters_that_cannot_work_are_refused(lab):
    """Rule 11. Parameters that cannot work raise `ValueError`."""

    def call(**changed):
        return delay(**{"retry": 2, "base": 1.0, "cap": 10.0, "rng": random.Random(1), **changed})

    allowed = {
        "base equal to cap": ({"base": 10.0}, 10.0),
        "no jitter and no rng": ({"rng": None}, 2.0),
        "a prev that this mode does not read": ({"prev": 0.0}, 2.0),
        "prev equal to cap": ({"jitter": "decorrelated", "prev": 10.0, "rng": scripted(0.5)}, 10.0),
        "prev equal to base": ({"jitter": "decorrelated", "prev": 1.0, "rng": scripted(0.5)}, 2.0),
    }
    for what, (changed, expected) in allowed.items():
        with lab.no_error(expected=f"{what} is allowed", trap="too-strict"):
            got = call(**changed)
        lab.expect(what, got, expected, trap="too-strict")
    wrong = {
        "retry 0": {"retry": 0},
        "retry -1": {"retry": -1},
        "retry 0 in decorrelated jitter": {"jitter": "decorrelated", "retry": 0},
        "base 0": {"base": 0},
        "base -1": {"base": -1.0},
        "a base above the cap": {"base": 11.0, "cap": 10.0},
        "an infinite cap": {"cap": math.inf},
        "an unknown jitter": {"jitter": "ful"},
        **{f"{jitter} jitter without an rng": {"jitter": jitter, "rng": None} for jitter in RANDOM_MODES},
        "a prev below base": {"jitter": "decorrelated", "prev": 0.5},
        "a prev of 0": {"jitter": "decorrelated", "prev": 0.0},
        "a prev above cap": {"jitter": "decorrelated", "prev": 10.5},
    }
    for what, changed in wrong.items():
        named = [parameter for parameter in changed if parameter != "jitter"] or ["jitter"]
        message = ""
        with lab.raises(ValueError, when=f"for {what}", trap="silent-misconfiguration"):
            try:
                call(**changed)
            except ValueError as error:
                message = lab.plain("the message", str(error), trap="silent-misconfiguration")
                raise
        lab.require(
            any(parameter in message for parameter in named),
            expected=f"a message that names {' or '.join(named)}, for {what}",
            got=f"{message!r}",
            trap="silent-misconfiguration",
        )
    for what, jitter in (("base", "full"), ("cap", "full"), ("prev", "decorrelated")):
        with lab.raises(ValueError, when=f"for {what} NaN", trap="nan-slips-through"):
            call(jitter=jitter, **{what: math.nan})


# the iterator


def test_a_backoff_yields_one_delay_after_the_other(lab):
    """Rule 12. A `Backoff` yields the delays before retries 1, 2, 3, … and never ends."""
    lab.scenario("base 1 s, cap 10 s, the default jitter (full); the generator gives 1/2 six times, and then 1/4")
    rng = scripted(*[0.5] * 6, 0.25)
    backoff = Backoff(base=1.0, cap=10.0, rng=rng)
    delays = [next(backoff), next(backoff), *first(4, backoff)]
    lab.expect("delays before retries 1 to 6", delays, [0.5, 1.0, 2.0, 4.0, 5.0, 5.0], trap="lost-count")
    lab.expect("what the generator gives next, after six delays", rng.random(), 0.25, trap="lost-count")
    equal = first(3, Backoff(base=1.0, cap=10.0, jitter="equal", rng=scripted(0.5)))
    lab.expect("with equal jitter, from 1/2, before retries 1 to 3", equal, [0.75, 1.5, 3.0], trap="wrong-window")
    with lab.no_error(expected="delays for 1,100 more retries", trap="power-before-cap"):
        later = floats(lab, first(1_100, backoff))
    lab.expect("number of delays for 1,100 more retries", len(later), 1_100, trap="lost-count")
    low, high = min(later), max(later)
    told = f"{low} to {high} s"
    lab.require(2.5 <= low <= high <= 10, expected="then from 2.5 to 10.0 s each", got=told, trap="lost-count")
    lab.require(
        iter(backoff) is backoff, expected="iter(backoff) is backoff", got="another iterator", trap="lost-count"
    )


def test_a_backoff_remembers_its_own_past(lab):
    """Rule 13. A `Backoff` remembers its own past, the previous delay included, and nobody else's."""

    def plain():
        return Backoff(base=1, cap=100, jitter="none")

    def decorrelated(cap=100, rng=None):
        return Backoff(base=1, cap=cap, jitter="decorrelated", rng=rng or scripted(0.5))

    lab.scenario("decorrelated jitter, base 1 s, cap 100 s; the generator always gives 1/2")
    lab.expect("four delays", first(4, decorrelated()), [2.0, 3.5, 5.75, 9.125], trap="forgotten-prev")
    in_turn = first(3, zip(decorrelated(), decorrelated(), strict=True))
    lab.expect("two in turn", in_turn, [(2.0, 2.0), (3.5, 3.5), (5.75, 5.75)], trap="shared-state")
    lab.scenario("decorrelated jitter, base 1 s, cap 4 s; the generator gives 3/4, 3/4, 1/4")
    walk = first(3, decorrelated(cap=4, rng=scripted(0.75, 0.75, 0.25)))
    lab.expect("the first delay", walk[0], 2.5, trap="wrong-window")
    expect(lab, "three delays, the second of them cut", walk, [2.5, 4.0, 3.75], trap="forgotten-prev")
    lab.scenario("no jitter, base 1 s, cap 100 s")
    in_turn = first(3, zip(plain(), plain(), strict=True))
    expect(lab, "two in turn", in_turn, [(1.0, 1.0), (2.0, 2.0), (4.0, 4.0)], trap="shared-state")


def test_reset_starts_over(lab):
    """Rule 14. After `reset()` the next delay is again the one before retry 1; the generator is not rewound."""
    for jitter, started in (("none", [1.0, 2.0, 4.0]), ("full", [0.5, 1.0, 2.0]), ("decorrelated", [2.0, 3.5, 5.75])):
        lab.scenario(f"jitter {jitter}, base 1 s, cap 100 s; the generator always gives 1/2")
        backoff = Backoff(base=1, cap=100, jitter=jitter, rng=scripted(0.5))
        first(5, backoff)
        backoff.reset()
        expect(lab, "three delays after reset()", first(3, backoff), started, trap="half-reset")
    lab.scenario("full jitter, base 1 s, cap 60 s, a seeded generator")
    backoff = Backoff(base=1, cap=60, rng=random.Random(7))
    before = floats(lab, first(3, backoff))
    backoff.reset()
    after = floats(lab, first(3, backoff))
    lab.require(after != before, expected="other delays after reset()", got=f"{after} again", trap="fixed-seed")


def test_a_backoff_is_checked_when_it_is_built(lab):
    """Rule 15. A `Backoff` that cannot work raises `ValueError` when it is built, not at the first failure."""
    with lab.no_error(expected="base equal to cap is allowed", trap="too-strict"):
        next(Backoff(base=5, cap=5))
    for what, wrong in {
        "base 0": {"base": 0, "cap": 10},
        "a base above the cap": {"base": 11, "cap": 10},
        "an infinite cap": {"base": 1, "cap": math.inf},
        "base NaN": {"base": math.nan, "cap": 10},
        "cap NaN": {"base": 1, "cap": math.nan},
        "an unknown jitter": {"base": 1, "cap": 10, "jitter": "ful"},
    }.items():
        with lab.raises(ValueError, when=f"from the constructor for {what}", trap="late-validation"):
            Backoff(**wrong)


def test_servers_that_start_together_do_not_march_in_step(lab):
    """Rule 16. No two instances draw the same numbers: neither without an `rng`, nor if both are given the same one."""
    lab.scenario("two operations, one after the other, with one seeded generator")
    rng = random.Random(7)
    one, other = (floats(lab, first(3, Backoff(base=1, cap=60, rng=rng))) for _ in range(2))
    lab.require(other != one, expected="other delays for the other operation", got=f"{one} twice", trap="fixed-seed")
    lab.scenario("on each of two servers something calls random.seed(42), before the instance is built and after")

    def three_delays(server):
        random.seed(42)
        backoff = server.Backoff(base=1, cap=60)
        random.seed(42)
        return floats(lab, first(3, backoff))

    with global_random_restored():
        one, other = lab.process(), lab.process()
        on_one, on_other, again_on_one = three_delays(one), three_delays(other), three_delays(one)
    lab.require(
        on_one != on_other, expected="other delays on the other server", got=f"{on_one} on both", trap="fixed-seed"
    )
    lab.require(
        on_one != again_on_one,
        expected="other delays from the next instance",
        got=f"{on_one} again",
        trap="fixed-seed",
    )
