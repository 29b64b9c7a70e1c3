"""What a console may ask about parking: lots as drawn, how bays stand and stood, and what operators correct."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from core.access.model import Actor, Role
from core.access.permission import require
from core.link.server import Peer, Verb
from core.node.model import Picture
from core.parking.figures_model import LotFigures
from core.parking.forecast.model import LotEvent, LotForecast, TrainingState
from core.parking.model import BayChange, BayState, BayStatus, Lot, LotOccupancy, LotVersion
from core.parking.sight.model import Calibration, Looked

if TYPE_CHECKING:
    from core.node.node import Node


def parking_verbs(node: Node, actor_of: Callable[[Peer], Actor]) -> dict[str, Verb]:
    """Return the verbs of parking by their names on the wire."""

    async def save_lot(peer: Peer, *, lot: Lot, note: str = "") -> Lot:
        return await node.parking.save_lot(actor_of(peer), lot, note=note)

    async def remove_lot(peer: Peer, *, lot_id: str) -> None:
        await node.parking.remove_lot(actor_of(peer), lot_id)

    async def versions(peer: Peer, *, lot_id: str) -> list[LotVersion]:
        actor_of(peer)
        return list(await node.parking.versions(lot_id))

    async def lot_of_version(peer: Peer, *, lot_id: str, number: int) -> Lot:
        actor_of(peer)
        return await node.parking.lot_of_version(lot_id, number)

    async def correct(peer: Peer, *, lot_id: str, bay_id: str, state: BayState, reason: str) -> BayStatus:
        return await node.parking.correct(actor_of(peer), lot_id, bay_id, state, reason)

    async def release(peer: Peer, *, lot_id: str, bay_id: str) -> BayStatus:
        return await node.parking.release(actor_of(peer), lot_id, bay_id)

    async def set_count(peer: Peer, *, lot_id: str, n_inside: int, reason: str = "") -> LotOccupancy:
        return await node.parking.set_count(actor_of(peer), lot_id, n_inside, reason)

    return {
        "parking.save_lot": save_lot,
        "parking.remove_lot": remove_lot,
        "parking.versions": versions,
        "parking.version": lot_of_version,
        "parking.correct": correct,
        "parking.release": release,
        "parking.set_count": set_count,
        **_history_verbs(node, actor_of),
        **_sight_verbs(node, actor_of),
        **_forecast_verbs(node, actor_of),
    }


def _history_verbs(node: Node, actor_of: Callable[[Peer], Actor]) -> dict[str, Verb]:
    async def changes(peer: Peer, *, lot_id: str, since: datetime, until: datetime) -> list[BayChange]:
        actor_of(peer)
        return await node.parking.changes(lot_id, since=since, until=until)

    async def history(peer: Peer, *, lot_id: str, since: datetime, until: datetime) -> list[LotOccupancy]:
        actor_of(peer)
        return await node.parking.history(lot_id, since=since, until=until)

    async def states_at(peer: Peer, *, lot_id: str, at: datetime) -> list[BayStatus]:
        actor_of(peer)
        return await node.parking.states_at(lot_id, at)

    return {"parking.changes": changes, "parking.history": history, "parking.states_at": states_at}


def _forecast_verbs(node: Node, actor_of: Callable[[Peer], Actor]) -> dict[str, Verb]:
    async def figures(peer: Peer, *, lot_id: str, since: datetime, until: datetime, zone: str = "") -> LotFigures:
        actor_of(peer)
        return await node.require_services().forecast.figures(lot_id, zone, since, until)

    async def forecast(peer: Peer, *, lot_id: str, at: list[datetime], zone: str = "") -> LotForecast:
        actor_of(peer)
        return await node.require_services().forecast.forecast(lot_id, zone, at)

    async def training(peer: Peer) -> TrainingState:
        actor_of(peer)
        return node.require_services().forecast.state()

    async def train(peer: Peer) -> TrainingState:
        return node.require_services().forecast.train(actor_of(peer))

    async def events(peer: Peer) -> list[LotEvent]:
        actor_of(peer)
        return await node.require_services().forecast.events()

    async def save_event(peer: Peer, *, event: LotEvent) -> LotEvent:
        return await node.require_services().forecast.save_event(actor_of(peer), event)

    async def remove_event(peer: Peer, *, event: LotEvent) -> None:
        await node.require_services().forecast.remove_event(actor_of(peer), event)

    return {
        "parking.figures": figures,
        "parking.forecast": forecast,
        "parking.training": training,
        "parking.train": train,
        "parking.events": events,
        "parking.save_event": save_event,
        "parking.remove_event": remove_event,
    }


def _sight_verbs(node: Node, actor_of: Callable[[Peer], Actor]) -> dict[str, Verb]:
    async def calibrate(peer: Peer, *, lot_id: str, camera_id: str) -> str:
        return node.start_calibration(actor_of(peer), lot_id, camera_id)

    async def calibration(peer: Peer, *, run_id: str) -> Calibration:
        actor_of(peer)
        return node.calibrations.state(run_id)

    async def cancel_calibration(peer: Peer, *, run_id: str) -> Calibration:
        require(actor_of(peer), Role.SUPERVISOR)
        return node.calibrations.cancel(run_id)

    async def snapshot(peer: Peer, *, lot_id: str, bay_id: str) -> Picture:
        actor_of(peer)
        return await node.bay_picture(lot_id, bay_id)

    async def views(peer: Peer, *, lot_id: str) -> list[Looked]:
        actor_of(peer)
        return [looked for (lot, _), looked in node.bay_sight.looked.items() if lot == lot_id]

    return {
        "parking.calibrate": calibrate,
        "parking.calibration": calibration,
        "parking.cancel_calibration": cancel_calibration,
        "parking.snapshot": snapshot,
        "parking.views": views,
    }
