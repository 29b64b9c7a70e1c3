"""Incidents (what happened) and alarms (what calls an operator)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum, StrEnum

from core.kernel.geo import GeoPoint


def kind_words(kind: str) -> str:
    """Return a kind of alarm as people say it: "stopped_vehicle" is "Stopped vehicle"."""
    return kind.replace("_", " ").capitalize()


class Priority(IntEnum):
    """How urgent an alarm is; 1 is the most urgent."""

    CRITICAL = 1
    HIGH = 2
    MEDIUM = 3
    LOW = 4


class IncidentStatus(StrEnum):
    """Where the work on an incident stands."""

    NEW = "new"
    ASSIGNED = "assigned"
    EN_ROUTE = "en_route"
    ON_SCENE = "on_scene"
    RESOLVED = "resolved"
    CLOSED = "closed"


class AlarmState(StrEnum):
    """ISA-18.2 states by mnemonic; what is latched is a state of ours between the standard's C and D."""

    NORMAL = "NORM"
    UNACKNOWLEDGED = "UNACK"
    ACKNOWLEDGED = "ACKED"
    RETURNED_UNACKNOWLEDGED = "RTNUN"
    LATCHED_UNACKNOWLEDGED = "LATCH-UNACK"
    LATCHED_ACKNOWLEDGED = "LATCH-ACKED"
    SHELVED = "SHLVD"
    SUPPRESSED = "DSUPR"
    OUT_OF_SERVICE = "OOSRV"


class Shelving(StrEnum):
    """Whether an operator has put an alarm aside, and until when; the names of OPC UA Part 9."""

    UNSHELVED = "unshelved"
    TIMED = "timed"
    ONE_SHOT = "one_shot"
    """Until the condition returns, and no longer than the time that is set."""


class Quality(StrEnum):
    """How far the state of an alarm can be trusted; it says nothing about whether the condition holds."""

    GOOD = "good"
    UNCERTAIN = "uncertain"
    BAD = "bad"
    STALE = "stale"
    """The source is lost: the state is the last one known."""


class AlarmMark(StrEnum):
    """What is wrong with an alarm itself (ISA-18.2, nuisance alarms)."""

    CHATTERING = "chattering"
    """Raised three times in 60 s."""

    REPEATING = "repeating"
    """Raised three times in 10 min."""

    FLEETING = "fleeting"
    """Over before anybody could act."""

    STALE = "stale"
    """Active for more than 24 h."""


MOMENTS = frozenset({"device_alert", "device_overflow", "events_lost"})
"""Kinds of alarms that say what happened: nobody hears whether it lasts, so they return with their call."""


