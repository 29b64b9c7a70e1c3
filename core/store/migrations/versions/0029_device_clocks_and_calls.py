"""How wrong a device's clock is, kept over a restart.

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
    """Add the column; the clock of a device that is known already has to be learned once more."""
    op.add_column("device", sa.Column("skew_s", sa.Double(), nullable=True))
