"""The rules of README.md, in teaching order. Time is virtual: `asyncio.sleep(60)` returns at once.

`lab.peer(name, kind)` is a WebSocket as the server holds it: healthy, slow, hung (no send ever returns) or dead.
"""

import asyncio
import gc
import json
import sys
import traceback
import weakref

import pytest
from starlette.websockets import WebSocketDisconnect
from websocket_broadcaster import Broadcaster, JoinRefused, create_app

from dojo.lab import explore

SOON = 0.1  # seconds; what waits for no peer has happened by then
KEPT = {"drop-oldest": [0, 8, 9, "cleo"], "drop-new": [0, 1, 2, 3]}  # of 0…9 and the news that cleo left; backlog 3


async def seat(hub, *peers, room="lobby"):
    for peer in peers:
        await hub.join(peer, room=room, name=peer.name)


async def open_room(lab, *peers, **options):
    """A hub with `options` and the peers of its room "lobby": "ann" is healthy, "bob hung" hangs."""
    hub = Broadcaster(**options)
    seated = [lab.peer(*peer.split()) if isinstance(peer, str) else peer for peer in peers]
    await seat(hub, *seated)
    return hub, *seated


async def announce(hub, *numbers, pause=0.0, room="lobby"):
    """Broadcast {"n": 1}, {"n": 2}, …"""
    for n in numbers:
        await hub.broadcast(room, {"n": n})
        await asyncio.sleep(pause)


def numbers(peer):
    """The numbers that `peer` received, in order."""
    return [m["n"] for m in peer.messages if isinstance(m, dict) and "n" in m]


def departures(peer):
    """The names whose departure `peer` was told, sorted."""
    return sorted(m["name"] for m in peer.messages if isinstance(m, dict) and m.get("type") == "left")


def expect_numbers(lab, trap, *expected):
    """Demand that each peer of the pairs `expected` has received just these numbers by now."""
    got = {peer.name: numbers(peer) for peer, _ in expected}
    lab.expect("numbers received", got, {peer.name: wanted for peer, wanted in expected}, trap=trap)


async def refusal(lab, hub, peer, trap):
    """Demand that `peer` is refused; the code that `join` raises, and the one that the peer was closed with."""
    error = (await lab.attempt(seat(hub, peer), peer.name)).error
    ok = isinstance(error, JoinRefused) and str(error.code) in lab.plain("its text", str(error), trap=trap)
    lab.require(ok, expected=f"JoinRefused for {peer.name}, naming its code", got=repr(error), trap=trap)
    return error.code, peer.close_code


class Tracked(str):
    """A str that weak references can watch."""


async def test_a_dead_peer_costs_nobody_the_message(lab):
    """Rule 1. A dead peer costs nobody else the message."""
    lab.scenario("bob's connection is dead; he joined between ann and cleo")
    hub, ann, _bob, cleo = await open_room(lab, "ann", "bob dead", "cleo")
    with lab.no_error(expected="broadcast raises nothing", trap="dead-peer-aborts-the-loop"):
        await announce(hub, 1, pause=SOON)
    expect_numbers(lab, "dead-peer-aborts-the-loop", (ann, [1]), (cleo, [1]))


async def test_a_failed_send_removes_that_peer_and_nobody_else(lab):
    """Rule 2. The first failed send removes that peer, whatever the exception; nobody else notices an error."""
    lab.scenario("three dead peers, each raising its own exception; two broadcasts")
    errors = {"bob": WebSocketDisconnect, "cleo": RuntimeError, "dan": type("ConnectionClosed", (Exception,), {})}
    hub, sender, *dead = await open_room(lab, "ann", *(lab.peer(n, "dead", error=e) for n, e in errors.items()))
    with lab.no_error(expected="broadcast raises nothing", trap="dead-peer-aborts-the-loop"):
        await announce(hub, 1, 2, pause=SOON)
    expect_numbers(lab, "dead-peer-aborts-the-loop", (sender, [1, 2]))
    tried = {peer.name: peer.attempts for peer in dead}
    lab.expect("sends tried", tried, dict.fromkeys(errors, 1), trap="dead-are-kept")
    lab.expect("departures announced", departures(sender), ["bob", "cleo", "dan"], trap="one-exception-class")
    lab.expect("exceptions nobody awaited", lab.errors_nobody_saw(), [], trap="unowned-task")


