"""The tables, as typed declarative rows; a row never leaves a `Store.read` or `Store.write` function."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, declared_attr, mapped_column


class UtcDateTime(TypeDecorator[datetime]):
    """An aware instant: `timestamptz` on PostgreSQL, UTC without offset on SQLite; always read back aware, UTC."""

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        """Let PostgreSQL keep the offset; SQLite has no type for it."""
        return dialect.type_descriptor(DateTime(timezone=dialect.name == "postgresql"))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse a naive instant: nobody could say later which hour it meant."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"the instant {value.isoformat()} has no UTC offset")
        at = value.astimezone(UTC)
        return at if dialect.name == "postgresql" else at.replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Return it aware, UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


Json = JSON().with_variant(JSONB(), "postgresql")
# SQLite numbers rows by itself only where the key is exactly INTEGER.
RowNumber = BigInteger().with_variant(Integer(), "sqlite")

MAX_SOURCE_ID = 80
"""Characters of what an alarm is about."""


class Base(DeclarativeBase):
    """All tables; constraint names are fixed so that a migration can name them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {datetime: UtcDateTime(), dict[str, Any]: Json, list[Any]: Json}  # noqa: RUF012


class Versioned:
    """A row with a version that every update checks and bumps; a lost race raises `StaleDataError`."""

    version: Mapped[int] = mapped_column(Integer, default=1)

    @declared_attr.directive
    def __mapper_args__(cls) -> dict[str, Any]:  # noqa: N805
        """Let the mapper put the version into the WHERE of every UPDATE and DELETE."""
        return {"version_id_col": cls.version}


class CameraRow(Versioned, Base):
    """A camera's settings; no password here, ever."""

    __tablename__ = "camera"

    camera_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    address: Mapped[str] = mapped_column(Text)
    sub_address: Mapped[str] = mapped_column(Text, default="")
    onvif_address: Mapped[str] = mapped_column(Text, default="")
    username: Mapped[str] = mapped_column(Text, default="")
    has_password: Mapped[bool] = mapped_column(default=False)
    transport: Mapped[str] = mapped_column(String(8), default="tcp")
    is_enabled: Mapped[bool] = mapped_column(default=True)
    lat_deg: Mapped[float | None] = mapped_column(default=None)
    lon_deg: Mapped[float | None] = mapped_column(default=None)
    site: Mapped[str] = mapped_column(Text, default="")
    heading_deg: Mapped[float] = mapped_column(default=0.0)
    view_angle_deg: Mapped[float] = mapped_column(default=60.0)
    mount_height_m: Mapped[float | None] = mapped_column(default=None)
    detect_fps: Mapped[float] = mapped_column(default=8.0)
    labels: Mapped[list[Any]] = mapped_column(Json, default=list)
    tracker: Mapped[str] = mapped_column(String(32), default="bytetrack")
    scene: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    """`wire.to_builtins(Scene)`."""

    created_at: Mapped[datetime]


class CameraViewRow(Base):
    """What was drawn on a camera when its worker learned what it shows while it stands right, and whether it does."""

    __tablename__ = "camera_view"

    camera_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    drawn: Mapped[str] = mapped_column(Text)
    """Prints of its private parts, with blanks between them, or of all that is drawn; without them it means nothing."""

    is_moved: Mapped[bool]
    is_open: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    told_at: Mapped[datetime]


class CameraLitViewRow(Base):
    """What a camera shows in one light while it stands right."""

    __tablename__ = "camera_lit_view"

    camera_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    light: Mapped[str] = mapped_column(String(32), primary_key=True)
    edges: Mapped[bytes] = mapped_column(LargeBinary)
    likeness: Mapped[float]
    seen_at: Mapped[datetime]


class CameraShapeRow(Base):
    """How large the pictures of a camera were that something was drawn on; it stays when that is not drawn any more."""

    __tablename__ = "camera_shape"

    camera_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    drawn: Mapped[str] = mapped_column(String(64), primary_key=True)
    """Print of a private part, or of all that is drawn."""

    width: Mapped[int]
    height: Mapped[int]
    told_at: Mapped[datetime]


class CameraHeadRow(Base):
    """Where the head of a camera stands that was turned from here; one without a row never was."""

    __tablename__ = "camera_head"

    camera_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    away_since: Mapped[datetime | None] = mapped_column(default=None)
    """None while it stands at home, the view that the camera's scene was drawn for."""

    home_pan: Mapped[float | None] = mapped_column(default=None)
    home_tilt: Mapped[float | None] = mapped_column(default=None)
    home_zoom: Mapped[float | None] = mapped_column(default=None)
    """In the head's own units; None where the camera does not say where it looks."""


class SceneVersionRow(Base):
    """What was drawn on a camera's picture at one time; written with every change of the scene, never changed."""

    __tablename__ = "scene_version"
    __table_args__ = (UniqueConstraint("camera_id", "number"),)

    scene_version_id: Mapped[int] = mapped_column(RowNumber, primary_key=True)
    camera_id: Mapped[str] = mapped_column(String(64))
    number: Mapped[int] = mapped_column(Integer)
    """1, 2, 3, … within the camera."""

    scene: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    at: Mapped[datetime]
    actor: Mapped[str] = mapped_column(Text)
    note: Mapped[str] = mapped_column(Text, default="")


