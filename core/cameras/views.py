"""What cameras show while they stand right, kept over restarts of workers and node."""

from __future__ import annotations

from collections import defaultdict

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from core.store.engine import Store
from core.store.tables import CameraLitViewRow, CameraRow, CameraShapeRow, CameraViewRow
from core.vision.light import Light
from core.vision.model import Scene
from core.vision.view import LearnedView, LitView, prints_of_shapes


async def load_views(store: Store) -> dict[str, LearnedView]:
    """Return what was learned of each camera last."""

    def run(session: Session) -> dict[str, LearnedView]:
        lit = defaultdict(list)
        for row in session.scalars(select(CameraLitViewRow).order_by(CameraLitViewRow.light)):
            lit[row.camera_id].append(
                LitView(light=Light(row.light), edges=row.edges, likeness=row.likeness, seen_at=row.seen_at)
            )
        shapes: dict[str, dict[str, tuple[int, int]]] = defaultdict(dict)
        views: dict[str, LearnedView] = {}
        for shape in session.scalars(select(CameraShapeRow)):
            shapes[shape.camera_id][shape.drawn] = (shape.width, shape.height)
            # Somebody drew since, so nothing else is known of the camera, or it follows below.
            views[shape.camera_id] = LearnedView(
                drawn=frozenset(), lit=(), told_at=shape.told_at, shapes=shapes[shape.camera_id]
            )
        for known in session.scalars(select(CameraViewRow)):
            views[known.camera_id] = LearnedView(
                drawn=frozenset(known.drawn.split()),
                lit=tuple(lit[known.camera_id]),
                is_moved=known.is_moved,
                is_open=known.is_open,
                told_at=known.told_at,
                shapes=shapes[known.camera_id],
            )
        return views

    return await store.read(run)


async def keep_view(store: Store, camera_id: str, view: LearnedView) -> None:
    """Keep what was learned of a camera in place of what was known; nothing of one that is gone."""

    def run(session: Session) -> None:
        if session.get(CameraRow, camera_id) is None:
            return
        drop_view(session, camera_id)
        drawn = " ".join(sorted(view.drawn))
        session.add(
            CameraViewRow(
                camera_id=camera_id,
                drawn=drawn,
                is_moved=view.is_moved,
                is_open=view.is_open,
                told_at=view.told_at,
            )
        )
        session.add_all(
            CameraLitViewRow(
                camera_id=camera_id, light=one.light, edges=one.edges, likeness=one.likeness, seen_at=one.seen_at
            )
            for one in view.lit
        )
        for drawn, (width, height) in view.shapes.items():
            session.merge(
                CameraShapeRow(camera_id=camera_id, drawn=drawn, width=width, height=height, told_at=view.told_at)
            )
        session.flush()

    await store.write(run)


async def forget_view(store: Store, camera_id: str, scene: Scene) -> None:
    """Do what `drop_accepted` does, behind whatever was written meanwhile."""
    await store.write(lambda session: drop_accepted(session, camera_id, scene))


def drop_view(session: Session, camera_id: str) -> None:
    """What the camera shows from now on is learned anew; what was drawn on which shape is known as before."""
    for table in (CameraViewRow, CameraLitViewRow):
        session.execute(delete(table).where(table.camera_id == camera_id))


def drop_accepted(session: Session, camera_id: str, scene: Scene) -> None:
    """What the camera shows from now on is what `scene` is drawn for, its shape included."""
    drop_view(session, camera_id)
    gone = CameraShapeRow.drawn.in_(prints_of_shapes(scene))
    session.execute(delete(CameraShapeRow).where(CameraShapeRow.camera_id == camera_id, gone))


def drop_known(session: Session, camera_id: str) -> None:
    """The camera is gone."""
    drop_view(session, camera_id)
    session.execute(delete(CameraShapeRow).where(CameraShapeRow.camera_id == camera_id))
