"""A leaderboard in Redis: best scores, fair ties, honest ranks, and one board at a time."""

import itertools
from fractions import Fraction

import pytest
import redis
from leaderboard import Leaderboard

from dojo.lab import explore, sweep
from dojo.lab.properties import example, given, settings, st

DAY = 86_400
FIELDS = "player score position rank dense_rank"
ERRORS = [redis.ConnectionError("refused"), redis.TimeoutError("timed out"), redis.ResponseError("READONLY replica")]
EXACT = [1e300, 9007199254740991.0, 9007199254740990.0, 1700000000.25, 0.30000000000000004, 0.3, 5e-324, 0.0, -5e-324]
EXACT += [-0.1, -0.5, -1.0, -1.5, -9007199254740990.0, -9007199254740991.0, -1e300]
NAMES = ["ann", "Ann", " ann", "ann ", "ann:1", "ann:01", "ann\n", "ann\0", "{ann}", "", "*", ":", "1", "01", "None"]
NAMES += ["b'ann'", "%3A", "Zoë", "Zoé", "Zoe\u0308", "a" * 5000, "a" * 5001, "plumless", "buckeroo", "0:ann", '"']
PLAYERS, SIZES = st.sampled_from(["ann", "bob", "Cy", "dan", "eve"]), st.integers(0, 5)
SUBMITS = st.lists(st.tuples(PLAYERS, st.sampled_from([-2.5, -1, 0, 1, 2])), max_size=14)
STORY = [("bob", 1), ("ann", 1), ("Cy", 2), ("dan", 0), ("bob", 1), ("eve", -1), ("dan", 1), ("Cy", 0), ("ann", 2)]
# Who starts with what, what two servers submit at once, and the trap if both of them are not to be found afterwards.
RACES = (
    ("ann: 10", "ann: 20", "ann: 30", "check-then-act"),
    ("zed: 1", "ann: 20", "ann: 20", "check-then-act"),
    ("zed: 1", "ann: 20", "bob: 20", "check-then-act"),
    ("ann: 10, bob: 10, cyd: 5", "ann: 30", "bob: 20", "stale-level"),
    ("ann: 10, bob: 5, cyd: 1", "ann: 30", "bob: 10", "stale-level"),
)


def season(lab, make=None, name="season"):
    """The board "season", with a client of its own; `make` is the class as another process has loaded it."""
    return (make or Leaderboard)(lab.redis(), name)


def servers(lab, count):
    """The board "season" on so many servers."""
    return [season(lab, lab.process().Leaderboard) for _ in range(count)]


def pairs(text):
    """The text "ann: 3, bob: 1.5" as a list of players and scores."""
    return [(player, float(score)) for player, score in (part.split(": ") for part in text.split(", "))]


async def submitted(board, scores):
    """Submit one after the other, pairs or such a text; the answers."""
    return [await board.submit(*pair) for pair in (pairs(scores) if isinstance(scores, str) else scores)]


def ranked(history):
    """The board after `history` in its plainest form: the rules, for one caller and in memory."""
    bests = {}
    for player, score in history:
        if player not in bests or score > bests[player]:
            bests.pop(player, None)  # whoever improves comes last among those who were there before
            bests[player] = float(score)
    scores = sorted(bests.values(), reverse=True)
    levels = sorted(set(scores), reverse=True)
    ordered = sorted(bests.items(), key=lambda best: -best[1])  # sorting is stable
    return [(p, s, at, 1 + scores.index(s), 1 + levels.index(s)) for at, (p, s) in enumerate(ordered, 1)]


def lines(lab, page, fields=FIELDS, *, trap):
    """A page as tuples of these fields, or as the values of one field, in Python's own types."""
    got = [tuple(getattr(entry, field) for field in fields.split()) for entry in page]
    return lab.plain("the page", got if " " in fields else [value for (value,) in got], trap=trap)


def expect_page(lab, what, page, due, fields=FIELDS, *, trap):
    lab.expect(f"{what} ({fields.replace(' ', ', ')})", lines(lab, page, fields, trap=trap), due, trap=trap)


def brief(board):
    """Lines as "player score #position (rank, dense rank)"."""
    return ", ".join(f"{player} {score:g} #{at} ({rank}, {dense})" for player, score, at, rank, dense in board)


