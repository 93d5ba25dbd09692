"""Short calls stay readable in their keys, as percent-encoded Python literals; only long ones are digested.

The arguments are rebuilt in the order of the signature. The version is the server's time in microseconds, or the
last version plus one if that is greater, written by WATCH and MULTI.

Design: literals in the key; MD5 for what is too long; WATCH, a clock for a counter.
Breaks: none
"""

import hashlib
import inspect
import types
import urllib.parse

from redis import WatchError

CONTAINERS = {tuple: ("(", ")"), list: ("[", "]"), set: ("{", "}"), frozenset: ("<", ">"), dict: ("{:", "}")}


class Unkeyable(TypeError):
    """Has no literal."""


def make_key(fn, args, kwargs, *, namespace, version):
    validate(namespace)
    if version < 0 or version.bit_length() > 63:
        raise ValueError(f"bad version {version}")
    if isinstance(fn, types.MethodType):
        args = (fn.__self__, *args)
        fn = fn.__func__
    bound = inspect.Signature.from_callable(fn).bind(*args, **kwargs)
    bound.apply_defaults()
    text = literal((fn.__module__, fn.__qualname__, version, bound.args, bound.kwargs))
    readable = urllib.parse.quote(text, safe="(),[]{}<>:'=")
    if len(readable) > 100:
        # Not followed by a parenthesis, with which every readable key begins.
        readable = "md5-" + hashlib.md5(text.encode("utf-8", "surrogatepass")).hexdigest()
    return namespace + ":" + readable


def literal(value):
    kind = type(value)
    if value is None or kind in {bool, int, float, str, bytes}:
        return repr(value)
    if kind in CONTAINERS:
        parts = [literal(part) for part in value]
        if kind is dict:
            parts = [f"{key}={literal(part)}" for key, part in zip(parts, value.values(), strict=True)]
        opened, closed = CONTAINERS[kind]
        return opened + ",".join(parts if kind in (tuple, list) else sorted(parts)) + closed
    if isinstance(value, type):
        return f"class {value.__module__!r}{value.__qualname__!r}"
    try:
        identity = kind.__cache_key__
    except AttributeError:
        raise Unkeyable(f"{kind} has neither a literal nor a __cache_key__") from None
    return f"{literal(kind)} {literal(identity(value))}"


def validate(namespace):
    if not namespace or len(namespace) > 64 or not namespace.isascii() or not namespace.isprintable():
        raise ValueError(f"bad namespace {namespace!r}")
    if " " in namespace:
        raise ValueError("a namespace with a space")


async def current_version(redis, namespace):
    validate(namespace)
    return int(await redis.get(f"{namespace}.version") or 0)


async def bump_version(redis, namespace):
    validate(namespace)
    counter = f"{namespace}.version"
    async with redis.pipeline() as pipe:
        while True:
            await pipe.watch(counter)
            last = int(await pipe.get(counter) or 0)
            seconds, micros = await pipe.time()
            version = max(last + 1, seconds * 1_000_000 + micros)
            pipe.multi()
            pipe.set(counter, version)
            try:
                await pipe.execute()
            except WatchError:
                continue
            return version
