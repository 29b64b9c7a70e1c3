"""One drone's page: how it flies, how it is heard, and what it said."""

from __future__ import annotations

from PySide6.QtWidgets import QVBoxLayout, QWidget

from app.drone_choice import DroneChoice
from app.panel import Area, PanelInfo, Perspective
from app.replay import Replay
from app.room import Room
from core.cameras.model import Camera
from core.drones.model import DroneState
from widgets.drones.history import QuantityHistory
from widgets.drones.page import DronePage


def create(room: Room) -> QWidget:
    """Build the page and connect it."""
    return _DronePanel(room)


class _DronePanel(QWidget):
    """Shows the drone that was selected last; the first one where none was."""

    def __init__(self, room: Room) -> None:
        super().__init__()
        self._room = room
        self._choice = DroneChoice(room, self)
        self._replay: Replay | None = None
        self._replayed = QuantityHistory()
        self._history = QuantityHistory()
        self._page = DronePage(self._history)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._page)
        live = room.live
        live.drones_changed.connect(self._on_drones)
        live.drones_updated.connect(self._on_updated)
        live.drone_plans_changed.connect(self._show)
        live.drone_links_changed.connect(self._on_links)
        self._choice.changed.connect(self._show)
        room.replay_moved.connect(self._on_replay)
        room.node_lost.connect(self._page.show_lost)
        room.node_back.connect(self._page.show_current)
        room.role_changed.connect(self._page.set_role)
        self._page.step_wanted.connect(self._choice.step)
        self._page.video_wanted.connect(self._on_video_wanted)
        self._page.set_role(room.role)
        self._on_drones()
        self._on_links()

    def _on_drones(self) -> None:
        self._history.keep_only(self._room.live.drones)
        self._history.add(self._room.live.drones.values())
        self._show()

    def _on_updated(self, fresh: tuple[DroneState, ...]) -> None:
        self._history.add(fresh)
        if any(state.drone_id == self._choice.drone_id for state in fresh):
            self._show()

    def _on_links(self) -> None:
        self._page.show_links({link.link_id: link for link in self._room.live.drone_links})

    def _on_replay(self, replay: Replay | None) -> None:
        before, self._replay = self._replay, replay
        if replay is None or before is None or replay.at < before.at or replay.track is not before.track:
            self._replayed.clear()
        if replay is not None:
            self._replayed.add((replay.state,))
        self._page.charts.show_history(self._history if replay is None else self._replayed)
        self._show()

    def _on_video_wanted(self, drone_id: str) -> None:
        self._room.ask("drones.add_video", Camera, then=self._on_video_added, drone_id=drone_id)

    def _on_video_added(self, camera: Camera) -> None:
        self._room.toast(f"{camera.name} is a camera now.")
        self._room.camera_called.emit(camera.camera_id, False)

    def _show(self) -> None:
        if self._replay is not None:
            self._page.show_replayed(self._replay.drone, self._replay.state, self._replay.at)
            return
        self._page.show_drone(self._choice.plan, self._choice.state)


PANEL = PanelInfo(
    key="drone",
    title="Drone",
    create=create,
    area=Area.CENTER,
    shortcut="Ctrl+Shift+J",
    icon="drone",
    order=10,
    perspectives=frozenset({Perspective.DRONES}),
    leads=frozenset({Perspective.DRONES}),
)