async def test_a_hung_peer_delays_nobody(lab):
    """Rule 3. A peer that takes no data delays nobody: not who broadcasts, joins or leaves, nor the other peers."""
    lab.scenario("every send to bob hangs, each send to cleo takes a minute; they joined first")
    hub, bob, cleo, ann = await open_room(lab, "bob hung", lab.peer("cleo", "slow", seconds=60), "ann")
    trap = "waits-for-the-slowest"
    await lab.within(SOON, announce(hub, 1, 2), what="broadcast returns", trap=trap)
    await asyncio.sleep(SOON)
    expect_numbers(lab, trap, (ann, [1, 2]))
    await lab.within(SOON, seat(hub, lab.peer("dan")), what="join returns", trap=trap)
    await lab.within(SOON, hub.leave(bob), what="leave returns", trap=trap)
    await asyncio.sleep(120)
    lab.expect("numbers slow cleo has received in the end", numbers(cleo), [1, 2], trap="slow-is-not-dead")


async def test_each_peer_gets_its_messages_in_order(lab):
    """Rule 4. Each peer gets its messages in the order of the broadcasts, one send at a time."""
    lab.scenario("bob's network needs 3 s for the first message, then 1 s for each; cleo leaves after the second")
    hub, bob, cleo = await open_room(lab, lab.peer("bob", "slow", seconds=(3, 1)), "cleo")
    await announce(hub, 1, 2)
    await hub.leave(cleo)
    await asyncio.sleep(10)
    in_order = [{"n": 1}, {"n": 2}, {"type": "left", "name": "cleo"}]
    lab.expect("received", bob.messages, in_order, trap="task-per-message")
    lab.expect("sends under way at once", bob.most_at_once, 1, trap="task-per-message")


@pytest.mark.parametrize("policy", KEPT)
async def test_a_full_backlog_drops_by_policy(lab, policy):
    """Rule 5. At most `backlog` messages wait for a peer, apart from the one being sent; `overflow` picks the loser."""
    lab.scenario(f"backlog 3, {policy}; ten broadcasts while bob needs a minute for each message, then cleo leaves")
    peers = (lab.peer("bob", "slow", seconds=60), "ann", "cleo")
    hub, bob, ann, cleo = await open_room(lab, *peers, backlog=3, overflow=policy)
    await announce(hub, *range(10), pause=1)
    await hub.leave(cleo)
    await asyncio.sleep(3600)
    expect_numbers(lab, "one-backlog-for-all", (ann, list(range(10))))
    told = [message.get("n", message.get("name")) for message in bob.messages]
    lab.expect("messages that bob received after the fourth", told[4:], [], trap="unbounded-backlog")
    lab.expect("what bob received", told, KEPT[policy], trap="backlog-miscounted")


@pytest.mark.parametrize("fifth", ["broadcast", "announcement"])
async def test_a_full_backlog_disconnects_by_policy(lab, fifth):
    """Rule 5. With "disconnect", one message too many removes the peer and closes it with 1013, in the background."""
    lab.scenario("backlog 3, disconnect; bob hangs: one message is on its way, three wait, the fifth is too many")
    hub, bob, ann, cleo = await open_room(lab, "bob hung", "ann", "cleo", backlog=3, overflow="disconnect")
    await announce(hub, 1, 2, 3, 4, pause=1)
    lab.expect("bob's close code after four broadcasts", bob.close_code, None, trap="backlog-miscounted")
    one_more = hub.leave(cleo) if fifth == "announcement" else announce(hub, 5)
    await lab.within(SOON, one_more, what=f"the {fifth} returns", trap="waits-for-the-slowest")
    await asyncio.sleep(SOON)
    lab.expect("bob's close code after five", bob.close_code, 1013, trap="no-close-code")
    await announce(hub, 6, pause=SOON)
    lab.expect("departures announced to ann", departures(ann)[:1], ["bob"], trap="notice-lost")
    lab.expect("the last number that ann received", numbers(ann)[-1:], [6], trap="one-backlog-for-all")


async def test_a_whole_room_can_overflow_at_once(lab):
    """Rule 5. A whole room may overflow at once: each peer is disconnected."""
    lab.scenario("backlog 1, disconnect; 200 peers hang, as when a network is cut; the third broadcast is too many")
    hub, *crowd = await open_room(lab, *["peer hung"] * 200, backlog=1, overflow="disconnect")
    await announce(hub, 1, 2, pause=SOON)
    usual, depth = sys.getrecursionlimit(), sum(1 for _ in traceback.walk_stack(None))
    sys.setrecursionlimit(depth + 150)  # so that 200 peers do what takes a thousand and more otherwise
    try:
        with lab.no_error(expected="broadcast raises nothing", trap="announcements-recurse"):
            await announce(hub, 3, pause=SOON)
    finally:
        sys.setrecursionlimit(usual)
    codes = lab.plain("a close code", [peer.close_code for peer in crowd], trap="no-close-code")
    lab.expect("peers closed with 1013", codes.count(1013), 200, trap="announcements-recurse")


