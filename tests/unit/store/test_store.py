"""One writer, a few readers, and a database that does not always answer."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable

import pytest
from sqlalchemy import Engine, event, func, select, text
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.orm import Session

from core.kernel.errors import StaleWriteError, UnavailableError
from core.store.rows import check_version
from core.store.tables import CameraRow, SettingRow
from tests.fixtures.processes import wait_until
from tests.fixtures.room import Room


def put(room: Room, key: str, value: object = 1) -> Callable[[Session], None]:
    return lambda s: s.add(SettingRow(key=key, value=value, changed_at=room.clock.now()))


def keys(room: Room) -> list[str]:
    query = (
        select(SettingRow.key)
        .where(SettingRow.key.not_like("store.%"), SettingRow.key != "audit.head")
        .order_by(SettingRow.key)
    )
    return room.run(room.store.read(lambda s: list(s.scalars(query))))


def test_what_was_written_can_be_read_at_once(room: Room) -> None:
    room.run(room.store.write(put(room, "a")))

    assert keys(room) == ["a"]


def test_writes_run_in_the_order_they_were_asked_for(room: Room) -> None:
    order: list[int] = []

    async def many() -> None:
        await asyncio.gather(*(room.store.write(lambda s, n=n: order.append(n)) for n in range(500)))

    room.run(many())

    assert order == list(range(500))


def test_many_queued_writes_share_transactions(room: Room) -> None:
    n_commits = 0

    @event.listens_for(Engine, "commit")
    def count(_connection: object) -> None:
        nonlocal n_commits
        n_commits += 1

    async def many() -> None:
        await asyncio.gather(*(room.store.write(put(room, f"k{n:03}")) for n in range(300)))

    room.run(many())
    event.remove(Engine, "commit", count)

    assert len(keys(room)) == 300
    assert n_commits < 100


def test_a_write_that_fails_undoes_itself_and_nothing_else(room: Room) -> None:
    def fail(s: Session) -> None:
        put(room, "half")(s)
        s.flush()
        raise KeyError("my own mistake")

    async def three() -> list[object]:
        return await asyncio.gather(
            room.store.write(put(room, "before")),
            room.store.write(fail),
            room.store.write(put(room, "after")),
            return_exceptions=True,
        )

    results = room.run(three())

    assert isinstance(results[1], KeyError)
    assert keys(room) == ["after", "before"]
    assert room.store.status() == (True, "")


def test_a_broken_rule_of_the_database_reaches_its_own_caller_only(room: Room) -> None:
    async def two() -> list[object]:
        return await asyncio.gather(
            room.store.write(put(room, "same")),
            room.store.write(put(room, "same")),
            room.store.write(put(room, "other")),
            return_exceptions=True,
        )

    results = room.run(two())

    assert [type(result) for result in results] == [type(None), IntegrityError, type(None)]
    assert keys(room) == ["other", "same"]


def test_a_cancelled_caller_does_not_undo_its_write(room: Room) -> None:
    entered, release = threading.Event(), threading.Event()

    def slow(s: Session) -> None:
        entered.set()
        release.wait(5)
        put(room, "kept")(s)

    async def cancel() -> None:
        task = asyncio.create_task(room.store.write(slow))
        await asyncio.to_thread(entered.wait, 5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    room.run(cancel())
    release.set()

    wait_until(lambda: keys(room) == ["kept"])


def test_closing_writes_what_is_queued(room: Room) -> None:
    async def queue_and_close() -> None:
        writes = [asyncio.create_task(room.store.write(put(room, f"k{n}"))) for n in range(50)]
        await asyncio.sleep(0)
        await room.store.close()
        await asyncio.gather(*writes)

    room.run(queue_and_close())
    room.restart()

    assert len(keys(room)) == 50


def test_a_closed_store_says_so(room: Room) -> None:
    room.run(room.store.close())

    with pytest.raises(UnavailableError, match="closed"):
        room.run(room.store.write(put(room, "late")))
    with pytest.raises(UnavailableError, match="closed"):
        keys(room)


def test_a_closed_store_leaves_one_file(room: Room) -> None:
    room.run(room.store.write(put(room, "a")))
    room.run(room.store.close())

    assert [path.name for path in room.folder.iterdir()] == ["watchfloor.sqlite3"]


def test_a_reader_cannot_write(room: Room) -> None:
    with pytest.raises(OperationalError, match="readonly"):
        room.run(room.store.read(lambda s: s.execute(text("DELETE FROM setting"))))

    assert room.store.status() == (True, "")


def test_rows_do_not_leave_the_store(room: Room) -> None:
    room.run(room.store.write(put(room, "a")))

    with pytest.raises(TypeError, match="must not leave"):
        room.run(room.store.read(lambda s: s.get(SettingRow, "a")))


def make_camera(room: Room) -> Callable[[Session], None]:
    return lambda s: s.add(CameraRow(camera_id="c", name="n", address="webcam:0", created_at=room.clock.now()))


def test_a_row_that_was_changed_meanwhile_is_not_overwritten(room: Room) -> None:
    room.run(room.store.write(make_camera(room)))

    def rename(s: Session) -> None:
        row = s.get_one(CameraRow, "c")
        # Another node writes between our read and our write.
        s.execute(text("UPDATE camera SET version = version + 1"))
        row.name = "mine"

    with pytest.raises(StaleWriteError):
        room.run(room.store.write(rename))


def test_an_old_version_is_refused_with_the_name_of_what_it_is() -> None:
    with pytest.raises(StaleWriteError, match="Camera Ring North was changed by someone else"):
        check_version(3, expect_version=2, what="Camera Ring North")


def test_a_write_waits_for_a_lock_that_is_let_go(room: Room) -> None:
    other = sqlite3.connect(room.folder / "watchfloor.sqlite3", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    release = threading.Timer(0.3, lambda: other.execute("COMMIT"))
    release.start()

    room.run(room.store.write(put(room, "patient")))

    release.join()
    other.close()
    assert keys(room) == ["patient"]
    assert room.store.status() == (True, "")


def test_a_lock_that_stays_is_a_sentence_and_the_next_write_works(room: Room) -> None:
    other = sqlite3.connect(room.folder / "watchfloor.sqlite3", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    with pytest.raises(UnavailableError, match="locked by another program"):
        room.run(room.store.write(put(room, "refused")))
    is_ok, reason = room.store.status()
    other.execute("COMMIT")
    other.close()

    assert not is_ok
    assert "locked by another program" in reason
    assert room.run(room.store.probe()) == (True, "")
    room.run(room.store.write(put(room, "next")))
    assert keys(room) == ["next"]


def limit_pages(s: Session) -> None:
    n_pages = s.execute(text("PRAGMA page_count")).scalar_one()
    s.execute(text(f"PRAGMA max_page_count = {n_pages + 2}"))


def test_a_full_disk_is_a_sentence_for_each_and_small_writes_go_on(room: Room) -> None:
    room.run(room.store.write(limit_pages))

    async def three() -> list[object]:
        return await asyncio.gather(
            room.store.write(put(room, "small")),
            room.store.write(put(room, "large", "x" * 100_000)),
            room.store.write(put(room, "small too")),
            return_exceptions=True,
        )

    first, second, third = room.run(three())

    assert (first, third) == (None, None)
    assert isinstance(second, UnavailableError)
    assert "the disk is full" in second.message
    assert keys(room) == ["small", "small too"]


def test_the_database_works_again_once_there_is_space(room: Room) -> None:
    room.run(room.store.write(limit_pages))
    with pytest.raises(UnavailableError):
        room.run(room.store.write(put(room, "large", "x" * 100_000)))
    assert not room.store.status()[0]

    room.run(room.store.write(lambda s: s.execute(text("PRAGMA max_page_count = 100000")) and None))
    room.run(room.store.write(put(room, "large", "x" * 100_000)))

    assert room.store.status() == (True, "")


def test_readers_see_the_state_before_a_write_that_is_not_committed(room: Room) -> None:
    entered, release = threading.Event(), threading.Event()

    def slow(s: Session) -> None:
        put(room, "later")(s)
        s.flush()
        entered.set()
        release.wait(5)

    async def look() -> int:
        task = asyncio.create_task(room.store.write(slow))
        await asyncio.to_thread(entered.wait, 5)
        n_rows = await room.store.read(
            lambda s: s.scalar(select(func.count()).select_from(SettingRow).where(SettingRow.key == "later"))
        )
        release.set()
        await task
        return n_rows or 0

    assert room.run(look()) == 0
    assert keys(room) == ["later"]
