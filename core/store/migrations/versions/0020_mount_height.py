"""How high a camera hangs.

Revision ID: 0020
Revises: 0019
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the height; of no camera it is known yet."""
    op.add_column("camera", sa.Column("mount_height_m", sa.Double(), nullable=True))
