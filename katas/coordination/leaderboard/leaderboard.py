"""A leaderboard in Redis, shared by all servers: best scores, highest first, ties to whoever was there first.

Sources: Redis documentation, "Sorted sets" and the commands `ZADD`, `ZRANGE` and `ZCOUNT`; the window functions
`row_number`, `rank` and `dense_rank` of SQL:2003.
"""

from __future__ import annotations

from dataclasses import dataclass

from redis.asyncio import Redis


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
        raise NotImplementedError("Leaderboard.__init__ is yours to write; its rules stand in README.md")

    async def submit(self, player: str, score: float) -> bool:
        """Note a result of `player`; only the best one counts.

        Returns:
            Whether it is the player's new best: the first one, or higher than all before. Otherwise nothing changes.

        Raises:
            TypeError: `player` is no str, or `score` neither an int nor a float.
            ValueError: `score` is infinite or nan.
        """
        raise NotImplementedError("Leaderboard.submit is yours to write; its rules stand in README.md")

    async def top(self, count: int, *, offset: int = 0) -> list[Entry]:
        """The `count` best entries after the first `offset` ones, in order; fewer where the board ends.

        Raises:
            ValueError: `count` or `offset` is negative.
        """
        raise NotImplementedError("Leaderboard.top is yours to write; its rules stand in README.md")

    async def rank(self, player: str) -> Entry | None:
        """The player's entry, or None if there is none.

        Raises:
            TypeError: `player` is no str.
        """
        raise NotImplementedError("Leaderboard.rank is yours to write; its rules stand in README.md")

    async def around(self, player: str, radius: int) -> list[Entry]:
        """The player's entry with up to `radius` entries before and behind it, in order; [] without the player.

        Raises:
            TypeError: `player` is no str.
            ValueError: `radius` is negative.
        """
        raise NotImplementedError("Leaderboard.around is yours to write; its rules stand in README.md")
