"""Devices: every camera and field device, what it says, and how it is set up."""

from __future__ import annotations

from PySide6.QtWidgets import QStackedWidget, QWidget

from app.panel import Area, PanelInfo
from app.room import Room
from core.access.model import Role
from core.cameras.model import Camera
from core.cameras.onvif.model import CameraDescription, Discovery
from core.kernel.errors import ConsoleError
from core.kernel.geo import GeoPoint
from core.kernel.ids import new_id
from core.media.model import ProbeResult, SourceSpec
from widgets.devices.device_panel import DevicePanel
from widgets.dialogs.camera_form import CameraForm
from widgets.dialogs.found_cameras import CameraChoice, FoundCameras


def create(room: Room) -> QWidget:
    """Build the tree and, behind it, the camera form."""
    return _Devices(room)


class _Devices(QStackedWidget):
    """The tree, or the form of one camera: never a box in front of the room."""

    def __init__(self, room: Room) -> None:
        super().__init__()
        self._room = room
        self._panel = DevicePanel()
        self._form = CameraForm()
        self._found = FoundCameras()
        self._edited_id = ""
        self._is_new = False
        self.addWidget(self._panel)
        self.addWidget(self._form)
        self.addWidget(self._found)
        self._connect_live()
        self._connect_panel()
        self._connect_form()
        self._panel.show_role(room.role)

    def _connect_live(self) -> None:
        live, panel = self._room.live, self._panel
        live.cameras_changed.connect(lambda: panel.show_cameras(tuple(live.cameras.values())))
        live.devices_changed.connect(lambda: panel.show_devices(tuple(live.devices.values())))
        live.streams_changed.connect(lambda: panel.show_streams(live.streams))
        live.readings_changed.connect(lambda: panel.show_readings(live.readings))
        self._room.role_changed.connect(panel.show_role)
        self._room.selected.connect(self._on_selected)
        self._room.edit_requested.connect(self._on_edit)

    def _connect_panel(self) -> None:
        panel = self._panel
        panel.item_selected.connect(self._on_item_selected)
        panel.goto_requested.connect(self._on_goto)
        panel.add_camera_requested.connect(lambda: self._on_edit(""))
        panel.edit_requested.connect(self._on_edit)
        panel.scene_requested.connect(self._room.scene_requested)
        panel.set_enabled_requested.connect(self._on_set_enabled)
        panel.remove_requested.connect(self._on_remove)

    def _connect_form(self) -> None:
        form = self._form
        form.test_requested.connect(self._on_test)
        form.save_requested.connect(self._on_save)
        form.cancelled.connect(self._show_tree)
        form.position_requested.connect(self._on_position_wanted)
        form.scene_requested.connect(self._room.scene_requested)
        form.find_requested.connect(self._on_find)
        found = self._found
        found.search_requested.connect(self._on_search)
        found.describe_requested.connect(self._on_describe)
        found.chosen.connect(self._on_found)
        found.cancelled.connect(lambda: self.setCurrentWidget(self._form))

    def _on_selected(self, kind: str, item_id: str) -> None:
        if kind != "alarm":
            self._panel.select(kind, item_id)

    def _on_item_selected(self, kind: str, item_id: str) -> None:
        if item_id:
            self._room.select(kind, item_id)

    def _on_goto(self, kind: str, item_id: str) -> None:
        self._room.select(kind, item_id)
        if kind == "camera":
            self._room.camera_called.emit(item_id, False)

    def _on_edit(self, camera_id: str) -> None:
        camera = self._room.live.cameras.get(camera_id)
        if self._room.role < Role.SUPERVISOR:
            self._room.toast("Changing cameras needs the role supervisor.", "Ask your supervisor.")
            return
        self._is_new = camera is None
        self._edited_id = camera_id
        if camera is None:
            self._form.show_new(new_id())
        else:
            self._form.show_camera(camera)
        self._room.panel_requested.emit("devices")
        self.setCurrentWidget(self._form)
        self._form.setFocus()

    def _show_tree(self) -> None:
        self.setCurrentWidget(self._panel)
        self._panel.tree.setFocus()

    def _on_test(self, source: SourceSpec, camera_id: str) -> None:
        def refused(error: ConsoleError) -> None:
            self._form.show_probe(ProbeResult(ok=False, message=error.message, hint=error.hint))

        self._room.ask(
            "cameras.test", ProbeResult, then=self._form.show_probe, refused=refused, source=source, camera_id=camera_id
        )

    def _on_find(self) -> None:
        cameras = self._room.live.cameras
        self._found.show_camera_names({key: camera.name for key, camera in cameras.items()})
        self.setCurrentWidget(self._found)
        self._found.start()

    def _on_search(self) -> None:
        def refused(error: ConsoleError) -> None:
            self._found.show_search_failed(error.message, error.hint)

        self._room.ask("onvif.find", Discovery, then=self._found.show_found, refused=refused)

    def _on_describe(self, number: int, address: str, username: str, password: str) -> None:
        def refused(error: ConsoleError) -> None:
            self._found.show_refused(number, error.message, error.hint)

        self._room.ask(
            "onvif.describe",
            CameraDescription,
            then=lambda description: self._found.show_description(number, description),
            refused=refused,
            address=address,
            username=username,
            password=password,
            camera_id=self._edited_id,
        )

    def _on_found(self, choice: CameraChoice) -> None:
        self._form.fill(choice)
        self.setCurrentWidget(self._form)

    def _on_save(self, camera: Camera, password: str | None) -> None:
        def saved(kept: Camera) -> None:
            self._show_tree()
            self._room.toast(f"{kept.name} is saved.")
            self._room.select("camera", kept.camera_id)

        def refused(error: ConsoleError) -> None:
            self._form.show_refused(error.message, error.hint)

        if self._is_new:
            self._room.ask("cameras.add", Camera, then=saved, refused=refused, camera=camera, password=password or "")
        else:
            self._room.ask(
                "cameras.update",
                Camera,
                then=saved,
                refused=refused,
                camera=camera,
                version=camera.version,
                password=password,
            )

    def _on_position_wanted(self) -> None:
        self._room.panel_requested.emit("map")
        self._room.position_wanted.emit(lambda lat, lon: self._form.show_position(GeoPoint(lat, lon)))

    def _on_set_enabled(self, kind: str, item_id: str, is_enabled: bool, version: int) -> None:
        if kind == "camera":
            self._room.ask("cameras.set_enabled", camera_id=item_id, is_enabled=is_enabled, version=version)
        else:
            self._room.ask("devices.set_enabled", device_id=item_id, is_enabled=is_enabled, version=version)

    def _on_remove(self, kind: str, item_id: str, version: int) -> None:
        if kind == "camera":
            self._room.ask("cameras.remove", camera_id=item_id, version=version)
        else:
            self._room.toast("A field device cannot be removed: it registers itself.", "Disable it instead.")


PANEL = PanelInfo(key="devices", title="Devices", create=create, area=Area.LEFT, shortcut="Ctrl+Shift+D", icon="device")
