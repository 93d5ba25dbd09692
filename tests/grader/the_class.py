"""Reports for the tests of the book: one of a whole class, and one of a student whose every text is hostile."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

from dojo.grader.model import KataGrade, KataStatus, Report, StudentGrade, TestGrade, TestVerdict, Verdict

KATAS = ("token_bucket", "idempotent_consumer", "retry_with_backoff", "circuit_breaker", "lru_cache", "outbox_relay")

RULES = (
    "A full bucket lets a burst of its capacity through, and no more.",
    "A message that is delivered twice changes the balance once.",
    "The wait between tries grows, and is never longer than the limit.",
    "No two callers are let through by one token.",
    "After an error the lock is free.",
)

MESSAGE = """Expected the second call to wait 1.0 s, but it was let through at once.

  virtual time   task-1          task-2
  0.000 s        acquire -> ok
  0.000 s                        acquire -> ok      <- here
  1.000 s        refill

E   AssertionError: assert 2 == 1
"""

HOSTILE = (
    "</script><script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "]]><evil/>",
    '=HYPERLINK("http://evil","x")',
    "\x1b[31mred\x1b[0m\x1b]0;title\x07\x9b2J",
    "\u202egrade 100\u202c \u2066x\u2069",
    "half \ud83d of a pair \x00\x0b\ufffe\uffff",
    "::set-output name=grade::100\n##[group]x",
    "../../etc/passwd\r\nX: y",
    "[bold]markup[/bold] [link=http://evil]x[/link]",
    "",
)


def a_test(name: str = "test_burst", status: Any = "failed", message: str = "", **more: Any) -> TestVerdict:
    return TestVerdict(name, more.pop("rule", 1), more.pop("text", RULES[0]), status, message, **more)


def graded(
    kata: str, *tests: TestVerdict, status: KataStatus | None = None, weight: float = 1.0, **more: Any
) -> KataGrade:
    """A kata whose tests are worth the same."""
    passed = all(test.status == "passed" for test in tests)
    verdict = Verdict(kata, status or ("passed" if passed else "failed"), tests=tests, **more)
    grades = tuple(TestGrade(test, weight * (test.status == "passed"), weight) for test in tests)
    return KataGrade(verdict, sum(grade.points for grade in grades), weight * max(len(tests), 1), grades)


def a_student(name: str, *katas: KataGrade, **more: Any) -> StudentGrade:
    counted = [kata for kata in katas if kata.verdict.status != "ungraded"]
    return StudentGrade(
        name,
        more.pop("roster_id", ""),
        more.pop("origin", name),
        sum(kata.points for kata in counted),
        sum(kata.max for kata in counted),
        more.pop("flags", ()),
        more.pop("notes", ()),
        katas,
    )


def a_report(*students: StudentGrade, **more: Any) -> Report:
    katas = tuple(kata.verdict.kata for kata in students[0].katas) if students else ()
    given = {"title": "Reliability, week 3", "tier": "namespaces", "not_enforced": (), "katas": katas, **more}
    return Report(students=students, **given)


def everything(text: str, **more: Any) -> Report:
    """One student, with a failing and a hidden test, every text of whom is `text`."""
    tests = (
        a_test(text, "failed", text, text=text, trap=text),
        a_test(text, "timed-out", text, text=text, hidden=True),
        a_test("test_fine", "passed"),
    )
    katas = (
        graded("token_bucket", *tests, message=text, flags=(text,)),
        graded("lru_cache", status="refused", message=text),
        graded("outbox_relay", status="ungraded", message=text),
    )
    student = a_student(text, *katas, roster_id=text, origin=text, flags=(text, text), notes=(text,))
    return a_report(student, title=text, not_enforced=(text,), **more)


def a_class(students: int = 100, katas: int = 6, seed: int = 1) -> Report:
    """A class as it might be, the same each time."""
    luck = random.Random(seed)
    first = ("Ada", "Björn", "Chloé", "Đặng", "Емеля", "Fatima", "Giuseppe", "花子", "Íñigo", "Jean-Luc", "محمد")
    last = ("Lovelace", "Åkesson", "O'Neill", "Nguyễn", "von und zu Hohenstein-Waldburg", "Li", "Ραφαήλ", "Smith")
    return a_report(
        *(
            _somebody(f"{luck.choice(first)} {luck.choice(last)} {place}", place, katas, luck)
            for place in range(1, students + 1)
        ),
        not_enforced=("Memory of a process group: this kernel has no cgroups for us.", "Number of processes"),
    )


def _somebody(name: str, place: int, katas: int, luck: random.Random) -> StudentGrade:
    skill = luck.uniform(0.4, 1)
    work = [_work(KATAS[number % len(KATAS)], number, luck, skill) for number in range(katas)]
    if katas > len(KATAS):
        work = [
            replace(each, verdict=replace(each.verdict, kata=f"{each.verdict.kata}_{number}"))
            for number, each in enumerate(work)
        ]
    flags = tuple(
        f"{KATAS[number]}: reads os.environ in line {number + 3}" for number in range(luck.choice([0] * 9 + [1, 5]))
    )
    notes = ("conftest.py was not used.",) if luck.random() < 0.1 else ()
    return a_student(name, *work, roster_id=f"s{place:04}", flags=flags, notes=notes)


def _work(kata: str, number: int, luck: random.Random, skill: float) -> KataGrade:
    chance = luck.random()
    if chance < 0.04:
        return graded(kata, status="missing", message=f"There is no {kata}.py.", weight=10)
    if chance < 0.06:
        return graded(kata, status="refused", message="The file is not UTF-8: byte 0xff in line 3.", weight=10)
    if chance < 0.07:
        return graded(kata, status="ungraded", message="The grader ran out of disk space.", weight=10)
    tests = []
    for nth, rule in enumerate(RULES):
        good = luck.random() < skill - 0.3 * (nth == number % 5)
        status = "passed" if good else luck.choice(["failed"] * 5 + ["timed-out", "error"])
        name = "_".join(["test", *rule.lower().split()[1:3]])
        message = "" if good else MESSAGE
        tests.append(a_test(name, status, message, rule=nth + 1, text=rule, hidden=nth == 4))
    kata_grade = graded(kata, *tests, weight=2, wall_seconds=luck.uniform(0.3, 2), cpu_seconds=0.3)
    if kata_grade.points == 0:
        statuses = {test.status for test in tests}
        if statuses <= {"timed-out", "error"}:
            return replace(kata_grade, verdict=replace(kata_grade.verdict, status="timed-out"))
    return kata_grade
