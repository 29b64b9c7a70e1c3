"""A wall with a clock that stands still."""

import pytest

from core.cameras.model import Camera
from core.kernel.clock import FakeClock
from core.media.model import StreamReport, StreamState
from core.vision.model import CountLine, Scene, Zone
from widgets.video.model import VideoFrame
from widgets.video.wall import VideoWall

SCENE = Scene(
    zones=(Zone(key="lane", name="Lane", polygon=((0.1, 0.5), (0.4, 0.5), (0.4, 0.9), (0.1, 0.9))),),
    lines=(CountLine(key="stop", name="Stop", start=(0.5, 0.8), end=(0.9, 0.8)),),
)


class Room:
    """A wall with a clock that stands still, and everything it ever said."""

    def __init__(self, wall, clock):
        self.wall, self.clock = wall, clock
        self.views, self.selected = [], []
        wall.view_changed.connect(self.views.append)
        wall.camera_selected.connect(self.selected.append)

    def tile(self, camera_id):
        return self.wall.tile_of(camera_id)

    def live(self, camera_id, *, color=0x40, pts_s=1.0, age_s=0.0):
        room = self.tile(camera_id).picture_room()
        frame = VideoFrame(
            sequence=1,
            pts_s=pts_s,
            received_s=self.clock.monotonic() - age_s,
            captured_at_s=0.0,
            width=room.width(),
            height=room.height(),
            data=bytes([color, color, color, 255]) * (room.width() * room.height()),
        )
        self.wall.show_report(StreamReport(camera_id=camera_id, state=StreamState.LIVE, fps=15))
        self.wall.show_frames([(camera_id, frame)])

    def picture(self, camera_id):
        tile = self.tile(camera_id)
        return tile.parentWidget().grab(tile.geometry()).toImage()


@pytest.fixture
def room(qtbot):
    clock = FakeClock()
    wall = VideoWall(clock)
    qtbot.addWidget(wall)
    wall.resize(960, 640)
    room = Room(wall, clock)
    wall.show_cameras(tuple(Camera(camera_id=f"c{i}", name=f"Camera {i}", address="x", scene=SCENE) for i in range(6)))
    wall.show()
    qtbot.waitExposed(wall)
    return room
