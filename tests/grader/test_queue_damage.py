"""A broker that holds what it should not: damaged, forged and other versions' messages, and other people's."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dojo.grader.model import GraderError
from dojo.grader.remote import broker
from dojo.grader.remote.wire import TASK, Assignment, Reply

from . import far
from .test_queue import ASSIGNMENT, GRADED, KATA, _asked, _grade, _handed_in, _send

SECRET = "s3cret"


@pytest.fixture(scope="module")
def valkey() -> Iterator[far.Valkey]:
    with far.valkey() as server:
        yield server


@pytest.mark.parametrize(
    "url", ["redis://:{}#@h", "redis://:{}/@h", "redis://:{}?@h", "redis://[:{}@h", "redis://h/0?password={}",
            "amqp://me:{}#@h//", "redis://:{}@h:port/0", "redis://:{}@h/db", "rediss://:{}@h/0?ssl_cert_reqs=maybe",
            "redis://:{}", "{}"],
)  # fmt: skip
def test_a_url_that_cannot_be_used_is_said_without_its_password(url: str) -> None:
    with pytest.raises(GraderError) as error:
        broker.reach(broker.broker_at(url.format(SECRET)))
    assert SECRET not in str(error.value)
    assert error.value.__cause__ is None


def test_the_url_may_stand_in_a_file_and_so_not_in_the_list_of_processes(tmp_path: Path) -> None:
    (tmp_path / "url").write_text(f"redis://:{SECRET}@h/0\n")
    assert broker.broker_at(f"@{tmp_path / 'url'}").url == f"redis://:{SECRET}@h/0"
    with pytest.raises(GraderError, match="cannot be read"):
        broker.broker_at(f"@{tmp_path / 'none'}")


def test_what_is_sent_on_is_of_the_right_types() -> None:
    for change in ({"kata": ["x"]}, {"limits": {"wall_seconds": "long"}}, {"digests": [1]}, {"key": None}):
        with pytest.raises((ValueError, TypeError)):
            Assignment.from_json({**ASSIGNMENT.to_json(), **change})


Damage = Callable[[far.Valkey, Assignment], object]


def _text(text: str | bytes) -> Damage:
    return lambda valkey, asked: valkey.client.lpush(f"dojo:{asked.reply_to}", text)


def _reply(verdict: dict[str, object] | None = None, **change: object) -> Damage:
    def send(valkey: far.Valkey, asked: Assignment) -> None:
        right = replace(GRADED, key=asked.key, round=asked.round).to_json()
        with broker.broker_at(valkey.url).connection() as connection:
            _send(connection, asked.reply_to, {**right, **change, "verdict": {**right["verdict"], **(verdict or {})}})

    return send


TEST: dict[str, Any] = {"name": "test_x", "rule": 1, "text": "A rule.", "status": "failed"}
DAMAGES: dict[str, Damage] = {
    "no JSON": _text("xxx"),
    "a list": _text("[1]"),
    "no message": _text("{}"),
    "no text": _text(b"\xff\xfe"),
    "a key that is a list": _reply(key=["k"]),
    "a worker that is a list": _reply(worker=["w"]),
    "odd confinement": _reply(not_enforced=[1, [2]]),
    "another status": _reply({"status": "superb"}),
    "a message that is none": _reply({"message": 5}),
    "flags of numbers": _reply({"flags": [1, None]}),
    "no number": _reply({"cpu_seconds": float("nan")}),
    "a test with another status": _reply({"tests": [{**TEST, "status": "great"}]}),
    "a test with another message": _reply({"tests": [{**TEST, "message": [1]}]}),
    "passed, with a test that failed": _reply({"status": "passed"}),
    "a hidden test that is none": _reply({"tests": [{**TEST, "hidden": True}]}),
    "somebody else's work": lambda valkey, asked: valkey.client.hset("dojo:unacked", "tag", "xxx"),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_reply_is_passed_over(damage: Damage, valkey: far.Valkey, tmp_path: Path) -> None:
    """It ends no batch, and nothing of it gets into the journal, where it would end each one from now on."""
    first: list[str] = []

    def answer(asked: Assignment) -> list[Reply]:
        if not first:
            first.append(asked.key)
            damage(valkey, asked)
        return [replace(GRADED, key=asked.key, round=asked.round)]

    found, _, _ = _asked(valkey.url, tmp_path, answer)
    assert {verdict for _, verdict in found} == {GRADED.verdict}
    assert len(found) == 2


def test_whoever_grades_the_same_file_at_the_same_time_is_nobodys_second_attempt(valkey: far.Valkey) -> None:
    """Three courses hand in the stub: none of their workers has died."""
    server = broker.broker_at(valkey.url)
    tasks = [replace(ASSIGNMENT, reply_to=f"grade.results.{name}").id for name in "abc"]
    assert [server.deliveries(task, {}) for task in tasks] == [1, 1, 1]
    with server.held(tasks[0], "host:1"), server.held(tasks[1], "host:2"):
        far.until(lambda: valkey.client.exists(*(f"dojo:lease:{task}" for task in tasks)) == 2)
    server.finished(tasks[0], "grade.results.a")
    assert server.deliveries(tasks[1], {}) == 2


def test_a_worker_outlives_what_is_no_task(valkey: far.Valkey, tmp_path: Path) -> None:
    worker = far.Worker(valkey.url, tmp_path / "log", "--katas", KATA.name)
    worker.start()
    try:
        far.until(worker.ready)
        nothing = {"body": base64.b64encode(b"x").decode(), "content-type": "application/json", "properties": {}}
        for text in ("xxx", "[1]", "{}", json.dumps(nothing)):
            valkey.client.lpush("dojo:grade.tasks", text)
            far.until(lambda: not valkey.client.exists("dojo:grade.tasks"))
            time.sleep(0.2)
        server = broker.broker_at(valkey.url)
        for arguments in ([], [7], [{"kata": 1}], [{**ASSIGNMENT.to_json(), "limits": {"wall_seconds": "long"}}]):
            broker.celery_app(server).send_task(TASK, args=arguments, queue=broker.TASKS)
        _handed_in(tmp_path / "class")
        said: list[str] = []
        assert not _grade(tmp_path / "class", tmp_path / "book", valkey.url, said).ungraded
        assert worker.stop() == 0
    finally:
        worker.kill()
