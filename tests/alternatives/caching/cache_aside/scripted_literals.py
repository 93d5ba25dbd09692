"""Python literals in Redis, written by a Lua script; one generator holds the logic, two drivers talk to Redis.

The generator yields what it wants done ("read", "run", "write") and gets sent the outcome, so that the plain and
the async function share every decision. `repr` and `ast.literal_eval` carry tuples, sets, bytes and any dict keys;
what they do not give back exactly is not stored.

Design: sans-I/O generator; literal codec; EVAL of SET and PEXPIRE; keys are literals too.
Breaks: none
"""

import ast
import functools
import inspect
import math
import random

from redis.exceptions import RedisError

STORE = """
redis.call('SET', KEYS[1], ARGV[1])
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
"""


def literal(value):
    """The value as Python would write it; None if reading it would give anything else."""
    try:
        text = repr(value)
        return text if fingerprint(ast.literal_eval(text)) == fingerprint(value) else None
    except Exception:  # noqa: BLE001 - repr is foreign code
        return None


def fingerprint(value):
    """Nested tuples that are equal only if values and types are."""
    if isinstance(value, dict):
        return type(value), [(fingerprint(k), fingerprint(v)) for k, v in value.items()]
    if isinstance(value, (list, tuple)):
        return type(value), [fingerprint(part) for part in value]
    if isinstance(value, (set, frozenset)):
        return type(value), frozenset((type(part), part) for part in value)
    return type(value), value


def plan(key, milliseconds):
    """Yields (command, argument); is sent a payload or None for "read", the result for "run"."""
    payload = yield "read", key
    if payload is not None:
        try:
            return ast.literal_eval(payload.decode())
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            payload = None
    result = yield "run", None
    text = literal(result)
    if text is not None:
        yield "write", (STORE, 1, key, text, milliseconds())
    return result


def driven(function, redis, name, milliseconds):
    @functools.wraps(function)
    def call(*args, **kwargs):
        steps = plan(name(args, kwargs), milliseconds)
        sent = None
        while True:
            try:
                command, argument = steps.send(sent)
            except StopIteration as end:
                return end.value
            if command == "run":
                sent = function(*args, **kwargs)
                continue
            try:
                sent = redis.get(argument) if command == "read" else redis.eval(*argument)
            except RedisError:
                sent = None

    return call


def driven_async(function, redis, name, milliseconds):
    @functools.wraps(function)
    async def call(*args, **kwargs):
        steps = plan(name(args, kwargs), milliseconds)
        sent = None
        while True:
            try:
                command, argument = steps.send(sent)
            except StopIteration as end:
                return end.value
            if command == "run":
                sent = await function(*args, **kwargs)
                continue
            try:
                sent = await (redis.get(argument) if command == "read" else redis.eval(*argument))
            except RedisError:
                sent = None

    return call


def cached(redis, *, ttl, jitter=0.0, rng=None, prefix="cache"):
    if not ttl > 0 or math.isinf(ttl) or not 0 <= jitter < 1:
        raise ValueError("ttl: a positive, finite number of seconds; jitter: at least 0, less than 1")
    draws = rng if rng is not None else random.SystemRandom()

    def milliseconds():
        return math.ceil(1000 * draws.uniform(ttl - ttl * jitter, ttl))

    def decorate(function):
        signature = inspect.signature(function)
        identity = (prefix, function.__module__, function.__qualname__)

        def name(args, kwargs):
            bound = signature.bind(*args, **kwargs)
            bound.apply_defaults()
            return repr((identity, bound.args, *sorted(bound.kwargs.items())))

        make = driven_async if inspect.iscoroutinefunction(function) else driven
        call = make(function, redis, name, milliseconds)
        call.invalidate = lambda *args, **kwargs: redis.delete(name(args, kwargs))
        return call

    return decorate
