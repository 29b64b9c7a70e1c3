"""The demo city in a node: its cameras, made once; its devices are a process of their own."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

import resources
from core.access.model import SYSTEM
from core.cameras.model import Camera
from core.cameras.service import CameraService
from core.incidents.dispatch import DispatchService
from core.incidents.work import Unit
from core.kernel.errors import ConsoleError
from core.kernel.wire import from_builtins, to_builtins
from core.media.model import Refrain, SourceSpec
from core.parking.model import BayState, Lot, Outline
from core.parking.service import ParkingService
from core.sim.city import DemoCity
from core.sim.flow import ParkingBefore
from core.sim.lots import demo_lots, watched_lot
from core.sim.parking_history import make_history
from core.store.engine import Store
from core.store.tables import BayChangeRow, LotOccupancyRow
from core.vision.model import ObservationKind, Scene
from core.vision.tuning import without

_UNITS = (
    ("Patrol 1", "Patrol"),
    ("Patrol 2", "Patrol"),
    ("Tow 1", "Tow truck"),
    ("Road 1", "Road crew"),
    ("Fire 4", "Fire"),
)


HAPPENS_EVERY_S = 600.0
"""Something goes wrong so often before each camera that shows such a thing."""

_HAPPENS_FIRST_AFTER_S = {
    "cam-tram-street": 0.0,
    "cam-north-gate": 15.0,
    "cam-station-square": 60.0,
    "cam-market-cross": 120.0,
}

HISTORY_DAYS = 40
ROWS_AT_ONCE = 1000
_STAGES_COLLISION = frozenset({"cam-market-cross"})


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoScene:
    """One camera's clip and what is drawn on it.

    Attributes:
        bays: Outlines of the bays that it sees, as fractions of the picture.
    """

    key: str
    name: str
    source: SourceSpec
    scene: Scene
    bays: dict[str, Outline]


def load_scenes() -> tuple[DemoScene, ...]:
    """Read the shipped scenes.

    Raises:
        FileNotFoundError: The program ships without them.
    """
    data: dict[str, Any] = json.loads(resources.path("demo/cameras.json").read_text(encoding="utf-8"))
    return tuple(
        DemoScene(
            key=key,
            name=item["name"],
            source=_source_of(key, resources.path(f"demo/{item['clip']}"), item["refrain_s"]),
            scene=_tuned(from_builtins(item["scene"], Scene), stages_collision=key in _STAGES_COLLISION),
            bays={bay["key"]: tuple((x, y) for x, y in bay["polygon"]) for bay in item.get("bays", ())},
        )
        for key, item in data.items()
    )


def _source_of(key: str, clip: Path, refrain_s: float) -> SourceSpec:
    """Loop a clip; what goes wrong in it does so from time to time, and not on every camera at once."""
    if not refrain_s:
        return SourceSpec(address=str(clip), loops=True)
    n_times, n_first = (round(span_s / refrain_s) for span_s in (HAPPENS_EVERY_S, _HAPPENS_FIRST_AFTER_S[key]))
    refrain = Refrain(until_s=refrain_s, n_times=n_times, n_first=n_first)
    return SourceSpec(address=str(clip), loops=True, refrain=refrain)


def _tuned(scene: Scene, *, stages_collision: bool) -> Scene:
    """Leave the collision rule to the cameras that stage one: boxes of the demonstration's detector jump."""
    if stages_collision:
        return scene
    return without(scene, ObservationKind.COLLISION)


async def seed_units(service: DispatchService) -> None:
    """Add the demo's units where there are none; what an operator changed stays as it is."""
    if await service.units():
        return
    for call_sign, kind in _UNITS:
        await service.save_unit(SYSTEM, Unit(unit_id="", call_sign=call_sign, kind=kind))


async def seed_lots(service: ParkingService, city: DemoCity, scenes: tuple[DemoScene, ...]) -> None:
    """Draw the demo's lots that are not there yet; what an operator changed stays as it is."""
    watched = (watched_lot(scene.key, scene.bays) for scene in scenes if scene.bays)
    for lot in (*demo_lots(city), *watched):
        if service.lot_plan(lot.lot_id) is None:
            await service.save_lot(SYSTEM, lot, note="The demonstration's own.")


async def seed_cameras(service: CameraService, city: DemoCity, scenes: tuple[DemoScene, ...]) -> None:
    """Add the demo cameras that are not there yet; what an operator changed stays as it is."""
    known = {camera.camera_id for camera in await service.list()}
    places = {place.key: place for place in city.cameras}
    for scene in scenes:
        if scene.key in known:
            continue
        place = places.get(scene.key)
        if place is None:
            raise ConsoleError(f"The demo city has no place for the camera {scene.key}.")
        await service.add(
            SYSTEM,
            Camera(
                camera_id=scene.key,
                name=scene.name,
                address=f"demo:{scene.key}",
                position=place.position,
                heading_deg=place.heading_deg,
                view_angle_deg=place.view_angle_deg,
                detect_fps=5.0,
                scene=scene.scene,
            ),
            "",
        )


async def seed_history(store: Store, lots: Iterable[Lot], *, now: datetime, time_zone: str) -> bool:
    """Write weeks that nobody lived for the lots that have none; the panels say that they are simulated.

    Returns:
        Whether there was such a lot.
    """
    has_written = False
    for lot in lots:
        if not lot.bays or await store.read(partial(_has_history, lot_id=lot.lot_id, before=now - timedelta(days=2))):
            continue
        history = await asyncio.to_thread(
            make_history, lot, until=now - timedelta(minutes=5), days=HISTORY_DAYS, time_zone=time_zone
        )
        bays = [{**to_builtins(change), "at": change.at} for change in history.changes]
        counts = [
            {
                "lot_id": lot.lot_id,
                "at": one.at,
                "n_bays": one.n_bays,
                "n_occupied": one.n_occupied,
                "n_unknown": one.n_unknown,
            }
            for one in history.counts
        ]
        for table, rows in ((BayChangeRow, bays), (LotOccupancyRow, counts)):
            for first in range(0, len(rows), ROWS_AT_ONCE):
                await store.write(partial(_insert, table=table, rows=rows[first : first + ROWS_AT_ONCE]))
        has_written = True
    return has_written


async def live_on(service: ParkingService, store: Store, *, now: datetime, time_zone: str) -> ParkingBefore:
    """Give the lots with sensors a past, and return what they go on from.

    A lot that a camera watches has none: the clip before the camera knows no night.
    """
    sensed = [lot for lot in service.lot_plans() if not lot.views]
    if await seed_history(store, sensed, now=now, time_zone=time_zone):
        await service.restore()
    known = (BayState.FREE, BayState.OCCUPIED)
    return ParkingBefore(
        time_zone=time_zone,
        occupied={
            lot.lot_id: {
                status.bay_id: status.state is BayState.OCCUPIED
                for status in service.bays(lot.lot_id)
                if status.state in known
            }
            for lot in sensed
        },
    )


def _has_history(session: Session, *, lot_id: str, before: datetime) -> bool:
    query = select(BayChangeRow.bay_change_id).where(BayChangeRow.lot_id == lot_id, BayChangeRow.at < before).limit(1)
    return session.scalar(query) is not None


def _insert(session: Session, *, table: type[BayChangeRow | LotOccupancyRow], rows: list[dict[str, Any]]) -> None:
    session.execute(insert(table), rows)
