"""Alarm figures: how the alarm system itself does, beside what is recommended."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QWidget

from app.panel import Area, PanelInfo, Perspective
from app.room import Room
from core.incidents.figures import Figures
from core.kernel.errors import ConsoleError
from core.kernel.zone import to_site
from widgets.base.file_dialogs import ask_target
from widgets.figures.page import FiguresPage
from widgets.figures.rows import csv_of


def create(room: Room) -> QWidget:
    """Build the page and connect it."""
    return _Figures(room)


class _Figures(FiguresPage):
    """Asks the node only when somebody looks."""

    def __init__(self, room: Room) -> None:
        super().__init__()
        self._room = room
        self._n_asked = 0
        self.figures_requested.connect(self._on_asked)
        self.export_requested.connect(self._on_export_wanted)
        room.connection.snapshot_received.connect(lambda _snapshot: self.ask() if self.isVisible() else None)

    def _on_asked(self, hours: int) -> None:
        if self._room.connection.session is None:
            return
        self._n_asked += 1
        number, until = self._n_asked, self._room.clock.now()

        def show(figures: Figures) -> None:
            # A longer span takes longer: only the answer to the newest question is shown.
            if number == self._n_asked:
                self.show_figures(figures)

        def refused(error: ConsoleError) -> None:
            self.show_refused(error.message, error.hint)

        self._room.ask(
            "alarms.figures", Figures, then=show, refused=refused, since=until - timedelta(hours=hours), until=until
        )

    def _on_export_wanted(self, figures: Figures) -> None:
        name = f"alarm-figures-{to_site(figures.until):%Y-%m-%d}.csv"
        ask_target(self, "Export alarm figures", name, "CSV (*.csv)", lambda file: self._write(figures, file))

    def _write(self, figures: Figures, file: Path) -> None:
        try:
            file.write_text(csv_of(figures), encoding="utf-8", newline="")
        except OSError as error:
            self._room.toast(f"{file.name} cannot be written: {error.strerror}.", "Choose another folder.")
            return
        self._room.toast(f"The figures are in {file.name}.")

    def showEvent(self, event: QShowEvent) -> None:
        """Count when somebody looks."""
        super().showEvent(event)
        self.ask()


PANEL = PanelInfo(
    key="figures",
    title="Figures",
    create=create,
    area=Area.CENTER,
    shortcut="Ctrl+Shift+G",
    icon="health",
    order=8,
    perspectives=frozenset({Perspective.ALARMS}),
)
