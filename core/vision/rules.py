"""The scene rules of one camera: tracks in, observations out. No pictures, no clock of its own, no input or output.

All rules count seconds of pictures that were really there. Over a gap (a camera that was away) conditions stay as they
were, nobody crosses a line, and no dwell time is added.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from core.kernel.ids import new_id
from core.vision.congestion import CongestionRule
from core.vision.lines import LineCounter
from core.vision.model import CountLine, Observation, ObservationKind, Phase, Scene, Track, Zone
from core.vision.stopped import StoppedRule
from core.vision.vehicles import PictureClock, Sighting, VehicleMemory
from core.vision.zones import ZonePresence

EMPTY_AFTER_S = 2.0
"""An alarmed zone is empty when nobody was in it for this long."""


class SceneRules:
    """Everything drawn on one camera's picture, watched; used from one thread."""

    def __init__(self, camera_id: str, scene: Scene, aspect: float) -> None:
        """Lay out zones and lines.

        Args:
            camera_id: Written into the observations.
            scene: What was drawn.
            aspect: Width of the picture over its height.
        """
        self._camera_id = camera_id
        self._clock = PictureClock()
        self._memory = VehicleMemory(aspect)
        self._lines = [(line, LineCounter(line, aspect)) for line in scene.lines]
        self._zones = {zone.key: _ZoneRules(zone, aspect) for zone in scene.zones}

    def update(self, tracks: Sequence[Track], pts_s: float, captured_at: datetime) -> list[Observation]:
        """Take the tracks of one picture.

        Args:
            tracks: As the tracker returned them.
            pts_s: Picture time.
            captured_at: Wall time of the picture.
        """
        self._clock.advance(pts_s)
        sightings, gone = self._memory.update(tracks, self._clock)
        note = _Notebook(self._camera_id, pts_s, captured_at)
        for line, counter in self._lines:
            for crossing in counter.update(sightings):
                note.crossing(line, crossing.sighting, crossing.direction)
            counter.forget(gone)
        for zone in self._zones.values():
            zone.update(sightings, gone, self._clock, note)
        return note.observations

    def n_inside(self, zone_key: str) -> int:
        """Return how many vehicles are in a zone now.

        Raises:
            KeyError: No zone of that key.
        """
        return self._zones[zone_key].presence.n_inside


class _Notebook:
    """Collects the observations of one picture."""

    def __init__(self, camera_id: str, pts_s: float, captured_at: datetime) -> None:
        self.observations: list[Observation] = []
        self._camera_id = camera_id
        self._pts_s = pts_s
        self._captured_at = captured_at

    def crossing(self, line: CountLine, sighting: Sighting, direction: str) -> None:
        self._add(
            ObservationKind.LINE_CROSSED,
            Phase.INSTANT,
            line,
            f"line_crossed:{line.key}:{sighting.key}",
            sighting,
            direction=direction,
        )

    def in_zone(
        self,
        kind: ObservationKind,
        phase: Phase,
        zone: Zone,
        sighting: Sighting | None,
        values: dict[str, float],
        *,
        is_of_vehicle: bool = True,
    ) -> None:
        vehicle = f":{sighting.key}" if sighting is not None and is_of_vehicle else ""
        self._add(kind, phase, zone, f"{kind.value}:{zone.key}{vehicle}", sighting, values=values)

    def _add(
        self,
        kind: ObservationKind,
        phase: Phase,
        rule: Zone | CountLine,
        condition_key: str,
        sighting: Sighting | None,
        direction: str = "",
        values: dict[str, float] | None = None,
    ) -> None:
        self.observations.append(
            Observation(
                observation_id=new_id(),
                camera_id=self._camera_id,
                kind=kind,
                phase=phase,
                rule_key=rule.key,
                rule_name=rule.name,
                condition_key=condition_key,
                pts_s=self._pts_s,
                captured_at=self._captured_at,
                label=sighting.track.label if sighting else "",
                direction=direction,
                track_id=sighting.track.track_id if sighting else None,
                bbox_xyxy=sighting.track.bbox_xyxy if sighting else None,
                values=values or {},
            )
        )


class _ZoneRules:
    """The rules that one zone asks for."""

    def __init__(self, zone: Zone, aspect: float) -> None:
        self._zone = zone
        self.presence = ZonePresence(zone, aspect)
        self._congestion = CongestionRule(zone) if zone.congestion_capacity is not None else None
        self._stopped = StoppedRule(zone.stopped_after_s) if zone.stopped_after_s is not None else None
        self._is_occupied = False
        self._empty_s = 0.0

    def update(self, sightings: Sequence[Sighting], gone: frozenset[int], clock: PictureClock, note: _Notebook) -> None:
        inside = self.presence.inside(sightings)
        self._watch_presence(sightings, inside, clock, note)
        self.presence.forget(gone)
        is_congested = self._watch_congestion(inside, gone, clock, note)
        if self._stopped is None:
            return
        changes = self._stopped.update(sightings, inside, now_s=clock.now_s, is_congested=is_congested)
        for change in changes + self._stopped.forget(gone, clock.now_s):
            note.in_zone(
                ObservationKind.STOPPED_VEHICLE,
                change.phase,
                self._zone,
                change.sighting,
                {"standing_s": round(change.standing_s, 1), "was_parked": float(change.was_parked)},
            )

    def _watch_presence(
        self, sightings: Sequence[Sighting], inside: Sequence[Sighting], clock: PictureClock, note: _Notebook
    ) -> None:
        change = self.presence.update(sightings, inside, clock.now_s)
        n_inside = float(self.presence.n_inside)
        if self._zone.counts_presence:
            for sighting in change.entered:
                note.in_zone(
                    ObservationKind.ZONE_ENTERED, Phase.INSTANT, self._zone, sighting, {"n_vehicles": n_inside}
                )
            for sighting, dwell_s in change.left:
                values = {"n_vehicles": n_inside, "dwell_s": round(dwell_s, 1)}
                note.in_zone(ObservationKind.ZONE_ENTERED, Phase.END, self._zone, sighting, values)
        if not self._zone.alarms_presence:
            return
        self._empty_s = 0.0 if n_inside else self._empty_s + clock.dt_s
        if change.entered and not self._is_occupied:
            self._is_occupied = True
            phase, who = Phase.BEGIN, change.entered[0]
        elif self._is_occupied and self._empty_s > EMPTY_AFTER_S:
            self._is_occupied = False
            phase, who = Phase.END, None
        else:
            return
        values = {"n_vehicles": n_inside}
        note.in_zone(ObservationKind.VEHICLE_IN_ZONE, phase, self._zone, who, values, is_of_vehicle=False)

    def _watch_congestion(
        self, inside: Sequence[Sighting], gone: frozenset[int], clock: PictureClock, note: _Notebook
    ) -> bool:
        if self._congestion is None:
            return False
        phase = self._congestion.update(inside, clock.dt_s, gone)
        if phase is not None:
            note.in_zone(ObservationKind.CONGESTION, phase, self._zone, None, dict(self._congestion.values))
        return self._congestion.is_congested
