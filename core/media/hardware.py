"""Decoding on a graphics card: which one really works on this machine, found by decoding with it.

A driver that is installed may still refuse, hang or crash: each candidate decodes a tiny clip in a process of its own
before a camera is trusted to it.
"""

from __future__ import annotations

import contextlib
import io
import logging
import multiprocessing
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, cast

import av
import numpy as np
from av.codec.hwaccel import HWAccel, hwdevices_available

SOFTWARE = "software"
OFF, AUTO = "off", "auto"
TRIAL_TIMEOUT_S = 10.0

_BEST_FIRST = {"linux": ("cuda", "vaapi", "qsv"), "win32": ("d3d11va", "cuda", "qsv"), "darwin": ("videotoolbox",)}
# Without one of these files there is no device to ask on Linux, and no process is started for it.
_LINUX_DEVICES = {
    "cuda": ("/dev/nvidiactl", "/dev/dxg"),
    "vaapi": ("/dev/dri",),
    "qsv": ("/dev/dri",),
    "drm": ("/dev/dri",),
}
# Smaller pictures are refused by some decoders that are well.
_TRIAL_WH = (320, 192)
_N_TRIAL_FRAMES = 6

_DEVICE_FAILURES = (av.FFmpegError, RuntimeError, NotImplementedError, ValueError)

_waiting_threads: set[int] = set()

log = logging.getLogger(__name__)


class HardwareError(Exception):
    """A device does not decode; the text says why, without a full stop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HardwareDecode:
    """What decodes the pictures of this machine.

    Attributes:
        name: "cuda", "vaapi", "qsv", "d3d11va" or "videotoolbox"; "software" where none of them works or is wanted.
        reason: One sentence: why this one.
    """

    name: str = SOFTWARE
    reason: str = "No graphics card was tried."


@contextlib.contextmanager
def waiting_for_device() -> Iterator[None]:
    """Say of this thread that a driver has it: should it hang, that is why."""
    me = threading.get_ident()
    _waiting_threads.add(me)
    try:
        yield
    finally:
        _waiting_threads.discard(me)


def waits_for_device(thread: threading.Thread | None) -> bool:
    """Tell whether a driver has this thread."""
    return thread is not None and thread.ident in _waiting_threads


def choose_hardware(setting: str, *, timeout_s: float = TRIAL_TIMEOUT_S) -> HardwareDecode:
    """Find what decodes on this machine; never raises for a bad device.

    Blocks for as long as the trials take: no time at all where there is no device.

    Args:
        setting: "auto", "off" or the name of a decoder, with the device behind a colon where there are several.
        timeout_s: How long one trial may take; a driver that hangs is ended.
    """
    if setting == OFF:
        return HardwareDecode(reason="Hardware decoding is switched off in the settings.")
    known = hwdevices_available()
    if setting != AUTO and setting.partition(":")[0] not in known:
        return HardwareDecode(reason=f"This program has no decoder for {setting}: it knows {', '.join(known)}.")
    failures = []
    for name in _candidates(setting, known):
        failure = _try_apart(name, timeout_s)
        if not failure:
            log.info("pictures are decoded by %s", name)
            return HardwareDecode(name=name, reason=f"A clip was decoded with {name} at the start.")
        log.info("hardware decoding with %s does not work: %s", name, failure)
        failures.append(f"{name}: {failure}")
    return HardwareDecode(
        reason=f"{'; '.join(failures)}." if failures else "No graphics card that decodes video was found."
    )


def accelerator(name: str, *, codec: str = "h264") -> HWAccel:
    """Return what `av.open` takes to decode on a device, after asking the device for its consent.

    Args:
        name: As in `HardwareDecode.name`, or with the device behind a colon: "cuda:1", "vaapi:/dev/dri/renderD129".
        codec: What the device has to know.

    Raises:
        HardwareError: There is no such device, or it does not answer.
    """
    try:
        _device(name, allow_software_fallback=False).create(av.Codec(codec, "r"))
    except _DEVICE_FAILURES as error:
        raise HardwareError(_plain(error)) from error
    # What the device does not know (MJPEG, a rare profile) is decoded in software.
    return _device(name, allow_software_fallback=True)


def _device(name: str, *, allow_software_fallback: bool) -> HWAccel:
    kind, _, device = name.partition(":")
    if kind not in hwdevices_available():
        # libav would take an unknown name for "any device".
        raise HardwareError(f"this program has no decoder for {kind}")
    # All cameras share the card's one context: one for each takes a hundred megabytes.
    options: dict[str, object] = {"primary_ctx": "1"} if kind == "cuda" else {}
    return HWAccel(kind, device or None, allow_software_fallback=allow_software_fallback, options=options)


def try_to_decode(name: str) -> str:
    """Decode a tiny clip on the device `name`; returns what went wrong, or nothing."""
    try:
        device = _device(name, allow_software_fallback=False)
        with av.open(io.BytesIO(_trial_clip()), hwaccel=device) as container:
            frames = list(container.decode(video=0))
            is_on_device = container.streams.video[0].codec_context.is_hwaccel
            luma = np.frombuffer(cast(Any, frames[-1].reformat(format="gray").planes[0]), np.uint8) if frames else None
    except HardwareError as error:
        return str(error)
    except _DEVICE_FAILURES as error:
        return _plain(error)
    if not is_on_device:
        return "it does not decode H.264"
    if luma is None or len(frames) != _N_TRIAL_FRAMES:
        return f"it returned {len(frames)} pictures of {_N_TRIAL_FRAMES}"
    # The clip is grey with a white bar: a device that returns something else is of no use.
    return "" if luma.max() > 180 and np.median(luma) < 120 else "its pictures are wrong"


def _candidates(setting: str, known: Sequence[str]) -> list[str]:
    names = _BEST_FIRST.get(sys.platform, ()) if setting == AUTO else (setting,)
    return [name for name in names if name.partition(":")[0] in known and _has_device(name.partition(":")[0])]


def _plain(error: BaseException) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _has_device(name: str) -> bool:
    if not sys.platform.startswith("linux"):
        return True
    return any(Path(path).exists() for path in _LINUX_DEVICES.get(name, ("/",)))


def _try_apart(name: str, timeout_s: float) -> str:
    """Try in a process of its own: a driver may hang, or take the process with it."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_answer, args=(theirs, name), name=f"trial-{name}", daemon=True)
    process.start()
    theirs.close()
    try:
        return str(ours.recv()) if ours.poll(timeout_s) else f"it did not answer within {timeout_s:g} s"
    except EOFError:
        return "its driver ended the process"
    finally:
        ours.close()
        process.join(0.5)
        if process.is_alive():
            process.kill()
            process.join(2.0)


def _answer(connection: Connection, name: str) -> None:
    connection.send(try_to_decode(name))
    connection.close()


def _trial_clip() -> bytes:
    width, height = _TRIAL_WH
    target = io.BytesIO()
    with av.open(target, "w", format="matroska") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.options = {"preset": "ultrafast", "bf": "0"}
        for number in range(_N_TRIAL_FRAMES):
            picture = np.full((height, width, 3), 90, np.uint8)
            picture[:, number * 8 : number * 8 + 32] = 235
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return target.getvalue()
