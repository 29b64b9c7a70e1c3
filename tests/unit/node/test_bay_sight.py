"""Pictures of lots go to a process of their own; what it says comes back and goes on the bus."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from core.kernel.errors import BadInputError
from core.node.bay_pictures import cut_bay
from core.node.bay_sight import BaySightHub
from core.parking.model import BaysSeen, BayState
from core.parking.sight.model import SightConfig
from core.parking.sight.quality import jpeg_size
from tests.fixtures.drawn_lot import TAKEN, draw, drawn_lot, jpeg_of

START = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


async def answers(hub):
    """Say what a real process makes of good, broken and many pictures; it is started once, because that takes time."""
    taken = await asyncio.wait_for(hub.submit("lot", "cam", jpeg_of(draw()), START), 60)
    later = START + timedelta(seconds=30)
    flood = [hub.submit("lot", "cam", jpeg_of(draw(TAKEN - {"04"})), later) for _ in range(20)]
    flooded = await asyncio.wait_for(asyncio.gather(*flood), 60)
    with pytest.raises(BadInputError, match="cut off") as refused:
        await hub.submit("lot", "cam", jpeg_of(draw())[:5000], later)
    return taken, flooded, refused


def test_a_picture_becomes_evidence_a_flood_costs_two_looks_and_nonsense_is_refused(tmp_path):
    published = []

    async def run():
        hub = BaySightHub(
            SightConfig(models=tmp_path, logs=tmp_path, memory=tmp_path / "bays"), publish=published.append
        )
        hub.set_lots((drawn_lot(),))
        try:
            return *await answers(hub), hub.newest("lot", "cam")
        finally:
            await hub.stop()

    taken, flooded, _, newest = asyncio.run(run())

    assert {word.bay_id for word in taken if word.state is BayState.OCCUPIED} == TAKEN
    assert sum(1 for words in flooded if words) == 2
    assert all(word.state is BayState.FREE for word in flooded[-1] if word.bay_id == "04")
    assert sum(isinstance(event, BaysSeen) for event in published) == 3
    assert newest.at == START + timedelta(seconds=30)
    assert list((tmp_path / "bays").glob("*.npz"))


def test_a_lot_or_a_view_that_nobody_drew_is_refused_at_once(tmp_path):
    async def run():
        hub = BaySightHub(SightConfig(models=tmp_path, logs=tmp_path, memory=tmp_path), publish=lambda _event: None)
        hub.set_lots((drawn_lot(),))
        with pytest.raises(BadInputError, match="no lot 'other'"):
            hub.submit("other", "cam", b"", START)
        with pytest.raises(BadInputError, match="no view of a camera 'cam-2'"):
            hub.submit("lot", "cam-2", b"", START)

    asyncio.run(run())


def test_a_bays_snapshot_is_its_part_of_the_picture_with_some_of_its_neighbours():
    lot = drawn_lot()

    jpeg, (width, height) = cut_bay(jpeg_of(draw()), lot.views[0].outlines["03"])

    assert (width, height) == pytest.approx((198, 330), abs=4)
    assert jpeg_size(jpeg) == pytest.approx((width, height), abs=2)
