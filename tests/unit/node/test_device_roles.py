"""Viewers look, operators command, supervisors configure; every change stands in the audit."""

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from sqlalchemy import select

from core.access import audit
from core.access.model import Actor, Role
from core.field.device_list import NewDevice
from core.field.inbox import Inbound
from core.field.inventory import DeviceAt, DeviceEdit
from core.field.outbox import Outbox
from core.field.payloads import Birth, CommandInfo, write
from core.field.service import FieldService
from core.field.settings import BrokerSettings
from core.field.topics import Channel, device_topic
from core.kernel.bus import Bus
from core.kernel.clock import FakeClock
from core.kernel.errors import BadInputError, ConsoleError, NotPermittedError
from core.kernel.geo import GeoPoint
from core.node import verbs
from core.node.certificate_desk import CertificateDesk
from core.store.engine import open_store, sqlite_url
from core.store.tables import AuditRow

Args = Callable[[str], dict[str, Any]]


def of(device_id: str, **more: Any) -> dict[str, Any]:
    return {"device_id": device_id, **more}


VERBS: dict[str, tuple[Role, Args]] = {
    "devices.messages": (Role.VIEWER, of),
    "devices.sheet": (Role.VIEWER, of),
    "devices.events": (Role.VIEWER, of),
    "devices.history": (Role.VIEWER, lambda one: of(one, stream="flow", key="intensity", span_s=3600.0)),
    "devices.commands": (Role.VIEWER, of),
    "devices.twin": (Role.VIEWER, of),
    "devices.command": (Role.OPERATOR, lambda one: of(one, name="restart")),
    "devices.add": (
        Role.SUPERVISOR,
        lambda one: {"devices": [NewDevice(device_id=f"{one}-b", name="B", kind="station")]},
    ),
    "devices.rename": (Role.SUPERVISOR, lambda one: of(one, version=2, name="Harbour")),
    "devices.move": (Role.SUPERVISOR, lambda one: of(one, version=2, position=GeoPoint(36.0, -30.0))),
    "devices.set_site": (Role.SUPERVISOR, lambda one: of(one, version=2, site="Old town")),
    "devices.set_enabled": (Role.SUPERVISOR, lambda one: of(one, version=2, is_enabled=False)),
    "devices.set_tags": (Role.SUPERVISOR, lambda one: of(one, version=2, tags=["north"])),
    "devices.edit": (Role.SUPERVISOR, lambda one: {"devices": [DeviceEdit(device_id=one, version=2, site="Quay")]}),
    "devices.command_many": (Role.OPERATOR, lambda one: {"devices": [one], "name": "restart"}),
    "devices.removed": (Role.VIEWER, lambda _one: {}),
    "devices.restore": (Role.SUPERVISOR, lambda removal_id: {"devices": [removal_id]}),
    "devices.set_desired": (Role.SUPERVISOR, lambda one: of(one, changes={"period_s": 5}, version=0)),
    "devices.remove": (Role.SUPERVISOR, lambda one: {"devices": [DeviceAt(device_id=one, version=2)]}),
    "devices.issue_certificate": (Role.SUPERVISOR, of),
    "devices.issue_certificates": (Role.SUPERVISOR, lambda one: {"devices": [one]}),
    "devices.revoke_certificate": (Role.SUPERVISOR, of),
}
"""Least role of every verb, and its arguments for a device."""

NEEDS_A_FOLDER = {"devices.issue_certificate", "devices.issue_certificates", "devices.revoke_certificate"}
"""Without one they are refused after the role was looked at; what they write is tested beside their desk."""


def birth_of(device_id, clock):
    """Return what a device says that obeys one command."""
    birth = write(Birth(boot="1", commands=(CommandInfo(name="restart"),)))
    topic = device_topic("city", device_id, Channel.BIRTH)
    return Inbound(topic=topic, payload=birth, qos=1, is_retained=False, received_at=clock.now())


async def answers(folder, monkeypatch):
    """Ask every verb with every role, each on a device of its own; returns errors and audit rows by verb and role."""
    clock = FakeClock()
    store = open_store(sqlite_url(folder / "db.sqlite3"), backups=folder, clock=clock)
    field = FieldService(
        store=store,
        bus=Bus(),
        clock=clock,
        outbox=Outbox(folder / "outbox.sqlite3"),
        settings=BrokerSettings(host="localhost"),
        audit=audit.append,
    )
    services = SimpleNamespace(field=field, certificates=CertificateDesk(store, clock, None))
    node = SimpleNamespace(require_services=lambda: services)
    found = {**verbs._room_verbs(node), **verbs._device_verbs(node)}
    cases = {(verb, role): f"station/{role.name.lower()[:3]}-{n}" for n, verb in enumerate(VERBS) for role in Role}
    maker = Actor(name="maker", role=Role.ADMINISTRATOR, desk="")
    said: dict[tuple[str, Role], tuple[ConsoleError | None, list[str]]] = {}
    try:
        await field.prepare()
        await field.add_devices(
            maker, [NewDevice(device_id=device_id, name=device_id, kind="station") for device_id in cases.values()]
        )
        field.on_messages([birth_of(device_id, clock) for device_id in cases.values()])
        for (verb, role), device_id in cases.items():
            about = device_id
            if verb == "devices.restore":
                (gone,) = await field.remove_devices(maker, [DeviceAt(device_id=device_id, version=2)])
                about = gone.removal_id
            actor = Actor(name=device_id, role=role, desk="Desk 1")
            monkeypatch.setattr(verbs, "actor_of", lambda _peer, actor=actor: actor)
            error = None
            try:
                await found[verb](None, **VERBS[verb][1](about))
            except ConsoleError as raised:
                error = raised
            query = select(AuditRow.action).where(AuditRow.actor == device_id)
            said[verb, role] = error, await store.read(lambda session, query=query: list(session.scalars(query)))
    finally:
        await field.stop()
        await store.close()
    return said


def test_no_verb_of_devices_is_forgotten_here():
    node = SimpleNamespace()
    found = {**verbs._room_verbs(node), **verbs._device_verbs(node)}

    assert {name for name in found if name.startswith("devices.")} == set(VERBS)


def test_each_role_may_what_it_may_and_every_change_is_in_the_audit(tmp_path, monkeypatch):
    said = asyncio.run(answers(tmp_path, monkeypatch))

    for (verb, role), (error, actions) in said.items():
        least, _ = VERBS[verb]
        if role < least:
            assert isinstance(error, NotPermittedError), (verb, role)
            assert actions == [], (verb, role)
        elif verb in NEEDS_A_FOLDER:
            assert isinstance(error, BadInputError), (verb, role)
        else:
            assert error is None, (verb, role, error)
            assert len(actions) == (0 if least is Role.VIEWER else 1), (verb, role, actions)
