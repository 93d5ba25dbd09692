"""A leaderboard in Redis, shared by all servers: best scores, highest first, ties to whoever was there first.

Sources: Redis documentation, "Sorted sets" and the commands `ZADD`, `ZRANGE` and `ZCOUNT`; the window functions
`row_number`, `rank` and `dense_rank` of SQL:2003.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis

# The order of the board is the order of one sorted set. Redis sorts equal scores by member, so each member begins with
# a number that falls with every new best; read from the highest down, the earlier one comes first. The score stays
# the score: a fraction of it for the time would have to share its 53 bits.
#
# KEYS: the sorted set of members; that of the distinct scores, for dense ranks; the hash of each player's member; the
# number of new bests so far. A clock would not do for that: two submissions may have one instant, and clocks go back.
_SUBMIT = """
local player, score = ARGV[1], ARGV[2]
local member = redis.call('HGET', KEYS[3], player)
if member then
  local best = redis.call('ZSCORE', KEYS[1], member)
  if tonumber(score) <= tonumber(best) then return 0 end
  redis.call('ZREM', KEYS[1], member)
  if redis.call('ZCOUNT', KEYS[1], best, best) == 0 then
    redis.call('ZREMRANGEBYSCORE', KEYS[2], best, best)
  end
end
member = string.format('%016.0f', 2 ^ 53 - redis.call('INCR', KEYS[4])) .. player
redis.call('ZADD', KEYS[2], score, score)
redis.call('HSET', KEYS[3], player, member)
return redis.call('ZADD', KEYS[1], score, member)
"""

# The entries from index ARGV[1] to ARGV[2], counted from 0, or from the place of the player ARGV[3] if there is one.
# Scores are handed out as text, because a number that a script returns is cut to an integer.
_PAGE = """
local first, last = tonumber(ARGV[1]), tonumber(ARGV[2])
if ARGV[3] then
  local member = redis.call('HGET', KEYS[3], ARGV[3])
  if not member then return {} end
  local place = redis.call('ZREVRANK', KEYS[1], member)
  first, last = math.max(place + first, 0), place + last
end
if last < first then return {} end
local page = {}
local found = redis.call('ZRANGE', KEYS[1], first, last, 'REV', 'WITHSCORES')
for i = 1, #found, 2 do
  local score = found[i + 1]
  local better = redis.call('ZCOUNT', KEYS[1], '(' .. score, '+inf')
  local levels = redis.call('ZCOUNT', KEYS[2], '(' .. score, '+inf')
  page[#page + 1] = {string.sub(found[i], 17), score, first + #page + 1, better + 1, levels + 1}
end
return page
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """One player's line on the board, as it was at one instant; all three places count from 1."""

    player: str
    score: float
    """The player's best."""
    position: int
    """The line's number: no two players share one."""
    rank: int
    """1 plus the number of players with a higher score: 1, 2, 2, 4."""
    dense_rank: int
    """1 plus the number of different higher scores: 1, 2, 2, 3."""


class Leaderboard:
    """The best score of each player, highest first; of equal ones, whoever reached it first comes first."""

    def __init__(self, redis: Redis, name: str) -> None:
        """The board `name`; all objects of that name, on all servers, are one board.

        Args:
            redis: an asyncio client with its default `decode_responses=False`; it belongs to the caller.
            name: any text that UTF-8 can encode.
        """
        self._keys = [f"leaderboard:{{{name}}}:{part}" for part in ("scores", "levels", "members", "turns")]
        self._submit = redis.register_script(_SUBMIT)
        self._page = redis.register_script(_PAGE)

    async def submit(self, player: str, score: float) -> bool:
        """Note a result of `player`; only the best one counts.

        Returns:
            Whether it is the player's new best: the first one, or higher than all before. Otherwise nothing changes.

        Raises:
            TypeError: `player` is no str, or `score` neither an int nor a float.
            ValueError: `score` is infinite or nan.
        """
        _check_player(player)
        if not isinstance(score, int | float):
            raise TypeError(f"a score is an int or a float, not {score!r}")
        if not math.isfinite(score):
            raise ValueError(f"a score must be finite, not {score}")
        # Adding 0.0 makes 0.0 of -0.0, and one text of each score: 1 and 1.0 are the same level.
        return bool(await self._submit(self._keys, [player, float(score) + 0.0]))

    async def top(self, count: int, *, offset: int = 0) -> list[Entry]:
        """The `count` best entries after the first `offset` ones, in order; fewer where the board ends.

        Raises:
            ValueError: `count` or `offset` is negative.
        """
        _check_size("count", count)
        _check_size("offset", offset)
        return await self._entries(offset, offset + count - 1)

    async def rank(self, player: str) -> Entry | None:
        """The player's entry, or None if there is none.

        Raises:
            TypeError: `player` is no str.
        """
        _check_player(player)
        entries: Sequence[Entry | None] = await self._entries(0, 0, player)
        [entry] = entries or [None]
        return entry

    async def around(self, player: str, radius: int) -> list[Entry]:
        """The player's entry with up to `radius` entries before and behind it, in order; [] without the player.

        Raises:
            TypeError: `player` is no str.
            ValueError: `radius` is negative.
        """
        _check_player(player)
        _check_size("radius", radius)
        return await self._entries(-radius, radius, player)

    async def _entries(self, first: int, last: int, *player: str) -> list[Entry]:
        page: Any = await self._page(self._keys, [first, last, *player])
        return [Entry(who.decode(), float(score), *places) for who, score, *places in page]


def _check_player(player: object) -> None:
    if not isinstance(player, str):
        raise TypeError(f"a player is a str, not {player!r}")


def _check_size(what: str, size: int) -> None:
    if size < 0:
        raise ValueError(f"{what} must not be negative, as {size} is")
