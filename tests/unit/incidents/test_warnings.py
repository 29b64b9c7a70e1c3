"""Regional warnings become alarms, change and end; incidents are published; on a real store."""

import re
import sqlite3
from dataclasses import replace
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from core.incidents import cap, publish
from core.incidents.cap import CapAlert, CapArea, CapInfo
from core.incidents.dispatch import DispatchService
from core.incidents.model import AlarmState, Incident, IncidentStatus, Priority, SourceKind
from core.incidents.warnings import WarningChanged, WarningPolicy, WarningService, circle_ring
from core.incidents.work import Disposition, Step, StepOrder
from core.kernel.geo import GeoPoint
from tests.fixtures.room import OLGA, Room

HERE = GeoPoint(52.0, 8.0)
RING = tuple(GeoPoint(*point) for point in ((51.9, 7.9), (52.1, 7.9), (52.1, 8.1), (51.9, 8.1), (51.9, 7.9)))


@pytest.fixture
def make(room: Room):
    def make_service(**policy) -> WarningService:
        return WarningService(room.store, room.bus, room.clock, room.incidents, WarningPolicy(**policy))

    return make_service


@pytest.fixture
def warnings(make) -> WarningService:
    return make()


@pytest.fixture
def told(room):
    heard = []
    room.bus.subscribe(WarningChanged, lambda event: heard.append(event.warning))
    return heard


@pytest.fixture
def message(room):
    def make_message(number=1, *, about=(), kind="Alert", status="Actual", sent_s=0, expires_s=3600, **info):
        sent = room.clock.now() + timedelta(seconds=sent_s)
        block = CapInfo(
            **{
                "event": "Flood",
                "headline": "Flood at the Lenne",
                "urgency": "Immediate",
                "severity": "Severe",
                "certainty": "Observed",
                "expires": room.clock.now() + timedelta(seconds=expires_s),
                "areas": (CapArea(description="Riverside", polygons=(RING,)),),
            }
            | info
        )
        return CapAlert(
            identifier=f"A-{number}",
            sender="office@example.org",
            sent=sent,
            status=status,
            msg_type=kind,
            references=tuple(one.reference for one in about),
            infos=(block,),
        )

    return make_message


def take(room, service, alert) -> str:
    return room.run(service.take(cap.to_xml(alert), origin="test")).outcome


def alarms(room):
    return [(alarm.title, alarm.state) for alarm in room.run(room.incidents.open_alarms())]


def test_a_warning_becomes_an_alarm_with_its_area(room, warnings, message, told):
    assert take(room, warnings, message()) == "raised"

    (alarm,) = room.run(room.incidents.open_alarms())
    assert (alarm.title, alarm.priority, alarm.source_kind) == ("Flood at the Lenne", Priority.HIGH, SourceKind.WARNING)
    assert alarm.position == GeoPoint(52.0, 8.0)
    (warning,) = warnings.warnings()
    assert warning.polygons == (RING,)
    assert told == [warning]


def test_the_same_message_again_changes_nothing(room, warnings, message, told):
    once = message()
    take(room, warnings, once)

    assert take(room, warnings, once) == "known"
    assert len(told) == 1
    assert len(alarms(room)) == 1


def test_an_update_takes_the_place_of_what_it_is_about_and_calls_again(room, warnings, message):
    first = message()
    take(room, warnings, first)
    update = message(2, about=(first,), kind="Update", sent_s=1, headline="Flood rises", severity="Extreme")

    assert take(room, warnings, update) == "updated"

    assert alarms(room) == [("Flood rises", AlarmState.UNACKNOWLEDGED)]
    (warning,) = warnings.warnings()
    assert (warning.title, warning.priority) == ("Flood rises", Priority.CRITICAL)


