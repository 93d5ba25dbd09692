"""What is looked at while somebody else's code runs: canaries, a seal, and tripwires.

Inside one interpreter a determined author can forge any verdict. So that it shows, tests are mixed in that must fail
(the canaries), and a last one that must pass and says that the grader's own modules are still what they were (the
seal); without their right results no result of the run counts. The tripwires, a reading of the source and an audit
hook, only raise flags: a person looks at them, and nobody loses a point by one.
"""

from __future__ import annotations

import ast
import contextlib
import inspect
import os
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, Literal

import pytest

from dojo.grader.seal import REWRITES, Seal
from dojo.grader.suspicions import suspicions
from dojo.runner.session import Emit

Kind = Literal["expect", "require", "assert", "seal"]
"""Of the tests that are mixed in: three ways to fail, and the one that must pass."""

CANARIES: tuple[Kind, ...] = ("expect", "require", "assert")

_FLAGGED_EVENTS = (
    *("os.fork", "os.exec", "os.posix_spawn", "os.system", "os.kill", "os.killpg", "subprocess.Popen"),
    *("socket.connect", "socket.bind", "socket.sendto", "socket.getaddrinfo"),
    *("gc.get_objects", "gc.get_referrers", "sys.settrace", "sys.setprofile", "sys.addaudithook"),
    *("sys._current_frames", "os.remove", "os.rename", "os.chmod", "os.chown", "shutil.rmtree", "open"),
)
_NO_FILE = "<string>"
"""The file of what was compiled from a text. What the libraries compile asks for no frames."""
_FRAMES = frozenset({"tb_frame", "gi_frame", "cr_frame", "ag_frame"})
_OF_FILES = {
    **dict.fromkeys(("open", "os.remove", "os.chmod", "os.chown", "shutil.rmtree"), slice(1)),
    "os.rename": slice(2),
}
"""Which of an event's arguments are paths."""
_READ_BY_ALL = ("/dev/null", "/etc/mime.types", "/etc/localtime", "/usr/share/zoneinfo/")
"""What the standard library reads of a system, as `zoneinfo` and `mimetypes` do."""
_MOST_FLAGS = 20


class _Wanted(dict[str, bool]):
    """Whether an event is one to look at, and so are all of ctypes; most are not, and are to be over with soon."""

    def __init__(self, events: Iterable[str]) -> None:
        super().__init__(dict.fromkeys(events, True))

    def __missing__(self, event: str) -> bool:
        self[event] = event.startswith("ctypes.")
        return self[event]


