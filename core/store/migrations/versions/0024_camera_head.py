"""Where the heads of cameras stand.

Revision ID: 0024
Revises: 0023
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from core.store.tables import UtcDateTime

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table: a head without a row was never turned from here."""
    op.create_table(
        "camera_head",
        sa.Column("camera_id", sa.String(length=64), nullable=False),
        sa.Column("away_since", UtcDateTime(), nullable=True),
        sa.Column("home_pan", sa.Double(), nullable=True),
        sa.Column("home_tilt", sa.Double(), nullable=True),
        sa.Column("home_zoom", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("camera_id", name="pk_camera_head"),
    )
