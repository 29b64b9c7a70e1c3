"""The wall: live cameras with their boxes, counts and states."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import threading
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QWidget

from app.files import replace_file
from app.panel import Area, PanelInfo
from app.pumps import make_pump
from app.room import Room
from app.snapshots import FOLDER, Taken, save_shot, saved_sentence
from core.cameras.watching import Watchers
from core.drones.model import DroneState
from core.incidents.model import Alarm, SourceKind
from widgets.video.layout import Preset
from widgets.video.popup import Call
from widgets.video.shot import Shot
from widgets.video.telemetry import TelemetryTape
from widgets.video.wall import VideoWall

log = logging.getLogger(__name__)

PRESETS = ((Preset.ONE, 1), (Preset.FOUR, 4), (Preset.NINE, 9), (Preset.SIXTEEN, 16), (Preset.TWENTY_FIVE, 25))

KEEP_AFTER_MS = 500
"""Whoever turns pages writes once."""

BLIND_KINDS = ("camera_lost", "camera_blinded", "camera_frozen")


def create(room: Room) -> QWidget:
    """Build the wall and connect it."""
    wall = VideoWall()
    live = room.live

    saved = _Layout(room, wall, room.folders.data / "console-wall.json")
    pump = make_pump(room.connection, on_frames=wall.show_frames, on_tracks=wall.show_tracks, parent=wall)
    room.frames = pump

    def on_cameras() -> None:
        wall.show_cameras(sorted(live.cameras.values(), key=lambda camera: camera.name))
        if live.cameras and not saved.is_restored:
            saved.restore(len(live.cameras))

    def on_streams() -> None:
        for report in tuple(live.streams.values()):
            wall.show_report(report)

    def on_counts() -> None:
        for camera_id in live.cameras:
            lines, inside = live.line_totals.get(camera_id, {}), live.inside.get(camera_id, {})
            wall.show_counts(camera_id, _counts_by_key(lines, inside), live.line_gaps.get(camera_id, {}))

    view: dict[str, tuple[int, int]] = {}

    def on_view(sizes: dict[str, tuple[int, int]]) -> None:
        view.clear()
        view.update(sizes)
        pump.set_shown(tuple(sizes))
        room.ask("room.show", sizes=sizes, refused=lambda _error: None)

    def on_session() -> None:
        # A node that was restarted knows nothing of this wall.
        if view:
            room.ask("room.show", sizes=dict(view))

    def on_camera_selected(camera_id: str) -> None:
        if camera_id:
            room.select("camera", camera_id)

    tapes: dict[str, TelemetryTape] = {}

    def on_telemetry(states: Iterable[DroneState]) -> None:
        for state in states:
            plan = live.drone_plans.get(state.drone_id)
            if plan is not None and plan.camera_id in tapes:
                tapes[plan.camera_id].add(state)

    def on_drones() -> None:
        names = {plan.camera_id: plan.name for plan in live.drone_plans.values() if plan.camera_id}
        for camera_id in tapes.keys() - names.keys():
            del tapes[camera_id]
        for camera_id, name in names.items():
            tapes.setdefault(camera_id, TelemetryTape(name)).name = name
        wall.show_telemetry(tapes)
        on_telemetry(live.drones.values())

    def step_alarm(n: int) -> None:
        room.panel_requested.emit("wall")
        wall.step_alarm(n)

    live.cameras_changed.connect(on_cameras)
    live.rings_changed.connect(lambda: pump.set_rings(live.rings))
    live.streams_changed.connect(on_streams)
    live.counts_changed.connect(on_counts)
    live.alarms_changed.connect(lambda: _show_alarms(room, wall))
    live.cameras_changed.connect(lambda: _show_alarms(room, wall))
    live.drone_plans_changed.connect(on_drones)
    live.drones_changed.connect(on_drones)
    live.drones_updated.connect(on_telemetry)
    for keys, n in (("F4", 1), ("Shift+F4", -1)):
        room.key_wanted.emit(keys, partial(step_alarm, n))
    room.connection.snapshot_received.connect(lambda _snapshot: on_session())
    wall.view_changed.connect(on_view)
    wall.camera_selected.connect(on_camera_selected)
    wall.goto_requested.connect(lambda camera_id: room.select("camera", camera_id))
    wall.scene_requested.connect(lambda camera_id: room.scene_requested.emit(camera_id))
    wall.edit_requested.connect(lambda camera_id: room.edit_requested.emit(camera_id))
    room.arranged.connect(lambda arrangement: wall.show_together(arrangement.camera_ids))
    room.put_back.connect(wall.put_back)
    room.camera_called.connect(lambda camera_id, is_alarm: wall.bring(camera_id, from_alarm=is_alarm))

    def on_number(number: int) -> None:
        ordered = sorted(live.cameras.values(), key=lambda camera: camera.name)
        if number <= len(ordered):
            wall.put_on_selected(ordered[number - 1].camera_id)

    wall.camera_number_requested.connect(on_number)
    wall.shot_taken.connect(lambda shot: room.run(_keep_shot(room, shot)))
    wall.said.connect(room.toast)
    return wall


def _show_alarms(room: Room, wall: VideoWall) -> None:
    """Mark the tiles, and let what calls bring its camera."""
    alarms = room.live.open_alarms()
    wall.show_alarms(alarms)
    watchers = Watchers(room.live.cameras.values())
    calls = ((alarm, watchers.nearest(alarm)) for alarm in alarms if alarm.is_calling and not _is_blind(alarm))
    wall.show_calls(
        Call(
            occurrence=alarm.occurrence,
            alarm_id=alarm.alarm_id,
            camera_id=camera_id,
            title=alarm.title,
            priority=alarm.priority,
            raised_at=alarm.raised_at,
        )
        for alarm, camera_id in calls
        if camera_id is not None
    )


def _is_blind(alarm: Alarm) -> bool:
    """Whether the camera itself is what is wrong: there is nothing to see on its tile."""
    return alarm.source_kind is SourceKind.CAMERA and alarm.kind in BLIND_KINDS


async def _keep_shot(room: Room, shot: Shot) -> None:
    """Write a picture without holding up the window, and say where it is."""
    session = room.connection.session
    taken = Taken(by=session.user.name if session is not None else "", desk=room.connection.desk, at=datetime.now(UTC))
    path = await asyncio.to_thread(save_shot, shot, room.folders.data / FOLDER, taken)
    room.toast(saved_sentence(shot, room.live.streams.get(shot.camera.camera_id)), str(path))


class _Layout:
    """The wall's division at this desk, its saved layouts and tours, kept from one start to the next."""

    def __init__(self, room: Room, wall: VideoWall, file: Path) -> None:
        self._room = room
        self._wall = wall
        self._file = file
        self._writing = threading.Lock()
        self._n_kept = self._n_written = 0
        self.is_restored = False
        self._settling = QTimer(wall)
        self._settling.setSingleShot(True)
        self._settling.setInterval(KEEP_AFTER_MS)
        self._settling.timeout.connect(lambda: room.run(self._keep_beside()))
        wall.layout_changed.connect(self._on_changed)
        room.closing.connect(self._on_closing)

    def restore(self, n_cameras: int) -> None:
        """Divide the wall as it was, or so that every camera has a tile."""
        try:
            self._wall.restore_layout(json.loads(self._file.read_text(encoding="utf-8")))
        except FileNotFoundError:
            self._begin(n_cameras)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            log.warning("the wall's layout is not restored: %s", error)
            self._begin(n_cameras)
            self._set_aside()
        self.is_restored = True

    def _begin(self, n_cameras: int) -> None:
        enough = (preset for preset, n_tiles in PRESETS if n_tiles >= n_cameras)
        self._wall.set_preset(next(enough, Preset.SIXTEEN))

    def _set_aside(self) -> None:
        """Keep what cannot be read: it holds layouts and tours that somebody arranged."""
        kept = self._file.with_suffix(".unreadable.json")
        with contextlib.suppress(OSError):
            os.replace(self._file, kept)
        self._room.toast("The wall's layouts and tours cannot be read; the wall begins anew.", f"They are in {kept}.")

    def _on_changed(self) -> None:
        if self.is_restored:
            self._n_kept += 1
            self._settling.start()

    def _on_closing(self) -> None:
        if self._settling.isActive():
            self._settling.stop()
            self._write(self._n_kept, self._state())

    async def _keep_beside(self) -> None:
        await asyncio.to_thread(self._write, self._n_kept, self._state())

    def _state(self) -> bytes:
        return json.dumps(self._wall.layout_state()).encode()

    def _write(self, number: int, content: bytes) -> None:
        """Write the division down, unless a later one is written already; safe to call in any thread."""
        with self._writing:
            if number <= self._n_written:
                return
            try:
                replace_file(self._file, content)
            except OSError as error:
                log.warning("the wall's layout is not kept: %s", error)
                return
            self._n_written = number


def _counts_by_key(lines: dict[str, dict[str, int]], inside: dict[str, int]) -> dict[str, dict[str, int]]:
    """Lines count by direction, zones count what is inside; a line and a zone may share a key."""
    counts = {key: dict(directions) for key, directions in lines.items()}
    for key, n_vehicles in inside.items():
        counts.setdefault(key, {})["inside"] = n_vehicles
    return counts


PANEL = PanelInfo(key="wall", title="Wall", create=create, area=Area.CENTER, shortcut="Ctrl+Shift+W", icon="grid-9")
