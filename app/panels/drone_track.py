"""A flight in three dimensions: the one that is flown, or the one that is replayed."""

from __future__ import annotations

from PySide6.QtWidgets import QVBoxLayout, QWidget

from app.drone_choice import DroneChoice, ask_flight_so_far
from app.panel import Area, PanelInfo, Perspective
from app.replay import Replay
from app.room import Room
from app.twin_process import TwinProcess
from core.drones.model import DroneState, TrackPoint
from widgets.base.times import format_second
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
        self._choice = DroneChoice(room, self)
        self._replay: Replay | None = None
        self._played: tuple[tuple[TrackPoint, ...], Track] = ((), Track())
        self._tracks: dict[str, Track] = {}
        self._flights: dict[str, str] = {}
        """Flight that the track of a drone begins with, by drone."""

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
        self._choice.changed.connect(self._show)
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
        self._flights = {drone_id: flight for drone_id, flight in self._flights.items() if drone_id in drones}
        self._on_updated(tuple(drones.values()))
        self._show()

    def _on_updated(self, fresh: tuple[DroneState, ...]) -> None:
        is_new = [state.drone_id for state in fresh if self._tracks.setdefault(state.drone_id, Track()).add(state)]
        if self._choice.drone_id in is_new:
            self._show()

    def _ask_flight(self, state: DroneState) -> None:
        """Begin the track with the flight so far, once for each flight."""
        if state.flight_id and self._flights.get(state.drone_id) != state.flight_id:
            self._flights[state.drone_id] = state.flight_id
            ask_flight_so_far(self._room, state, self._on_flight)

    def _on_flight(self, drone_id: str, points: list[TrackPoint]) -> None:
        state = self._room.live.drones.get(drone_id)
        if state is not None:
            self._tracks[drone_id] = Track.of(points)
            self._tracks[drone_id].add(state)
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
            title = f"REPLAY  {self._replay.drone.name}  {format_second(self._replay.at)}"
            self._page.show_track(title, self._played[1], self._replay.at)
            return
        drone_id, state = self._choice.drone_id, self._choice.state
        if state is not None:
            self._ask_flight(state)
        since = "this flight" if state is not None and state.flight_id else "since this console came in"
        title = f"{self._choice.name_of(drone_id)}  {since}" if drone_id else "No drone is known."
        self._page.show_track(title, self._tracks.get(drone_id, Track()), None)


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
