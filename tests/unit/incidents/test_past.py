"""What was over before anybody heard of it."""

from datetime import timedelta

from core.incidents.model import AlarmChanged, IncidentStatus
from core.incidents.raising import HISTORICAL
from tests.fixtures.room import make_condition


def test_what_is_past_is_a_closed_historical_incident_and_no_alarm(room):
    began_at = room.clock.now() - timedelta(minutes=40)
    alarms = []
    room.bus.subscribe(AlarmChanged, alarms.append)

    room.run(room.incidents.keep_past(make_condition(began_at=began_at), began_at + timedelta(minutes=1)))

    (incident,) = room.run(room.incidents.recent_incidents())
    assert (incident.began_at, incident.ended_at) == (began_at, began_at + timedelta(minutes=1))
    assert (incident.status, incident.text) == (IncidentStatus.CLOSED, HISTORICAL)
    assert (incident.opened_at, incident.closed_at) == (room.clock.now(), room.clock.now())
    assert alarms == []
    assert room.run(room.incidents.open_alarms()) == ()
