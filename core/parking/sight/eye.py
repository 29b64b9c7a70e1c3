"""One camera's view of one lot, picture after picture: what stands in its bays, and when nothing can be said.

Detector and classifier both speak in log odds; the method that the calibration run chose decides, the other one is
heard. Whatever makes a picture useless (black, burnt out, another shape, a camera that was turned) ends in `unknown`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.parking.model import BayEvidence, BayState, BayView, Lot, SightMethod
from core.parking.sight.classifier import BayClassifier, EmptyLook, small_looks
from core.parking.sight.finder import VehicleFinder, area_round, one_by_one
from core.parking.sight.landmarks import Landmarks, Shift
from core.parking.sight.model import Looked, Sighting, SightingKind
from core.parking.sight.patches import cut_patches
from core.parking.sight.quality import paleness, picture_trouble, unreadable_bays
from core.parking.sight.standing import Standing, Stray, strays_of_boxes
from core.parking.sight.strays import StrayWatch
from core.parking.sight.texture import StructureWitness
from core.vision.bays import MIN_FIT, BayMatch, fit, match_bays

Picture = NDArray[np.uint8]
FloatArray = NDArray[np.floating[Any]]

DEFAULT_IMAGE_PX = 1280
"""Until a calibration run picked another: bays are small in most pictures."""

MIN_BAY_PX = 7.0
"""A bay of less, on its shorter side, is a smear."""

SURE_LOGIT = 0.55
"""Less sure than this (63 %), nothing is said."""

LISTENS = 0.35
"""Weight of the method that does not decide."""

MAX_DRIFT = 0.30
"""Of a bay's size: outlines follow a camera that sags by less, one that moved further says nothing more."""

LEAST_DRIFT = 0.10
"""Less is within how exactly bays are drawn."""

N_MOVED = 3
"""Looks in a row that see the camera moved, or do not know the view any more, before its word is not taken."""

N_LOST = 8
"""Looks in a row that recognise nothing before the camera is taken as turned away; none of them says anything."""

REUSE_S = 12.0
"""A picture that is the same as the last one is not looked at again for so long."""

DOUBT_LOGIT, DISPUTED_LOGIT = 1.2, 2.5
"""A bay is in doubt where the detector is less sure than this, in dispute where it sees nothing and the classifier is
surer than that of a vehicle."""

N_CLOSER, CLOSER_PX = 6, 320
"""Bays of one picture that are looked at once more at most, and the size of that look."""

PALE_LEVEL, LOST_LIKENESS = 160.0, 0.4
"""A bay as pale as this, of which the pattern of its lines is lost, is not called free."""

WHITE_LEVEL, WHITE_SPAN = 205.0, 40.0
"""Nor is one that is as white and as plain as this, while nobody knows what it looks like empty."""

SNOW_LIKENESS, SNOW_BAYS, SNOW_SHARE = 0.6, 4, 0.5
"""Where so many of the bays are as pale as that, and hardly one of them looks as it does empty, snow may lie."""

ACROSS_LOGIT = 1.0
"""How surely a bay is taken by a vehicle that stands across it and the one beside."""

_CLOSER_REACH = 1.5
_STILL_LEVELS = 5.0
_LEARN_LOGIT = 2.0
_ASPECT_SLACK = 0.03
_UNKNOWN_CONFIDENCE = 0.5


@dataclass(slots=True)
class Memory:
    """What is learnt of a view; kept over restarts.

    Attributes:
        digest: Of the outlines that it was learnt with.
        aspect: Width over height of the pictures.
        lane_empties: Of pieces of the lanes.
    """

    digest: str = ""
    aspect: float | None = None
    empties: dict[str, EmptyLook] = field(default_factory=dict)
    lane_empties: dict[str, EmptyLook] = field(default_factory=dict)
    references: list[Picture] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """Log odds of one picture, before anything is made of them; each of shape (n_bays,)."""

    detector: FloatArray
    classifier: FloatArray
    unreadable: NDArray[np.bool_]
    match: BayMatch | None
    boxes: FloatArray


