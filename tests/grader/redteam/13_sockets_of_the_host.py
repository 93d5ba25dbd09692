"""Calls a socket that knows no network namespace.

Kata: backoff_schedule
Attack: Opens sockets of the kinds that reach past the network: a virtual machine's host (vsock), the kernel's ciphers, raw packets.
Status: error
Points: 0
Needs: network
"""

import socket

reached = []
for family in (40, 38, 17):  # AF_VSOCK, AF_ALG, AF_PACKET
    try:
        socket.socket(family, socket.SOCK_STREAM if family == 40 else socket.SOCK_SEQPACKET).close()
        reached.append(family)
    except OSError:
        continue
said = f"HARM: {reached}" if reached else "nothing was reached"
raise RuntimeError(said)


def delay(*args, **options):
    raise NotImplementedError


Backoff = delay
