"""Sub streams, versions of scenes, measures by the minute, how sure a rule was, and what operators made of it.

Revision ID: 0003
Revises: 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from core.store.tables import UtcDateTime

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_ROW_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_JSON = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    """Add columns and tables."""
    for name in ("sub_address", "onvif_address"):
        op.add_column("camera", sa.Column(name, sa.Text(), nullable=False, server_default=""))
    for table in ("observation", "incident"):
        op.add_column(table, sa.Column("confidence", sa.Double(), nullable=False, server_default="1"))
    op.create_table(
        "scene_version",
        sa.Column("scene_version_id", _ROW_NUMBER, nullable=False),
        sa.Column("camera_id", sa.String(length=64), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("scene", _JSON, nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("scene_version_id", name="pk_scene_version"),
        sa.UniqueConstraint("camera_id", "number", name="uq_scene_version_camera_id_number"),
    )
    op.create_table(
        "flow_minute",
        sa.Column("flow_minute_id", _ROW_NUMBER, nullable=False),
        sa.Column("camera_id", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.String(length=8), nullable=False),
        sa.Column("key", sa.String(length=80), nullable=False),
        sa.Column("direction", sa.Text(), nullable=False),
        sa.Column("label", sa.String(length=32), nullable=False),
        sa.Column("minute", UtcDateTime(), nullable=False),
        sa.Column("observed_s", sa.Double(), nullable=False),
        sa.Column("n_vehicles", sa.Integer(), nullable=True),
        *(
            sa.Column(name, sa.Double(), nullable=True)
            for name in ("speed_kmh", "speed_error_kmh", "occupancy", "density_per_km", "queue_m")
        ),
        sa.PrimaryKeyConstraint("flow_minute_id", name="pk_flow_minute"),
        sa.UniqueConstraint(
            "camera_id",
            "subject",
            "key",
            "direction",
            "label",
            "minute",
            name="uq_flow_minute_camera_id_subject_key_direction_label_minute",
        ),
    )
    op.create_index("ix_flow_minute_camera_id_minute", "flow_minute", ["camera_id", "minute"], unique=False)
    op.create_index("ix_flow_minute_minute", "flow_minute", ["minute"], unique=False)
    op.create_table(
        "review",
        sa.Column("incident_id", sa.String(length=26), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("duplicate_of", sa.String(length=26), nullable=True),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("reviewed_by", sa.Text(), nullable=False),
        sa.Column("reviewed_at", UtcDateTime(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["incident_id"], ["incident.incident_id"], name="fk_review_incident_id_incident"),
        sa.PrimaryKeyConstraint("incident_id", name="pk_review"),
    )
