"""GET, compute, SET of JSON, as the notes write it: a tuple is a tuple on the miss and a list on the hit.

Trap: hit-differs-from-miss
Rule: 3
Published: in tutorials on caching decorators
"""

import functools
import inspect
import json


def cached(redis, *, ttl=3600, jitter=0.0, rng=None, prefix="cache"):
    def decorator(func):
        @functools.wraps(func)
        def wrapper(*args, **kwargs):
            key = f"{func.__name__}:{args}:{kwargs}"
            found = redis.get(key)
            if found:
                return json.loads(found)
            result = func(*args, **kwargs)
            redis.set(key, json.dumps(result), ttl)
            return result

        @functools.wraps(func)
        async def async_wrapper(*args, **kwargs):
            key = f"{func.__name__}:{args}:{kwargs}"
            found = await redis.get(key)
            if found:
                return json.loads(found)
            result = await func(*args, **kwargs)
            await redis.set(key, json.dumps(result), ttl)
            return result

        chosen = async_wrapper if inspect.iscoroutinefunction(func) else wrapper
        chosen.invalidate = lambda *args, **kwargs: redis.delete(f"{func.__name__}:{args}:{kwargs}")
        return chosen

    return decorator
