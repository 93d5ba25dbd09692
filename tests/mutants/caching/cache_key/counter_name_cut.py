"""The name of the counter is cut at 40 characters; two long namespaces share one.

Trap: bump-too-wide
Rule: 17
"""

import hashlib
import inspect
import re


class Unkeyable(TypeError):
    pass


def make_key(fn, args, kwargs, *, namespace, version):
    check(namespace)
    if version < 0 or version >= 2**63:
        raise ValueError(f"no version: {version}")
    if inspect.ismethod(fn):
        fn, args = fn.__func__, (fn.__self__, *args)
    bound = inspect.signature(fn).bind(*args, **kwargs)
    bound.apply_defaults()
    name = [namespace, version, fn.__module__, fn.__qualname__]
    text = encoded([*name, dict(bound.arguments)])
    digest = hashlib.sha256(text.encode()).hexdigest()
    return f"{namespace}:{version}:{digest}"


async def current_version(redis, namespace):
    check(namespace)
    return int(await redis.get(f"{namespace[:40]}:version") or 0)


async def bump_version(redis, namespace):
    check(namespace)
    return await redis.incr(f"{namespace[:40]}:version")


def check(namespace):
    if not re.fullmatch("[!-~]{1,64}", namespace):
        raise ValueError(f"no namespace: {namespace!r}")


def encoded(value):
    kind = type(value)
    if kind in (type(None), bool, int, float, str, bytes):
        return repr(value)
    if kind in (tuple, list):
        return f"{kind.__name__}({','.join(map(encoded, value))})"
    if kind in (set, frozenset):
        return f"{kind.__name__}({','.join(sorted(map(encoded, value)))})"
    if kind is dict:
        pairs = (f"{encoded(key)}:{encoded(part)}" for key, part in value.items())
        return f"dict({','.join(sorted(pairs))})"
    if isinstance(value, type):
        return f"class({value.__module__!r},{value.__qualname__!r})"
    if hasattr(kind, "__cache_key__"):
        return f"object({encoded(kind)},{encoded(value.__cache_key__())})"
    raise Unkeyable(f"no key for a {kind.__name__}")