async def test_the_highest_score_is_first(lab):
    """Rule 1. The highest score comes first, and positions count from 1, on every server."""
    lab.scenario("ann 300, bob 1000, cyd 45.5, dan 20, submitted on server A, read on server B; then eve 500")
    a, b = servers(lab, 2)
    with lab.no_error(expected="submit takes the player first", trap="swapped-arguments"):
        await submitted(a, "ann: 300, bob: 1000, cyd: 45.5, dan: 20")
    due = [("bob", 1000.0, 1), ("ann", 300.0, 2), ("cyd", 45.5, 3)]
    expect_page(lab, "top(3)", await b.top(3), due, "player score position", trap="lowest-first")
    await a.submit("eve", 500)
    expect_page(lab, "top(3), later", await b.top(3), ["bob", "eve", "ann"], "player", trap="lowest-first")


async def test_only_the_best_counts(lab):
    """Rule 2. `submit` keeps a player's best score and returns whether it was a new one."""
    lab.scenario("b 40; a 9, 30, 20, 30, 31, -5; c 0, 0, -1; d -5, -9")
    board, due = season(lab), [("b", 40.0), ("a", 31.0), ("c", 0.0), ("d", -5.0)]
    scores = (40, 9, 30, 20, 30, 31, -5, 0, 0, -1, -5, -9)
    told = await submitted(board, zip("baaaaaacccdd", scores, strict=True))
    expect_page(lab, "the board", await board.top(9), due, "player score", trap="best-overwritten")
    due = [True, True, True, False, False, True, False, True, False, False, True, False]
    lab.expect("the answers", told, due, trap="wrong-answer")


@pytest.mark.parametrize("gap", [0, 1.5, 4000 * DAY, -1.5])
async def test_who_was_there_first_is_ahead(lab, gap):
    """Rule 3. Of equal scores the one submitted first is ahead, at one instant or years apart, whatever clocks say."""
    lab.scenario(f"mia, zoe, ann, Zoe and bob reach 70, by the clock {gap} s apart; zoe reaches it again")
    boards, order = servers(lab, 2), ["mia", "zoe", "ann", "Zoe", "bob"]
    for turn, player in enumerate([*order, "zoe"]):
        await boards[turn % 2].submit(player, 70)
        lab.step_wall_clock(gap) if gap else None
    expect_page(lab, "the board", await boards[0].top(9), order, "player", trap="arbitrary-tie")


async def test_a_tie_counts_from_the_best_itself(lab):
    """Rule 3. What counts is when the best was reached: not a lower score before it, nor the same score again."""
    lab.scenario("70 for bob, ann (10 before), cyd, bob again; 80 for ann, cyd, bob, (ann 90,) zoe, (cyd 90,) abe")
    board, trap = season(lab), "time-of-another-score"
    await submitted(board, "ann: 10, bob: 70, ann: 70, cyd: 70, bob: 70, cyd: 50")
    expect_page(lab, "the board", await board.top(9), ["bob", "ann", "cyd"], "player", trap=trap)
    await submitted(board, "ann: 80, cyd: 80, bob: 80, ann: 90, zoe: 80, cyd: 90, abe: 80")
    due = ["ann", "cyd", "bob", "zoe", "abe"]
    expect_page(lab, "the board, later", await board.top(9), due, "player", trap=trap)


async def test_ties_share_their_ranks(lab):
    """Rule 4. Equal scores share `rank` (1, 2, 2, 4) and `dense_rank` (1, 2, 2, 3); `position` is of one's own."""
    lab.scenario("ann 90, bob 80, cyd 80, dan 70, eve 70, fay 70, gus 60; then eve 90")
    board, places, trap = season(lab), "position rank dense_rank", "mixed-ranks"
    await submitted(board, "ann: 90, bob: 80, cyd: 80, dan: 70, eve: 70, fay: 70, gus: 60")
    due = [(1, 1, 1), (2, 2, 2), (3, 2, 2), (4, 4, 3), (5, 4, 3), (6, 4, 3), (7, 7, 4)]
    expect_page(lab, "the board", await board.top(9), due, places, trap=trap)
    expect_page(lab, "the second page", await board.top(4, offset=2), due[2:6], places, trap=trap)
    await board.submit("eve", 90)
    due = [(1, 1, 1), (2, 1, 1), (3, 3, 2), (4, 3, 2), (5, 5, 3), (6, 5, 3), (7, 7, 4)]
    expect_page(lab, "the board, later", await board.top(9), due, places, trap=trap)
    expect_page(lab, "rank of gus", [await board.rank("gus")], due[6:], places, trap=trap)


