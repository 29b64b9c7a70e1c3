"""What one camera sees of the lot: how its pictures are looked at, and how often that was right."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QLabel, QPushButton, QVBoxLayout, QWidget

from core.parking.model import BayView, SightMethod
from widgets.base.flow import FlowLayout
from widgets.base.theme import look, set_role
from widgets.base.times import format_minute
from widgets.scene.fields import choice_field, form_layout, show_choice

METHOD_NAMES = {
    SightMethod.AUTOMATIC: "As calibrated",
    SightMethod.DETECTOR: "Detector: vehicles' boxes",
    SightMethod.CLASSIFIER: "Classifier: each bay's look",
}
_SIZES_PX = (640, 960, 1280, 1600, 1920, 2560)


class ViewForm(QWidget):
    """One camera's view of the lot.

    Signals:
        change_requested(object, str): The new `BayView`, and what was done.
        calibrate_requested(str): Camera id.
        stop_requested(): End the calibration.
        carry_requested(): Copy this place's outlines to another one.
        remove_requested(str): Camera id: it sees nothing of the lot any more.
    """

    change_requested = Signal(object, str)
    calibrate_requested = Signal(str)
    stop_requested = Signal()
    carry_requested = Signal()
    remove_requested = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._view: BayView | None = None
        self._is_editable = False
        self._reason = ""
        self._is_calibrating = False
        self._notes: dict[str, str] = {}
        self._build()
        self._method.activated.connect(lambda _row: self._on_method())
        self._size.activated.connect(lambda _row: self._on_size())
        self._calibrate.clicked.connect(self._on_calibrate)
        self._carry.clicked.connect(self.carry_requested)
        self._remove.clicked.connect(self._on_remove)

    def show_view(self, view: BayView | None, camera: str) -> None:
        """Show the view of a camera; None where the plan is shown, or nothing is drawn on the picture yet."""
        self._view = view
        self._title.setText(f"Seen by {camera}" if view is not None else "No view")
        self._none.setVisible(view is None)
        self._none.setText(
            f"Nothing is drawn on the picture of {camera} yet."
            if camera
            else "Choose a camera above the plan to see it."
        )
        self._page.setVisible(view is not None)
        if view is None:
            return
        show_choice(self._method, view.method)
        show_choice(self._size, view.image_px)
        n_bays, n_lanes = len(view.outlines), len(view.lanes)
        lanes = f", {n_lanes} {'lane' if n_lanes == 1 else 'lanes'}" if n_lanes else ""
        self._seen.setText(f"{n_bays} {'bay' if n_bays == 1 else 'bays'}{lanes}.")
        self._measured.setText(_measured(view))
        self._show_note()
        self._refresh()

    def show_notes(self, notes: Mapping[str, str]) -> None:
        """Say of each camera what it cannot tell now; no sentence where it tells everything."""
        self._notes = dict(notes)
        self._show_note()

    def show_calibrating(self, sentence: str) -> None:
        """Say how the calibration goes; it can be stopped."""
        self._show_calibration(sentence, is_calibrating=True)

    def show_calibrated(self, sentence: str) -> None:
        """Say what came of the calibration; nothing where empty."""
        self._show_calibration(sentence, is_calibrating=False)

    def _show_calibration(self, sentence: str, *, is_calibrating: bool) -> None:
        self._is_calibrating = is_calibrating
        self._said.setText(sentence)
        self._said.setVisible(bool(sentence))
        self._refresh()

    def set_calibratable(self, reason: str) -> None:
        """Offer to calibrate, or say why it cannot be done now; empty where it can."""
        self._reason = reason
        self._refresh()

    def set_editable(self, is_editable: bool) -> None:
        """Let it be changed, or only looked at."""
        self._is_editable = is_editable
        self._refresh()

    def _build(self) -> None:
        gap = look().sizes.gap
        self._title, self._none, self._seen = QLabel(self), QLabel(self), QLabel(self)
        self._measured, self._note, self._said, self._why = (QLabel(self) for _ in range(4))
        set_role(self._title, "title")
        for label in (self._none, self._seen, self._measured, self._note, self._said, self._why):
            label.setWordWrap(True)
        for label in (self._none, self._why):
            set_role(label, "caption")
        self._note.setAccessibleName("What this camera cannot tell now")
        self._note.hide()
        self._said.setAccessibleName("What the calibration says")
        self._said.hide()
        self._method = choice_field("How bays are told")
        for method, name in METHOD_NAMES.items():
            self._method.addItem(name, method)
        self._size = choice_field("Size of the picture that is looked at")
        self._size.addItem("As calibrated", None)
        for size_px in _SIZES_PX:
            self._size.addItem(f"{size_px:,} px", size_px)
        form = form_layout()
        form.addRow("Method", self._method)
        form.addRow("Picture", self._size)
        form.addRow("Drawn", self._seen)
        form.addRow("Measured", self._measured)
        self._calibrate = QPushButton("Calibrate", self)
        self._stop = QPushButton("Stop", self)
        self._stop.clicked.connect(self.stop_requested)
        self._carry = QPushButton("Copy to another place", self)
        self._remove = QPushButton("Remove this view", self)
        buttons = FlowLayout(gap * 2)
        for button in (self._calibrate, self._stop, self._carry, self._remove):
            buttons.addWidget(button)
        self._page = QWidget(self)
        inner = QVBoxLayout(self._page)
        inner.setContentsMargins(0, 0, 0, 0)
        inner.setSpacing(gap * 2)
        inner.addLayout(form)
        inner.addWidget(self._note)
        inner.addWidget(self._said)
        inner.addLayout(buttons)
        inner.addWidget(self._why)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, gap, 0)
        column.setSpacing(gap * 2)
        column.addWidget(self._title)
        column.addWidget(self._none)
        column.addWidget(self._page)
        column.addStretch(1)

    def _show_note(self) -> None:
        note = self._notes.get(self._view.camera_id, "") if self._view is not None else ""
        self._note.setText(note)
        self._note.setVisible(bool(note))

    def _refresh(self) -> None:
        for widget in (self._method, self._size, self._carry, self._remove):
            widget.setEnabled(self._is_editable)
        reason = self._reason or ("" if self._is_editable else "Calibrating needs the role supervisor.")
        self._calibrate.setEnabled(not reason and not self._is_calibrating)
        self._stop.setVisible(self._is_calibrating)
        self._why.setText(reason)
        self._why.setVisible(bool(reason))

    def _on_method(self) -> None:
        if self._view is not None:
            method = SightMethod(self._method.currentData())
            self.change_requested.emit(replace(self._view, method=method), "Change how bays are told")

    def _on_size(self) -> None:
        if self._view is not None:
            self.change_requested.emit(
                replace(self._view, image_px=self._size.currentData()), "Change the picture size"
            )

    def _on_calibrate(self) -> None:
        if self._view is not None:
            self.calibrate_requested.emit(self._view.camera_id)

    def _on_remove(self) -> None:
        if self._view is not None:
            self.remove_requested.emit(self._view.camera_id)


def _measured(view: BayView) -> str:
    if view.rate is None:
        return "Not yet: nobody knows how often it is right here."
    when = f", {format_minute(view.calibrated_at)}" if view.calibrated_at is not None else ""
    return f"About {view.rate:.1%} of bay states right{when}"
