"""Pictures that are posted to us, read like those of any other camera."""

import os
import time

import pytest

from core.kernel.errors import BadInputError, UnavailableError
from core.media.model import SourceSpec, StreamState
from core.media.pushed import NEWS_S
from core.media.source import open_source
from core.media.stream import CameraStream
from tests.fixtures.http_gate import jpeg
from tests.fixtures.processes import wait_until


def put(file, data):
    fresh = file.with_suffix(".new")
    fresh.write_bytes(data)
    fresh.replace(file)


@pytest.fixture
def file(tmp_path):
    return tmp_path / "north.jpg"


def test_each_picture_is_read_once_and_a_damaged_one_is_counted(file):
    put(file, jpeg(320, 240, seed=1))
    source = open_source(SourceSpec(address=f"edge:{file}"))

    (first,) = source.read()
    nothing = source.read()
    put(file, b"\xff\xd8\xff no picture")
    damaged = source.read()
    put(file, jpeg(160, 120, seed=2))
    (second,) = source.read()

    assert (first.width, first.height) == (320, 240)
    assert nothing == damaged == []
    assert (second.width, second.height) == (160, 120)
    assert source.n_broken == 1


@pytest.mark.parametrize("is_old", [False, True])
def test_a_camera_that_nobody_posts_for_is_not_shown_as_live(file, is_old, monkeypatch):
    monkeypatch.setattr("core.media.pushed.OPEN_WAIT_S", 0.1)
    if is_old:
        put(file, jpeg())
        long_ago = time.time() - NEWS_S - 5.0
        os.utime(file, (long_ago, long_ago))

    with pytest.raises(UnavailableError, match="No picture was posted"):
        open_source(SourceSpec(address=f"edge:{file}"))


def test_an_edge_address_cannot_be_called():
    with pytest.raises(BadInputError, match="posted to the node"):
        open_source(SourceSpec(address="edge:"))


def test_between_its_first_pictures_a_slow_camera_is_neither_stale_nor_lost(file):
    seen = []
    put(file, jpeg(seed=1))
    stream = CameraStream("north", SourceSpec(address=f"edge:{file}"), on_frame=seen.append, on_state=lambda *_: None)
    stream.start()
    try:
        wait_until(lambda: len(seen) == 1, what="the first picture")
        stream.set_keyframes_only(True)
        began_s = time.monotonic()
        states = set()
        wait_until(
            lambda: states.add(stream.report().state) or time.monotonic() - began_s > 1.5, what="a second and more"
        )
        put(file, jpeg(seed=2))
        wait_until(lambda: len(seen) == 2, what="the second picture")
        report = stream.report()
    finally:
        stream.stop()

    assert states == {StreamState.LIVE}
    assert report.patience_s == 60.0
