"""The tables, the migrations that make them, and the databases that are refused."""

import importlib.util
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, select
from sqlalchemy.exc import StatementError

from core.kernel.clock import FakeClock
from core.kernel.errors import BadInputError, ConsoleError, UnavailableError
from core.store import migrate
from core.store.counts import upsert_whole
from core.store.engine import open_store, sqlite_url
from core.store.tables import Base, LineCountRow, ReadingRow, SettingRow
from tests.fixtures.room import Room

NOON = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)


def open_and_close(file: Path, clock: FakeClock | None = None) -> None:
    room = Room(sqlite_url(file), file.parent)
    if clock is not None:
        room.clock = clock
    room.close()


def revision_of(file: Path) -> str:
    with closing(sqlite3.connect(file)) as connection, connection:
        return str(connection.execute("SELECT version_num FROM alembic_version").fetchone()[0])


def set_revision(file: Path, revision: str) -> None:
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", (revision,))


def test_the_migrations_make_exactly_the_tables_of_the_code(tmp_path: Path) -> None:
    open_and_close(tmp_path / "new.sqlite3")
    engine = create_engine(sqlite_url(tmp_path / "new.sqlite3"))

    with engine.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), Base.metadata)
    engine.dispose()

    assert differences == []


def test_every_migration_file_is_named_after_its_revision() -> None:
    for file in (migrate.MIGRATIONS / "versions").glob("*.py"):
        spec = importlib.util.spec_from_file_location(file.stem, file)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        assert file.name.startswith(f"{module.revision}_")


def test_instants_come_back_aware_and_in_utc(room: Room) -> None:
    berlin = timezone(timedelta(hours=1))
    at = datetime(2026, 1, 1, 13, 0, 0, 123456, tzinfo=berlin)
    reading = ReadingRow(device_id="d", stream="s", at=at, values={})
    room.run(room.store.write(lambda s: s.add(reading)))

    found = room.run(room.store.read(lambda s: s.scalar(select(ReadingRow.at))))

    assert found == at
    assert found.tzinfo is UTC


def test_an_instant_without_an_offset_is_refused(room: Room) -> None:
    naive = ReadingRow(device_id="d", stream="s", at=datetime(2026, 1, 1), values={})

    with pytest.raises(StatementError, match="no UTC offset"):
        room.run(room.store.write(lambda s: s.add(naive)))


def test_of_a_minute_the_most_that_was_counted_stays(room: Room) -> None:
    for n_vehicles in (3, 8, 4):
        room.run(
            room.store.write(
                lambda s, n=n_vehicles: upsert_whole(
                    s,
                    camera_id="ring-north",
                    line_key="in",
                    direction="into town",
                    label="car",
                    minute=NOON,
                    n_vehicles=n,
                )
            )
        )

    rows = room.run(room.store.read(lambda s: list(s.scalars(select(LineCountRow.n_vehicles)))))
    assert rows == [8]


def test_a_database_that_is_up_to_date_is_not_copied(tmp_path: Path) -> None:
    open_and_close(tmp_path / "a.sqlite3")
    open_and_close(tmp_path / "a.sqlite3")

    assert not (tmp_path / "backups").exists()


