"""Many devices lost within seconds: one alarm that names how many, and ends when they are back."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from core.field.model import Device, DeviceState
from core.incidents.model import AlarmState, Quality, SourceKind
from core.node import conditions
from core.node.calls import Calls
from core.node.mass_loss import N_FEW, N_TOGETHER, SAY_AFTER_S, WITHIN_S, MassLoss
from tests.fixtures.alarms import alarm
from tests.fixtures.room import OLGA

N_MANY = 100
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


class Desk:
    """What an operator would hear."""

    def __init__(self):
        self.singles = {}
        self.raised = {}
        self.n_returned = 0
        self.loss = MassLoss(call=self._call, raise_condition=self._raise, return_condition=self._return)

    def _call(self, device):
        if device.is_enabled and device.state in (DeviceState.LOST, DeviceState.STALE):
            self.singles[device.device_id] = device
        else:
            self.singles.pop(device.device_id, None)

    def _raise(self, condition):
        self.raised[condition.condition_key] = condition

    def _return(self, key):
        self.n_returned += 1
        if self.raised.pop(key, None) is None:
            self.singles = {one: d for one, d in self.singles.items() if conditions.device_lost_key(one) != key}

    def lose(self, devices, at_s=0.0, every_s=0.0):
        for number, device in enumerate(devices):
            self.loss.take(replace(device, state=DeviceState.LOST), at_s + number * every_s)

    def start_again(self, lost, *, named=(), standing=()):
        """Let a node begin at noon that knows these as lost."""
        self.loss.restore(lost, named={one.device_id for one in named}, standing=standing, now=NOON, now_s=1e6)

    def find(self, devices, at_s=10.0):
        for device in devices:
            self.loss.take(replace(device, state=DeviceState.ONLINE), at_s)


def devices(n_devices, group="plaza", site="", name="d"):
    return [
        Device(device_id=f"{group}/{name}{number}", kind="other", name=f"D{number}", site=site)
        for number in range(n_devices)
    ]


@pytest.fixture
def desk():
    return Desk()


def test_a_few_are_called_one_by_one(desk):
    desk.lose(devices(N_TOGETHER))
    desk.loss.tick(60.0)

    assert len(desk.singles) == N_TOGETHER
    assert not desk.raised


def test_many_are_one_alarm_that_says_how_many_and_where(desk):
    desk.lose(devices(N_MANY))
    desk.loss.tick(SAY_AFTER_S)

    (condition,) = desk.raised.values()
    assert condition.title == f"Lost together: {N_MANY} devices of group plaza"
    assert not desk.singles


def test_devices_lost_slowly_are_called_one_by_one(desk):
    desk.lose(devices(N_MANY), every_s=WITHIN_S / N_TOGETHER + 0.01)

    assert len(desk.singles) == N_MANY
    assert not desk.loss.is_growing


def test_it_is_said_in_time_also_while_more_are_lost(desk):
    desk.lose(devices(N_MANY), every_s=0.02)
    assert desk.loss.is_growing

    desk.loss.tick(N_MANY * 0.02)
    desk.lose(devices(N_MANY, name="late"), at_s=N_MANY * 0.02 + 1)

    (condition,) = desk.raised.values()
    assert condition.source_name == f"More than {N_MANY} devices of group plaza"
    assert not desk.singles


def test_it_ends_when_all_are_back(desk):
    lost = devices(N_MANY)
    desk.lose(lost)
    desk.loss.tick(SAY_AFTER_S)

    desk.find(lost)

    assert not desk.raised
    assert not desk.singles


def test_the_few_that_stay_away_are_called_by_name_and_the_loss_is_over(desk):
    lost = devices(N_MANY)
    desk.lose(lost)
    desk.loss.tick(SAY_AFTER_S)

    desk.find(lost[N_FEW:])

    assert not desk.raised
    assert set(desk.singles) == {device.device_id for device in lost[:N_FEW]}


def test_who_is_back_and_lost_again_alone_calls_alone(desk):
    lost = devices(N_MANY)
    desk.lose(lost)
    desk.loss.tick(SAY_AFTER_S)
    desk.find(lost[:1])

    desk.lose(lost[:1], at_s=60.0)

    assert set(desk.singles) == {lost[0].device_id}
    assert len(desk.raised) == 1


def test_a_removed_or_disabled_device_is_no_longer_missed(desk):
    lost = devices(N_MANY)
    desk.lose(lost)
    desk.loss.tick(SAY_AFTER_S)

    for device in lost[: N_MANY // 2]:
        desk.loss.forget(device.device_id)
    for device in lost[N_MANY // 2 :]:
        desk.loss.take(replace(device, state=DeviceState.DISABLED, is_enabled=False), 5.0)

    assert not desk.raised
    assert not desk.singles


@pytest.mark.parametrize(
    ("lost", "where"),
    [
        (devices(30, "a", "Harbour") + devices(30, "b", "Harbour"), "site Harbour"),
        (devices(30, "a") + devices(30, "b"), "2 groups"),
        (devices(30, "a", "Harbour") + devices(30, "a", name="e"), "group a"),
    ],
)
def test_what_they_have_in_common_is_said(desk, lost, where):
    desk.lose(lost)
    desk.loss.tick(SAY_AFTER_S)

    (condition,) = desk.raised.values()
    assert condition.source_name == f"60 devices of {where}"


def test_a_second_loss_at_the_same_place_is_another_alarm(desk):
    desk.lose(devices(N_MANY))
    desk.loss.tick(SAY_AFTER_S)

    later = [replace(device, device_id=f"plaza/late-{number}") for number, device in enumerate(devices(N_MANY))]
    desk.lose(later, at_s=60.0)
    desk.loss.tick(61.0)

    assert len(desk.raised) == 2


def test_a_gateway_is_called_by_its_own_name_and_taken_back_whoever_else_is_lost_with_it(desk):
    gateway = Device(device_id="plaza/gateway", kind="gateway", name="GW", site="")
    lost = [*devices(3), gateway, *devices(N_MANY, name="behind")]
    desk.lose(lost)
    desk.loss.tick(SAY_AFTER_S)
    called = set(desk.singles)

    desk.find(lost)

    assert called == {"plaza/gateway"}
    assert not desk.singles
    assert not desk.raised


def lost_at(lost, *, ago_s, every_s=0.0):
    """The first of these was lost so long before noon, the others one after the other."""
    since = NOON - timedelta(seconds=ago_s)
    return [
        replace(one, state=DeviceState.LOST, state_since=since + timedelta(seconds=number * every_s))
        for number, one in enumerate(lost)
    ]


def said(lost, *, ago_s):
    """The alarm of a loss that was said so long before noon."""
    condition = conditions.devices_lost("group plaza", lost, n_lost=str(len(lost)))
    return alarm(
        alarm_id=f"L{ago_s}",
        condition_key=condition.condition_key,
        kind=condition.kind,
        source_kind=SourceKind.SYSTEM,
        raised_at=NOON - timedelta(seconds=ago_s),
    )


def test_after_a_start_who_was_called_by_name_is_still_called_by_name_however_many(desk):
    lost = lost_at(devices(N_MANY), ago_s=3600)

    desk.start_again(lost, named=lost)
    desk.loss.tick(1e6 + 60)

    assert (len(desk.singles), desk.raised, desk.n_returned) == (N_MANY, {}, 0)


def test_after_a_start_a_loss_that_stands_holds_who_was_lost_with_it_and_ends_with_them(desk):
    together = lost_at(devices(N_FEW + 1), ago_s=600)
    alone = lost_at(devices(1, name="alone"), ago_s=300)
    before = lost_at(devices(2, name="before"), ago_s=900)
    standing = said(together, ago_s=600 - SAY_AFTER_S)

    desk.start_again([*together, *alone, *before], named=alone, standing=[standing])
    held = (set(desk.raised), set(desk.singles))
    desk.find(together[:1], at_s=1e6 + 10)

    assert held == ({standing.condition_key}, {one.device_id for one in (*alone, *before)})
    assert not desk.raised
    assert set(desk.singles) == {one.device_id for one in (*alone, *before, *together[1:])}


def test_after_a_start_each_of_two_losses_that_stand_holds_its_own(desk):
    first, second = lost_at(devices(30), ago_s=900), lost_at(devices(30, "harbour"), ago_s=600)
    of_second = replace(said(second, ago_s=599), condition_key="system/harbour/*/devices_lost:group harbour")
    desk.start_again([*first, *second], standing=[said(first, ago_s=899), of_second])

    desk.find(second, at_s=1e6 + 10)

    assert set(desk.raised) == {"system/plaza/*/devices_lost:group plaza"}
    assert not desk.singles


def test_after_a_start_what_was_not_said_yet_is_judged_by_when_it_was_lost(desk):
    together = lost_at(devices(N_MANY), ago_s=30)
    one_by_one = lost_at(devices(N_MANY, name="slow"), ago_s=3600, every_s=WITHIN_S / N_TOGETHER + 0.01)

    desk.start_again([*one_by_one, *together])
    desk.loss.tick(1e6)

    assert [condition.title for condition in desk.raised.values()] == [
        f"Lost together: {N_MANY} devices of group plaza"
    ]
    assert set(desk.singles) == {one.device_id for one in one_by_one}


def test_acknowledged_alarms_of_many_dead_devices_live_through_a_restart(room):
    lost = [
        replace(one, state=DeviceState.LOST, state_since=room.clock.now() - timedelta(hours=number))
        for number, one in enumerate(devices(N_TOGETHER + 6))
    ]

    async def begin():
        calls = Calls(
            room.incidents,
            folder="",
            find_camera=lambda _id: None,
            find_device={one.device_id: one for one in lost}.__getitem__,
            clock=room.clock,
        )
        calls.doubt(await room.incidents.start())
        for one in await room.incidents.open_alarms():
            calls.know(one)
        working = asyncio.create_task(calls.work())
        calls.take_lost_before(lost)
        await calls.drain(timeout_s=5)
        calls._on_settling()
        await calls.drain(timeout_s=5)
        working.cancel()

    room.run(begin())
    room.pass_time(15)
    for one in room.run(room.incidents.open_alarms()):
        room.run(room.incidents.acknowledge(OLGA, one.alarm_id, occurrence=one.occurrence, expect_version=one.version))
    room.clock.advance(seconds=3600)
    room.restart()
    room.run(begin())
    room.pass_time(15)

    found = room.run(room.incidents.open_alarms())
    assert len(found) == len(lost)
    assert {(one.kind, one.state, one.quality) for one in found} == {
        ("device_lost", AlarmState.ACKNOWLEDGED, Quality.GOOD)
    }
