"""Pictures that are kept as evidence."""

from core.cameras.model import Camera
from widgets.video.model import DrawnTrack, VideoFrame
from widgets.video.shot import shot_of

CAMERA = Camera(camera_id="c0", name="Ring", address="x")


def frame(pts_s, *, is_intact=True, newer=None):
    return VideoFrame(
        sequence=round(pts_s),
        pts_s=pts_s,
        received_s=0.0,
        captured_at_s=0.0,
        width=2,
        height=2,
        data=bytes([round(pts_s)]) * 16,
        is_intact=lambda: is_intact,
        renewed=lambda: newer,
    )


def boxes_at(pts_s):
    return (DrawnTrack(track_id=round(pts_s), label="car", bbox_xyxy=(0.0, 0.0, 1.0, 1.0)),)


def test_a_picture_is_kept_with_the_boxes_of_its_own_time():
    kept = shot_of(CAMERA, frame(1.0, is_intact=False, newer=frame(2.0)), boxes_at)

    assert (kept.pts_s, kept.data[0], kept.boxes[0].track_id) == (2.0, 2, 2)


def test_a_picture_that_was_overwritten_while_it_was_copied_is_not_kept():
    torn = frame(9.0, is_intact=False)
    for pts_s in range(8, 0, -1):
        torn = frame(float(pts_s), is_intact=False, newer=torn)

    assert shot_of(CAMERA, torn, boxes_at) is None
    assert shot_of(CAMERA, frame(1.0, is_intact=False), boxes_at) is None
