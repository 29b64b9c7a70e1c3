"""CAP 1.2: what a warning says, read strictly but for how instants are written, and written in the order of the schema.

Source: OASIS Common Alerting Protocol 1.2 (2010-07-01), section 3.2 and the schema of section 3.4. Version 1.1 is read
as well: its elements are the same but for what 1.2 took away.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from xml.sax.saxutils import escape

from core.incidents.model import Priority
from core.kernel import xml
from core.kernel.errors import BadInputError
from core.kernel.geo import GeoPoint
from core.kernel.xml import Element

NAMESPACE = "urn:oasis:names:tc:emergency:cap:1.2"
READ_NAMESPACES = frozenset({NAMESPACE, "urn:oasis:names:tc:emergency:cap:1.1"})
MAX_TEXT = 64 * 1024
MAX_POINTS = 5000
MAX_NAME = 500

STATUSES = ("Actual", "Exercise", "System", "Test", "Draft")
MESSAGE_TYPES = ("Alert", "Update", "Cancel", "Ack", "Error")
SCOPES = ("Public", "Restricted", "Private")
CATEGORIES = (
    "Geo",
    "Met",
    "Safety",
    "Security",
    "Rescue",
    "Fire",
    "Health",
    "Env",
    "Transport",
    "Infra",
    "CBRNE",
    "Other",
)
RESPONSES = ("Shelter", "Evacuate", "Prepare", "Execute", "Avoid", "Monitor", "Assess", "AllClear", "None")
URGENCIES = ("Immediate", "Expected", "Future", "Past", "Unknown")
SEVERITIES = ("Extreme", "Severe", "Moderate", "Minor", "Unknown")
CERTAINTIES = ("Observed", "Likely", "Possible", "Unlikely", "Unknown")

_EARLIEST, _LATEST = datetime(2, 1, 1, tzinfo=UTC), datetime(9999, 6, 1, tzinfo=UTC)
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[-+]\d\d:\d\d")
_SENT_INSTANT = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d{1,9})?([-+]\d\d:\d\d|Z)")
"""Also as XML Schema and no CAP has it: feeds of whole countries write Z or fractions of a second."""

_NAME = re.compile(r"[^\s,<&]+")


class CapError(BadInputError):
    """A message is no CAP; the sentence says where and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One line of the schema: an element, how often it may stand there, and what it may hold.

    Attributes:
        most: None for any number.
        values: What it may say; empty for any text.
        parts: Of an element that holds others.
    """

    name: str
    least: int = 0
    most: int | None = 1
    values: tuple[str, ...] = ()
    parts: tuple[Part, ...] = ()
    check: Callable[[str], object] | None = None


@dataclass(frozen=True, slots=True)
class CapReference:
    """Which earlier message is meant."""

    sender: str
    identifier: str
    sent: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CapArea:
    """Where it applies.

    Attributes:
        polygons: Each closed: the last point is the first.
        circles: Middle and radius [km].
        geocodes: Name of the code and its value.
    """

    description: str
    polygons: tuple[tuple[GeoPoint, ...], ...] = ()
    circles: tuple[tuple[GeoPoint, float], ...] = ()
    geocodes: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CapInfo:
    """What is the matter, in one language."""

    event: str
    urgency: str
    severity: str
    certainty: str
    categories: tuple[str, ...] = ("Other",)
    language: str = "en-US"
    responses: tuple[str, ...] = ()
    effective: datetime | None = None
    onset: datetime | None = None
    expires: datetime | None = None
    sender_name: str = ""
    headline: str = ""
    description: str = ""
    instruction: str = ""
    web: str = ""
    contact: str = ""
    parameters: tuple[tuple[str, str], ...] = ()
    areas: tuple[CapArea, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CapAlert:
    """One message."""

    identifier: str
    sender: str
    sent: datetime
    status: str
    msg_type: str
    scope: str = "Public"
    source: str = ""
    restriction: str = ""
    addresses: str = ""
    note: str = ""
    references: tuple[CapReference, ...] = ()
    incidents: str = ""
    infos: tuple[CapInfo, ...] = ()
    deviations: tuple[str, ...] = ()
    """What is read although CAP has it otherwise, e.g. "sent is '2026-01-01T12:00:00Z'"."""

    @property
    def reference(self) -> CapReference:
        """How others name this message."""
        return CapReference(self.sender, self.identifier, self.sent)


# -- reading ----------------------------------------------------------------------------------------------------------


def parse(data: bytes) -> CapAlert:
    """Read a message.

    Raises:
        CapError: It is no XML, too large, declares a document type, or is not as the schema says.
    """
    try:
        root = xml.parse(data, max_text=MAX_TEXT)
    except BadInputError as error:
        raise CapError(error.message) from error
    check(root)
    return _alert_of(root)


def check(root: Element) -> None:
    """Hold a document against the schema: order, number and values of its elements.

    Raises:
        CapError: With the path of the first element that is wrong.
    """
    if root.name != "alert" or root.namespace not in READ_NAMESPACES:
        raise CapError("The document is no CAP 1.2 alert.")
    _check_parts(root, ALERT, "alert")
    scope, kind = root.read("scope"), root.read("msgType")
    if scope == "Restricted" and not root.read("restriction"):
        raise CapError("A restricted message says in restriction who may read it.")
    if scope == "Private" and not root.read("addresses"):
        raise CapError("A private message has addresses.")
    if kind in ("Update", "Cancel") and not root.read("references"):
        raise CapError(f"An {kind} names in references what it is about.")


def _check_parts(element: Element, parts: Sequence[Part], path: str) -> None:
    children = [child for child in element.children if child.namespace in READ_NAMESPACES]
    names = [part.name for part in parts]
    at = 0
    for part in parts:
        found = 0
        while at < len(children) and children[at].name == part.name:
            _check_one(children[at], part, f"{path}/{part.name}")
            at += 1
            found += 1
        if found < part.least:
            raise CapError(f"{path} has no {part.name} where it must stand.")
        if part.most is not None and found > part.most:
            raise CapError(f"{path} has {found} of {part.name}; one is allowed.")
    if at < len(children):
        name = children[at].name
        raise CapError(f"{path}/{name} is {'out of order' if name in names else 'not known'}.")


def _check_one(element: Element, part: Part, path: str) -> None:
    if part.parts:
        _check_parts(element, part.parts, path)
        return
    text = element.text.strip()
    if part.least and not text:
        raise CapError(f"{path} is empty.")
    if part.values and text not in part.values:
        raise CapError(f"{path} says {text[:40]!r}, which is none of {', '.join(part.values)}.")
    if part.check is not None and text:
        try:
            part.check(text)
        except ValueError as error:
            raise CapError(f"{path}: {error}.") from error


def read_instant(text: str) -> datetime:
    """Read an instant with its offset, or Z, to the second; aware, UTC.

    Fractions are left out: a message is known by the second it was sent, as those name it that are about it.

    Raises:
        ValueError: It is of another form.
    """
    found = _SENT_INSTANT.fullmatch(text)
    if found is None:
        raise ValueError(f"{text[:40]!r} is no instant like 2026-01-01T12:00:00+00:00")
    return _in_utc(datetime.fromisoformat(found[1] + found[2]))


def _in_utc(at: datetime) -> datetime:
    """Return an aware instant in UTC, as far from the ends of the calendar as any zone and any span may lead."""
    # "Until further notice" is 9999-12-31 to some senders, in their own zone.
    return min(max(at, _EARLIEST), _LATEST).astimezone(UTC)


def read_polygon(text: str) -> tuple[GeoPoint, ...]:
    """Read a closed ring of at least four points.

    Raises:
        ValueError: A point is none, or the ring is not closed.
    """
    points = tuple(_point(pair) for pair in text.split())
    if len(points) < 4 or points[0] != points[-1]:
        raise ValueError("a polygon has at least four points and ends where it began")
    if len(points) > MAX_POINTS:
        raise ValueError(f"a polygon has more than {MAX_POINTS} points")
    return points


def read_circle(text: str) -> tuple[GeoPoint, float]:
    """Read a middle and a radius [km].

    Raises:
        ValueError: It is of another form.
    """
    middle, _, radius = text.strip().partition(" ")
    radius_km = float(radius)
    if not 0.0 <= radius_km <= 20_040.0:
        raise ValueError(f"the radius {radius} km is not on this earth")
    return _point(middle), radius_km


def read_references(text: str) -> tuple[CapReference, ...]:
    """Read `sender,identifier,sent` triples apart by blanks.

    Raises:
        ValueError: One is of another form.
    """
    found = []
    for item in text.split():
        parts = item.split(",")
        if len(parts) != 3:
            raise ValueError(f"{item[:60]!r} is no sender,identifier,sent")
        found.append(CapReference(parts[0], parts[1], read_instant(parts[2])))
    return tuple(found)


def _read_name(text: str) -> str:
    if _NAME.fullmatch(text) is None:
        raise ValueError(f"{text[:40]!r} has blanks, commas, < or & in it")
    if len(text) > MAX_NAME:
        raise ValueError(f"it is longer than {MAX_NAME} characters")
    return text


def _point(pair: str) -> GeoPoint:
    lat, comma, lon = pair.partition(",")
    if not comma:
        raise ValueError(f"{pair[:40]!r} is no latitude,longitude")
    lat_deg, lon_deg = float(lat), float(lon)
    if not (math.isfinite(lat_deg) and math.isfinite(lon_deg) and abs(lat_deg) <= 90.0 and abs(lon_deg) <= 180.0):
        raise ValueError(f"{pair[:40]!r} is not on this earth")
    return GeoPoint(lat_deg, lon_deg)


_PAIR = (Part(name="valueName", least=1), Part(name="value"))
AREA = (
    Part(name="areaDesc", least=1),
    Part(name="polygon", most=None, check=read_polygon),
    Part(name="circle", most=None, check=read_circle),
    Part(name="geocode", most=None, parts=_PAIR),
    Part(name="altitude", check=float),
    Part(name="ceiling", check=float),
)
_RESOURCE = (
    Part(name="resourceDesc", least=1),
    Part(name="mimeType"),
    Part(name="size", check=int),
    Part(name="uri"),
    Part(name="derefUri"),
    Part(name="digest"),
)
INFO = (
    Part(name="language"),
    Part(name="category", least=1, most=None, values=CATEGORIES),
    Part(name="event", least=1),
    Part(name="responseType", most=None, values=RESPONSES),
    Part(name="urgency", least=1, values=URGENCIES),
    Part(name="severity", least=1, values=SEVERITIES),
    Part(name="certainty", least=1, values=CERTAINTIES),
    Part(name="audience"),
    Part(name="eventCode", most=None, parts=_PAIR),
    Part(name="effective", check=read_instant),
    Part(name="onset", check=read_instant),
    Part(name="expires", check=read_instant),
    Part(name="senderName"),
    Part(name="headline"),
    Part(name="description"),
    Part(name="instruction"),
    Part(name="web"),
    Part(name="contact"),
    Part(name="parameter", most=None, parts=_PAIR),
    Part(name="resource", most=None, parts=_RESOURCE),
    Part(name="area", most=None, parts=AREA),
)
ALERT = (
    Part(name="identifier", least=1, check=_read_name),
    Part(name="sender", least=1, check=_read_name),
    Part(name="sent", least=1, check=read_instant),
    Part(name="status", least=1, values=STATUSES),
    Part(name="msgType", least=1, values=MESSAGE_TYPES),
    Part(name="source"),
    Part(name="scope", least=1, values=SCOPES),
    Part(name="restriction"),
    Part(name="addresses"),
    Part(name="code", most=None),
    Part(name="note"),
    Part(name="references", check=read_references),
    Part(name="incidents"),
    Part(name="info", most=None, parts=INFO),
)
"""The schema as data: in this order, and nothing else of CAP's own namespace between."""


