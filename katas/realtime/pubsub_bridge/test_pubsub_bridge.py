"""The rules of README.md, in teaching order. Time is virtual: `asyncio.sleep(60)` returns at once.

`lab.process()` is the module once more, as another server has loaded it; all servers share one Redis.
`lab.server.cut_subscribers()` closes the connections of all subscribers, as a Redis does that restarts.
"""

import asyncio
import contextlib
import gc
import json

import pytest
import redis
from pubsub_bridge import Bridge

from dojo.lab import explore, sweep
from dojo.lab.properties import example, given, settings, st

SOON = 0.1  # seconds; what waits for nobody has happened by then
BACK = 1 + SOON  # the default retry_delay, and a bit
GAP, END = "-- a gap --", "-- the end --"  # how the tests write what a member is told besides messages


def plain(event):
    """What a member was told: a Message's data, or GAP."""
    return GAP if type(event).__name__ == "Gap" else event.data


def listen(member):
    """Read whatever `member` is told from now on; the list that it is noted in."""
    heard = []

    async def read_all():
        async for event in member:
            heard.append(plain(event))
        heard.append(END)

    asyncio.create_task(read_all())  # noqa: RUF006 - what it waits for refers to it
    return heard


async def enter(lab, bridge, *channels, limit=SOON):
    """A new member of each channel."""
    trap = "join-never-returns"
    return [await lab.within(limit, bridge.join(c), what=f"joining {c} returns", trap=trap) for c in channels]


async def hear(lab, bridge, *channels, limit=SOON):
    """A new member of each channel; what they are told."""
    return [listen(member) for member in await enter(lab, bridge, *channels, limit=limit)]


async def read(lab, member, count, trap):
    """The next `count` events of `member`."""
    return [plain(await lab.within(SOON, anext(member), what="the next event comes", trap=trap)) for _ in range(count)]


async def reached(lab, channel):
    """How many connections to Redis a message on `channel` reaches."""
    return await lab.redis().publish(channel, "{}")


async def say(lab, channel, *payloads):
    """What another service publishes; the members have read it when this returns."""
    client = lab.redis()
    for payload in payloads:
        await client.publish(channel, payload)
    await asyncio.sleep(SOON)


async def test_a_member_is_told_what_is_published(lab):
    """Rule 1. A member is told the messages of its channel, decoded and in order, and nothing else."""
    values = [{"text": "grüß dich", "n": 1.5}, [None, True], "[1]", 0, 0, None, "", {}]
    bridge = Bridge(lab.redis())
    (heard,) = await hear(lab, bridge, "news")
    for value in values:
        await bridge.publish("news", value)
    await asyncio.sleep(SOON)
    lab.expect("what the member is told", heard, values, trap="confirmation-as-message")


async def test_the_wire_carries_plain_json(lab):
    """Rule 1. On the wire is the message as JSON and nothing else; what is no JSON raises, and nobody gets it."""
    lab.scenario("services without this bridge publish and listen, too; here somebody publishes a set")
    bridge, other = Bridge(lab.redis()), lab.redis().pubsub(ignore_subscribe_messages=True)
    (heard,) = await hear(lab, bridge, "news")
    await other.subscribe("news")
    with lab.raises(TypeError, when="for a set", trap="publish-swallowed"):
        await bridge.publish("news", {1, 2})
    await say(lab, "news", '{"text": "grüß dich"}'.encode())
    await bridge.publish("news", {"n": [1]})
    await asyncio.sleep(SOON)
    got = [await other.get_message(timeout=SOON) for _ in range(3)]
    text = got[-1] and got[-1]["data"].replace(b" ", b"")
    lab.expect("what another service gets", text, b'{"n":[1]}', trap="private-envelope")
    lab.expect("what the member is told", heard, [{"text": "grüß dich"}, {"n": [1]}], trap="private-envelope")


