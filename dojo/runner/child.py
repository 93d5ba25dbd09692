"""`python -m dojo.runner.child OUTPUT`: one run in this interpreter.

The job is JSON on standard input, the results are JSON lines on standard output, and what the tests
print goes to the file OUTPUT. Not for people: `dojo test` is.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from dojo.runner.limits import apply_limits, write_all
from dojo.runner.results import Job
from dojo.runner.session import Write, run_pytest


def main(body: Callable[[Job, Write], int]) -> NoReturn:
    """Does `body` with the job: it sends records, and returns the exit code with which this interpreter then ends."""
    printed = Path(sys.argv[1])
    job = Job.from_json(json.load(sys.stdin))
    results = os.dup(1)
    output = os.open(printed, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (output, 1), (output, 2)):
        os.dup2(source, target)
    sys.stdout.reconfigure(encoding="utf-8", errors="replace", line_buffering=True)  # type: ignore[union-attr]
    importlib.import_module("dojo.plugin")  # the lab and pytest with it, before the tests' time begins to count
    apply_limits(job.limits)
    code = body(job, lambda data: write_all(results, data))
    sys.stdout.flush()
    os._exit(code)  # threads and exit handlers of the tested code have no say any more


if __name__ == "__main__":
    main(run_pytest)
