"""Publish and subscribe through the gate: deterministic on the fake and on a real server."""

from __future__ import annotations

import asyncio

import pytest
import redis

from dojo.lab import explore
from dojo.lab.explore import Experiment, conduct


@pytest.fixture
def passes(backend):
    def conduct_it(test):
        session = conduct(Experiment(test, {}, backend))
        if session.failed is not None:
            raise session.failed.error
        return session

    return conduct_it


async def listening(lab, heard, *channels, retries=0):
    """A task that notes what it is told, once it has subscribed."""
    pubsub = lab.redis(retries=retries).pubsub()
    await pubsub.subscribe(*channels)

    async def listen():
        async for message in pubsub.listen():
            heard.append((message["type"], message["channel"], message["data"]))

    return asyncio.create_task(listen()), pubsub


def test_what_is_published_is_heard_in_order_and_at_once(passes):
    async def test(lab):
        heard: list = []
        task, _ = await listening(lab, heard, "news", "sport")
        client = lab.redis()
        assert [await client.publish("news", n) for n in (1, 2)] == [1, 1]
        assert await client.publish("other", 3) == 0
        await client.publish("sport", 4)
        await asyncio.sleep(0)
        await asyncio.sleep(0.001)
        confirmed = [("subscribe", b"news", 1), ("subscribe", b"sport", 2)]
        assert heard == [
            *confirmed,
            ("message", b"news", b"1"),
            ("message", b"news", b"2"),
            ("message", b"sport", b"4"),
        ]
        assert lab.now == 0.001
        task.cancel()

    passes(test)


def test_what_the_server_owes_is_there_before_time_moves(passes):
    async def test(lab):
        client, pubsub = lab.redis(), lab.redis().pubsub()
        for n in range(300):
            await pubsub.subscribe(f"news {n}")
            assert (await pubsub.get_message(timeout=0.000001))["type"] == "subscribe"
            await client.publish(f"news {n}", "hi")
            assert (await pubsub.get_message(timeout=0.000001))["data"] == b"hi"

    passes(test)


def test_waiting_for_a_message_takes_virtual_time(passes):
    async def test(lab):
        pubsub = lab.redis().pubsub(ignore_subscribe_messages=True)
        await pubsub.subscribe("news")
        assert await pubsub.get_message(timeout=1) is None  # the confirmation, which is ignored
        begun = lab.now
        assert await pubsub.get_message(timeout=3600) is None
        assert lab.now - begun == pytest.approx(3600)

        async def later():
            await asyncio.sleep(10)
            await lab.redis().publish("news", "late")

        begun = lab.now
        task = asyncio.create_task(later())
        message = await pubsub.get_message(timeout=3600)
        assert (message["data"], lab.now - begun) == (b"late", pytest.approx(10))
        await task

    passes(test)


def test_scripts_and_transactions_publish_too(passes):
    async def test(lab):
        heard: list = []
        task, _ = await listening(lab, heard, "news")
        client = lab.redis()
        await client.eval("return redis.call('PUBLISH', 'news', ARGV[1])", 0, "from a script")
        async with client.pipeline(transaction=True) as pipe:
            await pipe.set("k", "v").publish("news", "from a transaction").execute()
        await asyncio.sleep(0.001)
        assert [data for kind, _, data in heard if kind == "message"] == [b"from a script", b"from a transaction"]
        task.cancel()

    passes(test)


def test_a_server_that_hangs_up_loses_what_comes_later_and_nothing_earlier(passes):
    async def test(lab):
        heard: list = []
        task, _ = await listening(lab, heard, "news")
        client = lab.redis()
        await asyncio.sleep(0.001)
        await client.publish("news", "before")
        assert lab.server.cut_subscribers() == 1
        assert await client.publish("news", "lost") == 0
        outcome = await asyncio.gather(task, return_exceptions=True)
        assert isinstance(outcome[0], redis.ConnectionError)
        assert [data for kind, _, data in heard if kind == "message"] == [b"before"]

    passes(test)


def test_a_client_that_retries_subscribes_again_by_itself(passes):
    async def test(lab):
        heard: list = []
        task, _ = await listening(lab, heard, "news", retries=3)
        client = lab.redis()
        await asyncio.sleep(0.001)
        lab.server.cut_subscribers()
        await client.publish("news", "lost")
        await asyncio.sleep(1)
        await client.publish("news", "after")
        await asyncio.sleep(1)
        assert [data for kind, _, data in heard if kind == "message"] == [b"after"]
        task.cancel()

    passes(test)


