"""Takes all the memory.

Kata: backoff_schedule
Attack: Allocates and touches 64 MB at a time, up to 16 GB.
Status: failed or error
Points: 0
Needs: memory
"""

hoard = []


def attack():
    while len(hoard) < 256:
        hoard.append(bytearray(b"x") * (64 << 20))


def delay(*args, **options):
    return attack()


Backoff = delay