async def test_a_level_that_nobody_holds_is_gone(lab):
    """Rule 4. `dense_rank` counts the scores that players have now, not those that they have had."""
    lab.scenario("ann 10, bob 10, cyd 5; ann rises to 20, then bob to 20, then ann through 30 and 40 to 50")
    board = season(lab)
    await submitted(board, "ann: 10, bob: 10, cyd: 5")
    for scores, due in ("ann: 20", [1, 2, 3]), ("bob: 20", [1, 1, 2]), ("ann: 30, ann: 40, ann: 50", [1, 2, 3]):
        await submitted(board, scores)
        expect_page(lab, f"the board after {scores}", await board.top(9), due, "dense_rank", trap="stale-level")


@settings(max_examples=4)
@example(history=STORY, count=2, offset=1, who=2, radius=1)
@given(history=SUBMITS, count=SIZES, offset=SIZES, who=SIZES, radius=SIZES)
async def test_any_history(lab, history, count, offset, who, radius):
    """Rule 4. Every field of every entry is right, whatever came before and whichever page is asked for."""
    lab.scenario("submissions, one after the other; then top(count, offset=offset), and rank and around of one of them")
    board, due, trap = season(lab), ranked(history), "mixed-ranks"
    for done, call in enumerate(history):
        is_best = ranked(history[: done + 1]) != ranked(history[:done])
        lab.expect(f"submit{call}", await board.submit(*call), is_best, trap="wrong-answer")
    page = await board.top(count, offset=offset)
    expect_page(lab, f"top({count}, offset={offset})", page, due[offset : offset + count], trap=trap)
    for at, (player, *_) in [*enumerate(due)][who : who + 1]:
        expect_page(lab, f"rank({player!r})", [await board.rank(player)], [due[at]], trap=trap)
        page = due[max(0, at - radius) : at + radius + 1]
        expect_page(lab, f"around({player!r}, {radius})", await board.around(player, radius), page, trap=trap)


async def test_who_is_not_there_has_no_rank(lab):
    """Rule 5. Who has submitted nothing has the rank None and nobody around; the first has rank 1, with 0 points."""
    lab.scenario("nobody; then ann with 0 points")
    board, trap = season(lab), "absent-player"
    with lab.no_error(expected="a player may be absent", trap=trap):
        lab.expect("rank of ann, on an empty board", await board.rank("ann"), None, trap=trap)
        expect_page(lab, "top(5) of an empty board", await board.top(5), [], trap=trap)
        await board.submit("ann", 0)
        lab.expect("rank of bob", await board.rank("bob"), None, trap=trap)
        expect_page(lab, "around bob", await board.around("bob", 3), [], trap=trap)
    with lab.no_error(expected="ann has a rank", trap="zero-is-nothing"):
        expect_page(lab, "rank of ann", [await board.rank("ann")], [("ann", 0.0, 1, 1, 1)], trap="zero-is-nothing")


async def test_around_ends_where_the_board_ends(lab):
    """Rule 6. `around` gives up to `radius` entries on either side, and fewer where the board ends."""
    lab.scenario("ten players, p1 the best")
    board = season(lab)
    await submitted(board, [(f"p{place}", 100 - place) for place in range(1, 11)])
    cases = ("p1", 2, 1, 3), ("p2", 3, 1, 5), ("p5", 2, 3, 7), ("p10", 4, 6, 10), ("p9", 0, 9, 9), ("p4", 99, 1, 10)
    for player, radius, first, last in cases:
        page, due = await board.around(player, radius), [(f"p{place}", place) for place in range(first, last + 1)]
        expect_page(lab, f"around({player!r}, {radius})", page, due, "player position", trap="wrapped-window")