class DeviceRow(Versioned, Base):
    """A field device, as far as it must survive a restart."""

    __tablename__ = "device"

    device_id: Mapped[str] = mapped_column(String(80), primary_key=True)
    kind: Mapped[str] = mapped_column(String(32))
    name: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(String(16), default="unknown")
    is_enabled: Mapped[bool] = mapped_column(default=True)
    lat_deg: Mapped[float | None] = mapped_column(default=None)
    lon_deg: Mapped[float | None] = mapped_column(default=None)
    site: Mapped[str] = mapped_column(Text, default="")
    tags: Mapped[list[Any]] = mapped_column(Json, default=list, server_default="[]")
    """Words under which it is found, as texts."""

    last_seen_at: Mapped[datetime | None] = mapped_column(default=None)
    state_since: Mapped[datetime | None] = mapped_column(default=None)
    firmware: Mapped[str] = mapped_column(Text, default="")
    boot: Mapped[str] = mapped_column(String(64), default="")
    event_seq: Mapped[int | None] = mapped_column(BigInteger, default=None)
    """Highest `/evt` sequence up to which nothing is missing."""

    skew_s: Mapped[float | None] = mapped_column(default=None)
    """Its clock minus ours in its present start; None while nobody knows."""

    birth: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    """Its self-description, as it came."""

    created_at: Mapped[datetime]


class ReadingRow(Base):
    """What one stream of one device said at one instant; the same instant again is the same reading."""

    __tablename__ = "reading"
    __table_args__ = (Index(None, "device_id", "stream", "at", unique=True), Index(None, "at"))

    reading_id: Mapped[int] = mapped_column(RowNumber, primary_key=True)
    device_id: Mapped[str] = mapped_column(String(80))
    stream: Mapped[str] = mapped_column(String(64))
    at: Mapped[datetime]
    values: Mapped[dict[str, Any]] = mapped_column("quantities", Json)
    is_good: Mapped[bool] = mapped_column(default=True)
    is_history: Mapped[bool] = mapped_column(default=False)


class FieldEventRow(Base):
    """One event a device must not lose; `DeviceRow.event_seq` moves in the same transaction.

    The unique key keeps it single also where nobody knows whether a commit went through.
    """

    __tablename__ = "field_event"
    __table_args__ = (
        Index(None, "device_id", "seq", "boot", unique=True),
        Index(None, "at"),
        Index(
            "ix_field_event_is_waiting",
            "field_event_id",
            sqlite_where=text("is_waiting"),
            postgresql_where=text("is_waiting"),
        ),
    )

    field_event_id: Mapped[int] = mapped_column(RowNumber, primary_key=True)
    device_id: Mapped[str] = mapped_column(String(80))
    seq: Mapped[int] = mapped_column(BigInteger)
    event_id: Mapped[str] = mapped_column(String(64), default="")
    event_type: Mapped[str] = mapped_column(String(64), default="")
    at: Mapped[datetime]
    received_at: Mapped[datetime]
    boot: Mapped[str] = mapped_column(String(64), default="")
    is_good: Mapped[bool] = mapped_column(default=True)
    is_history: Mapped[bool] = mapped_column(default=False)
    is_ahead: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    """It calls, and was stored while earlier ones of its device were missing; `DeviceRow.event_seq` did not move."""

    data: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    is_waiting: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    """It calls an operator, and its call is not stored yet: a node that was killed in between finds it here."""

    call: Mapped[str] = mapped_column(String(16), default="", server_default="")
    """What became of its call, once that is stored; empty where it does not call."""

    alarm_id: Mapped[str | None] = mapped_column(String(26), default=None)
    """The alarm that it raised, or that it counts to."""


class DeviceCommandRow(Base):
    """A command that somebody gave a device, and what became of it."""

    __tablename__ = "device_command"
    __table_args__ = (Index(None, "device_id", "created_at"), Index(None, "created_at"))

    command_id: Mapped[str] = mapped_column(String(26), primary_key=True)
    device_id: Mapped[str] = mapped_column(String(80))
    name: Mapped[str] = mapped_column(String(64))
    args: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    status: Mapped[str] = mapped_column(String(16))
    text: Mapped[str] = mapped_column(Text, default="")
    sent_by: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    changed_at: Mapped[datetime | None] = mapped_column(default=None)


class DeviceTwinRow(Base):
    """What a device should be set to, and what it last said."""

    __tablename__ = "device_twin"

    device_id: Mapped[str] = mapped_column(String(80), primary_key=True)
    desired: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    desired_by: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    """By key: `{"by": name, "at": ISO 8601}`."""

    desired_version: Mapped[int] = mapped_column(BigInteger, default=0)
    reported: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    reported_version: Mapped[int] = mapped_column(BigInteger, default=0)
    reported_at: Mapped[datetime | None] = mapped_column(default=None)
    answered_version: Mapped[int] = mapped_column(BigInteger, default=0)