class BayEye:
    """Looks at the bays of one view; used from one thread at a time."""

    def __init__(
        self, lot: Lot, view: BayView, *, finder: VehicleFinder | None, classifier: BayClassifier | None, memory: Memory
    ) -> None:
        """Begin with what is known of the view.

        Args:
            lot: As it is drawn now.
            view: One of its views.
            finder: None where there is no detector yet.
            classifier: None where it is missing.
            memory: Is changed by every look.
        """
        self.lot, self.view, self.memory = lot, view, memory
        drawn = {bay.bay_id for bay in lot.bays}
        self.bay_ids = tuple(bay for bay, outline in view.outlines.items() if bay in drawn and len(outline) >= 3)
        self._outlines = [np.asarray(view.outlines[bay], np.float32) for bay in self.bay_ids]
        self._finder, self._classifier = finder, classifier
        digest = digest_of(view)
        if memory.digest != digest:
            # Drawn anew, on a picture of now: what was learnt round other outlines says nothing of these.
            memory.digest, memory.aspect = digest, None
            memory.empties.clear()
            memory.lane_empties.clear()
            memory.references.clear()
        self._landmarks = Landmarks(self._outlines, memory.references)
        self._lanes = {name: np.asarray(lane, np.float32) for name, lane in view.lanes.items() if len(lane) >= 3}
        self._strays = StrayWatch(self.bay_ids, self._lanes, memory.lane_empties)
        self._shift: Shift | None = None
        """How far the camera sags, where it does."""

        self._standing = Standing(lot.lot_id, view)
        self._left_over: tuple[Sighting, ...] = ()
        self._structure = StructureWitness()
        self._n_moved = self._n_lost = 0
        self._trouble: SightingKind | None = None
        self._last: tuple[datetime, Picture, FloatArray] | None = None

    def use_finder(self, finder: VehicleFinder | None) -> None:
        """Look with another detector from now on."""
        self._finder = finder
        self._last = None

    def go_on_from(self, before: BayEye) -> None:
        """The lot was saved: what was told to begin is told to end by this eye, and who was lost is lost."""
        self._trouble = before._trouble
        if before.view.outlines == self.view.outlines:
            self._n_lost, self._n_moved = before._n_lost, before._n_moved
        if before.view.lanes == self.view.lanes and before.bay_ids == self.bay_ids:
            self._standing = before._standing
        else:
            self._left_over = before._standing.end_all()

    def look(self, picture_bgr: Picture, at: datetime, source: str) -> Looked:
        """Say what stands in the bays.

        Args:
            picture_bgr: Shape (h, w, 3).
            at: When it was taken.
            source: As in `BayEvidence`.
        """
        if not self.bay_ids:
            return Looked(lot_id=self.lot.lot_id, camera_id=self.view.camera_id, at=at)
        shape_trouble = self._shape_trouble(picture_bgr)
        if shape_trouble:
            return self._blind(at, source, SightingKind.BLIND_VIEW, shape_trouble, "Draw the bays on a picture of now.")
        wh = (picture_bgr.shape[1], picture_bgr.shape[0])
        outlines = [outline * np.array(wh, np.float32) for outline in self._outlines]
        trouble = picture_trouble(_grey_part(picture_bgr, outlines))
        if trouble:
            return self._blind(at, source, SightingKind.BLIND_VIEW, trouble, "Look at the camera.")
        known = self._known_still(picture_bgr, outlines, at)
        if known is not None:
            return self._report(known, at, source, self._standing.hold(at), n_reused=len(known))
        moved = self._follow(picture_bgr, outlines)
        if moved is None:
            return self._blind(
                at,
                source,
                SightingKind.MOVED_VIEW,
                "The camera looks elsewhere than when its bays were drawn.",
                "Turn it back, or draw the bays anew on a picture of now.",
            )
        if self._n_lost:
            return self._wait_to_know(at)
        seen = self.see(picture_bgr, moved)
        patches = cut_patches(picture_bgr, moved)
        looks = small_looks(patches)
        if seen.match is None and self._may_be_snowed_in(patches, looks):
            return self._blind(
                at,
                source,
                SightingKind.BLIND_VIEW,
                "The bays are white and look otherwise than they do empty: snow may lie on them.",
                "They are told again when the ground shows.",
            )
        logits = self._decide(seen, patches, looks)
        strays = self._find_strays(seen, picture_bgr, moved, logits)
        sightings = self._standing.take(strays, at)
        self._learn(logits, looks)
        self._last = (at, _tiny(picture_bgr, outlines), logits)
        return self._report(logits, at, source, sightings)

    def see(self, picture_bgr: Picture, outlines: Sequence[FloatArray]) -> _Seen:
        """Ask both methods, without what is remembered.

        Args:
            picture_bgr: Shape (h, w, 3).
            outlines: [px].
        """
        wh = (picture_bgr.shape[1], picture_bgr.shape[0])
        patches = cut_patches(picture_bgr, outlines)
        n_bays = len(outlines)
        match, boxes = None, np.zeros((0, 5), np.float32)
        if self._finder is not None and (self.view.method is not SightMethod.CLASSIFIER or self._classifier is None):
            image_px = self.view.image_px or DEFAULT_IMAGE_PX
            area = area_round([*outlines, *self._lanes_px(wh).values()], wh)
            boxes = self._finder.find(picture_bgr, area, image_px)
            match = match_bays(outlines, boxes)
        classifier = np.zeros(n_bays) if self._classifier is None else self._classifier.logits(patches)
        if self._finder is not None and match is not None:
            closer = self._look_closer(self._finder, picture_bgr, outlines, match, classifier)
            if len(closer):
                boxes = one_by_one(np.concatenate([boxes, closer]))
                match = match_bays(outlines, boxes)
        unreadable = unreadable_bays(patches)
        unreadable |= np.array([_short_side(outline) < MIN_BAY_PX for outline in outlines])
        unreadable |= np.array([_is_outside(outline, wh) for outline in outlines])
        return _Seen(
            detector=np.zeros(n_bays) if match is None else match.logits,
            classifier=classifier,
            unreadable=unreadable,
            match=match,
            boxes=boxes,
        )

    def _look_closer(
        self,
        finder: VehicleFinder,
        picture: Picture,
        outlines: Sequence[FloatArray],
        match: BayMatch,
        classifier: FloatArray,
    ) -> FloatArray:
        """Look once more, enlarged, at the bays that are in doubt or in dispute; return the boxes that fit them."""
        dispute = (match.logits < 0) & (classifier > DISPUTED_LOGIT)
        doubt = np.where(dispute, 0.0, np.abs(match.logits))
        found = [np.zeros((0, 5), np.float32)]
        for bay in np.argsort(doubt)[:N_CLOSER].tolist():
            if doubt[bay] >= DOUBT_LOGIT or _short_side(outlines[bay]) < MIN_BAY_PX:
                break
            area = _square_round(outlines[bay], (picture.shape[1], picture.shape[0]))
            side = area[2] - area[0]
            boxes = finder.find(picture, area, round(CLOSER_PX / side * max(picture.shape[:2])))
            found.append(boxes[[fit(outlines[bay], box) >= MIN_FIT for box in boxes]].reshape(-1, 5))
        return np.concatenate(found)

    def _lanes_px(self, wh: tuple[int, int]) -> dict[str, FloatArray]:
        """Return the lanes where they lie now."""
        lanes = {name: lane * np.array(wh, np.float32) for name, lane in self._lanes.items()}
        if self._shift is None:
            return lanes
        return {name: self._shift.move(lane / wh[0]) * wh[0] for name, lane in lanes.items()}

    def _find_strays(
        self, seen: _Seen, picture: Picture, outlines: Sequence[FloatArray], logits: FloatArray
    ) -> list[Stray]:
        """Return vehicles that stand astray; both bays under one across them are taken, whatever each looks like."""
        lanes = self._lanes_px((picture.shape[1], picture.shape[0]))
        if seen.match is not None:
            return strays_of_boxes(seen.match, seen.boxes, self.bay_ids, lanes)
        if self._classifier is None:
            return []
        empties = [self.memory.empties[bay] for bay in self.bay_ids]
        found = self._strays.find(picture, outlines, lanes, empties, self._classifier)
        for stray in found:
            for bay_id in stray.bay_ids:
                bay = self.bay_ids.index(bay_id)
                logits[bay] = np.fmax(logits[bay], ACROSS_LOGIT)
        return found

    def _may_be_snowed_in(self, patches: Picture, looks: FloatArray) -> bool:
        """Tell whether most bays are pale, and have lost the pattern of their lines."""
        level, _ = paleness(patches)
        known = [(bay, self.memory.empties.get(bay_id)) for bay, bay_id in enumerate(self.bay_ids)]
        alike = {
            bay: likeness
            for bay, empty in known
            if empty is not None and empty.is_known and (likeness := empty.likeness(looks[bay])) is not None
        }
        pale = [likeness for bay, likeness in alike.items() if level[bay] >= PALE_LEVEL]
        if len(pale) < max(SNOW_BAYS, SNOW_SHARE * len(alike)):
            return False
        return float(np.median(pale)) < SNOW_LIKENESS

    def _decide(self, seen: _Seen, patches: Picture, looks: FloatArray) -> FloatArray:
        """Join the methods and the empty looks; NaN where nothing can be said."""
        empties = [self.memory.empties.setdefault(bay, EmptyLook.unknown()) for bay in self.bay_ids]
        learnt = np.array([empty.evidence(look) for empty, look in zip(empties, looks, strict=True)])
        by_look = np.clip(seen.classifier + learnt, -4.0, 4.0)
        if seen.match is None:
            logits = by_look + self._structure.hear(patches, seen.classifier)
        else:
            logits = seen.detector + LISTENS * by_look
            # A vehicle that hides a bay altogether, and a lot full of what this detector has no name for.
            logits = np.where(seen.match.is_hidden, np.nan, logits)
            if self.view.calibrated_at is None and sees_nothing(seen.detector, by_look):
                logits = np.where((by_look > 1.0) & (seen.detector < 0), np.nan, logits)
        told: FloatArray = np.where(seen.unreadable, np.nan, logits)
        return np.where(_may_be_snow(patches, looks, empties) & (told < 0), np.nan, told)

    def _learn(self, logits: FloatArray, looks: FloatArray) -> None:
        """Learn what bays look like that are surely empty."""
        for bay_id, value, look in zip(self.bay_ids, logits, looks, strict=True):
            if value < -_LEARN_LOGIT:
                self.memory.empties[bay_id].learn(look)

    def _shape_trouble(self, picture: Picture) -> str:
        height, width = picture.shape[:2]
        aspect = width / height
        if self.memory.aspect is None:
            self.memory.aspect = aspect
        if abs(aspect / self.memory.aspect - 1.0) <= _ASPECT_SLACK:
            return ""
        return f"The picture has another shape ({width}x{height}) than the one the bays were drawn on."

    def _follow(self, picture: Picture, outlines: list[FloatArray]) -> list[FloatArray] | None:
        """Return the outlines where they lie now; None where the camera looks elsewhere."""
        if self._landmarks.is_empty:
            self._landmarks.learn(picture)
            self.memory.references = self._landmarks.references
            return outlines
        if not self._landmarks.can_tell:
            return outlines
        shift = self._landmarks.shift(picture)
        self.memory.references = self._landmarks.references
        if shift is None:
            # Rain, a lorry before the lens or a turned camera: only what lasts is a turned camera.
            self._n_lost += 1
            return None if self._n_lost >= N_LOST or self._n_moved >= N_MOVED else outlines
        self._n_lost = 0
        width = picture.shape[1]
        moved = [shift.move(outline / width) * width for outline in outlines]
        drift = _drift(outlines, moved)
        if drift > MAX_DRIFT or not _is_sound(shift):
            self._n_moved += 1
            return None
        self._n_moved = 0
        self._shift = shift if drift > LEAST_DRIFT else None
        return moved if drift > LEAST_DRIFT else outlines

    def _known_still(self, picture: Picture, outlines: Sequence[FloatArray], at: datetime) -> FloatArray | None:
        """Return what the last look said, where nothing changed since and it is no old story."""
        if self._last is None or not 0.0 <= (at - self._last[0]).total_seconds() < REUSE_S:
            return None
        tiny, known = _tiny(picture, outlines), self._last[1]
        if tiny.shape != known.shape:
            return None
        changed = np.abs(tiny.astype(np.float32) - known.astype(np.float32)).max()
        return self._last[2] if changed < _STILL_LEVELS else None

    def _report(
        self, logits: FloatArray, at: datetime, source: str, sightings: tuple[Sighting, ...], n_reused: int = 0
    ) -> Looked:
        evidence = tuple(
            self._evidence(bay, float(value), at, source) for bay, value in zip(self.bay_ids, logits, strict=True)
        )
        if self._trouble is not None:
            sightings += (self._sighting(self._trouble, at, holds=False),)
            self._trouble = None
        sightings, self._left_over = sightings + self._left_over, ()
        return Looked(
            lot_id=self.lot.lot_id,
            camera_id=self.view.camera_id,
            at=at,
            evidence=evidence,
            sightings=sightings,
            n_reused=n_reused,
            note=self._strays.note,
        )

    def _evidence(self, bay_id: str, logit: float, at: datetime, source: str) -> BayEvidence:
        state, confidence = BayState.UNKNOWN, _UNKNOWN_CONFIDENCE
        if abs(logit) >= SURE_LOGIT:  # Never true of NaN.
            state = BayState.OCCUPIED if logit > 0 else BayState.FREE
            confidence = 1.0 / (1.0 + float(np.exp(-abs(logit))))
            if self.view.rate is not None:
                # What the whole view gets wrong, no single bay of it can be surer of.
                confidence = min(confidence, 0.5 + 0.5 * self.view.rate)
        return BayEvidence(
            lot_id=self.lot.lot_id,
            bay_id=bay_id,
            state=state,
            at=at,
            confidence=round(min(confidence, 0.99), 3),
            source=source,
        )

    def _blind(self, at: datetime, source: str, kind: SightingKind, trouble: str, hint: str) -> Looked:
        self._last = None
        sightings: tuple[Sighting, ...] = ()
        if self._trouble is not kind:
            if self._trouble is not None:
                sightings += (self._sighting(self._trouble, at, holds=False),)
            sightings += (self._sighting(kind, at, holds=True, message=trouble),)
            self._trouble = kind
        return Looked(
            lot_id=self.lot.lot_id,
            camera_id=self.view.camera_id,
            at=at,
            evidence=tuple(self._evidence(bay, float("nan"), at, source) for bay in self.bay_ids),
            sightings=sightings,
            trouble=trouble,
            hint=hint,
        )

    def _wait_to_know(self, at: datetime) -> Looked:
        """Say nothing of bays, and learn nothing: it may rain, or the camera may look elsewhere."""
        self._last = None
        sightings, self._left_over = self._left_over, ()
        return Looked(
            lot_id=self.lot.lot_id,
            camera_id=self.view.camera_id,
            at=at,
            sightings=sightings,
            trouble="The lot is not recognised in this picture; nothing is said of its bays.",
            hint=f"After {N_LOST} pictures like this the camera is taken as turned away.",
        )

    def _sighting(self, kind: SightingKind, at: datetime, *, holds: bool, message: str = "") -> Sighting:
        return Sighting(
            lot_id=self.lot.lot_id, camera_id=self.view.camera_id, kind=kind, at=at, holds=holds, message=message
        )


