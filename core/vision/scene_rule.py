"""What every rule is given of a picture, and where it writes down what it saw."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from core.kernel.geo import GeoPoint
from core.kernel.ids import new_id
from core.vision.model import BBox, CountLine, Lane, Observation, ObservationKind, Phase, PicturePoint, Zone
from core.vision.plane import Plane
from core.vision.vehicles import Sighting

Grey = NDArray[np.uint8]
"""A picture in grey, shape (h, w)."""

FOLLOWED_FROM_PER_S = 3.0
"""Looks per second from which movement can be trusted."""

SMALL_SIDE_PX = 160
"""Longer side of the small grey picture, about."""

FIXED_WH_PX = (160, 90)
"""Of the small grey picture that does not change its shape with the stream."""

BOX_HEIGHT_PX, BOX_NOISE_PX = 360.0, 2.0
"""Of a picture as a network is given it, and of the lower edge of a box in it."""

MAX_DOUBT_M = 15.0
"""Of a position; where the road plane tells it less well there is none."""


class Moment:
    """One picture as the rules see it.

    Attributes:
        sightings: Who is in it: vehicles and, where a rule asks for them, people (label "person").
        gone: Keys of those that are forgotten from now on.
        now_s: Seconds of pictures that were really there, so far.
        dt_s: Of these since the last picture; 0 over a gap.
        pts_s: Picture time, as the stream tells it.
        looks_per_s: How often the camera is looked at; see `confidence_factor`.
        picture: What the network was given, without bars, shape (h, w, 3) or (h, w); None where rules run on tracks
            alone.
    """

    def __init__(
        self,
        sightings: Sequence[Sighting],
        gone: frozenset[int],
        *,
        now_s: float,
        dt_s: float,
        pts_s: float,
        looks_per_s: float = math.inf,
        picture: NDArray[np.uint8] | None = None,
    ) -> None:
        """Hold one picture; the small grey one is made when somebody asks for it."""
        self.sightings = tuple(sightings)
        self.gone = gone
        self.now_s = now_s
        self.dt_s = dt_s
        self.pts_s = pts_s
        self.looks_per_s = looks_per_s
        self.picture = picture
        self.in_lane: dict[str, tuple[Sighting, ...]] = {}
        """Who is in a lane, by its key, once somebody has asked; see `LaneShape.inside_at`."""

        self.shows_nothing = False
        """Whether it is dark, dazzled, covered or out of focus; said before others look, by the rule that judges it."""

        self.is_unsure = False
        """Whether a rule about the camera itself says that it cannot be believed; said before the other rules look."""

        self.unseen: frozenset[int] = frozenset()
        """Keys of vehicles that are kept without being seen: nobody saw them leave."""

        self._grey: Grey | None = None
        self._fixed_grey: Grey | None = None

    @property
    def confidence_factor(self) -> float:
        """What is left of a rule's confidence that rests on how vehicles move, 0..1.

        From one look to the next a vehicle must not get as far as its neighbour was: one might be taken for the other,
        and seem to jump or to drive backwards.
        """
        return min(1.0, self.looks_per_s / FOLLOWED_FROM_PER_S)

    @property
    def grey(self) -> Grey | None:
        """The picture in grey, about 160 pixels on its longer side; None where there is no picture."""
        if self._grey is None and self.picture is not None:
            self._grey = small_grey(self.picture)
        return self._grey

    @property
    def fixed_grey(self) -> Grey | None:
        """The small grey picture of `FIXED_WH_PX` whatever the stream: for what is compared over a change of it."""
        if self._fixed_grey is None and self.grey is not None:
            self._fixed_grey = resampled(self.grey, FIXED_WH_PX)
        return self._fixed_grey

    @property
    def height_over_width(self) -> float:
        """Of the picture; that of `FIXED_WH_PX` where there is none."""
        height, width = FIXED_WH_PX[::-1] if self.picture is None else self.picture.shape[:2]
        return float(height / width)


class SceneRule(Protocol):
    """One kind of thing to watch for on one camera; used from one thread."""

    def update(self, moment: Moment, note: Notebook) -> None:
        """Take one picture and write down what began or ended with it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where on the picture something was seen: a zone, a line, a lane, or the whole camera."""

    key: str
    name: str
    bbox_xyxy: BBox | None = None


def place_of(drawn: Zone | CountLine | Lane) -> Place:
    """Return a drawn thing as a place."""
    corners = (drawn.start, drawn.end) if isinstance(drawn, CountLine) else drawn.polygon
    return Place(key=drawn.key, name=drawn.name, bbox_xyxy=bounds(corners))


def bounds(points: Sequence[PicturePoint]) -> BBox:
    """Return the box around points, clipped to the picture."""
    xs, ys = [min(1.0, max(0.0, x)) for x, _ in points], [min(1.0, max(0.0, y)) for _, y in points]
    return min(xs), min(ys), max(xs), max(ys)


def is_news(confidence: float, told: float | None, call_from: float) -> bool:
    """Return whether a rule writes a condition down: for the first time, or because it calls from now on.

    Args:
        confidence: As sure as the rule is now.
        told: As sure as it was when it wrote last; None where it has not.
        call_from: From where on an operator is called.
    """
    return told is None or told < call_from <= confidence


class Notebook:
    """Collects the observations of one picture."""

    def __init__(
        self, camera_id: str, pts_s: float, captured_at: datetime, *, run: str = "", plane: Plane | None = None
    ) -> None:
        """Start with an empty page.

        Args:
            camera_id: Written into the observations.
            pts_s: Picture time.
            captured_at: Wall time of the picture.
            run: Of the rules; keeps what they number apart from what others numbered before them.
            plane: How the picture lies on the road; what begins gets its position from it.
        """
        self.observations: list[Observation] = []
        self._camera_id = camera_id
        self._pts_s = pts_s
        self.captured_at = captured_at
        self._run = run
        self._plane = plane

    def add(
        self,
        kind: ObservationKind,
        phase: Phase,
        place: Place,
        condition_key: str,
        *,
        number: int | None = None,
        sighting: Sighting | None = None,
        bbox_xyxy: BBox | None = None,
        direction: str = "",
        confidence: float = 1.0,
        values: dict[str, float] | None = None,
    ) -> None:
        """Write one observation down.

        Args:
            kind: What was seen.
            phase: A moment, or the beginning or end of a condition.
            place: Where.
            condition_key: Same text for the begin and the end of one condition. A begin may be written again when the
                rule has become surer.
            number: Of the one vehicle or thing that is meant, where a place may have several; rules begin at 1.
            sighting: Who; gives class, track and box.
            bbox_xyxy: Where there is no sighting.
            direction: The line's direction name.
            confidence: 0..1, see `Observation`.
            values: Figures of the rule.
        """
        self.observations.append(
            Observation(
                observation_id=new_id(),
                camera_id=self._camera_id,
                kind=kind,
                phase=phase,
                rule_key=place.key,
                rule_name=place.name,
                condition_key=condition_key if number is None else f"{condition_key}:{self._run}-{number}",
                pts_s=self._pts_s,
                captured_at=self.captured_at,
                label=sighting.track.label if sighting else "",
                direction=direction,
                track_id=sighting.track.track_id if sighting else None,
                bbox_xyxy=sighting.track.bbox_xyxy if sighting else bbox_xyxy,
                confidence=round(min(1.0, max(0.0, confidence)), 3),
                values=values or {},
                position=self._position_of(sighting, bbox_xyxy, place) if phase is Phase.BEGIN else None,
            )
        )

    def _position_of(self, sighting: Sighting | None, bbox_xyxy: BBox | None, place: Place) -> GeoPoint | None:
        """Return where something is on earth; None where the road plane does not tell it well enough."""
        box = sighting.track.bbox_xyxy if sighting else bbox_xyxy
        plane = self._plane
        if plane is None or plane.origin is None or box is None:
            return None
        # Who stands somewhere touches the ground below; a lane or a zone lies on it.
        point = (box[0] + box[2]) / 2, box[3] if box != place.bbox_xyxy else (box[1] + box[3]) / 2
        doubt_m = plane.ground_error_m(point, BOX_HEIGHT_PX, noise_px=BOX_NOISE_PX)
        return plane.geo_of(point) if doubt_m <= MAX_DOUBT_M else None


def small_grey(picture: NDArray[np.uint8]) -> Grey:
    """Return a picture in grey, each pixel the mean of four samples, about 160 pixels on its longer side.

    Args:
        picture: Shape (h, w, 3) or (h, w). Of three colours the middle one is taken: green carries most of the light.
    """
    plane = picture if picture.ndim == 2 else picture[:, :, 1]
    step = max(1, max(plane.shape) // SMALL_SIDE_PX)
    if step == 1:
        return np.ascontiguousarray(plane)
    height, width = plane.shape[0] // step * step, plane.shape[1] // step * step
    half = step // 2
    total = plane[0:height:step, 0:width:step].astype(np.uint16)
    total += plane[half:height:step, 0:width:step]
    total += plane[0:height:step, half:width:step]
    total += plane[half:height:step, half:width:step]
    total += 2
    total >>= 2
    return total.astype(np.uint8)


def resampled(grey: Grey, wh: tuple[int, int]) -> Grey:
    """Return a small grey picture in another size [px], each pixel between the four that lie around its centre."""
    height, width = grey.shape
    if (width, height) == wh:
        return grey
    left, right, x_share = _neighbours(width, wh[0])
    above, below, y_share = _neighbours(height, wh[1])
    rows = grey[above] * (1 - y_share[:, None]) + grey[below] * y_share[:, None]
    return np.asarray(np.rint(rows[:, left] * (1 - x_share) + rows[:, right] * x_share), np.uint8)


def _neighbours(n_from: int, n_to: int) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]:
    """Return for each new sample the two old ones around it, and how much of the second."""
    centres = np.clip((np.arange(n_to) + 0.5) * n_from / n_to - 0.5, 0, n_from - 1).astype(np.float32)
    first = centres.astype(np.intp)
    return first, np.minimum(first + 1, n_from - 1), centres - first
