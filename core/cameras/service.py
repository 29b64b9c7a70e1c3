"""The cameras' settings: checked, stored, and told to everyone after the commit."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.access import audit
from core.access.model import Actor, Role
from core.access.permission import require
from core.cameras.address import CleanAddress, clean_address, complete_onvif, host_of, hosts_of
from core.cameras.checks import check_camera, check_scene
from core.cameras.many import CameraAt, CameraEdit, changes_of, check_many, role_for, rows_of, why_it_stays
from core.cameras.model import Camera, CameraChanged, CameraRemoved, SceneVersion, ViewAccepted
from core.cameras.onvif.http import http_parts
from core.cameras.scenes import append_version, lines_drawn_since, list_versions, read_version
from core.cameras.views import drop_accepted, drop_known, drop_view
from core.kernel.bus import Bus
from core.kernel.clock import Clock
from core.kernel.errors import BadInputError
from core.kernel.ids import new_id
from core.kernel.portions import ALREADY, BulkOutcome, refused
from core.kernel.secrets import Secrets
from core.kernel.wire import from_builtins, to_builtins
from core.media.parameters import public_address
from core.store.engine import Store
from core.store.rows import check_version, place, position_of, storable
from core.store.tables import CameraRow
from core.vision.model import UNREADABLE, Scene, TrackerKind
from core.vision.view import is_drawn_anew

log = logging.getLogger(__name__)
T = TypeVar("T")

IS_FORGOTTEN = "No password is kept for this camera any more."
TYPE_IT_ANEW = "Type it anew in Devices."


def secret_name(camera_id: str) -> str:
    """Return the name of a camera's password among the secrets."""
    return f"camera/{camera_id}"