def _alert_of(root: Element) -> CapAlert:
    references = root.read("references")
    return CapAlert(
        identifier=root.read("identifier"),
        sender=root.read("sender"),
        sent=read_instant(root.read("sent")),
        status=root.read("status"),
        msg_type=root.read("msgType"),
        scope=root.read("scope"),
        source=root.read("source"),
        restriction=root.read("restriction"),
        addresses=root.read("addresses"),
        note=root.read("note"),
        references=read_references(references) if references else (),
        incidents=root.read("incidents"),
        infos=tuple(_info_of(element) for element in root.all("info")),
        deviations=_deviations_of(root),
    )


def _deviations_of(root: Element) -> tuple[str, ...]:
    said = [("sent", root.read("sent"))]
    said += [("references", item.rpartition(",")[2]) for item in root.read("references").split()]
    for info in root.all("info"):
        said += [(name, info.read(name)) for name in ("effective", "onset", "expires")]
    others = (f"{name} is {text!r}" for name, text in said if text and _INSTANT.fullmatch(text) is None)
    return tuple(dict.fromkeys(others))


def _info_of(element: Element) -> CapInfo:
    def instant(name: str) -> datetime | None:
        text = element.read(name)
        return read_instant(text) if text else None

    return CapInfo(
        language=element.read("language") or "en-US",
        categories=tuple(one.text.strip() for one in element.all("category")),
        event=element.read("event"),
        responses=tuple(one.text.strip() for one in element.all("responseType")),
        urgency=element.read("urgency"),
        severity=element.read("severity"),
        certainty=element.read("certainty"),
        effective=instant("effective"),
        onset=instant("onset"),
        expires=instant("expires"),
        sender_name=element.read("senderName"),
        headline=element.read("headline"),
        description=element.read("description"),
        instruction=element.read("instruction"),
        web=element.read("web"),
        contact=element.read("contact"),
        parameters=_pairs(element, "parameter"),
        areas=tuple(_area_of(one) for one in element.all("area")),
    )