class RemovedDeviceRow(Base):
    """A device that was removed: what it said before does not make it known again."""

    __tablename__ = "removed_device"
    __table_args__ = (Index(None, "removed_at"),)

    device_id: Mapped[str] = mapped_column(String(80), primary_key=True)
    gone_at: Mapped[datetime]
    """The removal, by the device's own clock."""

    removed_at: Mapped[datetime]


class DeviceRemovalRow(Base):
    """One removal of a device, with what puts it back; stays also where the device came back by itself."""

    __tablename__ = "device_removal"
    __table_args__ = (Index(None, "device_id"),)

    removal_id: Mapped[str] = mapped_column(String(26), primary_key=True)
    device_id: Mapped[str] = mapped_column(String(80))
    name: Mapped[str] = mapped_column(Text)
    kind: Mapped[str] = mapped_column(String(32))
    site: Mapped[str] = mapped_column(Text, default="")
    kept: Mapped[dict[str, Any]] = mapped_column(Json)
    """The rest of its row, by column."""

    twin: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    """The row of its twin, by column; empty where it had none."""

    removed_at: Mapped[datetime]
    removed_by: Mapped[str] = mapped_column(Text)
    restored_at: Mapped[datetime | None] = mapped_column(default=None)
    restored_by: Mapped[str] = mapped_column(Text, default="")


class RetainedClearRow(Base):
    """A topic whose retained message has to be taken away from the broker; gone once the broker confirmed it."""

    __tablename__ = "retained_clear"

    topic: Mapped[str] = mapped_column(String(300), primary_key=True)
    device_id: Mapped[str] = mapped_column(String(80), default="")
    """Of the removed device; empty where it was ours."""


class LineCountRow(Base):
    """Vehicles over one line in one minute; write it with `counts.upsert_whole`."""

    __tablename__ = "line_count"
    __table_args__ = (
        UniqueConstraint("camera_id", "line_key", "direction", "label", "minute"),
        Index(None, "camera_id", "minute"),
        Index(None, "minute"),
    )

    line_count_id: Mapped[int] = mapped_column(RowNumber, primary_key=True)
    camera_id: Mapped[str] = mapped_column(String(64))
    line_key: Mapped[str] = mapped_column(String(64))
    direction: Mapped[str] = mapped_column(Text)
    label: Mapped[str] = mapped_column(String(32))
    minute: Mapped[datetime]
    n_vehicles: Mapped[int] = mapped_column(Integer)


class FlowMinuteRow(Base):
    """What one lane, line or zone measured in one minute; None is not known."""

    __tablename__ = "flow_minute"
    __table_args__ = (
        UniqueConstraint("camera_id", "subject", "key", "direction", "label", "minute"),
        Index(None, "camera_id", "minute"),
        Index(None, "minute"),
    )

    flow_minute_id: Mapped[int] = mapped_column(RowNumber, primary_key=True)
    camera_id: Mapped[str] = mapped_column(String(64))
    subject: Mapped[str] = mapped_column(String(8))
    key: Mapped[str] = mapped_column(String(80))
    direction: Mapped[str] = mapped_column(Text, default="")
    label: Mapped[str] = mapped_column(String(32), default="")
    minute: Mapped[datetime]
    observed_s: Mapped[float]
    n_vehicles: Mapped[int | None] = mapped_column(Integer, default=None)
    speed_kmh: Mapped[float | None] = mapped_column(default=None)
    speed_error_kmh: Mapped[float | None] = mapped_column(default=None)
    occupancy: Mapped[float | None] = mapped_column(default=None)
    density_per_km: Mapped[float | None] = mapped_column(default=None)
    queue_m: Mapped[float | None] = mapped_column(default=None)


class LotOccupancyRow(Base):
    """How full a lot was at one instant."""

    __tablename__ = "lot_occupancy"
    __table_args__ = (Index(None, "lot_id", "at"), Index(None, "at"))

    lot_occupancy_id: Mapped[int] = mapped_column(RowNumber, primary_key=True)
    lot_id: Mapped[str] = mapped_column(String(80))
    at: Mapped[datetime]
    n_bays: Mapped[int] = mapped_column(Integer)
    n_occupied: Mapped[int] = mapped_column(Integer)
    n_unknown: Mapped[int] = mapped_column(Integer, default=0)


