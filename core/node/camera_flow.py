"""What cameras measure, for other systems: each camera is a device on the broker, each lane, line and zone a stream.

`watchfloor/v1/{tenant}/camera/{camera}/state/{stream}` holds the last minute as a retained `TrafficFlowObserved`, with
birth and status beside it like those of any device. A camera with two zones or more has a stream `od` as well: who went
from which zone to which. The group `camera` is this program's own: nothing is read from it.
"""

from __future__ import annotations

import re
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal

from core.cameras.model import Camera
from core.field.payloads import Birth, Envelope, Location, Payload, Quality, Status, StreamInfo
from core.field.topics import OWN_GROUP, Channel, DeviceTopic
from core.kernel.ids import new_id
from core.vision.flow import FlowMinute
from core.vision.model import PERSON, Scene

MODEL = "Watchfloor camera"
PAYLOAD = "TrafficFlowObserved"
PERIOD_S = 60.0
STALE_S = 150.0
OLD = timedelta(seconds=90)
"""A minute told this long after its end is history: it does not speak of now."""

MAX_WAITING = 20_000
"""Minutes that wait for the broker at most: of fifty streams, more than six hours. The oldest go first."""

KEPT = timedelta(minutes=10)
"""Parts of one minute that come farther apart are not put together."""

WAYS = "od"
"""The stream of origins and destinations, and their `subject` in `FlowMinute`."""

_MAX_SLUG = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class _Said:
    """What one stream says of one minute."""

    camera_id: str
    stream: str
    minute: datetime
    is_complete: bool
    data: dict[str, Any]


