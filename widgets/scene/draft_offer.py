"""The offer of a draft: take it up or discard it. It stands until that is answered, whatever is said meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from widgets.base.kept_draft import KeptDraft, changed_meanwhile_words, offer_words
from widgets.scene.notice import Notice

Drawn = TypeVar("Drawn")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Open(Generic[Drawn]):
    kept: KeptDraft[Drawn]
    name: Callable[[], str]
    answered: Callable[[bool], None]


def _nothing() -> str:
    return ""


def _as_it_is(kept: KeptDraft[Drawn], _saved: Drawn) -> KeptDraft[Drawn]:
    return kept


class DraftOffer(Generic[Drawn]):
    """One draft at a time, on the notice of its editor."""

    def __init__(
        self,
        notice: Notice,
        saved: Callable[[], Drawn],
        take_up: Callable[[Drawn], None],
        in_the_way: Callable[[], str] = _nothing,
        brought_up: Callable[[KeptDraft[Drawn], Drawn], KeptDraft[Drawn]] = _as_it_is,
    ) -> None:
        """Offer nothing yet.

        Args:
            notice: Where it is asked; others ask there too.
            saved: Returns what is saved now.
            take_up: Draws the draft.
            in_the_way: Returns what that would throw away for good, as a sentence; empty for nothing.
            brought_up: Returns the draft as it would stand on what is saved now.
        """
        self._notice = notice
        self._saved = saved
        self._take_up = take_up
        self._in_the_way = in_the_way
        self._open: _Open[Drawn] | None = None
        self._brought_up = brought_up
        self._words = ""
        self._told_of: Drawn | None = None
        """What was saved when the operator was asked."""

    @property
    def is_open(self) -> bool:
        """There is an offer that nobody has answered."""
        return self._open is not None

    @property
    def is_shown(self) -> bool:
        """The operator reads it now."""
        return bool(self._words) and self._notice.text == self._words

    def begin(self, kept: KeptDraft[Drawn], name: Callable[[], str], answered: Callable[[bool], None]) -> None:
        """Offer a draft of what has this name, when it is shown next; `answered` hears whether it was taken up."""
        self._open = _Open(kept=kept, name=name, answered=answered)

    def end(self) -> None:
        """Offer it no more here: something else is open now. The draft stays where it is."""
        if self.is_shown:
            self._notice.clear()
        self._open, self._words = None, ""

    def show(self, may_answer: bool) -> None:
        """Ask where the notice is free, and who is signed in may answer."""
        if not may_answer and self.is_shown:
            self._notice.clear()
        if self._open is None or not may_answer or self._notice.text:
            return
        saved = self._saved()
        self._ask(offer_words(self._brought_up(self._open.kept, saved), self._open.name(), saved))

    def _ask(self, words: str) -> None:
        self._words, self._told_of = words, self._saved()
        self._notice.ask(words, [("Take it up", self._on_take_up), ("Discard it", self._on_discard)])

    def _on_take_up(self) -> None:
        if self._asks_anew():
            return
        in_the_way = self._in_the_way()
        if in_the_way:
            self._words = in_the_way
            self._notice.ask(in_the_way, [("Take the draft up", self._take), ("Stay here", lambda: None)])
            return
        self._take()

    def _asks_anew(self) -> bool:
        """Ask once more where something was saved since the question: nothing of it is replaced without a word."""
        if self._open is None:
            return False
        saved = self._saved()
        if saved in (self._told_of, self._brought_up(self._open.kept, saved).base):
            return False
        self._ask(changed_meanwhile_words(self._open.name()))
        return True

    def _take(self) -> None:
        if self._asks_anew():
            return
        offer = self._answer()
        if offer is not None:
            self._take_up(self._brought_up(offer.kept, self._saved()).drawn)
            offer.answered(True)

    def _on_discard(self) -> None:
        offer = self._answer()
        if offer is not None:
            offer.answered(False)

    def _answer(self) -> _Open[Drawn] | None:
        offer, self._open, self._words = self._open, None, ""
        return offer
