"""Entry and exit of a lot: who came and went since the count was set, how far from the bays, and the count anew."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QPushButton, QSpinBox, QWidget

from core.parking.model import LotOccupancy
from widgets.base.labels import ElidedLabel
from widgets.base.theme import look, set_role
from widgets.base.times import format_clock


class GateBar(QFrame):
    """One line, for lots with gates only.

    Signals:
        count_set(int): So many vehicles are in the lot right now.
    """

    count_set = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        set_role(self, "strip")
        self._lot_id = ""
        self._said = ElidedLabel("", self)
        self._count = QSpinBox(self)
        self._count.setAccessibleName("Vehicles in the lot right now")
        self._set = QPushButton("Set count", self)
        self._set.setToolTip("So many vehicles are in the lot right now: entry and exit count on from there.")
        self._set.clicked.connect(lambda: self.count_set.emit(self._count.value()))
        gap = look().sizes.gap
        line = QHBoxLayout(self)
        line.setContentsMargins(gap * 2, gap, gap * 2, gap)
        line.setSpacing(gap)
        line.addWidget(self._said, 1)
        line.addWidget(self._count)
        line.addWidget(self._set)
        self.hide()

    @property
    def text(self) -> str:
        """What the operator reads."""
        return self._said.text()

    def show_lot(self, lot: LotOccupancy | None) -> None:
        """Show the gates of a lot; nothing where it has none."""
        gates = lot.gates if lot is not None else None
        self.setVisible(gates is not None)
        if lot is None or gates is None:
            self._lot_id = ""
            return
        self._said.setText(_said(lot))
        n_most = lot.n_bays + lot.n_closed
        self._count.setRange(0, n_most)
        if lot.lot_id != self._lot_id:
            # What somebody is typing is left alone.
            self._lot_id = lot.lot_id
            self._count.setValue(min(n_most, max(0, lot.n_occupied if gates.n_inside is None else gates.n_inside)))

    def show_role(self, *, may_set: bool) -> None:
        """Only an operator sets the count."""
        self._count.setEnabled(may_set)
        self._set.setEnabled(may_set)


def _said(lot: LotOccupancy) -> str:
    gates = lot.gates
    assert gates is not None
    if gates.n_inside is None or gates.set_at is None:
        return "Gates count, from an unknown beginning. Set the count once."
    drift = "" if lot.drift is None else f", {lot.drift:+d} beside its bays"
    since = format_clock(gates.set_at)
    return f"Gates: {gates.n_inside} inside{drift}; {gates.n_entered} in, {gates.n_left} out since {since}"
