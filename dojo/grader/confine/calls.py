"""System calls that no submission is answered, because no limit counts what they give out.

The memory of a memfd or of System V is no process's, so neither a limit nor a sum over processes sees it. In a user
namespace of its own anybody is root and mounts file systems of any size. Keys outlive whoever made them, `sync` makes
every disk of the machine busy, and a socket of the host's (vsock) knows no network namespace.

A library that tries one of them is told that this kernel does not have it, and does without, as on an old one.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import socket
import struct

from dojo.grader.confine import kernel

_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
"""As the kernel names them in what it lets a filter look at."""
_REFUSED = {
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "shmget": (29, 194),
    "semget": (64, 190),
    "msgget": (68, 186),
    "io_uring_setup": (425, 425),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "sync": (162, 81),
    "syncfs": (306, 267),
    "perf_event_open": (298, 241),
    "unshare": (272, 97),
    "setns": (308, 268),
    "clone3": (435, 435),
    "userfaultfd": (323, 282),
    "bpf": (321, 280),
}
"""Their numbers on each. `clone3` keeps its flags where no filter can look; the C library then takes `clone`."""
_CLONE, _SOCKET, _SECCOMP = (56, 220), (41, 198), (317, 277)
_NEWCGROUP = 0x02000000
_NAMESPACES = kernel.NEWNS | kernel.NEWUTS | kernel.NEWIPC | kernel.NEWUSER | kernel.NEWPID | kernel.NEWNET | _NEWCGROUP
_FAMILIES = (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6, 16)
"""The last is netlink, which `getaddrinfo` asks for addresses."""
_X32 = 0x40000000
"""From here on the numbers mean the same calls again."""

_LOAD, _EQUAL, _AT_LEAST, _ANY_OF, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16
_ALLOW, _REFUSE = 0x7FFF0000, 0x00050000
_SET_FILTER, _NOT_SLOWER = 1, 4
"""The second: without it, older kernels switch off the processor's guessing, which costs Python a tenth or more."""


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def refuse_calls() -> None:
    """From now on this process and its descendants are refused them; `probes` says if that did not work."""
    machine = os.uname().machine
    if machine not in _ARCHITECTURES or struct.calcsize("P") != 8:
        return
    which = list(_ARCHITECTURES).index(machine)
    steps = _filter(which)
    program = _Program(len(steps), b"".join(steps))
    with contextlib.suppress(OSError):
        kernel.call("syscall", _SECCOMP[which], _SET_FILTER, _NOT_SLOWER, ctypes.byref(program))


def _filter(which: int) -> list[bytes]:
    """For Berkeley's packet filter: what to do, how many steps to skip if it is so, and if not, and with what."""
    no_such_call, no_such_family = (_REFUSE | number for number in (errno.ENOSYS, errno.EAFNOSUPPORT))
    architecture = list(_ARCHITECTURES.values())[which]
    steps = [
        *((_LOAD, 0, 0, _ARCHITECTURE), (_EQUAL, 1, 0, architecture), (_RETURN, 0, 0, no_such_call)),
        *((_LOAD, 0, 0, _NUMBER), (_AT_LEAST, 0, 1, _X32), (_RETURN, 0, 0, no_such_call)),
    ]
    for numbers in _REFUSED.values():
        steps += [(_EQUAL, 0, 1, numbers[which]), (_RETURN, 0, 0, no_such_call)]
    steps += [
        *((_EQUAL, 0, 4, _CLONE[which]), (_LOAD, 0, 0, _FIRST_ARGUMENT)),
        *((_ANY_OF, 0, 1, _NAMESPACES), (_RETURN, 0, 0, _REFUSE | errno.EPERM), (_RETURN, 0, 0, _ALLOW)),
        *((_EQUAL, 0, len(_FAMILIES) + 2, _SOCKET[which]), (_LOAD, 0, 0, _FIRST_ARGUMENT)),
        *((_EQUAL, len(_FAMILIES) - place, 0, family) for place, family in enumerate(_FAMILIES)),
        *((_RETURN, 0, 0, no_such_family), (_RETURN, 0, 0, _ALLOW)),
    ]
    return [struct.pack("=HBBI", *step) for step in steps]
