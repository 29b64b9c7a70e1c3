"""From a `SourceSpec` to decoded frames: cameras, files, webcams and a made-up street, all behind one small protocol.

User name and password enter the address in `_authenticated` and nowhere else. libav's exceptions carry that address, so
none of them leaves this module: they become sentences here.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
import sys
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote, unquote, urlsplit, urlunsplit
from urllib.request import url2pathname

import av
import numpy as np
from av.error import FFmpegError
from av.stream import Disposition

from core.kernel.errors import BadInputError, ConsoleError, UnavailableError
from core.media.backlog import Backlog
from core.media.hardware import SOFTWARE, HardwareError, accelerator, waiting_for_device
from core.media.model import EDGE, NETWORK_SCHEMES, SourceSpec
from core.media.parameters import (
    NO_SCHEME,
    WRITE_SCHEME,
    fill_parameters,
    holds_bare_login,
    public_address,
    split_login,
)
from core.media.pushed import PushedSource, pushed_file
from core.media.webcam import WEBCAM, check_device, explain_device, list_webcams, webcam_address

SYNTHETIC_WH = (640, 360)
SYNTHETIC_FPS = 15
# Hidden tiles need a picture now and then: of streams that consist of key frames only, this is enough.
KEYFRAME_PERIOD_S = 0.5
# Some encoders never send another key frame (intra refresh): after this long, decode what comes.
MAX_WAIT_FOR_KEYFRAME_S = 12.0

_SCHEME = re.compile(r"^([a-zA-Z][a-zA-Z0-9+.-]+):")
_FAST_PROBING = {"analyzeduration": "1", "probesize": "32", "fpsprobesize": "0"}
# MPEG-TS, MJPEG and HLS need more than 32 bytes to be told apart, but not libav's five seconds.
_HTTP_PROBING = {"analyzeduration": "1500000", "fpsprobesize": "0"}
# Pictures one after the other without a clock: libav counts 25 a second, whatever really comes.
_UNTIMED_FORMATS = frozenset({"mpjpeg", "mjpeg", "h264", "hevc"})
_USE_H264 = "Set the camera to H.264 or H.265."
# libav waits twice as long before it gives up reading, and once before it gives up opening.
_LIBAV_GRACE_S = 0.5
_MAX_HARDWARE_FAULTS = 5
MAX_SEARCH_BYTES = 64_000_000
"""Read of a file at most before the next picture has to come; the index of a day's recording is smaller."""

_NO_ROUTE = frozenset({errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENETDOWN})


class LoginRefusedError(BadInputError):
    """The camera does not accept the user name or password; asking often may lock the account."""


class HardwareDecodeError(UnavailableError):
    """The graphics card failed on this stream; software can decode it."""


class Source(Protocol):
    """An open stream of pictures. Threads: one, apart from `set_keyframes_only`.

    Attributes:
        is_live: Comes at its own pace and cannot be rewound.
        is_timed: Its pictures carry times of the camera; False where libav would make them up.
        fps: As the source states it; 0 where it does not.
        n_bytes: Encoded bytes read so far.
        n_broken: Packets that could not be decoded so far.
        decoder: "software", or the device that decodes.
        backlog: What waits to be read; None where nothing does, or nobody can know.
        behind_s: How long the pictures read last had been waiting, as far as that is known.
    """

    is_live: bool
    is_timed: bool
    width: int
    height: int
    fps: float
    codec: str
    n_bytes: int
    n_broken: int
    decoder: str
    backlog: Backlog | None
    behind_s: float

    def read(self) -> list[av.VideoFrame] | None:
        """Read one packet and return its pictures, often one, sometimes none; None at the end.

        Raises:
            UnavailableError: Time-out or broken connection.
            HardwareDecodeError: The graphics card failed.
        """
        ...

    def set_keyframes_only(self, only: bool) -> None:
        """Decode every picture, or now and then a key frame."""
        ...

    def rewind(self) -> None:
        """Go back to the start.

        Raises:
            UnavailableError: It cannot be rewound.
        """
        ...

    def close(self) -> None:
        """Hang up."""
        ...


def open_source(spec: SourceSpec) -> Source:
    """Open a source; blocks, in the worst case longer than its time-outs (names are resolved without one).

    Raises:
        BadInputError: The address, the file or the stream is not usable.
        LoginRefusedError: User name or password is refused.
        UnavailableError: Not reachable for now.
    """
    address = spec.address.strip()
    kind = address_kind(address)
    if kind == "synthetic":
        return SyntheticSource(address.split(":", 1)[1])
    if kind == WEBCAM:
        return _open_webcam(spec)
    if kind == EDGE:
        return PushedSource(pushed_file(address))
    if kind == "file":
        return _open_file(spec)
    return _open_network(spec)


