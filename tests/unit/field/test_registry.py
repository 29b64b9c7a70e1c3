from datetime import UTC, datetime, timedelta

import pytest

from core.field.kinds import find_kinds, kind_for
from core.field.model import DeviceState
from core.field.nonsense import BURST, MAX_SOURCES
from core.field.payloads import Birth, Envelope, PayloadError, Status
from core.field.registry import MAX_DEVICES, Registry
from core.kernel.geo import GeoPoint

NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)


def flow(registry, *, speed=40.0, at=NOW, received_at=None, seq=None, boot="B1", hist=False, is_retained=False):
    tracked = registry.track("station/a", now_s=0.0)
    envelope = Envelope(
        ts=at,
        seq=seq,
        boot=boot,
        hist=hist,
        type="TrafficFlowObserved",
        data={"averageVehicleSpeed": speed, "occupancy": 0.1},
    )
    return registry.on_values(tracked, "flow", envelope, received_at=received_at or at, is_retained=is_retained)


def newest_speed(registry):
    return registry.newest("station/a")[0].values["averageVehicleSpeed"]


def alive(registry, *, now_s=0.0, at=NOW, sent_at=None):
    tracked = registry.track("station/a", now_s=now_s)
    registry.on_alive(tracked, now_s=now_s, received_at=at, sent_at=sent_at)
    return tracked


def test_a_late_value_is_kept_but_does_not_replace_a_newer_one():
    registry = Registry()
    flow(registry, speed=50, at=NOW)
    reading, is_newest = flow(registry, speed=10, at=NOW - timedelta(minutes=5), received_at=NOW, hist=True)

    assert not is_newest
    assert reading.is_good
    assert newest_speed(registry) == 50


def test_within_one_start_the_counter_decides_what_is_newer():
    registry = Registry()
    flow(registry, speed=50, seq=7)
    assert flow(registry, speed=10, seq=6, at=NOW + timedelta(seconds=1))[1] is False
    assert flow(registry, speed=60, seq=8, at=NOW - timedelta(seconds=1), received_at=NOW)[1] is True


def test_the_same_message_twice_counts_once():
    registry = Registry()
    flow(registry, seq=7)

    assert flow(registry, seq=7) is None


def test_a_clock_that_was_a_day_ahead_does_not_hide_what_comes_after():
    registry = Registry()
    reading, _ = flow(registry, speed=50, at=NOW + timedelta(days=1), received_at=NOW, boot="")
    assert not reading.is_good
    assert reading.at == NOW

    assert flow(registry, speed=20, at=NOW + timedelta(seconds=10), boot="")[1] is True
    assert newest_speed(registry) == 20


def test_a_wrong_clock_is_named_after_three_messages_and_forgotten_when_it_is_right_again():
    registry = Registry()
    for second in range(3):
        received_at = NOW + timedelta(seconds=second)
        flow(registry, at=received_at - timedelta(seconds=90), received_at=received_at)
    assert "90 s slow" in registry.get("station/a").device.last_error

    flow(registry, at=NOW + timedelta(seconds=9))
    assert registry.get("station/a").device.last_error == ""


def test_silence_makes_a_device_stale_and_a_message_brings_it_back():
    registry = Registry()
    alive(registry, now_s=0.0)
    registry.check_silence(89.0, NOW)
    assert registry.get("station/a").device.state is DeviceState.ONLINE

    registry.check_silence(91.0, NOW)
    assert registry.get("station/a").device.state is DeviceState.STALE

    alive(registry, now_s=92.0)
    assert registry.get("station/a").device.state is DeviceState.ONLINE


def test_what_stood_on_the_broker_is_no_sign_of_life():
    registry = Registry()
    tracked = registry.track("station/a", now_s=0.0)
    registry.on_status(tracked, Status(state="online", boot="B1"), received_at=NOW, is_live=False)

    assert tracked.device.state is DeviceState.UNKNOWN


