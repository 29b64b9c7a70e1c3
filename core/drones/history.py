"""What drones flew: flights and tracks as they happen, logs that are brought in, played again and given out."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import chain
from pathlib import Path

from core.access import audit
from core.access.model import Actor, Role
from core.access.permission import require
from core.drones import rows
from core.drones.export import WRITERS, ExportFormat, file_name
from core.drones.flights import FlightLog
from core.drones.imports import IMPORTED, VEHICLE, flights_of, of_drone, reports_of_vehicle, system_of_id
from core.drones.log_files import SUFFIXES
from core.drones.mavlink.player import reports_of
from core.drones.mavlink.raw_log import RawLogs, log_name, system_of
from core.drones.mavlink.tlog import read_tlog_file, stamp
from core.drones.merge import LiveDrone
from core.drones.model import (
    MAX_ID_LENGTH,
    Drone,
    DroneReport,
    DroneState,
    ExportedFile,
    Flight,
    FlightChanged,
    ImportedLog,
    ReplayedState,
    TrackPoint,
)
from core.drones.replay import BEFORE, Replay, reports_of_track
from core.kernel.bus import Bus
from core.kernel.clock import Clock
from core.kernel.errors import BadInputError, ConsoleError, UnavailableError
from core.kernel.ids import new_id
from core.kernel.log import OncePerLoss
from core.store.engine import Store

log = logging.getLogger(__name__)

MAX_LISTED = 500
MAX_IMPORT_BYTES = 512 * 1024 * 1024
MAX_REPLAYS = 8
MAX_WAITING_POINTS = 50_000
ROWS_EVERY_S = 10.0
"""Between two writes of a flight that goes on; its bytes are kept every second."""

EXPORT_PART_BYTES = 512 * 1024
MAX_EXPORTS, MAX_UPLOADS = 8, 8
UNFINISHED_FOR = timedelta(hours=1)
"""What nobody went on with for so long is deleted."""

UNFINISHED = ".part"
RAW, EXPORTED = "raw", "exported"
AFTER = timedelta(seconds=5)
_MAVLINK_PREFIX = "mav-"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Playing:
    """A replay that goes on, and when its log was read."""

    flight: Flight
    replay: Replay
    read_at: datetime


class DroneHistory:
    """Flights and their logs.

    Threads: the node's loop; files are read and written off it.

    Attributes:
        folder: Where all that is kept in files lies.
    """

    def __init__(self, *, store: Store, bus: Bus, clock: Clock, folder: Path) -> None:
        """Keep logs in a folder, which is made when it is needed."""
        self._store = store
        self._bus = bus
        self._clock = clock
        self.folder = folder
        self.raw_logs = RawLogs(folder / RAW)
        self._flights: dict[str, FlightLog] = {}
        self._changed: dict[str, Flight] = {}
        self._points: list[tuple[str, TrackPoint]] = []
        self._turned: set[str] = set()
        self._rows_due_s = 0.0
        self._storing_raw = asyncio.Lock()
        self._replays: dict[str, _Playing] = {}
        self._replaying = asyncio.Lock()
        self._once = OncePerLoss(log)

    # -- as it happens --------------------------------------------------------------------------------------------

    async def restore(self, drone_ids: Iterable[str]) -> dict[str, tuple[Flight, TrackPoint | None]]:
        """Wait for the flights that were flown when the node ended; returns them by drone.

        A flight goes on where its drone is heard again in the air within `LOST_FOR_S`, and ends otherwise where it
        was heard last.
        """
        await asyncio.to_thread(_clear_unfinished, self.folder)
        open_flights = await self._store.read(rows.read_open_flights)
        newest = {flight.drone_id: flight for flight, _ in sorted(open_flights, key=lambda one: one[0].began_at)}
        resumed = {}
        for flight, point in open_flights:
            flight_log = FlightLog(flight.drone_id, log_file=flight.log_file)
            flight_log.resume(flight, point)
            if flight.drone_id in drone_ids and newest[flight.drone_id] is flight:
                self._flights[flight.drone_id] = flight_log
                resumed[flight.drone_id] = (flight, point)
            else:
                self._note(flight_log.finish(flight.began_at, has_lost_end=True), flight_log)
        if resumed:
            log.info("%d flights went on when the node ended: their drones are listened for", len(resumed))
        return resumed

    def drop(self, drone_id: str, heard_at: datetime | None) -> None:
        """End the flight of a drone that is removed, where it was heard last."""
        flight_log = self._flights.pop(drone_id, None)
        if flight_log is not None:
            ended = flight_log.finish(heard_at or self._clock.now(), has_lost_end=True)
            self._note(ended, flight_log)

    def look(self, drone: Drone, live: LiveDrone) -> bool:
        """Go on with a drone's flight; returns whether it took off or landed."""
        state = live.state
        flight_log = self._flights.setdefault(drone.drone_id, FlightLog(drone.drone_id))
        if flight_log.flight is None:
            flight_log.log_file = _raw_name(drone, state)
        turn = flight_log.look(state, self._clock.now())
        if turn is None:
            if flight_log.flight is not None and flight_log.points:
                self._note(flight_log.flight, flight_log)
            return False
        self._note(turn, flight_log)
        self._turned.add(turn.flight_id)
        flies = flight_log.flight is not None
        live.mark(flight_id=turn.flight_id if flies else "", airborne_since=turn.began_at if flies else None)
        return True

    def _note(self, flight: Flight | None, flight_log: FlightLog) -> None:
        if flight is None:
            return
        self._changed[flight.flight_id] = flight
        if flight.ended_at is not None:
            self._turned.add(flight.flight_id)
        if len(self._points) < MAX_WAITING_POINTS:
            self._points += [(flight.flight_id, point) for point in flight_log.points]
        flight_log.points.clear()

    async def keep(self) -> None:
        """Keep what came: bytes and turns of flights at once, the rest of flights every `ROWS_EVERY_S`."""
        await self._store_raw()
        if self._turned or self._clock.monotonic() >= self._rows_due_s:
            await self._store_rows()

    async def store_new(self) -> None:
        """Bring flights, points and raw bytes to database and disk; what they do not take is tried again."""
        await self._store_raw()
        await self._store_rows()

    async def _store_rows(self) -> None:
        self._rows_due_s = self._clock.monotonic() + ROWS_EVERY_S
        if not self._changed:
            return
        flights, self._changed = self._changed, {}
        points, self._points = self._points, []
        turned, self._turned = self._turned, set()
        try:
            await self._store.write(partial(rows.save_flights, flights=tuple(flights.values()), points=points))
        except ConsoleError as error:
            self._changed = flights | self._changed
            self._points = points + self._points
            self._turned |= turned
            self._once.lost("flights", f"flights wait for the database: {error}")
            return
        self._once.back("flights", "flights are stored again")
        for flight_id in turned:
            self._bus.publish(FlightChanged(flights[flight_id]))

    async def _store_raw(self) -> None:
        async with self._storing_raw:
            taken = self.raw_logs.take()
            if not taken:
                return
            try:
                await asyncio.to_thread(self.raw_logs.store, taken)
            except OSError as error:
                self.raw_logs.give_back(taken)
                reason = error.strerror or str(error)
                self.raw_logs.fault = f"What drones send is not kept: {reason}."
                self._once.lost("raw", f"what drones send is not kept: {error}")
                return
            self.raw_logs.fault = ""
            self._once.back("raw", "what drones send is kept again")

    async def forget(self, before: datetime) -> None:
        """Delete raw logs that are older, and what nobody fetched or went on with; flights and tracks stay."""
        try:
            await asyncio.to_thread(self.raw_logs.forget, before)
            await asyncio.to_thread(_clear_unfinished, self.folder, self._clock.now() - UNFINISHED_FOR)
        except OSError as error:
            self._once.lost("old logs", f"old logs of drones are not deleted: {error}")
        else:
            self._once.back("old logs", "old logs of drones are deleted again")

    # -- what is known --------------------------------------------------------------------------------------------

    async def flights(
        self, drone_id: str = "", *, since: datetime | None = None, until: datetime | None = None
    ) -> tuple[Flight, ...]:
        """Return flights, the newest first, at most `MAX_LISTED`."""
        await self.store_new()
        return await self._store.read(
            partial(rows.read_flights, drone_id=drone_id, since=since, until=until, limit=MAX_LISTED)
        )

    async def track(self, flight_id: str) -> tuple[TrackPoint, ...]:
        """Return a flight's points in order."""
        await self.store_new()
        return await self._store.read(partial(rows.read_track, flight_id=flight_id))

    # -- once more ------------------------------------------------------------------------------------------------

    async def replay(self, flight_id: str, at: datetime) -> ReplayedState:
        """Return what was known of a drone at an instant of its flight.

        Raises:
            BadInputError: There is no such flight, or its log is gone and it has no track.
        """
        async with self._replaying:
            known = self._replays.pop(flight_id, None)
            # The log of a flight that is still flown grows: what came since is read with it.
            if known is None or (known.flight.ended_at is None and at > known.read_at):
                flight = await self._store.read(partial(rows.read_flight, flight_id=flight_id))
                track = await self.track(flight_id)
                replay = await asyncio.to_thread(self._make_replay, flight, track)
                known = _Playing(flight=flight, replay=replay, read_at=self._clock.now())
            self._replays[flight_id] = known
            while len(self._replays) > MAX_REPLAYS:
                del self._replays[next(iter(self._replays))]
            state = await asyncio.to_thread(known.replay.state_at, at)
        return ReplayedState(flight=known.flight, at=at, state=state)

    def _make_replay(self, flight: Flight, track: tuple[TrackPoint, ...]) -> Replay:
        def reports() -> Iterator[DroneReport]:
            entries = self._raw_entries(flight)
            first = next(entries, None)
            if first is not None:
                return _named(reports_of(chain((first,), entries), "log"), flight.drone_id)
            name, _, vehicle = flight.log_file.partition(VEHICLE)
            file = self.folder / name
            if name.startswith(IMPORTED) and file.exists():
                return reports_of_vehicle(file, vehicle, flight.drone_id)
            return reports_of_track(flight, track)

        return Replay(flight.drone_id, reports)

    def _raw_entries(self, flight: Flight) -> Iterator[tuple[datetime, bytes]]:
        kind, _, rest = flight.log_file.partition("/")
        log_name, _, system = rest.rpartition("/")
        if kind != RAW or not system.isdecimal():
            return iter(())
        until = (flight.ended_at or self._clock.now()) + AFTER
        return self.raw_logs.read(log_name, flight.began_at - BEFORE, until, system=int(system))

    # -- given out ------------------------------------------------------------------------------------------------

    async def export(self, actor: Actor, flight_id: str, kind: ExportFormat, drone: Drone | None) -> ExportedFile:
        """Write a flight as a file of another program; its bytes are fetched by `export_part`.

        Raises:
            NotPermittedError: The actor is no operator.
            BadInputError: There is no such flight, or its bytes are not kept.
        """
        require(actor, Role.OPERATOR)
        flight = await self._store.read(partial(rows.read_flight, flight_id=flight_id))
        name = drone.name if drone is not None else flight.drone_id
        track = () if kind is ExportFormat.TLOG else await self.track(flight_id)
        export_id = new_id()
        try:
            n_bytes = await asyncio.to_thread(self._write_export, export_id, flight, name, kind, track)
        except OSError as error:
            raise UnavailableError(
                f"The node cannot write the file ({error.strerror}).", hint="Make room on the node's disk."
            ) from error
        await audit.record(
            self._store,
            self._clock,
            actor,
            action="drones.export",
            subject=f"flight {flight_id} of {name}",
            detail=f"{kind}, {n_bytes} bytes",
        )
        return ExportedFile(export_id=export_id, name=file_name(drone, flight, kind), n_bytes=n_bytes)

    async def export_part(self, actor: Actor, export_id: str, first: int) -> bytes:
        """Return the bytes of an exported file from a place on, at most `EXPORT_PART_BYTES`; none at its end.

        Raises:
            NotPermittedError: The actor is no operator.
            BadInputError: The file is not kept any more.
        """
        require(actor, Role.OPERATOR)
        if not export_id.isalnum() or first < 0:
            raise _export_gone()
        try:
            return await asyncio.to_thread(_read_part, self.folder / EXPORTED / export_id, first)
        except OSError as error:
            raise _export_gone() from error

    def _write_export(
        self, export_id: str, flight: Flight, name: str, kind: ExportFormat, track: tuple[TrackPoint, ...]
    ) -> int:
        folder = self.folder / EXPORTED
        folder.mkdir(parents=True, exist_ok=True)
        for old in sorted(folder.iterdir())[: -(MAX_EXPORTS - 1)]:
            old.unlink(missing_ok=True)
        pieces = self._raw_pieces(flight) if kind is ExportFormat.TLOG else (WRITERS[kind](flight, name, track),)
        file = folder / export_id
        try:
            with file.open("wb") as out:
                for piece in pieces:
                    out.write(piece)
        except (OSError, BadInputError):
            file.unlink(missing_ok=True)
            raise
        return file.stat().st_size

    def _raw_pieces(self, flight: Flight) -> Iterator[bytes]:
        n_messages = 0
        for at, data in self._raw_entries(flight):
            n_messages += 1
            yield stamp(at) + data
        if n_messages:
            return
        name, _, vehicle = flight.log_file.partition(VEHICLE)
        file = self.folder / name
        if not name.endswith(".tlog") or not file.exists():
            raise BadInputError(
                "The bytes of this flight are not kept as a telemetry log.", hint="Choose GPX, KML, GeoJSON or CSV."
            )
        system = system_of_id(vehicle)
        for at, data in read_tlog_file(file):
            if system in (None, system_of(data)):
                yield stamp(at) + data

    # -- brought in -----------------------------------------------------------------------------------------------

    async def import_part(
        self, actor: Actor, *, upload_id: str, name: str, data: bytes, is_last: bool, drone_id: str = ""
    ) -> ImportedLog:
        """Take a log in parts; with the last one it is read.

        Args:
            actor: Who brings it.
            upload_id: The same for all parts of one file, chosen by the sender.
            name: Of the file; its ending says what it is.
            data: The next part.
            is_last: Nothing follows.
            drone_id: Whose flights these are; empty makes drones of the file's name.

        Returns:
            What it holds; nothing before the last part.

        Raises:
            NotPermittedError: The actor is no operator.
            BadInputError: It is no flight log, or too large, or nothing can be called that.
        """
        require(actor, Role.OPERATOR)
        plain = Path(name).name
        if Path(plain).suffix.lower() not in SUFFIXES or not upload_id.isalnum() or len(upload_id) > 40:
            raise BadInputError(f"{plain[:80]} is no flight log.", hint="Choose a .tlog, .ulg or .bin file.")
        if len(drone_id) > MAX_ID_LENGTH or not drone_id.isprintable() or drone_id != drone_id.strip():
            raise BadInputError(
                f"A drone's id has at most {MAX_ID_LENGTH} printable characters.", hint="Choose a drone of the list."
            )
        part = self.folder / IMPORTED / f"{upload_id}{UNFINISHED}"
        await asyncio.to_thread(_append, part, data)
        if not is_last:
            return ImportedLog()
        kept = part.with_name(f"{new_id()}{Path(plain).suffix.lower()}")
        await asyncio.to_thread(part.replace, kept)
        return await self._read_in(actor, kept, plain, drone_id)

    async def import_file(self, actor: Actor, file: Path, drone_id: str = "") -> ImportedLog:
        """Take a log of this machine; as `import_part`."""
        data = await asyncio.to_thread(file.read_bytes)
        return await self.import_part(
            actor, upload_id=new_id(), name=file.name, data=data, is_last=True, drone_id=drone_id
        )

    async def _read_in(self, actor: Actor, file: Path, name: str, drone_id: str) -> ImportedLog:
        kept_as = f"{IMPORTED}/{file.name}"
        try:
            read = await asyncio.to_thread(flights_of, file, name, kept_as, drone_id)
        except BadInputError:
            await asyncio.to_thread(file.unlink)
            raise
        found = read.flights
        await self._store.write(partial(rows.save_flights, flights=found, points=read.points))
        await audit.record(
            self._store,
            self._clock,
            actor,
            action="drones.import",
            subject=", ".join(dict.fromkeys(flight.drone_id for flight in found))[:200] or drone_id,
            detail=f"{name[:80]}, {len(found)} flights",
        )
        for flight in found:
            self._bus.publish(FlightChanged(flight))
        return ImportedLog(flights=found, notes=read.notes)