async def test_a_channel_is_its_exact_name(lab):
    """Rule 2. A channel is its exact name: nothing in it is a pattern, and no two names are one channel."""
    names = ["news", "news.*", "news.eu", "News", "n?ws", "news ", "straße", "[a-z]*", "é", "e\u0301"]
    bridge = Bridge(lab.redis())
    heard = await hear(lab, bridge, *names)
    for n, name in enumerate(names):
        await bridge.publish(name, f"{n}: {name}")
    await asyncio.sleep(SOON)
    due = [[f"{n}: {name}"] for n, name in enumerate(names)]
    lab.expect("what is told on each channel", heard, due, trap="name-as-pattern")


@explore
async def test_each_server_delivers_once_and_in_one_order(lab):
    """Rule 3. Each member on each server is told each message once, and all of them in the same order."""
    lab.scenario("two members on server A, one on B; A and B publish at the same time")
    a, b = (lab.process().Bridge(lab.redis()) for _ in "AB")
    heard = await hear(lab, a, "news", "news") + await hear(lab, b, "news")
    await lab.race(a.publish("news", "from A"), b.publish("news", "from B"), names=("server A", "server B"))
    await asyncio.sleep(SOON)
    lab.expect("messages told", [len(h) for h in heard], [2, 2, 2], trap="delivered-twice")
    lab.expect("the order on A, A and B", heard, [heard[2][:]] * 3, trap="local-short-cut")


async def test_join_returns_when_the_subscription_stands(lab):
    """Rule 4. What is published after `join` has returned is told."""
    lab.scenario("a SUBSCRIBE takes 1 s to arrive; ann joins news; half a second later bob does, too, and cleo sport")
    lab.server.subscriptions_take = 1.0
    bridge = Bridge(lab.redis())

    async def visit(after, channel, name):
        await asyncio.sleep(after)
        (heard,) = await hear(lab, bridge, channel, limit=10)
        await say(lab, channel, json.dumps(name))
        return name in lab.plain("what is told", heard, trap="join-before-ack")

    visits = visit(0, "news", "ann"), visit(0.5, "news", "bob"), visit(0.5, "sport", "cleo")
    told = await asyncio.gather(*visits)
    lab.expect("each is told what came after the own join", told, [True] * 3, trap="join-before-ack")


async def test_one_subscription_serves_all_members(lab):
    """Rule 5. However many members a channel has, Redis sends a server each message once; without members, never."""
    lab.scenario("three members join on server A, one on B; two leave A when they are told 1, one of them twice")
    a, b = (lab.process().Bridge(lab.redis()) for _ in "AB")
    ann, bob, cleo = await enter(lab, a, "news", "news", "news")
    counts = [await reached(lab, "news"), await reached(lab, "sport")]
    lab.expect("connections that news and sport reach", counts, [1, 0], trap="subscription-per-member")
    (far,) = await enter(lab, b, "news")
    lab.expect("connections reached, with B", await reached(lab, "news"), 2, trap="subscription-per-member")

    async def read_once(member):
        while plain(await anext(member)) != 1:
            pass
        await member.leave()

    readers, heard = [asyncio.create_task(read_once(member)) for member in (ann, bob)], listen(cleo)
    await say(lab, "news", "1")
    await asyncio.wait(readers, timeout=SOON)
    await ann.leave()
    await say(lab, "news", "2")
    lab.expect("what cleo, who stays, is told at the end", heard[-2:], [1, 2], trap="first-leaver-takes-all")
    for member in (cleo, far):
        await member.leave()
    await asyncio.sleep(SOON)
    lab.expect("connections reached, all gone", await reached(lab, "news"), 0, trap="never-unsubscribed")
    lab.server.cut_subscribers()
    await asyncio.sleep(BACK)
    (heard,) = await hear(lab, a, "news")
    await say(lab, "news", "3")
    lab.expect("what a newcomer is told, after Redis hung up", heard[-1:], [3], trap="never-reconnected")


