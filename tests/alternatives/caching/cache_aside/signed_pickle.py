"""Pickles, compressed, and signed together with their key, so that nobody without the secret can plant one.

Keys are digests of JSON in which each value carries its type's name. Results of nearly every type are cached.

Design: HMAC over key and zlib-compressed pickle; JSON-and-digest keys; PSETEX and UNLINK.
Breaks: none
"""

import functools
import hashlib
import hmac
import inspect
import json
import math
import pickle
import random
import zlib

import redis as redis_py

SECRET = b"in a real service this comes from the environment"


class Missing(redis_py.RedisError):
    """No entry, or none that this service has signed."""


class Entries:
    """What is known of one decorated function: its keys, its encoding, its lifetimes."""

    def __init__(self, function, ttl, jitter, rng, prefix):
        self.name = [prefix, function.__module__, function.__qualname__]
        self.signature = inspect.signature(function)
        self.longest, self.shortest, self.rng = 1000 * ttl, 1000 * ttl * (1 - jitter), rng or random

    def key(self, args, kwargs):
        bound = self.signature.bind(*args, **kwargs)
        bound.apply_defaults()
        told = json.dumps([*self.name, typed(bound.args), typed(bound.kwargs)], sort_keys=True)
        return hashlib.blake2b(told.encode(), digest_size=16).hexdigest()

    def milliseconds(self):
        return max(1, round(self.rng.uniform(self.shortest, self.longest)))

    def pack(self, key, value):
        """Bytes to store, or None."""
        try:
            body = zlib.compress(pickle.dumps(value, protocol=5))
        except Exception:  # noqa: BLE001 - the __reduce__ of a foreign type may raise anything
            return None
        return signature(key, body) + body

    def unpack(self, key, entry):
        if entry is None or not hmac.compare_digest(entry[:32], signature(key, entry[32:])):
            raise Missing(key)
        return pickle.loads(zlib.decompress(entry[32:]))


def typed(value):
    if isinstance(value, dict):
        return {name: typed(inner) for name, inner in value.items()}
    if isinstance(value, tuple):
        return ["tuple", *map(typed, value)]
    return [type(value).__name__, value]


def signature(key, body):
    return hmac.digest(SECRET, key.encode() + body, "sha256")


def cached(redis, *, ttl, jitter=0.0, rng=None, prefix="cache"):
    for name, number, right in (("ttl", ttl, 0 < ttl < math.inf), ("jitter", jitter, 0 <= jitter < 1)):
        if not right:
            raise ValueError(f"{name}={number} is out of range")

    def decorate(function):
        entries = Entries(function, ttl, jitter, rng, prefix)
        behind = behind_async if inspect.iscoroutinefunction(function) else behind_plain
        return behind(function, redis, entries)

    return decorate


def behind_plain(function, redis, entries):
    def look(key):
        return entries.unpack(key, redis.get(key))

    def store(key, value):
        if (entry := entries.pack(key, value)) is not None:
            redis.psetex(key, entries.milliseconds(), entry)

    @functools.wraps(function)
    def call(*args, **kwargs):
        key = entries.key(args, kwargs)
        try:
            return look(key)
        except redis_py.RedisError:
            value = None
        value = function(*args, **kwargs)
        try:
            store(key, value)
        except redis_py.RedisError:
            return value
        return value

    call.invalidate = lambda *args, **kwargs: redis.unlink(entries.key(args, kwargs))
    return call


def behind_async(function, redis, entries):
    async def look(key):
        return entries.unpack(key, await redis.get(key))

    async def store(key, value):
        if (entry := entries.pack(key, value)) is not None:
            await redis.psetex(key, entries.milliseconds(), entry)

    @functools.wraps(function)
    async def call(*args, **kwargs):
        key = entries.key(args, kwargs)
        try:
            return await look(key)
        except redis_py.RedisError:
            value = None
        value = await function(*args, **kwargs)
        try:
            await store(key, value)
        except redis_py.RedisError:
            return value
        return value

    async def invalidate(*args, **kwargs):
        await redis.unlink(entries.key(args, kwargs))

    call.invalidate = invalidate
    return call
