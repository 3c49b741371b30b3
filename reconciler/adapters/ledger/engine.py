"""The engine under the ledger: how each database is opened, and what its faults are called."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import NullPool

BUSY_SECONDS = 5
"""How long a writer waits for another one."""


def engine_at(url: URL) -> Engine:
    """An engine for this URL, with a connection for each transaction: a run makes two. Raises what `fault_of` knows to say."""
    if url.get_backend_name() == "sqlite":
        if url.database and url.database != ":memory:":
            Path(url.database).parent.mkdir(parents=True, exist_ok=True)
        engine = create_engine(url, poolclass=NullPool, connect_args={"timeout": BUSY_SECONDS})
        event.listen(engine, "connect", _open_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    timeout = {"connect_timeout": BUSY_SECONDS} if url.get_backend_name() == "postgresql" else {}
    return create_engine(url, poolclass=NullPool, connect_args=timeout)


def _open_sqlite(connection: Any, _record: Any) -> None:
    """Readers do not wait for the writer (WAL); transactions are ours to begin, not the driver's (SQLAlchemy, "SQLite")."""
    connection.isolation_level = None
    for pragma in (f"busy_timeout={BUSY_SECONDS * 1000}", "foreign_keys=ON", "synchronous=NORMAL"):
        connection.execute(f"PRAGMA {pragma}")
    with contextlib.suppress(connection.OperationalError):  # another process changes it right now, or the file may only be read
        connection.execute("PRAGMA journal_mode=WAL")


def _begin_sqlite(connection: Connection) -> None:
    """A writer takes its place at once: a reader that turns writer later cannot wait (SQLITE_BUSY_SNAPSHOT)."""
    connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get("writes") else "BEGIN")


def is_missing(url: URL) -> bool:
    """Whether there is no such file yet, so that there is nothing to read."""
    return url.get_backend_name() == "sqlite" and bool(url.database) and not Path(str(url.database)).exists()


def shown(text: str) -> str:
    """A database's URL without its password."""
    try:
        url = make_url(text)
    except SQLAlchemyError:
        return "the database"
    return url.database or ":memory:" if url.get_backend_name() == "sqlite" else url.render_as_string(hide_password=True)


def fault_of(fault: Exception) -> str:
    """What is wrong, in the words of the database, without the statement."""
    match fault:
        case ArgumentError() | NoSuchModuleError():
            return "its URL is not one, or names a database that is not known"
        case ImportError():
            return f"{fault.name} is not installed; install fleetwright[postgres]"
        case DBAPIError() if fault.orig is not None:
            return str(fault.orig).strip().split("\n")[0]
        case OSError():
            return fault.strerror or str(fault)
        case _:
            return str(fault).split("\n")[0] or type(fault).__name__