def _append(part: Path, data: bytes) -> None:
    part.parent.mkdir(parents=True, exist_ok=True)
    n_unfinished = sum(one != part for one in part.parent.glob(f"*{UNFINISHED}"))
    if n_unfinished >= MAX_UPLOADS:
        raise BadInputError(
            f"{MAX_UPLOADS} logs are being brought in at once.", hint="Wait until one of them is through."
        )
    with part.open("ab") as file:
        is_too_large = file.tell() + len(data) > MAX_IMPORT_BYTES
        if not is_too_large:
            file.write(data)
    if is_too_large:
        part.unlink()
        raise BadInputError(
            f"A log larger than {MAX_IMPORT_BYTES // 1024**2} MB is not taken.", hint="Split it, or thin it."
        )


def _clear_unfinished(folder: Path, before: datetime | None = None) -> None:
    """Delete uploads that nobody went on with, and exported files."""
    for file in (*(folder / IMPORTED).glob(f"*{UNFINISHED}"), *(folder / EXPORTED).glob("*")):
        if before is None or file.stat().st_mtime < before.timestamp():
            file.unlink(missing_ok=True)


def _read_part(file: Path, first: int) -> bytes:
    with file.open("rb") as exported:
        exported.seek(first)
        return exported.read(EXPORT_PART_BYTES)


def _export_gone() -> BadInputError:
    return BadInputError("The exported file is not kept any more.", hint="Export the flight again.")


def _named(reports: Iterator[DroneReport], drone_id: str) -> Iterator[DroneReport]:
    """Yield reports of one system under the id that it had then."""
    return (of_drone(report, drone_id) for report in reports)


def _raw_name(drone: Drone, state: DroneState) -> str:
    """Return where the bytes of a drone are kept: by the link that is used, and its system number."""
    used = next((link.link_id for link in state.links if link.is_used), "")
    if drone.system_id is None or not used or not drone.drone_id.startswith(_MAVLINK_PREFIX):
        return ""
    return f"{RAW}/{log_name(used, drone.drone_id)}/{drone.system_id}"
