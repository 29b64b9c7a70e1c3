"""Clips in which the detector has looked once: boxes by picture, kept in a file, so that rules are tried in seconds.

The pictures lie beside the boxes, each as what changed since the one before, packed: a tenth to a fifth of their size.
Rules are shown them again and again and in any order, so they are laid out once in a file that goes with the program.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.kernel.errors import BadInputError
from core.media.convert import Letterbox
from core.media.model import SourceSpec
from core.vision.decode import FloatArray
from core.vision.engine import Engine
from core.vision.model import EngineInfo
from core.vision.models import hash_files
from core.vision.pipeline import PreparedPictures
from core.vision.schedule import is_due, next_due_s

_LAYOUT = 4
"""Raised when what a file holds changes: older ones are made again."""

_PACK_LEVEL = 1
"""More takes several times as long and saves a tenth."""

_UNPACKED_OF_BEFORE = re.compile(r".+-[0-9a-f]{16}\.npy")


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenPicture:
    """What the detector found in one picture.

    Attributes:
        pts_s: Picture time.
        boxes: As from the engine: network pixels, score, label index; shape (k, 6).
        grey: As large as the network saw it, without bars; shape (h, w).
    """

    pts_s: float
    boxes: FloatArray
    grey: NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenClip:
    """A clip and what the detector found in it."""

    path: Path
    labels: tuple[str, ...]
    letterbox: Letterbox
    pictures: tuple[SeenPicture, ...]

    @property
    def aspect(self) -> float:
        """Width of the picture over its height."""
        return self.letterbox.frame_w / self.letterbox.frame_h

    @property
    def length_s(self) -> float:
        """Picture time from the first picture to the end of the last."""
        times = [picture.pts_s for picture in self.pictures]
        step = (times[-1] - times[0]) / max(1, len(times) - 1)
        return times[-1] - times[0] + step

    def at_rate(self, fps: float) -> tuple[SeenPicture, ...]:
        """Return the pictures that a camera analysed `fps` times a second would show; all where it has fewer."""
        chosen: list[SeenPicture] = []
        due_s = self.pictures[0].pts_s
        for picture in self.pictures:
            if is_due(picture.pts_s, due_s):
                chosen.append(picture)
                due_s = next_due_s(due_s, picture.pts_s, fps)
        return tuple(chosen)


def see_clip(
    path: Path,
    info: EngineInfo,
    open_it: Callable[[], Engine],
    cache: Path | None = None,
) -> SeenClip:
    """Detect in every picture of a clip, or take what was found the last time.

    Args:
        path: The clip.
        info: Of the engine; another model or precision is another file.
        open_it: Gives the engine; called only where the clip was not seen yet.
        cache: Folder for what was found; None keeps nothing.

    Raises:
        BadInputError: There is no such clip, or it shows no picture.
    """
    if not path.is_file():
        raise BadInputError(f"There is no clip {path}.", hint="Name the folder that holds the test data.")
    file = None if cache is None else cache / f"{_name_of(path, info)}.npz"
    if file is not None and (kept := _read(file, path, info.labels)) is not None:
        return kept
    clip = _look(path, open_it())
    if file is None:
        return clip
    _write(file, clip)
    # What lies on the disk leaves the memory: a minute of grey pictures is 300 MB.
    return _read(file, path, info.labels) or clip


def _look(path: Path, engine: Engine) -> SeenClip:
    found: list[SeenPicture] = []
    letterbox: Letterbox | None = None
    with PreparedPictures(SourceSpec(address=str(path), realtime=False), engine.info.input_wh) as pictures:
        for picture in pictures:
            letterbox = letterbox or picture.letterbox
            boxes = engine.infer(picture.rgb[None])[0]
            grey = grey_of(picture.rgb, picture.letterbox)
            found.append(SeenPicture(pts_s=picture.pts_s, boxes=boxes.copy(), grey=grey))
    if letterbox is None:
        raise BadInputError(f"{path} shows no picture.", hint="Restore the file, or take it out of the folder.")
    return SeenClip(path=path, labels=engine.info.labels, letterbox=letterbox, pictures=tuple(found))


def grey_of(rgb: NDArray[np.uint8], letterbox: Letterbox) -> NDArray[np.uint8]:
    """Return of a picture what a live camera's rules look at: the green of it, without bars.

    Args:
        rgb: As prepared for the network, shape (h, w, 3).
        letterbox: How the picture lies in it.
    """
    top, left = letterbox.pad_y, letterbox.pad_x
    return np.ascontiguousarray(rgb[top : top + letterbox.content_h, left : left + letterbox.content_w, 1])


def _name_of(path: Path, info: EngineInfo) -> str:
    """Name by what the clip holds, not by where it lies: a copied folder finds what was seen before."""
    text = f"{_LAYOUT} {hash_files(path)} {info.model_sha256} {info.engine} {info.precision} {info.input_wh}"
    return f"{path.stem}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def _write(file: Path, clip: SeenClip) -> None:
    box = clip.letterbox
    file.parent.mkdir(parents=True, exist_ok=True)
    _remove_unpacked(file.parent)
    partial_greys = file.with_suffix(".partial.greys")
    _pack([picture.grey for picture in clip.pictures], partial_greys)
    partial_greys.replace(_greys_beside(file))
    partial = file.with_suffix(".partial.npz")
    np.savez_compressed(
        partial,
        pts_s=np.array([picture.pts_s for picture in clip.pictures]),
        n_boxes=np.array([len(picture.boxes) for picture in clip.pictures]),
        boxes=np.concatenate([picture.boxes for picture in clip.pictures]),
        letterbox=np.array(
            [box.scale, box.pad_x, box.pad_y, box.content_w, box.content_h, box.frame_w, box.frame_h], np.float64
        ),
    )
    partial.replace(file)


def _greys_beside(file: Path) -> Path:
    """Return where the pictures of a clip lie."""
    return file.with_suffix(".greys")


def _remove_unpacked(folder: Path) -> None:
    """Remove what lay there of each clip before pictures were packed: gigabytes that nobody reads any more."""
    for left in folder.glob("*.npy"):
        if _UNPACKED_OF_BEFORE.fullmatch(left.name) and left.with_suffix(".npz").is_file():
            with contextlib.suppress(OSError):
                left.unlink()


def _pack(greys: Sequence[NDArray[np.uint8]], file: Path) -> None:
    packer = zlib.compressobj(_PACK_LEVEL)
    before = np.zeros_like(greys[0])
    with file.open("wb") as packed:
        for grey in greys:
            packed.write(packer.compress(np.subtract(grey, before).tobytes()))
            before = grey
        packed.write(packer.flush())


def _unpack(file: Path, shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    """Lay packed pictures out beside their file, under no name: they are gone with this program.

    Raises:
        OSError: No room on the disk.
        ValueError: They are cut off, or of another size.
    """
    n_pictures, height, width = shape
    n_bytes = height * width
    with tempfile.TemporaryFile(dir=file.parent) as room, file.open("rb") as packed:
        unpacker = zlib.decompressobj()
        before = np.zeros(n_bytes, np.uint8)
        for _ in range(n_pictures):
            changed = bytearray()
            while len(changed) < n_bytes:
                part = unpacker.unconsumed_tail or packed.read(1 << 16)
                if not part:
                    raise ValueError(f"{file.name} ends too early.")
                changed += unpacker.decompress(part, n_bytes - len(changed))
            before = before + np.frombuffer(changed, np.uint8)
            room.write(before.tobytes())
        room.flush()
        return np.memmap(room, np.uint8, mode="r", shape=shape)


def _read(file: Path, path: Path, labels: Sequence[str]) -> SeenClip | None:
    """Return what was kept; None where there is nothing, or it was cut off."""
    if not file.is_file():
        return None
    try:
        with np.load(file) as kept:
            pts_s, numbers = kept["pts_s"], kept["letterbox"]
            boxes = np.split(kept["boxes"], np.cumsum(kept["n_boxes"])[:-1])
        sizes = [int(number) for number in numbers[1:]]
        greys = _unpack(_greys_beside(file), (len(pts_s), sizes[3], sizes[2]))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
        return None
    letterbox = Letterbox(
        scale=float(numbers[0]),
        pad_x=sizes[0],
        pad_y=sizes[1],
        content_w=sizes[2],
        content_h=sizes[3],
        frame_w=sizes[4],
        frame_h=sizes[5],
    )
    pictures = tuple(
        SeenPicture(pts_s=float(time_s), boxes=found.astype(np.float32), grey=np.asarray(grey))
        for time_s, found, grey in zip(pts_s, boxes, greys, strict=True)
    )
    return SeenClip(path=path, labels=tuple(labels), letterbox=letterbox, pictures=pictures)
