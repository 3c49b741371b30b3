"""The tables of the ledger as they are now. `migrations/` says how older ones become these."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, Boolean, Column, DateTime, ForeignKey, Index, Integer, MetaData, String, Table, Text
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

VERSION = "0003"
"""Of the newest migration: what `alembic_version` says where nothing is to be done."""


class Moment(TypeDecorator[datetime]):
    """A moment with its time zone. SQLite keeps none, so what is stored is UTC."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:  # noqa: ARG002 - as SQLAlchemy calls it
        """As UTC, without saying so."""
        return value.astimezone(UTC).replace(tzinfo=None) if value else None

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """As UTC, saying so."""
        return value.replace(tzinfo=UTC) if value else None


metadata = MetaData(
    naming_convention={"pk": "pk_%(table_name)s", "fk": "fk_%(table_name)s_%(column_0_name)s", "ix": "ix_%(table_name)s_%(column_0_name)s"}
)

revisions = Table(
    "revisions",
    metadata,
    Column("id", String(100), primary_key=True),
    Column("first_seen", Moment, nullable=False),
)

plans = Table(
    "plans",
    metadata,
    Column("hash", String(100), primary_key=True),
    Column("environment", String(100), nullable=False),
    Column("revision", ForeignKey("revisions.id"), nullable=False),
    Column("dirty", Boolean, nullable=False),
    Column("summary", JSON, nullable=False),
    Column("made", Moment, nullable=False),
)

runs = Table(
    "runs",
    metadata,
    Column("id", String(100), primary_key=True),
    Column("environment", String(100), nullable=False),
    Column("revision", ForeignKey("revisions.id"), nullable=False),
    Column("plan_hash", ForeignKey("plans.hash"), nullable=True),
    Column("state", String(20), nullable=False),
    Column("started", Moment, nullable=False),
    Column("ended", Moment, nullable=True),
    Column("author", String(400), nullable=False),
    Column("summary", JSON, nullable=False),
    Column("message", Text, nullable=False),
    Index("ix_runs_environment_started", "environment", "started"),
)

steps = Table(
    "steps",
    metadata,
    Column("run", ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("object", String(1000), nullable=False),
    Column("action", String(20), nullable=False),
    Column("owner", String(400), nullable=False),
    Column("status", String(20), nullable=False),
    Column("reason", Text, nullable=False),
)

findings = Table(
    "findings",
    metadata,
    Column("run", ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("code", String(20), nullable=False),
    Column("severity", String(20), nullable=False),
    Column("path", String(2000), nullable=False),
    Column("line", Integer, nullable=False),
    Column("column", Integer, nullable=False),
    Column("subject", JSON, nullable=True),
    Column("message", Text, nullable=False),
    Column("fix", Text, nullable=False),
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", String(100), primary_key=True),
    Column("environment", String(100), nullable=False),
    Column("target", String(100), nullable=False),
    Column("body", Text, nullable=False),
    Column("made", Moment, nullable=False),
    Column("due", Moment, nullable=False),
    Column("tries", Integer, nullable=False),
    Index("ix_outbox_environment_made", "environment", "made"),
)

told = Table(
    "told",
    metadata,
    Column("environment", String(100), primary_key=True),
    Column("subject", String(400), primary_key=True),
    Column("digest", String(100), nullable=False),
    Column("at", Moment, nullable=False),
)

images = Table(
    "images",
    metadata,
    Column("digest", String(100), primary_key=True),
    Column("image", String(400), nullable=False),
    Column("revision", String(100), nullable=False),
    Column("verdict", String(400), nullable=False),
    Column("since", Moment, nullable=False),
)

components = Table(
    "components",
    metadata,
    Column("digest", ForeignKey("images.digest", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("ecosystem", String(40), nullable=False),
    Column("name", String(600), nullable=False),
    Column("version", String(600), nullable=False),
    Column("source", String(600), nullable=False),
    Column("purl", Text, nullable=False),
    Column("brought_by", String(400), nullable=False),
    Index("ix_components_name", "name"),
    Index("ix_components_source", "source"),
)
