"""Films of ten seconds before and after an alarm.

Revision ID: 0011
Revises: 0010
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from core.store.tables import UtcDateTime

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "incident_clip",
        sa.Column("incident_id", sa.String(length=26), nullable=False),
        sa.Column("camera_id", sa.String(length=64), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("began_at", UtcDateTime(), nullable=False),
        sa.Column("n_pictures", sa.Integer(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["incident_id"], ["incident.incident_id"], name="fk_incident_clip_incident_id_incident"
        ),
        sa.PrimaryKeyConstraint("incident_id", name="pk_incident_clip"),
    )


def downgrade() -> None:
    """Take the table away; the films stay on the disk."""
    op.drop_table("incident_clip")
