"""Flow: what cameras measured in their lanes and over their lines, minute by minute."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from PySide6.QtCore import QTimer
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QVBoxLayout, QWidget

from app.panel import Area, PanelInfo, Perspective
from app.room import Room
from core.kernel.errors import ConsoleError
from core.vision.flow import FlowMinute
from widgets.traffic.flow_view import FlowView

ANEW_AFTER_MS = 20_000
"""A minute is stored some seconds after its end: three looks a minute are soon enough."""


def create(room: Room) -> QWidget:
    """Build the view and connect it."""
    return _Flow(room)


class _Flow(QWidget):
    """Asks the node only while somebody looks."""

    def __init__(self, room: Room) -> None:
        super().__init__()
        self._room = room
        self._view = FlowView(parent=self)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._view)
        self._anew = QTimer(self)
        self._anew.setInterval(ANEW_AFTER_MS)
        self._anew.timeout.connect(self._ask)
        self._anew.start()
        room.closing.connect(self._anew.stop)
        room.live.cameras_changed.connect(lambda: self._view.show_cameras(room.live.cameras.values()))
        room.selected.connect(self._on_selected)
        room.connection.snapshot_received.connect(lambda _snapshot: self._ask())
        self._view.minutes_requested.connect(self._on_minutes)

    def _on_selected(self, kind: str, item_id: str) -> None:
        if kind == "camera":
            self._view.select(item_id)

    def _ask(self) -> None:
        if self.isVisible():
            self._view.ask()

    def _on_minutes(self, camera_id: str, n_minutes: int) -> None:
        if not self.isVisible() or self._room.connection.session is None:
            return

        def refused(error: ConsoleError) -> None:
            self._view.show_refused(error.message, error.hint)

        self._room.ask(
            "traffic.flow",
            list[FlowMinute],
            then=lambda minutes: self._view.show_minutes(camera_id, minutes),
            refused=refused,
            since=datetime.now(UTC) - timedelta(minutes=n_minutes + 1),
            camera_id=camera_id,
        )

    def showEvent(self, event: QShowEvent) -> None:
        """Read the minutes when somebody looks."""
        super().showEvent(event)
        self._view.ask()


PANEL = PanelInfo(
    key="flow",
    title="Flow",
    create=create,
    area=Area.RIGHT,
    shortcut="Ctrl+Shift+F",
    icon="traffic",
    order=2,
    stack=1,
    perspectives=frozenset({Perspective.OVERVIEW, Perspective.TRAFFIC}),
)
