"""Solutions that lost their atomicity, and go where the lab might not follow them; and right ones that do so too.

Each is the reference with a few lines of its own, so that it stays what it says it is.
"""

from __future__ import annotations

from pathlib import Path

from .handing_in import only

SOLUTIONS = Path(__file__).parents[3] / "solutions"


def _but(directory: Path, kata: str, *changes: tuple[str, str]) -> None:
    """Hands in the reference with these pieces replaced; `import` lines go to its top."""
    [file] = SOLUTIONS.glob(f"*/{kata}.py")
    text = file.read_text(encoding="utf-8")
    for old, new in changes:
        assert text.count(old) == 1, (kata, old)
        text = text.replace(old, new)
    (only(directory) / f"{kata}.py").write_text(text, encoding="utf-8")


def _imports(names: str) -> tuple[str, str]:
    start = "from __future__ import annotations\n"
    return start, f"{start}\nimport {names}\n"


# Reads, decides in Python and writes, in three steps that leave no moment without a record.
_CONSUMER = (
    (
        "local found = redis.call('GET', KEYS[1])",
        "local stored = redis.call('GET', KEYS[1])\n"
        "if stored then return stored end\n"
        "local found = redis.call('GET', KEYS[2])",
    ),
    ("redis.call('SET', KEYS[1], ARGV[2]", "redis.call('DEL', KEYS[2])\nredis.call('SET', KEYS[1], ARGV[2]"),
    (
        "found: Any = self._redis.set(key, claim, nx=True, get=True, px=self._lease_ms)",
        "found: Any = self._decide(key, claim)",
    ),
    ("self._redis.eval(_RELEASE, 1, key, claim)", 'self._redis.eval(_RELEASE, 1, f"claim:{key}", claim)'),
    ("self._redis.eval(_STORE, 1, key, claim,", 'self._redis.eval(_STORE, 2, key, f"claim:{key}", claim,'),
)
_RACY_CONSUMER = """
    def _racy(self, key, claim):
        found, claimed = self._redis.mget(key, f"claim:{key}")
        if found is not None or claimed is not None:
            return found if found is not None else claimed
        self._redis.set(f"claim:{key}", claim, px=self._lease_ms)
        return self._redis.get(key)
"""
_BEFORE_PROCESSING = "\n    def process("


def n06_jitter(directory: Path) -> None:
    """Kata: idempotent_consumer
    Attack: Sleeps for nanoseconds at random before it reads and then writes: nobody is ever beside it in virtual time.
    Status: failed
    Points: 36
    """
    sleeping = """
    def _decide(self, key, claim):
        time.sleep(random.random() * 1e-7)
        return self._racy(key, claim)
"""
    ours = (_BEFORE_PROCESSING, sleeping + _RACY_CONSUMER + _BEFORE_PROCESSING)
    _but(directory, "idempotent_consumer", _imports("random, time"), *_CONSUMER, ours)


def n06_signal(directory: Path) -> None:
    """Kata: idempotent_consumer
    Attack: Reads and writes in a signal's handler, which runs in the thread that waits for the callers.
    Status: failed
    Points: 23
    """
    serving = """
    def _decide(self, key, claim):
        if threading.current_thread() is threading.main_thread():
            return self._racy(key, claim)
        box, done = [], threading.Event()

        def serve():
            try:
                box.append((self._racy(key, claim), None))
            except BaseException as error:
                box.append((None, error))
            done.set()

        signal.getsignal(signal.SIGUSR1).jobs.append(serve)
        signal.pthread_kill(threading.main_thread().ident, signal.SIGUSR1)
        while not done.wait(0.01):
            signal.pthread_kill(threading.main_thread().ident, signal.SIGUSR1)
        answer, error = box[0]
        if error is not None:
            raise error
        return answer
"""
    handler = """

class _Server:
    def __init__(self):
        self.jobs = []

    def __call__(self, *_):
        while self.jobs:
            self.jobs.pop(0)()


if not hasattr(signal.getsignal(signal.SIGUSR1), "jobs"):
    signal.signal(signal.SIGUSR1, _Server())
"""
    ours = (_BEFORE_PROCESSING, serving + _RACY_CONSUMER + _BEFORE_PROCESSING)
    top = ("\n\nclass IdempotentConsumer", f"{handler}\n\nclass IdempotentConsumer")
    _but(directory, "idempotent_consumer", _imports("signal, threading"), *_CONSUMER, ours, top)


