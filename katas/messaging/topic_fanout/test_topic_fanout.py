"""The rules of README.md, in teaching order. Time is virtual: `asyncio.sleep(60)` returns at once."""

import asyncio
import copy
import gc
import sys
import weakref

import pytest
from topic_fanout import Closed, Queue, Topic

from dojo.lab.properties import given, settings, st

ENDS = [(1, [0]), (2, [0]), (3, [0, 1]), (2, [0, 1])]  # how many wait, and which of them are cancelled or closed
SOON = 0.1  # seconds; what waits for nobody has happened by then
ORDER = {
    "total": 10.0,
    "paid": True,
    "lines": [1, None, ["zoë"]],
    "units": 2**70,
    "to": {"rooms": [{}, []], "": -0.1 * 3},
}
STEPS = ["send", "send", "receive", "receive", "ack", "nack", "close"]
Tracked = type("Tracked", (str,), {})  # a str that weak references can watch


async def filled(*bodies, key=None, **options):
    """A queue with `bodies`, all of them sent with `key`."""
    queue = Queue(**options)
    for body in bodies:
        await queue.send(body, key=key)
    return queue


async def take(lab, trap, consumer, count=1, who="consumer"):
    """The next `count` deliveries, which `consumer` has to receive at once."""
    taken = []
    for _ in range(count):
        taken.append(await lab.within(SOON, consumer.receive(), what=f"{who} receives a message", trap=trap))
        [(body, key, attempt)] = facts(lab, trap, taken[-1:])
        lab.note(f"{who} receives {body!r}, key {key!r}, attempt {attempt}")
    return taken


def facts(lab, trap, deliveries):
    """(body, key, attempt) of each delivery, checked to be Python's own values."""
    return lab.plain("a delivery", [(d.body, d.key, d.attempt) for d in deliveries], trap=trap)


async def expect_next(lab, trap, consumer, *wanted, who="consumer", in_order=True):
    """Demand that `consumer` receives just these (body, key, attempt), and nothing after them; the deliveries."""
    taken = await take(lab, trap, consumer, len(wanted), who)
    got = facts(lab, trap, taken)
    lab.expect(f"what {who} receives", got if in_order else sorted(got, key=repr), [*wanted], trap=trap)
    more = asyncio.create_task(consumer.receive())
    await asyncio.sleep(SOON)
    lab.expect(f"what {who} receives further", facts(lab, trap, returned(more)), [], trap=trap)
    more.cancel()
    await asyncio.wait({more})
    return taken


def returned(*tasks):
    """What those of the tasks that have returned have returned."""
    return [task.result() for task in tasks if task.done() and not task.cancelled()]


async def refused(lab, when, delivery, *consumers):
    """Demand that none of these consumers can settle `delivery`."""
    for name, settle in [(name, getattr(consumer, name)) for consumer in consumers for name in ("ack", "nack")]:
        with lab.raises(ValueError, when=f"for {name} {when}", trap="settled-by-anybody"):
            await settle(delivery)


async def turns(number):
    """Let the event loop turn so many times."""
    for _ in range(number):
        await asyncio.sleep(0)


def spoil(body):
    """Change a copy of ORDER, or of a list of it, in all its depths."""
    body = body if isinstance(body, dict) else body[0]
    body["to"]["rooms"][0]["changed"] = True
    body["lines"][2].append("changed"), body["lines"].pop(0), body["to"].pop(""), body.update(total=0)


async def test_a_message_is_held_by_one_consumer(lab):
    """Rule 1. A message is held by one consumer; acknowledged, it is gone."""
    lab.scenario("two messages; three consumers call receive at the same time")
    trap, queue = "consumed-twice", await filled("blue", "red")
    tasks = {asyncio.create_task(consumer.receive()): consumer for consumer in [queue.consumer() for _ in range(3)]}
    await asyncio.sleep(SOON)
    got = facts(lab, trap, returned(*tasks))
    lab.expect("received by all three", sorted(got), [("blue", None, 1), ("red", None, 1)], trap=trap)
    for delivery, consumer in [(task.result(), tasks[task]) for task in tasks if task.done()]:
        await consumer.ack(delivery)
    await asyncio.sleep(60)
    lab.expect("received, when both are acknowledged", len(returned(*tasks)), 2, trap=trap)


