"""CAP from end to end: every message of the collection as a warning, and ours against the rules of the schema."""

import re
import xml.etree.ElementTree as ET
from datetime import UTC, datetime, timedelta

import pytest

from core.incidents import cap, publish
from core.incidents.model import Incident, IncidentStatus, Priority, SourceKind
from core.incidents.warnings import WarningPolicy, WarningService
from core.incidents.work import Disposition
from core.kernel.geo import GeoPoint
from tests.fixtures.testdata import testdata

# -- in ---------------------------------------------------------------------------------------------------------------


def take_file(room, name):
    """Let a message of the collection come in a minute after it was sent; returns the outcome and the service."""
    data = testdata(f"messages/cap/{name}").read_bytes()
    try:
        sent = cap.parse(data).sent
    except cap.CapError:
        sent = room.clock.now()
    room.clock.advance(seconds=(sent - room.clock.now()).total_seconds() + 60)
    service = WarningService(room.store, room.bus, room.clock, room.incidents, WarningPolicy())
    return room.run(service.take(data, origin=name)).outcome, service


@pytest.mark.testdata
@pytest.mark.parametrize(
    ("name", "title", "priority", "n_corners", "circle"),
    [
        ("thunderstorm.cap", "SEVERE THUNDERSTORM WARNING", Priority.HIGH, [5], None),
        ("earthquake.cap", "EQ 6.3 Neiafu, Tonga", Priority.LOW, [], GeoPoint(-16.053, -173.274)),
        ("australia.cap", "Yerong Creek Structure Fire", Priority.LOW, [], GeoPoint(-35.3888, 147.0598)),
        ("weather.cap", "Flash Flood Watch", Priority.MEDIUM, [], None),
        ("wcatwc-warning.cap", "The tsunami Warning continues", Priority.CRITICAL, [], None),
    ],
)
def test_a_warning_of_the_collection_becomes_an_alarm_with_its_area(room, name, title, priority, n_corners, circle):
    outcome, service = take_file(room, name)
    (warning,), (alarm,) = service.warnings(), room.run(room.incidents.open_alarms())

    assert outcome == "raised"
    assert alarm.title.startswith(title)
    assert (alarm.source_kind, alarm.priority, alarm.is_calling) == (SourceKind.WARNING, priority, True)
    assert [len(polygon) for polygon in warning.polygons] == n_corners
    assert [middle for middle, _ in warning.circles] == ([] if circle is None else [circle])
    assert (alarm.position is not None) == bool(n_corners or circle), "without a shape no place is made up"


@pytest.mark.testdata
@pytest.mark.parametrize(
    ("name", "outcome"), [("canada.cap", "kept"), ("no_optional_fields.cap", "kept"), ("invalid.cap", "refused")]
)
def test_an_all_clear_an_empty_one_and_an_invalid_one_call_nobody(room, name, outcome):
    found, service = take_file(room, name)

    assert (found, service.warnings()) == (outcome, ())
    assert room.run(room.incidents.open_alarms()) == ()


@pytest.mark.testdata
def test_no_message_of_the_collection_is_left_out():
    tried = {"thunderstorm", "earthquake", "australia", "weather", "wcatwc-warning", "canada", "no_optional_fields"}

    assert {file.stem for file in testdata("messages/cap/invalid.cap").parent.glob("*.cap")} == {*tried, "invalid"}


# -- out --------------------------------------------------------------------------------------------------------------

SENT = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
NS = "{urn:oasis:names:tc:emergency:cap:1.2}"
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[-+]\d\d:\d\d"
POINT = r"-?\d+(\.\d+)?,-?\d+(\.\d+)?"
NAME = r"[^ ,<&]+"
ANY = r"(?s).*\S.*"
ONE, MAY, MANY, SOME = (1, 1), (0, 1), (0, 99), (1, 99)


def of(*words):
    return "|".join(words)