@explore
async def test_who_joins_while_the_last_leaves_is_told(lab):
    """Rule 5. Whoever joins while the last member leaves is told what comes."""
    bridge = Bridge(lab.redis())
    (ann,) = await enter(lab, bridge, "news")
    _, (heard,) = await lab.race(ann.leave(), hear(lab, bridge, "news"), names=("ann leaves", "bob joins"))
    await say(lab, "news", "1")
    lab.expect("what bob is told", heard, [1], trap="leave-meets-join")


@pytest.mark.parametrize("pause", [0.0, 0.5])
@pytest.mark.parametrize("first", ["joins and leaves", "gives up joining", "joins, is told a gap and leaves"])
async def test_who_comes_back_at_once_is_told(lab, first, pause):
    """Rule 5. Whoever comes back while the UNSUBSCRIBE is under way is told what comes."""
    lab.scenario(f"a SUBSCRIBE takes 1 s to arrive; ann {first}, and joins again {pause} s later; bob gives up joining")
    lab.server.subscriptions_take = 1.0
    bridge = Bridge(lab.redis())
    joining, bobs = (asyncio.create_task(bridge.join(channel)) for channel in ("news", "sport"))
    await asyncio.sleep(SOON)
    bobs.cancel()
    await asyncio.sleep(0 if first == "gives up joining" else 1)
    if "gap" in first:
        lab.server.cut_subscribers()
        await asyncio.sleep(1 + BACK)
    joining.cancel() if not joining.done() else await joining.result().leave()
    await asyncio.sleep(pause)
    (heard,) = await hear(lab, bridge, "news", limit=10)
    for n in range(10):
        await say(lab, "news", str(n))
    lab.expect("what ann is told", heard, [*range(10)], trap="leave-meets-join")
    lab.expect("connections that sport reaches", await reached(lab, "sport"), 0, trap="never-unsubscribed")


async def test_a_malformed_payload_is_skipped(lab):
    """Rule 6. What is no JSON is skipped, by all members and without a word."""
    lab.scenario("somebody publishes bytes that are no UTF-8, half an object, nothing, words, 100,000 brackets")
    bridge = Bridge(lab.redis())
    heard = await hear(lab, bridge, "news", "news", "sport")
    await say(lab, "news", b"1", b'"\xff"', b"{", b"", b"hello", b"[" * 100_000, b"2")
    await say(lab, "sport", b"3")
    await asyncio.sleep(BACK)
    await say(lab, "news", b"4")
    lab.expect("what the members are told", heard, [[1, 2, 4], [1, 2, 4], [3]], trap="poison-message")
    lab.expect("exceptions nobody awaited", lab.errors_nobody_saw(), [], trap="poison-message")


async def test_a_slow_member_delays_nobody(lab):
    """Rule 7. At most `backlog` messages wait for a member; the oldest is dropped, and a gap stands in its place."""
    lab.scenario("backlog 3; bob, who joined first, does not read; ann does; ten messages arrive at once")
    bridge = Bridge(lab.redis(), backlog=3)
    (bob,) = await enter(lab, bridge, "news")
    (ann,) = await hear(lab, bridge, "news")
    async with lab.redis().pipeline() as pipe:
        for n in range(10):
            pipe.publish("news", json.dumps(["n", n]))
        await pipe.execute()
    await asyncio.sleep(SOON)
    told = lab.plain("what ann is told", ann, trap="confirmation-as-message")
    lab.expect("gaps told to ann", told.count(GAP), 0, trap="readers-starve")
    lab.expect("the numbers told to ann", [n for _, n in told], [*range(10)], trap="blocked-by-the-slowest")
    ann.clear()
    kept = sum(type(o) is list and o[:1] == ["n"] for o in gc.get_objects())
    lab.require(kept < 7, expected="fewer than 7 messages in memory", got=f"{kept} messages", trap="silent-drop")
    got = await read(lab, bob, 4, "silent-drop")
    lab.expect("what bob is told in the end", got, [GAP, ["n", 7], ["n", 8], ["n", 9]], trap="silent-drop")


