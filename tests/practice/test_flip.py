"""The learner's tests, judged: what kills, what is spared, and which tests prove nothing."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from dojo.catalog import Kata
from dojo.catalog import load as load_catalog
from dojo.flip import Flip, UnfitTests, Verdict, record, reveal, scaffold, score, start, survivors_seen
from dojo.practice import history
from dojo.runner import Limits, warm

from ..runner.sample import PROJECT, make_repository, write

README = """
    # Tally

    ## Contract

    - `await Tally(redis).vote(number=1)` counts that many and says how many there are now, in this line of some length.
    - A `\\n` in a name is no matter.

    ## Rules

    1. Each vote counts once.
    2. Servers that count at the same instant lose nothing.
    3. A number below 1 raises `ValueError`.

    ## Traps
"""
SOLUTION = '''
    """A tally."""

    class Tally:
        """Votes."""

        def __init__(self, redis):
            self.redis = redis

        async def vote(self, number=1):
            """Count."""
            if number < 1:
                raise ValueError(number)
            return await self.redis.incrby("tally", number)
'''
TESTS = '''
    import pytest
    from tally import Tally

    from dojo.lab import explore

    async def test_counts(lab):
        """Rule 1. Each vote counts once."""
        votes = [await Tally(lab.redis()).vote() for _ in range(2)]
        lab.expect("votes", votes, [1, 2], trap="off-by-one")

    @explore
    async def test_race(lab):
        """Rule 2. Servers that count at the same instant lose nothing."""
        a, b = (lab.process().Tally(lab.redis()) for _ in range(2))
        lab.expect("votes", sorted(await lab.race(a.vote(), b.vote())), [1, 2], trap="check-then-act")

    @pytest.mark.parametrize("number", [0, -1])
    async def test_nonsense(lab, number):
        """Rule 3. A number below 1 raises ValueError."""
        with lab.raises(ValueError, when="it is too small", trap="unchecked"):
            await Tally(lab.redis()).vote(number)
'''
IMPORT = "    from tally import Tally\n"


def declared(text: str, docstring: str) -> str:
    return textwrap.dedent(text).replace('"""A tally."""', f'"""{docstring}"""')


@pytest.fixture(scope="module", autouse=True)
def _warm() -> None:
    warm()


@pytest.fixture(scope="module")
def kata(tmp_path_factory: pytest.TempPathFactory) -> Kata:
    root = tmp_path_factory.mktemp("clone")
    kata = make_repository(root, tests=TESTS, solution=SOLUTION)
    write(kata.readme, README)
    shutil.copy(kata.solution, kata.stub)
    hash_of_votes = SOLUTION.replace('incrby("tally", number)', 'hincrby("votes", "all", number)')
    generous = SOLUTION.replace("number < 1", "number < -5")
    racy = SOLUTION.replace(
        'return await self.redis.incrby("tally", number)',
        'number += int(await self.redis.get("tally") or 0)\n'
        '            await self.redis.set("tally", number)\n'
        "            return number",
    )
    for directory, name, text, docstring in (
        (kata.alternatives, "hash_of_votes", hash_of_votes, "A hash.\n\nDesign: HINCRBY\nBreaks: none\n"),
        (
            kata.alternatives,
            "generous",
            generous,
            "Lenient.\n\nDesign: lenient\nBreaks: 3 because it takes a few back\n",
        ),
        (kata.mutants, "racy", racy, "GET, then SET.\n\nTrap: check-then-act\nRule: 2\n"),
        (
            kata.mutants,
            "twice",
            SOLUTION.replace(", number)", ", 2 * number)"),
            "Twice.\n\nTrap: off-by-one\nRule: 1\n",
        ),
        (kata.mutants, "any_number", SOLUTION.replace("number < 1", "False"), "Any.\n\nTrap: unchecked\nRule: 3\n"),
    ):
        write(directory / f"{name}.py", declared(text, docstring))
    return kata


@pytest.fixture
def judged(kata: Kata) -> Callable[[str], Flip]:
    def judge(tests: str, **options: Limits) -> Flip:
        write(kata.flip, tests)
        return score(kata, **options)

    return judge


def verdict(flip: Flip, name: str) -> Verdict:
    return next(test for test in flip.tests if test.name == name)


def killed(flip: Flip) -> dict[str, str | None]:
    return {mutant.name: by for mutant, by in flip.mutants}


def rejected_by(test: Verdict) -> list[str]:
    return [rejection.right.name for rejection in test.rejections]


def test_the_katas_own_tests_kill_all_and_spare_all(judged: Callable[[str], Flip]) -> None:
    flip = judged(TESTS)
    assert (flip.kills, len(flip.mutants)) == (3, 3)
    assert (flip.spared, len(flip.right)) == (3, 3)
    assert flip.perfect
    assert killed(flip) == {"racy": "test_race", "twice": "test_counts", "any_number": "test_nonsense[0]"}
    assert [mutant.rule for mutant, _ in flip.mutants] == [1, 2, 3]
    assert verdict(flip, "test_nonsense[0]").excused[0].right.name == "generous"
    assert not any(test.spares_stub for test in flip.tests)


def test_a_file_without_tests_kills_nothing_and_is_not_even_run(kata: Kata, monkeypatch: pytest.MonkeyPatch) -> None:
    kata.flip.unlink(missing_ok=True)
    assert start(kata) is None
    monkeypatch.setattr("dojo.runner.forked.fork", lambda: pytest.fail("nothing to run"))
    flip = score(kata)
    assert (flip.kills, flip.tests, flip.perfect) == (0, (), False)
    assert flip.spared == len(flip.right) == 3


def test_a_file_in_which_pytest_finds_no_test_kills_nothing(judged: Callable[[str], Flip]) -> None:
    flip = judged(IMPORT + "    def helper():\n        def test_inner(): ...\n")
    assert (flip.kills, flip.tests) == (0, ())


def test_tests_that_prove_nothing_are_named_and_their_kills_do_not_count(judged: Callable[[str], Flip]) -> None:
    flip = judged(
        IMPORT
        + '''
    seen = []

    async def test_counts(lab):
        """Rule 1. Each vote counts once."""
        seen.append(1)
        assert await Tally(lab.redis()).vote() == 1

    async def test_names_the_key(lab):
        """Rule 2. This also fails on the mutant of rule 2."""
        await Tally(lab.redis()).vote(3)
        commands = [key.decode() for key in lab.server.keys()]
        lab.expect("keys", commands, ["tally"], trap="odd-key")
        lab.expect("votes", (await lab.redis().get("tally")), b"3", trap="odd-key")

    async def test_always_fails(lab):
        assert False, "whatever comes"

    async def test_hangs_on_the_one_before(lab):
        assert seen, "nobody was here before"

    def test_of_nothing():
        assert 1 + 1 == 2
    '''
    )
    strict = verdict(flip, "test_names_the_key")
    assert rejected_by(strict) == ["hash_of_votes"]
    assert "expected  keys: ['tally']" in strict.rejections[0].message
    assert "got       keys: ['votes']" in strict.rejections[0].message
    assert "next      dojo flip tally" in strict.rejections[0].message

    always = verdict(flip, "test_always_fails")
    assert rejected_by(always) == ["reference", "generous", "hash_of_votes"]
    assert "whatever comes" in always.rejections[0].message

    flaky = verdict(flip, "test_hangs_on_the_one_before")
    assert flaky.flaky
    assert not flaky.counts
    assert "nobody was here before" in flaky.rejections[0].message

    assert verdict(flip, "test_of_nothing").spares_stub
    assert killed(flip) == {"racy": None, "twice": "test_counts", "any_number": None}
    assert (flip.spared, flip.perfect) == (0, False)


def test_what_an_alternative_may_break_is_no_rejection(judged: Callable[[str], Flip]) -> None:
    body = "\n        with pytest.raises(ValueError):\n            await Tally(lab.redis()).vote(0)\n"
    flip = judged(
        "    import pytest\n"
        + IMPORT
        + f'    async def test_rule_3(lab):\n        """Rule 3. Too small."""{body}'
        + f'    async def test_rule_1(lab):\n        """Rule 1. Mistaken."""{body}'
        + f"    async def test_no_rule(lab):{body}"
    )
    assert {test.name: rejected_by(test) for test in flip.tests} == {
        "test_rule_3": [],
        "test_rule_1": ["generous"],
        "test_no_rule": [],
    }
    assert killed(flip)["any_number"] == "test_rule_3"


def test_any_failure_kills_but_a_limit_of_the_lab_does_not(judged: Callable[[str], Flip]) -> None:
    flip = judged(
        "    import asyncio\n    import pytest\n"
        + IMPORT
        + '''
    async def test_asks_too_much_of_the_lab(lab):
        """Rule 1. On the mutant the lab cannot do what it asks, which says nothing of the mutant."""
        if await Tally(lab.redis()).vote() != 1:
            await lab.race(names=["nobody"])

    async def test_waits_for_ever(lab):
        """Rule 2. A deadlock on the mutant."""
        if await Tally(lab.redis()).vote() != 1:
            await asyncio.Event().wait()

    @pytest.fixture
    def careless(lab):
        return Tally

    async def test_raises(lab, careless):
        """Rule 3. An exception on the mutant."""
        try:
            1 / (await careless(lab.redis()).vote(-9))
        except ValueError:
            pass
        else:
            {}["a number"]
    '''
    )
    assert all(test.counts for test in flip.tests), [test for test in flip.tests if not test.counts]
    assert killed(flip) == {"racy": None, "twice": "test_waits_for_ever", "any_number": "test_raises"}


def test_any_way_of_importing_the_kata_will_do(judged: Callable[[str], Flip]) -> None:
    star = judged(
        "    from tally import *\n    async def test_it(lab):\n        assert await Tally(lab.redis()).vote() == 1\n"
    )
    module = judged(
        "    import tally\n    async def test_it(lab):\n        assert await tally.Tally(lab.redis()).vote() == 1\n"
    )
    assert [killed(flip)["twice"] for flip in (star, module)] == ["test_it", "test_it"]


def test_a_test_that_never_ends_does_not_hide_the_others(judged: Callable[[str], Flip]) -> None:
    flip = judged(
        IMPORT
        + """
    def test_endless():
        while True:
            pass

    async def test_counts(lab):
        assert await Tally(lab.redis()).vote() == 1
    """,
        limits=Limits(wall_seconds=20, cpu_seconds=1),
    )
    endless = verdict(flip, "test_endless")
    assert rejected_by(endless) == ["reference"]
    assert "it never ends" in endless.rejections[0].message
    assert killed(flip)["twice"] == "test_counts"


UNFIT = {
    "syntax": ("def test_x(:\n", "test_tally.py line 1: SyntaxError: invalid syntax\n    def test_x(:"),
    "private": ("from tally import (\n    Tally,\n    _secret,\n)\ndef test_x(): ...\n", "test_tally.py line 3: tally"),
    "name": ("def test_x(): ...\n\nnonsense()\n", "test_tally.py line 3: NameError: name 'nonsense' is not defined"),
    "import": ("import no_such_thing\ndef test_x(): ...\n", "test_tally.py line 1: ModuleNotFoundError: No module"),
}


@pytest.mark.parametrize("case", UNFIT)
def test_a_file_that_cannot_be_run_is_one_message_with_the_line(kata: Kata, case: str) -> None:
    source, message = UNFIT[case]
    kata.flip.parent.mkdir(parents=True, exist_ok=True)
    kata.flip.write_text(source, encoding="utf-8")
    with pytest.raises(UnfitTests) as raised:
        score(kata)
    assert str(raised.value).startswith(message)
    assert len(str(raised.value).splitlines()) <= 2


def test_the_scaffold_holds_the_contract_and_no_test(kata: Kata) -> None:
    text = scaffold(kata)
    compile(text, "scaffold", "exec", dont_inherit=True)
    assert text.startswith('r"""Your tests of tally: Tally.\n\n- `await Tally(redis).vote(number=1)` counts')
    assert "from tally import Tally\n" in text
    assert "#  2. Servers that count at the same instant lose nothing.\n" in text
    assert not [line for line in text.splitlines() if line.startswith(("def ", "async def ", "@"))]
    assert "test_counts" not in text


