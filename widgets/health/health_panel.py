"""Health: is everything that works for the room working, since when not, and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QHideEvent, QResizeEvent, QShowEvent
from PySide6.QtWidgets import QFrame, QGridLayout, QHBoxLayout, QLabel, QScrollArea, QVBoxLayout, QWidget

from core.field.model import FieldLosses
from core.gateway.adapter import AdapterReport
from core.gateway.http.model import GatewayReport, GatewayState
from core.kernel.clock import Clock, SystemClock
from core.kernel.zone import to_site
from core.media.model import StreamReport, StreamState
from core.node.model import Health, SystemNotice, WorkerReport
from widgets.base.conditions import STREAM_CONDITIONS, ConditionSymbol
from widgets.base.facts import FactList
from widgets.base.labels import ElidedLabel
from widgets.base.sparkline import Sparkline
from widgets.base.state_overlay import PanelState, StateOverlay
from widgets.base.table import Column, Line, TextTable
from widgets.base.theme import look, set_role
from widgets.base.times import format_age, format_instant
from widgets.health.conditions import (
    SILENT_AFTER_S,
    PartState,
    at_most,
    database_state,
    link_state,
    node_state,
    vision_state,
    worker_condition,
)

UNKNOWN = "--"
_WINDOW_S = 300.0
_CARD_EM = 24
_DEMONSTRATION = (
    "The demonstration model is running: it knows the demo city only. Choose a model for real streets in the settings."
)


class HealthPanel(QWidget):
    """Cards for the parts, tables for workers and streams, and what a person should mend."""

    def __init__(self, clock: Clock | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._clock = clock or SystemClock()
        self._health: Health | None = None
        self._streams: dict[str, StreamReport] = {}
        self._names: dict[str, str] = {}
        self._console_lag: tuple[float, float] | None = None
        self._build()
        self._ticking = QTimer(self)
        self._ticking.setInterval(1000)
        self._ticking.timeout.connect(self._refresh)
        self._refresh()

    def show_health(self, health: Health | None) -> None:
        """Show what the node said last; None before it said anything."""
        self._health = health
        if health is not None:
            self._node.add_sample(health.at.timestamp(), health.loop_lag_p99_ms)
        self._refresh()

    def show_streams(self, streams: Mapping[str, StreamReport]) -> None:
        """Show the cameras' streams, by camera id."""
        self._streams = dict(streams)
        self._refresh_streams()

    def show_camera_names(self, names: Mapping[str, str]) -> None:
        """Call the cameras by name instead of by id."""
        self._names = dict(names)
        self._refresh_streams()

    def show_console_lag(self, p99_ms: float, max_ms: float) -> None:
        """Show how late this window's own event loop is."""
        self._console_lag = (p99_ms, max_ms)
        self._console.add_sample(self._clock.monotonic(), p99_ms)
        self._refresh_console()

    @property
    def notices(self) -> str:
        """What a person should mend, as the operator reads it."""
        return self._notices.text()

    def facts(self, part: str) -> dict[str, str]:
        """Return the figures on one card: "node", "broker", "database", "vision" or "console"."""
        return self._cards[part].facts

    def _build(self) -> None:
        gap = look().sizes.gap
        self._node = _Card("Node", "Event-loop lag of the node", self)
        self._broker = _Card("Broker", "", self)
        self._database = _Card("Database", "", self)
        self._vision = _Card("Vision", "", self)
        self._console = _Card("This console", "Event-loop lag of this console", self)
        self._cards = {
            "node": self._node,
            "broker": self._broker,
            "database": self._database,
            "vision": self._vision,
            "console": self._console,
        }
        self._notices = QLabel(self)
        self._notices.setWordWrap(True)
        self._notices.setTextFormat(Qt.TextFormat.PlainText)
        self._notices.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._workers = TextTable("Vision workers", _WORKER_COLUMNS, self)
        self._stream_table = TextTable("Streams of the cameras", _STREAM_COLUMNS, self)
        inner = QWidget(self)
        rows = QVBoxLayout(inner)
        rows.setContentsMargins(gap * 3, gap * 3, gap * 3, gap * 3)
        rows.setSpacing(gap * 2)
        rows.addWidget(_heading("To be mended", self))
        rows.addWidget(self._notices)
        rows.addSpacing(gap * 2)
        self._grid = QGridLayout()
        self._grid.setSpacing(gap * 2)
        rows.addLayout(self._grid)
        rows.addSpacing(gap * 2)
        rows.addWidget(_heading("Vision workers", self))
        rows.addWidget(self._workers)
        rows.addSpacing(gap * 2)
        rows.addWidget(_heading("Streams", self))
        rows.addWidget(self._stream_table)
        rows.addStretch(1)
        scroll = QScrollArea(self)
        scroll.setWidget(inner)
        scroll.setWidgetResizable(True)
        scroll.setAccessibleName("Health of all parts")
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(scroll)
        self._overlay = StateOverlay(self)
        self._n_columns = 0
        self._arrange()

    def _arrange(self) -> None:
        n_columns = max(1, min(len(self._cards), self.width() // (look().sizes.body * _CARD_EM)))
        if n_columns == self._n_columns:
            return
        self._n_columns = n_columns
        for place, card in enumerate(self._cards.values()):
            self._grid.addWidget(card, place // n_columns, place % n_columns)
        for column in range(len(self._cards)):
            self._grid.setColumnStretch(column, 1 if column < n_columns else 0)

    def _refresh(self) -> None:
        now = self._clock.now()
        health = self._health
        node = node_state(health, now)
        self._node.show_part(node, _node_facts(health, now))
        link = health.link if health is not None else None
        self._broker.show_part(at_most(link_state(link), node), _link_facts(health, now))
        self._database.show_part(at_most(database_state(health), node), _database_facts(health))
        self._vision.show_part(at_most(vision_state(health, self._streams), node), _vision_facts(health))
        self._show_notices(health)
        self._workers.show_lines(_worker_lines(health.workers if health is not None else ()))
        self._workers.set_fitting(8)
        self._refresh_console()
        self._refresh_overlay(now)

    def _refresh_console(self) -> None:
        lag = self._console_lag
        self._console.show_facts(
            [
                ("Lag, 99 of 100 below", UNKNOWN if lag is None else f"{lag[0]:.1f} ms"),
                ("Longest lag", UNKNOWN if lag is None else f"{lag[1]:.0f} ms"),
            ]
        )

    def _refresh_streams(self) -> None:
        self._stream_table.show_lines([_stream_line(report, self._names) for report in self._streams.values()])
        self._stream_table.set_fitting(32)

    def _refresh_overlay(self, now: datetime) -> None:
        if self._health is None:
            self._overlay.show_state(PanelState.LOADING, "Waiting for the node to say how it is.")
            return
        age_s = (now - self._health.at).total_seconds()
        if age_s > SILENT_AFTER_S:
            self._overlay.show_state(
                PanelState.STALE, f"The node has said nothing for {format_age(age_s)}: these figures are old."
            )
        else:
            self._overlay.clear()

    def _show_notices(self, health: Health | None) -> None:
        if health is None:
            self._notices.setText(UNKNOWN)
            return
        lines = [_notice_text(notice) for notice in health.notices]
        if any(worker.engine is not None and worker.engine.is_demonstration for worker in health.workers):
            lines.append(_DEMONSTRATION)
        self._notices.setText("\n".join(lines) or "Nothing.")

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Use the width for cards."""
        super().resizeEvent(event)
        self._arrange()

    def showEvent(self, event: QShowEvent) -> None:
        """Tell ages only while someone can read them."""
        super().showEvent(event)
        self._ticking.start()
        self._refresh()

    def hideEvent(self, event: QHideEvent) -> None:
        """Stop telling ages."""
        super().hideEvent(event)
        self._ticking.stop()


class _Card(QFrame):
    """One part: symbol, words, figures, and a line of its last minutes."""

    def __init__(self, title: str, history_name: str, parent: QWidget) -> None:
        super().__init__(parent)
        gap = look().sizes.gap
        set_role(self, "card")
        name = QLabel(title, self)
        set_role(name, "title")
        self._symbol = ConditionSymbol(self)
        self._words = ElidedLabel("", self)
        self._words.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self._reason = QLabel(self)
        self._reason.setWordWrap(True)
        self._reason.hide()
        self._facts = FactList(self)
        head = QHBoxLayout()
        head.setSpacing(gap * 2)
        head.addWidget(name)
        head.addWidget(self._words, 1)
        head.addWidget(self._symbol)
        self._symbol.hide()
        rows = QVBoxLayout(self)
        rows.setContentsMargins(gap * 3, gap * 2, gap * 3, gap * 3)
        rows.setSpacing(gap * 2)
        rows.addLayout(head)
        rows.addWidget(self._reason)
        rows.addWidget(self._facts)
        rows.addStretch(1)
        self._line: Sparkline | None = None
        if history_name:
            self._line = Sparkline(history_name, _WINDOW_S, self)
            caption = QLabel(f"{history_name}, last 5 minutes", self)
            set_role(caption, "caption")
            rows.addWidget(self._line)
            rows.addWidget(caption)

    @property
    def facts(self) -> dict[str, str]:
        """The figures, and the state as "State"."""
        return {"State": self._words.text()} | self._facts.facts

    def show_part(self, state: PartState, facts: list[tuple[str, str]]) -> None:
        """Show how the part is."""
        self._symbol.show()
        self._symbol.show_condition(state.condition)
        self._words.setText(state.words)
        self._reason.setText(state.reason)
        self._reason.setVisible(bool(state.reason))
        self.show_facts(facts)

    def show_facts(self, facts: list[tuple[str, str]]) -> None:
        """Show figures only."""
        self._facts.show_facts(facts)

    def add_sample(self, at_s: float, value: float) -> None:
        """Continue the line."""
        if self._line is not None:
            self._line.add(at_s, value)


_WORKER_COLUMNS = (
    Column(title="Worker"),
    Column(title="State"),
    Column(title="Process", is_figure=True, rank=5),
    Column(title="Restarts", is_figure=True, rank=3),
    Column(title="CPU", is_figure=True, rank=1),
    Column(title="Memory", is_figure=True, rank=4),
    Column(title="Cameras", is_figure=True, rank=2),
    Column(title="Engine", rank=6),
    Column(title="Device", rank=8),
    Column(title="Model", rank=7),
)
_STREAM_COLUMNS = (
    Column(title="Camera"),
    Column(title="State"),
    Column(title="For", is_figure=True, rank=5),
    Column(title="Newest picture", is_figure=True, rank=4),
    Column(title="Size", is_figure=True, rank=8),
    Column(title="Codec", rank=9),
    Column(title="Per second", is_figure=True, rank=1),
    Column(title="Detections/s", is_figure=True, rank=2),
    Column(title="Inference", is_figure=True, rank=6),
    Column(title="Skipped", is_figure=True, rank=3),
    Column(title="Reconnects", is_figure=True, rank=7),
    Column(title="Decoded by", rank=10),
    Column(title="Stream", rank=11),
)


def _worker_lines(workers: tuple[WorkerReport, ...]) -> list[Line]:
    return [
        Line(
            key=worker.key,
            condition=worker_condition(worker),
            tip=" ".join(part for part in (worker.reason, worker.engine.reason if worker.engine else "") if part),
            cells=(
                worker.key,
                worker.state,
                UNKNOWN if worker.pid is None else str(worker.pid),
                str(worker.n_restarts),
                UNKNOWN if worker.pid is None else f"{worker.cpu_percent:.0f} %",
                UNKNOWN if worker.pid is None else f"{worker.memory_mb:.0f} MB",
                str(len(worker.camera_ids)),
                worker.engine.engine if worker.engine else UNKNOWN,
                f"{worker.engine.device}, {worker.engine.precision}" if worker.engine else UNKNOWN,
                _model_text(worker),
            ),
        )
        for worker in workers
    ]


def _model_text(worker: WorkerReport) -> str:
    if worker.engine is None:
        return UNKNOWN
    width, height = worker.engine.input_wh
    demo = " (demonstration)" if worker.engine.is_demonstration else ""
    return f"{worker.engine.model_name}{demo}, {width} x {height}"


def _stream_line(report: StreamReport, names: Mapping[str, str]) -> Line:
    is_live = report.state is StreamState.LIVE
    return Line(
        key=report.camera_id,
        condition=STREAM_CONDITIONS[report.state],
        tip=" ".join(part for part in (report.reason, report.hint, report.detection_reason) if part),
        cells=(
            names.get(report.camera_id, report.camera_id),
            report.state.value,
            format_age(report.since_s),
            UNKNOWN if report.frame_age_s is None else format_age(report.frame_age_s),
            f"{report.width} x {report.height}" if report.width else UNKNOWN,
            report.codec or UNKNOWN,
            f"{report.fps:.1f}" if is_live else UNKNOWN,
            f"{report.detect_fps:.1f}" if is_live else UNKNOWN,
            f"{report.inference_ms:.0f} ms" if is_live and report.inference_ms else UNKNOWN,
            str(report.n_dropped),
            str(report.n_reconnects),
            report.decoder or UNKNOWN,
            ("small" if report.is_sub else "main") if report.width else UNKNOWN,
        ),
    )


def _node_facts(health: Health | None, now: datetime) -> list[tuple[str, str]]:
    if health is None:
        return [(name, UNKNOWN) for name in ("Version", "Process", "Last word")]
    return [
        ("Version", health.version),
        ("Process", str(health.node_pid)),
        ("Last word", f"{format_age((now - health.at).total_seconds())} ago"),
        ("CPU", f"{health.cpu_percent:.0f} %"),
        ("Memory", f"{health.memory_mb:.0f} MB"),
        ("Consoles", str(health.n_consoles)),
        ("Lag, 99 of 100 below", f"{health.loop_lag_p99_ms:.1f} ms"),
        ("Longest lag", f"{health.loop_lag_max_ms:.0f} ms"),
        ("Errors", str(health.n_errors)),
    ]


def _link_facts(health: Health | None, now: datetime) -> list[tuple[str, str]]:
    link = health.link if health is not None else None
    if health is None or link is None:
        return [(name, UNKNOWN) for name in ("Address", "Protocol", "Round trip")]
    return [
        ("Address", f"{link.address}  (embedded)" if link.is_embedded else link.address),
        ("Protocol", link.protocol),
        ("In this state for", UNKNOWN if link.since is None else format_age((now - link.since).total_seconds())),
        ("Round trip", UNKNOWN if link.round_trip_ms is None else f"{link.round_trip_ms:.1f} ms"),
        *(
            [("Certificates", f"until {to_site(link.certificate_ends_at):%Y-%m-%d}")]
            if link.certificate_ends_at
            else []
        ),
        ("Received", str(link.n_received)),
        ("Published", str(link.n_published)),
        ("Waiting to be sent", str(link.n_outbox)),
        ("Lost for good", _lost_words(health.losses)),
        ("Reconnects", str(link.n_reconnects)),
        *((adapter.title, _adapter_words(adapter)) for adapter in health.adapters),
        *([("HTTP gateway", _gateway_words(health.gateway))] if health.gateway is not None else []),
    ]


def _lost_words(losses: FieldLosses) -> str:
    if not losses.n_all:
        return "nothing"
    turned_away = f", {losses.n_turned_away:,} messages of too many devices" if losses.n_turned_away else ""
    return f"{losses.n_events:,} events, {losses.n_readings:,} readings{turned_away}"


def _adapter_words(adapter: AdapterReport) -> str:
    if adapter.reason:
        return adapter.reason
    unusable = f", {adapter.n_bad_messages} unusable" if adapter.n_bad_messages else ""
    return f"{adapter.note}; {adapter.n_messages} message{'' if adapter.n_messages == 1 else 's'}{unusable}"


def _gateway_words(gateway: GatewayReport) -> str:
    if gateway.state is not GatewayState.OPEN:
        return gateway.state.value if gateway.state is GatewayState.STARTING else gateway.reason
    counts = f"{gateway.n_frames} pictures, {gateway.n_requests} requests, {gateway.n_refused} refused"
    return f"{gateway.address}; {counts}"


def _database_facts(health: Health | None) -> list[tuple[str, str]]:
    if health is None:
        return [(name, UNKNOWN) for name in ("Store", "Free on disk")]
    return [
        ("Store", health.database),
        ("Free on disk", f"{health.disk_free_gb:.1f} GB"),
        ("Incidents", str(health.n_incidents)),
        ("Alarms", str(health.n_alarms)),
        ("Observations", str(health.n_observations)),
    ]


def _vision_facts(health: Health | None) -> list[tuple[str, str]]:
    if health is None:
        return [(name, UNKNOWN) for name in ("Engine", "Pictures")]
    engine = next((worker.engine for worker in health.workers if worker.engine is not None), None)
    share = f"  ({100 * health.n_dropped / health.n_frames:.1f} %)" if health.n_frames else ""
    return [
        ("Engine", engine.engine if engine else UNKNOWN),
        ("Device", f"{engine.device}, {engine.precision}" if engine else UNKNOWN),
        ("Why this engine", engine.reason if engine else UNKNOWN),
        ("Model", engine.model_name if engine else UNKNOWN),
        ("Decoding", health.decoder or UNKNOWN),
        ("Why this decoding", health.decoder_reason or UNKNOWN),
        ("Pictures", str(health.n_frames)),
        ("Skipped for a newer one", f"{health.n_dropped}{share}"),
        ("Detections", str(health.n_detections)),
        ("Worker restarts", str(health.n_worker_restarts)),
    ]


def _notice_text(notice: SystemNotice) -> str:
    return f"{notice.message} {notice.hint}  (since {format_instant(notice.since)})"


def _heading(text: str, parent: QWidget) -> QLabel:
    label = QLabel(text, parent)
    set_role(label, "title")
    return label
