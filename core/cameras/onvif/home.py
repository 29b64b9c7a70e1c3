"""Which heads stand at home, the view that their cameras' scenes were drawn for; kept in the store.

A head that was never turned from here stands at home. One that was is away until it was seen or sent there again, also
when node and worker were started anew meanwhile: where nobody knows how it stands, it is away.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from core.cameras.onvif.model import PtzStatus
from core.cameras.views import drop_view
from core.kernel.clock import Clock
from core.store.engine import Store
from core.store.tables import CameraHeadRow

NEAR = 0.005
"""Of a head's own unit: heads come back to a hundredth of their picture, not to the last digit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadPlace:
    """What is known of one head.

    Attributes:
        home: Where it stands when it is at home; empty where the camera does not say.
        away_since: None while it is at home.
    """

    home: PtzStatus
    away_since: datetime | None


class HomeViews:
    """Knows of every head whether it is away; every change is stored before it is told.

    Threads: the owner's loop.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        """Know nothing yet."""
        self._store = store
        self._clock = clock
        self._places: dict[str, HeadPlace] = {}

    async def load(self, camera_ids: Collection[str]) -> None:
        """Read what was known of these cameras' heads."""

        def run(session: Session) -> dict[str, HeadPlace]:
            rows = session.scalars(select(CameraHeadRow))
            return {row.camera_id: _place(row) for row in rows if row.camera_id in camera_ids}

        self._places = await self._store.read(run)

    @property
    def away_ids(self) -> frozenset[str]:
        """Cameras whose heads are not known to stand at home."""
        return frozenset(camera_id for camera_id, place in self._places.items() if place.away_since is not None)

    def away_since(self, camera_id: str) -> datetime | None:
        """Return since when a head is away; None while it is at home."""
        place = self._places.get(camera_id)
        return None if place is None else place.away_since

    def home_of(self, camera_id: str) -> PtzStatus:
        """Return where a head stands when it is at home; empty where that is not known."""
        place = self._places.get(camera_id)
        return PtzStatus() if place is None else place.home

    async def leave(self, camera_id: str, stands: PtzStatus) -> None:
        """A head is about to turn; where it stands now is home, unless another place is known as such."""
        home = self.home_of(camera_id)
        await self._keep(camera_id, home if home.has_place else stands, self._clock.now())

    async def arrive(self, camera_id: str, stands: PtzStatus) -> None:
        """A head is at home."""
        home = self.home_of(camera_id)
        await self._keep(camera_id, home if home.has_place else stands, None)

    async def set_home(self, camera_id: str, stands: PtzStatus) -> None:
        """Where a head stands now is home from here on, and what it shows there is learned anew."""
        await self._keep(camera_id, stands, None, also=lambda session: drop_view(session, camera_id))

    async def forget(self, camera_id: str) -> None:
        """A camera is gone."""

        def run(session: Session) -> None:
            session.execute(delete(CameraHeadRow).where(CameraHeadRow.camera_id == camera_id))

        await self._store.write(run)
        self._places.pop(camera_id, None)

    async def _keep(
        self,
        camera_id: str,
        home: PtzStatus,
        away_since: datetime | None,
        also: Callable[[Session], None] = lambda _session: None,
    ) -> None:
        def run(session: Session) -> None:
            row = session.get(CameraHeadRow, camera_id)
            if row is None:
                row = CameraHeadRow(camera_id=camera_id)
                session.add(row)
            row.away_since = away_since
            row.home_pan, row.home_tilt, row.home_zoom = home.pan, home.tilt, home.zoom
            also(session)
            session.flush()

        await self._store.write(run)
        self._places[camera_id] = HeadPlace(home=home, away_since=away_since)


def is_near(one: PtzStatus, other: PtzStatus) -> bool:
    """Return whether two places show the same picture; False where either is not known."""
    if not one.has_place or not other.has_place:
        return False
    pairs = ((one.pan, other.pan), (one.tilt, other.tilt), (one.zoom, other.zoom))
    return all(
        abs(ours - theirs) <= NEAR * max(1.0, abs(ours))
        for ours, theirs in pairs
        if ours is not None and theirs is not None
    )


def _place(row: CameraHeadRow) -> HeadPlace:
    home = PtzStatus(pan=row.home_pan, tilt=row.home_tilt, zoom=row.home_zoom)
    return HeadPlace(home=home, away_since=row.away_since)
