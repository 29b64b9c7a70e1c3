import av
import numpy as np
import pytest

from core.vision.gate import LATE_S, SOON_S, MotionGate, Movement, heartbeat_s, small_grey
from core.vision.model import Lane, ObservationKind, RuleSetting, Scene, Zone

SHAPE = (100, 178)
SQUARE = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0))


class Street:
    """A scene at five pictures a second, with the grain of a camera."""

    def __init__(self, contrast: float = 60.0) -> None:
        self.random = np.random.default_rng(7)
        coarse = self.random.normal(110.0, contrast / 2, (SHAPE[0] // 10 + 1, SHAPE[1] // 10 + 1))
        self.empty = np.kron(coarse, np.ones((10, 10)))[: SHAPE[0], : SHAPE[1]]
        self.gate = MotionGate()
        self.pts_s = 0.0

    def see(self, change: np.ndarray | float = 0.0, *, seconds: float = 0.2) -> Movement:
        seen = Movement.QUIET
        for _ in range(round(seconds / 0.2)):
            self.pts_s += 0.2
            picture = self.empty + change + self.random.normal(0.0, 1.5, SHAPE)
            seen = self.gate.look(np.clip(picture, 0, 255).astype(np.uint8), self.pts_s)
        return seen

    def vehicle(self, x: int, *, y: int = 50, size: tuple[int, int] = (3, 4), level: float = 60.0) -> np.ndarray:
        change = np.zeros(SHAPE)
        change[y : y + size[0], x : x + size[1]] = level
        return change


@pytest.fixture
def street():
    street = Street()
    street.see(seconds=4.0)
    return street


def test_the_first_seconds_are_unsure():
    assert Street().see(seconds=1.0) is Movement.UNSURE


def test_an_empty_street_is_quiet_for_an_hour_of_noise(street):
    seen = {street.see() for _ in range(2000)}

    assert seen == {Movement.QUIET}


def test_a_distant_vehicle_of_three_by_four_pixels_moves(street):
    assert street.see(street.vehicle(20)) is Movement.MOVING


def test_a_vehicle_in_a_dull_night_picture_moves():
    street = Street(contrast=8.0)
    street.see(seconds=4.0)

    assert street.see(street.vehicle(20, level=15.0)) is Movement.MOVING


def test_a_slow_vehicle_is_seen_all_the_way(street):
    seen = [street.see(street.vehicle(20 + step // 3)) for step in range(200)]

    assert set(seen) == {Movement.MOVING}


def test_the_rate_stays_for_two_seconds_after_the_last_movement(street):
    street.see(street.vehicle(20), seconds=1.0)

    assert street.see(seconds=1.0) is Movement.MOVING
    assert street.see(seconds=4.0) is Movement.QUIET


def test_a_vehicle_that_parks_becomes_part_of_the_scene_and_is_missed_when_it_leaves(street):
    parked = street.vehicle(40, size=(8, 14))

    assert street.see(parked, seconds=5.0) is Movement.MOVING
    assert street.see(parked, seconds=180.0) is Movement.QUIET
    assert street.see() is Movement.MOVING


def test_lightning_is_unsure_and_over_soon(street):
    assert street.see(80.0) is Movement.UNSURE
    assert street.see() is Movement.UNSURE
    assert street.see(seconds=4.0) is Movement.QUIET


def test_a_vehicle_right_after_lightning_is_looked_at(street):
    street.see(80.0)

    assert Movement.QUIET not in {street.see(street.vehicle(20 + step)) for step in range(20)}


def test_dusk_does_not_move(street):
    seen = {street.see(-level * 0.02) for level in range(1500)}

    assert seen == {Movement.QUIET}


def test_a_camera_that_shakes_is_unsure_and_never_quiet(street):
    shifts = [np.roll(street.empty, (step % 3) - 1, axis=0) - street.empty for step in range(60)]

    seen = [street.see(shift) for shift in shifts]

    assert Movement.UNSURE in seen
    assert Movement.QUIET not in seen[1:]


@pytest.mark.parametrize("step_s", [-5.0, 30.0])
def test_a_step_in_the_picture_time_starts_anew(street, step_s):
    street.pts_s += step_s

    assert street.see() is Movement.UNSURE


def test_another_size_of_the_picture_starts_anew(street):
    assert street.gate.look(np.zeros((90, 160), np.uint8), street.pts_s + 0.2) is Movement.UNSURE


@pytest.mark.parametrize("layout", ["yuv420p", "nv12", "rgb24"])
@pytest.mark.parametrize("wh", [(640, 360), (1920, 1080), (360, 640), (176, 144)])
def test_the_small_picture_has_about_a_hundred_rows_of_what_is_there(layout, wh):
    width, height = wh
    rgb = np.zeros((height, width, 3), np.uint8)
    rgb[: height // 2] = 200
    frame = av.VideoFrame.from_ndarray(rgb, format="rgb24").reformat(format=layout)

    grey = small_grey(frame)

    assert 70 <= grey.shape[0] <= 145
    assert grey.shape[1] / grey.shape[0] == pytest.approx(width / height, rel=0.05)
    assert grey[5].mean() > grey[-5].mean() + 100


def test_somebody_looks_sooner_where_a_rule_or_a_standing_vehicle_needs_it():
    zone = Zone(key="a", name="A", polygon=SQUARE)
    lane = Lane(key="l", name="L", polygon=SQUARE, start=(0.5, 0.0), end=(0.5, 1.0))
    off = tuple(
        RuleSetting(kind=kind.value, is_enabled=False)
        for kind in (ObservationKind.STOPPED_VEHICLE, ObservationKind.PEDESTRIAN)
    )

    assert heartbeat_s(Scene(zones=(zone,)), n_standing=0) == LATE_S
    assert heartbeat_s(Scene(zones=(zone,)), n_standing=1) == SOON_S
    assert heartbeat_s(Scene(lanes=(lane,)), n_standing=0) == SOON_S
    assert heartbeat_s(Scene(lanes=(lane,), rules=off), n_standing=0) == LATE_S
    assert heartbeat_s(Scene(zones=(Zone(key="a", name="A", polygon=SQUARE, stopped_after_s=5.0),)), n_standing=0) == 2
