"""What is out of service, and planned works.

Revision ID: 0007
Revises: 0006
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from core.store.tables import UtcDateTime

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_JSON = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    """Add two tables."""
    op.create_table(
        "out_of_service",
        sa.Column("hold_id", sa.String(length=26), nullable=False),
        sa.Column("condition_key", sa.Text(), nullable=False),
        sa.Column("source_kind", sa.String(length=16), nullable=False),
        sa.Column("source_id", sa.String(length=80), nullable=False),
        sa.Column("source_name", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("since", UtcDateTime(), nullable=False),
        sa.Column("until", UtcDateTime(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("hold_id", name="pk_out_of_service"),
    )
    op.create_index("ix_out_of_service_condition_key", "out_of_service", ["condition_key"], unique=False)
    op.create_index("ix_out_of_service_until", "out_of_service", ["until"], unique=False)
    op.create_table(
        "planned_works",
        sa.Column("works_id", sa.String(length=26), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("source_kind", sa.String(length=16), nullable=False),
        sa.Column("source_ids", _JSON, nullable=False),
        sa.Column("kinds", _JSON, nullable=False),
        sa.Column("since", UtcDateTime(), nullable=False),
        sa.Column("until", UtcDateTime(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("works_id", name="pk_planned_works"),
    )
    op.create_index("ix_planned_works_until", "planned_works", ["until"], unique=False)
