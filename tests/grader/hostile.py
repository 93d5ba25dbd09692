"""Hypothesis for the book: text as a student could write it, the same in every run."""

from __future__ import annotations

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from .the_class import HOSTILE

same = settings(
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=40,
    print_blob=False,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)

_any = st.characters(exclude_categories=())  # lone surrogates too
texts = st.lists(
    st.one_of(st.sampled_from(HOSTILE), st.text(_any, max_size=12), st.sampled_from("=+-@\t\r\n\x1b;,'\"<>&|\u202e")),
    max_size=6,
).map("".join)