def _area_of(element: Element) -> CapArea:
    return CapArea(
        description=element.read("areaDesc"),
        polygons=tuple(read_polygon(one.text) for one in element.all("polygon") if one.text.strip()),
        circles=tuple(read_circle(one.text) for one in element.all("circle") if one.text.strip()),
        geocodes=_pairs(element, "geocode"),
    )


def _pairs(element: Element, name: str) -> tuple[tuple[str, str], ...]:
    return tuple((one.read("valueName"), one.read("value")) for one in element.all(name))


# -- what it means here -----------------------------------------------------------------------------------------------

_BY_SEVERITY = {
    "Extreme": Priority.CRITICAL,
    "Severe": Priority.HIGH,
    "Moderate": Priority.MEDIUM,
    "Minor": Priority.LOW,
    "Unknown": Priority.MEDIUM,
}
_LATER = frozenset({"Future", "Past"})
_DOUBTFUL = frozenset({"Possible", "Unlikely"})


def priority_of(info: CapInfo) -> Priority:
    """Return how urgent a warning is here: by severity, one lower where it is not near or not likely."""
    lowered = info.urgency in _LATER or info.certainty in _DOUBTFUL
    return Priority(min(int(_BY_SEVERITY[info.severity]) + lowered, int(Priority.LOW)))


