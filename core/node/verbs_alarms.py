"""What a console may ask about alarms; each verb names the occurrence and the version that the operator saw."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from core.access.model import Actor
from core.incidents.flood import Call
from core.incidents.handling import MAX_PAST_WORKS, Limits, Meant
from core.incidents.holds import OutOfService
from core.incidents.model import Alarm, JournalEntry, Shelving, SourceKind
from core.incidents.suppression import PlannedWorks
from core.link.server import Peer, Verb

if TYPE_CHECKING:
    from core.node.node import Node


def alarm_verbs(node: Node, actor_of: Callable[[Peer], Actor]) -> dict[str, Verb]:
    """Return the verbs of alarms by their names on the wire."""
    return {
        **_seeing(node, actor_of),
        **_shelving(node, actor_of),
        **_service(node, actor_of),
        **_works(node, actor_of),
    }


def _seeing(node: Node, actor_of: Callable[[Peer], Actor]) -> dict[str, Verb]:
    async def acknowledge(peer: Peer, *, alarm_id: str, occurrence: str, version: int, comment: str = "") -> Alarm:
        return await node.require_services().incidents.acknowledge(
            actor_of(peer), alarm_id, occurrence=occurrence, expect_version=version, comment=comment[:2000]
        )

    async def unacknowledge(peer: Peer, *, alarm_id: str, occurrence: str, version: int, reason: str) -> Alarm:
        meant = Meant(alarm_id=alarm_id, occurrence=occurrence, version=version)
        return await node.require_services().handling.unacknowledge(actor_of(peer), meant, reason=reason)

    async def reset(peer: Peer, *, alarm_id: str, occurrence: str, version: int, comment: str = "") -> Alarm:
        meant = Meant(alarm_id=alarm_id, occurrence=occurrence, version=version)
        return await node.require_services().handling.reset(actor_of(peer), meant, comment=comment)

    async def close_unheard(peer: Peer, *, alarm_id: str, occurrence: str, version: int, reason: str) -> Alarm:
        meant = Meant(alarm_id=alarm_id, occurrence=occurrence, version=version)
        return await node.require_services().incidents.close_unheard(actor_of(peer), meant, reason=reason)

    async def escalate(peer: Peer, *, alarm_id: str, occurrence: str, version: int) -> Alarm:
        meant = Meant(alarm_id=alarm_id, occurrence=occurrence, version=version)
        return await node.require_services().handling.escalate(actor_of(peer), meant)

    async def comment(peer: Peer, *, alarm_id: str, text: str) -> Alarm:
        return await node.require_services().incidents.comment(actor_of(peer), alarm_id, text)

    async def tick(peer: Peer, *, alarm_id: str, occurrence: str, version: int, step: str, is_done: bool) -> Alarm:
        meant = Meant(alarm_id=alarm_id, occurrence=occurrence, version=version)
        return await node.require_services().handling.tick(actor_of(peer), meant, step=step, is_done=is_done)

    async def journal(peer: Peer, *, alarm_id: str) -> list[JournalEntry]:
        actor_of(peer)
        return list(await node.require_services().incidents.journal(alarm_id))

    async def history(peer: Peer, *, since: datetime, until: datetime, limit: int = 500) -> list[Alarm]:
        actor_of(peer)
        return list(await node.require_services().incidents.history(since=since, until=until, limit=limit))

    async def recent_calls(peer: Peer) -> list[tuple[Call, datetime]]:
        actor_of(peer)
        return list(await node.require_services().incidents.recent_calls())

    async def limits(peer: Peer, *, alarm_id: str) -> Limits:
        return await node.require_services().handling.limits(actor_of(peer), alarm_id)

    return {
        "alarms.acknowledge": acknowledge,
        "alarms.unacknowledge": unacknowledge,
        "alarms.reset": reset,
        "alarms.close_unheard": close_unheard,
        "alarms.escalate": escalate,
        "alarms.comment": comment,
        "alarms.tick": tick,
        "alarms.journal": journal,
        "alarms.history": history,
        "alarms.recent_calls": recent_calls,
        "alarms.limits": limits,
    }


def _shelving(node: Node, actor_of: Callable[[Peer], Actor]) -> dict[str, Verb]:
    async def shelve(
        peer: Peer,
        *,
        alarm_id: str,
        occurrence: str,
        version: int,
        for_s: float,
        reason: str,
        shelving: Shelving = Shelving.TIMED,
        comment: str = "",
    ) -> Alarm:
        meant = Meant(alarm_id=alarm_id, occurrence=occurrence, version=version)
        return await node.require_services().handling.shelve(
            actor_of(peer), meant, for_s=for_s, reason=reason, shelving=shelving, comment=comment
        )

    async def unshelve(peer: Peer, *, alarm_id: str, occurrence: str, version: int, comment: str = "") -> Alarm:
        meant = Meant(alarm_id=alarm_id, occurrence=occurrence, version=version)
        return await node.require_services().handling.unshelve(actor_of(peer), meant, comment=comment)

    return {"alarms.shelve": shelve, "alarms.unshelve": unshelve}


def _service(node: Node, actor_of: Callable[[Peer], Actor]) -> dict[str, Verb]:
    async def set_out_of_service(
        peer: Peer, *, alarm_id: str, occurrence: str, version: int, reason: str, until: datetime
    ) -> Alarm:
        meant = Meant(alarm_id=alarm_id, occurrence=occurrence, version=version)
        return await node.require_services().handling.set_out_of_service(
            actor_of(peer), meant, reason=reason, until=until
        )

    async def set_source_out_of_service(
        peer: Peer, *, source_kind: SourceKind, source_id: str, name: str, reason: str, until: datetime
    ) -> OutOfService:
        return await node.require_services().handling.set_source_out_of_service(
            actor_of(peer), source_kind, source_id, name=name, reason=reason, until=until
        )

    async def return_to_service(
        peer: Peer, *, alarm_id: str, occurrence: str, version: int, comment: str = ""
    ) -> Alarm:
        meant = Meant(alarm_id=alarm_id, occurrence=occurrence, version=version)
        return await node.require_services().handling.return_to_service(actor_of(peer), meant, comment=comment)

    async def return_source_to_service(peer: Peer, *, hold_id: str, version: int, comment: str = "") -> None:
        await node.require_services().handling.return_source_to_service(
            actor_of(peer), hold_id, version=version, comment=comment
        )

    async def out_of_service(peer: Peer) -> list[OutOfService]:
        actor_of(peer)
        return list(await node.require_services().handling.out_of_service())

    return {
        "alarms.set_out_of_service": set_out_of_service,
        "alarms.set_source_out_of_service": set_source_out_of_service,
        "alarms.return_to_service": return_to_service,
        "alarms.return_source_to_service": return_source_to_service,
        "alarms.out_of_service": out_of_service,
    }


def _works(node: Node, actor_of: Callable[[Peer], Actor]) -> dict[str, Verb]:
    async def plan(peer: Peer, *, works: PlannedWorks) -> PlannedWorks:
        return await node.require_services().handling.plan_works(actor_of(peer), works)

    async def end(peer: Peer, *, works_id: str, version: int) -> None:
        await node.require_services().handling.end_works(actor_of(peer), works_id, version=version)

    async def listed(peer: Peer) -> list[PlannedWorks]:
        actor_of(peer)
        return list(await node.require_services().handling.works())

    async def past(peer: Peer, *, limit: int = MAX_PAST_WORKS) -> list[PlannedWorks]:
        actor_of(peer)
        return list(await node.require_services().handling.past_works(limit=limit))

    return {
        "alarms.plan_works": plan,
        "alarms.end_works": end,
        "alarms.works": listed,
        "alarms.past_works": past,
    }
