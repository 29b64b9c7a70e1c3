"""The drones of a node: what any source reports of them becomes states with ages."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from dataclasses import fields, replace
from datetime import datetime
from functools import partial

from core.access.model import Actor, Role
from core.access.permission import require
from core.drones import rows
from core.drones.export import ExportFormat
from core.drones.history import DroneHistory
from core.drones.merge import LiveDrone
from core.drones.model import (
    MAX_ID_LENGTH,
    QUANTITIES,
    Drone,
    DroneChanged,
    DroneRemoved,
    DroneReport,
    DroneState,
    DronesTold,
    ExportedFile,
    Fence,
    Flight,
    Landed,
    Measured,
    Position,
    TrackPoint,
)
from core.drones.rules import DroneWatch
from core.kernel.bus import Bus
from core.kernel.clock import Clock
from core.kernel.errors import BadInputError, ConsoleError
from core.kernel.log import OncePerLoss
from core.store.engine import Store

log = logging.getLogger(__name__)

TELL_EVERY_S = 0.08
"""Never more often; what comes after a rest is told at once, so that what links bring ten times a second stays that."""

WATCH_EVERY_S = 0.25
STORE_EVERY_S = 1.0
MAX_DRONES = 500
"""More than that is nonsense on a link: the others go on, and the count is told."""

MAX_OTHERS, OTHERS_FORGOTTEN_S = 100, 600.0
"""Drones of others, and how long one that is silent is still shown."""

MAX_NAME_LENGTH = 60
MAX_CORNERS = 200
MAX_CEILING_M = 10_000.0


class DroneService:
    """Keeps what is known of every drone.

    Threads: the node's loop.
    """

    def __init__(
        self,
        *,
        store: Store,
        bus: Bus,
        clock: Clock,
        history: DroneHistory,
        max_height_m: float | None = None,
    ) -> None:
        """Prepare; `restore` reads who is known, `work` watches ages.

        Args:
            store: Keeps who is known.
            bus: Hears what changes.
            clock: Ages are against it.
            history: Keeps what they fly.
            max_height_m: Above home, for drones whose fence says no other; None for no limit.
        """
        self._store = store
        self._bus = bus
        self._clock = clock
        self._max_height_m = max_height_m
        self.history = history
        self._watches: dict[str, DroneWatch] = {}
        self._drones: dict[str, Drone] = {}
        self._live: dict[str, LiveDrone] = {}
        self._videos: dict[str, str] = {}
        """Where a drone says its video is, as it said it: with user and password."""

        self._untold: set[str] = set()
        self._unsaved: set[str] = set()
        self._telling: asyncio.TimerHandle | None = None
        self._told_s = 0.0
        self._once = OncePerLoss(log)
        self.refused: Counter[str] = Counter()
        """Values that cannot be, and reports that name no drone, by link."""

    # -- life -----------------------------------------------------------------------------------------------------

    async def restore(self) -> None:
        """Read who is known, and where those that flew were heard last; of now nobody has said anything yet."""
        for drone in await self._store.read(rows.read_drones):
            self._drones[drone.drone_id] = drone
            self._live.setdefault(drone.drone_id, LiveDrone(drone.drone_id))
        now = self._clock.now()
        for drone_id, (flight, newest) in (await self.history.restore(self._drones.keys())).items():
            self._live[drone_id].remember(last_state(flight, newest), now)

    async def work(self) -> None:
        """Watch ages and store who is new, until it is cancelled."""
        due_s = 0.0
        while True:
            await asyncio.sleep(WATCH_EVERY_S)
            self.watch()
            if self._clock.monotonic() >= due_s:
                due_s = self._clock.monotonic() + STORE_EVERY_S
                await self.store_new()
                await self.history.keep()

    def forget_condition(self, drone_id: str, rule: str) -> None:
        """Somebody closed what was called for a drone that was not heard: if it holds it begins anew."""
        if drone_id in self._watches:
            self._watches[drone_id].forget(rule)

    def watch(self) -> None:
        """Look at the ages of everything."""
        now = self._clock.now()
        self._forget_others(now)
        for drone_id, live in self._live.items():
            if live.watch(now):
                self._tell_soon(drone_id)
            if self._drones[drone_id].is_other:
                continue
            if self.history.look(self._drones[drone_id], live):
                self._tell_soon(drone_id)
            watch = self._watches.setdefault(drone_id, DroneWatch())
            found = watch.look(self._drones[drone_id], live.state, now, max_height_m=self._max_height_m)
            for condition in tuple(found):
                self._bus.publish(condition)

    async def store_new(self) -> None:
        """Keep who was heard for the first time or describes itself otherwise; a locked database is tried again."""
        due = tuple(self._drones[drone_id] for drone_id in self._unsaved if drone_id in self._drones)
        if not due:
            return
        self._unsaved.clear()
        try:
            await self._store.write(partial(rows.note_drones, drones=due, at=self._clock.now()))
        except ConsoleError as error:
            self._unsaved.update(drone.drone_id for drone in due)
            self._once.lost("drones", f"new drones wait for the database: {error}")
            return
        self._once.back("drones", "new drones are stored again")
        for drone in due:
            self._bus.publish(DroneChanged(self._drones.get(drone.drone_id, drone)))

    async def close(self) -> None:
        """Store what waits."""
        if self._telling is not None:
            self._telling.cancel()
        await self.store_new()
        await self.history.store_new()

    # -- what is known --------------------------------------------------------------------------------------------

    def drones(self) -> tuple[Drone, ...]:
        """Return every drone as it is set up."""
        return tuple(self._drones.values())

    def states(self) -> tuple[DroneState, ...]:
        """Return what is known of every drone."""
        return tuple(live.state for live in self._live.values())

    def uids(self) -> dict[str, str]:
        """Return the hardware numbers of those that say them, by drone."""
        return {drone.drone_id: drone.uid for drone in self._drones.values() if drone.uid}

    def is_heard_beside(self, drone_id: str, link_id: str) -> bool:
        """Return whether a drone is heard on another link than that one."""
        live = self._live.get(drone_id)
        return live is not None and bool(live.link_ids - {link_id})

    def drone(self, drone_id: str) -> Drone:
        """Return one as it is set up.

        Raises:
            BadInputError: There is none of that id.
        """
        drone = self._drones.get(drone_id)
        if drone is None:
            raise rows.no_drone(drone_id)
        return drone

    def state(self, drone_id: str) -> DroneState:
        """Return what is known of one.

        Raises:
            BadInputError: There is none of that id.
        """
        live = self._live.get(drone_id)
        if live is None:
            raise rows.no_drone(drone_id)
        return live.state

    def said_video(self, drone_id: str) -> str:
        """Return where a drone says its video is, password and all, for the node alone; empty where it does not."""
        return self._videos.get(drone_id, "")

    # -- what sources say -----------------------------------------------------------------------------------------

    def take(self, report: DroneReport) -> None:
        """Add what a source heard; what cannot be is refused, counted, and never shown."""
        live = self._live.get(report.drone_id) or self._meet(report)
        if live is None:
            self.refused[report.link_id] += 1
            return
        self.refused[report.link_id] += live.take(report, self._clock.now())
        if report.video_uri:
            self._videos[report.drone_id] = report.video_uri
        self._learn(report)
        self._tell_soon(report.drone_id)

    def _meet(self, report: DroneReport) -> LiveDrone | None:
        if not 0 < len(report.drone_id) <= MAX_ID_LENGTH or len(self._live) >= MAX_DRONES:
            return None
        if report.is_other and sum(drone.is_other for drone in self._drones.values()) >= MAX_OTHERS:
            return None
        self._live[report.drone_id] = live = LiveDrone(report.drone_id)
        name = report.name.strip()[:MAX_NAME_LENGTH] or report.drone_id
        met = Drone(drone_id=report.drone_id, name=name, kind=report.kind, is_other=report.is_other)
        self._drones[report.drone_id] = met
        if met.is_other:
            # Who passes by is nobody whom the room has set up.
            self._bus.publish(DroneChanged(met))
        else:
            self._unsaved.add(report.drone_id)
        return live

    def _forget_others(self, now: datetime) -> None:
        """Let go of drones of others that passed by."""
        for drone_id in tuple(drone_id for drone_id, drone in self._drones.items() if drone.is_other):
            heard_at = self._live[drone_id].state.heartbeat_at
            if heard_at is None or (now - heard_at).total_seconds() > OTHERS_FORGOTTEN_S:
                del self._drones[drone_id], self._live[drone_id]
                self._bus.publish(DroneRemoved(drone_id))

    def _learn(self, report: DroneReport) -> None:
        known = self._drones[report.drone_id]
        learned = replace(
            known,
            kind=report.kind or known.kind,
            autopilot=report.autopilot or known.autopilot,
            system_id=known.system_id if report.system_id is None else report.system_id,
            uid=known.uid or report.uid,
        )
        if report.uid and report.uid != learned.uid:
            self._live[report.drone_id].name_two(
                report.at,
                f"Two drones go by this name: the hardware numbers end with {learned.uid[-8:]} and {report.uid[-8:]}. "
                "Give each its own system number or id, or remove this one if it does not fly any more.",
            )
        if learned != known and not known.is_other:
            self._drones[report.drone_id] = learned
            self._unsaved.add(report.drone_id)

    def _tell_soon(self, drone_id: str) -> None:
        self._untold.add(drone_id)
        if self._telling is None:
            loop = asyncio.get_running_loop()
            # Not before everything that came together was taken: one call later at the earliest.
            self._telling = loop.call_at(max(loop.time(), self._told_s + TELL_EVERY_S), self._tell)

    def _tell(self) -> None:
        self._telling = None
        self._told_s = asyncio.get_running_loop().time()
        untold, self._untold = self._untold, set()
        states = tuple(self._live[drone_id].state for drone_id in untold if drone_id in self._live)
        if states:
            self._bus.publish(DronesTold(states))

    async def export(self, actor: Actor, flight_id: str, kind: ExportFormat) -> ExportedFile:
        """Write a flight as a file of another program; as `DroneHistory.export`."""
        flight = await self._store.read(partial(rows.read_flight, flight_id=flight_id))
        return await self.history.export(actor, flight_id, kind, self._drones.get(flight.drone_id))

    # -- what people set up ---------------------------------------------------------------------------------------

    async def save(self, actor: Actor, drone: Drone) -> Drone:
        """Name a drone, or set its site, camera and speed.

        Raises:
            NotPermittedError: The actor is no supervisor.
            BadInputError: There is no such drone, or it cannot be called that.
            StaleWriteError: Somebody else saved meanwhile.
        """
        require(actor, Role.SUPERVISOR)
        known = self.drone(drone.drone_id)
        name = drone.name.strip()
        if not 0 < len(name) <= MAX_NAME_LENGTH:
            raise BadInputError(
                f"A drone's name has 1 to {MAX_NAME_LENGTH} characters.", hint="Write the name that pilots use."
            )
        if not 0.0 < drone.max_speed_mps <= 300.0:
            raise BadInputError("A drone flies between 0 and 300 m/s.", hint="Write its greatest speed in m/s.")
        changed = replace(
            known,
            name=name,
            site=drone.site.strip()[:MAX_NAME_LENGTH],
            camera_id=drone.camera_id,
            max_speed_mps=drone.max_speed_mps,
            version=drone.version,
        )
        return await self._save(actor, changed, action="drones.save", detail=f"named {name}")

    async def set_fence(self, actor: Actor, drone_id: str, fence: Fence | None, version: int) -> Drone:
        """Draw where a drone may fly, or let it fly anywhere.

        Args:
            actor: Who does it.
            drone_id: Whose fence it is.
            fence: Where it may fly; None for anywhere.
            version: Of the drone as it was when somebody began to draw.

        Raises:
            NotPermittedError: The actor is no supervisor.
            BadInputError: There is no such drone, or that is no fence.
            StaleWriteError: Somebody else saved meanwhile.
        """
        require(actor, Role.SUPERVISOR)
        known = self.drone(drone_id)
        if fence is not None:
            _check_fence(fence)
        detail = "no fence" if fence is None else f"{len(fence.corners)} corners, {fence.max_height_m or 'no'} m"
        changed = replace(known, fence=fence, version=version)
        return await self._save(actor, changed, action="drones.fence", detail=detail)

    async def remove(self, actor: Actor, drone_id: str) -> None:
        """Forget a drone that does not fly any more; its flights stay, and it comes back once it is heard.

        Raises:
            NotPermittedError: The actor is no supervisor.
            BadInputError: There is no such drone.
        """
        require(actor, Role.SUPERVISOR)
        known, at = self.drone(drone_id), self._clock.now()
        await self._store.write(lambda session: rows.remove_drone(session, actor, known, at=at))
        self._drones.pop(drone_id, None)
        live, watch = self._live.pop(drone_id), self._watches.pop(drone_id, DroneWatch())
        for condition in watch.end_all(known, live.state, at):
            self._bus.publish(condition)
        self.history.drop(drone_id, live.state.heartbeat_at)
        self._unsaved.discard(drone_id)
        self._videos.pop(drone_id, None)
        self._bus.publish(DroneRemoved(drone_id))

    async def _save(self, actor: Actor, drone: Drone, *, action: str, detail: str) -> Drone:
        at = self._clock.now()
        stored = await self._store.write(
            lambda session: rows.save_drone(session, actor, drone, action=action, detail=detail, at=at)
        )
        # What it said of itself meanwhile is not taken back.
        stored = rows.with_learnt(stored, self._drones.get(stored.drone_id, stored))
        self._drones[stored.drone_id] = stored
        self._bus.publish(DroneChanged(stored))
        return stored


def last_state(flight: Flight, newest: TrackPoint | None) -> DroneState:
    """Return what is known of a drone that flew when the node ended."""
    state = DroneState(
        drone_id=flight.drone_id,
        landed=Landed.AIR,
        landed_at=flight.began_at if newest is None else newest.at,
        airborne_since=flight.began_at,
        flight_id=flight.flight_id,
        heartbeat_at=flight.began_at if newest is None else newest.at,
    )
    if newest is None:
        return state
    values = {key: getattr(newest, key) for key in QUANTITIES.keys() & {one.name for one in fields(TrackPoint)}}
    return replace(
        state,
        position=Position(point=newest.point, at=newest.at),
        values={key: Measured(value, newest.at) for key, value in values.items() if value is not None},
    )


def _check_fence(fence: Fence) -> None:
    n_corners = len(fence.corners)
    if n_corners in (1, 2) or n_corners > MAX_CORNERS:
        raise BadInputError(
            f"A fence has 3 to {MAX_CORNERS} corners, and this one {n_corners}.", hint="Draw it around the ground."
        )
    ceiling_m = fence.max_height_m
    if ceiling_m is not None and not 0.0 < ceiling_m <= MAX_CEILING_M:
        raise BadInputError(
            f"A ceiling lies between 0 and {MAX_CEILING_M:,.0f} m above home.", hint="Write it in metres."
        )
    if n_corners == 0 and ceiling_m is None:
        raise BadInputError("This fence keeps nothing in.", hint="Draw corners, set a ceiling, or remove the fence.")
