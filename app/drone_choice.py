"""Which drone a panel is about, and what it has flown so far."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject, Signal

from app.room import Room
from core.drones.model import Drone, DroneState, TrackPoint


class DroneChoice(QObject):
    """The drone that was selected last; before that, and once it is removed, the first one: in the air, then by name.

    Signals:
        changed(): It is another one.
    """

    changed = Signal()

    def __init__(self, room: Room, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._room = room
        self._drone_id = ""
        room.selected.connect(self._on_selected)
        room.live.drones_changed.connect(self._on_fleet)
        self._on_fleet()

    @property
    def drone_id(self) -> str:
        """Its id; empty where there is none."""
        return self._drone_id

    @property
    def plan(self) -> Drone | None:
        """As it is set up."""
        return self._room.live.drone_plans.get(self._drone_id)

    @property
    def state(self) -> DroneState | None:
        """As it is."""
        return self._room.live.drones.get(self._drone_id)

    def name_of(self, drone_id: str) -> str:
        """Return what a drone is called."""
        plan = self._room.live.drone_plans.get(drone_id)
        return drone_id if plan is None else plan.name

    def step(self, step: int) -> None:
        """Select the next (1) or previous (-1) one by name, all around."""
        order = self._by_name()
        if order:
            at = order.index(self._drone_id) + step if self._drone_id in order else 0
            self._room.select("drone", order[at % len(order)])

    def _by_name(self) -> list[str]:
        return sorted(self._room.live.drones, key=lambda key: (self.name_of(key).casefold(), key))

    def _on_selected(self, kind: str, item_id: str) -> None:
        self._choose(self._room.drone_of(kind, item_id) or self._drone_id)

    def _on_fleet(self) -> None:
        drones = self._room.live.drones
        if self._drone_id not in drones:
            order = self._by_name()
            self._choose(next((key for key in order if drones[key].is_in_air), next(iter(order), "")))

    def _choose(self, drone_id: str) -> None:
        if drone_id != self._drone_id:
            self._drone_id = drone_id
            self.changed.emit()


def ask_flight_so_far(room: Room, state: DroneState | None, then: Callable[[str, list[TrackPoint]], None]) -> None:
    """Ask for what a drone has flown of its present flight; this console may have come in later."""
    if state is None or not state.flight_id:
        return
    room.ask(
        "drones.history",
        list[TrackPoint],
        then=lambda points: then(state.drone_id, points),
        refused=lambda _error: None,
        flight_id=state.flight_id,
    )
