"""Which camera is looked at next, and how often all of them may be: arithmetic on seconds, without a clock of its own.

Priority is the time since the last look times an urgency, so a camera that somebody watches comes first and a quiet one
still comes: its waiting time grows until it is the greatest. Too much work lowers every camera's rate by the same share
before pictures grow old; nothing is ever queued behind a picture of the same camera.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

MAX_AGE_S = 0.4
"""An older picture is not worth an inference: a newer one is on its way."""

ATTENTION, MOTION, QUIET = 3.0, 2.0, 0.2
"""Urgency of a camera with an open alarm or an operator's eye on it, of one where something moves, and of the rest."""

FULL_SHARE = 0.9
"""Busy for a greater part of the time, the engine has no room left for a slow picture."""

GIVEN_SHARE = 0.97
"""Of the engine's time, what all cameras get together once they get less than they want."""

RESUME_SHARE = 0.82
RISE_AFTER_S = 5.0
LEAST_SHARE = 0.05

_NEVER_LOOKED_S = 60.0
_WINDOW_S, _LEAST_LOOKS = 2.0, 10
_SLOW_WINDOW_S, _LEAST_SLOW_LOOKS = 8.0, 3
_FORGET_S = 12.0
"""A camera that offered nothing for this long wants nothing; the heartbeat of a quiet one comes every ten seconds."""

_NARROW = 0.05
_FULL_BATCH = 0.75
_MISSED_SHARE = 0.05
"""Of all pictures; where nobody looks at so many, it is not by chance."""

_LARGE_TILE = 2.0


@dataclass(slots=True)
class _Waiting:
    """One camera: when it was looked at, and its newest picture's time where one waits."""

    looked_s: float
    urgency: float = QUIET
    wanted_per_s: float = 0.0
    heard_s: float = 0.0
    received_s: float | None = None


class Schedule:
    """Picks among the newest pictures of all cameras.

    Threads: the owner sees to it that only one is inside at a time. All times are of one monotonic clock [s].

    Attributes:
        n_passed_over: Pictures that made place for a newer one of the same camera before they were looked at.
        n_expired: Pictures that grew older than 0.4 s while others were looked at.
    """

    def __init__(self) -> None:
        """Start without cameras."""
        self._cameras: dict[str, _Waiting] = {}
        self.n_passed_over = 0
        self.n_expired = 0

    def offer(self, camera_id: str, received_s: float, *, urgency: float, wanted_per_s: float) -> bool:
        """Take note of a camera's newest picture.

        Args:
            camera_id: Known or new.
            received_s: When the picture arrived.
            urgency: `ATTENTION`, `MOTION` or `QUIET`.
            wanted_per_s: How often the camera would be looked at if there was room for everybody.

        Returns:
            Whether an older picture of the camera was passed over.
        """
        camera = self._cameras.get(camera_id)
        if camera is None:
            camera = self._cameras[camera_id] = _Waiting(looked_s=received_s - _NEVER_LOOKED_S)
        was_waiting = camera.received_s is not None
        self.n_passed_over += was_waiting
        camera.received_s, camera.heard_s = received_s, received_s
        camera.urgency, camera.wanted_per_s = urgency, wanted_per_s
        return was_waiting

    def drop_old(self, now_s: float) -> list[str]:
        """Return the cameras whose pictures waited too long; each is to send its newest at once.

        They do not wait for their next turn: so cameras whose turns fall together drift apart.
        """
        old = [key for key, c in self._cameras.items() if c.received_s is not None and now_s - c.received_s > MAX_AGE_S]
        for camera_id in old:
            self._cameras[camera_id].received_s = None
        self.n_expired += len(old)
        return old

    def pick(self, now_s: float, n_most: int = 1) -> list[str]:
        """Return the cameras whose pictures are looked at now, the most urgent first; they are looked at `now_s`."""
        waiting = [
            (-(now_s - camera.looked_s) * camera.urgency, camera_id)
            for camera_id, camera in self._cameras.items()
            if camera.received_s is not None and now_s - camera.received_s <= MAX_AGE_S
        ]
        picked = [camera_id for _, camera_id in sorted(waiting)[:n_most]]
        for camera_id in picked:
            self._cameras[camera_id].looked_s = now_s
            self._cameras[camera_id].received_s = None
        return picked

    def forget(self, camera_id: str) -> None:
        """The camera is gone."""
        self._cameras.pop(camera_id, None)

    @property
    def n_missed(self) -> int:
        """Pictures that nobody looked at."""
        return self.n_passed_over + self.n_expired

    @property
    def n_waiting(self) -> int:
        """Cameras with a picture that nobody looked at yet."""
        return sum(camera.received_s is not None for camera in self._cameras.values())

    def wanted_per_s(self, now_s: float) -> float:
        """Return how many looks a second all cameras together want."""
        return sum(c.wanted_per_s for c in self._cameras.values() if now_s - c.heard_s <= _FORGET_S)


@dataclass(frozen=True, slots=True)
class _Done:
    """One look: from when to when, at how many pictures together, and how many were missed since the look before."""

    began_s: float
    ended_s: float
    n_pictures: int
    n_missed: int

    @property
    def cost_s(self) -> float:
        return self.ended_s - self.began_s


