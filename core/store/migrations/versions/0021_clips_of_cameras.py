"""A clip of each camera that sees an incident, and what is missing of it.

Revision ID: 0021
Revises: 0020
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from core.store.tables import UtcDateTime

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the camera a part of the key; every clip so far was whole, and of the best camera."""
    op.execute("ALTER TABLE incident_clip RENAME TO incident_clip_before")
    if op.get_bind().dialect.name == "postgresql":
        # A renamed table keeps the names of its constraints.
        op.execute("ALTER TABLE incident_clip_before DROP CONSTRAINT pk_incident_clip")
        op.execute("ALTER TABLE incident_clip_before DROP CONSTRAINT fk_incident_clip_incident_id_incident")
    op.create_table(
        "incident_clip",
        sa.Column("incident_id", sa.String(length=26), nullable=False),
        sa.Column("camera_id", sa.String(length=64), nullable=False),
        sa.Column("camera_name", sa.Text(), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("began_at", UtcDateTime(), nullable=False),
        sa.Column("n_pictures", sa.Integer(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("missing", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["incident_id"], ["incident.incident_id"], name="fk_incident_clip_incident_id_incident"
        ),
        sa.PrimaryKeyConstraint("incident_id", "camera_id", name="pk_incident_clip"),
    )
    op.execute(
        "INSERT INTO incident_clip SELECT clip.incident_id, clip.camera_id, COALESCE(camera.name, clip.camera_id), 0,"
        " clip.at, clip.began_at, clip.n_pictures, clip.path, clip.sha256, ''"
        " FROM incident_clip_before AS clip LEFT JOIN camera ON camera.camera_id = clip.camera_id"
    )
    op.drop_table("incident_clip_before")
