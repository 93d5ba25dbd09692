"""The payment gateway: charges, keys, refusals, and what faults do to them."""

from __future__ import annotations

import asyncio
import pickle
import time

import pytest

from dojo.lab import explore, sweep
from dojo.lab.fakes.gateway import KEY_LIFETIME_S, Charge, GatewayError


def test_a_charge_is_json_and_stands_in_the_ledger(green):
    def charges(lab):
        gateway = lab.gateway_sync()
        reply = gateway.charge("order-7", 1999)
        assert reply == {"id": "ch_1", "reference": "order-7", "amount": 1999}
        assert gateway.ledger == [Charge("ch_1", "order-7", 1999)]

    green(charges)


def test_both_faces_and_all_clients_share_one_ledger(green):
    async def charges(lab):
        await lab.gateway().charge("a", 1)
        lab.gateway_sync().charge("b", 2)
        assert [charge.reference for charge in lab.gateway().ledger] == ["a", "b"]

    green(charges)


def test_without_a_key_every_request_charges(green):
    def charges(lab):
        gateway = lab.gateway_sync()
        gateway.charge("order-7", 1999)
        gateway.charge("order-7", 1999)
        assert [charge.id for charge in gateway.ledger] == ["ch_1", "ch_2"]

    green(charges)


def test_a_key_gives_the_first_charge_back(green):
    async def charges(lab):
        gateway = lab.gateway()
        first = await gateway.charge("order-7", 1999, idempotency_key="k")
        assert await gateway.charge("order-7", 1999, idempotency_key="k") == first
        assert len(gateway.ledger) == 1

    green(charges)


def test_a_key_is_forgotten_after_a_day(green):
    def charges(lab):
        gateway = lab.gateway_sync()
        gateway.charge("order-7", 1999, idempotency_key="k")
        time.sleep(KEY_LIFETIME_S)
        gateway.charge("order-7", 1999, idempotency_key="k")
        assert len(gateway.ledger) == 1
        time.sleep(0.001)
        gateway.charge("order-7", 1999, idempotency_key="k")
        assert len(gateway.ledger) == 2

    green(charges)


@pytest.mark.parametrize(("reference", "amount"), [("order-8", 1999), ("order-7", 2000)])
def test_a_key_stands_for_one_request(green, reference, amount):
    def charges(lab):
        gateway = lab.gateway_sync()
        gateway.charge("order-7", 1999, idempotency_key="k")
        with pytest.raises(GatewayError, match="came before") as caught:
            gateway.charge(reference, amount, idempotency_key="k")
        assert caught.value.code == "key_reused"
        assert len(gateway.ledger) == 1

    green(charges)


def test_a_declined_charge_moves_no_money_and_may_be_tried_again(green):
    def charges(lab):
        gateway = lab.gateway_sync()
        gateway.decline_next()
        with pytest.raises(GatewayError, match="declined") as caught:
            gateway.charge("order-7", 1999, idempotency_key="k")
        assert caught.value.code == "card_declined"
        assert gateway.ledger == []
        gateway.charge("order-7", 1999, idempotency_key="k")
        assert len(gateway.ledger) == 1

    green(charges)


@pytest.mark.parametrize("amount", [0, -1, 19.99, True, "1999"])
def test_an_amount_is_a_positive_whole_number(green, amount):
    def charges(lab):
        with pytest.raises(ValueError, match="smallest currency unit"):
            lab.gateway_sync().charge("order-7", amount)

    green(charges)


def test_a_refusal_survives_a_process_boundary():
    error = pickle.loads(pickle.dumps(GatewayError("card_declined", "the card was declined")))
    assert (error.code, str(error)) == ("card_declined", "the card was declined")


CHARGED = {"died-before": 0, "died-after": 1, "lost-request": 0, "lost-reply": 1}


def test_every_fault_strikes_the_synchronous_client(green):
    seen = {}

    @sweep
    def charges(lab):
        gateway = lab.gateway_sync()
        outcome = lab.attempt_sync(lambda: gateway.charge("order-7", 1999))
        if fault := lab.world.plan.fault:
            seen[fault.kind] = len(gateway.ledger)
            assert outcome.died or isinstance(outcome.error, ConnectionError)

    green(charges)
    assert seen == CHARGED


def test_every_fault_strikes_the_asynchronous_client(green):
    seen = {}

    @sweep
    async def charges(lab):
        gateway = lab.gateway()
        outcome = await lab.attempt(gateway.charge("order-7", 1999))
        if fault := lab.world.plan.fault:
            seen[fault.kind] = len(gateway.ledger)
            assert outcome.died or isinstance(outcome.error, ConnectionError)

    green(charges)
    assert seen == CHARGED


def test_a_charge_is_one_step_of_a_race(green):
    orders = set()

    @explore
    async def charges(lab):
        await lab.race(*(lab.gateway().charge(reference, 1) for reference in "ab"))
        orders.add("".join(charge.reference for charge in lab.gateway().ledger))

    green(charges)
    assert orders == {"ab", "ba"}


def test_a_charge_shows_in_the_trace(green):
    async def charges(lab):
        await asyncio.sleep(2)
        await lab.gateway().charge("order-7", 1999, idempotency_key="k")
        (step,) = lab.world.trace.entries
        assert (step.time, step.text, step.reply["id"]) == (2.0, "charge order-7 1999 key=k", "ch_1")

    green(charges)