def address_kind(address: str) -> str:
    """Return one of `NETWORK_SCHEMES`, `WEBCAM`, "synthetic", "edge" or "file".

    Raises:
        BadInputError: No address of these kinds.
    """
    if not address.strip():
        raise BadInputError("The address is empty.", hint="Enter rtsp://…, http://…, a file, or webcam:0.")
    if webcam_address(address) is not None:
        return WEBCAM
    if holds_bare_login(address):
        raise BadInputError(NO_SCHEME, hint=WRITE_SCHEME)
    # One letter before the colon is a drive of Windows.
    match = _SCHEME.match(address.strip())
    scheme = match.group(1).lower() if match else "file"
    if scheme in NETWORK_SCHEMES:
        if not _host_of(address):
            raise BadInputError(
                f"{public_address(address)} names no host, or its port is no number.", hint="Like rtsp://camera/stream."
            )
        return scheme
    if scheme in {"file", WEBCAM, "synthetic", EDGE}:
        return scheme
    raise BadInputError(
        f"{public_address(address)} is not a kind of address that can be shown.",
        hint="Use rtsp(s)://, rtmp(s)://, http(s)://, a file path, webcam:0, synthetic:NAME or edge:.",
    )


class _LibavSource:
    """A container that libav opened, reduced to its picture."""

    def __init__(
        self, container: Any, name: str, *, is_live: bool, hardware: str = "", file: _BoundedFile | None = None
    ) -> None:
        self._container = container
        self._file = file
        self._name = name
        self._n_hardware_faults = 0
        self._stream = _picture_stream(container)
        if self._stream is None:
            container.close()
            raise BadInputError(
                f"{name} has no picture: sound or data only.", hint="Check which of the camera's streams this is."
            )
        context = self._stream.codec_context
        if context is None:
            container.close()
            raise BadInputError(f"{name} sends a kind of picture that is unknown here.", hint=_USE_H264)
        # Frame threads would hold back one picture each; cameras are decoded side by side instead.
        self._stream.thread_type = "NONE"
        context.thread_count = 1
        self.is_live = is_live
        self.is_timed = not is_live or container.format.name not in _UNTIMED_FORMATS
        self.width: int = context.width
        self.height: int = context.height
        # What is guessed without looking counts half pictures.
        rate = self._stream.average_rate or context.framerate or self._stream.guessed_rate
        self.fps = float(rate) if self.is_timed and rate and 0 < rate <= 240 else 0.0
        self.codec: str = context.codec.name
        self.decoder = hardware.partition(":")[0] if hardware and context.is_hwaccel else SOFTWARE
        self.n_bytes = 0
        self.n_broken = 0
        self._keyframes_only = False
        self._waits_since_s: float | None = None
        self._last_decoded_s: float | None = None
        self.backlog = Backlog() if is_live and self.is_timed else None
        self.behind_s = 0.0
        self._packets: Iterator[Any] = container.demux(self._stream)
        self._renew_search()

    def read(self) -> list[av.VideoFrame] | None:
        frames = self._read()
        if frames is None and self._file is not None and self._file.error is not None:
            raise UnavailableError(
                f"{self._name} cannot be read any more: {self._file.error.strerror}.", hint="Check the drive it is on."
            )
        return frames

    def _read(self) -> list[av.VideoFrame] | None:
        held = self.backlog.pop() if self.backlog is not None else None
        if held is not None:
            return self._decode(*held)
        failure: ConsoleError | None = None
        began_s = time.monotonic()
        try:
            packet = next(self._packets)
        except (StopIteration, EOFError):
            return None
        except FFmpegError as error:
            failure = explain(error, self._name)
        if failure is not None:
            raise failure
        self.n_bytes += packet.size
        at_s = _time_of(packet)
        if self.backlog is not None:
            now_s = time.monotonic()
            if self.backlog.keeps(packet, at_s, is_key=packet.is_keyframe, began_s=began_s, now_s=now_s):
                return []
        return self._decode(packet, at_s)

    def _decode(self, packet: Any, at_s: float | None) -> list[av.VideoFrame] | None:
        is_flush = packet.size == 0 and packet.dts is None
        if not is_flush and not self._is_wanted(packet):
            self._renew_search()
            return []
        failure: ConsoleError | None = None
        began_s = time.monotonic()
        try:
            with self._in_decoder():
                frames: list[av.VideoFrame] = packet.decode()
        except EOFError:
            return None
        except FFmpegError as error:
            self.n_broken += 1
            failure = self._hardware_failure(error)
        else:
            self._n_hardware_faults = 0
            if frames:
                self._renew_search()
            return self._newest_of(frames, at_s, time.monotonic() - began_s)
        if failure is not None:
            raise failure
        return []

    def _newest_of(self, frames: list[av.VideoFrame], at_s: float | None, took_s: float) -> list[av.VideoFrame]:
        """Return the pictures of a packet; none where newer ones are there already."""
        backlog = self.backlog
        if backlog is None:
            return frames
        backlog.note_decoding(took_s)
        self.behind_s = backlog.behind_s(at_s, time.monotonic())
        if not backlog.is_running_up:
            return frames
        backlog.n_left_out += len(frames)
        return []

    def _in_decoder(self) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext() if self.decoder == SOFTWARE else waiting_for_device()

    def _hardware_failure(self, error: FFmpegError) -> ConsoleError | None:
        """Return why the device is given up; None where only the packet is to blame."""
        if self.decoder == SOFTWARE:
            return None
        self._n_hardware_faults += 1
        if isinstance(error, av.error.InvalidDataError) and self._n_hardware_faults < _MAX_HARDWARE_FAULTS:
            return None
        return HardwareDecodeError(f"{self.decoder} cannot decode {self._name}: {error.strerror}.")

    def set_keyframes_only(self, only: bool) -> None:
        self._keyframes_only = only

    def rewind(self) -> None:
        failure: ConsoleError | None = None
        self._renew_search()
        try:
            self._container.seek(self._container.start_time or 0)
            self._packets = self._container.demux(self._stream)
        except FFmpegError as error:
            failure = explain(error, self._name)
        if failure is not None:
            raise UnavailableError(f"{self._name} cannot be played again: {failure.message}")
        self._waits_since_s = self._last_decoded_s = None

    def close(self) -> None:
        with self._in_decoder():
            self._container.close()
        if self._file is not None:
            self._file.close()

    def _renew_search(self) -> None:
        if self._file is not None:
            self._file.renew()

    def _is_wanted(self, packet: Any) -> bool:
        """Tell whether a packet has to be decoded, given what is looked at."""
        at_s = _time_of(packet)
        backlog = self.backlog
        if backlog is not None and backlog.is_skipping and self._waits_since_s is None:
            self._waits_since_s = at_s if at_s is not None else 0.0
        is_wanted = self._is_looked_at(packet, at_s)
        if backlog is not None and backlog.is_skipping:
            backlog.is_skipping = self._waits_since_s is not None and not self._keyframes_only
            backlog.n_left_out += not is_wanted
        return is_wanted

    def _is_looked_at(self, packet: Any, at_s: float | None) -> bool:
        if self._keyframes_only:
            self._waits_since_s = at_s if at_s is not None else 0.0
            last_s = self._last_decoded_s
            too_soon = at_s is not None and last_s is not None and 0 <= at_s - last_s < KEYFRAME_PERIOD_S
            if not packet.is_keyframe or too_soon:
                return False
            self._last_decoded_s = at_s
            # As long as nothing was left out since, all pictures may come next.
            self._waits_since_s = None
            return True
        if self._waits_since_s is None:
            return True
        # Pictures were left out: what refers to them would be smeared.
        if packet.is_keyframe or at_s is None or not 0 <= at_s - self._waits_since_s < MAX_WAIT_FOR_KEYFRAME_S:
            self._waits_since_s = None
            return True
        return False


