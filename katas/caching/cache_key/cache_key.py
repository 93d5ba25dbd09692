"""Cache keys: one call, one key, in every process; two calls, two keys; and a version that orphans them all at once.

Sources: the Python documentation of `inspect.Signature.bind` and of PYTHONHASHSEED; memcached's protocol.txt (a key has
no spaces and at most 250 bytes); D. J. Bernstein, "Netstrings" (1997); the Redis documentation of INCR.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from redis.asyncio import Redis


class Unkeyable(TypeError):
    """An argument that no key can tell from others: of a type that is not supported, and without `__cache_key__`."""


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
    raise NotImplementedError("make_key is yours to write; start with rule 1 of README.md")


async def current_version(redis: Redis, namespace: str) -> int:
    """The version of a namespace, the same for every server; 0 if it was never bumped.

    Raises redis.RedisError if Redis does not answer, and ValueError for a `namespace` out of range.
    """
    raise NotImplementedError("current_version is yours to write; start with rule 16 of README.md")


async def bump_version(redis: Redis, namespace: str) -> int:
    """Give a namespace a version greater than every one before, so that no key of theirs is asked for again.

    Returns the new version, which no other bump returns. Entries are not deleted: they live until their TTLs end.

    Raises redis.RedisError if Redis does not confirm it, and ValueError for a `namespace` out of range.
    """
    raise NotImplementedError("bump_version is yours to write; start with rule 16 of README.md")
