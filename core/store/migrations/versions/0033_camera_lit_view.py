"""What cameras show while they stand right, in each light by itself.

Revision ID: 0033
Revises: 0032
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from core.store.tables import UtcDateTime

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Move what was learned beside its camera; in which light that was, nobody knows."""
    op.create_table(
        "camera_lit_view",
        sa.Column("camera_id", sa.String(length=64), nullable=False),
        sa.Column("light", sa.String(length=32), nullable=False),
        sa.Column("edges", sa.LargeBinary(), nullable=False),
        sa.Column("likeness", sa.Double(), nullable=False),
        sa.Column("seen_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("camera_id", "light", name="pk_camera_lit_view"),
    )
    op.execute(
        "INSERT INTO camera_lit_view (camera_id, light, edges, likeness, seen_at) "
        "SELECT camera_id, 'unknown', edges, likeness, told_at FROM camera_view"
    )
    with op.batch_alter_table("camera_view") as batch:
        batch.drop_column("edges")
        batch.drop_column("likeness")
