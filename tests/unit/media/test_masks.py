"""Privacy masks are black in every layout, size and rotation, and leave the rest of the picture alone."""

import av
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from core.media.convert import TileScaler, to_jpeg
from core.media.masks import PrivacyMask, rasterise
from tests.fixtures.clips import make_clip

LEFT_HALF = ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0))
DIAMOND = ((0.5, 0.1), (0.9, 0.5), (0.5, 0.9), (0.1, 0.5))
LAYOUTS = ["yuv420p", "yuvj420p", "yuv422p", "yuv444p", "nv12", "yuyv422", "yuv420p10le", "gray", "rgb24", "bgra"]


def bright(width: int = 320, height: int = 192, layout: str = "yuv420p") -> av.VideoFrame:
    rgb = np.empty((height, width, 3), np.uint8)
    rgb[:] = (250, 200, 60)
    return av.VideoFrame.from_ndarray(rgb, format="rgb24").reformat(format=layout)


def seen(frame: av.VideoFrame) -> np.ndarray:
    return frame.reformat(format="rgb24").to_ndarray().astype(int)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_masked_half_is_black_and_the_other_half_is_as_before(layout):
    before = seen(bright(layout=layout))

    picture = seen(PrivacyMask([LEFT_HALF]).blacken(bright(layout=layout)))

    assert picture[:, :160].max() <= 2
    assert np.abs(picture[:, 166:] - before[:, 166:]).max() <= 4
    assert before[:, 166:].max() > 150


@pytest.mark.parametrize("width_height", [(641, 361), (192, 320), (17, 33), (1920, 1080)])
def test_a_mask_covers_its_part_in_every_size(width_height):
    width, height = width_height

    picture = seen(PrivacyMask([DIAMOND]).blacken(bright(width, height)))

    y, x = np.mgrid[:height, :width]
    distance = np.abs((x + 0.5) / width - 0.5) + np.abs((y + 0.5) / height - 0.5)
    # Colour of the neighbours is interpolated into the outermost pixels.
    assert picture[distance < 0.4].max() <= 16
    assert picture[distance < 0.4 - 3 / min(width, height)].max() <= 2
    assert picture[distance > 0.4 + 8 / min(width, height)].max(initial=255) > 150


def test_a_stream_that_changes_its_size_stays_masked():
    mask = PrivacyMask([LEFT_HALF])

    for width, height in [(320, 192), (640, 352), (320, 192), (96, 320)]:
        assert seen(mask.blacken(bright(width, height)))[:, : width // 2].max() <= 2


def test_several_masks_are_all_black():
    corner = ((0.8, 0.8), (1.0, 0.8), (1.0, 1.0), (0.8, 1.0))

    picture = seen(PrivacyMask([LEFT_HALF, corner]).blacken(bright()))

    assert picture[:, :160].max() <= 2
    assert picture[154:, 256:].max() <= 2
    assert picture[20, 300].max() > 150


def test_without_masks_the_picture_is_the_same_object():
    frame = bright()

    assert PrivacyMask([]).blacken(frame) is frame


def test_the_pictures_that_the_decoder_makes_of_a_masked_one_are_not_smeared(tmp_path):
    clip = make_clip(tmp_path / "a.mp4", n_frames=30, pictures_per_key=30)
    with av.open(str(clip)) as container:
        plain = [seen(frame) for frame in container.decode(video=0)]
    mask = PrivacyMask([LEFT_HALF])
    with av.open(str(clip)) as container:
        masked = [seen(mask.blacken(frame)) for frame in container.decode(video=0)]

    assert len(masked) == 30
    for before, after in zip(plain, masked, strict=True):
        assert after[:, :160].max() <= 2
        np.testing.assert_array_equal(after[:, 166:], before[:, 166:])


def test_tile_network_picture_and_snapshot_of_a_masked_frame_are_black():
    frame = PrivacyMask([LEFT_HALF]).blacken(bright(640, 360))
    scaler = TileScaler()

    tile = scaler.to_bgra(frame, (160, 90))
    rgb, box = scaler.to_network_rgb(frame, (256, 192))
    jpeg = to_jpeg(frame, (320, 180))

    assert tile[:, :79, :3].max() <= 3
    content = rgb[box.pad_y : box.pad_y + box.content_h, box.pad_x : box.pad_x + box.content_w]
    assert content[:, :127].max() <= 3
    decoder = av.CodecContext.create("mjpeg", "r")
    snapshot = seen(decoder.decode(av.Packet(jpeg))[0])
    assert snapshot[:, :150].max() <= 12
    assert snapshot[:, 170:].max() > 150


@given(
    st.lists(st.tuples(st.floats(-0.5, 1.5), st.floats(-0.5, 1.5)), min_size=3, max_size=9),
    st.integers(2, 90),
    st.integers(2, 90),
)
@example([(0.0, 0.0), (0.0, 1.0), (0.41901255175025187, 0.41901255175025187)], 79, 79)
def test_every_outline_is_drawn_without_an_error_and_the_same_from_either_end(polygon, width, height):
    drawn = rasterise([polygon], width, height)

    assert drawn.shape == (height, width)
    np.testing.assert_array_equal(drawn, rasterise([polygon[::-1]], width, height))


def test_an_outline_that_crosses_itself_hides_all_it_goes_around():
    star = tuple((0.5 + 0.45 * np.sin(k * 4 * np.pi / 5), 0.5 - 0.45 * np.cos(k * 4 * np.pi / 5)) for k in range(5))

    assert rasterise([star], 100, 100)[50, 50]
