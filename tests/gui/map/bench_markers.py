"""Frames a second of the map with 10,000 markers of which 1,000 move: `python -m tests.gui.map.bench_markers`."""

import json
import random
import sys
import time
from dataclasses import replace
from pathlib import Path

from PySide6.QtWidgets import QApplication

from core.field.model import Device, DeviceState, Reading
from core.kernel.clock import SystemClock
from core.kernel.geo import GeoPoint
from widgets.base.theme import apply_theme
from widgets.map.city_map import CityMap


def measure(n_markers: int, n_moving: int, n_frames: int, basemap: Path | None, spread_deg: float) -> dict[str, float]:
    """Return the milliseconds of one frame: new positions in, whole window painted."""
    dice = random.Random(7)

    def place() -> GeoPoint:
        return GeoPoint(36.0 + dice.uniform(-1, 1) * spread_deg, -30.0 + dice.uniform(-1, 1) * spread_deg * 1.8)

    devices = [
        Device(
            device_id=f"traffic/{i}", kind="station", name=f"Station {i}", state=DeviceState.ONLINE, position=place()
        )
        for i in range(n_markers)
    ]
    now = SystemClock().now()
    readings = {
        device.device_id: Reading(
            device_id=device.device_id, stream="flow", at=now, values={"averageVehicleSpeed": dice.uniform(5, 90)}
        )
        for device in devices
    }
    map_ = CityMap()
    map_.resize(1600, 900)
    map_.set_basemap(basemap)
    map_.show_devices(tuple(devices))
    map_.show_readings(readings)
    map_.show()
    end = time.monotonic() + 1.5
    while time.monotonic() < end:
        QApplication.processEvents()
    spent_ms = []
    for _ in range(n_frames):
        for index in dice.sample(range(n_markers), n_moving):
            devices[index] = replace(devices[index], position=place())
        shown = tuple(devices)
        began = time.perf_counter()
        map_.show_devices(shown)
        map_._canvas.viewport().repaint()
        spent_ms.append(1000 * (time.perf_counter() - began))
        QApplication.processEvents()
    map_.stop()
    map_.close()
    spent_ms.sort()
    return {
        "fps": round(1000 * n_frames / sum(spent_ms), 1),
        "median_ms": round(spent_ms[n_frames // 2], 1),
        "p99_ms": round(spent_ms[int(n_frames * 0.99)], 1),
    }


if __name__ == "__main__":
    app = QApplication([])
    apply_theme(app, base_px=16)
    basemap = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    print(
        json.dumps(
            {
                "city_10000_moving_1000": measure(10_000, 1_000, 60, basemap, 0.05),
                "singles_250": measure(250, 250, 60, basemap, 0.01),
                "city_1000_moving_1000": measure(1_000, 1_000, 60, basemap, 0.02),
            }
        )
    )
