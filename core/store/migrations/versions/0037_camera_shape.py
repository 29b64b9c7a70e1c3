"""What shape the pictures of a camera had that its privacy masks and its scene were drawn on.

Revision ID: 0037
Revises: 0036
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from core.store.tables import UtcDateTime

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make room; what was drawn before is taken to fit the first picture that comes, as it was after every start."""
    op.create_table(
        "camera_shape",
        sa.Column("camera_id", sa.String(length=64), nullable=False),
        sa.Column("drawn", sa.String(length=64), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("told_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("camera_id", "drawn", name="pk_camera_shape"),
    )


def downgrade() -> None:
    """Forget the shapes."""
    op.drop_table("camera_shape")
