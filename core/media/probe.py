"""Trying an address before it is saved: one picture, or a sentence about what is wrong."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import replace

import av

from core.kernel.errors import BadInputError, ConsoleError, UnavailableError
from core.media.convert import to_jpeg
from core.media.masks import Polygon, PrivacyMask
from core.media.model import ProbeResult, SourceSpec
from core.media.parameters import public_address
from core.media.source import Source, open_source

THUMBNAIL_WH = (320, 320)


def probe(spec: SourceSpec, *, timeout_s: float = 8.0, privacy: Sequence[Polygon] = ()) -> ProbeResult:
    """Open `spec`, decode one picture and hang up; never raises for a bad camera.

    Returns within `timeout_s` and a second: a camera that hangs is left to a daemon thread, which hangs up when it
    comes back.

    Args:
        spec: Of the camera.
        timeout_s: How long it may take.
        privacy: Parts of the picture that are black before anyone gets it.
    """
    found: list[ProbeResult] = []
    is_late = threading.Event()
    limited = replace(
        spec,
        open_timeout_s=min(spec.open_timeout_s, timeout_s),
        read_timeout_s=min(spec.read_timeout_s, timeout_s),
    )

    def try_it() -> None:
        try:
            found.append(_look_at(limited, privacy, is_late, time.monotonic() + timeout_s))
        except ConsoleError as error:
            found.append(ProbeResult(ok=False, message=error.message, hint=error.hint))

    thread = threading.Thread(target=try_it, name="probe", daemon=True)
    thread.start()
    thread.join(timeout_s + 0.5)
    is_late.set()
    if found:
        return found[0]
    return ProbeResult(
        ok=False,
        message=f"{public_address(spec.address)} did not answer within {timeout_s:g} s.",
        hint="Check the camera's power, cable and address.",
    )


def _look_at(spec: SourceSpec, privacy: Sequence[Polygon], is_late: threading.Event, deadline_s: float) -> ProbeResult:
    source = open_source(spec)
    try:
        frame = PrivacyMask(privacy).blacken(_first_frame(source, is_late, deadline_s, public_address(spec.address)))
        rate = f" at {source.fps:.3g} frames/s" if source.fps else ""
        return ProbeResult(
            ok=True,
            message=f"{frame.width}x{frame.height} {source.codec}{rate}.",
            width=frame.width,
            height=frame.height,
            fps=source.fps,
            codec=source.codec,
            thumbnail_jpeg=to_jpeg(frame, THUMBNAIL_WH, quality=80),
        )
    finally:
        source.close()


def _first_frame(source: Source, is_late: threading.Event, deadline_s: float, name: str) -> av.VideoFrame:
    while not is_late.is_set() and time.monotonic() < deadline_s:
        frames = source.read()
        if frames is None:
            raise BadInputError(f"{name} holds no picture that can be decoded.", hint="Play it elsewhere to check it.")
        whole = [frame for frame in frames if not frame.is_corrupt]
        if whole:
            return whole[0]
    if source.n_broken:
        raise BadInputError(f"{name} sends pictures that cannot be decoded.", hint="Set the camera to H.264 or H.265.")
    raise UnavailableError(f"{name} was opened but sent no picture in time.", hint="Try again; check the network.")