class CameraService:
    """Adds, changes and removes cameras.

    Threads: all calls come from the owner's loop. Passwords go to the secrets and nowhere else.
    """

    def __init__(self, store: Store, bus: Bus, clock: Clock, secrets: Secrets) -> None:
        """Read nothing yet."""
        self._store = store
        self._bus = bus
        self._clock = clock
        self._secrets = secrets

    async def list(self) -> tuple[Camera, ...]:
        """Return every camera, by name."""
        query = select(CameraRow).order_by(CameraRow.name, CameraRow.camera_id)
        return await self._store.read(lambda s: tuple(_camera(row) for row in s.scalars(query)))

    async def get(self, camera_id: str) -> Camera:
        """Return one camera.

        Raises:
            BadInputError: There is none of that id.
        """
        return await self._store.read(lambda s: _camera(_find(s, camera_id)))

    async def password_of(self, camera_id: str) -> str:
        """Return a camera's password for whoever opens its stream; empty where there is none.

        Raises:
            UnavailableError: The keyring does not tell it.
        """
        return await asyncio.to_thread(self._secrets.read_secret, secret_name(camera_id)) or ""

    async def password_for(self, camera_id: str, address: str) -> str:
        """Return a camera's password for asking one of its own hosts at another address.

        Returns:
            Empty for any other host, where nothing is kept, and for a camera that is only being added.

        Raises:
            UnavailableError: The keyring does not tell it.
        """
        try:
            camera = await self.get(camera_id)
        except BadInputError:
            return ""
        is_own = host_of(address) in _hosts_of(camera)
        return await self.password_of(camera_id) if is_own and camera.has_password else ""

    async def add(self, actor: Actor, camera: Camera, password: str = "") -> Camera:
        """Add a camera; an empty `camera_id` gets a new one.

        Returns:
            As stored: without a password in the address, and with its id.

        Raises:
            NotPermittedError: The actor is no supervisor.
            BadInputError: Names the setting that cannot be used, or the id is taken.
        """
        require(actor, Role.SUPERVISOR)
        draft, password = _cleaned(camera, password)
        draft = replace(draft, camera_id=draft.camera_id or new_id(), has_password=bool(password), version=1)
        at = self._clock.now()

        def run(session: Session) -> Camera:
            if session.get(CameraRow, draft.camera_id) is not None:
                raise BadInputError(f"There is a camera {draft.camera_id} already.", hint="Leave its id empty.")
            row = CameraRow(camera_id=draft.camera_id, created_at=at)
            _write(row, draft)
            session.add(row)
            session.flush()
            _keep_scene(session, actor, Scene(), draft, note="", at=at)
            audit.append(session, actor, action="camera.add", subject=_subject(draft), detail=draft.address, at=at)
            return _camera(row)

        stored = await self._store.write(run)
        if password:
            await asyncio.to_thread(self._secrets.set_secret, secret_name(stored.camera_id), password)
        self._bus.publish(CameraChanged(camera=stored))
        return stored

    async def update(self, actor: Actor, camera: Camera, *, expect_version: int, password: str | None = None) -> Camera:
        """Change a camera's settings.

        Args:
            actor: A supervisor.
            camera: The new settings; its id names the camera.
            expect_version: Of the settings that were shown when the change was begun.
            password: None keeps the one there is, an empty one forgets it.

        Raises:
            NotPermittedError: The actor is no supervisor.
            StaleWriteError: The camera was changed meanwhile.
            BadInputError: Names the setting that cannot be used.
        """
        require(actor, Role.SUPERVISOR)
        draft, found_password = _cleaned(camera, password or "")
        new_password = found_password or password
        at = self._clock.now()

        def run(session: Session) -> Camera:
            row = _find(session, draft.camera_id, expect_version)
            before = _camera(row)
            if new_password is None and before.has_password and _hosts_of(draft) - _hosts_of(before):
                # Otherwise whoever may change an address could send the password to a machine of their own.
                raise BadInputError(
                    "The address leads to another host, and its password is not sent there unasked.",
                    hint="Type the camera's password once more.",
                )
            has_password = before.has_password if new_password is None else bool(new_password)
            after = replace(draft, has_password=has_password)
            _write(row, after)
            session.flush()
            _keep_scene(session, actor, before.scene, after, note="", at=at)
            changes = _describe_changes(before, after) + (", password" if new_password is not None else "")
            audit.append(
                session, actor, action="camera.change", subject=_subject(after), detail=changes.strip(", "), at=at
            )
            return _camera(row)

        stored = await self._store.write(run)
        if new_password is not None:
            await asyncio.to_thread(self._keep_password, stored.camera_id, new_password)
        self._bus.publish(CameraChanged(camera=stored))
        return stored

    async def remove(self, actor: Actor, camera_id: str, *, expect_version: int) -> None:
        """Remove a camera and its password; what it saw stays in the history.

        Raises:
            NotPermittedError: The actor is no supervisor.
            StaleWriteError: The camera was changed meanwhile.
            BadInputError: There is none of that id.
        """
        require(actor, Role.SUPERVISOR)
        at = self._clock.now()

        def run(session: Session) -> Camera:
            row = _find(session, camera_id, expect_version)
            camera = _camera(row)
            session.delete(row)
            drop_known(session, camera_id)
            session.flush()
            audit.append(session, actor, action="camera.remove", subject=_subject(camera), at=at)
            return camera

        camera = await self._store.write(run)
        if camera.has_password:
            await asyncio.to_thread(self._keep_password, camera_id, "")
        self._bus.publish(CameraRemoved(camera_id=camera_id))

    async def set_enabled(self, actor: Actor, camera_id: str, is_enabled: bool, *, expect_version: int) -> Camera:
        """Switch a camera on or off.

        Raises:
            NotPermittedError: The actor is no operator.
            StaleWriteError: The camera was changed meanwhile.
            BadInputError: There is none of that id.
        """
        require(actor, Role.OPERATOR)
        at = self._clock.now()

        def run(session: Session) -> Camera:
            row = _find(session, camera_id, expect_version)
            row.is_enabled = is_enabled
            session.flush()
            action = "camera.enable" if is_enabled else "camera.disable"
            audit.append(session, actor, action=action, subject=_subject(_camera(row)), at=at)
            return _camera(row)

        stored = await self._store.write(run)
        self._bus.publish(CameraChanged(camera=stored))
        return stored

    async def edit_many(self, actor: Actor, edits: Sequence[CameraEdit]) -> tuple[BulkOutcome, ...]:
        """Change many cameras, each as it says; one that somebody else changed meanwhile is left alone.

        Returns:
            An outcome for each that was asked for.

        Raises:
            NotPermittedError: Below operator; below supervisor where more is changed than whether they are on.
            BadInputError: Too many at once, or a text cannot be shown; nothing was changed.
        """
        check_many(actor, role_for(edits), len(edits))
        wanted = [(edit, changes_of(edit)) for edit in edits]
        at, more = self._clock.now(), f"one of {len(edits)}" if len(edits) > 1 else ""

        def run(session: Session) -> tuple[tuple[Camera, ...], tuple[BulkOutcome, ...]]:
            known = rows_of(session, [edit.camera_id for edit in edits])
            outcomes, changed, lines = [], [], []
            for edit, changes in wanted:
                row = known.get(edit.camera_id)
                fresh = [] if row is None else [change for change in changes if not change.is_done(row)]
                reason = why_it_stays(row, edit.version) or ("" if fresh else ALREADY)
                if row is None or reason:
                    outcomes.append(refused(edit.camera_id, None if row is None else row.version, reason))
                    continue
                for change in fresh:
                    change.apply(row)
                    detail = ", ".join(filter(None, (change.detail, more)))
                    lines.append(audit.Line(action=change.action, subject=_subject(_camera(row)), detail=detail))
                changed.append(row)
            session.flush()
            audit.append_all(session, actor, lines, at=at)
            outcomes += [BulkOutcome(device_id=row.camera_id, version=row.version) for row in changed]
            return tuple(_camera(row) for row in changed), tuple(outcomes)

        changed, outcomes = await self._store.write(run)
        for camera in changed:
            self._bus.publish(CameraChanged(camera=camera, is_login_kept=True))
        return outcomes

    async def remove_many(self, actor: Actor, cameras: Sequence[CameraAt]) -> tuple[BulkOutcome, ...]:
        """Remove many cameras and their passwords; what they saw and the versions of their scenes stay.

        Returns:
            An outcome for each; one that somebody else changed meanwhile stays.

        Raises:
            NotPermittedError: Below supervisor.
            BadInputError: Too many at once.
        """
        check_many(actor, Role.SUPERVISOR, len(cameras))
        at = self._clock.now()

        def run(session: Session) -> tuple[tuple[Camera, ...], tuple[BulkOutcome, ...]]:
            known = rows_of(session, [seen.camera_id for seen in cameras])
            outcomes, removed = [], []
            for seen in cameras:
                row = known.pop(seen.camera_id, None)
                reason = why_it_stays(row, seen.version)
                if row is None or reason:
                    outcomes.append(refused(seen.camera_id, None if row is None else row.version, reason))
                    continue
                removed.append(_camera(row))
                session.delete(row)
                drop_known(session, seen.camera_id)
                outcomes.append(BulkOutcome(device_id=seen.camera_id))
            session.flush()
            lines = [audit.Line(action="camera.remove", subject=_subject(camera), detail="") for camera in removed]
            audit.append_all(session, actor, lines, at=at)
            return tuple(removed), tuple(outcomes)

        removed, outcomes = await self._store.write(run)
        # A keyring may take its time for each of them, and nobody looks at them any more.
        for camera in removed:
            self._bus.publish(CameraRemoved(camera_id=camera.camera_id))
        for camera in removed:
            if camera.has_password:
                await asyncio.to_thread(self._keep_password, camera.camera_id, "")
        return outcomes

    async def put_back(self, actor: Actor, cameras: Sequence[Camera]) -> tuple[BulkOutcome, ...]:
        """Add cameras that were removed, with their ids and scenes; their passwords are gone and have to be typed anew.

        Returns:
            An outcome for each that was asked for.

        Raises:
            NotPermittedError: Below supervisor.
            BadInputError: Too many at once.
        """
        check_many(actor, Role.SUPERVISOR, len(cameras))
        outcomes = []
        for camera in cameras:
            try:
                stored = await self.add(actor, camera)
            except BadInputError as error:
                outcomes.append(refused(camera.camera_id, None, f"{error.message} {error.hint}".strip()))
                continue
            outcomes.append(BulkOutcome(device_id=stored.camera_id, version=stored.version))
        return tuple(outcomes)

    async def save_scene(
        self, actor: Actor, camera_id: str, scene: Scene, *, expect_version: int, note: str = ""
    ) -> Camera:
        """Change what is drawn on a camera, and keep it as the next version.

        Args:
            actor: A supervisor.
            camera_id: The camera's other settings stay as they are.
            scene: Replaces all that is drawn.
            expect_version: Of the camera, when the change was begun.
            note: What was changed and why, in the author's words.

        Raises:
            NotPermittedError: The actor is no supervisor.
            StaleWriteError: The camera was changed meanwhile.
            BadInputError: Names what is drawn wrong, or there is no such camera.
        """
        require(actor, Role.SUPERVISOR)
        check_scene(scene)
        at = self._clock.now()

        def run(session: Session) -> Camera:
            row = _find(session, camera_id, expect_version)
            before = _camera(row)
            row.scene = to_builtins(scene)
            session.flush()
            after = _camera(row)
            _keep_scene(session, actor, before.scene, after, note=note, at=at)
            detail = "; ".join(part for part in (_describe_scene(before.scene, scene), storable(note.strip())) if part)
            audit.append(session, actor, action="camera.scene", subject=_subject(after), detail=detail, at=at)
            return after

        stored = await self._store.write(run)
        self._bus.publish(CameraChanged(camera=stored))
        return stored

    async def accept_view(self, actor: Actor, camera_id: str) -> None:
        """Take what a camera shows now for the view that its scene is drawn for; "camera moved" ends.

        Raises:
            NotPermittedError: The actor is no supervisor.
            BadInputError: There is no such camera.
        """
        require(actor, Role.SUPERVISOR)
        at = self._clock.now()

        def run(session: Session) -> None:
            camera = _camera(_find(session, camera_id))
            drop_accepted(session, camera_id, camera.scene)
            audit.append(session, actor, action="camera.view_is_right", subject=_subject(camera), at=at)

        await self._store.write(run)
        self._bus.publish(ViewAccepted(camera_id=camera_id))

    async def scene_versions(self, camera_id: str) -> tuple[SceneVersion, ...]:
        """Return who changed a camera's scene and when, the newest first."""
        return await self._store.read(lambda s: list_versions(s, camera_id))

    async def lines_drawn_since(self, since: datetime) -> dict[str, dict[str, datetime]]:
        """Return, by camera and key, the counting lines that were first drawn after `since`, and when.

        Raises:
            UnavailableError: The database is away.
        """
        return await self._store.read(lambda s: lines_drawn_since(s, since))

    async def scene_of_version(self, camera_id: str, number: int) -> Scene:
        """Return what was drawn in one version.

        Raises:
            BadInputError: There is none of that number.
        """
        return await self._store.read(lambda s: read_version(s, camera_id, number))

    def _keep_password(self, camera_id: str, password: str) -> None:
        if password:
            self._secrets.set_secret(secret_name(camera_id), password)
        else:
            self._secrets.delete_secret(secret_name(camera_id))


