"""The wall of `main.py bench wall`: sixteen rings, 25 pictures a second each, ten boxes a tile, on the real widgets."""

from __future__ import annotations

import contextlib
import json
import math
import multiprocessing
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
from PySide6.QtCore import QEventLoop, QRect, Qt, QTimer
from PySide6.QtGui import QImage, QPainter, QPaintEvent
from PySide6.QtWidgets import QWidget

from app.bootstrap import ConsoleOptions, choose_platform, make_application
from app.frames import FramePump
from app.lag import UiLag
from core.cameras.model import Camera
from core.kernel.bench import BenchResult, Figure
from core.kernel.errors import BadInputError
from core.kernel.paths import default_folders, memory_folder
from core.kernel.settings import load_settings
from core.media.model import StreamReport, StreamState
from core.media.ring import FrameRing, TrackMark
from widgets.base.theme import wear_sheet
from widgets.video.layout import Preset
from widgets.video.wall import VideoWall

N_TILES, FPS, N_BOXES = 16, 25.0, 10
WALL_WH = (1920, 1080)
SETTLE_S, BARE_S, PUMP_S, WALL_S, LAG_S = 2.0, 6.0, 4.0, 15.0, 8.0
STARTED_WITHIN_S = 30.0
"""The writer of the rings is another process, which takes its time to start on a busy machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a stretch of time cost this process.

    Attributes:
        core_percent: Of one core, user and system; the loop is probed as often as in the console.
        lag_p99_ms: Of the event loop, probed every 20 ms, in a stretch of its own: probes cost.
    """

    core_percent: float
    lag_p99_ms: float
    lag_max_ms: float


