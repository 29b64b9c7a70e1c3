"""Batteries and links of a drone as bars: how much is left, how well it is heard, and since when nobody says so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from PySide6.QtCore import QEvent, QRectF, QSize, Qt
from PySide6.QtGui import QFont, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QVBoxLayout, QWidget

from core.drones.model import BATTERY_STALE_S, BatteryPack, DroneLink, LinkHealth, LinkStatus
from widgets.base.conditions import paint_condition
from widgets.base.theme import look
from widgets.base.times import format_age
from widgets.drones.figure import cross_out, paint_sending
from widgets.drones.words import (
    HEALTH_CONDITIONS,
    HEALTH_WORDS,
    SIGNING_WORDS,
    UNKNOWN,
    age_of,
    pack_words,
    sending_words,
)

LOW_PERCENT = 20.0
"""Below this a bar says so in words; whether it alarms is the rules' business."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BarText:
    """What one bar says.

    Attributes:
        share: 0..1; None where nobody knows, and then nothing is filled.
        age: Of old figures; empty where they are the present ones.
        mark: Of a link, how it is heard; None for a battery.
        sending: That the link sends, in words; empty while it only listens.
    """

    title: str
    figure: str
    share: float | None
    facts: str
    age: str = ""
    note: str = ""
    mark: LinkHealth | None = None
    sending: str = ""

    @property
    def sentence(self) -> str:
        """The bar for a screen reader."""
        parts = (self.title, self.figure, self.sending, self.note, self.facts, f"{self.age} old" if self.age else "")
        return ", ".join(part for part in parts if part)


def battery_bar(pack: BatteryPack, now: datetime) -> BarText:
    """Return the bar of one pack."""
    percent = pack.remaining_percent
    facts = dict(pack_words(pack))
    known = [facts[key] for key in ("Voltage", "Current", "Temperature") if facts[key] != UNKNOWN]
    if facts["Time left"] != UNKNOWN:
        known.append(f"{facts['Time left']} left")
    notes = [*pack.faults, *(["low"] if percent is not None and percent < LOW_PERCENT else [])]
    return BarText(
        title=f"Battery {pack.number + 1}",
        figure=UNKNOWN if percent is None else f"{percent:.0f} %",
        share=None if percent is None else max(0.0, min(1.0, percent / 100.0)),
        facts="  ·  ".join(known) or "It says nothing else.",
        age=age_of(pack.at, now, BATTERY_STALE_S),
        note=", ".join(notes),
    )


def link_bar(link: LinkStatus, now: datetime, node_link: DroneLink | None = None) -> BarText:
    """Return the bar of one link: full where nothing is lost on the way; `node_link` says whether we send on it."""
    age = UNKNOWN if link.heartbeat_at is None else format_age((now - link.heartbeat_at).total_seconds())
    is_heard = link.health is not LinkHealth.LOST
    parts = [
        f"heard {age} ago" if link.heartbeat_at is not None else "never heard",
        f"{link.loss:.0%} lost on the way" if link.loss is not None else "",
        SIGNING_WORDS[link.signing],
        link.path,
    ]
    return BarText(
        title=f"{link.link_id}{'  (used)' if link.is_used else ''}",
        figure=HEALTH_WORDS[link.health],
        share=None if link.loss is None or not is_heard else 1.0 - link.loss,
        facts="  ·  ".join(part for part in parts if part),
        mark=link.health,
        sending="" if node_link is None else sending_words(node_link),
    )


