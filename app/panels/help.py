"""Help: the keys of this desk, and what happens to an alarm."""

from __future__ import annotations

from PySide6.QtWidgets import QWidget

from app.panel import Area, PanelInfo, discover_panels
from app.room import Room
from widgets.alarms.help_page import HelpPage


def create(room: Room) -> QWidget:
    """Print the page."""
    return HelpPage(room.keymap, [(panel.title, panel.shortcut) for panel in discover_panels() if panel is not PANEL])


PANEL = PanelInfo(key="help", title="Help", create=create, area=Area.CENTER, shortcut="Ctrl+Shift+K", order=9)