async def test_pages_make_up_the_board(lab):
    """Rule 7. Pages laid together are the board, every player once; behind its end and with count 0 they are empty."""
    lab.scenario("110 players with 5 points and one with 9, pages of 20")
    board, pages, order = season(lab), [], [f"p{place * 7 % 110}" for place in range(110)]
    await submitted(board, [*((player, 5) for player in order), ("top", 9)])
    for offset in range(0, 160, 20):
        pages += await board.top(20, offset=offset)
    due, fields = [("top", 1, 1), *((p, at, 2) for at, p in enumerate(order, 2))], "player position rank"
    for at in range(112):
        expect_page(lab, f"line {at + 1} of all pages", pages[at:][:1], due[at:][:1], fields, trap="torn-pages")
    for offset in 0, 5:
        expect_page(lab, f"top(0, offset={offset})", await board.top(0, offset=offset), [], trap="empty-page")
    for page in await board.top(10**6), await board.around("top", 10**6):
        lab.expect("players on a page of all", len(lines(lab, page, trap="torn-pages")), 111, trap="torn-pages")


async def test_scores_are_kept_exactly(lab):
    """Rule 8. Scores are kept to the last bit, negative and tiny and huge ones too, and none is taken for another."""
    lab.scenario("sixteen scores, from 1e300 to -1e300, from the worst to the best and each one twice")
    board, fields, trap = season(lab), "player score rank dense_rank", "inexact-score"
    with lab.no_error(expected="any finite score is taken", trap=trap):
        for score, player in itertools.product(reversed(EXACT), "ab"):
            await board.submit(f"{player} {score!r}", score)
    page = await board.top(40)
    for at, ((level, score), player) in enumerate(itertools.product(enumerate(EXACT), "ab")):
        due = [(f"{player} {score!r}", score, 2 * level + 1, level + 1)]
        expect_page(lab, f"number {at + 1}", page[at : at + 1], due, fields, trap=trap)
    told = [await board.submit(f"{player} 0.3", 0.1 + 0.2) for player in "ab"]
    lab.expect("whether 0.1 + 0.2 is better than 0.3", told, [True, True], trap=trap)
    for player, *due in ("a 0.0", 0.0, 15, 7), ("a 9007199254740990.0", 9007199254740990.0, 5, 3):
        expect_page(lab, f"rank of {player!r}", [await board.rank(player)], [(player, *due)], fields, trap=trap)


async def test_one_number_has_one_rank(lab):
    """Rule 8. 7 and 7.0 are the same score, and so are 0 and -0.0: a tie, and no new best."""
    lab.scenario("ann 7, bob 7.0, ann 7.0; cyd -0.0, dan 0.0, cyd 0; eve -7")
    board, trap = season(lab), "two-texts"
    scores = [("ann", 7), ("bob", 7.0), ("ann", 7.0), ("cyd", -0.0), ("dan", 0.0), ("cyd", 0), ("eve", -7)]
    told = await submitted(board, scores)
    due = [("ann", 1, 1), ("bob", 1, 1), ("cyd", 3, 2), ("dan", 3, 2), ("eve", 5, 3)]
    expect_page(lab, "the board", await board.top(9), due, "player rank dense_rank", trap=trap)
    lab.expect("the answers", told, [True, True, False, True, True, False, True], trap=trap)


async def test_nonsense_is_refused(lab):
    """Rule 9. A score that is no finite number, a player that is no str, a negative size: refused, nothing changes."""
    lab.scenario("ann 5, bob 3")
    board, trap = season(lab), "unchecked-arguments"
    await submitted(board, "ann: 5, bob: 3")
    before = lab.round_trips
    nonsense = (ValueError, map(float, ("nan", "inf", "-inf"))), (TypeError, ("9", b"9", None, [9], Fraction(9)))
    for error, score in ((error, score) for error, scores in nonsense for score in scores):
        with lab.raises(error, when=f"for the score {score!r}", trap=trap):
            await board.submit("ann", score)
    for player in None, 7, b"ann", ("ann",):
        for what, call in ("submit", board.submit), ("rank", board.rank), ("around", board.around):
            with lab.raises(TypeError, when=f"for {what} of {player!r}", trap=trap):
                await (call(player) if what == "rank" else call(player, 9))
    sizes = {"top(-1)": lambda: board.top(-1), "top(1, offset=-1)": lambda: board.top(1, offset=-1)}
    for what, call in {**sizes, "around('nobody', -1)": lambda: board.around("nobody", -1)}.items():
        with lab.raises(ValueError, when=f"for {what}", trap=trap):
            await call()
    lab.expect("round trips for all that", lab.round_trips - before, 0, trap=trap)
    expect_page(lab, "the board", await board.top(9), [5.0, 3.0], "score", trap=trap)


