"""The short way of painting a tile whose picture alone changed: it looks like the long one, and any change ends it."""

from dataclasses import replace

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QObject
from PySide6.QtGui import QRegion
from PySide6.QtWidgets import QApplication

from core.incidents.model import Priority
from core.media.model import StreamReport, StreamState
from core.media.ring import FrameRing, RingReader
from core.vision.model import Track
from widgets.base.symbols import AlarmMark, Attention
from widgets.video.model import TrackSet, VideoFrame
from widgets.video.overlay import Shown
from widgets.video.telemetry import TelemetryTape

TRACK = Track(track_id=7, label="bus", score=0.9, bbox_xyxy=(0.3, 0.3, 0.7, 0.7))


@pytest.fixture
def tile(room):
    """A tile that has painted itself and stands, with a box on its picture."""
    room.wall.show_tracks("c1", TrackSet.of(1.0, (TRACK,)))
    room.live("c1")
    return stand(room)


def stand(room, camera_id="c1"):
    shown = room.tile(camera_id)
    for _ in range(3):
        room.picture(camera_id)
    return shown


def picture_of(room, color):
    size = room.tile("c1").picture_room()
    return VideoFrame(
        sequence=2,
        pts_s=1.0,
        received_s=room.clock.monotonic(),
        captured_at_s=0.0,
        width=size.width(),
        height=size.height(),
        data=bytes([color, color, color, 255]) * (size.width() * size.height()),
    )


def newer(room, color):
    """Show a newer picture and return what is painted then."""
    room.wall.show_frames([("c1", picture_of(room, color))])
    return room.picture("c1")


class Watch(QObject):
    """Keeps what was asked to be painted."""

    def __init__(self):
        super().__init__()
        self.regions = []

    def eventFilter(self, _watched, event):
        if event.type() == QEvent.Type.Paint:
            self.regions.append(QRegion(event.region()))
        return False


def calling(tile):
    tile.show_alarm(AlarmMark(Priority.CRITICAL, Attention.CALLING))


def returned(tile):
    tile.show_alarm(AlarmMark(Priority.CRITICAL, Attention.RETURNED))


def pinned(tile):
    tile.set_pinned(True)


def selected(tile):
    tile.set_selected(True)


def noted(tile):
    tile.set_note("Congestion")


def with_trails(tile):
    tile.set_shown(Shown(trails=True))
    for step, x in enumerate((0.1, 0.3, 0.6)):
        moved = replace(TRACK, bbox_xyxy=(x, 0.2, x + 0.1, 0.4))
        tile.face.take_tracks(TrackSet.of(0.7 + step / 10, (moved,)))


def without_boxes(tile):
    tile.set_shown(Shown(boxes=False))


def counted(tile):
    tile.show_counts({"stop": {"forward": 12, "backward": 3}})


def dropped_on(tile):
    tile.set_drop_target(True)


def zoomed(tile):
    tile.zoom_by(2.0)


def looked_at_less(tile):
    tile.show_report(
        StreamReport(
            camera_id="c1",
            state=StreamState.LIVE,
            fps=15,
            is_detection_reduced=True,
            detect_fps=2.0,
            detect_fps_wanted=10.0,
        )
    )


def turned_away(tile):
    tile.show_report(
        StreamReport(camera_id="c1", state=StreamState.LIVE, fps=15, is_away=True, detection_reason="Its head is away.")
    )


CHANGES = [
    calling,
    returned,
    pinned,
    selected,
    noted,
    with_trails,
    without_boxes,
    counted,
    dropped_on,
    zoomed,
    looked_at_less,
    turned_away,
]


@pytest.mark.parametrize("change", [None, *CHANGES])
def test_a_newer_picture_is_all_that_changes_on_a_tile_that_stands(room, tile, change):
    if change is not None:
        change(tile)
        stand(room)

    short = newer(room, 0x90)
    tile.repaint_soon()

    assert tile.face.standing is None, "the long way is compared with itself"
    assert short == room.picture("c1")


@pytest.mark.parametrize("change", [pytest.param(one, id=one.__name__) for one in CHANGES])
def test_what_changes_beside_the_picture_is_seen_with_the_next_one(room, tile, change):
    assert tile.face.standing is not None
    before = newer(room, 0x90)

    change(tile)

    assert newer(room, 0x90) != before


def test_a_drones_words_stand_on_every_picture_of_a_tile_that_stood(room, tile):
    before = newer(room, 0x90)

    tile.show_telemetry(TelemetryTape("Drone 1"))

    assert newer(room, 0x90) != before


def test_pictures_of_several_cameras_come_in_one_turn_and_no_other_tile_is_painted(room, qtbot):
    for camera_id in ("c0", "c1", "c2"):
        room.live(camera_id)
        stand(room, camera_id)
    QApplication.processEvents()
    canvas, watch = room.tile("c0").parentWidget(), Watch()
    canvas.installEventFilter(watch)

    frames = [(camera_id, picture_of(room, 0x90)) for camera_id in ("c0", "c2", "unknown")]
    room.wall.show_frames(frames)
    qtbot.waitUntil(lambda: bool(watch.regions))

    wanted = QRegion(room.tile("c0").geometry()) + room.tile("c2").geometry()
    assert watch.regions == [wanted]
    assert room.picture("c2").pixelColor(20, 60).red() == 0x90
    assert room.picture("c1").pixelColor(20, 60).red() == 0x40


def test_a_picture_that_was_written_over_before_it_was_painted_is_painted_from_a_whole_one(room, tile, tmp_path):
    size = tile.picture_room()
    ring = FrameRing.create(tmp_path / "c1.ring", camera_id="c1", max_wh=(size.width(), size.height()))
    reader = RingReader.open(tmp_path / "c1.ring")

    def write(color):
        bgra = np.full((size.height(), size.width(), 4), color, np.uint8)
        ring.write_frame(bgra, pts_s=1.0, received_s=room.clock.monotonic(), captured_at_s=0.0, epoch=1)

    write(0x30)
    room.wall.show_frames([("c1", reader.lend_newest(0))])
    stand(room)
    assert tile.face.standing is not None
    write(0x50)
    lent = reader.lend_newest(0)
    for color in (0x60, 0x70, 0x80):
        write(color)
    assert not lent.is_intact()

    room.wall.show_frames([("c1", lent)])
    image = room.picture("c1")

    assert image.pixelColor(tile.width() // 2, tile.height() - 8).red() == 0x80
    room.wall.close()
    reader.close()
    ring.close()
