"""A zone that is looked at more closely, on a camera that nobody watches: a real main and a real small stream."""

import time

import av
import numpy as np
import pytest

from core.media.model import SourceSpec
from core.media.ring import FrameRing
from core.vision.detail import detail_areas
from core.vision.looks import LookReader
from core.vision.messages import CameraJob, LookAt, OpenLooks
from core.vision.model import Scene, Zone
from core.vision.slot import CameraSlot
from tests.fixtures.processes import wait_until
from tests.fixtures.rtsp import start_camera  # noqa: F401
from tests.unit.vision.toy_model import toy_engine

pytestmark = pytest.mark.timeout(60)

NETWORK_WH = (160, 96)
MAIN_WH, SUB_WH = (640, 384), (160, 96)
FAR = Zone(key="far", name="Far", polygon=((0.45, 0.4), (0.55, 0.4), (0.55, 0.6), (0.45, 0.6)), detail=True)
NEAR = Zone(key="near", name="Near", polygon=((0.1, 0.1), (0.9, 0.1), (0.9, 0.9), (0.1, 0.9)), detail=True)
ENGINE = toy_engine(NETWORK_WH)


def write_stripes(path, wh):
    """Stripes of one pixel of the main stream: the small stream has only their mean."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = *wh, "yuv420p"
        stream.options = {"g": "10", "bf": "0", "preset": "ultrafast", "crf": "10"}
        for number in range(50):
            image = np.full((MAIN_WH[1], MAIN_WH[0], 3), 40, np.uint8)
            image[:, number % 2 :: 2] = 220
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            container.mux(stream.encode(frame.reformat(*wh, format="yuv420p", interpolation="AREA")))
        container.mux(stream.encode())
    return path


class Looker:
    """A camera of a worker whose detector only writes down what it is shown."""

    def __init__(self, folder, zone, main, sub):
        self.heard = []
        FrameRing.create(folder / "a.ring", camera_id="a", max_wh=NETWORK_WH).close()
        job = CameraJob(
            camera_id="a",
            source=SourceSpec(address=main.url),
            sub_source=SourceSpec(address=sub.url),
            ring=folder / "a.ring",
            scene=Scene(zones=(zone,)),
            detect_fps=10.0,
        )
        self.slot = CameraSlot(job, asks=self, send=lambda message: None)
        self.slot.show_at(None)
        self.slot.use_detector(ENGINE)
        self.slot.start()

    def send(self, message):
        self.heard.append(message)

    def pictures(self):
        """What the detector was last given: the whole, and the detail where there is one."""
        file = next(message.file for message in self.heard if isinstance(message, OpenLooks))
        looks = [message for message in self.heard if isinstance(message, LookAt)]
        return LookReader(file).read(looks[-1].sequence) if looks else None


@pytest.fixture
def look(start_camera, tmp_path):  # noqa: F811
    main = start_camera(write_stripes(tmp_path / "main.mp4", MAIN_WH))
    sub = start_camera(write_stripes(tmp_path / "sub.mp4", SUB_WH))
    lookers = []

    def start(zone):
        lookers.append(Looker(tmp_path, zone, main, sub))
        return lookers[-1], main, sub

    yield start
    for looker in lookers:
        looker.slot.close()


def test_what_is_far_away_is_cut_out_of_the_large_stream_although_nobody_looks(look):
    looker, main, sub = look(FAR)
    wait_until(lambda: looker.pictures() is not None, what="a look")
    whole, detail = looker.pictures()

    assert detail_areas(Scene(zones=(FAR,)))
    # The stripes are there; in the small stream, which shows their mean, they never were.
    assert detail.std() > 3 * whole.std()
    assert detail.std() > 20
    assert (main.n_clients, sub.n_sessions) == (1, 0)
    assert not looker.slot.report(time.monotonic()).is_sub


def test_a_zone_of_most_of_the_picture_gains_nothing_and_costs_no_large_stream(look):
    looker, main, _ = look(NEAR)
    wait_until(lambda: looker.slot.report(time.monotonic()).is_sub, what="the small stream")
    wait_until(lambda: main.n_clients == 0, what="the large stream to be hung up")

    assert len(looker.pictures()) == 1
