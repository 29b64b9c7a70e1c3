"""Drones, their flights and their tracks.

Revision ID: 0017
Revises: 0016
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from core.store.tables import Json, RowNumber, UtcDateTime

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the tables."""
    op.create_table(
        "drone",
        sa.Column("drone_id", sa.String(64), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("document", Json, nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.Column("changed_by", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("drone_id", name="pk_drone"),
    )
    op.create_table(
        "drone_flight",
        sa.Column("flight_id", sa.String(26), nullable=False),
        sa.Column("drone_id", sa.String(64), nullable=False),
        sa.Column("began_at", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.Column("distance_m", sa.Double(), nullable=False),
        sa.Column("max_height_m", sa.Double(), nullable=True),
        sa.Column("battery_used_percent", sa.Double(), nullable=True),
        sa.Column("n_points", sa.Integer(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("log_file", sa.Text(), nullable=False),
        sa.Column("has_lost_end", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("flight_id", name="pk_drone_flight"),
    )
    op.create_index("ix_drone_flight_drone_id_began_at", "drone_flight", ["drone_id", "began_at"])
    op.create_index("ix_drone_flight_began_at", "drone_flight", ["began_at"])
    op.create_table(
        "drone_track",
        sa.Column("drone_track_id", RowNumber, nullable=False),
        sa.Column("flight_id", sa.String(26), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("lat_deg", sa.Double(), nullable=False),
        sa.Column("lon_deg", sa.Double(), nullable=False),
        sa.Column("altitude_amsl_m", sa.Double(), nullable=True),
        sa.Column("altitude_home_m", sa.Double(), nullable=True),
        sa.Column("ground_speed_mps", sa.Double(), nullable=True),
        sa.Column("heading_deg", sa.Double(), nullable=True),
        sa.Column("battery_percent", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("drone_track_id", name="pk_drone_track"),
    )
    op.create_index("ix_drone_track_flight_id_at", "drone_track", ["flight_id", "at"])
    op.create_index("ix_drone_track_at", "drone_track", ["at"])
