"""A camera's view is kept with whether anybody could judge it: private parts stay hidden over a restart of the node.

Revision ID: 0039
Revises: 0038
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0039"
down_revision = "0038"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Of what was kept before nobody said that it could not be judged."""
    with op.batch_alter_table("camera_view") as view:
        view.add_column(sa.Column("is_open", sa.Boolean(), nullable=False, server_default=sa.false()))


def downgrade() -> None:
    """Forget it."""
    with op.batch_alter_table("camera_view") as view:
        view.drop_column("is_open")
