"""What is in images."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """To this version."""
    op.create_table(
        "images",
        sa.Column("digest", sa.String(100), nullable=False),
        sa.Column("image", sa.String(400), nullable=False),
        sa.Column("revision", sa.String(100), nullable=False),
        sa.Column("verdict", sa.String(400), nullable=False),
        sa.Column("since", sa.DateTime, nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_images"),
    )
    op.create_table(
        "components",
        sa.Column("digest", sa.String(100), nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("ecosystem", sa.String(40), nullable=False),
        sa.Column("name", sa.String(600), nullable=False),
        sa.Column("version", sa.String(600), nullable=False),
        sa.Column("source", sa.String(600), nullable=False),
        sa.Column("purl", sa.Text, nullable=False),
        sa.Column("brought_by", sa.String(400), nullable=False),
        sa.PrimaryKeyConstraint("digest", "position", name="pk_components"),
        sa.ForeignKeyConstraint(["digest"], ["images.digest"], name="fk_components_digest", ondelete="CASCADE"),
    )
    op.create_index("ix_components_name", "components", ["name"])
    op.create_index("ix_components_source", "components", ["source"])


def downgrade() -> None:
    """Back to the version before."""
    op.drop_table("components")
    op.drop_table("images")
