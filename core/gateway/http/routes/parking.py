"""Car parks: pictures of edge cameras in, lots and bays out."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import Header, Query
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from core.gateway.http.book import Sender
from core.gateway.http.frames import IS_LOOKED_AT, FrameHead, FrameOrder, FrameVerdict, Standing, digest_of, head_of
from core.gateway.http.guard import RouteLimits
from core.gateway.http.jpeg import JpegSize, check_jpeg
from core.gateway.http.limits import Pace
from core.gateway.http.model import GatewayKey, KeyPurpose
from core.gateway.http.multipart import picture_of
from core.gateway.http.pictures import EdgePictures
from core.gateway.http.refusal import Refused
from core.gateway.http.route import GatewayRoom, GatewayRoute, reading_route, visit_of
from core.gateway.http.shapes import BayShape, LotDetail, LotShape, bay_shapes, bays_geojson, lot_shape
from core.kernel.errors import ConsoleError, UnavailableError
from core.media.model import EDGE
from core.parking.model import Lot

log = logging.getLogger(__name__)

MAX_WAIT_S = 5.0
BODY_S = 20.0
READING = RouteLimits(purpose=KeyPurpose.READER, pace=Pace(per_s=5.0, burst=20.0), n_at_once=4)
GEOJSON = "application/geo+json"


class FrameAnswer(BaseModel):
    """What became of a picture.

    `standing` is "new", "late", "historical", "duplicate", "frozen" or "overtaken"; the first three are looked at
    where bays are drawn on the camera, and historical ones go into the history only. `bays` are
    those that this camera sees, as they are known now: with status 200 this picture counts in them, with 202 not yet.
    """

    standing: Standing
    is_looked_at: bool
    note: str = ""
    lot_id: str
    camera_id: str
    at: datetime
    width: int
    height: int
    skew_s: float | None = None
    bays: list[BayShape] = []


def make_routes(room: GatewayRoom) -> list[GatewayRoute]:
    """Return the addresses of car parks."""
    desk = _FrameDesk(room)
    frame_limits = RouteLimits(
        purpose=KeyPurpose.EDGE,
        pace=Pace(per_s=room.frames_per_s, burst=max(2.0, 2.0 * room.frames_per_s)),
        max_body_bytes=room.max_frame_bytes,
        body_s=BODY_S,
        answer_s=BODY_S + MAX_WAIT_S + 5.0,
    )

    async def post_frame(
        request: Request,
        lot_id: str,
        x_camera: Annotated[str, Header(description="Id of the camera; without it, the key's own.")] = "",
        x_captured_at: Annotated[str, Header(description="When the picture was taken, ISO 8601 with offset.")] = "",
        x_sent_at: Annotated[
            str, Header(description="The same clock when it was sent: a wrong one does no harm.")
        ] = "",
        x_sequence: Annotated[str, Header(description="Counts up with each picture.")] = "",
        x_historical: Annotated[
            str,
            Header(
                description='"true": kept while nobody took it; goes into the history only, with X-Captured-At. '
                "Keep it while the answer is 503."
            ),
        ] = "",
        wait_s: Annotated[float, Query(ge=0, le=MAX_WAIT_S, description="Wait so long for the bays.")] = 0.0,
    ) -> Response:
        """Take one JPEG of at most the size that the node's settings allow: the body itself, or the file of a form."""
        head = head_of(captured_at=x_captured_at, sent_at=x_sent_at, sequence=x_sequence, historical=x_historical)
        return await desk.take(request, lot_id, x_camera, head, wait_s=wait_s)

    async def get_lots() -> list[LotShape]:
        """Return every lot, drawn or counting, and how full it is."""
        counted = {lot.lot_id: lot for lot in room.parking.lots()}
        drawn = {lot.lot_id: lot for lot in room.parking.lot_plans()}
        return [lot_shape(drawn.get(key), counted.get(key)) for key in sorted({*counted, *drawn})]

    async def get_lot(
        lot_id: str,
        as_: Annotated[Literal["json", "geojson"], Query(alias="format", description="Or as GeoJSON.")] = "json",
    ) -> Any:
        """Return a lot with the state of each bay, since when, and whether it is stale."""
        lot = room.parking.lot_plan(lot_id)
        occupancy = next((found for found in room.parking.lots() if found.lot_id == lot_id), None)
        if lot is None and occupancy is None:
            raise Refused(404, f"There is no lot {lot_id[:80]!r}.", hint="GET /api/parking lists them.")
        shapes = bay_shapes(lot, {bay.bay_id: bay for bay in room.parking.bays(lot_id)})
        if as_ == "geojson":
            return JSONResponse(bays_geojson(lot or Lot(lot_id=lot_id, name=lot_id), shapes), media_type=GEOJSON)
        return LotDetail(**lot_shape(lot, occupancy).model_dump(), bays=shapes)

    return [
        GatewayRoute(
            method="POST",
            path="/api/parking/{lot_id}/frame",
            endpoint=post_frame,
            limits=frame_limits,
            summary="An edge camera's picture of a lot",
            more={"status_code": 202, "responses": _FRAME_ANSWERS, "openapi_extra": {"requestBody": _FRAME_BODY}},
        ),
        reading_route(
            "/api/parking",
            get_lots,
            limits=READING,
            summary="Every lot and how full it is",
            answer=list[LotShape],
        ),
        reading_route(
            "/api/parking/{lot_id}",
            get_lot,
            limits=READING,
            summary="One lot with its bays",
            answer=LotDetail,
            responses={200: {"content": {GEOJSON: {"schema": {"type": "object"}}}}},
        ),
    ]


