"""Works that were planned before they could concern sources of several kinds."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import create_engine

from core.incidents.model import SourceKind
from core.incidents.suppression import Source
from core.store import migrate
from core.store.engine import sqlite_url
from tests.fixtures.room import Room

T0, T1 = "2026-01-01 12:00:00.000000", "2099-01-01 12:00:00.000000"


def test_planned_works_of_the_version_before_still_hold_their_sources(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "migrations"
    (folder / "versions").mkdir(parents=True)
    (folder / "env.py").write_bytes((migrate.MIGRATIONS / "env.py").read_bytes())
    for file in sorted((migrate.MIGRATIONS / "versions").glob("*.py")):
        if file.name < "0019":
            (folder / "versions" / file.name).write_bytes(file.read_bytes())
    file = tmp_path / "watchfloor.sqlite3"
    with monkeypatch.context() as older:
        older.setattr(migrate, "MIGRATIONS", folder)
        engine = create_engine(sqlite_url(file))
        migrate.upgrade(engine)
        engine.dispose()
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
