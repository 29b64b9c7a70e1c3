"""Whether a minute was watched is told by what was measured in it alone.

Revision ID: 0026
Revises: 0025
"""

from __future__ import annotations

from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Drop what knew of lost cameras only, and of no detector that was away."""
    op.drop_column("line_count", "is_complete")
