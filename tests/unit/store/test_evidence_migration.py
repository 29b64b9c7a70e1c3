"""Clips that were kept before calls were told apart are still there."""

import sqlite3
from contextlib import closing
from pathlib import Path

from core.incidents.clips import ClipStore
from core.store.engine import sqlite_url
from tests.fixtures.room import Room


def test_the_clip_of_the_version_before_is_kept(tmp_path: Path, database_before) -> None:
    file = database_before("0034")
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute(
            "INSERT INTO incident (incident_id, kind, title, source_kind, source_id, source_name, status, began_at,"
            " confidence, snapshot_path, snapshot_sha256, version) VALUES ('i', 'collision', 'Crash', 'camera', 'c',"
            " 'Bridge', 'new', '2026-11-22 12:00:00.000000', 1.0, 'x.jpg', 'cd', 1)"
        )
        connection.execute(
            "INSERT INTO incident_clip (incident_id, camera_id, camera_name, rank, at, began_at, n_pictures, path,"
            " sha256, missing) VALUES ('i', 'c', 'Bridge', 0, '2026-11-22 12:00:00.000000',"
            " '2026-11-22 11:59:50.000000', 4, 'x.mkv', 'ab', 'Half of it.')"
        )

    room = Room(sqlite_url(file), tmp_path)
    (info,) = room.run(ClipStore(room.store, evidence=tmp_path).clips_of("i"))
    room.close()

    assert (info.camera_id, info.camera_name, info.n_pictures, info.missing) == ("c", "Bridge", 4, "Half of it.")
    assert info.occurrence == ""
