"""Flights that the node did not hear all of; an index that nothing asked.

Revision ID: 0022
Revises: 0021
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Of older flights only the end may be missing, and that stands there already."""
    op.add_column("drone_flight", sa.Column("was_interrupted", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.drop_index("ix_drone_track_at", "drone_track")
