"""Health: whether everything that the room relies on works."""

from __future__ import annotations

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QWidget

from app.panel import Area, PanelInfo, Perspective
from app.room import Room
from widgets.health.health_panel import HealthPanel

LAG_EVERY_MS = 1000


def create(room: Room) -> QWidget:
    """Build the cards and connect them."""
    panel = HealthPanel()
    live = room.live
    live.health_changed.connect(lambda: panel.show_health(live.health))
    live.streams_changed.connect(lambda: panel.show_streams(live.streams))
    live.cameras_changed.connect(
        lambda: panel.show_camera_names({key: camera.name for key, camera in live.cameras.items()})
    )

    def show_lag() -> None:
        if room.lag is not None:
            panel.show_console_lag(room.lag.p99_ms, room.lag.max_ms)

    ticking = QTimer(panel)
    ticking.setInterval(LAG_EVERY_MS)
    ticking.timeout.connect(show_lag)
    ticking.start()
    return panel


PANEL = PanelInfo(
    key="health",
    title="Health",
    create=create,
    area=Area.RIGHT,
    shortcut="Ctrl+Shift+H",
    icon="health",
    order=2,
    stack=1,
    perspectives=frozenset({Perspective.OVERVIEW, Perspective.WALL, Perspective.ALARMS}),
)