@pytest.mark.parametrize("is_closed", [False, True])
def test_an_update_of_what_was_answered_counts_to_the_incident_that_is_worked_on(room, warnings, message, is_closed):
    first = message()
    take(room, warnings, first)
    (alarm,) = room.run(room.incidents.open_alarms())
    seen = {"occurrence": alarm.occurrence, "expect_version": alarm.version}
    room.run(room.incidents.acknowledge(OLGA, alarm.alarm_id, **seen))
    dispatch = DispatchService(room.store, room.bus, room.clock, evidence=room.folder / "evidence")
    step = (
        StepOrder(step=Step.CLOSE, disposition=Disposition.NO_ACTION)
        if is_closed
        else StepOrder(step=Step.ASSIGN, operator="olga")
    )
    room.run(dispatch.take_step(OLGA, alarm.incident_id, step, expect_version=0))
    room.clock.advance(seconds=1800)

    take(room, warnings, message(2, about=(first,), kind="Update", sent_s=1, headline="Flood rises"))

    (again,) = room.run(room.incidents.open_alarms())
    assert (again.title, again.is_calling) == ("Flood rises", True)
    assert again.alarm_id != alarm.alarm_id
    assert (again.incident_id == alarm.incident_id) is not is_closed


def test_the_alarm_has_the_words_of_the_last_of_many_updates_that_come_at_once(room, warnings, message):
    before = [message()]
    take(room, warnings, before[0])
    for number in range(2, 8):
        update = message(number, about=before, kind="Update", sent_s=number, headline=f"Flood, {number} m")
        take(room, warnings, update)
        before.append(update)

    (alarm,) = room.run(room.incidents.open_alarms())
    assert (alarm.title, alarm.is_active) == ("Flood, 7 m", True)
    room.clock.advance(seconds=120)
    room.run(room.incidents.tick())
    (alarm,) = room.run(room.incidents.open_alarms())
    assert (alarm.title, alarm.is_active) == ("Flood, 7 m", True)


def test_a_cancel_ends_the_warning_and_every_update_of_it(room, warnings, message, told):
    first = message()
    update = message(2, about=(first,), kind="Update", sent_s=1)
    for one in (first, update):
        take(room, warnings, one)

    assert take(room, warnings, message(3, about=(first,), kind="Cancel", sent_s=2)) == "ended"

    assert warnings.warnings() == ()
    assert told[-1].has_ended
    assert [state for _, state in alarms(room)] == [AlarmState.RETURNED_UNACKNOWLEDGED]


@pytest.mark.parametrize(
    ("kind", "titles", "listed"),
    [
        ("Update", ["Flood rises"], [("Flood rises", AlarmState.UNACKNOWLEDGED)]),
        ("Cancel", [], [("Flood at the Lenne", AlarmState.RETURNED_UNACKNOWLEDGED)]),
    ],
)
def test_what_was_stored_just_before_the_database_went_is_told_when_it_is_back(
    room, warnings, message, monkeypatch, kind, titles, listed
):
    first = message()
    take(room, warnings, first)
    write = room.store.write
    other = sqlite3.connect(room.folder / "watchfloor.sqlite3", isolation_level=None, check_same_thread=False)

    async def write_and_go(run):
        monkeypatch.undo()
        written = await write(run)
        other.execute("BEGIN IMMEDIATE")
        return written

    monkeypatch.setattr(room.store, "write", write_and_go)
    take(room, warnings, message(2, about=(first,), kind=kind, sent_s=1, headline="Flood rises", severity="Extreme"))
    meanwhile = [warning.title for warning in warnings.warnings()]
    other.close()
    room.run(warnings.tick())

    assert meanwhile == titles
    assert alarms(room) == listed


def test_an_update_that_overtakes_its_alert_is_not_undone_by_it(room, warnings, message):
    first = message()
    update = message(2, about=(first,), kind="Update", sent_s=1, headline="Flood rises")

    assert take(room, warnings, update) == "raised"
    assert take(room, warnings, first) == "kept"
    assert [warning.title for warning in warnings.warnings()] == ["Flood rises"]


def test_a_cancel_that_overtakes_its_alert_keeps_it_silent(room, warnings, message):
    first = message()

    assert take(room, warnings, message(2, about=(first,), kind="Cancel", sent_s=1)) == "kept"
    assert take(room, warnings, first) == "kept"
    assert alarms(room) == []


