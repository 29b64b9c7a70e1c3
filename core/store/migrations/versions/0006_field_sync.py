"""Readings and events that cannot be stored twice, late readings marked, commands and twins of devices.

Revision ID: 0006
Revises: 0005
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from core.store.tables import UtcDateTime

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_JSON = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    """Drop repetitions, forbid them from now on, and add columns and tables."""
    _keep_the_first("reading", "reading_id", ("device_id", "stream", "at"))
    _keep_the_first("field_event", "field_event_id", ("device_id", "seq", "boot"))
    op.add_column("reading", sa.Column("is_history", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.drop_index("ix_reading_device_id_stream_at", "reading")
    op.create_index("ix_reading_device_id_stream_at", "reading", ["device_id", "stream", "at"], unique=True)
    op.drop_index("ix_field_event_device_id_seq", "field_event")
    op.create_index("ix_field_event_device_id_seq_boot", "field_event", ["device_id", "seq", "boot"], unique=True)
    op.create_table(
        "device_command",
        sa.Column("command_id", sa.String(length=26), nullable=False),
        sa.Column("device_id", sa.String(length=80), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("args", _JSON, nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("sent_by", sa.Text(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("command_id", name="pk_device_command"),
    )
    op.create_index("ix_device_command_device_id_created_at", "device_command", ["device_id", "created_at"])
    op.create_index("ix_device_command_created_at", "device_command", ["created_at"])
    op.create_table(
        "device_twin",
        sa.Column("device_id", sa.String(length=80), nullable=False),
        sa.Column("desired", _JSON, nullable=False),
        sa.Column("desired_by", _JSON, nullable=False),
        sa.Column("desired_version", sa.BigInteger(), nullable=False),
        sa.Column("reported", _JSON, nullable=False),
        sa.Column("reported_version", sa.BigInteger(), nullable=False),
        sa.Column("reported_at", UtcDateTime(), nullable=True),
        sa.Column("answered_version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("device_id", name="pk_device_twin"),
    )


def _keep_the_first(table: str, key: str, same: tuple[str, ...]) -> None:
    rows = sa.table(table, sa.column(key), *(sa.column(name) for name in same))
    kept = sa.select(sa.func.min(rows.c[key])).group_by(*(rows.c[name] for name in same))
    op.execute(sa.delete(rows).where(rows.c[key].not_in(kept)))