# Of the standard (OASIS CAP 1.2, section 3.4): elements in their order, how often, and what stands in them.
ALERT = {
    "identifier": (ONE, NAME),
    "sender": (ONE, NAME),
    "sent": (ONE, TIME),
    "status": (ONE, of("Actual", "Exercise", "System", "Test", "Draft")),
    "msgType": (ONE, of("Alert", "Update", "Cancel", "Ack", "Error")),
    "source": (MAY, ANY),
    "scope": (ONE, of("Public", "Restricted", "Private")),
    "restriction": (MAY, ANY),
    "addresses": (MAY, ANY),
    "code": (MANY, ANY),
    "note": (MAY, ANY),
    "references": (MAY, rf"{NAME},{NAME},{TIME}( {NAME},{NAME},{TIME})*"),
    "incidents": (MAY, ANY),
    "info": (MANY, None),
}
INFO = {
    "language": (MAY, r"[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*"),
    "category": (
        SOME,
        of(
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
        ),
    ),
    "event": (ONE, ANY),
    "responseType": (
        MANY,
        of("Shelter", "Evacuate", "Prepare", "Execute", "Avoid", "Monitor", "Assess", "AllClear", "None"),
    ),
    "urgency": (ONE, of("Immediate", "Expected", "Future", "Past", "Unknown")),
    "severity": (ONE, of("Extreme", "Severe", "Moderate", "Minor", "Unknown")),
    "certainty": (ONE, of("Observed", "Likely", "Possible", "Unlikely", "Unknown")),
    "audience": (MAY, ANY),
    "eventCode": (MANY, None),
    **dict.fromkeys(("effective", "onset", "expires"), (MAY, TIME)),
    **dict.fromkeys(("senderName", "headline", "description", "instruction", "web", "contact"), (MAY, ANY)),
    **dict.fromkeys(("parameter", "resource", "area"), (MANY, None)),
}
AREA = {
    "areaDesc": (ONE, ANY),
    "polygon": (MANY, rf"{POINT}( {POINT}){{3,}}"),
    "circle": (MANY, rf"{POINT} \d+(\.\d+)?"),
    "geocode": (MANY, None),
    "altitude": (MAY, r"-?\d+(\.\d+)?"),
    "ceiling": (MAY, r"-?\d+(\.\d+)?"),
}
RULES = {"alert": ALERT, "info": INFO, "area": AREA}


def breaches(element):
    """Return what in an element, and in what it holds, is not as the standard says."""
    rules = RULES[element.tag.removeprefix(NS)]
    names = [child.tag.removeprefix(NS) for child in element]
    order = list(rules)
    found = [f"{name} is not known" for name in names if name not in rules]
    if found:
        return found
    if [order.index(name) for name in names] != sorted(order.index(name) for name in names):
        found.append(f"the order {names}")
    for name, ((least, most), pattern) in rules.items():
        children = [child for child in element if child.tag == NS + name]
        if not least <= len(children) <= most:
            found.append(f"{len(children)} of {name}")
        for child in children:
            if pattern is not None and not re.fullmatch(pattern, child.text or ""):
                found.append(f"{name}: {child.text!r}")
            if name in RULES:
                found += breaches(child)
    return found


def incident(**changes):
    made = {
        "incident_id": "01JINCIDENT",
        "kind": "collision",
        "title": "Collision & <fire>",
        "source_kind": SourceKind.CAMERA,
        "source_id": "ring-north",
        "source_name": "Ring North",
        "status": IncidentStatus.ON_SCENE,
        "began_at": SENT + timedelta(microseconds=123456),
        "priority": Priority.CRITICAL,
        "position": GeoPoint(52.0, 8.0),
        "text": "two lanes\n“blocked” 🚧",
    }
    return Incident(**made | changes)


@pytest.mark.parametrize("status", list(IncidentStatus))
@pytest.mark.parametrize("n_before", [0, 2])
@pytest.mark.parametrize(
    "changes", [{}, {"position": None}, {"source_kind": SourceKind.HAND, "kind": "fire", "text": ""}]
)
def test_an_incident_is_published_as_the_standard_says(status, n_before, changes):
    disposition = Disposition.TRUE if status is IncidentStatus.CLOSED else ""
    message = publish.alert_of(
        incident(status=status, disposition=disposition, **changes),
        sent=SENT,
        published=[SENT - timedelta(minutes=number) for number in range(n_before, 0, -1)],
        sender="watchfloor-city",
        sender_name="Marenholm",
        status="Actual",
    )

    root = ET.fromstring(cap.to_xml(message))

    assert root.tag == f"{NS}alert"
    assert breaches(root) == []


@pytest.mark.testdata
@pytest.mark.parametrize("name", ["thunderstorm.cap", "canada.cap", "earthquake.cap", "wcatwc-warning.cap"])
def test_what_others_wrote_is_written_again_as_the_standard_says(name):
    alert = cap.parse(testdata(f"messages/cap/{name}").read_bytes())

    assert breaches(ET.fromstring(cap.to_xml(alert))) == []


def test_the_rules_find_what_is_wrong():
    message = publish.alert_of(incident(), sent=SENT, published=[], sender="a", sender_name="M", status="Actual")
    text = cap.to_xml(message).decode()

    assert breaches(ET.fromstring(text.replace("<urgency>Immediate</urgency>", "")))
    assert breaches(ET.fromstring(text.replace("+00:00</sent>", "Z</sent>")))
    assert breaches(ET.fromstring(text.replace("<scope>", "<status>Test</status><scope>")))
