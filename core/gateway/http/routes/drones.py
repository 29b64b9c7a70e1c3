"""Drones: what the drone seed's senders post, what viewers read, and the page that shows both live."""

from __future__ import annotations

import asyncio
import contextlib
import json
import struct
from datetime import datetime
from typing import Annotated, Any

from fastapi import Header, Query
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response
from starlette.websockets import WebSocket

from core.drones.model import QUANTITIES, Drone, DroneState
from core.gateway.http.drone_desk import DroneDesk, Shown, Viewer
from core.gateway.http.drone_page import page, page_headers
from core.gateway.http.frames import IS_LOOKED_AT, FrameHead, head_of
from core.gateway.http.guard import SOCKET, SUBPROTOCOL, RouteLimits, Visit
from core.gateway.http.limits import Pace
from core.gateway.http.model import KeyPurpose
from core.gateway.http.refusal import Refused, refused_by
from core.gateway.http.route import GatewayRoom, GatewayRoute, visit_of
from core.gateway.http.shapes import Position, position_shape
from core.gateway.telemetry import MAX_BYTES, SEED_FIELDS, SEED_NUMBERS, read_telemetry
from core.kernel.errors import ConsoleError

MAX_VIDEO_BYTES = 2 * 1024 * 1024
TELL_EVERY_S = 0.2
"""Between two messages of states to one viewer; pictures go as they come."""

MAX_VIDEOS = 16
Named = Annotated[str, Query(alias="drone", max_length=48, description="Id of the drone; without it the key's own.")]


class QuantityShape(BaseModel):
    """One value, how old it is [s], and from which age it is no longer the present."""

    value: float
    age_s: float
    stale_s: float


class DroneShape(BaseModel):
    """What is known of a drone; what was never said is absent, and what is old says so."""

    drone_id: str
    name: str
    link: str = Field(description='By its own telemetry: "live", "degraded" or "lost".')
    heard_age_s: float | None = None
    position: Position | None = None
    position_age_s: float | None = None
    mode: str = Field(default="", description="Empty where it is not the present one.")
    is_armed: bool | None = Field(default=None, description="Null where it is not the present state.")
    battery_percent: float | None = None
    battery_age_s: float | None = None
    has_video: bool = False
    values: dict[str, QuantityShape] = {}
    last_text: str = ""
    faults: list[str] = []


