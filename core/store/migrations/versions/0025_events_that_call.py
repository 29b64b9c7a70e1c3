"""Events of devices that call an operator wait until their call is stored.

Revision ID: 0025
Revises: 0024
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the mark; of what is stored already nothing waits."""
    op.add_column("field_event", sa.Column("is_waiting", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.create_index(
        "ix_field_event_is_waiting",
        "field_event",
        ["field_event_id"],
        sqlite_where=sa.text("is_waiting"),
        postgresql_where=sa.text("is_waiting"),
    )
