"""The database: transactions that are atomic, isolated, and gone with the process that dies in one."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from dojo.lab import Failure, explore, sweep
from dojo.lab.fakes.database import DatabaseError, Disconnected, IntegrityError, SerializationError


def test_a_commit_makes_all_writes_visible_and_nothing_is_visible_before(green):
    def writes(lab):
        database = lab.database_sync()
        with database.begin() as tx:
            tx.insert("orders", "7", {"paid": True})
            tx.put("totals", "ann", {"sum": 1999})
            assert tx.get("orders", "7") == {"paid": True}
            assert database.rows("orders") == {}
            assert database.begin().get("orders", "7") is None
        assert database.rows("orders") == {"7": {"paid": True}}
        assert database.rows("totals") == {"ann": {"sum": 1999}}

    green(writes)


def test_both_faces_and_all_clients_share_the_rows(green):
    async def writes(lab):
        async with lab.database().begin() as tx:
            await tx.insert("orders", "b", 2)
            await tx.put("orders", "a", 1)
        with lab.database_sync().begin() as sync:
            assert sync.get("orders", "a") == 1
            sync.delete("orders", "b")
        assert lab.database().rows("orders") == {"a": 1}

    green(writes)


@pytest.mark.parametrize("end", ["exception", "rollback"])
def test_a_rollback_leaves_nothing(green, end):
    def writes(lab):
        database = lab.database_sync()
        with contextlib.suppress(KeyError), database.begin() as tx:
            tx.put("orders", "7", 1)
            if end == "exception":
                raise KeyError
            tx.rollback()
        assert database.rows("orders") == {}

    green(writes)


def test_a_cancelled_task_rolls_back(green):
    async def writes(lab):
        async def work():
            async with lab.database().begin() as tx:
                await tx.put("orders", "7", 1)
                await asyncio.sleep(60)

        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(work(), 1)
        assert lab.database().rows("orders") == {}
        assert lab.world.trace.entries[-1].text == "rollback"

    green(writes)


def test_a_finished_transaction_takes_no_more_statements(green):
    def writes(lab):
        database = lab.database_sync()
        with database.begin() as tx:
            tx.put("orders", "7", 1)
            tx.commit()
            with pytest.raises(DatabaseError, match="committed"):
                tx.get("orders", "7")
        tx.rollback()
        assert database.rows("orders") == {"7": 1}

    green(writes)


def test_rows_are_copies(green):
    def writes(lab):
        database, row = lab.database_sync(), {"n": 1}
        with database.begin() as tx:
            tx.put("t", "k", row)
            row["n"] = 2
            tx.get("t", "k")["n"] = 3
        database.rows("t")["k"]["n"] = 4
        assert database.begin().get("t", "k") == {"n": 1}

    green(writes)


def test_a_primary_key_is_unique(green):
    def writes(lab):
        database = lab.database_sync()
        with database.begin() as tx:
            tx.insert("t", "k", 1)
        tx = database.begin()
        with pytest.raises(IntegrityError, match="'k' in t exists"):
            tx.insert("t", "k", 2)
        with pytest.raises(DatabaseError, match="roll it back"):
            tx.get("t", "k")
        tx.rollback()
        with database.begin() as tx:
            tx.delete("t", "k")
            tx.insert("t", "k", 3)
            with pytest.raises(IntegrityError):
                tx.insert("t", "k", 4)
            tx.rollback()
        assert database.rows("t") == {"k": 1}

    green(writes)


def test_a_failed_transaction_cannot_be_committed_by_swallowing_the_error(green):
    def writes(lab):
        database = lab.database_sync()

        def swallows():
            with database.begin() as tx:
                tx.put("t", "other", 1)
                tx.insert("t", "k", 1)
                with contextlib.suppress(IntegrityError):
                    tx.insert("t", "k", 2)

        with pytest.raises(DatabaseError, match="roll it back"):
            swallows()
        assert database.rows("t") == {}

    green(writes)


def test_a_transaction_reads_one_snapshot(green):
    def reads(lab):
        database = lab.database_sync()
        old = database.begin()
        assert old.get("t", "a") is None
        with database.begin() as new:
            new.put("t", "a", 1)
            new.put("t", "b", 1)
        assert old.get("t", "b") is None
        with pytest.raises(IntegrityError):
            old.insert("t", "b", 2)  # a unique index also knows what the snapshot does not show

    green(reads)


def test_the_first_committer_wins(green):
    def writes(lab):
        database = lab.database_sync()
        with database.begin() as tx:
            tx.put("t", "n", 1)
        slow = database.begin()
        slow.put("t", "n", slow.get("t", "n") + 1)
        with database.begin() as quick:
            quick.put("t", "n", 10)
        with pytest.raises(SerializationError, match="run this one again"):
            slow.commit()
        assert database.rows("t") == {"n": 10}

    green(writes)


def test_a_deletion_counts_as_a_change(green):
    def writes(lab):
        database = lab.database_sync()
        with database.begin() as tx:
            tx.put("t", "n", 1)
        slow = database.begin()
        slow.put("t", "n", 2)
        with database.begin() as quick:
            quick.delete("t", "n")
        with pytest.raises(SerializationError):
            slow.commit()

    green(writes)


def increments(lab):
    def once():
        with lab.database_sync().begin() as tx:
            tx.put("t", "n", (tx.get("t", "n") or 0) + 1)

    return once


def test_no_schedule_loses_an_update(green):
    @explore
    def count(lab):
        outcomes = lab.attempts_sync(increments(lab), increments(lab))
        done = sum(outcome.ok for outcome in outcomes)
        assert done >= 1
        assert {type(o.error) for o in outcomes if not o.ok} <= {SerializationError}
        lab.expect("count", lab.database_sync().rows("t"), {"n": done}, trap="lost-update")

    assert green(count).runs > 10


def test_two_transactions_without_isolation_would_lose_an_update(run):
    """The same count in two transactions, the careless way: the search finds it."""

    @explore
    def count(lab):
        def careless():
            database = lab.database_sync()
            with database.begin() as tx:
                before = tx.get("t", "n") or 0
            with database.begin() as tx:
                tx.put("t", "n", before + 1)

        lab.race_sync(careless, careless)
        lab.expect("count", lab.database_sync().rows("t"), {"n": 2}, trap="lost-update")

    assert isinstance(run(count).failed.error, Failure)


def test_one_of_two_racing_inserts_fails_whether_at_the_insert_or_at_the_commit(green):
    where = set()

    @explore
    async def inserts(lab):
        async def insert(row):
            async with lab.database().begin() as tx:
                await tx.insert("t", "k", row)

        outcomes = await lab.attempts(insert(1), insert(2))
        winners = [row for row, outcome in zip((1, 2), outcomes, strict=True) if outcome.ok]
        assert lab.database().rows("t") == {"k": winners[0]}
        assert len(winners) == 1
        (error,) = (o.error for o in outcomes if o.error is not None)
        assert isinstance(error, IntegrityError)
        (failed,) = (s.text.split()[0] for s in lab.world.trace.entries if isinstance(s.reply, IntegrityError))
        where.add(failed)

    green(inserts)
    assert where == {"insert", "commit"}


def test_faults_leave_all_of_a_transaction_or_nothing(green):
    """Only a commit that was applied leaves anything, and its caller may not know."""
    seen = {}

    @sweep
    def transfer(lab):
        def move():
            with lab.database_sync().begin() as tx:
                tx.put("accounts", "ann", -1)
                tx.put("accounts", "bob", 1)

        outcome = lab.attempt_sync(move)
        rows = lab.database_sync().rows("accounts")
        assert rows in ({}, {"ann": -1, "bob": 1})
        fault = lab.world.plan.fault
        if fault is not None:
            assert outcome.died or isinstance(outcome.error, Disconnected)
        seen[str(fault)] = bool(rows)

    green(transfer)
    assert [fault for fault, kept in seen.items() if kept] == ["None", "A3:died-after", "A3:lost-reply"]


def test_a_transaction_whose_connection_broke_is_over(green):
    @sweep(kinds=("lost-reply",))
    def stubborn(lab):
        def work():
            tx = lab.database_sync().begin()
            for key in "ab":
                with contextlib.suppress(Disconnected):
                    tx.put("t", key, 1)
            tx.commit()

        outcome = lab.attempt_sync(work)
        fault = lab.world.plan.fault
        if fault is not None and fault.step < 2:
            assert isinstance(outcome.error, DatabaseError)
            assert lab.database_sync().rows("t") == {}

    green(stubborn)


def test_a_rollback_hides_no_error_even_when_the_connection_breaks(green):
    @sweep(kinds=("lost-request", "lost-reply"))
    def work(lab):
        def fails():
            with lab.database_sync().begin() as tx:
                tx.put("t", "k", 1)
                raise KeyError("the reason")

        outcome = lab.attempt_sync(fails)
        fault = lab.world.plan.fault
        assert isinstance(outcome.error, Disconnected if fault and fault.step == 0 else KeyError)
        assert lab.database_sync().rows("t") == {}

    green(work)


def test_an_inbox_row_in_the_same_transaction_makes_the_effect_exactly_once(green):
    """The pattern that this database is for: the mark and the effect are one commit, so no crash separates them."""

    @sweep
    def deliver_until_acknowledged(lab):
        def handle():
            with contextlib.suppress(IntegrityError), lab.database_sync().begin() as tx:
                tx.insert("inbox", "order-7", {})
                tx.put("accounts", "ann", (tx.get("accounts", "ann") or 0) + 1999)

        for _ in range(3):
            if lab.attempt_sync(handle).ok:
                break
        lab.expect("balance", lab.database_sync().rows("accounts"), {"ann": 1999}, trap="double-effect")

    green(deliver_until_acknowledged)
