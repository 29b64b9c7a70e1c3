"""Who asked what of the gateway, and who was refused: for the health panel, the list of keys and the log."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from core.field.model import BadSource
from core.field.nonsense import Nonsense
from core.gateway.http.keys import KeyDesk
from core.kernel.clock import Clock

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """Who sent a request.

    Attributes:
        key_id: Of the key that it named, right or wrong; empty where it named none that is known.
        name: Of that key.
    """

    address: str
    key_id: str = ""
    name: str = ""

    @property
    def words(self) -> str:
        """What the health panel calls it."""
        return f"{self.name} ({self.address})" if self.name else self.address


class Book:
    """Counts requests and refusals.

    Threads: the owner's loop only.
    """

    def __init__(self, keys: KeyDesk, clock: Clock) -> None:
        """Begin with an empty page."""
        self._keys = keys
        self._clock = clock
        self._nonsense = Nonsense()
        self.n_requests = 0
        self.n_refused = 0
        self.n_frames = 0

    def note_accepted(self, sender: Sender) -> None:
        """A request was served."""
        self.n_requests += 1
        if sender.key_id:
            self._keys.note_accepted(sender.key_id, sender.address)

    def note_refused(self, sender: Sender, sentence: str) -> None:
        """A request was answered with an error."""
        self.n_requests += 1
        self.note_unusable(sender, sentence)

    def note_unusable(self, sender: Sender, sentence: str) -> None:
        """Something that was sent cannot be used; its request may have been answered before."""
        self.n_refused += 1
        if sender.key_id:
            self._keys.note_refused(sender.key_id, sentence)
        now_s = self._clock.monotonic()
        if self._nonsense.note(sender.words, sentence, received_at=self._clock.now(), now_s=now_s):
            log.warning("gateway: %s is refused: %s (more is only counted)", sender.words, sentence)

    def note_frame(self) -> None:
        """A picture was taken in to be looked at."""
        self.n_frames += 1

    def bad_sources(self) -> tuple[BadSource, ...]:
        """Return who was refused, the worst first."""
        return self._nonsense.sources()
