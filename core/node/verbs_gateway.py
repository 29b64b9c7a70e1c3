"""What a console may ask about the HTTP gateway and its keys."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from core.access.model import Actor
from core.gateway.http.model import GatewayKey, GatewayReport, KeyPurpose, KeyWish, NewKey
from core.kernel.errors import BadInputError
from core.link.server import Peer, Verb

if TYPE_CHECKING:
    from core.node.node import Node


def gateway_verbs(node: Node, actor_of: Callable[[Peer], Actor]) -> dict[str, Verb]:
    """Return the verbs of the gateway by their names on the wire."""

    async def state(peer: Peer) -> GatewayReport:
        actor_of(peer)
        return node.gateway_report()

    async def keys(peer: Peer) -> list[GatewayKey]:
        return list(node.require_services().gateway_keys.keys(actor_of(peer)))

    async def add_key(peer: Peer, *, wish: KeyWish) -> NewKey:
        actor, services = actor_of(peer), node.require_services()
        if wish.purpose is KeyPurpose.EDGE and wish.lot_id and services.parking.lot_plan(wish.lot_id) is None:
            raise BadInputError(f"There is no lot {wish.lot_id!r}.", hint="Draw it first, then make the key.")
        return await services.gateway_keys.add(actor, wish)

    async def revoke_key(peer: Peer, *, key_id: str) -> GatewayKey:
        return await node.require_services().gateway_keys.revoke(actor_of(peer), key_id)

    return {
        "gateway.state": state,
        "gateway.keys": keys,
        "gateway.add_key": add_key,
        "gateway.revoke_key": revoke_key,
    }
