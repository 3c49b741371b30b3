"""Letters until they are taken: in memory, in SQLite, in PostgreSQL, across restarts and faults of the database."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from reconciler.adapters.ledger import SqlOutbox, open_at, schema
from reconciler.adapters.memory import MemoryOutbox
from reconciler.ports import Letter, Outbox
from tests.adapters.test_ledger import RESULT, Told, begun, ended, plan, postgres, started, told, url  # noqa: F401 - fixtures
from tests.outside.happened import NOON

SOON = NOON + timedelta(seconds=30)


def letter(id: str, target: str = "ops", seconds: float = 0) -> Letter:
    made = NOON + timedelta(seconds=seconds)
    return Letter(id, target, f'{{"id": "{id}"}}', made, made)


@pytest.fixture(params=["memory", "sql"])
def outbox(request: pytest.FixtureRequest) -> Iterator[Outbox]:
    if request.param == "memory":
        yield MemoryOutbox(kept=5)
    else:
        yield request.getfixturevalue("at")(kept=5)
        assert request.getfixturevalue("told") == []


@pytest.fixture
def at(tmp_path: Path, told: Told) -> Callable[..., SqlOutbox]:  # noqa: F811
    def opened(environment: str = "trial", **kwargs) -> SqlOutbox:
        return SqlOutbox(f"sqlite:///{tmp_path}/ledger.db", environment, told, **kwargs)

    return opened


def ids(letters) -> list[str]:
    return [letter.id for letter in letters]


def test_letters_leave_in_order_one_of_each_target_at_a_time(outbox):
    outbox.put([letter("b"), letter("a", seconds=1), letter("x", "chat")], {}, NOON)
    assert ids(outbox.due(SOON)) == ["b", "x"]
    outbox.done(letter("b"))
    assert ids(outbox.due(SOON)) == ["a", "x"]
    assert outbox.waiting() == 2


def test_a_letter_that_was_not_taken_keeps_its_place_until_its_time(outbox):
    outbox.put([letter("a"), letter("b", seconds=1), letter("x", "chat")], {}, NOON)
    outbox.retry(replace(letter("a"), tries=1, due=SOON))
    assert ids(outbox.due(NOON + timedelta(seconds=5))) == ["x"]
    assert [(one.id, one.tries) for one in outbox.due(SOON)] == [("a", 1), ("x", 0)]


def test_the_oldest_make_room(outbox):
    outbox.put([letter(f"a{number}", seconds=number) for number in range(8)], {}, NOON)
    outbox.put([letter("x", "chat")], {}, NOON)
    assert ids(outbox.due(SOON)) == ["a3", "x"]
    assert outbox.waiting() == 6


def test_what_is_gone_may_be_crossed_out_again(outbox):
    outbox.put([letter("a")], {}, NOON)
    for _ in range(2):
        outbox.done(letter("a"))
    outbox.retry(replace(letter("a"), tries=1))
    assert outbox.due(SOON) == ()


def test_what_was_said_is_remembered(outbox):
    outbox.put([], {"run": "1", "source": "1"}, NOON)
    outbox.put([], {"run": "2"}, SOON)
    assert outbox.told() == {"run": "2", "source": "1"}


def test_another_process_goes_on_where_one_was_killed(url, told):  # noqa: F811
    SqlOutbox(url, "trial", told).put([letter("b", seconds=1), letter("a", seconds=2), letter("x", "chat")], {"run": "1"}, NOON)
    second = SqlOutbox(url, "trial", told)
    assert sorted(ids(second.due(SOON))) == ["b", "x"]
    second.retry(replace(letter("b", seconds=1), tries=3, due=SOON))
    second.done(letter("x", "chat"))
    third = SqlOutbox(url, "trial", told)
    assert third.due(SOON) == (replace(letter("b", seconds=1), tries=3, due=SOON),)
    assert third.waiting() == 2
    assert third.told() == {"run": "1"}
    assert told == []


def test_environments_share_a_database_without_seeing_each_other(url, told):  # noqa: F811
    SqlOutbox(url, "trial", told).put([letter("a")], {"run": "1"}, NOON)
    other = SqlOutbox(url, "production", told)
    assert (other.due(SOON), dict(other.told())) == ((), {})


def test_what_made_room_is_gone_for_the_next_process_too(at):
    at(kept=3).put([letter(f"a{number}", seconds=number) for number in range(5)], {}, NOON)
    assert ids(at().due(SOON)) == ["a2"]
    left = at()
    assert left.told() == {}
    assert left.waiting() == 3


def test_without_a_database_letters_are_sent_all_the_same_and_it_is_said_once(tmp_path, told):  # noqa: F811
    (tmp_path / "file").write_text("no folder")
    outbox = SqlOutbox(f"sqlite:///{tmp_path}/file/ledger.db", "trial", told)
    outbox.put([letter("a"), letter("b", seconds=1)], {"run": "1"}, NOON)
    outbox.done(letter("a"))
    assert ids(outbox.due(SOON)) == ["b"]
    assert outbox.told() == {"run": "1"}
    assert len(told) == 1
    assert "sent all the same" in told[0]


def test_a_locked_database_loses_at_most_what_a_crash_meets(at, tmp_path, told, monkeypatch):  # noqa: F811
    monkeypatch.setattr("reconciler.adapters.ledger.engine.BUSY_SECONDS", 0.01)
    outbox = at()
    outbox.put([letter("a")], {}, NOON)
    lock = sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)
    lock.execute("BEGIN EXCLUSIVE")
    outbox.put([letter("b", seconds=1)], {}, NOON)
    outbox.done(letter("a"))
    assert ids(outbox.due(SOON)) == ["b"]
    assert len(told) == 1
    lock.execute("ROLLBACK")
    lock.close()
    outbox.retry(replace(letter("b", seconds=1), tries=1, due=SOON))
    left = at()
    assert ids(left.due(SOON)) == ["a"]  # once more, under the same id
    left.done(letter("a"))
    assert ids(left.due(SOON)) == ["b"]  # written down late, but it is


def test_a_full_disk_stops_no_letter(at, tmp_path, told):  # noqa: F811
    outbox = at()
    outbox.put([letter("a")], {}, NOON)
    with sqlite3.connect(tmp_path / "ledger.db") as connection:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
    engine = outbox._engine
    from sqlalchemy import event

    event.listen(engine, "connect", lambda connection, _: connection.execute(f"PRAGMA max_page_count={pages}"))
    outbox.put([replace(letter("b", seconds=1), body="x" * 500_000)], {}, NOON)
    assert "full" in told[0]
    outbox.done(letter("a"))
    assert ids(outbox.due(SOON)) == ["b"]


def test_threads_may_use_it_at_once(at):
    outbox = at()

    def work(name: str) -> None:
        for number in range(20):
            outbox.put([letter(f"{name}{number}", name, number)], {name: str(number)}, NOON)
            outbox.due(SOON)
            if number % 2:
                outbox.done(letter(f"{name}{number}", name))

    threads = [threading.Thread(target=work, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    left = at()
    assert left.told() == dict.fromkeys("abc", "19")
    assert left.waiting() == outbox.waiting() == 30


def test_only_so_many_subjects_are_remembered(at, monkeypatch):
    monkeypatch.setattr("reconciler.adapters.ledger.outbox.REMEMBERED", 10)
    outbox = at()
    for number in range(30):
        outbox.put([], {f"s{number}": "1"}, NOON + timedelta(seconds=number))
    assert set(at().told()) == {f"s{number}" for number in range(20, 30)}


def test_a_database_of_the_version_before_is_brought_up_to_date(tmp_path, told):  # noqa: F811
    address = f"sqlite:///{tmp_path}/ledger.db"
    with begun(address) as connection:
        schema.migrate(connection, "0001")
    ledger = open_at(address, told)
    ledger.begin(started(), plan())
    ledger.finish(ended(started()), RESULT)
    SqlOutbox(address, "trial", told).put([letter("a")], {}, NOON)
    with begun(address) as connection:
        assert connection.scalar(text("SELECT version_num FROM alembic_version")) == "0003"
    assert len(ledger.runs("trial", 5)) == 1
    assert told == []