@pytest.fixture
def older_program(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A program whose newest migration is one further than ours: ours is then the older database."""
    folder = tmp_path / "migrations"
    (folder / "versions").mkdir(parents=True)
    (folder / "env.py").write_bytes((migrate.MIGRATIONS / "env.py").read_bytes())
    for file in (migrate.MIGRATIONS / "versions").glob("*.py"):
        (folder / "versions" / file.name).write_bytes(file.read_bytes())
    newest = migrate.known_revisions()[-1]
    (folder / "versions" / "9000_next.py").write_text(
        "from alembic import op\n"
        f"revision = '9000'\ndown_revision = '{newest}'\nbranch_labels = None\ndepends_on = None\n"
        "def upgrade():\n    op.execute('CREATE TABLE next (n INTEGER)')\n"
    )
    monkeypatch.setattr(migrate, "MIGRATIONS", folder)
    return folder


def test_a_migration_is_preceded_by_a_copy_of_the_file(
    older_program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "a.sqlite3"
    newer = migrate.MIGRATIONS
    monkeypatch.undo()
    open_and_close(file)
    before = migrate.known_revisions()[-1]
    monkeypatch.setattr(migrate, "MIGRATIONS", newer)

    open_and_close(file)

    copies = list((tmp_path / "backups").iterdir())
    assert [revision_of(copy) for copy in copies] == [before]
    assert revision_of(file) == "9000"


def test_a_migration_that_fails_leaves_the_old_database(
    older_program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "a.sqlite3"
    monkeypatch.undo()
    open_and_close(file)
    before = migrate.known_revisions()[-1]
    monkeypatch.setattr(migrate, "MIGRATIONS", older_program)
    script = older_program / "versions" / "9000_next.py"
    script.write_text(script.read_text() + "    raise RuntimeError('power cut')\n")

    with pytest.raises(RuntimeError, match="power cut"):
        open_and_close(file)

    assert revision_of(file) == before
    with closing(sqlite3.connect(file)) as connection, connection:
        assert connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'next'").fetchone() is None


def test_the_newest_five_copies_are_kept(tmp_path: Path) -> None:
    file = tmp_path / "a.sqlite3"
    open_and_close(file)
    for number in range(7):
        migrate.back_up(file, tmp_path / "backups", revision="0001", at=NOON + timedelta(minutes=number))

    names = sorted(copy.name for copy in (tmp_path / "backups").iterdir())

    assert len(names) == migrate.N_BACKUPS_KEPT
    assert "T120600" in names[-1]
    assert "T120200" in names[0]


def test_no_copy_means_no_migration(tmp_path: Path) -> None:
    file = tmp_path / "a.sqlite3"
    open_and_close(file)
    (tmp_path / "full").write_text("a file where the folder should be")

    with pytest.raises(UnavailableError, match="no copy of it could be made"):
        migrate.back_up(file, tmp_path / "full", revision="0001", at=NOON)


def test_a_database_of_a_newer_program_is_refused_and_not_touched(tmp_path: Path) -> None:
    file = tmp_path / "a.sqlite3"
    open_and_close(file)
    set_revision(file, "9999")
    before = file.read_bytes()

    with pytest.raises(BadInputError, match="newer Watchfloor") as refusal:
        open_store(sqlite_url(file), backups=tmp_path / "backups", clock=FakeClock())

    assert "Install the newer program" in refusal.value.hint
    assert file.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.sqlite3"]


def test_a_database_of_another_program_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "other.sqlite3"
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("CREATE TABLE contacts (name TEXT)")
    before = file.read_bytes()

    with pytest.raises(BadInputError, match="belongs to another program"):
        open_store(sqlite_url(file), backups=tmp_path, clock=FakeClock())

    assert file.read_bytes() == before


def refusal_of(url: str, folder: Path) -> ConsoleError:
    with pytest.raises(ConsoleError) as refusal:
        open_store(url, backups=folder, clock=FakeClock())
    assert refusal.value.hint
    return refusal.value


def test_a_file_that_is_no_database_is_a_sentence(tmp_path: Path) -> None:
    file = tmp_path / "holiday.jpg"
    file.write_bytes(b"\xff\xd8" * 2000)

    refusal = refusal_of(sqlite_url(file), tmp_path)

    assert isinstance(refusal, BadInputError)
    assert refusal.message == f"The file {file} is not a Watchfloor database."


def test_a_damaged_database_is_a_sentence(tmp_path: Path) -> None:
    file = tmp_path / "a.sqlite3"
    room = Room(sqlite_url(file), tmp_path)
    at = [NOON + timedelta(seconds=n) for n in range(500)]
    rows = [ReadingRow(device_id="d" * 40, stream="s", at=at[n], values={"v": n}) for n in range(500)]
    room.run(room.store.write(lambda s: s.add_all(rows)))
    room.close()
    content = bytearray(file.read_bytes())
    for page in range(4, len(content) // 4096):
        content[page * 4096 : page * 4096 + 64] = b"\xa5" * 64
    file.write_bytes(content)

    refusal = refusal_of(sqlite_url(file), tmp_path)

    assert "is damaged" in refusal.message
    assert "backups" in refusal.hint


def test_a_folder_that_is_a_file_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")

    refusal = refusal_of(sqlite_url(tmp_path / "data" / "a.sqlite3"), tmp_path)

    assert "cannot be opened" in refusal.message


def test_a_database_that_another_program_keeps_locked_is_a_sentence(tmp_path: Path) -> None:
    file = tmp_path / "a.sqlite3"
    open_and_close(file)
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")

    refusal = refusal_of(sqlite_url(file), tmp_path)
    other.close()

    assert isinstance(refusal, UnavailableError)
    assert "locked by another program" in refusal.message


@pytest.mark.parametrize(
    "url",
    ["mysql://root@localhost/x", "sqlite://", "sqlite:///:memory:", "not a url", "postgresql://u:pa55word@host:port/x"],
)
def test_a_url_that_names_no_usable_database_is_a_sentence_without_a_password(url: str, tmp_path: Path) -> None:
    refusal = refusal_of(url, tmp_path)

    assert isinstance(refusal, BadInputError)
    assert "pa55word" not in str(refusal)


def test_an_unreachable_postgresql_is_a_sentence_without_a_password(tmp_path: Path) -> None:
    refusal = refusal_of("postgresql://dana:pa55word@127.0.0.1:1/city", tmp_path)

    assert isinstance(refusal, UnavailableError)
    assert "city on 127.0.0.1:1 cannot be reached" in refusal.message
    assert "pa55word" not in str(refusal)


def test_paths_with_odd_characters_work(tmp_path: Path) -> None:
    file = tmp_path / "a b%20c?d#ü" / "x.sqlite3"

    room = Room(sqlite_url(file), tmp_path)
    room.run(room.store.write(lambda s: s.merge(SettingRow(key="k", value=1, changed_at=NOON)) and None))
    room.close()

    assert file.stat().st_size > 0
    assert file.stat().st_mode & 0o077 == 0