def test_a_warning_ends_by_itself_when_its_time_is_over(room, warnings, message, told):
    take(room, warnings, message(expires_s=60))
    room.clock.advance(seconds=59)
    room.run(warnings.tick())
    assert len(warnings.warnings()) == 1

    room.clock.advance(seconds=1)
    room.run(warnings.tick())

    assert warnings.warnings() == ()
    assert told[-1].has_ended
    assert [state for _, state in alarms(room)] == [AlarmState.RETURNED_UNACKNOWLEDGED]


@pytest.mark.parametrize(
    "changes",
    [
        {"expires_s": -1},
        {"status": "Exercise"},
        {"status": "Test"},
        {"kind": "Ack"},
        {"responses": ("AllClear",)},
    ],
)
def test_what_is_over_meant_for_training_or_no_warning_calls_nobody(room, warnings, message, changes):
    assert take(room, warnings, message(**changes)) == "kept"
    assert alarms(room) == []


def test_an_exercise_that_the_site_wants_says_that_it_is_one(room, make, message):
    take(room, make(statuses=("Actual", "Exercise")), message(status="Exercise"))

    assert alarms(room)[0][0] == "EXERCISE: Flood at the Lenne"


def test_what_is_far_away_is_only_kept(room, make, message):
    service = make(center=GeoPoint(53.0, 8.0), radius_km=50.0)
    near, far = make(center=GeoPoint(52.3, 8.0), radius_km=50.0), message()
    circle = CapArea(description="Riverside", circles=((HERE, 80.0),))

    assert take(room, service, far) == "kept"
    assert take(room, service, message(2, areas=(circle,))) == "raised"
    assert take(room, near, message(3)) == "raised"
    assert take(room, service, message(4, areas=(CapArea(description="somewhere"),))) == "raised"


def test_the_all_clear_for_one_area_leaves_the_warning_for_another(room, warnings, message):
    first = message()
    take(room, warnings, first)
    over = CapArea(description="Hill", circles=((HERE, 1.0),))
    update = message(2, about=(first,), kind="Update", sent_s=1, responses=("AllClear",), areas=(over,))
    both = replace(update, infos=(*update.infos, first.infos[0]))

    assert take(room, warnings, both) == "updated"

    (warning,) = warnings.warnings()
    assert (warning.polygons, warning.circles) == ((RING,), ())
    assert alarms(room) == [("Flood at the Lenne", AlarmState.UNACKNOWLEDGED)]


def test_of_several_things_in_one_message_the_most_urgent_is_named_and_the_others_beside_it(room, warnings, message):
    wind = message(event="Wind", headline="Storm", severity="Extreme", areas=(CapArea(description="Hill"),))
    rain = message(event="Rain", headline="Heavy rain", severity="Minor", expires_s=7200)
    take(room, warnings, replace(rain, infos=(*rain.infos, *wind.infos)))

    (warning,) = warnings.warnings()
    (alarm,) = room.run(room.incidents.open_alarms())
    assert (alarm.title, alarm.priority) == ("Storm", Priority.CRITICAL)
    assert "Also: Heavy rain." in alarm.detail
    assert "Where: Riverside, Hill." in alarm.detail
    assert (warning.polygons, warning.expires_at) == ((RING,), rain.infos[0].expires)


@pytest.fixture
def of_two(message):
    """A flood for one minute by the river, and less urgent rain on the hill for an hour."""
    hill = CapArea(description="Hill", circles=((HERE, 2.0),))
    flood = message(expires_s=60)
    rain = message(event="Rain", headline="Heavy rain", severity="Minor", areas=(hill,))
    return replace(flood, infos=(*rain.infos, *flood.infos))


def test_what_is_over_of_a_warning_leaves_the_map_before_the_rest(room, warnings, of_two, told):
    take(room, warnings, of_two)
    room.clock.advance(seconds=59)
    room.run(warnings.tick())
    assert [(one.polygons, len(one.circles)) for one in told] == [((RING,), 1)]

    room.clock.advance(seconds=1)
    room.run(warnings.tick())

    (warning,) = warnings.warnings()
    assert (warning.title, warning.polygons, warning.circles) == ("Heavy rain", (), ((HERE, 2.0),))
    assert told[1:] == [warning]


