"""The first tables.

Revision ID: 0001
Revises:
"""

from __future__ import annotations

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from core.store.tables import UtcDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(JSONB(), "postgresql")
ROW_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make every table, and let no one change the audit."""
    op.create_table(
        "audit",
        sa.Column("sequence", ROW_NUMBER, autoincrement=False, nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("desk", sa.Text(), nullable=False),
        sa.Column("action", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("previous_hash_hex", sa.String(length=64), nullable=False),
        sa.Column("hash_hex", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("sequence", name="pk_audit"),
    )
    op.create_index("ix_audit_at", "audit", ["at"], unique=False)
    op.create_table(
        "camera",
        sa.Column("camera_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("username", sa.Text(), nullable=False),
        sa.Column("has_password", sa.Boolean(), nullable=False),
        sa.Column("transport", sa.String(length=8), nullable=False),
        sa.Column("is_enabled", sa.Boolean(), nullable=False),
        sa.Column("lat_deg", sa.Double(), nullable=True),
        sa.Column("lon_deg", sa.Double(), nullable=True),
        sa.Column("heading_deg", sa.Double(), nullable=False),
        sa.Column("view_angle_deg", sa.Double(), nullable=False),
        sa.Column("detect_fps", sa.Double(), nullable=False),
        sa.Column("labels", JSON, nullable=False),
        sa.Column("tracker", sa.String(length=32), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("scene", JSON, nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("camera_id", name="pk_camera"),
    )
    op.create_table(
        "device",
        sa.Column("device_id", sa.String(length=80), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("is_enabled", sa.Boolean(), nullable=False),
        sa.Column("lat_deg", sa.Double(), nullable=True),
        sa.Column("lon_deg", sa.Double(), nullable=True),
        sa.Column("last_seen_at", UtcDateTime(), nullable=True),
        sa.Column("state_since", UtcDateTime(), nullable=True),
        sa.Column("firmware", sa.Text(), nullable=False),
        sa.Column("boot", sa.String(length=64), nullable=False),
        sa.Column("event_seq", sa.BigInteger(), nullable=True),
        sa.Column("birth", JSON, nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("device_id", name="pk_device"),
    )
    op.create_table(
        "incident",
        sa.Column("incident_id", sa.String(length=26), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("source_kind", sa.String(length=16), nullable=False),
        sa.Column("source_id", sa.String(length=80), nullable=False),
        sa.Column("source_name", sa.Text(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("began_at", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.Column("lat_deg", sa.Double(), nullable=True),
        sa.Column("lon_deg", sa.Double(), nullable=True),
        sa.Column("snapshot_path", sa.Text(), nullable=False),
        sa.Column("snapshot_sha256", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("incident_id", name="pk_incident"),
    )
    op.create_index("ix_incident_began_at", "incident", ["began_at"], unique=False)
    op.create_index(
        "ix_incident_source_kind_source_id_began_at", "incident", ["source_kind", "source_id", "began_at"], unique=False
    )
    op.create_table(
        "line_count",
        sa.Column("line_count_id", ROW_NUMBER, nullable=False),
        sa.Column("camera_id", sa.String(length=64), nullable=False),
        sa.Column("line_key", sa.String(length=64), nullable=False),
        sa.Column("direction", sa.Text(), nullable=False),
        sa.Column("label", sa.String(length=32), nullable=False),
        sa.Column("minute", UtcDateTime(), nullable=False),
        sa.Column("n_vehicles", sa.Integer(), nullable=False),
        sa.Column("is_complete", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("line_count_id", name="pk_line_count"),
        sa.UniqueConstraint(
            "camera_id",
            "line_key",
            "direction",
            "label",
            "minute",
            name="uq_line_count_camera_id_line_key_direction_label_minute",
        ),
    )
    op.create_index("ix_line_count_camera_id_minute", "line_count", ["camera_id", "minute"], unique=False)
    op.create_index("ix_line_count_minute", "line_count", ["minute"], unique=False)
    op.create_table(
        "lockout",
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("n_failures", sa.Integer(), nullable=False),
        sa.Column("last_failure_at", UtcDateTime(), nullable=False),
        sa.Column("locked_until", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("subject", name="pk_lockout"),
    )
    op.create_index("ix_lockout_last_failure_at", "lockout", ["last_failure_at"], unique=False)
    op.create_table(
        "lot_occupancy",
        sa.Column("lot_occupancy_id", ROW_NUMBER, nullable=False),
        sa.Column("lot_id", sa.String(length=80), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("n_bays", sa.Integer(), nullable=False),
        sa.Column("n_occupied", sa.Integer(), nullable=False),
        sa.Column("n_unknown", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("lot_occupancy_id", name="pk_lot_occupancy"),
    )
    op.create_index("ix_lot_occupancy_at", "lot_occupancy", ["at"], unique=False)
    op.create_index("ix_lot_occupancy_lot_id_at", "lot_occupancy", ["lot_id", "at"], unique=False)
    op.create_table(
        "observation",
        sa.Column("observation_id", sa.String(length=64), nullable=False),
        sa.Column("camera_id", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("phase", sa.String(length=16), nullable=False),
        sa.Column("rule_key", sa.String(length=64), nullable=False),
        sa.Column("rule_name", sa.Text(), nullable=False),
        sa.Column("condition_key", sa.Text(), nullable=False),
        sa.Column("pts_s", sa.Double(), nullable=False),
        sa.Column("captured_at", UtcDateTime(), nullable=False),
        sa.Column("label", sa.String(length=32), nullable=False),
        sa.Column("direction", sa.Text(), nullable=False),
        sa.Column("track_id", sa.BigInteger(), nullable=True),
        sa.Column("bbox_xyxy", JSON, nullable=True),
        sa.Column("quantities", JSON, nullable=False),
        sa.Column("incident_id", sa.String(length=26), nullable=True),
        sa.PrimaryKeyConstraint("observation_id", name="pk_observation"),
    )
    op.create_index("ix_observation_camera_id_captured_at", "observation", ["camera_id", "captured_at"], unique=False)
    op.create_index("ix_observation_captured_at", "observation", ["captured_at"], unique=False)
    op.create_table(
        "reading",
        sa.Column("reading_id", ROW_NUMBER, nullable=False),
        sa.Column("device_id", sa.String(length=80), nullable=False),
        sa.Column("stream", sa.String(length=64), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("quantities", JSON, nullable=False),
        sa.Column("is_good", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("reading_id", name="pk_reading"),
    )
    op.create_index("ix_reading_at", "reading", ["at"], unique=False)
    op.create_index("ix_reading_device_id_stream_at", "reading", ["device_id", "stream", "at"], unique=False)
    op.create_table(
        "setting",
        sa.Column("key", sa.String(length=128), nullable=False),
        sa.Column("value", JSON, nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_setting"),
    )
    op.create_table(
        "user_account",
        sa.Column("user_id", sa.String(length=26), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("name_key", sa.Text(), nullable=False),
        sa.Column("role", sa.Integer(), nullable=False),
        sa.Column("is_enabled", sa.Boolean(), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("password_changed_at", UtcDateTime(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", name="pk_user_account"),
        sa.UniqueConstraint("name_key", name="uq_user_account_name_key"),
    )
    op.create_table(
        "alarm",
        sa.Column("alarm_id", sa.String(length=26), nullable=False),
        sa.Column("condition_key", sa.Text(), nullable=False),
        sa.Column("occurrence", sa.String(length=26), nullable=False),
        sa.Column("incident_id", sa.String(length=26), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("source_kind", sa.String(length=16), nullable=False),
        sa.Column("source_id", sa.String(length=80), nullable=False),
        sa.Column("source_name", sa.Text(), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("is_acknowledged", sa.Boolean(), nullable=False),
        sa.Column("is_open", sa.Boolean(), nullable=False),
        sa.Column("raised_at", UtcDateTime(), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.Column("returned_at", UtcDateTime(), nullable=True),
        sa.Column("acknowledged_at", UtcDateTime(), nullable=True),
        sa.Column("acknowledged_by", sa.Text(), nullable=False),
        sa.Column("acknowledged_desk", sa.Text(), nullable=False),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.Column("n_repeats", sa.Integer(), nullable=False),
        sa.Column("is_quality_good", sa.Boolean(), nullable=False),
        sa.Column("lat_deg", sa.Double(), nullable=True),
        sa.Column("lon_deg", sa.Double(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["incident_id"], ["incident.incident_id"], name="fk_alarm_incident_id"),
        sa.PrimaryKeyConstraint("alarm_id", name="pk_alarm"),
    )
    op.create_index("ix_alarm_incident_id", "alarm", ["incident_id"], unique=False)
    op.create_index("ix_alarm_raised_at", "alarm", ["raised_at"], unique=False)
    op.create_index("ix_alarm_source_kind_source_id", "alarm", ["source_kind", "source_id"], unique=False)
    op.create_index(
        "uq_alarm_open_condition",
        "alarm",
        ["condition_key"],
        unique=True,
        sqlite_where=sa.text("is_open"),
        postgresql_where=sa.text("is_open"),
    )
    op.create_table(
        "session",
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.String(length=26), nullable=False),
        sa.Column("desk", sa.Text(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.user_id"], name="fk_session_user_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("token_hash", name="pk_session"),
    )
    op.create_index("ix_session_expires_at", "session", ["expires_at"], unique=False)
    op.create_index("ix_session_user_id", "session", ["user_id"], unique=False)
    op.create_table(
        "alarm_journal",
        sa.Column("alarm_journal_id", ROW_NUMBER, nullable=False),
        sa.Column("alarm_id", sa.String(length=26), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("event", sa.String(length=32), nullable=False),
        sa.Column("occurrence", sa.String(length=26), nullable=False),
        sa.Column("state_before", sa.String(length=8), nullable=False),
        sa.Column("state_after", sa.String(length=8), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("desk", sa.Text(), nullable=False),
        sa.Column("payload", JSON, nullable=False),
        sa.ForeignKeyConstraint(["alarm_id"], ["alarm.alarm_id"], name="fk_alarm_journal_alarm_id"),
        sa.PrimaryKeyConstraint("alarm_journal_id", name="pk_alarm_journal"),
        sa.UniqueConstraint("alarm_id", "sequence", name="uq_alarm_journal_alarm_id_sequence"),
    )
    op.create_index("ix_alarm_journal_at", "alarm_journal", ["at"], unique=False)

    # There from the start, so that two nodes never race to make it.
    op.bulk_insert(
        sa.table(
            "setting", sa.column("key", sa.String), sa.column("value", JSON), sa.column("changed_at", UtcDateTime())
        ),
        [{"key": "audit.head", "value": {"n_rows": 0, "hash_hex": "0" * 64}, "changed_at": datetime.now(UTC)}],
    )
    if op.get_bind().dialect.name == "postgresql":
        _guard_audit_on_postgresql()
    else:
        _guard_audit_on_sqlite()


def _guard_audit_on_sqlite() -> None:
    for verb in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER audit_no_{verb.lower()} BEFORE {verb} ON audit "
            "BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END"
        )


def _guard_audit_on_postgresql() -> None:
    op.execute(
        "CREATE FUNCTION audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'the audit is append-only'; END $$"
    )
    op.execute(
        "CREATE TRIGGER audit_no_change BEFORE UPDATE OR DELETE ON audit "
        "FOR EACH ROW EXECUTE FUNCTION audit_is_append_only()"
    )
    op.execute(
        "CREATE TRIGGER audit_no_truncate BEFORE TRUNCATE ON audit "
        "FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only()"
    )
