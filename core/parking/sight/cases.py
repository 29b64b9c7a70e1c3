"""Labelled lots on disk: pictures, bays and the truth of every bay in every picture."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.kernel.errors import BadInputError
from core.kernel.xml import parse
from core.parking.formats import pklot
from core.parking.model import BayState, Outline

Picture = NDArray[np.uint8]

PICTURES = (".jpg", ".jpeg", ".png")
OWN_TRUTH = "parking_truth.json"
_EVERY = timedelta(minutes=5)
_STAMP = re.compile(r"(\d{4})-(\d\d)-(\d\d)_(\d\d)_(\d\d)_(\d\d)")
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledPicture:
    """One picture and what is true of it.

    Attributes:
        file: The picture, or the clip that holds it.
        frame: Its number in the clip; None where `file` is the picture.
        outlines: Of each bay [px].
        occupied: Of each bay that was judged.
    """

    name: str
    file: Path
    frame: int | None
    at: datetime
    outlines: dict[str, Outline]
    occupied: dict[str, bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledLot:
    """One lot with its pictures in order."""

    name: str
    pictures: tuple[LabelledPicture, ...]


def find_lots(folder: Path, truth: Path | None = None) -> list[LabelledLot]:
    """Find labelled lots in a folder, or in the folders in it.

    Args:
        folder: Holds `slots_and_occupancy.json`, PKLot's XML beside or near its pictures, or `slots.json` of a clip.
        truth: File or folder with `parking_truth.json`, for clips.

    Raises:
        BadInputError: There is no such folder, or nothing labelled in it.
    """
    if not folder.is_dir():
        raise BadInputError(f"There is no folder {folder}.", hint="Name the folder of a labelled lot.")
    found = _lots_in(folder, truth)
    if not found:
        for below in sorted(path for path in folder.iterdir() if path.is_dir()):
            found += _lots_in(below, truth)
    if not found:
        raise BadInputError(
            f"{folder} holds no labelled lot.",
            hint="PKLot's XML with its pictures, slots_and_occupancy.json, or slots.json with a clip and its truth.",
        )
    return found


def _lots_in(folder: Path, truth: Path | None) -> list[LabelledLot]:
    try:
        if (folder / "slots_and_occupancy.json").is_file():
            return [_from_summary(folder)]
        if (folder / "slots.json").is_file():
            lot = _from_clip(folder, truth)
            return [lot] if lot is not None else []
        return _from_pklot(folder)
    except (KeyError, TypeError, ValueError, OSError) as error:
        raise BadInputError(f"The labels in {folder} cannot be read: {error}.", hint="Restore the files.") from error


def _from_summary(folder: Path) -> LabelledLot:
    data = json.loads((folder / "slots_and_occupancy.json").read_text("utf-8"))
    outlines = {str(slot["id"]): _points(slot["points"]) for slot in data["slots"]}
    files = {file.name: file for file in _pictures(folder)}
    pictures = [
        LabelledPicture(
            name=frame["image"],
            file=files[frame["image"]],
            frame=None,
            at=_EPOCH,
            outlines=outlines,
            occupied=dict(zip(outlines, (bool(value) for value in frame["occupied"]), strict=True)),
        )
        for frame in data["frames"]
    ]
    return LabelledLot(name=folder.name, pictures=_timed(pictures))


def _from_pklot(folder: Path) -> list[LabelledLot]:
    """Read pictures with one XML each; pictures of one folder are one lot."""
    files = {file.stem: file for file in _pictures(folder)}
    lots: dict[str, list[LabelledPicture]] = {}
    for label in sorted(folder.rglob("*.xml")):
        root = parse(label.read_bytes())
        if label.stem not in files or not pklot.recognises(root):
            continue
        rows = [row for row in pklot.read(root).rows if len(row.points) >= 3]
        picture = LabelledPicture(
            name=files[label.stem].name,
            file=files[label.stem],
            frame=None,
            at=_EPOCH,
            outlines={row.name: row.points for row in rows},
            occupied={
                row.name: row.state is BayState.OCCUPIED
                for row in rows
                if row.state in (BayState.FREE, BayState.OCCUPIED)
            },
        )
        name = root.attributes.get("id", "") or folder.name
        lots.setdefault(name, []).append(picture)
    return [LabelledLot(name=name, pictures=_timed(pictures)) for name, pictures in lots.items()]


def _from_clip(folder: Path, truth: Path | None) -> LabelledLot | None:
    data = json.loads((folder / "slots.json").read_text("utf-8"))
    labels = _truth_of(folder, truth)
    if labels is None:
        return None
    outlines = {str(slot["id"]): _points(slot["points"]) for slot in data["slots"]}
    clip = _clip_near(folder, str(labels.get("video") or data["video"]))
    fps = float(labels.get("fps", 25.0))
    pictures = []
    for label in labels["frames"]:
        free = {str(bay) for bay in label["free"]}
        left_out = {str(bay) for bay in label.get("not_judged", ())}
        pictures.append(
            LabelledPicture(
                name=f"{clip.name}#{label['frame']}",
                file=clip,
                frame=int(label["frame"]),
                at=_EPOCH + timedelta(seconds=int(label["frame"]) / fps),
                outlines=outlines,
                occupied={bay: bay not in free for bay in outlines if bay not in left_out},
            )
        )
    return LabelledLot(name=folder.name, pictures=tuple(pictures))


def _truth_of(folder: Path, truth: Path | None) -> dict[str, Any] | None:
    places = [folder / OWN_TRUTH]
    if truth is not None:
        places.append(truth / OWN_TRUTH if truth.is_dir() else truth)
    for place in places:
        if place.is_file():
            found: dict[str, Any] | None = json.loads(place.read_text("utf-8")).get(folder.name)
            if found is not None:
                return found
    return None


def _clip_near(folder: Path, name: str) -> Path:
    wanted = Path(name).name
    for place in (folder, *list(folder.parents)[:3]):
        for candidate in (place / name, place / wanted, place / "video" / wanted):
            if candidate.is_file():
                return candidate
    raise BadInputError(f"The clip {wanted} is not near {folder}.", hint="Put it beside the labels.")


def _pictures(folder: Path) -> list[Path]:
    return sorted(
        file
        for file in folder.rglob("*")
        if file.suffix.lower() in PICTURES and not {"mask", "masks"} & {part.lower() for part in file.parts}
    )


def _points(points: Any) -> Outline:
    return tuple((float(x), float(y)) for x, y in points)


def _timed(pictures: list[LabelledPicture]) -> tuple[LabelledPicture, ...]:
    """Sort pictures by the time in their names; those without one follow each other."""
    timed = []
    for index, picture in enumerate(pictures):
        stamp = _STAMP.search(picture.name)
        at = _EPOCH + index * _EVERY
        if stamp is not None:
            at = datetime.strptime("".join(stamp.groups()), "%Y%m%d%H%M%S").replace(tzinfo=UTC)
        timed.append(
            LabelledPicture(
                name=picture.name,
                file=picture.file,
                frame=picture.frame,
                at=at,
                outlines=picture.outlines,
                occupied=picture.occupied,
            )
        )
    return tuple(sorted(timed, key=lambda picture: picture.at))


def read_pictures(pictures: tuple[LabelledPicture, ...]) -> Iterator[tuple[LabelledPicture, Picture]]:
    """Yield each with its pixels, shape (h, w, 3), B G R; a clip is decoded once.

    Raises:
        BadInputError: A file cannot be read.
    """
    import cv2

    clips = {picture.file for picture in pictures if picture.frame is not None}
    for picture in pictures:
        if picture.frame is None:
            pixels = cv2.imread(str(picture.file), cv2.IMREAD_COLOR)
            if pixels is None:
                raise BadInputError(f"The picture {picture.file} cannot be read.")
            yield picture, np.asarray(pixels, np.uint8)
    for clip in sorted(clips):
        wanted = {picture.frame: picture for picture in pictures if picture.file == clip}
        yield from _frames(clip, wanted)


def _frames(clip: Path, wanted: dict[int | None, LabelledPicture]) -> Iterator[tuple[LabelledPicture, Picture]]:
    import av

    try:
        with av.open(str(clip)) as container:
            for index, frame in enumerate(container.decode(video=0)):
                if index in wanted:
                    yield wanted[index], np.asarray(frame.to_ndarray(format="bgr24"), np.uint8)
    except (av.FFmpegError, OSError) as error:
        raise BadInputError(f"The clip {clip} cannot be read.") from error
