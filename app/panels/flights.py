"""Flights: what drones flew, once more on map and page, as files for others, and logs of others taken in."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from PySide6.QtCore import QTimer
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QVBoxLayout, QWidget

from app.panel import Area, PanelInfo, Perspective
from app.replay import Replay
from app.room import Room
from core.drones.export import ExportFormat
from core.drones.model import Drone, ExportedFile, Flight, ImportedLog, ReplayedState, TrackPoint
from core.kernel.errors import ConsoleError
from core.kernel.ids import new_id
from widgets.base.file_dialogs import ask_files, ask_target
from widgets.drones.flights import LOG_ENDINGS, FlightsPage

ANEW_AFTER_MS = 5_000
PART_BYTES = 512 * 1024


def create(room: Room) -> QWidget:
    """Build the page and connect it."""
    return _Flights(room)


class _Flights(QWidget):
    """Asks for flights while somebody looks, and plays one."""

    def __init__(self, room: Room) -> None:
        super().__init__()
        self._room = room
        self._flights: dict[str, Flight] = {}
        self._played: Flight | None = None
        self._track: tuple[TrackPoint, ...] = ()
        self._is_asking = False
        self._wanted_at: datetime | None = None
        self._page = FlightsPage(parent=self)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._page)
        self._anew = QTimer(self)
        self._anew.setInterval(ANEW_AFTER_MS)
        self._anew.timeout.connect(self._on_time)
        self._connect()

    def _connect(self) -> None:
        page, room = self._page, self._room
        page.flights_wanted.connect(lambda _drone_id: self._ask())
        page.replay_wanted.connect(self._on_replay)
        page.moment_changed.connect(self._on_moment)
        page.replay_ended.connect(self._on_ended)
        page.export_wanted.connect(self._on_export)
        page.import_wanted.connect(self._on_import)
        page.files_dropped.connect(self._import)
        room.live.drone_plans_changed.connect(lambda: page.show_drones(room.live.drone_plans))
        room.connection.snapshot_received.connect(lambda _snapshot: self._ask())
        room.node_lost.connect(page.show_refused)
        room.closing.connect(self._anew.stop)
        room.closing.connect(page.bar.close_timers)
        page.show_drones(room.live.drone_plans)

    # -- the list ----------------------------------------------------------------------------------------------------

    def showEvent(self, event: QShowEvent) -> None:
        """Ask while somebody looks."""
        super().showEvent(event)
        self._ask()
        self._anew.start()

    def _on_time(self) -> None:
        if self.isVisible():
            self._ask()
        else:
            self._anew.stop()

    def _ask(self) -> None:
        if not self.isVisible() or self._room.connection.session is None:
            return
        self._room.ask(
            "drones.flights",
            list[Flight],
            then=self._on_flights,
            refused=lambda error: self._page.show_refused(error.message),
            drone_id=self._page.drone_id,
        )

    def _on_flights(self, flights: list[Flight]) -> None:
        self._flights = {flight.flight_id: flight for flight in flights}
        self._page.show_flights(flights)

    # -- once more ---------------------------------------------------------------------------------------------------

    def _on_replay(self, flight_id: str) -> None:
        flight = self._flights.get(flight_id)
        if flight is None:
            return
        self._room.ask(
            "drones.history",
            list[TrackPoint],
            then=lambda points: self._play(flight, tuple(points)),
            flight_id=flight_id,
        )

    def _play(self, flight: Flight, track: tuple[TrackPoint, ...]) -> None:
        ended_at = flight.ended_at or (track[-1].at if track else flight.began_at)
        self._played, self._track = flight, track
        self._room.select("drone", flight.drone_id)
        length_s = (ended_at - flight.began_at).total_seconds()
        self._page.bar.start(self._drone_of(flight).name, flight.began_at, length_s)

    def _on_moment(self, at: datetime) -> None:
        """Ask for this moment, one question at a time: of those that come meanwhile the last one counts."""
        self._wanted_at = at
        if not self._is_asking:
            self._ask_moment()

    def _ask_moment(self) -> None:
        at, self._wanted_at = self._wanted_at, None
        flight = self._played
        if at is None or flight is None:
            return
        self._is_asking = True
        self._room.ask(
            "drones.replay",
            ReplayedState,
            then=self._on_replayed,
            refused=self._on_replay_refused,
            flight_id=flight.flight_id,
            at=at,
        )

    def _on_replayed(self, replayed: ReplayedState) -> None:
        self._is_asking = False
        if self._played is None or replayed.flight.flight_id != self._played.flight_id:
            self._ask_moment()
            return
        drone = self._drone_of(replayed.flight)
        self._room.replay_moved.emit(Replay(drone=drone, state=replayed.state, at=replayed.at, track=self._track))
        self._ask_moment()

    def _on_replay_refused(self, error: ConsoleError) -> None:
        self._is_asking = False
        self._wanted_at = None
        self._page.bar.end()
        self._room.toast(error.message, error.hint)

    def _on_ended(self) -> None:
        self._played, self._wanted_at = None, None
        self._room.replay_moved.emit(None)

    def _drone_of(self, flight: Flight) -> Drone:
        known = self._room.live.drone_plans.get(flight.drone_id)
        return known or Drone(drone_id=flight.drone_id, name=flight.drone_id)

    # -- files -------------------------------------------------------------------------------------------------------

    def _on_export(self, flight_id: str, form: ExportFormat) -> None:
        flight = self._flights.get(flight_id)
        if flight is not None:
            self._room.ask("drones.export", ExportedFile, then=self._ask_where, flight_id=flight.flight_id, form=form)

    def _ask_where(self, exported: ExportedFile) -> None:
        def write(file: Path) -> None:
            self._room.run(self._write(file, exported))

        ask_target(self, "Export a flight", exported.name, "", write)

    async def _write(self, file: Path, exported: ExportedFile) -> None:
        """Fetch a file in parts, so that alarms come through in between; it stands there whole or not at all."""
        unfinished = file.with_name(f"{file.name}.part")
        try:
            with await asyncio.to_thread(unfinished.open, "wb") as out:
                await self._fetch(exported, out)
            await asyncio.to_thread(unfinished.replace, file)
        except OSError as error:
            raise ConsoleError(
                f"{file.name} cannot be written: {error.strerror}.", hint="Choose another folder."
            ) from error
        finally:
            with contextlib.suppress(OSError):
                await asyncio.to_thread(unfinished.unlink, missing_ok=True)
        self._room.toast(f"The flight is in {file.name}.")

    async def _fetch(self, exported: ExportedFile, out: BinaryIO) -> None:
        n_bytes = 0
        while n_bytes < exported.n_bytes:
            part = await self._room.connection.call(
                "drones.export_part", bytes, export_id=exported.export_id, first=n_bytes
            )
            if not part:
                raise ConsoleError("The file came in pieces and broke off.", hint="Export the flight again.")
            await asyncio.to_thread(out.write, part)
            n_bytes += len(part)

    def _on_import(self) -> None:
        endings = " ".join(f"*{ending}" for ending in LOG_ENDINGS)
        ask_files(self, "Import flight logs", f"Flight logs ({endings})", self._import)

    def _import(self, files: Iterable[str | Path]) -> None:
        self._room.run(self._take_in(tuple(Path(file) for file in files)))

    async def _take_in(self, files: tuple[Path, ...]) -> None:
        """Bring logs in one after the other, and report of each what came of it."""
        said: list[str] = []
        for file in files:
            self._page.show_report("  ".join([*said, f"{file.name} is read…"]))
            said.append(await self._take_one(file))
        self._page.show_report("  ".join(said))
        self._ask()

    async def _take_one(self, file: Path) -> str:
        try:
            log = await self._send(file)
        except OSError as error:
            return f"{file.name}: cannot be read ({error.strerror})."
        except ConsoleError as error:
            return f"{file.name}: {error.message} {error.hint}".strip()
        n_points = sum(flight.n_points for flight in log.flights)
        words = "1 flight" if len(log.flights) == 1 else f"{len(log.flights)} flights"
        return " ".join((f"{file.name}: {words}, {n_points:,} points.", *log.notes))

    async def _send(self, file: Path) -> ImportedLog:
        """Send a log in parts, so that the link has room for alarms in between."""
        data = await asyncio.to_thread(file.read_bytes)
        upload_id, log = new_id(), ImportedLog()
        for first in range(0, max(1, len(data)), PART_BYTES):
            part = data[first : first + PART_BYTES]
            is_last = first + PART_BYTES >= len(data)
            log = await self._room.connection.call(
                "drones.import",
                ImportedLog,
                upload_id=upload_id,
                name=file.name,
                data=part,
                is_last=is_last,
            )
        return log


PANEL = PanelInfo(
    key="flights",
    title="Flights",
    create=create,
    area=Area.BOTTOM,
    shortcut="Ctrl+Shift+Y",
    icon="drone",
    order=1,
    perspectives=frozenset({Perspective.DRONES}),
)
