"""The broker: places in a queue, delivery counts, delays, and what faults leave behind."""

from __future__ import annotations

import time

import pytest

from dojo.lab import explore, sweep


def ids(broker, queue="q"):
    return [message.id for message in broker.messages(queue)]


def test_messages_come_in_order_and_acknowledged_ones_are_gone(green):
    def test(lab):
        broker = lab.broker()
        for n in (1, 2):
            broker.publish("q", f"body {n}".encode(), id=f"m{n}", headers={"n": [n, None]})
        first = broker.get("q")
        assert (first.id, first.body, first.headers) == ("m1", b"body 1", {"n": [1, None]})
        assert (first.queue, first.delivery_count) == ("q", 1)
        assert (ids(broker), broker.held("q")) == (["m2"], ["m1"])
        assert broker.places("q", "elsewhere") == {"q": ["m2"], "held": ["m1"]}
        broker.ack(first)
        broker.ack(broker.get("q"))
        assert broker.get("q") is broker.get("elsewhere") is None

    green(test)


def test_a_message_given_back_keeps_its_place_and_is_counted(green):
    def test(lab):
        broker = lab.broker()
        for n in (1, 2):
            broker.publish("q", b"", id=f"m{n}")
        broker.nack(broker.get("q"))
        assert ids(broker) == ["m1", "m2"]
        assert (broker.get("q").delivery_count, broker.get("q").delivery_count) == (2, 1)

    green(test)


def test_a_delayed_message_lets_others_pass(green):
    def test(lab):
        broker = lab.broker()
        broker.publish("q", b"", id="late", delay=5)
        broker.publish("q", b"", id="m1")
        broker.publish("q", b"", id="m2")
        broker.nack(broker.get("q"), delay=3)
        assert broker.get("q").id == "m2"
        time.sleep(2.999)
        assert broker.get("q") is None
        time.sleep(0.001)
        assert broker.get("q").id == "m1"
        time.sleep(2)
        assert broker.get("q").id == "late"

    green(test)


def test_a_closed_connection_gives_back_what_it_held_and_no_more(green):
    def test(lab):
        one, two = lab.broker(), lab.broker()
        for n in (1, 2):
            one.publish("q", b"", id=f"m{n}")
        held, other = one.get("q"), two.get("q")
        one.close()
        assert (ids(two), two.held("q")) == (["m1"], ["m2"])
        with pytest.raises(RuntimeError, match="settled already"):
            one.ack(held)
        two.ack(other)
        with pytest.raises(RuntimeError, match="settled already"):
            two.nack(other)

    green(test)


def test_what_a_dead_consumer_held_is_delivered_again(green):
    seen = []

    @sweep(kinds=("died-before", "died-after"))
    def test(lab):
        broker = lab.broker()
        broker.publish("q", b"", id="m1")
        lab.attempt_sync(lambda: broker.ack(broker.get("q")))
        seen.append([(d.id, d.delivery_count) for d in [broker.get("q")] if d])

    green(test)
    # clean; before get, after it; before ack, after it
    assert seen == [[], [("m1", 1)], [("m1", 2)], [("m1", 2)], []]


def test_a_lost_confirmation_says_nothing(green):
    stored = []

    @sweep(kinds=("lost-request", "lost-reply"))
    def test(lab):
        broker = lab.broker()
        outcome = lab.attempt_sync(lambda: broker.publish("q", b"", id="m1"))
        assert outcome.ok or isinstance(outcome.error, ConnectionError)
        stored.append((outcome.ok, ids(broker)))

    green(test)
    assert stored == [(True, ["m1"]), (False, []), (False, ["m1"])]


def test_an_outage_concerns_one_queue(green):
    def test(lab):
        broker = lab.broker()
        with broker.outage("q"):
            with pytest.raises(ConnectionError):
                broker.publish("q", b"", id="m1")
            broker.publish("other", b"", id="m1")
        broker.publish("q", b"", id="m2")
        assert ids(broker) == ["m2"]

    green(test)


def test_two_consumers_never_get_the_same_message(green):
    got = set()

    @explore
    def test(lab):
        broker = lab.broker()
        for n in (1, 2):
            broker.publish("q", b"", id=f"m{n}")
        one, two = lab.race_sync(lambda: lab.broker().get("q").id, lambda: lab.broker().get("q").id)
        got.add((one, two))

    green(test)
    assert got == {("m1", "m2"), ("m2", "m1")}


def test_headers_belong_to_one_delivery_and_are_json(green):
    def test(lab):
        broker = lab.broker()
        mine = {"deaths": [1]}
        broker.publish("q", b"", id="m1", headers=mine)
        mine["deaths"].append(2)
        delivery = broker.get("q")
        delivery.headers["deaths"].append(3)
        broker.nack(delivery)
        assert broker.get("q").headers == {"deaths": [1]}
        for wrong in ({"headers": {"error": ValueError()}}, {"delay": -1}, {"delay": float("nan")}):
            with pytest.raises((TypeError, ValueError)):
                broker.publish("q", b"", id="m1", **wrong)
        with pytest.raises(TypeError, match="bytes"):
            broker.publish("q", "text", id="m1")

    green(test)
