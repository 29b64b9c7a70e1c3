"""Ten seconds before and after an alarm: one film of JPEGs for each incident, kept with its hash."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Sequence
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path

import av
from sqlalchemy.orm import Session

from core.incidents.evidence import load_snapshot, save_snapshot
from core.incidents.model import Clip, ClipPicture
from core.kernel.errors import BadInputError
from core.store.engine import Store
from core.store.tables import IncidentClipRow

FORMAT = "matroska"
_MS = Fraction(1, 1000)


class ClipStore:
    """Writes clips beside the snapshots, and their hashes into the database.

    Threads: all calls come from the owner's loop.
    """

    def __init__(self, store: Store, *, evidence: Path) -> None:
        """Keep films in the folder `evidence`."""
        self._store = store
        self._evidence = evidence

    async def keep(
        self, incident_id: str, camera_id: str, *, at: datetime, pictures: Sequence[tuple[float, bytes]]
    ) -> None:
        """Store a clip of pictures (wall time [s], JPEG); an incident keeps its first one.

        Raises:
            UnavailableError: Disk or database refuse.
        """
        if await self._store.read(lambda session: session.get(IncidentClipRow, incident_id) is not None):
            # The film that is there is evidence: nothing is written over it.
            return
        film = await asyncio.to_thread(to_film, pictures)
        evidence = await asyncio.to_thread(
            save_snapshot, self._evidence, film, at=at, name=f"{incident_id}-clip", suffix=".mkv"
        )

        def run(session: Session) -> None:
            if session.get(IncidentClipRow, incident_id) is not None:
                return
            session.add(
                IncidentClipRow(
                    incident_id=incident_id,
                    camera_id=camera_id,
                    at=at,
                    began_at=datetime.fromtimestamp(pictures[0][0], UTC),
                    n_pictures=len(pictures),
                    path=evidence.path,
                    sha256=evidence.sha256,
                )
            )

        await self._store.write(run)

    async def load(self, incident_id: str) -> Clip | None:
        """Return an incident's clip; None where there is none (yet).

        Raises:
            BadInputError: The film is gone, or was changed.
        """

        def read(session: Session) -> tuple[str, datetime, datetime, str, str] | None:
            row = session.get(IncidentClipRow, incident_id)
            return None if row is None else (row.camera_id, row.at, row.began_at, row.path, row.sha256)

        found = await self._store.read(read)
        if found is None:
            return None
        camera_id, at, began_at, path, sha256 = found
        film = await asyncio.to_thread(load_snapshot, self._evidence, path=path, sha256=sha256)
        first_s = (began_at - at).total_seconds()
        pictures = await asyncio.to_thread(from_film, film)
        return Clip(
            incident_id=incident_id,
            camera_id=camera_id,
            at=at,
            pictures=tuple(ClipPicture(offset_s=first_s + after_s, jpeg=jpeg) for after_s, jpeg in pictures),
        )


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
