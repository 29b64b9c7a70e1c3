"""Device control: commands and settings of the device that is selected anywhere in the room."""

from __future__ import annotations

from PySide6.QtWidgets import QWidget

from app.panel import Area, PanelInfo
from app.room import Room
from core.field.model import DeviceCommand, Twin
from widgets.devices.control import N_SHOWN, DeviceControl


def create(room: Room) -> QWidget:
    """Build the panel."""
    return _DeviceControl(room)


class _DeviceControl(DeviceControl):
    """Follows the room's selection; what was before this console came in, the node is asked."""

    def __init__(self, room: Room) -> None:
        super().__init__()
        self._room = room
        self._history: dict[str, DeviceCommand] = {}
        live = room.live
        live.devices_changed.connect(self._on_devices)
        live.commands_changed.connect(self._on_commands)
        live.twins_changed.connect(self._on_twins)
        room.selected.connect(self._on_selected)
        room.role_changed.connect(self.show_role)
        self.command_requested.connect(self._on_command)
        self.setting_requested.connect(self._on_setting)
        self.show_role(room.role)

    def _on_selected(self, kind: str, item_id: str) -> None:
        device = self._room.live.devices.get(item_id)
        if device is None or kind == "camera" or item_id == self.device_id:
            return
        self._history = {}
        self.show_device(device)
        self._on_twins()
        self._room.ask("devices.commands", list[DeviceCommand], then=self._on_history, device_id=item_id, limit=N_SHOWN)

    def _on_history(self, commands: list[DeviceCommand]) -> None:
        if any(command.device_id != self.device_id for command in commands):
            # Of the device that was selected before.
            return
        self._history = {command.command_id: command for command in commands}
        self._on_commands()

    def _on_devices(self) -> None:
        if self.device_id:
            self.show_device(self._room.live.devices.get(self.device_id))

    def _on_commands(self) -> None:
        live = self._room.live.commands.values()
        newer = {command.command_id: command for command in live if command.device_id == self.device_id}
        self.show_commands(tuple({**self._history, **newer}.values()))

    def _on_twins(self) -> None:
        self.show_twin(self._room.live.twins.get(self.device_id))

    def _on_command(self, device_id: str, name: str, args: object) -> None:
        self._room.ask("devices.command", device_id=device_id, name=name, args=args)

    def _on_setting(self, device_id: str, key: str, value: object, version: int) -> None:
        self._room.ask("devices.set_desired", Twin, device_id=device_id, changes={key: value}, version=version)


PANEL = PanelInfo(
    key="device_control",
    title="Device control",
    create=create,
    area=Area.LEFT,
    shortcut="Ctrl+Shift+G",
    order=3,
    icon="device",
)
