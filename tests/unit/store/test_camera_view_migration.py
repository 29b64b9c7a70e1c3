"""What was learned of a camera by an earlier version is still known, and more can be kept beside it."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from core.cameras.model import Camera
from core.cameras.views import keep_view, load_views
from core.store.engine import sqlite_url
from core.vision.light import Light
from core.vision.view import LearnedView, LitView
from tests.fixtures.room import SUSI, Room


def keep_as_before(file: Path) -> None:
    """Write a view as an earlier version did."""
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute(
            "INSERT INTO camera_view (camera_id, drawn, is_moved, told_at)"
            " VALUES ('bridge', 'print', 1, '2026-11-22 12:00:00.000000')"
        )


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
    assert views == {"bridge": LearnedView(drawn=frozenset({"print"}), lit=(lit,), is_moved=True, told_at=at)}


def test_a_database_of_before_keeps_its_views_and_takes_the_shapes_that_things_are_drawn_on(
    tmp_path: Path, database_before
) -> None:
    file = database_before("0037")
    keep_as_before(file)
    view = LearnedView(
        drawn=frozenset({"new"}),
        lit=(),
        told_at=datetime(2026, 11, 23, tzinfo=UTC),
        shapes={"mask": (640, 360), "all": (480, 360)},
    )

    room = Room(sqlite_url(file), tmp_path)
    before = room.run(load_views(room.store))["bridge"]
    room.run(room.cameras.add(SUSI, Camera(camera_id="pier", name="Pier", address="rtsp://cam/2")))
    room.run(keep_view(room.store, "pier", view))
    after = room.run(load_views(room.store))["pier"]
    room.close()

    assert (before.is_moved, before.shapes) == (True, {})
    assert after == view


def test_a_view_of_before_could_be_judged_and_one_that_cannot_be_is_kept_as_such(
    tmp_path: Path, database_before
) -> None:
    file = database_before("0039")
    keep_as_before(file)
    view = LearnedView(drawn=frozenset({"new"}), lit=(), is_open=True, told_at=datetime(2026, 11, 23, tzinfo=UTC))

    room = Room(sqlite_url(file), tmp_path)
    room.run(room.cameras.add(SUSI, Camera(camera_id="pier", name="Pier", address="rtsp://cam/2")))
    room.run(keep_view(room.store, "pier", view))
    views = room.run(load_views(room.store))
    room.close()

    assert not views["bridge"].is_open
    assert views["pier"] == view


def test_a_view_that_was_known_by_one_print_is_kept_and_the_next_one_is_known_by_many(
    tmp_path: Path, database_before
) -> None:
    file = database_before("0038")
    keep_as_before(file)
    many = frozenset(f"{n:064x}" for n in range(9))
    view = LearnedView(drawn=many, lit=(), is_moved=True, told_at=datetime(2026, 11, 23, tzinfo=UTC))

    room = Room(sqlite_url(file), tmp_path)
    room.run(room.cameras.add(SUSI, Camera(camera_id="pier", name="Pier", address="rtsp://cam/2")))
    room.run(keep_view(room.store, "pier", view))
    views = room.run(load_views(room.store))
    room.close()

    assert (views["bridge"].drawn, views["bridge"].is_moved) == ({"print"}, True)
    assert views["pier"] == view
