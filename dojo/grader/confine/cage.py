"""One run behind bars.

With *namespaces*, the process that is forked becomes the first of a process namespace, mounts what is private to the
run, and stays there as a warden, out of reach: the code under test runs in its child, which has given up everything.
When the warden goes, the kernel ends whatever is left. With *process* confinement there are a user of its own where
we are root, limits, and a sweep for strays afterwards.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NoReturn

from dojo.grader.confine import kernel
from dojo.grader.confine.calls import refuse_calls
from dojo.grader.confine.root import SCRATCH, fresh_scratch, show_own_processes
from dojo.runner.ending import die_with_parent
from dojo.runner.forked import fork

_BY_SIGNAL = 128

Tier = Literal["namespaces", "process", "none"]


@dataclass(frozen=True, slots=True)
class Bars:
    """How tight a cage is."""

    tier: Tier
    uid: int | None = None
    """Who the code under test runs as; None for whoever we are."""
    processes: int = 256
    """Threads count too."""
    disk_bytes: int = 32 << 20
    """For namespaces: of the one directory that can be written to. Elsewhere of any one file."""
    open_files: int = 256


class Cage:
    """Makes caged processes, one at a time."""

    def __init__(self, bars: Bars) -> None:
        self._bars = bars
        # Other cells are at work beside this one, so what this one makes bears its number.
        self._mark = f"dojo-run-{os.getpid()}-"
        self._ours: int | None = None
        if bars.tier == "namespaces":
            self._ours = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
        elif kernel.LINUX:
            kernel.adopt_orphans()

    def fork(self) -> int:
        """As `os.fork`; for namespaces, the child is the first process of a namespace."""
        if self._ours is None:
            return fork()
        kernel.enter(self._ours, kernel.NEWPID)  # a process can leave only the one it is in itself
        kernel.unshare(kernel.NEWPID)
        return fork()

    def confine(self, keep: int, body: Callable[[Path], int]) -> int:
        """In the forked child: calls `body` with a directory of its own behind bars; returns its exit code.

        Of all descriptors above 2, only `keep` stays open there.
        """
        if self._bars.tier == "namespaces":
            return self._as_warden(keep, body)
        place = Path(tempfile.mkdtemp(prefix=self._mark))
        if self._bars.uid is not None:
            os.chown(place, self._bars.uid, self._bars.uid)
        self._give_up(keep, place)
        return body(place)

    def _as_warden(self, keep: int, body: Callable[[Path], int]) -> int:
        kernel.unshare(kernel.NEWNS | kernel.NEWIPC)
        show_own_processes()
        fresh_scratch(self._bars.disk_bytes)
        runner = fork()
        if runner == 0:
            self._be_the_runner(keep, body)
        os.close(keep)
        while True:
            pid, status = os.wait()  # of the orphans too, which are this process's now
            if pid == runner:
                code = os.waitstatus_to_exitcode(status)
                return code if code >= 0 else _BY_SIGNAL - code  # nothing within can send us that signal

    def _be_the_runner(self, keep: int, body: Callable[[Path], int]) -> NoReturn:
        code = 70
        try:
            os.setsid()
            place = SCRATCH / "run"
            place.mkdir()
            if self._bars.uid is not None:
                os.chown(place, self._bars.uid, self._bars.uid)
            self._give_up(keep, place)
            code = body(place)
        finally:
            with contextlib.suppress(BaseException):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(code)

    def _give_up(self, keep: int, place: Path) -> None:
        os.environ.clear()
        os.environ.update({"HOME": str(place), "TMPDIR": str(place), "LANG": "C.UTF-8", "PATH": "/usr/bin:/bin"})
        os.environ["USER"] = "student"  # the number that it runs as has no name that `getpass.getuser` could find
        tempfile.tempdir = None
        os.closerange(3, keep)
        os.closerange(keep + 1, 4096)
        self._limit()
        if kernel.LINUX:
            with contextlib.suppress(OSError):
                Path("/proc/self/oom_score_adj").write_text("1000")  # of all processes here, this one is to go first
            kernel.renounce(self._bars.uid)
            refuse_calls()
        elif self._bars.uid is not None:
            os.setgid(self._bars.uid)
            os.setuid(self._bars.uid)
        die_with_parent()  # after the change of user, which would forget it
        os.umask(0o077)
        os.chdir(place)

    def _limit(self) -> None:
        import resource

        for name, more in (("RLIMIT_AS", 0), ("RLIMIT_CPU", 1)):  # a soft limit alone could be lifted again
            number = getattr(resource, name)
            soft, hard = resource.getrlimit(number)
            if soft != resource.RLIM_INFINITY:
                resource.setrlimit(number, (soft, soft + more if hard == resource.RLIM_INFINITY else hard))
        for name, value in (
            ("RLIMIT_NPROC", self._bars.processes),
            ("RLIMIT_NOFILE", self._bars.open_files),
            ("RLIMIT_FSIZE", self._bars.disk_bytes),
            ("RLIMIT_CORE", 0),
            ("RLIMIT_MEMLOCK", 0),
            ("RLIMIT_MSGQUEUE", 0),
        ):
            number = getattr(resource, name, None)
            if number is not None:
                with contextlib.suppress(ValueError, OSError):  # a system may have lower ones already
                    resource.setrlimit(number, (value, value))

    def exit_code(self, code: int) -> int:
        """What a caged process's exit code says about the code under test."""
        return _BY_SIGNAL - code if self._bars.tier == "namespaces" and code > _BY_SIGNAL else code

    def clean(self) -> int:
        """After a run: ends what is left of it and removes its directory; how many processes were left.

        For namespaces the kernel has done it.
        """
        if self._bars.tier == "namespaces":
            return 0
        found = 0
        for stray in _strays():
            found += 1
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(stray, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(stray, 0)
        for place in Path(tempfile.gettempdir()).glob(f"{self._mark}*"):
            with contextlib.suppress(OSError):
                _remove(place)
        return found


def _remove(place: Path) -> None:
    """Whatever stands there now: it was the submission's to replace, by a link to a directory of ours for instance."""
    if not stat.S_ISDIR(place.lstat().st_mode):
        place.unlink()
        return
    os.chmod(place, 0o700)
    try:
        shutil.rmtree(place)
    except (OSError, RecursionError):  # it gives up at what is locked, and a thousand directories down
        subprocess.run(["rm", "-rf", "--", place], stderr=subprocess.DEVNULL, check=False)


def _strays() -> Iterator[int]:
    """Children of this process that nobody has waited for, until there are none."""
    for _ in range(10_000):  # a fork bomb is slower than this loop, or its limit is reached
        children = _children()
        if not children:
            return
        yield from children


def _children() -> list[int]:
    me, found = str(os.getpid()), []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            fields = (process / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[1] == me:
            found.append(int(process.name))
    return found
