"""The scene rules of one camera: tracks and pictures in, observations out. No clock of its own, no input or output.

All rules count seconds of pictures that were really there. Over a gap (a camera that was away) conditions stay as they
were, nobody crosses a line, and no dwell time is added. Nor does anybody cross a line where a stream or a file began
again, or over a step so long that no vehicle can be followed. Where every step is a gap, an alarmed zone goes by looks
instead of seconds: it would never be empty otherwise.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from core.kernel.ids import new_id
from core.vision.camera_condition import BlindedRule, ConditionRule, FrozenRule
from core.vision.camera_moved import MovedRule
from core.vision.classes import labels_sought
from core.vision.collision import CollisionRule
from core.vision.congestion import CongestionRule
from core.vision.congestion_lane import LaneCongestionRule
from core.vision.held_ends import GLANCE_S, HeldEnds
from core.vision.lines import Crossing, LineCounter
from core.vision.loitering import LoiteringRule
from core.vision.masks import IgnoreMasks
from core.vision.measures import MinuteMeasures
from core.vision.model import (
    LEAST_LOOKS_PER_S,
    PERSON,
    VEHICLE_LABELS,
    CountLine,
    Observation,
    ObservationKind,
    Phase,
    Scene,
    Track,
    Zone,
)
from core.vision.object_left import ObjectLeftRule
from core.vision.pedestrian import PedestrianRule, is_on_foot, vehicles_among
from core.vision.scene_rule import Moment, Notebook, SceneRule, place_of
from core.vision.standing import StandingPlaces
from core.vision.stopped import StoppedRule
from core.vision.stopped_lane import LaneStoppedRule
from core.vision.tracker import GAP_S
from core.vision.tuning import Tuning
from core.vision.vehicles import PictureClock, Sighting, VehicleMemory
from core.vision.view import LearnedView
from core.vision.wrong_way import WrongWayRule
from core.vision.zones import OUT_AFTER_RARE_LOOKS, ZoneChange, ZonePresence

RULE_MAKERS: tuple[tuple[ObservationKind, Callable[[Scene, float], SceneRule]], ...] = (
    (ObservationKind.WRONG_WAY, WrongWayRule),
    (ObservationKind.COLLISION, CollisionRule),
    (ObservationKind.PEDESTRIAN, PedestrianRule),
    (ObservationKind.LOITERING, LoiteringRule),
    (ObservationKind.STOPPED_VEHICLE, LaneStoppedRule),
    (ObservationKind.CONGESTION, LaneCongestionRule),
    (ObservationKind.OBJECT_LEFT, lambda scene, _aspect: ObjectLeftRule(scene)),
    # Before whoever must not learn from a picture that shows nothing.
    (ObservationKind.CAMERA_BLINDED, lambda scene, _aspect: BlindedRule(scene)),
    (ObservationKind.CAMERA_MOVED, lambda scene, _aspect: MovedRule(scene)),
    (ObservationKind.CAMERA_FROZEN, lambda scene, _aspect: FrozenRule(scene)),
)
"""Rules besides those of zones and lines, each made from the scene and the picture's aspect where it is watched for."""

_RATE_SLACK = 0.8
"""Of the least looks, fewer than which are too few: pictures do not come as evenly as they are asked for."""

_MISSED_LOOKS = 3.0
"""A pause as long as so many looks is not observed."""

EMPTY_AFTER_S = 2.0
"""An alarmed zone is empty when nobody was in it for this long."""