def _time_of(packet: Any) -> float | None:
    return float(packet.dts * packet.time_base) if packet.dts is not None else None


class _BoundedFile:
    """A file of which only so much is read in search of the next picture: libav would read through a hole of 10 GB.

    Attributes:
        error: Why it could not be read on, as of a network drive that is gone.
    """

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        self._file = path.open("rb")
        self._n_left = MAX_SEARCH_BYTES
        self.error: OSError | None = None

    def read(self, n_bytes: int) -> bytes:
        """Return the next bytes; none at the end of the file, or where nothing was found in too many."""
        if self._n_left <= 0:
            return b""
        try:
            data = self._file.read(n_bytes)
        except OSError as error:
            self.error = error
            return b""
        self._n_left -= len(data)
        return data

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to another place; -1 where there is none, as libav expects it."""
        try:
            return self._file.seek(offset, whence)
        except (OSError, ValueError):
            return -1

    def tell(self) -> int:
        """Return the place of the next byte."""
        return self._file.tell()

    def renew(self) -> None:
        """A picture was found, or the search begins anew."""
        self._n_left = MAX_SEARCH_BYTES

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()


class SyntheticSource:
    """A street of moving rectangles, the same for the same name on every machine; needs no camera and no file."""

    is_live = False
    is_timed = True
    width, height = SYNTHETIC_WH
    fps = float(SYNTHETIC_FPS)
    codec = "synthetic"
    decoder = SOFTWARE
    backlog: Backlog | None = None
    behind_s = 0.0

    def __init__(self, name: str) -> None:
        """Lay out the street of that name."""
        seed = int.from_bytes(name.strip().lower().encode("utf-8")[-8:].rjust(8, b"\0"), "big")
        random = np.random.default_rng(seed)
        width, height = SYNTHETIC_WH
        self.n_bytes = 0
        self.n_broken = 0
        self._step = 1
        self._index = 0
        self._n_lanes = 4
        n_cars = 8
        self._lane = random.integers(0, self._n_lanes, n_cars)
        self._length = random.integers(40, 90, n_cars)
        self._start = random.uniform(0, width + 120, n_cars)
        self._speed = random.uniform(40, 110, n_cars)
        self._colour = random.integers(60, 256, (n_cars, 3), dtype=np.uint8)
        background = np.empty((height, width, 3), np.uint8)
        background[:] = (70 + random.integers(0, 40, 3)).astype(np.uint8)
        road_top, lane_height = 120, 45
        background[road_top : road_top + self._n_lanes * lane_height] = 58
        for lane in range(1, self._n_lanes):
            y = road_top + lane * lane_height
            background[y - 1 : y + 1].reshape(2, width // 20, 20, 3)[:, :, :10] = 200
        self._background = background
        self._lane_top = road_top + np.arange(self._n_lanes) * lane_height + 9

    def read(self) -> list[av.VideoFrame] | None:
        """Draw the next picture."""
        frame = av.VideoFrame.from_ndarray(self._draw(self._index / SYNTHETIC_FPS), format="rgb24")
        frame.pts = self._index
        frame.time_base = Fraction(1, SYNTHETIC_FPS)
        self._index += self._step
        return [frame]

    def set_keyframes_only(self, only: bool) -> None:
        """Draw one picture a second, or all."""
        self._step = SYNTHETIC_FPS if only else 1

    def rewind(self) -> None:
        """Start again."""
        self._index = 0

    def close(self) -> None:
        """Nothing to hang up."""

    def _draw(self, at_s: float) -> np.ndarray[Any, np.dtype[np.uint8]]:
        picture = self._background.copy()
        width = SYNTHETIC_WH[0]
        for lane, length, start, speed, colour in zip(
            self._lane, self._length, self._start, self._speed, self._colour, strict=True
        ):
            travelled = (start + speed * at_s) % (width + 120)
            # The upper lanes go left, the lower ones right.
            left = int(travelled - 120 if lane >= self._n_lanes // 2 else width - travelled)
            top = int(self._lane_top[lane])
            x1, x2 = max(0, left), min(width, left + int(length))
            if x1 >= x2:
                continue
            picture[top : top + 27, x1:x2] = colour
            picture[top + 6 : top + 21, max(0, left + 8) : max(0, min(width, left + int(length) - 8))] = colour // 2
        return picture


def _open_network(spec: SourceSpec) -> Source:
    scheme = address_kind(spec.address)
    name = public_address(spec.address)
    io_timeout = str(int((spec.read_timeout_s + _LIBAV_GRACE_S) * 1e6))
    options = {"timeout": io_timeout}
    if scheme in {"rtsp", "rtsps"}:
        if spec.transport not in {"tcp", "udp"}:
            raise BadInputError(f"{spec.transport!r} is no way to carry {name}.", hint="Choose tcp or udp.")
        # Sound is let in so that a stream of sound alone can be told from a broken one; ONVIF's data tracks stay out.
        options |= {"rtsp_transport": spec.transport, "allowed_media_types": "video+audio"}
        fast = _open_live(spec, name, {**options, **_FAST_PROBING})
        if fast is not None:
            return fast
        # The description carried no picture size: let libav look into the stream.
        slow = _open_live(spec, name, options | {"analyzeduration": str(int(spec.open_timeout_s * 1e6))})
        if slow is None and spec.transport == "udp":
            raise UnavailableError(
                f"{name} answers, but no picture of it arrives by UDP.",
                hint="Use TCP as transport: firewalls and routers often hold UDP back.",
            )
        if slow is None:
            raise BadInputError(f"{name} sends nothing that can be decoded as a picture.", hint=_USE_H264)
        return slow
    if scheme in {"rtmp", "rtmps"}:
        # For RTMP libav takes "timeout" as the wish to be the server.
        options = {"rw_timeout": io_timeout, "rtmp_live": "live", **_HTTP_PROBING}
        container = _open_container(_authenticated(spec), name, None, options, spec.hardware)
        return _LibavSource(container, name, is_live=True, hardware=spec.hardware)
    options |= {"rw_timeout": io_timeout}
    container = _open_container(_authenticated(spec), name, None, options | _HTTP_PROBING, spec.hardware)
    source = _LibavSource(container, name, is_live=container.duration is None, hardware=spec.hardware)
    if container.format.name != "mpjpeg" or source.width:
        return source
    # Parts that call themselves image/jpg, or nothing: libav takes them by their markers alone.
    source.close()
    container = _open_container(_authenticated(spec), name, "mjpeg", options | _FAST_PROBING, spec.hardware)
    return _LibavSource(container, name, is_live=True, hardware=spec.hardware)


def _open_live(spec: SourceSpec, name: str, options: dict[str, str]) -> _LibavSource | None:
    """Open an RTSP stream; None where its picture size stayed unknown."""
    container = _open_container(_authenticated(spec), name, None, options, spec.hardware)
    source = _LibavSource(container, name, is_live=True, hardware=spec.hardware)
    if source.width and source.height:
        return source
    source.close()
    return None


def _open_file(spec: SourceSpec) -> Source:
    path = file_path(spec.address)
    file: _BoundedFile | None = None
    try:
        # Asked first: opening a pipe would wait for its writer.
        if stat.S_ISREG(os.stat(path).st_mode):
            file = _BoundedFile(path)
    except FileNotFoundError:
        raise BadInputError(
            f"The file {path} does not exist.",
            hint="Check the path on the node's machine; the address of a camera begins with rtsp:// or http://.",
        ) from None
    except PermissionError:
        raise BadInputError(
            f"The file {path} may not be read.", hint="Give the user who runs the node the right to read it."
        ) from None
    except (OSError, ValueError) as error:
        raise BadInputError(f"The file {path} cannot be read: {error}.") from None
    if file is None:
        raise BadInputError(f"{path} is no file.", hint="Choose a video file.")
    try:
        # A playlist in disguise must not reach for the network.
        container = _open_container(file, str(path), None, {"protocol_whitelist": "file"}, spec.hardware)
        return _LibavSource(container, str(path), is_live=False, hardware=spec.hardware, file=file)
    except ConsoleError:
        file.close()
        raise


def _open_webcam(spec: SourceSpec) -> Source:
    """Open a camera of this machine; it has neither password nor time-outs, the stream's watch ends one that hangs."""
    address = webcam_address(spec.address)
    if address is None:
        raise BadInputError(f"{spec.address} names no webcam.", hint="Use webcam:0 for the first one.")
    number = address.removeprefix(f"{WEBCAM}:")
    name, options = f"webcam {number}", dict[str, str]()
    if sys.platform.startswith("linux"):
        device, driver = (f"/dev/video{number}" if number.isdecimal() else number), "v4l2"
        check_device(Path(device), name)
    elif sys.platform == "darwin":
        device, driver, options = f"{number}:none", "avfoundation", {"framerate": "30"}
    else:
        known = {webcam.address: webcam.name for webcam in list_webcams()}
        if address not in known:
            raise explain_device(FileNotFoundError(errno.ENOENT, ""), name)
        device, driver = f"video={known[address]}", "dshow"
    failure: ConsoleError | None = None
    try:
        container = av.open(device, format=driver, options=options, metadata_errors="replace")
    except FFmpegError as error:
        failure = explain_device(OSError(error.errno, error.strerror), name)
    if failure is not None:
        raise failure
    return _LibavSource(container, name, is_live=True)


