"""What a tile says about its picture: a word, an age, a sentence and a way out."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from core.media.model import StreamReport, StreamState
from widgets.base.times import format_age, format_clock

STALE_AFTER_S = 0.9
"""So that the badge is there within a second of the last picture."""

LOST_AFTER_S = 3.0
SILENT_AFTER_S = 5.0
"""Reports come once a second; without any for this long nobody knows how the camera is."""

KEY_FRAME_WITHIN_S = 15.0
"""Of a camera that nobody saw, key frames only may have been decoded; the next one comes within this long."""


class PictureLook(Enum):
    """How the picture itself is drawn."""

    LIVE = "live"
    AGEING = "ageing"
    """Grey and hatched below the sentence: it is from before."""

    BLANK = "blank"
    """No picture at all, only the sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TileStatus:
    """What the operator reads on one tile.

    Attributes:
        word: In the header strip: "LIVE 0.1 s", "LOST since 14:03:11".
        age: Of the picture: "0.1 s"; empty where there is none.
        is_meant: Someone wants the camera to show nothing: no fault is marked.
    """

    word: str
    look: PictureLook
    sentence: str = ""
    hint: str = ""
    age: str = ""
    is_meant: bool = False

    @property
    def is_good(self) -> bool:
        """Whether the picture is from now."""
        return self.look is PictureLook.LIVE


_WORDS = {
    StreamState.CONNECTING: ("CONNECTING", "Connecting to the camera.", ""),
    StreamState.UNAUTHORISED: (
        "WRONG PASSWORD",
        "The camera refuses the user name or password.",
        "Change them in Devices.",
    ),
    StreamState.UNUSABLE: ("UNUSABLE", "The stream cannot be used.", "Check the address and the codec of the camera."),
    StreamState.DISABLED: ("DISABLED", "The camera is disabled.", "Enable it in Devices."),
    StreamState.RESTARTING: ("RESTARTING", "The reader of this camera is restarting.", "It is back within seconds."),
    StreamState.ENDED: ("ENDED", "The file has been played to its end.", ""),
    StreamState.LOST: ("LOST", "No picture arrives from the camera.", "It is tried again all the time."),
    StreamState.STALE: ("STALE", "The picture stands still.", "It is tried again all the time."),
}

_TOLD_ONCE = {StreamState.UNUSABLE}
"""Nothing reads such a camera, so nothing says it again."""

_ageing = {StreamState.LOST, StreamState.STALE, StreamState.RESTARTING, StreamState.ENDED, StreamState.CONNECTING}


def describe_tile(
    report: StreamReport | None,
    *,
    since_at: datetime | None,
    report_age_s: float,
    picture_age_s: float | None,
    shown_for_s: float = math.inf,
) -> TileStatus:
    """Say how a camera's picture is.

    Args:
        report: The newest one; None before the first.
        since_at: Since when it is in that state, wall time.
        report_age_s: How long ago the report came.
        picture_age_s: Of the newest picture, by this console's own clock; None where there is none. A picture that
            grows old is stale whatever the report says: the report may be the older of the two.
        shown_for_s: Since when the camera is on a tile that can be seen.
    """
    old_look = PictureLook.BLANK if picture_age_s is None else PictureLook.AGEING
    age = "" if picture_age_s is None else format_age(picture_age_s)
    if report is None:
        return TileStatus(word="WAITING", look=old_look, sentence="Waiting for the node.", age=age)
    if report.state is StreamState.DISABLED:
        word, sentence, hint = _WORDS[StreamState.DISABLED]
        return TileStatus(word=word, look=PictureLook.BLANK, sentence=sentence, hint=hint, is_meant=True)
    if report_age_s > SILENT_AFTER_S and report.state not in _TOLD_ONCE:
        return TileStatus(
            word=f"NO REPORT {format_age(report_age_s)}",
            look=old_look,
            sentence="The node says nothing about this camera.",
            hint="See the link to the node in Health.",
            age=age,
        )
    if report.state is StreamState.LIVE:
        return _live(report, picture_age_s, age, shown_for_s)
    word, sentence, hint = _WORDS[report.state]
    if report.state is StreamState.LOST and since_at is not None:
        word = f"LOST since {format_clock(since_at)}"
    if report.state is StreamState.STALE and picture_age_s is not None:
        word = f"{'LOST' if picture_age_s > LOST_AFTER_S else 'STALE'} {age}"
    look = old_look if report.state in _ageing else PictureLook.BLANK
    return TileStatus(
        word=word,
        look=look,
        sentence=report.reason or sentence,
        hint=report.hint or hint,
        age=age if look is PictureLook.AGEING else "",
    )


def _live(report: StreamReport, picture_age_s: float | None, age: str, shown_for_s: float) -> TileStatus:
    if picture_age_s is None:
        return TileStatus(word="CONNECTING", look=PictureLook.BLANK, sentence="Waiting for the first picture.")
    if picture_age_s <= stale_after_s(report):
        return TileStatus(word=f"LIVE {age}", look=PictureLook.LIVE, age=age)
    if shown_for_s <= KEY_FRAME_WITHIN_S and picture_age_s - shown_for_s > stale_after_s(report):
        # Nobody saw it before, so what is there is from whenever somebody last did.
        return TileStatus(
            word=f"WAITING {age}",
            look=PictureLook.AGEING,
            sentence="Waiting for the camera's next key frame.",
            hint="What is seen is from before it was shown here.",
            age=age,
        )
    state = StreamState.LOST if picture_age_s > max(LOST_AFTER_S, _slow_s(report)) else StreamState.STALE
    word, sentence, hint = _WORDS[state]
    return TileStatus(word=f"{word} {age}", look=PictureLook.AGEING, sentence=sentence, hint=hint, age=age)


def stale_after_s(report: StreamReport) -> float:
    """Return how old the picture of a live camera may be."""
    return max(STALE_AFTER_S, _slow_s(report))


def _slow_s(report: StreamReport) -> float:
    # A camera that sends one picture in two seconds is not stale for being slow.
    return max(report.patience_s, 3.0 / report.fps if report.fps > 0 else 0.0)
