"""Cameras that speak HTTP: endless MJPEG, and a recording on a web server."""

import base64
import itertools
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import av
import numpy as np
import pytest

from core.kernel.clock import SystemClock
from core.media.convert import to_jpeg
from core.media.model import SourceSpec, StreamState
from core.media.probe import probe
from core.media.stream import CameraStream
from tests.fixtures.clips import make_clip
from tests.fixtures.processes import wait_until

EXPECTED_LOGIN = "Basic " + base64.b64encode(b"op:p@ss").decode()

HEAD = b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: LENGTH\r\n\r\n"
ODD_PARTS = {
    "dashes": ("boundary=--frame", HEAD),
    "quotes": ('boundary="frame"', HEAD),
    "another": ("boundary=other", HEAD),
    "none": ("", HEAD),
    "no-length": ("boundary=frame", b"--frame\r\nContent-Type: image/jpeg\r\n\r\n"),
    "line-feeds": ("boundary=frame", HEAD.replace(b"\r", b"")),
    "jpg": ("boundary=frame", HEAD.replace(b"image/jpeg", b"image/jpg")),
    "charset": ("boundary=frame", HEAD.replace(b"image/jpeg", b"image/jpeg; charset=utf-8")),
    "no-type": ("boundary=frame", b"--frame\r\nContent-Length: LENGTH\r\n\r\n"),
    "bare": ("boundary=frame", b"--frame\r\n\r\n"),
}
"""How cameras separate the pictures of one answer, and what libav does not take of it."""


def jpeg_of(value: int) -> bytes:
    return to_jpeg(av.VideoFrame.from_ndarray(np.full((240, 320, 3), value, np.uint8), format="rgb24"), (320, 240))


class CameraPage(BaseHTTPRequestHandler):
    """`/mjpeg` and `/odd/…` never end, `/locked` and `/cgi` want a password, `/clip.mp4` is a file."""

    clip = b""
    closing = threading.Event()
    flowing = threading.Event()
    n_calls = 0

    def do_GET(self) -> None:
        if self.path == "/clip.mp4":
            self._send("video/mp4", self.clip)
        elif self.path.startswith("/odd/"):
            self._stream(*ODD_PARTS[self.path.removeprefix("/odd/")])
        elif self.path in {"/mjpeg", "/cgi?user=op&pwd=p%40ss"} or self.headers.get("Authorization") == EXPECTED_LOGIN:
            self._stream()
        elif self.path == "/locked" or self.path.startswith("/cgi"):
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="camera"')
            self.send_header("Content-Length", "0")
            self.end_headers()
        else:
            self.send_error(404)

    def log_message(self, format: str, *args: object) -> None:
        pass

    def _send(self, kind: str, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _stream(self, boundary: str = "boundary=frame", head: bytes = HEAD) -> None:
        self.send_response(200)
        self.send_header("Content-Type", f"multipart/x-mixed-replace; {boundary}")
        self.end_headers()
        number = 0
        CameraPage.n_calls += 1
        try:
            while not self.closing.wait(0.05):
                if not self.flowing.is_set():
                    continue
                jpeg = jpeg_of(40 + number % 8 * 20)
                self.wfile.write(head.replace(b"LENGTH", b"%d" % len(jpeg)) + jpeg + b"\r\n")
                number += 1
        except OSError:
            pass  # The viewer hung up.


@pytest.fixture
def camera_page(tmp_path: Path):
    CameraPage.clip = make_clip(tmp_path / "a.mp4", n_frames=20).read_bytes()
    CameraPage.closing.clear()
    CameraPage.flowing.set()
    CameraPage.n_calls = 0
    server = ThreadingHTTPServer(("127.0.0.1", 0), CameraPage)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    CameraPage.closing.set()
    server.shutdown()
    server.server_close()
    thread.join(5)


@pytest.mark.parametrize("path", ["mjpeg", "locked", "cgi?user={user}&pwd={password}"])
def test_an_mjpeg_camera_is_live(camera_page, path):
    frames = []
    spec = SourceSpec(address=f"{camera_page}/{path}", username="op", password="p@ss")
    stream = CameraStream("c", spec, on_frame=frames.append, on_state=lambda *state: None, clock=SystemClock())
    stream.start()
    try:
        wait_until(lambda: len(frames) >= 30, what="thirty pictures")
        report = stream.report()
    finally:
        assert stream.stop(timeout_s=5.0)

    assert report.state is StreamState.LIVE
    assert report.codec == "mjpeg"
    # MJPEG has no clock, and libav would count 25 pictures a second, whatever comes.
    assert frames[-1].pts_s - frames[0].pts_s == pytest.approx(frames[-1].received_s - frames[0].received_s, abs=0.01)


@pytest.mark.parametrize("odd", ODD_PARTS)
def test_an_mjpeg_camera_is_live_however_it_separates_its_pictures(camera_page, odd):
    frames = []
    spec = SourceSpec(address=f"{camera_page}/odd/{odd}")
    stream = CameraStream("c", spec, on_frame=frames.append, on_state=lambda *state: None, clock=SystemClock())
    stream.start()
    try:
        wait_until(lambda: len(frames) >= 10, what="ten pictures")
        report = stream.report()
    finally:
        assert stream.stop(timeout_s=5.0)

    assert (report.state, report.width, report.height) == (StreamState.LIVE, 320, 240)


def test_an_mjpeg_camera_asks_for_the_password(camera_page):
    result = probe(SourceSpec(address=f"{camera_page}/locked", username="op", password="wrong"))

    assert not result.ok
    assert "refuses the user name or password" in result.message


def test_a_page_that_is_not_there_is_named(camera_page):
    assert "404" in probe(SourceSpec(address=f"{camera_page}/nothing")).message


def test_a_recording_on_a_web_server_is_played_to_its_end(camera_page):
    frames, states = [], []
    spec = SourceSpec(address=f"{camera_page}/clip.mp4")
    stream = CameraStream("c", spec, on_frame=frames.append, on_state=lambda *state: states.append(state[0]))
    stream.start()
    try:
        wait_until(lambda: StreamState.ENDED in states, what="the end of the recording")
    finally:
        assert stream.stop(timeout_s=5.0)

    assert len(frames) == 20


def test_an_mjpeg_camera_that_falls_silent_is_lost_called_again_and_live_again(camera_page):
    frames, states = [], []
    spec = SourceSpec(address=f"{camera_page}/mjpeg")
    stream = CameraStream("c", spec, on_frame=frames.append, on_state=lambda *state: states.append(state[0]))
    stream.start()
    try:
        wait_until(lambda: len(frames) >= 10, what="ten pictures")
        CameraPage.flowing.clear()
        wait_until(lambda: StreamState.LOST in states, what="the loss")
        wait_until(lambda: CameraPage.n_calls > 1, what="another call")
        CameraPage.flowing.set()
        wait_until(lambda: states[-1] is StreamState.LIVE, what="the return")
    finally:
        assert stream.stop(timeout_s=5.0)

    assert StreamState.STALE in states
    assert all(later.pts_s > earlier.pts_s for earlier, later in itertools.pairwise(frames))


def test_a_password_that_the_camera_wants_in_its_address_stands_in_no_sentence(camera_page):
    typed = f"{camera_page}/cgi?user=op&pwd=not-this"
    result = probe(SourceSpec(address=typed))

    assert "refuses the user name or password" in result.message
    assert "not-this" not in result.message + result.hint
