"""What cameras show while they stand right, kept over restarts of workers and node."""

from __future__ import annotations

from collections import defaultdict

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from core.store.engine import Store
from core.store.tables import CameraLitViewRow, CameraRow, CameraViewRow
from core.vision.light import Light
from core.vision.view import LearnedView, LitView


async def load_views(store: Store) -> dict[str, LearnedView]:
    """Return what was learned of each camera last."""

    def run(session: Session) -> dict[str, LearnedView]:
        lit = defaultdict(list)
        for row in session.scalars(select(CameraLitViewRow).order_by(CameraLitViewRow.light)):
            lit[row.camera_id].append(
                LitView(light=Light(row.light), edges=row.edges, likeness=row.likeness, seen_at=row.seen_at)
            )
        return {
            row.camera_id: LearnedView(
                drawn=row.drawn, lit=tuple(lit[row.camera_id]), is_moved=row.is_moved, told_at=row.told_at
            )
            for row in session.scalars(select(CameraViewRow))
        }

    return await store.read(run)


async def keep_view(store: Store, camera_id: str, view: LearnedView) -> None:
    """Keep what was learned of a camera in place of what was known; nothing of one that is gone."""

    def run(session: Session) -> None:
        if session.get(CameraRow, camera_id) is None:
            return
        drop_view(session, camera_id)
        session.add(CameraViewRow(camera_id=camera_id, drawn=view.drawn, is_moved=view.is_moved, told_at=view.told_at))
        session.add_all(
            CameraLitViewRow(
                camera_id=camera_id, light=one.light, edges=one.edges, likeness=one.likeness, seen_at=one.seen_at
            )
            for one in view.lit
        )
        session.flush()

    await store.write(run)


async def forget_view(store: Store, camera_id: str) -> None:
    """Do what `drop_view` does, behind whatever was written meanwhile."""
    await store.write(lambda session: drop_view(session, camera_id))


def drop_view(session: Session, camera_id: str) -> None:
    """What the camera shows from now on is learned anew."""
    for table in (CameraViewRow, CameraLitViewRow):
        session.execute(delete(table).where(table.camera_id == camera_id))
