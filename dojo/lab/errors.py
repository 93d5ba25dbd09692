"""What can go wrong in a run, apart from a failed expectation."""

from __future__ import annotations


class LabError(Exception):
    """A test asks the lab for something that it cannot do; the message says what to do instead."""


class ForgottenAwait(Exception):
    """A coroutine was made and thrown away: what it should do has not happened."""


class Stuck(BaseException):
    """A run that would never end. A BaseException, so that a learner's `except Exception` cannot hide it."""


class Deadlock(Stuck):
    """Nothing is runnable and no timer is pending: everybody waits for ever."""


class NeverFinishes(Stuck):
    """The run used up its step budget or its real-time limit."""


class ProcessDied(BaseException):
    """Unwinds an actor whose process died, after the verdict; nothing that it does then can reach the world."""
