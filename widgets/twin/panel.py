"""The parking twin: the operator sees every bay of one lot or of all, now, as it was, or as it is expected.

In three dimensions, or as a table with the same content and the same selection.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from PySide6.QtCore import QEvent, QTimer, Signal
from PySide6.QtGui import QAction, QHideEvent, QResizeEvent, QShowEvent
from PySide6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLabel,
    QMenu,
    QPushButton,
    QStackedWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from core.kernel.clock import Clock, SystemClock
from core.kernel.zone import to_site
from core.parking.model import Bay, BayChange, BayState, BayStatus, Lot
from widgets.base.flow import FlowLayout
from widgets.base.focus import order_focus
from widgets.base.state_overlay import PanelState, StateOverlay
from widgets.base.symbols import AlarmMark
from widgets.base.theme import look, set_role
from widgets.base.times import format_age, format_clock_minute, format_minute
from widgets.twin.bay_card import BayCard
from widgets.twin.board import Board, look_by_share
from widgets.twin.model import Built, Cone, Options, Picture
from widgets.twin.overlay import Legend
from widgets.twin.palette import DAY_THEME, NIGHT_THEME, palette_for
from widgets.twin.scene import BayKey
from widgets.twin.table import BayTable
from widgets.twin.tape import HOUR, LIVE, Mode, Moment, Tape, hour_of
from widgets.twin.time_bar import TimeBar
from widgets.twin.view import TwinView

ALL_LOTS = ""
ALL_LEVELS = None
APART = "apart"
ALL_ROW = 1
"""Of the levels' choice: below it levels one by one, above it all of them apart."""

NO_LOT = "No lot is drawn yet."
NO_LOT_HINT = "Draw its bays in Bays (Ctrl+Shift+B), or import them."
STARTING = "The 3D view is starting."
AGES_MS = 1000
CARD_LEAST_EM = 13
HEAT_SPAN = timedelta(hours=24)
MAX_ZONES = 12
"""Of a lot with more, only the whole is foreseen: each zone is a question of its own."""

