"""What a console may ask about drones: who is known, how they are, and where they may fly."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from core.access.model import Actor
from core.drones.model import Drone, DroneLink, DroneState, Fence
from core.link.server import Peer, Verb

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

    async def save(peer: Peer, *, drone: Drone) -> Drone:
        return await node.require_services().drones.save(actor_of(peer), drone)

    async def set_fence(peer: Peer, *, drone_id: str, fence: Fence | None = None) -> Drone:
        return await node.require_services().drones.set_fence(actor_of(peer), drone_id, fence)

    async def remove(peer: Peer, *, drone_id: str) -> None:
        await node.require_services().drones.remove(actor_of(peer), drone_id)

    return {
        "drones.list": list_drones,
        "drones.states": states,
        "drones.links": links,
        "drones.save": save,
        "drones.set_fence": set_fence,
        "drones.remove": remove,
    }
