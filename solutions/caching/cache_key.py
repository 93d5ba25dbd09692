"""Cache keys: one call, one key, in every process; two calls, two keys; and a version that orphans them all at once.

Sources: the Python documentation of `inspect.Signature.bind` and of PYTHONHASHSEED; memcached's protocol.txt (a key has
no spaces and at most 250 bytes); D. J. Bernstein, "Netstrings" (1997); the Redis documentation of INCR.
"""

from __future__ import annotations

import hashlib
import inspect
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from redis.asyncio import Redis


class Unkeyable(TypeError):
    """An argument that no key can tell from others: of a type that is not supported, and without `__cache_key__`."""


# stub: rule 1
def make_key(
    fn: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any], *, namespace: str, version: int
) -> str:
    """The key under which a cache keeps the answer of `fn(*args, **kwargs)`.

    Args:
        fn: a plain or async function, or a bound method, whose object (or class) then counts as the first argument.
            A function is told by its `__module__` and `__qualname__`.
        args, kwargs: as the call would give them. Supported are None, bool, int, float, str, bytes, tuple, list, set,
            frozenset and dict, exactly these types; classes; and objects whose class has a method `__cache_key__()`
            that returns something supported.
        namespace: 1 to 64 printable ASCII characters without spaces; the key starts with it and a colon.
        version: of the namespace, 0 ≤ version < 2**63. Another version, another key.

    Returns:
        At most 200 printable ASCII characters without spaces, the same in every process. Where the call goes into
        the key as a digest, that has at least 120 bits.

    Raises:
        Unkeyable: an argument, or a part of one, is not supported.
        TypeError: the call does not fit the signature of `fn`.
        ValueError: `namespace` or `version` is out of range.
    """
    _check(namespace)
    if not 0 <= version < 2**63:
        raise ValueError(f"a version is what current_version returns, from 0 to 2**63 - 1, not {version!r}")
    if inspect.ismethod(fn):
        # The signature of a bound method lacks `self`, and a key without it is shared by all objects.
        args, fn = (fn.__self__, *args), fn.__func__
    bound = inspect.signature(fn).bind(*args, **kwargs)
    bound.apply_defaults()
    # What stands readably in front is in the digest too: a namespace may contain colons and digits.
    call = (namespace, version, fn.__module__, fn.__qualname__, dict(bound.arguments))
    return f"{namespace}:{version}:{hashlib.sha256(_told(call)).hexdigest()}"


# stub: rule 16
async def current_version(redis: Redis, namespace: str) -> int:
    """The version of a namespace, the same for every server; 0 if it was never bumped.

    Raises redis.RedisError if Redis does not answer, and ValueError for a `namespace` out of range.
    """
    _check(namespace)
    return int(await redis.get(_counter(namespace)) or 0)


# stub: rule 16
async def bump_version(redis: Redis, namespace: str) -> int:
    """Give a namespace a version greater than every one before, so that no key of theirs is asked for again.

    Returns the new version, which no other bump returns. Entries are not deleted: they live until their TTLs end.

    Raises redis.RedisError if Redis does not confirm it, and ValueError for a `namespace` out of range.
    """
    _check(namespace)
    # One command, so no bump is lost; and no TTL: a counter that starts again brings old entries back.
    return int(await redis.incr(_counter(namespace)))


def _check(namespace: str) -> None:
    if not re.fullmatch("[!-~]{1,64}", namespace):
        raise ValueError(f"a namespace has 1 to 64 printable ASCII characters and no spaces, unlike {namespace!r}")


def _counter(namespace: str) -> str:
    # No key of make_key ends like this, whatever its namespace: they end with 64 hexadecimal digits.
    return f"{namespace}:version"


def _told(value: Any) -> bytes:
    """A text for each value that no other value has: its type, its length, and then its parts in the same notation."""
    kind = type(value)
    tag = kind.__name__
    if kind in (type(None), bool, int, float):
        body = repr(value).encode()
    elif kind is str:
        body = value.encode(errors="surrogatepass")
    elif kind is bytes:
        body = value
    elif kind in (tuple, list):
        body = b"".join(map(_told, value))
    elif kind in (set, frozenset):
        # Sorted as texts: the members themselves may have no order among them.
        body = b"".join(sorted(map(_told, value)))
    elif kind is dict:
        body = b"".join(sorted(_told(key) + _told(part) for key, part in value.items()))
    elif isinstance(value, type):  # before __cache_key__, which a class has for its objects and not for itself
        tag, body = "class", _told((value.__module__, value.__qualname__))
    elif hasattr(kind, "__cache_key__"):
        tag, body = "object", _told((kind, value.__cache_key__()))
    else:
        raise Unkeyable(f"no key can hold a {kind.__qualname__}: pass what identifies it, or give it a __cache_key__()")
    return b"%s:%d:%s" % (tag.encode(), len(body), body)
