"""Things done with many devices at once: in portions that may be stopped, each with its result and a way back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal

from app.bulk import Portions
from app.device_page import save_certificate
from app.room import Room
from core.cameras.many import CameraAt, CameraEdit
from core.cameras.model import Camera
from core.field.broker_config import CertificateOutcome
from core.field.inventory import DeviceAt, DeviceEdit
from core.field.model import CommandOutcome, CommandStatus, Device, DeviceCommand, RemovedDevice
from core.field.sheet import DeviceSheet, OfferedCommand
from core.kernel.portions import BulkOutcome
from widgets.base.conditions import Condition
from widgets.devices.bulk_bar import BulkBar
from widgets.devices.bulk_page import BulkEdit, BulkPage, BulkResult, BulkTask
from widgets.devices.command_fields import CommandWish
from widgets.devices.command_form import CONDITIONS, STATUS_WORDS, sentence_of
from widgets.devices.removed_page import RemovedPage
from widgets.devices.rows import DeviceRow

N_AT_ONCE = 100
"""Small enough that the count moves, and that Stop stops soon."""

N_CAMERAS_AT_ONCE = 10
"""That are put back: each takes its whole scene along."""

N_SHEETS = 8
"""Devices of different offers that are asked what arguments their commands take."""

_Undo = Callable[[], Coroutine[Any, Any, None]]


class BulkDesk(QObject):
    """Feeds the bar of the tree, the page of one bulk action, and the list of removed devices.

    Signals:
        page_wanted(object): Show this widget.
    """

    page_wanted = Signal(object)

    def __init__(self, room: Room, bar: BulkBar) -> None:
        super().__init__()
        self._room, self._bar = room, bar
        self.page, self.removed = BulkPage(), RemovedPage()
        self._rows: tuple[DeviceRow, ...] = ()
        self._portions: Portions | None = None
        self._undo: _Undo | None = None
        self._results: dict[str, BulkResult] = {}
        self._commands: dict[str, str] = {}
        """Device by the id of the command that it was sent last."""

        bar.enable_requested.connect(lambda rows, is_enabled: self._run(self._switch(self._fresh(rows), is_enabled)))
        bar.remove_requested.connect(lambda rows: self._run(self._remove(self._fresh(rows))))
        bar.task_requested.connect(self._on_task)
        bar.results_requested.connect(self._on_results)
        self.page.edit_requested.connect(lambda edit: self._run(self._edit(self._fresh(self._rows), edit)))
        self.page.send_requested.connect(lambda wish: self._run(self._send(self._rows, wish)))
        self.page.issue_requested.connect(lambda folder: self._run(self._issue(self._rows, Path(folder))))
        for one in (bar, self.page):
            one.undo_requested.connect(self._on_undo)
            one.stop_requested.connect(self._on_stop)
        self.removed.restore_requested.connect(self._on_restore)
        room.live.commands_changed.connect(self._on_commands)
        room.role_changed.connect(self._show_role)
        self._show_role(room.role)

    def open_removed(self) -> None:
        """Show what was removed."""
        self.page_wanted.emit(self.removed)
        self._room.ask(
            "devices.removed",
            list[RemovedDevice],
            then=self.removed.show_removed,
            refused=lambda error: self.removed.show_refused(error.message, error.hint),
        )

    def _show_role(self, role: Any) -> None:
        self.page.show_role(role)
        self.removed.show_role(role)

    # -- what is asked for ----------------------------------------------------------------------------------------

    def _on_task(self, task: BulkTask, rows: tuple[DeviceRow, ...]) -> None:
        self._rows = rows
        live = self._room.live
        sites = {one.site for one in live.devices.values()} | {one.site for one in live.cameras.values()}
        self.page.start(task, rows, sites - {""})
        self.page_wanted.emit(self.page)
        if task is BulkTask.COMMAND:
            self.page.show_offered(())
            self._room.run(self._ask_offered(rows))

    async def _ask_offered(self, rows: Sequence[DeviceRow]) -> None:
        """Ask one device of each sort what its commands take."""
        sorts: dict[tuple[str, ...], str] = {}
        for device in self._known(rows):
            if device.commands:
                sorts.setdefault(device.commands, device.device_id)
        offered: dict[str, OfferedCommand] = {}
        for device_id in list(sorts.values())[:N_SHEETS]:
            sheet = await self._room.connection.call("devices.sheet", DeviceSheet, device_id=device_id)
            for command in sheet.commands:
                offered.setdefault(command.name, command)
        for name in sorted({name for names in sorts for name in names}):
            offered.setdefault(name, OfferedCommand(name=name))
        self.page.show_offered([offered[name] for name in sorted(offered)])

    def _on_results(self) -> None:
        self.page.show_report()
        self.page.show_results(self._results.values())
        self.page_wanted.emit(self.page)

    def _on_stop(self) -> None:
        if self._portions is not None:
            self._portions.stop()

    def _on_undo(self) -> None:
        undo, self._undo = self._undo, None
        if undo is not None:
            self._run(undo())

    def _on_restore(self, removed: tuple[RemovedDevice, ...]) -> None:
        self._on_results()
        self._run(self._restore({one.device_id: one.name for one in removed}, [one.removal_id for one in removed]))

    # -- what is done ---------------------------------------------------------------------------------------------

    async def _switch(self, rows: tuple[DeviceRow, ...], is_enabled: bool) -> None:
        """Enable or disable; each can be switched back to what it was."""
        edits = [
            DeviceEdit(device_id=device.device_id, version=device.version, is_enabled=is_enabled)
            for device in self._known(rows)
        ]
        of_cameras = [
            CameraEdit(camera_id=camera.camera_id, version=camera.version, is_enabled=is_enabled)
            for camera in self._cameras(rows)
        ]
        await self._change(self._begin(rows), edits, of_cameras, "enabled" if is_enabled else "disabled")

    async def _edit(self, rows: tuple[DeviceRow, ...], edit: BulkEdit) -> None:
        """Change sites and tags; each can get back what it had."""
        edits = []
        for device in self._known(rows):
            tags = tuple(sorted({*device.tags, *edit.added_tags} - {*edit.removed_tags}))
            has_tags = bool(edit.added_tags or edit.removed_tags)
            edits.append(
                DeviceEdit(
                    device_id=device.device_id,
                    version=device.version,
                    site=edit.site,
                    tags=tags if has_tags else None,
                )
            )
        portions, cameras = self._begin(rows), self._cameras(rows)
        if edit.site is None:
            for camera in cameras:
                self._fail(camera.camera_id, "A camera has no tags.")
            cameras = []
        of_cameras = [
            CameraEdit(camera_id=camera.camera_id, version=camera.version, site=edit.site) for camera in cameras
        ]
        await self._change(portions, edits, of_cameras, "changed")

    async def _change(
        self, portions: Portions, edits: Sequence[DeviceEdit], of_cameras: Sequence[CameraEdit], word: str
    ) -> None:
        """Send edits in portions; `word` is what was done, for the sentence."""
        live = self._room.live
        devices, cameras = dict(live.devices), dict(live.cameras)
        outcomes = await self._send_edits(portions, edits, of_cameras, word)
        versions = {outcome.device_id: outcome.version for outcome in outcomes if not outcome.reason}
        back = [
            _way_back(edit, devices[edit.device_id], versions[edit.device_id])
            for edit in edits
            if edit.device_id in versions
        ]
        cameras_back = [
            _camera_way_back(edit, cameras[edit.camera_id], versions[edit.camera_id])
            for edit in of_cameras
            if edit.camera_id in versions
        ]
        names = {item_id: result.name for item_id, result in self._results.items()}
        self._end(word, partial(self._change_back, names, back, cameras_back))

    async def _send_edits(
        self, portions: Portions, edits: Sequence[DeviceEdit], of_cameras: Sequence[CameraEdit], word: str
    ) -> list[BulkOutcome]:
        outcomes = await portions.send("devices.edit", edits, BulkOutcome, n_at_once=N_AT_ONCE)
        outcomes += await portions.send(
            "cameras.edit_many", of_cameras, BulkOutcome, n_at_once=N_AT_ONCE, named="cameras"
        )
        self._note(outcomes, word)
        return outcomes

    async def _change_back(
        self, names: Mapping[str, str], edits: Sequence[DeviceEdit], of_cameras: Sequence[CameraEdit]
    ) -> None:
        ids = [*(edit.device_id for edit in edits), *(edit.camera_id for edit in of_cameras)]
        portions = self._begin_with({item_id: names[item_id] for item_id in ids})
        await self._send_edits(portions, edits, of_cameras, "as before")
        self._end("as before", None)

    async def _remove(self, rows: tuple[DeviceRow, ...]) -> None:
        """Remove devices and cameras; all can be put back, but a camera's password has to be typed anew."""
        portions, cameras = self._begin(rows), self._cameras(rows)
        seen = [DeviceAt(device_id=row.item_id, version=row.version) for row in rows if row.kind != "camera"]
        outcomes = await portions.send("devices.remove", seen, BulkOutcome, n_at_once=N_AT_ONCE)
        cameras_at = [CameraAt(camera_id=camera.camera_id, version=camera.version) for camera in cameras]
        of_cameras = await portions.send(
            "cameras.remove_many", cameras_at, BulkOutcome, n_at_once=N_AT_ONCE, named="cameras"
        )
        self._note([*outcomes, *of_cameras], "removed")
        removal_ids = [outcome.removal_id for outcome in outcomes if outcome.removal_id]
        gone = {outcome.device_id for outcome in of_cameras if not outcome.reason}
        names = {row.item_id: row.name for row in rows}
        back = [camera for camera in cameras if camera.camera_id in gone]
        self._end("removed", partial(self._restore, names, removal_ids, back) if removal_ids or back else None)

    async def _restore(self, names: dict[str, str], removal_ids: Sequence[str], cameras: Sequence[Camera] = ()) -> None:
        """Put devices and cameras back as they were when they were removed."""
        self._results = {}
        n_all = len(removal_ids) + len(cameras)
        portions = self._portions = Portions(self._room.connection, self._on_progress, n_all)
        outcomes = await portions.send("devices.restore", removal_ids, BulkOutcome, n_at_once=N_AT_ONCE)
        of_cameras = await portions.send(
            "cameras.put_back", cameras, BulkOutcome, n_at_once=N_CAMERAS_AT_ONCE, named="cameras"
        )
        for outcome in (*outcomes, *of_cameras):
            self._put(outcome.device_id, names.get(outcome.device_id, outcome.device_id), outcome.reason, "put back")
        had_password = {camera.camera_id for camera in cameras if camera.has_password}
        for outcome in of_cameras:
            if outcome.device_id in had_password and not outcome.reason:
                self._done(outcome.device_id, "put back; its password is gone, type it anew in its settings")
        self._end("put back", None)

    async def _send(self, rows: tuple[DeviceRow, ...], wish: CommandWish) -> None:
        """Send one command to all; what becomes of each is followed while the results are looked at."""
        portions = self._begin(rows)
        self._commands = {}
        device_ids = [row.item_id for row in rows if row.kind != "camera"]
        outcomes = await portions.send(
            "devices.command_many",
            device_ids,
            CommandOutcome,
            n_at_once=N_AT_ONCE,
            name=wish.name,
            args=dict(wish.args),
            ttl_s=wish.ttl_s,
        )
        for row in rows:
            if row.kind == "camera":
                self._fail(row.item_id, "A camera obeys no commands.")
        for outcome in outcomes:
            if outcome.command is None:
                self._fail(outcome.device_id, outcome.reason)
                continue
            self._commands[outcome.command.command_id] = outcome.device_id
            # Its answer may have been faster than ours.
            self._follow(self._room.live.commands.get(outcome.command.command_id, outcome.command))
        self._end_commands()

    def _on_commands(self) -> None:
        """Tell what became of those that were sent."""
        live = self._room.live.commands
        fresh = [live[command_id] for command_id in self._commands if command_id in live]
        if not fresh:
            return
        for command in fresh:
            self._follow(command)
        self._end_commands()

    def _follow(self, command: DeviceCommand) -> None:
        device_id = self._commands[command.command_id]
        condition = CONDITIONS.get(command.status, Condition.LOST)
        text = sentence_of(command).removeprefix(f"{command.name}: ").rstrip(".")
        self._results[device_id] = replace(self._results[device_id], text=text, condition=condition)

    def _end_commands(self) -> None:
        live = self._room.live.commands
        statuses: dict[CommandStatus, int] = {}
        for command_id in self._commands:
            status = live[command_id].status if command_id in live else CommandStatus.QUEUED
            statuses[status] = statuses.get(status, 0) + 1
        said = ", ".join(f"{n:,} {STATUS_WORDS[status]}" for status, n in statuses.items()) or "Nothing was sent"
        n_left = len(self._results) - len(self._commands)
        self._say(f"{said}{f', {n_left:,} left out' if n_left else ''}.", None)

    async def _issue(self, rows: tuple[DeviceRow, ...], folder: Path) -> None:
        """Issue certificates and write their files here; keys lie nowhere else."""
        portions = self._begin(rows)
        device_ids = [row.item_id for row in rows if row.kind != "camera"]
        outcomes = await portions.send(
            "devices.issue_certificates", device_ids, CertificateOutcome, n_at_once=N_AT_ONCE
        )
        for row in rows:
            if row.kind == "camera":
                self._fail(row.item_id, "A camera does not enter the broker.")
        for outcome in outcomes:
            if outcome.issued is None:
                self._fail(outcome.device_id, outcome.reason)
                continue
            try:
                await asyncio.to_thread(save_certificate, outcome.issued, folder)
            except OSError as error:
                self._fail(outcome.device_id, f"Issued, but {folder} cannot be written: {error.strerror or error}.")
            else:
                self._done(outcome.device_id, f"{outcome.issued.user}.crt and .key")
        self._end(f"saved in {folder}", None)

    # -- helpers --------------------------------------------------------------------------------------------------

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        self._room.run(work)

    def _known(self, rows: Iterable[DeviceRow]) -> list[Device]:
        found = (self._room.live.devices.get(row.item_id) for row in rows if row.kind != "camera")
        return [device for device in found if device is not None]

    def _cameras(self, rows: Iterable[DeviceRow]) -> list[Camera]:
        found = (self._room.live.cameras.get(row.item_id) for row in rows if row.kind == "camera")
        return [camera for camera in found if camera is not None]

    def _fresh(self, rows: Iterable[DeviceRow]) -> tuple[DeviceRow, ...]:
        """Return rows as the tree shows them now: they may have changed since they were chosen."""
        devices = self._room.live.devices
        return tuple(
            replace(row, version=devices[row.item_id].version) if row.item_id in devices else row for row in rows
        )

    def _begin(self, rows: Sequence[DeviceRow]) -> Portions:
        return self._begin_with({row.item_id: row.name for row in rows})

    def _begin_with(self, names: Mapping[str, str]) -> Portions:
        """Begin with these, each by its name; nothing is done with any yet."""
        self._undo = None
        self._commands = {}
        self._results = {
            item_id: BulkResult(item_id=item_id, name=name, text="not done", condition=Condition.UNKNOWN)
            for item_id, name in names.items()
        }
        self._portions = Portions(self._room.connection, self._on_progress, len(names))
        return self._portions

    def _on_progress(self, n_done: int, n_all: int) -> None:
        self._bar.show_progress(n_done, n_all)
        self.page.show_progress(n_done, n_all)

    def _note(self, outcomes: Iterable[BulkOutcome], word: str) -> None:
        for outcome in outcomes:
            self._put(outcome.device_id, self._results[outcome.device_id].name, outcome.reason, word)

    def _put(self, item_id: str, name: str, reason: str, word: str) -> None:
        self._results[item_id] = BulkResult(item_id=item_id, name=name, text=word, condition=Condition.OK)
        if reason:
            self._fail(item_id, reason)

    def _done(self, item_id: str, word: str) -> None:
        self._results[item_id] = replace(self._results[item_id], text=word, condition=Condition.OK)

    def _fail(self, item_id: str, reason: str) -> None:
        self._results[item_id] = replace(self._results[item_id], text=reason, condition=Condition.LOST)

    def _end(self, word: str, undo: _Undo | None) -> None:
        refused = self._portions.refused if self._portions is not None else ""
        n_done = sum(result.condition is Condition.OK for result in self._results.values())
        n_kept = len(self._results) - n_done
        kept = f", {n_kept:,} not" if n_kept else ""
        self._say(f"{n_done:,} {word}{kept}. {refused}".strip(), undo if n_done else None)

    def _say(self, sentence: str, undo: _Undo | None) -> None:
        self._undo = undo
        self._bar.show_done(sentence, can_undo=undo is not None)
        self.page.show_done(sentence, can_undo=undo is not None)
        self.page.show_results(self._results.values())


def _way_back(edit: DeviceEdit, before: Device, version: int) -> DeviceEdit:
    """Return what undoes an edit that was done."""
    return DeviceEdit(
        device_id=edit.device_id,
        version=version,
        site=None if edit.site is None else before.site,
        tags=None if edit.tags is None else before.tags,
        is_enabled=None if edit.is_enabled is None else before.is_enabled,
    )


def _camera_way_back(edit: CameraEdit, before: Camera, version: int) -> CameraEdit:
    """Return what undoes an edit of a camera that was done."""
    return CameraEdit(
        camera_id=edit.camera_id,
        version=version,
        site=None if edit.site is None else before.site,
        is_enabled=None if edit.is_enabled is None else before.is_enabled,
    )
