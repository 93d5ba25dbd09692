"""Reliable queue: what is received comes again, unless it is acknowledged in time."""

import asyncio
import time
from unittest import mock

import pytest
import redis
from reliable_queue import ReliableQueue

from dojo.lab import explore, sweep
from dojo.lab.properties import given, settings, st

DAY, MONTH = 86_400, 40 * 86_400
LONG = 1000  # seconds: longer than any timeout or delay in the tests that use it
RECEIPTS, DELAYS, NAMES = ("ack", "nack", "extend"), ("send", "nack"), ("server A", "server B")


def server(lab, name="orders", **settings):
    """The queue as another server holds it."""
    return lab.process().ReliableQueue(lab.redis(), name, **settings)


def told(delivery):
    return None if delivery is None else (delivery.body, delivery.receives)


def call(queue, operation, receipt="", seconds=100):
    """Any of the five calls, with so many seconds for the message to be invisible."""
    what = {"send": [b"order-8"], "receive": [seconds], "extend": [receipt, seconds]}.get(operation, [receipt])
    return getattr(queue, operation)(*what, **({"delay": seconds} if operation in DELAYS else {}))


async def taken(lab, queue, *visibility):
    """What `receive` returns where a message is visible."""
    delivery = await queue.receive(*visibility)
    lab.require(delivery is not None, expected="a message is received", got="None", trap="overlooked")
    return delivery


async def expect_back(lab, queue, seconds, right, trap):
    """Nothing is received until a moment before so many seconds are over, and `right` a moment after."""
    for wait, then in (seconds - 0.003, None), (0.006, right):
        await asyncio.sleep(wait)
        delivery = await queue.receive()
        lab.expect(f"received at {lab.now:.13g} s", told(delivery), then, trap=trap)
    return delivery


async def drained(queue):
    """Receive and acknowledge whatever is visible; the bodies."""
    bodies = []
    while len(bodies) < 9 and (delivery := await queue.receive(LONG)) is not None:
        bodies.append(delivery.body)
        await queue.ack(delivery.receipt)
    return bodies


async def one_life(lab, queue, most=None):
    """One message comes and goes; what may be stored an hour and one `receive` later, which is no more than `most`."""
    await queue.send(b"order-0")
    await queue.ack((await taken(lab, queue)).receipt)
    await asyncio.sleep(3600)
    lab.expect("received in the end", told(await queue.receive()), None, trap="left-behind")
    raw, names = lab.server.raw, lab.server.keys()
    texts = [key for key in names if raw.type(key) == b"string"]
    size, length = sum(lab.server.memory(key) for key in names if key not in texts), sum(map(raw.strlen, texts))
    due, got = (f"{n} elements in collections and {m} bytes in strings" for n, m in (most or (size, 0), (size, length)))
    right = most is None or (size <= most[0] and length <= most[1])
    lab.require(right, expected=f"at most {due}", got=got, trap="left-behind")
    return size, length + 16


async def test_what_is_sent_is_received(lab):
    """Rule 1. What is sent is received, byte by byte, under the id that `send` returned; an empty queue gives None."""
    queue, ids, got, coffee = server(lab), [], [], b"one coffee"
    lab.expect("received from an empty queue", await queue.receive(), None, trap="waits")
    for body in (b"", b"0", b"\xff{\x00", "Zoë".encode(), b" a:b|c,d \r\n", b"x" * 300_000, coffee, coffee):
        ids.append(await queue.send(body))
        if len(ids) != 7:  # the first coffee waits for the second
            with lab.no_error(expected="any bytes are a body", trap="body-changed"):
                got += [await queue.receive() for _ in ids[len(got) :]]
            lab.expect("received", told(got[-1]), (body, 1), trap="same-body" if body == coffee else "body-changed")
            await queue.ack(got[-1].receipt)
    lab.expect("ids received", [delivery.id for delivery in got], ids, trap="same-body")
    names = lab.plain("ids and receipts", [*ids, *(delivery.receipt for delivery in got)], trap="same-body")
    right = {*map(type, names)} == {str} and len({*names[:8]}) == 8 == len({*names[8:]})
    lab.require(right, expected="8 ids and 8 receipts, all str", got=str(names), trap="same-body")
    lab.expect("seconds that all this took", lab.now, 0.0, trap="waits")


