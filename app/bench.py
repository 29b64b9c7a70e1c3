"""`main.py bench`: figures beside their reference, measured in the same run."""

from __future__ import annotations

import contextlib
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from app.bench_names import LONG
from app.connection import own_command
from core.kernel.bench import BenchResult, Figure, usual_environment
from core.kernel.errors import BadInputError
from core.kernel.wire import to_json

START_RUNS = 5
UI_S = 30.0
_BARE_WINDOW = """
import time, psutil
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication, QLabel
class Window(QLabel):
    def paintEvent(self, event):
        super().paintEvent(event)
        print(time.time() - psutil.Process().create_time())
        QTimer.singleShot(0, app.quit)
app = QApplication([])
window = Window("Watchfloor")
window.resize(1280, 800)
window.show()
app.exec()
"""


def run_benches(names: list[str], *, clip: Path | None, model: str, minutes: float | None, as_json: bool) -> int:
    """Run the named benches, or all of them but the long ones.

    Raises:
        BadInputError: There is no bench of that name.
    """
    benches = _benches(clip=clip, model=model, minutes=minutes)
    unknown = [name for name in names if name not in benches]
    if unknown:
        raise BadInputError(f"There is no bench {unknown[0]!r}.", hint=f"There are {', '.join(benches)}.")
    for name in names or [name for name in benches if name not in LONG]:
        result = benches[name]()
        if as_json:
            sys.stdout.write(to_json(result) + "\n")
        else:
            for key, figure in result.figures.items():
                sys.stdout.write(f"{name}.{key} = {figure.value:.3g} {figure.unit} (against {figure.reference})\n")
        sys.stdout.flush()
    return 0


def _benches(*, clip: Path | None, model: str, minutes: float | None) -> dict[str, Callable[[], BenchResult]]:
    """Return every bench by its name, as `BENCHES` lists them."""
    return {
        "decode": lambda: _bench_decode(clip),
        "detect": lambda: _bench_detect(clip, model),
        "track": _bench_track,
        "stream": lambda: _bench_vision("stream", clip, model),
        "cameras": lambda: _bench_vision("cameras", clip, model),
        "memory": lambda: _bench_vision("memory", clip, model),
        "ui": bench_ui,
        "wall": _bench_wall,
        "twin": _bench_twin,
        "start": bench_start,
        "recover": _bench_recover,
        "alarms": _bench_alarms,
        "fleet": _bench_fleet,
        "exit": _bench_exit,
        "figures": _bench_figures,
        "parking": _bench_parking,
        "source": _bench_source,
        "count": _bench_count,
        "speed": _bench_speed,
        "gateway": _bench_gateway,
        "drone-http": _bench_drone_http,
        "drones": _bench_drones,
        "sync": lambda: _bench_sync(minutes or 10.0),
        "soak": lambda: bench_soak(minutes or 20.0),
    }


def _bench_decode(clip: Path | None) -> BenchResult:
    from core.media.bench import bench_decode

    return bench_decode(clip)


def _bench_wall() -> BenchResult:
    from app.bench_wall import bench_wall

    return bench_wall()


def _bench_twin() -> BenchResult:
    from app.bench_twin import bench_twin

    return bench_twin()


def _bench_source() -> BenchResult:
    from app.bench_source import bench_source

    return bench_source()


def _bench_count() -> BenchResult:
    from core.sim.bench_count import bench_count

    return bench_count()


def _bench_speed() -> BenchResult:
    from core.sim.bench_measures import bench_speed

    return bench_speed()


def _bench_alarms() -> BenchResult:
    from app.bench_alarms import bench_alarms

    return bench_alarms()


def _bench_figures() -> BenchResult:
    from core.node.bench_figures import bench_figures

    return bench_figures()


def _bench_parking() -> BenchResult:
    from app.bench_parking import bench_parking

    return bench_parking()


def _bench_drone_http() -> BenchResult:
    from app.bench_drone_http import bench_drone_http

    return bench_drone_http()


def _bench_drones() -> BenchResult:
    from app.bench_drones import bench_drones

    return bench_drones()


def _bench_gateway() -> BenchResult:
    from app.bench_gateway import bench_gateway

    return bench_gateway()


def _bench_fleet() -> BenchResult:
    from app.bench_fleet import bench_fleet

    return bench_fleet()


def _bench_exit() -> BenchResult:
    from app.bench_exit import bench_exit

    return bench_exit()


def _bench_recover() -> BenchResult:
    from app.bench_recover import bench_recover

    return bench_recover()


def _bench_sync(minutes: float) -> BenchResult:
    from app.bench_sync import bench_sync

    return bench_sync(minutes)


def _bench_detect(clip: Path | None, model: str) -> BenchResult:
    from core.vision.bench import bench_detect

    with tempfile.TemporaryDirectory() as folder:
        return bench_detect(clip, model or None, folder=Path(folder))


def _bench_track() -> BenchResult:
    from core.vision.bench_track import bench_track

    return bench_track()