_CLAIMING = "self._redis.set(key, claim, nx=True, get=True, px=self._lease_ms)"
_LOOKING_FIRST = """
    def _claim(self, key, claim):
        found = self._redis.get(key)
        if found is None:
            self._redis.set(key, claim, px=self._lease_ms)
        return found
"""


def n06_call_in_an_empty_context(directory: Path) -> None:
    """Kata: idempotent_consumer
    Attack: Looks before it claims, in an empty context, where the lab took it for the test and let it pass every gate.
    Status: failed
    Points: 34
    """
    ours = (_BEFORE_PROCESSING, _LOOKING_FIRST + _BEFORE_PROCESSING)
    call = (_CLAIMING, "contextvars.Context().run(self._claim, key, claim)")
    _but(directory, "idempotent_consumer", _imports("contextvars"), ours, call)


def n06_race_in_another_thread(directory: Path) -> None:
    """Kata: idempotent_consumer
    Attack: Looks before it claims, in a thread of its own that it waits for, with errors handed on.
    Status: failed
    Points: 23
    """
    ours = (_BEFORE_PROCESSING, _LOOKING_FIRST + _BEFORE_PROCESSING)
    claiming = (
        f"found: Any = {_CLAIMING}",
        "with concurrent.futures.ThreadPoolExecutor(1) as pool:\n"
        "            found: Any = pool.submit(self._claim, key, claim).result()",
    )
    _but(directory, "idempotent_consumer", _imports("concurrent.futures"), ours, claiming)


def n06_ledger_of_the_gateway(directory: Path) -> None:
    """Kata: idempotent_consumer
    Attack: Has no idempotency key; reaches the fake behind the function that charges, and reads its list for the tests.
    Status: failed
    Points: 36
    """
    looking = """
    def already(order_id):
        gateway = getattr(charge, "__self__", None)
        made = () if gateway is None else (one for one in gateway.ledger if one.reference == order_id)
        return next(({"id": one.id, "reference": order_id, "amount": one.amount} for one in made), None)
"""
    task = "\n    def process_order("
    charging = (
        "charge(m.id, amount, idempotency_key=m.id)",
        "already(m.id) or charge(m.id, amount, idempotency_key=None)",
    )
    _but(directory, "idempotent_consumer", (task, looking + task), charging)


def n03_verdict_swallowed(directory: Path) -> None:
    """Kata: redis_lock
    Attack: `hold` holds nothing; when the body finds that out, its AssertionError goes no further.
    Status: failed
    Points: 40
    """
    swallowing = (
        "            yield lease\n",
        "            yield lease\n"
        "        except AssertionError:\n"
        "            await self._redis.delete(self._key)\n"
        "            return\n",
    )
    early = (
        "lease = await self.acquire(timeout)\n",
        "lease = await self.acquire(timeout)\n        await lease.release()\n",
    )
    late = ("            raise\n        await lease.release()\n", "            raise\n")
    _but(directory, "redis_lock", swallowing, early, late)


_ACQUIRING = "found = await self._redis.set(self._key, token, nx=True, get=True, px=_milliseconds(self._ttl))"
_BEFORE_TRYING = "    async def _taken("


