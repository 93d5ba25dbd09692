"""Grading on other machines: whoever is killed, and whenever, the book is the one that a single machine makes."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest
import trustme
from kombu.connection import Connection

from dojo.catalog import load
from dojo.grader import trusted
from dojo.grader.config import Config, Limits
from dojo.grader.confine.cage import Bars
from dojo.grader.guard import Confinement
from dojo.grader.journal import Entry, Journal
from dojo.grader.model import GraderError, TestVerdict, Verdict
from dojo.grader.remote import asking, broker
from dojo.grader.remote.machine import Desk, Machine, Unfit
from dojo.grader.remote.wire import Assignment, Reply, weakest
from dojo.grader.supervisor import JOURNAL, Order, Outcome, Task, grade

from . import far

CATALOG = load()
KATA = CATALOG.find("backoff_schedule")
ASSIGNMENT = Assignment("k", "", "backoff_schedule", b"x = 1\n", ("d",), "lab", Limits(), "grade.results.b", b"\xff")
GRADED = Reply(
    "graded",
    "k",
    "",
    "host:1",
    "",
    "process",
    ("use the network",),
    Verdict("backoff_schedule", "failed", "no", (TestVerdict("test_x", 1, "A rule.", "failed"),), ("a flag",)),
)


HIDDEN = '''
from backoff_schedule import delay


def test_the_tenth_delay(lab):
    """Rule 1. The tenth retry waits 512 times as long as the first."""
    lab.expect("delay before retry 10", delay(10, base=1, cap=1000), 512.0, trap="not-doubling")
'''

# What they tell each other


def test_what_is_sent_is_what_arrives() -> None:
    assert Assignment.from_json(json.loads(json.dumps(ASSIGNMENT.to_json()))) == ASSIGNMENT
    assert Reply.from_json(json.loads(json.dumps(GRADED.to_json()))) == GRADED


@pytest.mark.parametrize(
    "change", [{"kind": "passed"}, {"tier": "castle"}, {"verdict": None}, {"more": 1}, {"verdict": {"tests": 1}}]
)
def test_a_reply_that_is_none_is_not_taken_for_one(change: dict[str, object]) -> None:
    with pytest.raises((ValueError, TypeError, KeyError)):
        Reply.from_json({**GRADED.to_json(), **change})


def test_a_book_claims_no_more_than_its_weakest_machine() -> None:
    assert weakest(["namespaces"]) == "namespaces"
    assert weakest(["process", "namespaces"]) == "process"
    assert weakest(["namespaces", "none", "process"]) == weakest(["castle", "process"]) == weakest([]) == "none"


def test_a_broker_of_another_kind_or_out_of_reach_is_said_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(GraderError, match=r"say redis://.*amqp://"):
        broker.broker_at("kafka://host")
    for url in ("redis://:secret@127.0.0.1:1/0", "amqp://me:secret@127.0.0.1:1//"):
        with pytest.raises(GraderError, match="Start the server, or see that host, port") as error:
            broker.reach(broker.broker_at(url))
        assert "secret" not in str(error.value)
    with pytest.raises(GraderError, match="cannot be reached"):
        _grade(tmp_path, tmp_path / "book", "redis://127.0.0.1:1/0", [])


@pytest.mark.parametrize("scheme", ["amqps", "rediss"])
def test_a_broker_over_tls_has_to_be_the_one_in_the_url(
    scheme: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody between the two with a certificate of a name of their own hears neither password nor tests."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    for name, believed in (("localhost", True), ("elsewhere.example", False)):
        with far.tls_server(authority.issue_cert(name)) as (port, shaken):
            server = broker.broker_at(f"{scheme}://me:secret@localhost:{port}/")
            with pytest.raises(GraderError, match="SSL_CERT_FILE has to name"):
                broker.reach(server)
            with contextlib.suppress(*broker.broken(server)), broker.celery_app(server).connection_for_read() as line:
                line.ensure_connection(max_retries=1, interval_start=0, timeout=5)
        assert len(shaken) >= 2
        assert set(shaken) == {believed}


def test_a_worker_with_other_tests_or_another_lab_does_not_grade(tmp_path: Path) -> None:
    lab = trusted.lab_version()
    machine = Machine(
        CATALOG, {KATA.name: KATA}, tmp_path, tmp_path, {KATA.name: ()}, Confinement(Bars("none"), ()), (), lab
    )
    fitting = replace(ASSIGNMENT, lab=lab, hidden=None)
    for asked, remedy in (
        (replace(fitting, lab="other"), "another lab: another Python"),
        (fitting, "other tests of backoff_schedule. Update it"),
        (replace(fitting, kata="later_kata"), "no later_kata. Update it"),
    ):
        desk = Desk(machine, 0)
        with pytest.raises(Unfit, match=remedy):
            desk.grade(asked)
        desk.close()


# A broker, and nobody but us


@pytest.fixture(scope="module")
def valkey() -> Iterator[far.Valkey]:
    with far.valkey() as server:
        yield server


class _Bench:
    """As much of the supervisor's as a line to the broker looks at."""

    files = (trusted.TestFile(KATA.name, "test", False, "d"),)
    lab = "lab"


