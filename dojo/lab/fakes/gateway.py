"""A payment gateway: the effect outside one's own systems that a message must not cause twice.

It charges whatever it is asked to charge, except that it honours idempotency keys as real gateways do (Stripe API
reference, "Idempotent requests"): a request that carries a key seen before gets the first charge back. Each call is one
step of the world, so a caller can die before or after it, or lose its reply although the money has moved.

Two deliberate simplifications. A refusal is not remembered under its key, so the same request may be tried again.
And a request is atomic: a gateway that is still working on a key answers nobody "409, in progress".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dojo.lab.fakes.inspection import for_tests
from dojo.lab.trace import Touches
from dojo.lab.trust import is_a, text, whole
from dojo.lab.world import World

KEY_LIFETIME_S = 86_400
"""Seconds for which the gateway remembers an idempotency key; afterwards the same key charges anew."""

_TOUCHES: Touches = {b"gateway": "w"}


class GatewayError(Exception):
    """The gateway refuses a request; no money has moved. `code` says why, for programs.

    ``card_declined``: ask for another card, or try again later. ``key_reused``: this idempotency key came before with
    another reference or amount; a key must stand for one request.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message)  # both, so that a task queue can pickle it
        self.code = code

    def __str__(self) -> str:
        return str(self.args[1])


@dataclass(frozen=True)
class Charge:
    """Money that moved."""

    id: str
    """``ch_1``, ``ch_2``, … in the order in which the gateway charged."""
    reference: str
    """What the caller charges for, e.g. an order id."""
    amount: int
    """In the currency's smallest unit."""


@dataclass(frozen=True)
class _Remembered:
    charge: Charge
    until_ns: int


class Ledger:
    """The gateway's own side: every charge of one world, and the keys under which they were made."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._keys: dict[str, _Remembered] = {}
        self._declines = 0
        self.charges: list[Charge] = []

    def decline(self, times: int) -> None:
        self._declines = times

    def charge(self, reference: str, amount: int, key: str | None) -> Charge:
        now = self._world.clock.elapsed_ns
        known = self._keys.get(key) if key is not None else None
        if known is not None and now <= known.until_ns:
            if (known.charge.reference, known.charge.amount) != (reference, amount):
                raise GatewayError("key_reused", f"idempotency key {key!r} came before with another request")
            return known.charge
        if self._declines > 0:
            self._declines -= 1
            raise GatewayError("card_declined", "the card was declined")
        charge = Charge(f"ch_{len(self.charges) + 1}", reference, amount)
        self.charges.append(charge)
        if key is not None:
            self._keys[key] = _Remembered(charge, now + KEY_LIFETIME_S * 1_000_000_000)
        return charge


class _Client:
    def __init__(self, world: World, ledger: Ledger) -> None:
        self._world = world
        self._ledger = ledger

    @property
    @for_tests
    def ledger(self) -> list[Charge]:
        """Every charge so far, oldest first. Inspection: no step, no trace."""
        return list(self._ledger.charges)

    @for_tests
    def decline_next(self, times: int = 1) -> None:
        """Refuse the next `times` charges with ``card_declined``."""
        self._ledger.decline(times)


class Gateway(_Client):
    """The asynchronous client of a world's gateway."""

    async def charge(self, reference: str, amount: int, *, idempotency_key: str | None = None) -> dict[str, Any]:
        """Charge `amount` (smallest currency unit) for `reference`.

        Returns the charge as JSON: ``{"id": "ch_1", "reference": "order-7", "amount": 1999}``; for a key seen in the
        last 24 h, the first charge. Raises GatewayError if refused, and ConnectionError if the connection broke, which
        says nothing about whether the money moved.
        """
        text, apply = _request(self._ledger, reference, amount, idempotency_key)
        return await self._world.call(text, apply, _TOUCHES, _lost)


class GatewaySync(_Client):
    """The synchronous client of a world's gateway; see `Gateway`."""

    def charge(self, reference: str, amount: int, *, idempotency_key: str | None = None) -> dict[str, Any]:
        """See `Gateway.charge`."""
        text, apply = _request(self._ledger, reference, amount, idempotency_key)
        return self._world.call_sync(text, apply, _TOUCHES, _lost)


def _request(ledger: Ledger, reference: str, amount: int, key: str | None) -> tuple[str, Callable[[], dict[str, Any]]]:
    if type(amount) is bool or not is_a(amount, int) or whole(amount) <= 0:
        raise ValueError(f"amount must be a positive whole number of the smallest currency unit, not {amount!r}")
    # What comes over a wire is text and a number, with no class of the caller's that would equal every key.
    reference, amount, key = text(reference), whole(amount), None if key is None else text(key)
    told = "" if key is None else f" key={key}"
    return f"charge {reference} {amount}{told}", lambda: dict(vars(ledger.charge(reference, amount, key)))


def _lost(message: str) -> Exception:
    return ConnectionError(f"payment gateway: {message}")
