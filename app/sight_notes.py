"""What the cameras of a lot cannot tell now, asked anew while somebody looks."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from PySide6.QtCore import QObject, QTimer
from PySide6.QtWidgets import QWidget

from app.room import Room
from core.parking.sight.model import Looked

ASK_EVERY_MS = 4000


class SightNotes(QObject):
    """Hands a sentence of each camera to `show`, by camera id; empty where it tells everything."""

    def __init__(
        self, room: Room, seen: QWidget, lot_id: Callable[[], str], show: Callable[[Mapping[str, str]], None]
    ) -> None:
        """Ask about the lot that `lot_id` names, empty for none, while `seen` is visible."""
        super().__init__(seen)
        self._room, self._seen, self._lot_id, self._show = room, seen, lot_id, show
        self._asking = QTimer(self)
        self._asking.setInterval(ASK_EVERY_MS)
        self._asking.timeout.connect(self.ask)
        room.closing.connect(self._asking.stop)
        self._asking.start()

    def ask(self) -> None:
        """Ask at once, where somebody looks."""
        lot_id = self._lot_id()
        if not lot_id or not self._seen.isVisible():
            return

        def heard(views: list[Looked]) -> None:
            # Meanwhile another lot may be looked at.
            if lot_id == self._lot_id():
                self._show({one.camera_id: _sentence(one) for one in views})

        def refused(_error: object) -> None:
            return

        self._room.ask("parking.views", list[Looked], then=heard, refused=refused, lot_id=lot_id)


def _sentence(looked: Looked) -> str:
    return f"{looked.trouble} {looked.hint}".strip() if looked.trouble else looked.note