def _cleaned(camera: Camera, password: str) -> tuple[Camera, str]:
    """Return checked settings without a login in any address, and the password that was typed or stood there.

    Raises:
        BadInputError: They hold two different passwords, or lead to two hosts: what is kept would go to both.
    """
    main = clean_address(camera.address)
    sub = _clean_other(camera.sub_address)
    onvif = _clean_other(complete_onvif(camera.onvif_address))
    if onvif.address:
        http_parts(onvif.address)
    found = (main, sub, onvif)
    _check_hosts({"The address": main, "The address of the smaller stream": sub, "The ONVIF address": onvif})
    passwords = dict.fromkeys(one for one in (password, *(one.password for one in found)) if one)
    if len(passwords) > 1:
        raise BadInputError(
            "These settings hold two different passwords.",
            hint="One is kept for each camera: write it into its field, and no other into an address.",
        )
    usernames = [name for name in (camera.username.strip(), *(one.username for one in found)) if name]
    cleaned = replace(
        camera,
        name=camera.name.strip(),
        address=main.address,
        sub_address=sub.address,
        onvif_address=onvif.address,
        username=storable(next(iter(usernames), "")),
        heading_deg=camera.heading_deg % 360.0,
    )
    check_camera(replace(cleaned, heading_deg=camera.heading_deg))
    return cleaned, next(iter(passwords), "")