def test_starting_afresh_keeps_what_was_written(kata: Kata) -> None:
    write(kata.flip, "mine = 1\n")
    assert start(kata) is None
    assert kata.flip.read_text() == "mine = 1\n", "never overwritten unasked"
    backup = start(kata, fresh=True)
    assert backup is not None
    assert backup.is_relative_to(kata.root / ".dojo" / "backups" / "tally")
    assert backup.read_text() == "mine = 1\n"
    assert kata.flip.read_text() == scaffold(kata)
    assert start(kata, fresh=True) is None, "nothing of the learner's was there"


def test_a_flip_is_remembered_with_its_survivors(kata: Kata, judged: Callable[[str], Flip], tmp_path: Path) -> None:
    flip = judged(IMPORT + "    async def test_counts(lab):\n        assert await Tally(lab.redis()).vote() == 1\n")
    with history(tmp_path) as past:
        assert survivors_seen(past, kata) is None
        record(past, flip)
        [event] = past.events("tally", "flip")
        assert {key: event.data[key] for key in ("kills", "mutants", "spared", "right", "tests", "sha256")} == {
            "kills": 1,
            "mutants": 3,
            "spared": 3,
            "right": 3,
            "tests": 1,
            "sha256": flip.sha256,
        }
        assert survivors_seen(past, kata) == ("racy", "any_number")
        write(kata.flip, "changed = 1\n")
        assert survivors_seen(past, kata) is None


