"""Events that call are stored before what is missing ahead of them: each notes that it was.

Revision ID: 0032
Revises: 0031
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the mark; of what is stored, everything came in its turn."""
    op.add_column("field_event", sa.Column("is_ahead", sa.Boolean(), server_default=sa.false(), nullable=False))
