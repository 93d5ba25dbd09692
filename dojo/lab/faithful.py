"""Where fakeredis differs from a server in what a kata may well use, the lab makes it agree.

What else differs is listed in `tests/fidelity/deviations.toml`; the same scripts run there on both.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from fakeredis.commands_mixins.generic_mixin import GenericCommandsMixin
from fakeredis.commands_mixins.scripting_mixin import ScriptingCommandsMixin
from fakeredis.commands_mixins.string_mixin import StringCommandsMixin

_SANDBOX = b"""
os = {clock = function() return 0 end}
io, python, package, require, dofile, loadfile, module, newproxy, print = nil
redis.replicate_commands = function() return true end
setmetatable(_G, {__index = function(_, name)
    error("Script attempted to access nonexistent global variable '" .. tostring(name) .. "'", 2)
end})
"""
"""On a server, scripts run in a sandbox: no clock but TIME, no files, no Python, no name that nobody has defined.

(`debug` stays: the binding needs it.)
"""


def agree_with_the_server() -> None:
    """Changes fakeredis, once."""
    _change(StringCommandsMixin, "setex", functools.partial(_exact, per_second=1))
    _change(StringCommandsMixin, "psetex", functools.partial(_exact, per_second=1000))
    _change(StringCommandsMixin, "getex", _to_the_millisecond)
    _change(GenericCommandsMixin, "_expireat", _gone_at_once)
    _change(ScriptingCommandsMixin, "_get_server_runtime", _sandboxed)


def _change(owner: type, name: str, how: Callable[[Any], Any]) -> None:
    original = getattr(owner, name)
    if not hasattr(original, "__wrapped__"):
        setattr(owner, name, functools.wraps(original)(how(original)))


def _exact(original: Any, *, per_second: int) -> Any:
    """SETEX and PSETEX: fakeredis 2.40 cuts the end down to a whole second, so that PSETEX of 250 ms may be none."""

    def command(socket: Any, key: Any, amount: int, value: bytes) -> Any:
        reply = original(socket, key, amount, value)
        key.expireat = socket._db.time + amount / per_second
        return reply

    return command


def _to_the_millisecond(original: Any) -> Any:
    """GETEX: the same cut."""
    since_now = {b"EX": 1, b"PX": 1000}
    since_epoch = {b"EXAT": 1, b"PXAT": 1000}

    def command(socket: Any, key: Any, *options: bytes) -> Any:
        reply = original(socket, key, *options)
        if key and len(options) == 2:
            option = options[0].upper()
            if option in since_now:
                key.expireat = socket._db.time + int(options[1]) / since_now[option]
            elif option in since_epoch:
                key.expireat = int(options[1]) / since_epoch[option]
        return reply

    return command


def _gone_at_once(original: Any) -> Any:
    """EXPIRE with an end that has come already deletes the key, and not just when the clock has moved on."""

    def expire(socket: Any, key: Any, timestamp: float, *options: bytes, **more: Any) -> Any:
        reply = original(socket, key, timestamp, *options, **more)
        if reply and timestamp <= socket._db.time:
            key.value = None
        return reply

    return expire


def _sandboxed(original: Any) -> Any:
    def runtime(socket: Any, server: Any) -> Any:
        fresh = not hasattr(server, "_lua_runtime")
        lua = original(socket, server)
        if fresh:
            lua.execute(_SANDBOX)
        return lua

    return runtime
