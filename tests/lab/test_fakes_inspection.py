"""What a fake tells the tests it does not tell the tested file, which asks it as it would ask the real thing."""

from __future__ import annotations

import sys

import pytest

from dojo.lab.explore import Experiment, conduct
from dojo.lab.modules import Learner
from dojo.lab.servers import FakeBackend

SOURCE = """
def call(fake, name, *args):
    found = getattr(fake, name)
    return found(*args) if callable(found) else found
"""


@pytest.fixture
def told(tmp_path, monkeypatch):
    """Conducts a test function that knows a learner's module as `mine`; the error that it ended with."""
    file = tmp_path / "mine.py"
    file.write_text(SOURCE)
    learner = Learner("mine", file)
    monkeypatch.setitem(sys.modules, "mine", learner.load())

    def run(test):
        session = conduct(Experiment(test, {"mine": sys.modules["mine"]}, FakeBackend(), learner))
        return session.failed and session.failed.error

    return run


def test_the_tested_file_is_refused_what_the_real_thing_has_not(told):
    def asks(lab, mine):
        gateway, database, broker = lab.gateway_sync(), lab.database_sync(), lab.broker()
        asked = (
            *((gateway, "ledger"), (gateway, "decline_next"), (database, "rows", "orders")),
            *(
                (broker, "messages", "jobs"),
                (broker, "held", "jobs"),
                (broker, "places", "jobs"),
                (broker, "outage", "jobs"),
            ),
        )
        for fake, *question in asked:
            with pytest.raises(AttributeError, match="for tests alone"):
                mine.call(fake, *question)
        assert mine.call(gateway, "charge", "order-7", 1999)["id"] == "ch_1"
        assert mine.call(broker, "get", "jobs") is None
        assert [charge.reference for charge in gateway.ledger] == ["order-7"]
        assert database.rows("orders") == broker.places("jobs") == {}

    assert told(asks) is None
