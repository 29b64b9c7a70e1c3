"""Drafts that outlive the window: what is drawn and not saved is on the disk within a second, and offered again."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar
from urllib.parse import quote, unquote

import psutil
from PySide6.QtCore import QObject, QTimer

from app.room import Room
from core.kernel.log import OncePerLoss
from core.kernel.wire import from_bytes, to_bytes
from widgets.base.kept_draft import KeptDraft

log = logging.getLogger(__name__)

KEEP_AFTER_MS = 1000
"""A session that is ended from outside loses no more than this of a draft."""

_ENDING = ".draft"

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    """What is written: the two drawings are packed by themselves, for only who reads them knows their types."""

    at: datetime
    by: str
    pid: int
    started_s: float
    base: bytes
    drawn: bytes


class DraftFolder(Generic[T]):
    """The drafts of one kind of thing, one file each.

    A draft that another window of this folder is drawing now is not there for this one.
    """

    def __init__(self, folder: Path, kind: type[T]) -> None:
        """Read and make nothing yet."""
        self._folder = folder
        self._kind = kind
        self._once = OncePerLoss(log)

    def keep(self, key: str, kept: KeptDraft[T]) -> str:
        """Write a draft over the one before; returns why that failed, empty where it did not."""
        process = psutil.Process()
        content = to_bytes(
            _File(
                at=kept.at,
                by=kept.by,
                pid=process.pid,
                started_s=process.create_time(),
                base=to_bytes(kept.base),
                drawn=to_bytes(kept.drawn),
            )
        )
        path = self._path(key)
        part = path.with_suffix(".part")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            part.write_bytes(content)
            part.replace(path)
        except OSError as error:
            fault = f"drafts cannot be kept in {self._folder} ({error.strerror or error})."
            self._once.lost("keep", fault)
            return fault
        self._once.back("keep", f"drafts are kept in {self._folder} again")
        return ""

    def read(self, key: str) -> KeptDraft[T] | None:
        """Return a draft; None where there is none, or none that can be read."""
        path = self._path(key)
        try:
            file = from_bytes(path.read_bytes(), _File)
            if _is_elsewhere(file):
                return None
            return KeptDraft(
                at=file.at,
                by=file.by,
                base=from_bytes(file.base, self._kind),
                drawn=from_bytes(file.drawn, self._kind),
            )
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            log.warning("the draft %s cannot be read: %s", path, error)
            return None

    def drop(self, key: str) -> None:
        """Forget a draft: it was saved, or is not wanted any more."""
        try:
            self._path(key).unlink(missing_ok=True)
        except OSError as error:
            log.warning("the draft %s is not removed: %s", self._path(key), error)

    def drafted(self) -> Iterator[str]:
        """Return what there are drafts of."""
        for path in sorted(self._folder.glob(f"*{_ENDING}")):
            yield unquote(path.name.removesuffix(_ENDING))

    def _path(self, key: str) -> Path:
        return self._folder / f"{quote(key, safe='')}{_ENDING}"


def _is_elsewhere(file: _File) -> bool:
    """Tell whether another process that still runs is drawing it."""
    if file.pid == os.getpid():
        return False
    try:
        return bool(abs(psutil.Process(file.pid).create_time() - file.started_s) < 1.0)
    except psutil.Error:
        return False


class Drafting(Protocol):
    """An editor whose drafts are kept.

    Its signals: `draft_changed()`, something is drawn, saved or discarded; `opened(str)`, this is open now, by its id.
    """

    draft_changed: Any
    opened: Any
    draft_fault: str

    @property
    def open_id(self) -> str:
        """What is open; empty for nothing."""

    @property
    def is_dirty(self) -> bool:
        """There is something to save."""

    @property
    def may_edit(self) -> bool:
        """Who is signed in may take a draft up."""

    @property
    def is_offering(self) -> bool:
        """A draft is offered, and nobody has answered yet."""

    def saved_and_drawn(self) -> tuple[Any, Any]:
        """Return what was saved, and what is drawn."""

    def offer_draft(self, kept: KeptDraft[Any], answered: Callable[[bool], None]) -> None:
        """Let the operator take a draft up, or discard it; `answered` hears whether it was taken up."""


class DraftKeeper(QObject, Generic[T]):
    """Keeps what is drawn in one editor, and offers it when that is opened again."""

    def __init__(self, room: Room, editor: Drafting, what: str, kind: type[T], parent: QObject) -> None:
        """Keep from now on.

        Args:
            room: Whose data folder it is.
            editor: It offers what was left of what is open now.
            what: Name of the folder.
            kind: What is drawn.
            parent: With it this ends.
        """
        super().__init__(parent)
        self._room = room
        self._editor = editor
        self._folder: DraftFolder[T] = DraftFolder(room.folders.data / "drafts" / what, kind)
        self._kept = ""
        """Of what the draft on the disk is this editor's own."""

        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(KEEP_AFTER_MS)
        self._timer.timeout.connect(self.keep_now)
        editor.draft_changed.connect(self._on_changed)
        editor.opened.connect(self._on_opened)
        room.role_changed.connect(lambda _role: self._offer())
        room.session_ends.connect(self.keep_now)
        room.closing.connect(self.keep_now)
        self._offer()

    def keep_now(self) -> None:
        """Bring the disk up to what is drawn."""
        self._timer.stop()
        editor = self._editor
        if editor.is_offering:
            # What was drawn before must not be lost to what is drawn beside its offer.
            return
        if not editor.is_dirty:
            self._drop_own()
            return
        if self._kept != editor.open_id:
            self._drop_own()
        session = self._room.connection.session
        base, drawn = editor.saved_and_drawn()
        by = session.user.name if session is not None else ""
        editor.draft_fault = self._folder.keep(
            editor.open_id, KeptDraft(at=datetime.now(UTC), by=by, base=base, drawn=drawn)
        )
        self._kept = editor.open_id

    def left_beside(self, known: Collection[str]) -> Iterator[tuple[str, KeptDraft[T]]]:
        """Return what was drawn for none of these, and for what."""
        for key in self._folder.drafted():
            if key not in known and key != self._kept and (kept := self._folder.read(key)) is not None:
                yield key, kept

    def drop(self, key: str) -> None:
        """Forget a draft."""
        self._folder.drop(key)

    def _on_changed(self) -> None:
        if not self._timer.isActive():
            self._timer.start()

    def _on_opened(self, open_id: str) -> None:
        # Leaving asks what becomes of a draft: it is saved or discarded by now.
        self._drop_own()
        if self._editor.is_dirty:
            # New, and perhaps a draft that was taken up.
            self._kept = open_id
        self._offer()

    def _offer(self) -> None:
        editor = self._editor
        key = editor.open_id
        if not key or not editor.may_edit or editor.is_dirty or editor.is_offering:
            return
        kept = self._folder.read(key)
        if kept is None:
            return
        base, _drawn = editor.saved_and_drawn()
        if kept.drawn == base:
            self._folder.drop(key)
            return
        editor.offer_draft(kept, partial(self._on_answered, key))

    def _on_answered(self, key: str, is_taken_up: bool) -> None:
        if is_taken_up:
            # It may be saved before it is written again.
            self._kept = key
        else:
            self._folder.drop(key)

    def _drop_own(self) -> None:
        kept, self._kept = self._kept, ""
        if kept:
            self._folder.drop(kept)
