"""All lots at a glance: free bays as a number and a bar, the last hours as a line; one is chosen to see its bays."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from PySide6.QtCore import QAbstractListModel, QModelIndex, QPersistentModelIndex, QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QFont, QFontMetricsF, QPainter
from PySide6.QtWidgets import QAbstractItemView, QListView, QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from core.kernel.clock import Clock, SystemClock
from core.parking.model import Lot, LotOccupancy, ZoneOccupancy
from widgets.base.sparkline import History, paint_sparkline
from widgets.base.theme import Look, look
from widgets.base.times import format_age
from widgets.lots.fill_bar import paint_fill
from widgets.lots.words import fill_text, free_text

WINDOW_S = 3 * 3600.0
_Index = QModelIndex | QPersistentModelIndex
_NOWHERE = QModelIndex()


@dataclass(frozen=True, slots=True, kw_only=True)
class LotRow:
    """One line of the list: a lot, or one zone beneath it.

    Attributes:
        zone: None for the lot itself.
    """

    lot_id: str
    name: str
    site: str
    lot: LotOccupancy | None
    zone: ZoneOccupancy | None = None

    @property
    def counted(self) -> LotOccupancy | ZoneOccupancy | None:
        """What the line counts; None until anybody did."""
        return self.lot if self.zone is None else self.zone

    @property
    def text(self) -> str:
        """What a screen reader says."""
        counted = self.counted
        if counted is None:
            return f"{self.name}: nobody counted yet"
        faults = " ".join(self.lot.faults) if self.lot is not None and self.zone is None else ""
        unknown = f", {counted.n_unknown} unknown" if counted.n_unknown else ""
        return f"{self.name}: {counted.n_free} free of {counted.n_bays}{unknown}. {faults}".strip()


def rows_of(
    plans: Iterable[Lot], lots: Mapping[str, LotOccupancy], names: Mapping[str, str], query: str
) -> list[LotRow]:
    """Return the lines for what is drawn and for what only counts, by name; zones below their lot.

    Args:
        plans: Drawn lots.
        lots: By id.
        names: Of devices that are a lot of their own, by lot id.
        query: Words that have to occur in name, site or zones.
    """
    drawn = {plan.lot_id: plan for plan in plans}
    rows: list[LotRow] = []
    for lot_id in sorted({*drawn, *lots}, key=lambda key: (_name(key, drawn, names).casefold(), key)):
        plan, lot = drawn.get(lot_id), lots.get(lot_id)
        name, site = _name(lot_id, drawn, names), plan.site if plan is not None else ""
        zones = lot.zones if lot is not None else ()
        where = " ".join((name, site, lot_id, *(zone.zone for zone in zones))).casefold()
        if not all(word in where for word in query.casefold().split()):
            continue
        rows.append(LotRow(lot_id=lot_id, name=name, site=site, lot=lot))
        if len(zones) > 1:
            rows += (LotRow(lot_id=lot_id, name=zone.zone, site="", lot=lot, zone=zone) for zone in zones)
    return rows


class LotList(QListView):
    """The list.

    Signals:
        lot_chosen(str, str): Lot, and zone where one was chosen.
    """

    lot_chosen = Signal(str, str)

    def __init__(self, clock: Clock | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._clock = clock or SystemClock()
        self._trends: dict[str, History] = {}
        self._rows = _Rows(self)
        self._painter = _RowPainter(self._trends, self._clock, self)
        self.setModel(self._rows)
        self.setItemDelegate(self._painter)
        self.setAccessibleName("Lots")
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setMouseTracking(True)
        self.selectionModel().currentChanged.connect(self._on_current)
        self._ages = QTimer(self)
        self._ages.setInterval(1000)
        self._ages.timeout.connect(self.viewport().update)
        self._ages.start()

    @property
    def rows(self) -> tuple[LotRow, ...]:
        """What is listed."""
        return tuple(self._rows.rows)

    def show_rows(self, rows: list[LotRow]) -> None:
        """List other lots, or the same with new figures; the chosen one stays chosen."""
        chosen = self.chosen
        self._rows.show_rows(rows)
        if chosen is not None:
            self.select(*chosen)

    def show_trusted(self, *, is_trusted: bool) -> None:
        """Show figures as old while the node is away."""
        self._painter.is_trusted = is_trusted
        self.viewport().update()

    def add_trend(self, lot_id: str, samples: Iterable[LotOccupancy]) -> None:
        """Take how full a lot was; what is older than the newest known, or hardly known, is left out."""
        trend = self._trends.setdefault(lot_id, History(WINDOW_S))
        for sample in samples:
            if 2 * sample.n_unknown > sample.n_bays:
                continue
            trend.add(sample.at.timestamp(), float(sample.n_occupied))
        self.viewport().update()

    def set_trend(self, lot_id: str, samples: Iterable[LotOccupancy]) -> None:
        """Take how full a lot was before what is known of it already."""
        later = self._trends.pop(lot_id, History(WINDOW_S)).samples
        self.add_trend(lot_id, samples)
        for at_s, value in later:
            self._trends[lot_id].add(at_s, value)

    @property
    def chosen(self) -> tuple[str, str] | None:
        """Lot and zone that are chosen."""
        row = self._rows.row_at(self.currentIndex())
        return None if row is None else (row.lot_id, row.zone.zone if row.zone is not None else "")

    def select(self, lot_id: str, zone: str = "") -> None:
        """Choose a lot, or one of its zones, without telling anybody."""
        for number, row in enumerate(self._rows.rows):
            if row.lot_id == lot_id and (row.zone.zone if row.zone is not None else "") == zone:
                model = self.selectionModel()
                model.blockSignals(True)
                self.setCurrentIndex(self._rows.index(number))
                model.blockSignals(False)
                self.viewport().update()
                return

    def _on_current(self, index: QModelIndex, _before: QModelIndex) -> None:
        row = self._rows.row_at(index)
        if row is not None:
            self.lot_chosen.emit(row.lot_id, row.zone.zone if row.zone is not None else "")

    def sizeHint(self) -> QSize:
        """Return room for a name, a number and a line of the last hours."""
        return QSize(look().sizes.body * 24, look().sizes.body * 20)

    def minimumSizeHint(self) -> QSize:
        """Return room for one lot."""
        return QSize(look().sizes.body * 15, look().sizes.body * 8)


class _Rows(QAbstractListModel):
    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.rows: list[LotRow] = []

    def show_rows(self, rows: list[LotRow]) -> None:
        if [_place(row) for row in rows] != [_place(row) for row in self.rows]:
            self.beginResetModel()
            self.rows = rows
            self.endResetModel()
            return
        changed = [number for number, row in enumerate(rows) if row != self.rows[number]]
        self.rows = rows
        if changed:
            self.dataChanged.emit(self.index(changed[0]), self.index(changed[-1]))

    def row_at(self, index: _Index) -> LotRow | None:
        return self.rows[index.row()] if index.isValid() and index.row() < len(self.rows) else None

    def rowCount(self, parent: _Index = _NOWHERE) -> int:
        return 0 if parent.isValid() else len(self.rows)

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        row = self.row_at(index)
        if row is None:
            return None
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole):
            return row.text
        if role == Qt.ItemDataRole.ToolTipRole:
            return "\n".join(row.lot.faults) if row.lot is not None and row.zone is None else ""
        return None


class _RowPainter(QStyledItemDelegate):
    def __init__(self, trends: Mapping[str, History], clock: Clock, parent: QWidget) -> None:
        super().__init__(parent)
        self._trends, self._clock = trends, clock
        self.is_trusted = True

    def sizeHint(self, _option: QStyleOptionViewItem, index: _Index) -> QSize:
        made = look()
        row = index.model().row_at(index)  # type: ignore[attr-defined]
        if row is not None and row.zone is not None:
            return QSize(0, round(made.sizes.body * 1.9))
        n_lines = 4.6 + (1.3 if row is not None and row.lot is not None and row.lot.faults else 0.0)
        return QSize(0, round(made.sizes.body * n_lines))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: _Index) -> None:
        row = index.model().row_at(index)  # type: ignore[attr-defined]
        if row is None:
            return
        made = look()
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if option.state & QStyle.StateFlag.State_Selected:
            painter.fillRect(option.rect, made.color("selection"))
        elif option.state & QStyle.StateFlag.State_MouseOver:
            painter.fillRect(option.rect, made.color("hover"))
        room = QRectF(option.rect).adjusted(made.sizes.gap * 2, made.sizes.gap, -made.sizes.gap * 2, -made.sizes.gap)
        font = QFont(option.font)
        if row.zone is None:
            self._paint_lot(painter, room, row, font, made)
        else:
            self._paint_zone(painter, room, row, font, made)
        painter.restore()

    def _paint_lot(self, painter: QPainter, room: QRectF, row: LotRow, font: QFont, made: Look) -> None:
        body = made.sizes.body
        strong = QFont(font)
        strong.setBold(True)
        head = QRectF(room.left(), room.top(), room.width(), body * 1.5)
        lot = row.lot
        number = "--" if lot is None else free_text(lot)
        of = "" if lot is None else f" free of {lot.n_bays}"
        of_width = _text(painter, head, of, font, made.color("text_secondary"), Qt.AlignmentFlag.AlignRight)
        head.setRight(head.right() - of_width)
        color = made.color("text" if self.is_trusted else "text_disabled")
        width = _text(painter, head, number, strong, color, Qt.AlignmentFlag.AlignRight)
        head.setRight(head.right() - width - body)
        name = row.name if not row.site else f"{row.name}, {row.site}"
        _text(painter, head, name, strong, made.color("text"), Qt.AlignmentFlag.AlignLeft)
        trend_width = min(room.width() * 0.3, body * 9.0)
        bar = QRectF(room.left(), room.top() + body * 1.75, room.width() - trend_width - body, body * 0.9)
        self._paint_bar(painter, bar, row, made)
        spark = QRectF(bar.right() + body, bar.top() - body * 0.2, trend_width, body * 1.2)
        trend = self._trends.get(row.lot_id)
        if trend is not None:
            now_s = self._clock.now().timestamp()
            samples = trend.samples
            if samples:
                # The newest figure holds until now.
                samples = (*samples, (now_s, samples[-1][1]))
            paint_sparkline(painter, spark, samples, now_s, WINDOW_S, made)
        foot = QRectF(room.left(), bar.bottom() + body * 0.2, room.width(), body * 1.4)
        self._paint_foot(painter, foot, lot, font, made)

    def _paint_foot(self, painter: QPainter, foot: QRectF, lot: LotOccupancy | None, font: QFont, made: Look) -> None:
        said = "Nobody counted yet." if lot is None else fill_text(lot)
        width = _text(painter, foot, said, font, made.color("text_secondary"), Qt.AlignmentFlag.AlignLeft)
        age = "" if lot is None else self._age(lot.at)
        if QFontMetricsF(font).horizontalAdvance(age) + made.sizes.body <= foot.width() - width:
            _text(painter, foot, age, font, made.color("text_secondary"), Qt.AlignmentFlag.AlignRight)
        if lot is not None and lot.faults:
            fault = foot.translated(0, made.sizes.body * 1.3)
            more = f" (and {len(lot.faults) - 1} more)" if len(lot.faults) > 1 else ""
            _text(painter, fault, f"! {lot.faults[0]}{more}", font, made.color("quality"), Qt.AlignmentFlag.AlignLeft)

    def _paint_zone(self, painter: QPainter, room: QRectF, row: LotRow, font: QFont, made: Look) -> None:
        body = made.sizes.body
        zone = row.zone
        assert zone is not None
        inner = room.adjusted(body * 1.4, 0, 0, 0)
        said = f"{free_text(zone)} free of {zone.n_bays}"
        width = _text(painter, inner, said, font, made.color("text_secondary"), Qt.AlignmentFlag.AlignRight)
        name = QRectF(inner)
        name.setRight(inner.right() - width - body)
        used = _text(painter, name, row.name, font, made.color("text"), Qt.AlignmentFlag.AlignLeft)
        bar_width = min(name.width() - used - body, body * 9.0)
        if bar_width >= body * 3.0:
            top = inner.center().y() - body * 0.3
            self._paint_bar(painter, QRectF(name.right() - bar_width, top, bar_width, body * 0.6), row, made)

    def _paint_bar(self, painter: QPainter, bar: QRectF, row: LotRow, made: Look) -> None:
        counted = row.counted
        paint_fill(
            painter,
            bar,
            made,
            n_bays=counted.n_bays if counted is not None else 0,
            n_occupied=counted.n_occupied if counted is not None else 0,
            n_unknown=counted.n_unknown if counted is not None else 0,
            n_stale=counted.n_stale if counted is not None else 0,
            is_trusted=self.is_trusted,
        )

    def _age(self, at: datetime) -> str:
        return format_age((self._clock.now() - at).total_seconds())


def _name(lot_id: str, drawn: Mapping[str, Lot], names: Mapping[str, str]) -> str:
    plan = drawn.get(lot_id)
    return plan.name if plan is not None else names.get(lot_id, lot_id)


def _place(row: LotRow) -> tuple[str, str, bool]:
    has_faults = row.zone is None and row.lot is not None and bool(row.lot.faults)
    return row.lot_id, row.zone.zone if row.zone is not None else "", has_faults


def _text(painter: QPainter, rect: QRectF, text: str, font: QFont, color: Any, side: Qt.AlignmentFlag) -> float:
    """Write one line, cut to the room there is; returns its width [px]."""
    metrics = QFontMetricsF(font)
    shown = metrics.elidedText(text, Qt.TextElideMode.ElideRight, rect.width())
    painter.setFont(font)
    painter.setPen(color)
    painter.drawText(rect, side | Qt.AlignmentFlag.AlignVCenter, shown)
    return metrics.horizontalAdvance(shown)