HEATS = (("No heat", ""), ("Turnover", "turnover"), ("Dwell", "dwell"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareAhead:
    """What is expected of the bays of a zone.

    Attributes:
        zone: Empty for the whole lot.
        share, low, high: Of its bays that are occupied, 0..1, and between which bounds it will probably be.
        probability: That it will be between them, 0..1.
        is_simulated: Nobody parked there: a demonstration's history stands behind it.
    """

    lot_id: str
    zone: str
    share: float
    low: float
    high: float
    probability: float
    is_simulated: bool = False

    @property
    def words(self) -> str:
        """Say it with its doubt."""
        return f"{self.share:.0%} occupied ({self.low:.0%} to {self.high:.0%}, {self.probability:.0%} sure)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Heat:
    """One figure for every bay of a lot; a bay that is left out has none.

    Attributes:
        unit: Of the values, as the legend writes it.
        is_simulated: Nobody parked there.
    """

    lot_id: str
    kind: str
    values: Mapping[str, float]
    unit: str
    is_simulated: bool = False


class TwinPanel(QWidget):
    """View, table, card and time.

    Signals:
        ordered(object): An `Order` for the drawing process.
        looked_at(): Somebody looks: the drawing process is needed.
        picked(str, str): Lot and bay; both empty for none.
        lot_picked(str): The operator chose a lot.
        changes_wanted(str, object, object): Lot, and from when to when.
        forecast_wanted(str, str, object): Lot, zone (empty for the whole lot), and for when.
        figures_wanted(str, object, object): Lot, from when to when.
        snapshot_wanted(str, str): Lot and bay.
        correction_wanted(str, str, object, str): Lot, bay, `BayState` and reason.
        release_wanted(str, str): Lot and bay.
        picture_export_wanted(object): Write this `QImage` to a file.
        scene_export_wanted(): Write the scene to a file.
    """

    ordered = Signal(object)
    looked_at = Signal()
    picked = Signal(str, str)
    lot_picked = Signal(str)
    changes_wanted = Signal(str, object, object)
    forecast_wanted = Signal(str, str, object)
    figures_wanted = Signal(str, object, object)
    snapshot_wanted = Signal(str, str)
    correction_wanted = Signal(str, str, object, str)
    release_wanted = Signal(str, str)
    picture_export_wanted = Signal(object)
    scene_export_wanted = Signal()

    def __init__(self, clock: Clock | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._clock = clock or SystemClock()
        self._lots: dict[str, Lot] = {}
        self._shown_lots: tuple[Lot, ...] = ()
        self._statuses: dict[BayKey, BayStatus] = {}
        self._board: Board | None = None
        self._moment = LIVE
        self._tapes: dict[tuple[str, datetime], Tape] = {}
        self._asked: set[tuple[str, datetime]] = set()
        self._ahead: dict[tuple[str, str], ShareAhead] = {}
        self._no_ahead: dict[str, str] = {}
        self._heats: dict[str, Heat] = {}
        self._selected: BayKey | None = None
        self._is_day: bool | None = None
        self._has_failed = False
        self._lost = ""
        self._cones: tuple[Cone, ...] = ()
        self._no_position: tuple[str, ...] = ()
        self._misparked: frozenset[tuple[BayKey, BayKey]] = frozenset()
        self._names: dict[str, str] = {}
        self._make_parts()
        self._build()
        self._connect()
        self._show_moment()

    # -- what it is given --------------------------------------------------------------------------------------------

    @property
    def shown_lots(self) -> tuple[Lot, ...]:
        """The lots in the scene."""
        return self._shown_lots

    @property
    def moment(self) -> Moment:
        """Which time is shown."""
        return self._moment

    @property
    def selected(self) -> BayKey | None:
        """The bay that is looked at."""
        return self._selected

    @property
    def is_table(self) -> bool:
        """Whether the table is shown."""
        return self._pages.currentWidget() is self.table

    @property
    def sentence(self) -> str:
        """Why there is no 3D view; empty where there is one."""
        return self._said.text() if self._has_failed else ""

    @property
    def empty_sentence(self) -> str:
        """Why there is nothing to see; empty where there is something."""
        return self._empty.sentence if self._empty.state is not None else ""

    def show_lots(self, lots: Iterable[Lot]) -> None:
        """Show these lots as they are drawn."""
        before, self._lots = self._lots, {lot.lot_id: lot for lot in lots}
        if before == self._lots and before:
            return
        self._fill_lots()
        self._choose_lots()

    def show_statuses(self, statuses: Iterable[BayStatus]) -> None:
        """Forget how bays stood, and take this."""
        self._statuses = {(one.lot_id, one.bay_id): one for one in statuses}
        if self._moment.mode is Mode.LIVE:
            self._show_moment()

    def update_statuses(self, statuses: tuple[BayStatus, ...]) -> None:
        """Take newer states of some bays."""
        for status in statuses:
            self._statuses[status.lot_id, status.bay_id] = status
        if self._moment.mode is not Mode.LIVE:
            return
        self.table.update_statuses(statuses)
        if self._board is not None and self._board.take(statuses) and not self._heat:
            self.view.show_look(self._board.look())
        if self._selected is not None and any((one.lot_id, one.bay_id) == self._selected for one in statuses):
            self._show_card()
            self.snapshot_wanted.emit(*self._selected)

    def show_lost(self, sentence: str) -> None:
        """The node is gone: everything is the last that was known."""
        self._lost = sentence
        self._show_moment()

    def show_current(self) -> None:
        """The node is there again."""
        self._lost = ""
        self._show_moment()

    def show_alarms(self, alarms: Mapping[str, AlarmMark]) -> None:
        """Mark lots that have an alarm."""
        self.view.show_alarms(alarms)

    def show_misparked(self, pairs: Iterable[tuple[BayKey, BayKey]]) -> None:
        """Take which two bays one vehicle takes, by the alarms of now."""
        misparked = frozenset(pairs)
        if misparked == self._misparked:
            return
        self._misparked = misparked
        if self._moment.mode is Mode.LIVE:
            self._show_moment()

    def show_cones(self, cones: Iterable[Cone], no_position: Iterable[str]) -> None:
        """Take what cameras see, and the names of those of which nobody said where they stand."""
        self._cones, self._no_position = tuple(cones), tuple(no_position)
        self._refresh_options()

    def show_built(self, built: Built) -> None:
        """Take the lots as geometry."""
        self.view.show_scene(built.scene, built.number)
        if self.view.scene is built.scene:
            self._board = Board(built.scene)
            self._board.take(self._statuses.values())
            self._show_moment()

    def show_picture(self, picture: Picture) -> None:
        """Take a picture of the scene."""
        self._overlay.clear()
        self.view.show_picture(picture)

    def show_changes(self, lot_id: str, hour: datetime, changes: Iterable[BayChange]) -> None:
        """Take what happened at a lot within an hour."""
        self._tapes[lot_id, hour] = Tape(changes)
        if self._moment.mode is Mode.REPLAY:
            self._show_moment()

    def show_ahead(self, at: datetime, ahead: ShareAhead) -> None:
        """Take what is expected at a lot, or in a zone of it."""
        if self._moment.mode is Mode.FORECAST and self._moment.at == at:
            self._ahead[ahead.lot_id, ahead.zone] = ahead
            self._show_moment()

    def show_no_ahead(self, lot_id: str, sentence: str) -> None:
        """Say why nothing can be foreseen at a lot."""
        self._no_ahead[lot_id] = sentence
        if self._moment.mode is Mode.FORECAST:
            self._show_moment()

    def show_heat(self, lot_id: str, heats: Mapping[str, Heat]) -> None:
        """Take the figures of each bay of a lot, by kind."""
        if self._heat in heats:
            self._heats[lot_id] = heats[self._heat]
            self._show_moment()

    def show_failed(self, sentence: str) -> None:
        """Say that there is no 3D view here, and show the table."""
        self._has_failed = True
        self._overlay.clear()
        self._said.setText(f"{sentence} The table has the same content.")
        self._said.show()
        self.solid.setEnabled(False)
        self._show_page(self.table)

    def start_again(self) -> None:
        """Say everything once more, to a drawing process that has just begun."""
        self.view.say_everything()
        self._order_lots()

    def show_snapshot(self, key: BayKey, jpeg: bytes, age_s: float) -> None:
        """Take the newest picture of a bay; nothing where another one is looked at by now."""
        if key == self._selected and self._moment.mode is Mode.LIVE:
            self.card.show_snapshot(jpeg, f"Picture of {format_age(age_s)} ago")

    def show_no_snapshot(self, key: BayKey, sentence: str) -> None:
        """Say why there is no picture of a bay."""
        if key == self._selected:
            self.card.show_no_snapshot(sentence)

    def show_corrected(self, status: BayStatus) -> None:
        """Take the state of a bay whose correction was taken."""
        self.update_statuses((status,))
        if (status.lot_id, status.bay_id) == self._selected:
            self.card.show_corrected()

    def set_names(self, names: Mapping[str, str]) -> None:
        """Call cameras and devices by their names, by id."""
        if names == self._names:
            return
        self._names = dict(names)
        self.card.set_names(self._names)
        self.table.set_names(self._names)
        self._show_card()

    def set_may_correct(self, may: bool) -> None:
        """Offer corrections to those who may make them."""
        self.card.set_may_correct(may)

    def select_lot(self, lot_id: str) -> None:
        """Come to a lot, as another panel asks."""
        if lot_id not in self._lots:
            return
        if lot_id not in {lot.lot_id for lot in self._shown_lots}:
            self.lot_choice.setCurrentIndex(0)
        self.view.fly_to_lot(lot_id)

    def select_bay(self, lot_id: str, bay_id: str) -> None:
        """Select a bay, as another panel asks; empty ids for none."""
        key = (lot_id, bay_id) if self._bay_of((lot_id, bay_id)) is not None else None
        if key == self._selected:
            return
        self._selected = key
        self.view.select(key)
        self.table.select(key)
        self._show_card()

    def close_timers(self) -> None:
        """Let nothing happen any more."""
        self._ages.stop()
        self.time_bar.close_timers()

    # -- building ----------------------------------------------------------------------------------------------------

    def _make_parts(self) -> None:
        self.lot_choice = _choice("Lot", 10)
        self.level_choice = _choice("Level that is shown", 7)
        self.heat_choice = _choice("Heat over the last 24 hours", 7)
        for words, kind in HEATS:
            self.heat_choice.addItem(words, kind)
        self.solid = QPushButton("3D")
        self.listed = QPushButton("Table")
        for button in (self.solid, self.listed):
            button.setCheckable(True)
            set_role(button, "quiet")
        self.solid.setChecked(True)
        self.view_menu = QMenu(self)
        self.day = self._toggle("Daylight", is_on=False)
        self.shadows = self._toggle("Shadows", is_on=False)
        self.cones = self._toggle("Cameras and what they see", is_on=False)
        self.motion = self._toggle("Cars drive in and out", is_on=True)
        self.view = TwinView(self._options())
        self.table = BayTable()
        self.card = BayCard()
        self.time_bar = TimeBar(self._clock)
        self._said = QLabel()
        self._said.setWordWrap(True)
        set_role(self._said, "secondary")
        self._pages = QStackedWidget()
        self._overlay = StateOverlay(self.view)
        self._empty = StateOverlay(self._pages)
        self._ages = QTimer(self)
        self._ages.setInterval(AGES_MS)

    def _build(self) -> None:
        gap = look().sizes.gap
        bar = QWidget()
        row = FlowLayout(gap * 2, bar)
        row.setContentsMargins(gap * 2, gap, gap * 2, gap)
        export = QMenu(self)
        export.addAction("Picture…", lambda: self.picture_export_wanted.emit(self.view.shot()))
        export.addAction("Scene as glTF…", self.scene_export_wanted.emit)
        for widget in (
            self.lot_choice,
            self.level_choice,
            self.heat_choice,
            _menu_button("Show", self.view_menu),
            _menu_button("Export", export),
            self.solid,
            self.listed,
        ):
            row.addWidget(widget)
        self._pages.addWidget(self.view)
        self._pages.addWidget(self.table)
        middle = QHBoxLayout()
        middle.setSpacing(0)
        middle.addWidget(self._pages, 1)
        middle.addWidget(self.card)
        self.card.hide()
        self._said.setContentsMargins(gap * 2, gap, gap * 2, gap)
        self._said.hide()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(bar)
        column.addWidget(self._said)
        column.addLayout(middle, 1)
        column.addWidget(self.time_bar)
        order_focus(self)
        self._empty.show_state(PanelState.EMPTY, NO_LOT, NO_LOT_HINT)

    def _connect(self) -> None:
        self.lot_choice.currentIndexChanged.connect(self._on_lot)
        self.level_choice.currentIndexChanged.connect(self._refresh_options)
        self.heat_choice.currentIndexChanged.connect(self._on_heat)
        self.solid.clicked.connect(lambda: self._show_page(self.view))
        self.listed.clicked.connect(lambda: self._show_page(self.table))
        for toggle in (self.shadows, self.cones, self.motion):
            toggle.toggled.connect(self._refresh_options)
        self.day.toggled.connect(self._on_day)
        self.view.ordered.connect(self.ordered)
        self.view.bay_picked.connect(self._on_picked)
        self.view.live_wanted.connect(self.time_bar.go_live)
        self.view.level_step_wanted.connect(self._on_level_step)
        self.view.bay_step_wanted.connect(self._on_bay_step)
        self.table.bay_picked.connect(self._on_picked)
        self.table.bay_activated.connect(self._on_activated)
        self.card.closed.connect(lambda: self._on_picked("", ""))
        self.card.fly_wanted.connect(self._on_fly)
        self.card.correction_wanted.connect(self._on_correction)
        self.card.release_wanted.connect(self._on_release)
        self.time_bar.moment_changed.connect(self._on_moment)
        self._ages.timeout.connect(self._on_ages)

    def _toggle(self, words: str, *, is_on: bool) -> QAction:
        action = self.view_menu.addAction(words)
        action.setCheckable(True)
        action.setChecked(is_on)
        return action

    # -- lots and options --------------------------------------------------------------------------------------------

    def _fill_lots(self) -> None:
        # Where there was one lot only, nobody chose it.
        chosen = self.lot_choice.currentData() if self.lot_choice.count() > 1 else ALL_LOTS
        self.lot_choice.blockSignals(True)
        self.lot_choice.clear()
        if len(self._lots) != 1:
            self.lot_choice.addItem("All lots", ALL_LOTS)
        for lot in sorted(self._lots.values(), key=lambda lot: lot.name):
            self.lot_choice.addItem(lot.name or lot.lot_id, lot.lot_id)
        self.lot_choice.setCurrentIndex(max(0, self.lot_choice.findData(chosen)))
        self.lot_choice.blockSignals(False)

    def _choose_lots(self) -> None:
        chosen = self.lot_choice.currentData()
        lots = [lot for lot in self._lots.values() if not chosen or lot.lot_id == chosen]
        self._shown_lots = tuple(sorted(lots, key=lambda lot: (lot.name, lot.lot_id)))
        if self._shown_lots:
            self._empty.clear()
        else:
            self._empty.show_state(PanelState.EMPTY, NO_LOT, NO_LOT_HINT)
        self._fill_levels()
        self.table.show_lots(self._shown_lots)
        self.table.select(self._selected)
        if self._selected is not None and self._bay_of(self._selected) is None:
            self.select_bay("", "")
        self._board = None
        self._order_lots()
        self._ask_for_moment()
        self._show_moment()

    def _fill_levels(self) -> None:
        levels = {bay.level: str(bay.level) for lot in self._shown_lots for bay in lot.bays}
        levels |= {level.number: level.name for lot in self._shown_lots for level in lot.levels}
        chosen = self.level_choice.currentData()
        self.level_choice.blockSignals(True)
        self.level_choice.clear()
        self.level_choice.addItem("Levels apart", APART)
        self.level_choice.addItem("All levels", ALL_LEVELS)
        for number in sorted(levels, reverse=True):
            self.level_choice.addItem(levels[number], number)
        found = self.level_choice.findData(chosen) if chosen is not None else ALL_ROW
        self.level_choice.setCurrentIndex(found if found >= 0 else ALL_ROW)
        self.level_choice.setVisible(len(levels) > 1)
        self.level_choice.blockSignals(False)

    def _order_lots(self) -> None:
        if self._shown_lots:
            self._refresh_options()
            self.view.order_lots(self._shown_lots)

    def _options(self) -> Options:
        is_day = not look().theme.is_dark if self._is_day is None else self._is_day
        shown = {lot.lot_id for lot in self._shown_lots}
        level = self.level_choice.currentData()
        cones = tuple(cone for cone in self._cones if cone.lot_id in shown) if self.cones.isChecked() else ()
        return Options(
            palette=palette_for(DAY_THEME if is_day else NIGHT_THEME),
            top_level=level if isinstance(level, int) else None,
            is_apart=level == APART,
            has_shadows=self.shadows.isChecked(),
            is_animated=self.motion.isChecked() and not look().is_reduced_motion,
            cones=cones,
        )

    def _refresh_options(self) -> None:
        self.view.show_options(self._options())
        self.view.show_no_position(self._no_position if self.cones.isChecked() else ())

    def _bay_of(self, key: BayKey) -> Bay | None:
        lot = self._lots.get(key[0])
        return next((bay for bay in lot.bays if bay.bay_id == key[1]), None) if lot is not None else None

    @property
    def _heat(self) -> str:
        return str(self.heat_choice.currentData() or "")

    # -- time --------------------------------------------------------------------------------------------------------

    def _ask_for_moment(self) -> None:
        """Ask for what is not known yet of the time that is shown."""
        at = self._moment.at
        for lot in self._shown_lots:
            if self._heat:
                until = self._clock.now()
                self.figures_wanted.emit(lot.lot_id, until - HEAT_SPAN, until)
            if self._moment.mode is Mode.FORECAST:
                zones = sorted({bay.zone for bay in lot.bays} | {""})
                for zone in zones if len(zones) <= MAX_ZONES else [""]:
                    self.forecast_wanted.emit(lot.lot_id, zone, at)
            elif self._moment.mode is Mode.REPLAY and at is not None:
                hour = hour_of(at)
                is_past = hour + HOUR < self._clock.now()
                if (lot.lot_id, hour) in self._asked and (is_past or (lot.lot_id, hour) not in self._tapes):
                    continue
                self._asked.add((lot.lot_id, hour))
                self.changes_wanted.emit(lot.lot_id, hour, hour + HOUR)

    def _show_moment(self) -> None:
        """Show the bays as they stand at the time that is wanted."""
        is_live = self._moment.mode is Mode.LIVE and not self._lost
        self.card.set_live(is_live)
        if not is_live:
            self.card.show_no_snapshot("")
        self.view.show_legend(None)
        self.view.show_captions({}, {})
        match self._moment.mode:
            case Mode.FORECAST:
                self._show_forecast()
            case Mode.REPLAY:
                self._show_states(self._replayed(), at_once=False)
            case Mode.LIVE:
                self._show_states(self._present(), at_once=True)
        if self._heat and self._moment.mode is Mode.LIVE:
            self._show_heat()
        self.view.show_notice(self._notice())
        self._show_card()

    def _present(self) -> Mapping[BayKey, BayStatus]:
        """Return what is known now; without a node nothing confirms it any more."""
        if not self._lost:
            return self._statuses
        return {key: replace(status, is_stale=True) for key, status in self._statuses.items()}

    def _notice(self) -> str:
        at = self._moment.at
        if at is None:
            if self._lost:
                return "Last known, not live"
            if not self._heat:
                return ""
            is_simulated = any(heat.is_simulated for heat in self._heats.values())
            history = ", a simulated history" if is_simulated else ""
            return f"{self.heat_choice.currentText()} over the last 24 hours{history}"
        local, now = to_site(at), to_site(self._clock.now())
        when = format_clock_minute(at) if local.date() == now.date() else f"{local:%a} {format_minute(at)}"
        if self._moment.mode is Mode.REPLAY:
            is_read = all((lot.lot_id, hour_of(at)) in self._tapes for lot in self._shown_lots)
            return f"Replay {when}, not live" if is_read else f"Replay {when}, being read"
        is_simulated = any(one.is_simulated for one in self._ahead.values())
        return f"Forecast for {when}, not known" + (", from a simulated history" if is_simulated else "")

    def _show_states(self, statuses: Mapping[BayKey, BayStatus], *, at_once: bool) -> None:
        self.table.show_statuses(statuses)
        if self.view.scene is None or self._board is None:
            return
        self._board.start_from(statuses.values())
        self._board.set_misparked(self._misparked if self._moment.mode is Mode.LIVE else ())
        self.view.show_board(self._board if self._moment.mode is Mode.LIVE else None)
        if not self._heat or self._moment.mode is not Mode.LIVE:
            self.view.show_look(self._board.look(), at_once=at_once)

    def _replayed(self) -> dict[BayKey, BayStatus]:
        at = self._moment.at
        assert at is not None
        found: dict[BayKey, BayStatus] = {}
        for lot in self._shown_lots:
            tape = self._tapes.get((lot.lot_id, hour_of(at)))
            if tape is not None:
                found |= {(one.lot_id, one.bay_id): one for one in tape.statuses_at(at)}
        return found

    def _show_forecast(self) -> None:
        shares: dict[BayKey, float] = {}
        words: dict[BayKey, str] = {}
        by_lot: dict[str, str] = {}
        by_zone: dict[tuple[str, str], str] = {}
        for lot in self._shown_lots:
            whole = self._ahead.get((lot.lot_id, ""))
            missing = self._no_ahead.get(lot.lot_id, "No forecast yet")
            by_lot[lot.lot_id] = whole.words if whole is not None else missing
            by_zone |= {key: one.words for key, one in self._ahead.items() if key[0] == lot.lot_id and key[1]}
            for bay in lot.bays:
                one = self._ahead_of(lot.lot_id, bay.zone)
                if one is not None:
                    shares[lot.lot_id, bay.bay_id] = one.share
                    words[lot.lot_id, bay.bay_id] = one.words
        self.table.show_shares(words)
        self.view.show_captions(by_lot, by_zone)
        self.view.show_board(None)
        self.view.show_legend(Legend("Expected share occupied", "0 %", "100 %"))
        if self.view.scene is not None:
            self.view.show_look(look_by_share(self.view.scene, shares), at_once=True)

    def _ahead_of(self, lot_id: str, zone: str) -> ShareAhead | None:
        return self._ahead.get((lot_id, zone)) or self._ahead.get((lot_id, ""))

    def _show_heat(self) -> None:
        heats = [self._heats[lot.lot_id] for lot in self._shown_lots if lot.lot_id in self._heats]
        most = max((value for heat in heats for value in heat.values.values()), default=0.0)
        unit = heats[0].unit if heats else ""
        shares = {
            (heat.lot_id, bay_id): value / most if most > 0 else 0.0
            for heat in heats
            for bay_id, value in heat.values.items()
        }
        self.view.show_legend(Legend(self.heat_choice.currentText(), f"0 {unit}", f"{most:.3g} {unit}"))
        if self.view.scene is not None:
            self.view.show_look(look_by_share(self.view.scene, shares), at_once=True)

    # -- card --------------------------------------------------------------------------------------------------------

    def _show_card(self) -> None:
        bay = self._bay_of(self._selected) if self._selected is not None else None
        self.card.setVisible(bay is not None)
        if bay is None or self._selected is None:
            return
        lot = self._lots[self._selected[0]]
        if self._moment.mode is Mode.FORECAST:
            one = self._ahead_of(lot.lot_id, bay.zone)
            self.card.show_share(lot, bay, one.words if one is not None else "No forecast")
            return
        is_new = self.card.key != self._selected
        statuses = self._replayed() if self._moment.mode is Mode.REPLAY else self._present()
        at = self._moment.at or self._clock.now()
        self.card.show_bay(lot, bay, statuses.get(self._selected), at)
        if is_new and self._moment.mode is Mode.LIVE:
            self.snapshot_wanted.emit(*self._selected)

    # -- what the operator does --------------------------------------------------------------------------------------

    def _fit_card(self) -> None:
        least = look().sizes.body * CARD_LEAST_EM
        self.card.setFixedWidth(max(least, min(self.card.sizeHint().width(), round(self.width() * 0.42))))

    def _show_page(self, page: QWidget) -> None:
        is_table = page is self.table
        self._pages.setCurrentWidget(page)
        self.solid.setChecked(not is_table)
        self.listed.setChecked(is_table)

    def _on_lot(self) -> None:
        self._choose_lots()
        self.lot_picked.emit(str(self.lot_choice.currentData() or ""))

    def _on_level_step(self, step: int) -> None:
        row = self.level_choice.currentIndex() - step
        if self.level_choice.isVisibleTo(self) and 0 <= row < self.level_choice.count():
            self.level_choice.setCurrentIndex(row)

    def _on_bay_step(self, step: int) -> None:
        keys = [(lot.lot_id, bay.bay_id) for lot in self._shown_lots for bay in lot.bays]
        if not keys:
            return
        at = keys.index(self._selected) if self._selected in keys else (-1 if step > 0 else 0)
        key = keys[(at + step) % len(keys)]
        self._on_picked(*key)
        self.view.fly_to_bay(key)

    def _on_picked(self, lot_id: str, bay_id: str) -> None:
        self.select_bay(lot_id, bay_id)
        self.picked.emit(lot_id, bay_id)

    def _on_activated(self, lot_id: str, bay_id: str) -> None:
        self._on_picked(lot_id, bay_id)
        if not self._has_failed:
            self._show_page(self.view)
            self.view.fly_to_bay((lot_id, bay_id))

    def _on_fly(self) -> None:
        if self._selected is not None:
            self._on_activated(*self._selected)

    def _on_correction(self, state: BayState, reason: str) -> None:
        if self._selected is not None:
            self.correction_wanted.emit(*self._selected, state, reason)

    def _on_release(self) -> None:
        if self._selected is not None:
            self.release_wanted.emit(*self._selected)

    def _on_moment(self, moment: Moment) -> None:
        self._moment = moment
        self._ahead.clear()
        self._no_ahead.clear()
        self._ask_for_moment()
        self._show_moment()

    def _on_heat(self) -> None:
        self._heats.clear()
        if self._heat:
            self.time_bar.go_live()
        self._ask_for_moment()
        self._show_moment()

    def _on_day(self, is_day: bool) -> None:
        self._is_day = is_day
        self._refresh_options()

    def _on_ages(self) -> None:
        if self._moment.mode is Mode.LIVE and self.isVisible():
            self._show_card()
            if self.is_table:
                self.table.refresh_ages()

    # -- Qt ----------------------------------------------------------------------------------------------------------

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Leave more than half of the width to what the card is about."""
        super().resizeEvent(event)
        self._fit_card()

    def showEvent(self, event: QShowEvent) -> None:
        """Have it drawn when somebody looks."""
        super().showEvent(event)
        self._ages.start()
        if not self._has_failed:
            if not self.view.has_picture:
                self._overlay.show_state(PanelState.LOADING, STARTING)
            self.looked_at.emit()

    def hideEvent(self, event: QHideEvent) -> None:
        """Tell no ages to nobody."""
        super().hideEvent(event)
        self._ages.stop()

    def changeEvent(self, event: QEvent) -> None:
        """Take the new theme."""
        if event.type() == QEvent.Type.StyleChange and hasattr(self, "card"):
            self._fit_card()
            self._refresh_options()
        super().changeEvent(event)


def _choice(name: str, n_characters: int) -> QComboBox:
    choice = QComboBox()
    choice.setAccessibleName(name)
    choice.setToolTip(name)
    choice.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
    choice.setMinimumContentsLength(n_characters)
    return choice


def _menu_button(words: str, menu: QMenu) -> QToolButton:
    button = QToolButton()
    button.setText(words)
    button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
    button.setMenu(menu)
    set_role(button, "quiet")
    return button