class BarColumn(QWidget):
    """Bars one below the other; a sentence where there is none."""

    def __init__(self, name: str, nothing: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._nothing = nothing
        self.setAccessibleName(name)
        self._rows: list[_Bar] = []
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(look().sizes.gap)

    @property
    def bars(self) -> tuple[BarText, ...]:
        """What the operator reads."""
        return tuple(row.text for row in self._rows)

    def show_bars(self, bars: Sequence[BarText]) -> None:
        """Show these."""
        wanted = list(bars) or [BarText(title=self._nothing, figure="", share=None, facts="")]
        while len(self._rows) > len(wanted):
            row = self._rows.pop()
            self._column.removeWidget(row)
            row.deleteLater()
        for at, text in enumerate(wanted):
            if at == len(self._rows):
                row = _Bar(text, self)
                self._rows.append(row)
                self._column.addWidget(row)
            self._rows[at].show_text(text)
        said = "; ".join(text.sentence for text in wanted)
        if said != self.accessibleDescription():
            self.setAccessibleDescription(said)


class _Bar(QWidget):
    def __init__(self, text: BarText, parent: QWidget) -> None:
        super().__init__(parent)
        self.text = text
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def show_text(self, text: BarText) -> None:
        """Say something else."""
        if text == self.text:
            return
        is_other = bool(text.facts) is not bool(self.text.facts)
        self.text = text
        self.setToolTip(text.sentence)
        if is_other:
            self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        """Return room for figure, bar and facts."""
        sizes = look().sizes
        height = sizes.title * 1.6 + (sizes.gap * 2.5 + sizes.small * 1.6 if self.text.facts else 0)
        return QSize(sizes.body * 14, round(height))

    def minimumSizeHint(self) -> QSize:
        """Return the same height in a narrow dock."""
        return QSize(look().sizes.body * 8, self.sizeHint().height())

    def changeEvent(self, event: QEvent) -> None:
        """Take the new size of text."""
        if event.type() == QEvent.Type.StyleChange:
            self.updateGeometry()
        super().changeEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint title and figure, the bar, and what else is known."""
        made, sizes, text = look(), look().sizes, self.text
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            line = QRectF(0, 0, self.width(), sizes.title * 1.6)
            strong = made.font(sizes.title, weight=QFont.Weight.DemiBold)
            painter.setFont(strong)
            figure_px = painter.fontMetrics().horizontalAdvance(text.figure)
            painter.setPen(made.color("text_disabled" if text.age else "text"))
            painter.drawText(line, _RIGHT, text.figure)
            if text.age:
                cross_out(painter, QRectF(line.right() - figure_px, line.top(), figure_px, line.height()), made)
            left = 0.0
            if text.mark is not None:
                side = sizes.body
                symbol = QRectF(0, line.center().y() - side / 2, side, side)
                paint_condition(painter, symbol, HEALTH_CONDITIONS[text.mark], made)
                left = side + sizes.gap
            title = "  ".join(part for part in (text.title, f"{text.age} old" if text.age else "", text.note) if part)
            painter.setFont(made.font(sizes.body))
            painter.setPen(made.color("text" if text.facts else "text_disabled"))
            box = line.adjusted(left, 0, -figure_px - sizes.gap * 2, 0)
            cut = painter.fontMetrics().elidedText(title, Qt.TextElideMode.ElideRight, round(box.width()))
            painter.drawText(box, _LEFT, cut)
            if text.facts:
                self._paint_bar(painter, QRectF(0, line.bottom(), self.width(), sizes.gap * 2))
                below = QRectF(0, line.bottom() + sizes.gap * 2.5, self.width(), sizes.small * 1.6)
                painter.setFont(made.font(sizes.small))
                painter.setPen(made.color("text_secondary"))
                if text.sending:
                    paint_sending(painter, below, f"{text.sending}  ·  {text.facts}", made)
                    return
                cut = painter.fontMetrics().elidedText(text.facts, Qt.TextElideMode.ElideRight, self.width())
                painter.drawText(below, _LEFT, cut)

    def _paint_bar(self, painter: QPainter, rect: QRectF) -> None:
        made = look()
        painter.setPen(QPen(made.color("line_strong"), 1, _UNKNOWN_PEN if self.text.share is None else _KNOWN_PEN))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRect(rect.adjusted(0.5, 0.5, -0.5, -0.5))
        if self.text.share is not None:
            inner = rect.adjusted(2, 2, -2, -2)
            inner.setWidth(inner.width() * self.text.share)
            painter.fillRect(inner, made.color("text_disabled" if self.text.age else "text_secondary"))


_LEFT = int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
_RIGHT = int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
_KNOWN_PEN, _UNKNOWN_PEN = Qt.PenStyle.SolidLine, Qt.PenStyle.DotLine
