"""What a camera shows that was learned before lights were told apart is still known."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from core.cameras.views import load_views
from core.store.engine import sqlite_url
from core.vision.light import Light
from core.vision.view import LearnedView, LitView
from tests.fixtures.room import Room


def test_the_view_of_the_version_before_is_kept_in_a_light_that_nobody_knows(tmp_path: Path, database_before) -> None:
    file = database_before("0033")
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute(
            "INSERT INTO camera_view (camera_id, drawn, edges, likeness, is_moved, told_at)"
            " VALUES ('bridge', 'print', X'0102', 0.75, 1, '2026-11-22 12:00:00.000000')"
        )

    room = Room(sqlite_url(file), tmp_path)
    views = room.run(load_views(room.store))
    room.close()

    at = datetime(2026, 11, 22, 12, tzinfo=UTC)
    lit = LitView(light=Light.UNKNOWN, edges=b"\x01\x02", likeness=0.75, seen_at=at)
    assert views == {"bridge": LearnedView(drawn="print", lit=(lit,), is_moved=True, told_at=at)}
