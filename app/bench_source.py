"""`main.py bench source`: how soon a camera's fault is seen, and how soon its picture is back."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import psutil

from core.kernel.bench import BenchResult, Figure
from core.kernel.errors import UnavailableError
from core.media.camera_source import CameraSource
from core.media.model import SourceSpec, StreamState
from core.media.source import Source, open_source
from core.sim.rtsp import RtspCamera

N_ROUNDS = 3
OUTAGE_S = 5.0
N_MORE_CAMERAS = 4
WAIT_S = 20.0

N_READS = 5

_FPS = 25
_CLIP_S = 4
_WH = (640, 360)


class _Watched:
    """A camera, its source, and when it said what (`time.monotonic`)."""

    def __init__(self, clip: Path) -> None:
        self.camera = RtspCamera(clip).start()
        self.last_frame_s = 0.0
        self.n_frames = 0
        self.state_at_s: dict[StreamState, float] = {}
        self.source = CameraSource(
            "bench", SourceSpec(address=self.camera.url), on_frame=self._on_frame, on_state=self._on_state
        )
        self.source.start()

    def close(self) -> None:
        self.camera.go()
        self.source.stop(4.0)
        self.camera.close()

    def wait_for_pictures(self, n_more: int) -> None:
        n_wanted = self.n_frames + n_more
        _wait(lambda: self.n_frames >= n_wanted, "no picture came")

    def _on_frame(self, _frame: object) -> None:
        self.last_frame_s = time.monotonic()
        self.n_frames += 1

    def _on_state(self, state: StreamState, _reason: str, _hint: str) -> None:
        self.state_at_s[state] = time.monotonic()


def bench_source() -> BenchResult:
    """Let a simulated RTSP camera stall, and switch one off and on; report medians of several rounds.

    `hidden_core_percent` is what a tile that nobody looks at costs, where nothing is detected on it.
    """
    with tempfile.TemporaryDirectory() as folder:
        clip = _make_clip(Path(folder) / "clip.mp4")
        stalls = [_stall(clip) for _ in range(N_ROUNDS)]
        returns = [_switch_off_and_on(clip) for _ in range(N_ROUNDS)]
        mb_per_camera = _memory_of_cameras(clip)
        shown_percent, hidden_percent = _core_percent(_read_all(clip)), _core_percent(_read_key_frames(clip))
    stale_s, reconnect_s, after_stall_s = (
        _figure([round_[number] for round_ in stalls], since)
        for number, since in enumerate(("the last picture", "the last picture", "the camera speaks again"))
    )
    return BenchResult(
        bench="source",
        figures={
            "stale_badge_s": stale_s,
            "reconnect_started_s": reconnect_s,
            "picture_back_s": _figure(returns, f"the camera listens again, {OUTAGE_S:g} s after it was switched off"),
            "picture_back_after_stall_s": after_stall_s,
            "hidden_core_percent": Figure(
                value=round(hidden_percent, 2),
                unit="% of a core",
                reference=f"key frames of {_WH[0]}x{_WH[1]} alone; every picture takes {shown_percent:.2f} %",
            ),
            "hidden_share": Figure(
                value=round(hidden_percent / shown_percent, 3), unit="", reference="of the CPU time of every picture"
            ),
            "mb_per_camera": Figure(
                value=round(mb_per_camera, 1),
                unit="MB",
                reference=f"resident, {N_MORE_CAMERAS} more readers of {_WH[0]}x{_WH[1]}, simulators included",
            ),
        },
    )


def _figure(seconds: list[float], since: str) -> Figure:
    return Figure(
        value=round(statistics.median(seconds), 3), unit="s", reference=f"since {since}; slowest {max(seconds):.3f} s"
    )


def _stall(clip: Path) -> tuple[float, float, float]:
    """Return seconds to the badge, to the next call and, once the camera speaks again, to the picture."""
    watched = _Watched(clip)
    try:
        watched.wait_for_pictures(_FPS)
        watched.camera.stall()
        _wait(lambda: StreamState.STALE in watched.state_at_s, "the stall was not seen")
        last_s = watched.last_frame_s
        _wait(lambda: watched.camera.n_clients > 1, "the camera was not called again")
        called_s = time.monotonic()
        _wait(lambda: time.monotonic() - last_s > OUTAGE_S, "")
        watched.camera.go()
        began_s = time.monotonic()
        _wait(lambda: watched.last_frame_s > began_s, "the picture did not come back")
        return watched.state_at_s[StreamState.STALE] - last_s, called_s - last_s, watched.last_frame_s - began_s
    finally:
        watched.close()


def _switch_off_and_on(clip: Path) -> float:
    watched = _Watched(clip)
    try:
        watched.wait_for_pictures(_FPS)
        watched.camera.refuse()
        watched.camera.drop_clients()
        off_s = time.monotonic()
        _wait(lambda: time.monotonic() - off_s > OUTAGE_S, "")
        n_before = watched.n_frames
        watched.camera.accept()
        began_s = time.monotonic()
        _wait(lambda: watched.n_frames > n_before, "the picture did not come back")
        return time.monotonic() - began_s
    finally:
        watched.close()


def _memory_of_cameras(clip: Path) -> float:
    me = psutil.Process()
    first = _Watched(clip)
    more: list[_Watched] = []
    try:
        first.wait_for_pictures(2 * _FPS)
        before = me.memory_info().rss
        more.extend(_Watched(clip) for _ in range(N_MORE_CAMERAS))
        for watched in more:
            watched.wait_for_pictures(2 * _FPS)
        return float((me.memory_info().rss - before) / 1e6 / N_MORE_CAMERAS)
    finally:
        for watched in (first, *more):
            watched.close()


def _read_all(clip: Path) -> Source:
    return open_source(SourceSpec(address=str(clip)))


def _read_key_frames(clip: Path) -> Source:
    source = _read_all(clip)
    source.set_keyframes_only(True)
    return source


def _core_percent(source: Source) -> float:
    """Return what decoding takes of a core at the stream's own speed [%], and close the source."""
    began_s = time.thread_time()
    for _ in range(N_READS):
        while source.read() is not None:
            pass
        source.rewind()
    spent_s = time.thread_time() - began_s
    source.close()
    return 100.0 * spent_s / (N_READS * _CLIP_S)


def _wait(condition: Callable[[], bool], otherwise: str) -> None:
    deadline_s = time.monotonic() + WAIT_S
    while not condition():
        if time.monotonic() > deadline_s:
            raise UnavailableError(f"The bench cannot go on: {otherwise}.")
        time.sleep(0.002)


def _make_clip(path: Path) -> Path:
    width, height = _WH
    random = np.random.default_rng(5)
    still = random.integers(60, 200, (height // 8, width // 8, 3), np.uint8)
    wide = np.kron(still, np.ones((8, 8, 1), np.uint8))
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=_FPS)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.time_base = Fraction(1, _FPS)
        stream.options = {"preset": "veryfast", "g": str(_FPS), "bf": "0", "crf": "23", "tune": "grain"}
        for number in range(_CLIP_S * _FPS):
            # A sensor is never without noise, and that is most of what a picture between two key frames costs.
            grain = random.integers(0, 12, wide.shape, np.uint8)
            picture = np.ascontiguousarray(np.roll(wide, 2 * number, axis=1) + grain)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return path