def make_routes(room: GatewayRoom) -> list[GatewayRoute]:
    """Return the addresses of drones."""
    desk = DroneDesk(room)

    async def post_drone_data(request: Request, drone: Named = "") -> Response:
        """Take a drone's state: the seed's fields, ours, or any quantity by its name; null and absent is unknown."""
        telemetry = read_telemetry(await request.body())
        desk.take(visit_of(request), telemetry, drone)
        left_out = [*(sentence.split(" ", 1)[0] for sentence in telemetry.refused), *telemetry.ignored]
        return _json({"message": "Data saved!", **({"ignored": left_out} if left_out else {})}, 201)

    async def post_drone_code(request: Request, drone: Named = "") -> Response:
        """Take what the drone's camera read, apart from its state."""
        telemetry = read_telemetry(await request.body())
        if not desk.take_code(visit_of(request), telemetry, drone):
            return _json({"error": "No data to update"}, 404)
        return _json({"message": "QR Data updated!"}, 200)

    async def get_drone_latest(request: Request, drone: Named = "") -> Response:
        """Return the newest state as it was posted, of the named drone, the key's own, or whoever spoke last."""
        key = visit_of(request).key
        is_own = key is not None and key.purpose is KeyPurpose.DRONE
        found = desk.latest(key.drone_id if is_own and key is not None else drone)
        if found is None:
            # The seed's word, and what every other refusal here says.
            return _json({"message": "No data available", "error": "No such drone has told its state yet."}, 404)
        return _json(found, 200)

    async def post_drone_video(
        request: Request,
        drone: Named = "",
        x_captured_at: Annotated[str, Header(description="When it was taken, ISO 8601 with offset.")] = "",
        x_sent_at: Annotated[
            str, Header(description="The same clock when it was sent: a wrong one does no harm.")
        ] = "",
        x_sequence: Annotated[str, Header(description="Counts up with each picture.")] = "",
    ) -> Response:
        """Take one JPEG, whatever its content type says; it stands on the wall as the drone's camera."""
        head = head_of(captured_at=x_captured_at, sent_at=x_sent_at, sequence=x_sequence)
        kind = request.headers.get("content-type", "")
        verdict = await desk.take_picture(visit_of(request), await request.body(), kind, head, drone)
        note = {} if verdict.standing in IS_LOOKED_AT else {"standing": verdict.standing.value, "note": verdict.note}
        return _json({"message": "Frame received", **note}, 200)

    async def get_drones() -> list[DroneShape]:
        """Return every drone, whichever link it is heard on."""
        return _shapes(room, desk, room.drones.states())

    async def get_drone_frame(drone_id: str) -> Response:
        """Return a drone's newest posted picture; `X-Age-S` says how old it is."""
        shown = desk.shown(drone_id)
        if shown is None:
            raise Refused(404, f"There is no picture of drone {drone_id[:48]!r}.", hint="Look at GET /api/drones.")
        age_s = (room.clock.now() - shown.at).total_seconds()
        headers = {"X-Age-S": f"{age_s:.3f}", "Cache-Control": "no-store"}
        return Response(shown.jpeg, media_type="image/jpeg", headers=headers)

    async def refuse_arming() -> Response:
        """Say that nothing here arms a drone."""
        raise Refused(405, "Nothing here arms or disarms a drone.", hint="Its pilot does; `armed` is only told.")

    async def talk(socket: WebSocket) -> None:
        await _talk(room, desk, socket)

    async def get_page() -> Response:
        """Return the page that shows every drone and its pictures live."""
        return Response(page(), media_type="text/html; charset=utf-8", headers=page_headers())

    sending = _Limits(room, KeyPurpose.DRONE)
    reading = _Limits(room, KeyPurpose.READER)
    hidden = {"include_in_schema": False}
    plain = {"status_code": 200}
    return [
        GatewayRoute(
            method="POST",
            path="/api/data",
            endpoint=post_drone_data,
            limits=sending.of(50.0, max_body_bytes=MAX_BYTES),
            summary="A drone's state",
            more={"status_code": 201, "openapi_extra": {"requestBody": _DATA_BODY}},
        ),
        GatewayRoute(
            method="POST",
            path="/api/qrdata",
            endpoint=post_drone_code,
            limits=sending.of(10.0, max_body_bytes=MAX_BYTES),
            summary="A code that a drone read",
            more={**plain, "openapi_extra": {"requestBody": _DATA_BODY}},
        ),
        GatewayRoute(
            method="GET",
            path="/api/latest",
            endpoint=get_drone_latest,
            limits=reading.of(10.0, also=frozenset({KeyPurpose.DRONE})),
            summary="The newest state, as the seed tells it",
            more=plain,
        ),
        GatewayRoute(
            method="POST",
            path="/api/video",
            endpoint=post_drone_video,
            limits=sending.of(30.0, max_body_bytes=min(MAX_VIDEO_BYTES, room.max_frame_bytes)),
            summary="A picture of a drone",
            more={**plain, "openapi_extra": {"requestBody": _VIDEO_BODY}},
        ),
        GatewayRoute(
            method="GET",
            path="/api/drones",
            endpoint=get_drones,
            limits=reading.of(5.0),
            summary="Every drone",
            answer=list[DroneShape],
        ),
        GatewayRoute(
            method="GET",
            path="/api/drones/{drone_id}/frame",
            endpoint=get_drone_frame,
            limits=reading.of(20.0),
            summary="A drone's newest picture",
            more={"responses": {200: {"content": {"image/jpeg": {}}}}},
        ),
        *(
            GatewayRoute(
                method="POST",
                path=f"/api/{word}",
                endpoint=refuse_arming,
                limits=sending.of(1.0, max_body_bytes=MAX_BYTES),
                summary="Refused",
                more=hidden,
            )
            for word in ("arm", "disarm")
        ),
        GatewayRoute(
            method=SOCKET,
            path="/api/stream",
            endpoint=talk,
            limits=sending.of(80.0, also=frozenset({KeyPurpose.READER}), n_at_once=8),
            summary="States and pictures in and out",
        ),
        GatewayRoute(
            method="GET",
            path="/",
            endpoint=get_page,
            limits=RouteLimits(purpose=None, pace=Pace(per_s=5.0, burst=20.0)),
            summary="The page that shows drones live",
            more=hidden,
        ),
    ]


