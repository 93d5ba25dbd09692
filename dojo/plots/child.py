"""`python -m dojo.plots.child OUTPUT`: measures one implementation in this interpreter, as `runner.child` tests one."""

from __future__ import annotations

from dojo.plots.measuring import run_scenes
from dojo.runner.child import main

if __name__ == "__main__":
    main(run_scenes)
