"""Ten seconds before and after an alarm: a film of JPEGs of each camera that sees it, kept with its hash."""

from __future__ import annotations

import asyncio
import hashlib
import io
from collections.abc import Sequence
from datetime import UTC, datetime
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from core.incidents.evidence import load_snapshot, save_snapshot
from core.incidents.model import Clip, ClipInfo, ClipPicture
from core.kernel.errors import BadInputError
from core.store.engine import Store
from core.store.tables import IncidentClipRow

FORMAT = "matroska"
_MS = Fraction(1, 1000)


SPAN_S = 10.0
"""Before and after."""

LONGEST_GAP_S = 3.0
"""While nothing moves a camera keeps a picture every two seconds: what lies further apart is missing."""

BEING_TAKEN = "It is being taken."
BROKEN_OFF = "The node ended while it was taken."


class ClipStore:
    """Writes clips beside the snapshots, and their hashes, and what they lack, into the database.

    Threads: all calls come from the owner's loop.
    """

    def __init__(self, store: Store, *, evidence: Path) -> None:
        """Keep films in the folder `evidence`."""
        self._store = store
        self._evidence = evidence

    async def start(self) -> None:
        """Say of clips that a node was taking when it ended that they were never finished."""
        unfinished = update(IncidentClipRow).where(IncidentClipRow.missing == BEING_TAKEN).values(missing=BROKEN_OFF)
        await self._store.write(lambda session: session.execute(unfinished) and None)

    async def expect(
        self,
        incident_id: str,
        cameras: Sequence[tuple[str, str]],
        *,
        at: datetime,
        occurrence: str = "",
        title: str = "",
    ) -> None:
        """Write down which cameras (id and name, the best first) are asked, before any of them answers."""

        def run(session: Session) -> None:
            for rank, (camera_id, name) in enumerate(cameras):
                if session.get(IncidentClipRow, (incident_id, occurrence, camera_id)) is None:
                    row = _row(incident_id, occurrence, camera_id, name, rank=rank, at=at, missing=BEING_TAKEN)
                    row.title = title
                    session.add(row)

        await self._store.write(run)

    async def lose(self, incident_id: str, camera_id: str, why: str, *, occurrence: str = "") -> None:
        """Write down why there is no film of a camera that was asked; one that is there already stays."""

        def run(session: Session) -> None:
            row = session.get(IncidentClipRow, (incident_id, occurrence, camera_id))
            if row is not None and not row.path:
                row.missing = why

        await self._store.write(run)

    async def keep(
        self,
        incident_id: str,
        camera_id: str,
        *,
        at: datetime,
        pictures: Sequence[tuple[float, bytes]],
        camera_name: str = "",
        occurrence: str = "",
    ) -> None:
        """Store a clip of pictures (wall time [s], JPEG); of each camera a call keeps the first one.

        Raises:
            BadInputError: There is no picture.
            UnavailableError: Disk or database refuse.
        """
        if await self._store.read(lambda session: _has_film(session, incident_id, occurrence, camera_id)):
            # The film that is there is evidence: nothing is written over it.
            return
        film = await asyncio.to_thread(to_film, pictures)
        # A camera's id may be anything; a file's name may not.
        of_call = f"{incident_id}-{occurrence}" if occurrence else incident_id
        name = f"{of_call}-{hashlib.sha256(camera_id.encode()).hexdigest()[:12]}-clip"
        evidence = await asyncio.to_thread(save_snapshot, self._evidence, film, at=at, name=name, suffix=".mkv")

        def run(session: Session) -> None:
            if _has_film(session, incident_id, occurrence, camera_id):
                return
            row = session.get(IncidentClipRow, (incident_id, occurrence, camera_id))
            if row is None:
                row = _row(incident_id, occurrence, camera_id, camera_name, rank=0, at=at, missing="")
                session.add(row)
            row.began_at = datetime.fromtimestamp(pictures[0][0], UTC)
            row.n_pictures = len(pictures)
            row.path, row.sha256 = evidence.path, evidence.sha256
            row.missing = missing_of([at_s - at.timestamp() for at_s, _ in pictures])

        await self._store.write(run)

    async def clips_of(self, incident_id: str) -> tuple[ClipInfo, ...]:
        """Return what is kept of each camera: of the newest call first, and in it the best camera first.

        A camera that gave nothing is among them.
        """
        clip = IncidentClipRow
        query = select(clip).where(clip.incident_id == incident_id)
        in_order = query.order_by(clip.at.desc(), clip.occurrence.desc(), clip.rank, clip.camera_id)
        return await self._store.read(
            lambda session: tuple(
                ClipInfo(
                    incident_id=row.incident_id,
                    camera_id=row.camera_id,
                    camera_name=row.camera_name or row.camera_id,
                    n_pictures=row.n_pictures,
                    missing=row.missing,
                    is_being_taken=row.missing == BEING_TAKEN,
                    at=row.at,
                    occurrence=row.occurrence,
                    title=row.title,
                )
                for row in session.scalars(in_order)
            )
        )

    async def load(self, incident_id: str, camera_id: str, occurrence: str = "") -> Clip | None:
        """Return what a camera saw of a call of an incident; None where there is no film (yet).

        Raises:
            BadInputError: The film is gone, or was changed.
        """

        def read(session: Session) -> tuple[datetime, datetime, str, str] | None:
            row = session.get(IncidentClipRow, (incident_id, occurrence, camera_id))
            return None if row is None or not row.path else (row.at, row.began_at, row.path, row.sha256)

        found = await self._store.read(read)
        if found is None:
            return None
        at, began_at, path, sha256 = found
        film = await asyncio.to_thread(load_snapshot, self._evidence, path=path, sha256=sha256)
        first_s = (began_at - at).total_seconds()
        pictures = await asyncio.to_thread(from_film, film)
        return Clip(
            incident_id=incident_id,
            camera_id=camera_id,
            at=at,
            pictures=tuple(ClipPicture(offset_s=first_s + after_s, jpeg=jpeg) for after_s, jpeg in pictures),
            occurrence=occurrence,
        )


