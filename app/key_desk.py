"""The page of device keys, connected: asked anew while somebody looks at it."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QTimer

from app.room import Room
from core.gateway.http.model import GatewayKey, GatewayReport, KeyWish, NewKey
from core.kernel.errors import ConsoleError
from core.media.model import EDGE
from widgets.devices.key_page import KeyPage

ASK_EVERY_MS = 2000


class KeyPageDesk(QObject):
    """Feeds one `KeyPage`."""

    def __init__(self, room: Room) -> None:
        super().__init__()
        self._room = room
        self.page = KeyPage()
        self._selected: dict[str, str] = {}
        self.page.add_requested.connect(self._on_add)
        self.page.revoke_requested.connect(self._on_revoke)
        self.page.show_role(room.role)
        room.selected.connect(self._selected.__setitem__)
        room.role_changed.connect(self.page.show_role)
        room.live.cameras_changed.connect(self._show_places)
        room.live.lot_plans_changed.connect(self._show_places)
        self._asking = QTimer(self)
        self._asking.setInterval(ASK_EVERY_MS)
        self._asking.timeout.connect(self._ask)
        room.closing.connect(self._asking.stop)
        self.page.installEventFilter(self)

    def open(self) -> None:
        """Begin with an empty form, at the lot and the camera that were selected last."""
        self.page.start()
        self._show_places()
        self.page.prefer(self._selected.get("lot", ""), self._selected.get("camera", ""))
        self._ask()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Ask while the page is seen."""
        if watched is self.page and event.type() == QEvent.Type.Show:
            self._asking.start()
        elif watched is self.page and event.type() == QEvent.Type.Hide:
            self._asking.stop()
        return False

    def _show_places(self) -> None:
        live = self._room.live
        cameras = sorted((one for one in live.cameras.values() if one.address == f"{EDGE}:"), key=lambda one: one.name)
        lots = sorted(live.lot_plans.values(), key=lambda lot: lot.name)
        self.page.show_places({lot.lot_id: lot.name for lot in lots}, {one.camera_id: one.name for one in cameras})

    def _ask(self) -> None:
        self._room.ask("gateway.state", GatewayReport, then=self.page.show_gateway, refused=self._on_refused)
        self._room.ask("gateway.keys", list[GatewayKey], then=self.page.show_keys, refused=self._on_refused)

    def _on_refused(self, error: ConsoleError) -> None:
        self.page.show_refused(error.message, error.hint)

    def _on_add(self, wish: KeyWish) -> None:
        def made(new: NewKey) -> None:
            self.page.show_made(new)
            self._ask()

        self._room.ask("gateway.add_key", NewKey, then=made, refused=self._on_refused, wish=wish)

    def _on_revoke(self, key_id: str) -> None:
        def revoked(key: GatewayKey) -> None:
            self.page.show_revoked(key)
            self._ask()

        self._room.ask("gateway.revoke_key", GatewayKey, then=revoked, refused=self._on_refused, key_id=key_id)