async def test_a_stalled_peer_cannot_fill_the_memory(lab):
    """Rule 5. Of all that was broadcast, only what still waits for a peer stays in memory."""
    lab.scenario("the default backlog, 100; bob hangs; 150 broadcasts")
    alive = weakref.WeakSet()

    def encode(message):
        alive.add(text := Tracked(message["n"]))
        return text

    hub, _ = await open_room(lab, "bob hung", encode=encode)
    await announce(hub, *range(150), pause=1)
    gc.collect()
    ok, got = len(alive) <= 101, f"{len(alive)} of 150"
    lab.require(ok, expected="at most 101 messages in memory, 100 that wait and 1", got=got, trap="unbounded-backlog")


async def test_a_burst_overflows_nobody_who_keeps_up(lab):
    """Rule 5. A peer whose sends return at once loses nothing, however fast one broadcast follows another."""
    lab.scenario("backlog 5, drop-new; one caller awaits 40 broadcasts and nothing else in between")
    hub, ann = await open_room(lab, "ann instant", backlog=5, overflow="drop-new")
    for n in range(40):
        await hub.broadcast("lobby", {"n": n})
    await asyncio.sleep(SOON)
    expect_numbers(lab, "writers-starve", (ann, list(range(40))))


def test_nonsense_is_refused(lab):
    """Rule 5. A limit below 1, a close_timeout that is not positive or an unknown policy raises ValueError."""
    Broadcaster(backlog=1, max_peers=1, close_timeout=0.001, overflow="disconnect")
    for options in ({"backlog": 0}, {"max_peers": 0}, {"close_timeout": 0}, {"overflow": "drop"}):
        with lab.raises(ValueError, when=f"for {options}", trap="nonsense-accepted"):
            Broadcaster(**options)


@explore
async def test_peers_may_come_and_go_during_a_broadcast(lab):
    """Rule 6. Joining or leaving during a broadcast neither raises nor makes anybody miss or repeat the message."""
    lab.scenario("ann, bob and cleo are there; ann leaves and dan joins while a broadcast is under way")
    hub, ann, bob, cleo = await open_room(lab, "ann", "bob", "cleo")
    dan, trap = lab.peer("dan"), "iterates-the-live-room"
    with lab.no_error(expected="broadcast, leave and join raise nothing", trap=trap):
        await lab.race(announce(hub, 1), hub.leave(ann), seat(hub, dan), names=("broadcast", "ann leaves", "dan joins"))
    await asyncio.sleep(SOON)
    expect_numbers(lab, trap, (bob, [1]), (cleo, [1]))
    lab.require(numbers(dan) in ([], [1]), expected="dan gets it once at most", got=str(numbers(dan)), trap=trap)


@explore
async def test_leaving_is_announced_once(lab):
    """Rule 7. Who leaves is announced to the rest of the room once; leaving again is a no-op."""
    lab.scenario("cleo closes one of her two tabs, then bob leaves twice at once; zoe, who joined first, is dead")
    hub, _zoe, bob, cleo, _tab, ann = await open_room(lab, "zoe dead", "bob", "cleo", "cleo", "ann")
    await seat(hub, far := lab.peer("far"), room="red")
    with lab.no_error(expected="leave raises nothing", trap="notice-lost"):
        await hub.leave(cleo)
    with lab.no_error(expected="leaving again raises nothing", trap="announced-twice"):
        await lab.race(hub.leave(bob), hub.leave(bob), names=("a failed send", "bob's endpoint"))
        await hub.leave(lab.peer("a stranger"))
    await asyncio.sleep(SOON)
    heard = departures(ann)
    lab.expect("departures announced to ann, each once", sorted(set(heard)), ["bob", "cleo", "zoe"], trap="notice-lost")
    lab.expect("departures announced to ann", heard, ["bob", "cleo", "zoe"], trap="announced-twice")
    lab.expect("bob's close code after he left", bob.close_code, None, trap="leave-closes")
    told = (departures(bob).count("bob"), departures(far))
    lab.expect("bob's own departure told to him, any told elsewhere", told, (0, []), trap="wrong-audience")


