import pytest

from core.field.inbox import Inbound
from core.kernel.clock import FakeClock
from core.kernel.settings import load_settings
from core.node.adapters import make_gateway


class Field:
    """Where messages of our own grammar go."""

    def __init__(self):
        self.batches = []

    def on_messages(self, batch):
        self.batches.append(batch)

    def devices(self):
        return ()

    def newest(self, _device_id):
        return ()


class Calls:
    """Whom conditions reach."""

    def raise_condition(self, condition):
        pass

    def return_condition(self, key):
        pass

    def keep_past(self, condition, ended_at):
        pass

    def follow(self, frigate):
        pass


def gateway(field, **adapters):
    settings, faults = load_settings(None, {"adapters": adapters})
    assert faults == ()
    return make_gateway(
        settings,
        clock=FakeClock(),
        field=field,
        calls=Calls(),
        cameras=tuple,
        publish=lambda *_args, **_options: True,
        version="1",
    )


def message(topic):
    return Inbound(topic=topic, payload=b"{}", qos=1, is_retained=False, received_at=FakeClock().now())


def test_without_a_setting_nothing_of_others_is_listened_to_and_nothing_is_looked_through():
    field = Field()
    made = gateway(field)
    batch = [message("watchfloor/v1/city/station/s1/evt")]

    made.on_messages(batch)

    assert made.filters == ()
    assert field.batches[0] is batch


@pytest.mark.parametrize("key", ["frigate", "sparkplug", "home_assistant"])
def test_each_adapter_is_switched_on_by_its_name(key):
    made = gateway(Field(), **{key: True})

    assert [report.key for report in made.reports()] == [key]
    assert made.filters


def test_what_is_ours_goes_on_in_order_and_what_is_for_nobody_is_left():
    field = Field()
    made = gateway(field, frigate=True, frigate_topic="site/frigate")
    ours = [message(f"watchfloor/v1/city/station/s{number}/evt") for number in range(3)]

    made.on_messages([ours[0], message("site/frigate/events"), ours[1], message("x/y"), ours[2]])

    assert field.batches == [ours]
    assert made.reports()[0].n_messages == 1
