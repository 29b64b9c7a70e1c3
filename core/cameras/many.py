"""Many cameras changed at once, each as somebody saw it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.access.model import Actor, Role
from core.access.permission import require
from core.field.device_list import read_site
from core.kernel.portions import check_portion, why_not
from core.store.tables import CameraRow


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraAt:
    """A camera as somebody saw it."""

    camera_id: str
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraEdit:
    """What is to be changed of a camera as somebody saw it; None leaves a thing as it is."""

    camera_id: str
    version: int
    site: str | None = None
    is_enabled: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraChange:
    """One thing that is changed of a camera; action and detail are for the audit."""

    action: str
    detail: str
    is_done: Callable[[CameraRow], bool]
    apply: Callable[[CameraRow], None]


def changes_of(edit: CameraEdit) -> tuple[CameraChange, ...]:
    """Return what an edit changes.

    Raises:
        BadInputError: The site cannot be shown.
    """
    found = []
    if edit.site is not None:
        site = read_site(edit.site)
        found.append(
            CameraChange(
                action="camera.change",
                detail=f"site {site or 'none'}",
                is_done=lambda row: row.site == site,
                apply=lambda row: setattr(row, "site", site),
            )
        )
    if edit.is_enabled is not None:
        is_enabled = edit.is_enabled
        found.append(
            CameraChange(
                action="camera.enable" if is_enabled else "camera.disable",
                detail="",
                is_done=lambda row: row.is_enabled == is_enabled,
                apply=lambda row: setattr(row, "is_enabled", is_enabled),
            )
        )
    return tuple(found)


def rows_of(session: Session, camera_ids: Sequence[str]) -> dict[str, CameraRow]:
    """Return the rows of these cameras, by id."""
    query = select(CameraRow).where(CameraRow.camera_id.in_(camera_ids))
    return {row.camera_id: row for row in session.scalars(query)}


def check_many(actor: Actor, role: Role, n_cameras: int) -> None:
    """Check who asks, and for how many.

    Raises:
        NotPermittedError: The actor is below `role`.
        BadInputError: Too many at once.
    """
    require(actor, role)
    check_portion(n_cameras, "cameras")


def role_for(edits: Sequence[CameraEdit]) -> Role:
    """Return who may make these edits: an operator switches cameras, everything else is a supervisor's."""
    return Role.SUPERVISOR if any(edit.site is not None for edit in edits) else Role.OPERATOR


def why_it_stays(row: CameraRow | None, seen: int) -> str:
    """Return why a camera that somebody saw in a version stays as it is; empty where it need not."""
    return why_not(None if row is None else row.version, seen=seen, what="camera")
