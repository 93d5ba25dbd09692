"""The side that asks: hands tasks to the broker, and hears what became of them until each has its verdict.

What it promises, whoever is killed meanwhile: each task ends with exactly one verdict. It is given out before its
reply is acknowledged, so a reply whose verdict is not yet in the journal comes again. A task is handed to the broker
once more

- if the server has lost its memory (a Redis without persistence that was started again),
- if a worker refused it, and said why; after a few refusals it is ungraded,
- if there is no news of it for twice what it may take: since somebody began it, or since it should have been taken
  because nothing is waiting any more. After a few such silences it is ungraded.

When this side is started again, what it had asked for is still with the broker, and is not asked for a second time;
if nothing waits there any more and no news of it comes soon, it is.

While tasks wait and nobody takes them, that is said, and nothing else happens: workers may come at any time.
"""

from __future__ import annotations

import random
import time
import uuid
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic
from types import TracebackType
from typing import TYPE_CHECKING, Any

from kombu.connection import Connection
from kombu.exceptions import KombuError
from kombu.message import Message
from kombu.messaging import Consumer, Producer

from dojo.grader.config import Config
from dojo.grader.confine.cage import Tier
from dojo.grader.journal import Journal
from dojo.grader.model import Inventory, Verdict
from dojo.grader.remote import broker
from dojo.grader.remote.wire import TASK, Assignment, Reply, weakest
from dojo.grader.verdict import status_of

if TYPE_CHECKING:
    from dojo.grader.supervisor import Bench, Task

WINDOW = 256
"""Tasks with the broker at a time: enough for many workers, and no more than it can keep of the largest files."""
GRACE_S = 60.0
"""On top of twice a kata's own time: a cell that has to be started, an answer that takes its time."""
_FEW, _SEVERAL = 3, 10
"""Refusals and silences after which a task is given up: the latter if some worker is known to be able to grade."""
_LOOK_S = 5.0
_LONELY_S = 15.0
_INHERITED_S = 30.0
_BASE_S, _CAP_S = 0.5, 15.0


@dataclass(frozen=True, slots=True)
class Terms:
    """Of a batch: what is asked for each of its tasks."""

    bench: Bench
    inventory: Inventory
    settings: Config
    again: Collection[str]
    """Keys that have a verdict, which is to be replaced."""
    round: str
    """For those; so that no reply from before is taken for the new one."""

    @property
    def patience_s(self) -> float:
        """How long there may be no news of a task that is in work."""
        return 2 * self.settings.limits.kata_seconds + GRACE_S

    def assignment(self, task: Task, source: bytes, reply_to: str) -> Assignment:
        hidden = self.settings.hidden_tests(task.kata)
        return Assignment(
            key=task.key,
            round=self.round_of(task),
            kata=task.kata,
            source=source,
            digests=tuple(file.digest for file in self.bench.files if file.kata == task.kata),
            lab=self.bench.lab,
            limits=self.settings.limits,
            reply_to=reply_to,
            hidden=None if hidden is None else hidden.read_bytes(),
        )

    def round_of(self, task: Task) -> str:
        return self.round if task.key in self.again else ""


@dataclass(slots=True)
class _Open:
    """A task without its verdict."""

    task: Task
    asked: bool = False
    begun: bool = False
    heard: float = 0.0
    """When there was news of it, by the monotonic clock."""
    refusals: int = 0
    silences: int = 0
    inherited: bool = False
    """It was asked for by an earlier process, and whether it is in work is not known."""


class Achieved:
    """The weakest confinement of all that was graded into a book, whichever machine did it."""

    def __init__(self, journal: Journal) -> None:
        kept = journal.meta("tier")
        self._journal = journal
        self._tiers = {kept} if kept else set()
        self.not_enforced = tuple(journal.meta("not_enforced") or ())
        """What a submission could have done on some machine."""

    def add(self, tier: str, not_enforced: Sequence[str]) -> None:
        """A machine with that confinement grades too: kept before any verdict of its."""
        more = tuple(dict.fromkeys([*self.not_enforced, *not_enforced]))
        if tier not in self._tiers or more != self.not_enforced:
            self._tiers.add(tier)
            self.not_enforced = more
            self._journal.set_meta("not_enforced", more)
            self._journal.set_meta("tier", self.tier)

    @property
    def tier(self) -> Tier:
        return weakest(self._tiers)


