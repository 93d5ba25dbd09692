"""The gate: what makes a kata's tests good, proved for every kata in the syllabus.

Each kata's tests reject the stub, accept the solution in any order and under any hash seed, reject every
mutant by the rule and the trap that it declares, spare every alternative, notice nearly every small fault
in the solution, and say the same words in each run. `dojo author check` prints the same as a table.

What stands in the learner's own files has no influence on any of this.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from dojo.author import brief, declared, golden, verdicts
from dojo.author.gate import score_complaints
from dojo.catalog import load
from dojo.runner import RunResult, TestResult

KATAS = load(Path(__file__).parents[1]).katas

each_kata = pytest.mark.parametrize("kata", KATAS, ids=lambda kata: kata.name)


def each_file(directory: str) -> pytest.MarkDecorator:
    """One test for each kata and each file of one of its directories, named after both."""
    files = [(kata, path) for kata in KATAS for path in declared.files(getattr(kata, directory))]
    return pytest.mark.parametrize(("kata", "path"), files, ids=[f"{kata.name}-{path.stem}" for kata, path in files])


# 0. The parts


@each_kata
def test_every_part_is_there(kata):
    # Not the stub: that file is the learner's, and can be derived.
    missing = [path for path in kata.missing() if kata.root / path != kata.stub]
    assert not missing, f"write {', '.join(map(str, missing))}"


@each_kata
def test_readme_hints_and_tests_agree(kata):
    traps = tuple(declared.mutant(path).trap for path in declared.files(kata.mutants))
    assert brief.complaints(kata, traps) == []


# 1. The stub


@each_kata
def test_every_test_fails_on_the_stub(evidence, kata):
    assert verdicts.stub(evidence.checked[kata.name].stub) == []


# 2. The solution


@each_kata
def test_the_solution_passes(evidence, kata):
    assert verdicts.solution(evidence.checked[kata.name].solution) == []


@each_kata
def test_the_solution_passes_in_any_order_and_on_a_real_server(evidence, kata):
    assert verdicts.solution(evidence.elsewhere[kata.name]) == []


# 3. Mutants


@each_file("mutants")
def test_the_mutant_dies_by_its_rule_and_trap(evidence, kata, path):
    found = {mutant.name: (mutant, result) for mutant, result in evidence.checked[kata.name].mutants}
    assert path.stem in found, evidence.checked[kata.name].complaints
    assert verdicts.mutant(*found[path.stem]) == []


@each_kata
def test_there_are_enough_mutants(kata):
    assert len(declared.files(kata.mutants)) >= verdicts.MIN_MUTANTS


# 4. Alternatives


@each_file("alternatives")
def test_the_alternative_is_spared(evidence, kata, path):
    found = {other.name: (other, result) for other, result in evidence.checked[kata.name].alternatives}
    assert path.stem in found, evidence.checked[kata.name].complaints
    assert verdicts.alternative(*found[path.stem]) == []


@each_kata
def test_there_are_enough_alternatives(kata):
    assert len(declared.files(kata.alternatives)) >= verdicts.MIN_ALTERNATIVES


# 5. The mutation score


@each_kata
def test_small_faults_are_noticed(evidence, kata):
    score = evidence.checked[kata.name].score
    assert score is not None, evidence.checked[kata.name].complaints
    assert score_complaints(score) == [], [survivor.mutation.id for survivor in score.unexplained]


# 6. No luck


@each_kata
def test_another_interpreter_gives_the_same_results(evidence, kata):
    # Another hash seed, another order, other addresses, another process number, another server.
    here, there = evidence.checked[kata.name].solution, evidence.elsewhere[kata.name]
    assert timeless(here) == timeless(there)
    assert here.output == there.output == ""


def timeless(result: RunResult) -> list[TestResult]:
    return sorted((replace(test, seconds=0.0) for test in result.tests), key=lambda test: test.name)


# 7. Messages


@each_file("mutants")
def test_the_message_is_the_golden_one(evidence, kata, path):
    found = [(mutant, result) for mutant, result in evidence.checked[kata.name].mutants if mutant.name == path.stem]
    messages = golden.messages(kata, found)
    assert messages, f"{path.stem} does not die as it declares, so there is no message to keep"
    assert golden.complaints(messages[0]) == []


@each_kata
def test_no_golden_message_is_left_over(kata):
    mutants = [declared.mutant(path) for path in declared.files(kata.mutants)]
    assert golden.orphans(kata, mutants) == ()