def test_the_last_will_of_an_earlier_start_is_ignored():
    registry = Registry()
    tracked = alive(registry)
    registry.on_status(tracked, Status(state="online", boot="B2", ts=NOW), received_at=NOW, is_live=True)

    assert registry.on_status(tracked, Status(state="lost", boot="B1"), received_at=NOW, is_live=True) is False
    assert tracked.device.state is DeviceState.ONLINE
    registry.on_status(tracked, Status(state="lost", boot="B2"), received_at=NOW, is_live=True)
    assert tracked.device.state is DeviceState.LOST


def test_a_message_that_waited_does_not_bring_a_lost_device_back():
    registry = Registry()
    tracked = alive(registry)
    registry.on_status(tracked, Status(state="lost"), received_at=NOW, is_live=True)
    alive(registry, at=NOW + timedelta(seconds=20), sent_at=NOW - timedelta(seconds=5))
    assert tracked.device.state is DeviceState.LOST

    alive(registry, at=NOW + timedelta(seconds=20), sent_at=NOW + timedelta(seconds=20))
    assert tracked.device.state is DeviceState.ONLINE


def test_a_device_whose_clock_went_back_over_a_restart_is_lost_by_the_will_of_its_new_start():
    registry = Registry()
    tracked = registry.track("station/a", now_s=0.0)
    registry.on_birth(tracked, Birth(boot="B1", ts=NOW), {}, received_at=NOW, is_live=True)
    registry.on_birth(tracked, Birth(boot="B2", ts=NOW - timedelta(hours=1)), {}, received_at=NOW, is_live=True)

    assert registry.on_status(tracked, Status(state="lost", boot="B2"), received_at=NOW, is_live=True)
    assert tracked.device.state is DeviceState.LOST


def test_a_retained_birth_of_an_earlier_start_does_not_bring_that_start_back():
    registry = Registry()
    tracked = registry.track("station/a", now_s=0.0)
    new = Birth(boot="B2", ts=NOW)
    old = Birth(boot="B1", ts=NOW - timedelta(hours=1))
    registry.on_birth(tracked, new, {"boot": "B2"}, received_at=NOW, is_live=False)
    registry.on_birth(tracked, old, {"boot": "B1"}, received_at=NOW, is_live=False)

    assert tracked.boot == "B2"


def test_a_birth_names_and_places_a_new_device_only():
    registry = Registry()
    tracked = registry.track("station/a", now_s=0.0)
    birth = Birth.model_validate({"name": "Bridge", "fw": "1", "location": {"lat": 1, "lon": 2}})
    registry.on_birth(tracked, birth, {"n": 1}, received_at=NOW, is_live=True)
    assert (tracked.device.name, tracked.device.position) == ("Bridge", GeoPoint(1, 2))
    assert tracked.device.is_new

    from dataclasses import replace

    registry.replace_device(replace(tracked.device, name="North bridge", version=2))
    other = Birth.model_validate({"name": "Evil", "fw": "2", "location": {"lat": 50, "lon": 2}})
    registry.on_birth(tracked, other, {"n": 2}, received_at=NOW, is_live=True)
    assert (tracked.device.name, tracked.device.position, tracked.device.firmware) == (
        "North bridge",
        GeoPoint(1, 2),
        "2",
    )


def test_a_device_that_sends_only_nonsense_has_to_pause_and_is_heard_again_later():
    registry = Registry()
    alive(registry)
    firsts = [registry.on_bad("station/a", "no", received_at=NOW, now_s=1.0) for _ in range(int(BURST))]

    assert firsts.count(True) == 1
    assert not registry.may_speak("station/a", 1.0)
    assert registry.may_speak("station/a", 2.0)
    assert registry.get("station/a").device.n_bad_messages == BURST
    assert registry.bad_sources()[0].source == "station/a"


def test_the_number_of_devices_and_of_bad_sources_is_bounded():
    registry = Registry()
    for number in range(MAX_DEVICES + 5):
        registry.track(f"station/{number}", now_s=0.0)
    for number in range(2000):
        registry.on_bad(f"x/{number}", "no", received_at=NOW, now_s=0.0)

    assert len(registry.devices()) == MAX_DEVICES
    assert registry.n_turned_away == 5
    assert len(registry.bad_sources()) <= 1001


