"""Where an edge client's pictures come from: each source gives JPEGs, and needs nothing but what the device has."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from core.kernel.errors import BadInputError, ConsoleError, UnavailableError

SUFFIXES = frozenset({".jpg", ".jpeg"})
JPEG_QUALITY = 85
CAMERA_PROGRAMS = ("rpicam-vid", "libcamera-vid")
SILENT_AFTER_S = 10.0
MAX_PICTURE_BYTES = 32_000_000
SETTLED_S = 0.2
"""A file in a folder is read so long after it was last written: its writer may not be done."""


class PictureSource(Protocol):
    """One camera, file or folder. Threads: one."""

    def take(self) -> bytes | None:
        """Return a JPEG as of now; None where there is nothing new.

        Raises:
            UnavailableError: Nothing comes; it may be back with the next source.
            EndOfSource: It came to its end.
        """
        ...

    def close(self) -> None:
        """Let go of it."""
        ...


class EndOfSource(ConsoleError):  # noqa: N818 - an end is no error
    """There are no more pictures."""


def open_source(text: str, *, period_s: float, width: int, loops: bool) -> PictureSource:
    """Open a source.

    Raises:
        BadInputError: The text names none, or what it needs is not there.
        UnavailableError: It cannot be reached now.
    """
    kind, _, rest = text.partition(":")
    if kind == "picamera":
        return _open_camera_module(period_s, width)
    if kind == "folder":
        return NewestInFolder(_folder(rest))
    if kind == "replay":
        return Replay(_folder(rest), loops=loops)
    if kind == "webcam" and rest.isdecimal():
        return _open_with_opencv(int(rest), loops=False, is_live=True)
    if kind == "clip":
        return _open_with_opencv(rest, loops=loops, is_live=False)
    if kind in {"rtsp", "rtsps"}:
        return _open_stream(text, period_s)
    raise BadInputError(
        # Not repeated: the address of a camera whose rtsp:// was forgotten may hold its password.
        "This is no source of pictures.",
        hint="Use picamera, webcam:0, rtsp://…, clip:FILE, folder:PATH or replay:PATH.",
    )


class NewestInFolder:
    """The newest JPEG of a folder into which another program writes."""

    def __init__(self, folder: Path) -> None:
        """Begin with what is newest now."""
        self._folder = folder
        self._seen: tuple[str, int] | None = None

    def take(self) -> bytes | None:
        """Return the newest picture, once."""
        newest: tuple[int, Path] | None = None
        for file in _pictures_in(self._folder):
            with contextlib.suppress(FileNotFoundError):
                written_ns = file.stat().st_mtime_ns
                if newest is None or written_ns > newest[0]:
                    newest = (written_ns, file)
        if newest is None or (newest[1].name, newest[0]) == self._seen or time.time() - newest[0] / 1e9 < SETTLED_S:
            return None
        try:
            data = newest[1].read_bytes()
        except FileNotFoundError:
            return None
        self._seen = (newest[1].name, newest[0])
        return data

    def close(self) -> None:
        """Nothing is held."""


class Replay:
    """The JPEGs of a folder one after the other by name, as if they were taken now."""

    def __init__(self, folder: Path, *, loops: bool) -> None:
        """Begin with the first."""
        self._files = sorted(_pictures_in(folder))
        self._loops = loops
        self._index = 0
        if not self._files:
            raise BadInputError(f"There are no JPEG pictures in {folder}.")

    def take(self) -> bytes | None:
        """Return the next picture.

        Raises:
            EndOfSource: The last one was taken, and it does not loop.
        """
        if self._index >= len(self._files):
            if not self._loops:
                raise EndOfSource("The folder has been replayed to its end.")
            self._index = 0
        file = self._files[self._index]
        self._index += 1
        try:
            return file.read_bytes()
        except OSError as error:
            raise UnavailableError(f"{file} cannot be read: {error.strerror}.") from error

    def close(self) -> None:
        """Nothing is held."""


_LAST_S = 1.0
"""A program that ended is read to its end in less."""


class PipeSource:
    """A program that writes JPEGs to its output one after the other; the newest one counts."""

    def __init__(self, command: Sequence[str]) -> None:
        """Start the program."""
        self._name = Path(command[0]).name
        try:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
            )
        except OSError as error:
            raise UnavailableError(f"{self._name} cannot be started: {error.strerror}.") from error
        self._newest: bytes | None = None
        self._came_s = time.monotonic()
        self._lock = threading.Lock()
        self._reader = threading.Thread(target=self._read, name="pictures", daemon=True)
        self._reader.start()

    def take(self) -> bytes | None:
        """Return the newest picture, once.

        Raises:
            UnavailableError: The program ended, or says nothing any more.
        """
        has_ended = self._process.poll() is not None
        if has_ended:
            # What it wrote last is still on its way through the pipe.
            self._reader.join(_LAST_S)
        with self._lock:
            picture, self._newest = self._newest, None
        if picture is not None:
            return picture
        if has_ended:
            raise UnavailableError(f"{self._name} ended with {self._process.returncode}.", hint="Is the camera there?")
        if time.monotonic() - self._came_s > SILENT_AFTER_S:
            raise UnavailableError(f"{self._name} sends no pictures any more.", hint="It is started again.")
        return None

    def close(self) -> None:
        """End the program."""
        self._process.terminate()
        try:
            self._process.wait(3.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(3.0)
        self._reader.join(3.0)
        if self._process.stdout is not None:
            self._process.stdout.close()

    def _read(self) -> None:
        output = self._process.stdout
        assert output is not None
        rest = b""
        while data := output.read1(65_536):  # type: ignore[attr-defined]
            pictures, rest = split_pictures(rest + data)
            if pictures:
                with self._lock:
                    self._newest, self._came_s = pictures[-1], time.monotonic()


def split_pictures(data: bytes) -> tuple[list[bytes], bytes]:
    """Cut whole JPEGs out of a stream of them; returns them and what is left.

    The end mark cannot stand inside a picture's data, where each 0xFF is followed by 0x00; thumbnails are not expected.
    """
    pictures: list[bytes] = []
    while True:
        begin = data.find(b"\xff\xd8\xff")
        if begin < 0:
            return pictures, data[-2:]
        end = data.find(b"\xff\xd9", begin + 3)
        if end < 0:
            return pictures, data[begin:] if len(data) - begin < MAX_PICTURE_BYTES else b""
        pictures.append(data[begin : end + 2])
        data = data[end + 2 :]


class OpenCvSource:
    """A webcam, a clip or a stream, read by OpenCV."""

    def __init__(self, cv2: Any, place: int | str, *, loops: bool, is_live: bool) -> None:
        """Open it."""
        self._cv2 = cv2
        # The address of a stream may hold its password.
        self._name = "The stream" if is_live and isinstance(place, str) else str(place)
        self._loops = loops
        self._is_live = is_live
        self._newest: Any = None
        self._has_ended = False
        self._lock = threading.Lock()
        self._capture = cv2.VideoCapture(place)
        if not self._capture.isOpened():
            raise UnavailableError(f"{self._name} cannot be opened.", hint="Check that it is there, and not in use.")
        self._drain: threading.Thread | None = None
        if is_live:
            # A buffer of old pictures would be sent as new ones: it is read as fast as it comes.
            self._drain = threading.Thread(target=self._read_on, name="pictures", daemon=True)
            self._drain.start()

    def take(self) -> bytes | None:
        """Return the newest picture of something live, or the next one of a clip.

        Raises:
            UnavailableError: It is gone.
            EndOfSource: The clip is over.
        """
        picture = self._take_live() if self._is_live else self._take_next()
        if picture is None:
            return None
        is_ok, data = self._cv2.imencode(".jpg", picture, [self._cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
        return bytes(data) if is_ok else None

    def close(self) -> None:
        """Let go of it."""
        self._has_ended = True
        if self._drain is not None:
            self._drain.join(3.0)
        self._capture.release()

    def _take_live(self) -> Any:
        with self._lock:
            picture, self._newest = self._newest, None
        if picture is None and self._has_ended:
            raise UnavailableError(f"{self._name} sends no pictures any more.", hint="It is opened again.")
        return picture

    def _take_next(self) -> Any:
        is_ok, picture = self._capture.read()
        if not is_ok and self._loops:
            self._capture.set(self._cv2.CAP_PROP_POS_FRAMES, 0)
            is_ok, picture = self._capture.read()
        if not is_ok:
            raise EndOfSource("The clip has been played to its end.")
        return picture

    def _read_on(self) -> None:
        while not self._has_ended:
            is_ok, picture = self._capture.read()
            if not is_ok:
                self._has_ended = True
                return
            with self._lock:
                self._newest = picture


def _open_camera_module(period_s: float, width: int) -> PictureSource:
    for program in CAMERA_PROGRAMS:
        if found := shutil.which(program):
            rate = max(1.0, min(5.0, 1.0 / period_s))
            size = ("--width", str(width), "--height", str(width * 9 // 16))
            quiet = ("--nopreview", "--codec", "mjpeg", "--timeout", "0", "--quality", str(JPEG_QUALITY))
            return PipeSource([found, *quiet, *size, "--framerate", f"{rate:g}", "--output", "-"])
    raise BadInputError(
        f"Neither {' nor '.join(CAMERA_PROGRAMS)} is installed.", hint="sudo apt install rpicam-apps, or use webcam:0."
    )


def _open_stream(address: str, period_s: float) -> PictureSource:
    if found := shutil.which("ffmpeg"):
        rate = f"fps={max(0.2, min(5.0, 1.0 / period_s)):g}"
        quiet = ("-nostdin", "-loglevel", "quiet", "-rtsp_transport", "tcp", "-i", address)
        return PipeSource([found, *quiet, "-vf", rate, "-q:v", "3", "-f", "image2pipe", "-c:v", "mjpeg", "-"])
    return _open_with_opencv(address, loops=False, is_live=True)


def _open_with_opencv(place: int | str, *, loops: bool, is_live: bool) -> PictureSource:
    try:
        import cv2
    except ImportError as error:
        raise BadInputError(
            "OpenCV is not installed, and without it this source cannot be read.",
            hint="sudo apt install python3-opencv",
        ) from error
    return OpenCvSource(cv2, place, loops=loops, is_live=is_live)


def _folder(text: str) -> Path:
    folder = Path(text).expanduser()
    if not folder.is_dir():
        raise BadInputError(f"There is no folder {folder}.")
    return folder


def _pictures_in(folder: Path) -> list[Path]:
    return [file for file in folder.iterdir() if file.suffix.lower() in SUFFIXES]
