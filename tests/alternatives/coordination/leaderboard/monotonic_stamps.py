"""Stamps instead of turns: Redis' clock in microseconds, but always later than the last stamp that was given.

Design: the members' order is the stamps' order; one sorted set and one hash, in Lua; ranks are counted in a walk from
    the best line to the last one of the page.

Breaks: none
"""

import math
from typing import NamedTuple

# Scores are stored with their signs changed, so that the board reads from the lowest up.
SUBMIT = """
local held = redis.call('HGET', KEYS[2], 'p' .. ARGV[1])
if held then
  local best = redis.call('ZSCORE', KEYS[1], held)
  if tonumber(best) <= tonumber(ARGV[2]) then return 0 end
  redis.call('ZREM', KEYS[1], held)
end
local clock = redis.call('TIME')
local stamp = clock[1] * 1000000 + clock[2]
local last = tonumber(redis.call('HGET', KEYS[2], 'last') or 0)
if stamp <= last then stamp = last + 1 end
local member = string.format('%.0f', stamp) .. ':' .. ARGV[1]
redis.call('HSET', KEYS[2], 'last', string.format('%.0f', stamp), 'p' .. ARGV[1], member)
redis.call('ZADD', KEYS[1], ARGV[2], member)
return 1
"""

PAGE = """
local first, stop = tonumber(ARGV[1]), tonumber(ARGV[2])
if ARGV[3] then
  local held = redis.call('HGET', KEYS[2], 'p' .. ARGV[3])
  if not held then return {} end
  local at = redis.call('ZRANK', KEYS[1], held)
  first, stop = math.max(0, at + first), at + stop + 1
end
local page, rank, dense, last = {}, 0, 0, nil
if first == stop then return page end
local all = redis.call('ZRANGE', KEYS[1], 0, stop - 1, 'WITHSCORES')
for place = 1, #all / 2 do
  local member, score = all[2 * place - 1], all[2 * place]
  if score ~= last then
    rank, dense, last = place, dense + 1, score
  end
  if place > first then
    table.insert(page, {member, score, place, rank, dense})
  end
end
return page
"""


class Entry(NamedTuple):
    player: str
    score: float
    position: int
    rank: int
    dense_rank: int


class Leaderboard:
    def __init__(self, client, name):
        self.eval = client.eval
        self.keys = ["leaderboard:board=" + name, "leaderboard:notes=" + name]

    async def submit(self, player, score):
        self.check(player)
        if not isinstance(score, (float, int)):
            raise TypeError(score)
        if not math.isfinite(score):
            raise ValueError(score)
        return bool(await self.eval(SUBMIT, 2, *self.keys, player, 0.0 - score))

    async def top(self, count, *, offset=0):
        self.check("", count, offset)
        return await self.page(offset, offset + count)

    async def rank(self, player):
        self.check(player)
        page = await self.page(0, 0, player)
        return page[0] if page else None

    async def around(self, player, radius):
        self.check(player, radius)
        return await self.page(-radius, radius, player)

    async def page(self, *arguments):
        lines = await self.eval(PAGE, 2, *self.keys, *arguments)
        return [
            Entry(member.decode().partition(":")[2], 0.0 - float(score), *places) for member, score, *places in lines
        ]

    @staticmethod
    def check(player, *sizes):
        if not isinstance(player, str):
            raise TypeError(player)
        if min(sizes, default=0) < 0:
            raise ValueError(sizes)
