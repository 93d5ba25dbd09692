"""Random scripts over a few keys of all types, so that commands meet keys of the wrong type, expired ones and none.

What is known to differ (`deviations.toml`) is left out: everything after it would differ as well.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from .conduct import PAIRS, UNORDERED

_KEYS = ("k1", "k2", "k3", "k4")
_FIELDS = ("f", "g", "h")
_TEXTS = ("v", "w", "10", "-3", "", "abc")
_NUMBERS = ("0", "1", "-1", "2", "5")
_SCORES = ("0", "1", "1.5", "-2", "3", "(1", "(2")
_TTLS = ("1", "2", "5", "0", "-1", "100")
_MS = ("1", "250", "996", "1500", "0")

Make = Callable[[random.Random], str]


def _form(text: str) -> Make:
    """A command with holes: K a key, F a field or member, T a text, N an integer, S a score, B a bound, E seconds,
    M milliseconds."""
    holes = {"K": _KEYS, "F": _FIELDS, "T": _TEXTS, "N": _NUMBERS, "S": _SCORES[:5], "B": _SCORES, "E": _TTLS, "M": _MS}

    def make(chance: random.Random) -> str:
        words = [repr(chance.choice(holes[word])) if word in holes else word for word in text.split()]
        return " ".join(words)

    return make


FORMS: tuple[Make, ...] = tuple(
    _form(text)
    for text in (
        # strings and numbers
        *("SET K T", "SET K T NX", "SET K T XX GET", "SET K T PX M", "SET K T EX E", "SET K T KEEPTTL", "GET K"),
        *(
            "GETDEL K",
            "GETEX K PX 250",
            "GETEX K PERSIST",
            "SETNX K T",
            "APPEND K T",
            "STRLEN K",
            "INCR K",
            "DECRBY K N",
        ),
        *("GETRANGE K N N", "MSET K T K T", "MGET K K", "MSETNX K T K T", "GETSET K T", "SETEX K E T", "PSETEX K M T"),
        # keys and their time
        *("DEL K", "EXISTS K K", "TYPE K", "RENAME K K", "RENAMENX K K", "COPY K K", "COPY K K REPLACE", "KEYS *"),
        *("EXPIRE K E", "PEXPIRE K M", "EXPIRE K E NX", "EXPIRE K E XX", "EXPIRE K E GT", "EXPIRE K E LT", "PERSIST K"),
        *("TTL K", "PTTL K"),
        # hashes
        *("HSET K F T", "HSET K F T F T", "HGET K F", "HGETALL K", "HDEL K F F", "HINCRBY K F N", "HSETNX K F T"),
        *("HLEN K", "HMGET K F F", "HEXISTS K F"),
        # lists
        *("RPUSH K F F", "LPUSH K F", "LPOP K", "RPOP K 2", "LRANGE K 0 -1", "LRANGE K N N", "LLEN K", "LREM K N F"),
        *("LMOVE K K LEFT RIGHT", "LMOVE K K RIGHT LEFT", "LTRIM K N N", "LINDEX K N", "LSET K N F", "LPOS K F"),
        *("LINSERT K BEFORE F F", "LPUSHX K F"),
        # sets
        *("SADD K F F", "SREM K F", "SMEMBERS K", "SISMEMBER K F", "SCARD K", "SINTER K K", "SUNION K K", "SDIFF K K"),
        *("SMOVE K K F", "SINTERSTORE K K K"),
        # sorted sets
        *("ZADD K S F", "ZADD K S F S F", "ZADD K NX S F", "ZADD K GT CH S F", "ZADD K LT S F", "ZADD K XX INCR S F"),
        *("ZRANGE K 0 -1 WITHSCORES", "ZRANGE K 0 -1 REV", "ZRANGE K B B BYSCORE", "ZRANGEBYSCORE K B B LIMIT N N"),
        *("ZREM K F", "ZPOPMIN K", "ZPOPMAX K 2", "ZSCORE K F", "ZRANK K F", "ZREVRANK K F", "ZCARD K", "ZCOUNT K B B"),
        *("ZINCRBY K S F", "ZREMRANGEBYSCORE K B B", "ZREMRANGEBYRANK K N N", "ZUNIONSTORE K 2 K K"),
        # scripts
        *(
            "EVAL \"return redis.call('GET',KEYS[1])\" 1 K",
            "EVAL \"return redis.call('INCRBY',KEYS[1],ARGV[1])\" 1 K N",
        ),
        "EVAL \"if redis.call('GET',KEYS[1])==ARGV[1] then return redis.call('DEL',KEYS[1]) end return 0\" 1 K T",
        "EVAL \"redis.call('SET',KEYS[1],ARGV[1],'PX',ARGV[2]) return redis.call('PTTL',KEYS[1])\" 1 K T 1500",
    )
)
# In whole milliseconds, which are all that a server knows, and hardly ever to the very instant at which a key expires:
# there, the last bit of a float decides.
_PAUSES = ("0.007", "0.253", "0.983", "1.013", "3.011")
_TOUCHING = ("GETEX", "ZUNIONSTORE")
"""They break a WATCH on the fake even if they change nothing."""


def random_script(seed: int, steps: int) -> str:
    """The same seed makes the same script. Some commands stand in transactions, some of those are watched."""
    chance = random.Random(f"fidelity/{seed}")
    lines: list[str] = []
    while len(lines) < steps:
        dice = chance.random()
        if dice < 0.06:
            lines.append(f"@ {chance.choice(_PAUSES)}")
        elif dice < 0.10:
            if chance.random() < 0.5:
                other = chance.choice(FORMS)(chance)
                if other.split()[0] not in _TOUCHING:
                    lines += [f"WATCH {chance.choice(_KEYS)}", f"2> {other}"]
            queued = [chance.choice(FORMS)(chance) for _ in range(chance.randint(1, 3))]
            # The replies come in one list, where nobody can tell which are in no order.
            queued = [command for command in queued if command.split()[0] not in UNORDERED | PAIRS]
            lines += ["MULTI", *queued, "EXEC"]
        else:
            lines.append(chance.choice(FORMS)(chance))
    return "\n".join(lines)
