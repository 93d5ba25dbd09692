"""A kombu transport over `celery_queues`: every publish, delivery and acknowledgement is a step of the world."""

# mypy: disable-error-code="no-untyped-call"
# (kombu ships py.typed, but its virtual channel, which this file extends, has no annotations)

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from queue import Empty
from typing import Any, NoReturn, TypeVar

from amqp.protocol import queue_declare_ok_t
from kombu.transport import virtual

from dojo.lab.celery_queues import Queues, Raw, label
from dojo.lab.clock import NS
from dojo.lab.copies import copied
from dojo.lab.world import World

T = TypeVar("T")


class Broker:
    """The state behind one world's transport. kombu's own in-memory transport keeps this in class attributes."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.bindings = virtual.BrokerState()
        self.queues = Queues(lambda: world.clock.wall_ns, self.route, self._tell)
        self.channels: list[Channel] = []
        self.down = False
        """Whether it cannot be reached: no connection is made, and none that there was still works."""
        self.transport: type[Transport] = type("LabTransport", (Transport,), {"broker": self})

    def route(self, exchange: str, routing_key: str) -> list[str]:
        """The queues that a message goes to, in a stable order."""
        if not exchange:
            return [routing_key]
        return self.channels[0].lookup(exchange, routing_key) if self.channels else []

    def close(self) -> None:
        # An open channel registers an exit hook in kombu, which would keep this world alive for ever.
        for channel in list(self.channels):
            channel.close()

    def _tell(self, line: str) -> None:
        self.world.trace.note(self.world.actor, self.world.clock.elapsed, line)


def _lost(message: str) -> Exception:
    return ConnectionResetError(message)


def _refused() -> NoReturn:
    raise ConnectionRefusedError("connection refused (outage)")


class Fetched:
    """What `basic_get` of an AMQP channel gives: a message that cannot settle itself.

    kombu's virtual channels are kinder, and code that relies on it fails on RabbitMQ.
    """

    def __init__(self, message: Any) -> None:
        self.message = message

    def __getattr__(self, name: str) -> Any:
        if name in ("ack", "reject", "requeue", "decode", "payload"):
            raise AttributeError(
                f"a message from basic_get has no {name!r}; get it by kombu.Queue(name)(channel).get()"
            )
        return getattr(self.message, name)


class Channel(virtual.Channel):
    """One consumer's or producer's channel; when it goes, what it holds goes back to the queues."""

    do_restore = False
    supports_fanout = True

    def __init__(self, connection: Any, **options: Any) -> None:
        super().__init__(connection, **options)
        self._broker: Broker = connection.broker
        self._broker.channels.append(self)

    # gated steps

    def basic_publish(self, message: Raw, exchange: str, routing_key: str, **options: Any) -> None:
        sent = copied(message)
        deliver = super().basic_publish

        def apply() -> str:
            deliver(sent, exchange, routing_key, **options)
            return "OK"

        to = "/".join(dict.fromkeys(name for name in (exchange, routing_key) if name))
        self._step(f"PUBLISH {to} {label(message)}{_delay(message, self._broker.world)}", to, apply)

    def _get(self, queue: str, timeout: float | None = None) -> Raw:
        world = self._broker.world
        held = self._step(f"GET {queue}", queue, lambda: self._broker.queues.take(queue, world.actor, self))
        if held is None:
            raise Empty
        return held.message.raw

    def basic_get(self, queue: str, no_ack: bool = False, **options: Any) -> Fetched | None:
        message = super().basic_get(queue, no_ack, **options)
        return None if message is None else Fetched(message)

    def message_to_python(self, raw_message: Any) -> Any:
        return raw_message.message if isinstance(raw_message, Fetched) else super().message_to_python(raw_message)

    def basic_ack(self, delivery_tag: int, multiple: bool = False) -> None:
        self._settle(f"ACK {self._told(delivery_tag)}", lambda: self._broker.queues.ack(delivery_tag))
        super().basic_ack(delivery_tag, multiple)

    def basic_reject(self, delivery_tag: int, requeue: bool = False) -> None:
        verb = "REQUEUE" if requeue else "REJECT"
        self._settle(
            f"{verb} {self._told(delivery_tag)}", lambda: self._broker.queues.reject(delivery_tag, requeue=requeue)
        )
        self.qos.ack(delivery_tag)

    def _settle(self, text: str, apply: Callable[[], Any]) -> None:
        def settled() -> str:
            apply()
            return "OK"

        self._step(text, None, settled)

    def _step(self, text: str, queue: str | None, apply: Callable[[], T]) -> T:
        touches: Any = None if queue is None else {f"queue {queue}".encode(): "w"}
        if self._broker.down:
            apply = _refused
        try:
            return self._broker.world.call_sync(text, apply, touches, _lost)
        except ConnectionError:
            self._broker.queues.lose(self)
            raise

    def _told(self, tag: int) -> str:
        message = self.qos._delivered.get(tag)
        return label({"headers": message.headers}) if message is not None else f"delivery {tag}"

    # what kombu's virtual channel asks of a transport

    def _put(self, queue: str, message: Raw, **options: Any) -> None:
        self._broker.queues.put(queue, message)

    def _put_fanout(self, exchange: str, message: Raw, routing_key: str, **options: Any) -> None:
        for queue in self.lookup(exchange, routing_key):
            self._put(queue, message)

    def _queue_bind(self, *binding: Any) -> None:
        """Bindings live in the exchanges' tables; there is nothing to add."""

    def lookup(self, exchange: str, routing_key: str) -> list[str]:
        """The queues of a binding, in an order that no hash seed changes (kombu collects them in a set)."""
        return sorted(self._lookup(exchange, routing_key))

    def queue_declare(self, queue: str | None = None, passive: bool = False, **options: Any) -> Any:
        """A passive declaration asks whether a queue exists, and for nothing else."""
        if passive and queue is not None and self._has_queue(queue):
            return queue_declare_ok_t(queue, self._size(queue), 0)
        return super().queue_declare(queue, passive, **options)

    def _new_queue(self, queue: str, **options: Any) -> None:
        self._broker.queues.declare(queue, options.get("arguments"))

    def _has_queue(self, queue: str, **options: Any) -> bool:
        return self._broker.queues.exists(queue)

    def _size(self, queue: str) -> int:
        return self._broker.queues.depth(queue)

    def _purge(self, queue: str) -> int:
        return self._broker.queues.purge(queue)

    def _delete(self, queue: str, *binding: Any, **options: Any) -> None:
        self._broker.queues.delete(queue)

    def after_reply_message_received(self, queue: str) -> None:
        """Reply queues are not used here."""

    def close(self) -> None:
        if self in self._broker.channels:
            self._broker.channels.remove(self)
            self._broker.queues.lose(self)
        super().close()


class Transport(virtual.Transport):
    """A connection to a world's broker. Subclassed once a world, because kombu is given a class."""

    Channel = Channel
    broker: Broker
    connection_errors = recoverable_connection_errors = (OSError,)
    """What kombu publishes again for, after a new connection; the AMQP transport says the same."""
    driver_type = "memory"
    driver_name = "memory"

    def __init__(self, client: Any, **options: Any) -> None:
        super().__init__(client, **options)
        self.state = self.broker.bindings

    def driver_version(self) -> str:
        return "N/A"

    def establish_connection(self) -> Any:
        return _refused() if self.broker.down else super().establish_connection()


def _delay(message: Raw, world: World) -> str:
    """When the task is due, if not at once."""
    eta = (message.get("headers") or {}).get("eta")
    wait = 0.0 if eta is None else datetime.fromisoformat(eta).timestamp() - world.clock.wall_ns / NS
    return f", due in {wait:g} s" if wait > 0 else ""