class Line:
    """The line to the broker of one book's batch; a context manager that finds out whether anybody answers."""

    def __init__(self, url: str, journal: Journal, tell: Callable[[str], None]) -> None:
        """Raises GraderError for a URL of no known kind."""
        batch = journal.meta("batch") or uuid.uuid4().hex
        journal.set_meta("batch", batch)  # it names the queue of replies, so after a restart they are found again
        self._broker = broker.broker_at(url)
        self._app = broker.celery_app(self._broker)
        self._journal = journal
        self._terms: Terms | None = None
        self._replies = broker.reply_queue(f"grade.results.{batch}")
        self._tell = tell
        self._told: set[str] = set()
        self.achieved = Achieved(journal)
        self._left: dict[str, _Open] = {}
        self._workers: set[str] = set()
        """Those who have graded."""
        self._heard_at = monotonic()
        self._why_refused = ""

    @property
    def reply_to(self) -> str:
        return str(self._replies.name)

    def __enter__(self) -> Line:
        """Raises GraderError if the broker cannot be reached."""
        broker.reach(self._broker)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:  # nobody will ask for these replies again
            with suppress(*broker.broken(self._broker)), self._broker.connection() as connection:
                self._replies(connection.default_channel).delete()

    def agree(self, bench: Bench, inventory: Inventory, settings: Config, again: Collection[str]) -> Line:
        """Sets what is asked; `again` are the keys that have a verdict, which is to be replaced."""
        self._terms = Terms(bench, inventory, settings, again, uuid.uuid4().hex)
        return self

    def verdicts(self, tasks: Sequence[Task]) -> Iterator[tuple[Task, Verdict]]:
        """Each task with its verdict, as they come. A pair is settled when the next one is asked for."""
        terms = self._terms
        assert terms is not None
        before = set(self._journal.meta("asked") or ()) - set(terms.again)
        now = monotonic()
        self._left = {
            task.key: _Open(task, asked=task.key in before, inherited=task.key in before, heard=now) for task in tasks
        }
        failures = 0
        broken = broker.broken(self._broker)
        while self._left:
            try:
                with self._broker.connection() as connection:
                    channel = connection.default_channel
                    self._begin(channel)
                    for settled in self._converse(connection, channel, terms):
                        if failures:
                            self._tell("the broker is back.")
                        failures = 0
                        if settled is not None:
                            yield settled
            except broken as error:
                failures += 1
                if failures == 1:
                    self._tell(f"the broker is gone ({error}); waiting for it. Nothing that is graded is lost.")
                time.sleep(random.uniform(0, min(_CAP_S, _BASE_S * 2**failures)))
        self._journal.set_meta("asked", [])

    def _begin(self, channel: Any) -> None:
        if not self._broker.remember(channel, self.reply_to):
            if any(each.asked for each in self._left.values()):
                self._tell("the broker has forgotten what was asked: it is asked again.")
            for each in self._left.values():
                each.asked = each.begun = each.inherited = False
        for queue in (broker.task_queue(self._broker), self._replies):
            queue(channel).declare()
        self._broker.give_back(channel, self.reply_to, first=True)

    def _converse(self, connection: Connection, channel: Any, terms: Terms) -> Iterator[tuple[Task, Verdict] | None]:
        """Over one connection, until all is settled or it breaks; None now and then."""
        heard: deque[Message] = deque()
        consumer = Consumer(channel, [self._replies], on_message=heard.append, accept=["json"], prefetch_count=16)
        producer = Producer(connection.channel())
        self._heard_at = looked = monotonic()
        drained = False  # what was answered before need not be asked
        with consumer:
            while self._left:
                try:
                    connection.drain_events(timeout=0.5)
                except TimeoutError:
                    drained = True
                except broker.UNREADABLE as error:  # no message at all; it is out of the queue now
                    self._once(f"something at the broker that is no reply: {error}. Who else writes there?")
                while heard:
                    message = heard.popleft()
                    for verdict in self._understood(message, terms):
                        yield verdict
                        del self._left[verdict[0].key]
                    message.ack()
                if monotonic() - looked > _LOOK_S:
                    looked = monotonic()
                    connection.heartbeat_check()
                    self._broker.give_back(channel, self.reply_to, first=False)
                    yield from self._overdue(self._broker.waiting(channel), terms.patience_s)
                if drained:
                    self._ask(producer, terms)
                yield None

    def _ask(self, producer: Producer, terms: Terms) -> None:
        """Hands to the broker what is not there yet, as long as there is room."""
        news = False
        room = WINDOW - sum(each.asked for each in self._left.values())
        for each in self._left.values():
            if room > 0 and not each.asked:
                source = self._journal.source(each.task.sha)
                it = terms.assignment(each.task, source, self.reply_to)
                self._app.send_task(
                    TASK, args=[it.to_json()], task_id=it.id, queue=broker.TASKS, producer=producer, retry=False
                )
                each.asked, each.begun, each.inherited, each.heard = True, False, False, monotonic()
                room -= 1
                news = True
        if news:
            asked = [key for key, each in self._left.items() if each.asked and key not in terms.again]
            self._journal.set_meta("asked", asked)

    def _understood(self, message: Message, terms: Terms) -> Iterator[tuple[Task, Verdict]]:
        """The task that is settled by this message, with its verdict, if one is."""
        try:
            reply = Reply.from_json(message.payload)
        except (KombuError, ValueError, TypeError, KeyError) as error:
            self._once(f"a reply that cannot be read: {error}. Are all workers of this version?")
            return
        each = self._left.get(reply.key)
        self._heard_at = monotonic()
        if each is None or reply.round != terms.round_of(each.task):
            return  # a duplicate, or from before
        each.heard = monotonic()
        if reply.kind == "begun":
            each.begun = True
        elif reply.kind == "dead":
            self._once(f"{each.task.kata} of {', '.join(each.task.students)}: {reply.why}")
            yield each.task, Verdict(each.task.kata, "ungraded", reply.why, flags=(reply.why,))
        elif reply.kind == "refused":
            yield from self._refused(each, reply)
        elif reply.verdict is not None and _fits(reply.verdict, each.task.kata, terms.inventory):
            self._workers.add(reply.worker)
            self.achieved.add(reply.tier, reply.not_enforced)
            yield each.task, reply.verdict
        else:
            yield from self._refused(each, reply, "its verdict is not about the tests that were asked for")

    def _refused(self, each: _Open, reply: Reply, why: str = "") -> Iterator[tuple[Task, Verdict]]:
        self._why_refused = f"{reply.worker}: {why or reply.why}"
        self._once(f"a worker cannot grade {each.task.kata}. {self._why_refused}")
        each.refusals += 1
        each.asked = False
        if each.refusals < (_SEVERAL if self._workers else _FEW):
            return
        # Where no worker at all can do it, it makes no sense to ask for each of a whole class in turn.
        for given_up in [each] if self._workers else list(self._left.values()):
            yield given_up.task, Verdict(given_up.task.kata, "ungraded", f"no worker could. {self._why_refused}")

    def _overdue(self, waiting: int, patience_s: float) -> Iterator[tuple[Task, Verdict]]:
        now = monotonic()
        at_work = any(each.begun for each in self._left.values())
        if waiting and now - self._heard_at > (GRACE_S if at_work else _LONELY_S):
            self._once(
                f"files wait at {broker.shown(self._broker.url)} and nobody takes them. Start a worker: "
                "`dojo worker --queue URL`."
            )
        for each in list(self._left.values()):
            patience = _INHERITED_S if each.inherited and not each.begun else patience_s
            if not each.asked or now - each.heard <= patience or (waiting and not each.begun):
                continue
            each.silences += not each.inherited
            each.asked = False
            if each.silences >= _FEW:
                why = f"no worker answered within {patience_s:g} s, {_FEW} times."
                yield each.task, Verdict(each.task.kata, "ungraded", why)
                del self._left[each.task.key]

    def _once(self, text: str) -> None:
        if text not in self._told:
            self._told.add(text)
            self._tell(text)


def _fits(verdict: Verdict, kata: str, inventory: Inventory) -> bool:
    """Whether it is about all that was asked, and says one thing: the denominator is ours."""
    told, owed = ([(t.name, t.rule, t.text, t.hidden) for t in tests] for tests in (verdict.tests, inventory[kata]))
    status = status_of(verdict.tests) if told else "ungraded"
    return (verdict.kata, verdict.status) == (kata, status) and (told == owed or not told)
