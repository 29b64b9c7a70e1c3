"""Saved states of the alarm rules; the journal says how urgent each transition was and whether it called.

Revision ID: 0009
Revises: 0008
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from core.store.tables import UtcDateTime

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_JSON = sa.JSON().with_variant(JSONB(), "postgresql")
_CALLS = "event IN ('raise', 'raise_again', 'severity_up') AND state_after IN ('UNACK', 'RTNUN')"


def upgrade() -> None:
    """Add the table and two columns; before this version every raise called."""
    op.create_table(
        "rule_version",
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("author", "desk", "reason")),
        sa.Column("n_rules", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("differences", _JSON, nullable=False),
        sa.PrimaryKeyConstraint("version", name="pk_rule_version"),
    )
    _guard("rule_version")
    op.add_column("alarm_journal", sa.Column("priority", sa.Integer(), nullable=False, server_default="3"))
    op.add_column("alarm_journal", sa.Column("is_call", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.execute(
        "UPDATE alarm_journal SET priority = "
        "(SELECT alarm.priority FROM alarm WHERE alarm.alarm_id = alarm_journal.alarm_id)"
    )
    op.execute(f"UPDATE alarm_journal SET is_call = true WHERE {_CALLS}")  # noqa: S608


def _guard(table: str) -> None:
    """Refuse to change or remove what was written."""
    if op.get_context().dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, 'the {table} is append-only'); END"
            )
        return
    op.execute(
        f"CREATE FUNCTION {table}_is_append_only() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION 'the {table} is append-only'; END $$"
    )
    op.execute(
        f"CREATE TRIGGER {table}_no_change BEFORE UPDATE OR DELETE ON {table} "
        f"FOR EACH ROW EXECUTE FUNCTION {table}_is_append_only()"
    )
    op.execute(
        f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} "
        f"FOR EACH STATEMENT EXECUTE FUNCTION {table}_is_append_only()"
    )
