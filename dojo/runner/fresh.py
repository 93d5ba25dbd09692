"""Makes a forked copy of a busy process look new.

A run may be forked from inside a running pytest (the repository's own tests do), whose finders,
logging handlers, warning filters and imported katas the child must not see.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import warnings
from pathlib import Path

from dojo.catalog import HOME

_OURS = ("katas", "solutions", "tests", "conftest", HOME, HOME.replace(".", "_"))
"""As folders, and as the first parts of the names under which pytest imports what is in them."""


def forget_parent(root: Path, kata: str) -> None:
    """Drops what an earlier pytest or an earlier run of `kata` left in this process."""
    for name, module in list(sys.modules.items()):
        if name == kata or _belongs_to_a_run(name, getattr(module, "__file__", None), root):
            del sys.modules[name]
    sys.meta_path[:] = [finder for finder in sys.meta_path if not _is_run_finder(finder)]
    logging.root.handlers.clear()
    logging.root.setLevel(logging.WARNING)
    warnings.resetwarnings()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM, signal.SIGCHLD, signal.SIGUSR1):
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    threading.excepthook = threading.__excepthook__
    sys.excepthook = sys.__excepthook__
    sys.unraisablehook = sys.__unraisablehook__


def _belongs_to_a_run(name: str, file: str | None, root: Path) -> bool:
    # The plugin holds the state of one pytest session; the lab under it holds none and stays warm.
    if name == "dojo.plugin" or name.partition(".")[0] in _OURS:
        return True
    if file is None:
        return False
    inside = os.path.relpath(file, root).split(os.sep)[0] if file.startswith(str(root)) else ""
    return inside.removesuffix(".py") in _OURS


def _is_run_finder(finder: object) -> bool:
    home = (finder if isinstance(finder, type) else type(finder)).__module__
    return home.startswith(("dojo.", "_pytest."))