async def test_a_received_message_is_invisible_for_a_while(lab):
    """Rule 2. A received message is invisible for `visibility` seconds, others are not; then it is received again."""
    for default, *asked in (30,), (5,), (30, 0.056), (30, 90.5), (30, MONTH):
        seconds = (default, *asked)[-1]
        lab.scenario(f"visibility {seconds:,} s, {'given to receive' if asked else 'the default of the queue'}")
        queue = server(lab, f"seen for {seconds} s", **({} if default == 30 else {"visibility": default}))
        await queue.send(b"order-7")
        for receives in (1, 2):
            trap = "popped-is-gone" if seconds == 30 else "inexact-timeout"
            lab.expect("received", told(await queue.receive(*asked)), (b"order-7", receives), trap=trap)
            await queue.send(b"meanwhile")
            other, trap = await queue.receive(3 * MONTH), "inexact-timeout"
            lab.expect("then", told(other), (b"meanwhile", 1), trap="blocked-by-the-first" if other is None else trap)
            await asyncio.sleep(seconds - 0.003)
            lab.expect("received just before it is over", told(await queue.receive()), None, trap=trap)
            await asyncio.sleep(0.006)


async def test_an_acknowledged_message_never_comes_again(lab):
    """Rule 3. `ack` ends a message: True, and it never comes again; a second `ack` is harmless and returns False."""
    a, b, trap = server(lab), server(lab), "ack-of-nothing"
    for _ in range(2):
        await a.send(b"coffee")
    receipt, _ = (await taken(lab, a)).receipt, await taken(lab, a)
    acks = [await queue.ack(receipt) for queue in (a, a, b)]
    lab.expect("ack, and twice again", acks, [True, False, False], trap=trap)
    await expect_back(lab, b, 30, (b"coffee", 2), trap=trap)
    lab.expect("ack with the old receipt", await a.ack(receipt), False, trap=trap)
    await asyncio.sleep(LONG)
    lab.expect("received in the end", [await drained(a), await drained(b)], [[b"coffee"], []], trap=trap)


async def test_every_receive_is_counted(lab):
    """Rule 4. `receives` rises by one with each receive, whichever way the message came back, on whichever server."""
    lab.scenario("its receivers die, extend and die, or give it back, at once or with a delay; each on a new server")
    counts = []
    await server(lab).send(b"order-7")
    for ending in ("dies", "extend", "nack", "dies", "nack", "nothing") * 3:
        counts.append((got := await taken(lab, queue := server(lab))).receives)
        if ending in RECEIPTS:
            await call(queue, ending, got.receipt, seconds=0 if len(counts) == 5 else len(counts))
        await asyncio.sleep(31)
    lab.expect("receives", counts, [*range(1, 19)], trap="lost-count")


async def test_a_failed_message_comes_again_after_its_delay(lab):
    """Rule 5. `nack` makes the message visible again after `delay` seconds, at once by default, and never earlier."""
    a, b, trap = server(lab), server(lab), "nack-without-delay"
    await a.send(b"order-7")
    got, receives = await taken(lab, a), 1
    for delay in (0.056, 7, 90, MONTH, 0):
        lab.scenario(f"visibility 30 s; given back after 5 s, {f'with a delay of {delay:,} s' if delay else 'at once'}")
        await asyncio.sleep(5)
        start, receives = lab.now, receives + 1
        gave = await (a.nack(got.receipt, delay=delay) if delay else a.nack(got.receipt))
        lab.expect("nack, seconds it took", (gave, lab.now - start), (True, 0.0), trap=trap)
        if delay:
            got = await expect_back(lab, b, delay, (b"order-7", receives), trap=trap)
    lab.expect("received at once", told(await b.receive()), (b"order-7", receives), trap=trap)


async def test_extend_moves_the_deadline(lab):
    """Rule 6. `extend` lets the message come again `visibility` seconds from now, be that later or earlier."""
    a, b, got, trap = server(lab, visibility=35), server(lab), None, "deadline-not-moved"
    await a.send(b"order-7")
    for receives, seconds in enumerate((50, 5, 0.056, MONTH, None), start=2):
        told_so = "the queue's default of 35 s" if seconds is None else f"{seconds:,} s"
        lab.scenario(f"extended by 10 s, 5 s later by 90 s, and 20 s later by {told_so}")
        receipt = (got or await taken(lab, a, 100)).receipt
        for asked, wait in (10, 5), (90, 20), (seconds, 0):
            kept = await (a.extend(receipt) if asked is None else a.extend(receipt, asked))
            lab.expect("extend", kept, True, trap=trap)
            await asyncio.sleep(wait)
        got = await expect_back(lab, b, seconds or 35, (b"order-7", receives), trap=trap)


