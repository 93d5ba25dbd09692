"""A cache-aside decorator on Redis, for plain and for async functions.

Cache-aside (Microsoft's Cloud Design Patterns; "lazy loading" in the AWS caching whitepaper): look into the cache, on a
miss ask the source, store what it said. The decorator adds speed and nothing else: with it, without it and with Redis
down, a caller gets the same answers.
"""

from __future__ import annotations

import functools
import inspect
import json
import logging
import math
import random
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, ParamSpec, Protocol, TypeVar, overload

from redis import Redis
from redis.asyncio import Redis as AsyncRedis
from redis.exceptions import RedisError

_log = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Cached(Protocol[P, T_co]):
    """A plain function behind the cache."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> T_co:
        """What the function returns for these arguments, out of Redis if an entry is there.

        Raises what the function raises; never an error of Redis.
        """

    def invalidate(self, *args: P.args, **kwargs: P.kwargs) -> None:
        """Remove the entry of the call with these arguments, in whichever spelling; it need not exist.

        Raises redis.RedisError if Redis does not confirm it: then a stale entry may live on until its TTL ends.
        """


class AsyncCached(Protocol[P, T_co]):
    """An async function behind the cache: `Cached`, to be awaited."""

    async def __call__(self, *args: P.args, **kwargs: P.kwargs) -> T_co:
        """What the function returns for these arguments, out of Redis if an entry is there.

        Raises what the function raises; never an error of Redis.
        """

    async def invalidate(self, *args: P.args, **kwargs: P.kwargs) -> None:
        """Remove the entry of the call with these arguments, in whichever spelling; it need not exist.

        Raises redis.RedisError if Redis does not confirm it: then a stale entry may live on until its TTL ends.
        """


@overload
def cached(
    redis: Redis, *, ttl: float, jitter: float = 0.0, rng: random.Random | None = None, prefix: str = "cache"
) -> Callable[[Callable[P, T]], Cached[P, T]]: ...
@overload
def cached(
    redis: AsyncRedis, *, ttl: float, jitter: float = 0.0, rng: random.Random | None = None, prefix: str = "cache"
) -> Callable[[Callable[P, Awaitable[T]]], AsyncCached[P, T]]: ...
def cached(
    redis: Any, *, ttl: float, jitter: float = 0.0, rng: random.Random | None = None, prefix: str = "cache"
) -> Any:
    """Decorate a function so that Redis remembers its results.

    Args:
        redis: a synchronous client for a plain function, an asyncio client for an async one; bytes in, bytes out.
        ttl: seconds that an entry lives, fractions included; positive and finite.
        jitter: the share of `ttl` by which a lifetime may be cut, 0 ≤ jitter < 1. Each entry's lifetime is drawn anew,
            uniformly from [ttl * (1 - jitter), ttl] and rounded to the millisecond; it is never below 1 ms.
        rng: where lifetimes are drawn from; None for a source without a fixed seed.
        prefix: the start of every key. Two prefixes share nothing, so a new one is a cold cache.

    Raises:
        ValueError: at once, if `ttl` or `jitter` is out of range.
    """
    if not (ttl > 0 and math.isfinite(ttl)):
        raise ValueError(f"ttl is a positive, finite number of seconds, not {ttl!r}; to cache nothing, do not decorate")
    if not 0 <= jitter < 1:
        raise ValueError(f"jitter is a share of ttl from 0 up to but not including 1, not {jitter!r}")
    # Not random.Random(): a server that forks its workers would give them all one state, and one sequence of "random"
    # lifetimes.
    source = random.SystemRandom() if rng is None else rng

    def lifetime_ms() -> int:
        return max(1, round(1000 * ttl * (1 - jitter * source.random())))

    def decorate(function: Callable[..., Any]) -> Any:
        wrap = _wrap_async if inspect.iscoroutinefunction(function) else _wrap
        return wrap(function, redis, _keys_of(function, prefix), lifetime_ms)

    return decorate


_KeyOf = Callable[[tuple[Any, ...], Mapping[str, Any]], str]

_MISS = object()
"""No entry. None will not do: it is what many a function returns."""


def _wrap(function: Callable[..., Any], redis: Any, key_of: _KeyOf, lifetime_ms: Callable[[], int]) -> Any:
    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        key = key_of(args, kwargs)
        found = _MISS
        try:
            found = _decode(redis.get(key))
        except RedisError as error:
            _log.warning("cannot read %s, asking the source: %s", key, error)
        if found is not _MISS:
            return found
        # Outside every `try`: an error of the function is the caller's, even if it happens to be a RedisError.
        value = function(*args, **kwargs)
        payload = _encode(value)
        if payload is not None:
            try:
                redis.set(key, payload, px=lifetime_ms())
            except RedisError as error:
                _log.warning("cannot store %s: %s", key, error)
        return value

    def invalidate(*args: Any, **kwargs: Any) -> None:
        redis.delete(key_of(args, kwargs))

    call.invalidate = invalidate  # type: ignore[attr-defined]
    return call


# The same lines with `await`: a shared core would have to be a generator that both drive, which is longer and harder
# to read than saying it twice.
def _wrap_async(function: Callable[..., Any], redis: Any, key_of: _KeyOf, lifetime_ms: Callable[[], int]) -> Any:
    @functools.wraps(function)
    async def call(*args: Any, **kwargs: Any) -> Any:
        key = key_of(args, kwargs)
        found = _MISS
        try:
            found = _decode(await redis.get(key))
        except RedisError as error:
            _log.warning("cannot read %s, asking the source: %s", key, error)
        if found is not _MISS:
            return found
        value = await function(*args, **kwargs)
        payload = _encode(value)
        if payload is not None:
            try:
                await redis.set(key, payload, px=lifetime_ms())
            except RedisError as error:
                _log.warning("cannot store %s: %s", key, error)
        return value

    async def invalidate(*args: Any, **kwargs: Any) -> None:
        await redis.delete(key_of(args, kwargs))

    call.invalidate = invalidate  # type: ignore[attr-defined]
    return call


def _keys_of(function: Callable[..., Any], prefix: str) -> _KeyOf:
    # Colons: neither a module's name nor a qualified name contains one, so no two functions share a name here.
    name = f"{prefix}:{function.__module__}:{function.__qualname__}"
    signature = inspect.signature(function)

    def key_of(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str:
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        # repr tells 1, True, 1.0 and "1" apart, quotes its strings, and is the same in every process.
        return f"{name}:{(bound.args, sorted(bound.kwargs.items()))!r}"

    return key_of


def _encode(value: object) -> str | None:
    """JSON for a value that comes back as it went in, types included; None for every other value."""
    try:
        text = json.dumps(value)
        return text if _alike(json.loads(text), value) else None
    except Exception:  # noqa: BLE001 - a foreign type's own code may raise anything, and its value is still the answer
        return None


def _decode(payload: bytes | None) -> object:
    """The value of an entry; a miss if there is none, or if it is none of ours."""
    if payload is None:
        return _MISS
    try:
        return json.loads(payload)
    except (ValueError, RecursionError):
        return _MISS


def _alike(decoded: Any, value: Any) -> bool:
    """Deep equality that demands equal types; JSON turns tuples into lists and the key 1 into "1"."""
    if type(decoded) is not type(value):
        return False
    if isinstance(decoded, dict):
        return _alike([*decoded], [*value]) and _alike([*decoded.values()], [*value.values()])
    if isinstance(decoded, list):
        return len(decoded) == len(value) and all(map(_alike, decoded, value))
    return bool(decoded == value)
