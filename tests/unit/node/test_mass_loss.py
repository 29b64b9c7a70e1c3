"""Many devices lost within seconds: one alarm that names how many, and ends when they are back."""

from dataclasses import replace

import pytest

from core.field.model import Device, DeviceState
from core.node import conditions
from core.node.mass_loss import N_FEW, N_TOGETHER, SAY_AFTER_S, WITHIN_S, MassLoss

N_MANY = 100


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