@pytest.mark.parametrize("delay", [0.056, 3 * 3600, MONTH])
async def test_a_delayed_message_comes_once_and_in_time(lab, delay):
    """Rule 7. A message sent with a delay is received after it, and once, however far it is beyond the visibility."""
    lab.scenario(f"visibility 30 s, delay {delay:,} s; two servers look for work, and others get theirs")
    a, b, trap = server(lab), server(lab), "delay-as-visibility"
    await a.send(b"later", delay=delay)
    early = [told(await queue.receive()) for queue in (a, b)]
    await b.send(b"now")
    early += [told(now := await taken(lab, a)), told(await b.receive()), await a.ack(now.receipt)]
    lab.expect("received before", early, [None, None, (b"now", 1), None, True], trap=trap)
    await asyncio.sleep(delay / 2)
    lab.expect("received half the delay later", told(await b.receive()), None, trap=trap)
    got = await expect_back(lab, a, delay / 2, (b"later", 1), trap=trap)
    lab.expect("a second copy, ack", (told(await b.receive()), await a.ack(got.receipt)), (None, True), trap=trap)
    await asyncio.sleep(LONG)
    lab.expect("a copy after the ack", told(await b.receive()), None, trap=trap)


async def test_first_deliveries_keep_their_order(lab):
    """Rule 8. Messages sent without delay are received, the first time, in the order in which they were sent."""
    lab.scenario("two servers send in turn, 12 messages in one instant and 3 a second later, when two are done")
    servers, sent, got = [server(lab), server(lab)], [5, 3, 9, 1, 12, 2, 7, 11, 4, 8, 0, 6, 10, 15, 13], []
    for n, number in enumerate([*sent[:12], None, None, *sent[12:], *[None] * 13]):
        if number is None:
            got.append((delivery := await taken(lab, servers[n % 2], LONG)).body)
            await (servers[1].ack(delivery.receipt) if len(got) < 3 else asyncio.sleep(1))
        else:
            await servers[n % 2].send(b"%d" % number)
    lab.expect("received", got, [b"%d" % number for number in sent], trap="order-lost")


async def test_every_message_gets_its_turn(lab):
    """Rule 8. While a message is visible, none is received twice, and none that is sent after the next `receive`."""
    lab.scenario("one message waits, eleven of dead servers come back; each fails at once, and each time one is sent")
    queue, got, bodies = server(lab), [], [b"a", *(b"left %x" % n for n in range(11))]
    for body in (*bodies[1:], b"a"):
        await queue.send(body)
        await (queue.receive(10) if body != b"a" else asyncio.sleep(11))
    for _ in bodies:
        got.append((delivery := await taken(lab, queue)).body)
        await asyncio.sleep(1)
        await queue.nack(delivery.receipt)
        await queue.send(b"new")
    right = sorted(lab.plain("received", got, trap="starved")) == bodies
    lab.require(right, expected="the 12 that wait, in the first 12 receives", got=str(got), trap="starved")


@pytest.mark.parametrize("operation", RECEIPTS)
async def test_a_stale_receipt_does_nothing(lab, operation):
    """Rule 9. Once the message is received again, an older receipt does nothing: ack, nack and extend return False."""
    lab.scenario("visibility 30 s; A hangs, B receives the message at 31 s, A wakes up at 41 s")
    a, b, trap = server(lab), server(lab), "stale-receipt"
    await a.send(b"order-7")
    old = (await taken(lab, a)).receipt
    await asyncio.sleep(31)
    new = (await taken(lab, b)).receipt
    await asyncio.sleep(10)
    did = [await call(a, operation, old, seconds) for seconds in (100, 0.5)]
    lab.expect(f"{operation} by A, twice", did, [False, False], trap=trap)
    await expect_back(lab, b, 20, (b"order-7", 3), trap=trap)
    lab.expect("acks with the two older receipts", [await b.ack(old), await b.ack(new)], [False, False], trap=trap)


