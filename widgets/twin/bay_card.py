"""The card of one bay: the operator reads how it stands and whose word that is, and corrects it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QImage, QPixmap, QResizeEvent
from PySide6.QtWidgets import (
    QComboBox,
    QFrame,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from core.parking.model import Bay, BayState, BayStatus, Lot
from widgets.base.facts import FactList
from widgets.base.focus import order_focus
from widgets.base.icons import icon
from widgets.base.labels import ElidedLabel, hairline
from widgets.base.theme import look, set_role
from widgets.base.times import format_age, format_raised
from widgets.lots.words import source_text
from widgets.twin.scene import BayKey
from widgets.twin.words import KIND_WORDS, STATE_WORDS, bay_name, state_words

WIDTH_EM = 19


class BayCard(QFrame):
    """Facts of one bay, its picture, and the way to correct it.

    Signals:
        closed(): The operator has seen enough.
        fly_wanted(): Show the bay.
        correction_wanted(object, str): This `BayState`, for a reason.
        release_wanted(): What cameras and sensors say counts again.
    """

    closed = Signal()
    fly_wanted = Signal()
    correction_wanted = Signal(object, str)
    release_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        set_role(self, "card")
        self.setAccessibleName("Bay")
        self.key: BayKey | None = None
        self._is_corrected = False
        self._may_correct = False
        self._is_live = True
        self._names: Mapping[str, str] = {}
        self._picture: QImage | None = None
        self._title = ElidedLabel("")
        set_role(self._title, "title")
        self._lot = ElidedLabel("")
        set_role(self._lot, "secondary")
        self.facts = FactList()
        self._snapshot = QLabel()
        self._snapshot.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._snapshot.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self._snapshot.setAccessibleName("Newest picture of the bay")
        self._said = QLabel()
        self._said.setWordWrap(True)
        set_role(self._said, "caption")
        self.state_choice = QComboBox()
        self.state_choice.setAccessibleName("State that it is corrected to")
        for state in (BayState.FREE, BayState.OCCUPIED, BayState.CLOSED, BayState.UNKNOWN):
            self.state_choice.addItem(STATE_WORDS[state], state)
        self.reason = QLineEdit()
        self.reason.setMaxLength(200)
        self.reason.setPlaceholderText("Reason")
        self.reason.setAccessibleName("Reason of the correction")
        self.correct = QPushButton("Correct")
        set_role(self.correct, "primary")
        self.release = QPushButton("Release")
        self.release.setToolTip("What cameras and sensors say counts again")
        self._build()
        self.correct.clicked.connect(self._on_correct)
        self.reason.returnPressed.connect(self._on_correct)
        self.reason.textChanged.connect(self._refresh_controls)
        self.release.clicked.connect(self.release_wanted)
        order_focus(self)
        self._refresh_controls()

    def _build(self) -> None:
        gap = look().sizes.gap
        fly = QToolButton()
        fly.setIcon(icon("fit"))
        fly.setToolTip("Fly to the bay (F)")
        fly.setAccessibleName("Fly to the bay")
        fly.clicked.connect(self.fly_wanted)
        close = QToolButton()
        close.setIcon(icon("close"))
        close.setToolTip("Close the card (Esc)")
        close.setAccessibleName("Close the card")
        close.clicked.connect(self.closed)
        for button in (fly, close):
            set_role(button, "icon")
        head = QHBoxLayout()
        head.setSpacing(gap)
        head.addWidget(self._title, 1)
        head.addWidget(fly)
        head.addWidget(close)
        pair = QHBoxLayout()
        pair.setSpacing(gap * 2)
        pair.addWidget(self.correct, 1)
        pair.addWidget(self.release, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(gap * 3, gap * 2, gap * 3, gap * 3)
        column.setSpacing(gap * 2)
        inner = QWidget()
        told = QVBoxLayout(inner)
        told.setContentsMargins(0, 0, 0, 0)
        told.setSpacing(gap * 2)
        told.addWidget(self.facts)
        told.addWidget(self._snapshot)
        told.addWidget(self._said)
        told.addStretch(1)
        self._scroll = QScrollArea()
        self._scroll.setWidget(inner)
        self._scroll.setWidgetResizable(True)
        self._scroll.setFrameShape(QFrame.Shape.NoFrame)
        self._scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._scroll.setAccessibleName("What is known of the bay")
        column.addLayout(head)
        column.addWidget(self._lot)
        column.addWidget(self._scroll, 1)
        column.addWidget(hairline())
        column.addWidget(self.state_choice)
        column.addWidget(self.reason)
        column.addLayout(pair)

    def show_bay(self, lot: Lot, bay: Bay, status: BayStatus | None, now: datetime) -> None:
        """Show a bay as it is known to stand; None where nobody said anything of it."""
        key = (lot.lot_id, bay.bay_id)
        if key != self.key:
            self.key = key
            self.reason.clear()
            self._picture = None
            self.show_no_snapshot("")
            # Who corrects a bay says that it stands otherwise than it is shown.
            is_taken = status is not None and status.state is BayState.OCCUPIED
            wanted = BayState.FREE if is_taken else BayState.OCCUPIED
            self.state_choice.setCurrentIndex(self.state_choice.findData(wanted))
        self._title.setText(f"Bay {bay_name(bay)}")
        level = next((level.name for level in lot.levels if level.number == bay.level), str(bay.level))
        where = [lot.name or lot.lot_id, f"zone {bay.zone}" if bay.zone else "", level if lot.levels else ""]
        self._lot.setText(" · ".join(part for part in where if part))
        self._is_corrected = status is not None and bool(status.reason)
        self.facts.show_facts(_facts_of(bay, status, now, self._names))
        self._refresh_controls()

    def show_share(self, lot: Lot, bay: Bay, sentence: str) -> None:
        """Show a bay of which only a figure is known."""
        self.key = (lot.lot_id, bay.bay_id)
        self._title.setText(f"Bay {bay_name(bay)}")
        self._lot.setText(lot.name or lot.lot_id)
        self.facts.show_facts((("State", "Not known ahead"), ("Expected", sentence), ("Kind", KIND_WORDS[bay.kind])))

    def show_snapshot(self, jpeg: bytes, caption: str) -> None:
        """Show the newest picture of the bay."""
        image = QImage.fromData(jpeg)
        if image.isNull():
            self.show_no_snapshot("The picture of this bay cannot be shown.")
            return
        self._picture = image
        self._said.setText(caption)
        self._said.setVisible(bool(caption))
        self._fit_snapshot()

    def show_no_snapshot(self, sentence: str) -> None:
        """Say why there is no picture."""
        self._picture = None
        self._snapshot.hide()
        self._said.setText(sentence)
        self._said.setVisible(bool(sentence))

    def show_corrected(self) -> None:
        """The correction was taken: its reason stands among the facts."""
        self.reason.clear()

    @property
    def shown_picture(self) -> QImage | None:
        """The newest picture of the bay; None where there is none."""
        return self._picture

    @property
    def picture_words(self) -> str:
        """What is said of the picture, or why there is none."""
        return self._said.text()

    def set_names(self, names: Mapping[str, str]) -> None:
        """Call cameras and devices by their names, by id, from the next bay on."""
        self._names = names

    def set_may_correct(self, may: bool) -> None:
        """Offer corrections to those who may make them."""
        self._may_correct = may
        self._refresh_controls()

    def set_live(self, is_live: bool) -> None:
        """Only what is now can be corrected."""
        self._is_live = is_live
        self._refresh_controls()

    def _on_correct(self) -> None:
        if self.correct.isEnabled():
            self.correction_wanted.emit(self.state_choice.currentData(), self.reason.text().strip())

    def _refresh_controls(self) -> None:
        may = self._may_correct and self._is_live
        for widget in (self.state_choice, self.reason):
            widget.setEnabled(may)
        self.correct.setEnabled(may and bool(self.reason.text().strip()))
        self.release.setEnabled(may and self._is_corrected)
        why = "Only an operator corrects a bay." if not self._may_correct else "Only what is now can be corrected."
        self.correct.setToolTip("" if may else why)

    def _fit_snapshot(self) -> None:
        if self._picture is None:
            return
        width = max(40, self._scroll.viewport().width())
        ratio = self.devicePixelRatioF()
        kept = Qt.AspectRatioMode.KeepAspectRatio
        size = QSize(round(width * ratio), round(min(width * 0.75, self.height() * 0.4) * ratio))
        scaled = self._picture.scaled(size, kept, Qt.TransformationMode.SmoothTransformation)
        scaled.setDevicePixelRatio(ratio)
        self._snapshot.setFixedHeight(round(scaled.height() / ratio))
        self._snapshot.setPixmap(QPixmap.fromImage(scaled))
        self._snapshot.show()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Let the picture fill the width."""
        super().resizeEvent(event)
        self._fit_snapshot()

    def sizeHint(self) -> QSize:
        """Return room for names and values side by side."""
        return QSize(look().sizes.body * WIDTH_EM, super().sizeHint().height())


def _facts_of(bay: Bay, status: BayStatus | None, now: datetime, names: Mapping[str, str]) -> list[tuple[str, str]]:
    facts = [("State", state_words(status))]
    if status is not None:
        facts += [
            ("Since", format_raised(status.since, now)),
            ("Confirmed", f"{format_age((now - status.at).total_seconds())} ago"),
            ("Source", source_text(status.source, names)),
            ("Confidence", f"{status.confidence:.0%}"),
        ]
        if status.reason:
            facts.append(("Corrected", status.reason))
            facts.append(("Seen", STATE_WORDS[status.seen] if status.seen is not None else "Nothing"))
    else:
        facts.append(("Source", "Nobody has said anything of it"))
    facts.append(("Kind", KIND_WORDS[bay.kind]))
    if bay.max_stay_min is not None:
        facts.append(("Longest stay", f"{bay.max_stay_min} min"))
    return facts
