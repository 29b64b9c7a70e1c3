"""What a trial replays: that a condition began or ended."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from core.incidents.model import Condition


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """A condition began or ended.

    Attributes:
        is_measured: It follows from readings; otherwise it is stored as such.
    """

    at: datetime
    condition: Condition
    is_raise: bool
    is_measured: bool = False
