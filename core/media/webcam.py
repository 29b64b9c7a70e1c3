"""Cameras that are plugged into this machine: which there are, how they are called, and what is wrong with one."""

from __future__ import annotations

import errno
import os
import re
import stat
import sys
from dataclasses import dataclass
from pathlib import Path

from core.kernel.errors import BadInputError, ConsoleError, UnavailableError

WEBCAM = "webcam"
"""Addresses of this kind: `webcam:0`, or on Linux `webcam:/dev/v4l/by-id/NAME`, which stays as plugs are changed."""

MAX_NUMBER = 999
_VIDEO_CLASS = Path("/sys/class/video4linux")
_DEVICE = re.compile(r"/dev/video(\d{1,3})|/dev/v4l/by-(?:id|path)/[\w.:+@-]{1,200}", re.ASCII)
_BUSY = frozenset({errno.EBUSY, errno.EAGAIN})
_NO_CAMERA = frozenset({errno.ENOTTY, errno.EINVAL, errno.ENODEV, errno.ENXIO})


@dataclass(frozen=True, slots=True, kw_only=True)
class Webcam:
    """A camera of this machine."""

    address: str
    name: str


def webcam_address(text: str) -> str | None:
    """Return how a webcam is written, from `webcam:0` or the path of its device; None where the text names none."""
    scheme, colon, rest = text.strip().partition(":")
    if not colon or scheme.lower() != WEBCAM:
        rest = text.strip()
    elif rest.isdecimal() and int(rest) <= MAX_NUMBER:
        return f"{WEBCAM}:{int(rest)}"
    device = _DEVICE.fullmatch(rest)
    if device is None:
        return None
    return f"{WEBCAM}:{int(device.group(1))}" if device.group(1) else f"{WEBCAM}:{rest}"


def list_webcams(video_class: Path = _VIDEO_CLASS) -> tuple[Webcam, ...]:
    """Return the cameras that are plugged in, by number; none where this system does not tell.

    Args:
        video_class: Where Linux lists them.
    """
    if sys.platform.startswith("linux"):
        return _listed_by_linux(video_class)
    # Imported here: consoles check addresses, and decode nothing.
    import av

    driver = "avfoundation" if sys.platform == "darwin" else "dshow"
    try:
        found = [device for device in av.enumerate_input_devices(driver) if "video" in device.media_types]
    except (av.FFmpegError, OSError):
        return ()
    return tuple(
        Webcam(address=f"{WEBCAM}:{number}", name=device.description or device.name)
        for number, device in enumerate(found)
    )


def _listed_by_linux(video_class: Path) -> tuple[Webcam, ...]:
    found = []
    for folder in video_class.glob("video*"):
        number = folder.name.removeprefix("video")
        # One camera has several devices; the first gives pictures, the others tell about them.
        if number.isdecimal() and _read(folder / "index") in {"", "0"}:
            found.append((int(number), _read(folder / "name")))
    return tuple(Webcam(address=f"{WEBCAM}:{number}", name=name or f"video{number}") for number, name in sorted(found))


def _read(file: Path) -> str:
    try:
        return file.read_text("utf-8", "replace").strip()[:80]
    except OSError:
        return ""


def check_device(device: Path, name: str) -> None:
    """Ask the system for a camera's device before its driver is asked for pictures.

    Args:
        device: Its file.
        name: As people know it, for the sentences.

    Raises:
        BadInputError: It is not there, or no camera.
        UnavailableError: It may not be opened.
    """
    try:
        if not stat.S_ISCHR(os.stat(device).st_mode):
            raise BadInputError(f"{name} is no camera.", hint=_plugged_in())
        os.close(os.open(device, os.O_RDWR | os.O_NONBLOCK))
    except OSError as error:
        raise explain_device(error, name) from None


def explain_device(error: OSError, name: str) -> ConsoleError:
    """Turn what a camera's driver says into a sentence with a way out."""
    match error.errno:
        case errno.ENOENT:
            return BadInputError(f"There is no {name} on this machine.", hint=_plugged_in())
        case errno.EACCES | errno.EPERM:
            return UnavailableError(
                f"{name} may not be opened.",
                hint="Add the user who runs the node to the group video, then start the node again.",
            )
        case number if number in _BUSY:
            return UnavailableError(
                f"{name} is being used by another program.", hint="End that program: only one may show its picture."
            )
        case number if number in _NO_CAMERA:
            return BadInputError(f"{name} is no camera, or it was unplugged.", hint=_plugged_in())
    return UnavailableError(
        f"{name} cannot be opened: {error.strerror or error}.", hint="Unplug it and plug it in again."
    )


def _plugged_in() -> str:
    found = list_webcams()
    if not found:
        return "No webcam is plugged into the node's machine."
    return "Plugged in: " + ", ".join(f"{one.address} ({one.name})" for one in found) + "."