async def test_who_is_busy_keeps_nothing_waiting(lab):
    """Rule 2. Whoever asks gets the next message, in the order of sending, and who is busy keeps none waiting."""
    lab.scenario("a takes one message and is busy with it for an hour; b, which was there before, takes the others")
    bodies = [3, 1, {"n": 2}, 1, "b", "a", None, [0], False, 0.5]
    b, a = (queue := Queue()).consumer(), queue.consumer()
    [await queue.send(body) for body in bodies]
    await take(lab, "dealt-in-advance", a, who="a")
    got = facts(lab, "out-of-order", await take(lab, "dealt-in-advance", b, len(bodies) - 1, who="b"))
    lab.expect("received by b", got, [(body, None, 1) for body in bodies[1:]], trap="out-of-order")


@pytest.mark.parametrize("news", ["two are sent", "ack frees the key", "nack", "close"])
async def test_a_waiting_consumer_is_woken(lab, news):
    """Rule 3. `receive` waits for a message, and is woken at once when there is one."""
    lab.scenario(f"a holds the first message of ann's; b and c wait in receive for a minute, then: {news}")
    trap, queue = "never-woken", await filled("first", "second", key="ann")
    a, *others = (queue.consumer() for _ in range(3))
    [held] = await take(lab, trap, a, who="a")
    tasks = [asyncio.create_task(consumer.receive()) for consumer in others]
    await asyncio.sleep(61.3)
    lab.expect("received in this minute", facts(lab, "overtaken", returned(*tasks)), [], trap="overtaken")
    if news == "two are sent":
        await queue.send("third"), await queue.send("fourth")
    else:
        await (a.close() if news == "close" else (a.nack if news == "nack" else a.ack)(held))
    await asyncio.sleep(SOON)
    want = {"two are sent": [("fourth", None, 1), ("third", None, 1)], "ack frees the key": [("second", "ann", 1)]}
    got = sorted(facts(lab, trap, returned(*tasks)))
    lab.expect("received by b and c at once", got, want.get(news, [("first", "ann", 2)]), trap=trap)


@pytest.mark.parametrize("end", ["cancelled", "closed"])
@pytest.mark.parametrize("later", [0, 1, 2, 3])
async def test_a_receive_that_ends_loses_nothing(lab, end, later):
    """Rule 4. A `receive` that is cancelled or closed loses no message, and no other consumer sleeps because of it."""
    for news, waiting, victims in [(news, *case) for case in ENDS for news in ("send", "nack")]:
        lab.scenario(f"{waiting} wait in receive; a {news}, and {later} turns of the loop later {len(victims)} {end}")
        trap, queue = "lost-wakeup" if waiting > len(victims) else "lost-on-cancel", await filled("m")
        holder, *consumers = [queue.consumer() for _ in range(waiting + 1)]
        [held] = await take(lab, trap, holder)
        tasks = [asyncio.create_task(consumer.receive()) for consumer in consumers]
        await turns(5)
        await (holder.nack(held) if news == "nack" else queue.send("m"))
        await turns(later)
        for victim in victims:
            tasks[victim].cancel() if end == "cancelled" else await consumers[victim].close()
        tasks += [asyncio.create_task(queue.consumer().receive())] if waiting == len(victims) else []
        await asyncio.sleep(SOON)
        got = [delivery.body for delivery in returned(*(tasks if end == "cancelled" else tasks[len(victims) :]))]
        lab.expect(f"received by who was not {end}", got, ["m"], trap=trap)