_PICTURE = {"type": "string", "contentMediaType": "image/jpeg", "format": "binary"}
_FRAME_BODY = {
    "required": True,
    "content": {
        "image/jpeg": {"schema": _PICTURE},
        "multipart/form-data": {"schema": {"type": "object", "properties": {"frame": _PICTURE}}},
    },
}
_FRAME_ANSWERS = {
    200: {"model": FrameAnswer, "description": "The picture counts in the bays of the answer, or needs no looking at."},
    202: {"model": FrameAnswer, "description": "The picture is taken; it will be looked at unless a newer one comes."},
    409: {"description": "The camera is disabled here, or the node reads it by itself."},
}


class _FrameDesk:
    """Takes posted pictures one by one for each camera: checks, puts in order, shows, hands on."""

    def __init__(self, room: GatewayRoom) -> None:
        self._room = room
        self._order = FrameOrder()
        self._pictures = EdgePictures(room.pictures)
        self._turns: defaultdict[tuple[str, str], asyncio.Lock] = defaultdict(asyncio.Lock)
        self._looking: set[asyncio.Future[bool]] = set()

    async def take(self, request: Request, lot_id: str, camera_id: str, head: FrameHead, *, wait_s: float) -> Response:
        room, key = self._room, visit_of(request).key
        assert key is not None
        lot, camera_id = self._place(key, lot_id, camera_id)
        body, kind = await request.body(), request.headers.get("content-type", "")
        jpeg, size, digest = await asyncio.to_thread(self._check, body, kind)
        async with self._turns[lot_id, camera_id]:
            verdict = self._order.judge((lot_id, camera_id), head, digest, room.clock.now())
            if verdict.standing is Standing.NEW and room.camera(camera_id) is not None:
                await asyncio.to_thread(self._pictures.put, camera_id, jpeg)
        is_seen = verdict.standing not in IS_LOOKED_AT
        if not is_seen:
            room.on_frame()
            if not _has_bays(lot, camera_id):
                pass
            elif verdict.standing is Standing.HISTORICAL:
                is_seen = await self._look_back(room.submit_history(lot_id, camera_id, jpeg, verdict.at))
            else:
                looking = asyncio.ensure_future(room.submit(lot_id, camera_id, jpeg, verdict.at))
                is_seen = await self._look(visit_of(request).sender, looking, wait_s)
        return self._answer(lot, camera_id, verdict, size, is_seen=is_seen)

    def _place(self, key: GatewayKey, lot_id: str, camera_id: str) -> tuple[Lot, str]:
        """Return the lot and the camera that a picture is of.

        Raises:
            Refused: The key is not theirs, there are none such, or nobody wants pictures of the camera.
        """
        camera_id = camera_id or key.camera_id
        if (lot_id, camera_id) != (key.lot_id, key.camera_id):
            raise Refused(
                403,
                f"The key {key.name} belongs to camera {key.camera_id} of lot {key.lot_id}.",
                hint="Post there, or make a key for this camera.",
            )
        lot = self._room.parking.lot_plan(lot_id)
        if lot is None:
            raise Refused(404, f"There is no lot {lot_id!r} any more.", hint="Make a key for another lot.")
        camera = self._room.camera(camera_id)
        if camera is None and all(view.camera_id != camera_id for view in lot.views):
            raise Refused(
                404,
                f"There is no camera {camera_id!r}.",
                hint=f"Add it in Devices with the address {EDGE}: and make a key for it.",
            )
        if camera is not None and not camera.is_enabled:
            raise Refused(409, f"Camera {camera.name} is disabled here.", hint="Enable it in Devices.")
        if camera is not None and not camera.address.startswith(f"{EDGE}:"):
            raise Refused(
                409,
                f"Camera {camera.name} is read by the node itself; posted pictures would mix with its own.",
                hint=f"Change its address to {EDGE}: or do not post.",
            )
        return lot, camera_id

    def _check(self, body: bytes, content_type: str) -> tuple[bytes, JpegSize, bytes]:
        jpeg = picture_of(body, content_type)
        return jpeg, check_jpeg(jpeg, max_pixels=self._room.max_frame_pixels), digest_of(jpeg)

    async def _look(self, sender: Sender, looking: asyncio.Future[bool], wait_s: float) -> bool:
        """Wait for a picture that is looked at; True where it counts in the bays already."""
        self._looking.add(looking)
        looking.add_done_callback(self._looking.discard)
        done, _ = await asyncio.wait({looking}, timeout=wait_s)
        if done:
            return await looking

        def on_done(late: asyncio.Future[bool]) -> None:
            error = None if late.cancelled() else late.exception()
            if isinstance(error, ConsoleError):
                self._room.on_unusable(sender, str(error))
            elif error is not None:
                log.error("a posted picture could not be looked at", exc_info=error)

        looking.add_done_callback(on_done)
        return False

    async def _look_back(self, submitted: Awaitable[None]) -> bool:
        """Wait until a picture of the past is in the history: only then its sender may let it go.

        Raises:
            Refused: It takes longer, or another one comes first.
        """
        try:
            async with asyncio.timeout(MAX_WAIT_S):
                await submitted
        except TimeoutError:
            raise Refused(
                503,
                "This picture of the past is not looked at yet.",
                hint="Keep it, and send it again: it is looked at once.",
                retry_after_s=MAX_WAIT_S,
            ) from None
        except UnavailableError as error:
            raise Refused(503, error.message, hint=error.hint, retry_after_s=MAX_WAIT_S) from error
        return True

    def _answer(self, lot: Lot, camera_id: str, verdict: FrameVerdict, size: JpegSize, *, is_seen: bool) -> Response:
        drawn = next((view.outlines for view in lot.views if view.camera_id == camera_id), {})
        known = {bay.bay_id: bay for bay in self._room.parking.bays(lot.lot_id)}
        note = verdict.note if drawn else f"{verdict.note} No bays are drawn on this camera yet.".strip()
        answer = FrameAnswer(
            standing=verdict.standing,
            is_looked_at=bool(drawn) and verdict.standing in IS_LOOKED_AT,
            note=note,
            lot_id=lot.lot_id,
            camera_id=camera_id,
            at=verdict.at,
            width=size.width,
            height=size.height,
            skew_s=verdict.skew_s,
            bays=[bay for bay in bay_shapes(lot, known) if bay.bay_id in drawn],
        )
        return Response(answer.model_dump_json(), status_code=200 if is_seen else 202, media_type="application/json")


def _has_bays(lot: Lot, camera_id: str) -> bool:
    return any(view.camera_id == camera_id and view.outlines for view in lot.views)
