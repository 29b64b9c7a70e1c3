import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.media.convert import PADDING_GREY, Letterbox, TileScaler, fit_inside, to_jpeg


def frame_of(rgb: np.ndarray, layout: str = "yuv420p") -> av.VideoFrame:
    return av.VideoFrame.from_ndarray(rgb, format="rgb24").reformat(format=layout)


def quarters(width: int, height: int) -> np.ndarray:
    """Red, green / blue, white."""
    rgb = np.zeros((height, width, 3), np.uint8)
    rgb[: height // 2, : width // 2] = (255, 0, 0)
    rgb[: height // 2, width // 2 :] = (0, 255, 0)
    rgb[height // 2 :, : width // 2] = (0, 0, 255)
    rgb[height // 2 :, width // 2 :] = (255, 255, 255)
    return rgb


sides = st.integers(16, 4096)


@given(sides, sides, sides, sides)
def test_a_tile_fits_its_box_is_even_is_never_enlarged_and_keeps_the_aspect(frame_w, frame_h, box_w, box_h):
    width, height = fit_inside((frame_w, frame_h), (box_w, box_h))

    assert width % 2 == height % 2 == 0
    assert 2 <= width <= box_w
    assert 2 <= height <= box_h
    assert width <= frame_w + 1
    assert height <= frame_h + 1
    scale = min(1.0, box_w / frame_w, box_h / frame_h)
    assert abs(width - frame_w * scale) <= 2
    assert abs(height - frame_h * scale) <= 2


@pytest.mark.parametrize("layout", ["yuv420p", "yuvj420p", "yuv422p", "nv12", "yuv420p10le", "rgb24", "gray"])
def test_every_pixel_layout_of_cameras_becomes_bgra(layout):
    tile = TileScaler().to_bgra(frame_of(quarters(640, 360), layout), (320, 320))

    assert tile.shape == (180, 320, 4)
    assert tile.dtype == np.uint8
    assert tile[150, 300, :3].min() > 240
    if layout != "gray":
        np.testing.assert_allclose(tile[20, 20, :3].astype(int), (0, 0, 255), atol=25)
        np.testing.assert_allclose(tile[150, 20, :3].astype(int), (255, 0, 0), atol=25)


def test_a_frame_smaller_than_its_tile_keeps_its_size():
    assert TileScaler().to_bgra(frame_of(quarters(160, 90)), (480, 270)).shape == (90, 160, 4)


def test_the_tile_follows_a_stream_that_changes_its_size():
    scaler = TileScaler()

    shapes = [
        scaler.to_bgra(frame_of(quarters(*wh)), (480, 270)).shape for wh in [(1920, 1080), (720, 1280), (640, 352)]
    ]

    assert shapes == [(270, 480, 4), (270, 152, 4), (264, 480, 4)]


def test_an_earlier_tile_is_not_overwritten_by_a_later_one():
    scaler = TileScaler()
    first = scaler.to_bgra(frame_of(np.zeros((360, 640, 3), np.uint8)), (320, 180))

    for _ in range(5):
        scaler.to_bgra(frame_of(np.full((360, 640, 3), 255, np.uint8)), (320, 180))

    assert first[..., :3].max() < 5


def test_shrinking_reads_every_pixel_so_that_fine_patterns_turn_grey_instead_of_flickering():
    stripes = np.zeros((1080, 1920, 3), np.uint8)
    stripes[:, ::2] = 255

    tile = TileScaler().to_bgra(frame_of(stripes), (480, 270))

    assert tile[..., :3].min() > 100
    assert tile[..., :3].max() < 155


def test_the_network_sees_the_frame_between_grey_bars():
    rgb, box = TileScaler().to_network_rgb(frame_of(quarters(1920, 1080)), (640, 384))

    assert rgb.shape == (384, 640, 3)
    assert rgb.flags.c_contiguous
    assert (box.pad_x, box.pad_y, box.content_w, box.content_h) == (0, 12, 640, 360)
    assert (rgb[:12] == PADDING_GREY).all()
    assert (rgb[-12:] == PADDING_GREY).all()
    np.testing.assert_allclose(rgb[40, 40].astype(int), (255, 0, 0), atol=25)


def test_a_portrait_frame_gets_bars_at_its_sides():
    rgb, box = TileScaler().to_network_rgb(frame_of(quarters(720, 1280)), (640, 384))

    assert (box.pad_x, box.pad_y, box.content_w, box.content_h) == (212, 0, 216, 384)
    assert (rgb[:, :212] == PADDING_GREY).all()


def test_a_frame_of_the_networks_own_size_is_passed_on_as_it_is():
    rgb, box = TileScaler().to_network_rgb(frame_of(quarters(640, 384)), (640, 384))

    assert box.scale == 1.0
    assert (box.pad_x, box.pad_y) == (0, 0)
    assert rgb.flags.c_contiguous


@given(sides, sides, st.tuples(*[st.floats(0, 1)] * 4))
def test_boxes_find_their_way_back_to_the_frame(frame_w, frame_h, corner):
    scale = min(640 / frame_w, 384 / frame_h)
    width, height = max(1, round(frame_w * scale)), max(1, round(frame_h * scale))
    box = Letterbox(
        scale=scale,
        pad_x=(640 - width) // 2,
        pad_y=(384 - height) // 2,
        content_w=width,
        content_h=height,
        frame_w=frame_w,
        frame_h=frame_h,
    )

    np.testing.assert_allclose(box.to_fractions(box.to_network(np.array([corner])))[0], corner, atol=1e-9)


def test_boxes_in_the_bars_are_clipped_to_the_frame():
    _, box = TileScaler().to_network_rgb(frame_of(quarters(1920, 1080)), (640, 384))

    assert box.to_fractions(np.array([[-5.0, 0.0, 700.0, 384.0]])).tolist() == [[0.0, 0.0, 1.0, 1.0]]
    assert box.to_fractions(np.empty((0, 4))).shape == (0, 4)


@pytest.mark.parametrize(("rotation", "top_left_rgb"), [(90, (0, 255, 0)), (-90, (0, 0, 255)), (180, (255, 255, 255))])
def test_a_rotated_clip_is_shown_upright(tmp_path, rotation, top_left_rgb):
    plain, turned = tmp_path / "plain.mp4", tmp_path / "turned.mp4"
    with av.open(str(plain), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 320, 192, "yuv420p"
        for _ in range(3):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(quarters(320, 192), format="rgb24")))
        container.mux(stream.encode())
    _set_rotation(plain, turned, rotation)
    with av.open(str(turned)) as container:
        frame = next(container.decode(video=0))
    assert frame.rotation % 360 == rotation % 360

    tile = TileScaler().to_bgra(frame, (480, 480))
    rgb, _ = TileScaler().to_network_rgb(frame, (384, 384))
    jpeg = av.CodecContext.create("mjpeg", "r").decode(av.Packet(to_jpeg(frame, (320, 320))))[0]

    expected = (192, 320) if rotation == 180 else (320, 192)
    assert tile.shape[:2] == expected
    assert (jpeg.height, jpeg.width) == expected
    np.testing.assert_allclose(tile[20, 20, 2::-1].astype(int), top_left_rgb, atol=30)
    content_left = 8 if rotation == 180 else 77
    np.testing.assert_allclose(rgb[100, content_left + 12].astype(int), top_left_rgb, atol=30)


def _set_rotation(source, target, rotation: int) -> None:
    """Copy an MP4 and write the rotation into the matrix of its track header (ISO 14496-12, tkhd)."""
    data = bytearray(source.read_bytes())
    at = data.index(b"tkhd") + 4 + 40
    one, none, minus = b"\x00\x01\x00\x00", b"\0\0\0\0", b"\xff\xff\x00\x00"
    a, b, c, d = {
        90: (none, minus, one, none),
        -90: (none, one, minus, none),
        180: (minus, none, none, minus),
    }[rotation]
    data[at : at + 20] = a + b + none + c + d
    target.write_bytes(bytes(data))


def test_a_snapshot_is_a_jpeg_with_the_picture_in_it():
    jpeg = to_jpeg(frame_of(quarters(1920, 1080)), (1280, 720), quality=85)

    decoded = av.CodecContext.create("mjpeg", "r").decode(av.Packet(jpeg))[0].to_ndarray(format="rgb24")
    assert jpeg[:2] == b"\xff\xd8"
    assert jpeg[-2:] == b"\xff\xd9"
    assert decoded.shape == (720, 1280, 3)
    np.testing.assert_allclose(decoded[100, 100].astype(int), (255, 0, 0), atol=25)
    np.testing.assert_allclose(decoded[600, 1200].astype(int), (255, 255, 255), atol=8)


def test_a_better_snapshot_is_a_larger_one():
    noise = np.random.default_rng(0).integers(0, 256, (360, 640, 3), np.uint8)

    sizes = [len(to_jpeg(frame_of(noise), (640, 360), quality=quality)) for quality in (10, 50, 95)]

    assert sizes == sorted(sizes)
    assert sizes[0] * 2 < sizes[2]