def infos_in(alert: CapAlert, languages: Sequence[str]) -> tuple[CapInfo, ...]:
    """Return the blocks in the first language that is there, e.g. "de" for "de-CH"; else in that of the first block.

    One message may say several things in one language: a warning for one area, the all-clear for another.
    """
    for wanted in (*languages, *(info.language for info in alert.infos[:1])):
        found = tuple(info for info in alert.infos if _is_spoken(info.language, wanted))
        if found:
            return found
    return ()


def _is_spoken(language: str, wanted: str) -> bool:
    spoken, asked = language.casefold(), wanted.casefold()
    return spoken == asked or spoken.split("-")[0] == asked


# -- writing ----------------------------------------------------------------------------------------------------------


def to_xml(alert: CapAlert) -> bytes:
    """Write a message in the order of the schema.

    Raises:
        CapError: The message lacks something that the schema asks for.
    """
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', f'<alert xmlns="{NAMESPACE}">']
    lines += _texts(
        ("identifier", alert.identifier),
        ("sender", alert.sender),
        ("sent", write_instant(alert.sent)),
        ("status", alert.status),
        ("msgType", alert.msg_type),
        ("source", alert.source),
        ("scope", alert.scope),
        ("restriction", alert.restriction),
        ("addresses", alert.addresses),
        ("note", alert.note),
        ("references", " ".join(f"{r.sender},{r.identifier},{write_instant(r.sent)}" for r in alert.references)),
        ("incidents", alert.incidents),
    )
    for info in alert.infos:
        lines += ["<info>", *_info_lines(info), "</info>"]
    lines.append("</alert>\n")
    data = "\n".join(lines).encode()
    parse(data)
    return data


