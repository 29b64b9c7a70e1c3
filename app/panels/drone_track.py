"""A flight in three dimensions: the one that is flown, or the one that is replayed."""

from __future__ import annotations

from PySide6.QtWidgets import QVBoxLayout, QWidget

from app.panel import Area, PanelInfo, Perspective
from app.replay import Replay
from app.room import Room
from app.twin_process import TwinProcess
from core.drones.model import DroneState, TrackPoint
from widgets.drones.track_drawing import draw_track_for
from widgets.drones.track_view import TrackPage
from widgets.map.tracks import Track


def create(room: Room) -> QWidget:
    """Build the page and connect it."""
    return _DroneTrack(room)


class _DroneTrack(QWidget):
    """Keeps the drawing process while somebody looks."""

    def __init__(self, room: Room) -> None:
        super().__init__()
        self._room = room
        self._drone_id = ""
        self._replay: Replay | None = None
        self._played: tuple[tuple[TrackPoint, ...], Track] = ((), Track())
        self._tracks: dict[str, Track] = {}
        self._page = TrackPage(self)
        self._process = TwinProcess(self._page.view.options, self, draw_track_for)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._page)
        self._connect()

    def _connect(self) -> None:
        page, process, room = self._page, self._process, self._room
        page.looked_at.connect(self._on_looked_at)
        page.ordered.connect(process.send)
        process.picture.connect(page.show_picture)
        process.started_again.connect(page.say_everything)
        process.failed.connect(page.show_failed)
        room.live.drones_changed.connect(self._on_fleet)
        room.live.drones_updated.connect(self._on_updated)
        room.selected.connect(self._on_selected)
        room.replay_moved.connect(self._on_replay)
        room.closing.connect(process.close)

    def _on_looked_at(self) -> None:
        if not self._process.is_running:
            self._process.start()
        self._show()

    def _on_fleet(self) -> None:
        """Take the fleet over; who was removed has no track any more."""
        drones = self._room.live.drones
        self._tracks = {drone_id: track for drone_id, track in self._tracks.items() if drone_id in drones}
        if self._drone_id not in drones:
            self._drone_id = ""
        self._on_updated(tuple(drones.values()))

    def _on_updated(self, fresh: tuple[DroneState, ...]) -> None:
        self._drone_id = self._drone_id or (fresh[0].drone_id if fresh else "")
        is_new = [state.drone_id for state in fresh if self._tracks.setdefault(state.drone_id, Track()).add(state)]
        if self._drone_id in is_new:
            self._show()

    def _on_selected(self, kind: str, item_id: str) -> None:
        drone_id = self._room.drone_of(kind, item_id)
        if drone_id:
            self._drone_id = drone_id
            self._show()

    def _on_replay(self, replay: Replay | None) -> None:
        self._replay = replay
        if replay is not None and self._played[0] is not replay.track:
            self._played = (replay.track, Track.of(replay.track))
        self._show()

    def _show(self) -> None:
        if not self.isVisible():
            return
        if self._replay is not None:
            title = f"REPLAY  {self._replay.drone.name}  {self._replay.at.astimezone():%Y-%m-%d %H:%M:%S}"
            self._page.show_track(title, self._played[1], self._replay.at)
            return
        track = self._tracks.get(self._drone_id)
        if track is not None:
            plan = self._room.live.drone_plans.get(self._drone_id)
            name = self._drone_id if plan is None else plan.name
            self._page.show_track(f"{name}  since this console came in", track, None)


PANEL = PanelInfo(
    key="drone_track",
    title="Drone 3D",
    create=create,
    area=Area.CENTER,
    shortcut="Ctrl+Shift+X",
    icon="drone",
    order=11,
    perspectives=frozenset({Perspective.DRONES}),
)
