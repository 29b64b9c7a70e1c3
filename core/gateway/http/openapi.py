"""The gateway's addresses for other people's programs: OpenAPI, made from the routes that serve them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

from core.gateway.http.app import make_app
from core.gateway.http.route import GatewayRoom
from core.kernel.bus import Bus
from core.kernel.clock import SystemClock
from core.kernel.settings import GatewaySettings

FILE = "openapi.json"


def empty_room() -> GatewayRoom:
    """Return a room with default settings and nobody in it: enough to describe the addresses, not to serve them."""
    wanted, nobody = GatewaySettings(), cast(Any, None)
    return GatewayRoom(
        clock=SystemClock(),
        bus=Bus(),
        max_frame_bytes=round(wanted.max_frame_mb * 1e6),
        max_frame_pixels=round(wanted.max_frame_megapixels * 1e6),
        frames_per_s=wanted.frames_per_s,
        pictures=Path(),
        parking=nobody,
        camera=nobody,
        submit=nobody,
        submit_history=nobody,
        devices=nobody,
        open_alarms=nobody,
        recent_incidents=nobody,
        drones=nobody,
        has_drone_key=nobody,
        video_of=nobody,
    )


def make_document() -> dict[str, Any]:
    """Return the document as a node with default settings serves it."""
    app, _ = make_app(empty_room())
    document: dict[str, Any] = app.openapi()
    return document


def document_text() -> str:
    """Return the document as it is kept in a file."""
    return json.dumps(make_document(), indent=2, ensure_ascii=False) + "\n"


def write_openapi(folder: Path) -> Path:
    """Write the document; returns its file."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / FILE
    file.write_text(document_text(), encoding="utf-8")
    return file
