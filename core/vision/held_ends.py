"""Ends that rules write while the camera sees nothing: who is not seen by the blind may still be there."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from core.vision.model import AT_THE_CAMERA, Observation, Phase

SEEN_AGAIN_S = 60.0
"""So long after its sight came back a camera would have said again what still holds."""

GLANCE_S = 5.0
"""As much after something passed in front of the lens: whoever was hidden is found again."""


class HeldEnds:
    """Keeps the ends of one camera's conditions until they can be believed; used from one thread."""

    def __init__(self) -> None:
        """Keep nothing yet."""
        self._held: dict[str, Observation] = {}
        self._seen_s = math.inf
        self._patience_s = GLANCE_S

    def distrust(self) -> None:
        """The camera is blind, and has been for a while: what it says afterwards takes longer to be believed."""
        self._patience_s = SEEN_AGAIN_S

    def hold_back(self, observations: Sequence[Observation]) -> list[Observation]:
        """Return what may be told of a picture that shows nothing: all but ends, apart from the camera's own."""
        self._seen_s = 0.0
        return self._without_ends(observations)

    def _without_ends(self, observations: Sequence[Observation]) -> list[Observation]:
        told = []
        for one in observations:
            if one.phase is Phase.END and one.kind not in AT_THE_CAMERA:
                self._held[one.condition_key] = one
            else:
                self._held.pop(one.condition_key, None)
                told.append(one)
        return told

    def let_go(
        self, observations: Sequence[Observation], looked_s: float, pts_s: float, captured_at: datetime
    ) -> list[Observation]:
        """Return what is told of a picture that can be believed, and with it the ends whose time has come.

        Args:
            observations: Of this picture; what begins again never ended. What ends before the patience is over may have
                been lost while nothing was seen: that waits as well.
            looked_s: Of the picture clock.
            pts_s: Picture time, for the ends that were held back.
            captured_at: Wall time, for the same.
        """
        self._seen_s += looked_s
        if self._seen_s < self._patience_s:
            return self._without_ends(observations)
        for one in observations:
            self._held.pop(one.condition_key, None)
        self._patience_s = GLANCE_S
        held, self._held = self._held, {}
        return [*observations, *(replace(one, pts_s=pts_s, captured_at=captured_at) for one in held.values())]