def _asked(
    url: str, book: Path, answer: Callable[[Assignment], list[Reply]], again: tuple[str, ...] = ()
) -> tuple[list[tuple[str, Verdict]], list[str], Journal]:
    """What the line makes of two tasks, `k` and `l`, if a worker answers so."""
    said: list[str] = []
    stop = threading.Event()

    def serve() -> None:
        server = broker.broker_at(url)
        with server.connection() as connection:
            queue = connection.SimpleQueue(broker.task_queue(server))
            while not stop.is_set():
                try:
                    message = queue.get(timeout=0.1)
                except queue.Empty:
                    continue
                [[data], *_] = message.payload
                asked = Assignment.from_json(data)
                for reply in answer(asked):
                    _send(connection, asked.reply_to, reply.to_json())
                message.ack()

    worker = threading.Thread(target=serve)
    worker.start()
    try:
        with Journal(book / JOURNAL, tell=said.append) as journal:
            sha = journal.keep_source(b"x = 1\n")
            tasks = [Task(KATA.name, key, sha, ("Ada",)) for key in ("k", "l")]
            line = asking.Line(url, journal, said.append)
            inventory = MappingProxyType({KATA.name: GRADED.verdict.tests if GRADED.verdict else ()})
            with line:
                line.agree(_Bench(), inventory, Config(), again)  # type: ignore[arg-type]
                found = [(task.key, verdict) for task, verdict in line.verdicts(tasks)]
            return found, said, journal
    finally:
        stop.set()
        worker.join()


def _send(connection: Connection, queue: str, body: object) -> None:
    connection.Producer().publish(body, exchange="", routing_key=queue, serializer="json")


def test_duplicates_strangers_and_old_rounds_change_nothing(valkey: far.Valkey, tmp_path: Path) -> None:
    """For `k`, which is graded again, a verdict from before it was asked for again does not count."""
    passed = replace(GRADED, verdict=replace(GRADED.verdict, status="passed"))  # type: ignore[type-var]

    def answer(asked: Assignment) -> list[Reply]:
        right = replace(GRADED, key=asked.key, round=asked.round)
        return [replace(passed, key="stranger"), replace(passed, key="k", round="before"), right, right]

    found, _, _ = _asked(valkey.url, tmp_path, answer, again=("k",))
    assert sorted(found) == [("k", GRADED.verdict), ("l", GRADED.verdict)]


