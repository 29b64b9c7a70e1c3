"""An incident as a CAP message of our own: an alert first, then updates, and a cancel once it is closed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from core.incidents import work
from core.incidents.cap import CapAlert, CapArea, CapInfo, CapReference
from core.incidents.model import Incident, IncidentStatus, Priority, SourceKind
from core.incidents.work import Disposition

AROUND_KM = 0.2
"""Radius of the circle around a place that has no shape of its own."""

_SEVERITY = {
    Priority.CRITICAL: "Extreme",
    Priority.HIGH: "Severe",
    Priority.MEDIUM: "Moderate",
    Priority.LOW: "Minor",
}
_CATEGORY = {"fire_or_smoke": "Fire", "fire": "Fire", "flooding": "Met", "regional_warning": "Safety"}


def alert_of(
    incident: Incident,
    *,
    sent: datetime,
    published: Sequence[datetime],
    sender: str,
    sender_name: str,
    status: str,
) -> CapAlert:
    """Return the message that says how an incident stands.

    Args:
        incident: What happened.
        sent: Now, to the second.
        published: When earlier messages about it were sent; the new one updates or cancels them.
        sender: Our name in CAP, without blanks.
        sender_name: The site's name.
        status: "Actual", "Exercise" or "Test".
    """
    references = tuple(
        CapReference(sender, identifier_of(incident.incident_id, number), at)
        for number, at in enumerate(published, start=1)
    )
    follows = "Cancel" if incident.is_closed else "Update"
    return CapAlert(
        identifier=identifier_of(incident.incident_id, len(references) + 1),
        sender=sender,
        sent=sent,
        status=status,
        msg_type=follows if references else "Alert",
        source=sender_name,
        references=references,
        note=work.STATUS_WORDS[incident.status],
        incidents=incident.incident_id,
        infos=(_info_of(incident, sent, sender_name),),
    )


def identifier_of(incident_id: str, number: int) -> str:
    """Return the identifier of the n-th message about an incident."""
    return f"watchfloor-{incident_id}-{number}"


def _info_of(incident: Incident, sent: datetime, sender_name: str) -> CapInfo:
    is_over = incident.status in (IncidentStatus.RESOLVED, IncidentStatus.CLOSED)
    where = _where(incident)
    circles = () if incident.position is None else ((incident.position, AROUND_KM),)
    return CapInfo(
        categories=(_CATEGORY.get(incident.kind, "Transport"),),
        event=incident.title,
        responses=("AllClear",) if is_over else ("Avoid",),
        urgency="Past" if is_over else "Immediate",
        severity=_SEVERITY[incident.priority],
        certainty="Observed",
        onset=incident.began_at,
        expires=sent + work.PUBLISHED_FOR,
        sender_name=sender_name,
        headline=incident.title if incident.source_kind is SourceKind.HAND else f"{incident.title}, {where}",
        description=_description(incident),
        areas=(CapArea(description=where, circles=circles),),
    )


def _where(incident: Incident) -> str:
    """Say the place in words: the camera's name, else the position."""
    if incident.source_kind is not SourceKind.HAND:
        return incident.source_name
    at = incident.position
    return "Place not known" if at is None else f"Around {at.lat_deg:.5f}, {at.lon_deg:.5f}"


def _description(incident: Incident) -> str:
    status = work.STATUS_WORDS[incident.status]
    if incident.disposition:
        status = f"{status}: {work.DISPOSITION_WORDS[Disposition(incident.disposition)].lower()}"
    return f"{incident.text}\n{status}".strip()