def _clean_other(address: str) -> CleanAddress:
    return clean_address(address) if address.strip() else CleanAddress(address="")


def _check_hosts(addresses: dict[str, CleanAddress]) -> None:
    named = [(what, host) for what, one in addresses.items() if (host := host_of(one.address))]
    for what, host in named[1:]:
        if host != named[0][1]:
            raise BadInputError(
                f"{what} leads to {host}, the camera itself is {named[0][1]}.",
                hint="Both have to be of the same camera: they share one password.",
            )


def _hosts_of(camera: Camera) -> frozenset[str]:
    return hosts_of((camera.address, camera.sub_address, camera.onvif_address))


def _find(session: Session, camera_id: str, expect_version: int | None = None) -> CameraRow:
    row = session.get(CameraRow, camera_id)
    if row is None:
        raise BadInputError("There is no such camera any more.", hint="Look at the list again.")
    if expect_version is not None:
        check_version(row.version, expect_version=expect_version, what=f"Camera {row.name}")
    return row


def _describe_changes(before: Camera, after: Camera) -> str:
    names = [
        name
        for name in Camera.__dataclass_fields__
        if name != "version" and getattr(before, name) != getattr(after, name)
    ]
    return ", ".join(names)


def _keep_scene(session: Session, actor: Actor, before: Scene, after: Camera, *, note: str, at: datetime) -> None:
    if is_drawn_anew(before, after.scene):
        # Who draws has the picture of now before them; what masks hide is no matter of lines, nor of other masks.
        drop_view(session, after.camera_id)
    append_version(session, after.camera_id, before=before, after=after.scene, actor=actor.name, note=note, at=at)


