"""The fleet of drones: every one with what matters of it."""

from __future__ import annotations

from PySide6.QtWidgets import QWidget

from app.panel import Area, PanelInfo, Perspective
from app.room import Room
from widgets.drones.strip import FleetStrip


def create(room: Room) -> QWidget:
    """Build the strip and connect it."""
    strip, live = FleetStrip(), room.live

    def show() -> None:
        strip.show_fleet(live.drone_plans, live.drones)

    def open_page(drone_id: str) -> None:
        room.select("drone", drone_id)
        room.panel_requested.emit("drone")

    def on_selected(kind: str, item_id: str) -> None:
        drone_id = room.drone_of(kind, item_id)
        if drone_id:
            strip.choose(drone_id)

    live.drones_changed.connect(show)
    live.drone_plans_changed.connect(show)
    room.selected.connect(on_selected)
    room.node_lost.connect(strip.show_lost)
    room.node_back.connect(strip.show_current)
    strip.drone_chosen.connect(lambda drone_id: room.select("drone", drone_id))
    strip.drone_opened.connect(open_page)
    show()
    return strip


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
