"""What the detector found in a clip is kept small, and is the same when it is read again."""

import av
import numpy as np
import pytest

from core.vision.footage import see_clip
from core.vision.model import EngineInfo
from tests.unit.vision.pictures import filmed, scaled

INFO = EngineInfo(
    engine="made up",
    device="CPU",
    precision="FP32",
    model_name="made up",
    model_sha256="0" * 64,
    is_demonstration=False,
    input_wh=(640, 384),
    labels=("car",),
    reason="",
)


class Detector:
    """Finds one vehicle in each picture, further to the right in each."""

    info = INFO

    def __init__(self):
        self.n = 0

    def infer(self, pictures):
        self.n += 1
        return [np.array([[10.0 + self.n, 20, 60, 80, 0.9, 0]], np.float32)]


@pytest.fixture
def clip(tmp_path):
    path = tmp_path / "street.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 640, 360, "yuv420p"
        for _, picture in filmed(8, fps=5.0, noise=1.0):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(scaled(picture, (640, 360)), format="rgb24")))
        container.mux(stream.encode())
    return path


def never():
    raise AssertionError("the detector looks again")


def greys(seen):
    return np.stack([picture.grey for picture in seen.pictures])


def test_what_is_kept_of_a_clip_is_a_fraction_of_its_pictures_and_the_same_when_read_again(tmp_path, clip):
    cache = tmp_path / "cache"
    bare = see_clip(clip, INFO, Detector)
    first = see_clip(clip, INFO, Detector, cache)
    again = see_clip(clip, INFO, never, cache)

    n_kept = sum(file.stat().st_size for file in cache.iterdir())
    assert n_kept < greys(again).nbytes / 4
    for seen in (first, again):
        np.testing.assert_array_equal(greys(seen), greys(bare))
        assert [one.boxes.tolist() for one in seen.pictures] == [one.boxes.tolist() for one in bare.pictures]
        assert seen.letterbox == bare.letterbox
    # In any order, and with no more than that in the folder while it is read.
    assert again.pictures[30].grey.tolist() == bare.pictures[30].grey.tolist()
    assert sum(file.stat().st_size for file in cache.iterdir()) == n_kept


@pytest.mark.parametrize("n_left", [0, 10, 5000])
def test_what_was_cut_off_is_looked_at_again(tmp_path, clip, n_left):
    cache = tmp_path / "cache"
    whole = see_clip(clip, INFO, Detector, cache)
    (packed,) = cache.glob("*.greys")
    packed.write_bytes(packed.read_bytes()[:n_left])

    again = see_clip(clip, INFO, Detector, cache)

    np.testing.assert_array_equal(greys(again), greys(whole))


def test_what_lay_there_unpacked_goes_and_nothing_else(tmp_path, clip):
    cache = tmp_path / "cache"
    cache.mkdir()
    before = cache / f"street-{'a' * 16}.npy"
    own, lone = cache / "mine.npy", cache / f"lone-{'b' * 16}.npy"
    for file in (before, before.with_suffix(".npz"), own, lone):
        file.write_bytes(b"x")

    see_clip(clip, INFO, Detector, cache)

    assert not before.exists()
    assert own.exists()
    assert lone.exists()
