"""Where on earth something was seen, and which sightings an incident has.

Revision ID: 0027
Revises: 0026
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add columns and index; counted passages belong to no incident and stay out of it."""
    op.add_column("observation", sa.Column("lat_deg", sa.Double(), nullable=True))
    op.add_column("observation", sa.Column("lon_deg", sa.Double(), nullable=True))
    op.create_index(
        "ix_observation_incident_id",
        "observation",
        ["incident_id"],
        sqlite_where=sa.text("incident_id IS NOT NULL"),
        postgresql_where=sa.text("incident_id IS NOT NULL"),
    )