def test_kinds_are_found_by_looking():
    assert {"station", "lot", "other"} <= set(find_kinds())
    assert kind_for("traffic").key == "station"
    assert kind_for("xyz", ["OffStreetParking"]).key == "lot"
    assert kind_for("xyz").key == "other"


@pytest.mark.parametrize(
    ("kind", "payload_type", "data", "values"),
    [
        (
            "station",
            "TrafficFlowObserved",
            {"intensity": 17, "occupancy": 0.31, "laneId": 2, "x": 1},
            {"intensity": 17.0, "occupancy": 0.31, "laneId": 2.0},
        ),
        (
            "lot",
            "OffStreetParking",
            {"totalSpotNumber": 40, "availableSpotNumber": 3},
            {"totalSpotNumber": 40.0, "availableSpotNumber": 3.0},
        ),
        ("station", "TrafficFlowObserved", {"intensity": None, "occupancy": 0.5}, {"occupancy": 0.5}),
        ("lot", "ParkingSpot", {"status": "free"}, {"occupied": 0.0}),
        ("lot", "ParkingSpot", {"status": "unknown"}, {"unknown": 1.0}),
        ("other", "", {"t": 3, "on": True, "name": "x"}, {"t": 3.0}),
    ],
)
def test_a_kind_reads_its_payloads_into_numbers(kind, payload_type, data, values):
    assert find_kinds()[kind].read(payload_type, data) == values


@pytest.mark.parametrize(
    ("payload_type", "data"),
    [
        ("TrafficFlowObserved", {"occupancy": 31}),
        ("TrafficFlowObserved", {"averageVehicleSpeed": "42"}),
        ("TrafficFlowObserved", {"intensity": True}),
        ("TrafficFlowObserved", {"intensity": 10**400}),
        ("ParkingSpot", {"status": None}),
        ("OffStreetParking", {"totalSpotNumber": 10, "availableSpotNumber": 11}),
        ("ParkingSpot", {"status": "taken"}),
    ],
)
def test_values_that_cannot_be_are_refused(payload_type, data):
    with pytest.raises(PayloadError):
        kind_for("", [payload_type]).read(payload_type, data)


def test_a_sender_that_never_said_anything_usable_has_to_pause_as_well():
    registry = Registry()
    for _ in range(int(BURST)):
        registry.on_bad("station/ghost", "no", received_at=NOW, now_s=1.0)

    assert registry.get("station/ghost") is None
    assert not registry.may_speak("station/ghost", now_s=1.0)
    assert registry.may_speak("station/ghost", now_s=3.0)


def test_who_makes_up_names_silences_nobody_else():
    registry = Registry()
    for number in range(MAX_SOURCES + 500):
        registry.on_bad(f"station/made-up-{number}", "no", received_at=NOW, now_s=1.0)

    assert registry.may_speak("station/innocent", now_s=1.0)
    assert sum(source.n_messages for source in registry.bad_sources()) == MAX_SOURCES + 500


def test_while_nobody_can_be_heard_no_device_is_silent_and_none_is_confirmed():
    registry = Registry()
    tracked = registry.track("station/a", now_s=0.0)
    registry.on_alive(tracked, now_s=0.0, received_at=NOW, sent_at=None)

    registry.lose_sight(NOW)
    assert registry.get("station/a").device.state is DeviceState.UNKNOWN
    registry.begin_to_listen(1000.0)
    registry.check_silence(1001.0, NOW)
    assert registry.get("station/a").device.state is DeviceState.UNKNOWN
    registry.check_silence(2000.0, NOW)
    assert registry.get("station/a").device.state is DeviceState.STALE


def test_a_device_that_starts_again_and_again_is_one_device():
    registry = Registry()
    tracked = registry.track("station/a", now_s=0.0)
    for number in range(20):
        birth = Birth(boot=f"boot-{number}")
        for _ in range(2):
            registry.on_birth(tracked, birth, {}, received_at=NOW, is_live=True)

    assert registry.get("station/a").device.last_error == ""
