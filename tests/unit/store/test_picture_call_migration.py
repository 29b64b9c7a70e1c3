"""Pictures and clips that were kept before calls had names are still there, and say none."""

from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from core.incidents.clips import ClipStore
from core.incidents.dispatch import DispatchService
from core.store.engine import sqlite_url
from tests.fixtures.postgres import PostgresServer
from tests.fixtures.room import Room
from tests.unit.store.test_evidence_migration import INCIDENT

CLIP = (
    "INSERT INTO incident_clip (incident_id, occurrence, camera_id, camera_name, rank, at, began_at, n_pictures, path,"
    " sha256, missing) VALUES ('i', 'o', 'c', 'Bridge', 0, '2026-11-22 12:00:00.000000',"
    " '2026-11-22 11:59:50.000000', 4, 'x.mkv', 'ab', '')"
)
BESIDE = "INSERT INTO incident_picture (picture_id, incident_id, path, sha256) VALUES ('p', 'i', 'y.jpg', 'ef')"


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
def test_what_was_kept_before_says_no_call(
    dialect: str, request: pytest.FixtureRequest, tmp_path: Path, migrate_before
) -> None:
    if dialect == "sqlite":
        url = sqlite_url(tmp_path / "watchfloor.sqlite3")
    else:
        server: PostgresServer = request.getfixturevalue("postgres_server")
        url = server.url(server.make_database())
    migrate_before(url, "0036")
    engine = create_engine(url)
    with engine.begin() as connection:
        for statement in (INCIDENT, CLIP, BESIDE):
            connection.execute(text(statement))
    engine.dispose()

    room = Room(url, tmp_path)
    try:
        dispatch = DispatchService(room.store, room.bus, room.clock, evidence=room.folder)
        detail = room.run(dispatch.detail("i"))
        clips = room.run(ClipStore(room.store, evidence=room.folder).clips_of("i"))
    finally:
        room.close()

    assert (detail.pictures, detail.picture_calls) == (("i", "p"), (None, None))
    assert [(clip.occurrence, clip.title) for clip in clips] == [("o", "")]
