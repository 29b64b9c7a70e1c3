"""The fleet: every drone with what matters of it; choose one by pointer or arrow keys, Enter opens its page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from PySide6.QtCore import QEvent, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QFont,
    QFontMetricsF,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QResizeEvent,
)
from PySide6.QtWidgets import QFrame, QScrollArea, QSizePolicy, QVBoxLayout, QWidget

from core.drones.model import Drone, DroneLink, DroneState, LinkHealth
from core.kernel.clock import Clock, SystemClock
from widgets.base.conditions import Condition, paint_condition
from widgets.base.state_overlay import PanelState, StateOverlay, paint_hatching
from widgets.base.theme import look
from widgets.base.while_seen import WhileSeen
from widgets.drones.figure import paint_figure, paint_sending
from widgets.drones.words import (
    HEIGHT_KEYS,
    SPEED_KEYS,
    Shown,
    armed_words,
    battery_shown,
    condition_of,
    first_shown,
    landed_words,
    link_words,
    mode_words,
    sending_words,
    shown,
)

TICK_MS = 250
"""Figures that change faster cannot be read; ages grow by themselves."""

_WIDE_EM = 21
_TITLES = ("Battery", "Height", "Speed", "Home")


@dataclass(frozen=True, slots=True, kw_only=True)
class CardText:
    """What one card says."""

    drone_id: str
    name: str
    condition: Condition
    link: str
    mode: str
    armed: str
    landed: str
    figures: tuple[Shown, ...]
    fault: str = ""
    sending: str = ""
    is_lost: bool = False

    @property
    def n_notes(self) -> int:
        """Lines that are not always there."""
        return bool(self.fault) + bool(self.sending)

    @property
    def sentence(self) -> str:
        """The whole card for a screen reader."""
        figures = (f"{title}: {one.sentence}" for title, one in zip(_TITLES, self.figures, strict=True))
        parts = (self.name, self.link, self.sending, self.mode, self.armed, self.landed, *figures, self.fault)
        return ", ".join(part for part in parts if part)


def card_of(
    drone: Drone | None, state: DroneState, now: datetime, links: Mapping[str, DroneLink] | None = None
) -> CardText:
    """Return what the card of a drone says at an instant; `links` are the node's, by id."""
    sending = [sending_words(links[one.link_id]) for one in state.links if links and one.link_id in links]
    return CardText(
        drone_id=state.drone_id,
        name=state.drone_id if drone is None else drone.name,
        condition=condition_of(state),
        link=link_words(state, now),
        mode=mode_words(state, now),
        armed=armed_words(state),
        landed=landed_words(state, now),
        figures=(
            battery_shown(state, now),
            first_shown(state, HEIGHT_KEYS, now),
            first_shown(state, SPEED_KEYS, now),
            shown(state, "home_distance_m", now),
        ),
        fault=" ".join(state.faults),
        sending=next((words for words in sending if words), ""),
        is_lost=state.health is LinkHealth.LOST and state.heartbeat_at is not None,
    )


