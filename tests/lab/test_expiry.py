"""Keys expire on the fake when they would on a server."""

from __future__ import annotations

import time

import pytest

from dojo.lab.explore import Experiment, conduct


@pytest.mark.parametrize(
    "write",
    [
        lambda redis: redis.set("k", 1, px=2250),
        lambda redis: redis.psetex("k", 2250, 1),
        lambda redis: redis.set("k", 1, ex=2) and redis.pexpire("k", 2250),
    ],
    ids=["set", "psetex", "pexpire"],
)
def test_milliseconds_count(backend, write):
    def expires(lab):
        redis = lab.redis_sync()
        time.sleep(0.9)  # off the whole second, where rounding would show
        write(redis)
        time.sleep(2.249)
        assert redis.get("k") == b"1"
        time.sleep(0.002)
        assert redis.get("k") is None

    session = conduct(Experiment(expires, {}, backend))
    assert session.failed is None, session.failed.error


def test_setex_counts_from_the_instant_of_the_command(backend):
    def expires(lab):
        redis = lab.redis_sync()
        time.sleep(0.9)
        redis.execute_command("SETEX", "k", 2, 1)  # redis-py has deprecated its method, not the command
        time.sleep(1.999)
        assert redis.get("k") == b"1"
        time.sleep(0.002)
        assert redis.get("k") is None

    session = conduct(Experiment(expires, {}, backend))
    assert session.failed is None, session.failed.error