def sees_nothing(detector: FloatArray, by_look: FloatArray) -> bool:
    """Whether the detector hardly finds a vehicle where the bays' looks say that many stand."""
    n_by_look = int((by_look > 2.0).sum())
    return n_by_look >= 3 and int((detector > 0).sum()) < 0.25 * n_by_look


def _may_be_snow(patches: Picture, looks: FloatArray, empties: Sequence[EmptyLook]) -> NDArray[np.bool_]:
    """Tell which bays are white and do not look as they do when they are empty: a vehicle may stand under it."""
    level, span = paleness(patches)
    found = np.zeros(len(patches), bool)
    for bay in np.flatnonzero(level >= PALE_LEVEL).tolist():
        likeness = empties[bay].likeness(looks[bay]) if empties[bay].is_known else 0.0
        if not empties[bay].is_known:
            found[bay] = level[bay] >= WHITE_LEVEL and span[bay] < WHITE_SPAN
        elif likeness is not None:
            found[bay] = likeness < LOST_LIKENESS
    return found


def digest_of(view: BayView) -> str:
    """Return a text that changes with a view's outlines."""
    drawn: Mapping[str, Any] = {bay: view.outlines[bay] for bay in sorted(view.outlines)}
    return hashlib.sha256(repr(sorted(drawn.items())).encode()).hexdigest()[:16]


