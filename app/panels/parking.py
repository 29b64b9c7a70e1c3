"""Parking: how full every lot is, how each of its bays stands, and what an operator knows better."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from PySide6.QtCore import Qt
from PySide6.QtGui import QResizeEvent, QShowEvent
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QSplitter, QVBoxLayout, QWidget

from app.panel import Area, PanelInfo, Perspective
from app.room import Room
from app.sight_notes import SightNotes
from core.access.model import Role
from core.parking.model import BayState, BayStatus, LotOccupancy
from widgets.base.labels import ElidedLabel
from widgets.base.search import SearchField
from widgets.base.state_overlay import PanelState, StateOverlay
from widgets.base.theme import look, set_role
from widgets.lots.bay_table import BayFilter, BayTable
from widgets.lots.correction_bar import CorrectionBar
from widgets.lots.gate_bar import GateBar
from widgets.lots.lot_list import WINDOW_S, LotList, rows_of
from widgets.lots.sight_bar import SightBar

SIDE_BY_SIDE_EM = 54
"""From this width on, in letters, bays stand beside the lots, and below them in less."""

MAX_TRENDS = 60


def create(room: Room) -> QWidget:
    """Build the lists and connect them."""
    return _Parking(room)


class _Parking(QWidget):
    """Lots, and the bays of the chosen one."""

    def __init__(self, room: Room) -> None:
        super().__init__()
        self._room = room
        self._lot_id = self._zone = ""
        self._asked: set[str] = set()
        self._lots = LotList()
        self._search = SearchField("Find a lot or zone", self)
        self._title = ElidedLabel("")
        set_role(self._title, "heading")
        self._filter = QComboBox()
        self._filter.setAccessibleName("Which bays")
        for wanted in BayFilter:
            self._filter.addItem(wanted.value, wanted)
        self._bay_search = SearchField("Find a bay", self._filter)
        self._bays = BayTable()
        self._gates = GateBar()
        self._sight = SightBar()
        self._notes = SightNotes(room, self, lambda: self._lot_id, self._show_notes)
        self._correction = CorrectionBar()
        self._split = QSplitter(Qt.Orientation.Horizontal)
        self._overlay = StateOverlay(self)
        self._lay_out()
        self._connect()
        self._on_role(room.role)
        self._show_lots()

    def _lay_out(self) -> None:
        gap = look().sizes.gap
        left, right = QWidget(), QWidget()
        lots = QVBoxLayout(left)
        lots.setContentsMargins(0, 0, 0, 0)
        lots.setSpacing(0)
        lots.addWidget(self._search)
        lots.addWidget(self._lots, 1)
        head = QHBoxLayout()
        head.setContentsMargins(gap * 2, gap, gap * 2, gap)
        head.addWidget(self._title, 1)
        head.addWidget(self._filter)
        head.addWidget(self._bay_search)
        bays = QVBoxLayout(right)
        bays.setContentsMargins(0, 0, 0, 0)
        bays.setSpacing(0)
        bays.addLayout(head)
        bays.addWidget(self._gates)
        bays.addWidget(self._sight)
        bays.addWidget(self._bays, 1)
        bays.addWidget(self._correction)
        self._split.addWidget(left)
        self._split.addWidget(right)
        self._split.setChildrenCollapsible(False)
        self._split.setStretchFactor(0, 2)
        self._split.setStretchFactor(1, 3)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._split)

    def _connect(self) -> None:
        room, live = self._room, self._room.live
        live.lots_changed.connect(self._on_lots)
        live.lot_plans_changed.connect(self._on_plans)
        live.bays_changed.connect(self._show_bays)
        live.bays_updated.connect(self._on_bays_updated)
        live.follow("devices", self._show_lots)
        room.selected.connect(self._on_selected)
        room.role_changed.connect(self._on_role)
        room.node_lost.connect(lambda _sentence: self._lots.show_trusted(is_trusted=False))
        room.node_back.connect(lambda: self._lots.show_trusted(is_trusted=True))
        self._search.query_changed.connect(lambda _query: self._show_lots())
        self._search.left.connect(self._lots.setFocus)
        self._lots.lot_chosen.connect(self._on_chosen)
        self._filter.currentIndexChanged.connect(lambda _index: self._filter_bays())
        self._bay_search.query_changed.connect(lambda _query: self._filter_bays())
        self._bay_search.left.connect(self._bays.setFocus)
        self._bays.chosen_changed.connect(self._show_chosen)
        self._bays.correction_wanted.connect(self._correction.begin)
        self._correction.correction_requested.connect(self._on_correct)
        self._correction.release_requested.connect(self._on_release)
        self._gates.count_set.connect(self._on_count_set)

    def _on_role(self, role: Role) -> None:
        is_operator = role >= Role.OPERATOR
        self._correction.show_role(may_correct=is_operator)
        self._gates.show_role(may_set=is_operator)

    # -- lots -----------------------------------------------------------------------------------------------------

    def _on_lots(self) -> None:
        self._show_lots()
        self._gates.show_lot(self._room.live.lots.get(self._lot_id))
        for lot in self._room.live.lots.values():
            self._lots.add_trend(lot.lot_id, (lot,))
        self._ask_trends()

    def _on_plans(self) -> None:
        self._show_lots()
        self._show_bays()

    def _show_lots(self) -> None:
        live = self._room.live
        names = {device.device_id: device.name for device in live.devices.values() if device.kind == "lot"}
        self._lots.show_rows(rows_of(live.lot_plans.values(), live.lots, names, self._search.text().strip()))
        if not live.lot_plans and not live.lots:
            self._overlay.show_state(PanelState.EMPTY, "No lot is drawn yet.", "Draw one in the panel Bays.")
            return
        self._overlay.hide()
        if not self._lot_id and self._lots.rows:
            self._choose(self._lots.rows[0].lot_id, "")

    def _ask_trends(self) -> None:
        """Ask once for each lot how full it was: the node remembers longer than this window."""
        if not self.isVisible() or self._room.connection.session is None:
            return
        until = datetime.now(UTC)
        since = until - timedelta(seconds=WINDOW_S)
        for lot_id in [lot_id for lot_id in self._room.live.lots if lot_id not in self._asked][:MAX_TRENDS]:
            self._asked.add(lot_id)

            def show(history: list[LotOccupancy], lot_id: str = lot_id) -> None:
                self._lots.set_trend(lot_id, history)

            def refused(_error: object) -> None:
                return

            self._room.ask(
                "parking.history",
                list[LotOccupancy],
                then=show,
                refused=refused,
                lot_id=lot_id,
                since=since,
                until=until,
            )

    def _on_chosen(self, lot_id: str, zone: str) -> None:
        self._choose(lot_id, zone)
        self._room.select("lot", lot_id)

    def _on_selected(self, kind: str, item_id: str) -> None:
        if kind != "lot":
            return
        lot_id = self._room.live.lot_id_of(item_id)
        if lot_id != self._lot_id:
            self._choose(lot_id, "")

    def _choose(self, lot_id: str, zone: str) -> None:
        if lot_id != self._lot_id:
            self._show_notes({})
        self._lot_id, self._zone = lot_id, zone
        self._notes.ask()
        self._lots.select(lot_id, zone)
        self._gates.show_lot(self._room.live.lots.get(lot_id))
        self._show_bays()

    # -- bays -----------------------------------------------------------------------------------------------------

    def _show_bays(self) -> None:
        live = self._room.live
        plan = live.lot_plans.get(self._lot_id)
        where = plan.name if plan is not None else ""
        self._title.setText(f"{where}, {self._zone}" if self._zone else where)
        self._bays.show_lot(plan, live.bays.get(self._lot_id, {}), live.names_at_lots())
        self._filter_bays()

    def _show_notes(self, notes: Mapping[str, str]) -> None:
        self._sight.show_notes(notes, {key: camera.name for key, camera in self._room.live.cameras.items()})

    def _on_bays_updated(self, fresh: tuple[BayStatus, ...]) -> None:
        here = [status for status in fresh if status.lot_id == self._lot_id]
        if here:
            self._bays.update_bays(here)
            self._show_chosen()

    def _filter_bays(self) -> None:
        self._bays.filter(self._filter.currentData(), self._bay_search.text().strip(), self._zone)
        self._show_chosen()

    def _show_chosen(self) -> None:
        statuses = self._room.live.bays.get(self._lot_id, {})
        plan = self._room.live.lot_plans.get(self._lot_id)
        labels = {bay.bay_id: bay.label or bay.bay_id for bay in plan.bays} if plan is not None else {}
        chosen = self._bays.chosen
        self._correction.show_bays(
            [labels.get(bay_id, bay_id) for bay_id in chosen],
            [statuses[bay_id] for bay_id in chosen if bay_id in statuses],
        )

    def _on_correct(self, state: BayState, reason: str) -> None:
        for bay_id in self._bays.chosen:
            self._room.ask("parking.correct", BayStatus, lot_id=self._lot_id, bay_id=bay_id, state=state, reason=reason)
        self._correction.clear()
        self._bays.setFocus(Qt.FocusReason.OtherFocusReason)

    def _on_count_set(self, n_inside: int) -> None:
        self._room.ask(
            "parking.set_count",
            LotOccupancy,
            lot_id=self._lot_id,
            n_inside=n_inside,
            reason="Set in the panel Parking.",
        )

    def _on_release(self) -> None:
        statuses = self._room.live.bays.get(self._lot_id, {})
        for bay_id in self._bays.chosen:
            if bay_id in statuses and statuses[bay_id].reason:
                self._room.ask("parking.release", BayStatus, lot_id=self._lot_id, bay_id=bay_id)

    # -- Qt -------------------------------------------------------------------------------------------------------

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Put the bays where there is room for them."""
        is_wide = self.width() >= SIDE_BY_SIDE_EM * look().sizes.body
        self._split.setOrientation(Qt.Orientation.Horizontal if is_wide else Qt.Orientation.Vertical)
        super().resizeEvent(event)

    def showEvent(self, event: QShowEvent) -> None:
        """Ask for what was before, when somebody looks."""
        super().showEvent(event)
        self._ask_trends()
        self._notes.ask()


PANEL = PanelInfo(
    key="parking",
    title="Parking",
    create=create,
    area=Area.CENTER,
    shortcut="Ctrl+Shift+O",
    icon="lot",
    order=5,
    perspectives=frozenset({Perspective.PARKING}),
)
