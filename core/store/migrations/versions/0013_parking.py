"""Lots as they are drawn, every change of their bays, and what operators corrected.

Revision ID: 0013
Revises: 0012
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from core.store.tables import UtcDateTime

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_JSON = sa.JSON().with_variant(JSONB(), "postgresql")
_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the tables."""
    op.create_table(
        "lot",
        sa.Column("lot_id", sa.String(80), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("document", _JSON, nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.Column("changed_by", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("lot_id", name="pk_lot"),
    )
    op.create_table(
        "lot_version",
        sa.Column("lot_version_id", _NUMBER, nullable=False),
        sa.Column("lot_id", sa.String(80), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("document", _JSON, nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("lot_version_id", name="pk_lot_version"),
        sa.UniqueConstraint("lot_id", "number", name="uq_lot_version_lot_id_number"),
    )
    op.create_table(
        "bay_change",
        sa.Column("bay_change_id", _NUMBER, nullable=False),
        sa.Column("lot_id", sa.String(80), nullable=False),
        sa.Column("bay_id", sa.String(64), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("confidence", sa.Double(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("is_stale", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("bay_change_id", name="pk_bay_change"),
    )
    op.create_index("ix_bay_change_lot_id_at", "bay_change", ["lot_id", "at"])
    op.create_index("ix_bay_change_lot_id_bay_id_at", "bay_change", ["lot_id", "bay_id", "at"])
    op.create_index("ix_bay_change_at", "bay_change", ["at"])
    op.create_table(
        "bay_correction",
        sa.Column("lot_id", sa.String(80), nullable=False),
        sa.Column("bay_id", sa.String(64), nullable=False),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("lot_id", "bay_id", name="pk_bay_correction"),
    )