def test_a_verdict_about_other_tests_is_not_taken(valkey: far.Valkey, tmp_path: Path) -> None:
    """The denominator is the asking machine's; after three such answers from nobody better, the batch gives up."""
    less = replace(GRADED, verdict=Verdict(KATA.name, "passed"))  # type: ignore[arg-type]
    found, said, _ = _asked(valkey.url, tmp_path, lambda asked: [replace(less, key=asked.key, round=asked.round)])
    assert [(key, verdict.status) for key, verdict in sorted(found)] == [("k", "ungraded"), ("l", "ungraded")]
    assert "its verdict is not about the tests that were asked for" in found[0][1].message
    assert len(said) == 1


def test_where_every_worker_refuses_the_reason_is_in_the_book(valkey: far.Valkey, tmp_path: Path) -> None:
    def answer(asked: Assignment) -> list[Reply]:
        return [Reply("refused", asked.key, asked.round, "host:1", "this worker has another lab. Update it.")]

    found, said, _ = _asked(valkey.url, tmp_path, answer)
    why = "host:1: this worker has another lab. Update it."
    assert {(verdict.status, verdict.message) for _, verdict in found} == {("ungraded", f"no worker could. {why}")}
    assert said == [f"a worker cannot grade backoff_schedule. {why}"]


# Real workers


def _handed_in(folder: Path) -> dict[str, bytes]:
    """Five files, each another one: right, not begun, wrong in three ways."""
    mutants = sorted((CATALOG.root / "tests/mutants" / KATA.track / KATA.name).glob("*.py"))[:3]
    files = [KATA.solution, KATA.stub, *mutants]
    found = {f"student-{number}": file.read_bytes() for number, file in enumerate(files)}
    for name, text in found.items():
        (folder / name).mkdir(parents=True)
        (folder / name / f"{KATA.name}.py").write_bytes(text)
    return found


HELD = """
import select
import sys

if not hasattr(sys, "held"):
    sys.held = True
    select.select([], [], [], 3)
"""
"""So that whoever runs it is caught at it, however busy the machine: three real seconds, once in a process."""


class _Listener:
    def __init__(self, said: list[str]) -> None:
        self.said = said.append
        self.verdicts: list[str] = []

    def found(self, entry: Entry) -> None: ...

    def begins(self, tasks: int, kept: int) -> None: ...

    def done(self, task: Task, verdict: Verdict) -> None:
        self.verdicts.append(task.key)


def _grade(folder: Path, book: Path, queue: str | None, said: list[str], hidden: Path | None = None) -> Outcome:
    order = Order(folder, book, (KATA,), Config(hidden=hidden), cells=1, queue=queue)
    return grade(order, CATALOG, _Listener(said))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("handed-in") / "class"
    _handed_in(folder)
    with (folder / "student-3" / f"{KATA.name}.py").open("a") as file:
        file.write(HELD)
    return folder


