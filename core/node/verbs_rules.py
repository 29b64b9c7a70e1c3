"""What a console may ask about the alarm rules and about how they do: look, check, try, save, go back, count."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from core.access.model import Actor
from core.incidents.figures import Figures, read_figures
from core.incidents.policy import call_from
from core.incidents.rules.model import RuleReport, RuleSet, RulesInForce, RuleVersion, TrialRun
from core.link.server import Peer, Verb
from core.node.trials import TrialOrder
from core.vision.model import ObservationKind

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
        return await asyncio.to_thread(node.require_services().rules.check, text)

    async def export(peer: Peer) -> str:
        actor_of(peer)
        return node.require_services().rules.export()

    async def try_on_history(peer: Peer, *, rules: RuleSet, rule_id: str, since: datetime, until: datetime) -> str:
        actor_of(peer)
        services = node.require_services()
        scenes = {camera.camera_id: camera.scene for camera in await services.cameras.list()}

        def least(camera_id: str, kind: ObservationKind) -> float:
            return call_from(kind, scenes[camera_id]) if camera_id in scenes else 0.0

        order = TrialOrder(
            rule_id=rule_id,
            as_it_is=services.rules.book,
            changed=services.rules.book_of(rules),
            since=since,
            until=until,
            devices=services.field.devices(),
            call_from=least,
        )
        return node.trials.start(services.store, order)

    async def trial(peer: Peer, *, trial_id: str) -> TrialRun:
        actor_of(peer)
        return node.trials.state(trial_id)

    async def stop_trial(peer: Peer, *, trial_id: str) -> TrialRun:
        actor_of(peer)
        return node.trials.cancel(trial_id)

    async def figures(peer: Peer, *, since: datetime, until: datetime) -> Figures:
        actor_of(peer)
        return await node.require_services().store.read(lambda s: read_figures(s, since=since, until=until))

    return {
        "alarms.figures": figures,
        "rules.try": try_on_history,
        "rules.trial": trial,
        "rules.stop_trial": stop_trial,
        "rules.save": save,
        "rules.history": history,
        "rules.at": rules_at,
        "rules.check": check,
        "rules.export": export,
    }
