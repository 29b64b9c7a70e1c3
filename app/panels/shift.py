"""Shift: what was written down and what happened, and how the room is handed over."""

from __future__ import annotations

from datetime import datetime

from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QVBoxLayout, QWidget

from app.panel import Area, PanelInfo, Perspective
from app.room import Room
from core.incidents.handover import HandOver, ReportContent
from core.incidents.shift import ShiftPage, ShiftQuery
from core.kernel.errors import ConsoleError
from widgets.shift.panel import ShiftPanel


def create(room: Room) -> QWidget:
    """Build the panel and connect it."""
    return _Shift(room)


class _Shift(QWidget):
    """Asks the node only while somebody looks."""

    def __init__(self, room: Room) -> None:
        super().__init__()
        self._room = room
        self._panel = ShiftPanel(parent=self)
        self._is_filled = False
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._panel)
        self.setFocusProxy(self._panel)
        self._connect()
        self._panel.show_role(room.role)

    def _connect(self) -> None:
        room, log, view = self._room, self._panel.log, self._panel.hand_over
        room.role_changed.connect(self._panel.show_role)
        room.live.shift_changed.connect(lambda: log.show_added(room.live.shift))
        room.connection.snapshot_received.connect(lambda _snapshot: self._begin())
        log.page_requested.connect(self._on_page)
        log.write_requested.connect(lambda text, corrects: room.ask("shift.write", text=text, corrects=corrects))
        view.preview_requested.connect(self._on_preview)
        view.hand_over_requested.connect(self._on_hand_over)
        view.sign_requested.connect(self._on_sign)

    def _begin(self) -> None:
        self._is_filled = False
        if self.isVisible() and self._room.connection.session is not None:
            self._is_filled = True
            self._panel.log.ask_anew()
            self._ask_reports("")

    def _on_page(self, query: ShiftQuery) -> None:
        self._room.ask(
            "shift.entries",
            ShiftPage,
            then=lambda page: self._panel.log.show_page(query, page),
            refused=lambda error: self._panel.log.show_failed(error.message),
            query=query,
        )

    def _on_preview(self, since: datetime | None, comment: str) -> None:
        if self._room.connection.session is None:
            return
        self._room.ask(
            "shift.preview",
            ReportContent,
            then=self._panel.hand_over.show_preview,
            refused=self._say,
            since=since,
            comment=comment,
        )

    def _on_hand_over(self, since: datetime | None, comment: str) -> None:
        def done(made: HandOver) -> None:
            self._panel.hand_over.say("Handed over. It waits for the incoming operator's signature.")
            self._ask_reports(made.hand_over_id)

        def refused(error: ConsoleError) -> None:
            self._say(error)
            self._ask_reports("")

        self._room.ask("shift.hand_over", HandOver, then=done, refused=refused, since=since, comment=comment)

    def _on_sign(self, hand_over_id: str, name: str, password: str, comment: str) -> None:
        def done(signed: HandOver) -> None:
            self._panel.hand_over.say(f"{signed.signed_by} has taken over.")
            self._ask_reports(signed.hand_over_id)

        self._room.ask(
            "shift.sign",
            HandOver,
            then=done,
            refused=self._say,
            hand_over_id=hand_over_id,
            name=name,
            password=password,
            comment=comment,
        )

    def _ask_reports(self, select_id: str) -> None:
        def show(reports: list[HandOver]) -> None:
            self._panel.hand_over.show_reports(reports)
            if select_id:
                self._panel.hand_over.select_report(select_id)

        self._room.ask("shift.reports", list[HandOver], then=show, refused=self._say)

    def _say(self, error: ConsoleError) -> None:
        self._panel.hand_over.say(f"{error.message} {error.hint}".strip())

    def showEvent(self, event: QShowEvent) -> None:
        """Fill the log when somebody looks for the first time."""
        super().showEvent(event)
        if not self._is_filled:
            self._begin()


PANEL = PanelInfo(
    key="shift",
    title="Shift",
    create=create,
    area=Area.CENTER,
    shortcut="Ctrl+Shift+L",
    icon="clock",
    order=3,
    perspectives=frozenset({Perspective.OVERVIEW, Perspective.ALARMS}),
)
