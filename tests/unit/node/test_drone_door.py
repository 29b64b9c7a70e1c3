"""Who may let a link to drones send, and what stands in the audit afterwards."""

import asyncio

import pytest

from core.access import audit
from core.access.model import Actor, Role
from core.drones.history import DroneHistory
from core.drones.model import DroneLinksTold
from core.drones.service import DroneService
from core.kernel.bus import Bus
from core.kernel.clock import FakeClock
from core.kernel.errors import BadInputError, NotPermittedError
from core.kernel.secrets import Secrets
from core.kernel.settings import DroneSettings
from core.node.drone_door import DroneDoor, DroneParts
from core.store.engine import open_store, sqlite_url

OPERATOR = Actor(name="olga", role=Role.OPERATOR, desk="2")
SUPERVISOR = Actor(name="sven", role=Role.SUPERVISOR, desk="1")


def with_door(tmp_path, body):
    """Run with one UDP link that is open."""

    async def run():
        clock, bus = FakeClock(), Bus()
        store = open_store(sqlite_url(tmp_path / "db.sqlite3"), backups=tmp_path, clock=clock)
        history = DroneHistory(store=store, bus=bus, clock=clock, folder=tmp_path / "drones")
        service = DroneService(store=store, bus=bus, clock=clock, history=history)
        parts = DroneParts(service=service, bus=bus, clock=clock, secrets=Secrets(), store=store)
        settings = DroneSettings(links=("roof=udp:127.0.0.1:0",))
        door = DroneDoor(settings, parts, is_demo=False, on_fault=lambda _fault: None)
        told = asyncio.Queue()
        bus.subscribe(DroneLinksTold, lambda event: told.put_nowait(event.links))
        opening = asyncio.create_task(door.run())
        try:
            while not (await told.get())[0].is_open:
                pass
            return await body(door, clock, store, told)
        finally:
            opening.cancel()
            await asyncio.gather(opening, return_exceptions=True)
            await service.close()
            await store.close()

    return asyncio.run(run())


def test_a_supervisor_switches_it_on_with_a_reason_and_it_is_written_down(tmp_path):
    async def body(door, clock, store, told):
        link = await door.activate(SUPERVISOR, "roof", reason="  home is   missing ", minutes=5)
        (entry,) = await audit.recent(store)
        return link, clock.now(), entry, (await told.get())[0]

    link, now, entry, told = with_door(tmp_path, body)

    assert (link.active.by, link.active.reason) == ("sven", "home is missing")
    assert (link.active.until - now).total_seconds() == 300.0
    assert told.is_active
    assert (entry.actor, entry.action, entry.subject) == ("sven", "drones.link_active", "link roof")
    assert "home is missing" in entry.detail


def test_nobody_else_nowhere_else_not_without_a_reason_and_not_for_ever(tmp_path):
    refused = [
        (OPERATOR, "roof", "home is missing", 5, NotPermittedError),
        (SUPERVISOR, "cellar", "home is missing", 5, BadInputError),
        (SUPERVISOR, "roof", " ", 5, BadInputError),
        (SUPERVISOR, "roof", "home is missing", 0, BadInputError),
        (SUPERVISOR, "roof", "home is missing", 61, BadInputError),
    ]

    async def body(door, _clock, store, _told):
        for actor, link_id, reason, minutes, error in refused:
            with pytest.raises(error):
                await door.activate(actor, link_id, reason=reason, minutes=minutes)
        return door.links()[0], await audit.recent(store)

    link, entries = with_door(tmp_path, body)

    assert not link.is_active
    assert entries == ()


def test_any_operator_ends_it_at_once(tmp_path):
    async def body(door, _clock, store, _told):
        await door.activate(SUPERVISOR, "roof", reason="home is missing", minutes=5)
        link = await door.deactivate(OPERATOR, "roof")
        while len(entries := await audit.recent(store)) < 2:
            await asyncio.sleep(0)
        return link, entries

    link, entries = with_door(tmp_path, body)

    assert not link.is_active
    assert {(entry.actor, entry.action) for entry in entries} == {
        ("sven", "drones.link_active"),
        ("olga", "drones.link_passive"),
    }


def test_its_time_ends_it_and_that_is_written_down_too(tmp_path):
    async def body(door, clock, store, told):
        await door.activate(SUPERVISOR, "roof", reason="home is missing", minutes=1)
        clock.advance(seconds=60)
        while (await told.get())[0].is_active:
            pass
        while len(entries := await audit.recent(store)) < 2:
            await asyncio.sleep(0)
        return entries

    entries = with_door(tmp_path, body)

    assert ("system", "drones.link_passive") in {(entry.actor, entry.action) for entry in entries}