def test_a_survivor_is_shown_beside_the_right_solution_that_is_nearest(kata: Kata) -> None:
    flip_mutants = {path.stem: path for path in kata.mutants.glob("*.py")}
    from dojo.author.declared import mutant

    shown = reveal(kata, mutant(flip_mutants["twice"]))
    assert shown.docstring == "Twice."
    assert shown.beside == kata.solution
    changed = [line for line in shown.diff if line.startswith(("-", "+")) and not line.startswith(("---", "+++"))]
    assert [line[0] + line[1:].strip() for line in changed] == [
        '-return await self.redis.incrby("tally", number)',
        '+return await self.redis.incrby("tally", 2 * number)',
    ]


def test_a_real_katas_own_tests_score_full_marks(tmp_path: Path) -> None:
    """The real solutions, mutants and alternatives; the flip lies in a copy, so that no learner's is touched."""
    real = load_catalog(PROJECT).find("backoff_schedule")
    for name in ("katas", "solutions", "tests", "conftest.py", "pyproject.toml"):
        (tmp_path / name).symlink_to(PROJECT / name)
    copy = load_catalog(tmp_path).find(real.name)
    copy.flip.parent.mkdir(parents=True)
    shutil.copy(real.test_file, copy.flip)
    flip = score(copy)
    assert flip.perfect, ([mutant.name for mutant in flip.survivors], flip.rejected)
    assert flip.kills == len(list(real.mutants.glob("*.py")))