class CameraFlow:
    """Puts minutes on the broker.

    Threads: the node's loop.
    """

    def __init__(
        self,
        *,
        tenant: str,
        boot: str,
        publish: Callable[[DeviceTopic, Payload | None], None],
        is_connected: Callable[[], bool] = lambda: True,
    ) -> None:
        """Say nothing yet.

        Args:
            tenant: Of the topics.
            boot: Of this node's start.
            publish: Puts a payload on the broker, retained; None takes it away.
            is_connected: Whether the broker hears us; minutes wait until it does.
        """
        self._is_connected = is_connected
        self._waiting: deque[_Said] = deque(maxlen=MAX_WAITING)
        self._known: dict[tuple[str, datetime], dict[tuple[str, str], FlowMinute]] = {}
        self._tenant = tenant
        self._boot = boot
        self._publish = publish
        self._cameras: dict[str, Camera] = {}
        self._streams: dict[str, dict[str, str]] = {}
        self._born: dict[str, Birth] = {}
        self._told: dict[tuple[str, str], datetime] = {}
        self._lost: set[str] = set()
        self._statuses: dict[str, str] = {}
        self._seq = 0

    def set_cameras(self, cameras: Iterable[Camera], now: datetime) -> None:
        """Introduce the cameras that measure; take away what no longer is there."""
        measuring = {camera.camera_id: camera for camera in cameras if camera.scene.measures}
        for camera_id in set(self._cameras) - set(measuring):
            self._withdraw(camera_id)
        for camera_id, camera in measuring.items():
            streams = streams_of(camera.scene)
            measured = streams if camera.is_enabled else {}
            # Of one that was disabled before the start, the run before may have left some.
            for stream in set(self._streams.get(camera_id, streams)) - set(measured):
                self._say(camera_id, Channel.STATE, None, stream)
                self._told.pop((camera_id, stream), None)
            self._cameras[camera_id], self._streams[camera_id] = camera, measured
            self._introduce(camera, streams, now)

    def tell(self, minutes: Iterable[FlowMinute], now: datetime) -> None:
        """Publish the minutes of each stream, oldest first; while the broker is away they wait for it."""
        changed: dict[tuple[str, datetime], set[str]] = {}
        for minute in minutes:
            place = minute.camera_id, minute.minute
            stream = WAYS if minute.subject == WAYS else stream_of(minute)
            if stream not in self._streams.get(minute.camera_id, {}):
                continue
            mark = minute.key if stream == WAYS else minute.label
            self._known.setdefault(place, {})[stream, mark] = minute
            changed.setdefault(place, set()).add(stream)
            if minute.subject == "zone" and WAYS in self._streams[minute.camera_id]:
                # A minute in which nobody went from zone to zone says so.
                changed[place].add(WAYS)
        for (camera_id, at), streams in sorted(changed.items(), key=lambda item: item[0][1]):
            self._waiting.extend(said for stream in sorted(streams) if (said := self._say_of(camera_id, at, stream)))
        for place in [place for place in self._known if abs(now - place[1]) > KEPT]:
            del self._known[place]
        self.tell_waiting(now)

    def _say_of(self, camera_id: str, at: datetime, stream: str) -> _Said | None:
        known = self._known[camera_id, at]
        parts = {mark: minute for (name, mark), minute in known.items() if name == stream}
        if stream == WAYS:
            of_vehicles = {zone.key for zone in self._cameras[camera_id].scene.zones if zone.counts_vehicles}
            zones = [
                minute
                for minute in known.values()
                if minute.subject == "zone" and not minute.label and minute.key in of_vehicles
            ]
            if not zones:
                return None
            # Where one zone was not looked at, nobody knows who came from there.
            zone = min(zones, key=_vehicles_seen_s)
            zone = replace(zone, observed_s=_vehicles_seen_s(zone))
            names = {one.key: one.name for one in self._cameras[camera_id].scene.zones}
            whole, data = zone, ways_of(zone, parts.values(), names)
        elif "" in parts:
            whole = parts.pop("")
            data = data_of(whole, parts, lane_id=_lane_number(self._cameras[camera_id].scene, whole))
        else:
            return None
        return _Said(camera_id=camera_id, stream=stream, minute=at, is_complete=whole.is_complete, data=data)

    def tell_waiting(self, now: datetime) -> None:
        """Publish what waits, one minute of each stream; call it once a second.

        Of retained messages the link keeps only the newest of each topic until it is sent: two at once would be one.
        """
        if not self._waiting or not self._is_connected():
            return
        told: set[tuple[str, str]] = set()
        later: deque[_Said] = deque(maxlen=MAX_WAITING)
        for said in self._waiting:
            place = said.camera_id, said.stream
            if place in told:
                later.append(said)
            elif said.stream in self._streams.get(said.camera_id, {}) and not self._is_older(said, now):
                told.add(place)
                self._tell_one(said, now)
        self._waiting = later

    def show_lost(self, camera_id: str, now: datetime) -> None:
        """A camera shows nothing, or nothing that counts: what stands on the broker is the last that it measured."""
        self._lost.add(camera_id)
        if camera_id in self._born:
            self._say_status(camera_id, now)

    def show_back(self, camera_id: str, now: datetime) -> None:
        """A camera that was lost or blind measures again."""
        self._lost.discard(camera_id)
        if camera_id in self._born:
            self._say_status(camera_id, now)

    def _say_status(self, camera_id: str, now: datetime) -> None:
        state = self._statuses[camera_id] = self._state_of(camera_id)
        self._say(camera_id, Channel.STATUS, Status(state=state, boot=self._boot, ts=now))

    def _state_of(self, camera_id: str) -> Literal["online", "lost", "offline"]:
        if not self._cameras[camera_id].is_enabled:
            return "offline"
        return "lost" if camera_id in self._lost else "online"

    def say_goodbye(self, now: datetime) -> None:
        """This node ends: nobody measures until one is there again."""
        for camera_id in self._born:
            self._say(camera_id, Channel.STATUS, Status(state="offline", boot=self._boot, ts=now))

    def _is_older(self, said: _Said, now: datetime) -> bool:
        """Whether a later minute was told; not where that one lies ahead, because the clock was set back since."""
        told = self._told.get((said.camera_id, said.stream), said.minute)
        return said.minute < told <= now

    def _tell_one(self, said: _Said, now: datetime) -> None:
        self._told[said.camera_id, said.stream] = said.minute
        ended_at = said.minute + timedelta(minutes=1)
        self._seq += 1
        envelope = Envelope(
            id=new_id(),
            type=PAYLOAD,
            ts=min(ended_at, now),
            boot=self._boot,
            seq=self._seq,
            q=Quality.GOOD if said.is_complete else Quality.UNCERTAIN,
            hist=now - ended_at > OLD,
            data=said.data,
        )
        self._say(said.camera_id, Channel.STATE, envelope, said.stream)

    def _introduce(self, camera: Camera, streams: dict[str, str], now: datetime) -> None:
        position = camera.position
        birth = Birth(
            name=camera.name[:200],
            model=MODEL,
            boot=self._boot,
            ts=now,
            location=None if position is None else Location(lat=position.lat_deg, lon=position.lon_deg),
            streams=tuple(
                StreamInfo(name=name, type=PAYLOAD, smart_data_model=PAYLOAD, period=PERIOD_S, stale_s=STALE_S)
                for name in list(streams)[:64]
            ),
        )
        known = self._born.get(camera.camera_id)
        if known is None or birth.model_copy(update={"ts": known.ts}) != known:
            self._born[camera.camera_id] = birth
            self._say(camera.camera_id, Channel.BIRTH, birth)
            self._say_status(camera.camera_id, now)
        elif self._statuses[camera.camera_id] != self._state_of(camera.camera_id):
            self._say_status(camera.camera_id, now)

    def _withdraw(self, camera_id: str) -> None:
        for stream in self._streams.pop(camera_id, {}):
            self._say(camera_id, Channel.STATE, None, stream)
            self._told.pop((camera_id, stream), None)
        self._say(camera_id, Channel.STATUS, None)
        self._say(camera_id, Channel.BIRTH, None)
        self._cameras.pop(camera_id, None)
        self._born.pop(camera_id, None)
        self._statuses.pop(camera_id, None)

    def _say(self, camera_id: str, channel: Channel, payload: Payload | None, stream: str = "") -> None:
        topic = DeviceTopic(
            tenant=self._tenant, group=OWN_GROUP, device=slug(camera_id), channel=channel, stream=stream
        )
        self._publish(topic, payload)