class Load:
    """How much of the wanted rate every camera gets.

    The share falls at once when the engine would be busy for more than 90 % of the time, and rises only after five
    seconds in which all of it would have been possible. Looks that are not full prove no overload where no picture is
    missed: an engine that is always busy takes more pictures together when more are there.

    Attributes:
        share: 0.05..1, the same for every camera.
    """

    def __init__(self, n_batch: int = 1) -> None:
        """Take an engine that looks at up to `n_batch` pictures at once."""
        self._n_batch = n_batch
        self._looks: deque[_Done] = deque(maxlen=512)
        self._possible: deque[tuple[float, float]] = deque()
        self.share = 1.0

    @property
    def is_reduced(self) -> bool:
        """Whether cameras are looked at less often than they want."""
        return self.share < 1.0

    def note(self, began_s: float, ended_s: float, n_pictures: int, n_missed: int = 0) -> None:
        """One look, at `n_pictures` together, took from `began_s` to `ended_s`; nobody looked at `n_missed` others."""
        self._looks.append(_Done(began_s, ended_s, n_pictures, n_missed))

    def busy_share(self, now_s: float, window_s: float = _WINDOW_S) -> float:
        """Return the part of the last seconds in which the engine worked, 0..1."""
        begin_s = now_s - window_s
        return sum(max(0.0, look.ended_s - max(look.began_s, begin_s)) for look in self._looks) / window_s

    def update(self, now_s: float, wanted_per_s: float) -> float:
        """Return the share that every camera gets from now on.

        Args:
            now_s: Now.
            wanted_per_s: From `Schedule.wanted_per_s`.
        """
        while self._looks and self._looks[0].ended_s < now_s - _SLOW_WINDOW_S:
            self._looks.popleft()
        n_pictures = self._n_pictures(now_s, _WINDOW_S)
        # Once there was too much, few looks are all that there are: they are proof enough that there is room again.
        if n_pictures >= (1 if self.is_reduced else _LEAST_LOOKS):
            self._possible.append((now_s, self._possible_share(now_s, wanted_per_s, _WINDOW_S)))
        elif not n_pictures:
            # Nobody asks for anything: what was too much is over.
            self._possible.append((now_s, 1.0))
        elif self._n_pictures(now_s, _SLOW_WINDOW_S) >= _LEAST_SLOW_LOOKS:
            # One slow picture proves nothing, an engine that takes half a second for each does.
            self._possible.append((now_s, self._possible_share(now_s, wanted_per_s, _SLOW_WINDOW_S)))
        while self._possible and self._possible[0][0] < now_s - RISE_AFTER_S:
            self._possible.popleft()
        lowest = min((share for _, share in self._possible), default=self.share)
        if lowest in (1.0, LEAST_SHARE) or abs(lowest - self.share) > _NARROW * self.share:
            self.share = lowest
        return self.share

    def _n_pictures(self, now_s: float, window_s: float) -> int:
        return sum(look.n_pictures for look in self._ended_since(now_s - window_s))

    def _ended_since(self, begin_s: float) -> list[_Done]:
        return [look for look in self._looks if look.ended_s >= begin_s]

    def _possible_share(self, now_s: float, wanted_per_s: float, window_s: float) -> float:
        looks = self._ended_since(now_s - window_s)
        needed = wanted_per_s * _least_cost_s(looks)
        is_full = self.busy_share(now_s, window_s) > FULL_SHARE and self._has_no_room(looks)
        if not self.is_reduced and not (is_full and needed > FULL_SHARE):
            return 1.0
        if needed <= RESUME_SHARE:
            return 1.0
        return min(1.0 - _NARROW, max(LEAST_SHARE, GIVEN_SHARE / needed))

    def _has_no_room(self, looks: list[_Done]) -> bool:
        """Whether looks are full, or pictures are missed: with few cameras no look is ever full."""
        n_pictures, n_missed = sum(look.n_pictures for look in looks), sum(look.n_missed for look in looks)
        is_full = n_pictures >= _FULL_BATCH * self._n_batch * len(looks)
        return is_full or n_missed > _MISSED_SHARE * (n_pictures + n_missed)


def _least_cost_s(looks: list[_Done]) -> float:
    """Return what one picture costs among the most that were looked at together: more share a look where more wait."""
    n_most = max(look.n_pictures for look in looks)
    costs = [look.cost_s for look in looks if look.n_pictures == n_most]
    return sum(costs) / len(costs) / n_most


def is_due(now_s: float, due_s: float) -> bool:
    """Whether the next picture of a rhythm is due; a picture may be a hair early."""
    return now_s >= due_s - 1e-3


def next_due_s(due_s: float, taken_s: float, per_s: float) -> float:
    """Keep the rhythm instead of drifting by one picture each time, but never try to catch up.

    Args:
        due_s: When the picture that was taken at `taken_s` was due.
        taken_s: When it was there.
        per_s: Pictures a second from now on.
    """
    period_s = 1.0 / per_s
    return max(due_s + period_s, taken_s + 0.5 * period_s)


def watched_cameras(sizes: Mapping[str, tuple[int, int]]) -> frozenset[str]:
    """Return the cameras an operator looks at: shown alone, or at least twice as large as the usual tile.

    Args:
        sizes: Width and height [px] by camera, of all that are shown.
    """
    if len(sizes) == 1:
        return frozenset(sizes)
    areas = sorted(width * height for width, height in sizes.values())
    if not areas:
        return frozenset()
    usual = areas[(len(areas) - 1) // 2]
    return frozenset(key for key, (width, height) in sizes.items() if width * height >= _LARGE_TILE * usual)
