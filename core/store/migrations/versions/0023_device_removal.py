"""Tags of devices, and what is kept of those that are removed.

Revision ID: 0023
Revises: 0022
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from core.store.tables import Json, UtcDateTime

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add column and table."""
    op.add_column("device", sa.Column("tags", Json, server_default="[]", nullable=False))
    op.create_table(
        "device_removal",
        sa.Column("removal_id", sa.String(length=26), nullable=False),
        sa.Column("device_id", sa.String(length=80), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("kept", Json, nullable=False),
        sa.Column("twin", Json, nullable=False),
        sa.Column("removed_at", UtcDateTime(), nullable=False),
        sa.Column("removed_by", sa.Text(), nullable=False),
        sa.Column("restored_at", UtcDateTime(), nullable=True),
        sa.Column("restored_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("removal_id", name="pk_device_removal"),
    )
    op.create_index("ix_device_removal_device_id", "device_removal", ["device_id"])
