"""CAP messages that came in.

Revision ID: 0010
Revises: 0009
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from core.store.tables import UtcDateTime

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_ROW_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_JSON = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "cap_message",
        sa.Column("cap_message_id", _ROW_NUMBER, nullable=False),
        sa.Column("sender", sa.Text(), nullable=False),
        sa.Column("identifier", sa.Text(), nullable=False),
        sa.Column("sent", UtcDateTime(), nullable=False),
        sa.Column("msg_type", sa.String(length=8), nullable=False),
        sa.Column("received_at", UtcDateTime(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("refers_to", _JSON, nullable=False),
        sa.Column("warning_id", sa.String(length=20), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=True),
        sa.Column("xml", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("cap_message_id", name="pk_cap_message"),
        sa.UniqueConstraint("sender", "identifier", "sent", name="uq_cap_message_sender_identifier_sent"),
    )
    op.create_index("ix_cap_message_identifier_sent", "cap_message", ["identifier", "sent"], unique=False)
    op.create_index("ix_cap_message_warning_id", "cap_message", ["warning_id"], unique=False)
    op.create_index("ix_cap_message_sent", "cap_message", ["sent"], unique=False)
