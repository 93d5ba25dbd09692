"""A root directory with nothing in it but what a run needs: Python, its libraries, the lab and the trusted tests.

No solutions, no mutants, no other submission, no gradebook: what is not there need not be forbidden.
"""

from __future__ import annotations

import contextlib
import os
import sys
import sysconfig
from collections.abc import Iterator, Sequence
from pathlib import Path

import dojo
from dojo.catalog import SYLLABUS
from dojo.grader.confine import kernel

_SYSTEM = ("/usr", "/lib", "/lib64", "/lib32", "/bin", "/sbin")
_ETC = ("ld.so.cache", "ld.so.conf", "localtime", "mime.types", "nsswitch.conf", "passwd", "group", "hosts")
_DEVICES = ("null", "zero", "full", "random", "urandom")


TRUSTED, SCRATCH = Path("/trusted"), Path("/scratch")
"""In the new root: the trusted tests, and the one directory that can be written to."""


def enter_new_root(place: Path, trusted: Path, hidden: Sequence[Path]) -> None:
    """Makes a fresh root at `place`, an empty directory, and enters it; needs a mount namespace of our own.

    The directory `trusted` is shown as `TRUSTED`. `hidden` directories are empty even if they lie in one that is shown.
    """
    kernel.mount("", Path("/"), "", kernel.REC | kernel.PRIVATE)
    kernel.mount("tmpfs", place, "tmpfs", kernel.NOSUID | kernel.NODEV, "size=1m,nr_inodes=4096,mode=755")
    for path in map(Path, _SYSTEM):
        if path.is_symlink():  # /lib is usr/lib on most systems
            (place / path.relative_to("/")).symlink_to(os.readlink(path))
        elif path.is_dir():
            _show(path, place / path.relative_to("/"))
    needed = [*shown_directories(), Path(dojo.__file__).parent]
    for path in needed:
        _show(path, place / path.relative_to("/"))
    for path in hidden:
        _hide(path, place, needed)
    for name in _ETC:
        if Path("/etc", name).is_file():
            _show(Path("/etc", name), place / "etc" / name)
    _show(trusted, place / TRUSTED.relative_to("/"))
    (place / "dev").mkdir()
    for name in _DEVICES:
        (place / "dev" / name).touch()
        kernel.mount(f"/dev/{name}", place / "dev" / name, "", kernel.BIND)
    for name in ("dev/shm", "tmp", "proc", "scratch"):
        (place / name).mkdir(exist_ok=True)
    # Before the old root goes: a user namespace may only mount what it can see one of already.
    show_own_processes(place / "proc")
    kernel.pivot(place)
    fresh_scratch(64 << 20)
    kernel.seal(Path("/"))


def show_own_processes(place: Path = Path("/proc")) -> None:
    """Shows the processes of this process's namespace, and no others."""
    with contextlib.suppress(OSError):  # some containers do not allow it; then there is none to look around in
        kernel.mount("proc", place, "proc", kernel.NOSUID | kernel.NODEV | kernel.NOEXEC)


def fresh_scratch(size: int) -> None:
    """Room for so many bytes of files, which are gone with the mount namespace."""
    for place in (SCRATCH, Path("/dev/shm")):
        kernel.mount("tmpfs", place, "tmpfs", kernel.NOSUID | kernel.NODEV, f"size={size},nr_inodes=4096,mode=1777")


def shown_directories() -> Iterator[Path]:
    """Directories that this interpreter imports from."""
    root = Path(dojo.__file__).parents[1]
    prefixes = (sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix)
    for entry in sorted({*prefixes, *sysconfig.get_paths().values(), *sys.path}):
        path = Path(entry)
        # A clone is where the solutions are; of this one only the package is shown, of any other one nothing.
        clone = (path / SYLLABUS).is_file() or root.is_relative_to(path)
        if path.is_dir() and path.is_absolute() and not clone:
            yield path
            if path.resolve() != path:
                yield path.resolve()


def _show(path: Path, target: Path) -> None:
    if path.is_dir():
        target.mkdir(parents=True, exist_ok=True)
    elif not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch()
    kernel.bind(path, target)


def _hide(path: Path, place: Path, needed: Sequence[Path]) -> None:
    target = place / path.relative_to("/")
    if not target.is_dir():
        return  # it is not there anyway
    kernel.mount("tmpfs", target, "tmpfs", kernel.NOSUID | kernel.NODEV, "size=64k,mode=755")
    for one in needed:
        if one != path and one.is_relative_to(path):
            _show(one, place / one.relative_to("/"))