async def test_who_was_removed_is_not_announced_again(lab):
    """Rule 7. Who was removed after a failed send or for a full backlog is announced then, and not when it leaves."""
    lab.scenario("bob is dead, cleo hangs and overflows; then the endpoints of both call leave")
    hub, ann, bob, cleo = await open_room(lab, "ann", "bob dead", "cleo hung", backlog=3, overflow="disconnect")
    await announce(hub, *range(8), pause=SOON)
    lab.expect("departures announced", departures(ann), ["bob", "cleo"], trap="notice-lost")
    await hub.leave(bob)
    await hub.leave(cleo)
    await asyncio.sleep(SOON)
    lab.expect("departures announced", departures(ann), ["bob", "cleo"], trap="announced-twice")


async def test_a_message_stays_in_its_room(lab):
    """Rule 8. A message reaches its room and no other, `exclude` apart; a peer is in one room."""
    hub, ann, bob = await open_room(lab, "ann", "bob")
    await hub.join(far := lab.peer("far"), room="red", name=ann.name)
    await hub.broadcast("lobby", {"n": 1}, exclude=ann)
    await announce(hub, 2)
    await announce(hub, 3, room="nobody is here")
    with lab.raises(ValueError, when="when ann, who is in the lobby, joins red", trap="two-rooms"):
        await seat(hub, ann, room="red")
    await hub.broadcast("red", {"n": 4}, exclude=ann)
    await asyncio.sleep(SOON)
    expect_numbers(lab, "wrong-audience", (ann, [2]), (bob, [1, 2]), (far, [4]))


async def test_a_peer_may_come_back(lab):
    """Rule 8. A peer that has left may join again, and is then like any other."""
    lab.scenario("ann leaves the lobby, comes back, and leaves again")
    hub, ann, bob = await open_room(lab, "ann", "bob")
    await hub.leave(ann)
    with lab.no_error(expected="who has left may join", trap="two-rooms"):
        await seat(hub, ann)
    await announce(hub, 1, pause=SOON)
    await hub.leave(ann)
    await announce(hub, 2, pause=SOON)
    expect_numbers(lab, "two-rooms", (ann, [1]), (bob, [1, 2]))
    lab.expect("departures announced to bob", departures(bob), ["ann", "ann"], trap="notice-lost")


async def test_an_empty_room_is_forgotten(lab):
    """Rule 8. A room that nobody is in takes no memory."""
    lab.scenario("20 rooms are joined, spoken to, left, and spoken to once more")
    alive = weakref.WeakSet()
    hub = Broadcaster()
    for i in range(20):
        room, ann = Tracked(f"room {i}"), lab.peer("ann")
        alive.add(room)
        await seat(hub, ann, room=room)
        await announce(hub, i, room=room, pause=SOON)
        await hub.leave(ann)
        await announce(hub, i, room=room, pause=SOON)
        expect_numbers(lab, "wrong-audience", (ann, [i]))
    del room
    gc.collect()
    lab.expect("room names still in memory", len(alive), 0, trap="rooms-pile-up")


async def test_a_full_hub_refuses(lab):
    """Rule 9. The hub takes `max_peers` peers over all rooms; one more is closed with 1013 and gets JoinRefused."""
    lab.scenario("max_peers 3: ann and, elsewhere, dead bob and hung eve; cleo comes, then there are three broadcasts")
    hub, ann = await open_room(lab, "ann", max_peers=3, backlog=1, overflow="disconnect")
    await seat(hub, lab.peer("bob", "dead"), lab.peer("eve", "hung"), room="red")
    refused = refusal(lab, hub, lab.peer("cleo", "hung"), "slots-miscounted")
    codes = await lab.within(5 + SOON, refused, what="join answers", trap="close-without-timeout")
    lab.expect("cleo's codes, raised and sent", codes, (1013, 1013), trap="no-close-code")
    with lab.raises(ValueError, when="when ann, who is in the lobby, joins once more", trap="two-rooms"):
        await seat(hub, ann, room="red")
    lab.expect("ann's close code", ann.close_code, None, trap="two-rooms")
    await announce(hub, 1, 2, 3, room="red", pause=SOON)
    await hub.leave(ann)
    lab.note("bob has died, eve has overflowed, ann has left; four come at once")
    outcomes = await lab.attempts(*(seat(hub, lab.peer(name)) for name in ("dan", "finn", "gus", "hal")))
    got_in = sum(outcome.ok for outcome in outcomes)
    lab.expect("newcomers that get in, of four at once", got_in, 3, trap="slots-miscounted")


