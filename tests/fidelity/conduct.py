"""Runs one script of Redis commands on a server, and notes every reply as it comes off the wire.

A script is text, a line a step::

    SET greeting "good day" NX        a command, quoted as in a shell; \\xHH and \\n are bytes
    2> SUBSCRIBE news                 the same on a second connection
    2<                                what that connection is told meanwhile: messages
    @ 59.999                          so many seconds pass
    # anything                        a comment

Replies are RESP 2: integers, bytes, None, lists, or the first word of an error. Where a server promises no order (the
members of a set), they are sorted.
"""

from __future__ import annotations

import codecs
import re
import shlex
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import redis

from dojo.lab.explore import Experiment, Plan
from dojo.lab.servers import Backend, connection_options

UNORDERED = frozenset(["SMEMBERS", "SUNION", "SINTER", "SDIFF", "HKEYS", "HVALS", "KEYS", "SCRIPT"])
PAIRS = frozenset({"HGETALL"})
_QUIET_S = 0.05
"""Real seconds after which a connection has been told all; a server on this machine takes a thousandth."""


@dataclass(frozen=True)
class Reply:
    """One step's outcome."""

    step: str
    value: Any

    def __str__(self) -> str:
        return f"{self.step}  ->  {self.value!r}"


def replies(script: str, backend: Backend) -> list[Reply]:
    """What `backend` answers to each step, on an empty server that begins at the lab's epoch."""
    told: list[Reply] = []

    def body(lab: Any) -> None:
        connections: dict[str, Any] = {}
        for line in (line.strip() for line in script.splitlines()):
            if not line or line.startswith("#"):
                continue
            if line.startswith("@"):
                time.sleep(float(line[1:]))
                continue
            number, mark, rest = _addressed(line)
            lab.server.raw.ping()  # brings the server's clock to the world's
            if number not in connections:
                pool = redis.ConnectionPool(
                    connection_class=backend.sync_connection, **connection_options(), **lab.server.options
                )
                connections[number] = pool.get_connection()
            value = _said(connections[number]) if mark == "<" else _answer(connections[number], rest)
            told.append(Reply(line, value))
        for connection in connections.values():
            connection.disconnect()

    run = Experiment(body, {}, backend).run(Plan())
    if run.error is not None:
        raise run.error
    return told


def _addressed(line: str) -> tuple[str, str, str]:
    found = re.match(r"(\d)([<>])\s*(.*)", line)
    return (found[1], found[2], found[3]) if found else ("1", ">", line)


def _answer(connection: Any, command: str) -> Any:
    words = [codecs.escape_decode(word.encode())[0] for word in shlex.split(command)]
    connection.send_command(*words)
    return _tidy(words[0].decode().upper(), _read(connection))


def _said(connection: Any) -> list[Any]:
    messages = []
    while connection.can_read(_QUIET_S):
        messages.append(_read(connection))
    return messages


def _read(connection: Any) -> Any:
    try:
        return _plain(connection.read_response())
    except redis.ResponseError as error:
        return _error(error)


def _error(error: Exception) -> str:
    # redis-py makes classes of the codes that it knows, and takes the code off.
    return type(error).__name__ if type(error) is not redis.ResponseError else "ERR"


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return _error(value) if isinstance(value, Exception) else value


def _tidy(command: str, value: Any) -> Any:
    if not isinstance(value, list):
        return value
    if command in UNORDERED:
        return sorted(value, key=repr)
    if command in PAIRS:
        return sorted(zip(value[::2], value[1::2], strict=True))
    return value


def differences(script: str, one: Backend, other: Backend) -> tuple[int, list[tuple[Reply, Reply]]]:
    """How many replies were compared, and those that differ."""
    pairs: Sequence[tuple[Reply, Reply]] = list(zip(replies(script, one), replies(script, other), strict=True))
    return len(pairs), [(a, b) for a, b in pairs if not _same(a.value, b.value)]


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return type(one) is type(other) and one == other
