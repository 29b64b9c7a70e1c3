"""One drone: how it flies, how it is heard, what is left in its batteries, what it said; readable from two metres."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from PySide6.QtCore import QEvent, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QResizeEvent
from PySide6.QtWidgets import (
    QBoxLayout,
    QFrame,
    QHBoxLayout,
    QLabel,
    QScrollArea,
    QSizePolicy,
    QSplitter,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from core.access.model import Role
from core.drones.model import HEALTH_STALE_S, Drone, DroneLink, DroneState, StatusText
from core.kernel.clock import Clock, SystemClock
from widgets.base.banner import Banner
from widgets.base.conditions import ConditionSymbol
from widgets.base.facts import FactList
from widgets.base.focus import order_focus
from widgets.base.labels import ElidedLabel
from widgets.base.state_overlay import PanelState, StateOverlay
from widgets.base.table import Column, Line, TextTable
from widgets.base.theme import look, set_role
from widgets.base.times import format_clock, format_second
from widgets.base.while_seen import WhileSeen
from widgets.drones.cards import BarColumn, battery_bar, link_bar
from widgets.drones.chart import QuantityCharts
from widgets.drones.history import QuantityHistory
from widgets.drones.instrument import FlightInstrument, attitude_of
from widgets.drones.video_offer import VideoOffer
from widgets.drones.words import (
    UNKNOWN,
    age_of,
    armed_words,
    condition_of,
    duration_words,
    gnss_words,
    landed_words,
    link_words,
    lost_sentence,
    mission_words,
    mode_words,
    sending_sentence,
    shown,
)

TICK_MS = 100
CHART_EVERY = 5
"""A chart is drawn with every so many ticks."""

_FACT_KEYS = (
    "climb_mps",
    "home_distance_m",
    "altitude_amsl_m",
    "altitude_ground_m",
    "air_speed_mps",
    "course_deg",
    "throttle_percent",
    "waypoint_distance_m",
    "wind_speed_mps",
    "wind_from_deg",
    "radio_signal",
    "radio_signal_remote",
    "radio_noise",
    "link_drop_percent",
    "cpu_load_percent",
    "temperature_c",
    "pressure_hpa",
)
_TEXT_COLUMNS = (Column(title="Message"), Column(title="Level"), Column(title="Time"), Column(title="Times", rank=1))
_NARROW_EM, _TALL_EM = 42, 50


class DronePage(QWidget):
    """The page.

    Keys: Page Up and Page Down go from drone to drone.

    Signals:
        step_wanted(int): The next (1) or previous (-1) drone.
        video_wanted(str): Id of the drone whose stream is to be a camera.
    """

    step_wanted = Signal(int)
    video_wanted = Signal(str)

    def __init__(self, history: QuantityHistory, clock: Clock | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._clock = clock or SystemClock()
        self._drone: Drone | None = None
        self._state: DroneState | None = None
        self._node_links: Mapping[str, DroneLink] = {}
        self._replayed_at: datetime | None = None
        self._texts: tuple[StatusText, ...] | None = None
        self._n_ticks = 0
        self._build(history)
        self._tick = WhileSeen(self, TICK_MS, self._on_tick, self.refresh)
        self._show_emptiness()

    # -- building ----------------------------------------------------------------------------------------------------

    def _build(self, history: QuantityHistory) -> None:
        self._instrument = FlightInstrument(self)
        self._charts = QuantityCharts(history, self)
        self._log = TextTable("Status texts of the drone", _TEXT_COLUMNS, self)
        self._tabs = QTabWidget(self)
        self._tabs.addTab(self._charts, "Charts")
        self._tabs.addTab(self._log, "Messages")
        self._tabs.setDocumentMode(True)
        self._tabs.setAccessibleName("Charts and messages")
        self._tabs.tabBar().setAccessibleName("Charts or messages")
        self._split = QSplitter(Qt.Orientation.Vertical, self)
        upper = QWidget(self)
        self._upper = QHBoxLayout(upper)
        gap = look().sizes.gap
        self._upper.setContentsMargins(gap * 2, gap, gap * 2, gap)
        self._upper.setSpacing(gap * 3)
        self._upper.addWidget(self._instrument, 3)
        self._upper.addWidget(self._build_side(), 2)
        self._split.addWidget(upper)
        self._split.addWidget(self._tabs)
        self._split.setStretchFactor(0, 3)
        self._split.setStretchFactor(1, 2)
        self._split.setSizes([look().sizes.body * 24, look().sizes.body * 12])
        self._split.setChildrenCollapsible(False)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self._build_head())
        self._sending = Banner(self)
        column.addWidget(self._sending)
        column.addWidget(self._build_notice())
        column.addWidget(self._split, 1)
        self._overlay = StateOverlay(self)
        order_focus(self)

    def _build_head(self) -> QWidget:
        head = QFrame(self)
        set_role(head, "strip")
        gap = look().sizes.gap
        column = QVBoxLayout(head)
        column.setContentsMargins(gap * 3, gap * 2, gap * 3, gap * 2)
        column.setSpacing(0)
        row = QHBoxLayout()
        row.setSpacing(gap * 2)
        self._symbol = ConditionSymbol(head)
        self._name = ElidedLabel("", head)
        set_role(self._name, "heading")
        self._link = QLabel(head)
        set_role(self._link, "heading")
        row.addWidget(self._symbol)
        row.addWidget(self._name, 1)
        row.addWidget(self._link)
        self._mode = ElidedLabel("", head)
        set_role(self._mode, "heading")
        self._flight = QLabel(head)
        set_role(self._flight, "title")
        below = QHBoxLayout()
        below.setSpacing(gap * 2)
        below.addWidget(self._mode, 1)
        below.addWidget(self._flight)
        column.addLayout(row)
        column.addLayout(below)
        return head

    def _build_notice(self) -> QWidget:
        self._notice = QLabel(self)
        self._notice.setWordWrap(True)
        self._notice.setTextFormat(Qt.TextFormat.PlainText)
        self._notice.setContentsMargins(*[look().sizes.gap * 2] * 4)
        self._notice.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        set_role(self._notice, "toast")
        self._notice.hide()
        return self._notice

    def _build_side(self) -> QWidget:
        self._batteries = BarColumn("Batteries", "No battery is known.")
        self._links = BarColumn("Links", "No link has heard it.")
        self._video = VideoOffer()
        self._video.wanted.connect(self.video_wanted)
        self._facts = FactList()
        side = QWidget(self)
        column = QVBoxLayout(side)
        gap = look().sizes.gap
        column.setContentsMargins(0, 0, gap * 2, 0)
        column.setSpacing(gap * 3)
        for part in (self._batteries, self._links, self._video, self._facts):
            column.addWidget(part)
        column.addStretch(1)
        scroll = QScrollArea(self)
        scroll.setWidget(side)
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setAccessibleName("Batteries, links and figures")
        scroll.setMinimumWidth(look().sizes.body * 13)
        self._side = scroll
        return scroll

    # -- what is shown -----------------------------------------------------------------------------------------------

    @property
    def drone_id(self) -> str:
        """Whose page it is; empty for none."""
        return "" if self._state is None else self._state.drone_id

    @property
    def notice(self) -> str:
        """The sentence above the instruments; empty while there is none."""
        return self._notice.text() if self._notice.isVisibleTo(self) else ""

    @property
    def facts(self) -> dict[str, str]:
        """The figures that the operator reads beside the instruments."""
        return self._facts.facts

    @property
    def instrument(self) -> FlightInstrument:
        """The flight instruments."""
        return self._instrument

    @property
    def charts(self) -> QuantityCharts:
        """The charts."""
        return self._charts

    @property
    def batteries(self) -> BarColumn:
        """The batteries."""
        return self._batteries

    @property
    def links(self) -> BarColumn:
        """The links."""
        return self._links

    @property
    def head(self) -> tuple[str, str, str]:
        """Name, link and mode, as they are read."""
        return self._name.text(), self._link.text(), self._mode.text()

    @property
    def messages(self) -> tuple[Line, ...]:
        """The status texts that are listed, newest first."""
        return self._log.lines

    def show_drone(self, drone: Drone | None, state: DroneState | None) -> None:
        """Show a drone as it is now."""
        self._drone, self._state, self._replayed_at = drone, state, None
        self._show_emptiness()
        self.refresh()

    def show_replayed(self, drone: Drone | None, state: DroneState, at: datetime) -> None:
        """Show a drone as it was; the page says all the time that this is a replay."""
        self._drone, self._state, self._replayed_at = drone, state, at
        self._show_emptiness()
        self.refresh()

    @property
    def video(self) -> VideoOffer:
        """The stream that can be added as a camera."""
        return self._video

    def set_role(self, role: Role) -> None:
        """Offer what this role may do; the node decides."""
        self._video.set_role(role)

    def show_links(self, links: Mapping[str, DroneLink]) -> None:
        """Show on which of the node's links something is sent, by id."""
        self._node_links = links
        self.refresh()

    @property
    def sending(self) -> str:
        """The red sentence of links that send to this drone; empty while all only listen."""
        return self._sending.text

    def show_lost(self, sentence: str) -> None:
        """The node is gone: what stands here is the last known."""
        self._overlay.show_state(PanelState.STALE, sentence)

    def show_current(self) -> None:
        """The node is there again."""
        self._overlay.clear()
        self._show_emptiness()

    def refresh(self) -> None:
        """Show everything as of now, or as of the moment that is replayed."""
        state = self._state
        if state is None:
            return
        now = self._replayed_at or self._clock.now()
        self._show_head(state, now)
        self._show_notice(state, now)
        self._instrument.show_attitude(attitude_of(state, now))
        self._batteries.show_bars([battery_bar(pack, now) for pack in state.batteries])
        self._show_links(state, now)
        self._show_video(state)
        self._facts.show_facts(self._facts_of(state, now))
        self._show_texts(state)
        self._charts.show_drone(state.drone_id)

    def _show_head(self, state: DroneState, now: datetime) -> None:
        drone = self._drone
        kind = "" if drone is None else "  ".join(part for part in (drone.kind, drone.autopilot) if part)
        name = state.drone_id if drone is None else drone.name
        _say(self._name, f"{name}   {kind}".strip())
        _say(self._link, "Replay" if self._replayed_at is not None else link_words(state, now))
        self._symbol.show_condition(condition_of(state))
        words = (mode_words(state, now), armed_words(state), landed_words(state, now))
        _say(self._mode, "  ·  ".join(word for word in words if word != UNKNOWN) or UNKNOWN)
        since = state.airborne_since
        _say(self._flight, "" if since is None else f"Flight {duration_words((now - since).total_seconds())}")

    def _show_notice(self, state: DroneState, now: datetime) -> None:
        said = [lost_sentence(self._drone, state, now), *state.faults]
        if self._replayed_at is not None:
            said = [f"REPLAY of {format_second(self._replayed_at)}. Nothing here is from now.", *state.faults]
        elif state.is_fence_breached:
            said.insert(0, "It is outside of its own fence.")
        text = " ".join(part for part in said if part)
        _say(self._notice, text)
        self._notice.setVisible(bool(text))

    def _facts_of(self, state: DroneState, now: datetime) -> list[tuple[str, str]]:
        facts = [("Mission", mission_words(state.mission, now))]
        facts += [(f"GNSS {gnss.number + 1}", gnss_words(gnss, now)) for gnss in state.gnss] or [("GNSS", UNKNOWN)]
        for key in _FACT_KEYS:
            one = shown(state, key, now)
            if one.value is not None or key in _FACT_KEYS[:2]:
                facts.append((one.title, one.sentence))
        if state.parts is not None:
            ill = [bit.name for bit in state.parts.bits if bit.is_enabled and not bit.is_healthy]
            age = age_of(state.parts.at, now, HEALTH_STALE_S)
            n_enabled = sum(bit.is_enabled for bit in state.parts.bits)
            words = f"Not well: {', '.join(ill)}" if ill else f"{n_enabled} well"
            facts.append(("Parts", f"{words}, {age} old" if age else words))
        return facts

    def _show_links(self, state: DroneState, now: datetime) -> None:
        links = {} if self._replayed_at is not None else self._node_links
        self._links.show_bars([link_bar(link, now, links.get(link.link_id)) for link in state.links])
        heard_on = {link.link_id for link in state.links}
        sending = [sending_sentence(link) for link in links.values() if link.is_active and link.link_id in heard_on]
        if sending:
            self._sending.show_cause("sending", " ".join(sending))
        else:
            self._sending.clear_cause("sending")

    def _show_video(self, state: DroneState) -> None:
        if self._replayed_at is None:
            self._video.show_offer(self._drone, state)
        else:
            self._video.hide()

    def _show_texts(self, state: DroneState) -> None:
        if state.texts == self._texts:
            return
        self._texts = state.texts
        self._log.show_lines([_line_of(at, text) for at, text in reversed(list(enumerate(state.texts)))])
        self._tabs.setTabText(1, f"Messages  {len(state.texts)}" if state.texts else "Messages")

    def _show_emptiness(self) -> None:
        if self._overlay.state is PanelState.STALE:
            return
        if self._state is None:
            self._overlay.show_state(PanelState.EMPTY, "No drone is chosen.", "Choose one in the fleet or on the map.")
        else:
            self._overlay.clear()

    def _on_tick(self) -> None:
        if self._replayed_at is None:
            self.refresh()
        self._n_ticks += 1
        if self._n_ticks % CHART_EVERY == 0:
            self._charts.show_at(self._replayed_at or self._clock.now())

    # -- Qt ----------------------------------------------------------------------------------------------------------

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Go from drone to drone."""
        if event.key() == Qt.Key.Key_PageDown:
            self.step_wanted.emit(1)
        elif event.key() == Qt.Key.Key_PageUp:
            self.step_wanted.emit(-1)
        else:
            super().keyPressEvent(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Put the figures below the instruments in a narrow and high dock."""
        super().resizeEvent(event)
        em = look().sizes.body
        is_upright = self.width() < em * _NARROW_EM and self.height() > em * _TALL_EM
        wanted = QBoxLayout.Direction.TopToBottom if is_upright else QBoxLayout.Direction.LeftToRight
        if self._upper.direction() is not wanted:
            self._upper.setDirection(wanted)

    def changeEvent(self, event: QEvent) -> None:
        """Take the new size of text."""
        if event.type() == QEvent.Type.StyleChange and hasattr(self, "_side"):
            self._side.setMinimumWidth(look().sizes.body * 13)
        super().changeEvent(event)

    def sizeHint(self) -> QSize:
        """Return room for the whole page."""
        body = look().sizes.body
        return QSize(body * 52, body * 40)


def _line_of(at: int, text: StatusText) -> Line:
    times = "" if text.n_times == 1 else f"{text.n_times}x"
    cells: Sequence[str] = (text.text, text.level.value, format_clock(text.at), times)
    return Line(key=f"{at}", cells=tuple(cells), tip=f"First said {format_clock(text.first_at)}")


def _say(label: QLabel, text: str) -> None:
    if label.text() != text:
        label.setText(text)
