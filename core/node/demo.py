"""The demo city in a node: its cameras, made once; its devices are a process of their own."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import resources
from core.access.model import SYSTEM
from core.cameras.model import Camera
from core.cameras.service import CameraService
from core.incidents.dispatch import DispatchService
from core.incidents.work import Unit
from core.kernel.errors import ConsoleError
from core.kernel.wire import from_builtins
from core.parking.service import ParkingService
from core.sim.city import DemoCity
from core.sim.lots import demo_lots
from core.vision.model import ObservationKind, RuleSetting, Scene

_UNITS = (
    ("Patrol 1", "Patrol"),
    ("Patrol 2", "Patrol"),
    ("Tow 1", "Tow truck"),
    ("Road 1", "Road crew"),
    ("Fire 4", "Fire"),
)


_STAGES_COLLISION = frozenset({"cam-market-cross"})


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoScene:
    """One camera's clip and what is drawn on it."""

    key: str
    name: str
    clip: Path
    scene: Scene


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
            clip=resources.path(f"demo/{item['clip']}"),
            scene=_tuned(from_builtins(item["scene"], Scene), stages_collision=key in _STAGES_COLLISION),
        )
        for key, item in data.items()
    )


def _tuned(scene: Scene, *, stages_collision: bool) -> Scene:
    """Leave the collision rule to the cameras that stage one: boxes of the demonstration's detector jump."""
    if stages_collision:
        return scene
    return replace(scene, rules=(*scene.rules, RuleSetting(kind=ObservationKind.COLLISION.value, is_enabled=False)))


async def seed_units(service: DispatchService) -> None:
    """Add the demo's units where there are none; what an operator changed stays as it is."""
    if await service.units():
        return
    for call_sign, kind in _UNITS:
        await service.save_unit(SYSTEM, Unit(unit_id="", call_sign=call_sign, kind=kind))


async def seed_lots(service: ParkingService, city: DemoCity) -> None:
    """Draw the demo's lots that are not there yet; what an operator changed stays as it is."""
    for lot in demo_lots(city):
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
