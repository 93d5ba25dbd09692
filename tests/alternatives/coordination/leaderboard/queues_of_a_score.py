"""A queue for each score, in which the players stand as they came; a sorted set of the queues that are not empty.

Design: no set of all players at all: a list for each score, and the board is walked from queue to queue. Lua.

Breaks: none
"""

import math
from dataclasses import dataclass

SCRIPT = """
local levels, bests, queues = KEYS[1], KEYS[2], KEYS[3]
local what, first, last, player = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4]

if what == 'submit' then
  local score, best = ARGV[2], redis.call('HGET', bests, player)
  if best then
    if tonumber(best) >= tonumber(score) then return 0 end
    redis.call('LREM', queues .. best, 1, player)
    if redis.call('EXISTS', queues .. best) == 0 then redis.call('ZREM', levels, best) end
  end
  redis.call('HSET', bests, player, score)
  redis.call('RPUSH', queues .. score, player)
  redis.call('ZADD', levels, score, score)
  return 1
end

local order = redis.call('ZREVRANGE', levels, 0, -1)
if what == 'around' then
  local best, before = redis.call('HGET', bests, player), 0
  if not best then return {} end
  for _, level in ipairs(order) do
    if level == best then break end
    before = before + redis.call('LLEN', queues .. level)
  end
  for at, other in ipairs(redis.call('LRANGE', queues .. best, 0, -1)) do
    if other == player then before = before + at end
  end
  first, last = before + first, before + last
end

local page, before = {}, 0
for dense, level in ipairs(order) do
  local length = redis.call('LLEN', queues .. level)
  if before + length >= first and before < last then
    for at, other in ipairs(redis.call('LRANGE', queues .. level, 0, -1)) do
      if before + at >= first and before + at <= last then
        table.insert(page, {other, level, before + at, before + 1, dense})
      end
    end
  end
  before = before + length
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
        self.keys = [f"leaderboard:{part}:{len(name)}:{name}:" for part in ("levels", "bests", "queue")]
        self.script = client.register_script(SCRIPT)

    async def submit(self, player, score):
        if not isinstance(score, int) and not isinstance(score, float):
            raise TypeError("a score is an int or a float")
        if not math.isfinite(score):
            raise ValueError("a score is finite")
        return bool(await self.ask("submit", repr(float(score) or 0.0), 0, checked(player)))

    async def top(self, count, *, offset=0):
        return [Entry(*line) for line in await self.page("top", positive(offset) + 1, offset + positive(count), "")]

    async def around(self, player, radius):
        return [Entry(*line) for line in await self.page("around", -positive(radius), radius, checked(player))]

    async def rank(self, player):
        for entry in await self.around(player, 0):
            return entry
        return None

    async def page(self, *arguments):
        return [(who.decode(), float(score), *places) for who, score, *places in await self.ask(*arguments)]

    async def ask(self, *arguments):
        return await self.script(keys=self.keys, args=arguments)


def checked(player):
    if not isinstance(player, str):
        raise TypeError("a player is a str")
    return player


def positive(size):
    if size < 0:
        raise ValueError("sizes are not negative")
    return size
