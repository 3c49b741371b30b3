"""The outbox in the ledger's database: held in memory while the process lives, written down for the one after it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from threading import Lock
from typing import Any

from sqlalchemy import Connection, Engine, delete, insert, select
from sqlalchemy.engine import make_url

from reconciler.adapters.ledger.engine import engine_at, fault_of, shown
from reconciler.adapters.ledger.schema import bring_up_to_date
from reconciler.adapters.ledger.tables import outbox, told
from reconciler.ports import Letter

KEPT = 1000
"""Letters for each target; the oldest go first when there are more."""
REMEMBERED = 20_000
"""Subjects whose last word is kept."""
_AT_ONCE = 500

Write = Callable[[Connection], object]


class SqlOutbox:
    """The port Outbox on SQLAlchemy, for one environment and one process; safe to call from any thread.

    While the database is full, locked or gone, letters are sent all the same; only a crash before they are taken then loses them.
    A letter that was taken while it could not be crossed out is sent once more by the next process, under the same id.
    """

    def __init__(self, url: str, environment: str, warn: Callable[[str], None], kept: int = KEPT) -> None:
        self._url = url
        self._environment = environment
        self._warn = warn
        self._kept = kept
        self._lock = Lock()
        self._letters: dict[str, dict[str, Letter]] = {}
        self._told: dict[str, str] = {}
        self._loaded = self._ailing = False

    def told(self) -> Mapping[str, str]:
        """By subject: the digest of what was last told of it."""
        with self._lock:
            self._load()
            return dict(self._told)

    def put(self, letters: Iterable[Letter], said: Mapping[str, str], now: datetime) -> None:
        """Spool letters together with what they say, in one transaction."""
        new = tuple(letters)
        with self._lock:
            self._load()
            dropped = [gone for letter in new for gone in self._take(letter)]
            self._told.update(said)
            self._write(lambda connection: self._put(connection, new, dropped, said, now))

    def due(self, now: datetime) -> tuple[Letter, ...]:
        """The oldest letter of each target, where its time has come."""
        with self._lock:
            self._load()
            first = (next(iter(queue.values())) for queue in self._letters.values() if queue)
            return tuple(letter for letter in first if letter.due <= now)

    def retry(self, letter: Letter) -> None:
        """It keeps its place."""
        with self._lock:
            queue = self._letters.get(letter.target, {})
            if letter.id in queue:
                queue[letter.id] = letter
                self._write(
                    lambda connection: self._put(connection, (letter,), (), {}, letter.made)
                )  # also where it could not be written before

    def done(self, letter: Letter) -> None:
        """It is crossed out."""
        with self._lock:
            self._letters.get(letter.target, {}).pop(letter.id, None)
            self._write(lambda connection: connection.execute(delete(outbox).where(outbox.c.id == letter.id)))

    def waiting(self) -> int:
        """How many letters this process knows of. It waits for no database: a scrape asks for it."""
        return sum(map(len, tuple(self._letters.values())))

    def _take(self, letter: Letter) -> list[str]:
        """Into memory; the ids of those that had to make room."""
        queue = self._letters.setdefault(letter.target, {})
        queue[letter.id] = letter
        dropped = list(queue)[: max(0, len(queue) - self._kept)]
        for id in dropped:
            del queue[id]
        return dropped

    def _load(self) -> None:
        """What earlier processes left, before what this one has; asked for again until the database answers."""
        if self._loaded:
            return

        def read(connection: Connection) -> None:
            wanted = select(outbox).where(outbox.c.environment == self._environment).order_by(outbox.c.made, outbox.c.id)
            left = [_letter(row) for row in connection.execute(wanted).mappings()]
            known = connection.execute(select(told.c.subject, told.c.digest).where(told.c.environment == self._environment))
            self._told = {row.subject: row.digest for row in known} | self._told
            mine, self._letters = [letter for queue in self._letters.values() for letter in queue.values()], {}
            for letter in (*left, *mine):
                self._take(letter)
            self._loaded = True

        self._write(read)

    def _put(self, connection: Connection, new: Sequence[Letter], dropped: Sequence[str], said: Mapping[str, str], at: datetime) -> None:
        gone = frozenset(dropped)
        rows = [_row(letter, self._environment) for letter in new if letter.id not in gone]
        for start in range(0, max(len(new), len(dropped)), _AT_ONCE):
            again = [*(letter.id for letter in new[start : start + _AT_ONCE]), *dropped[start : start + _AT_ONCE]]
            connection.execute(delete(outbox).where(outbox.c.id.in_(again)))
        if rows:
            connection.execute(insert(outbox), rows)
        if said:
            self._remember(connection, said, at)

    def _remember(self, connection: Connection, said: Mapping[str, str], at: datetime) -> None:
        subjects = list(said)
        for start in range(0, len(subjects), _AT_ONCE):
            some = subjects[start : start + _AT_ONCE]
            connection.execute(delete(told).where(told.c.environment == self._environment, told.c.subject.in_([one[:400] for one in some])))
            rows = {one[:400]: {"environment": self._environment, "subject": one[:400], "digest": said[one], "at": at} for one in some}
            connection.execute(insert(told), list(rows.values()))
        oldest = select(told.c.at).where(told.c.environment == self._environment).order_by(told.c.at.desc()).offset(REMEMBERED).limit(1)
        before = connection.scalar(oldest)
        if before is not None:
            connection.execute(delete(told).where(told.c.environment == self._environment, told.c.at <= before))

    @cached_property
    def _engine(self) -> Engine:
        return engine_at(make_url(self._url))

    def _write(self, work: Write) -> None:
        """In a transaction. A fault is told once, until something could be written again."""
        try:
            with self._engine.connect() as plain:
                connection = plain.execution_options(writes=True)
                with connection.begin():
                    bring_up_to_date(connection)
                    work(connection)
            self._ailing = False
        except Exception as fault:  # noqa: BLE001 - whatever is wrong with a disk or a server, it stops no operator
            if not self._ailing:
                self._warn(f"notifications are not written down in {shown(self._url)}: {fault_of(fault)}. They are sent all the same")
            self._ailing = True


def _row(letter: Letter, environment: str) -> dict[str, Any]:
    return {
        "id": letter.id,
        "environment": environment,
        "target": letter.target,
        "body": letter.body,
        "made": letter.made,
        "due": letter.due,
        "tries": letter.tries,
    }


def _letter(row: Mapping[Any, Any]) -> Letter:
    return Letter(row["id"], row["target"], row["body"], row["made"], row["due"], row["tries"])
