"""PTZ: steer the selected camera, and send it to its presets."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QEvent, QObject, Qt, QTimer
from PySide6.QtGui import QGuiApplication, QKeyEvent, QShowEvent
from PySide6.QtWidgets import QApplication, QVBoxLayout, QWidget

from app.panel import Area, PanelInfo, Perspective
from app.room import Room
from core.access.model import Role
from core.cameras.onvif.model import Preset, PtzHead, Velocity
from core.kernel.errors import ConsoleError
from widgets.ptz.pad import PtzPad, Way, way_of_key

LOOK_AFTER_MS = 150
"""Whoever walks through the tiles by arrow keys does not ask every camera on the way."""

_SHORTCUTS = {
    "Alt+Left": Way.LEFT,
    "Alt+Right": Way.RIGHT,
    "Alt+Up": Way.UP,
    "Alt+Down": Way.DOWN,
    "Alt++": Way.ZOOM_IN,
    "Alt+=": Way.ZOOM_IN,
    "Alt+-": Way.ZOOM_OUT,
}


def create(room: Room) -> QWidget:
    """Build the pad and connect it."""
    return _Ptz(room)


class _Ptz(QWidget):
    """The pad, following the camera that is selected."""

    def __init__(self, room: Room) -> None:
        super().__init__()
        self._room = room
        self._camera_id = ""
        self._shown_address = ""
        self._pad = PtzPad(self)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._pad)
        self._looking = QTimer(self)
        self._looking.setSingleShot(True)
        self._looking.setInterval(LOOK_AFTER_MS)
        self._looking.timeout.connect(self._on_look)
        self._keys = _HeldKeys(room, self._pad, self)
        self._connect()
        self._pad.show_role(room.role)

    def _connect(self) -> None:
        room, pad = self._room, self._pad
        room.selected.connect(self._on_selected)
        room.role_changed.connect(self._on_role)
        room.live.steering_changed.connect(self._show_steering)
        room.live.cameras_changed.connect(self._on_cameras)
        room.node_lost.connect(lambda _sentence: pad.let_all_go())
        room.node_back.connect(self._show_camera)
        room.closing.connect(pad.let_all_go)
        pad.move_requested.connect(self._on_move)
        pad.stop_requested.connect(self._on_stop)
        pad.preset_requested.connect(lambda token: self._ask("ptz.go_to_preset", token=token))
        pad.set_preset_requested.connect(
            lambda name, token: self._ask_presets("ptz.set_preset", name=name, token=token)
        )
        pad.home_here_requested.connect(lambda: self._ask("ptz.set_home"))
        pad.remove_preset_requested.connect(lambda token: self._ask_presets("ptz.remove_preset", token=token))

    def _on_selected(self, kind: str, item_id: str) -> None:
        if kind == "camera" and item_id != self._camera_id:
            self._pad.let_all_go()
            self._camera_id = item_id
            self._show_camera()

    def _on_role(self, role: Role) -> None:
        self._pad.show_role(role)

    def _on_cameras(self) -> None:
        camera = self._room.live.cameras.get(self._camera_id)
        address = camera.onvif_address if camera is not None and camera.is_enabled else ""
        if address != self._shown_address:
            self._show_camera()

    def _show_camera(self) -> None:
        camera = self._room.live.cameras.get(self._camera_id)
        self._looking.stop()
        self._shown_address = camera.onvif_address if camera is not None and camera.is_enabled else ""
        if camera is None:
            self._pad.show_nothing("No camera is selected.", "Click a tile, a marker or a camera in the list.")
        elif not camera.onvif_address:
            self._pad.show_nothing(f"{camera.name} is not steered.", "Enter its ONVIF address in its settings.")
        elif not camera.is_enabled:
            self._pad.show_nothing(f"{camera.name} is disabled.", "Enable it in the list of devices.")
        else:
            self._pad.show_asking(camera.name)
            if self.isVisible():
                self._looking.start()
        self._show_steering()

    def _show_steering(self) -> None:
        steering = self._room.live.steering.get(self._camera_id)
        session = self._room.connection.session
        is_mine = (
            steering is not None
            and session is not None
            and (steering.by, steering.desk) == (session.user.name, session.desk)
        )
        self._pad.show_steering(steering, is_mine=is_mine)

    def _on_look(self) -> None:
        asked_id = self._camera_id
        camera = self._room.live.cameras.get(asked_id)
        if camera is None or not camera.onvif_address:
            return

        def show(head: PtzHead) -> None:
            if head.camera_id == self._camera_id:
                self._pad.show_head(camera.name, head)
                self._show_steering()

        def refused(error: ConsoleError) -> None:
            if asked_id == self._camera_id:
                self._pad.show_nothing(error.message, error.hint)

        self._room.ask("ptz.look", PtzHead, then=show, refused=refused, camera_id=asked_id)

    def _on_move(self, velocity: Velocity) -> None:
        self._ask("ptz.move", velocity=velocity)

    def _on_stop(self) -> None:
        # A refusal was shown with the move already; a stop that fails is tried again by the node.
        if self._room.connection.session is not None:
            self._room.ask("ptz.stop", refused=lambda _error: None, camera_id=self._camera_id)

    def _ask(self, verb: str, **args: Any) -> None:
        self._room.ask(verb, refused=self._on_refused, camera_id=self._camera_id, **args)

    def _ask_presets(self, verb: str, **args: Any) -> None:
        asked_id = self._camera_id

        def show(presets: list[Preset]) -> None:
            if asked_id == self._camera_id:
                self._pad.show_presets(tuple(presets))

        self._room.ask(verb, list[Preset], then=show, refused=self._on_refused, camera_id=asked_id, **args)

    def _on_refused(self, error: ConsoleError) -> None:
        if self.isVisible():
            self._pad.show_refused(error.message, error.hint)
        else:
            self._pad.let_all_go()
            self._room.toast(error.message, error.hint)

    def showEvent(self, event: QShowEvent) -> None:
        """Ask the camera once somebody looks."""
        super().showEvent(event)
        if self._shown_address:
            self._looking.start()


class _HeldKeys(QObject):
    """Alt and an arrow turn the selected camera from anywhere in the window, until either is released.

    A shortcut hears the press only. Its release is looked for among all events, and only while something is held:
    a filter that is always there would cost the wall time with every event.
    """

    def __init__(self, room: Room, pad: PtzPad, parent: QWidget) -> None:
        super().__init__(parent)
        self._room = room
        self._pad = pad
        self._is_listening = False
        for keys, way in _SHORTCUTS.items():
            room.key_wanted.emit(keys, lambda way=way: self._on_pressed(way))

    def _on_pressed(self, way: Way) -> None:
        if not self._pad.isVisible():
            # Nobody turns a camera blindly: the pad says first which one it is, and who steers it.
            self._room.panel_requested.emit("ptz")
            return
        self._pad.hold(way)
        application = QApplication.instance()
        if self._pad.is_turning and not self._is_listening and application is not None:
            self._is_listening = True
            application.installEventFilter(self)

    def _stop_listening(self) -> None:
        application = QGuiApplication.instance()
        if application is not None:
            application.removeEventFilter(self)
        self._is_listening = False

    def eventFilter(self, _watched: QObject, event: QEvent) -> bool:
        """Hear the release of an arrow, or of Alt."""
        if event.type() == QEvent.Type.KeyRelease and isinstance(event, QKeyEvent) and not event.isAutoRepeat():
            way = way_of_key(event.key())
            if event.key() == Qt.Key.Key_Alt:
                self._pad.let_all_go()
            elif way is not None:
                self._pad.let_go(way)
        if not self._pad.is_turning:
            self._stop_listening()
        return False


PANEL = PanelInfo(
    key="ptz",
    title="PTZ",
    create=create,
    area=Area.RIGHT,
    shortcut="Ctrl+Shift+P",
    icon="camera",
    order=3,
    stack=1,
    perspectives=frozenset({Perspective.OVERVIEW, Perspective.WALL, Perspective.TRAFFIC}),
    leads=frozenset({Perspective.WALL}),
)
