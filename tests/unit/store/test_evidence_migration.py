"""Clips that were kept before occurrences were told apart are still there, each as one of the alarm that called."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from core.incidents.clips import ClipStore
from core.store.engine import sqlite_url
from tests.fixtures.postgres import PostgresServer
from tests.fixtures.room import Room

INCIDENT = (
    "INSERT INTO incident (incident_id, kind, title, source_kind, source_id, source_name, status, began_at,"
    " confidence, snapshot_path, snapshot_sha256, version) VALUES ('i', 'collision', 'Crash', 'camera', 'c',"
    " 'Bridge', 'new', '2026-11-22 12:00:00.000000', 1.0, 'x.jpg', 'cd', 1)"
)
CLIP = (
    "INSERT INTO incident_clip (incident_id, camera_id, camera_name, rank, at, began_at, n_pictures, path,"
    " sha256, missing) VALUES ('i', 'c', 'Bridge', 0, '2026-11-22 12:00:00.000000',"
    " '2026-11-22 11:59:50.000000', 4, 'x.mkv', 'ab', 'Half of it.')"
)


def alarm(name: str, *, second: int, n_calls: int) -> str:
    return (
        "INSERT INTO alarm (alarm_id, condition_key, occurrence, incident_id, kind, title, detail, priority,"
        " source_kind, source_id, source_name, is_active, is_acknowledged, is_open, raised_at, changed_at,"
        " acknowledged_by, acknowledged_desk, comment, n_repeats, version, n_calls) VALUES"
        f" ('{name}', '{name}', 'o-{name}', 'i', 'collision', 'Crash', '', 1, 'camera', 'c', 'Bridge', true, false,"
        " true,"
        f" '2026-11-22 12:00:{second:02}.000000', '2026-11-22 12:00:{second:02}.000000', '', '', '', 0, 1, {n_calls})"
    )


@pytest.fixture(params=["sqlite", "postgresql"])
def url_before(request: pytest.FixtureRequest, tmp_path: Path, migrate_before) -> str:
    """A database of each kind, as the version before left it."""
    if request.param == "sqlite":
        url = sqlite_url(tmp_path / "watchfloor.sqlite3")
    else:
        server: PostgresServer = request.getfixturevalue("postgres_server")
        url = server.url(server.make_database())
    migrate_before(url, "0034")
    return url


def kept(room: Room) -> list[tuple[str, str]]:
    clips = room.run(ClipStore(room.store, evidence=room.folder).clips_of("i"))
    return [(clip.occurrence, clip.missing) for clip in clips]


@pytest.mark.parametrize(
    ("alarms", "occurrence"),
    [
        pytest.param((), "", id="an incident without an alarm"),
        pytest.param((alarm("late", second=9, n_calls=1), alarm("first", second=1, n_calls=1)), "o-first", id="two"),
        pytest.param((alarm("held", second=1, n_calls=0), alarm("calls", second=9, n_calls=1)), "o-calls", id="held"),
    ],
)
def test_the_clip_of_the_version_before_is_kept_once(
    url_before: str, tmp_path: Path, alarms: tuple[str, ...], occurrence: str
) -> None:
    engine = create_engine(url_before)
    with engine.begin() as connection:
        for statement in (INCIDENT, CLIP, *alarms):
            connection.execute(text(statement))
    engine.dispose()

    room = Room(url_before, tmp_path)
    assert kept(room) == [(occurrence, "Half of it.")]
    # An alarm that calls is asked for again at the first start: its clip is known.
    at = datetime(2026, 11, 22, 12, tzinfo=UTC)
    clips = ClipStore(room.store, evidence=tmp_path)
    room.run(clips.expect("i", [("c", "Bridge")], at=at, occurrence=occurrence))
    assert kept(room) == [(occurrence, "Half of it.")]
    room.close()