def _describe_scene(before: Scene, after: Scene) -> str:
    names = [name for name in Scene.__dataclass_fields__ if getattr(before, name) != getattr(after, name)]
    return ", ".join(names) or "nothing changed"


def _subject(camera: Camera) -> str:
    return f"{camera.name} ({camera.camera_id})"


def _camera(row: CameraRow) -> Camera:
    return Camera(
        camera_id=row.camera_id,
        name=row.name,
        # What earlier versions took for a file may be a camera's address, password and all.
        address=public_address(row.address),
        sub_address=public_address(row.sub_address),
        onvif_address=row.onvif_address,
        username=row.username,
        has_password=row.has_password,
        transport=row.transport,
        is_enabled=row.is_enabled,
        position=position_of(row),
        site=row.site,
        heading_deg=row.heading_deg,
        view_angle_deg=row.view_angle_deg,
        mount_height_m=row.mount_height_m,
        detect_fps=row.detect_fps,
        labels=tuple(str(label) for label in row.labels),
        tracker=_read(lambda: TrackerKind(row.tracker), TrackerKind.BYTETRACK, row),
        scene=_read(lambda: from_builtins(row.scene, Scene), UNREADABLE, row),
        version=row.version,
    )


def _read(read: Callable[[], T], default: T, row: CameraRow) -> T:
    # One row that someone edited by hand must not take the whole wall down.
    try:
        return read()
    except (msgspec.ValidationError, ValueError) as error:
        log.error("a setting of camera %s cannot be read (%s): the default is used", row.name, error)
        return default


def _write(row: CameraRow, camera: Camera) -> None:
    row.name = storable(camera.name)
    row.address = storable(camera.address)
    row.sub_address = storable(camera.sub_address)
    row.onvif_address = storable(camera.onvif_address)
    row.username = camera.username
    row.has_password = camera.has_password
    row.transport = camera.transport
    row.is_enabled = camera.is_enabled
    place(row, camera.position)
    row.site = storable(camera.site).strip()
    row.heading_deg = camera.heading_deg
    row.view_angle_deg = camera.view_angle_deg
    row.mount_height_m = camera.mount_height_m
    row.detect_fps = camera.detect_fps
    row.labels = [*camera.labels]
    row.tracker = camera.tracker.value
    # Another name must not write over what a newer program can read again.
    if camera.scene != UNREADABLE:
        row.scene = to_builtins(camera.scene)
