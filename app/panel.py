"""A panel is one declaration: menu entry, dock, shortcut, saved layout and smoke test come from it."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Protocol, runtime_checkable

from PySide6.QtWidgets import QWidget

import app.panels
from app.room import Room
from core.access.model import Role


class Area(StrEnum):
    """Where a panel stands in the first layout; the window is divided in this order."""

    CENTER = "center"
    BOTTOM = "bottom"
    LEFT = "left"
    RIGHT = "right"


class Perspective(Enum):
    """What the room is arranged for: its name and its key."""

    OVERVIEW = ("Overview", "F5")
    WALL = ("Video wall", "F6")
    ALARMS = ("Alarm handling", "F7")
    TRAFFIC = ("Traffic", "F8")
    PARKING = ("Parking", "F9")
    DRONES = ("Drones", "F10")

    @property
    def title(self) -> str:
        """What the menu says."""
        return self.value[0]

    @property
    def shortcut(self) -> str:
        """The key that calls it from anywhere."""
        return self.value[1]


EVERYWHERE = frozenset(Perspective)

Making = Generator[None, None, QWidget]
"""Makes a widget in several turns of the loop, and returns it at its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PanelInfo:
    """What the window needs to know of a panel before it exists.

    Attributes:
        key: Stable: saved layouts name docks by it.
        create: Builds the widget and connects it, a large one in turns; called once, after the window is shown.
        order: Among the panels of one area; panels of equal `stack` share a dock area as tabs.
        icon: Name of its icon in resources/icons.
        perspectives: Those that open it; it can be called into every other one.
        leads: Those in which it stands in front of its tabs; elsewhere the first of a stack does.
        answers: Names of the room's signals that ask something of this panel; who asks before it is made is not missed.
    """

    key: str
    title: str
    create: Callable[[Room], QWidget | Making]
    area: Area
    shortcut: str
    role: Role = Role.VIEWER
    order: int = 0
    stack: int = 0
    icon: str = ""
    perspectives: frozenset[Perspective] = EVERYWHERE
    leads: frozenset[Perspective] = frozenset()
    answers: tuple[str, ...] = ()

    def make(self, room: Room) -> Making:
        """Make the widget; yields after each part, so that the loop can run."""
        made = self.create(room)
        return made if isinstance(made, QWidget) else (yield from made)


@runtime_checkable
class MadeInParts(Protocol):
    """A panel's widget that makes what stands behind its front when it is asked for, or in the background."""

    def make_rest(self) -> Iterator[None]:
        """Make what is not there yet; yields after each part, so that the loop can run."""


@runtime_checkable
class HoldsDraft(Protocol):
    """A panel's widget in which something may be drawn or written that is not saved."""

    @property
    def is_dirty(self) -> bool:
        """There is something to save."""

    def ask_before_closing(self, answered: Callable[[bool], None]) -> None:
        """Ask what becomes of it; `answered` hears whether the window is to be closed then."""


def panel_modules() -> tuple[str, ...]:
    """Return the names of the modules of `app.panels`; none is imported."""
    return tuple(module.name for module in pkgutil.iter_modules(app.panels.__path__, "app.panels."))


def discover_panels() -> tuple[PanelInfo, ...]:
    """Import every module of `app.panels`, and return their declarations as the window furnishes them.

    Raises:
        TypeError: A module declares no panel.
    """
    panels: list[PanelInfo] = []
    for name in panel_modules():
        panel = importlib.import_module(name).PANEL
        if not isinstance(panel, PanelInfo):
            raise TypeError(f"{name}.PANEL is no PanelInfo")
        panels.append(panel)
    return tuple(sorted(panels, key=lambda panel: (list(Area).index(panel.area), panel.order, panel.key)))