def streams_of(scene: Scene) -> dict[str, str]:
    """Return a camera's streams and what the operator calls them: lanes, lines by direction, zones, and their ways."""
    lanes = {slug(f"lane-{lane.key}"): lane.name for lane in scene.lanes}
    lines = {
        slug(f"line-{line.key}-{way}"): f"{line.name}, {way}"
        for line in scene.lines
        for way in (line.forward_name, line.backward_name)
    }
    zones = {slug(f"zone-{zone.key}"): zone.name for zone in scene.zones}
    has_ways = sum(zone.counts_vehicles for zone in scene.zones) > 1
    ways = {WAYS: "Origins and destinations"} if has_ways else {}
    return lanes | lines | zones | ways


def stream_of(minute: FlowMinute) -> str:
    """Return the stream that a minute belongs to."""
    tail = f"-{minute.direction}" if minute.direction else ""
    return slug(f"{minute.subject}-{minute.key}{tail}")


def data_of(
    minute: FlowMinute, classes: Mapping[str, FlowMinute] | None = None, *, lane_id: int | None = None
) -> dict[str, Any]:
    """Return a minute in the names of FIWARE's TrafficFlowObserved, and what that does not name in ours.

    Args:
        minute: Over all classes.
        classes: The same minute by class.
        lane_id: Of a lane.

    Returns:
        What is not known is left out. `intensity` is of the seconds that were seen (`observedSeconds`), speeds are in
        km/h, lengths in metres. `intensityByVehicleType` is there where its classes add up to the whole. People on foot
        are no vehicles: `peopleCount`, as in FIWARE's CrowdFlowObserved.
    """
    parts = dict(classes or {})
    people = parts.pop(PERSON, None)
    by_type = {label: one.n_vehicles for label, one in sorted(parts.items()) if one.n_vehicles}
    found: dict[str, Any] = {
        **_span_of(minute),
        "laneId": lane_id,
        "laneDirection": minute.direction or None,
        "intensity": minute.n_vehicles,
        "intensityByVehicleType": by_type if by_type and sum(by_type.values()) == minute.n_vehicles else None,
        "peopleCount": None if people is None else people.n_vehicles,
        "averageVehicleSpeed": minute.speed_kmh,
        "averageVehicleSpeedError": minute.speed_error_kmh,
        "occupancy": minute.occupancy,
        "density": minute.density_per_km,
        "queueLength": minute.queue_m,
    }
    return {name: value for name, value in found.items() if value is not None}


def ways_of(zone: FlowMinute, ways: Iterable[FlowMinute], names: Mapping[str, str]) -> dict[str, Any]:
    """Return who went from which zone to which in one minute; a pair that is not named had nobody.

    Args:
        zone: Any zone's minute: how much of it was seen.
        ways: With "FROM>TO" as key.
        names: Of the zones, by key.
    """
    found = []
    for way in sorted(ways, key=lambda way: way.key):
        origin, _, target = way.key.partition(">")
        if way.n_vehicles:
            found.append(
                {
                    "origin": names.get(origin, origin),
                    "destination": names.get(target, target),
                    "intensity": way.n_vehicles,
                }
            )
    return {**_span_of(zone), "originDestination": found}


def _vehicles_seen_s(zone: FlowMinute) -> float:
    return 0.0 if zone.n_vehicles is None else zone.observed_s


def _span_of(minute: FlowMinute) -> dict[str, Any]:
    return {
        "dateObservedFrom": minute.minute.isoformat(),
        "dateObservedTo": (minute.minute + timedelta(minutes=1)).isoformat(),
        "observedSeconds": minute.observed_s,
    }


def slug(text: str) -> str:
    """Return a name that may stand in a topic; one that had to be changed by more than its case stays unique."""
    plain = re.sub(r"[^a-z0-9-]+", "-", text.lower()).strip("-")
    if plain == text.lower() and len(plain) <= _MAX_SLUG:
        return plain
    mark = f"{zlib.crc32(text.encode()):08x}"
    return f"{plain[: _MAX_SLUG - 9]}-{mark}".strip("-")


def _lane_number(scene: Scene, minute: FlowMinute) -> int | None:
    if minute.subject != "lane":
        return None
    return next((number for number, lane in enumerate(scene.lanes, start=1) if lane.key == minute.key), None)
