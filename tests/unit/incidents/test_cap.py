"""CAP messages: what real senders wrote, what is refused, and what we write ourselves."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.incidents import cap
from core.incidents.cap import CapAlert, CapArea, CapError, CapInfo, CapReference, parse, to_xml
from core.incidents.model import Priority
from core.kernel.geo import GeoPoint
from tests.fixtures.testdata import testdata

SENT = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
RING = tuple(GeoPoint(*point) for point in ((52.0, 8.0), (52.1, 8.0), (52.1, 8.1), (52.0, 8.0)))


def message(**changes):
    info = CapInfo(
        event="Flood",
        categories=("Met", "Safety"),
        urgency="Immediate",
        severity="Severe",
        certainty="Observed",
        headline="The river <Lenne> rises & rises",
        areas=(
            CapArea(
                description="Riverside",
                polygons=(RING,),
                circles=((GeoPoint(52.0, 8.0), 2.5),),
                geocodes=(("SAME", "006109"),),
            ),
        ),
    )
    made = CapAlert(
        identifier="A-1", sender="office@example.org", sent=SENT, status="Actual", msg_type="Alert", infos=(info,)
    )
    return replace(made, **changes)


def document(old: str = "", new: str = "") -> bytes:
    text = to_xml(message()).decode()
    assert old in text
    return text.replace(old, new, 1).encode()


@pytest.mark.testdata
@pytest.mark.parametrize(
    ("name", "msg_type", "languages", "n_polygons", "n_circles"),
    [
        ("thunderstorm.cap", "Alert", ["en-US"], 1, 0),
        ("canada.cap", "Update", ["en-CA", "fr-CA"], 4, 0),
        ("earthquake.cap", "Alert", ["en-US"], 0, 1),
        ("weather.cap", "Alert", ["en-US"], 0, 0),
        ("no_optional_fields.cap", "Alert", [], 0, 0),
    ],
)
def test_what_real_senders_wrote_is_read(name, msg_type, languages, n_polygons, n_circles):
    alert = parse(testdata(f"messages/cap/{name}").read_bytes())

    areas = [area for info in alert.infos for area in info.areas]
    assert (alert.msg_type, [info.language for info in alert.infos]) == (msg_type, languages)
    assert sum(len(area.polygons) for area in areas) == n_polygons
    assert sum(len(area.circles) for area in areas) == n_circles


@pytest.mark.testdata
@pytest.mark.parametrize("name", ["australia.cap", "wcatwc-warning.cap"])
def test_every_other_message_of_the_collection_is_read_as_well(name):
    assert parse(testdata(f"messages/cap/{name}").read_bytes()).infos


@pytest.mark.testdata
def test_a_message_without_its_scope_is_refused_by_name():
    with pytest.raises(CapError, match="alert has no scope"):
        parse(testdata("messages/cap/invalid.cap").read_bytes())


@pytest.mark.testdata
def test_the_references_of_an_update_are_read_with_their_instants():
    alert = parse(testdata("messages/cap/wcatwc-warning.cap").read_bytes())

    assert alert.references == (CapReference("PAAQ", "PAAQ-1-lqw6d6", datetime(2011, 9, 2, 10, 55, 55, tzinfo=UTC)),)


def test_what_we_write_is_read_back_as_it_was():
    assert parse(to_xml(message())) == message()


def test_an_update_and_a_cancel_name_what_they_are_about():
    for kind in ("Update", "Cancel"):
        with pytest.raises(CapError, match="references"):
            to_xml(message(msg_type=kind))
        assert parse(to_xml(message(msg_type=kind, references=(message().reference,)))).references


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("<status>Actual</status>", "", "no status"),
        ("<status>Actual</status>", "<status>Real</status>", "none of Actual"),
        ("<sent>2026-01-01T12:00:00+00:00</sent>", "<sent>2026-01-01T12:00:00</sent>", "no instant"),
        ("<sender>office@example.org</sender>", "<sender>the office</sender>", "blanks"),
        ("<scope>Public</scope>", "<scope>Restricted</scope>", "restriction"),
        ("<event>Flood</event>", "<event>Flood</event><event>Fire</event>", "2 of event"),
        ("<urgency>Immediate</urgency>", "<severity>Severe</severity><urgency>Immediate</urgency>", "no urgency"),
        ("<event>Flood</event>", "<event>Flood</event><mood>grim</mood>", "no urgency"),
        ("52.000000,8.000000</polygon>", "53.0,8.0</polygon>", "ends where it began"),
        ("52.000000,8.000000 52.100000", "152.0,8.0 52.100000", "not on this earth"),
        ("8.000000 2.500<", "8.000000 far<", "circle"),
        (cap.NAMESPACE, "urn:somebody:else", "no CAP"),
        ("</alert>", "", "no XML"),
    ],
)
def test_what_is_not_as_the_schema_says_is_refused_with_its_place(old, new, sentence):
    with pytest.raises(CapError, match=sentence):
        parse(document(old, new))


@pytest.mark.parametrize("written", ["12:00:00Z", "12:00:00.7Z", "14:00:00.123456789+02:00"])
def test_an_instant_with_z_or_fractions_is_read_and_told_to_deviate_but_never_written(written):
    sent = f"2026-01-01T{written}"

    alert = parse(document("2026-01-01T12:00:00+00:00</sent>", f"{sent}</sent>"))

    assert alert.sent == datetime(2026, 1, 1, 12, tzinfo=UTC)
    assert alert.deviations == (f"sent is {sent!r}",)
    assert b"<sent>2026-01-01T12:00:00+00:00</sent>" in to_xml(alert)


def test_what_names_a_message_by_another_form_of_its_instant_means_it():
    about = (CapReference("PAAQ", "PAAQ-1", datetime(2026, 1, 1, 12, tzinfo=UTC)),)
    data = to_xml(message(msg_type="Update", references=about))

    alert = parse(data.replace(b"PAAQ-1,2026-01-01T12:00:00+00:00", b"PAAQ-1,2026-01-01T12:00:00.250Z"))

    assert alert.references == about
    assert alert.deviations == ("references is '2026-01-01T12:00:00.250Z'",)


def test_entities_are_refused_before_they_can_grow():
    bomb = b"""<?xml version="1.0"?><!DOCTYPE alert [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>
    <alert xmlns="urn:oasis:names:tc:emergency:cap:1.2"><identifier>&b;</identifier></alert>"""
    outside = b"""<?xml version="1.0"?><!DOCTYPE alert [<!ENTITY a SYSTEM "file:///etc/passwd">]><alert>&a;</alert>"""

    for data in (bomb, outside):
        with pytest.raises(CapError, match="document type"):
            parse(data)


def test_a_message_larger_than_a_mebibyte_is_not_read():
    with pytest.raises(CapError, match="larger"):
        parse(b"<alert>" + b" " * 1024 * 1024 + b"</alert>")


@given(st.binary(max_size=400))
def test_no_bytes_whatsoever_do_more_than_a_sentence(data):
    with pytest.raises(CapError):
        parse(data)


@given(st.text(max_size=60))
def test_any_text_can_be_written_and_the_result_is_valid(text):
    info = replace(message().infos[0], description=text)

    parse(to_xml(message(infos=(info,))))


def test_what_others_put_beside_caps_own_elements_is_passed_over():
    data = document("</info>", '</info><Signature xmlns="http://www.w3.org/2000/09/xmldsig#">x</Signature>')

    assert parse(data) == message()


@pytest.mark.parametrize(
    ("severity", "urgency", "certainty", "priority"),
    [
        ("Extreme", "Immediate", "Observed", Priority.CRITICAL),
        ("Severe", "Expected", "Likely", Priority.HIGH),
        ("Severe", "Future", "Likely", Priority.MEDIUM),
        ("Minor", "Future", "Unlikely", Priority.LOW),
        ("Unknown", "Unknown", "Unknown", Priority.MEDIUM),
    ],
)
def test_a_warning_is_as_urgent_as_it_is_severe_near_and_sure(severity, urgency, certainty, priority):
    info = replace(message().infos[0], severity=severity, urgency=urgency, certainty=certainty)

    assert cap.priority_of(info) is priority


def test_all_blocks_in_the_first_language_that_is_there_are_read():
    german, more, french = (
        replace(message().infos[0], language=language, headline=headline)
        for language, headline in (("de-CH", "a"), ("de-CH", "b"), ("fr-CH", "c"))
    )
    alert = message(infos=(german, more, french))

    assert cap.infos_in(alert, ("it", "fr")) == (french,)
    assert cap.infos_in(alert, ("en",)) == (german, more)
    assert cap.infos_in(replace(alert, infos=()), ("en",)) == ()
