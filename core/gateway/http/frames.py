"""Posted pictures in order: which is news, which came late, which came twice; told without looking at them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from core.kernel.clock import parse_at
from core.kernel.errors import BadInputError

LATE = timedelta(seconds=30)
"""On its way for longer: shown to nobody as now."""

AHEAD = timedelta(seconds=2)
"""A sender whose clock is further ahead of ours is told so."""

OLDEST = timedelta(days=7)
MAX_SEQUENCE = 2**53


class Standing(StrEnum):
    """What a posted picture is, beside those before it."""

    NEW = "new"
    LATE = "late"
    """Newer than all others of its camera, and more than 30 s old."""

    HISTORICAL = "historical"
    """Its sender kept it while nobody took it: history only, whatever is newer."""

    DUPLICATE = "duplicate"
    """It was here already."""

    FROZEN = "frozen"
    """The same to the byte as the one before, with another number: the camera or its program stands still."""

    OVERTAKEN = "overtaken"
    """A newer one of its camera is here already."""


IS_LOOKED_AT = frozenset({Standing.NEW, Standing.LATE, Standing.HISTORICAL})

SENTENCES = {
    Standing.NEW: "",
    Standing.LATE: "The picture came late: what it shows is stored with its own time.",
    Standing.HISTORICAL: "The picture was kept by its sender: what it shows goes into the history with its own time.",
    Standing.DUPLICATE: "This picture was here already; it counts once.",
    Standing.FROZEN: "This picture is the same as the one before: it says nothing about now. Look at the camera.",
    Standing.OVERTAKEN: "A newer picture of this camera is here already; this one is not looked at.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameHead:
    """What a sender says of its picture.

    Attributes:
        captured_at: By the sender's clock; None where it does not say.
        sent_at: The same clock when it was sent: with both, a wrong clock does no harm.
        sequence: Counts up; None where it does not count.
        is_history: It was kept while nobody took it.
    """

    captured_at: datetime | None = None
    sent_at: datetime | None = None
    sequence: int | None = None
    is_history: bool = False


def head_of(*, captured_at: str, sent_at: str, sequence: str, historical: str = "") -> FrameHead:
    """Read the headers X-Captured-At, X-Sent-At, X-Sequence and X-Historical; an empty one says nothing.

    Raises:
        BadInputError: One of them cannot be read, or a picture of the past does not say when it was taken.
    """
    if historical not in ("", "true", "false"):
        raise BadInputError(f"X-Historical is {historical[:40]!r}.", hint='Write "true", or leave it out.')
    if historical == "true" and not captured_at:
        raise BadInputError("A picture of the past needs X-Captured-At.", hint="Send when it was taken.")
    return FrameHead(
        is_history=historical == "true",
        captured_at=_instant("X-Captured-At", captured_at),
        sent_at=_instant("X-Sent-At", sent_at),
        sequence=_number(sequence),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameVerdict:
    """What became of a picture.

    Attributes:
        at: When it was taken, by our clock.
        skew_s: The sender's clock minus ours; None where nobody can tell.
        note: Sentences for whoever reads the answer.
    """

    standing: Standing
    at: datetime
    skew_s: float | None = None
    note: str = ""


@dataclass(slots=True)
class _Newest:
    at: datetime
    sequence: int | None
    digest: bytes


class FrameOrder:
    """Knows the newest picture of each camera.

    Threads: the owner's loop only.
    """

    def __init__(self) -> None:
        """Know none."""
        self._newest: dict[tuple[str, str], _Newest] = {}

    def judge(self, source: tuple[str, str], head: FrameHead, digest: bytes, received_at: datetime) -> FrameVerdict:
        """Place a picture of a lot's camera among those before it.

        Raises:
            BadInputError: It is older than anything that is kept.
        """
        at, skew_s, notes = _placed(head, received_at)
        if received_at - at > OLDEST:
            raise BadInputError(
                f"The picture is said to be from {at:%Y-%m-%d}.",
                hint="Set the sender's clock, or send X-Sent-At as well.",
            )
        if head.is_history:
            note = " ".join((SENTENCES[Standing.HISTORICAL], *notes))
            return FrameVerdict(standing=Standing.HISTORICAL, at=at, skew_s=skew_s, note=note)
        newest = self._newest.get(source)
        if newest is not None and newest.at > received_at + AHEAD:
            # Our own clock was set back: what came before it tells nothing any more.
            newest = None
        standing = _standing_of(newest, head, at, digest, received_at)
        if standing in IS_LOOKED_AT:
            self._newest[source] = _Newest(at=at, sequence=head.sequence, digest=digest)
        note = " ".join(part for part in (SENTENCES[standing], *notes) if part)
        return FrameVerdict(standing=standing, at=at, skew_s=skew_s, note=note)


def digest_of(jpeg: bytes) -> bytes:
    """Return what is the same for the same picture only."""
    return hashlib.blake2b(jpeg, digest_size=16).digest()


def _placed(head: FrameHead, received_at: datetime) -> tuple[datetime, float | None, list[str]]:
    """Return when a picture was taken by our clock, the sender's skew, and what to say about it."""
    if head.captured_at is None:
        return received_at, None, []
    if head.sent_at is not None:
        skew_s = (head.sent_at - received_at).total_seconds()
        age = max(timedelta(0), head.sent_at - head.captured_at)
        return received_at - age, skew_s, _skew_note(skew_s)
    ahead = head.captured_at - received_at
    if ahead > timedelta(0):
        # A picture cannot be of the future: the clock is wrong, and how long it was on its way nobody knows.
        skew_s = ahead.total_seconds()
        return received_at, skew_s, _skew_note(skew_s)
    return head.captured_at, None, []


def _skew_note(skew_s: float) -> list[str]:
    if abs(skew_s) <= AHEAD.total_seconds():
        return []
    return [f"The sender's clock is {abs(skew_s):,.0f} s {'fast' if skew_s > 0 else 'slow'}; our own time is used."]


def _standing_of(
    newest: _Newest | None, head: FrameHead, at: datetime, digest: bytes, received_at: datetime
) -> Standing:
    is_late = received_at - at > LATE
    if newest is None:
        return Standing.LATE if is_late else Standing.NEW
    if digest == newest.digest:
        is_counted_on = head.sequence is not None and head.sequence != newest.sequence
        return Standing.FROZEN if is_counted_on else Standing.DUPLICATE
    if at < newest.at or (at == newest.at and head.captured_at is not None):
        return Standing.OVERTAKEN
    return Standing.LATE if is_late else Standing.NEW


def _instant(name: str, text: str) -> datetime | None:
    if not text:
        return None
    try:
        return parse_at(text[:64])
    except (ValueError, OverflowError) as error:
        raise BadInputError(
            f"{name} cannot be read: {text[:40]!r}.", hint="Write it like 2026-11-22T03:00:00.000Z."
        ) from error


def _number(text: str) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 17 and int(text) < MAX_SEQUENCE):
        raise BadInputError(f"X-Sequence is no number: {text[:40]!r}.", hint="Count 1, 2, 3, … or leave it out.")
    return int(text)