def test_an_alarm_whose_words_are_over_ends_and_what_goes_on_calls(room, warnings, of_two):
    take(room, warnings, of_two)
    (flood,) = room.run(room.incidents.open_alarms())
    assert flood.detail.startswith("Until 2026-01-01 12:01 UTC.")
    room.clock.advance(seconds=60)

    room.run(warnings.tick())
    room.run(warnings.tick())

    assert alarms(room) == [("Heavy rain", AlarmState.UNACKNOWLEDGED)]


def test_what_goes_on_under_the_same_words_does_not_call_again(room, warnings, message, told):
    hill = CapArea(description="Hill", circles=((HERE, 2.0),))
    longer = message(areas=(hill,))
    take(room, warnings, replace(longer, infos=(*message(expires_s=60).infos, *longer.infos)))
    (before,) = room.run(room.incidents.open_alarms())
    room.clock.advance(seconds=60)

    room.run(warnings.tick())

    assert told[-1].polygons == ()
    assert room.run(room.incidents.open_alarms()) == (before,)
    assert before.detail.startswith("Until 2026-01-01 13:00 UTC.")


def test_after_a_restart_a_block_that_goes_over_later_leaves_the_map_as_well(room, make, of_two):
    take(room, make(), of_two)
    after = make()
    room.run(after.start())
    room.clock.advance(seconds=60)

    room.run(after.tick())

    (warning,) = after.warnings()
    assert warning.polygons == ()


def test_a_warning_of_tomorrow_says_from_when_on_it_is_meant(room, warnings, message):
    onset = room.clock.now() + timedelta(hours=9)
    take(room, warnings, message(onset=onset, expires_s=12 * 3600))

    (alarm,) = room.run(room.incidents.open_alarms())
    assert alarm.detail.startswith(f"From {onset:%Y-%m-%d %H:%M} UTC until ")


@pytest.mark.parametrize(
    ("codes", "shape", "outcome"),
    [
        ((("WARNCELLID", "105315000"),), (), "raised"),
        ((("WARNCELLID", "1"), ("WARNCELLID", "105315000")), (), "raised"),
        ((("WARNCELLID", "1"),), (), "kept"),
        ((("WARNCELLID", "1"),), (RING,), "raised"),
        ((("SAME", "1"),), (), "raised"),
        ((), (), "raised"),
    ],
    ids=[
        "ours",
        "ours among others",
        "another",
        "another, and a shape that is here",
        "of a name we do not have",
        "none",
    ],
)
def test_an_area_without_a_shape_is_known_by_its_codes(room, make, message, codes, shape, outcome):
    service = make(center=HERE, radius_km=20.0, geocodes=frozenset({("WARNCELLID", "105315000")}))
    area = CapArea(description="Somewhere", geocodes=codes, polygons=shape)

    assert take(room, service, message(areas=(area,))) == outcome


def test_the_language_of_the_site_is_read(room, make, message):
    german = message()
    both = replace(german, infos=(german.infos[0], replace(german.infos[0], language="de-DE", headline="Hochwasser")))

    take(room, make(languages=("de",)), both)

    assert alarms(room)[0][0] == "Hochwasser"


def test_after_a_restart_what_holds_still_is_called_and_what_is_over_is_not(room, make, message):
    before = make()
    take(room, before, message(1, expires_s=3600))
    take(room, before, message(2, expires_s=60, headline="Short"))
    room.clock.advance(seconds=120)
    room.restart()
    room.run(room.incidents.start())

    after = WarningService(room.store, room.bus, room.clock, room.incidents, WarningPolicy())
    room.run(after.start())

    assert [warning.title for warning in after.warnings()] == ["Flood at the Lenne"]
    states = dict(alarms(room))
    assert states["Flood at the Lenne"] is AlarmState.UNACKNOWLEDGED
    assert states["Short"] is AlarmState.RETURNED_UNACKNOWLEDGED


