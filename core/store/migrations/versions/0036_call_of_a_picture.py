"""A picture and a clip note which call they show; of those that are there already nobody knows it.

Revision ID: 0036
Revises: 0035
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from core.store.tables import Json

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Leave empty what was kept before."""
    op.add_column("incident", sa.Column("snapshot_call", Json, nullable=True))
    op.add_column("incident_picture", sa.Column("call", Json, nullable=True))
    op.add_column("incident_clip", sa.Column("title", sa.Text(), nullable=False, server_default=""))


def downgrade() -> None:
    """Forget which call each shows."""
    with op.batch_alter_table("incident_clip") as batch:
        batch.drop_column("title")
    with op.batch_alter_table("incident_picture") as batch:
        batch.drop_column("call")
    with op.batch_alter_table("incident") as batch:
        batch.drop_column("snapshot_call")
