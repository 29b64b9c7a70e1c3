"""Cameras have no model of their own: one detector serves all of a site.

Revision ID: 0031
Revises: 0030
"""

from __future__ import annotations

from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Drop what no detector ever read."""
    with op.batch_alter_table("camera") as batch:
        batch.drop_column("model")