def test_a_message_in_another_encoding_survives_a_restart(room, make, message):
    latin = cap.to_xml(message(headline="Überschwemmung")).decode().replace("UTF-8", "ISO-8859-1").encode("latin-1")
    room.run(make().take(latin, origin="test"))
    room.restart()
    room.run(room.incidents.start())

    after = WarningService(room.store, room.bus, room.clock, room.incidents, WarningPolicy())
    room.run(after.start())

    assert [warning.title for warning in after.warnings()] == ["Überschwemmung"]


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York"])
@pytest.mark.parametrize(
    ("field", "instant"),
    [
        ("expires", "9999-12-31T23:59:59+00:00"),
        ("expires", "9999-12-31T23:59:59-05:00"),
        ("sent", "9999-12-31T23:59:59-05:00"),
        ("sent", "0001-01-01T00:00:00+05:00"),
        ("onset", "0001-01-01T00:00:00+00:00"),
    ],
)
def test_an_instant_at_an_end_of_the_calendar_is_read_as_far_away(room, make, message, zone, field, instant):
    service = make(zone=ZoneInfo(zone))
    text = cap.to_xml(message(onset=room.clock.now())).decode()
    text = re.sub(f"(<{field}>)[^<]*", rf"\g<1>{instant}", text)

    assert room.run(service.take(text.encode(), origin="test")).outcome == "raised"

    (alarm,) = room.run(room.incidents.open_alarms())
    assert ("ntil 9999-" in alarm.detail) is (field == "expires")


def test_what_is_no_cap_is_refused_and_counted(room, warnings):
    answer = room.run(warnings.take(b"<alert/>", origin="test"))

    assert (answer.outcome, warnings.n_refused) == ("refused", 1)


def test_a_circle_is_drawn_with_its_radius():
    ring = circle_ring(HERE, 11.132)

    assert ring[0] == ring[-1]
    assert max(point.lat_deg for point in ring) == pytest.approx(52.1, abs=1e-3)


# -- our own messages -------------------------------------------------------------------------------------------------


def make_incident(room, **changes):
    made = Incident(
        incident_id="01JINCIDENT",
        kind="collision",
        title="Collision & fire",
        source_kind=SourceKind.CAMERA,
        source_id="ring-north",
        source_name="Ring North",
        status=IncidentStatus.ON_SCENE,
        began_at=room.clock.now(),
        priority=Priority.CRITICAL,
        position=HERE,
        text="two lanes <blocked>",
    )
    return replace(made, **changes)


def message_of(room, incident, published=(), status="Test"):
    return publish.alert_of(
        incident, sent=room.clock.now(), published=published, sender="watchfloor-city", sender_name="M", status=status
    )


def test_an_incident_is_published_as_a_valid_alert_with_its_place(room):
    alert = message_of(room, make_incident(room))

    assert cap.parse(cap.to_xml(alert)) == alert
    info = alert.infos[0]
    assert (alert.msg_type, alert.status, info.severity) == ("Alert", "Test", "Extreme")
    assert info.areas[0].circles == ((HERE, publish.AROUND_KM),)
    assert "two lanes <blocked>" in info.description


def test_a_second_message_updates_the_first_and_a_closed_incident_cancels_both(room):
    first = room.clock.now()
    second = first + timedelta(seconds=60)
    update = message_of(room, make_incident(room), published=(first,))
    cancel = message_of(
        room,
        make_incident(room, status=IncidentStatus.CLOSED, disposition="true"),
        published=(first, second),
        status="Actual",
    )

    assert (update.msg_type, [one.identifier for one in update.references]) == ("Update", ["watchfloor-01JINCIDENT-1"])
    assert (cancel.msg_type, len(cancel.references), cancel.status) == ("Cancel", 2, "Actual")
    assert cap.parse(cap.to_xml(cancel)) == cancel


def test_what_we_publish_is_a_warning_to_another_watchfloor(room, warnings):
    assert take(room, warnings, message_of(room, make_incident(room), status="Actual")) == "raised"
    assert alarms(room)[0][0] == "Collision & fire, Ring North"