def _bench_vision(name: str, clip: Path | None, model: str) -> BenchResult:
    from core.node import bench_vision
    from core.vision.bench import default_inputs

    if clip is None or not model:
        usual_clip, usual_model = default_inputs()
        clip, model = clip or usual_clip, model or str(usual_model)
    with tempfile.TemporaryDirectory() as folder:
        if name == "stream":
            return bench_vision.bench_stream(clip, model, folder=Path(folder))
        if name == "cameras":
            return bench_vision.bench_cameras(clip, model, folder=Path(folder))
        return bench_vision.bench_memory(model, folder=Path(folder))


def bench_start() -> BenchResult:
    """Measure from the start of the process to the first painted window, warm."""
    from app.bootstrap import HEAVY_MODULES

    ours, bare, heavy = [], [], set[str]()
    _start_console()  # The first start compiles what was never run.
    for _ in range(START_RUNS):
        report = _start_console()
        ours.append(float(report["window_s"]))
        heavy |= set(report["heavy_modules"])
        out = subprocess.run(
            [sys.executable, "-c", _BARE_WINDOW], capture_output=True, text=True, check=True, timeout=60
        )
        bare.append(float(out.stdout.split()[-1]))
    reference = f"a bare PySide6 window, {statistics.median(bare):.2f} s in the same run"
    return BenchResult(
        bench="start",
        figures={
            "window_s": Figure(value=round(statistics.median(ours), 3), unit="s", reference=reference),
            "ratio_to_bare_window": Figure(
                value=round(statistics.median(ours) / statistics.median(bare), 2), unit="", reference=reference
            ),
            "heavy_modules": Figure(
                value=len(heavy), unit="modules", reference=f"none of {', '.join(HEAVY_MODULES)} before the window"
            ),
        },
    )


def _start_console() -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "start.json"
        subprocess.run(
            [*own_command(), "--data", folder, "--for", "0.5", "--start-report", str(report)],
            env=usual_environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
            timeout=90,
        )
        try:
            found: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise BadInputError("The console did not show its window.", hint="Is there a display?") from error
    return found


def bench_ui() -> BenchResult:
    """Measure how late the window's loop is under a busy room."""
    data = _busy_room(UI_S)
    reference = f"the same loop with nothing to do, {data['idle_p99_ms']:.1f} ms in the same run"
    return BenchResult(
        bench="ui",
        figures={
            "lag_p99_ms": Figure(value=round(data["p99_ms"], 2), unit="ms", reference=reference),
            "lag_max_ms": Figure(value=round(data["max_ms"], 2), unit="ms", reference=reference),
            **_room_figures(data),
        },
    )


def bench_soak(minutes: float) -> BenchResult:
    """Let a busy room run, and look whether memory, handles and threads stay where they are."""
    data = _busy_room(minutes * 60.0)
    before = f"{data['handles_first']:.0f} handles and {data['threads_first']:.0f} threads at the beginning"
    span = f"least squares over the second half of {data['minutes']:.0f} min"
    growth = ", ".join(
        f"{name.removeprefix('process ')}: {value:+.1f}" for name, value in data.items() if name.startswith("process ")
    )
    return BenchResult(
        bench="soak",
        figures={
            "console_mb_per_h": Figure(value=round(data["console_mb_per_h"], 1), unit="MB/h", reference=span),
            "node_mb_per_h": Figure(
                value=round(data["node_mb_per_h"], 1), unit="MB/h", reference=f"{span}; by process: {growth}"
            ),
            "console_mb": Figure(value=round(data["console_mb"], 1), unit="MB", reference="none"),
            "node_mb": Figure(value=round(data["node_mb"], 1), unit="MB", reference="node with all its processes"),
            "handles": Figure(value=data["handles_last"], unit="handles", reference=before),
            "threads": Figure(value=data["threads_last"], unit="threads", reference=before),
            "threads_left": Figure(value=data["n_threads_left"], unit="threads", reference="after closing"),
            "processes_left": Figure(value=data["n_processes_left"], unit="processes", reference="after closing"),
            "errors": Figure(value=data["n_errors"], unit="errors", reference="console and node"),
            "lag_p99_ms": Figure(value=round(data["p99_ms"], 2), unit="ms", reference="none"),
            **_room_figures(data),
        },
    )


def _room_figures(data: dict[str, Any]) -> dict[str, Figure]:
    live = f"{data['n_live']} live tiles, 1,000 moving markers"
    return {
        "frames_per_s": Figure(value=round(data["frames_per_s"], 1), unit="1/s", reference=live),
        "frame_age_p50_ms": Figure(value=round(data["age_p50_ms"], 1), unit="ms", reference=live),
        "messages_per_s": Figure(value=round(data["messages_per_s"], 1), unit="1/s", reference=live),
    }


def _busy_room(measure_s: float) -> dict[str, Any]:
    """Run the busy room in a process of its own, like every console, and return what it measured."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        with contextlib.suppress(subprocess.TimeoutExpired):
            subprocess.run(
                [sys.executable, "-m", "app.bench_ui", folder, str(report), str(measure_s)],
                cwd=Path(__file__).resolve().parents[1],
                check=False,
                timeout=measure_s + 180.0,
            )
        try:
            data: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise BadInputError("The busy room did not end.", hint="Is there a display?") from error
    return data