class Watched:
    """Watches one run, from inside its process."""

    def __init__(self, seal: Seal, emit: Emit) -> None:
        """`seal` was made before anybody's code ran."""
        self._seal = seal
        self._emit = emit
        self._flags: set[str] = set()
        self._file = ""
        self._mixed_in: list[pytest.Item] = []

    def flag(self, text: str) -> None:
        """Tell a person; each thing once."""
        if text not in self._flags and len(self._flags) < _MOST_FLAGS:
            self._flags.add(text)
            self._emit({"event": "flag", "text": text})

    def read(self, file: Path) -> None:
        """Raise flags for what stands in the source. One that cannot be parsed has none; its run will tell."""
        try:
            tree = ast.parse(file.read_bytes())
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return
        for line, what in suspicions(tree):
            self.flag(f"line {line}: {what}")

    def listen(self, file: Path) -> None:
        """Raise flags for what the code in `file` does; there is no way back."""
        self._file = str(file)
        wanted = _Wanted((*_FLAGGED_EVENTS, *REWRITES, "sys._getframe", "object.__getattr__", "exec"))
        asking: list[str] = []

        # A function, for there are tens of thousands of events, and Python calls a method four times as slowly here.
        def heard(event: str, arguments: tuple[Any, ...]) -> None:
            if not wanted[event]:
                return
            if event == "object.__getattr__":
                if arguments[1] in _FRAMES:
                    self._ask(asking)
            elif event == "sys._getframe":
                if not asking:
                    self._ask(asking)
            elif event in REWRITES:
                self._seal.hear(arguments)
            elif event == "exec":
                if sys._getframe(1).f_code.co_filename == self._file:  # and no library for it, such as dataclasses
                    self.flag("while running: executes code of its own making")
            else:
                self._heard(event, arguments)

        sys.addaudithook(heard)

    def _heard(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not _is_by(self._file, sys._getframe(2)):
            return
        if event in _OF_FILES and all(map(self._is_own, arguments[_OF_FILES[event]])):
            return
        if event == "open" and (not _elsewhere(arguments[0]) or _shows_a_traceback(sys._getframe(2))):
            return
        what = arguments[1] if event == "socket.connect" else arguments[0] if event in ("open", "os.remove") else None
        shown = "" if what is None else f" {what!r:.80}"
        self.flag(f"while running: {event}{shown}")
        if event.startswith("ctypes."):
            # With it anything in this process can be written over, the callers' variables and these lines too.
            raise RuntimeError("ctypes is not to be had while a submission is graded")

    def _ask(self, asking: list[str]) -> None:
        asking.append("")  # what comes now asks for a frame too
        with contextlib.suppress(MemoryError):  # the code under test has used it up, and is to be told so itself
            if _looks_at_callers(self._file, sys._getframe(2)):
                self.flag("while running: looks at its callers' frames")
        asking.clear()

    def _is_own(self, path: object) -> bool:
        """Whether a file is in the submission's own directory: its notes, its temporary files, its own text."""
        if not isinstance(path, (str, bytes)):
            return False
        own = os.path.dirname(self._file)
        return f"{os.path.realpath(os.fsdecode(path))}/".startswith(f"{own}/")

    def add(self, session: pytest.Session, mixed_in: Mapping[str, Kind]) -> None:
        """Adds the named tests to the session's items."""
        module = session.items[0].getparent(pytest.Module)
        assert module is not None
        bodies: dict[str, Callable[..., None]] = {
            "expect": _expects,
            "require": _requires,
            "assert": _asserts,
            "seal": self._is_whole,
        }
        for name, kind in mixed_in.items():
            body = bodies[kind]
            setattr(module.obj, name, body)
            self._mixed_in.append(pytest.Function.from_parent(module, name=name, callobj=body))
        session.items += self._mixed_in

    def _is_whole(self) -> None:
        if changed := self._seal.broken(self._mixed_in):
            self.flag(f"changed the grader's own code: {', '.join(changed[:5])}")
            raise AssertionError(changed)


def _expects(lab: Any) -> None:
    lab.expect("delay", 1.5, 3.0, trap="off-by-one")


def _requires(lab: Any) -> None:
    lab.require(False, expected="one call", got="two", trap="check-then-act")


def _asserts() -> None:
    values = [1, 2, 3]
    assert sum(values) == len(values)


def _elsewhere(path: object) -> bool:
    """Whether a file is none that an import might open."""
    if not isinstance(path, str) or not path.startswith("/"):
        return False
    return not path.startswith(
        (*_READ_BY_ALL, sys.prefix, sys.base_prefix, *(entry for entry in sys.path if len(entry) > 1))
    )


def _shows_a_traceback(frame: FrameType | None) -> bool:
    """Whether a file is opened for the lines that a logged error shows: honest code logs errors."""
    while frame is not None and "/dojo/" not in (name := frame.f_code.co_filename) and "site-packages" not in name:
        if name == traceback.__file__:
            return True
        frame = frame.f_back
    return False


def _looks_at_callers(file: str, frame: FrameType | None) -> bool:
    """Whether the code in `file` asks, itself or through `inspect`; honest code makes logging and dataclasses ask."""
    while frame is not None and frame.f_code.co_filename == inspect.__file__:
        frame = frame.f_back
    return frame is not None and frame.f_code.co_filename in (file, _NO_FILE)


def _is_by(file: str, frame: FrameType | None) -> bool:
    """Whether the code in `file` is the first in this stack that is not the standard library's."""
    while frame is not None:
        code: CodeType = frame.f_code
        if code.co_filename == file:
            return True
        if "site-packages" in code.co_filename or "/dojo/" in code.co_filename:
            return False
        frame = frame.f_back
    return False
