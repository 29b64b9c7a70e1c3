"""What a console may ask about drones: who is known, how they are, where they may fly, and what they flew."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from core.access.model import Actor
from core.cameras.model import Camera
from core.drones.export import ExportFormat
from core.drones.history import DroneHistory
from core.drones.model import (
    Drone,
    DroneLink,
    DroneState,
    ExportedFile,
    Fence,
    Flight,
    ImportedLog,
    ReplayedState,
    TrackPoint,
)
from core.kernel.errors import UnavailableError
from core.link.server import Peer, Verb
from core.node.drone_door import DroneDoor

if TYPE_CHECKING:
    from core.node.node import Node


def drone_verbs(node: Node, actor_of: Callable[[Peer], Actor]) -> dict[str, Verb]:
    """Return the verbs of drones by their names on the wire."""

    async def list_drones(peer: Peer) -> list[Drone]:
        actor_of(peer)
        return list(node.require_services().drones.drones())

    async def states(peer: Peer) -> list[DroneState]:
        actor_of(peer)
        return list(node.require_services().drones.states())

    async def links(peer: Peer) -> list[DroneLink]:
        actor_of(peer)
        return list(node.drone_door.links()) if node.drone_door is not None else []

    def door() -> DroneDoor:
        if node.drone_door is None:
            raise UnavailableError("No link to drones is open here.", hint="Name one under drones.links.")
        return node.drone_door

    async def activate(peer: Peer, *, link_id: str, reason: str, minutes: int) -> DroneLink:
        return await door().activate(actor_of(peer), link_id, reason=reason, minutes=minutes)

    async def deactivate(peer: Peer, *, link_id: str) -> DroneLink:
        return await door().deactivate(actor_of(peer), link_id)

    async def add_video(peer: Peer, *, drone_id: str) -> Camera:
        return await node.drone_video().add_said(actor_of(peer), drone_id)

    async def save(peer: Peer, *, drone: Drone) -> Drone:
        return await node.require_services().drones.save(actor_of(peer), drone)

    async def set_fence(peer: Peer, *, drone_id: str, version: int, fence: Fence | None = None) -> Drone:
        return await node.require_services().drones.set_fence(actor_of(peer), drone_id, fence, version)

    async def remove(peer: Peer, *, drone_id: str) -> None:
        await node.require_services().drones.remove(actor_of(peer), drone_id)

    return {
        "drones.list": list_drones,
        "drones.states": states,
        "drones.links": links,
        "drones.activate_link": activate,
        "drones.deactivate_link": deactivate,
        "drones.add_video": add_video,
        "drones.save": save,
        "drones.set_fence": set_fence,
        "drones.remove": remove,
        **_history_verbs(node, actor_of),
    }


def _history_verbs(node: Node, actor_of: Callable[[Peer], Actor]) -> dict[str, Verb]:
    def history() -> DroneHistory:
        return node.require_services().drones.history

    async def flights(
        peer: Peer, *, drone_id: str = "", since: datetime | None = None, until: datetime | None = None
    ) -> list[Flight]:
        actor_of(peer)
        return list(await history().flights(drone_id, since=since, until=until))

    async def track(peer: Peer, *, flight_id: str) -> list[TrackPoint]:
        actor_of(peer)
        return list(await history().track(flight_id))

    async def replay(peer: Peer, *, flight_id: str, at: datetime) -> ReplayedState:
        actor_of(peer)
        return await history().replay(flight_id, at)

    async def export(peer: Peer, *, flight_id: str, form: ExportFormat) -> ExportedFile:
        return await node.require_services().drones.export(actor_of(peer), flight_id, form)

    async def export_part(peer: Peer, *, export_id: str, first: int) -> bytes:
        return await history().export_part(actor_of(peer), export_id, first)

    async def import_log(
        peer: Peer, *, upload_id: str, name: str, data: bytes, is_last: bool = True, drone_id: str = ""
    ) -> ImportedLog:
        return await history().import_part(
            actor_of(peer), upload_id=upload_id, name=name, data=data, is_last=is_last, drone_id=drone_id
        )

    return {
        "drones.flights": flights,
        "drones.history": track,
        "drones.replay": replay,
        "drones.export": export,
        "drones.export_part": export_part,
        "drones.import": import_log,
    }
