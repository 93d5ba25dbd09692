"""`>=`: who reaches the old best again gets True, and a new turn.

Trap: wrong-answer
Rule: 2
"""

import math
from dataclasses import dataclass

SUBMIT = """
local player, score = ARGV[1], ARGV[2]
local member = redis.call('HGET', KEYS[3], player)
if member then
  local best = redis.call('ZSCORE', KEYS[1], member)
  if tonumber(score) < tonumber(best) then return 0 end
  redis.call('ZREM', KEYS[1], member)
  if redis.call('ZCOUNT', KEYS[1], best, best) == 0 then
    redis.call('ZREMRANGEBYSCORE', KEYS[2], best, best)
  end
end
local turn = redis.call('INCR', KEYS[4])
member = string.format('%016.0f', 2 ^ 53 - turn) .. player
redis.call('ZADD', KEYS[1], score, member)
redis.call('ZADD', KEYS[2], score, score)
redis.call('HSET', KEYS[3], player, member)
return 1
"""

PAGE = """
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


@dataclass(frozen=True)
class Entry:
    player: str
    score: float
    position: int
    rank: int
    dense_rank: int


class Leaderboard:
    def __init__(self, client, name):
        self._client = client
        self._keys = [f"leaderboard:{name}:{part}" for part in ("scores", "levels", "members", "turns")]

    async def submit(self, player, score):
        check_player(player)
        if not isinstance(score, int | float):
            raise TypeError(f"a score is an int or a float, not {score!r}")
        if not math.isfinite(score):
            raise ValueError(f"a score must be finite, not {score}")
        return bool(await self._client.eval(SUBMIT, 4, *self._keys, player, float(score) + 0.0))

    async def top(self, count, *, offset=0):
        check_size(count)
        check_size(offset)
        return await self._entries(offset, offset + count - 1)

    async def rank(self, player):
        check_player(player)
        entries = await self._entries(0, 0, player)
        return entries[0] if entries else None

    async def around(self, player, radius):
        check_player(player)
        check_size(radius)
        return await self._entries(-radius, radius, player)

    async def _entries(self, first, last, *player):
        page = await self._client.eval(PAGE, 4, *self._keys, first, last, *player)
        return [Entry(who.decode(), float(score), *places) for who, score, *places in page]


def check_player(player):
    if not isinstance(player, str):
        raise TypeError(f"a player is a str, not {player!r}")


def check_size(size):
    if size < 0:
        raise ValueError(f"a size is not negative, as {size} is")
