"""A small stream that is tried in the camera's form never bares what a mask covers in the large one."""

import pytest

from core.cameras.model import Camera
from core.media.model import ProbeResult, StreamReport, StreamState
from core.node.tested import LEFT_OUT, covered, unplaced
from core.vision.model import Mask, Scene

WINDOW = Mask(key="w", name="Window", polygon=((0.0, 0.0), (0.3, 0.0), (0.3, 0.3)))
FOUND = ProbeResult(ok=True, message="640x480 h264.", width=640, height=480, thumbnail_jpeg=b"jpeg")
MAIN, SUB = "rtsp://10.0.0.5/1", "rtsp://10.0.0.5/2"


def tried(address=SUB, *, masks=(WINDOW,), shown_wh=(1920, 1080)):
    camera = Camera(camera_id="a", name="A", address=MAIN, sub_address=SUB, scene=Scene(masks=masks))
    width, height = shown_wh
    shown = StreamReport(camera_id="a", state=StreamState.LIVE, width=width, height=height)
    return covered(FOUND, address, [camera], {"a": shown})


@pytest.mark.parametrize("shown_wh", [(1920, 1080), (0, 0)], ids=["another shape", "nothing seen yet"])
def test_a_small_stream_that_the_masks_may_not_cover_is_described_and_not_shown(shown_wh):
    found = tried(shown_wh=shown_wh)

    assert found.ok
    assert found.thumbnail_jpeg == b""
    assert found.message == f"640x480 h264. {LEFT_OUT}"


@pytest.mark.parametrize(
    "case", [{"shown_wh": (1280, 960)}, {"masks": ()}, {"address": MAIN}], ids=["same shape", "no mask", "main"]
)
def test_every_other_picture_is_shown(case):
    assert tried(**case) == FOUND


def test_what_the_wall_blackens_is_private_in_a_test_of_its_address_too():
    def shown(camera_id, **changes):
        return StreamReport(camera_id=camera_id, state=StreamState.LIVE, **changes)

    streams = {
        "moved": shown("moved", is_moved=True),
        "light that cannot be judged": shown("light that cannot be judged", is_hidden=True),
        "as drawn": shown("as drawn"),
    }

    assert unplaced(streams) == {"moved", "light that cannot be judged"}
