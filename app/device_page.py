"""The page of a device, connected: what it shows comes from the node, what is asked for goes there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal

from app.room import Room
from core.field.broker_config import IssuedCertificate
from core.field.event_log import DeviceEvent
from core.field.messages import DeviceMessage
from core.field.model import Device, DeviceCommand, Reading, Twin
from core.field.sheet import DeviceSheet, History
from core.kernel.errors import ConsoleError
from widgets.devices.command_fields import CommandWish
from widgets.devices.identity_form import Identity
from widgets.devices.page import DevicePage

N_COMMANDS = 100


class DevicePageDesk(QObject):
    """Feeds one `DevicePage`.

    Signals:
        position_wanted(object): A callable that takes the `GeoPoint` of the map's next click.
    """

    position_wanted = Signal(object)

    def __init__(self, room: Room) -> None:
        super().__init__()
        self._room = room
        self.page = DevicePage()
        live = room.live
        live.follow("devices", self._on_live)
        live.devices_updated.connect(self._on_updated)
        live.follow("readings", self._on_live)
        live.readings_updated.connect(self._on_updated)
        live.commands_changed.connect(self._on_commands)
        live.twins_changed.connect(self._on_twins)
        room.role_changed.connect(self.page.show_role)
        self.page.show_role(room.role)
        self.page.refresh_requested.connect(self._on_refresh)
        self.page.identity.save_requested.connect(
            lambda identity, version: room.run(self._save(self.page.device_id, identity, version))
        )
        self.page.identity.pick_requested.connect(lambda: self.position_wanted.emit(self.page.identity.take_position))
        self.page.twin.change_requested.connect(self._on_twin_change)
        self.page.commands.send_requested.connect(self._on_send)
        self.page.history.history_requested.connect(self._on_history)
        self.page.certificate.issue_requested.connect(
            lambda folder: room.run(self._issue(self.page.device_id, Path(folder)))
        )
        self.page.certificate.revoke_requested.connect(self._on_revoke)

    def open(self, device_id: str) -> bool:
        """Show a device; False where nobody knows it any more."""
        device = self._room.live.devices.get(device_id)
        if device is None:
            return False
        self._show(device)
        self._on_twins()
        self._on_refresh()
        self._ask("devices.sheet", DeviceSheet, self.page.show_sheet)
        self._ask("devices.twin", Twin, self.page.twin.show_twin)
        self._ask("devices.commands", list[DeviceCommand], self.page.commands.show_commands, limit=N_COMMANDS)
        return True

    def _show(self, device: Device) -> None:
        readings = self._room.live.readings.values()
        self.page.show_device(device, [one for one in readings if one.device_id == device.device_id])

    def _on_updated(self, fresh: tuple[Device, ...] | tuple[Reading, ...]) -> None:
        if any(one.device_id == self.page.device_id for one in fresh):
            self._on_live()

    def _on_live(self) -> None:
        if not self.page.isVisible():
            return
        device = self._room.live.devices.get(self.page.device_id)
        if device is None:
            self._room.toast("This device was removed; its history stays.")
            self.page.left.emit()
            return
        self._show(device)

    def _on_commands(self) -> None:
        commands = self._room.live.commands.values()
        self.page.commands.show_commands([one for one in commands if one.device_id == self.page.device_id])

    def _on_twins(self) -> None:
        twin = self._room.live.twins.get(self.page.device_id)
        if twin is not None:
            self.page.twin.show_twin(twin)

    def _on_refresh(self) -> None:
        if self.page.tab == "Messages":
            self._ask("devices.messages", list[DeviceMessage], self.page.messages.show_messages)
        elif self.page.tab == "Events":
            self._ask("devices.events", list[DeviceEvent], self.page.events.show_events)
        else:
            self._ask("devices.sheet", DeviceSheet, self.page.show_sheet)

    def _on_history(self, stream: str, key: str, span_s: float) -> None:
        self._ask("devices.history", History, self.page.history.show_history, stream=stream, key=key, span_s=span_s)

    def _on_send(self, wish: CommandWish) -> None:
        self._ask(
            "devices.command",
            DeviceCommand,
            lambda command: self.page.commands.show_commands([command]),
            refused=self.page.commands.show_refused,
            name=wish.name,
            args=dict(wish.args),
            ttl_s=wish.ttl_s,
        )

    def _on_twin_change(self, changes: dict[str, Any], version: int) -> None:
        def done(twin: Twin) -> None:
            self.page.twin.show_twin(twin)
            self.page.twin.show_done()

        self._ask(
            "devices.set_desired", Twin, done, refused=self.page.twin.show_refused, changes=changes, version=version
        )

    def _on_revoke(self) -> None:
        form = self.page.certificate
        self._ask("devices.revoke_certificate", None, lambda _none: form.show_revoked(), refused=form.show_refused)

    async def _save(self, device_id: str, identity: Identity, version: int) -> None:
        """Send what was changed, one verb after the other; each makes a version of its own."""
        known = self._room.live.devices.get(device_id)
        if known is None:
            return
        steps: list[tuple[str, dict[str, Any]]] = []
        if identity.name != known.name:
            steps.append(("devices.rename", {"name": identity.name}))
        if identity.site != known.site:
            steps.append(("devices.set_site", {"site": identity.site}))
        if identity.tags != known.tags:
            steps.append(("devices.set_tags", {"tags": list(identity.tags)}))
        if identity.position != known.position:
            steps.append(("devices.move", {"position": identity.position}))
        try:
            for verb, args in steps:
                device = await self._room.connection.call(verb, Device, device_id=device_id, version=version, **args)
                version = device.version
        except ConsoleError as error:
            self.page.identity.show_refused(error.message, error.hint)
            return
        self.page.identity.show_saved()

    async def _issue(self, device_id: str, folder: Path) -> None:
        form = self.page.certificate
        try:
            issued = await self._room.connection.call(
                "devices.issue_certificate", IssuedCertificate, device_id=device_id
            )
        except ConsoleError as error:
            form.show_refused(error.message, error.hint)
            return
        try:
            await asyncio.to_thread(save_certificate, issued, folder)
        except OSError as error:
            form.show_refused(
                f"The certificate was issued, but {folder} cannot be written: {error.strerror or error}.",
                "Issue another one into another folder; this one then no longer counts.",
            )
            return
        form.show_saved(issued, str(folder))

    def _ask(
        self,
        verb: str,
        kind: Any,
        then: Callable[[Any], None],
        *,
        refused: Callable[[str, str], None] | None = None,
        **args: Any,
    ) -> None:
        """Ask about the device that is shown; what comes when another one is shown is let go."""
        device_id = self.page.device_id

        def mine(answer: Any) -> None:
            if self.page.device_id == device_id:
                then(answer)

        def said(error: ConsoleError) -> None:
            if refused is not None and self.page.device_id == device_id:
                refused(error.message, error.hint)

        self._room.ask(verb, kind, then=mine, refused=said, device_id=device_id, **args)


def save_certificate(issued: IssuedCertificate, folder: Path) -> None:
    """Write the three files that a device needs; the key is its owner's only.

    Raises:
        OSError: The folder cannot be written.
    """
    (folder / "ca.crt").write_text(issued.authority_pem, encoding="ascii")
    (folder / f"{issued.user}.crt").write_text(issued.certificate_pem, encoding="ascii")
    key = folder / f"{issued.user}.key"
    key.unlink(missing_ok=True)
    key.touch(mode=0o600)
    key.write_text(issued.key_pem, encoding="ascii")
