"""What the pump brings from the rings to the wall."""

import time

import numpy as np
import pytest

from app.frames import FramePump
from core.media.ring import FrameRing, TrackMark


def write(ring, pts_s, received_s=None):
    ring.write_frame(
        np.zeros((48, 64, 4), np.uint8),
        pts_s=pts_s,
        received_s=time.monotonic() if received_s is None else received_s,
        captured_at_s=time.time(),
        epoch=1,
    )


class Camera:
    """A ring that is written here, and everything the pump brought from it."""

    def __init__(self, path):
        self.ring = FrameRing.create(path, camera_id="c0", max_wh=(64, 48))
        self.frames, self.tracks = [], []
        self.pump = FramePump(
            on_frames=lambda frames: self.frames.extend(frame.pts_s for _, frame in frames),
            on_tracks=lambda _, tracks: self.tracks.append((tracks.pts_s, tracks.labels)),
        )
        self.pump.set_rings({"c0": str(path)})
        self.pump.set_shown(("c0",))

    def picture(self, pts_s):
        write(self.ring, pts_s)

    def seen(self, pts_s, *labels):
        marks = [TrackMark(track_id=1, label=label, score=0.9, bbox_xyxy=(0, 0, 1, 1)) for label in labels]
        self.ring.write_tracks(pts_s, marks, epoch=1)


@pytest.fixture
def camera(qapp, tmp_path):
    made = Camera(tmp_path / "c0.ring")
    yield made
    made.pump.close()
    made.ring.close()


def test_tracks_come_once_each_in_their_order_before_the_picture_they_belong_to(camera, qtbot):
    camera.picture(1.0)
    qtbot.waitUntil(lambda: camera.frames == [1.0])
    assert camera.tracks == []

    camera.seen(2.0, "car")
    camera.seen(3.0, "bus", "car")
    camera.picture(3.0)
    qtbot.waitUntil(lambda: camera.frames == [1.0, 3.0])
    camera.picture(4.0)
    qtbot.waitUntil(lambda: camera.frames == [1.0, 3.0, 4.0])

    assert camera.tracks == [(2.0, ("car",)), (3.0, ("bus", "car"))]


def test_what_was_written_before_the_wall_was_opened_is_not_lost(camera, qtbot):
    camera.seen(1.0, "car")
    camera.picture(1.0)

    qtbot.waitUntil(lambda: camera.frames == [1.0])
    assert camera.tracks == [(1.0, ("car",))]


def test_newer_pictures_of_all_cameras_come_at_once(qapp, tmp_path, qtbot):
    rings = {key: FrameRing.create(tmp_path / f"{key}.ring", camera_id=key, max_wh=(64, 48)) for key in ("a", "b", "c")}
    for key in ("a", "c"):
        write(rings[key], 1.0)
    turns = []
    pump = FramePump(on_frames=lambda frames: turns.append([key for key, _ in frames]), on_tracks=lambda *_: None)
    pump.set_rings({key: str(tmp_path / f"{key}.ring") for key in rings})
    pump.set_shown(tuple(rings))

    qtbot.waitUntil(lambda: bool(turns))
    pump.close()

    assert turns == [["a", "c"]]
    assert pump.n_frames == 2
    for ring in rings.values():
        ring.close()


@pytest.mark.parametrize(("rates", "poll_ms"), [((25,), 38), ((25, 30), 31), ((60,), 30), ((5,), 40), ((), 30)])
def test_rings_are_looked_at_a_little_more_often_than_the_fastest_camera_brings_pictures(
    qapp, tmp_path, qtbot, rates, poll_ms
):
    keys = [f"c{number}" for number in range(len(rates))]
    rings = [FrameRing.create(tmp_path / f"{key}.ring", camera_id=key, max_wh=(64, 48)) for key in keys]
    pump = FramePump(on_frames=lambda _: None, on_tracks=lambda *_: None)
    pump.set_rings({key: str(tmp_path / f"{key}.ring") for key in keys})
    pump.set_shown(tuple(keys))
    began_s = time.monotonic()

    for seconds in range(3):
        for ring, rate in zip(rings, rates, strict=True):
            for number in range(rate):
                at_s = seconds + number / rate
                write(ring, at_s, began_s + at_s)
        n_wanted = pump.n_frames + len(rings)
        qtbot.waitUntil(lambda n_wanted=n_wanted: pump.n_frames >= n_wanted)

    assert pump.poll_ms == poll_ms
    pump.close()
    for ring in rings:
        ring.close()
