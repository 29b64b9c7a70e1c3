"""Help: the keys of this desk, and what happens to an alarm."""

from __future__ import annotations

from PySide6.QtWidgets import QWidget

from app.panel import Area, PanelInfo, Perspective, discover_panels
from app.room import Room
from widgets.alarms.help_page import HelpPage


def create(room: Room) -> QWidget:
    """Print the page."""
    arranged = [(f"{perspective.title}: the panels of this job", perspective.shortcut) for perspective in Perspective]
    panels = [(panel.title, panel.shortcut) for panel in discover_panels() if panel is not PANEL]
    return HelpPage(room.keymap, [*arranged, *panels])


PANEL = PanelInfo(
    key="help",
    title="Help",
    create=create,
    area=Area.CENTER,
    shortcut="Ctrl+Shift+K",
    order=9,
    perspectives=frozenset(),
)