def write_instant(at: datetime) -> str:
    """Write an instant as CAP wants it: no fractions, and an offset instead of Z."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S+00:00")


def _info_lines(info: CapInfo) -> list[str]:
    def instant(at: datetime | None) -> str:
        return "" if at is None else write_instant(at)

    lines = _texts(("language", info.language))
    lines += _texts(*(("category", one) for one in info.categories))
    lines += _texts(("event", info.event))
    lines += _texts(*(("responseType", one) for one in info.responses))
    lines += _texts(
        ("urgency", info.urgency),
        ("severity", info.severity),
        ("certainty", info.certainty),
        ("effective", instant(info.effective)),
        ("onset", instant(info.onset)),
        ("expires", instant(info.expires)),
        ("senderName", info.sender_name),
        ("headline", info.headline),
        ("description", info.description),
        ("instruction", info.instruction),
        ("web", info.web),
        ("contact", info.contact),
    )
    lines += _pair_lines("parameter", info.parameters)
    for area in info.areas:
        lines += ["<area>", *_area_lines(area), "</area>"]
    return lines


def _area_lines(area: CapArea) -> list[str]:
    rings = (" ".join(f"{p.lat_deg:.6f},{p.lon_deg:.6f}" for p in ring) for ring in area.polygons)
    circles = (f"{middle.lat_deg:.6f},{middle.lon_deg:.6f} {radius:.3f}" for middle, radius in area.circles)
    lines = _texts(("areaDesc", area.description))
    lines += _texts(*(("polygon", ring) for ring in rings))
    lines += _texts(*(("circle", circle) for circle in circles))
    return lines + _pair_lines("geocode", area.geocodes)


def _pair_lines(name: str, pairs: tuple[tuple[str, str], ...]) -> list[str]:
    lines = []
    for key, value in pairs:
        lines += [f"<{name}>", f"<valueName>{_safe(key)}</valueName>", f"<value>{_safe(value)}</value>", f"</{name}>"]
    return lines


def _texts(*pairs: tuple[str, str]) -> list[str]:
    return [f"<{name}>{_safe(text)}</{name}>" for name, text in pairs if text]


def _safe(text: str) -> str:
    """Escape a text; what XML cannot hold at all is left out."""
    kept = "".join(c for c in text if c in "\t\n\r" or (ord(c) >= 0x20 and not 0xD800 <= ord(c) <= 0xDFFF))
    return escape(kept.replace("\ufffe", "").replace("\uffff", ""))
