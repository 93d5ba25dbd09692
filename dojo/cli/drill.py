"""`dojo drill`: one kata against the clock, and when it is due again."""

from __future__ import annotations

import contextlib
import json
import random as random_numbers
import textwrap
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from dojo import practice
from dojo.catalog import Catalog, Kata
from dojo.cli.drill_desk import Desk, Outcome, failure, verdict
from dojo.cli.drill_history import show_history, when
from dojo.cli.drill_screen import Screen, clock, columns
from dojo.cli.keyboard import END, Keys, interrupted_by_the_system, keys, live
from dojo.cli.laid_out import markdown
from dojo.cli.terminal import GREEN, RED, USAGE, catalog, console, fail, marks, place, say, typed
from dojo.practice import drill as drills
from dojo.practice.drill import Drill, Ending
from dojo.practice.runs import Runs, run_once
from dojo.practice.schedule import Rating, cards, choose

if TYPE_CHECKING:
    from dojo.runner import RunResult

LONGEST_MINUTES = 1440
REASONS = {
    "due": "it is due",
    "solved": "you have solved it, and not drilled it yet",
    "new": "the next one",
    "ahead": "nothing is due; this one will be first",
}


def drill(
    kata: Annotated[str | None, typer.Option(metavar="NAME", help="Which kata. Default: see above.")] = None,
    track: Annotated[str | None, typer.Option(metavar="T", help="Choose from this track only.")] = None,
    random: Annotated[bool, typer.Option("--random", help="Choose by lot.")] = False,
    seed: Annotated[int | None, typer.Option(metavar="N", help="Repeat a lot that --random has drawn.")] = None,
    minutes: Annotated[
        float | None, typer.Option(metavar="M", help="The limit, such as 25 or 0.5. Default: the kata's own minutes.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the unfinished drill.")] = False,
    abandon: Annotated[bool, typer.Option("--abandon", help="End the unfinished drill as given up.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Test the drill's file once and report, for editors.")] = False,
    history: Annotated[bool, typer.Option("--history", help="Past drills, and what is due when.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="With --check or --history: one JSON document.")] = False,
) -> None:
    """Build a kata once more, from a fresh stub and against the clock.

    Without --kata: what is due, else a kata that you have solved and not drilled, else the next new one.
    The file is in .dojo/drills/; yours in katas/ stays as it is. Each save is tested. Time counts only
    while the drill runs: q, Ctrl-C or a closed terminal pause it. Without a terminal, --check starts a
    drill too; between two checks the clock goes on, for 15 minutes at most.

    \b
    How it went decides when the kata is due again (FSRS):
      again   not green in time, or given up
      hard    green, but over the kata's minutes or the limit, or with two hints or more
      good    green in time, with one hint at most
      easy    green in less than half the time, without a hint
    The time is the kata's minutes, or the limit if that is shorter.

    \b
    Example:
      dojo drill
      dojo drill --kata rate_limiter --minutes 25
      dojo drill --history
    """
    if sum((resume, abandon, check, history)) > 1:
        fail("Use one of --resume, --abandon, --check and --history.", USAGE)
    if as_json and not (check or history):
        fail("--json goes with --check or --history.", USAGE)
    if resume and minutes is not None:
        fail(
            "--minutes is for a new drill; an unfinished one keeps its limit. Use one or the other:\n"
            f"  go on with its limit    {typed('dojo')} drill --resume\n"
            f"  give it up, then anew   {typed('dojo')} drill --abandon",
            USAGE,
        )
    modes = (("--resume", resume), ("--abandon", abandon), ("--history", history))
    new_ones = (
        ("--track", track is not None),
        ("--random", random),
        ("--seed", seed is not None),
        ("--minutes", minutes is not None),
    )
    for mode in (name for name, given in modes if given):
        for option in (name for name, given in new_ones if given):
            fail(f"{option} is for a new drill and means nothing to {mode}. Leave out one of the two.", USAGE)
    if minutes is not None and not 0 < minutes <= LONGEST_MINUTES:
        fail(f"--minutes is more than 0 and at most {LONGEST_MINUTES}.", USAGE)
    found = catalog()
    if history:
        show_history(found, as_json)
        return
    if check and (running := _running(found)) is not None:
        _check_beside(found, running, as_json)
    with _alone(found), practice.history(found.root) as past:
        open_one = drills.unfinished(found.root)
        if open_one is None and (resume or abandon):
            fail(f"No drill is unfinished. Start one: {typed('dojo')} drill", USAGE)
        if open_one is not None:
            chosen = _kata_of(found, open_one)
            other = kata is not None and found.find(kata) != chosen
            if not (resume or abandon or check) or other:
                _refuse(open_one)
            if abandon:
                _finish(chosen, open_one, past, "gave-up", None, None)
                raise typer.Exit(RED)
        else:
            chosen = _choose(found, past, kata, track, random, seed, quiet=check and as_json)
            limit = (chosen.minutes if minutes is None else minutes) * 60
            open_one = drills.begin(chosen, limit)
        if check:
            _check(chosen, open_one, past, as_json)
        _sit(chosen, open_one, past)


@contextlib.contextmanager
def _alone(found: Catalog) -> Iterator[None]:
    try:
        with drills.alone(found.root):
            yield
    except drills.Busy:
        running = drills.unfinished(found.root)
        which = f"A drill of {running.kata}" if running is not None else "A drill"
        fail(f"{which} is going on in another terminal. Work there, or pause it there with q.", USAGE)


def _running(found: Catalog) -> Drill | None:
    """The drill that another process is at, if one is."""
    try:
        with drills.alone(found.root):
            return None
    except drills.Busy:
        return drills.unfinished(found.root)


def _kata_of(found: Catalog, open_one: Drill) -> Kata:
    chosen = found.get(open_one.kata)
    if chosen is None:
        place_of = place(open_one.directory)
        fail(f"The unfinished drill is of {open_one.kata}, which is no kata here. Move {place_of} away.", USAGE)
    return chosen


def _refuse(open_one: Drill) -> NoReturn:
    dojo = typed("dojo")
    fail(
        f"A drill of {open_one.kata} is unfinished, {clock(open_one.left_seconds)} left:\n"
        f"  go on      {dojo} drill --resume\n"
        f"  give it up {dojo} drill --abandon",
        USAGE,
    )


def _choose(
    found: Catalog,
    past: practice.History,
    query: str | None,
    track: str | None,
    random: bool,
    seed: int | None,
    *,
    quiet: bool,
) -> Kata:
    if query is not None:
        if track is not None or random or seed is not None:
            fail("--kata says which one; --track, --random and --seed choose. Use one or the other.", USAGE)
        return found.find(query)
    listed = [kata for kata in found if kata.resettable and kata.test_file.is_file()]
    if track is not None:
        if track not in found.tracks:
            fail(f"no track is called {track!r}. There are: {', '.join(found.tracks)}.", USAGE)
        listed = [kata for kata in listed if kata.track == track]
    if not listed:
        fail(f"There is no complete kata to drill. `{typed('dojo')} doctor` says what is missing.", USAGE)
    if random or seed is not None:
        drawn = random_numbers.SystemRandom().randrange(1_000_000) if seed is None else seed
        chosen = random_numbers.Random(drawn).choice(listed)
        if not quiet:
            say(f"By lot, again with --seed {drawn}.")
        return chosen
    events = past.events()
    solved = [name for name, one in practice.progress_of(events).items() if one.solved_at is not None]
    choice = choose(listed, cards(events, "drill"), solved, datetime.now().astimezone())
    assert choice is not None  # there are katas to choose from
    if not quiet:
        say(f"{choice.kata.name}: {REASONS[choice.reason]}.")
    return choice.kata


def _sit(kata: Kata, begun: Drill, past: practice.History) -> None:
    """Show what to build, then count down."""
    screen = Screen(live())
    _brief(kata, begun)
    begun = drills.attended(begun, datetime.now(UTC))
    outcome: Outcome = "paused"
    with interrupted_by_the_system(), keys() as keyboard, Runs(kata) as runs:
        desk = Desk(kata, begun, past, runs, keyboard, screen)
        try:
            outcome = desk.work()
        except KeyboardInterrupt:
            outcome = "paused"
        if outcome == "paused":
            with contextlib.suppress(OSError):  # the terminal may be what was closed
                say(f"Paused, {clock(desk.drill.left_seconds)} left. Go on: {typed('dojo')} drill --resume")
            raise typer.Exit(RED)
        with contextlib.suppress(KeyboardInterrupt):  # it is on record; the questions are a gift
            _finish(kata, desk.drill, past, outcome, desk.result, keyboard if screen.live else None)
    raise typer.Exit(GREEN if outcome == "green" else RED)


def _brief(kata: Kata, begun: Drill) -> None:
    say(f"\n{kata.title}", style="bold")
    say(f"{kata.id}, {clock(begun.left_seconds)} of {clock(begun.limit_seconds)} minutes\n")
    out = console()
    out.print(f"  read   {place(kata.readme)}")
    out.print(f"  edit   {place(begun.file)}")
    if live():
        out.print("  hints  press h: each one counts\n")
    else:
        out.print(f"  hints  {place(kata.hints)}\n")


def _finish(
    kata: Kata, ended: Drill, past: practice.History, ending: Ending, result: RunResult | None, keyboard: Keys | None
) -> None:
    """Record how it ended, then show that, and ask the follow-up questions."""
    ended, rating = drills.end(ended, past, kata, ending)
    due = cards(past.events(kata.name, "drill"), "drill")[kata.name].due
    if ending == "green":
        say(f"\nGreen in {clock(ended.used_seconds)} of {clock(ended.limit_seconds)}, {_hints(ended)}.", "bold green")
    else:
        said = "Time is up" if ending == "time-up" else f"Given up after {clock(ended.used_seconds)}"
        kept = f"{ended.kept} of {ended.rules} rules held" if ended.rules else "nothing was tested"
        say(f"\n{said}: {kept}, {_hints(ended)}.", "bold red")
        if result is not None:
            _still_red(result)
    _next(kata, ended, rating, due)
    if keyboard is not None:
        _questions(kata, keyboard)
    elif ending == "green":
        say(f"  go further         {typed('dojo')} further {kata.name}")


def _hints(one: Drill) -> str:
    return f"{one.hints or 'no'} hint{'' if one.hints == 1 else 's'}"


def _still_red(result: RunResult) -> None:
    from dojo.runner import rules

    for rule in rules(result):
        if rule.outcome != "passed":
            say(f"  {marks()[rule.outcome]} {rule.number:>2}  {rule.sentence}", "red")
    say(f"\n{failure(result)}")


def _next(kata: Kata, ended: Drill, rating: Rating, due: datetime) -> None:
    say(f"\nRated {rating}; due again {when(due)}.\n")
    say(f"  what you wrote     {place(ended.file)}")
    if ended.ended != "green":
        say(f"  without the clock  {typed('dojo')} test {kata.name}")


def _questions(kata: Kata, keyboard: Keys) -> None:
    try:
        questions = practice.read_questions(kata)
    except practice.PracticeError:
        return
    say("\nFollow-up questions. Answer aloud; any key shows the answer, q ends.", "bold")
    for question in questions:
        asked = f"{question.number} of {len(questions)}  {question.text}"
        say(f"\n{textwrap.fill(asked, min(columns(), 100))}\n", "bold")
        while (key := keyboard.read(1.0)) is None:
            pass
        if key in ("q", END):
            return
        markdown(question.answer)


def _check_beside(found: Catalog, running: Drill, as_json: bool) -> None:
    """Test the file of a drill that another process keeps the time of."""
    text, result = _tested(_kata_of(found, running), running)
    with practice.history(found.root) as past:
        drills.record_run(running, past, text, result.status, *_kept(result))
    _report(running, result, None, None, as_json)


def _check(kata: Kata, open_one: Drill, past: practice.History, as_json: bool) -> None:
    """Test the drill's file once; that may end the drill."""
    open_one = drills.looked_at(open_one, datetime.now(UTC))
    drills.keep(open_one)
    text, result = _tested(kata, open_one)
    open_one = drills.attempted(open_one, past, text, result.status, *_kept(result))
    ending: Ending | None = None
    if result.green:
        ending = "green"
    elif open_one.used_seconds >= open_one.limit_seconds:
        ending = "time-up"
    rating = None
    if ending is not None:
        open_one, rating = drills.end(open_one, past, kata, ending)
    _report(open_one, result, ending, rating, as_json)


def _tested(kata: Kata, open_one: Drill) -> tuple[bytes, RunResult]:
    try:
        text = open_one.file.read_bytes()
    except OSError as error:
        fail(f"{place(open_one.file)} cannot be read: {error.strerror}. Bring it back, or use --abandon.", USAGE)
    return text, run_once(kata, open_one.file)


def _kept(result: RunResult) -> tuple[int, int]:
    from dojo.runner import rules

    held = rules(result)
    return sum(rule.outcome == "passed" for rule in held), len(held)


def _report(one: Drill, result: RunResult, ending: Ending | None, rating: Rating | None, as_json: bool) -> None:
    if as_json:
        say(json.dumps(_as_json(one, result, ending, rating), indent=2))
    else:
        say(f"{one.kata}  {verdict(result, one.left_seconds)}", "green" if result.green else "red")
        if result.green:
            say(f"  {place(one.file)}")
        else:
            say(f"  {place(one.file)}\n\n{failure(result)}")
        if ending is not None:
            said = "Green in" if ending == "green" else "Time is up after"
            say(f"\n{said} {clock(one.used_seconds)} of {clock(one.limit_seconds)}. Rated {rating}.")
    raise typer.Exit(GREEN if result.green else RED)


def _as_json(one: Drill, result: RunResult, ending: Ending | None, rating: Rating | None) -> dict[str, Any]:
    return {
        "drill": {
            "kata": one.kata,
            "file": str(one.file),
            "used_seconds": round(one.used_seconds, 1),
            "limit_seconds": one.limit_seconds,
            "left_seconds": round(one.left_seconds, 1),
            "hints": one.hints,
            "ended": ending,
            "rating": rating,
        },
        "run": result.to_json(),
    }