def test_nonsense_is_refused(lab):
    """Rule 7. A backlog below 1 or a retry_delay that is not positive raises ValueError."""
    Bridge(lab.redis(), backlog=1, retry_delay=0.001)
    for options in ({"backlog": 0}, {"backlog": -1}, {"retry_delay": 0}, {"retry_delay": -1.0}):
        with lab.raises(ValueError, when=f"for {options}", trap="nonsense-accepted"):
            Bridge(lab.redis(), **options)


@pytest.mark.parametrize("retries", [0, 3])
async def test_a_lost_connection_is_a_gap(lab, retries):
    """Rule 8. A lost connection comes back by itself, for every channel that has members; each is told one gap."""
    lab.scenario(f"a client with {retries} retries; Redis hangs up after message 1; message 2 is lost")
    bridge = Bridge(lab.redis(retries=retries))
    heard = await hear(lab, bridge, "news", "news", "sport")
    (left,) = await enter(lab, bridge, "weather")
    await left.leave()
    for n in (1, 3):
        for channel in ("news", "sport"):
            await say(lab, channel, str(n))
        if n == 1:
            lab.note("** Redis closes the connection; 2 is published on news and on sport **")
            lab.server.cut_subscribers()
            for channel in ("news", "sport"):
                lab.server.raw.publish(channel, b"2")
            await asyncio.sleep(BACK)
    lab.expect("the last message told", [h[-1:] for h in heard], [[3]] * 3, trap="never-reconnected")
    lab.expect("what the members are told", heard, [[1, GAP, 3]] * 3, trap="silent-reconnect")
    counts = [await reached(lab, c) for c in ("news", "sport", "weather")]
    lab.expect("connections that news, sport and weather reach", counts, [1, 1, 0], trap="never-unsubscribed")


@pytest.mark.parametrize("retries", [0, 3])
async def test_a_gap_is_told_when_the_subscription_stands_again(lab, retries):
    """Rule 9. When a gap is told, the subscription stands again: what is published from then on is told."""
    lab.scenario(f"{retries} retries; Redis hangs up; a SUBSCRIBE takes 1 s; each member publishes once it has its gap")
    bridge, trap = Bridge(lab.redis(retries=retries)), "gap-told-too-early"
    news, sport = await enter(lab, bridge, "news", "sport")
    lab.server.subscriptions_take = 1.0
    lab.note("** Redis closes the connection **")
    lab.server.cut_subscribers()

    async def follow(channel, member):
        first = plain(await anext(member))
        await say(lab, channel, "1")
        return [first, *await read(lab, member, 1, trap)]

    following = asyncio.gather(follow("news", news), follow("sport", sport))
    told = await lab.within(5, following, what="a gap comes", trap="silent-reconnect")
    lab.expect("what the members are told", told, [[GAP, 1]] * 2, trap=trap)


async def test_nothing_lost_is_no_gap(lab):
    """Rule 10. A gap is told only where messages may be missing."""
    lab.scenario("backlog 3; others join and leave, this channel and another; three messages come; 32 s of silence")
    bridge = Bridge(lab.redis(retries=3), backlog=3)
    (heard,) = await hear(lab, bridge, "news")
    for channel in ("news", "sport", "news", "sport"):
        (other,) = await enter(lab, bridge, channel)
        await other.leave()
        await asyncio.sleep(SOON)
    await say(lab, "news", "1", "2", "3")
    await asyncio.sleep(32)
    await say(lab, "news", "4")
    lab.expect("what the first member is told", heard, [1, 2, 3, 4], trap="false-alarm")


