"""The system calls that Python before 3.12 has no names for, each raising OSError with what was tried."""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
from pathlib import Path

NEWNS, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET = (
    *(0x00020000, 0x04000000, 0x08000000),
    *(0x10000000, 0x20000000, 0x40000000),
)
RDONLY, NOSUID, NODEV, NOEXEC, REMOUNT, BIND, REC, PRIVATE = 0x1, 0x2, 0x4, 0x8, 0x20, 0x1000, 0x4000, 0x40000
_DETACH = 2
_PDEATHSIG, _CAPBSET_DROP, _CHILD_SUBREAPER, _NO_NEW_PRIVS = 1, 24, 36, 38
_CAP_VERSION_3 = 0x20080522

LINUX = sys.platform == "linux"
_libc = ctypes.CDLL(None, use_errno=True) if LINUX else None


def call(name: str, *arguments: object) -> None:
    """One function of the C library, whose arguments are none but numbers, bytes and pointers."""
    if _libc is None:
        raise OSError(f"{name}: this is not Linux")
    if getattr(_libc, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


def unshare(flags: int) -> None:
    """From now on this process (for NEWPID: its next child) is in namespaces of its own."""
    call("unshare", flags)


def enter(fd: int, flags: int) -> None:
    """Into the namespace that `fd` is open on; for NEWPID, this process's next child."""
    call("setns", fd, flags)


def mount(source: str, target: Path, kind: str, flags: int = 0, options: str = "") -> None:
    arguments = (text.encode() if text else None for text in (source, str(target), kind))
    call("mount", *arguments, ctypes.c_ulong(flags), options.encode() if options else None)


def bind(source: Path, target: Path) -> None:
    """Shows `source` at `target` as well, read-only and without devices or set-user-id."""
    mount(str(source), target, "", BIND | REC)
    seal(target)


def seal(target: Path) -> None:
    """Makes a mounted directory or file read-only."""
    locked = os.statvfs(target).f_flag & (NOSUID | NODEV | NOEXEC)  # a user namespace may not lift them
    mount("", target, "", BIND | REMOUNT | RDONLY | NOSUID | NODEV | locked)


def pivot(root: Path) -> None:
    """Makes `root`, a mount, the root directory, and lets go of the old one."""
    os.chdir(root)
    call("pivot_root", b".", b".")
    call("umount2", b".", _DETACH)
    os.chdir("/")


def adopt_orphans() -> None:
    """Whatever this process's descendants leave behind becomes its own child, and can be found."""
    call("prctl", _CHILD_SUBREAPER, 1, 0, 0, 0)


def renounce(uid: int | None) -> None:
    """Gives up all privileges for good, and becomes another user if `uid` is given."""
    call("prctl", _NO_NEW_PRIVS, 1, 0, 0, 0)
    for capability in range(64):
        with contextlib.suppress(OSError):  # the kernel knows fewer, or we may not
            call("prctl", _CAPBSET_DROP, capability, 0, 0, 0)
    if uid is not None:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    header = (ctypes.c_uint32 * 2)(_CAP_VERSION_3, 0)
    call("capset", header, (ctypes.c_uint32 * 6)())


def map_root(uid: int, gid: int) -> None:
    """In a new user namespace: its root is the user that we were outside."""
    for name, text in (("setgroups", "deny"), ("uid_map", f"0 {uid} 1"), ("gid_map", f"0 {gid} 1")):
        Path("/proc/self", name).write_text(text)
