"""Every value becomes JSON with type tags, and UUID 5 digests that. A Lua script adds one to the version.

Design: tagged JSON, structural pattern matching; UUID 5 over SHA-1; GET and SET in a script.
Breaks: none
"""

import inspect
import json
import uuid

BUMP = """
local version = tonumber(redis.call('GET', KEYS[1]) or '0') + 1
redis.call('SET', KEYS[1], string.format('%.0f', version))
return version
"""
PRINTABLE = {chr(code) for code in range(33, 127)}
SPACE = uuid.UUID("6b1f1b0c-6a0e-5d5e-9f43-0c4a3f0f6f5d")


class Unkeyable(TypeError):
    """An argument without a tag."""


def make_key(fn, args, kwargs, *, namespace, version):
    space = checked(namespace)
    if version not in range(2**63):
        raise ValueError(f"version {version} is out of range")
    plain = getattr(fn, "__func__", fn)
    bound = inspect.signature(plain).bind(*([] if plain is fn else [fn.__self__]), *args, **kwargs)
    bound.apply_defaults()
    call = [space, version, fn.__module__, fn.__qualname__, tagged(bound.args), tagged(bound.kwargs)]
    return f"{space}:{uuid.uuid5(SPACE, json.dumps(call))}"


async def current_version(redis, namespace):
    return int(await redis.get("versions/" + checked(namespace)) or b"0")


async def bump_version(redis, namespace):
    return await redis.eval(BUMP, 1, "versions/" + checked(namespace))


def checked(namespace):
    if not 0 < len(namespace) < 65 or not PRINTABLE.issuperset(namespace):
        raise ValueError(f"namespace {namespace!r} is out of range")
    return namespace


def tagged(value):
    match [type(value), value]:
        case [kind, None | True | False] if kind is not int and kind is not float:
            return value
        case [kind, _] if kind is str:
            return value
        case [kind, _] if kind is int:
            return {"int": str(value)}
        case [kind, _] if kind is float:
            return {"float": value.hex()}
        case [kind, _] if kind is bytes:
            return {"bytes": value.hex()}
        case [kind, _] if kind is list or kind is tuple:
            return {kind.__name__: [tagged(part) for part in value]}
        case [kind, _] if kind is set or kind is frozenset:
            return {kind.__name__: sorted((tagged(part) for part in value), key=json.dumps)}
        case [kind, _] if kind is dict:
            return {"dict": sorted(([tagged(key), tagged(part)] for key, part in value.items()), key=json.dumps)}
        case [_, type()]:
            return {"class": [value.__module__, value.__qualname__]}
        case [kind, _] if getattr(kind, "__cache_key__", None):
            return {"object": [tagged(kind), tagged(kind.__cache_key__(value))]}
    raise Unkeyable(f"{type(value)} has no tag")
