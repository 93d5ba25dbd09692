"""Talks to the services of this machine.

Kata: backoff_schedule
Attack: Connects to the usual ports on 127.0.0.1 and ::1; says so in its error if one answers.
Status: failed
Points: 0
Needs: network
"""

import socket


def attack():
    for host, family in (("127.0.0.1", socket.AF_INET), ("::1", socket.AF_INET6)):
        for port in (22, 53, 80, 443, 2375, 3306, 5432, 5672, 6379, 8000, 8080, 9222):
            with socket.socket(family) as caller:
                caller.settimeout(0.2)
                try:
                    caller.connect((host, port))
                except OSError:
                    continue
                raise RuntimeError(f"HARM: reached a service on {host} port {port}")
    raise RuntimeError("nothing was reached")


def delay(*args, **options):
    return attack()


Backoff = delay
