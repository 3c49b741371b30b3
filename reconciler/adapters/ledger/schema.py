"""The schema of the ledger: looked at cheaply, made at once where there is none, brought up to date by Alembic where it is an older one."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Column, Connection, MetaData, String, Table, inspect, select, text

from reconciler.adapters.ledger.tables import VERSION, metadata

_ADVISORY_LOCK = 7_203_914_455
"""Any number that nobody else uses: PostgreSQL lets one migration run at a time."""

_versions = Table(
    "alembic_version",
    MetaData(naming_convention={"pk": "alembic_version_pkc"}),
    Column("version_num", String(32), primary_key=True),
)
"""As Alembic makes it, whose import and whose walk through all migrations take 0.3 s that a new ledger does not need."""


class Newer(Exception):
    """The database was written by a newer fleet."""


def bring_up_to_date(connection: Connection) -> None:
    """Make the tables what this fleet expects, in the connection's transaction. Raises Newer where only a newer fleet knows them."""
    if version(connection) == VERSION:
        return
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:id)"), {"id": _ADVISORY_LOCK})
    found = version(connection)
    if found == VERSION:
        return
    if found or _has_tables(connection):
        migrate(connection)
    else:
        metadata.create_all(connection)
        _versions.create(connection)
        connection.execute(_versions.insert().values(version_num=VERSION))


def migrate(connection: Connection, to: str = "head") -> None:
    """Run the migrations that are missing. Raises Newer."""
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    found, known = version(connection), {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if found and found not in known:
        raise Newer("it was written by a newer version of fleet")
    command.upgrade(config, to)


def is_up_to_date(connection: Connection) -> bool:
    """Whether nothing is to be done."""
    return version(connection) == VERSION


def version(connection: Connection) -> str:
    """What `alembic_version` says; empty for a database without tables of ours."""
    if not inspect(connection).has_table(_versions.name):
        return ""
    return str(connection.scalar(select(_versions.c.version_num)) or "")


def _has_tables(connection: Connection) -> bool:
    return not metadata.tables.keys().isdisjoint(inspect(connection).get_table_names())
