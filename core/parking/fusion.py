"""How one bay stands, fused from all that is said of it: pure state over time.

Each source has one word, its newest. Words are weighed by their confidence and their age; the state with at least
`FusionSettings.least_share` of the weight holds, otherwise nobody knows. A word from before another source saw a change
counts half until its source speaks again: it was about the time before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from core.parking.model import BayEvidence, BayState, BayStatus

MAX_SOURCES = 16
OPERATOR, CAMERA, EDGE, SENSOR = "operator", "camera", "edge", "sensor"
_SAYS = (BayState.FREE, BayState.OCCUPIED)


@dataclass(frozen=True, slots=True, kw_only=True)
class FusionSettings:
    """How words become a state.

    Attributes:
        debounce_s: By kind of source, how long a changed verdict has to hold; a first one is believed at once.
        contradiction_s: How long sources have to contradict each other before nobody knows.
        least_dwell_s: A state stays so long: a contact that flutters is shown once.
        least_confidence: Below it a word says that nobody knows.
        least_share: Of all weight, for a state to hold.
        outdated_weight: Of a word from before another source saw a change.
        correction_s: An operator's word that a bay is free or occupied is stale after it.
    """

    debounce_s: Mapping[str, float] = field(default_factory=lambda: {CAMERA: 3.0, EDGE: 3.0, SENSOR: 0.0})
    contradiction_s: float = 3.0
    least_dwell_s: float = 1.0
    least_confidence: float = 0.5
    least_share: float = 0.65
    outdated_weight: float = 0.5
    correction_s: float = 8 * 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """What an operator said of a bay: it holds against every other word.

    That a bay is free or occupied holds until it is released, or until cameras and sensors have seen the bay change
    twice: once to catch up, and once more, which shows that they see it again. Closed and unknown hold until released.
    """

    state: BayState
    at: datetime
    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class _Word:
    state: BayState
    confidence: float
    at: datetime
    since: datetime


@dataclass(frozen=True, slots=True)
class _Verdict:
    state: BayState
    confidence: float
    source: str
    at: datetime
    wait_s: float


class BayFusion:
    """One bay; every instant that is given must not be before the one given last."""

    __slots__ = (
        "_correction",
        "_last_known",
        "_n_changes",
        "_pending",
        "_seen",
        "_settings",
        "_stale_s",
        "_words",
    )

    def __init__(self, known: BayStatus, *, stale_s: float, settings: FusionSettings | None = None) -> None:
        """Begin with what is known: an unknown bay, or the last known state as stale."""
        self._seen = known
        self._stale_s = stale_s
        self._settings = settings or FusionSettings()
        self._words: dict[str, _Word] = {}
        self._pending: tuple[BayState, datetime, datetime] | None = None
        """State, since when it is said, and since when we know that."""

        self._correction: Correction | None = None
        self._last_known: BayState | None = None
        self._n_changes = 0

    @property
    def correction(self) -> Correction | None:
        """What an operator said, while it holds."""
        return self._correction

    @property
    def is_settling(self) -> bool:
        """A changed verdict waits for its time."""
        return self._pending is not None

    def status(self, now: datetime) -> BayStatus:
        """Return how the bay stands."""
        told = self._correction
        if told is None:
            return self._seen
        is_old = now - told.at > timedelta(seconds=self._settings.correction_s)
        return replace(
            self._seen,
            state=told.state,
            since=told.at,
            at=told.at,
            confidence=1.0,
            source=f"{OPERATOR}:{told.by}",
            is_stale=is_old and told.state in _SAYS,
            reason=told.reason,
            seen=BayState.UNKNOWN if self._seen.is_stale else self._seen.state,
        )

    def set_stale_s(self, stale_s: float) -> None:
        """Let the lot allow another silence."""
        self._stale_s = stale_s

    def correct(self, correction: Correction) -> None:
        """Let an operator's word hold."""
        self._correction = correction
        self._n_changes = 0
        self._last_known = self._seen.state if self._seen.is_known and self._seen.state in _SAYS else None

    def release(self) -> None:
        """Let what cameras and sensors say count again."""
        self._correction = None

    def hear(self, evidence: BayEvidence, now: datetime) -> bool:
        """Take a word in; `settle` draws the conclusion.

        Returns:
            False where the word comes too late: its source, or a change that is newer, has overtaken it.
        """
        at = min(evidence.at, now)
        known = self._words.get(evidence.source)
        if known is not None and at < known.at:
            return False
        if self._seen.source and at < self._seen.since and evidence.state is not self._seen.state:
            return False
        state = evidence.state
        if evidence.confidence < self._settings.least_confidence:
            state = BayState.UNKNOWN
        since = known.since if known is not None and known.state is state else at
        if known is None and len(self._words) >= MAX_SOURCES:
            del self._words[min(self._words, key=lambda source: self._words[source].at)]
        self._words[evidence.source] = _Word(state, min(1.0, max(0.0, evidence.confidence)), at, since)
        return True

    def word_of(self, source: str) -> BayState | None:
        """Return what a source says; None where it never spoke."""
        word = self._words.get(source)
        return None if word is None else word.state

    def confirm(self, source: str, at: datetime) -> None:
        """A source that tells changes only is known to be well: its word is as of this instant."""
        word = self._words.get(source)
        if word is not None and at > word.at:
            self._words[source] = replace(word, at=at)

    def settle(self, now: datetime) -> BayStatus:
        """Conclude from all words; call it after words came in, and once a second."""
        verdict = self._verdict(now)
        before = self._seen
        if verdict is None:
            self._pending = None
        elif verdict.state is before.state:
            self._pending = None
            self._confirm(verdict, now)
        else:
            self._change(verdict, now)
        # Also while a change waits: what is shown meanwhile grows old.
        self._age(now)
        if self._seen.state is not before.state:
            self._watch_correction()
        return self.status(now)

    def _age(self, now: datetime) -> None:
        seen = self._seen
        if seen.state is BayState.UNKNOWN or seen.is_stale:
            return
        if now - seen.at > timedelta(seconds=self._stale_s):
            self._seen = replace(seen, is_stale=True)

    def _confirm(self, verdict: _Verdict, now: datetime) -> None:
        seen = self._seen
        # Nobody watched meanwhile: the state that is found again may be another car's.
        was_away = seen.is_stale and now - seen.at > timedelta(seconds=2 * self._stale_s)
        self._seen = replace(
            seen,
            since=verdict.at if was_away else seen.since,
            at=max(seen.at, verdict.at),
            confidence=verdict.confidence,
            source=verdict.source,
            is_stale=False,
        )

    def _change(self, verdict: _Verdict, now: datetime) -> None:
        if self._pending is None or self._pending[0] is not verdict.state:
            self._pending = (verdict.state, verdict.at, now)
        _, since, begun = self._pending
        seen = self._seen
        is_first = not seen.source or seen.is_stale
        if not is_first:
            least = timedelta(seconds=self._settings.least_dwell_s)
            if now - begun < timedelta(seconds=verdict.wait_s) or since - seen.since < least > now - seen.since:
                return
        self._pending = None
        self._seen = replace(
            seen,
            state=verdict.state,
            since=max(seen.since, since) if seen.source else since,
            at=max(seen.at, verdict.at) if seen.source else verdict.at,
            confidence=verdict.confidence,
            source=verdict.source,
            is_stale=False,
        )

    def _watch_correction(self) -> None:
        told, state = self._correction, self._seen.state
        if told is None or state not in _SAYS:
            return
        if self._last_known is not None and state is not self._last_known:
            self._n_changes += 1
        self._last_known = state
        if self._n_changes >= 2 and told.state in _SAYS:
            self._correction = None

    def _verdict(self, now: datetime) -> _Verdict | None:
        closed = [(word.at, source) for source, word in self._words.items() if word.state is BayState.CLOSED]
        if closed:
            at, source = max(closed)
            is_old = now - at > timedelta(seconds=self._stale_s)
            return None if is_old else self._as_said(source, self._words[source])
        horizon = timedelta(seconds=self._stale_s)
        fresh = {source: word for source, word in self._words.items() if now - word.at <= horizon}
        if not fresh:
            return None
        votes = {source: word for source, word in fresh.items() if word.state in _SAYS}
        if not votes:
            source = max(fresh, key=lambda one: fresh[one].at)
            return self._as_said(source, fresh[source])
        return self._weigh(votes, now)

    def _weigh(self, votes: Mapping[str, _Word], now: datetime) -> _Verdict:
        changed_at, changed_to = max((word.since, word.state) for word in votes.values())
        weights: dict[str, float] = {}
        for source, word in votes.items():
            age = (now - word.at).total_seconds() / self._stale_s
            is_outdated = word.at < changed_at and word.state is not changed_to
            weights[source] = (
                word.confidence * (1.0 - 0.9 * age) * (self._settings.outdated_weight if is_outdated else 1)
            )
        total = sum(weights.values())
        by_state = {
            state: sum(weight for source, weight in weights.items() if votes[source].state is state) for state in _SAYS
        }
        state = max(_SAYS, key=lambda one: by_state[one])
        share = by_state[state] / total
        if share < self._settings.least_share:
            return _Verdict(
                BayState.UNKNOWN,
                1.0 - share,
                ", ".join(sorted(votes)[:4]),
                max(word.at for word in votes.values()),
                self._settings.contradiction_s,
            )
        agreeing = [source for source in votes if votes[source].state is state]
        source = max(agreeing, key=lambda one: (weights[one], one))
        at = max(votes[one].at for one in agreeing)
        return _Verdict(state, votes[source].confidence * share, source, at, self._wait_s(source))

    def _as_said(self, source: str, word: _Word) -> _Verdict:
        return _Verdict(word.state, word.confidence, source, word.at, self._wait_s(source))

    def _wait_s(self, source: str) -> float:
        return self._settings.debounce_s.get(source.partition(":")[0], 0.0)