class FleetStrip(QWidget):
    """All drones, by name.

    Keys: Up and Down (also Left and Right) go from drone to drone, Enter opens the page of the chosen one.

    Signals:
        drone_chosen(str): Id; pointed at, or gone to by the arrows.
        drone_opened(str): Id; Enter or a double click.
    """

    drone_chosen = Signal(str)
    drone_opened = Signal(str)

    def __init__(self, clock: Clock | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._clock = clock or SystemClock()
        self._drones: Mapping[str, Drone] = {}
        self._states: Mapping[str, DroneState] = {}
        self._links: Mapping[str, DroneLink] = {}
        self._cards: dict[str, _Card] = {}
        self._chosen = ""
        self._build()
        self._tick = WhileSeen(self, TICK_MS, self.refresh, self.refresh)

    def _build(self) -> None:
        self._list = _List(self)
        self._column = QVBoxLayout(self._list)
        gap = look().sizes.gap
        self._column.setContentsMargins(gap, gap, gap, gap)
        self._column.setSpacing(gap)
        self._column.addStretch(1)
        self._scroll = QScrollArea(self)
        self._scroll.setWidgetResizable(True)
        self._scroll.setFrameShape(QFrame.Shape.NoFrame)
        self._scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._scroll.setWidget(self._list)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._scroll)
        self.setFocusProxy(self._list)
        self._overlay = StateOverlay(self)
        self._show_emptiness()

    @property
    def cards(self) -> tuple[CardText, ...]:
        """What the operator reads, from top to bottom."""
        return tuple(card.text for card in self._in_order())

    @property
    def chosen(self) -> str:
        """Id of the chosen drone; empty where none is."""
        return self._chosen

    def show_fleet(self, drones: Mapping[str, Drone], states: Mapping[str, DroneState]) -> None:
        """Show these drones; the mappings are looked at again several times a second while one looks."""
        self._drones, self._states = drones, states
        if self._cards.keys() != states.keys() or self._are_names_new():
            self._rebuild()
        self.refresh()

    def show_links(self, links: Mapping[str, DroneLink]) -> None:
        """Show on which of the node's links something is sent."""
        self._links = links
        self.refresh()

    def choose(self, drone_id: str) -> None:
        """Mark a drone without saying so."""
        self._chosen = drone_id if drone_id in self._states else ""
        for card in self._cards.values():
            card.set_chosen(card.text.drone_id == self._chosen)
        self._describe()

    def show_lost(self, sentence: str) -> None:
        """The node is gone: what stands here is the last known."""
        self._overlay.show_state(PanelState.STALE, sentence)

    def show_current(self) -> None:
        """The node is there again."""
        self._overlay.clear()
        self._show_emptiness()

    def refresh(self) -> None:
        """Show everything as of now."""
        now = self._clock.now()
        for drone_id, card in self._cards.items():
            card.show_text(card_of(self._drones.get(drone_id), self._states[drone_id], now, self._links))
        self._describe()

    def step(self, step: int) -> None:
        """Choose the next (1) or previous (-1) drone."""
        order = [card.text.drone_id for card in self._in_order()]
        if not order:
            return
        at = order.index(self._chosen) + step if self._chosen in order else 0
        self._choose_aloud(order[max(0, min(at, len(order) - 1))])

    def open_chosen(self) -> None:
        """Open the page of the chosen drone."""
        if self._chosen:
            self.drone_opened.emit(self._chosen)

    def _are_names_new(self) -> bool:
        now = self._clock.now()
        return any(
            card.text.name != card_of(self._drones.get(key), self._states[key], now).name
            for key, card in self._cards.items()
        )

    def _rebuild(self) -> None:
        for drone_id in self._cards.keys() - self._states.keys():
            card = self._cards.pop(drone_id)
            self._column.removeWidget(card)
            card.deleteLater()
        now = self._clock.now()
        for drone_id, state in self._states.items():
            text = card_of(self._drones.get(drone_id), state, now, self._links)
            if drone_id not in self._cards:
                card = self._cards[drone_id] = _Card(text, self._list)
                card.pressed.connect(self._on_pressed)
                card.opened.connect(self.drone_opened)
            self._cards[drone_id].show_text(text)
        for row, card in enumerate(self._in_order()):
            self._column.removeWidget(card)
            self._column.insertWidget(row, card)
        self.choose(self._chosen)
        self._show_emptiness()

    def _in_order(self) -> list[_Card]:
        return sorted(self._cards.values(), key=lambda card: (card.text.name.casefold(), card.text.drone_id))

    def _show_emptiness(self) -> None:
        if self._overlay.state is PanelState.STALE:
            return
        if self._cards:
            self._overlay.clear()
        else:
            self._overlay.show_state(
                PanelState.EMPTY,
                "No drone has been heard yet.",
                "A drone appears here by itself once a link, an HTTP sender or the broker hears it.",
            )

    def _on_pressed(self, drone_id: str) -> None:
        self._list.setFocus(Qt.FocusReason.MouseFocusReason)
        self._choose_aloud(drone_id)

    def _choose_aloud(self, drone_id: str) -> None:
        is_new = drone_id != self._chosen
        self.choose(drone_id)
        self._scroll.ensureWidgetVisible(self._cards[drone_id], 0, look().sizes.gap)
        if is_new:
            self.drone_chosen.emit(drone_id)

    def _describe(self) -> None:
        card = self._cards.get(self._chosen)
        said = "No drone is chosen" if card is None else card.text.sentence
        if self._list.accessibleDescription() != said:
            self._list.setAccessibleDescription(said)

    def sizeHint(self) -> QSize:
        """Return room for a column of cards."""
        body = look().sizes.body
        return QSize(body * 20, body * 24)


class _List(QWidget):
    """Takes the keys for all cards."""

    def __init__(self, strip: FleetStrip) -> None:
        super().__init__(strip)
        self._strip = strip
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName("Drones")

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Go from drone to drone."""
        key = event.key()
        if key in (Qt.Key.Key_Down, Qt.Key.Key_Right):
            self._strip.step(1)
        elif key in (Qt.Key.Key_Up, Qt.Key.Key_Left):
            self._strip.step(-1)
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._strip.open_chosen()
        else:
            super().keyPressEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the ring that says the keys go here."""
        if self.hasFocus():
            with QPainter(self) as painter:
                painter.setPen(QPen(look().color("focus"), 2))
                painter.drawRect(QRectF(self.rect()).adjusted(1, 1, -1, -1))


