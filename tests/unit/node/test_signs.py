"""What signs are told: never a bay that nobody knows to be free."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from core.field.topics import Channel
from core.node.signs import LotSigns
from core.parking.drawn import DrawnLot
from core.parking.fusion import FusionSettings
from core.parking.model import Bay, Lot, LotOccupancy, ZoneOccupancy

AT = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
LOT = Lot(lot_id="quay", name="Quay", bays=(Bay(bay_id="A1", zone="North row"), Bay(bay_id="A2")))


class Broker:
    """What stands on the broker, by stream, and how often it was said."""

    def __init__(self):
        self.retained, self.n_said = {}, 0
        self.signs = LotSigns(tenant="city", boot="b", publish=self._publish)

    def _publish(self, topic, payload):
        self.n_said += topic.channel is Channel.STATE
        key = topic.stream or topic.channel.value
        if payload is None:
            self.retained.pop(key, None)
        else:
            self.retained[key] = payload

    def data(self, stream="lot"):
        return self.retained[stream].data


@pytest.fixture
def broker():
    made = Broker()
    made.signs.set_lot(LOT, AT)
    return made


def full(n_occupied=1, n_unknown=0, **changes):
    found = {"n_bays": 2, "at": AT, "zones": (ZoneOccupancy(zone="North row", n_bays=1, n_occupied=1, n_unknown=0),)}
    return LotOccupancy(lot_id="quay", n_occupied=n_occupied, n_unknown=n_unknown, **(found | changes))


def test_free_bays_are_published_for_the_lot_and_its_zones(broker):
    broker.signs.tell(full(), AT)

    assert broker.data() == {"totalSpotNumber": 2, "unknownSpotNumber": 0, "availableSpotNumber": 1}
    assert broker.data("zone-north-row-" + next(k for k in broker.retained if k.startswith("zone-"))[-8:]) == {
        "totalSpotNumber": 1,
        "unknownSpotNumber": 0,
        "availableSpotNumber": 0,
    }
    assert broker.retained["lot"].q == "good"


def test_every_zone_that_is_published_was_announced_and_more_than_a_device_may_have_are_named(broker):
    lot = replace(LOT, bays=tuple(Bay(bay_id=f"B{i}", zone=f"Row {i}") for i in range(70)))
    zones = tuple(ZoneOccupancy(zone=bay.zone, n_bays=1, n_occupied=0, n_unknown=0) for bay in lot.bays)

    broker.signs.set_lot(lot, AT)
    broker.signs.tell(full(n_bays=70, zones=zones), AT)

    announced = {stream.name for stream in broker.retained["birth"].streams}
    assert len(announced) == 64
    assert announced == {key for key in broker.retained if key not in ("birth", "status")}
    (fault,) = DrawnLot(lot, now=AT, settings=FusionSettings()).occupancy(AT).faults
    assert fault.startswith("Quay has 70 zones, and signs are told of its first 63.")


def test_a_lot_nobody_knows_anything_of_has_no_number(broker):
    broker.signs.tell(full(n_occupied=0, n_unknown=2), AT)

    assert "availableSpotNumber" not in broker.data()
    assert broker.retained["lot"].q == "uncertain"


def test_the_same_number_is_said_again_only_after_a_minute(broker):
    broker.signs.tell(full(), AT)
    n_said = broker.n_said
    broker.signs.tell_again(AT + timedelta(seconds=59))
    assert broker.n_said == n_said

    broker.signs.tell_again(AT + timedelta(seconds=61))
    assert broker.n_said > n_said


def test_a_node_that_ends_takes_its_promises_back(broker):
    broker.signs.tell(full(), AT)
    broker.signs.say_goodbye(AT)

    assert broker.data() == {}
    assert broker.retained["status"].state == "offline"


def test_a_removed_lot_leaves_nothing_on_the_broker(broker):
    broker.signs.tell(full(), AT)
    broker.signs.remove_lot("quay")

    assert broker.retained == {}


def test_a_lot_that_is_not_drawn_is_not_published(broker):
    broker.signs.tell(LotOccupancy(lot_id="parking/x", n_bays=9, n_occupied=1, n_unknown=0, at=AT), AT)

    assert "lot" not in broker.retained
