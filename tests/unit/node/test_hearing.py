"""Whose silence counts after a restart, and when nobody is there any more who could speak."""

import math
from dataclasses import replace
from types import SimpleNamespace

import pytest

from core.field.model import Device, DeviceState
from core.incidents.doubt import CONFIRM_S, Doubtful
from core.incidents.model import SourceKind
from core.kernel.errors import BadInputError
from core.media.model import StreamReport, StreamState
from core.node.hearing import AT_ONCE_S, PASSER_S, SLACK_S, Hearing
from core.vision.model import RuleSetting, Scene, Zone

ZONE = Zone(key="z", name="Z", polygon=((0.0, 0.0), (1.0, 0.0), (1.0, 1.0)))


class Lists:
    """What a site has: one device and one lot, both silent so far."""

    def __init__(self, *, online=False):
        state = DeviceState.ONLINE if online else DeviceState.UNKNOWN
        self.devices = {"north/p1": Device(device_id="north/p1", kind="station", name="P1", state=state)}
        field = SimpleNamespace(device=self._device, devices=lambda: tuple(self.devices.values()))
        self.services = SimpleNamespace(
            field=field,
            traffic=SimpleNamespace(is_measured=lambda _id: online),
            parking=SimpleNamespace(lot_plan={"lot-a": object()}.get, bays=lambda _id: ()),
            drones=SimpleNamespace(state=self._drone),
        )

    def _device(self, device_id):
        if device_id not in self.devices:
            raise BadInputError("There is no such device.")
        return self.devices[device_id]

    def _drone(self, _drone_id):
        raise BadInputError("There is no such drone.")


def hearing(
    lists=None,
    *,
    report=None,
    is_blind=False,
    is_told=True,
    cameras=frozenset({"ring", "a"}),
    are_read=True,
    scene=None,
    waiting=(),
):
    return Hearing(
        services=(lists or Lists()).services,
        stream=lambda _id: report,
        workers=tuple,
        is_waiting=lambda doubtful: doubtful.condition_key in waiting,
        is_measured=lambda _doubtful: None,
        is_view_told=lambda lot_id, camera_id: is_told and (lot_id, camera_id) == ("lot-a", "ring"),
        is_frigate_heard=lambda: True,
        is_blind=lambda _camera_id: is_blind,
        is_gone=lambda camera_id: are_read and camera_id not in cameras,
        scene=lambda _camera_id: scene,
    )


def doubt(kind, source_id, name="x"):
    return Doubtful(condition_key=f"{kind}/{source_id}/{name}", kind=name, source_kind=kind, source_id=source_id)


GONE = [
    (SourceKind.DEVICE, "north/gone"),
    (SourceKind.STATION, "north/gone"),
    (SourceKind.CAMERA, "gone"),
    (SourceKind.LOT, "gone"),
    (SourceKind.DRONE, "gone"),
]
SILENT = [
    (SourceKind.DEVICE, "north/p1"),
    (SourceKind.STATION, "north/p1"),
    (SourceKind.CAMERA, "ring"),
    (SourceKind.LOT, "lot-a"),
    (SourceKind.LOT, "north/p1"),
]


@pytest.mark.parametrize(("kind", "source_id"), GONE)
def test_what_a_removed_source_was_called_for_is_over_at_once(kind, source_id):
    assert hearing(Lists())(doubt(kind, source_id)) == AT_ONCE_S


@pytest.mark.parametrize(("kind", "source_id"), SILENT)
def test_a_source_that_is_listed_and_silent_ends_nothing(kind, source_id):
    assert hearing(Lists())(doubt(kind, source_id)) is None


def test_a_camera_whose_settings_nobody_has_read_yet_is_not_taken_for_a_removed_one():
    assert hearing(Lists(), are_read=False)(doubt(SourceKind.CAMERA, "gone")) is None


def test_a_device_that_is_there_again_is_waited_for_until_it_has_said_all():
    assert hearing(Lists(online=True))(doubt(SourceKind.DEVICE, "north/p1")) == CONFIRM_S


def test_silence_counts_only_once_everything_that_was_said_before_it_is_stored():
    gone = doubt(SourceKind.DEVICE, "north/gone")
    told = hearing(Lists(), waiting={gone.condition_key})

    assert told(gone) == math.inf
    assert told.is_heard(gone)
    assert told(doubt(SourceKind.DEVICE, "north/gone", "y")) == AT_ONCE_S


def live(**changes):
    return StreamReport(camera_id="a", state=StreamState.LIVE, detect_fps=8.0, detect_fps_wanted=8.0, **changes)


