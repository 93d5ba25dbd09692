"""Marks itself to be skipped, as a test module might.

Kata: backoff_schedule
Attack: Defines pytestmark, pytest_plugins, __test__ and collect_ignore in the module under test.
Status: failed
Points: 1
"""

import pytest

pytestmark = [pytest.mark.skip, pytest.mark.xfail(strict=False)]
pytest_plugins = ["redteam_there_is_no_such_plugin"]
__test__ = False
collect_ignore_glob = ["*"]


@pytest.mark.skip
def delay(retry, **options):
    return 0.0


@pytest.mark.xfail
class Backoff:
    pass
