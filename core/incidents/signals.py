"""Between a rule and its alarm: delays, counts, and how often it comes (ISA-18.2, nuisance alarms)."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum

from core.incidents.model import AlarmMark, Priority
from core.incidents.tuning import AlarmTuning

CHATTER_S = 60.0
REPEAT_S = 600.0
N_NUISANCE = 3
"""Raised so often within a minute it chatters, within ten minutes it repeats."""

NUISANCE = frozenset({AlarmMark.CHATTERING, AlarmMark.REPEATING})
"""The marks that are judged here."""


class Verdict(Enum):
    """What becomes of what a rule says."""

    PASS = "pass"  # noqa: S105 - lets a signal through
    WAIT = "wait"
    """It is passed on by `due`, unless the rule says the contrary before."""

    COUNT = "count"
    """It has not come often enough yet; who keeps that counts on after a restart."""

    DROP = "drop"
    """It is over before it was passed on, or known already."""


@dataclass(slots=True)
class _Signal:
    """One condition.

    Attributes:
        is_raised: As the alarm knows it.
        worst: The most urgent that was said while it is raised or waits.
        raise_due_s, return_due_s: When the other is passed on; None while nothing waits.
        told: Marks that the alarm knows of.
        raises_s: When it was raised lately, passed on or not.
    """

    tuning: AlarmTuning
    is_raised: bool = False
    worst: Priority = Priority.LOW
    raise_due_s: float | None = None
    return_due_s: float | None = None
    told: frozenset[AlarmMark] = frozenset()
    raises_s: deque[float] = field(default_factory=lambda: deque(maxlen=64))

    def n_raises_since(self, since_s: float) -> int:
        return sum(at_s >= since_s for at_s in self.raises_s)


class Signals:
    """What rules said lately, by condition key; times are monotonic [s].

    Threads: the node's loop.
    """

    def __init__(self) -> None:
        self._signals: dict[str, _Signal] = {}

    def note(self, key: str, at_s: float, tuning: AlarmTuning) -> None:
        """Remember a raise that is stored: one from before the start, or a moment."""
        signal = self._signals.setdefault(key, _Signal(tuning))
        signal.tuning = tuning
        signal.raises_s.append(at_s)

    def moment(self, key: str, tuning: AlarmTuning, now_s: float, n_times: int = 1) -> Verdict:
        """Tell what becomes of what is over as it comes; nothing is remembered of it before it is noted."""
        signal = self._signals.get(key)
        n_before = 0 if signal is None else signal.n_raises_since(now_s - tuning.window_s)
        return Verdict.PASS if n_before + n_times >= tuning.n_raises else Verdict.COUNT

    def assume(self, key: str, tuning: AlarmTuning) -> None:
        """Take it that a condition holds: its alarm was active before the start."""
        self._signals.setdefault(key, _Signal(tuning)).is_raised = True

    def knows(self, key: str) -> bool:
        """Tell whether a condition was raised lately, or stands; what is not known here stands nowhere."""
        return key in self._signals

    def raised(self, key: str, tuning: AlarmTuning, now_s: float, priority: Priority = Priority.LOW) -> Verdict:
        """A rule says that its condition holds."""
        signal = self._signals.setdefault(key, _Signal(tuning))
        signal.tuning = tuning
        is_held = signal.is_raised or signal.raise_due_s is not None
        is_worse = is_held and priority < signal.worst
        signal.worst = min(signal.worst, priority) if is_held else priority
        if signal.is_raised and signal.return_due_s is not None:
            # It was over for less than the off-delay: for the alarm it held all the time.
            signal.return_due_s = None
            signal.raises_s.append(now_s)
            return Verdict.PASS if is_worse else Verdict.DROP
        if signal.is_raised:
            # What the alarm makes of it (a higher priority, a worse state) is decided there.
            return Verdict.PASS
        if signal.raise_due_s is not None:
            return Verdict.WAIT
        signal.raises_s.append(now_s)
        if signal.n_raises_since(now_s - tuning.window_s) < tuning.n_raises:
            return Verdict.COUNT
        if tuning.on_delay_s > 0:
            signal.raise_due_s = now_s + tuning.on_delay_s
            return Verdict.WAIT
        signal.is_raised = True
        return Verdict.PASS

    def returned(self, key: str, now_s: float) -> Verdict:
        """A rule says that its condition is over."""
        signal = self._signals.get(key)
        if signal is None:
            return Verdict.PASS
        if signal.raise_due_s is not None:
            signal.raise_due_s = None
            return Verdict.DROP
        if signal.return_due_s is not None:
            return Verdict.WAIT
        off_delay_s = signal.tuning.off_delay_s
        if AlarmMark.CHATTERING in self.marks(key, now_s):
            # It is not believed to be over before it was quiet for as long as one looks back.
            off_delay_s = max(off_delay_s, CHATTER_S)
        if signal.is_raised and off_delay_s > 0:
            signal.return_due_s = now_s + off_delay_s
            return Verdict.WAIT
        signal.is_raised = False
        return Verdict.PASS

    def forget(self, key: str) -> None:
        """The source is gone, or its rules began anew: nothing is waited for."""
        signal = self._signals.get(key)
        if signal is not None:
            signal.is_raised, signal.raise_due_s, signal.return_due_s = False, None, None

    def drop(self, key: str) -> None:
        """Forget all of it, also how often it came."""
        self._signals.pop(key, None)

    def due_raises(self, now_s: float) -> list[str]:
        """Return the keys whose on-delay is over; they count as raised from now on."""
        found = [key for key, one in self._signals.items() if one.raise_due_s is not None and one.raise_due_s <= now_s]
        for key in found:
            self._signals[key].raise_due_s = None
            self._signals[key].is_raised = True
        return found

    def due_returns(self, now_s: float) -> list[str]:
        """Return the keys whose off-delay is over; they count as returned from now on."""
        found = [
            key for key, one in self._signals.items() if one.return_due_s is not None and one.return_due_s <= now_s
        ]
        for key in found:
            self._signals[key].return_due_s = None
            self._signals[key].is_raised = False
        return found

    def marks(self, key: str, now_s: float, n_more: int = 0) -> frozenset[AlarmMark]:
        """Return how the condition makes itself a nuisance; `n_more` raises come now and are not noted yet."""
        signal = self._signals.get(key)
        if signal is None:
            return frozenset()
        # Of what is counted before it calls, the first ones were no alarms.
        n_nuisance = N_NUISANCE + signal.tuning.n_raises - 1
        if len(signal.raises_s) + n_more < n_nuisance:
            return frozenset()
        found = set()
        if signal.n_raises_since(now_s - CHATTER_S) + n_more >= n_nuisance:
            found.add(AlarmMark.CHATTERING)
        if signal.n_raises_since(now_s - REPEAT_S) + n_more >= n_nuisance:
            found.add(AlarmMark.REPEATING)
        return frozenset(found)

    def marks_changed(self, now_s: float) -> list[str]:
        """Return the keys whose marks are others than the last time this was asked."""
        found = []
        for key, signal in self._signals.items():
            marks = self.marks(key, now_s)
            if marks != signal.told:
                signal.told = marks
                found.append(key)
        return found

    def sweep(self, now_s: float) -> Iterable[str]:
        """Forget what has been quiet for long, and return the keys."""
        quiet = [
            key
            for key, one in self._signals.items()
            if not one.is_raised
            and one.raise_due_s is None
            and (not one.raises_s or one.raises_s[-1] < now_s - max(REPEAT_S, one.tuning.window_s))
        ]
        for key in quiet:
            del self._signals[key]
        return quiet
