"""WATCH, decide in Python, MULTI … EXEC: a plain sorted set of players, and a hash of when each best was reached.

Design: optimistic locking without Lua; ties are put into order by the reader, who reads all lines of the first and the
    last score of the page.

Breaks: none
"""

import math
from collections import Counter
from dataclasses import dataclass

import redis


@dataclass
class Entry:
    player: str
    score: float
    position: int
    rank: int
    dense_rank: int


class Leaderboard:
    def __init__(self, client, name):
        self.client = client
        self.bests = f"leaderboard:bests/{name}"
        self.turns = f"leaderboard:turns/{name}"
        self.levels = f"leaderboard:levels/{name}"

    async def submit(self, player, score):
        if not isinstance(player, str) or not isinstance(score, int | float):
            raise TypeError("a player is a str, a score a number")
        if not math.isfinite(score):
            raise ValueError("a score is finite")
        score = float(score) or 0.0

        async def change(pipe):
            best = await pipe.zscore(self.bests, player)
            if best is not None and best >= score:
                return False, []
            turn = int(await pipe.hget(self.turns, "next") or 0)
            steps = [
                ("zadd", self.bests, {player: score}),
                ("hset", self.turns, "of " + player, turn),
                ("hset", self.turns, "next", turn + 1),
                ("zadd", self.levels, {repr(score): score}),
            ]
            if best is not None and await pipe.zcount(self.bests, best, best) == 1:
                steps.append(("zremrangebyscore", self.levels, best, best))
            return True, steps

        return await self.transaction(change)

    async def top(self, count, *, offset=0):
        if count < 0 or offset < 0:
            raise ValueError("no negative sizes")
        return await self.transaction(lambda pipe: self.page(pipe, offset, offset + count))

    async def rank(self, player):
        page = await self.around(player, 0)
        return page[0] if page else None

    async def around(self, player, radius):
        if not isinstance(player, str):
            raise TypeError("a player is a str")
        if radius < 0:
            raise ValueError("no negative sizes")

        async def read(pipe):
            score = await pipe.zscore(self.bests, player)
            if score is None:
                return [], []
            better = await pipe.zcount(self.bests, f"({score!r}", "+inf")
            tied = await pipe.zrangebyscore(self.bests, score, score)
            order = [who for _, who in await self.in_turn(pipe, tied)]
            agree(player.encode() in order)
            place = better + order.index(player.encode())
            return await self.page(pipe, max(0, place - radius), place + radius + 1)

        return await self.transaction(read)

    async def page(self, pipe, start, stop):
        if start >= stop:
            return [], []
        found = await pipe.zrange(self.bests, start, stop - 1, desc=True, withscores=True)
        if not found:
            return [], []
        high, low = found[0][1], found[-1][1]
        lines = await pipe.zrangebyscore(self.bests, low, high, withscores=True)
        scores = dict(lines)
        above = await pipe.zcount(self.bests, f"({high!r}", "+inf")
        dense = await pipe.zcount(self.levels, f"({high!r}", "+inf")
        order = sorted(await self.in_turn(pipe, list(scores)), key=lambda line: (-scores[line[1]], line[0]))
        held, entries, rank = Counter(scores.values()), [], {}
        agree(high in held)
        for level in sorted(held, reverse=True):
            dense += 1
            rank[level] = above + 1, dense
            above += held[level]
        first = rank[high][0]
        for position, (_, who) in enumerate(order, first):
            if start < position <= stop:
                entries.append(Entry(who.decode(), scores[who], position, *rank[scores[who]]))
        return entries, []

    async def in_turn(self, pipe, players):
        agree(players)
        turns = await pipe.hmget(self.turns, [b"of " + player for player in players])
        agree(None not in turns)
        return sorted(zip(map(int, turns), players, strict=True))

    async def transaction(self, work):
        async with self.client.pipeline() as pipe:
            while True:
                try:
                    await pipe.watch(self.bests, self.turns, self.levels)
                    answer, steps = await work(pipe)
                    pipe.multi()
                    for method, *arguments in steps or [("exists", self.bests)]:
                        getattr(pipe, method)(*arguments)
                    await pipe.execute()
                    return answer
                except redis.WatchError as conflict:
                    if isinstance(conflict.__context__, redis.ConnectionError | redis.TimeoutError):
                        raise conflict.__context__ from None


def agree(consistent):
    """Two reads of one board agree, or else somebody has changed it between them, and EXEC would say so too."""
    if not consistent:
        raise redis.WatchError("changed between two reads")
