"""The ledger's database as its readers and writers use it: a fault is told once, and stops nobody."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.engine import make_url

from reconciler.adapters.ledger.engine import engine_at, fault_of, is_missing, shown
from reconciler.adapters.ledger.schema import bring_up_to_date, is_up_to_date

T = TypeVar("T")


def is_current(url: str) -> bool:
    """Whether there is nothing to bring up to date, or nobody can tell: whoever opens it will say why."""
    try:
        parsed = make_url(url)
        if is_missing(parsed):
            return False
        with engine_at(parsed).connect() as connection, connection.begin():
            return is_up_to_date(connection)
    except Exception:  # noqa: BLE001 - history never stops a process, whatever is wrong with it
        return True


class Database:
    """A database by its URL. Nothing is opened before something is written or read; after a fault nothing more is tried."""

    def __init__(self, url: str, warn: Callable[[str], None]) -> None:
        self._url = url
        self._warn = warn
        self._given_up = False

    @cached_property
    def _engine(self) -> Engine:
        return engine_at(make_url(self._url))

    def _do(self, work: Callable[[Connection], T], otherwise: T, *, writes: bool = False) -> T:
        if self._given_up:
            return otherwise
        try:
            url = make_url(self._url)
            return otherwise if not writes and is_missing(url) else self._once(work, writes=writes)
        except Exception as fault:  # noqa: BLE001 - history never stops a run, whatever is wrong with it
            self._given_up = True
            self._warn(
                f"the history in {shown(self._url)} is not kept: {fault_of(fault)}. Nothing else is affected; deleting it starts a new one"
            )
            return otherwise

    def _once(self, work: Callable[[Connection], T], *, writes: bool) -> T:
        """Readers change nothing, unless they are the first to see an older schema."""
        if not writes:
            with self._engine.connect() as connection, connection.begin():
                if is_up_to_date(connection):
                    return work(connection)
        with self._engine.connect() as plain:
            connection = plain.execution_options(writes=True)
            with connection.begin():
                bring_up_to_date(connection)
                return work(connection)
