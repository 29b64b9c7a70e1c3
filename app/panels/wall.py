"""The wall: live cameras with their boxes, counts and states."""

from __future__ import annotations

import asyncio
import json
import logging
from datetime import UTC, datetime
from pathlib import Path

from PySide6.QtWidgets import QWidget

from app.frames import FramePump
from app.panel import Area, PanelInfo
from app.remote_frames import RemotePump
from app.room import Room
from app.snapshots import FOLDER, Taken, save_shot
from app.watching import watching_camera
from core.incidents.model import Alarm, SourceKind
from widgets.video.layout import Preset
from widgets.video.popup import Call
from widgets.video.shot import Shot
from widgets.video.wall import VideoWall

log = logging.getLogger(__name__)

PRESETS = ((Preset.ONE, 1), (Preset.FOUR, 4), (Preset.NINE, 9), (Preset.SIXTEEN, 16), (Preset.TWENTY_FIVE, 25))

BLIND_KINDS = ("camera_lost", "camera_blinded", "camera_frozen")


def create(room: Room) -> QWidget:
    """Build the wall and connect it."""
    wall = VideoWall()
    live = room.live

    saved = _Layout(room.folders.data / "console-wall.json")
    # Shared memory where the node is on this machine, one JPEG after the other where it is not.
    pump: FramePump | RemotePump
    if room.connection.is_remote:
        pump = RemotePump(room.connection.call, on_frame=wall.show_frame, on_tracks=wall.show_tracks, parent=wall)
    else:
        pump = FramePump(on_frame=wall.show_frame, on_tracks=wall.show_tracks, parent=wall)
    room.frames = pump

    def on_cameras() -> None:
        wall.show_cameras(sorted(live.cameras.values(), key=lambda camera: camera.name))
        if live.cameras and not saved.is_restored:
            saved.restore(wall, len(live.cameras))
        pump.set_rings(live.rings)
        if set(live.cameras) - set(live.rings):
            # A camera that was added while this console was open: ask where its pictures lie.
            room.ask("room.rings", dict[str, str], then=on_rings)

    def on_rings(rings: dict[str, str]) -> None:
        live.rings = rings
        pump.set_rings(rings)

    def on_streams() -> None:
        for report in tuple(live.streams.values()):
            wall.show_report(report)

    def on_counts() -> None:
        for camera_id in live.cameras:
            lines, inside = live.line_totals.get(camera_id, {}), live.inside.get(camera_id, {})
            wall.show_counts(camera_id, _counts_by_key(lines, inside))

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

    live.cameras_changed.connect(on_cameras)
    live.streams_changed.connect(on_streams)
    live.counts_changed.connect(on_counts)
    live.alarms_changed.connect(lambda: _show_alarms(room, wall))
    live.cameras_changed.connect(lambda: _show_alarms(room, wall))
    room.connection.snapshot_received.connect(lambda _snapshot: on_session())
    wall.layout_changed.connect(lambda: saved.keep(wall))
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
    calls = ((alarm, watching_camera(room, alarm)) for alarm in alarms if alarm.is_calling and not _is_blind(alarm))
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
    room.toast(f"Picture of {shot.camera.name} saved.", str(path))


class _Layout:
    """The wall's division at this desk, kept from one start to the next."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.is_restored = False

    def restore(self, wall: VideoWall, n_cameras: int) -> None:
        """Divide the wall as it was, or so that every camera has a tile."""
        self.is_restored = True
        try:
            wall.restore_layout(json.loads(self._file.read_text(encoding="utf-8")))
        except (OSError, ValueError, KeyError, TypeError):
            enough = (preset for preset, n_tiles in PRESETS if n_tiles >= n_cameras)
            wall.set_preset(next(enough, Preset.SIXTEEN))

    def keep(self, wall: VideoWall) -> None:
        """Write the division down."""
        if self.is_restored:
            try:
                self._file.write_text(json.dumps(wall.layout_state()), encoding="utf-8")
            except OSError as error:
                log.warning("the wall's layout is not kept: %s", error)


def _counts_by_key(lines: dict[str, dict[str, int]], inside: dict[str, int]) -> dict[str, dict[str, int]]:
    """Lines count by direction, zones count what is inside; a line and a zone may share a key."""
    counts = {key: dict(directions) for key, directions in lines.items()}
    for key, n_vehicles in inside.items():
        counts.setdefault(key, {})["inside"] = n_vehicles
    return counts


PANEL = PanelInfo(key="wall", title="Wall", create=create, area=Area.CENTER, shortcut="Ctrl+Shift+W", icon="grid-9")
