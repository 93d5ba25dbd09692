"""What must be true of a run for a kata to be done: one function for each point of the gate.

Each takes a run's result and gives complaints, one sentence each, with the remedy; none means good.
"""

from __future__ import annotations

from dojo.author.declared import Alternative, Mutant
from dojo.runner import RunResult, TestResult

MIN_MUTANTS = 8
MIN_ALTERNATIVES = 2


def stub(result: RunResult) -> list[str]:
    """Every single test fails on the pristine stub."""
    if result.status in ("broken", "crashed", "timed-out"):
        return [f"the stub cannot be tested ({result.status}): {_first_line(result.detail)}"]
    return [
        f"stub: {test.name} passes on code that is not written yet; make it call what it checks."
        for test in result.tests
        if test.passed
    ]


def solution(result: RunResult) -> list[str]:
    """Every test passes on the solution."""
    if result.green:
        return []
    if result.status != "red":
        return [f"solution: {result.status}: {_first_line(result.detail)}"]
    return [f"solution: {test.name} fails (rule {test.rule}): `dojo test --impl solutions`." for test in result.failed]


def mutant(declared: Mutant, result: RunResult) -> list[str]:
    """A test of the declared rule fails, with a verdict of the lab that names the declared trap."""
    name = f"mutant {declared.name}"
    if result.status in ("broken", "crashed", "timed-out"):
        return [f"{name}: {result.status} instead of failing a test: {_first_line(result.detail)}"]
    its_tests = [test for test in result.tests if test.rule == declared.rule]
    if not its_tests:
        return [f"{name}: declares rule {declared.rule}, which no test checks; correct its `Rule:`."]
    if killing(declared, result) is not None:
        return []
    failed = [test for test in its_tests if test.outcome == "failed"]
    if not failed:
        others = sorted({test.rule for test in result.failed if test.rule is not None})
        also = f" (it fails rules {', '.join(map(str, others))})" if others else ""
        return [f"{name}: survives rule {declared.rule}{also}; sharpen that rule's test or correct `Rule:`."]
    first = failed[0]
    if first.kind == "failure":
        return [f"{name}: {first.name} names the trap {first.trap}, not {declared.trap}; make them agree."]
    return [
        f"{name}: {first.name} ends with {first.kind}, not with a verdict that names {declared.trap}: {_reason(first)}"
    ]


def killing(declared: Mutant, result: RunResult) -> TestResult | None:
    """The first test that rejects the mutant as declared."""
    return next(
        (
            test
            for test in result.tests
            if test.rule == declared.rule
            and test.outcome == "failed"
            and test.kind == "failure"
            and test.trap == declared.trap
        ),
        None,
    )


def alternative(declared: Alternative, result: RunResult) -> list[str]:
    """Every test passes, but those of the rules that it is declared to break, which must fail."""
    name = f"alternative {declared.name}"
    if result.status in ("broken", "crashed", "timed-out"):
        return [f"{name}: {result.status}: {_first_line(result.detail)}"]
    found = [
        f"{name}: {test.name} rejects it (rule {test.rule}): the test is too strict, or it is wrong: {_reason(test)}"
        for test in result.failed
        if test.rule not in declared.breaks
    ]
    broken = {test.rule for test in result.failed}
    found += [
        f"{name}: declares that it breaks rule {rule}, yet it passes; correct its `Breaks:`."
        for rule in declared.breaks
        if rule not in broken
    ]
    return found


def _first_line(text: str) -> str:
    return next((line.strip() for line in text.splitlines() if line.strip()), "no reason given")


def _reason(test: TestResult) -> str:
    """The line of a failure's message that says what came, or its first line of substance."""
    lines = [line.strip() for line in test.message.splitlines() if line.strip()]
    marked = [line for line in lines if line.startswith(("got ", "raised ", "never finishes", "deadlock"))]
    rest = [line for line in lines if not line.startswith("Rule ")]
    return next(iter([*marked, *rest]), "no message")
