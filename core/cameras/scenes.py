"""Versions of what is drawn on a camera: appended with every change, never changed."""

from __future__ import annotations

from datetime import datetime

import msgspec
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.cameras.model import SceneVersion
from core.kernel.errors import BadInputError
from core.kernel.wire import from_builtins, to_builtins
from core.store.rows import storable
from core.store.tables import SceneVersionRow
from core.vision.model import Scene

MAX_NOTE_LENGTH = 400
MAX_LISTED = 500
NOTE_OF_THE_OLD = "As it was before versions were kept."


def append_version(
    session: Session, camera_id: str, *, before: Scene, after: Scene, actor: str, note: str, at: datetime
) -> None:
    """Keep a changed scene as the next version; an unchanged one adds none.

    What was drawn before anything was kept becomes version 1, so that it can be restored.
    """
    if before == after:
        return
    newest = session.scalar(select(func.max(SceneVersionRow.number)).where(SceneVersionRow.camera_id == camera_id))
    if newest is None and before != Scene():
        session.add(_row(camera_id, 1, before, actor="", note=NOTE_OF_THE_OLD, at=at))
        newest = 1
    session.add(
        _row(camera_id, (newest or 0) + 1, after, actor=actor, note=storable(note.strip())[:MAX_NOTE_LENGTH], at=at)
    )
    session.flush()


def list_versions(session: Session, camera_id: str) -> tuple[SceneVersion, ...]:
    """Return a camera's versions, the newest first."""
    query = (
        select(SceneVersionRow.number, SceneVersionRow.at, SceneVersionRow.actor, SceneVersionRow.note)
        .where(SceneVersionRow.camera_id == camera_id)
        .order_by(SceneVersionRow.number.desc())
        .limit(MAX_LISTED)
    )
    return tuple(
        SceneVersion(camera_id=camera_id, number=number, at=at, actor=actor, note=note)
        for number, at, actor, note in session.execute(query)
    )


def lines_drawn_since(session: Session, since: datetime) -> dict[str, dict[str, datetime]]:
    """Return, by camera and key, the counting lines that were first drawn after `since`, and when."""
    changed = select(SceneVersionRow.camera_id).where(SceneVersionRow.at > since)
    query = select(SceneVersionRow).where(SceneVersionRow.camera_id.in_(changed)).order_by(SceneVersionRow.number)
    known: dict[str, set[str]] = {}
    found: dict[str, dict[str, datetime]] = {}
    for row in session.scalars(query):
        keys = {line["key"] for line in row.scene.get("lines", ())}
        before = known.setdefault(row.camera_id, set())
        # What was there before versions were kept is written down with the first change.
        if row.at > since and row.note != NOTE_OF_THE_OLD:
            found.setdefault(row.camera_id, {}).update(dict.fromkeys(keys - before, row.at))
        before |= keys
    return found


def read_version(session: Session, camera_id: str, number: int) -> Scene:
    """Return what was drawn in one version.

    Raises:
        BadInputError: There is none of that number, or it cannot be read any more.
    """
    row = session.scalar(
        select(SceneVersionRow).where(SceneVersionRow.camera_id == camera_id, SceneVersionRow.number == number)
    )
    if row is None:
        raise BadInputError(f"There is no version {number} of this scene.", hint="Look at the list again.")
    try:
        return from_builtins(row.scene, Scene)
    except (msgspec.ValidationError, ValueError) as error:
        raise BadInputError(
            f"Version {number} of this scene cannot be read ({error}).", hint="Choose another version."
        ) from error


def _row(camera_id: str, number: int, scene: Scene, *, actor: str, note: str, at: datetime) -> SceneVersionRow:
    return SceneVersionRow(camera_id=camera_id, number=number, scene=to_builtins(scene), at=at, actor=actor, note=note)
