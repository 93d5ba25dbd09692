"""A sorted set whose scores are all 0: each member is one text that sorts as the board does.

Design: composite encoding, 16 hex digits of the double, 14 of the turn, the player; BYLEX. Lua.

Breaks: none
"""

import math
import struct
from collections import namedtuple

Entry = namedtuple("Entry", "player score position rank dense_rank")

SUBMIT = """
local old = redis.call('HGET', KEYS[2], ARGV[2])
if old and string.sub(old, 1, 16) <= ARGV[1] then return 0 end
if old then
  redis.call('ZREM', KEYS[1], old)
  if redis.call('HINCRBY', KEYS[3], string.sub(old, 1, 16), -1) == 0 then
    redis.call('HDEL', KEYS[3], string.sub(old, 1, 16))
    redis.call('ZREM', KEYS[4], string.sub(old, 1, 16))
  end
end
local new = ARGV[1] .. string.format('%014.0f', redis.call('INCR', KEYS[5])) .. ARGV[2]
redis.call('ZADD', KEYS[1], 0, new)
redis.call('HSET', KEYS[2], ARGV[2], new)
redis.call('HINCRBY', KEYS[3], ARGV[1], 1)
redis.call('ZADD', KEYS[4], 0, ARGV[1])
return 1
"""

PAGE = """
local from, to = tonumber(ARGV[1]), tonumber(ARGV[2])
if #ARGV == 3 then
  local member = redis.call('HGET', KEYS[2], ARGV[3])
  if not member then return {} end
  local at = redis.call('ZRANK', KEYS[1], member)
  from, to = at + from, at + to + 1
  if from < 0 then from = 0 end
end
if from == to then return {} end
local answer = {from}
for _, member in ipairs(redis.call('ZRANGE', KEYS[1], from, to - 1)) do
  local level = string.sub(member, 1, 16)
  table.insert(answer, member)
  table.insert(answer, redis.call('ZLEXCOUNT', KEYS[1], '-', '(' .. level))
  table.insert(answer, redis.call('ZLEXCOUNT', KEYS[4], '-', '(' .. level))
end
return answer
"""

ALL = 2**64 - 1


def text(score):
    """Doubles of one sign sort as their bits do; the best score gives the smallest text."""
    [bits] = struct.unpack(">Q", struct.pack(">d", score + 0.0))
    return f"{bits if bits >> 63 else ALL ^ bits ^ 1 << 63:016x}"


def number(text):
    bits = int(text, 16)
    return struct.unpack(">d", struct.pack(">Q", bits if bits >> 63 else ALL ^ bits ^ 1 << 63))[0]


class Leaderboard:
    def __init__(self, client, name):
        self.client = client
        self.keys = [f"leaderboard:{part}:{name}" for part in ("lines", "line of", "holders", "levels", "turn")]

    async def submit(self, player, score):
        if not isinstance(player, str) or not isinstance(score, (int, float)):
            raise TypeError("submit takes a str and a number")
        if math.isnan(score) or math.isinf(score):
            raise ValueError("a score is finite")
        return await self.client.eval(SUBMIT, 5, *self.keys, text(float(score)), player) == 1

    async def top(self, count, *, offset=0):
        if count < 0 or offset < 0:
            raise ValueError("count and offset are at least 0")
        return await self.page(offset, offset + count)

    async def rank(self, player):
        return next(iter(await self.around(player, 0)), None)

    async def around(self, player, radius):
        if not isinstance(player, str):
            raise TypeError("a player is a str")
        if radius < 0:
            raise ValueError("radius is at least 0")
        return await self.page(-radius, radius, player)

    async def page(self, *arguments):
        answer = await self.client.eval(PAGE, 5, *self.keys, *arguments)
        lines = zip(answer[1::3], answer[2::3], answer[3::3], strict=True)
        return [
            Entry(line[30:].decode(), number(line[:16]), answer[0] + place, better + 1, levels + 1)
            for place, (line, better, levels) in enumerate(lines, 1)
        ]
