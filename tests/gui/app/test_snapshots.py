"""Pictures that an operator keeps."""

import hashlib
import json
from datetime import UTC, datetime

import pytest
from PySide6.QtGui import QImage

from app.snapshots import Taken, save_shot, saved_sentence
from core.cameras.model import Camera
from core.media.model import StreamReport, StreamState
from widgets.video.shot import Shot

CAMERA = Camera(camera_id="c0", name="North Gate", address="synthetic:street")


def shot(wh):
    return Shot(
        camera=CAMERA,
        width=wh[0],
        height=wh[1],
        pts_s=3.0,
        captured_at_s=1_700_000_000.25,
        data=bytes([0x55] * wh[0] * wh[1] * 4),
        boxes=(),
    )


def stream(wh, *, is_sub=False):
    return StreamReport(camera_id="c0", state=StreamState.LIVE, width=wh[0], height=wh[1], is_sub=is_sub)


@pytest.mark.parametrize(
    ("reported", "is_small"),
    [(stream((1920, 1080)), True), (stream((380, 214), is_sub=True), True), (stream((380, 214)), False), (None, False)],
    ids=["main", "sub", "whole", "unknown"],
)
def test_a_picture_smaller_than_what_the_camera_sees_says_how_to_get_all_of_it(reported, is_small):
    said = saved_sentence(shot((380, 214)), reported)

    assert said.startswith("Picture of North Gate saved, 380x214.")
    assert ("enlarge the tile" in said) is is_small


def test_the_file_is_the_picture_and_its_sidecar_proves_it(tmp_path):
    path = save_shot(shot((38, 22)), tmp_path, Taken(by="ada", desk="vm", at=datetime.now(UTC)))

    facts = json.loads(path.with_suffix(".json").read_text())
    assert facts["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (facts["saved_by"], facts["captured_at"]) == ("ada", "2023-11-14T22:13:20.250+00:00")
    image = QImage(str(path))
    assert (image.width(), image.height(), image.pixelColor(5, 5).red()) == (38, 22, 0x55)
