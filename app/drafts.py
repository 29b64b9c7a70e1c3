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
from uuid import uuid4

import psutil
from PySide6.QtCore import QObject, QTimer

from app.files import replace_file
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Left(Generic[T]):
    """A draft that was left by a window that is not there any more, for `key`."""

    path: Path
    key: str
    kept: KeptDraft[T]


class DraftFolder(Generic[T]):
    """The drafts of one kind of thing, one file for each thing and window.

    A window writes over its own files only. A draft that another window of this folder is drawing now is not there for
    this one.
    """

    def __init__(self, folder: Path, kind: type[T]) -> None:
        """Read and make nothing yet."""
        self._folder = folder
        self._kind = kind
        self._window = uuid4().hex[:12]
        self._once = OncePerLoss(log)

    def keep(self, key: str, kept: KeptDraft[T]) -> str:
        """Write this window's draft over the one before; returns why that failed, empty where it did not."""
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
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            replace_file(self._own(key), content)
        except OSError as error:
            fault = f"drafts cannot be kept in {self._folder} ({error.strerror or error})."
            self._once.lost("keep", fault)
            return fault
        self._once.back("keep", f"drafts are kept in {self._folder} again")
        return ""

    def left(self) -> list[Left[T]]:
        """Return what other windows left and what can be read of it, the newest first."""
        found = []
        for path in self._folder.glob(f"*{_ENDING}"):
            key, _, window = path.name.removesuffix(_ENDING).rpartition(".")
            if key and window != self._window and (kept := self._read(path)) is not None:
                found.append(Left(path=path, key=unquote(key), kept=kept))
        return sorted(found, key=lambda left: left.kept.at, reverse=True)

    def drop(self, path: Path) -> None:
        """Forget a draft that was left: it was taken up, or is not wanted any more."""
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            log.warning("the draft %s is not removed: %s", path, error)

    def drop_own(self, key: str) -> None:
        """Forget this window's draft: it was saved or discarded."""
        self.drop(self._own(key))

    def leave_own(self) -> None:
        """Let what this window kept so far be left, as by a window that is not there any more."""
        self._window = uuid4().hex[:12]

    def _read(self, path: Path) -> KeptDraft[T] | None:
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

    def _own(self, key: str) -> Path:
        return self._folder / f"{quote(key, safe='')}.{self._window}{_ENDING}"


def _of_node(room: Room) -> Path:
    """Return where drafts for the room's node lie: what is drawn for one is none of another's, whatever their ids."""
    address = room.connection.address.lower()
    return room.folders.data / "drafts" / (quote(address, safe="") if address else "own")


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
        """A draft is offered, and nobody has answered yet, whatever is shown meanwhile."""

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
            what: Name of the folder within that of the node.
            kind: What is drawn.
            parent: With it this ends.
        """
        super().__init__(parent)
        self._room = room
        self._editor = editor
        self._folder: DraftFolder[T] = DraftFolder(_of_node(room) / what, kind)
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
        """Bring the disk up to what is drawn; what is offered is in a file of its own and stays there."""
        self._timer.stop()
        editor = self._editor
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

    def leave(self) -> None:
        """Leave what is drawn, before somebody who may not edit goes on: it is offered when it is opened next."""
        editor = self._editor
        if self._timer.isActive() or self._kept != editor.open_id or editor.draft_fault:
            self.keep_now()
        if not editor.draft_fault:
            self._folder.leave_own()
            self._kept = ""

    def left_beside(self, known: Collection[str]) -> Iterator[Left[T]]:
        """Return what was drawn for none of these."""
        return (left for left in self._folder.left() if left.key not in known)

    def hear(self, left: Left[T], is_taken_up: bool) -> None:
        """Take the answer to an offer: only this removes the draft that was offered."""
        if is_taken_up:
            self.keep_now()
            if self._editor.is_dirty and self._editor.draft_fault:
                # It is the only one on the disk.
                return
        self._folder.drop(left.path)
        if not is_taken_up:
            self._offer()

    def _on_changed(self) -> None:
        if not self._timer.isActive():
            self._timer.start()

    def _on_opened(self, _open_id: str) -> None:
        # Leaving asks what becomes of a draft: it is saved, discarded or left by now.
        self._drop_own()
        self._offer()

    def _offer(self) -> None:
        editor = self._editor
        if not editor.open_id or not editor.may_edit or editor.is_dirty or editor.is_offering:
            return
        base, _drawn = editor.saved_and_drawn()
        for left in self._folder.left():
            if left.key != editor.open_id:
                continue
            if left.kept.drawn != base:
                editor.offer_draft(left.kept, partial(self.hear, left))
                return
            self._folder.drop(left.path)

    def _drop_own(self) -> None:
        kept, self._kept = self._kept, ""
        if kept:
            self._folder.drop_own(kept)
