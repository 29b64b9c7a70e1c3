"""Devices: every camera and field device, what it says, and how it is set up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from pathlib import Path

from PySide6.QtWidgets import QStackedWidget, QWidget

from app.bulk import Portions
from app.device_bulk import BulkDesk
from app.device_page import DevicePageDesk
from app.key_desk import KeyPageDesk
from app.panel import Area, PanelInfo
from app.room import Room
from core.access.model import Role
from core.cameras.model import Camera
from core.cameras.onvif.model import CameraDescription, Discovery
from core.field.device_list import NewDevice, read_device_list
from core.field.inventory import DeviceAt
from core.kernel.errors import BadInputError, ConsoleError
from core.kernel.geo import GeoPoint
from core.kernel.ids import new_id
from core.kernel.portions import BulkOutcome
from core.media.model import ProbeResult, SourceSpec
from widgets.devices.device_panel import DevicePanel
from widgets.devices.identity_form import NewDeviceForm
from widgets.devices.list_form import DeviceListForm
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
        self._portions: Portions | None = None
        self._edited_id = ""
        self._is_new = False
        self.addWidget(self._panel)
        self._connect_live()
        self._connect_panel()
        self._panel.show_role(room.role)

    def make_rest(self) -> Iterator[None]:
        """Make one after the other what stands behind the tree, where nobody has asked for it yet."""
        for name in ("_bulk", "_form", "_found", "_list", "_new", "_page", "_keys"):
            if name not in self.__dict__:
                getattr(self, name)
                yield

    def _connect_live(self) -> None:
        live, panel = self._room.live, self._panel
        live.cameras_changed.connect(lambda: panel.show_cameras(tuple(live.cameras.values())))
        live.devices_changed.connect(lambda: panel.show_devices(tuple(live.devices.values())))
        live.streams_changed.connect(lambda: panel.show_streams(live.streams))
        live.devices_updated.connect(panel.update_devices)
        live.readings_changed.connect(lambda: panel.show_readings(live.readings))
        live.readings_updated.connect(panel.update_readings)
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
        panel.service_requested.connect(self._room.service_wanted)
        panel.set_enabled_requested.connect(self._on_set_enabled)
        panel.remove_requested.connect(self._on_remove)
        panel.list_requested.connect(self._on_list)
        panel.new_requested.connect(self._on_new)
        panel.page_requested.connect(self._on_page)
        panel.keys_requested.connect(self._on_keys)
        panel.removed_requested.connect(lambda: self._bulk.open_removed())
        # Its buttons may be pressed before `make_rest` came to what answers them.
        panel.bulk.chosen.connect(lambda: self._bulk)

    @cached_property
    def _form(self) -> CameraForm:
        form = CameraForm(self)
        form.test_requested.connect(self._on_test)
        form.save_requested.connect(self._on_save)
        form.cancelled.connect(self._show_tree)
        form.position_requested.connect(self._on_position_wanted)
        form.scene_requested.connect(self._room.scene_requested)
        form.find_requested.connect(self._on_find)
        self.addWidget(form)
        return form

    @cached_property
    def _found(self) -> FoundCameras:
        found = FoundCameras(self)
        found.search_requested.connect(self._on_search)
        found.describe_requested.connect(self._on_describe)
        found.chosen.connect(self._on_found)
        found.cancelled.connect(lambda: self.setCurrentWidget(self._form))
        self.addWidget(found)
        return found

    @cached_property
    def _list(self) -> DeviceListForm:
        form = DeviceListForm(self)
        form.file_chosen.connect(lambda path: self._room.run(self._read_list(path)))
        form.add_requested.connect(lambda devices, name: self._room.run(self._add_list(devices, name)))
        form.undo_requested.connect(lambda added: self._room.run(self._take_list_back(added)))
        form.stop_requested.connect(self._on_stop)
        form.left.connect(self._show_tree)
        self.addWidget(form)
        return form

    @cached_property
    def _new(self) -> NewDeviceForm:
        form = NewDeviceForm(self)
        form.left.connect(self._show_tree)
        form.pick_requested.connect(lambda: self._pick_on_map(form.take_position))
        form.add_requested.connect(lambda device: self._room.run(self._add_one(device)))
        self.addWidget(form)
        return form

    @cached_property
    def _page(self) -> DevicePageDesk:
        desk = DevicePageDesk(self._room)
        desk.page.left.connect(self._show_tree)
        desk.position_wanted.connect(self._pick_on_map)
        self.addWidget(desk.page)
        return desk

    @cached_property
    def _keys(self) -> KeyPageDesk:
        desk = KeyPageDesk(self._room)
        desk.page.left.connect(self._show_tree)
        self.addWidget(desk.page)
        return desk

    @cached_property
    def _bulk(self) -> BulkDesk:
        desk = BulkDesk(self._room, self._panel.bulk)
        desk.page_wanted.connect(self._show_page)
        for page in (desk.page, desk.removed):
            page.left.connect(self._show_tree)
            self.addWidget(page)
        return desk

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

    def _show_page(self, page: QWidget) -> None:
        self.setCurrentWidget(page)
        page.setFocus()

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
        self._pick_on_map(self._form.show_position)

    def _pick_on_map(self, take: Callable[[GeoPoint], None]) -> None:
        def took(lat_deg: float, lon_deg: float) -> None:
            take(GeoPoint(lat_deg, lon_deg))
            self._room.panel_requested.emit("devices")

        self._room.panel_requested.emit("map")
        self._room.position_wanted.emit(took)

    def _on_page(self, device_id: str) -> None:
        if self._page.open(device_id):
            self.setCurrentWidget(self._page.page)
            self._page.page.focus_tab()

    def _on_keys(self) -> None:
        self._keys.open()
        self.setCurrentWidget(self._keys.page)
        self._keys.page.setFocus()

    def _on_new(self) -> None:
        self._new.start()
        self.setCurrentWidget(self._new)
        self._new.setFocus()

    async def _add_one(self, device: NewDevice) -> None:
        try:
            (outcome,) = await self._room.connection.call("devices.add", list[BulkOutcome], devices=[device])
        except ConsoleError as error:
            self._new.show_refused(error.message, error.hint)
            return
        if outcome.reason:
            self._new.show_refused(outcome.reason)
            return
        self._room.toast(f"{device.name} is added; it waits for its first message.")
        self._show_tree()
        self._room.select(device.kind, device.device_id)

    def _on_set_enabled(self, kind: str, item_id: str, is_enabled: bool, version: int) -> None:
        if kind == "camera":
            self._room.ask("cameras.set_enabled", camera_id=item_id, is_enabled=is_enabled, version=version)
        else:
            self._room.ask("devices.set_enabled", device_id=item_id, is_enabled=is_enabled, version=version)

    def _on_remove(self, kind: str, item_id: str, version: int) -> None:
        if kind == "camera":
            self._room.ask("cameras.remove", camera_id=item_id, version=version)
        else:
            self._room.run(self._remove_device(DeviceAt(device_id=item_id, version=version)))

    async def _remove_device(self, device: DeviceAt) -> None:
        (outcome,) = await self._room.connection.call("devices.remove", list[BulkOutcome], devices=[device])
        self._room.toast(
            outcome.reason or f"{device.device_id} is removed; its history stays, and Removed devices puts it back."
        )

    # -- many at once ---------------------------------------------------------------------------------------------

    def _on_list(self) -> None:
        self._list.start()
        self.setCurrentWidget(self._list)
        self._list.setFocus()

    def _on_stop(self) -> None:
        if self._portions is not None:
            self._portions.stop()

    async def _read_list(self, path: Path) -> None:
        try:
            found = await asyncio.to_thread(lambda: read_device_list(path.read_bytes(), path.name))
        except OSError as error:
            self._list.show_refused(f"{path.name} cannot be read: {error.strerror or error}.")
        except BadInputError as error:
            self._list.show_refused(error.message, error.hint)
        else:
            self._list.show_list(found, path.name)

    async def _add_list(self, devices: tuple[NewDevice, ...], file_name: str) -> None:
        portions = self._portions = Portions(self._room.connection, self._list.show_progress, len(devices))
        outcomes = await portions.send("devices.add", devices, BulkOutcome, source=file_name)
        self._list.show_outcomes(outcomes, refused=portions.refused)

    async def _take_list_back(self, added: tuple[BulkOutcome, ...]) -> None:
        portions = self._portions = Portions(self._room.connection, self._list.show_progress, len(added))
        outcomes = await portions.send("devices.remove", _seen(added), BulkOutcome)
        n_removed = sum(not outcome.reason for outcome in outcomes)
        self._list.show_taken_back(n_removed, len(added) - n_removed)


def _seen(outcomes: Iterable[BulkOutcome]) -> list[DeviceAt]:
    return [DeviceAt(device_id=outcome.device_id, version=outcome.version) for outcome in outcomes]


PANEL = PanelInfo(
    key="devices",
    title="Devices",
    create=create,
    area=Area.LEFT,
    shortcut="Ctrl+Shift+D",
    icon="device",
    answers=("edit_requested",),
)