class SceneRules:
    """Everything drawn on one camera's picture, watched; used from one thread."""

    def __init__(
        self,
        camera_id: str,
        scene: Scene,
        aspect: float,
        labels: frozenset[str] = frozenset(VEHICLE_LABELS),
        *,
        known: frozenset[str] | None = None,
        wanted_per_s: float = 0.0,
    ) -> None:
        """Lay out zones and lines.

        Args:
            camera_id: Written into the observations.
            scene: What was drawn.
            aspect: Width of the picture over its height.
            labels: Classes that count on this camera: in lines, zones and lanes that name none of their own.
            known: Classes that the model knows; None where it knows all.
            wanted_per_s: How often pictures should be looked at; 0 where any rate will do.
        """
        self.measures = MinuteMeasures(camera_id, scene, aspect, labels, known)
        self._labels, self._known = labels, known
        self._camera_id = camera_id
        self._run = new_id()
        self._clock = PictureClock()
        self._memory = VehicleMemory(aspect)
        self._places = StandingPlaces()
        self._lines = [(line, LineCounter(line, aspect)) for line in scene.lines]
        tuning = Tuning(scene)
        self._zones = {zone.key: _ZoneRules(zone, aspect, tuning) for zone in scene.zones}
        self._masks = IgnoreMasks(scene)
        rules = [make(scene, aspect) for kind, make in RULE_MAKERS if tuning.is_watched(kind)]
        self._moved = next((rule for rule in rules if isinstance(rule, MovedRule)), None)
        self._conditions = tuple(rule for rule in rules if isinstance(rule, ConditionRule))
        self._rules = tuple(rule for rule in rules if not isinstance(rule, ConditionRule))
        self._wanted_per_s = wanted_per_s
        self._ends = HeldEnds()
        self._seen_s = math.inf

    def update(
        self,
        tracks: Sequence[Track],
        pts_s: float,
        captured_at: datetime,
        picture: NDArray[np.uint8] | None = None,
    ) -> list[Observation]:
        """Take one picture.

        Args:
            tracks: As the tracker returned them.
            pts_s: Picture time.
            captured_at: Wall time of the picture.
            picture: What the network was given, without bars, RGB or grey; None leaves out the rules that look at
                pictures.
        """
        self._clock.advance(pts_s)
        if self._clock.dt_s > GAP_S:
            self.break_off()
        sightings, gone = self._memory.update(self._masks.outside(tracks), self._clock, self._places.kept)
        note = Notebook(self._camera_id, pts_s, captured_at, run=self._run, plane=self.measures.plane)
        moment = Moment(
            sightings,
            gone,
            now_s=self._clock.now_s,
            dt_s=self._clock.dt_s,
            pts_s=pts_s,
            looks_per_s=self._clock.looks_per_s,
            picture=picture,
        )
        moment.unseen = self._places.unseen
        # First of all: what the others see is worth as much as the picture.
        for condition in self._conditions:
            condition.update(moment, note)
        is_unsure = moment.is_unsure = any(condition.is_unsure for condition in self._conditions)
        self._seen_s = 0.0 if is_unsure else self._seen_s + self._clock.looked_s
        saw_nothing = self._seen_s < GLANCE_S
        counted = [sighting for sighting in sightings if sighting.track.label in self._labels]
        if is_unsure:
            # Lines, lanes and the road plane do not lie where they were drawn, or nobody sees who is there.
            self.break_off()
        crossings = [] if is_unsure else self._cross(sightings, counted, note)
        for _, counter in self._lines:
            counter.forget(gone)
        for zone in self._zones.values():
            who_counts = sightings if zone.labels else counted
            zone.update(who_counts, gone, self._clock, note, saw_nothing=saw_nothing, is_unsure=is_unsure)
        watched_s = 0.0 if is_unsure or self.is_undersampled else self._clock.dt_s
        self.measures.update(
            sightings,
            counted,
            gone,
            crossings,
            self._clock,
            captured_at,
            watched_s=watched_s,
            saw_nothing=saw_nothing,
            is_unsure=is_unsure,
        )
        for rule in self._rules:
            rule.update(moment, note)
        self._places.update(moment, self._told_to_stand())
        if self.is_blind:
            self._ends.distrust()
        if is_unsure:
            return self._ends.hold_back(note.observations)
        return self._ends.let_go(note.observations, self._clock.looked_s, pts_s, captured_at)

    def _cross(
        self, sightings: Sequence[Sighting], counted: Sequence[Sighting], note: Notebook
    ) -> list[tuple[CountLine, Crossing]]:
        """Return who crossed a line since the last picture, and write it down."""
        crossings = []
        for line, counter in self._lines:
            # Classes that a line, zone or lane names count there, whatever else the camera looks for.
            for crossing in counter.update(sightings if line.labels else counted):
                who = crossing.sighting
                if who.track.label == PERSON and not is_on_foot(who, vehicles_among(sightings)):
                    continue
                crossings.append((line, crossing))
                note.add(
                    ObservationKind.LINE_CROSSED,
                    Phase.INSTANT,
                    place_of(line),
                    f"line_crossed:{line.key}",
                    number=who.key,
                    sighting=who,
                    direction=crossing.direction,
                )
        return crossings

    def watch_camera(self, pts_s: float, captured_at: datetime, picture: NDArray[np.uint8]) -> list[Observation]:
        """Take a picture in which nobody looked for vehicles: it says only whether the camera itself is well.

        Args:
            pts_s: Picture time; to the other rules it stands still.
            captured_at: Wall time of the picture.
            picture: As in `update`.
        """
        note = Notebook(self._camera_id, pts_s, captured_at, run=self._run, plane=self.measures.plane)
        moment = Moment((), frozenset(), now_s=self._clock.now_s, dt_s=0.0, pts_s=pts_s, picture=picture)
        for condition in self._conditions:
            condition.update(moment, note)
        if self.is_blind:
            self._ends.distrust()
        if any(condition.is_unsure for condition in self._conditions):
            self._seen_s = 0.0
            return self._ends.hold_back(note.observations)
        return note.observations

    def use_known(self, known: frozenset[str]) -> None:
        """Go on with a model that knows these classes."""
        self._known = known
        self.measures.use_known(known)

    def break_off(self) -> None:
        """Let nobody cross a line with the next picture: it does not go on from the last one."""
        for _, counter in self._lines:
            counter.break_off()
        self.measures.break_off()

    def _told_to_stand(self) -> frozenset[int]:
        told = frozenset[int]().union(*(zone.told for zone in self._zones.values()))
        return told.union(*(rule.told for rule in self._rules if isinstance(rule, LaneStoppedRule)))

    def start_from(self, view: LearnedView) -> None:
        """Go on from what was learned of the camera's view before; nothing where nobody watches it."""
        if self._moved is not None:
            self._moved.start_from(view)

    def go_on_watching(self, before: SceneRules) -> None:
        """Watch the camera itself with what rules of the same scene know of it, which end here."""
        self._conditions, self._moved = before._conditions, before._moved
        for condition in self._conditions:
            condition.say_again()

    def forget_view(self) -> None:
        """What the camera shows now is what its scene is drawn for."""
        if self._moved is not None:
            self._moved.forget()

    def take_view(self, told_at: datetime) -> LearnedView | None:
        """Return what was learned of the camera's view, where there is news of it."""
        return None if self._moved is None else self._moved.take_news(told_at)

    @property
    def move_is_noticed_within_s(self) -> float:
        """How long after the camera moved `is_moved` may say so."""
        return 0.0 if self._moved is None else self._moved.noticed_within_s

    @property
    def is_moved(self) -> bool:
        """Whether the picture shows something else than its scene was drawn for, for so long that it calls."""
        return self._moved is not None and self._moved.is_blind

    @property
    def is_view_open(self) -> bool:
        """Whether it has been impossible for a while to judge whether the camera moved."""
        return self._moved is not None and self._moved.is_open

    @property
    def is_blind(self) -> bool:
        """Whether the picture does not show what the scene was drawn for: dark, covered, frozen or moved."""
        return self.blinded_by is not None

    @property
    def wavers(self) -> bool:
        """Whether the newest picture speaks against what is told of the camera itself."""
        return any(condition.wavers for condition in self._conditions)

    @property
    def blinded_by(self) -> ObservationKind | None:
        """What blinds the camera; None where it sees."""
        return next((condition.kind for condition in self._conditions if condition.is_blind), None)

    @property
    def is_undersampled(self) -> bool:
        """Whether the camera is looked at too rarely for counts that hold."""
        if not self._wanted_per_s:
            return False
        if self._wanted_per_s < LEAST_LOOKS_PER_S:
            return True
        is_slow = self._clock.looks_per_s < _RATE_SLACK * LEAST_LOOKS_PER_S
        return is_slow or self._clock.is_gap or self._clock.dt_s * LEAST_LOOKS_PER_S > _MISSED_LOOKS

    @property
    def is_rare(self) -> bool:
        """Whether the camera is looked at so rarely that nobody is followed from look to look."""
        return self._clock.is_rare

    @property
    def inside(self) -> dict[str, int]:
        """How many are in each zone now; a zone is left out where nobody looks for what counts in it."""
        return {
            key: zone.presence.n_inside
            for key, zone in self._zones.items()
            if labels_sought(zone.labels, self._labels, self._known)
        }

    def n_inside(self, zone_key: str) -> int:
        """Return how many vehicles are in a zone now.

        Raises:
            KeyError: No zone of that key.
        """
        return self._zones[zone_key].presence.n_inside


