"""Alarms: what calls an operator, most urgent first, answered by one key."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from PySide6.QtCore import QTimer, QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QWidget

from app.panel import Area, PanelInfo
from app.room import Room
from app.sites import site_of
from app.sources import SourcesOnSight
from core.cameras.watching import Watchers
from core.incidents.handling import Limits
from core.incidents.holds import OutOfService
from core.incidents.model import Alarm, Clip, ClipInfo, JournalEntry, SourceKind
from core.incidents.rules.model import Guidance, Link
from core.incidents.suppression import Source
from core.kernel.errors import ConsoleError
from core.node.model import Trend
from widgets.alarms.actions import Action, Answer
from widgets.alarms.list import AlarmList
from widgets.alarms.order import Tab
from widgets.rules.checklist import AlarmGuidance

CLIP_AGAIN_MS = 3000
CLIP_COMES_WITHIN = timedelta(seconds=30)


def create(room: Room) -> QWidget:
    """Build the list and connect it."""
    return _connect(AlarmList(room.clock, site_of=partial(site_of, room.live), keymap=room.keymap), room)


def _connect(alarms: AlarmList, room: Room) -> QWidget:
    live = room.live

    def on_acknowledge(alarm_id: str, occurrence: str, version: int, comment: str) -> None:
        def refused(error: ConsoleError) -> None:
            alarms.show_refused(alarm_id)
            room.toast(error.message, error.hint)

        # The row changes when the committed event comes back, here as on every other console.
        room.ask(
            "alarms.acknowledge",
            refused=refused,
            alarm_id=alarm_id,
            occurrence=occurrence,
            version=version,
            comment=comment,
        )

    def on_answer(alarm: Alarm, answer: Answer) -> None:
        def refused(error: ConsoleError) -> None:
            alarms.show_refused(alarm.alarm_id)
            room.toast(error.message, error.hint)

        room.ask(
            f"alarms.{answer.action}",
            refused=refused,
            alarm_id=alarm.alarm_id,
            occurrence=alarm.occurrence,
            version=alarm.version,
            **_arguments(answer, room.clock.now()),
        )

    def on_history() -> None:
        until = room.clock.now() + timedelta(minutes=1)
        room.ask("alarms.history", list[Alarm], then=alarms.show_history, since=until - timedelta(days=7), until=until)

    def on_escalate(alarm: Alarm) -> None:
        room.ask("alarms.escalate", alarm_id=alarm.alarm_id, occurrence=alarm.occurrence, version=alarm.version)

    def on_limits(alarm_id: str) -> None:
        def show(limits: Limits) -> None:
            alarms.show_limits(alarm_id, limits)

        room.ask("alarms.limits", Limits, then=show, refused=lambda _error: None, alarm_id=alarm_id)

    def on_incident(alarm: Alarm) -> None:
        room.keys_requested.emit("incidents")
        room.select("incident", alarm.incident_id)

    def on_comment(alarm_id: str, _occurrence: str, _version: int, comment: str) -> None:
        room.ask("alarms.comment", alarm_id=alarm_id, text=comment)

    def on_snapshot_wanted(alarm_id: str, incident_id: str) -> None:
        def show(content: bytes) -> None:
            alarms.show_snapshot(alarm_id, content)

        room.ask("incidents.snapshot", bytes, then=show, incident_id=incident_id)
        ask_clips(alarm_id, incident_id)

    def ask_trend(alarm: Alarm) -> None:
        def show(trend: Trend | None) -> None:
            alarms.show_trend(alarm.alarm_id, trend)

        room.ask(
            "alarms.trend",
            Trend | None,  # type: ignore[arg-type]
            then=show,
            refused=lambda _error: None,
            source_kind=alarm.source_kind,
            source_id=alarm.source_id,
            position=alarm.position,
            at=alarm.raised_at,
        )

    def ask_clips(alarm_id: str, incident_id: str) -> None:
        def show(clips: list[ClipInfo]) -> None:
            alarms.show_clips(alarm_id, tuple(clips))
            is_open = not clips or any(clip.is_being_taken for clip in clips)
            if is_open and _is_fresh(live.alarms.get(alarm_id), room.clock.now()):
                # The ten seconds after it are not over yet.
                clip_timer.start_for(alarm_id, incident_id)

        room.ask("incidents.clips", list[ClipInfo], then=show, refused=lambda _error: None, incident_id=incident_id)

    def on_clip_wanted(alarm_id: str, incident_id: str, camera_id: str, occurrence: str) -> None:
        def show(clip: Clip | None) -> None:
            alarms.show_clip(alarm_id, clip)

        room.ask(
            "incidents.clip",
            Clip | None,  # type: ignore[arg-type]
            then=show,
            incident_id=incident_id,
            camera_id=camera_id,
            occurrence=occurrence,
        )

    clip_timer = _AskAgain(alarms, ask_clips)

    def on_selection(alarm: Alarm | None) -> None:
        if alarm is not None:
            room.alarm_chosen.emit(alarm)
            ask_trend(alarm)

    def on_select(kind: str, item_id: str) -> None:
        if kind == "alarm":
            alarms.select(item_id)

    _connect_guidance(alarms.detail.guidance, room)
    alarms.detail.guidance.link_requested.connect(partial(_show_link, room, alarms))
    _connect_service(alarms, room)
    live.alarms_arrived.connect(lambda: alarms.show_alarms(live.open_alarms()))
    room.flood.changed.connect(alarms.show_flood)
    alarms.acknowledge_requested.connect(on_acknowledge)
    alarms.answer_requested.connect(on_answer)
    alarms.limits_requested.connect(on_limits)
    alarms.history_requested.connect(on_history)
    alarms.incident_requested.connect(on_incident)
    alarms.escalate_requested.connect(on_escalate)
    alarms.show_role(room.role)
    room.role_changed.connect(alarms.show_role)
    room.tab_wanted.connect(lambda name: alarms.show_tab(Tab(name)))
    alarms.comment_requested.connect(on_comment)
    alarms.snapshot_requested.connect(on_snapshot_wanted)
    alarms.clip_requested.connect(on_clip_wanted)
    alarms.selection_changed.connect(on_selection)
    alarms.goto_requested.connect(lambda alarm: go_to(room, alarm))
    alarms.silence_requested.connect(room.silence_requested)
    alarms.put_back_requested.connect(room.put_back_requested)
    room.arranged.connect(lambda _arrangement: alarms.show_arranged(True))
    room.put_back.connect(lambda: alarms.show_arranged(False))
    room.newest_wanted.connect(alarms.select_most_urgent)
    room.selected.connect(on_select)
    room.node_lost.connect(lambda sentence: alarms.show_stale(sentence, "The list is the last one known."))
    room.node_back.connect(alarms.show_current)
    return alarms


def _connect_service(alarms: AlarmList, room: Room) -> None:
    live = room.live

    def on_take_out(named: list[tuple[Source, str]], reason: str, span: timedelta) -> None:
        for source, name in named:
            room.ask(
                "alarms.set_source_out_of_service",
                source_kind=source.kind,
                source_id=source.source_id,
                name=name,
                reason=reason,
                until=room.clock.now() + span,
            )

    def on_back(hold: OutOfService) -> None:
        room.ask("alarms.return_source_to_service", hold_id=hold.hold_id, version=hold.version)

    def on_wanted(kind: SourceKind, source_id: str) -> None:
        room.keys_requested.emit("alarms")
        alarms.take_out_sources((Source(kind=kind, source_id=source_id),))

    alarms.take_out_requested.connect(on_take_out)
    alarms.service_back_requested.connect(on_back)
    room.service_wanted.connect(on_wanted)
    live.holds_changed.connect(lambda: alarms.show_services(live.holds.services))
    SourcesOnSight(live, alarms.service, alarms.show_sources)


class _AskAgain(QTimer):
    """Asks for the clip of the alarm that is looked at once more, a little later."""

    def __init__(self, parent: QWidget, ask: Callable[[str, str], None]) -> None:
        super().__init__(parent)
        self._wanted = ("", "")
        self.setSingleShot(True)
        self.setInterval(CLIP_AGAIN_MS)
        self.timeout.connect(lambda: ask(*self._wanted))

    def start_for(self, alarm_id: str, incident_id: str) -> None:
        self._wanted = (alarm_id, incident_id)
        self.start()


def _is_fresh(alarm: Alarm | None, now: datetime) -> bool:
    return alarm is not None and now - alarm.raised_at < CLIP_COMES_WITHIN


def _connect_guidance(guidance: AlarmGuidance, room: Room) -> None:
    def on_tick(alarm: Alarm, step: str, is_done: bool) -> None:
        def refused(error: ConsoleError) -> None:
            guidance.show_refused(alarm.alarm_id)
            room.toast(error.message, error.hint)

        room.ask(
            "alarms.tick",
            refused=refused,
            alarm_id=alarm.alarm_id,
            occurrence=alarm.occurrence,
            version=alarm.version,
            step=step,
            is_done=is_done,
        )

    def on_journal(alarm_id: str) -> None:
        def show(entries: list[JournalEntry]) -> None:
            guidance.show_journal(alarm_id, entries)

        room.ask("alarms.journal", list[JournalEntry], then=show, refused=lambda _error: None, alarm_id=alarm_id)

    def on_rules() -> None:
        if room.live.rules is not None:
            guidance.show_rules(room.live.rules)

    room.live.rules_changed.connect(on_rules)
    room.role_changed.connect(guidance.show_role)
    guidance.tick_requested.connect(on_tick)
    guidance.journal_requested.connect(on_journal)
    guidance.show_role(room.role)
    on_rules()


def _show_link(room: Room, alarms: AlarmList, alarm: Alarm, guidance: Guidance, link: Link) -> None:
    """Show what a rule links, in the room."""
    if link is Link.TREND:
        alarms.detail.go_to_trend()
    elif link is Link.PAGE:
        if not QDesktopServices.openUrl(QUrl(guidance.page)):
            room.toast(f"No browser opened {guidance.page}.", "Open it by hand.")
    elif link is Link.CAMERA:
        _show_camera(room, alarm, guidance)
    elif alarm.position is None:
        room.toast(f"Where {alarm.title} is, nobody knows.", "Give its source a place on the map.")
    else:
        room.panel_requested.emit("map")
        room.select("alarm", alarm.alarm_id)
        room.place_called.emit(alarm.position)


def _show_camera(room: Room, alarm: Alarm, guidance: Guidance) -> None:
    watchers = Watchers(room.live.cameras.values())
    if guidance.camera and watchers.linked(guidance.camera) is None:
        room.toast(f"There is no camera {guidance.camera}, which the rule names.", "Correct the rule's linked camera.")
    camera_ids = watchers.around(alarm, guidance.camera)
    if not camera_ids:
        room.toast(f"No camera sees {alarm.title}.", "Link one in its rule.")
        return
    room.panel_requested.emit("wall")
    room.camera_called.emit(camera_ids[0], False)


def _arguments(answer: Answer, now: datetime) -> dict[str, Any]:
    """Return what the verb of an action takes beside the alarm that is meant."""
    match answer.action:
        case Action.SHELVE:
            return {
                "shelving": answer.shelving,
                "for_s": answer.span.total_seconds(),
                "reason": answer.reason,
                "comment": answer.comment,
            }
        case Action.TAKE_OUT:
            return {"reason": answer.reason, "until": now + answer.span}
        case Action.UNACKNOWLEDGE | Action.CLOSE_UNHEARD:
            return {"reason": answer.reason}
        case _:
            return {"comment": answer.comment}


def go_to(room: Room, alarm: Alarm) -> None:
    """Show an alarm's source, and bring wall and map to the front."""
    room.alarm_chosen.emit(alarm)
    room.panel_requested.emit("wall")
    room.panel_requested.emit("map")


PANEL = PanelInfo(
    key="alarms",
    title="Alarms",
    create=create,
    area=Area.BOTTOM,
    shortcut="Ctrl+Shift+A",
    icon="alarm",
    answers=("service_wanted",),
)
