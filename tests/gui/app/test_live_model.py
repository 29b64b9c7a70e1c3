from dataclasses import replace
from datetime import UTC, datetime

import pytest
from PySide6.QtCore import QTimer

from app.live import MAX_INCIDENTS, PORTION, LiveModel
from core.field.model import Device, Reading
from core.incidents.model import Incident, IncidentStatus, SourceKind
from core.kernel.wire import to_builtins
from core.node.live import Changes, Snapshot, without_defaults
from core.parking.model import Bay, BayState, BayStatus, Lot, LotOccupancy
from tests.fixtures.alarms import alarm

AT = datetime(2026, 3, 1, tzinfo=UTC)
LOT = Lot(lot_id="quay", name="Quay", bays=(Bay(bay_id="A1"), Bay(bay_id="A2")), device_ids=("parking/gw",), version=1)


@pytest.fixture
def live(qtbot):
    model = LiveModel()
    yield model
    model.close()


def incident(incident_id):
    return Incident(
        incident_id=incident_id,
        kind="congestion",
        title="Congestion",
        source_kind=SourceKind.CAMERA,
        source_id="cam-1",
        source_name="Camera 1",
        status=IncidentStatus.NEW,
        began_at=datetime(2026, 3, 1, tzinfo=UTC),
    )


def push(live, **changes):
    live.apply(to_builtins(without_defaults(Changes(**changes))))


def test_an_alarm_is_signalled_at_once_and_once(live):
    signalled = []
    live.alarms_changed.connect(lambda: signalled.append(1))

    push(live, alarms=(alarm(),))

    assert signalled == [1]

    assert [item.alarm_id for item in live.open_alarms()] == ["A"]


def test_an_older_version_that_comes_late_changes_nothing(live):
    push(live, alarms=(alarm(version=3, is_acknowledged=True),))
    push(live, alarms=(alarm(version=2),))

    assert live.alarms["A"].version == 3


def test_an_alarm_that_is_over_and_acknowledged_leaves(live):
    push(live, alarms=(alarm(),))
    push(live, alarms=(alarm(version=2, is_active=False, is_acknowledged=True),))

    assert live.open_alarms() == ()


def test_a_snapshot_forgets_what_was_known_before(live):
    push(live, alarms=(alarm(),))

    live.load(Snapshot(changes=Changes(), rings={}))

    assert live.open_alarms() == ()


def test_a_removed_device_leaves_with_its_values(live):
    at = datetime(2026, 3, 1, tzinfo=UTC)
    push(
        live,
        devices=(Device(device_id="traffic/a", kind="station", name="A"),),
        readings=(Reading(device_id="traffic/a", stream="flow", at=at, values={"occupancy": 0.1}),),
    )

    push(live, removed_devices=("traffic/a",))

    assert not live.devices
    assert not live.readings


def test_a_device_that_was_removed_and_is_taken_back_in_one_moment_is_there(live):
    device = Device(device_id="traffic/a", kind="station", name="A")
    push(live, devices=(device,))

    push(live, removed_devices=("traffic/a",), devices=(device,))

    assert list(live.devices) == ["traffic/a"]


def test_only_what_is_newer_is_told_of_devices_and_values_that_were_there_before(live, qtbot):
    at = datetime(2026, 3, 1, tzinfo=UTC)
    devices = tuple(Device(device_id=f"traffic/{name}", kind="station", name=name) for name in "ab")
    first = Reading(device_id="traffic/a", stream="flow", at=at, values={"intensity": 1.0})
    live.load(Snapshot(changes=Changes(devices=devices, readings=(first,)), rings={}))
    whole = []
    live.devices_changed.connect(lambda: whole.append("devices"))
    live.readings_changed.connect(lambda: whole.append("readings"))

    with (
        qtbot.waitSignal(live.devices_updated, timeout=1000) as of_devices,
        qtbot.waitSignal(live.readings_updated, timeout=1000) as of_readings,
    ):
        push(live, devices=(replace(devices[1], name="other"),), readings=(replace(first, values={"intensity": 2.0}),))

    assert [one.name for one in of_devices.args[0]] == ["other"]
    assert [one.values for one in of_readings.args[0]] == [{"intensity": 2.0}]
    assert whole == []


