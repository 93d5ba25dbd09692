"""What a packed Redis command says, and which keys it touches."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from dojo.lab.trace import Access, Touches

_READS = frozenset(
    b"GET MGET EXISTS TTL PTTL EXPIRETIME PEXPIRETIME STRLEN TYPE GETRANGE HGET HGETALL HMGET HEXISTS HLEN HKEYS HVALS "
    b"ZCARD ZSCORE ZMSCORE ZRANGE ZREVRANGE ZRANGEBYSCORE ZCOUNT ZRANK ZREVRANK LLEN LRANGE LINDEX SISMEMBER "
    b"SMEMBERS SCARD XLEN XRANGE XREVRANGE XPENDING BITCOUNT GETBIT WATCH".split()
)
_NO_KEYS = frozenset(b"MULTI EXEC DISCARD UNWATCH PING ECHO TIME SCRIPT".split())
_ALL_ARGUMENTS_ARE_KEYS = frozenset(b"DEL UNLINK MGET EXISTS WATCH TOUCH PFCOUNT SINTER SUNION SDIFF".split())
_FIRST_ARGUMENT_IS_KEY = _READS | frozenset(
    b"SET SETNX SETEX PSETEX GETSET GETDEL GETEX APPEND INCR INCRBY INCRBYFLOAT DECR DECRBY EXPIRE PEXPIRE EXPIREAT "
    b"PEXPIREAT PERSIST HSET HSETNX HMSET HDEL HINCRBY HINCRBYFLOAT ZADD ZINCRBY ZREM ZREMRANGEBYSCORE "
    b"ZREMRANGEBYRANK ZPOPMIN ZPOPMAX LPUSH RPUSH LPOP RPOP LREM LSET LTRIM LINSERT SADD SREM SPOP XADD XDEL XTRIM "
    b"XACK SETBIT PFADD".split()
)
_WORD = 28


def unpack(blob: bytes) -> list[list[bytes]]:
    """Split packed RESP arrays into commands, each a list of byte strings."""
    commands: list[list[bytes]] = []
    position = 0
    while position < len(blob):
        end = blob.index(b"\r\n", position)
        count, position = int(blob[position + 1 : end]), end + 2
        words: list[bytes] = []
        for _ in range(count):
            end = blob.index(b"\r\n", position)
            size, position = int(blob[position + 1 : end]), end + 2
            words.append(blob[position : position + size])
            position += size + 2
        commands.append(words)
    return commands


def joined(packed: bytes | str | Iterable[bytes]) -> bytes:
    if isinstance(packed, str):
        return packed.encode()
    return packed if isinstance(packed, bytes) else b"".join(packed)


def footprint(commands: Sequence[Sequence[bytes]]) -> Touches:
    """{key: "r" or "w"}; None when the keys cannot be told, which means that order may always matter."""
    touched: dict[bytes, Access] = {}
    for words in commands:
        name = words[0].upper()
        if name in _NO_KEYS:
            continue
        if name in (b"EVAL", b"EVALSHA", b"FCALL"):
            keys = words[3 : 3 + int(words[2])]
        elif name in _ALL_ARGUMENTS_ARE_KEYS:
            keys = words[1:]
        elif name in _FIRST_ARGUMENT_IS_KEY:
            keys = words[1:2]
        else:
            return None
        for key in keys:
            if name not in _READS and name not in (b"MGET", b"EXISTS", b"WATCH"):
                touched[key] = "w"
            else:
                touched.setdefault(key, "r")
    return touched


def spelled(commands: Sequence[Sequence[bytes]]) -> str:
    """The commands as a person would write them, long arguments and scripts cut."""
    return "; ".join(_spell(words) for words in commands)


def _spell(words: Sequence[bytes]) -> str:
    name = words[0].decode("ascii", "replace").upper()
    rest = [_cut(w) for w in words[1:]]
    if name in ("EVAL", "EVALSHA") and rest:
        rest[0] = _script(words[1]) if name == "EVAL" else "script"
    return " ".join([name, *rest])


def _script(source: bytes) -> str:
    """A Lua script, known by the commands that it calls."""
    calls = re.findall(rb"redis\.p?call\(\s*['\"](\w+)", source)
    return "{" + " ".join(dict.fromkeys(call.decode().upper() for call in calls)) + "}" if calls else "script"


def _cut(word: bytes) -> str:
    try:
        text = word.decode()
        text = text if text.isprintable() else repr(text)[1:-1]
    except UnicodeDecodeError:
        text = repr(word)[2:-1]  # as a reply of such bytes is shown
    return text if len(text) <= _WORD else text[: _WORD - 1] + "…"
