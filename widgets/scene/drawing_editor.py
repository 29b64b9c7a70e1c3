"""What every editor of a drawing does alike: undo, save, say who was faster, look at versions and bring them back."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent, QKeySequence, QResizeEvent, QShortcut
from PySide6.QtWidgets import QLabel, QSplitter, QVBoxLayout, QWidget

from widgets.base.kept_draft import KeptDraft, closing_words
from widgets.base.theme import look, set_role
from widgets.base.times import format_clock
from widgets.scene.bars import Footer, StepButtons
from widgets.scene.document import Document
from widgets.scene.draft_offer import DraftOffer
from widgets.scene.easel import Easel
from widgets.scene.notice import Answer, Notice
from widgets.scene.tool_row import ToolRow

_WORDS_EM = 46
"""From this many letters of width the tools have their names."""

Sketch = TypeVar("Sketch")
Kept = TypeVar("Kept")
"""What the node keeps, and the drawing is a part of."""


class DrawingEditor(QWidget, Generic[Sketch, Kept]):
    """One drawing at a time. Ctrl+S saves, Ctrl+Z undoes, Ctrl+Shift+Z does again, F holds the picture.

    Signals:
        versions_requested(str): Its id; answered by `show_versions`.
        version_requested(str, int): Its id and a number; answered by `show_version` or `show_version_refused`.
        room_requested(bool): Have the whole window, or give it back.
        told(str, str): A sentence and a hint that need no answer.
        draft_changed(): What is drawn is another one, or it is saved or discarded.
        draft_left(): Somebody who may not edit goes on: keep what is drawn for who may; `draft_fault` says why not.
        opened(str): This is open now, by its id.
    """

    versions_requested = Signal(str)
    version_requested = Signal(str, int)
    room_requested = Signal(bool)
    told = Signal(str, str)
    draft_changed = Signal()
    draft_left = Signal()
    opened = Signal(str)

    THING: str
    """What is drawn, in one word."""

    EVERYTHING: str
    """What is fitted into the window."""

    READ_ONLY: str
    KEYS: str
    ROOM_EM: int
    """Below so many letters of width there is hardly room for the picture beside its forms."""

    SIDE_EM: tuple[int, int]
    """Width of the forms: as they begin, and at least."""

    def __init__(
        self, document: Document[Sketch], canvas: Easel[Any, Any, Any, Any], side: Any, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._base: Kept | None = None
        self._may_edit = False
        self._is_saving = False
        self._looked_at: tuple[int, Sketch] | None = None
        self._after_save: Callable[[], None] | None = None
        self._restoring: int | None = None
        self._saved_at: datetime | None = None
        self.draft_fault = ""
        """Why what is drawn cannot be kept on the disk; empty where it can."""

        document.setParent(self)
        self.document = document
        self.canvas = canvas
        self.side = side
        self.notice = Notice(self)
        self._offer: DraftOffer[Sketch] = DraftOffer(
            self.notice,
            lambda: self.document.saved,
            lambda drawn: self.document.apply(drawn, "Take up the draft"),
            brought_up=self._brought_up,
        )
        self._steps = StepButtons(self.EVERYTHING, self)
        self._tools = ToolRow(canvas.TOOLS, self)
        self._footer = Footer(self)

    # -- what each editor says for itself

    @abstractmethod
    def _id_of(self, kept: Kept) -> str:
        """Return what a drawing is known by."""

    @abstractmethod
    def _open_name(self) -> str:
        """Return how what is open is called."""

    @abstractmethod
    def _drawn(self, kept: Kept) -> Sketch:
        """Return the drawing of what is kept."""

    @abstractmethod
    def _newest(self, kept: Kept) -> Kept:
        """Return what is known of it now."""

    @abstractmethod
    def _sketched(self, version: Any) -> Sketch:
        """Return an old version as it can be looked at."""

    @abstractmethod
    def _send(self, note: str) -> None:
        """Ask the node to store what is drawn."""

    @abstractmethod
    def _show_open(self) -> None:
        """Let the choice name the drawing that is open."""

    @abstractmethod
    def _refresh(self) -> None:
        """Show what is drawn, with everything that follows from it."""

    def _remember(self, kept: Kept) -> None:
        """Take what the node has just stored."""

    def _brought_up(self, kept: KeptDraft[Sketch], _saved: Sketch) -> KeptDraft[Sketch]:
        """Return a draft as it would stand on what is saved now."""
        return kept

    # -- what is shown

    @property
    def open_id(self) -> str:
        """What is open; empty for nothing."""
        return self._id_of(self._base) if self._base is not None else ""

    @property
    def is_cramped(self) -> bool:
        """There is hardly room for the picture beside its forms."""
        return self.width() < look().sizes.body * self.ROOM_EM

    @property
    def is_dirty(self) -> bool:
        """There is something to save."""
        return self._base is not None and self.document.is_dirty

    @property
    def may_edit(self) -> bool:
        """Drawings may be changed here."""
        return self._may_edit

    @property
    def is_offering(self) -> bool:
        """A draft is offered, and nobody has answered yet, whatever is shown meanwhile."""
        return self._offer.is_open

    @property
    def shown(self) -> Sketch:
        """As it is drawn, or an old version that is looked at."""
        return self._looked_at[1] if self._looked_at is not None else self.document.sketch

    @property
    def _is_editable(self) -> bool:
        return self._may_edit and self._base is not None and self._looked_at is None

    def set_may_edit(self, may_edit: bool) -> None:
        """Let drawings be changed, or only looked at."""
        if may_edit != self._may_edit:
            # What is asked was for who was here before: nobody else answers it.
            self.notice.clear()
        self._may_edit = may_edit
        self._refresh()

    def set_enlarged(self, is_enlarged: bool) -> None:
        """Show whether the editor has the whole window."""
        self._steps.enlarge.setChecked(is_enlarged)

    def show_versions(self, open_id: str, versions: Sequence[Any]) -> None:
        """List who changed the drawing and when."""
        if open_id == self.open_id:
            self.side.versions.show_versions(versions)

    def show_version(self, open_id: str, number: int, version: Any) -> None:
        """Show an old version that was asked for, or bring it back."""
        if open_id != self.open_id:
            return
        if self._restoring == number:
            self._restore(number, self._sketched(version))
            return
        self._looked_at = (number, self._sketched(version))
        self.notice.clear()
        self._refresh()

    def show_version_refused(self, open_id: str, sentence: str, hint: str = "") -> None:
        """Say why an old version cannot be shown; nothing is brought back later."""
        if open_id == self.open_id:
            self._restoring = None
            self.notice.say(f"{sentence} {hint}".strip())

    def show_saved(self, kept: Kept) -> None:
        """The node has stored it."""
        self._is_saving = False
        self._saved_at = datetime.now(UTC)
        self._footer.note.clear()
        self._remember(kept)
        if self._id_of(kept) == self.open_id:
            self._base = kept
            self.document.mark_saved(self._drawn(kept))
            self.versions_requested.emit(self.open_id)
        self.notice.clear()
        self._refresh()
        then, self._after_save = self._after_save, None
        if then is not None and not self.is_dirty:
            then()

    def show_refused(self, sentence: str, hint: str = "") -> None:
        """Say why it was not stored; what is drawn stays."""
        self._is_saving, self._after_save = False, None
        self.notice.say(f"{sentence} {hint}".strip())
        self._refresh()

    def show_stale(self, sentence: str) -> None:
        """Somebody else was faster: ask whose drawing counts."""
        self._is_saving, self._after_save = False, None
        self._ask_whose(sentence)
        self._refresh()

    # -- drafts

    def saved_and_drawn(self) -> tuple[Sketch, Sketch]:
        """Return what is saved, and what is drawn."""
        return self.document.saved, self.document.sketch

    def offer_draft(self, kept: KeptDraft[Sketch], answered: Callable[[bool], None]) -> None:
        """Let what was drawn here before and not saved be taken up, or discarded; `answered` hears which."""
        self._offer.begin(kept, self._open_name, answered)
        self._say_what_stands()

    def ask_before_closing(self, answered: Callable[[bool], None]) -> None:
        """Ask what becomes of what is not saved; `answered` hears whether the window is to be closed then."""
        answers: list[Answer] = [("Stay here", lambda: answered(False))]
        if self._may_edit:
            # Who may not edit may leave the draft of who may, and throws nothing of it away.
            answers[:0] = [
                ("Save them, then close", lambda: self._save_then(lambda: answered(True))),
                ("Discard them and close", lambda: self._discard_then(lambda: answered(True))),
            ]
        self.notice.ask(closing_words(self._open_name(), self.draft_fault), answers)

    def _discard_then(self, then: Callable[[], None]) -> None:
        self.document.load(self.document.saved)
        then()

    # -- building

    def _lay_out(self, bar: QWidget) -> None:
        """Put the picture beside its forms, with the bar and the tools above and the footer below."""
        gap = look().sizes.gap
        left = QWidget()
        column = QVBoxLayout(left)
        column.setSpacing(gap)
        column.addWidget(self.canvas, 1)
        column.addWidget(self._hint_label())
        column.setContentsMargins(gap, gap, gap, 0)
        split = QSplitter(Qt.Orientation.Horizontal, self)
        split.addWidget(left)
        split.addWidget(self.side)
        split.setStretchFactor(0, 1)
        split.setStretchFactor(1, 0)
        split.setChildrenCollapsible(False)
        wished, least = self.SIDE_EM
        self.side.setMinimumWidth(look().sizes.body * least)
        split.setSizes([10_000, look().sizes.body * wished])
        page = QVBoxLayout(self)
        page.setContentsMargins(0, 0, 0, 0)
        page.setSpacing(0)
        for widget in (bar, self._tools, self.notice):
            page.addWidget(widget)
        page.addWidget(split, 1)
        page.addWidget(self._footer)

    def _hint_label(self) -> QLabel:
        hint = QLabel(self.canvas.hint, self)
        hint.setWordWrap(True)
        hint.setToolTip(self.KEYS)
        hint.setMinimumHeight(round(look().sizes.caption * 2.8))
        hint.setAlignment(Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft)
        set_role(hint, "caption")
        self.canvas.hint_changed.connect(hint.setText)
        return hint

    def _connect_steps(self) -> None:
        """Connect what is done to any drawing: undo, save, versions, the view."""
        self.document.changed.connect(self._refresh)
        self.document.state_changed.connect(self._refresh_state)
        self.document.state_changed.connect(self.draft_changed)
        self._tools.tool_chosen.connect(self._on_tool_chosen)
        self.side.versions.look_requested.connect(self._on_look_wanted)
        self.side.versions.restore_requested.connect(self._on_restore_wanted)
        self.notice.answered.connect(self._say_what_stands)
        self._steps.undo.clicked.connect(self.document.stack.undo)
        self._steps.redo.clicked.connect(self.document.stack.redo)
        self._steps.freeze.toggled.connect(self._on_freeze)
        self._steps.fit.clicked.connect(self.canvas.fit)
        self._steps.enlarge.clicked.connect(self._on_enlarge)
        self._footer.discard.clicked.connect(self._on_discard)
        self._footer.save.clicked.connect(self._on_save)
        self._footer.note.returnPressed.connect(self._on_save)
        for keys, act in (
            ("Ctrl+Z", self._on_undo),
            ("Ctrl+Shift+Z", self._on_redo),
            ("Ctrl+Y", self._on_redo),
            ("Ctrl+S", self._on_save),
        ):
            shortcut = QShortcut(QKeySequence(keys), self, context=Qt.ShortcutContext.WidgetWithChildrenShortcut)
            shortcut.activated.connect(act)
        self._connect_canvas_key("F", self._steps.freeze.toggle)

    def _connect_canvas_key(self, keys: str, act: Callable[[], object]) -> None:
        shortcut = QShortcut(QKeySequence(keys), self.canvas, context=Qt.ShortcutContext.WidgetShortcut)
        shortcut.activated.connect(act)

    # -- what is open

    def _leave_for(self, then: Callable[[], None]) -> None:
        """Open something else, once it is clear what becomes of what is not saved."""
        if not self.is_dirty or self._base is None:
            then()
            return
        self._show_open()
        if not self._may_edit:
            if self._leave_draft():
                then()
            return
        self.notice.ask(
            f"{self._open_name()} has changes that are not saved.",
            [
                ("Save them", lambda: self._save_then(then)),
                ("Discard them", then),
                ("Stay here", lambda: None),
            ],
        )

    def _leave_draft(self) -> bool:
        """Leave what is drawn to who may edit; returns whether it is kept, and says why where it is not."""
        self.draft_left.emit()
        if self.draft_fault:
            self.notice.say(
                f"{self._open_name()} has changes that are not saved. "
                f"Let a supervisor save or discard them first, or they are lost: {self.draft_fault}"
            )
        return not self.draft_fault

    def _begin(self, kept: Kept) -> None:
        """Forget what belonged to the drawing that was open before."""
        self._base = kept
        self._looked_at = self._after_save = self._saved_at = self._restoring = None
        self._is_saving = False
        self._offer.end()
        self.notice.clear()
        self.canvas.set_tool(self.canvas.TOOLS[0].tool)
        self._steps.freeze.setChecked(False)
        self._footer.note.clear()
        self.side.versions.show_versions(())

    def _ask_whose(self, sentence: str) -> None:
        if not self._may_edit:
            if self._leave_draft():
                self._load_theirs()
                self.told.emit(sentence, "The newest is shown; what was drawn here is kept as a draft.")
            return
        self.notice.ask(sentence, [("Load theirs", self._load_theirs), ("Overwrite with mine", self._overwrite)])

    def _load_theirs(self) -> None:
        if self._base is None:
            return
        self._base = self._newest(self._base)
        theirs = self._drawn(self._base)
        # As one step: what was drawn here can still be brought back.
        self.document.apply(theirs, f"Load the newest {self.THING}")
        self.document.mark_saved(theirs)
        self.versions_requested.emit(self.open_id)
        self._refresh()

    def _overwrite(self) -> None:
        if self._base is None:
            return
        self._base = self._newest(self._base)
        self.document.mark_saved(self._drawn(self._base))
        self._on_save()

    # -- what is refreshed

    def _refresh_state(self) -> None:
        is_editable, is_dirty = self._is_editable, self.is_dirty
        self._steps.show_steps(self.document.stack, is_editable=is_editable)
        self._footer.save.setEnabled(is_editable and is_dirty and not self._is_saving)
        self._footer.save.setText("Saving ..." if self._is_saving else "Save")
        self._footer.discard.setEnabled(is_editable and self.document.is_dirty and not self._is_saving)
        self._footer.note.setEnabled(is_editable)
        self._footer.state.setText(self._state_text(is_dirty))

    def _state_text(self, is_dirty: bool) -> str:
        if self._base is None:
            return ""
        if not self._may_edit:
            return self.READ_ONLY
        if is_dirty:
            return "●  Not saved"
        return f"Saved {format_clock(self._saved_at)}" if self._saved_at is not None else "Saved"

    def _say_what_stands(self) -> None:
        """Keep the way back and an offer in sight, once what was said meanwhile is answered."""
        if self._looked_at is None:
            self._offer.show(self._may_edit)
            return
        if self.notice.text:
            return
        number, sketch = self._looked_at
        answers: list[Answer] = [("Back to now", self._stop_looking)]
        if self._may_edit:
            answers.insert(0, ("Restore it", lambda: self._restore(number, sketch)))
        self.notice.ask(f"You look at version {number}. Nothing is changed by that.", answers)

    # -- what the operator does

    def _go_to_picture(self) -> None:
        self.canvas.setFocus(Qt.FocusReason.OtherFocusReason)

    def _on_tool_chosen(self, tool: Any) -> None:
        self.canvas.set_tool(tool)
        self._tools.show_tool(self.canvas.draft.tool)
        self._go_to_picture()

    def _on_freeze(self, is_frozen: bool) -> None:
        self.canvas.set_frozen(is_frozen)
        self._steps.show_frozen(is_frozen)

    def _on_enlarge(self, is_wanted: bool) -> None:
        self._go_to_picture()
        self.room_requested.emit(is_wanted)

    def _on_undo(self) -> None:
        if self._steps.undo.isEnabled():
            self.document.stack.undo()

    def _on_redo(self) -> None:
        if self._steps.redo.isEnabled():
            self.document.stack.redo()

    def _on_discard(self) -> None:
        self.document.apply(self.document.saved, "Discard the changes")

    def _on_save(self) -> None:
        if self._base is None or not self._may_edit or self._is_saving or not self.is_dirty:
            return
        self._send(self._footer.note.text().strip())

    def _save_then(self, then: Callable[[], None]) -> None:
        if not self.is_dirty:
            then()
            return
        self._after_save = then
        self._on_save()
        if not self._is_saving:
            # Nothing was sent: a later save leads nowhere.
            self._after_save = None

    # -- versions

    def _on_look_wanted(self, number: int) -> None:
        self._restoring = None
        self.version_requested.emit(self.open_id, number)

    def _on_restore_wanted(self, number: int) -> None:
        self._restoring = number
        self.version_requested.emit(self.open_id, number)

    def _restore(self, number: int, sketch: Sketch) -> None:
        self._restoring = None
        if self._is_saving or not self._may_edit:
            reason = f"A {self.THING} is being saved." if self._may_edit else self.READ_ONLY
            self.told.emit(f"Version {number} is not brought back.", reason)
            return
        self._looked_at = None
        self.notice.clear()
        self.document.apply(sketch, f"Restore version {number}")
        self._refresh()
        if self.is_dirty:
            self._send(f"Restored from version {number}.")

    def _stop_looking(self) -> None:
        self._looked_at = None
        self._refresh()

    # -- Qt

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Let the letters of the tools work wherever they are not being written."""
        if self.canvas.press_tool(event):
            self._go_to_picture()
            return
        super().keyPressEvent(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Show the tools without words where there is no room for them."""
        super().resizeEvent(event)
        self._tools.set_compact(self.width() < look().sizes.body * _WORDS_EM)