def file_path(address: str) -> Path:
    """Return the path behind a file address: plain, `file:…` or `file:///…`, drives of Windows included."""
    text = address.strip()
    if not text.lower().startswith("file:"):
        return Path(text)
    rest = text[5:]
    if rest.startswith("//"):
        parts = urlsplit(text)
        return Path(url2pathname((f"//{parts.netloc}" if parts.netloc not in {"", "localhost"} else "") + parts.path))
    return Path(unquote(rest))


def _authenticated(spec: SourceSpec) -> str:
    """Return the address as libav wants it; never log or keep it."""
    address = fill_parameters(spec.address.strip(), spec.username, spec.password)
    if not spec.username:
        return address
    parts = urlsplit(split_login(address)[0])
    userinfo = f"{quote(spec.username, safe='')}:{quote(spec.password, safe='')}"
    return urlunsplit(parts._replace(netloc=f"{userinfo}@{parts.netloc}"))


def _host_of(address: str) -> str:
    try:
        parts = urlsplit(address.strip())
        _ = parts.port
    except ValueError:
        return ""
    return parts.hostname or ""


def _open_container(
    address: str | _BoundedFile, name: str, driver: str | None, options: dict[str, str], hardware: str = ""
) -> Any:
    failure: ConsoleError | None = None
    began_s = time.monotonic()
    try:
        device = None
        if hardware:
            with waiting_for_device():
                device = accelerator(hardware)
        return av.open(address, format=driver, options=options, metadata_errors="replace", hwaccel=device)
    except HardwareError as error:
        failure = HardwareDecodeError(f"{hardware} cannot decode {name}: {error}.")
    except FFmpegError as error:
        failure = explain(error, name)
        patience_us = options.get("timeout") or options.get("rw_timeout")
        if patience_us and isinstance(error, av.error.InvalidDataError):
            failure = _explain_silence(name, time.monotonic() - began_s, int(patience_us) / 1e6)
    # Raised out here so that no traceback leads to libav's exception, which has the password in its address.
    raise failure