class _Card(QWidget):
    """Paints one drone.

    Signals:
        pressed(str), opened(str): Id.
    """

    pressed = Signal(str)
    opened = Signal(str)

    def __init__(self, text: CardText, parent: QWidget) -> None:
        super().__init__(parent)
        self.text = text
        self._is_chosen = False
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self._refit()

    def show_text(self, text: CardText) -> None:
        """Say something else."""
        if text == self.text:
            return
        is_higher = text.n_notes != self.text.n_notes
        self.text = text
        if is_higher:
            self._refit()
        self.update()

    def set_chosen(self, is_chosen: bool) -> None:
        """Mark or unmark it."""
        if is_chosen is not self._is_chosen:
            self._is_chosen = is_chosen
            self.update()

    def _refit(self) -> None:
        sizes = look().sizes
        rows = 1 if self.width() >= sizes.body * _WIDE_EM else 2
        height = sizes.gap * 4 + sizes.title * 1.5 + sizes.small * 1.5 + rows * self._figure_px
        height += self.text.n_notes * sizes.small * 1.5
        if self.height() != round(height):
            self.setFixedHeight(round(height))
        self.setToolTip(self.text.fault)

    @property
    def _figure_px(self) -> float:
        sizes = look().sizes
        return sizes.caption * 1.3 + sizes.heading * 1.35

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint name, link, mode and figures."""
        made, sizes = look(), look().sizes
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            frame = QRectF(self.rect()).adjusted(1, 1, -1, -1)
            painter.setPen(QPen(made.color("focus" if self._is_chosen else "line"), 2 if self._is_chosen else 1))
            painter.setBrush(made.color("selection" if self._is_chosen else "raised"))
            painter.drawRoundedRect(frame, sizes.radius, sizes.radius)
            if self.text.is_lost:
                paint_hatching(painter, frame, made.color("line"))
            room = frame.adjusted(sizes.gap * 2, sizes.gap * 1.5, -sizes.gap * 2, -sizes.gap)
            room.setTop(self._paint_head(painter, room))
            room.setTop(self._paint_state(painter, room))
            if self.text.sending:
                line = QRectF(room.left(), room.top(), room.width(), sizes.small * 1.5)
                paint_sending(painter, line, self.text.sending, made)
                room.setTop(line.bottom() + 1)
            if self.text.fault:
                room.setTop(self._paint_fault(painter, room))
            self._paint_figures(painter, room)

    def _paint_head(self, painter: QPainter, room: QRectF) -> float:
        made, sizes, text = look(), look().sizes, self.text
        line = QRectF(room.left(), room.top(), room.width(), sizes.title * 1.5)
        side = sizes.body
        symbol = QRectF(line.left(), line.center().y() - side / 2, side, side)
        paint_condition(painter, symbol, text.condition, made)
        painter.setFont(made.font(sizes.small, weight=QFont.Weight.DemiBold))
        painter.setPen(made.color("text" if text.condition is Condition.OK else "quality"))
        link_px = QFontMetricsF(painter.font()).horizontalAdvance(text.link)
        painter.drawText(line, int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter), text.link)
        name = line.adjusted(side + sizes.gap * 1.5, 0, -link_px - sizes.gap * 2, 0)
        _draw_cut(painter, name, text.name, made.font(sizes.title, weight=QFont.Weight.DemiBold))
        return line.bottom()

    def _paint_state(self, painter: QPainter, room: QRectF) -> float:
        made, sizes, text = look(), look().sizes, self.text
        line = QRectF(room.left(), room.top(), room.width(), sizes.small * 1.5)
        painter.setPen(made.color("text_secondary"))
        words = "  ·  ".join(part for part in (text.mode, text.armed, text.landed) if part != "--") or "--"
        _draw_cut(painter, line, words, made.font(sizes.small), ink="text_secondary")
        return line.bottom()

    def _paint_fault(self, painter: QPainter, room: QRectF) -> float:
        line = QRectF(room.left(), room.top(), room.width(), look().sizes.small * 1.5)
        _draw_cut(painter, line, f"? {self.text.fault}", look().font(look().sizes.small), ink="quality")
        return line.bottom()

    def _paint_figures(self, painter: QPainter, room: QRectF) -> None:
        made, sizes = look(), look().sizes
        n_columns = 4 if self.width() >= sizes.body * _WIDE_EM else 2
        width = room.width() / n_columns
        for at, (title, one) in enumerate(zip(_TITLES, self.text.figures, strict=True)):
            row, column = divmod(at, n_columns)
            cell = QRectF(room.left() + column * width, room.top() + row * self._figure_px, width, self._figure_px)
            inner = cell.adjusted(0, 0, -sizes.gap, 0)
            paint_figure(painter, inner, one, made, title=title, digits_px=sizes.heading)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Choose it."""
        self.pressed.emit(self.text.drone_id)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Open it."""
        self.opened.emit(self.text.drone_id)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Put the figures in two rows where there is little room."""
        super().resizeEvent(event)
        self._refit()

    def changeEvent(self, event: QEvent) -> None:
        """Take the new size of text."""
        if event.type() == QEvent.Type.StyleChange:
            self._refit()
        super().changeEvent(event)


def _draw_cut(painter: QPainter, rect: QRectF, text: str, font: QFont, *, ink: str = "text") -> None:
    painter.setFont(font)
    painter.setPen(look().color(ink))
    cut = QFontMetricsF(font).elidedText(text, Qt.TextElideMode.ElideRight, rect.width())
    painter.drawText(rect, int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter), cut)