async def test_no_task_outlives_its_peer(lab):
    """Rule 10. Once a peer is gone, however it went, its tasks end within `close_timeout`."""
    lab.scenario("bob dies, dan hangs and overflows; cleo hangs, eve is slow, ann is well, and these three leave")
    peers = ("ann", "cleo hung", "eve slow", "bob dead", "dan hung")
    hub, ann, cleo, eve, *_ = await open_room(lab, *peers, backlog=3, overflow="disconnect", close_timeout=5)
    await announce(hub, 1, 2, pause=SOON)
    for peer in (cleo, eve):
        await hub.leave(peer)
    await announce(hub, 3, 4, 5, 6, pause=SOON)
    await hub.leave(ann)
    await asyncio.sleep(5 + SOON)
    lab.expect("tasks still alive", lab.tasks_alive(), [], trap="unowned-task")
    lab.expect("what eve received after she left", eve.messages, [], trap="unowned-task")


async def test_shutdown_closes_everybody(lab):
    """Rule 11. `shutdown` closes all peers at once with 1001, announces nobody, and ends within `close_timeout`."""
    lab.scenario("close_timeout is 5 s; bob and cleo hang, dan is dead, ann and eve are well")
    hub, *peers = await open_room(lab, "bob hung", "cleo hung", "ann", "dan dead")
    await seat(hub, eve := lab.peer("eve"), room="red")
    peers.append(eve)
    with lab.no_error(expected="shutdown raises nothing", trap="no-close-code"):
        await lab.within(5 + SOON, hub.shutdown(), what="shutdown returns", trap="close-without-timeout")
    lab.expect("seconds that the hung peers were given", round(lab.now, 1), 5.0, trap="close-without-timeout")
    codes = {peer.name: peer.close_code for peer in peers}
    lab.expect("close codes", codes, dict.fromkeys(codes, 1001), trap="no-close-code")
    late = [peer.name for peer in peers if peer.closed_at > SOON]
    lab.expect("peers whose closing waited for another's", late, [], trap="close-without-timeout")
    with lab.no_error(expected="afterwards leave, broadcast and shutdown do nothing", trap="life-after-shutdown"):
        for peer in peers:
            await hub.leave(peer)
        await announce(hub, 1)
        await hub.shutdown()
    lab.expect("departures announced", [peer.name for peer in peers if departures(peer)], [], trap="announced-twice")
    lab.expect("tasks still alive", lab.tasks_alive(), [], trap="unowned-task")


async def test_nobody_hears_anything_during_a_shutdown(lab):
    """Rule 11. From the call of `shutdown` on nobody's departure is announced, no broadcast sent and nobody let in."""
    lab.scenario("bob hangs, so shutdown takes its 5 s; meanwhile ann leaves, there is a broadcast, and cleo comes")
    hub, _bob, ann, eve = await open_room(lab, "bob hung", "ann", "eve")
    closing = asyncio.create_task(hub.shutdown())
    await asyncio.sleep(SOON)
    lab.note("ann leaves")
    with lab.no_error(expected="leave and broadcast raise nothing", trap="life-after-shutdown"):
        await hub.leave(ann)
        await asyncio.sleep(SOON)
        lab.expect("sends to eve that began after shutdown", eve.attempts, 0, trap="announced-twice")
        await announce(hub, 1, pause=SOON)
    lab.expect("sends to eve that began after shutdown", eve.attempts, 0, trap="life-after-shutdown")
    for peer, wait in ((lab.peer("cleo"), 1), (ann, 9)):
        await asyncio.sleep(wait)
        codes = await refusal(lab, hub, peer, "life-after-shutdown")
        lab.expect(f"{peer.name}'s codes, raised and sent", codes, (1001, 1001), trap="no-close-code")
    await closing


async def test_a_cancelled_shutdown_leaves_nothing_behind(lab):
    """Rule 11. A shutdown that is cancelled has begun to close everybody, and ends at once with all that it began."""
    lab.scenario("close_timeout 60; bob hangs; shutdown is cancelled after 5 s")
    hub, _bob, ann = await open_room(lab, "bob hung", "ann", close_timeout=60)
    lab.note("shutdown is called")
    closing = asyncio.create_task(hub.shutdown())
    await asyncio.sleep(5)
    lab.note("shutdown is cancelled")
    closing.cancel()
    await asyncio.sleep(SOON)
    lab.expect("ann's close code", ann.close_code, 1001, trap="no-close-code")
    lab.expect("tasks still alive", lab.tasks_alive(), [], trap="unowned-task")