def _short_side(outline: FloatArray) -> float:
    sides = np.linalg.norm(outline - np.roll(outline, -1, axis=0), axis=1)
    return float(np.sort(sides)[len(sides) // 2 - 1]) if len(sides) > 3 else float(sides.min())


def _square_round(outline: FloatArray, wh: tuple[int, int]) -> tuple[int, int, int, int]:
    """Return a square of the picture with the bay in its middle, pushed inside where it reaches over the edge [px]."""
    low, high = outline.min(axis=0), outline.max(axis=0)
    side = min(int((high - low).max() * (1 + _CLOSER_REACH)), *wh)
    x, y = (int(np.clip((low[k] + high[k] - side) / 2, 0, wh[k] - side)) for k in (0, 1))
    return x, y, x + side, y + side


def _is_outside(outline: FloatArray, wh: tuple[int, int]) -> bool:
    middle = outline.mean(axis=0)
    return bool((middle < 0).any() or (middle > np.array(wh)).any())


def _drift(before: Sequence[FloatArray], now: Sequence[FloatArray]) -> float:
    """Return how far bays moved, in sizes of a bay; the middle one of all bays."""
    away = [
        np.linalg.norm(b.mean(axis=0) - a.mean(axis=0)) / max(_short_side(a), 1.0)
        for a, b in zip(before, now, strict=True)
    ]
    return float(np.median(away))


def _is_sound(shift: Shift) -> bool:
    """Whether a similarity is one that a sagging mast makes."""
    scale = float(np.hypot(shift.matrix[0, 0], shift.matrix[1, 0]))
    return 0.9 < scale < 1.1


def _grey_part(picture: Picture, outlines: Sequence[FloatArray]) -> Picture:
    import cv2

    x1, y1, x2, y2 = area_round(list(outlines), (picture.shape[1], picture.shape[0]))
    part = picture[y1:y2, x1:x2]
    shrink = min(1.0, 320.0 / max(part.shape[:2]))
    if shrink < 1.0:
        part = cv2.resize(part, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(part, cv2.COLOR_BGR2GRAY), np.uint8)


def _tiny(picture: Picture, outlines: Sequence[FloatArray]) -> Picture:
    """Return the part with the bays, so small that noise is gone and a vehicle still shows."""
    import cv2

    x1, y1, x2, y2 = area_round(list(outlines), (picture.shape[1], picture.shape[0]))
    grey = cv2.cvtColor(picture[y1:y2, x1:x2], cv2.COLOR_BGR2GRAY)
    shortest = max(3.0, float(np.median([_short_side(outline) for outline in outlines])))
    cell = shortest / 3.0
    wide, tall = max(4, round((x2 - x1) / cell)), max(4, round((y2 - y1) / cell))
    return np.asarray(cv2.resize(grey, (min(wide, 400), min(tall, 400)), interpolation=cv2.INTER_AREA), np.uint8)
