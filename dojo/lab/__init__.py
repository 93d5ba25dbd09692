"""What kata tests stand on: deterministic time, enumerated schedules, swept faults, and one trace of it all."""

from dojo.lab.explore import explore, sweep
from dojo.lab.lab import Lab
from dojo.lab.outcome import Outcome
from dojo.lab.verdict import Failure

__all__ = ["Failure", "Lab", "Outcome", "explore", "sweep"]
