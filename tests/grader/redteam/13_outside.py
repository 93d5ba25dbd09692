"""Talks to the world.

Kata: backoff_schedule
Attack: Connects to addresses outside; says so in its error if there is a connection or merely a route.
Status: failed
Points: 0
Needs: network
"""

import socket


def attack():
    for address in (("1.1.1.1", 53), ("8.8.8.8", 443), ("169.254.169.254", 80)):
        with socket.socket() as caller:
            caller.settimeout(0.5)
            try:
                caller.connect(address)
            except TimeoutError:
                raise RuntimeError("HARM: there is a route to the outside") from None
            except OSError:
                continue
            raise RuntimeError(f"HARM: reached {address[0]}")
    raise RuntimeError("nothing was reached")


def delay(*args, **options):
    return attack()


Backoff = delay
