"""What works can concern and what can be taken out of service, as the console knows it now."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, QObject, QTimer
from PySide6.QtWidgets import QWidget

from app.live import LiveModel
from core.incidents.model import SourceKind
from core.incidents.suppression import Source
from widgets.alarms.sources import NamedSource

COALESCE_MS = 200


class SourcesOnSight(QObject):
    """Shows every camera, device, drawn lot and drone where they are looked at: there can be ten thousand."""

    def __init__(self, live: LiveModel, page: QWidget, show: Callable[[tuple[NamedSource, ...]], None]) -> None:
        """Follow `live` for as long as `page` lives; `show` is called while it is visible, and when it becomes so."""
        super().__init__(page)
        self._live = live
        self._page = page
        self._show = show
        self._is_stale = True
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(COALESCE_MS)
        self._soon.timeout.connect(self._show_new)
        for name in ("cameras", "devices", "lot_plans", "drone_plans"):
            live.follow(name, self._on_changed)
        page.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Show what is new before the page is painted."""
        if watched is self._page and event.type() == QEvent.Type.Show:
            self._show_new()
        return super().eventFilter(watched, event)

    def _on_changed(self) -> None:
        self._is_stale = True
        if self._page.isVisible() and not self._soon.isActive():
            self._soon.start()

    def _show_new(self) -> None:
        if not self._is_stale:
            return
        self._is_stale = False
        live = self._live
        found = [(SourceKind.CAMERA, one.camera_id, one.name, one.site) for one in live.cameras.values()]
        found += [(SourceKind.DEVICE, one.device_id, one.name, one.site) for one in live.devices.values()]
        found += [(SourceKind.LOT, one.lot_id, one.name, one.site) for one in live.lot_plans.values()]
        found += [(SourceKind.DRONE, one.drone_id, one.name, one.site) for one in live.drone_plans.values()]
        made = [
            NamedSource(source=Source(kind=kind, source_id=source_id), name=name, site=site)
            for kind, source_id, name, site in found
        ]
        self._show(tuple(made))
