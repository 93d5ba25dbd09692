"""WebSocket peers, real clients, and what the code that serves them leaves behind."""

from __future__ import annotations

import asyncio
import gc
import sys

import pytest
from fastapi import FastAPI, WebSocket
from starlette.websockets import WebSocketDisconnect, WebSocketState

from dojo.lab import Failure, explore
from dojo.lab.errors import LabError
from dojo.lab.explore import Experiment, conduct
from dojo.lab.fakes.browsers import HandshakeRefused
from dojo.lab.fakes.peers import Delivery, already_closed
from dojo.lab.modules import Learner
from dojo.lab.servers import FakeBackend
from dojo.lab.timeline import timeline


def test_a_healthy_peer_gets_everything_at_once(green):
    async def sends(lab):
        ann = lab.peer("ann")
        await asyncio.sleep(2)
        await ann.send_text('{"n": 1}')
        await ann.send_json({"n": 2})
        await ann.send_bytes(b"3")
        assert ann.received == [Delivery(2.0, '{"n": 1}'), Delivery(2.0, '{"n":2}'), Delivery(2.0, b"3")]
        assert ann.messages == [{"n": 1}, {"n": 2}, 3]
        assert (ann.attempts, ann.most_at_once, ann.close_code) == (3, 1, None)

    green(sends)


def test_a_slow_peer_takes_its_time(green):
    async def sends(lab):
        bob = lab.peer("bob", "slow", seconds=(3, 1))
        await asyncio.gather(bob.send_text("a"), bob.send_text("b"))
        assert bob.received == [Delivery(1.0, "b"), Delivery(3.0, "a")], "nothing keeps careless senders in order"
        assert bob.most_at_once == 2
        await bob.send_text("c")
        assert lab.now == 4, "the last duration is repeated"
        await bob.close(1001)
        assert (lab.now, bob.close_code, bob.closed_at) == (5, 1001, 4)

    green(sends)


def test_a_hung_peer_never_answers(green):
    async def sends(lab):
        bob = lab.peer("bob", "hung")
        for call in (bob.send_text("a"), bob.close(1013)):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(call, 60)
        assert (bob.texts, bob.attempts, bob.close_code, bob.closed_at) == ([], 1, 1013, 60)

    green(sends)


@pytest.mark.parametrize(
    ("error", "raised"),
    [(None, WebSocketDisconnect), (already_closed, RuntimeError), (ConnectionResetError, ConnectionResetError)],
)
def test_a_dead_peer_raises(green, error, raised):
    async def sends(lab):
        bob = lab.peer("bob", "dead", error=error)
        assert bob.client_state is WebSocketState.CONNECTED, "asking first does not help"
        with pytest.raises(raised):
            await bob.send_text("a")
        assert bob.application_state is WebSocketState.DISCONNECTED
        for call in (bob.send_text("b"), bob.close()):
            with pytest.raises(RuntimeError, match="once a close message has been sent"):
                await call
        assert (bob.texts, bob.attempts) == ([], 2)

    green(sends)


def test_a_peer_dies_later(green):
    async def sends(lab):
        bob = lab.peer("bob", "dies-later", after=2)
        await bob.send_text("a")
        await bob.send_text("b")
        with pytest.raises(WebSocketDisconnect):
            await bob.send_text("c")
        assert bob.texts == ["a", "b"]

    green(sends)


def test_a_ping_reaches_the_peer_or_does_not(green):
    async def pings(lab):
        ann, bob, cleo = lab.peer("ann"), lab.peer("bob", "slow", seconds=3), lab.peer("cleo", "hung")
        heard = []
        for peer in (ann, bob, cleo):
            peer.on_ping = lambda payload: heard.append((lab.now, payload))
        await asyncio.sleep(2)
        await ann.ping(b"a")
        await asyncio.gather(bob.ping(b"b"), bob.ping(b"c"))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(cleo.ping(b"d"), 1)
        with pytest.raises(WebSocketDisconnect):
            await lab.peer("dan", "dead").ping(b"e")
        assert heard == [(2.0, b"a"), (5.0, b"b"), (5.0, b"c")]
        assert (bob.pings, cleo.pings) == ([Delivery(2.0, b"b"), Delivery(2.0, b"c")], [Delivery(5.0, b"d")])
        assert (ann.most_pings_at_once, bob.most_pings_at_once, bob.attempts) == (1, 2, 0)

    green(pings)


def test_a_payload_is_bytes_and_nothing_else(green):
    class Sly(bytes):
        def __eq__(self, other):
            return True

        __hash__ = bytes.__hash__

    async def pings(lab):
        ann = lab.peer("ann")
        await ann.ping(Sly(b"a"))  # and whoever has not set `on_ping` needs none
        assert type(ann.pings[0].data) is bytes

    green(pings)


def test_the_handshake_comes_first_and_closing_last(green):
    async def sends(lab):
        ann = lab.peer("ann", accepted=False)
        with pytest.raises(RuntimeError, match=r"websocket\.accept"):
            await ann.send_text("too early")
        await ann.accept()
        with pytest.raises(RuntimeError):
            await ann.accept()
        await ann.close(1000)
        with pytest.raises(RuntimeError, match="once a close message"):
            await ann.send_text("too late")
        assert (ann.texts, ann.close_code) == ([], 1000)

    green(sends)


def test_an_unknown_kind_is_refused(green):
    async def asks(lab):
        with pytest.raises(LabError, match="unknown kind of peer 'sleepy'; known: healthy"):
            lab.peer("ann", "sleepy")

    green(asks)


