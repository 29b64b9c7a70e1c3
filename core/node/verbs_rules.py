"""What a console may ask about the alarm rules: look, check, save, go back."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from core.access.model import Actor
from core.incidents.rules.model import RuleReport, RuleSet, RulesInForce, RuleVersion
from core.link.server import Peer, Verb

if TYPE_CHECKING:
    from core.node.node import Node


def rule_verbs(node: Node, actor_of: Callable[[Peer], Actor]) -> dict[str, Verb]:
    """Return the verbs of the alarm rules by their names on the wire."""

    async def save(peer: Peer, *, rules: RuleSet, version: int, reason: str) -> RulesInForce:
        desk = node.require_services().rules
        return await desk.save(actor_of(peer), rules, expect_version=version, reason=reason)

    async def history(peer: Peer, *, limit: int = 100, before: int = 0) -> tuple[RuleVersion, ...]:
        actor_of(peer)
        return await node.require_services().rules.history(limit=limit, before=before)

    async def rules_at(peer: Peer, *, version: int) -> RuleSet:
        actor_of(peer)
        return await node.require_services().rules.rules_at(version)

    async def check(peer: Peer, *, text: str) -> RuleReport:
        actor_of(peer)
        return node.require_services().rules.check(text)

    async def export(peer: Peer) -> str:
        actor_of(peer)
        return node.require_services().rules.export()

    return {
        "rules.save": save,
        "rules.history": history,
        "rules.at": rules_at,
        "rules.check": check,
        "rules.export": export,
    }
