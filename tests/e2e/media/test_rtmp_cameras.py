"""RTMP, as drones and encoders publish it: ffmpeg is the server here."""

import contextlib
import socket
import subprocess
import threading

import pytest

from core.kernel.errors import UnavailableError
from core.media.model import SourceSpec, StreamState
from core.media.source import open_source
from core.media.stream import CameraStream
from tests.fixtures.clips import make_clip
from tests.fixtures.processes import free_port, wait_until


class Server:
    """Serves a clip without end to any number of viewers: an ffmpeg of its own for each one that says something."""

    def __init__(self, clip, port):
        self._clip, self._viewers, self._processes = clip, [], []
        self._door = socket.create_server(("127.0.0.1", port))
        threading.Thread(target=self._welcome, daemon=True).start()

    def close(self):
        with contextlib.suppress(OSError):
            self._door.shutdown(socket.SHUT_RDWR)
        self._door.close()
        for process in self._processes:
            process.kill()
            process.wait(10.0)
        for viewer in self._viewers:
            viewer.close()

    def _welcome(self):
        with contextlib.suppress(OSError):
            while True:
                viewer, _ = self._door.accept()
                self._viewers.append(viewer)
                threading.Thread(target=self._serve, args=(viewer,), daemon=True).start()

    def _serve(self, viewer):
        with contextlib.suppress(OSError):
            first = viewer.recv(65_536)
            if not first:
                return
            port = free_port()
            what = ["-re", "-stream_loop", "-1", "-i", str(self._clip), "-c", "copy", "-f", "flv", "-listen", "1"]
            command = ["ffmpeg", "-v", "quiet", *what, f"rtmp://127.0.0.1:{port}/live/down"]
            self._processes.append(subprocess.Popen(command, stdin=subprocess.DEVNULL))
            encoder = _connected(port)
            encoder.sendall(first)
            threading.Thread(target=_pass_on, args=(encoder, viewer), daemon=True).start()
            _pass_on(viewer, encoder)


def _connected(port):
    found = []

    def has_opened():
        with contextlib.suppress(OSError):
            found.append(socket.create_connection(("127.0.0.1", port), 5.0))
        return bool(found)

    wait_until(has_opened, timeout_s=10.0)
    return found[0]


def _pass_on(source, sink):
    with contextlib.suppress(OSError):
        while data := source.recv(65_536):
            sink.sendall(data)


@pytest.fixture
def serve(tmp_path):
    """Return a function that serves a moving square at a port."""
    clip, servers = make_clip(tmp_path / "square.mp4"), []

    def start(port):
        servers.append(Server(clip, port))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.mark.slow
def test_pictures_come_and_come_back_after_the_server_was_gone(serve):
    port, frames, states = free_port(), [], []
    server = serve(port)
    stream = CameraStream(
        "down",
        SourceSpec(address=f"rtmp://127.0.0.1:{port}/live/down"),
        on_frame=frames.append,
        on_state=lambda state, reason, hint: states.append((state, reason)),
    )
    stream.start()
    try:
        wait_until(lambda: len(frames) > 10, timeout_s=20.0)
        server.close()
        wait_until(lambda: states[-1][0] is not StreamState.LIVE, timeout_s=10.0)
        n_before = len(frames)
        serve(port)
        wait_until(lambda: len(frames) > n_before + 10, timeout_s=20.0)
    finally:
        stream.stop()

    times_s = [frame.pts_s for frame in frames]
    assert times_s == sorted(times_s)
    assert (frames[0].frame.width, frames[0].frame.height) == (320, 192)


def test_a_password_in_the_address_is_in_no_sentence():
    with pytest.raises(UnavailableError) as caught:
        open_source(SourceSpec(address=f"rtmp://pilot:geheim@127.0.0.1:{free_port()}/live/down"))

    assert "geheim" not in str(caught.value)