@pytest.mark.parametrize(
    ("kind", "report", "is_blind", "needed_s"),
    [
        ("collision", live(), False, CONFIRM_S),
        ("collision", live(is_blind=True), True, None),
        ("camera_blinded", live(is_blind=True), True, None),
        ("camera_lost", live(is_blind=True), True, AT_ONCE_S),
        # An alarm of before the start says so, and the rules have not looked for long enough to say it again.
        ("stopped_vehicle", live(), True, None),
        ("camera_blinded", live(), True, CONFIRM_S),
        # A new reference is learned from whatever is seen: silence does not say that nothing moved.
        ("camera_moved", live(), True, None),
        # What lies there is ground to rules that begin anew.
        ("object_left", live(), False, None),
        ("collision", StreamReport(camera_id="a", state=StreamState.LOST), False, None),
    ],
)
def test_a_camera_that_sees_nothing_is_not_heard(kind, report, is_blind, needed_s):
    assert hearing(report=report, is_blind=is_blind)(doubt(SourceKind.CAMERA, "a", kind)) == needed_s


@pytest.mark.parametrize("kind", ["camera_blinded", "camera_frozen", "stopped_vehicle", "collision", "congestion"])
def test_a_camera_whose_detection_is_off_ends_nothing_by_its_silence(kind):
    off = StreamReport(camera_id="a", state=StreamState.LIVE, detect_fps_wanted=0.0)

    assert hearing(report=off)(doubt(SourceKind.CAMERA, "a", kind)) is None
    assert hearing(report=off)(doubt(SourceKind.CAMERA, "a", "camera_lost")) == AT_ONCE_S


@pytest.mark.parametrize(
    ("kind", "needed_s"),
    [("camera_blinded", CONFIRM_S), ("camera_frozen", CONFIRM_S), ("camera_moved", None), ("collision", None)],
)
def test_a_camera_that_is_watched_without_a_detector_ends_only_what_is_wrong_with_itself(kind, needed_s):
    off = StreamReport(camera_id="a", state=StreamState.LIVE, is_camera_watched=True)

    assert hearing(report=off)(doubt(SourceKind.CAMERA, "a", kind)) == needed_s


@pytest.mark.parametrize(
    ("kind", "needed_s"),
    [
        # Of these its rules would say nothing, whatever stands there.
        ("stopped_vehicle", None),
        ("congestion", None),
        ("loitering", None),
        ("collision", None),
        ("wrong_way", None),
        ("pedestrian", None),
        ("vehicle_in_zone", PASSER_S),
        ("camera_blinded", CONFIRM_S),
        ("camera_frozen", CONFIRM_S),
        ("camera_moved", None),
        ("camera_lost", AT_ONCE_S),
    ],
)
def test_a_camera_whose_pictures_come_seconds_apart_ends_only_what_it_would_say_again(kind, needed_s):
    rare = replace(live(is_rare=True, is_undersampled=True), detect_fps=0.2)

    assert hearing(report=rare)(doubt(SourceKind.CAMERA, "a", kind)) == needed_s


@pytest.mark.parametrize(("kind", "needed_s"), [("vehicle_in_zone", 3 * 36.0), ("camera_frozen", CONFIRM_S)])
def test_who_is_in_a_zone_is_not_over_before_a_slow_camera_has_looked_often_enough(kind, needed_s):
    slow = replace(live(is_rare=True, is_undersampled=True), detect_fps=0.08, patience_s=36.0)

    assert hearing(report=slow)(doubt(SourceKind.CAMERA, "a", kind)) == needed_s


def tuned(kind, **figures):
    return Scene(rules=(RuleSetting(kind=kind, values=figures),))


@pytest.mark.parametrize(
    ("kind", "scene", "needed_s"),
    [
        ("congestion", Scene(), CONFIRM_S),
        ("stopped_vehicle", Scene(), 150.0 + SLACK_S),
        ("stopped_vehicle", tuned("stopped_vehicle", queue_after_s=900.0), 900.0 + SLACK_S),
        ("stopped_vehicle", Scene(zones=(replace(ZONE, stopped_after_s=1200.0),)), 1200.0 + SLACK_S),
        ("loitering", tuned("loitering", after_s=600.0), 600.0 + SLACK_S),
        ("vehicle_in_zone", Scene(), PASSER_S),
        ("pedestrian", Scene(), 2.0 + PASSER_S),
        ("pedestrian", tuned("pedestrian", hold_s=60.0), 60.0 + PASSER_S),
        ("wrong_way", Scene(), 1.5 + PASSER_S),
        ("stopped_vehicle", None, CONFIRM_S),
    ],
)
def test_a_rule_that_waits_long_before_it_says_something_may_wait_as_long_before_it_says_it_again(
    kind, scene, needed_s
):
    assert hearing(report=live(), scene=scene)(doubt(SourceKind.CAMERA, "a", kind)) == needed_s


@pytest.mark.parametrize(("is_told", "needed_s"), [(True, CONFIRM_S), (False, None)])
def test_a_live_camera_that_does_not_recognise_the_lot_says_nothing_of_it(is_told, needed_s):
    moved = doubt(SourceKind.LOT, "lot-a", "bays_moved")
    moved = replace(moved, condition_key=f"{moved.condition_key}:ring")
    live = StreamReport(camera_id="ring", state=StreamState.LIVE)

    assert hearing(report=live, is_told=is_told)(moved) == needed_s
    assert hearing(report=live, is_told=is_told).is_heard(moved)
    assert not hearing(is_told=is_told).is_heard(moved)
