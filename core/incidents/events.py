"""What can happen to an alarm, as the journal keeps it: replaying an alarm's events in order gives the alarm."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from core.incidents.model import AlarmMark, Condition, Quality, Shelving


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """Who took a condition or a source out of service, why, and until when."""

    by: str
    reason: str
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Raised:
    """The condition holds.

    Attributes:
        alarm_id, occurrence, incident_id: Used where this raise opens an alarm or a new occurrence.
        is_latching: The alarm stands until it is reset.
        marks: Of the condition at this moment; one that chatters does not call again.
        suppressed_by: Rule that suppresses the condition right now; empty where none does.
        out_of_service: Where the condition or its source is out of service.
        is_incident_closed: Of the alarm that is open; what comes back to it, or grows more urgent, is an occurrence of
            its own.
    """

    at: datetime
    condition: Condition
    alarm_id: str
    occurrence: str
    incident_id: str
    is_latching: bool = False
    marks: frozenset[AlarmMark] = frozenset()
    suppressed_by: str = ""
    out_of_service: Service | None = None
    is_incident_closed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Returned:
    """The condition is over.

    Attributes:
        is_fleeting: Nobody could have acted in that time.
        measured_at: When a device measured the number that says so; None where none did.
    """

    at: datetime
    is_fleeting: bool = False
    measured_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledged:
    """An operator has seen this occurrence; it says nothing about any other."""

    at: datetime
    occurrence: str
    by: str
    desk: str = ""
    comment: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unacknowledged:
    """An acknowledge was a mistake: this occurrence waits for one again."""

    at: datetime
    occurrence: str
    by: str
    comment: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reset:
    """What stood after its condition was over may go."""

    at: datetime
    occurrence: str
    by: str
    comment: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Realarmed:
    """It has been active for so long that it calls once more.

    Attributes:
        occurrence, incident_id: Of what calls anew; empty where the alarm's incident is open.
    """

    at: datetime
    occurrence: str = ""
    incident_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Escalated:
    """Nobody acknowledged it in time; `level` is the new one, `to` who it calls."""

    at: datetime
    level: int
    to: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelved:
    """An operator put this occurrence aside for a time."""

    at: datetime
    occurrence: str
    shelving: Shelving
    until: datetime
    by: str
    reason: str
    comment: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unshelved:
    """An operator ended the shelving, and so has seen the alarm."""

    at: datetime
    by: str
    desk: str = ""
    comment: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShelvingExpired:
    """The time of the shelving is over.

    Attributes:
        occurrence, incident_id: Of what calls anew; empty where the alarm's incident is open.
    """

    at: datetime
    occurrence: str = ""
    incident_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suppressed:
    """A rule suppresses the alarm by design."""

    at: datetime
    rule_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsuppressed:
    """No rule suppresses it any more.

    Attributes:
        occurrence, incident_id: Of what calls anew; empty where the alarm's incident is open.
    """

    at: datetime
    occurrence: str = ""
    incident_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenOut:
    """A supervisor took the condition or its source out of service."""

    at: datetime
    service: Service


@dataclass(frozen=True, slots=True, kw_only=True)
class PutBack:
    """A supervisor put it back into service, and so has seen the alarm."""

    at: datetime
    by: str
    desk: str = ""
    comment: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceExpired:
    """The end that was set for its time out of service has come.

    Attributes:
        occurrence, incident_id: Of what calls anew; empty where the alarm's incident is open.
    """

    at: datetime
    occurrence: str = ""
    incident_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityChanged:
    """The source was lost, or is back; the state stays the last one known."""

    at: datetime
    quality: Quality


@dataclass(frozen=True, slots=True, kw_only=True)
class Marked:
    """What is wrong with the alarm itself, all of it."""

    at: datetime
    marks: frozenset[AlarmMark]


@dataclass(frozen=True, slots=True, kw_only=True)
class Commented:
    """An operator wrote something down."""

    at: datetime
    comment: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticked:
    """A step of the guidance was done, or is not done after all."""

    at: datetime
    step: str
    is_done: bool
    comment: str = ""


LetGo = Realarmed | ShelvingExpired | Unsuppressed | ServiceExpired
"""Time does this, and it may call anew."""

Event = (
    Raised
    | Returned
    | Acknowledged
    | Unacknowledged
    | Reset
    | Realarmed
    | Escalated
    | Shelved
    | Unshelved
    | ShelvingExpired
    | Suppressed
    | Unsuppressed
    | TakenOut
    | PutBack
    | ServiceExpired
    | QualityChanged
    | Marked
    | Commented
    | Ticked
)

TYPES: dict[str, type[Event]] = {
    "raised": Raised,
    "returned": Returned,
    "acknowledged": Acknowledged,
    "unacknowledged": Unacknowledged,
    "reset": Reset,
    "realarmed": Realarmed,
    "escalated": Escalated,
    "shelved": Shelved,
    "unshelved": Unshelved,
    "shelving_expired": ShelvingExpired,
    "suppressed": Suppressed,
    "unsuppressed": Unsuppressed,
    "taken_out": TakenOut,
    "put_back": PutBack,
    "service_expired": ServiceExpired,
    "quality_changed": QualityChanged,
    "marked": Marked,
    "commented": Commented,
    "ticked": Ticked,
}
"""By the name that the journal gives them."""

NAMES = {kind: name for name, kind in TYPES.items()}
