"""The fleet of drones: every one with what matters of it, and the links that they are heard on."""

from __future__ import annotations

from datetime import UTC, datetime

from PySide6.QtWidgets import QVBoxLayout, QWidget

from app.panel import Area, PanelInfo, Perspective
from app.room import Room
from core.drones.model import DroneLink
from widgets.drones.link_list import LinkList
from widgets.drones.strip import FleetStrip


def create(room: Room) -> QWidget:
    """Build strip and links and connect them."""
    return _Fleet(room)


class _Fleet(QWidget):
    """The strip above the links."""

    def __init__(self, room: Room) -> None:
        super().__init__()
        self._room = room
        self._strip, self._links = FleetStrip(), LinkList()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self._strip, 1)
        column.addWidget(self._links)
        self.setFocusProxy(self._strip)
        live, strip, links = room.live, self._strip, self._links
        live.drones_changed.connect(self._show)
        live.drone_plans_changed.connect(self._show)
        live.drone_links_changed.connect(self._show_links)
        room.selected.connect(self._on_selected)
        room.role_changed.connect(links.set_role)
        room.node_lost.connect(strip.show_lost)
        room.node_back.connect(strip.show_current)
        strip.drone_chosen.connect(lambda drone_id: room.select("drone", drone_id))
        strip.drone_opened.connect(self._open_page)
        links.ask_wanted.connect(self._on_ask)
        links.silence_wanted.connect(self._on_silence)
        links.set_role(room.role)
        self._show()
        self._show_links()

    def _show(self) -> None:
        self._strip.show_fleet(self._room.live.drone_plans, self._room.live.drones)

    def _show_links(self) -> None:
        links = self._room.live.drone_links
        self._links.show_links(links, datetime.now(UTC))
        self._strip.show_links({link.link_id: link for link in links})

    def _open_page(self, drone_id: str) -> None:
        self._room.select("drone", drone_id)
        self._room.panel_requested.emit("drone")

    def _on_selected(self, kind: str, item_id: str) -> None:
        drone_id = self._room.drone_of(kind, item_id)
        if drone_id:
            self._strip.choose(drone_id)

    def _on_ask(self, link_id: str, reason: str, minutes: int) -> None:
        said = f"Link {link_id} asks drones for {minutes} minutes."
        self._room.ask(
            "drones.activate_link",
            DroneLink,
            then=lambda _link: self._room.toast(said),
            link_id=link_id,
            reason=reason,
            minutes=minutes,
        )

    def _on_silence(self, link_id: str) -> None:
        self._room.ask(
            "drones.deactivate_link",
            DroneLink,
            then=lambda _link: self._room.toast(f"Link {link_id} only listens."),
            link_id=link_id,
        )


PANEL = PanelInfo(
    key="drones",
    title="Drones",
    create=create,
    area=Area.LEFT,
    shortcut="Ctrl+Shift+N",
    icon="drone",
    order=1,
    perspectives=frozenset({Perspective.DRONES}),
    leads=frozenset({Perspective.DRONES}),
)
