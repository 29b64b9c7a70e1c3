"""A camera's view is known by all its privacy masks, each by itself: more than fits into the column of before.

Revision ID: 0038
Revises: 0037
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0038"
down_revision = "0037"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make room."""
    with op.batch_alter_table("camera_view") as view:
        view.alter_column("drawn", existing_type=sa.String(length=64), type_=sa.Text(), existing_nullable=False)


def downgrade() -> None:
    """Forget the views that do not fit; they are learned anew."""
    op.execute("DELETE FROM camera_view WHERE length(drawn) > 64")
    with op.batch_alter_table("camera_view") as view:
        view.alter_column("drawn", existing_type=sa.Text(), type_=sa.String(length=64), existing_nullable=False)
