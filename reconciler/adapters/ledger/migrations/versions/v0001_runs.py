"""Revisions, plans, runs, steps and findings."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """To this version."""
    op.create_table(
        "revisions",
        sa.Column("id", sa.String(100), nullable=False),
        sa.Column("first_seen", sa.DateTime, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_revisions"),
    )
    op.create_table(
        "plans",
        sa.Column("hash", sa.String(100), nullable=False),
        sa.Column("environment", sa.String(100), nullable=False),
        sa.Column("revision", sa.String(100), nullable=False),
        sa.Column("dirty", sa.Boolean, nullable=False),
        sa.Column("summary", sa.JSON, nullable=False),
        sa.Column("made", sa.DateTime, nullable=False),
        sa.PrimaryKeyConstraint("hash", name="pk_plans"),
        sa.ForeignKeyConstraint(["revision"], ["revisions.id"], name="fk_plans_revision"),
    )
    op.create_table(
        "runs",
        sa.Column("id", sa.String(100), nullable=False),
        sa.Column("environment", sa.String(100), nullable=False),
        sa.Column("revision", sa.String(100), nullable=False),
        sa.Column("plan_hash", sa.String(100), nullable=True),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("started", sa.DateTime, nullable=False),
        sa.Column("ended", sa.DateTime, nullable=True),
        sa.Column("author", sa.String(400), nullable=False),
        sa.Column("summary", sa.JSON, nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_runs"),
        sa.ForeignKeyConstraint(["revision"], ["revisions.id"], name="fk_runs_revision"),
        sa.ForeignKeyConstraint(["plan_hash"], ["plans.hash"], name="fk_runs_plan_hash"),
    )
    op.create_index("ix_runs_environment_started", "runs", ["environment", "started"])
    op.create_table(
        "steps",
        sa.Column("run", sa.String(100), nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("object", sa.String(1000), nullable=False),
        sa.Column("action", sa.String(20), nullable=False),
        sa.Column("owner", sa.String(400), nullable=False),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("run", "position", name="pk_steps"),
        sa.ForeignKeyConstraint(["run"], ["runs.id"], name="fk_steps_run", ondelete="CASCADE"),
    )
    op.create_table(
        "findings",
        sa.Column("run", sa.String(100), nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("code", sa.String(20), nullable=False),
        sa.Column("severity", sa.String(20), nullable=False),
        sa.Column("path", sa.String(2000), nullable=False),
        sa.Column("line", sa.Integer, nullable=False),
        sa.Column("column", sa.Integer, nullable=False),
        sa.Column("subject", sa.JSON, nullable=True),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("fix", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("run", "position", name="pk_findings"),
        sa.ForeignKeyConstraint(["run"], ["runs.id"], name="fk_findings_run", ondelete="CASCADE"),
    )


def downgrade() -> None:
    """Back to nothing."""
    for name in ("findings", "steps", "runs", "plans", "revisions"):
        op.drop_table(name)