async def test_different_players_are_different(lab):
    """Rule 10. Players whose names differ anywhere are different players, and come back as they were written."""
    lab.scenario("players who have one letter, or a blank, or a colon, more or less than another")
    board, trap = season(lab), "mangled-name"
    await submitted(board, [(name, 100 - at) for at, name in enumerate(NAMES)])
    page = await board.top(len(NAMES))
    for at, name in enumerate(NAMES):
        expect_page(lab, f"number {at + 1}", page[at : at + 1], [name], "player", trap=trap)
    for at, name in [*enumerate(NAMES, 1)][::3]:
        with lab.no_error(expected=f"{name[:20]!a} has a rank", trap=trap):
            expect_page(lab, "its rank", [await board.rank(name)], [(name, at)], "player position", trap=trap)


async def test_different_boards_are_different(lab):
    """Rule 11. Boards whose names differ anywhere are different boards, and leave all other keys alone for ever."""
    lab.scenario("a board of each name; the names include what the keys of the first one end in")
    client, names, trap = lab.redis(), NAMES[:11] + NAMES[-9:], "shared-key"
    await season(lab, name="ann").submit("first", 1)
    for key in sorted(lab.server.keys()):
        prefix, _, rest = key.decode().partition(":")
        lab.expect(f"what the key {key} begins with", prefix, "leaderboard", trap=trap)
        names += [] if rest in names else [rest]
    lab.server.raw.mset(dict.fromkeys(names, "data"))
    with lab.no_error(expected="each board works", trap=trap):
        for at, name in enumerate(names[1:], 2):
            await Leaderboard(client, name).submit("first", at)
        lab.step_wall_clock(4000 * DAY)
        for at, name in enumerate(names, 1):
            page = await Leaderboard(client, name).top(2)
            expect_page(lab, f"the board {name[:40]!a}", page, [("first", float(at), 1, 1, 1)], trap=trap)
    lab.expect("other people's data", lab.server.raw.mget(names), [b"data"] * len(names), trap=trap)


@explore
@pytest.mark.parametrize(("start", "one", "other", "trap"), RACES)
async def test_racing_submissions(lab, start, one, other, trap):
    """Rule 12. However submissions race, answers and board are those of one after the other."""
    lab.scenario(f"the board has {start}; at once, A submits {one}, B submits {other}")
    (a, b), calls, dues = servers(lab, 2), pairs(f"{one}, {other}"), []
    await submitted(a, start)
    told = await lab.race(a.submit(*calls[0]), b.submit(*calls[1]), names=("server A", "server B"))
    got = lab.plain("the answers", told, trap=trap), lines(lab, await a.top(9), trap=trap)
    for order in (0, 1), (1, 0):
        history, answers = pairs(start), [False, False]
        for turn in order:
            answers[turn] = ranked([*history, calls[turn]]) != ranked(history)
            history.append(calls[turn])
        dues.append((answers, ranked(history)))
    expected, found = (f"{brief(board)}; answers {answers}" for answers, board in (dues[0], got))
    lab.require(any(got == due for due in dues), expected=f"such as {expected}", got=found, trap=trap)


@explore
@pytest.mark.parametrize("what", ["top", "around", "rank"])
async def test_a_page_shows_one_board(lab, what):
    """Rule 13. A page shows the board as it was at one instant, whoever submits meanwhile."""
    lab.scenario(f"ann 50, bob 40, cyd 30, dan 20; A reads ({what}), B submits cyd 60")
    a, b = servers(lab, 2)
    start, call = [("ann", 50), ("bob", 40), ("cyd", 30), ("dan", 20)], ("cyd", 60)
    await submitted(a, start)

    async def read():
        return [await a.rank("cyd")] if what == "rank" else await (a.top(3) if what == "top" else a.around("cyd", 1))

    await read()  # a script may be loaded by now
    page, _ = await lab.race(read(), b.submit(*call), names=("server A", "server B"))
    got, dues, radius = lines(lab, page, trap="torn-read"), [], int(what == "around")
    for board in ranked(start), ranked([*start, call]):
        at = [player for player, *_ in board].index("cyd")
        dues.append(board[:3] if what == "top" else board[max(0, at - radius) : at + radius + 1])
    expected = f"one board that there was: {brief(dues[0])} or {brief(dues[1])}"
    lab.require(any(got == due for due in dues), expected=expected, got=brief(got), trap="torn-read")


