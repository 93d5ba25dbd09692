"""The name of the board is encoded as ASCII, every other letter as a question mark.

Trap: shared-key
Rule: 11
"""

import math
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis

_SUBMIT = """
local lines, members, levels, counter = unpack(KEYS)
local player, score = ARGV[1], ARGV[2]
local member = redis.call('HGET', members, player)
if member then
    local best = redis.call('ZSCORE', lines, member)
    if tonumber(score) <= tonumber(best) then
        return 0
    end
    redis.call('ZREM', lines, member)
    if redis.call('ZCOUNT', lines, best, best) == 0 then
        redis.call('ZREMRANGEBYSCORE', levels, best, best)
    end
end
local turn = redis.call('INCR', counter)
member = string.format('%016.0f', 9007199254740991 - turn) .. player
redis.call('ZADD', lines, score, member)
redis.call('HSET', members, player, member)
if redis.call('ZCOUNT', levels, score, score) == 0 then
    redis.call('ZADD', levels, score, score)
end
return 1
"""
_READ = """
local lines, members, levels = unpack(KEYS)
local first, last
if ARGV[1] == 'top' then
    first = tonumber(ARGV[2])
    last = first + tonumber(ARGV[3]) - 1
else
    local member = redis.call('HGET', members, ARGV[2])
    if not member then
        return {}
    end
    local place = redis.call('ZREVRANK', lines, member)
    first = math.max(0, place - tonumber(ARGV[3]))
    last = place + tonumber(ARGV[3])
end
if last < first then
    return {}
end
local page = redis.call('ZREVRANGE', lines, first, last, 'WITHSCORES')
if #page == 0 then
    return {}
end
local above = '(' .. page[2]
return {first, redis.call('ZCOUNT', lines, above, '+inf'), redis.call('ZCOUNT', levels, above, '+inf'), page}
"""


@dataclass(frozen=True, slots=True)
class Entry:
    player: str
    score: float
    position: int
    rank: int
    dense_rank: int


class Leaderboard:
    def __init__(self, redis: Redis, name: str) -> None:
        self._keys = [
            f"leaderboard:{kind}:{name}".encode("ascii", "replace")
            for kind in ("lines", "members", "levels", "counter")
        ]
        self._submit = redis.register_script(_SUBMIT)
        self._read = redis.register_script(_READ)

    async def submit(self, player: str, score: float) -> bool:
        encoded = _encoded(player)
        if not isinstance(score, (int, float)):
            raise TypeError(f"a score is an int or a float, not {score!r}")
        number = float(score) + 0.0  # -0.0 becomes 0.0
        if not math.isfinite(number):
            raise ValueError(f"a score is finite, not {score!r}")
        return bool(await self._submit(self._keys, [encoded, repr(number)]))

    async def top(self, count: int, *, offset: int = 0) -> list[Entry]:
        _check("count", count)
        _check("offset", offset)
        return await self._page("top", offset, count)

    async def rank(self, player: str) -> Entry | None:
        page = await self.around(player, 0)
        return page[0] if page else None

    async def around(self, player: str, radius: int) -> list[Entry]:
        encoded = _encoded(player)
        _check("radius", radius)
        return await self._page("around", encoded, radius)

    async def _page(self, *args: Any) -> list[Entry]:
        reply = await self._read(self._keys, args)
        if not reply:
            return []
        first, higher, levels, flat = reply
        page: list[Entry] = []
        rank, dense = higher + 1, levels + 1
        for index in range(0, len(flat), 2):
            score, position = float(flat[index + 1]), first + index // 2 + 1
            if page and score != page[-1].score:
                rank, dense = position, dense + 1
            page.append(Entry(flat[index][16:].decode(), score, position, rank, dense))
        return page


def _encoded(player: str) -> bytes:
    if not isinstance(player, str):
        raise TypeError(f"a player is a str, not {player!r}")
    return player.encode()


def _check(name: str, value: int) -> None:
    if value < 0:
        raise ValueError(f"{name} must not be negative, not {value!r}")
