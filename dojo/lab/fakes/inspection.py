"""What a fake tells the tests, and nobody else: no payment provider lists all its charges between two requests."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from dojo.lab.world import World


class _Fake(Protocol):
    _world: World


F = TypeVar("F", bound=_Fake)
P = ParamSpec("P")
T = TypeVar("T")


def for_tests(method: Callable[Concatenate[F, P], T]) -> Callable[Concatenate[F, P], T]:
    """Raises AttributeError if it is the tested file that calls `method`, for it would pass here and nowhere else."""

    @functools.wraps(method)
    def asked(self: F, /, *args: P.args, **options: P.kwargs) -> T:
        caller: Any = sys._getframe(1)
        if caller.f_code.co_filename in self._world.learner_files:
            kind = type(self).__name__
            raise AttributeError(f"{method.__name__!r} of {kind} is there for tests alone: the real thing has none")
        return method(self, *args, **options)

    return asked
