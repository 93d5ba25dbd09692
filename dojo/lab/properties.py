"""Hypothesis for kata tests: the same examples in every run, no deadline, a fresh world for each example.

Imported only where it is used, because importing Hypothesis costs half a second.
"""

from hypothesis import HealthCheck, Phase, assume, example, given, settings
from hypothesis import strategies as st

__all__ = ["assume", "example", "given", "settings", "st"]

settings.register_profile(
    "dojo",
    derandomize=True,
    database=None,
    deadline=None,
    print_blob=False,
    max_examples=60,
    # Not the explain phase: it runs hundreds of further examples under a tracer for a remark that the
    # lab's report does not show, and made a failing property take ten times as long.
    phases=(Phase.explicit, Phase.generate, Phase.shrink),
    # The fixture is a handle; the lab itself is made anew for each example.
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
settings.load_profile("dojo")