def _explain_silence(name: str, waited_s: float, timeout_s: float) -> ConsoleError:
    """Tell what libav's "invalid data" means on a network: it says so of a camera that never answers, too."""
    if waited_s > 0.8 * timeout_s:
        return UnavailableError(f"{name} does not answer in time.", hint="Check the camera's power, cable and address.")
    return UnavailableError(
        f"{name} answers, but not with a stream that can be shown.",
        hint="Is the port right, is the camera still starting, does it send H.264 or H.265?",
    )


def _picture_stream(container: Any) -> Any:
    moving = [stream for stream in container.streams.video if not stream.disposition & Disposition.attached_pic]
    best = container.streams.best("video")
    return (
        best if best is not None and any(best.index == stream.index for stream in moving) else next(iter(moving), None)
    )


def explain(error: FFmpegError, name: str) -> ConsoleError:
    """Turn libav's failure into a sentence about `name`, which must be free of passwords."""
    match error:
        case av.error.HTTPUnauthorizedError() | av.error.HTTPForbiddenError():
            return LoginRefusedError(
                f"{name} refuses the user name or password.", hint="Enter the camera's own user name and password."
            )
        case av.error.HTTPNotFoundError():
            return BadInputError(
                f"{name} does not exist on that camera (404).", hint="Check the path after the host in the address."
            )
        case av.error.HTTPError():
            return UnavailableError(f"{name} answers with an error: {error.strerror}.", hint="Restart the camera.")
        case av.error.ConnectionRefusedError():
            return UnavailableError(
                f"{name} refuses the connection.", hint="Is the camera's stream switched on, and is the port right?"
            )
        case av.error.TimeoutError():
            return UnavailableError(
                f"{name} does not answer in time.", hint="Check the camera's power, cable and address."
            )
        case av.error.FileNotFoundError():
            return BadInputError(f"{name} does not exist.", hint="Check the address.")
        case av.error.PermissionError():
            return BadInputError(f"{name} may not be opened.", hint="Give the user who runs the node the right to it.")
        case av.error.InvalidDataError():
            return BadInputError(
                f"{name} is damaged, or not a video.", hint="Play it elsewhere; set cameras to H.264 or H.265."
            )
        case av.error.LookupError():
            return BadInputError(
                f"{name} is of a kind that cannot be decoded here: {error.strerror}.", hint="Use H.264 or H.265."
            )
    if error.errno in _NO_ROUTE:
        return UnavailableError(f"{name} is not reachable: no way leads there.", hint="Check network and address.")
    if error.errno == errno.EIO:
        return UnavailableError(
            f"{name} is not reachable: its name is unknown, or the connection broke.",
            hint="Check the host in the address, the network and the name server.",
        )
    return UnavailableError(f"{name} cannot be read: {error.strerror}.", hint="Check the address and the camera.")