class LotRow(Base):
    """A lot as it is drawn."""

    __tablename__ = "lot"

    lot_id: Mapped[str] = mapped_column(String(80), primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    document: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    """`wire.to_builtins(Lot)`; its version is the row's."""

    changed_at: Mapped[datetime]
    changed_by: Mapped[str] = mapped_column(Text, default="")
    version: Mapped[int] = mapped_column(Integer)
    """The number of its newest `lot_version`: a lot that was removed and drawn again goes on counting."""


class LotVersionRow(Base):
    """A lot as it was drawn at one time; written with every save, never changed."""

    __tablename__ = "lot_version"
    __table_args__ = (UniqueConstraint("lot_id", "number"),)

    lot_version_id: Mapped[int] = mapped_column(RowNumber, primary_key=True)
    lot_id: Mapped[str] = mapped_column(String(80))
    number: Mapped[int] = mapped_column(Integer)
    """1, 2, 3, … within the lot."""

    document: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    at: Mapped[datetime]
    actor: Mapped[str] = mapped_column(Text)
    note: Mapped[str] = mapped_column(Text, default="")


class BayChangeRow(Base):
    """A bay stood otherwise from one instant on."""

    __tablename__ = "bay_change"
    __table_args__ = (Index(None, "lot_id", "at"), Index(None, "lot_id", "bay_id", "at"), Index(None, "at"))

    bay_change_id: Mapped[int] = mapped_column(RowNumber, primary_key=True)
    lot_id: Mapped[str] = mapped_column(String(80))
    bay_id: Mapped[str] = mapped_column(String(64))
    at: Mapped[datetime]
    state: Mapped[str] = mapped_column(String(8))
    confidence: Mapped[float]
    source: Mapped[str] = mapped_column(Text)
    is_stale: Mapped[bool] = mapped_column(default=False)


class BayCorrectionRow(Base):
    """What an operator said of a bay, for as long as it holds."""

    __tablename__ = "bay_correction"

    lot_id: Mapped[str] = mapped_column(String(80), primary_key=True)
    bay_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    state: Mapped[str] = mapped_column(String(8))
    at: Mapped[datetime]
    actor: Mapped[str] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(Text)


class LotEventRow(Versioned, Base):
    """Something at a lot that is not every week; an empty `lot_id` means all lots."""

    __tablename__ = "lot_event"
    __table_args__ = (Index(None, "begins_at"),)

    event_id: Mapped[str] = mapped_column(String(26), primary_key=True)
    lot_id: Mapped[str] = mapped_column(String(80), default="")
    name: Mapped[str] = mapped_column(Text)
    begins_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    effect_percent: Mapped[float | None] = mapped_column(default=None)


class DroneRow(Base):
    """A drone as it is set up."""

    __tablename__ = "drone"

    drone_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    document: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    """`wire.to_builtins(Drone)`; its version is the row's."""

    changed_at: Mapped[datetime]
    changed_by: Mapped[str] = mapped_column(Text, default="")
    version: Mapped[int] = mapped_column(Integer, default=0)
    """Saves by people; what a drone says of itself does not count."""


class DroneFlightRow(Base):
    """One flight."""

    __tablename__ = "drone_flight"
    __table_args__ = (Index(None, "drone_id", "began_at"), Index(None, "began_at"))

    flight_id: Mapped[str] = mapped_column(String(26), primary_key=True)
    drone_id: Mapped[str] = mapped_column(String(64))
    began_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    distance_m: Mapped[float]
    max_height_m: Mapped[float | None]
    battery_used_percent: Mapped[float | None]
    n_points: Mapped[int] = mapped_column(Integer)
    source: Mapped[str] = mapped_column(Text)
    log_file: Mapped[str] = mapped_column(Text, default="")
    has_lost_end: Mapped[bool] = mapped_column(default=False)
    was_interrupted: Mapped[bool] = mapped_column(default=False)


class DroneTrackRow(Base):
    """One point of a flight, thinned."""

    __tablename__ = "drone_track"
    __table_args__ = (Index(None, "flight_id", "at"),)

    drone_track_id: Mapped[int] = mapped_column(RowNumber, primary_key=True)
    flight_id: Mapped[str] = mapped_column(String(26))
    at: Mapped[datetime]
    lat_deg: Mapped[float]
    lon_deg: Mapped[float]
    altitude_amsl_m: Mapped[float | None]
    altitude_home_m: Mapped[float | None]
    ground_speed_mps: Mapped[float | None]
    heading_deg: Mapped[float | None]
    battery_percent: Mapped[float | None]


class ObservationRow(Base):
    """What a scene rule saw; its id makes storing it twice harmless."""

    __tablename__ = "observation"
    __table_args__ = (
        Index(None, "camera_id", "captured_at"),
        Index(None, "captured_at"),
        Index(
            "ix_observation_incident_id",
            "incident_id",
            sqlite_where=text("incident_id IS NOT NULL"),
            postgresql_where=text("incident_id IS NOT NULL"),
        ),
    )

    observation_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    camera_id: Mapped[str] = mapped_column(String(64))
    kind: Mapped[str] = mapped_column(String(32))
    phase: Mapped[str] = mapped_column(String(16))
    rule_key: Mapped[str] = mapped_column(String(64))
    rule_name: Mapped[str] = mapped_column(Text)
    condition_key: Mapped[str] = mapped_column(Text)
    pts_s: Mapped[float]
    captured_at: Mapped[datetime]
    label: Mapped[str] = mapped_column(String(32), default="")
    direction: Mapped[str] = mapped_column(Text, default="")
    track_id: Mapped[int | None] = mapped_column(BigInteger, default=None)
    bbox_xyxy: Mapped[list[Any] | None] = mapped_column(Json, default=None)
    confidence: Mapped[float] = mapped_column(default=1.0)
    values: Mapped[dict[str, Any]] = mapped_column("quantities", Json, default=dict)
    incident_id: Mapped[str | None] = mapped_column(String(26), default=None)
    lat_deg: Mapped[float | None] = mapped_column(default=None)
    lon_deg: Mapped[float | None] = mapped_column(default=None)
    """Of the point on the ground that was seen; None where no road plane tells it."""


class IncidentRow(Versioned, Base):
    """What happened."""

    __tablename__ = "incident"
    __table_args__ = (Index(None, "began_at"), Index(None, "source_kind", "source_id", "began_at"))

    incident_id: Mapped[str] = mapped_column(String(26), primary_key=True)
    kind: Mapped[str] = mapped_column(String(64))
    title: Mapped[str] = mapped_column(Text)
    source_kind: Mapped[str] = mapped_column(String(16))
    source_id: Mapped[str] = mapped_column(String(MAX_SOURCE_ID))
    source_name: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(String(16))
    began_at: Mapped[datetime]
    ended_at: Mapped[datetime | None] = mapped_column(default=None)
    lat_deg: Mapped[float | None] = mapped_column(default=None)
    lon_deg: Mapped[float | None] = mapped_column(default=None)
    confidence: Mapped[float] = mapped_column(default=1.0)
    """Of the rule that raised it."""

    snapshot_path: Mapped[str] = mapped_column(Text, default="")
    snapshot_sha256: Mapped[str] = mapped_column(String(64), default="")
    snapshot_call: Mapped[dict[str, Any] | None] = mapped_column(Json, default=None)
    """`wire.to_builtins(PictureCall)`: what that picture shows; None where nobody noted it."""

    priority: Mapped[int] = mapped_column(Integer, default=3)
    text: Mapped[str] = mapped_column(Text, default="")
    unit_id: Mapped[str] = mapped_column(String(26), default="")
    operator: Mapped[str] = mapped_column(Text, default="")
    disposition: Mapped[str] = mapped_column(String(16), default="")
    merged_into: Mapped[str | None] = mapped_column(String(26), default=None)
    taken_up_by: Mapped[str] = mapped_column(Text, default="")
    opened_at: Mapped[datetime | None] = mapped_column(default=None)
    assigned_at: Mapped[datetime | None] = mapped_column(default=None)
    en_route_at: Mapped[datetime | None] = mapped_column(default=None)
    on_scene_at: Mapped[datetime | None] = mapped_column(default=None)
    resolved_at: Mapped[datetime | None] = mapped_column(default=None)
    closed_at: Mapped[datetime | None] = mapped_column(default=None)
    work_version: Mapped[int] = mapped_column(Integer, default=0)
    """Steps of operators so far; what alarms change does not count."""


class IncidentStepRow(Base):
    """One step of an operator on one incident; triggers refuse to change or remove it."""

    __tablename__ = "incident_step"
    __table_args__ = (UniqueConstraint("incident_id", "sequence"), Index(None, "at"))

    incident_step_id: Mapped[int] = mapped_column(RowNumber, primary_key=True)
    incident_id: Mapped[str] = mapped_column(ForeignKey("incident.incident_id"))
    sequence: Mapped[int] = mapped_column(Integer)
    """1, 2, 3, … within the incident."""

    at: Mapped[datetime]
    step: Mapped[str] = mapped_column(String(16))
    status_before: Mapped[str] = mapped_column(String(16))
    status_after: Mapped[str] = mapped_column(String(16))
    actor: Mapped[str] = mapped_column(Text)
    desk: Mapped[str] = mapped_column(Text, default="")
    comment: Mapped[str] = mapped_column(Text, default="")
    detail: Mapped[str] = mapped_column(Text, default="")
    """Who or what it was about, in words: a unit, an alarm, a disposition."""


class IncidentAlarmRow(Base):
    """An occurrence of an alarm that an operator attached to another incident than its own."""

    __tablename__ = "incident_alarm"

    alarm_id: Mapped[str] = mapped_column(ForeignKey("alarm.alarm_id"), primary_key=True)
    occurrence: Mapped[str] = mapped_column(String(26), primary_key=True)
    incident_id: Mapped[str] = mapped_column(ForeignKey("incident.incident_id"), index=True)


class UnitRow(Versioned, Base):
    """A unit or crew that can be sent."""

    __tablename__ = "unit"

    unit_id: Mapped[str] = mapped_column(String(26), primary_key=True)
    call_sign: Mapped[str] = mapped_column(Text)
    kind: Mapped[str] = mapped_column(String(32))
    duty: Mapped[str] = mapped_column(String(16))
    is_removed: Mapped[bool] = mapped_column(default=False)


class ShiftEntryRow(Base):
    """One line of the shift log; triggers refuse to change or remove it."""

    __tablename__ = "shift_entry"
    __table_args__ = (Index(None, "at"), Index(None, "kind", "shift_entry_id"))

    shift_entry_id: Mapped[int] = mapped_column(RowNumber, primary_key=True)
    at: Mapped[datetime]
    kind: Mapped[str] = mapped_column(String(16))
    text: Mapped[str] = mapped_column(Text)
    actor: Mapped[str] = mapped_column(Text)
    desk: Mapped[str] = mapped_column(Text, default="")
    corrects: Mapped[int | None] = mapped_column(BigInteger, default=None)
    """The entry that this one puts right."""


class HandOverRow(Versioned, Base):
    """A shift that was handed over, and who took it over."""

    __tablename__ = "hand_over"

    hand_over_id: Mapped[str] = mapped_column(String(26), primary_key=True)
    until: Mapped[datetime]
    content: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    sha256: Mapped[str] = mapped_column(String(64))
    signed_by: Mapped[str] = mapped_column(Text, default="")
    signed_desk: Mapped[str] = mapped_column(Text, default="")
    signed_at: Mapped[datetime | None] = mapped_column(default=None)
    signed_comment: Mapped[str] = mapped_column(Text, default="")


class CapMessageRow(Base):
    """A CAP message as it came in; stored once however often it comes."""

    __tablename__ = "cap_message"
    __table_args__ = (
        UniqueConstraint("sender", "identifier", "sent"),
        Index(None, "identifier", "sent"),
        Index(None, "warning_id"),
        Index(None, "sent"),
    )

    cap_message_id: Mapped[int] = mapped_column(RowNumber, primary_key=True)
    sender: Mapped[str] = mapped_column(Text)
    identifier: Mapped[str] = mapped_column(Text)
    sent: Mapped[datetime]
    msg_type: Mapped[str] = mapped_column(String(8))
    received_at: Mapped[datetime]
    origin: Mapped[str] = mapped_column(Text)
    references: Mapped[list[Any]] = mapped_column("refers_to", Json, default=list)
    """Identifier and instant of each message that it is about."""

    warning_id: Mapped[str] = mapped_column(String(20))
    """The same for a message and everything that updates it."""

    state: Mapped[str] = mapped_column(String(16))
    """"active", "replaced", "cancelled", "expired", or "kept" where it calls nobody."""

    expires_at: Mapped[datetime | None] = mapped_column(default=None)
    xml: Mapped[str] = mapped_column(Text)


class IncidentPictureRow(Base):
    """A picture of an incident beside the one that it shows: of an earlier call, or of a less urgent one."""

    __tablename__ = "incident_picture"

    picture_id: Mapped[str] = mapped_column(String(26), primary_key=True)
    incident_id: Mapped[str] = mapped_column(ForeignKey("incident.incident_id"), index=True)
    path: Mapped[str] = mapped_column(Text)
    sha256: Mapped[str] = mapped_column(String(64))
    call: Mapped[dict[str, Any] | None] = mapped_column(Json, default=None)
    """As `IncidentRow.snapshot_call`."""


class IncidentClipRow(Base):
    """What a camera saw ten seconds before and after a call of an incident; the film lies beside the snapshots."""

    __tablename__ = "incident_clip"

    incident_id: Mapped[str] = mapped_column(ForeignKey("incident.incident_id"), primary_key=True)
    occurrence: Mapped[str] = mapped_column(String(26), primary_key=True)
    """Of the alarm that called; empty where it was written down before calls were told apart."""

    camera_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    camera_name: Mapped[str] = mapped_column(Text)
    title: Mapped[str] = mapped_column(Text, default="")
    """Of the alarm that called; empty where nobody noted it."""

    rank: Mapped[int] = mapped_column(Integer)
    """0 for the camera that sees it best."""

    at: Mapped[datetime]
    """Of the alarm."""

    began_at: Mapped[datetime]
    """Of the first picture."""

    n_pictures: Mapped[int] = mapped_column(Integer)
    path: Mapped[str] = mapped_column(Text)
    """Empty where there is no film, or none yet."""

    sha256: Mapped[str] = mapped_column(String(64))
    missing: Mapped[str] = mapped_column(Text)
    """What of the twenty seconds is not there, and why."""


class ReviewRow(Versioned, Base):
    """What an operator made of an incident under the rule that it was named after just then."""

    __tablename__ = "review"

    incident_id: Mapped[str] = mapped_column(ForeignKey("incident.incident_id"), primary_key=True)
    kind: Mapped[str] = mapped_column(String(64), primary_key=True)
    """Of the incident when it was answered; empty where a version before did not note it and it was named anew."""

    confidence: Mapped[float]
    """Of the incident when it was answered."""

    outcome: Mapped[str] = mapped_column(String(16))
    """"true", "false" or "duplicate"; empty where the review was taken back."""

    duplicate_of: Mapped[str | None] = mapped_column(String(26), default=None)
    note: Mapped[str] = mapped_column(Text, default="")
    reviewed_by: Mapped[str] = mapped_column(Text)
    reviewed_at: Mapped[datetime]


class AlarmRow(Versioned, Base):
    """What calls an operator; at most one open alarm for each condition."""

    __tablename__ = "alarm"
    __table_args__ = (
        Index(
            "uq_alarm_open_condition",
            "condition_key",
            unique=True,
            sqlite_where=text("is_open"),
            postgresql_where=text("is_open"),
        ),
        Index(None, "raised_at"),
        Index(None, "source_kind", "source_id"),
    )

    alarm_id: Mapped[str] = mapped_column(String(26), primary_key=True)
    condition_key: Mapped[str] = mapped_column(Text)
    occurrence: Mapped[str] = mapped_column(String(26))
    incident_id: Mapped[str] = mapped_column(ForeignKey("incident.incident_id"), index=True)
    kind: Mapped[str] = mapped_column(String(64))
    title: Mapped[str] = mapped_column(Text)
    detail: Mapped[str] = mapped_column(Text)
    priority: Mapped[int] = mapped_column(Integer)
    source_kind: Mapped[str] = mapped_column(String(16))
    source_id: Mapped[str] = mapped_column(String(MAX_SOURCE_ID))
    source_name: Mapped[str] = mapped_column(Text)
    is_active: Mapped[bool]
    is_acknowledged: Mapped[bool]
    is_open: Mapped[bool]
    """`Alarm.is_open`; a column of its own so that the index above can see it."""

    raised_at: Mapped[datetime]
    changed_at: Mapped[datetime]
    returned_at: Mapped[datetime | None] = mapped_column(default=None)
    acknowledged_at: Mapped[datetime | None] = mapped_column(default=None)
    acknowledged_by: Mapped[str] = mapped_column(Text, default="")
    acknowledged_desk: Mapped[str] = mapped_column(Text, default="")
    comment: Mapped[str] = mapped_column(Text, default="")
    n_repeats: Mapped[int] = mapped_column(Integer, default=0)
    rule_id: Mapped[str] = mapped_column(Text, default="")
    quality: Mapped[str] = mapped_column(String(16), default="good")
    is_latched: Mapped[bool] = mapped_column(default=False)
    n_calls: Mapped[int] = mapped_column(Integer, default=1)
    calling_since: Mapped[datetime | None] = mapped_column(default=None)
    escalation_level: Mapped[int] = mapped_column(Integer, default=0)
    marks: Mapped[list[Any]] = mapped_column(Json, default=list)
    ticked: Mapped[list[Any]] = mapped_column(Json, default=list)
    shelving: Mapped[str] = mapped_column(String(16), default="unshelved")
    shelved_until: Mapped[datetime | None] = mapped_column(default=None)
    shelved_by: Mapped[str] = mapped_column(Text, default="")
    shelve_reason: Mapped[str] = mapped_column(Text, default="")
    suppressed_by: Mapped[str] = mapped_column(Text, default="")
    out_of_service_by: Mapped[str] = mapped_column(Text, default="")
    out_of_service_reason: Mapped[str] = mapped_column(Text, default="")
    out_of_service_until: Mapped[datetime | None] = mapped_column(default=None)
    lat_deg: Mapped[float | None] = mapped_column(default=None)
    lon_deg: Mapped[float | None] = mapped_column(default=None)


class AlarmJournalRow(Base):
    """One transition of one alarm; replaying an alarm's rows in order gives the alarm."""

    __tablename__ = "alarm_journal"
    __table_args__ = (UniqueConstraint("alarm_id", "sequence"), Index(None, "at"))

    alarm_journal_id: Mapped[int] = mapped_column(RowNumber, primary_key=True)
    alarm_id: Mapped[str] = mapped_column(ForeignKey("alarm.alarm_id"))
    sequence: Mapped[int] = mapped_column(Integer)
    """1, 2, 3, … within the alarm."""

    at: Mapped[datetime]
    event: Mapped[str] = mapped_column(String(32))
    occurrence: Mapped[str] = mapped_column(String(26))
    state_before: Mapped[str] = mapped_column(String(16))
    state_after: Mapped[str] = mapped_column(String(16))
    actor: Mapped[str] = mapped_column(Text)
    desk: Mapped[str] = mapped_column(Text, default="")
    priority: Mapped[int] = mapped_column(Integer, default=3)
    """Of the alarm after it."""

    is_call: Mapped[bool] = mapped_column(default=False)
    """It called the operator: sound and flash."""

    payload: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    """The event itself, as plain data."""


class RaiseCountRow(Base):
    """A condition came, and by its rule not often enough yet to be raised."""

    __tablename__ = "raise_count"

    count_id: Mapped[str] = mapped_column(String(26), primary_key=True)
    condition_key: Mapped[str] = mapped_column(Text)
    rule_id: Mapped[str] = mapped_column(Text)
    kind: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(index=True)


class OutOfServiceRow(Versioned, Base):
    """A condition or a source that a supervisor took out of service; also one that has no alarm now."""

    __tablename__ = "out_of_service"

    hold_id: Mapped[str] = mapped_column(String(26), primary_key=True)
    condition_key: Mapped[str] = mapped_column(Text, index=True)
    """Empty where the whole source is meant."""

    source_kind: Mapped[str] = mapped_column(String(16))
    source_id: Mapped[str] = mapped_column(String(MAX_SOURCE_ID))
    source_name: Mapped[str] = mapped_column(Text)
    owner: Mapped[str] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(Text)
    since: Mapped[datetime]
    until: Mapped[datetime] = mapped_column(index=True)


class PlannedWorksRow(Versioned, Base):
    """Works that were announced: what alarms are expected, and so suppressed, from when to when."""

    __tablename__ = "planned_works"

    works_id: Mapped[str] = mapped_column(String(26), primary_key=True)
    title: Mapped[str] = mapped_column(Text)
    sources: Mapped[list[Any]] = mapped_column(Json, default=list)
    """Pairs of kind and id."""

    kinds: Mapped[list[Any]] = mapped_column(Json, default=list)
    since: Mapped[datetime]
    until: Mapped[datetime] = mapped_column(index=True)
    owner: Mapped[str] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(Text, default="")
    ended_by: Mapped[str] = mapped_column(Text, default="")
    """Who ended them before their time."""


class RuleVersionRow(Base):
    """One saved state of the alarm rules; append-only."""

    __tablename__ = "rule_version"

    version: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    at: Mapped[datetime]
    author: Mapped[str] = mapped_column(Text)
    desk: Mapped[str] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(Text)
    n_rules: Mapped[int] = mapped_column(Integer)
    text: Mapped[str] = mapped_column(Text)
    """The whole document."""

    differences: Mapped[list[Any]] = mapped_column(Json, default=list)
    """Against the version before."""


class UserRow(Versioned, Base):
    """A person who may sign in."""

    __tablename__ = "user_account"

    user_id: Mapped[str] = mapped_column(String(26), primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    name_key: Mapped[str] = mapped_column(Text, unique=True)
    """The name without case, so that two people cannot look the same."""

    role: Mapped[int] = mapped_column(Integer)
    is_enabled: Mapped[bool] = mapped_column(default=True)
    password_hash: Mapped[str] = mapped_column(Text)
    password_changed_at: Mapped[datetime]
    created_at: Mapped[datetime]


class SessionRow(Base):
    """A signed-in person; only the hash of the token is kept."""

    __tablename__ = "session"

    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("user_account.user_id", ondelete="CASCADE"), index=True)
    desk: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)


