"""Evidence of every occurrence in an incident: earlier pictures beside the one that is shown, and clips of each.

Revision ID: 0034
Revises: 0033
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from core.store.tables import UtcDateTime

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the occurrence a part of a clip's key; every clip so far was of the first alarm that called.

    Without its occurrence, an alarm that still calls would be asked for once more, long after its pictures are gone.
    """
    op.create_table(
        "incident_picture",
        sa.Column("picture_id", sa.String(length=26), nullable=False),
        sa.Column("incident_id", sa.String(length=26), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["incident_id"], ["incident.incident_id"], name="fk_incident_picture_incident_id_incident"
        ),
        sa.PrimaryKeyConstraint("picture_id", name="pk_incident_picture"),
    )
    op.create_index("ix_incident_picture_incident_id", "incident_picture", ["incident_id"])
    op.execute("ALTER TABLE incident_clip RENAME TO incident_clip_before")
    if op.get_bind().dialect.name == "postgresql":
        # A renamed table keeps the names of its constraints.
        op.execute("ALTER TABLE incident_clip_before DROP CONSTRAINT pk_incident_clip")
        op.execute("ALTER TABLE incident_clip_before DROP CONSTRAINT fk_incident_clip_incident_id_incident")
    op.create_table(
        "incident_clip",
        sa.Column("incident_id", sa.String(length=26), nullable=False),
        sa.Column("occurrence", sa.String(length=26), nullable=False),
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
        sa.PrimaryKeyConstraint("incident_id", "occurrence", "camera_id", name="pk_incident_clip"),
    )
    op.execute(
        "INSERT INTO incident_clip SELECT clip.incident_id, COALESCE((SELECT alarm.occurrence FROM alarm"
        " WHERE alarm.incident_id = clip.incident_id AND alarm.n_calls > 0"
        " ORDER BY alarm.raised_at, alarm.alarm_id LIMIT 1), ''),"
        " clip.camera_id, clip.camera_name, clip.rank, clip.at, clip.began_at, clip.n_pictures,"
        " clip.path, clip.sha256, clip.missing FROM incident_clip_before AS clip"
    )
    op.drop_table("incident_clip_before")
