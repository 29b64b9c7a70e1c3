"""Works that were planned before they could concern sources of several kinds."""

import sqlite3
from contextlib import closing
from pathlib import Path

from core.incidents.model import SourceKind
from core.incidents.suppression import Source
from core.store.engine import sqlite_url
from tests.fixtures.room import Room

T0, T1 = "2026-01-01 12:00:00.000000", "2099-01-01 12:00:00.000000"


def test_planned_works_of_the_version_before_still_hold_their_sources(tmp_path: Path, database_before) -> None:
    file = database_before("0019")
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute(
            "INSERT INTO planned_works (works_id, title, source_kind, source_ids, kinds, since, until, owner, reason,"
            " version) VALUES ('W', 'Ring', 'camera', '[\"north\", \"south\"]', '[]', ?, ?, 'susi', 'Asphalt', 1)",
            (T0, T1),
        )

    room = Room(sqlite_url(file), tmp_path)
    works = room.run(room.handling.works())
    room.close()

    assert [one.sources for one in works] == [
        {Source(kind=SourceKind.CAMERA, source_id=name) for name in ("north", "south")}
    ]
    assert works[0].ended_by == ""
