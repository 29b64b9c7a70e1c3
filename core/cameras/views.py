"""What cameras show while they stand right, kept over restarts of workers and node."""

from __future__ import annotations

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from core.store.engine import Store
from core.store.tables import CameraRow, CameraViewRow
from core.vision.view import LearnedView


async def load_views(store: Store) -> dict[str, LearnedView]:
    """Return what was learned of each camera last."""

    def run(session: Session) -> dict[str, LearnedView]:
        return {row.camera_id: _view(row) for row in session.scalars(select(CameraViewRow))}

    return await store.read(run)


async def keep_view(store: Store, camera_id: str, view: LearnedView) -> None:
    """Keep what was learned of a camera in place of what was known; nothing of one that is gone."""

    def run(session: Session) -> None:
        if session.get(CameraRow, camera_id) is None:
            return
        row = session.get(CameraViewRow, camera_id)
        if row is None:
            row = CameraViewRow(camera_id=camera_id)
            session.add(row)
        row.drawn, row.edges, row.likeness = view.drawn, view.edges, view.likeness
        row.is_moved, row.told_at = view.is_moved, view.told_at
        session.flush()

    await store.write(run)


async def forget_view(store: Store, camera_id: str) -> None:
    """Do what `drop_view` does, behind whatever was written meanwhile."""
    await store.write(lambda session: drop_view(session, camera_id))


def drop_view(session: Session, camera_id: str) -> None:
    """What the camera shows from now on is learned anew."""
    session.execute(delete(CameraViewRow).where(CameraViewRow.camera_id == camera_id))


def _view(row: CameraViewRow) -> LearnedView:
    return LearnedView(
        drawn=row.drawn, edges=row.edges, likeness=row.likeness, is_moved=row.is_moved, told_at=row.told_at
    )
