"""Keys of drones for the HTTP gateway.

Revision ID: 0018
Revises: 0017
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the drone that a key is bound to; none of the old ones is."""
    op.add_column("gateway_key", sa.Column("drone_id", sa.String(length=64), server_default="", nullable=False))