async def test_a_message_is_encoded_once(lab):
    """Rule 12. A message is encoded once for all, when `broadcast` is called; what `encode` raises, it raises."""
    lab.scenario("three peers; the caller changes its dict after each broadcast; then comes one that encode rejects")
    calls = []

    def encode(message):
        calls.append(message)
        return f'{{"n": {message["n"]:d}}}'

    hub, *peers = await open_room(lab, "ann", lab.peer("bob", "slow", seconds=3), "cleo", encode=encode)
    message = {"n": 1}
    for _ in range(2):
        await hub.broadcast("lobby", message)
        message["n"] += 1
    await asyncio.sleep(10)
    expect_numbers(lab, "encoded-per-send", *((peer, [1, 2]) for peer in peers))
    with lab.raises(TypeError, when="for a message that encode rejects", trap="encode-error-swallowed"):
        await hub.broadcast("lobby", {"n": None})
    lab.expect("calls of encode", len(calls), 3, trap="encoded-per-send")
    with lab.raises(TypeError, when="for such a message to an empty room", trap="encode-error-swallowed"):
        await hub.broadcast("nobody is here", {"n": None})


async def test_the_endpoint_relays_between_browsers(lab):
    """Rule 13. `/ws` relays each text frame to the others in the room, whatever it says."""
    lab.scenario("three real WebSocket clients; far is in another room")
    app = create_app(Broadcaster())
    tabs = {"ann": "red", "cleo": "red", "far": "blue"}
    ann, cleo, far = [await lab.browser(name, app, f"/ws?room={room}&name={name}") for name, room in tabs.items()]
    await ann.send_text("hello")
    await cleo.send_text("not { json")
    await asyncio.sleep(SOON)
    frames = (("ann", "hello"), ("cleo", "not { json"))
    said = [{"type": "message", "name": name, "text": text} for name, text in frames]
    got = {"to ann": ann.messages, "to cleo": cleo.messages, "to far": far.messages}
    want = {"to ann": said[1:], "to cleo": said[:1], "to far": []}
    lab.expect("what was relayed", got, want, trap="frame-interpreted")


@pytest.mark.parametrize("end", ["ends with her tab", "fails in encode", "is cancelled"])
async def test_an_endpoint_that_ends_leaves(lab, end):
    """Rule 13. However the connection ends, the peer leaves; what `broadcast` raises ends it, too."""
    lab.scenario(f"cleo's endpoint {end}")
    served = []

    def encode(message):
        if message.get("text") == "boom":
            raise ValueError("boom")
        return json.dumps(message)

    async def server(*connection):
        served.append(asyncio.create_task(app(*connection)))
        await asyncio.wait(served[-1:])

    app = create_app(Broadcaster(encode=encode))
    ann, cleo = [await lab.browser(name, server, f"/ws?room=red&name={name}") for name in ("ann", "cleo")]
    if end == "is cancelled":
        served[-1].cancel()
    else:
        await (cleo.send_text("boom") if end == "fails in encode" else cleo.close())
    await asyncio.sleep(SOON)
    lab.expect("departures announced to ann", departures(ann), ["cleo"], trap="endpoint-forgets-the-end")


async def test_the_endpoint_tells_why_it_closes(lab):
    """Rule 14. A browser that is refused sees 1013; when the application stops, the others see 1001."""
    lab.scenario("max_peers 1; ann is connected, bob comes too, then the application is stopped")
    app = create_app(Broadcaster(max_peers=1))
    async with app.router.lifespan_context(app):
        ann = await lab.browser("ann", app, "/ws?room=red&name=ann")
        refused = await lab.attempt(lab.browser("bob", app, "/ws?room=red&name=bob"), name="bob")
        lab.expect("what bob's handshake raises", refused.error, None, trap="refused-before-accept")
        await asyncio.sleep(SOON)
        lab.expect("bob's close code", refused.value.close_code, 1013, trap="refused-before-accept")
    await asyncio.sleep(SOON)
    lab.expect("ann's close code after the shutdown", ann.close_code, 1001, trap="endpoint-forgets-the-end")
    lab.expect("tasks still alive", lab.tasks_alive(), [], trap="unowned-task")
