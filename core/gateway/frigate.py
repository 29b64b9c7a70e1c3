"""Frigate in: what its cameras see in a zone becomes an alarm of that camera, for as long as something is there.

Reads `frigate/events` (new, update, end) and `frigate/available`. Of an object its label, its zones and its score are
taken; names, faces and number plates that Frigate may have recognised are left where they are.

What the broker kept while we were away comes in one go: what began and ended in it is history, and calls nobody.

Frigate says nothing about its clock. It is measured as that of a device is; until it is known, what comes is taken for
new, but for what comes with a connection. So a slow clock calls all the same, and its times are reckoned from ours.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import Field

from core.cameras.model import Camera
from core.field.inbox import Inbound
from core.field.payloads import Payload, PayloadError, read
from core.field.skew import SKEW_S, ClockWatch
from core.gateway.names import plain_name
from core.incidents.model import Condition, Priority, SourceKind

MAX_OBJECTS = 5000
FORGOTTEN_AFTER_S = 3600.0
"""Frigate tells the end of each object; an end that was lost must not hold an alarm for ever."""

LATE_S = 30.0
"""What was on its way for longer waits whether its end comes too; not for long, Frigate's clock may just be slow."""

LIVE_S = 1.0
"""What the broker kept of one object comes in less; what is seen now takes as long here as it does there, nearly."""

NEARLY_S = 2.0

QUIET_S = 2.0
HELD_AT_MOST_S = 10.0

OBJECT = "frigate_object"
"""Kind of the conditions that come from here."""

EpochS = Annotated[float, Field(gt=0, lt=7_258_118_400, allow_inf_nan=False)]
Name = Annotated[str, Field(min_length=1, max_length=64)]


class TrackedObject(Payload):
    """An object as Frigate follows it: the fields we use.

    Attributes:
        start_time, end_time, frame_time: Epoch seconds; of the object, and of the picture that this is about.
    """

    id: Name
    camera: Name
    label: Name
    top_score: float = Field(default=0.0, ge=0, le=1, allow_inf_nan=False)
    false_positive: bool = False
    start_time: EpochS
    end_time: EpochS | None = None
    frame_time: EpochS | None = None
    current_zones: tuple[Name, ...] = Field(default=(), max_length=32)


class FrigateEvent(Payload):
    """A message on `frigate/events`."""

    type: Literal["new", "update", "end"]
    after: TrackedObject


@dataclass(slots=True)
class _Place:
    """One zone of one camera, and one kind of object in it.

    Attributes:
        held_since_s: It calls only where it lasts: it was told late. None once it called.
        told_s: When it was first told, on our clock; and when that was by Frigate's.
    """

    condition: Condition
    held_since_s: float | None
    told_s: float
    said_s: float
    object_ids: set[str] = field(default_factory=set)


