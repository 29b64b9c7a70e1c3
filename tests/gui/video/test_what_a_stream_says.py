"""What a camera's stream and detection say of a picture that comes all the same is read on its tile and in Health."""

import av
import pytest
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QEnterEvent
from PySide6.QtWidgets import QApplication

from core.kernel.clock import FakeClock
from core.media import camera_source, stream
from core.media.convert import TileScaler
from core.media.model import StreamReport, StreamState
from core.vision.detail import missing_upright
from core.vision.model import Lane, Scene
from widgets.health.health_panel import HealthPanel

LANE = Lane(
    key="l", name="Lane", polygon=((0.3, 0.2), (0.7, 0.2), (0.7, 1.0), (0.3, 1.0)), start=(0.5, 0.2), end=(0.5, 1.0)
)
SHAPES = {"now": "480x360", "drawn": "640x360"}


def jumped_back():
    jumps = stream._Jumps()
    jumps.note(3599.8, 10.0)
    return {"reason": jumps.sentence(20.0), "hint": stream._JUMPED_HINT}


def stands_upright():
    _, upright = TileScaler().to_network_rgb(av.VideoFrame(1080, 1920, "yuv420p"), (640, 384))
    # What calls for a stopped vehicle there goes by small pictures of it.
    return {"detection_reason": missing_upright(upright, (640, 384), Scene(lanes=(LANE,)))}


def does_not_fit():
    return {"reason": camera_source._ELSEWHERE.format(**SHAPES), "hint": camera_source._ELSEWHERE_HINT}


def masks_do_not_fit():
    said = {"reason": camera_source._RESHAPED.format(**SHAPES), "hint": camera_source._RESHAPED_HINT}
    return said | {"is_hidden": True, "is_blind": True, "detection_reason": "Rules rest, nothing is counted."}


@pytest.mark.parametrize(
    ("made", "begins"),
    [
        (jumped_back, "The picture time that this camera sends jumped back by 3,599.8 s"),
        (stands_upright, "The picture stands upright (1080x1920)"),
        (does_not_fit, "The picture has another shape (480x360) than the one that this camera's scene was drawn on"),
        (masks_do_not_fit, "The picture has another shape (480x360) than the one that its privacy masks were drawn on"),
    ],
)
def test_what_is_wrong_with_a_live_picture_stands_in_its_tip_and_in_that_of_its_line_in_health(
    room, open_widget, made, begins
):
    said = made()
    report = StreamReport(camera_id="c1", state=StreamState.LIVE, fps=15, detect_fps_wanted=5, **said)
    room.live("c1")
    room.wall.show_report(report)
    tile, at = room.tile("c1"), QPointF(20, 20)
    QApplication.sendEvent(tile, QEnterEvent(at, at, at))
    health = open_widget(HealthPanel(FakeClock()), 1200, 800)
    health.show_streams({"c1": report})
    tip = health._stream_table.model().index(0, 0).data(Qt.ItemDataRole.ToolTipRole)
    sentences = [text for text in said.values() if isinstance(text, str)]

    assert any(text.startswith(begins) for text in sentences)
    for text in sentences:
        assert text in tile.toolTip()
        assert text in tile.accessibleDescription()
        assert text in tip
