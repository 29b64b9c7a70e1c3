"""What cameras show while they stand right.

Revision ID: 0030
Revises: 0029
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from core.store.tables import UtcDateTime

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table: of a camera without a row the view is learned anew."""
    op.create_table(
        "camera_view",
        sa.Column("camera_id", sa.String(length=64), nullable=False),
        sa.Column("drawn", sa.String(length=64), nullable=False),
        sa.Column("edges", sa.LargeBinary(), nullable=False),
        sa.Column("likeness", sa.Double(), nullable=False),
        sa.Column("is_moved", sa.Boolean(), nullable=False),
        sa.Column("told_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("camera_id", name="pk_camera_view"),
    )