async def test_a_receipt_is_used_up(lab):
    """Rule 9. After ack or nack the receipt is stale, as is any text that is no receipt of this queue's."""
    queue, other = server(lab), server(lab, "shipping")
    for each in (other, queue):
        await each.send(b"order-7")
        await each.nack(old := (await taken(lab, each)).receipt)
    foreign, got = (await taken(lab, other)).receipt, await taken(lab, queue)  # in the same instant
    receipt, strange = got.receipt, ["", ":", "x", "0", got.id, foreign]
    for text in (old, *strange, *(receipt + end for end in ("0", ":", "\n")), receipt[:-1]):
        trap = "stale-receipt" if text == old else "foreign-receipt"
        with lab.no_error(expected="a text that is no receipt is stale, and no more", trap=trap):
            did = [await call(queue, operation, text) for operation in RECEIPTS]
        lab.expect(f"ack, nack, extend of {text!r}", did, [False] * 3, trap=trap)
    for settled, then in ("nack", (b"order-7", 3)), ("ack", None):
        did = [await call(queue, operation, receipt, 60) for operation in (settled, *RECEIPTS)]
        lab.expect(f"{settled}, then ack, nack, extend", did, [True, False, False, False], trap="stale-receipt")
        got = await expect_back(lab, queue, 60, then, trap="stale-receipt")
        receipt = got and got.receipt


@pytest.mark.parametrize("operation", RECEIPTS)
async def test_a_late_receipt_counts_if_nobody_came(lab, operation):
    """Rule 10. A receipt whose deadline is over still counts, until somebody receives the message again."""
    lab.scenario("visibility 30 s; A is ready after 40 days; meanwhile somebody has looked for work, and got order-8")
    a, b, trap = server(lab), server(lab), "late-work-thrown-away"
    for body in (b"order-7", b"order-8"):
        await a.send(body)
    receipt = (await taken(lab, a)).receipt
    await asyncio.sleep(MONTH)
    lab.expect("received meanwhile", told(await b.receive(LONG)), (b"order-8", 1), trap=trap)
    lab.expect(operation, await call(a, operation, receipt), True, trap=trap)
    await expect_back(lab, b, 100, None if operation == "ack" else (b"order-7", 2), trap=trap)


# Durations end between whole seconds and the calls come at whole seconds, so that nothing happens on an edge.
DURATIONS = st.integers(0, 5).map(lambda n: n + 0.5)
CALLS = st.sampled_from(["send", "receive", "receive", "receive", *RECEIPTS])