@pytest.mark.parametrize("way", ["nack", "close"])
@pytest.mark.parametrize("key", [None, "ann"])
async def test_what_is_given_back_is_delivered_again(lab, way, key):
    """Rule 5. A message that is given back is delivered again, with `attempt` one higher, and lets others pass."""
    lab.scenario(f"a, with the key {key!r}, then b and c; a is received and given back by {way}; then d is sent")
    trap, queue = "attempts-miscounted", await filled("a", key=key)
    await queue.send("b"), await queue.send("c")
    first, others = queue.consumer(), queue.consumer()
    [delivery] = await take(lab, "consumed-once", first)
    await (first.close() if way == "close" else first.nack(delivery))
    await queue.send("d")
    taken = await take(lab, "consumed-once", others, 4)
    lab.expect("what comes then", [d.body for d in taken], ["b", "c", "a", "d"], trap="requeue-at-the-head")
    for attempt in range(2, 12):
        lab.expect("(body, key, attempt)", facts(lab, trap, taken)[2], ("a", key, attempt), trap=trap)
        await others.nack(taken[2])
        taken[2:3] = await take(lab, "consumed-once", others)
    await others.nack(taken[2]), await others.nack(taken[0])
    await expect_next(lab, "requeue-at-the-head", others, ("a", key, 13), ("b", None, 2))


@pytest.mark.parametrize("bodies", [[], ["x", "y", "z"]])
async def test_a_closed_consumer_gives_back_what_it_holds(lab, bodies):
    """Rule 6. What a consumer holds when it is closed is given back; then its `receive` raises `Closed`."""
    lab.scenario(f"a holds {bodies} and waits in receive for more, when it is closed, twice; then b comes")
    trap, queue = "dead-consumer-waits", await filled(*bodies)
    a, b = queue.consumer(), queue.consumer()
    await take(lab, "consumed-once", a, len(bodies), who="a")
    waiting = asyncio.create_task(a.receive())
    await asyncio.sleep(60)
    with lab.no_error(expected="closing twice does nothing more", trap=trap):
        await a.close(), await a.close()
    for when in "that waits", "that comes later":
        with lab.raises(Closed, when=f"for a receive {when}", trap=trap):
            await lab.within(SOON, waiting, what="a's receive ends", trap=trap)
        waiting = asyncio.create_task(a.receive())
    await expect_next(lab, "consumed-once", b, *((body, None, 2) for body in bodies), who="b", in_order=False)


@pytest.mark.parametrize("key", [None, "ann"])
async def test_only_the_holder_settles(lab, key):
    """Rule 7. Only who holds a delivery can settle it, and only once."""
    lab.scenario(f"three equal messages, key {key!r}; a holds one and is closed; b takes all, settles one twice")
    trap, queue = "settled-by-anybody", await filled(*[{"n": 1}] * 3, key=key)
    a, b, c = (queue.consumer() for _ in range(3))
    [old] = await take(lab, trap, a, who="a")
    await refused(lab, "by b of what a holds", old, b, c)
    await a.close()
    await refused(lab, "by a, which was closed", old, a)
    again = await take(lab, trap, b, 1 if key else 3, who="b")
    await refused(lab, "of what a held once", old, a, b, c)
    await b.nack(again[0])
    await refused(lab, "of what b has given back", again[0], a, b, c)
    again += await take(lab, trap, b, who="b")
    await b.ack(again[-1])
    await refused(lab, "of what b has acknowledged", again[-1], a, b, c)
    await b.close()
    await expect_next(lab, trap, c, *[({"n": 1}, key, n) for n in ([1] if key else [2, 3])], who="c", in_order=False)


async def test_messages_of_a_key_are_handled_in_order(lab):
    """Rule 8. Messages of one key are handled one at a time, in the order of sending, whatever is given back."""
    lab.scenario("one key; each message is given back five times and acknowledged; a3 is sent in a2's fourth attempt")
    trap, queue = "overtaken", await filled("a1", "a2", key="ann")
    for body, attempt in [(body, attempt) for body in ("a1", "a2", "a3") for attempt in range(1, 7)]:
        consumer, another = queue.consumer(), queue.consumer()
        [delivery] = await expect_next(lab, trap, consumer, (body, "ann", attempt))
        await (queue.send("a3", key="ann") if (body, attempt) == ("a2", 4) else turns(1))
        await expect_next(lab, trap, another, who="another consumer")
        await ((consumer.ack if attempt == 6 else consumer.nack)(delivery) if attempt % 2 == 0 else consumer.close())


