"""What a console may ask about the work on incidents, the units that are sent, and the shift."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from core.access.model import Actor, Colleague
from core.access.permission import actor_of as session_actor
from core.incidents.handover import HandOver, ReportContent
from core.incidents.model import Incident, Snapshot
from core.incidents.shift import ShiftEntry, ShiftPage, ShiftQuery
from core.incidents.work import Duty, HandIncident, IncidentDetail, Step, StepOrder, Unit
from core.kernel.errors import BadInputError, ConsoleError, UnavailableError
from core.link.server import Peer, Verb
from core.node.cap_door import Published

if TYPE_CHECKING:
    from core.node.node import Node


def dispatch_verbs(node: Node, actor_of: Callable[[Peer], Actor]) -> dict[str, Verb]:
    """Return the verbs of incidents and units by their names on the wire."""

    async def open_by_hand(peer: Peer, *, wanted: HandIncident) -> Incident:
        actor, services, name = actor_of(peer), node.require_services(), ""
        if wanted.camera_id:
            camera = {camera.camera_id: camera for camera in await services.cameras.list()}.get(wanted.camera_id)
            if camera is None:
                raise BadInputError("There is no such camera any more.", hint="Open the incident without it.")
            name, wanted = camera.name, replace(wanted, position=wanted.position or camera.position)
        snapshot = await _picture_of(node, wanted.camera_id)
        return await services.dispatch.open_by_hand(actor, wanted, source_name=name, snapshot=snapshot)

    async def assignees(peer: Peer) -> list[Colleague]:
        desks = node.desks_by_user()
        return [
            Colleague(name=user.name, role=user.role, desks=desks.get(user.user_id, ()))
            for user in await node.require_services().access.operators(actor_of(peer))
        ]

    async def step(peer: Peer, *, incident_id: str, order: StepOrder, version: int) -> Incident:
        actor, services = actor_of(peer), node.require_services()
        if order.operator not in ("", actor.name):
            known = await services.access.operators(actor)
            if order.operator not in {user.name for user in known}:
                raise BadInputError(f"{order.operator[:40]!r} may not work on incidents.", hint="Choose another one.")
        incident = await services.dispatch.take_step(actor, incident_id, order, expect_version=version)
        if order.step is Step.CLOSE:
            await services.review.take_disposition(actor, incident, note=order.comment)
        return incident

    async def detail(peer: Peer, *, incident_id: str) -> IncidentDetail:
        actor_of(peer)
        return await node.require_services().dispatch.detail(incident_id)

    async def publish(peer: Peer, *, incident_id: str) -> Published:
        if node.cap is None:
            raise UnavailableError("The node is not ready yet.", hint="Try again in a moment.")
        return await node.cap.publish(actor_of(peer), incident_id)

    async def save_unit(peer: Peer, *, unit: Unit, version: int = 0) -> Unit:
        return await node.require_services().dispatch.save_unit(actor_of(peer), unit, expect_version=version)

    async def set_duty(peer: Peer, *, unit_id: str, duty: Duty) -> Unit:
        return await node.require_services().dispatch.set_duty(actor_of(peer), unit_id, duty)

    return {
        "incidents.open": open_by_hand,
        "incidents.step": step,
        "incidents.assignees": assignees,
        "incidents.detail": detail,
        "incidents.publish": publish,
        "units.save": save_unit,
        "units.set_duty": set_duty,
    }


def shift_verbs(node: Node, actor_of: Callable[[Peer], Actor]) -> dict[str, Verb]:
    """Return the verbs of the shift log and the hand-over by their names on the wire."""

    async def write(peer: Peer, *, text: str, corrects: int = 0) -> ShiftEntry:
        return await node.require_services().shift.write(actor_of(peer), text, corrects=corrects)

    async def entries(peer: Peer, *, query: ShiftQuery) -> ShiftPage:
        actor_of(peer)
        return await node.require_services().shift.entries(query)

    async def preview(peer: Peer, *, since: datetime | None = None, comment: str = "") -> ReportContent:
        return await node.require_services().hand_over.preview(actor_of(peer), since=since, comment=comment)

    async def hand_over(peer: Peer, *, since: datetime | None = None, comment: str = "") -> HandOver:
        return await node.require_services().hand_over.hand_over(actor_of(peer), since=since, comment=comment)

    async def sign(peer: Peer, *, hand_over_id: str, name: str, password: str, comment: str = "") -> HandOver:
        """The incoming operator proves who they are at the desk of the outgoing one, who stays signed in."""
        services, desk = node.require_services(), actor_of(peer).desk
        session = await services.access.sign_in(name, password, desk)
        try:
            return await services.hand_over.sign(session_actor(session), hand_over_id, comment=comment)
        finally:
            await services.access.sign_out(session.token)

    async def reports(peer: Peer) -> list[HandOver]:
        actor_of(peer)
        return list(await node.require_services().hand_over.recent())

    return {
        "shift.write": write,
        "shift.entries": entries,
        "shift.preview": preview,
        "shift.hand_over": hand_over,
        "shift.sign": sign,
        "shift.reports": reports,
    }


async def _picture_of(node: Node, camera_id: str) -> Snapshot | None:
    """Return what a camera shows now; an incident is opened also where it shows nothing."""
    if not camera_id:
        return None
    try:
        picture = await node.picture(camera_id, -1)
    except ConsoleError:
        return None
    if not picture.jpeg:
        return None
    return Snapshot(jpeg=picture.jpeg, captured_at=datetime.fromtimestamp(picture.captured_at_s, UTC))
