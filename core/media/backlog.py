"""How far a live camera's pictures have fallen behind where this machine cannot decode as fast as they come.

What is not read in time waits in the buffers of system and camera, so that a picture that was just read may be many
seconds old and look new. Told it is by two clocks: by how much more time went by here than on the pictures. That alone
proves nothing, for networks stall and cameras' clocks run slow. So where it says late, packets are read ahead without
being decoded. Where they come faster than they were made, they had been waiting, and all before the newest key frame is
left out; where they do not, nothing waited, nothing is lost, and what was read ahead is decoded.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

LATE_S = 1.0
LATE_FOR_S = 1.0
"""A network that stumbled hands on what it held back within this time."""

WAITED_S = 0.5
"""Pictures that are ahead by so much of the time in which they were read had been waiting."""

RUN_UP_S = 0.7
"""What follows the newest key frame is decoded, unseen, where that takes no longer; else the next one is awaited."""

OVERRUN_KEPT_S = 30.0
"""So long after pictures had to be left out it is said, and the next ones that are late are not waited for."""

_CAUGHT_UP_S = 0.1
# Of pictures that come as they are made: most of the last ones are waited for, or all of them take their time.
_LAST_S, _OF_STEP, _MOST = 0.2, 0.7, 0.75
_PACE_S, _PACE = 0.4, 1.2
# Without any key frame: a minute of them in the memory of each camera would be too much.
_MAX_AHEAD = 1500
_MAX_STEP_BACK_S, _MAX_STEP_S = 1.0, 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    """A packet that was read.

    Attributes:
        packet_s: Its time by the camera's clock.
        began_s, read_s: When it was asked for, and when it was there.
    """

    packet: Any
    packet_s: float
    began_s: float
    read_s: float
    is_key: bool


class Backlog:
    """One open stream's packets, from `keeps` to `pop`. Threads: one, apart from the attributes and `is_overrun`.

    Attributes:
        n_left_out: Pictures that were not decoded, or decoded unseen, to come back to the present.
        is_skipping: Nothing is decoded before the next key frame.
    """

    def __init__(self) -> None:
        """Expect the first packet."""
        self.n_left_out = 0
        self.is_skipping = False
        self._least_s: float | None = None
        self._last_s = 0.0
        self._late_since_s: float | None = None
        self._first: _Read | None = None
        self._is_proven = False
        self._ahead: list[_Read] = []
        self._lately: deque[_Read] = deque(maxlen=64)
        self._held: deque[_Read] = deque()
        self._is_running_up = False
        self._skips_next = False
        self._decode_s = 0.0
        self._overrun_s = float("-inf")

    def is_overrun(self, now_s: float) -> bool:
        """Tell whether pictures had to be left out lately."""
        return now_s - self._overrun_s <= OVERRUN_KEPT_S

    def behind_s(self, packet_s: float | None, now_s: float) -> float:
        """Return how long this packet had been waiting, as far as that is known; 0 where nothing ever waits."""
        if packet_s is None or self._least_s is None or not self.is_overrun(now_s):
            return 0.0
        return max(0.0, now_s - packet_s - self._least_s)

    def keeps(self, packet: Any, packet_s: float | None, *, is_key: bool, began_s: float, now_s: float) -> bool:
        """Take note of a packet; True where `pop` will hand it out, or nobody needs it.

        Args:
            packet: As it was read.
            packet_s: Its time by the camera's clock; None stands for that of the packet before it.
            is_key: It refers to none before it.
            began_s: When it was asked for.
            now_s: When it was there.
        """
        packet_s = self._last_s if packet_s is None else packet_s
        behind_s = self._measure(packet_s, now_s)
        read = _Read(packet=packet, packet_s=packet_s, began_s=began_s, read_s=now_s, is_key=is_key)
        if self._first is None:
            if not self._is_late(behind_s, now_s):
                return False
            self._first, self._is_proven = read, False
            self._lately.clear()
        self._is_proven = self._is_proven or _gained_s(self._first, read) > WAITED_S
        if is_key and self._is_proven:
            # Nothing before it is needed any more: what is kept stays small.
            self.n_left_out += len(self._ahead)
            self._ahead.clear()
        self._ahead.append(read)
        self._lately.append(read)
        # A camera's clock that runs fast says "caught up" too early: the last one has to be waited for, too.
        is_caught_up = behind_s <= _CAUGHT_UP_S and _was_waited_for(self._lately)
        if is_caught_up or _come_at_their_pace(self._lately) or len(self._ahead) >= _MAX_AHEAD:
            self._decide(now_s)
        return True

    def pop(self) -> tuple[Any, float] | None:
        """Return the next packet that was read ahead, and its time; None where all of them were handed out."""
        if not self._held:
            self.is_skipping, self._skips_next = self.is_skipping or self._skips_next, False
            return None
        read = self._held.popleft()
        return read.packet, read.packet_s

    @property
    def is_running_up(self) -> bool:
        """What is decoded now is to be seen by nobody: newer pictures are there."""
        return self._is_running_up and bool(self._held)

    def note_decoding(self, seconds: float) -> None:
        """Take note of how long one packet took."""
        self._decode_s += 0.1 * (seconds - self._decode_s)

    def _measure(self, packet_s: float, now_s: float) -> float:
        """Return how much later than the quickest packets this one is [s]."""
        offset_s = now_s - packet_s
        is_jump = not -_MAX_STEP_BACK_S < packet_s - self._last_s <= _MAX_STEP_S
        self._last_s = packet_s
        if self._least_s is None or is_jump:
            self._least_s, self._late_since_s = offset_s, None
        self._least_s = min(self._least_s, offset_s)
        return offset_s - self._least_s

    def _is_late(self, behind_s: float, now_s: float) -> bool:
        if behind_s <= LATE_S:
            self._late_since_s = None
            return False
        if self._late_since_s is None:
            self._late_since_s = now_s
        return self.is_overrun(now_s) or now_s - self._late_since_s >= LATE_FOR_S

    def _decide(self, now_s: float) -> None:
        """Leave out what had been waiting, or nothing."""
        ahead, self._ahead = self._ahead, []
        self._first = self._late_since_s = None
        self._is_running_up = self._is_proven
        # What comes at its own pace is new, whatever the clocks say.
        self._least_s = now_s - ahead[-1].packet_s
        if not self._is_proven:
            self._held.extend(ahead)
            return
        self._overrun_s = now_s
        key = next((index for index in reversed(range(len(ahead))) if ahead[index].is_key), None)
        needed = ahead[key or 0 :]
        if len(needed) * self._decode_s > RUN_UP_S or (key is None and self.is_skipping):
            # The newest key frame by itself is newer than what is shown.
            needed = [] if key is None else needed[:1]
            self._skips_next = True
        self.n_left_out += len(ahead) - len(needed)
        self._held.extend(needed)


def _gained_s(first: _Read, last: _Read) -> float:
    return (last.packet_s - first.packet_s) - (last.read_s - first.read_s)


def _was_waited_for(reads: deque[_Read]) -> bool:
    return len(reads) > 1 and _waited(reads[-2], reads[-1])


def _waited(earlier: _Read, later: _Read) -> bool:
    return later.read_s - later.began_s >= _OF_STEP * (later.packet_s - earlier.packet_s)


def _come_at_their_pace(reads: deque[_Read]) -> bool:
    """Tell whether the newest of these had not been waiting: a hiccup of this machine among them is no proof of it."""
    n_waited = 0
    newest = reads[-1]
    for n_steps, (later, earlier) in enumerate(pairwise(reversed(reads)), start=1):
        n_waited += _waited(earlier, later)
        went_by_s = newest.packet_s - earlier.packet_s
        if went_by_s >= _LAST_S and n_waited >= _MOST * n_steps:
            return True
        if went_by_s >= _PACE_S:
            return went_by_s <= _PACE * (newest.read_s - earlier.read_s)
    return False