@settings(max_examples=2)
@example(calls="ppprcppcrrpppc")
@example(calls="ppcprrrrccrprpcpppprcrp")
@given(calls=st.text(alphabet="pppprrc", min_size=4, max_size=16))
async def test_no_history_makes_a_member_wrong(lab, calls):
    """Rule 10. Whatever happens, a member is told the last messages, and a gap wherever some are missing."""
    lab.scenario("backlog 2; the calls: p a message is published, r the member reads an event, c Redis hangs up")
    bridge, got, told, waiting = Bridge(lab.redis(), backlog=2, retry_delay=0.5), [], [], []
    (member,) = await enter(lab, bridge, "news")
    for n, call in enumerate(calls + "r" * len(calls)):
        if call == "p":
            await say(lab, "news", str(n))
            waiting.append(n)
        elif call == "c":
            lab.server.cut_subscribers()
            await asyncio.sleep(0.5 + SOON)
            waiting.append(GAP)
        elif waiting:
            told.append(waiting.pop(0))
            got += await read(lab, member, 1, "gap-misplaced")
        kept = [event for event in waiting if event != GAP][-2:]
        waiting = [event if event in kept else GAP for event in waiting]
        waiting = [event for i, event in enumerate(waiting) if event != GAP or waiting[i - 1 : i] != [GAP]]
    lab.expect("what the member is told", got, told, trap="gap-misplaced")


class Refused(redis.TimeoutError):
    """Counts how often it is raised, and ends the outage the thousandth time, so that a busy loop ends, too."""

    tries = 0

    def with_traceback(self, _):
        self.tries += 1
        if self.tries == 1000:
            self.end()
        return super().with_traceback(None)


async def test_an_outage_is_waited_out(lab):
    """Rule 11. While Redis cannot be reached, `join` waits, `leave` does not, and `publish` raises."""
    lab.scenario("60 s without Redis: ann leaves, dan stays; bob joins, cleo gives up joining; on server B eve joins")
    a, b = (lab.process().Bridge(lab.redis(), retry_delay=2) for _ in "AB")
    ann, dan = await enter(lab, a, "news", "sport")
    heard = listen(dan)
    with contextlib.ExitStack() as outage:
        outage.enter_context(lab.server.outage(refused := Refused("no answer")))
        refused.end = outage.close
        lab.server.cut_subscribers()
        with lab.raises(redis.TimeoutError, when="from publish", trap="publish-swallowed"):
            await a.publish("sport", "not told")
        with lab.no_error(expected="leave raises nothing", trap="leave-waits"):
            await lab.within(SOON, ann.leave(), what="leave returns", trap="leave-waits")
        await asyncio.sleep(SOON)
        joins = a.join("sport"), b.join("sport"), a.join("weather")
        bob, eve, cleo = (asyncio.create_task(join) for join in joins)
        await asyncio.sleep(30)
        cleo.cancel()
        await asyncio.sleep(30)
        ok, got = refused.tries < 150, f"{refused.tries} of them"
        lab.require(ok, expected="fewer than 150 refused commands in 60 s", got=got, trap="busy-reconnect")
        lab.expect("joins ended during the outage", [bob.done(), eve.done()], [False, False], trap="join-gives-up")
        lab.expect("what dan is told during the outage", heard, [], trap="gap-told-too-early")
    await asyncio.sleep(2 + SOON)
    lab.expect("joins ended after the outage", [bob.done(), eve.done()], [True, True], trap="never-reconnected")
    newcomers = [listen(await bob), listen(await eve)]
    await say(lab, "sport", "1")
    got = [*(newcomer[-1:] for newcomer in newcomers), heard]
    lab.expect("bob's and eve's last, and dan's all", got, [[1], [1], [GAP, 1]], trap="never-reconnected")
    lab.expect("cleo's join is cancelled", cleo.cancelled(), True, trap="cancelled-join")
    lab.expect("connections that weather reaches", await reached(lab, "weather"), 0, trap="cancelled-join")


@sweep(kinds=("lost-request", "lost-reply"))
async def test_a_lost_command_is_sent_again(lab):
    """Rule 11. Wherever the connection breaks, members are told, and channels without members are unsubscribed."""
    lab.scenario("A joins news, weather, publishes 'hi' on news, leaves weather; a step of it fails with TimeoutError")
    lab.server.lost = redis.TimeoutError
    bridge = Bridge(lab.redis())

    async def visit():
        news, weather = await enter(lab, bridge, "news", "weather", limit=10)
        heard = listen(news)
        with contextlib.suppress(redis.TimeoutError):
            await bridge.publish("news", "hi")
        await weather.leave()
        return heard

    heard = (await lab.attempt(visit(), name="server A")).result()
    await asyncio.sleep(BACK)
    await say(lab, "news", "1")
    lab.expect("the last that is told", heard[-1:], [1], trap="never-reconnected")
    times = lab.plain("what is told", heard, trap="delivered-twice").count("hi")
    lab.require(times < 2, expected="'hi' once, or not at all", got="'hi' twice", trap="delivered-twice")
    lab.expect("connections that weather reaches", await reached(lab, "weather"), 0, trap="never-unsubscribed")