@pytest.fixture(scope="module")
def local(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The grades that one machine gives."""
    book = tmp_path_factory.mktemp("local")
    assert not _grade(folder, book, None, []).ungraded
    return (book / "grades.csv").read_bytes()


@pytest.fixture(scope="module")
def workers(valkey: far.Valkey, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[far.Worker]]:
    logs = tmp_path_factory.mktemp("workers")
    found = [far.Worker(valkey.url, logs / str(number), "--katas", KATA.name) for number in range(2)]
    try:
        for worker in found:
            worker.start()
        for worker in found:
            far.until(worker.ready)
        yield found
        assert [worker.stop() for worker in found] == [0, 0]
    finally:
        for worker in found:
            worker.kill()


def _holder(valkey: far.Valkey, key: str) -> int | None:
    """The process that has this in work."""
    held = valkey.client.keys(f"dojo:lease:{key}:*")
    assert isinstance(held, list)
    found = valkey.client.get(held[0]) if held else None
    assert found is None or isinstance(found, bytes)
    return int(found.rpartition(b":")[2]) if found else None


def _keys(book: Path) -> dict[str, str]:
    with Journal(book / JOURNAL, reading=True) as journal:
        return {entry.name: key for entry in journal.entries() for key in entry.keys.values()}


def test_workers_are_killed_and_the_book_is_the_same(
    valkey: far.Valkey, workers: list[far.Worker], folder: Path, local: bytes, tmp_path: Path
) -> None:
    """One file is fatal: whatever process runs it is killed. A whole worker is killed meanwhile as well."""
    said: list[str] = []
    outcomes: list[Outcome] = []
    batch = threading.Thread(target=lambda: outcomes.append(_grade(folder, tmp_path, valkey.url, said)))
    batch.start()
    far.until(lambda: (tmp_path / JOURNAL).exists() and valkey.client.exists("dojo:unacked"))
    fatal = _keys(tmp_path)["student-3"]
    victims: list[int] = []
    while batch.is_alive():
        holder = _holder(valkey, fatal)
        if holder is not None and holder not in victims and len(victims) < 2:
            victims.append(holder)
            os.kill(holder, signal.SIGKILL)
            if len(victims) == 1:
                workers[0].kill()
                workers[0].start()
        batch.join(0.005)
    [outcome] = outcomes
    assert outcome.ungraded == ("student-3/backoff_schedule",)
    [message] = [student.katas[0].verdict.message for student in outcome.report.students if student.name == "student-3"]
    assert message == "it ended the workers that ran it, 2 times. It is kept in the queue grade.dead."
    assert len(victims) == 2
    [letter] = valkey.client.lrange("dojo:grade.dead", 0, -1)  # type: ignore[misc]
    body = json.loads(base64.b64decode(json.loads(letter)["body"]))
    assert (body["assignment"]["key"], body["why"]) == (fatal, message)

    again = _grade(folder, tmp_path, valkey.url, said)
    assert (again.graded, again.ungraded) == (1, ())
    assert (tmp_path / "grades.csv").read_bytes() == local
    assert again.report.tier in ("namespaces", "process")


def test_hidden_tests_travel_with_the_task(
    valkey: far.Valkey, workers: list[far.Worker], folder: Path, tmp_path: Path
) -> None:
    """The workers have never seen them: the asking machine alone has the course's own tests."""
    course = tmp_path / "course"
    course.mkdir()
    (course / KATA.test_file.name).write_text(HIDDEN)
    few = tmp_path / "few"
    for name in ("student-0", "student-1"):
        shutil.copytree(folder / name, few / name)
    said: list[str] = []
    here = _grade(few, tmp_path / "here", None, said, course).report
    afar = _grade(few, tmp_path / "afar", valkey.url, said, course).report
    assert not said
    own = [[test for test in student.katas[0].verdict.tests if test.hidden] for student in afar.students]
    assert [[(test.name, test.status) for test in tests] for tests in own] == [
        [("test_the_tenth_delay", "passed")],
        [("test_the_tenth_delay", "failed")],
    ]
    assert [student.katas[0].tests for student in afar.students] == [
        student.katas[0].tests for student in here.students
    ]


def test_the_asking_machine_is_killed_and_the_broker_too(
    valkey: far.Valkey, workers: list[far.Worker], folder: Path, local: bytes, tmp_path: Path
) -> None:
    """The broker comes back with nothing in it."""
    command = far.dojo("grade", str(folder), "--katas", KATA.name, "--out", str(tmp_path), "--queue", valkey.url)

    def start() -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            command, cwd=far.ROOT, env=far.environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )

    def graded(count: int) -> Callable[[], bool]:
        def enough() -> bool:
            try:
                with Journal(tmp_path / JOURNAL, reading=True) as journal:
                    return journal.progress().graded >= count
            except GraderError:
                return False

        return enough

    first = start()
    far.until(graded(1))
    first.kill()
    first.communicate()
    kept = graded(2)()
    second = start()
    far.until(graded(2 + kept))
    valkey.kill()
    valkey.start()
    output, _ = second.communicate(timeout=far.PATIENCE_S)
    assert second.returncode == 0, output.decode()
    assert (tmp_path / "grades.csv").read_bytes() == local
