"""What the scenes measure: the reference keeps what its kata promises, wrong solutions visibly do not."""

from __future__ import annotations

import functools
import json
from pathlib import Path

import pytest

from dojo.catalog import Kata, load
from dojo.plots import Chart, Measured, drawable, measure
from dojo.plots.measuring import _measured
from dojo.runner import Job, warm
from dojo.runner.spawned import run_spawned

KATAS = {kata.name: kata for kata in load(Path(__file__).resolve().parents[2])}
WRONG = {
    "backoff_schedule": "seed_from_the_retry",
    "rate_limiter": "clock_aligned_window",
    "cache_aside": "jitter_drawn_once",
    "idempotent_consumer": "get_work_set",
    "dlq_router": "sleeps_in_the_consumer",
    "websocket_broadcaster": "unbounded_queue",
}


@functools.cache
def measured(name: str) -> list[Measured]:
    """The reference twice and a wrong solution, each in a process of its own."""
    warm()
    kata = KATAS[name]
    return measure(kata, [kata.solution, kata.solution, kata.mutants / f"{WRONG[name]}.py"])


def charts(name: str, which: int = 0) -> list[Chart]:
    return list(measured(name)[which].charts)


def heights(chart: Chart) -> list[float]:
    return [y for _, y in chart.shown.points]


def made(tmp_path: Path, text: str, name: str = "rate_limiter") -> tuple[Kata, Path]:
    file = tmp_path / f"{name}.py"
    file.write_text(text, encoding="utf-8")
    return KATAS[name], file


def test_the_scenes_are_those_of_katas() -> None:
    assert {name for name, kata in KATAS.items() if drawable(kata)} == set(WRONG)


@pytest.mark.parametrize("name", WRONG)
def test_a_kata_with_scenes_can_be_drawn_and_gives_the_same_bytes_twice(name: str) -> None:
    first, second, wrong = measured(name)
    assert first.charts
    assert (first.trouble, second.trouble, wrong.trouble) == ("", "", "")
    assert json.dumps([c.to_json() for c in first.charts]) == json.dumps([c.to_json() for c in second.charts])
    assert [c.title for c in wrong.charts] == [c.title for c in first.charts]
    assert wrong.charts != first.charts


@pytest.mark.parametrize("name", WRONG)
def test_charts_survive_json(name: str) -> None:
    for chart in charts(name):
        assert Chart.from_json(json.loads(json.dumps(chart.to_json()))) == chart


def test_without_jitter_everybody_knocks_at_once() -> None:
    herd, spread = charts("backoff_schedule")
    # Each of the 1000 clients waits 5, 10, 20 and 40 s, and finds the server back.
    assert {at: y for at, y in herd.shown.points if y} == {5.0: 1000, 15.0: 1000, 35.0: 1000, 75.0: 1000}
    assert spread.shown.peak < 350
    assert sum(heights(spread)) > 4000
    assert charts("backoff_schedule", 2)[1].shown.peak == 1000  # its jitter is the same for everybody


def test_no_span_admits_more_than_the_limit_but_a_fixed_window_admits_two() -> None:
    for chart in charts("rate_limiter"):
        assert chart.limit is not None
        assert chart.shown.peak == chart.limit.at == 10
        assert chart.behind is not None
        assert chart.behind.peak >= 19
    steady, burst = charts("rate_limiter", 2)
    assert steady.shown.peak == 10
    assert burst.shown.peak == 19
    assert "9 over the limit" in burst.note


def test_jitter_flattens_the_load_of_an_expiry() -> None:
    together, spread = charts("cache_aside")
    assert heights(together)[0] == heights(spread)[0] == 40
    assert max(heights(together)[1:]) == 39
    assert max(heights(spread)[1:]) < 15
    assert max(heights(charts("cache_aside", 2)[1])[1:]) == 38
    assert "hit ratio" in together.note


def test_every_message_takes_effect_once() -> None:
    each, so_far = charts("idempotent_consumer")
    assert heights(each) == [0, *[1] * 12, 0]
    assert each.behind is not None
    assert min(y for _, y in each.behind.points[1:-1]) >= 1
    assert each.behind.peak > 3
    assert so_far.shown.points[-1][1] == 12
    doubled, _ = charts("idempotent_consumer", 2)
    assert doubled.shown.peak > 1
    assert "not exactly once: 1 (2x)" in doubled.note


