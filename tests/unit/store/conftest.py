from pathlib import Path

import pytest
from sqlalchemy import create_engine

from core.store import migrate
from core.store.engine import sqlite_url
from tests.fixtures.room import room  # noqa: F401


@pytest.fixture
def database_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Return a function that makes a SQLite file as the migrations below a number, such as `0004`, left it."""

    def make(number: str) -> Path:
        folder = tmp_path / "migrations"
        (folder / "versions").mkdir(parents=True)
        (folder / "env.py").write_bytes((migrate.MIGRATIONS / "env.py").read_bytes())
        for file in (migrate.MIGRATIONS / "versions").glob("*.py"):
            if file.name < number:
                (folder / "versions" / file.name).write_bytes(file.read_bytes())
        database = tmp_path / "watchfloor.sqlite3"
        with monkeypatch.context() as older:
            older.setattr(migrate, "MIGRATIONS", folder)
            engine = create_engine(sqlite_url(database))
            migrate.upgrade(engine)
            engine.dispose()
        return database

    return make
