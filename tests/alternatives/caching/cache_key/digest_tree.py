"""A tree of digests: each value's is made of its parts', so that no text of the whole is ever written.

The parameters are walked one by one, each with its own digest. All versions stand in one Redis hash.

Design: BLAKE2 tree, personalised by type; digests of sets added up; HINCRBY.
Breaks: none
"""

import inspect
import struct
from base64 import urlsafe_b64encode
from functools import partial
from hashlib import blake2b

LIMIT = 1 << 63
FIELD = "\N{SECTION SIGN}versions"  # no key of make_key has such a letter


class Unkeyable(TypeError):
    """There is no rule for digesting this."""


def digest(kind, *parts):
    tree = blake2b(digest_size=24, person=kind.encode())
    for part in parts:
        tree.update(struct.pack(">Q", len(part)) + part)
    return tree.digest()


def unordered(digests):
    """Digests of the parts added up: the members are all different, so nothing cancels out."""
    return (sum(int.from_bytes(part) for part in digests) % (1 << 256)).to_bytes(32) + struct.pack(">Q", len(digests))


def atom(kind, text, value):
    return digest(kind, text(value))


def sequence(kind, value):
    return digest(kind, *(digest_of(part) for part in value))


def members(kind, value):
    return digest(kind, unordered([digest_of(part) for part in value]))


def pairs(value):
    return digest("dict", unordered([digest("pair", digest_of(key), digest_of(part)) for key, part in value.items()]))


RULES = {
    type(None): partial(atom, "none", lambda value: b""),
    bool: partial(atom, "bool", lambda value: b"yes" if value else b"no"),
    int: partial(atom, "int", lambda value: value.to_bytes(value.bit_length() // 8 + 1, signed=True)),
    float: partial(atom, "float", partial(struct.pack, ">d")),
    str: partial(atom, "str", lambda value: value.encode("utf-16-le", "surrogatepass")),
    bytes: partial(atom, "bytes", bytes),
    tuple: partial(sequence, "tuple"),
    list: partial(sequence, "list"),
    set: partial(members, "set"),
    frozenset: partial(members, "frozenset"),
    dict: pairs,
}


def digest_of(value):
    if rule := RULES.get(type(value)):
        return rule(value)
    if isinstance(value, type):
        return sequence("class", [value.__module__, value.__qualname__])
    if method := getattr(type(value), "__cache_key__", None):
        return sequence("object", [type(value), method(value)])
    raise Unkeyable(f"cannot digest a {type(value).__qualname__}")


def make_key(fn, args, kwargs, *, namespace, version):
    check(namespace)
    if not 0 <= version < LIMIT:
        raise ValueError("version")
    if (me := getattr(fn, "__self__", None)) is not None:
        fn, args = fn.__func__, [me, *args]
    given = inspect.signature(fn).bind(*args, **kwargs).arguments
    walked = []
    for name, parameter in inspect.signature(fn).parameters.items():
        empty = {parameter.VAR_POSITIONAL: (), parameter.VAR_KEYWORD: {}}.get(parameter.kind, parameter.default)
        walked.append(digest_of(given.get(name, empty)))
    root = digest("call", digest_of((namespace, version, fn.__module__, fn.__qualname__)), *walked)
    return f"{namespace}:{urlsafe_b64encode(root[:15]).decode()}"  # 120 bits, the fewest that are allowed


def check(namespace):
    if not (1 <= len(namespace) <= 64) or any(ord(letter) not in range(0x21, 0x7F) for letter in namespace):
        raise ValueError("namespace")


async def current_version(redis, namespace):
    check(namespace)
    found = await redis.hget(FIELD, namespace)
    return 0 if found is None else int(found)


async def bump_version(redis, namespace):
    check(namespace)
    return await redis.hincrby(FIELD, namespace, 1)
