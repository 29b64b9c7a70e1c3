"""What drones flew: flights and tracks as they happen, logs that are brought in, played again and given out."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from core.access import audit
from core.access.model import Actor, Role
from core.access.permission import require
from core.drones import rows
from core.drones.export import WRITERS, ExportFormat, file_name
from core.drones.flights import FlightLog
from core.drones.log_files import SUFFIXES, read_log
from core.drones.mavlink.player import reports_of
from core.drones.mavlink.raw_log import RawLogs
from core.drones.mavlink.tlog import stamp
from core.drones.merge import LiveDrone
from core.drones.model import (
    Drone,
    DroneReport,
    DroneState,
    ExportedFile,
    Flight,
    FlightChanged,
    ReplayedState,
    TrackPoint,
)
from core.drones.replay import BEFORE, Replay, reports_of_track
from core.kernel.bus import Bus
from core.kernel.clock import Clock
from core.kernel.errors import BadInputError, ConsoleError
from core.kernel.ids import new_id
from core.kernel.log import OncePerLoss
from core.store.engine import Store

log = logging.getLogger(__name__)

MAX_LISTED = 500
MAX_IMPORT_BYTES = 512 * 1024 * 1024
MAX_REPLAYS = 8
MAX_WAITING_POINTS = 50_000
RAW, IMPORTED = "raw", "imported"
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
    """

    def __init__(self, *, store: Store, bus: Bus, clock: Clock, folder: Path) -> None:
        """Keep logs in a folder, which is made when it is needed."""
        self._store = store
        self._bus = bus
        self._clock = clock
        self._folder = folder
        self.raw_logs = RawLogs(folder / RAW)
        self._flights: dict[str, FlightLog] = {}
        self._changed: dict[str, Flight] = {}
        self._points: list[tuple[str, TrackPoint]] = []
        self._replays: dict[str, _Playing] = {}
        self._replaying = asyncio.Lock()
        self._once = OncePerLoss(log)

    # -- as it happens --------------------------------------------------------------------------------------------

    async def restore(self) -> None:
        """End the flights that were flown when the node ended."""
        n_closed = await self._store.write(rows.close_open_flights)
        if n_closed:
            log.info("%d flights went on when the node ended: their ends were not seen", n_closed)

    def look(self, drone: Drone, live: LiveDrone) -> bool:
        """Go on with a drone's flight; returns whether it took off or landed."""
        state = live.state
        flight_log = self._flights.setdefault(drone.drone_id, FlightLog(drone.drone_id))
        if flight_log.flight is None:
            flight_log.log_file = _raw_name(drone, state)
        turn = flight_log.look(state, self._clock.now())
        current = turn or flight_log.flight
        if current is not None:
            self._changed[current.flight_id] = current
            if len(self._points) < MAX_WAITING_POINTS:
                self._points += [(current.flight_id, point) for point in flight_log.points]
            flight_log.points.clear()
        if turn is None:
            return False
        flies = flight_log.flight is not None
        live.mark(flight_id=turn.flight_id if flies else "", airborne_since=turn.began_at if flies else None)
        return True

    async def store_new(self) -> None:
        """Bring flights, points and raw bytes to database and disk; what they do not take is tried again."""
        await self._store_raw()
        if not self._changed:
            return
        flights, self._changed = self._changed, {}
        points, self._points = self._points, []
        try:
            await self._store.write(partial(rows.save_flights, flights=tuple(flights.values()), points=points))
        except ConsoleError as error:
            self._changed = flights | self._changed
            self._points = points + self._points
            self._once.lost("flights", f"flights wait for the database: {error}")
            return
        self._once.back("flights", "flights are stored again")
        for flight in flights.values():
            self._bus.publish(FlightChanged(flight))

    async def _store_raw(self) -> None:
        taken = self.raw_logs.take()
        if not taken:
            return
        try:
            await asyncio.to_thread(self.raw_logs.store, taken)
        except OSError as error:
            self._once.lost("raw", f"what drones send is not kept: {error}")
            return
        self._once.back("raw", "what drones send is kept again")

    async def forget(self, before: datetime) -> None:
        """Delete raw logs that are older; flights and tracks stay."""
        try:
            await asyncio.to_thread(self.raw_logs.forget, before)
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
            if entries:
                return _named(reports_of(entries, "log"), flight.drone_id)
            file = self._folder / flight.log_file
            if flight.log_file.startswith(IMPORTED) and file.exists():
                return read_log(file, flight.drone_id)
            return reports_of_track(flight, track)

        return Replay(flight.drone_id, reports)

    def _raw_entries(self, flight: Flight) -> list[tuple[datetime, bytes]]:
        kind, _, rest = flight.log_file.partition("/")
        link_id, _, system = rest.rpartition("/")
        if kind != RAW or not system.isdecimal():
            return []
        until = (flight.ended_at or self._clock.now()) + AFTER
        return list(self.raw_logs.read(link_id, flight.began_at - BEFORE, until, system=int(system)))

    # -- given out ------------------------------------------------------------------------------------------------

    async def export(self, actor: Actor, flight_id: str, kind: ExportFormat, drone: Drone | None) -> ExportedFile:
        """Write a flight as a file of another program.

        Raises:
            NotPermittedError: The actor is no operator.
            BadInputError: There is no such flight, or its bytes are not kept.
        """
        require(actor, Role.OPERATOR)
        flight = await self._store.read(partial(rows.read_flight, flight_id=flight_id))
        name = drone.name if drone is not None else flight.drone_id
        if kind is ExportFormat.TLOG:
            data = await asyncio.to_thread(self._raw_bytes, flight)
        else:
            track = await self.track(flight_id)
            data = await asyncio.to_thread(WRITERS[kind], flight, name, track)
        await audit.record(
            self._store,
            self._clock,
            actor,
            action="drones.export",
            subject=f"flight {flight_id} of {name}",
            detail=f"{kind}, {len(data)} bytes",
        )
        return ExportedFile(name=file_name(drone, flight, kind), data=data)

    def _raw_bytes(self, flight: Flight) -> bytes:
        entries = self._raw_entries(flight)
        if entries:
            return b"".join(stamp(at) + data for at, data in entries)
        file = self._folder / flight.log_file
        if flight.log_file.endswith(".tlog") and file.exists():
            return file.read_bytes()
        raise BadInputError(
            "The bytes of this flight are not kept as a telemetry log.", hint="Choose GPX, KML, GeoJSON or CSV."
        )

    # -- brought in -----------------------------------------------------------------------------------------------

    async def import_part(
        self, actor: Actor, *, upload_id: str, name: str, data: bytes, is_last: bool, drone_id: str = ""
    ) -> tuple[Flight, ...]:
        """Take a log in parts; with the last one it is read.

        Args:
            actor: Who brings it.
            upload_id: The same for all parts of one file, chosen by the sender.
            name: Of the file; its ending says what it is.
            data: The next part.
            is_last: Nothing follows.
            drone_id: Whose flights these are; empty makes a drone of the file's name.

        Returns:
            The flights that it holds; empty before the last part.

        Raises:
            NotPermittedError: The actor is no operator.
            BadInputError: It is no flight log, or too large.
        """
        require(actor, Role.OPERATOR)
        plain = Path(name).name
        if Path(plain).suffix.lower() not in SUFFIXES or not upload_id.isalnum() or len(upload_id) > 40:
            raise BadInputError(f"{plain[:80]} is no flight log.", hint="Choose a .tlog, .ulg or .bin file.")
        part = self._folder / IMPORTED / f"{upload_id}.part"
        await asyncio.to_thread(_append, part, data)
        if not is_last:
            return ()
        kept = part.with_name(f"{new_id()}{Path(plain).suffix.lower()}")
        await asyncio.to_thread(part.replace, kept)
        return await self._read_in(actor, kept, plain, drone_id or f"file {Path(plain).stem}"[:64])

    async def import_file(self, actor: Actor, file: Path, drone_id: str = "") -> tuple[Flight, ...]:
        """Take a log of this machine; as `import_part`."""
        data = await asyncio.to_thread(file.read_bytes)
        return await self.import_part(
            actor, upload_id=new_id(), name=file.name, data=data, is_last=True, drone_id=drone_id
        )

    async def _read_in(self, actor: Actor, file: Path, name: str, drone_id: str) -> tuple[Flight, ...]:
        try:
            flights, points = await asyncio.to_thread(_flights_of, file, drone_id)
        except BadInputError:
            await asyncio.to_thread(file.unlink)
            raise
        kept_as = f"{IMPORTED}/{file.name}"
        found = tuple(replace(flight, source=name, log_file=kept_as) for flight in flights)
        await self._store.write(partial(rows.save_flights, flights=found, points=points))
        await audit.record(
            self._store,
            self._clock,
            actor,
            action="drones.import",
            subject=drone_id,
            detail=f"{name[:80]}, {len(found)} flights",
        )
        for flight in found:
            self._bus.publish(FlightChanged(flight))
        return found


