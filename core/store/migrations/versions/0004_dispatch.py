"""Work on incidents: its states, its steps, the units that are sent, and alarms attached by hand.

Revision ID: 0004
Revises: 0003
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from core.store.tables import UtcDateTime

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_ROW_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add columns and tables; triggers keep the steps as they were written."""
    _add_incident_columns()
    op.create_table(
        "incident_step",
        sa.Column("incident_step_id", _ROW_NUMBER, nullable=False),
        sa.Column("incident_id", sa.String(length=26), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        *(sa.Column(name, sa.String(length=16), nullable=False) for name in ("step", "status_before", "status_after")),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("actor", "desk", "comment", "detail")),
        sa.ForeignKeyConstraint(
            ["incident_id"], ["incident.incident_id"], name="fk_incident_step_incident_id_incident"
        ),
        sa.PrimaryKeyConstraint("incident_step_id", name="pk_incident_step"),
        sa.UniqueConstraint("incident_id", "sequence", name="uq_incident_step_incident_id_sequence"),
    )
    op.create_index("ix_incident_step_at", "incident_step", ["at"], unique=False)
    op.create_table(
        "incident_alarm",
        sa.Column("alarm_id", sa.String(length=26), nullable=False),
        sa.Column("occurrence", sa.String(length=26), nullable=False),
        sa.Column("incident_id", sa.String(length=26), nullable=False),
        sa.ForeignKeyConstraint(["alarm_id"], ["alarm.alarm_id"], name="fk_incident_alarm_alarm_id_alarm"),
        sa.ForeignKeyConstraint(
            ["incident_id"], ["incident.incident_id"], name="fk_incident_alarm_incident_id_incident"
        ),
        sa.PrimaryKeyConstraint("alarm_id", "occurrence", name="pk_incident_alarm"),
    )
    op.create_index("ix_incident_alarm_incident_id", "incident_alarm", ["incident_id"], unique=False)
    op.create_table(
        "unit",
        sa.Column("unit_id", sa.String(length=26), nullable=False),
        sa.Column("call_sign", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("duty", sa.String(length=16), nullable=False),
        sa.Column("is_removed", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("unit_id", name="pk_unit"),
    )
    _guard("incident_step")


def _add_incident_columns() -> None:
    for name, default in (("priority", "3"), ("work_version", "0")):
        op.add_column("incident", sa.Column(name, sa.Integer(), nullable=False, server_default=default))
    for name in ("text", "operator", "taken_up_by"):
        op.add_column("incident", sa.Column(name, sa.Text(), nullable=False, server_default=""))
    for name, length in (("unit_id", 26), ("disposition", 16)):
        op.add_column("incident", sa.Column(name, sa.String(length=length), nullable=False, server_default=""))
    op.add_column("incident", sa.Column("merged_into", sa.String(length=26), nullable=True))
    for name in ("opened_at", "assigned_at", "en_route_at", "on_scene_at", "resolved_at", "closed_at"):
        op.add_column("incident", sa.Column(name, UtcDateTime(), nullable=True))
    op.execute(
        "UPDATE incident SET priority = (SELECT MIN(alarm.priority) FROM alarm "
        "WHERE alarm.incident_id = incident.incident_id) "
        "WHERE EXISTS (SELECT 1 FROM alarm WHERE alarm.incident_id = incident.incident_id)"
    )


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
