"""Sends what it knows in a question for a name.

Kata: backoff_schedule
Attack: Resolves names, and sends a datagram to a name server; says so in its error if either works.
Status: failed
Points: 0
Needs: network
"""

import socket


def attack():
    try:
        socket.getaddrinfo("answers.example.com", 443)
        raise RuntimeError("HARM: resolved a name")
    except OSError:
        pass
    with socket.socket(type=socket.SOCK_DGRAM) as sender:
        try:
            sender.sendto(b"\x00" * 64, ("1.1.1.1", 53))
            raise RuntimeError("HARM: sent a datagram")
        except OSError:
            pass
    raise RuntimeError("nothing was reached")


def delay(*args, **options):
    return attack()


Backoff = delay