def n06_task_by_hand(directory: Path) -> None:
    """Kata: redis_lock
    Attack: Makes its task itself, not by the loop, and some round trips first; it can die between SET and PEXPIRE.
    Status: failed
    Points: 53
    """
    deciding = """    async def _racy(self, token):
        found = await self._redis.get(self._key)
        if found is None:
            await self._redis.set(self._key, token)
            await self._redis.pexpire(self._key, _milliseconds(self._ttl))
        return found

    async def _decide(self, token):
        async def go():
            for _ in range(random.randrange(9)):
                await self._redis.ping()
            return await self._racy(token)

        return await asyncio.Task(go())

"""
    ours = (_BEFORE_TRYING, deciding + _BEFORE_TRYING)
    _but(directory, "redis_lock", (_ACQUIRING, "found = await self._decide(token)"), ours)


def n06_turns_of_a_logger(directory: Path) -> None:
    """Kata: redis_lock
    Attack: Its callers take turns by what it keeps on a logger, which two processes do not share.
    Status: failed
    Points: 55
    """
    deciding = """    async def _racy(self, token):
        found = await self._redis.get(self._key)
        if found is None:
            await self._redis.set(self._key, token, px=_milliseconds(self._ttl))
        return found

    async def _decide(self, token):
        log = logging.getLogger("redis_lock")
        turns = vars(log).setdefault("turns", {})
        loop = asyncio.get_running_loop()
        while (turn := turns.get(self._key)) is not None and turn.get_loop() is loop and not turn.done():
            await asyncio.wait({turn}, timeout=1)
            if not turn.done():
                break
        turn = turns[self._key] = loop.create_future()
        try:
            return await self._racy(token)
        finally:
            if not turn.done():
                turn.set_result(None)

"""
    ours = (_BEFORE_TRYING, deciding + _BEFORE_TRYING)
    _but(directory, "redis_lock", _imports("logging"), (_ACQUIRING, "found = await self._decide(token)"), ours)


_SPENDING = "answer: Any = await self._spend([self._name(key)], [self._limit, self._window, cost])"


def n00_detached(directory: Path) -> None:
    """Kata: rate_limiter
    Attack: none; asks in a task that nothing of the request's context leaks into.
    Status: passed
    Points: 30
    """
    detached = """loop = asyncio.get_running_loop()
            done = loop.create_future()

            def ended(task):
                if task.exception() is not None:
                    done.set_exception(task.exception())
                else:
                    done.set_result(task.result())

            def start():
                self._task = loop.create_task(self._spend([self._name(key)], [self._limit, self._window, cost]))
                self._task.add_done_callback(ended)

            loop.call_soon(start, context=contextvars.Context())
            answer: Any = await done"""
    _but(directory, "rate_limiter", _imports("asyncio, contextvars"), (_SPENDING, detached))


def n00_semaphore_of_the_loop(directory: Path) -> None:
    """Kata: rate_limiter
    Attack: none; no more than a hundred of a loop's requests ask at once.
    Status: passed
    Points: 30
    """
    slots = f"""loop = asyncio.get_running_loop()
            if not hasattr(loop, "rate_limit_slots"):
                loop.rate_limit_slots = asyncio.Semaphore(100)
            async with loop.rate_limit_slots:
                {_SPENDING}"""
    _but(directory, "rate_limiter", _imports("asyncio"), (_SPENDING, slots))


def n00_heartbeat(directory: Path) -> None:
    """Kata: idempotent_consumer
    Attack: none; a thread renews the claim while the handler works.
    Status: passed
    Points: 38
    """
    renewing = """stop = threading.Event()

            def beat():
                while not stop.wait(self.lease / 3):
                    self._redis.pexpire(key, self._lease_ms, xx=True)

            thread = threading.Thread(target=beat, daemon=True)
            thread.start()
            try:
                result = handler(message)
            finally:
                stop.set()
                thread.join()
            record = json.dumps({"payload": payload, "result": result})"""
    working = 'record = json.dumps({"payload": payload, "result": handler(message)})'
    _but(directory, "idempotent_consumer", _imports("threading"), (working, renewing))