def test_an_instant_peer_takes_no_step(green):
    async def sends(lab):
        ann = lab.peer("ann", "instant")
        await ann.send_text("a")
        assert ann.texts == ["a"]
        assert lab.world.trace.entries == []

    green(sends)


def test_sends_are_explored(run):
    orders = set()

    @explore
    async def two_senders(lab):
        ann = lab.peer("ann")
        await lab.race(ann.send_text("a"), ann.send_text("b"))
        orders.add(tuple(ann.texts))

    assert run(two_senders).failed is None
    assert orders == {("a", "b"), ("b", "a")}


def test_the_timeline_shows_who_got_what(run):
    async def sends(lab):
        await lab.peer("ann").send_text("hi")
        await lab.peer("bob", "slow", seconds=2).send_text("hi")
        with pytest.raises(WebSocketDisconnect):
            await lab.peer("cleo", "dead").send_text("hi")
        await asyncio.wait_for(lab.peer("dan", "hung").close(1001), 1)

    session = run(sends)
    assert isinstance(session.failed.error, TimeoutError)
    assert [line.split(maxsplit=1)[1] for line in timeline(session.last.world.trace)[1:]] == [
        "ann.send_text(hi) → OK",
        "bob.send_text(hi) → takes 2 s",
        "cleo.send_text(hi) → WebSocketDisconnect",
        "dan.close(1001) → never returns",
    ]


def echo_server() -> FastAPI:
    app = FastAPI()

    @app.websocket("/echo")
    async def echo(socket: WebSocket) -> None:
        await socket.accept()
        while (text := await socket.receive_text()) != "stop":
            await socket.send_json({"echo": text})
        await socket.close(1008)

    @app.websocket("/broken")
    async def broken(socket: WebSocket) -> None:
        raise LookupError("no such room")

    @app.websocket("/silent")
    async def silent(socket: WebSocket) -> None:
        await asyncio.sleep(60)

    return app


def test_a_browser_is_a_real_client(green):
    async def talks(lab):
        ann = await lab.browser("ann", echo_server(), "/echo")
        await ann.send_text("hello")
        await asyncio.sleep(1)
        assert (ann.messages, ann.close_code) == ([{"echo": "hello"}], None)
        await ann.send_text("stop")
        await asyncio.sleep(1)
        assert ann.close_code == 1008
        with pytest.raises(LabError, match="not connected"):
            await ann.send_text("anybody there?")

    green(talks)


def test_a_refused_handshake_reaches_the_test_unwrapped(green):
    async def talks(lab):
        with pytest.raises(HandshakeRefused, match="HTTP 403"):
            await lab.browser("ann", echo_server(), "/nowhere")
        with pytest.raises(HandshakeRefused, match="no such room"):
            await lab.browser("ann", echo_server(), "/broken")
        with pytest.raises(HandshakeRefused, match="no answer"):
            await lab.browser("ann", echo_server(), "/silent")
        gc.collect()  # httpx-ws would complain here about what it did not close

    green(talks)


def test_two_browsers_give_the_same_bytes_in_each_run(run):
    async def talks(lab):
        app = echo_server()
        ann, bob = [await lab.browser(name, app, "/echo") for name in ("ann", "bob")]
        await ann.send_text("1")
        await bob.send_text("2")
        await asyncio.sleep(1)
        await ann.close()

    pictures = {"\n".join(timeline(run(talks).last.world.trace)) for _ in range(5)}
    assert len(pictures) == 1


SERVICE = """
import asyncio

async def serve(call):
    asyncio.create_task(call)
    async with asyncio.timeout(5):
        await asyncio.sleep(1)

async def wait():
    await asyncio.sleep(60)

async def break_down():
    asyncio.get_running_loop().create_task(fail())

async def fail():
    raise OSError("cable cut")
"""


@pytest.fixture
def learners(tmp_path, monkeypatch):
    """Conduct a test function that knows a learner's module as `service`."""
    file = tmp_path / "service.py"
    file.write_text(SERVICE)
    learner = Learner("service", file)
    monkeypatch.setitem(sys.modules, "service", learner.load())

    def conduct_it(test):
        session = conduct(Experiment(test, {"service": sys.modules["service"]}, FakeBackend(), learner))
        if session.failed is not None and session.failed.error is not None:
            raise session.failed.error

    return conduct_it


def test_tasks_that_the_learner_started_are_told_from_others(learners):
    async def leaks(lab, service):
        own = asyncio.create_task(asyncio.sleep(100))
        await service.serve(lab.peer("bob", "slow", seconds=10).send_text("hi"))
        assert lab.tasks_alive() == ["service.py:5 in serve"]
        await asyncio.sleep(10)
        assert lab.tasks_alive() == []
        assert not own.done()

    learners(leaks)


def test_an_exception_that_nobody_awaits_is_seen(learners):
    async def fails(lab, service):
        assert lab.errors_nobody_saw() == []
        await service.break_down()
        await asyncio.sleep(1)
        assert lab.errors_nobody_saw() == ["OSError: cable cut"]

    learners(fails)


def test_within_gives_the_value_or_names_the_line_that_waits(learners):
    async def waits(lab, service):
        assert await lab.within(2, asyncio.sleep(1, "value"), what="it returns", trap="slow") == "value"
        with pytest.raises(OSError, match="cable cut"):
            await lab.within(1, service.fail(), what="it returns", trap="slow")
        await lab.within(2, service.wait(), what="wait returns", trap="slow")

    with pytest.raises(Failure) as caught:
        learners(waits)
    assert caught.value.expected == "wait returns within 2 s"
    assert caught.value.got == "still waiting after 2 s, at service.py:10 in wait await asyncio.sleep(60)"
    assert caught.value.trap == "slow"
