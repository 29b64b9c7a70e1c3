"""What is to be taken away from the broker, and devices that were removed.

Revision ID: 0016
Revises: 0015
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from core.store.tables import UtcDateTime

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the tables."""
    op.create_table(
        "removed_device",
        sa.Column("device_id", sa.String(80), nullable=False),
        sa.Column("gone_at", UtcDateTime(), nullable=False),
        sa.Column("removed_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("device_id", name="pk_removed_device"),
    )
    op.create_index("ix_removed_device_removed_at", "removed_device", ["removed_at"])
    op.create_table(
        "retained_clear",
        sa.Column("topic", sa.String(300), nullable=False),
        sa.Column("device_id", sa.String(80), nullable=False),
        sa.PrimaryKeyConstraint("topic", name="pk_retained_clear"),
    )