def test_a_new_or_a_removed_device_is_told_as_another_set(live, qtbot):
    updated = []
    live.devices_updated.connect(updated.append)
    with qtbot.waitSignal(live.devices_changed, timeout=1000):
        push(live, devices=(Device(device_id="traffic/a", kind="station", name="A"),))
    with qtbot.waitSignal(live.devices_changed, timeout=1000), qtbot.waitSignal(live.readings_changed, timeout=1000):
        push(live, removed_devices=("traffic/a",))

    assert updated == []


def test_a_device_that_says_only_now_what_it_is_is_told_as_another_set(live, qtbot):
    device = Device(device_id="gate/a", kind="other", name="A")
    live.load(Snapshot(changes=Changes(devices=(device,)), rings={}))

    with qtbot.waitSignal(live.devices_changed, timeout=1000):
        push(live, devices=(replace(device, kind="station"),))


def test_incidents_of_weeks_are_not_all_kept(live):
    push(live, incidents=tuple(incident(f"{number:05d}") for number in range(MAX_INCIDENTS)))
    push(live, incidents=(incident("00000"), incident("new")))

    assert len(live.incidents) == MAX_INCIDENTS
    assert {"00000", "new"} <= live.incidents.keys()
    assert "00001" not in live.incidents


def test_a_burst_of_pushes_is_signalled_a_few_times_only(live, qtbot):
    signalled = []
    live.alarms_changed.connect(lambda: signalled.append(1))
    for number in range(500):
        push(live, alarms=(alarm(version=number + 1),))
    qtbot.waitUntil(lambda: bool(signalled))

    assert len(signalled) <= 2
    assert live.alarms["A"].version == 500


def test_an_alarm_reaches_the_list_before_anything_else_of_its_push_is_told(live):
    heard = []
    live.cameras_changed.connect(lambda: heard.append("cameras"))
    live.incidents_changed.connect(lambda: heard.append("incidents"))
    live.bays_changed.connect(lambda: heard.append("bays"))
    live.alarms_changed.connect(lambda: heard.append("alarms"))
    live.alarms_arrived.connect(lambda: heard.append(tuple(live.alarms)))

    push(live, alarms=(alarm(),), incidents=(incident("1"),), lot_plans=(LOT,))

    assert heard[0] == ("A",)
    assert heard.index("incidents") < heard.index("alarms")
    assert heard.index("incidents") < heard.index("bays")


def test_nothing_is_heard_after_closing(live, qtbot):
    heard = []
    live.alarms_changed.connect(lambda: heard.append(1))
    push(live, alarms=(alarm(),))
    push(live, alarms=(alarm(version=2),))
    live.close()
    qtbot.wait(60)

    assert heard == [1]  # The first is told at once; the second waited for its like.


def test_what_comes_while_the_room_is_furnished_is_told_when_it_stands(live):
    heard = []
    live.alarms_changed.connect(lambda: heard.append(tuple(live.alarms)))
    live.hold()
    live.load(Snapshot(changes=Changes(alarms=(alarm(),)), rings={}))
    push(live, alarms=(alarm(alarm_id="B"),))
    assert heard == []  # It would have been told within the call.

    live.tell_all()

    assert heard == [("A", "B")]


def test_who_begins_to_listen_later_is_told_what_stands_and_what_else_there_is_is_not_told_again(live, qtbot):
    told = []
    live.cameras_changed.connect(lambda: told.append("cameras"))
    live.load(Snapshot(changes=Changes(alarms=(alarm(),)), rings={}))
    told.clear()

    live.alarms_changed.connect(lambda: told.append(tuple(live.alarms)))
    live.tell_newcomers()
    qtbot.waitUntil(lambda: bool(told))

    assert told == [("A",)]