class BareWall(QWidget):
    """The least that shows sixteen pictures, one `drawImage` for each: what the wall is measured against."""

    def __init__(self, tiles: list[QRect]) -> None:
        super().__init__()
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self._tiles = tiles
        self._images = [
            [QImage(tile.width(), tile.height(), QImage.Format.Format_RGB32) for tile in tiles] for _ in range(2)
        ]
        for step, images in enumerate(self._images):
            for image in images:
                image.fill(0xFF404040 + step * 0x101010)
        self._step = 0
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._on_frame)
        self._timer.start(round(1000 / FPS))

    def _on_frame(self) -> None:
        self._step += 1
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Paint sixteen pictures."""
        with QPainter(self) as painter:
            for tile, image in zip(self._tiles, self._images[self._step % 2], strict=True):
                painter.drawImage(tile.topLeft(), image)


def bench_wall() -> BenchResult:
    """Measure processor time and lag of a busy wall, in a process of its own.

    Raises:
        BadInputError: The wall did not end, as without a display.
    """
    # As in a room: pictures lie in memory.
    with tempfile.TemporaryDirectory(prefix="watchfloor-bench-", dir=memory_folder()) as folder:
        report = Path(folder) / "report.json"
        with contextlib.suppress(subprocess.TimeoutExpired):
            subprocess.run(
                [sys.executable, "-m", "app.bench_wall", folder, str(report)],
                cwd=Path(__file__).resolve().parents[1],
                check=False,
                timeout=120.0,
            )
        try:
            data: dict[str, float] = json.loads(report.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise BadInputError("The wall did not end.", hint="Is there a display?") from error
    bare = f"a bare widget that paints 16 such pictures, {data['bare_core_percent']:.1f} % in the same run"
    return BenchResult(
        bench="wall",
        figures={
            "core_percent": Figure(value=round(data["core_percent"], 2), unit="%", reference=bare),
            "ratio_to_bare": Figure(
                value=round(data["core_percent"] / max(0.01, data["bare_core_percent"]), 2), unit="", reference=bare
            ),
            "pump_percent": Figure(
                value=round(data["pump_core_percent"], 2), unit="%", reference="the rings are read, nothing is painted"
            ),
            "lag_p99_ms": Figure(
                value=round(data["lag_p99_ms"], 2),
                unit="ms",
                reference=f"the bare widget's loop, {data['bare_lag_p99_ms']:.1f} ms in the same run",
            ),
            "lag_max_ms": Figure(
                value=round(data["lag_max_ms"], 2),
                unit="ms",
                reference=f"the bare widget's loop, {data['bare_lag_max_ms']:.1f} ms in the same run",
            ),
            "frames_per_s": Figure(
                value=round(data["frames_per_s"], 1), unit="1/s", reference=f"{N_TILES * FPS:.0f} are written"
            ),
            "frame_age_p50_ms": Figure(
                value=round(data["age_p50_ms"], 1), unit="ms", reference="from the ring to the paint that follows"
            ),
        },
    )


def run(folder: Path, report: Path) -> None:
    """Measure the bare widget, then the wall, and write the report."""
    wall = VideoWall()
    wall.resize(*WALL_WH)
    wall.set_preset(Preset.SIXTEEN)
    cameras = [Camera(camera_id=f"c{i}", name=f"Camera {i + 1}", address="x") for i in range(N_TILES)]
    wall.show_cameras(cameras)
    wear_sheet(wall)
    wall.show()
    _spin(0.5)
    tiles = [tile for camera in cameras if (tile := wall.tile_of(camera.camera_id)) is not None]
    sizes = [(tile.picture_room().width(), tile.picture_room().height()) for tile in tiles]
    rects = [QRect(tile.pos(), tile.size()) for tile in tiles]
    wall.hide()

    bare = BareWall(rects)
    bare.resize(*WALL_WH)
    bare.show()
    bare_cost, _ = measured(BARE_S)
    bare.close()
    bare.deleteLater()

    rings = {camera.camera_id: str(folder / f"{camera.camera_id}.ring") for camera in cameras}
    for camera_id, path in rings.items():
        FrameRing.create(Path(path), camera_id=camera_id).close()
    pipe, theirs = multiprocessing.Pipe()
    writer = multiprocessing.Process(target=write_rings, args=(theirs, list(rings.values()), sizes), daemon=True)
    writer.start()
    theirs.close()
    pump_cost = _cost_of_pump(rings)
    pump = FramePump(on_frames=wall.show_frames, on_tracks=wall.show_tracks)
    pump.set_rings(rings)
    wall.view_changed.connect(lambda view: pump.set_shown(tuple(view)))
    reports = QTimer()
    reports.setInterval(1000)
    reports.timeout.connect(lambda: _report(wall, rings))
    reports.start()
    wall.show()
    try:
        cost, frames_per_s = measured(WALL_S, count=lambda: pump.n_frames)
        ages = sorted(pump.ages_s)
    finally:
        pump.close()
        pipe.close()
        writer.join(5.0)
        wall.close()
    result = {
        "core_percent": cost.core_percent,
        "lag_p99_ms": cost.lag_p99_ms,
        "lag_max_ms": cost.lag_max_ms,
        "pump_core_percent": pump_cost.core_percent,
        "bare_core_percent": bare_cost.core_percent,
        "bare_lag_p99_ms": bare_cost.lag_p99_ms,
        "bare_lag_max_ms": bare_cost.lag_max_ms,
        "frames_per_s": frames_per_s,
        "age_p50_ms": ages[len(ages) // 2] * 1000.0 if ages else math.nan,
    }
    report.write_text(json.dumps(result), encoding="utf-8")


def _cost_of_pump(rings: dict[str, str]) -> Cost:
    """Measure a pump that shows nothing, once every ring is written.

    Raises:
        BadInputError: The writer has not begun.
    """
    seen: set[str] = set()
    pump = FramePump(
        on_frames=lambda frames: seen.update(camera_id for camera_id, _ in frames), on_tracks=lambda *_: None
    )
    pump.set_rings(rings)
    pump.set_shown(tuple(rings))
    try:
        began_s = time.monotonic()
        while len(seen) < len(rings):
            if time.monotonic() - began_s > STARTED_WITHIN_S:
                raise BadInputError("Nobody writes the rings.", hint="Is the machine too busy?")
            _spin(0.1)
        return measured(PUMP_S, lag_s=0.0)[0]
    finally:
        pump.close()


def _report(wall: VideoWall, rings: dict[str, str]) -> None:
    for camera_id in rings:
        wall.show_report(
            StreamReport(camera_id=camera_id, state=StreamState.LIVE, fps=FPS, width=1920, height=1080, detect_fps=FPS)
        )


def measured(
    seconds: float, count: Callable[[], int] = lambda: 0, *, settle_s: float = SETTLE_S, lag_s: float = LAG_S
) -> tuple[Cost, float]:
    """Let the loop run, and return its cost after it has settled, and by how much `count` rose in a second.

    Its lag is measured afterwards, for `lag_s`.
    """
    _spin(settle_s)
    lag = UiLag()
    lag.start()
    n_before, cpu_s, began_s = count(), time.process_time(), time.monotonic()
    _spin(seconds)
    took_s, n_counted = time.monotonic() - began_s, count() - n_before
    core_percent = (time.process_time() - cpu_s) / took_s * 100.0
    lag.begin_window()
    _spin(lag_s)
    cost = Cost(
        core_percent=core_percent,
        lag_p99_ms=lag.overall_p99_ms,
        lag_max_ms=lag.overall_max_ms,
    )
    lag.stop()
    return cost, n_counted / took_s


def _spin(seconds: float) -> None:
    """Let the loop run about so long: Qt may end it a twentieth sooner or later."""
    loop = QEventLoop()
    QTimer.singleShot(round(seconds * 1000), loop.quit)
    loop.exec()


def write_rings(pipe: Connection, paths: list[str], sizes: list[tuple[int, int]]) -> None:
    """Entry point of the writer: every camera at its own moment, 25 pictures a second; ends with the pipe."""
    rings = [FrameRing.attach(Path(path)) for path in paths]
    random = np.random.default_rng(3)
    pictures = [random.integers(0, 255, (height, width, 4), dtype=np.uint8) for width, height in sizes]
    labels = ("car", "car", "car", "bus", "truck")
    step = 0
    began_s = time.monotonic()
    while not pipe.poll(0):
        index, turn = step % len(rings), step // len(rings)
        pts_s = turn / FPS
        tracks = [_mark(turn, number, labels[number % len(labels)]) for number in range(N_BOXES)]
        rings[index].write_tracks(pts_s, tracks, epoch=1)
        rings[index].write_frame(
            pictures[index], pts_s=pts_s, received_s=time.monotonic(), captured_at_s=time.time(), epoch=1
        )
        step += 1
        time.sleep(max(0.0, began_s + step / (FPS * len(rings)) - time.monotonic()))
    for ring in rings:
        ring.close()


def _mark(turn: int, number: int, label: str) -> TrackMark:
    x = (0.09 * number + 0.004 * turn) % 0.85
    y = 0.15 + 0.07 * number
    return TrackMark(
        track_id=number + 1,
        label=label,
        score=0.9,
        bbox_xyxy=(x, y, x + 0.12, y + 0.14),
        velocity_xy=(0.1, 0.0),
    )


if __name__ == "__main__":
    multiprocessing.set_start_method("spawn")
    choose_platform()
    place = Path(sys.argv[1])
    application = make_application(
        ConsoleOptions(settings=load_settings()[0], faults=(), folders=default_folders(place / "data"))
    )
    run(place, Path(sys.argv[2]))