def test_leaving_ends_it(passes):
    async def test(lab):
        heard: list = []
        task, pubsub = await listening(lab, heard, "news", "sport")
        client = lab.redis()
        await pubsub.unsubscribe("news")
        assert await client.publish("news", "unheard") == 0
        assert await client.publish("sport", "heard") == 1
        await asyncio.sleep(0.001)
        assert heard[-1] == ("message", b"sport", b"heard")
        task.cancel()
        await pubsub.aclose()
        assert await client.publish("sport", "unheard") == 0

    passes(test)


def test_a_subscription_is_a_step_that_races_with_others(backend):
    seen = set()

    @explore
    async def test(lab):
        heard: list = []

        async def join():
            pubsub = lab.redis().pubsub(ignore_subscribe_messages=True)
            await pubsub.subscribe("news")
            if (await pubsub.get_message(timeout=1)) is None:
                message = await pubsub.get_message(timeout=1)
                heard.append(message and message["data"])

        await lab.race(join(), lab.redis().publish("news", "hi"), names=("joiner", "publisher"))
        seen.add(tuple(heard))

    session = conduct(Experiment(test, {}, backend))
    assert session.failed is None, session.failed.error
    assert seen == {(b"hi",), (None,)}


def test_a_subscription_may_take_its_time(passes):
    async def test(lab):
        heard: list = []
        lab.server.subscriptions_take = 1.0
        task, pubsub = await listening(lab, heard, "news")
        await pubsub.subscribe("sport")
        client = lab.redis()
        assert (lab.now, await client.publish("news", "unheard")) == (0, 0)
        await asyncio.sleep(1.001)
        assert [(kind, channel) for kind, channel, _ in heard] == [("subscribe", b"news"), ("subscribe", b"sport")]
        await pubsub.unsubscribe("news")
        assert [await client.publish(channel, "heard") for channel in ("news", "sport")] == [1, 1]
        await asyncio.sleep(1.001)
        assert await client.publish("news", "unheard") == 0
        task.cancel()

    passes(test)


def test_what_is_under_way_is_lost_with_its_connection(passes):
    async def test(lab):
        lab.server.subscriptions_take = 1.0
        pubsub = lab.redis().pubsub()
        await pubsub.subscribe("news")
        await pubsub.aclose()
        await asyncio.sleep(2)
        assert await lab.redis().publish("news", "unheard") == 0

    passes(test)


@pytest.mark.parametrize("retries", [0, 3])
def test_a_subscriber_cannot_come_back_during_an_outage(passes, retries):
    async def test(lab):
        pubsub = lab.redis(retries=retries).pubsub()
        await pubsub.subscribe("news")
        with lab.server.outage():
            lab.server.cut_subscribers()
            await pubsub.get_message(timeout=1)  # the confirmation, which had been sent before
            for _ in range(3):
                with pytest.raises(redis.ConnectionError):
                    await pubsub.get_message(timeout=None)
        texts = {step.text for step in lab.world.trace.entries}
        assert texts == {"SUBSCRIBE news", "(connect)"}
        assert (await pubsub.get_message(timeout=1))["type"] == "subscribe"
        assert await lab.redis().publish("news", "heard") == 1

    passes(test)


def test_who_reads_learns_that_another_task_hung_up(passes):
    async def test(lab):
        pubsub = lab.redis().pubsub()
        await pubsub.subscribe("news")
        await pubsub.get_message(timeout=1)
        reading = asyncio.create_task(pubsub.get_message(timeout=None))
        await asyncio.sleep(1)
        await pubsub.connection.disconnect(nowait=True)
        outcome = await asyncio.gather(reading, return_exceptions=True)
        assert isinstance(outcome[0], redis.ConnectionError)

    passes(test)


def test_a_synchronous_subscriber_is_told_to_use_the_other_client(backend):
    def test(lab):
        lab.redis_sync().pubsub().subscribe("news")

    session = conduct(Experiment(test, {}, backend))
    assert "asynchronous" in str(session.failed.error)


@pytest.mark.parametrize("fault", ["lost-reply", "died-after", "died-before", "lost-request"])
def test_faults_strike_a_subscription(backend, fault):
    from dojo.lab import sweep

    seen = []

    @sweep(kinds=(fault,))
    async def test(lab):
        pubsub = lab.redis().pubsub()
        outcome = await lab.attempt(pubsub.subscribe("news"))
        seen.append(outcome)

    session = conduct(Experiment(test, {}, backend))
    assert session.failed is None, session.failed.error
    assert len(seen) == 2
