"""Review: what rules raised waits for an answer, and the answers measure the rules."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from PySide6.QtCore import QTimer
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QVBoxLayout, QWidget

from app.panel import Area, PanelInfo, Perspective
from app.room import Room
from core.incidents.model import SourceKind
from core.incidents.review import Outcome, PrecisionReport, ReviewFilter, ReviewItem, ReviewPage
from core.kernel.errors import ConsoleError
from core.vision.model import ObservationKind
from widgets.alarms.detail import why_no_picture
from widgets.review.queue import ReviewQueue

PAGE = 100
MEASURED_DAYS = 90
"""Older answers were about a rule that was tuned since."""

NEWS_AFTER_MS = 1000
_RULES = frozenset(kind.value for kind in ObservationKind)


def create(room: Room) -> QWidget:
    """Build the queue and connect it."""
    return _Review(room)


class _Review(QWidget):
    """Asks the node only while somebody looks."""

    def __init__(self, room: Room) -> None:
        super().__init__()
        self._room = room
        self._queue = ReviewQueue(self)
        self._is_filled = False
        self._seen = frozenset[tuple[str, str, str]]()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._queue)
        self._news = QTimer(self)
        self._news.setSingleShot(True)
        self._news.setInterval(NEWS_AFTER_MS)
        self._news.timeout.connect(self._on_news)
        self._connect()
        self._queue.show_role(room.role)

    def _connect(self) -> None:
        room, queue, live = self._room, self._queue, self._room.live
        room.role_changed.connect(queue.show_role)
        live.cameras_changed.connect(
            lambda: queue.show_cameras({key: camera.name for key, camera in live.cameras.items()})
        )
        live.incidents_changed.connect(self._on_incidents)
        live.reviews_changed.connect(self._on_reviews)
        room.connection.snapshot_received.connect(lambda _snapshot: self._begin())
        queue.page_requested.connect(self._on_page)
        queue.picture_requested.connect(self._on_picture)
        queue.candidates_requested.connect(self._on_candidates)
        queue.decide_requested.connect(self._on_decide)
        queue.undo_requested.connect(self._on_undo)
        queue.goto_requested.connect(self._on_goto)

    def _begin(self) -> None:
        self._is_filled = False
        if self.isVisible() and self._room.connection.session is not None:
            self._is_filled = True
            self._queue.ask_anew()
            self._ask_precision()

    def _on_incidents(self) -> None:
        # What is named after another rule than before waits again; a newer picture is what an answer goes by.
        seen = frozenset(
            (incident.incident_id, incident.kind, incident.snapshot_path)
            for incident in self._room.live.incidents.values()
            if incident.source_kind is SourceKind.CAMERA and incident.kind in _RULES
        )
        if seen - self._seen:
            self._news.start()
        self._seen = seen

    def _on_reviews(self) -> None:
        self._queue.show_reviews(tuple(self._room.live.reviews.values()))
        self._news.start()

    def _on_news(self) -> None:
        if not (self.isVisible() and self._is_filled) or self._room.connection.session is None:
            return
        wanted = self._queue.wanted
        self._room.ask(
            "review.page",
            ReviewPage,
            then=lambda page: self._queue.show_newest(wanted, page),
            refused=lambda _error: None,
            wanted=wanted,
            limit=PAGE,
        )
        self._ask_precision()

    def _ask_precision(self) -> None:
        self._room.ask(
            "review.precision",
            PrecisionReport,
            then=self._queue.show_precision,
            refused=lambda _error: None,
            since=datetime.now(UTC) - timedelta(days=MEASURED_DAYS),
        )

    def _on_page(self, wanted: ReviewFilter, before: str) -> None:
        def refused(error: ConsoleError) -> None:
            self._queue.show_failed(error.message, error.hint)

        self._room.ask(
            "review.page",
            ReviewPage,
            then=lambda page: self._queue.show_page(wanted, before, page),
            refused=refused,
            wanted=wanted,
            before=before,
            limit=PAGE,
        )

    def _on_picture(self, shown: ReviewItem) -> None:
        self._room.ask(
            "incidents.snapshot",
            bytes,
            then=lambda content: self._queue.show_picture(shown, content),
            refused=lambda error: self._queue.show_no_picture(shown, why_no_picture(error)),
            incident_id=shown.picture_id,
        )

    def _on_candidates(self, incident_id: str) -> None:
        self._room.ask(
            "review.candidates",
            list[ReviewItem],
            then=lambda items: self._queue.show_candidates(incident_id, items),
            incident_id=incident_id,
        )

    def _on_decide(self, shown: ReviewItem, outcome: Outcome, duplicate_of: str) -> None:
        self._room.ask(
            "review.decide",
            ReviewItem,
            then=lambda item: self._queue.show_reviews((item,)),
            incident_id=shown.incident.incident_id,
            outcome=outcome,
            shown_kind=shown.incident.kind,
            version=shown.version,
            duplicate_of=duplicate_of,
        )

    def _on_undo(self, shown: ReviewItem) -> None:
        self._room.ask(
            "review.undo",
            ReviewItem,
            then=lambda item: self._queue.show_reviews((item,)),
            incident_id=shown.incident.incident_id,
            shown_kind=shown.incident.kind,
            version=shown.version,
        )

    def _on_goto(self, item: ReviewItem) -> None:
        self._room.select("camera", item.incident.source_id)
        self._room.camera_called.emit(item.incident.source_id, False)
        self._room.panel_requested.emit("wall")

    def showEvent(self, event: QShowEvent) -> None:
        """Fill the list when somebody looks for the first time."""
        super().showEvent(event)
        if not self._is_filled:
            self._begin()
        else:
            self._news.start()


PANEL = PanelInfo(
    key="review",
    title="Review",
    create=create,
    area=Area.CENTER,
    shortcut="Ctrl+Shift+R",
    icon="check",
    order=1,
    perspectives=frozenset({Perspective.OVERVIEW, Perspective.WALL, Perspective.ALARMS}),
)