async def test_a_cancelled_read_loses_nothing(lab):
    """Rule 12. Waiting for an event may be cancelled: nothing is lost, and the member goes on."""
    lab.scenario("three reads are cancelled while nothing comes; then four with a message there, 0 to 3 turns later")
    bridge = Bridge(lab.redis())
    (member,) = await enter(lab, bridge, "news")
    got = []
    for n in range(3):
        with lab.raises(TimeoutError, when="from a read that is cancelled after 1 s", trap="cancelled-read"):
            await asyncio.wait_for(anext(member), 1)
        await bridge.publish("news", n)
        with lab.no_error(expected="the next event", trap="cancelled-read"):
            got += await read(lab, member, 1, "cancelled-read")
    for n in range(3, 7):
        await say(lab, "news", str(n))
        reading = asyncio.ensure_future(anext(member))
        for _ in range(n - 3):
            await asyncio.sleep(0)
        lab.note("a read is cancelled")
        reading.cancel()
        await asyncio.wait({reading})
        got += await read(lab, member, 1, "cancelled-read") if reading.cancelled() else [plain(reading.result())]
    lab.expect("what the member is told", got, [*range(7)], trap="cancelled-read")


async def test_leaving_ends_the_iteration(lab):
    """Rule 12. `leave` ends the iteration at once, also for who is waiting; what waits is dropped."""
    lab.scenario("ann waits for a message, bob has one to read; both leave, bob again")
    bridge = Bridge(lab.redis())
    ann, bob = await enter(lab, bridge, "sport", "news")
    heard = listen(ann)
    await say(lab, "news", "1")
    for member in (ann, bob, bob):
        await lab.within(SOON, member.leave(), what="leave returns", trap="leave-waits")
    heard_late, heard_again = listen(bob), listen(ann)
    for channel in ("news", "sport"):
        await say(lab, channel, "2")
    got = [heard, heard_late, heard_again]
    lab.expect("what ann, bob and ann, once more, are told", got, [[END]] * 3, trap="life-after-leave")


@pytest.mark.parametrize("reachable", [True, False])
async def test_close_ends_everything(lab, reachable):
    """Rule 13. `aclose` ends members, joins and tasks, and gives the connection back."""
    lab.scenario("ann waits for a message" + ("" if reachable else ", bob for the end of an outage"))
    bridge, trap = Bridge(lab.redis()), "close-hangs"

    async def close():
        await bridge.aclose()
        return lab.tasks_alive()

    (ann,) = await hear(lab, bridge, "news")
    with contextlib.nullcontext() if reachable else lab.server.outage():
        if not reachable:
            lab.server.cut_subscribers()
            await asyncio.sleep(SOON)
            joining = asyncio.create_task(bridge.join("sport"))
            await asyncio.sleep(10)
        alive = await lab.within(SOON, close(), what="aclose returns", trap="close-hangs")
        lab.expect("tasks alive when it has", alive, [], trap="unowned-task")
        await lab.within(SOON, close(), what="a second aclose returns", trap="close-hangs")
        late = bridge.join("weather") if reachable else joining
        with lab.raises(RuntimeError, when="from join, as the bridge is closed", trap=trap):
            await lab.within(SOON, late, what="join ends", trap=trap)
        lab.expect("what ann is told", ann, [END], trap=trap)
    lab.expect("connections reached", await reached(lab, "news"), 0, trap="never-unsubscribed")
