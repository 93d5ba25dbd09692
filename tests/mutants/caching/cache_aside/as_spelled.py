"""The key is made of args and kwargs as they were written.

Trap: spelling-splits-entries
Rule: 11
Published: in tutorials on caching decorators
"""

import functools
import inspect
import json
import math
import random

from redis.exceptions import RedisError

MISS = object()


def cached(redis, *, ttl, jitter=0.0, rng=None, prefix="cache"):
    if not 0 < ttl < math.inf or not 0 <= jitter < 1:
        raise ValueError(f"ttl={ttl} or jitter={jitter} is out of range")
    rng = rng or random.SystemRandom()

    def lifetime_ms():
        return max(1, round(1000 * rng.uniform(ttl * (1 - jitter), ttl)))

    def decorate(fn):
        def key_of(args, kwargs):
            return f"{prefix}:{fn.__module__}:{fn.__qualname__}:{args}:{sorted(kwargs.items())}"

        if inspect.iscoroutinefunction(fn):

            @functools.wraps(fn)
            async def wrapper(*args, **kwargs):
                key = key_of(args, kwargs)
                try:
                    found = decoded(await redis.get(key))
                except RedisError:
                    found = MISS
                if found is not MISS:
                    return found
                result = await fn(*args, **kwargs)
                if (text := encoded(result)) is not None:
                    try:
                        await redis.set(key, text, px=lifetime_ms())
                    except RedisError:
                        return result
                return result

            async def invalidate(*args, **kwargs):
                await redis.delete(key_of(args, kwargs))
        else:

            @functools.wraps(fn)
            def wrapper(*args, **kwargs):
                key = key_of(args, kwargs)
                try:
                    found = decoded(redis.get(key))
                except RedisError:
                    found = MISS
                if found is not MISS:
                    return found
                result = fn(*args, **kwargs)
                if (text := encoded(result)) is not None:
                    try:
                        redis.set(key, text, px=lifetime_ms())
                    except RedisError:
                        return result
                return result

            def invalidate(*args, **kwargs):
                redis.delete(key_of(args, kwargs))

        wrapper.invalidate = invalidate
        return wrapper

    return decorate


def encoded(value):
    try:
        text = json.dumps(value)
        return text if alike(json.loads(text), value) else None
    except (TypeError, ValueError, RecursionError):
        return None


def decoded(raw):
    try:
        return MISS if raw is None else json.loads(raw)
    except ValueError:
        return MISS


def alike(a, b):
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return alike(list(a), list(b)) and alike(list(a.values()), list(b.values()))
    if isinstance(a, list):
        return len(a) == len(b) and all(map(alike, a, b))
    return a == b
