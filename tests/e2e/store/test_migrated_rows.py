"""What an older program wrote is still there after its database was brought up to date."""

from datetime import UTC, datetime

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, text

from core.incidents.clips import ClipStore
from core.store import migrate
from core.store.engine import sqlite_url
from tests.fixtures.room import Room

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
INCIDENT = {
    "incident_id": "I",
    **dict.fromkeys(("kind", "title", "source_kind", "source_id", "source_name", "status", "snapshot_path"), "x"),
    **dict.fromkeys(("snapshot_sha256", "text", "unit_id", "operator", "disposition", "taken_up_by"), ""),
    **{"began_at": NOON, "opened_at": NOON, "priority": 3, "confidence": 1.0, "work_version": 1, "version": 1},
}
CLIP = {
    **{"incident_id": "I", "camera_id": "ring", "at": NOON, "began_at": NOON},
    **{"n_pictures": 7, "path": "a.mkv", "sha256": "b"},
}


def bring_to(engine, revision):
    config = Config()
    config.set_main_option("script_location", str(migrate.MIGRATIONS))
    config.set_main_option("path_separator", "os")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def insert(engine, table, values):
    columns = ", ".join(values)
    with engine.begin() as connection:
        marks = ", ".join(f":{name}" for name in values)
        connection.execute(text(f"INSERT INTO {table} ({columns}) VALUES ({marks})"), values)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    return sqlite_url(tmp_path / "a.sqlite3") if request.param == "sqlite" else request.getfixturevalue("postgres_url")


def test_a_clip_from_before_several_cameras_is_kept_with_its_camera(url, tmp_path):
    engine = create_engine(url)
    bring_to(engine, "0020")
    insert(engine, "incident", INCIDENT)
    insert(engine, "incident_clip", CLIP)
    engine.dispose()

    room = Room(url, tmp_path)
    (info,) = room.run(ClipStore(room.store, evidence=tmp_path).clips_of("I"))
    room.close()

    assert (info.camera_id, info.camera_name, info.n_pictures, info.missing) == ("ring", "ring", 7, "")
