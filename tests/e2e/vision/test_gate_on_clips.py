"""The motion gate on pictures that went through a camera's codec: what holds it open or closed, and what must not."""

import av
import numpy as np
import pytest

from core.vision.gate import LINGER_S, MotionGate, Movement, small_grey
from tests.fixtures.testdata import testdata

WH = (640, 360)
FPS = 10
LOOKS_PER_S = 5


def write_clip(path, n_frames, change):
    """Write a street as a cheap camera sends it: grain, few bits; `change` draws into picture number n."""
    width, height = WH
    random = np.random.default_rng(7)
    coarse = random.normal(110.0, 30.0, (height // 20 + 1, width // 20 + 1))
    street = np.kron(coarse, np.ones((20, 20)))[:height, :width]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.bit_rate = 500_000
        stream.options = {"preset": "ultrafast", "g": "20", "bf": "0"}
        for number in range(n_frames):
            picture = change(street.copy(), number) + random.normal(0.0, 2.0, (height, width))
            grey = np.clip(picture, 0, 255).astype(np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(grey, format="gray")))
        container.mux(stream.encode())
    return path


def watch(path, *, most_s=60.0):
    """Let the gate look five times a second; what it said, by picture time."""
    gate, seen = MotionGate(), {}
    with av.open(str(path)) as container:
        fps = float(container.streams.video[0].average_rate or FPS)
        for number, frame in enumerate(container.decode(video=0)):
            if number / fps > most_s:
                break
            if number % max(1, round(fps / LOOKS_PER_S)) == 0:
                seen[number / fps] = gate.look(small_grey(frame), number / fps)
    return seen


def between(seen, start_s, end_s):
    return [movement for at_s, movement in seen.items() if start_s <= at_s < end_s]


def test_lightning_opens_the_gate_and_does_not_hold_it_open(tmp_path):
    def lightning(street, number):
        return street + (90.0 if number in (80, 81, 84) else 0.0)

    seen = watch(write_clip(tmp_path / "lightning.mp4", 200, lightning))

    assert set(between(seen, 4.0, 8.0)) == {Movement.QUIET}
    assert Movement.QUIET not in between(seen, 8.0, 9.5)
    assert set(between(seen, 8.4 + 2 * LINGER_S + 0.5, 20.0)) == {Movement.QUIET}


def test_a_vehicle_that_comes_with_the_lightning_is_not_slept_through(tmp_path):
    def storm(street, number):
        if number >= 80:
            street[200:230, 5 * (number - 80) : 5 * (number - 80) + 50] = 220
        return street + (90.0 if number in (80, 81, 84) else 0.0)

    seen = watch(write_clip(tmp_path / "storm.mp4", 180, storm))

    assert Movement.QUIET not in between(seen, 8.0, 18.0)


def test_a_camera_that_shakes_is_looked_through_and_rests_again_once_it_is_still(tmp_path):
    def wind(street, number):
        return np.roll(street, 5 * ((number * 7) % 3 - 1), axis=1) if 60 <= number < 120 else street

    seen = watch(write_clip(tmp_path / "wind.mp4", 240, wind))

    assert set(between(seen, 4.0, 6.0)) == {Movement.QUIET}
    assert Movement.QUIET not in between(seen, 6.4, 12.0)
    # What the shaking left in the background fades; the heartbeat of vehicles is not lost meanwhile.
    assert set(between(seen, 20.0, 24.0)) == {Movement.QUIET}


def test_a_gate_that_starts_in_traffic_that_never_stops_is_not_blind():
    seen = watch(testdata("video/traffic_calgary_highway.mp4"), most_s=30.0)

    assert len(seen) > 50
    assert between(seen, 0.0, 60.0).count(Movement.QUIET) <= 0.02 * len(seen)


@pytest.mark.parametrize("n_lanes", [1, 3])
def test_steady_traffic_from_the_first_picture_on_never_looks_quiet(tmp_path, n_lanes):
    def convoy(street, number):
        for lane in range(n_lanes):
            for vehicle in range(6):
                left = (12 * number + 110 * vehicle + 37 * lane) % 660
                street[150 + 60 * lane : 175 + 60 * lane, max(0, left - 45) : left] = 200 + 5 * vehicle
        return street

    seen = watch(write_clip(tmp_path / "convoy.mp4", 300, convoy))

    assert Movement.QUIET not in seen.values()
