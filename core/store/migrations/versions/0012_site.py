"""Where cameras and devices belong.

Revision ID: 0012
Revises: 0011
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns; what is there belongs nowhere yet."""
    for table in ("camera", "device"):
        op.add_column(table, sa.Column("site", sa.Text(), nullable=False, server_default=""))
