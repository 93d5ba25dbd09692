"""What katas may use of Redis, topic by topic; a script each."""

from __future__ import annotations

SCRIPTS: dict[str, str] = {
    "strings": r"""
        SET k v
        GET k
        SET k w NX
        SET other w XX
        SET k w XX GET
        SET k x NX GET
        SET fresh x NX GET
        GET fresh
        GET missing
        GETDEL k
        GETDEL k
        APPEND k abc
        APPEND k def
        STRLEN k
        GETRANGE k 1 -2
        SETRANGE k 2 XY
        SETRANGE k 10 Z
        GET k
        SETNX k v
        SETNX n v
        MSET a 1 b 2
        MGET a b c
        MSETNX b 3 d 4
        MSETNX e 3 f 4
        MGET b d e f
        SET k
        SET k v EX
        SET k v NX XX
        SET k v EX 0
        SET k v PX -1
        SET k v EX abc
        GETSET a 2
        SET "with space" "\x00\xff\r\n"
        GET "with space"
        SET "" empty
        GET ""
        LCS a b
    """,
    "numbers": """
        INCR n
        INCRBY n 41
        DECR n
        DECRBY n 100
        INCRBYFLOAT n 0.5
        INCR n
        SET n 10
        INCRBYFLOAT n -1.5e1
        INCRBYFLOAT n 1e-3
        SET n 9223372036854775807
        INCR n
        DECRBY n 1
        SET n abc
        INCR n
        INCRBYFLOAT n 1
        SET n " 1"
        INCR n
        SET n 01
        INCR n
        SET n 1.0
        INCR n
        INCRBY fresh 9223372036854775807
        INCRBY fresh 1
        DECRBY fresh -1
        INCRBYFLOAT f 3.0
        GET f
        INCRBYFLOAT f 0.1
        INCRBYFLOAT f nan
        INCRBYFLOAT f inf
    """,
    "expiry": """
        SET k v EX 60
        TTL k
        PTTL k
        @ 59.999
        GET k
        PTTL k
        @ 0.002
        GET k
        TTL k
        SET k v PX 1500
        @ 1.4
        PTTL k
        SET k w KEEPTTL
        PTTL k
        SET k w
        TTL k
        EXPIRE k 10
        EXPIRE k 20 NX
        EXPIRE k 5 GT
        EXPIRE k 20 GT
        EXPIRE k 30 LT
        EXPIRE k 15 LT
        EXPIRE k 99 XX
        TTL k
        PERSIST k
        PERSIST k
        TTL k
        EXPIRE k 50 GT
        EXPIRE k 50 LT
        TTL k
        EXPIRE missing 5
        EXPIRE k 0
        EXISTS k
        SET k v
        EXPIRE k -5
        EXISTS k
        SET k v
        PEXPIRE k 250
        @ 0.249
        EXISTS k
        @ 0.002
        EXISTS k
        SET k v
        GETEX k EX 7
        TTL k
        GETEX k PERSIST
        TTL k
        GETEX missing EX 7
        GETEX missing EX 0
        INCR counter
        EXPIRE counter 10
        INCR counter
        TTL counter
        @ 10.001
        INCR counter
        TTL counter
        RPUSH l a
        EXPIRE l 3
        RPUSH l b
        TTL l
        @ 3.001
        LRANGE l 0 -1
        SETEX s 5 v
        PSETEX p 1500 v
        @ 1.501
        EXISTS s p
        RENAME s t
        TTL t
        COPY t u
        TTL u
        EXPIRETIME t
        EXPIRE t abc
        EXPIRE t 9223372036854775807
        EXPIRE t 5 NX XX
    """,
    "expiry at an instant": """
        @ 0.9
        SET k v
        EXPIREAT k 1700000002
        @ 1.099
        EXISTS k
        @ 0.002
        EXISTS k
        SET k v
        EXPIRE k 0
        EXISTS k
        SET k v
        PEXPIRE k 0
        EXISTS k
        SET k v
        PEXPIREAT k 1700000003500
        PTTL k
        @ 1.5
        EXISTS k
        SET k v EXAT 1700000010
        PTTL k
        SET k v PXAT 1700000010250
        PTTL k
        GETEX k EXAT 1700000020
        PTTL k
        GETEX k PXAT 1700000020250
        PTTL k
        PEXPIRETIME k
        GETEX k EX 7
        PTTL k
        GETEX k PX 1500
        PTTL k
        @ 1.499
        EXISTS k
        @ 0.002
        EXISTS k
        SETEX k 2 v
        @ 1.999
        EXISTS k
        @ 0.002
        EXISTS k
        PSETEX k 250 v
        @ 0.249
        EXISTS k
        @ 0.002
        EXISTS k
        SET half v PX 1500
        @ 1
        TTL half
        SET past v EXAT 1700000001
        EXISTS past
        RPUSH l a
        EXPIREAT l 1
        LLEN l
        SET edge v PX 60000
        @ 60
        EXISTS edge
        PTTL edge
        @ 0.001
        EXISTS edge
    """,
    "keys": """
        MSET a 1 b 2 ab 3 a* 4
        KEYS a*
        KEYS a?
        KEYS a\\*
        KEYS [ab]
        KEYS [^a]
        EXISTS a a b missing
        DEL a missing
        UNLINK b
        TYPE ab
        TYPE missing
        RENAME ab c
        RENAME missing c
        RENAMENX c a*
        RENAMENX c d
        COPY d e
        COPY d e
        COPY d e REPLACE
        DBSIZE
        TOUCH d e missing
        RANDOMKEY extra
        OBJECT ENCODING d
        FLUSHALL
        DBSIZE
        PING
        PING hello
        ECHO hello
        NONSENSE a
        GET
        GET a b
    """,
    "hashes": """
        HSET h f 1 g 2
        HSET h f 3
        HSET h x
        HGET h f
        HGET h missing
        HGET missing f
        HMGET h f missing g
        HGETALL h
        HGETALL missing
        HSETNX h f 9
        HSETNX h n 9
        HINCRBY h n 5
        HINCRBY h s 5
        HINCRBYFLOAT h n 0.5
        HINCRBY h n 1
        HEXISTS h f
        HLEN h
        HKEYS h
        HVALS h
        HSTRLEN h n
        HDEL h f missing
        HDEL h g n s
        EXISTS h
        SET k v
        HGET k f
        HSET k f v
        HMSET m a 1 b 2
        HSCAN m 0
    """,
    "lists": """
        RPUSH l a b c
        LPUSH l z
        LRANGE l 0 -1
        LRANGE l 1 1
        LRANGE l 5 9
        LRANGE l -2 -1
        LLEN l
        LINDEX l -1
        LINDEX l 9
        LSET l 1 A
        LSET l 9 A
        LSET missing 0 A
        LPOP l
        RPOP l
        LPOP l 5
        LPOP l
        LPOP l 0
        EXISTS l
        RPUSH l a b a c a
        LREM l -2 a
        LREM l 0 missing
        LRANGE l 0 -1
        LINSERT l BEFORE c x
        LINSERT l AFTER missing x
        LPOS l c
        LPOS l missing
        LPOS l a COUNT 0
        LTRIM l 1 -2
        LRANGE l 0 -1
        LMOVE l work RIGHT LEFT
        LMOVE l work LEFT RIGHT
        LMOVE l work LEFT RIGHT
        LRANGE work 0 -1
        LMOVE work work LEFT RIGHT
        LRANGE work 0 -1
        RPOPLPUSH work back
        LPUSHX missing a
        RPUSHX work d
        LPUSH k
        SET k v
        LPUSH k a
        LMOVE work k LEFT LEFT
        LRANGE work 0 -1
        LMPOP 2 missing work LEFT COUNT 2
    """,
    "sets": """
        SADD s a b c a
        SADD s a
        SCARD s
        SISMEMBER s a
        SMISMEMBER s a x
        SMEMBERS s
        SREM s a x
        SADD t b d
        SINTER s t
        SUNION s t
        SDIFF s t
        SINTERSTORE r s t
        SMEMBERS r
        SMOVE s t c
        SMOVE s t c
        SMEMBERS t
        SINTERCARD 2 s t
        SINTERCARD 2 s t LIMIT 1
        SPOP r
        EXISTS r
        SPOP missing
        SRANDMEMBER missing
        SET k v
        SADD k a
        SDIFF s k
    """,
    "sorted sets": """
        ZADD z 1 a 2 b 3 c
        ZADD z 5 a
        ZADD z CH 6 a 2 b
        ZADD z NX 1 a 1 d
        ZADD z XX 9 a 9 e
        ZADD z GT 1 a
        ZADD z GT 10 a
        ZADD z LT 5 a
        ZADD z GT CH 5 a 1 new
        ZADD z NX GT 1 a
        ZADD z NX XX 1 a
        ZADD z INCR 2 a
        ZADD z XX INCR 2 missing
        ZADD z nan a
        ZADD z 1
        ZADD z inf top -inf bottom
        ZRANGE z 0 -1 WITHSCORES
        ZRANGE z 0 1 REV
        ZRANGE z 0 1 REV WITHSCORES
        ZREVRANGE z 0 1 WITHSCORES
        ZRANGE z (1 3 BYSCORE
        ZRANGE z -inf +inf BYSCORE LIMIT 1 2
        ZRANGE z +inf -inf BYSCORE REV LIMIT 0 2
        ZRANGE z 0 1 LIMIT 0 1
        ZRANGEBYSCORE z (1 (10
        ZREVRANGEBYSCORE z 10 1 WITHSCORES LIMIT 0 2
        ZCOUNT z (1 3
        ZCOUNT z (1 +inf
        ZCOUNT z 1 1
        ZCARD z
        ZSCORE z a
        ZSCORE z missing
        ZMSCORE z a missing
        ZRANK z a
        ZREVRANK z a
        ZRANK z missing
        ZREVRANK z a WITHSCORE
        ZINCRBY z 1.5 a
        ZINCRBY z 1 fresh
        ZINCRBY z abc fresh
        ZREM z fresh missing
        ZPOPMIN z
        ZPOPMAX z 2
        ZPOPMIN missing
        ZREMRANGEBYSCORE z -inf (2
        ZREMRANGEBYRANK z 0 0
        ZRANGE z 0 -1 WITHSCORES
        DEL z
        ZADD z 0 b 0 a 0 c 0 B
        ZRANGE z 0 -1
        ZRANGE z [a (c BYLEX
        ZRANGEBYLEX z - +
        ZLEXCOUNT z - +
        ZREMRANGEBYLEX z [a [b
        ZRANGE z 0 -1 REV
        ZADD y 1 c 2 d
        ZUNIONSTORE u 2 z y WEIGHTS 2 3
        ZRANGE u 0 -1 WITHSCORES
        ZINTERSTORE i 2 z y AGGREGATE MAX
        ZRANGE i 0 -1 WITHSCORES
        ZRANGESTORE s u 0 0
        ZRANGE s 0 -1
        ZADD f 0.1 a 1e20 b 17179869184.5 c 3.0 d -0.0 e
        ZRANGE f 0 -1 WITHSCORES
        ZADD f 1.7976931348623157e308 a 123456789012345678 b 0.30000000000000004 c
        ZRANGE f 0 -1 WITHSCORES
        SET k v
        ZADD k 1 a
        ZRANGE missing 0 -1
        ZMPOP 1 u MIN COUNT 1
    """,
    "transactions": """
        MULTI
        SET k v
        INCR n
        GET k
        EXEC
        MULTI
        SET k w
        DISCARD
        GET k
        EXEC
        DISCARD
        WATCH k
        2> SET k other
        MULTI
        SET k mine
        EXEC
        GET k
        WATCH k
        2> GET k
        MULTI
        SET k mine
        EXEC
        WATCH k
        UNWATCH
        2> SET k other
        MULTI
        SET k again
        EXEC
        WATCH missing
        2> SET missing now
        MULTI
        GET missing
        EXEC
        WATCH gone
        SET gone v PX 100
        WATCH gone
        @ 0.2
        MULTI
        SET done 1
        EXEC
        MULTI
        NONSENSE
        SET k never
        EXEC
        GET k
        MULTI
        LPUSH k a
        SET after yes
        EXEC
        GET after
        MULTI
        MULTI
        WATCH k
        EXEC
        WATCH k
        2> SET k same
        2> SET k again
        MULTI
        EXEC
        WATCH k
        2> DEL k
        2> SET k again
        MULTI
        SET k mine
        EXEC
        WATCH k
        2> EXPIRE k 100
        MULTI
        SET k touched
        EXEC
        GET k
        SET j v
        WATCH j
        2> GETEX j PERSIST
        MULTI
        GET j
        EXEC
    """,
    "scripts": r"""
        EVAL "return 1" 0
        EVAL "return 3.99" 0
        EVAL "return -3.99" 0
        EVAL "return '3.99'" 0
        EVAL "return true" 0
        EVAL "return false" 0
        EVAL "return nil" 0
        EVAL "return {1, 2, 'three', {4}}" 0
        EVAL "return {1, nil, 3}" 0
        EVAL "return {}" 0
        EVAL "return {ok='FINE'}" 0
        EVAL "return {err='MINE it failed'}" 0
        EVAL "return redis.error_reply('MINE it failed')" 0
        EVAL "return redis.status_reply('FINE')" 0
        EVAL "return {KEYS[1], KEYS[2], ARGV[1], ARGV[2]}" 2 a b c d
        EVAL "return #ARGV" 0 1 2 3
        EVAL "return type(ARGV[1])" 0 1
        EVAL "return ARGV[1] + 1" 0 1
        EVAL "return tostring(ARGV[1] / 3)" 0 1
        EVAL "return tostring(tonumber(ARGV[1]))" 0 1e15
        EVAL "return tostring(1e17)" 0
        EVAL "return string.format('%.17g', 0.1)" 0
        EVAL "return math.floor(-1.5)" 0
        EVAL "return redis.call('SET', KEYS[1], ARGV[1])" 1 k v
        EVAL "return redis.call('GET', KEYS[1])" 1 k
        EVAL "return redis.call('GET', KEYS[1])" 1 missing
        EVAL "return redis.call('GET', KEYS[1]) == false" 1 missing
        EVAL "return type(redis.call('GET', KEYS[1]))" 1 missing
        EVAL "return redis.call('INCR', KEYS[1])" 1 n
        EVAL "return redis.call('INCR', KEYS[1])" 1 k
        EVAL "return type(redis.pcall('INCR', KEYS[1])['err'])" 1 k
        EVAL "redis.call('SET', KEYS[1], 'x') redis.call('INCR', KEYS[1]) return 1" 1 half
        GET half
        EVAL "return redis.call('SET', KEYS[1], 'x', 'NX')" 1 half
        EVAL "return redis.call('SET', KEYS[1], 'x', 'NX', 'PX', '1500')" 1 locked
        EVAL "return redis.call('PTTL', KEYS[1])" 1 locked
        EVAL "redis.call('HSET', KEYS[1], 'a', 1, 'b', 2) return redis.call('HMGET', KEYS[1], 'a', 'missing', 'b')" 1 h
        EVAL "return redis.call('HGETALL', KEYS[1])" 1 missing
        EVAL "redis.call('ZADD', KEYS[1], 1.5, 'a') return redis.call('ZSCORE', KEYS[1], 'a')" 1 z
        EVAL "return redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES')" 1 z
        EVAL "return redis.call('TIME')" 0
        EVAL "local t = redis.call('TIME') return type(t[1])" 0
        EVAL "return cjson.encode({a=1, b={1, 2}})" 0
        EVAL "return cjson.decode(ARGV[1])['a'][2]" 0 "{\"a\": [1, \"two\"]}"
        EVAL "return cjson.decode(ARGV[1])['a'] == cjson.null" 0 "{\"a\": null}"
        EVAL "x = 1" 0
        EVAL "return undefined_name" 0
        EVAL "error('boom')" 0
        EVAL "return 1 +" 0
        EVAL "return redis.call('NONSENSE')" 0
        EVAL "return redis.call('GET')" 0
        EVAL "return 1" 2 a
        EVAL "return 1" -1
        EVAL "return 1" x
        EVAL "return {#redis.call('KEYS', '*')}" 0
        EVAL "return string.len(ARGV[1])" 0 "\x00\xff"
        EVAL "return ARGV[1]" 0 "\x00\xff"
        EVAL "return unpack({1, 2})" 0
        EVAL "return redis.sha1hex('')" 0
        SCRIPT LOAD "return KEYS[1]"
        EVALSHA 4a2267357833227dd98abdedb8cf24b15a986445 1 key
        EVALSHA 0000000000000000000000000000000000000000 0
        SCRIPT EXISTS 4a2267357833227dd98abdedb8cf24b15a986445 0000000000000000000000000000000000000000
        SCRIPT FLUSH
        EVALSHA 4a2267357833227dd98abdedb8cf24b15a986445 1 key
        EVAL "redis.call('SET', 'undeclared', 1) return redis.call('GET', 'undeclared')" 0
        EVAL "redis.replicate_commands() return 1" 0
        EVAL "return cjson.encode({})" 0
        EVAL "return bit.band(5, 4)" 0
        EVAL "return os.time()" 0
        EVAL "return os == nil" 0
        EVAL "return print == nil" 0
        EVAL "return io.open('/etc/passwd')" 0
        EVAL "return python.builtins" 0
        EVAL "return redis.undefined == nil" 0
        EVAL "return rawget(_G, 'y') == nil" 0
        EVAL "local r = redis.pcall('INCR', KEYS[1]) return r.err" 1 k
        EVAL "return redis.call('SET', 'stamp', 1700000000.123456)" 0
        EVAL "return redis.call('GET', 'stamp')" 0
        EVAL "return redis.call('TYPE', 'stamp')['ok']" 0
        EVAL "return tostring(redis.call('GET', 'n') + 0.5)" 0
        EVAL "for i = 1, 1000 do redis.call('RPUSH', KEYS[1], i) end return redis.call('LLEN', KEYS[1])" 1 many
        MULTI
        EVAL "return redis.call('INCR', 'n')" 0
        EXEC
    """,
    "publish and subscribe": """
        PUBLISH news early
        2> SUBSCRIBE news sport
        2<
        PUBLISH news one
        PUBLISH sport two
        PUBLISH other three
        2<
        3> PSUBSCRIBE n*
        PUBLISH news four
        2<
        3<
        PUBSUB CHANNELS
        PUBSUB NUMSUB news other
        PUBSUB NUMPAT
        2> UNSUBSCRIBE sport
        PUBLISH sport five
        2<
        2> GET k
        2> PING
        2> SUBSCRIBE news
        PUBLISH news ""
        2<
        2> UNSUBSCRIBE
        2> GET k
        PUBLISH news six
        3<
        3> PUNSUBSCRIBE n*
        PUBLISH news seven
        3<
        MULTI
        PUBLISH news eight
        EXEC
        EVAL "return redis.call('PUBLISH', 'news', 'nine')" 0
    """,
    "streams": """
        XADD s 1-1 f v
        XADD s 1-1 f v
        XADD s 1-* f v
        XADD s 2-0 a 1 b 2
        XLEN s
        XRANGE s - +
        XRANGE s (1-1 +
        XREVRANGE s + - COUNT 1
        XREAD COUNT 1 STREAMS s 0
        XREAD STREAMS s 9-9
        XGROUP CREATE s g 0
        XGROUP CREATE s g 0
        XGROUP CREATE missing g $
        XGROUP CREATE made g $ MKSTREAM
        XREADGROUP GROUP g ann COUNT 1 STREAMS s >
        XREADGROUP GROUP g bob STREAMS s >
        XREADGROUP GROUP g bob STREAMS s >
        XREADGROUP GROUP g ann STREAMS s 0
        XREADGROUP GROUP nobody ann STREAMS s >
        XPENDING s g
        XPENDING s g - + 10
        XPENDING s g - + 10 ann
        XACK s g 1-1
        XACK s g 1-1
        @ 5
        XPENDING s g - + 10
        XPENDING s g IDLE 4000 - + 10
        XPENDING s g IDLE 6000 - + 10
        XCLAIM s g carl 4000 1-2
        XAUTOCLAIM s g carl 1000 0
        XAUTOCLAIM s g carl 1000 0 COUNT 1
        XPENDING s g - + 10
        XDEL s 2-0
        XAUTOCLAIM s g dora 0 0
        XINFO GROUPS s
        XTRIM s MAXLEN 1
        XADD s MAXLEN 1 9-9 f v
        XLEN s
        XGROUP DESTROY s g
        TYPE s
    """,
    "blocking commands that need not wait": """
        RPUSH l a b
        BLPOP l 1
        BRPOP missing l 1
        RPUSH l c
        BLMOVE l work LEFT RIGHT 1
        LRANGE work 0 -1
        ZADD z 1 a 2 b
        BZPOPMIN z 1
        BZPOPMAX z 1
        BLPOP l -1
        BLPOP l abc
        SET k v
        BLPOP k 1
        XADD s 1-1 f v
        XREAD BLOCK 1000 STREAMS s 0
        MULTI
        BLPOP l 1
        EXEC
    """,
    "wrong types": """
        SET string v
        RPUSH list a
        SADD set a
        ZADD zset 1 a
        HSET hash f v
        GET list
        INCR hash
        LPUSH set a
        LRANGE string 0 -1
        SADD zset a
        SMEMBERS list
        ZADD hash 1 a
        ZRANGE set 0 -1
        HSET list f v
        HGETALL string
        XADD string * f v
        SET list now-a-string
        GET list
        MGET string set
        SETRANGE zset 1 a
        GETEX hash EX 1
        APPEND set a
    """,
    "bits": """
        SETBIT b 7 1
        SETBIT b 7 0
        SETBIT b 7 1
        GETBIT b 7
        GETBIT b 100
        BITCOUNT b
        BITCOUNT b 0 0
        GET b
        BITPOS b 1
        SETBIT b -1 1
        SETBIT b 0 2
        BITFIELD b GET u8 0 INCRBY u8 8 300
        PFADD h a b c a
        PFCOUNT h
    """,
}