@settings(max_examples=5)
@given(calls=st.lists(st.tuples(st.integers(0, 3), CALLS, st.booleans(), DURATIONS), min_size=8, max_size=20))
async def test_any_history_ends_as_it_should(lab, calls):
    """Rule 11. All this holds whatever came before."""
    lab.scenario("calls are (seconds since the call before, call, at once or with the latest receipt, seconds)")
    queue, messages, receipts, trap = server(lab), {}, [], "wrong-history"
    for gap, operation, flag, seconds in [(0, "send", True, 0), *calls, (9, "receive", True, 9)]:
        await asyncio.sleep(gap)
        now, at = lab.now, lab.now + seconds
        if operation == "send":
            id = lab.plain("id", await queue.send(b"order", delay=0 if flag else seconds), trap=trap)
            messages[id] = {"at": now if flag else at, "new": flag, "receives": 0, "receipt": ""}
        elif operation == "receive":
            visible, got = [id for id, m in messages.items() if m["at"] <= now], await queue.receive(seconds)
            in_order = [id for id in visible if messages[id]["new"]]
            may = [id for id in visible if id not in in_order[1:]] or [None]
            id, receipt = (None, None) if got is None else lab.plain("id", (got.id, got.receipt), trap=trap)
            lab.require(id in may, expected=f"one of {may} at {now:g} s", got=f"{id!r}", trap=trap)
            if id is not None:
                messages[id] = {"at": at, "new": False, "receives": messages[id]["receives"] + 1, "receipt": receipt}
                lab.expect("receives", got.receives, messages[id]["receives"], trap=trap)
                receipts.append(receipt)
        elif receipts:
            receipt = receipts[-1 if flag else len(receipts) // 2]
            mine = [id for id, m in messages.items() if m["receipt"] == receipt]
            did = await call(queue, operation, receipt, seconds)
            lab.expect(f"{operation} at {now:g} s", did, mine != [], trap=trap)
            for id in mine:
                messages[id] |= {"at": at, "receipt": receipt if operation == "extend" else ""}
                messages = {i: m for i, m in messages.items() if (i, operation) != (id, "ack")}


@explore(preemptions=1)  # and every stall on top
@sweep(kinds=("stall:61",))
@pytest.mark.parametrize(("count", "delay", "dies"), [(2, 0, False), (1, 0, True), (1, 90, False)])
async def test_racing_servers_share_the_work(lab, count, delay, dies):
    """Rule 12. However servers race or stall, no message goes to two of them, and none is overlooked."""
    why = ", whose receiver died" * dies + ", whose delay is over" * bool(delay)
    lab.scenario(f"two servers look for work at the same instant; there is {count} message{'s' * (count - 1)}{why}")
    servers, trap = (server(lab), server(lab)), "check-then-act"
    await servers[0].receive()
    for n in range(count):
        await servers[0].send(b"order-%d" % n, delay=delay)
    if dies:
        await servers[1].receive(90)
    await asyncio.sleep(91)
    got = await lab.race(*(queue.receive(LONG) for queue in servers), names=NAMES)
    found = sorted(lab.plain("received", [told(d) for d in got if d is not None], trap=trap))
    lab.expect("received by A and B", found, [(b"order-%d" % n, 1 + dies) for n in range(count)], trap=trap)
    acks = [await queue.ack(d.receipt) for queue, d in zip(servers, got, strict=True) if d is not None]
    await asyncio.sleep(2 * LONG)
    then = acks, told(await servers[0].receive())
    lab.expect("acks, received in the end", then, ([True] * count, None), trap=trap)


@explore(preemptions=1)
@sweep(kinds=("stall:61",))
async def test_a_message_is_there_or_not(lab):
    """Rule 12. A receiver gets the whole message or None, be its sender slow or itself too late."""
    lab.scenario("A calls receive(5), B sends order-7 at the same instant; C works off all at 50 s, and later")
    a, b, c, trap = server(lab), server(lab), server(lab), "half-a-message"
    most = await one_life(lab, a)

    async def work():
        await asyncio.sleep(50)
        return await drained(c)

    with lab.no_error(expected="the message or None", trap=trap):
        got, _, found = await lab.race(a.receive(5), b.send(b"order-7"), work(), names=(*NAMES, "server C"))
        acked = got is not None and await a.ack(got.receipt)
        await asyncio.sleep(LONG)
        found += await drained(c)
    right = None if got is None else (b"order-7", 1), [] if acked is True else [b"order-7"]
    lab.expect("received by A and by C", (told(got), found), right, trap=trap)
    await one_life(lab, a, most)


@explore
@pytest.mark.parametrize(("operation", "seconds"), [("ack", 100), ("nack", 0), ("extend", 100)])
async def test_a_receipt_and_a_receiver_race(lab, operation, seconds):
    """Rule 13. When a late ack, nack or extend races with a receive, one of them wins and the other gets nothing."""
    lab.scenario(f"visibility 30 s; at 31 s A calls {operation} ({seconds} s), and B looks for work")
    a, b, trap = server(lab), server(lab), "receipt-checked-first"
    await call(a, operation)
    await a.send(b"order-7")
    receipt = (await taken(lab, a)).receipt
    await asyncio.sleep(31)
    did, got = await lab.race(call(a, operation, receipt, seconds), b.receive(), names=NAMES)
    right = (True, None) if got is None else (did if seconds == 0 else False, (b"order-7", 2))
    lab.expect(f"({operation}, received)", (lab.plain(operation, did, trap=trap), told(got)), right, trap=trap)
    got = await taken(lab, b) if got is None and seconds == 0 else got
    if got is not None:
        lab.expect("extend by B", await b.extend(got.receipt, 100), True, trap=trap)
    then = None if got is None and operation == "ack" else (b"order-7", 2 if got is None else 3)
    await expect_back(lab, b, 100, then, trap=trap)


@explore(preemptions=1)
@pytest.mark.parametrize(("rival", "seconds"), [("extend", 50), ("nack", 0)])
async def test_nobody_else_spoils_an_ack(lab, rival, seconds):
    """Rule 13. An ack wins against the extend of its own heartbeat, and does not mind the nack of another message."""
    a, b, trap = server(lab), server(lab), "receipt-checked-first" if seconds else "check-then-act"
    lab.scenario(f"ack is called for order-7, and at the same instant {rival} for {'it' if seconds else 'order-8'}")
    for body, operation in (b"order-7", "ack"), (b"order-8", rival):
        await a.send(body)
        await call(b, operation)
    mine, other = [(await taken(lab, a)).receipt for _ in "78"]
    calls = a.ack(mine), call(b, rival, mine if seconds else other, seconds)
    did = await lab.race(*calls, names=("worker", rival))
    lab.expect("ack", did[0], True, trap=trap)
    await asyncio.sleep(51)
    with lab.no_error(expected="whole messages", trap=trap):
        lab.expect("received in the end", await drained(a), [b"order-8"], trap=trap)


@sweep(kinds=("died-after", "lost-reply"))  # dying before a step is dying after the one before it
@pytest.mark.parametrize("operation", ["send", "receive", *RECEIPTS])
async def test_no_crash_loses_a_message(lab, operation):
    """Rule 14. Whatever step a server dies at, no message is lost, doubled or half there, and nobody waits for it."""
    lab.scenario(f"order-7 and order-8 are due; the fault strikes A's {operation}; then B works off what there is")
    a, b, both, receipt, mine = server(lab), server(lab), [b"order-7", b"order-8"], "", b""
    most, before = await one_life(lab, b), both[: 1 if operation == "send" else 2]
    for body in before:
        await b.send(body, delay=1)
    await asyncio.sleep(2)
    if operation in RECEIPTS:
        await call(a, operation)
        got = await taken(lab, a)
        receipt, mine = lab.plain("received", (got.receipt, got.body), trap="half-a-message")
    ended, then = await lab.attempt(call(a, operation, receipt), name="server A"), lab.now
    if ended.ok and operation in RECEIPTS:
        lab.expect(operation, ended.value, True, trap="error-hidden")
    with lab.no_error(expected="B gets whole messages", trap="half-a-message"):
        found = (await b.receive() is not None, round(lab.now - then, 6))
        trap = "lost-on-the-way" if ended.ok and found[1] == 0 else "abandoned-lock"  # did A take both of them?
        lab.expect("(B gets one of them, seconds that it waits)", found, (True, 0.0), trap=trap)
        await asyncio.sleep(LONG)
        bodies = sorted(lab.plain("received", await drained(b), trap="half-a-message"), key=repr)
    lab.require(None not in bodies, expected="whole messages", got=f"{bodies}", trap="half-a-message")
    after = [body for body in both if operation != "ack" or body != mine]
    rights = [after] if ended.ok or before == after else [before, after]
    due = " or ".join(map(str, rights))
    lab.require(bodies in rights, expected=f"B gets {due}", got=f"B gets {bodies}", trap="lost-on-the-way")
    await one_life(lab, b, most)


async def test_servers_share_a_queue_by_its_name(lab):
    """Rule 15. Queues are one queue if their names are equal, on whichever server, and never meet otherwise."""
    await server(lab).send(b"order-7")
    lab.expect("received elsewhere", told(await server(lab, visibility=5).receive()), (b"order-7", 1), trap="kept-here")
    ours, what = time.monotonic, "received meanwhile by a server that was booted a week earlier"
    with mock.patch.object(time, "monotonic", side_effect=lambda: ours() + 7 * DAY):
        lab.expect(what, told(await server(lab).receive()), None, trap="kept-here")
    queue, client, trap = server(lab), lab.redis(), "key-collision"
    for delay in (0, 60):
        await queue.send(b"order-8", delay=delay)
    used = [key.decode(errors="replace") for key in [*lab.server.keys()]]
    names = [*used, *(key[key.index("orders") :] for key in used if "orders" in key), "Orders", " orders", "order", ""]
    names += [f"orders{end}" for end in (":processing", "-processing", ":ready", "-ready", ":1", "-1", ":", "\0", "*")]
    names += ["zoë", "zoè", "zoe\u0308", "*", "{orders}", "o" * 999, "o" * 1000, "plumless", "buckeroo"]
    others = {name: ReliableQueue(client, name) for name in names if name != "orders"}
    with lab.no_error(expected="a queue of any name", trap=trap):
        for name, other in others.items():
            await other.send(name.encode())
        for name, other in reversed(others.items()):
            lab.expect(f"received from {name!r}", told(await other.receive()), (name.encode(), 1), trap=trap)
        got = [told(await queue.receive()), told(await queue.receive())]
    lab.expect("received from 'orders'", got, [(b"order-8", 1), None], trap=trap)


async def test_what_is_done_leaves_nothing(lab):
    """Rule 16. Messages wait as long as it takes; an hour after the last `ack`, what they took in Redis is free."""
    lab.scenario("3 messages, after 40 days received, extended, given back, received again; then acks, old and new")
    queue, deliveries = server(lab), []
    most = await one_life(lab, queue)
    for n in range(3):
        await queue.send(b"order-%d" % n, delay=n % 2)
    await asyncio.sleep(MONTH)
    for receives in (1, 2, 3):
        deliveries += (got := [await queue.receive(5) for _ in range(3)])
        lab.expect("receives", [d and d.receives for d in got], [receives] * 3, trap="message-expired")
        for delivery in got if receives == 1 else []:
            await queue.extend(delivery.receipt, 6)
            await queue.nack(delivery.receipt)
        await asyncio.sleep(6)
    deliveries.append(await taken(lab, queue, 5))  # and whoever looks for one may move the others
    for delivery in deliveries * 2:
        await queue.ack(delivery.receipt)
        await queue.extend(delivery.receipt, 5)
    await one_life(lab, queue, most)


async def test_nonsense_is_refused(lab):
    """Rule 17. A visibility or a delay that cannot be raises ValueError, a body that is not bytes TypeError."""
    queue, most, trap = server(lab), 3650 * DAY, "unchecked-arguments"
    for body in (b"order-7", b"order-8"):
        await queue.send(body)
    receipt = (await taken(lab, queue)).receipt
    for which in ("queue", "send", "receive", "nack", "extend"):
        for seconds in (-1, float("nan"), float("inf"), 1e300, most + 1, *[0, 0.0009] * (which not in DELAYS)):
            with lab.raises(ValueError, when=f"for {which} with {seconds} s", trap=trap):
                server(lab, visibility=seconds) if which == "queue" else await call(queue, which, receipt, seconds)
    for body in ("order-8", 8, None):
        with lab.raises(TypeError, when=f"for the body {body!r}", trap=trap):
            await queue.send(body)
    lab.expect("received then", [told(await queue.receive(LONG)) for _ in "12"], [(b"order-8", 1), None], trap=trap)
    await expect_back(lab, queue, 30, (b"order-7", 2), trap=trap)
    with lab.no_error(expected="the least and the most are allowed", trap=trap):
        for seconds in (0.001, most):
            await server(lab, "limits", visibility=seconds).send(b"order-8", delay=seconds)


async def test_an_outage_is_no_empty_queue(lab):
    """Rule 18. Redis' errors reach the caller as they are; when it is back, so is the queue, with all its messages."""
    queue = server(lab)
    for _ in range(2):
        await queue.send(b"coffee")
    receipt = (await taken(lab, queue)).receipt
    for operation in RECEIPTS:
        await call(queue, operation)
    for error in (redis.ConnectionError("refused"), redis.TimeoutError("timed out"), redis.OutOfMemoryError("OOM")):
        for operation in ("send", "receive", *RECEIPTS):
            with lab.raises(type(error), when=f"from {operation}", trap="error-hidden"), lab.server.outage(error):
                await call(queue, operation, receipt)
    lab.note("** Redis has restarted: it has its data, but it knows no script any more **")
    lab.server.raw.script_flush()
    with lab.no_error(expected="the queue goes on", trap="forgotten-script"):
        await queue.send(b"tea")
        did = await queue.extend(receipt), await queue.nack(receipt), await drained(queue)
        got = *did[:2], sorted(lab.plain("received", did[2], trap="error-hidden"))
    lab.expect("extend, nack, received", got, (True, True, [b"coffee", b"coffee", b"tea"]), trap="error-hidden")
