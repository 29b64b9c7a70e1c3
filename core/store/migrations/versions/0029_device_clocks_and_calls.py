"""How wrong a device's clock is, and what became of the calls of its events.

Revision ID: 0029
Revises: 0028
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns; clocks are learned once more, and of what called before nobody knows whom."""
    op.add_column("device", sa.Column("skew_s", sa.Double(), nullable=True))
    op.add_column("field_event", sa.Column("call", sa.String(length=16), server_default="", nullable=False))
    op.add_column("field_event", sa.Column("alarm_id", sa.String(length=26), nullable=True))
