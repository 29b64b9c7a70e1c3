"""What was active before a start: it stays so until its source is heard again and says otherwise.

A source that is not heard is never normal. Its alarm is held as the last one known, however long that lasts; only what
has been heard for so long that its rules would have said it again is taken as over.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass
from datetime import datetime

from core.incidents.model import SourceKind
from core.incidents.same_event import SAME_PASSER, do_touch, offset_of
from core.vision.model import BBox, Observation, ObservationKind

CONFIRM_S = 180.0
"""For so long a source is heard before its silence counts: jams take a minute or two to be seen again."""


STANDS_WITHIN = 0.5
"""Box sizes around where a vehicle stood: there it is the same one, and the next of a queue is not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubtful:
    """An active alarm of which no rule has said since the start that it holds.

    Attributes:
        rule_key, seen_at, bbox_xyxy: Of what a camera saw last of it: zone or lane, when, and where in the picture.
    """

    condition_key: str
    kind: str
    source_kind: SourceKind
    source_id: str
    rule_key: str = ""
    seen_at: datetime | None = None
    bbox_xyxy: BBox | None = None


Hearing = Callable[[Doubtful], float | None]
"""Tells for how long [s] the source of an alarm must be heard before its silence counts; None while it is not heard."""


def hear_nobody(_doubtful: Doubtful) -> None:
    """Hear no source: whatever is doubtful stays so."""
    return


class Doubts:
    """All that is doubtful; times are monotonic [s].

    Threads: the node's loop.
    """

    def __init__(self) -> None:
        """Begin without doubts."""
        self._doubtful: dict[str, Doubtful] = {}
        self._heard_since_s: dict[str, float] = {}
        self._over: set[str] = set()

    def __contains__(self, condition_key: str) -> bool:
        return condition_key in self._doubtful

    def add(self, found: Iterable[Doubtful]) -> None:
        """Doubt these, from now on and anew."""
        for one in found:
            self._doubtful[one.condition_key] = one
            self._heard_since_s.pop(one.condition_key, None)
            self._over.discard(one.condition_key)

    def discard(self, condition_key: str) -> None:
        """Somebody said how it is."""
        self._doubtful.pop(condition_key, None)
        self._heard_since_s.pop(condition_key, None)
        self._over.discard(condition_key)

    def seen_again(self, seen: Observation, taken: Container[str]) -> str | None:
        """Return the condition key of what a rule that numbers anew says again: of several the nearest.

        Args:
            seen: What begins for that rule.
            taken: Keys of what was seen again already.
        """
        found = [
            (offset, key)
            for key, one in self._doubtful.items()
            if key not in taken and (offset := _offset(one, seen)) is not None
        ]
        return min(found)[1] if found else None

    def over(self, hearing: Hearing, now_s: float) -> list[str]:
        """Return, once each, what sources that were heard for long enough, and all that time, did not say again."""
        found = []
        for key, one in self._doubtful.items():
            if key in self._over:
                continue
            needed_s = hearing(one)
            if needed_s is None:
                self._heard_since_s.pop(key, None)
            elif now_s - self._heard_since_s.setdefault(key, now_s) >= needed_s:
                found.append(key)
        self._over.update(found)
        return found


def _offset(one: Doubtful, seen: Observation) -> float | None:
    """Return how far something is from where it was, in its own sizes; None where it is not the same.

    An impact happens once: after a start it is always another one. What is named by its place needs no number.
    """
    if (one.source_kind, one.source_id, one.kind) != (SourceKind.CAMERA, seen.camera_id, seen.kind):
        return None
    if one.bbox_xyxy is None or seen.bbox_xyxy is None or one.seen_at is None:
        return None
    offset = offset_of(one.bbox_xyxy, seen.bbox_xyxy)
    match seen.kind:
        case ObservationKind.STOPPED_VEHICLE:
            is_same = offset <= STANDS_WITHIN
        case ObservationKind.OBJECT_LEFT:
            is_same = do_touch(one.bbox_xyxy, seen.bbox_xyxy)
        case ObservationKind.LOITERING:
            is_same = one.rule_key == seen.rule_key
        case ObservationKind.WRONG_WAY:
            is_same = one.rule_key == seen.rule_key and seen.captured_at - one.seen_at <= SAME_PASSER
        case _:
            is_same = False
    return offset if is_same else None