def test_of_many_devices_that_speak_at_once_some_are_told_in_each_turn_of_the_loop(live, qtbot):
    n_devices = PORTION * 2 + 1
    devices = tuple(Device(device_id=f"fleet/{n}", kind="other", name=str(n)) for n in range(n_devices))
    live.load(Snapshot(changes=Changes(devices=devices), rings={}))
    told, turns = [], []
    live.devices_updated.connect(lambda fresh: told.append([one.device_id for one in fresh]))
    turning = QTimer(live)
    turning.timeout.connect(lambda: turns.append(len(told)))
    turning.start(0)

    push(live, devices=tuple(replace(one, name="other") for one in devices))
    qtbot.waitUntil(lambda: sum(map(len, told)) == n_devices)

    assert [len(portion) for portion in told] == [PORTION, PORTION, 1]
    assert len({id_ for portion in told for id_ in portion}) == n_devices
    assert {1, 2} <= set(turns)


def test_for_who_looks_when_it_is_shown_nobody_is_told_anew(live, qtbot):
    live.load(Snapshot(changes=Changes(alarms=(alarm(),)), rings={}))
    told = []
    live.follow("devices", lambda: told.append("devices"))
    live.alarms_changed.connect(lambda: told.append("alarms"))

    live.tell_newcomers()
    qtbot.waitUntil(lambda: bool(told))
    assert told == ["alarms"]

    with qtbot.waitSignal(live.devices_changed, timeout=1000):
        push(live, devices=(Device(device_id="traffic/a", kind="station", name="A"),))
    assert told == ["alarms", "devices"]


def bay(bay_id="A1", **changes):
    found = {"state": BayState.FREE, "since": AT, "at": AT, "confidence": 1.0, "source": "sensor:x"} | changes
    return BayStatus(lot_id="quay", bay_id=bay_id, **found)


def test_a_bay_is_told_with_the_push_and_alone(live):
    push(live, lot_plans=(LOT,), bays=(bay("A1"), bay("A2")))
    told, all_told = [], []
    live.bays_updated.connect(told.append)
    live.bays_changed.connect(lambda: all_told.append(1))

    push(live, bays=(bay("A1", state=BayState.OCCUPIED),))

    assert [[status.bay_id for status in statuses] for statuses in told] == [["A1"]]
    assert all_told == []
    assert live.bays["quay"]["A1"].state is BayState.OCCUPIED


def test_another_plan_tells_all_bays_and_forgets_those_that_are_not_drawn_any_more(live):
    push(live, lot_plans=(LOT,), bays=(bay("A1"), bay("A2")))
    all_told = []
    live.bays_changed.connect(lambda: all_told.append(dict(live.bays["quay"])))

    push(live, lot_plans=(replace(LOT, version=2, bays=LOT.bays[:1]),))

    assert [list(bays) for bays in all_told] == [["A1"]]


def test_a_removed_lot_is_gone_with_its_bays_and_figures(live):
    counted = LotOccupancy(lot_id="quay", n_bays=2, n_occupied=0, n_unknown=0, at=AT)
    push(live, lot_plans=(LOT,), bays=(bay(),), lots=(counted,))

    push(live, removed_lots=("quay",))

    assert (live.lot_plans, live.bays, live.lots) == ({}, {}, {})


def test_a_device_that_speaks_for_a_drawn_lot_is_no_lot_of_its_own(live):
    push(live, lots=(LotOccupancy(lot_id="parking/gw", n_bays=9, n_occupied=0, n_unknown=0, at=AT),))
    push(live, lot_plans=(LOT,))

    assert live.lots == {}
    assert live.lot_id_of("parking/gw") == "quay"
    assert live.lot_id_of("parking/other") == "parking/other"