class FrigateAdapter:
    """Turns Frigate's objects into conditions.

    Threads: the owner's loop only.
    """

    key = "frigate"
    title = "Frigate"

    def __init__(
        self,
        *,
        topic: str,
        zones: tuple[str, ...],
        cameras: Callable[[], tuple[Camera, ...]],
        raise_condition: Callable[[Condition], None],
        return_condition: Callable[[str], None],
        keep_past: Callable[[Condition, datetime], None],
        now_s: Callable[[], float],
    ) -> None:
        """Listen below `topic`.

        Args:
            topic: Frigate's topic prefix.
            zones: Those that call an operator, "ZONE" or "CAMERA/ZONE" in Frigate's names; empty means all.
            cameras: Ours; one with the same name as Frigate's is taken for the same.
            raise_condition: Calls an operator.
            return_condition: Takes a call back, by its condition key.
            keep_past: Stores what was over before it was heard of, and when it ended.
            now_s: A monotonic clock.
        """
        self._topic = topic
        self._zones = frozenset(zones)
        self._cameras = cameras
        self._raise = raise_condition
        self._return = return_condition
        self._keep_past = keep_past
        self._now_s = now_s
        self._late_s = self._connected_s = float("-inf")
        """When the last late event came, or the connection began."""

        self._clock = ClockWatch()

        self._places: dict[tuple[str, str, str], _Place] = {}
        self._seen: dict[str, tuple[float, set[tuple[str, str, str]]]] = {}
        self._is_available: bool | None = None

    @property
    def is_available(self) -> bool | None:
        """Whether it runs; None while it has not said."""
        return self._is_available

    def forget(self, condition_key: str) -> None:
        """Somebody closed what was called for a place: whatever is there still calls anew."""
        for key in [key for key, place in self._places.items() if place.condition.condition_key == condition_key]:
            del self._places[key]
            for _, places in self._seen.values():
                places.discard(key)

    @property
    def filters(self) -> tuple[tuple[str, int], ...]:
        """Its events, and whether it runs."""
        return ((f"{self._topic}/events", 1), (f"{self._topic}/available", 1))

    @property
    def note(self) -> str:
        """Whether it runs, and what it sees."""
        if self._is_available is False:
            return "Frigate says that it is offline"
        seen = f"{len(self._seen)} objects in {len(self._places)} places"
        return f"{seen}; its clock is {_way(self._clock.skew_s)}" if self._clock.is_wrong else seen

    def take(self, message: Inbound) -> None:
        """Take an event, or that Frigate came or went.

        Raises:
            PayloadError: It cannot be used.
        """
        if message.topic.endswith("/available"):
            self._take_available(message.payload, message.received_at)
            return
        event = read(message.payload, FrigateEvent)
        if event.after.false_positive and event.type != "end":
            return
        self._follow(event, message.received_at)

    def connected(self) -> None:
        """What it saw stays until it says otherwise; the time in which it could not be heard is no silence."""
        now_s = self._late_s = self._connected_s = self._now_s()
        for place in self._places.values():
            place.told_s = now_s
            if place.held_since_s is not None:
                place.held_since_s = now_s
        self._seen = {object_id: (now_s, places) for object_id, (_, places) in self._seen.items()}

    def tick(self, now_s: float) -> None:
        """Call for what was told late and lasts; let go of objects of which nothing was heard for long."""
        is_quiet = now_s - self._late_s >= QUIET_S
        for place in self._places.values():
            if place.held_since_s is not None and (is_quiet or now_s - place.held_since_s >= HELD_AT_MOST_S):
                self._call(place)
        if self._is_available is False:
            return
        for object_id, (heard_s, _) in tuple(self._seen.items()):
            if now_s - heard_s > FORGOTTEN_AFTER_S:
                self._let_go(object_id, None)

    def _take_available(self, payload: bytes, received_at: datetime) -> None:
        words = payload.decode("utf-8", "replace").strip()
        if words not in ("online", "offline"):
            raise PayloadError(f"Frigate is neither online nor offline but {words[:40]!r}.")
        if words == "online" and self._is_available is False:
            # It numbers its objects anew: of those before nobody would ever hear the end.
            for object_id in tuple(self._seen):
                self._let_go(object_id, received_at)
            self._clock = ClockWatch()
        self._is_available = words == "online"

    def _follow(self, event: FrigateEvent, received_at: datetime) -> None:
        seen = event.after
        said_s = (seen.end_time if event.type == "end" else None) or seen.frame_time or seen.start_time
        self._clock.note(datetime.fromtimestamp(said_s, UTC), received_at)
        age_s = received_at.timestamp() - said_s
        is_guess = not self._clock.is_sure and age_s > LATE_S and not self._is_catching_up
        # Where nobody knows its clock, what comes is of now.
        skew_s = -age_s if is_guess else (self._clock.skew_s or 0.0) if self._clock.is_sure else 0.0
        is_late = age_s + skew_s > LATE_S
        if is_late:
            self._late_s = self._now_s()
        if event.type != "end" and seen.id not in self._seen and len(self._seen) >= MAX_OBJECTS:
            raise PayloadError(f"Frigate follows more than {MAX_OBJECTS} objects at once.")
        # Nothing begins in the future.
        began_at = min(datetime.fromtimestamp(seen.start_time - skew_s, UTC), received_at)
        said_at = min(datetime.fromtimestamp(said_s - skew_s, UTC), received_at)
        zones = () if event.type == "end" else seen.current_zones
        wanted = {
            (seen.camera, zone, seen.label)
            for zone in zones
            if not self._zones or zone in self._zones or f"{seen.camera}/{zone}" in self._zones
        }
        for key in wanted - self._places.keys():
            doubt = self._doubt(skew_s, is_guess=is_guess or (is_late and not self._clock.is_sure))
            now_s = self._now_s()
            self._places[key] = _Place(
                self._condition(key, seen, began_at, doubt), held_since_s=now_s, told_s=now_s, said_s=said_s
            )
        for key in () if is_late else wanted:
            self._call(self._places[key])
        if event.type == "end":
            self._let_go(seen.id, said_at, said_s)
        else:
            self._move(seen.id, wanted, said_at, said_s)
            self._seen[seen.id] = (self._now_s(), wanted)

    @property
    def _is_catching_up(self) -> bool:
        """The broker may be telling what it kept."""
        return self._now_s() - self._connected_s <= HELD_AT_MOST_S

    def _doubt(self, skew_s: float, *, is_guess: bool) -> str:
        if is_guess:
            return " Its clock may be slow: when it began is uncertain."
        return f" Its clock is {_way(skew_s)}: when it began is uncertain." if abs(skew_s) > SKEW_S else ""

    def _call(self, place: _Place) -> None:
        if place.held_since_s is not None:
            place.held_since_s = None
            self._raise(place.condition)

    def _let_go(self, object_id: str, at: datetime | None, said_s: float | None = None) -> None:
        self._move(object_id, set(), at, said_s)
        self._seen.pop(object_id, None)

    def _move(
        self, object_id: str, wanted: set[tuple[str, str, str]], at: datetime | None, said_s: float | None
    ) -> None:
        """Let an object be in these places and in no others; a place without objects is normal again."""
        _, before = self._seen.get(object_id, (0.0, set()))
        for key in wanted:
            self._places[key].object_ids.add(object_id)
        for key in before - wanted:
            place = self._places[key]
            place.object_ids.discard(object_id)
            if not place.object_ids:
                del self._places[key]
                self._end(place, at, said_s)

    def _end(self, place: _Place, at: datetime | None, said_s: float | None) -> None:
        if said_s is not None and self._now_s() - place.told_s >= max(LIVE_S, said_s - place.said_s - NEARLY_S):
            self._call(place)
        if place.held_since_s is None:
            self._return(place.condition.condition_key)
        elif place.condition.began_at is not None:
            self._keep_past(place.condition, max(at or place.condition.began_at, place.condition.began_at))

    def _condition(self, key: tuple[str, str, str], seen: TrackedObject, began_at: datetime, doubt: str) -> Condition:
        name, zone, label = key
        camera = next((item for item in self._cameras() if plain_name(item.name) == plain_name(name)), None)
        source_id = camera.camera_id if camera is not None else f"frigate/{plain_name(name)}"
        score = f", {seen.top_score:.0%} sure" if seen.top_score else ""
        return Condition(
            condition_key=f"{SourceKind.CAMERA}/{source_id}/frigate:{plain_name(zone)}:{plain_name(label)}",
            kind=OBJECT,
            tags=frozenset({plain_name(zone), plain_name(label)}),
            title=f"{label.replace('_', ' ').capitalize()} in {zone.replace('_', ' ')}",
            detail=f"Seen by Frigate's camera {name}{score}.{doubt}",
            priority=Priority.MEDIUM,
            source_kind=SourceKind.CAMERA,
            source_id=source_id,
            source_name=camera.name if camera is not None else name.replace("_", " ").capitalize(),
            position=camera.position if camera is not None else None,
            began_at=began_at,
        )


def _way(skew_s: float | None) -> str:
    return f"{abs(skew_s or 0.0):,.0f} s {'fast' if (skew_s or 0.0) > 0 else 'slow'}"
