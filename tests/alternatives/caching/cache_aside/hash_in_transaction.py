"""An entry is a Redis hash, replaced and given its TTL in one MULTI; values travel as JSON with type tags.

Tuples, sets, bytes, dates and dicts with any keys are taken apart into tagged lists; exact types only, so
that an enum or an OrderedDict is not taken for what it derives from.

Design: HSET and PEXPIRE in a transaction, HGET; tagged JSON; nested repr of typed arguments as key.
Breaks: none
"""

import asyncio
import base64
import datetime
import functools
import inspect
import json
import random

import redis as redis_py

NOTHING = object()
PLAIN = (type(None), bool, int, float, str)


class Unstorable(Exception):
    """A value with a part of a type that has no tag."""


def tagged(value):
    kind = type(value)
    if kind in PLAIN:
        return value
    if kind in (list, tuple, set, frozenset):
        return [kind.__name__, [tagged(part) for part in value]]
    if kind is dict:
        return ["dict", [[tagged(key), tagged(part)] for key, part in value.items()]]
    if kind is bytes:
        return ["bytes", base64.b64encode(value).decode()]
    if kind is datetime.date:
        return ["date", value.isoformat()]
    raise Unstorable(kind)


def untagged(told):
    if type(told) in PLAIN:
        return told
    kind, parts = told
    if kind == "dict":
        return {untagged(key): untagged(part) for key, part in parts}
    if kind == "bytes":
        return base64.b64decode(parts)
    if kind == "date":
        return datetime.date.fromisoformat(parts)
    return {"list": list, "tuple": tuple, "set": set, "frozenset": frozenset}[kind](map(untagged, parts))


class Codec:
    """The keys, values and lifetimes of one decorated function; nothing here talks to Redis."""

    def __init__(self, function, ttl, jitter, rng, prefix):
        self.signature = inspect.signature(function)
        self.start = repr((prefix, function.__module__, function.__qualname__))
        self.ttl, self.jitter, self.rng = ttl, jitter, rng or random.Random()

    def key(self, args, kwargs):
        bound = self.signature.bind(*args, **kwargs)
        bound.apply_defaults()
        named = {
            name: sorted(value.items()) if self.signature.parameters[name].kind.name == "VAR_KEYWORD" else value
            for name, value in bound.arguments.items()
        }
        return self.start + repr(sorted(named.items()))

    def lifetime(self):
        seconds = self.ttl - self.ttl * self.jitter * self.rng.random()
        return datetime.timedelta(milliseconds=max(1, round(seconds * 1000)))

    def encode(self, value):
        try:
            # Half a character cannot be encoded, and is not stored: as escapes, two of them would come back as one.
            return json.dumps(tagged(value), ensure_ascii=False).encode()
        except (Unstorable, ValueError, RecursionError):
            return None

    def decode(self, body):
        try:
            return NOTHING if body is None else untagged(json.loads(body))
        except (ValueError, TypeError, KeyError, RecursionError):
            return NOTHING

    def write(self, pipe, key, body):
        pipe.delete(key)  # whatever stands there, it may not be a hash
        pipe.hset(key, mapping={"body": body, "codec": 1})
        pipe.pexpire(key, self.lifetime())


def cached(redis, *, ttl, jitter=0.0, rng=None, prefix="cache"):
    if not (0 < ttl < float("inf")):
        raise ValueError(f"a ttl of {ttl} s")
    if not (0 <= jitter < 1):
        raise ValueError(f"a jitter of {jitter}")

    def decorate(function):
        codec = Codec(function, ttl, jitter, rng, prefix)

        def call(*args, **kwargs):
            key = codec.key(args, kwargs)
            value = _quiet(lambda: codec.decode(redis.hget(key, "body")))
            if value is NOTHING:
                value = function(*args, **kwargs)
                if body := codec.encode(value):
                    pipe = redis.pipeline(transaction=True)
                    codec.write(pipe, key, body)
                    _quiet(pipe.execute)
            return value

        async def call_async(*args, **kwargs):
            key = codec.key(args, kwargs)
            value = codec.decode(await _quiet_async(redis.hget(key, "body"), None))
            if value is NOTHING:
                value = await function(*args, **kwargs)
                if body := codec.encode(value):
                    pipe = redis.pipeline(transaction=True)
                    codec.write(pipe, key, body)
                    await _quiet_async(pipe.execute(), None)
            return value

        def invalidate(*args, **kwargs):
            return redis.delete(codec.key(args, kwargs))  # async clients give something to await

        chosen = functools.wraps(function)(call_async if asyncio.iscoroutinefunction(function) else call)
        chosen.invalidate = invalidate
        return chosen

    return decorate


def _quiet(command):
    try:
        return command()
    except redis_py.RedisError:
        return NOTHING


async def _quiet_async(command, otherwise):
    try:
        return await command
    except redis_py.RedisError:
        return otherwise
