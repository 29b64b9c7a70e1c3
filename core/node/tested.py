"""What of a tested address may be shown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from core.cameras.model import Camera
from core.media.camera_source import is_same_shape
from core.media.model import ProbeResult, StreamReport
from core.media.parameters import public_address

LEFT_OUT = (
    "Its picture is left out: the privacy masks belong to the large stream, and may not cover the same in this one."
)


def unplaced(streams: Mapping[str, StreamReport]) -> frozenset[str]:
    """Return the cameras of which nobody knows just now where in the picture their private parts are."""
    return frozenset(camera_id for camera_id, one in streams.items() if one.is_moved or one.is_hidden)


def covered(
    found: ProbeResult, address: str, cameras: Iterable[Camera], streams: Mapping[str, StreamReport]
) -> ProbeResult:
    """Return a test's result without its picture where masks would not cover what they were drawn on.

    Args:
        found: Of the address.
        address: Which was tested.
        cameras: All of them.
        streams: What they show now: under a mask never a stream of another shape than the main one.
    """
    wanted = public_address(address)
    for camera in cameras:
        is_small = public_address(camera.sub_address) == wanted != public_address(camera.address)
        if not is_small or not camera.scene.private_parts or not found.thumbnail_jpeg:
            continue
        shown = streams.get(camera.camera_id)
        shown_wh = (shown.width, shown.height) if shown is not None else (0, 0)
        if 0 in shown_wh or not is_same_shape(shown_wh, (found.width, found.height)):
            return replace(found, message=f"{found.message} {LEFT_OUT}", thumbnail_jpeg=b"")
    return found
