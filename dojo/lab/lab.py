"""What a kata's tests see: the `lab` fixture."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import gc
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import redis as redis_py
import redis.asyncio as redis_asyncio
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.retry import Retry

from dojo.lab.blame import waits_at
from dojo.lab.clock import real_time
from dojo.lab.connections import gated
from dojo.lab.errors import LabError
from dojo.lab.fakes.broker import Broker, Queues
from dojo.lab.fakes.database import Database, DatabaseSync, Tables
from dojo.lab.fakes.gateway import Gateway, GatewaySync, Ledger
from dojo.lab.outcome import Outcome, outcome_of, written
from dojo.lab.servers import Server, connection_options
from dojo.lab.threads import ThreadActor, ThreadGroup
from dojo.lab.trace import Access, Actor
from dojo.lab.trust import is_a, name_of, odd_parts
from dojo.lab.verdict import Failure, one_line, other_type, same, shown
from dojo.lab.world import World

if TYPE_CHECKING:
    from dojo.lab.celery_driver import CeleryBroker
    from dojo.lab.fakes.browsers import Browser
    from dojo.lab.fakes.peers import FakePeer, Kind
    from dojo.lab.modules import Learner

T = TypeVar("T")


def broken(message: str) -> Exception:
    """What a client of a fake raises when its connection breaks, unless the fake says otherwise."""
    return ConnectionError(message)


class Lab:
    """One world, seen from a test. Each run of a test (schedule, fault, example) gets a fresh one."""

    __slots__ = ("_learner", "_made", "spoken", "story", "world")  # so that nobody can give one of them other methods

    spoken: Failure | None
    """The first verdict. It stands, whoever has caught it: a test may have to give it inside of a learner's call."""

    def __init__(self, world: World, learner: Learner | None = None) -> None:
        self.world = world
        self._learner = learner
        self._made: dict[Callable[..., Any], Any] = {}
        self.story = ""
        self.spoken = None

    # the story for the report

    def scenario(self, text: str) -> None:
        """One line above the timeline: what this test sets up."""
        self.story = text

    def note(self, text: str) -> None:
        """Add a line to the timeline. What is still cleaned up when the run is over adds none."""
        if not self.world.closed:
            self.world.trace.note(self.world.actor, self.world.clock.elapsed, text)

    # the learner's code

    def process(self) -> Any:
        """The learner's module, loaded once more: what another operating-system process would hold.

        Module-level state is not shared between two processes, so a module-level lock must not pass for a
        distributed one.
        """
        if self._learner is None:
            raise LabError("this test belongs to no kata, so there is no learner's module to load")
        self.world.processes += 1
        module: ModuleType = self._learner.load()
        return module

    # time

    @property
    def now(self) -> float:
        """Seconds since this world began."""
        return self.world.clock.elapsed

    @property
    def round_trips(self) -> int:
        """How many steps all callers have taken so far: what a server is asked, for rules about its load."""
        return self.world.steps

    @property
    def received(self) -> int:
        """How many bytes of data all replies have carried so far: whether a page needs the whole board."""
        return self.world.trace.received

    def step_wall_clock(self, seconds: float) -> None:
        """Step the wall clock, as NTP does; monotonic time and the server's expiry do not notice on a real host.

        The server of this lab lives on the same host, so its TTLs follow the wall clock, as Redis' do.
        """
        self.note(f"** the wall clock is stepped by {seconds:+g} s **")
        self.world.clock.step_wall(seconds)

    @contextlib.contextmanager
    def wrong_host(self, seconds: float) -> Iterator[None]:
        """Inside, the code runs on a host whose wall clock is wrong by `seconds`; the server's clock is right."""
        with self.world.clock.host_error(seconds):
            yield

    # the server

    @property
    def server(self) -> Server:
        """Inspection of the Redis server; nothing here is gated or traced."""
        return self.world.server

    def redis(self, *, retries: int = 0, **options: Any) -> redis_asyncio.Redis:
        """An asynchronous redis-py client whose round trips are steps of this world.

        `retries` defaults to none (redis-py 8 itself retries 10 times), so that a lost reply reaches the caller.
        """
        pool = redis_asyncio.ConnectionPool(
            connection_class=self._connected(self.world.backend.async_connection),
            retry=AsyncRetry(NoBackoff(), retries),
            **connection_options(),
            **options,
        )
        self.world.pools.append(pool)
        return redis_asyncio.Redis(connection_pool=pool)

    def redis_sync(self, *, retries: int = 0, **options: Any) -> redis_py.Redis:
        """The synchronous twin of `redis`."""
        pool = redis_py.ConnectionPool(
            connection_class=self._connected(self.world.backend.sync_connection),
            retry=Retry(NoBackoff(), retries),
            **connection_options(),
            **options,
        )
        self.world.on_close(pool.disconnect)
        return redis_py.Redis(connection_pool=pool)

    def _connected(self, kind: type[Any]) -> Any:
        """Makes connections to this world's server. The pool, into which callers may look, has not the way there."""
        world, connection = self.world, gated(kind)
        return lambda **options: connection(world=world, **{**world.server.options, **options})

    # services

    def _only(self, kind: Callable[..., T], *arguments: Any) -> T:
        """The one of its kind that this world has."""
        if kind not in self._made:
            self._made[kind] = kind(*arguments)
        made: T = self._made[kind]
        return made

    def gateway(self) -> Gateway:
        """An asynchronous client of this world's payment gateway; all clients share one ledger."""
        return Gateway(self.world, self._only(Ledger, self.world))

    def gateway_sync(self) -> GatewaySync:
        """The synchronous twin of `gateway`."""
        return GatewaySync(self.world, self._only(Ledger, self.world))

    def broker(self) -> Broker:
        """A client's connection to this world's message broker (synchronous); all clients share its queues."""
        return Broker(self.world, self._only(Queues, self.world))

    def database(self) -> Database:
        """An asynchronous client of this world's transactional database; all clients share its rows."""
        return Database(self.world, self._only(Tables))

    def database_sync(self) -> DatabaseSync:
        """The synchronous twin of `database`."""
        return DatabaseSync(self.world, self._only(Tables))

    # actors

    async def race(self, *calls: Awaitable[Any], names: Sequence[str] | None = None) -> list[Any]:
        """Run all `calls` at once, each as its own actor; their values. The first error is raised."""
        return [o.result() for o in await self.attempts(*calls, names=names)]

    async def attempt(self, call: Awaitable[T], name: str | None = None) -> Outcome:
        """Run one call as an actor that faults may strike. Raises nothing but NotImplementedError."""
        return (await self.attempts(call, names=[name] if name else None))[0]

    async def attempts(self, *calls: Awaitable[Any], names: Sequence[str] | None = None) -> list[Outcome]:
        """Like `race`, but errors and deaths are outcomes too."""
        world, loop = self.world, asyncio.get_running_loop()
        world.scheduler.racing = True
        runs: dict[str, tuple[asyncio.Task[Any], asyncio.Future[None]]] = {}
        actors = self._actors(len(calls), names)
        # A loop runs new tasks in the order of their creation.
        for actor, call in self._starting(zip(actors, calls, strict=True)):
            context = contextvars.copy_context()
            context.run(world.mark, actor)
            death: asyncio.Future[None] = loop.create_future()
            task = loop.create_task(_awaited(call), context=context)
            world.adopt(task, actor, death)
            runs[actor.letter] = (task, death)
        await asyncio.gather(*(asyncio.wait(run, return_when=asyncio.FIRST_COMPLETED) for run in runs.values()))
        return written([outcome_of(runs[actor.letter][0]) for actor in actors])

    def race_sync(self, *calls: Callable[[], Any], names: Sequence[str] | None = None) -> list[Any]:
        """Run all `calls` at once, each in its own thread under the scheduler; their values."""
        return [o.result() for o in self.attempts_sync(*calls, names=names)]

    def attempt_sync(self, call: Callable[[], Any], name: str | None = None) -> Outcome:
        """Run one call as an actor that faults may strike. Raises nothing but NotImplementedError."""
        return self.attempts_sync(call, names=[name] if name else None)[0]

    def attempts_sync(self, *calls: Callable[[], Any], names: Sequence[str] | None = None) -> list[Outcome]:
        """Like `race_sync`, but errors and deaths are outcomes too."""
        self.world.scheduler.racing = True
        actors = self._actors(len(calls), names)
        members = {a.letter: ThreadActor(a, c) for a, c in self._starting(zip(actors, calls, strict=True))}
        group = ThreadGroup(self.world, members)
        self.world.adopt_group(group)
        outcomes = group.run()
        return written([outcomes[actor.letter] for actor in actors])

    def _starting(self, pairs: Iterable[tuple[Actor, T]]) -> list[tuple[Actor, T]]:
        """Callers in the order in which this run starts them."""
        return sorted(pairs, key=lambda pair: pair[0].letter != self.world.plan.first)

    def _actors(self, count: int, names: Sequence[str] | None) -> list[Actor]:
        if names is not None and len(names) != count:
            raise LabError(f"{count} callers but {len(names)} names")
        return [self.world.new_actor(names[i] if names else None, "caller") for i in range(count)]

    # WebSocket peers, and what the code that serves them leaves behind

    def peer(
        self,
        name: str,
        kind: Kind = "healthy",
        *,
        seconds: float | Sequence[float] = 1.0,
        after: int = 0,
        error: Callable[[], Exception] | None = None,
        accepted: bool = True,
    ) -> FakePeer:
        """A WebSocket as the server holds it: ``healthy``, ``slow``, ``hung``, ``dead`` or ``dies-later``."""
        # Imported here, because importing the web framework would cost the katas that need none a tenth of a second.
        with real_time():
            from dojo.lab.fakes.peers import FakePeer, vanished

        return FakePeer(self.world, name, kind, seconds, after, error or vanished, accepted)

    async def browser(self, name: str, app: Any, url: str) -> Browser:
        """A real WebSocket client (httpx-ws), connected to the ASGI application `app` at the path `url`."""
        with real_time():
            from dojo.lab.fakes.browsers import Browser

        browser = Browser(self.world, name)
        await browser.open(app, url)
        return browser

    def tasks_alive(self) -> list[str]:
        """The asyncio tasks that the learner's code started and that have not ended; each as the place of its start."""
        return self.world.started_tasks.alive()

    def errors_nobody_saw(self) -> list[str]:
        """Exceptions of tasks that nobody awaited, as the event loop would have logged them."""
        gc.collect()  # a task complains when it is destroyed
        kept = (context.get("exception") or context["message"] for context in self.world.background_errors)
        return [_told(what) if isinstance(what, BaseException) else one_line(what) for what in kept]

    # Celery

    def celery(self) -> CeleryBroker:
        """This world's message broker for Celery apps, and the workers that serve it (`dojo.lab.celery_driver`)."""
        # Imported here, because importing Celery would cost the katas that need none two tenths of a second.
        with real_time():
            from dojo.lab.celery_driver import CeleryBroker

        return self._only(CeleryBroker, self.world)

    def die(self) -> NoReturn:
        """Kill the process that calls this, here and now: `finally` does not run, as with the OOM killer."""
        self.world.die_sync()

    # steps of fakes

    async def call(self, text: str, apply: Callable[[], T], touches: Mapping[str, Access] | None = None) -> T:
        """A traced, schedulable, breakable step: `apply()` happens atomically."""
        return await self.world.call(text, apply, _keys(touches), broken)

    def call_sync(self, text: str, apply: Callable[[], T], touches: Mapping[str, Access] | None = None) -> T:
        """The synchronous twin of `call`."""
        return self.world.call_sync(text, apply, _keys(touches), broken)

    # verdicts

    def expect(self, what: str, got: Any, expected: Any, *, trap: str) -> None:
        """Demand that `got` equals `expected`, types included."""
        if not same(got, expected):
            raise self._broken(
                f"{what}: {shown(expected)}", f"{what}: {shown(got)}{other_type(got, expected)}", trap=trap
            )

    def plain(self, what: str, value: T, *, trap: str) -> T:
        """`value`, if it is made of None, bool, int, float, complex, str, bytes, list, tuple, set and dict themselves.

        For what a test will compare by ``<``, ``in`` or ``!=``, count or add up: a class of the tested file would have
        a say in that, and a subclass of float can be below every limit.
        """
        for part in odd_parts(value):
            kind = name_of(type(part))
            raise self._broken(
                f"{what}: a value of one of Python's own types",
                f"{what}: {shown(part)}, of the class {kind}",
                trap=trap,
            )
        return value

    def require(self, ok: bool, *, expected: str, got: str, trap: str) -> None:
        """Demand a condition that is no plain equality; `expected` and `got` are phrases."""
        if ok is not True:
            raise self._broken(expected, got, trap=trap)

    async def within(self, seconds: float, call: Awaitable[T], *, what: str, trap: str) -> T:
        """Demand that `call` returns within so many virtual seconds; its value. `what` is a clause: "leave returns"."""
        task = asyncio.ensure_future(call)
        await asyncio.wait({task}, timeout=seconds)
        if task.done():
            return task.result()
        where = waits_at(self.world.learner_files, task)
        task.cancel()
        raise self._broken(
            f"{what} within {seconds:g} s",
            f"still waiting after {seconds:g} s" + (f", at {one_line(where)}" if where else ""),
            trap=trap,
        )

    @contextlib.contextmanager
    def no_error(self, *, expected: str, trap: str) -> Iterator[None]:
        """An exception that leaves this block breaks the rule."""
        try:
            yield
        except (Failure, NotImplementedError):
            raise
        except Exception as error:
            raise self._broken(expected, _told(error), trap=trap) from error

    @contextlib.contextmanager
    def raises(self, error: type[Exception], *, when: str, trap: str) -> Iterator[None]:
        """Demand that this block raises `error`; `when` says in which situation."""
        expected = f"{error.__name__} {when}"
        try:
            yield
        except (NotImplementedError, Failure):
            raise
        except Exception as other:
            if is_a(other, error):
                return
            raise self._broken(expected, _told(other), trap=trap) from other
        raise self._broken(expected, f"no exception {when}", trap=trap)

    def _broken(self, expected: str, got: str, *, trap: str) -> Failure:
        failure = Failure(expected=expected, got=got, trap=trap)
        if not self.world.closed:  # whatever is unwound then says nothing more
            self.spoken = self.spoken or failure
        return failure


def _told(error: BaseException) -> str:
    return f"{name_of(type(error))}: {one_line(str(error))}"


async def _awaited(call: Awaitable[T]) -> T:
    return await call


def _keys(touches: Mapping[str, Access] | None) -> dict[bytes, Access] | None:
    return None if touches is None else {key.encode(): access for key, access in touches.items()}