async def test_other_keys_do_not_wait(lab):
    """Rule 8. Other keys do not wait, and a key is free again when its message is acknowledged."""
    lab.scenario("two messages for each of 47 keys and four without a key; one consumer takes all it can get")
    keys = ["", "None", "ann", "Ann", "ann ", "zo\u00eb", "zoe\u0308", *(f"user {number}" for number in range(40))]
    queue = await filled(0, 0, 0, 0)
    for key in [*keys, *keys]:
        await queue.send(0, key=key)
    consumer, once = queue.consumer(), sorted([(0, key, 1) for key in keys], key=repr)
    for more in [(0, None, 1)] * 4, [], []:
        trap, wanted = "keys-block-each-other" if more else "key-stuck", sorted([*once, *more], key=repr)
        for delivery in await expect_next(lab, trap, consumer, *wanted, in_order=False):
            await consumer.ack(delivery)
        for key in [] if more else keys:
            await queue.send(0, key=key)


@settings(max_examples=15)
@given(steps=st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 11)), max_size=30))
async def test_whatever_happens(lab, steps):
    """Rule 8. Whatever is sent, settled and closed: what can be given out is given out, and nothing else."""
    consumers = [(queue := Queue()).consumer(), queue.consumer()]
    messages, held = {}, {}  # number: (key, attempts); number: (consumer, delivery)
    for number, (step, choice) in enumerate(steps):
        consumer, key = consumers[choice % 2], [None, "ann", "bob", ""][choice % 4]
        if step == "send":
            messages[number] = (key, 0)
            await queue.send(number, key=key)
        elif step == "close":
            await consumer.close()
            held = {n: holding for n, holding in held.items() if holding[0] is not consumer}
            consumers[choice % 2] = queue.consumer()
        elif step == "receive":
            heads = {n if key is None else f"key {key}": n for n, (key, _) in reversed(messages.items())}
            free = [(n, messages[n][0], messages[n][1] + 1) for n in heads.values() if n not in held]
            taken = await (take if free else expect_next)(lab, "key-stuck" if free else "overtaken", consumer)
            for delivery, got in zip(taken, facts(lab, "overtaken", taken), strict=True):
                lab.require(got in free, expected=f"one of {free}", got=f"{got}", trap="overtaken")
                messages[got[0]] = got[1:]
                held[got[0]] = consumer, delivery
        elif held:
            number = [*held][choice % len(held)]
            consumer, delivery = held.pop(number)
            await getattr(consumer, step)(delivery)
            messages.pop(number) if step == "ack" else None


@pytest.mark.parametrize("way", ["nack", "close"])
async def test_a_full_queue_lets_send_wait(lab, way):
    """Rule 9. A full queue lets `send` wait, but takes back what it gave out; a cancelled `send` has sent nothing."""
    lab.scenario(f"capacity 2; k1 is held, k2 behind it and x wait; z, y, w are sent; z is cancelled; {way} of k1")
    trap, queue = "capacity-miscounted", await filled("k1", key="k", capacity=2)
    consumer = queue.consumer()
    [held] = await take(lab, trap, consumer)
    for body, key in ("k2", "k"), ("x", None):
        await lab.within(SOON, queue.send(body, key=key), what=f"the send of {body} returns", trap=trap)
    sending = [asyncio.create_task(queue.send(body)) for body in "zyw"]
    await asyncio.sleep(60)
    lab.expect("more are sent, while two wait", any(task.done() for task in sending), False, trap="unbounded")
    sending.pop(0).cancel()
    giving_back = consumer.nack(held) if way == "nack" else consumer.close()
    await lab.within(SOON, giving_back, what=f"{way} returns", trap="refused-return")
    got, sent, consumer = [], [], queue.consumer()
    for _ in range(5):
        got += await take(lab, "refused-return", consumer)
        await asyncio.sleep(SOON)
        sent.append(len(returned(*sending)))
        await consumer.ack(got[-1])
    await expect_next(lab, "sent-after-all", consumer)
    lab.expect("received", sorted(d.body for d in got), ["k1", "k2", "w", "x", "y"], trap="refused-return")
    lab.expect("sent of y and w, after each receive", sent, [0, 1, 2, 2, 2], trap=trap)
    lab.expect("dropped, of a queue without a topic", queue.dropped, 0, trap=trap)