class _ZoneRules:
    """The rules that one zone asks for."""

    def __init__(self, zone: Zone, aspect: float, tuning: Tuning) -> None:
        watches_jams = zone.congestion_capacity is not None and tuning.is_on(ObservationKind.CONGESTION)
        self._zone = zone
        self._place = place_of(zone)
        self.presence = ZonePresence(zone, aspect)
        self._congestion: CongestionRule | None = None
        if watches_jams:
            hold_s, speed_ratio = (tuning.value(ObservationKind.CONGESTION, name) for name in ("hold_s", "speed_ratio"))
            self._congestion = CongestionRule(zone, hold_s=hold_s, speed_ratio=speed_ratio)
        self._stopped: StoppedRule | None = None
        if zone.stopped_after_s is not None and tuning.is_on(ObservationKind.STOPPED_VEHICLE):
            self._stopped = StoppedRule(zone.stopped_after_s)
        self._is_occupied = False
        self._empty_s = 0.0
        self._n_rare_looks_empty = 0

    def update(
        self,
        sightings: Sequence[Sighting],
        gone: frozenset[int],
        clock: PictureClock,
        note: Notebook,
        *,
        saw_nothing: bool,
        is_unsure: bool,
    ) -> None:
        inside = self.presence.inside(sightings)
        came = self.presence.update(sightings, inside, clock, saw_nothing=saw_nothing)
        inside = tuple(sighting for sighting in inside if sighting.track.label != PERSON)
        self._n_rare_looks_empty = 0 if inside else self._n_rare_looks_empty + clock.is_rare
        self._watch_presence(came, clock, note, counts=self._zone.counts_presence and not is_unsure)
        self.presence.forget(gone)
        is_congested = self._watch_congestion(inside, gone, clock, note)
        if self._stopped is None:
            return
        changes = self._stopped.update(sightings, inside, now_s=clock.now_s, is_congested=is_congested)
        for change in changes + self._stopped.forget(gone, clock.now_s):
            values = {"standing_s": round(change.standing_s, 1), "was_parked": float(change.was_parked)}
            self._write(note, ObservationKind.STOPPED_VEHICLE, change.phase, change.sighting, values)

    @property
    def labels(self) -> tuple[str, ...]:
        """Classes that the zone names."""
        return self._zone.labels

    @property
    def told(self) -> frozenset[int]:
        """Keys of vehicles that were said to stand, and not to have left."""
        return frozenset() if self._stopped is None else self._stopped.told

    def _watch_presence(self, change: ZoneChange, clock: PictureClock, note: Notebook, *, counts: bool) -> None:
        n_inside = float(self.presence.n_inside)
        if counts:
            for sighting in change.entered:
                self._write(note, ObservationKind.ZONE_ENTERED, Phase.INSTANT, sighting, {"n_vehicles": n_inside})
            for sighting, dwell_s in change.left:
                values = {"n_vehicles": n_inside, "dwell_s": round(dwell_s, 1)}
                self._write(note, ObservationKind.ZONE_ENTERED, Phase.END, sighting, values)
        if not self._zone.alarms_presence:
            return
        # Of people in it the pedestrian rule calls.
        n_inside = float(self.presence.n_vehicles)
        arrived = [who for who in change.entered + change.found if who.track.label != PERSON]
        self._empty_s = 0.0 if n_inside else self._empty_s + clock.dt_s
        is_seen_empty = not n_inside and self._n_rare_looks_empty >= OUT_AFTER_RARE_LOOKS
        if arrived and not self._is_occupied:
            self._is_occupied = True
            phase, who = Phase.BEGIN, arrived[0]
        elif self._is_occupied and (is_seen_empty or self._empty_s > EMPTY_AFTER_S):
            self._is_occupied = False
            phase, who = Phase.END, None
        else:
            return
        values = {"n_vehicles": n_inside}
        kind = ObservationKind.VEHICLE_IN_ZONE
        note.add(kind, phase, self._place, f"{kind.value}:{self._zone.key}", sighting=who, values=values)

    def _watch_congestion(
        self, inside: Sequence[Sighting], gone: frozenset[int], clock: PictureClock, note: Notebook
    ) -> bool:
        if self._congestion is None:
            return False
        phase = self._congestion.update(inside, clock.dt_s, gone)
        if phase is not None:
            kind = ObservationKind.CONGESTION
            note.add(
                kind,
                phase,
                self._place,
                f"{kind.value}:{self._zone.key}",
                bbox_xyxy=self._place.bbox_xyxy,
                confidence=self._congestion.confidence,
                values=dict(self._congestion.values),
            )
        return self._congestion.is_congested

    def _write(
        self, note: Notebook, kind: ObservationKind, phase: Phase, sighting: Sighting, values: dict[str, float]
    ) -> None:
        """Write down what concerns one vehicle."""
        key = f"{kind.value}:{self._zone.key}"
        note.add(kind, phase, self._place, key, number=sighting.key, sighting=sighting, values=values)
