"""Alarms that are latched, shelved, suppressed or out of service; quality apart from activity.

Revision ID: 0005
Revises: 0004
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from core.store.tables import UtcDateTime

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_JSON = sa.JSON().with_variant(JSONB(), "postgresql")
_QUALITY_EVENTS = ("quality_lost", "quality_back")
_CALLS = (
    "FROM alarm_journal j WHERE j.alarm_id = alarm.alarm_id AND j.occurrence = alarm.occurrence"
    " AND j.event IN ('raise', 'raise_again', 'severity_up')"
)


def upgrade() -> None:
    """Add columns, carry the old quality over, and give the journal's events their new words."""
    # Not by a batch: that would build the table anew, and rows of the journal point to it.
    for column in _columns():
        op.add_column("alarm", column)
    op.execute("UPDATE alarm SET rule_id = kind")
    op.execute("UPDATE alarm SET quality = 'stale' WHERE NOT is_quality_good")
    op.execute(f"UPDATE alarm SET calling_since = (SELECT max(j.at) {_CALLS}) WHERE NOT is_acknowledged")  # noqa: S608
    op.execute(f"UPDATE alarm SET n_calls = (SELECT count(*) {_CALLS})")  # noqa: S608
    op.execute("ALTER TABLE alarm DROP COLUMN is_quality_good")
    with op.batch_alter_table("alarm_journal") as journal:
        for name in ("state_before", "state_after"):
            journal.alter_column(name, existing_type=sa.String(length=8), type_=sa.String(length=16))
    _rename_quality()


def _columns() -> tuple[sa.Column[Any], ...]:
    texts = (
        *("rule_id", "shelved_by", "shelve_reason"),
        *("suppressed_by", "out_of_service_by", "out_of_service_reason"),
    )
    instants = ("calling_since", "shelved_until", "out_of_service_until")
    return (
        *(sa.Column(name, sa.Text(), nullable=False, server_default="") for name in texts),
        *(sa.Column(name, UtcDateTime(), nullable=True) for name in instants),
        *(sa.Column(name, _JSON, nullable=False, server_default="[]") for name in ("marks", "ticked")),
        sa.Column("is_latched", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("n_calls", sa.Integer(), nullable=False, server_default="1"),
        sa.Column("escalation_level", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("quality", sa.String(length=16), nullable=False, server_default="good"),
        sa.Column("shelving", sa.String(length=16), nullable=False, server_default="unshelved"),
    )


def _rename_quality() -> None:
    journal = sa.table(
        "alarm_journal",
        sa.column("alarm_journal_id", sa.BigInteger()),
        sa.column("event", sa.String()),
        sa.column("payload", _JSON),
    )
    connection = op.get_bind()
    found = connection.execute(sa.select(journal).where(journal.c.event.in_(_QUALITY_EVENTS))).all()
    for row in found:
        event = dict(row.payload["event"])
        event["quality"] = "good" if event.pop("is_good") else "stale"
        connection.execute(
            sa.update(journal)
            .where(journal.c.alarm_journal_id == row.alarm_journal_id)
            .values(event="quality", payload={**row.payload, "event": event})
        )