@pytest.mark.parametrize("later", [0, 1, 2, 3])
async def test_a_cancelled_send_has_sent_nothing(lab, later):
    """Rule 9. A `send` that is cancelled has sent nothing, and no other sender sleeps because of it."""
    lab.scenario(f"capacity 1; x and y wait in send; m is received, and {later} turns of the loop later x is cancelled")
    consumer = (queue := await filled("m", capacity=1)).consumer()
    sending = [asyncio.create_task(queue.send(body)) for body in "xy"]
    await turns(5)
    await consumer.receive()
    await turns(later)
    sending[0].cancel()
    await asyncio.sleep(SOON)
    got = await take(lab, "lost-wakeup", consumer, 1 if sending[0].cancelled() else 2)
    want = ["y"] if sending[0].cancelled() else ["x", "y"]
    lab.expect("received of what was sent", sorted(d.body for d in got), want, trap="sent-after-all")
    await expect_next(lab, "sent-after-all", consumer)


async def test_capacity_is_checked(lab):
    """Rule 9. There is room for `capacity` messages, 1000 if nothing is said; less than 1 is a ValueError."""
    copies = await (topic := Topic()).subscribe()
    for capacity in (0, -1):
        with lab.raises(ValueError, when=f"for Queue(capacity={capacity})", trap="unbounded"):
            Queue(capacity=capacity)
        with lab.raises(ValueError, when=f"for subscribe(capacity={capacity})", trap="unbounded"):
            await topic.subscribe(capacity=capacity)
    for number in range(1005):
        await topic.publish(number)
    lab.expect("dropped, of 1005 copies", copies.dropped, 5, trap="capacity-miscounted")


@pytest.mark.parametrize("way", ["send", "publish"])
async def test_each_delivery_has_a_body_of_its_own(lab, way):
    """Rule 10. Each delivery has a body of its own, as it was when the message was sent or published."""
    lab.scenario(f"the body is changed by who calls {way}, and by each who receives it, before and after a nack")
    topic, body = Topic(), copy.deepcopy(want := ORDER if way == "send" else [ORDER])
    two = [await filled("before", capacity=1)] if way == "send" else [await topic.subscribe(), await topic.subscribe()]
    consumers = [queue.consumer() for queue in two]
    sending = asyncio.create_task(topic.publish(body) if way == "publish" else two[0].send(body))
    await turns(5)
    spoil(body)
    await (sending if way == "publish" else take(lab, "capacity-miscounted", *consumers))
    for trap in ("shared-copy", "first-attempt-shows", "first-attempt-shows"):
        for consumer in consumers:
            [delivery] = await take(lab, trap, consumer)
            lab.expect("the body", delivery.body, want, trap=trap)
            spoil(delivery.body)
            await consumer.nack(delivery)
            delivery.body.clear()


async def test_keys_are_forgotten(lab):
    """Rule 11. What is acknowledged, with its key, or has unsubscribed, or a cancelled `receive` leaves nothing."""
    lab.scenario("20 keys, two messages each, acknowledged; a copy for a subscriber, who goes; 300 cancelled receives")
    alive, topic, consumer = weakref.WeakSet(), Topic(), (queue := Queue()).consumer()
    for number in range(20):
        alive.add(key := Tracked(f"user {number}"))
        await queue.send(1, key=key), await queue.send(2, key=key)
        mail = await topic.subscribe()
        await topic.publish(3, key=key), await topic.unsubscribe(mail)
        for settle in (consumer.nack, consumer.ack, consumer.nack, consumer.ack):
            await settle(await lab.within(SOON, consumer.receive(), what="receive returns", trap="key-stuck"))
    del key, mail
    gc.collect()
    lab.require(len(alive) <= 2, expected="no keys in memory", got=f"{len(alive)} of 20", trap="keys-pile-up")
    blocks = sys.getallocatedblocks()
    for _ in range(300):
        waiting = asyncio.create_task(consumer.receive())
        await turns(3)
        waiting.cancel()
        await asyncio.wait({waiting})
    grown = sys.getallocatedblocks() - blocks >= 150
    lab.expect("whether each cancelled receive leaves something behind", grown, False, trap="keys-pile-up")