def missing_of(offsets_s: Sequence[float]) -> str:
    """Say where pictures lack, from their seconds before (negative) and after the alarm; empty where none do."""
    inside = [-SPAN_S, *sorted(one for one in offsets_s if abs(one) <= SPAN_S), SPAN_S]
    gaps = [(begin, end) for begin, end in pairwise(inside) if end - begin > LONGEST_GAP_S]
    if not gaps:
        return ""
    parts = [f"{begin:+.1f} s to {end:+.1f} s" for begin, end in gaps]
    return f"No picture came from {' and from '.join(parts)}."


def _row(
    incident_id: str, occurrence: str, camera_id: str, name: str, *, rank: int, at: datetime, missing: str
) -> IncidentClipRow:
    return IncidentClipRow(
        incident_id=incident_id,
        occurrence=occurrence,
        camera_id=camera_id,
        camera_name=name,
        rank=rank,
        at=at,
        began_at=at,
        n_pictures=0,
        path="",
        sha256="",
        missing=missing,
    )


def _has_film(session: Session, incident_id: str, occurrence: str, camera_id: str) -> bool:
    row = session.get(IncidentClipRow, (incident_id, occurrence, camera_id))
    return row is not None and bool(row.path)


def to_film(pictures: Sequence[tuple[float, bytes]]) -> bytes:
    """Return a Matroska film of JPEGs that any player shows; nothing is encoded again.

    Raises:
        BadInputError: There is no picture, or the first one is none.
    """
    if not pictures:
        raise BadInputError("A clip needs a picture.")
    try:
        with av.open(io.BytesIO(pictures[0][1])) as first:
            size = first.streams.video[0]
            width, height = size.width, size.height
        target = io.BytesIO()
        with av.open(target, "w", format=FORMAT) as film:
            stream = film.add_stream("mjpeg", rate=25)
            stream.width, stream.height, stream.pix_fmt, stream.time_base = width, height, "yuvj420p", _MS
            last_ms = -1
            for at_s, jpeg in pictures:
                packet = av.Packet(jpeg)
                packet.stream, packet.time_base, packet.is_keyframe = stream, _MS, True
                # Cameras may set their clock back: a film goes on.
                last_ms = packet.pts = packet.dts = max(last_ms + 1, round((at_s - pictures[0][0]) * 1000))
                film.mux(packet)
    except av.FFmpegError as error:
        raise BadInputError(f"The clip cannot be made ({error}).") from error
    return target.getvalue()


def from_film(film: bytes) -> list[tuple[float, bytes]]:
    """Return the pictures of a film as (seconds from the first one, JPEG).

    Raises:
        BadInputError: It is no film of ours.
    """
    try:
        with av.open(io.BytesIO(film), format=FORMAT) as source:
            packets = [packet for packet in source.demux(video=0) if packet.size]
            return [(float((packet.pts or 0) * (packet.time_base or _MS)), bytes(packet)) for packet in packets]
    except av.FFmpegError as error:
        raise BadInputError(f"The clip cannot be read ({error}).") from error
