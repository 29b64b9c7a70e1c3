from pathlib import Path

import pytest
from sqlalchemy import create_engine

from core.store import migrate
from core.store.engine import sqlite_url
from tests.fixtures.databases import (  # noqa: F401
    both_stores,
    migrated_postgres,
    migrated_sqlite,
    postgres_server,
    postgres_store,
    sqlite_store,
)
from tests.fixtures.room import room  # noqa: F401


@pytest.fixture
def migrate_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Return a function that brings an empty database to the migrations below a number, such as `0004`."""

    def migrate_to(url: str, number: str) -> None:
        folder = tmp_path / "migrations"
        (folder / "versions").mkdir(parents=True)
        (folder / "env.py").write_bytes((migrate.MIGRATIONS / "env.py").read_bytes())
        for file in (migrate.MIGRATIONS / "versions").glob("*.py"):
            if file.name < number:
                (folder / "versions" / file.name).write_bytes(file.read_bytes())
        with monkeypatch.context() as older:
            older.setattr(migrate, "MIGRATIONS", folder)
            engine = create_engine(url)
            migrate.upgrade(engine)
            engine.dispose()

    return migrate_to


@pytest.fixture
def database_before(tmp_path: Path, migrate_before):
    """Return a function that makes a SQLite file as the migrations below a number, such as `0004`, left it."""

    def make(number: str) -> Path:
        database = tmp_path / "watchfloor.sqlite3"
        migrate_before(sqlite_url(database), number)
        return database

    return make