@sweep(kinds=("died-after", "lost-request", "lost-reply"))
async def test_a_submission_is_whole_or_not_at_all(lab):
    """Rule 14. Wherever a server dies, or loses a request or reply, a submission counts wholly or not at all."""
    lab.scenario("ann 10, bob 10, cyd 5, eve 20; A submits ann 20, bob 30; then B submits dan 20, ann 20, bob 30")
    (a, b), trap = servers(lab, 2), "half-a-submission"
    history, calls = pairs("ann: 10, bob: 10, cyd: 5, eve: 20"), pairs("ann: 20, bob: 30")
    await submitted(b, history)
    await lab.attempt(submitted(a, calls), name="server A")
    with lab.no_error(expected="the board is whole", trap=trap):
        history += [call for call in calls if lines(lab, [await b.rank(call[0])], "score", trap=trap) == [call[1]]]
        expect_page(lab, "the board", await b.top(9), ranked(history), trap=trap)
        due = [True, *(call not in history for call in calls)]
        told = await submitted(b, "dan: 20, ann: 20, bob: 30")
        history += [("dan", 20), *calls]
        expect_page(lab, "the board, after dan and the repetition", await b.top(9), ranked(history), trap=trap)
    lab.expect("the answers to dan and to the repetition", told, due, trap=trap)


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
async def test_what_redis_raises_is_raised(lab, error):
    """Rule 15. What Redis raises is raised, and never looks like an empty board; afterwards all works again."""
    lab.scenario(f"ann 5, bob 3; Redis fails: {error}; then it is back, without its scripts")
    board, trap = season(lab), "outage-misread"
    await submitted(board, "ann: 5, bob: 3")
    calls = {"top": lambda: board.top(2), "rank": lambda: board.rank("ann"), "around": lambda: board.around("ann", 1)}
    [await call() for call in calls.values()]  # scripts may be loaded by now
    calls["submit"] = lambda: board.submit("bob", 7)
    for what, call in calls.items():
        with lab.server.outage(error), lab.raises(type(error), when=f"from {what}", trap=trap):
            await call()
    for what, call in calls.items():
        lab.server.raw.script_flush()
        with lab.no_error(expected=f"{what} works again", trap="forgotten-script"):
            await call()
    expect_page(lab, "the board", await board.top(9), [("bob", 7.0), ("ann", 5.0)], "player score", trap=trap)


async def test_a_call_costs_little(lab):
    """Rule 16. A call takes at most twenty round trips and 1,000 bytes of replies, and 1,000 more for each entry."""
    lab.scenario("twenty-five players with names of 300 letters and a score of their own")
    board, names = season(lab), [f"{at:03}" + "x" * 297 for at in range(25)]
    await submitted(board, [(name, at) for at, name in enumerate(names)])
    for what, call, entries in (
        ("submit", lambda: board.submit(names[20], 22.5), 0),
        ("rank", lambda: board.rank(names[15]), 1),
        ("around", lambda: board.around(names[15], 1), 3),
        ("top(3)", lambda: board.top(3), 3),
        ("top(25)", lambda: board.top(25), 25),
    ):
        trips, received = lab.round_trips, lab.received
        await call()
        trips, received = lab.round_trips - trips, lab.received - received
        lab.require(trips <= 20, expected=f"{what} takes at most 20 trips", got=f"{trips}", trap="query-per-entry")
        due = f"{what} reads at most {1000 + 1000 * entries} bytes"
        lab.require(received <= 1000 + 1000 * entries, expected=due, got=f"{received}", trap="whole-board")


async def test_a_board_grows_with_its_players(lab):
    """Rule 17. What is stored grows with the players, not with their submissions."""
    lab.scenario("two players, each with a thousand points, rise twelve times")
    board, players = season(lab), ["ann", "bob"]
    await submitted(board, [(player, 1000) for player in players])
    first = sum(map(lab.server.memory, lab.server.keys()))
    for at in range(12):
        await submitted(board, [(player, 1001 + at) for player in players])
    stored = sum(map(lab.server.memory, lab.server.keys()))
    due = f"at most {2 * first + 10} elements"
    lab.require(stored <= 2 * first + 10, expected=due, got=f"{stored}, after {first}", trap="history-kept")