class _Limits:
    """Limits of addresses with one purpose, open to the networks that need no key."""

    def __init__(self, room: GatewayRoom, purpose: KeyPurpose) -> None:
        self._room = room
        self._purpose = purpose

    def of(
        self,
        per_s: float,
        *,
        max_body_bytes: int = 0,
        also: frozenset[KeyPurpose] = frozenset(),
        n_at_once: int = 4,
    ) -> RouteLimits:
        return RouteLimits(
            purpose=self._purpose,
            also=also,
            is_open_to=self._room.is_keyless,
            pace=Pace(per_s=per_s, burst=2.0 * per_s),
            max_body_bytes=max_body_bytes,
            n_at_once=n_at_once,
        )


def _json(content: Any, status: int) -> Response:
    """Answer as the seed does: keys in order, no blanks, a line's end."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":")) + "\n"
    return Response(text, status_code=status, media_type="application/json")


_DATA_BODY = {
    "required": True,
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "properties": {
                    **{
                        key: {"type": ["number", "null"], "minimum": lowest, "maximum": highest}
                        for key, (lowest, highest) in SEED_NUMBERS.items()
                    },
                    SEED_FIELDS[-1]: {"type": ["string", "null"]},
                    "droneId": {"type": "string"},
                    "ts": {"type": ["string", "number"]},
                },
            }
        }
    },
}
_VIDEO_BODY = {
    "required": True,
    "content": {
        kind: {"schema": {"type": "string", "contentMediaType": "image/jpeg", "format": "binary"}}
        for kind in ("application/octet-stream", "image/jpeg")
    },
}


# -- shapes ---------------------------------------------------------------------------------------------------------


def _shapes(room: GatewayRoom, desk: DroneDesk, states: tuple[DroneState, ...]) -> list[DroneShape]:
    drones, now = {drone.drone_id: drone for drone in room.drones.drones()}, room.clock.now()
    return [
        drone_shape(drones.get(one.drone_id), one, now, has_video=desk.shown(one.drone_id) is not None)
        for one in states
    ]


def drone_shape(drone: Drone | None, state: DroneState, now: datetime, *, has_video: bool) -> DroneShape:
    """Tell of one drone as of an instant."""
    packs = [pack for pack in state.batteries if pack.remaining_percent is not None]
    return DroneShape(
        drone_id=state.drone_id,
        name=drone.name if drone is not None else state.drone_id,
        link=state.health.value,
        heard_age_s=_age_s(state.heartbeat_at, now),
        position=position_shape(state.position.point) if state.position is not None else None,
        position_age_s=_age_s(state.position.at, now) if state.position is not None else None,
        mode=state.fresh_mode(now),
        is_armed=state.fresh_armed(now),
        battery_percent=state.battery_percent,
        battery_age_s=_age_s(min((pack.at for pack in packs), default=None), now),
        has_video=has_video,
        values={
            key: QuantityShape(
                value=round(one.value, 6),
                age_s=_age_s(one.at, now) or 0.0,
                stale_s=QUANTITIES[key].stale_s,
            )
            for key, one in state.values.items()
            if key in QUANTITIES
        },
        last_text=state.texts[-1].text if state.texts else "",
        faults=list(state.faults),
    )


def _age_s(at: datetime | None, now: datetime) -> float | None:
    return None if at is None else round(max(0.0, (now - at).total_seconds()), 3)


# -- WebSocket ------------------------------------------------------------------------------------------------------


async def _talk(room: GatewayRoom, desk: DroneDesk, socket: WebSocket) -> None:
    """Take states (text) and pictures (binary) of a drone; tell a viewer states, and the pictures they ask for."""
    visit = visit_of(socket)
    offered = socket.scope.get("subprotocols", [])
    await socket.accept(subprotocol=SUBPROTOCOL if SUBPROTOCOL in offered else None)
    wanted = socket.query_params.get("drone", "")[:48]
    key = visit.key
    viewer = Viewer(only=key.drone_id if key is not None and key.purpose is KeyPurpose.DRONE else "")
    # A drone does not listen; whoever sends `watch` does.
    telling: asyncio.Task[None] | None = None
    try:
        while (message := await socket.receive())["type"] == "websocket.receive":
            try:
                is_viewer = await _take(desk, visit, viewer, message, wanted)
            except (Refused, ConsoleError) as error:
                why = error if isinstance(error, Refused) else refused_by(error)
                room.on_unusable(visit.sender, why.message)
                await socket.send_text(json.dumps({"error": why.message, "hint": why.hint}))
                continue
            if is_viewer and telling is None:
                telling = asyncio.create_task(_tell(room, desk, socket, viewer))
    finally:
        if telling is not None:
            telling.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await telling


async def _take(desk: DroneDesk, visit: Visit, viewer: Viewer, message: Any, wanted: str) -> bool:
    """Take one message; True where its sender looks on."""
    is_reader = visit.key is not None and visit.key.purpose is KeyPurpose.READER
    if (picture := message.get("bytes")) is not None:
        _refuse_reader(is_reader)
        await desk.take_picture(visit, picture, "image/jpeg", FrameHead(), wanted)
        return False
    text = (message.get("text") or "").encode()
    found = _object(text)
    if "watch" in found:
        videos = found["watch"] if isinstance(found["watch"], list) else []
        desk.watch_videos(viewer, frozenset(str(one)[:48] for one in videos[:MAX_VIDEOS]))
        return True
    _refuse_reader(is_reader)
    desk.take(visit, read_telemetry(text), wanted)
    return False


def _object(text: bytes) -> dict[str, Any]:
    if not text.startswith(b'{"watch"'):
        return {}
    try:
        found = json.loads(text[:MAX_BYTES])
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _refuse_reader(is_reader: bool) -> None:
    if is_reader:
        raise Refused(403, "A key for reading sends nothing.", hint="Make a key for the drone.")


async def _tell(room: GatewayRoom, desk: DroneDesk, socket: WebSocket, viewer: Viewer) -> None:
    """Send what is new for as long as somebody looks on: newest wins, however slowly they read."""
    loop = asyncio.get_running_loop()
    end = desk.add_viewer(viewer)
    told_s = 0.0
    try:
        while True:
            wait_s = told_s + TELL_EVERY_S - loop.time() if viewer.states else None
            if wait_s is None or wait_s > 0:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(viewer.news.wait(), wait_s)
            viewer.news.clear()
            pictures, viewer.pictures = viewer.pictures, {}
            for shown in pictures.values():
                await socket.send_bytes(_framed(shown, room.clock.now()))
            if viewer.states and loop.time() - told_s >= TELL_EVERY_S:
                told_s = loop.time()
                states, viewer.states = tuple(viewer.states.values()), {}
                shapes = [shape.model_dump(mode="json") for shape in _shapes(room, desk, states)]
                known = [drone.drone_id for drone in room.drones.drones() if viewer.may_see(drone.drone_id)]
                await socket.send_text(json.dumps({"drones": shapes, "known": known}))
    finally:
        end()


def _framed(shown: Shown, now: datetime) -> bytes:
    """Return a picture behind what is known of it: length of the head (2 bytes, big end first), head as JSON, JPEG."""
    head = {"drone_id": shown.drone_id, "age_s": _age_s(shown.at, now), "number": shown.number}
    text = json.dumps(head).encode()
    return struct.pack(">H", len(text)) + text + shown.jpeg
