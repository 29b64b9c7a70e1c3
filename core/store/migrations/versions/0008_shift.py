"""The shift log, and hand-overs with their signatures.

Revision ID: 0008
Revises: 0007
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from core.store.tables import UtcDateTime

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_ROW_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_JSON = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    """Add tables; triggers keep the entries as they were written."""
    op.create_table(
        "shift_entry",
        sa.Column("shift_entry_id", _ROW_NUMBER, nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("text", "actor", "desk")),
        sa.Column("corrects", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("shift_entry_id", name="pk_shift_entry"),
    )
    op.create_index("ix_shift_entry_at", "shift_entry", ["at"], unique=False)
    op.create_index("ix_shift_entry_kind_shift_entry_id", "shift_entry", ["kind", "shift_entry_id"], unique=False)
    op.create_table(
        "hand_over",
        sa.Column("hand_over_id", sa.String(length=26), nullable=False),
        sa.Column("until", UtcDateTime(), nullable=False),
        sa.Column("content", _JSON, nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("signed_by", "signed_desk", "signed_comment")),
        sa.Column("signed_at", UtcDateTime(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("hand_over_id", name="pk_hand_over"),
    )
    if op.get_context().dialect.name == "sqlite":
        _guard_on_sqlite()
    else:
        _guard_on_postgresql()


def _guard_on_sqlite() -> None:
    for verb in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER shift_entry_no_{verb.lower()} BEFORE {verb} ON shift_entry "
            "BEGIN SELECT RAISE(ABORT, 'the shift log is append-only'); END"
        )


def _guard_on_postgresql() -> None:
    op.execute(
        "CREATE FUNCTION shift_entry_is_append_only() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'the shift log is append-only'; END $$"
    )
    op.execute(
        "CREATE TRIGGER shift_entry_no_change BEFORE UPDATE OR DELETE ON shift_entry "
        "FOR EACH ROW EXECUTE FUNCTION shift_entry_is_append_only()"
    )
    op.execute(
        "CREATE TRIGGER shift_entry_no_truncate BEFORE TRUNCATE ON shift_entry "
        "FOR EACH STATEMENT EXECUTE FUNCTION shift_entry_is_append_only()"
    )