async def test_each_subscriber_gets_a_copy(lab):
    """Rule 12. Each subscriber gets one copy of each message, in order, and settles it for itself."""
    lab.scenario("mail acknowledges 1, gives back 2, and is closed while it holds 3; then the others receive")
    topic, trap = Topic(), "subscribers-compete"
    mail, stock, stats = [await topic.subscribe() for _ in range(3)]
    copies = [(1, None, 1), (2, None, 1), (3, None, 1), (4, "", 1)]
    for body, key, _ in copies:
        await topic.publish(body, key=key)
    consumer = mail.consumer()
    first, second, _ = await take(lab, trap, consumer, 3, who="mail")
    await consumer.ack(first), await consumer.nack(second), await consumer.close()
    await expect_next(lab, trap, stock.consumer(), *copies, who="stock")
    await expect_next(lab, trap, stats.consumer(), *copies, who="stats")
    await expect_next(lab, trap, mail.consumer(), (2, None, 2), (3, None, 2), (4, "", 1), who="mail", in_order=False)


async def test_a_subscriber_gets_what_is_published_meanwhile(lab):
    """Rule 13. A subscriber gets what is published from `subscribe` to `unsubscribe`; a topic keeps nothing."""
    lab.scenario("1 is published; mail subscribes; 2, 3; mail unsubscribes; 4; stock subscribes; 5")
    topic, other = Topic(), Topic()
    await topic.publish(1)
    mail, elsewhere = await topic.subscribe(), await other.subscribe()
    reader = mail.consumer()
    await topic.publish(2), await topic.publish(3)
    with lab.no_error(expected="who has unsubscribed, twice, keeps what it has", trap="unsubscribe-fails"):
        await topic.unsubscribe(mail), await topic.unsubscribe(mail), await topic.unsubscribe(elsewhere)
        await topic.publish(4), await other.publish(4)
        stock = await topic.subscribe()
        await topic.publish(5)
        await expect_next(lab, "late-subscriber", stock.consumer(), (5, None, 1), who="stock")
        await expect_next(lab, "unsubscribe-fails", reader, (2, None, 1), (3, None, 1), who="mail")
    await expect_next(lab, "unsubscribe-fails", elsewhere.consumer(), (4, None, 1), who="another topic's")


async def test_a_full_subscriber_stops_nobody(lab):
    """Rule 14. A full subscriber misses the copy, and that is counted; nobody else waits or misses anything."""
    lab.scenario("mail, stats and stock subscribe; stats has a capacity of 2, holds 0 and receives nothing else")
    topic, copies = Topic(), [(number, None, 1) for number in range(6)]
    mail, stats, stock = [await topic.subscribe(capacity=capacity) for capacity in (9, 2, 9)]
    busy = stats.consumer()
    for number in range(6):
        with lab.no_error(expected="publish raises nothing", trap="dropped-in-silence"):
            await lab.within(SOON, topic.publish(number), what="publish returns", trap="waits-for-the-slowest")
        await take(lab, "subscribers-compete", busy, 0 if number else 1, who="stats")
    lab.expect("copies dropped", [q.dropped for q in (mail, stats, stock)], [0, 3, 0], trap="dropped-in-silence")
    for who, queue in ("mail", mail), ("stock", stock):
        await expect_next(lab, "waits-for-the-slowest", queue.consumer(), *copies, who=who)
    await expect_next(lab, "dropped-in-silence", busy, (1, None, 1), (2, None, 1), who="stats")


async def test_coming_and_going_disturbs_nobody(lab):
    """Rule 15. Subscribers that come and go during a `publish` disturb nobody."""
    for later in range(6):
        lab.scenario(f"five subscribe; {later} turns of the event loop after publish began, two leave and one comes")
        topic, trap = Topic(), "changed-while-iterating"
        queues = [await topic.subscribe() for _ in range(5)]
        publishing = asyncio.create_task(topic.publish(1))
        await turns(later)
        await topic.unsubscribe(queues[1]), await topic.unsubscribe(queues[0]), await topic.subscribe()
        with lab.no_error(expected="publish raises nothing", trap=trap):
            await publishing
        await topic.publish(2)
        for queue in queues[2:]:
            await expect_next(lab, trap, queue.consumer(), (1, None, 1), (2, None, 1), who="who stayed")
