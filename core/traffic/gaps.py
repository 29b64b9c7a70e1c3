"""Which minutes of today cameras counted, and how many are missing: what was not counted is not zero."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from core.vision.flow import COMPLETE_S, FlowMinute

MINUTE = timedelta(minutes=1)
SETTLED = timedelta(seconds=15)
"""A minute that is over for so long, and of which nobody told that it was counted, is missing."""

_LONGEST_DAY = 25 * 60


class CountedMinutes:
    """How much of each minute of one day each camera counted at its lines; used from one thread."""

    def __init__(self, midnight: datetime) -> None:
        """Begin a day at `midnight` [an instant] of which nothing is known."""
        self._midnight = midnight
        self._observed_s: dict[str, NDArray[np.float32]] = {}
        self._first: dict[str, dict[str, int]] = {}

    def add(self, minutes: Iterable[FlowMinute]) -> None:
        """Take parts of minutes, as cameras measured them or as they are stored; each part once."""
        parts: dict[tuple[str, int], float] = {}
        for minute in minutes:
            index = self._index(minute.minute)
            if minute.subject == "line" and 0 <= index < _LONGEST_DAY:
                place = minute.camera_id, index
                # Every line and class of a camera says the same of one part; one that is newer knows less of it.
                parts[place] = max(minute.observed_s, parts.get(place, 0.0))
        for (camera_id, index), observed_s in parts.items():
            known = self._observed_s.setdefault(camera_id, np.zeros(_LONGEST_DAY, np.float32))
            known[index] += observed_s

    def note_drawn(self, camera_id: str, line_key: str, at: datetime) -> None:
        """A line was drawn first at `at`: no minute before is missing."""
        # Of the minute in which it was drawn nobody can have counted all.
        self._first.setdefault(camera_id, {})[line_key] = max(0, self._index(at) + 1)

    def forget(self, camera_id: str) -> None:
        """A camera was removed."""
        self._observed_s.pop(camera_id, None)
        self._first.pop(camera_id, None)

    def missing(self, camera_id: str, line_keys: Iterable[str], now: datetime) -> dict[str, int]:
        """Return the minutes until `now` that were not counted, or not all of them; lines without any are left out."""
        until = min(_LONGEST_DAY, self._index(now - SETTLED))
        first, observed_s = self._first.get(camera_id, {}), self._observed_s.get(camera_id)
        found = {}
        for key in line_keys:
            since = first.get(key, 0)
            n_complete = 0
            if observed_s is not None and since < until:
                n_complete = int(np.count_nonzero(observed_s[since:until] >= COMPLETE_S))
            if until - since > n_complete:
                found[key] = until - since - n_complete
        return found

    def _index(self, at: datetime) -> int:
        return (at - self._midnight) // MINUTE