class SourceKind(StrEnum):
    """What raised an alarm."""

    CAMERA = "camera"
    STATION = "station"
    LOT = "lot"
    DEVICE = "device"
    DRONE = "drone"
    SYSTEM = "system"
    HAND = "hand"
    """Nobody's device: an operator wrote it down."""

    WARNING = "warning"
    """A regional warning that came as CAP."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """What happened, with the picture that shows it.

    Attributes:
        snapshot_path: Relative to the evidence folder; empty where there is no picture.
        snapshot_sha256: Of that file.
        ended_at: When the condition ended; None while it lasts.
        priority: Of the most urgent alarm that it began with, or as the operator chose.
        text: What an operator wrote about it at the beginning.
        unit_id, operator: Who it is assigned to; either may be empty.
        disposition: What became of it, a `work.Disposition`; empty until it is closed.
        merged_into: The incident that this one is a duplicate of.
        taken_up_by: The first operator who did something about it; empty while it is only a record.
        opened_at: When it was stored; an incident that came late began earlier.
        assigned_at, en_route_at, on_scene_at, resolved_at, closed_at: Of the present round; a reassignment begins anew.
        work_version: Bumped by every step of an operator, not by what alarms do; guards against two operators racing.
    """

    incident_id: str
    kind: str
    title: str
    source_kind: SourceKind
    source_id: str
    source_name: str
    status: IncidentStatus
    began_at: datetime
    ended_at: datetime | None = None
    position: GeoPoint | None = None
    snapshot_path: str = ""
    snapshot_sha256: str = ""
    priority: Priority = Priority.MEDIUM
    text: str = ""
    unit_id: str = ""
    operator: str = ""
    disposition: str = ""
    merged_into: str = ""
    taken_up_by: str = ""
    opened_at: datetime | None = None
    assigned_at: datetime | None = None
    en_route_at: datetime | None = None
    on_scene_at: datetime | None = None
    resolved_at: datetime | None = None
    closed_at: datetime | None = None
    work_version: int = 0
    version: int = 1

    @property
    def is_closed(self) -> bool:
        """No more work is expected."""
        return self.status is IncidentStatus.CLOSED


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """One alarm as the operator sees it.

    Attributes:
        condition_key: Source and condition, e.g. "camera/CAM/congestion:zone-a"; one open alarm for each.
        occurrence: ULID of this activation; an acknowledge never reaches a later one.
        is_active: The condition holds right now.
        is_latched: It stands until somebody resets it, also when the condition is over.
        n_repeats: Times the condition came back while the alarm was open.
        n_calls: Times it called the operator in this occurrence; the console sounds when it grows.
        calling_since: Since when it waits for an acknowledge; None while it does not, or is held.
        escalation_level: 0 with its own desk; grows while nobody acknowledges it.
        quality: Of the source; a lost source is never "normal".
        rule_id: The rule whose figures it follows.
        shelved_until: The end of shelving; no repeat makes it later.
        suppressed_by: Rule that suppresses it by design; empty where none does.
        out_of_service_by: Who took it out of service; empty while it is in service.
        ticked: Steps of the guidance that were done.
        version: Bumped by every write; guards against two operators racing.
    """

    alarm_id: str
    condition_key: str
    occurrence: str
    incident_id: str
    kind: str
    title: str
    detail: str
    priority: Priority
    source_kind: SourceKind
    source_id: str
    source_name: str
    is_active: bool
    is_acknowledged: bool
    raised_at: datetime
    changed_at: datetime
    returned_at: datetime | None = None
    acknowledged_at: datetime | None = None
    acknowledged_by: str = ""
    acknowledged_desk: str = ""
    comment: str = ""
    n_repeats: int = 0
    position: GeoPoint | None = None
    version: int = 1
    rule_id: str = ""
    quality: Quality = Quality.GOOD
    is_latched: bool = False
    n_calls: int = 1
    calling_since: datetime | None = None
    escalation_level: int = 0
    marks: frozenset[AlarmMark] = frozenset()
    ticked: frozenset[str] = frozenset()
    shelving: Shelving = Shelving.UNSHELVED
    shelved_until: datetime | None = None
    shelved_by: str = ""
    shelve_reason: str = ""
    suppressed_by: str = ""
    out_of_service_by: str = ""
    out_of_service_reason: str = ""
    out_of_service_until: datetime | None = None

    @property
    def state(self) -> AlarmState:
        """The ISA-18.2 state that the flags add up to."""
        if self.out_of_service_by:
            return AlarmState.OUT_OF_SERVICE
        if self.suppressed_by:
            return AlarmState.SUPPRESSED
        if self.shelving is not Shelving.UNSHELVED:
            return AlarmState.SHELVED
        return self.state_beneath

    @property
    def state_beneath(self) -> AlarmState:
        """The state it would be in if nothing held it."""
        if self.is_active:
            return AlarmState.ACKNOWLEDGED if self.is_acknowledged else AlarmState.UNACKNOWLEDGED
        if self.is_latched:
            return AlarmState.LATCHED_ACKNOWLEDGED if self.is_acknowledged else AlarmState.LATCHED_UNACKNOWLEDGED
        return AlarmState.NORMAL if self.is_acknowledged else AlarmState.RETURNED_UNACKNOWLEDGED

    @property
    def is_suppressed_or_shelved(self) -> bool:
        """Something holds it: it is counted and listed, and never calls."""
        return bool(self.out_of_service_by or self.suppressed_by) or self.shelving is not Shelving.UNSHELVED

    @property
    def is_calling(self) -> bool:
        """An operator has not seen it yet, and nothing holds it."""
        return not self.is_acknowledged and not self.is_suppressed_or_shelved

    @property
    def is_open(self) -> bool:
        """It stands in a list: active, not yet acknowledged, latched, or held."""
        return self.is_active or not self.is_acknowledged or self.is_latched or self.is_suppressed_or_shelved


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """What a rule found wrong, on its way to becoming an alarm.

    Attributes:
        condition_key: As in `Alarm.condition_key`.
        began_at: When it was seen; None means now.
        confidence: Of the rule that found it, 0..1.
        rule_id: Whose figures the alarm follows; empty means those of `kind`.
        where: The zone, line or source that a rule's title may name; empty means the source.
        tags: What a rule may tell apart beside the kind, e.g. "was_parked".
        quantity: The number of a device that is beyond its limit, by key; empty where it is about none.
        measured_at: When the device measured that number; None where it is about none.
    """

    condition_key: str
    kind: str
    title: str
    priority: Priority
    source_kind: SourceKind
    source_id: str
    source_name: str
    detail: str = ""
    position: GeoPoint | None = None
    began_at: datetime | None = None
    confidence: float = 1.0
    rule_id: str = ""
    where: str = ""
    tags: frozenset[str] = frozenset()
    quantity: str = ""
    measured_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The picture that shows what happened."""

    jpeg: bytes
    captured_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureCall:
    """Which call a picture of an incident shows; `title` and `at` of the alarm when it called."""

    kind: str
    title: str
    occurrence: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipPicture:
    """One picture of a clip; `offset_s` is before (negative) or after the alarm."""

    offset_s: float
    jpeg: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipInfo:
    """What is kept of one camera around a call of an incident.

    Attributes:
        occurrence: Of the alarm that called; empty where it was kept before calls were told apart.
        title: Of that alarm when it called; empty where it was kept before that was noted.
        at: When it called.
        n_pictures: 0 where there is no film, or none yet.
        missing: A sentence for what of the twenty seconds is not there; empty where nothing is missing.
        is_being_taken: The ten seconds after it are not over yet.
    """

    incident_id: str
    camera_id: str
    camera_name: str
    n_pictures: int
    missing: str
    is_being_taken: bool
    at: datetime
    occurrence: str = ""
    title: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """What a camera saw around an alarm, the oldest picture first."""

    incident_id: str
    camera_id: str
    at: datetime
    pictures: tuple[ClipPicture, ...]
    occurrence: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalEntry:
    """One transition of one alarm, as the history shows it.

    Attributes:
        event: A `machine.Trigger`, e.g. "raise" or "acknowledge".
        comment: What the person said: a comment, or the reason of what was done.
    """

    alarm_id: str
    sequence: int
    at: datetime
    event: str
    occurrence: str
    state_before: AlarmState
    state_after: AlarmState
    actor: str
    desk: str
    comment: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmChanged:
    """An alarm was raised or changed; published after the commit."""

    alarm: Alarm


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosedUnheard:
    """A supervisor closed an alarm whose source is not heard; published after the commit.

    Whoever follows the condition takes it as over: a source that comes back with it calls anew.
    """

    alarm: Alarm


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentChanged:
    """An incident began or changed; published after the commit."""

    incident: Incident


@dataclass(frozen=True, slots=True, kw_only=True)
class CallMoved:
    """What holds calls in another incident than the closed one it belonged to; as `IncidentChanged`.

    An active alarm left it, or one that stood behind a call there calls next.
    """

    left_id: str
    incident_id: str