def test_a_poison_message_is_parked_and_holds_up_nobody() -> None:
    attempts, depth = charts("dlq_router")
    assert heights(attempts)[1:-1] == [3 if n == 5 else 2 if n == 11 else 1 for n in range(1, 21)]
    assert depth.behind is not None
    assert depth.behind.points[-1][1] == 1
    assert depth.shown.peak <= 3
    assert depth.shown.points[-1][1] == 0
    assert charts("dlq_router", 2)[1].shown.peak > 10


def test_a_backlog_is_bounded_and_a_healthy_peer_notices_nothing() -> None:
    for chart in charts("websocket_broadcaster"):
        assert chart.shown.peak == 5
        assert chart.behind is not None
        assert chart.behind.peak == 0
        assert heights(chart)[-1] == 0
    assert "got 2 of 40 and was closed" in charts("websocket_broadcaster")[2].note
    assert all(chart.shown.peak == 30 for chart in charts("websocket_broadcaster", 2))


def test_what_is_not_written_yet_says_so(tmp_path: Path) -> None:
    kata, file = made(
        tmp_path, "class RateLimiter:\n    def __init__(self, *a, **k):\n        raise NotImplementedError\n"
    )
    stub, reference = measure(kata, [file, kata.solution])
    assert stub == Measured((), "not written yet (rate_limiter.py:3 in __init__)", unwritten=True)
    assert len(reference.charts) == 2


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("def x(:\n", "rate_limiter.py line 1: SyntaxError"),
        ("import os; os._exit(3)\n", "ended with code 3"),
        ("limit = 1\n", "rate_limiter.py does not define RateLimiter. Add it, or get the stub back: dojo reset"),
        ("class RateLimiter:\n    def __init__(self, redis, limit): ...\n", "TypeError: "),
        (
            "class RateLimiter:\n    def __init__(self, *a, **k): ...\n"
            "    async def hit(self, key):\n        return [][0]\n",
            "IndexError: list index out of range\nat rate_limiter.py:4 in hit\n    return [][0]",
        ),
    ],
    ids=["syntax", "exit", "missing", "signature", "raises"],
)
def test_what_cannot_be_measured_says_why(tmp_path: Path, text: str, told: str) -> None:
    kata, file = made(tmp_path, text)
    (result,) = measure(kata, [file])
    assert result.charts == ()
    assert not result.unwritten
    assert told in result.trouble


def test_code_without_end_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dojo.lab.watchdog.CPU_LIMIT_S", 0.2)
    kata, file = made(tmp_path, "class RateLimiter:\n    def __init__(self, *a, **k):\n        while True: ...\n")
    (result,) = measure(kata, [file])
    assert "never finishes: after 0.2 s of CPU it is still at rate_limiter.py:3 in __init__" in result.trouble
    assert result.trouble.count("never finishes") == 1


def test_one_scene_may_fail_alone(tmp_path: Path) -> None:
    solution = KATAS["backoff_schedule"].solution.read_text(encoding="utf-8")
    unfinished = solution.replace(
        "    if rng is None:\n", "    if jitter == 'full':\n        return -1.0\n    if rng is None:\n"
    )
    kata, file = made(tmp_path, unfinished, "backoff_schedule")
    (result,) = measure(kata, [file])
    assert [chart.title for chart in result.charts] == ["Retries without jitter"]
    assert "next() of a Backoff gave -1.0" in result.trouble


def test_without_fork_the_same_is_measured() -> None:
    job = Job.of(KATAS["backoff_schedule"], KATAS["backoff_schedule"].solution)
    (result,) = run_spawned([job], 1, program="dojo.plots.child")
    assert _measured(result) == measured("backoff_schedule")[0]


def test_a_forged_chart_is_damage(tmp_path: Path) -> None:
    from dojo.runner import RunResult, TestResult

    for message in ("no JSON", "[{}]", '[{"title": 1}]'):
        test = TestResult("steady", None, "", "passed", message=message)
        result = _measured(RunResult("rate_limiter", "green", (test,), 0.0, 0.0))
        assert result.charts == ()
        assert "damaged" in result.trouble