class LockoutRow(Base):
    """Failed sign-ins of one name or one desk; survives a restart, or restarting would lift it."""

    __tablename__ = "lockout"

    subject: Mapped[str] = mapped_column(Text, primary_key=True)
    """"user:NAME" or "desk:NAME"."""

    n_failures: Mapped[int] = mapped_column(Integer)
    last_failure_at: Mapped[datetime] = mapped_column(index=True)
    locked_until: Mapped[datetime | None] = mapped_column(default=None)


class GatewayKeyRow(Base):
    """A key with which a device or another system enters the HTTP gateway; only the hash of its secret is kept."""

    __tablename__ = "gateway_key"

    key_id: Mapped[str] = mapped_column(String(12), primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    purpose: Mapped[str] = mapped_column(String(16))
    lot_id: Mapped[str] = mapped_column(String(64), default="")
    camera_id: Mapped[str] = mapped_column(String(64), default="")
    drone_id: Mapped[str] = mapped_column(String(64), default="", server_default="")
    secret_hash: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime]
    created_by: Mapped[str] = mapped_column(Text)
    revoked_at: Mapped[datetime | None] = mapped_column(default=None)
    last_seen_at: Mapped[datetime | None] = mapped_column(default=None)
    last_address: Mapped[str] = mapped_column(String(64), default="")
    n_accepted: Mapped[int] = mapped_column(BigInteger, default=0)
    n_refused: Mapped[int] = mapped_column(BigInteger, default=0)


class AuditRow(Base):
    """One row of the append-only audit; triggers refuse to change or remove it."""

    __tablename__ = "audit"

    sequence: Mapped[int] = mapped_column(RowNumber, primary_key=True, autoincrement=False)
    at: Mapped[datetime] = mapped_column(index=True)
    actor: Mapped[str] = mapped_column(Text)
    desk: Mapped[str] = mapped_column(Text)
    action: Mapped[str] = mapped_column(String(64))
    subject: Mapped[str] = mapped_column(Text)
    detail: Mapped[str] = mapped_column(Text)
    previous_hash_hex: Mapped[str] = mapped_column(String(64))
    hash_hex: Mapped[str] = mapped_column(String(64))


class SettingRow(Base):
    """Small facts of the site by key: the audit's head, a wall's preset."""

    __tablename__ = "setting"

    key: Mapped[str] = mapped_column(String(128), primary_key=True)
    value: Mapped[Any] = mapped_column(Json)
    changed_at: Mapped[datetime]
