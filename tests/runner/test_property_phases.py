"""A failing property is as quick to report as a passing one is to check."""

from __future__ import annotations

from hypothesis import Phase

import dojo.lab.properties  # noqa: F401 - loads the profile
from dojo.lab.properties import settings


def test_examples_are_shrunk_but_not_explained():
    assert set(settings.get_profile("dojo").phases) == {Phase.explicit, Phase.generate, Phase.shrink}