def _append(part: Path, data: bytes) -> None:
    part.parent.mkdir(parents=True, exist_ok=True)
    with part.open("ab") as file:
        if file.tell() + len(data) > MAX_IMPORT_BYTES:
            file.truncate(0)
            raise BadInputError(
                f"A log larger than {MAX_IMPORT_BYTES // 1024**2} MB is not taken.", hint="Split it, or thin it."
            )
        file.write(data)


def _flights_of(file: Path, drone_id: str) -> tuple[list[Flight], list[tuple[str, TrackPoint]]]:
    """Return what a file holds: its flights, or where nobody took off one that spans its track."""
    flights: list[Flight] = []
    points: list[tuple[str, TrackPoint]] = []
    live, flight_log = LiveDrone(drone_id), FlightLog(drone_id)
    whole = FlightLog(drone_id, is_forced=True)
    at: datetime | None = None
    for report in read_log(file, drone_id):
        at = report.at
        live.take(report, at)
        whole.look(live.state, at)
        turn = flight_log.look(live.state, at)
        current = turn or flight_log.flight
        if current is not None:
            points += [(current.flight_id, point) for point in flight_log.points]
            flight_log.points.clear()
        if turn is not None and turn.ended_at is not None:
            flights.append(turn)
    assert at is not None
    for one in (flight_log, *(() if flights or flight_log.flight else (whole,))):
        ended = one.finish(at)
        if ended is not None and ended.n_points:
            flights.append(ended)
            points += [(ended.flight_id, point) for point in one.points]
    return flights, points


def _named(reports: Iterator[DroneReport], drone_id: str) -> Iterator[DroneReport]:
    """Yield reports of one system under the id that it had then."""
    return (replace(report, drone_id=drone_id) for report in reports)


def _raw_name(drone: Drone, state: DroneState) -> str:
    """Return where the bytes of a drone are kept: by the link that is used, and its system number."""
    used = next((link.link_id for link in state.links if link.is_used), "")
    if drone.system_id is None or not used or not drone.drone_id.startswith(_MAVLINK_PREFIX):
        return ""
    return f"{RAW}/{used}/{drone.system_id}"
