"""How often a condition came that is raised with the n-th time alone.

Revision ID: 0028
Revises: 0027
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from core.store.tables import UtcDateTime

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "raise_count",
        sa.Column("count_id", sa.String(length=26), nullable=False),
        sa.Column("condition_key", sa.Text(), nullable=False),
        sa.Column("rule_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("count_id", name="pk_raise_count"),
    )
    op.create_index("ix_raise_count_at", "raise_count", ["at"])
