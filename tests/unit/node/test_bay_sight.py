"""Pictures of lots go to a process of their own; what it says comes back and goes on the bus."""

import asyncio
import multiprocessing
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from core.cameras.model import Camera
from core.kernel.errors import BadInputError, UnavailableError
from core.node import bay_sight
from core.node.bay_pictures import cut_bay, mask
from core.node.bay_sight import BaySightHub
from core.node.http_door import look_back
from core.parking.model import BaysSeen, BaysSeenLate, BayState
from core.parking.sight.model import SightConfig, SightingKind, SightInterrupted, ViewTroubled
from core.parking.sight.quality import decode_jpeg, jpeg_size
from core.vision.model import Mask, MaskKind, Scene
from core.vision.view import prints_of_shapes
from tests.fixtures.drawn_lot import TAKEN, WH, draw, drawn_lot, jpeg_of

START = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
MASK = Mask(key="house", name="House", kind=MaskKind.PRIVACY, polygon=((0.0, 0.0), (0.2, 0.0), (0.2, 0.5), (0.0, 0.5)))
TRIANGLE = ((0.0, 0.0), (0.4, 0.0), (0.0, 0.8))


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
        hub = hub_in(tmp_path, published.append)
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


def black(number):
    return jpeg_of(np.random.default_rng(number).integers(0, 3, (WH[1], WH[0], 3)).astype(np.uint8))


def at(seconds):
    return START + timedelta(seconds=seconds)


class Room:
    """A hub with its process, for all tests of this file: a start takes time; each test has a lot of its own."""

    def __init__(self, folder):
        self.published, self.lots = [], ()
        self.hub = hub_in(folder, self.published.append)
        self.runner = asyncio.Runner()

    def run(self, scenario):
        lot = replace(drawn_lot(), lot_id=f"lot-{len(self.lots)}")
        self.lots += (lot,)
        self.hub.set_lots(self.lots)
        self.published.clear()
        self.runner.run(asyncio.wait_for(scenario(self.hub, lot.lot_id, self.published), 60))

    def close(self):
        self.runner.run(self.hub.stop())
        self.runner.close()


@pytest.fixture(scope="module")
def room(tmp_path_factory):
    made = Room(tmp_path_factory.mktemp("bays"))
    yield made
    made.close()


def hub_in(folder, publish):
    return BaySightHub(SightConfig(models=folder, logs=folder, memory=folder / "bays"), publish=publish)


def troubles(published):
    return [(one.sighting.kind, one.sighting.holds) for one in published if isinstance(one, ViewTroubled)]


def test_pictures_of_the_past_begin_no_alarm_end_none_and_hide_none(room):
    async def scenario(hub, lot, published):
        await hub.submit(lot, "cam", jpeg_of(draw()), at(0))
        await hub.submit_history(lot, "cam", black(1), at(-600))
        assert troubles(published) == []
        await hub.submit(lot, "cam", black(2), at(10))
        assert troubles(published) == [(SightingKind.BLIND_VIEW, True)]

        words = await hub.submit_history(lot, "cam", jpeg_of(draw(seed=4)), at(-500))
        assert {word.bay_id for word in words if word.state is BayState.OCCUPIED} == TAKEN
        assert len(troubles(published)) == 1
        await hub.submit(lot, "cam", jpeg_of(draw(seed=5)), at(20))
        assert troubles(published)[1:] == [(SightingKind.BLIND_VIEW, False)]
        assert [len(one.evidence) for one in published if isinstance(one, BaysSeenLate)] == [16, 16]

    room.run(scenario)


def test_no_picture_of_the_past_is_passed_over_for_another(room):
    async def scenario(hub, lot, published):
        first, second = jpeg_of(draw()), jpeg_of(draw(seed=6))
        looking = hub.submit_history(lot, "cam", first, at(-600))
        with pytest.raises(UnavailableError, match="looked at first"):
            hub.submit_history(lot, "cam", second, at(-590))
        again = hub.submit_history(lot, "cam", first, at(-600))
        await looking
        assert await again == await hub.submit_history(lot, "cam", first, at(-600))
        await hub.submit_history(lot, "cam", second, at(-590))
        assert [one.evidence[0].at for one in published] == [at(-600), at(-590)]

    room.run(scenario)


def test_a_mask_takes_away_what_was_kept_and_what_is_on_its_way(room):
    async def scenario(hub, lot, _published):
        hub.set_private_parts({"cam": (), "other": ()})
        await hub.submit(lot, "cam", jpeg_of(draw()), at(0))
        hub.set_private_parts({"cam": (), "other": (TRIANGLE,)})
        assert hub.newest(lot, "cam").at == at(0)
        looking = hub.submit(lot, "cam", jpeg_of(draw(seed=2)), at(30))
        waiting = hub.submit(lot, "cam", jpeg_of(draw(seed=3)), at(60))

        hub.set_private_parts({"cam": (TRIANGLE,), "other": (TRIANGLE,)})

        assert hub.newest(lot, "cam") is None
        with pytest.raises(UnavailableError, match="became private"):
            await waiting
        assert await looking
        assert hub.newest(lot, "cam") is None
        await hub.submit(lot, "cam", jpeg_of(draw(seed=4)), at(90))
        assert [kept.at for kept in hub.pictures(lot, "cam")] == [at(90)]

    room.run(scenario)


def test_a_workers_picture_from_before_a_mask_is_let_go_of(tmp_path):
    async def run():
        hub = hub_in(tmp_path, lambda _event: None)
        hub.set_lots((drawn_lot(),))
        hub.set_private_parts({"cam": (TRIANGLE,)})
        before = set(multiprocessing.active_children())
        hub.take_picture("cam", jpeg_of(draw()), at(0))
        n_started = len(set(multiprocessing.active_children()) - before)
        hub.take_picture("cam", jpeg_of(draw()), at(0), (TRIANGLE,))
        n_started_then = len(set(multiprocessing.active_children()) - before)
        await hub.stop()
        return n_started, n_started_then

    assert asyncio.run(run()) == (0, 1), "only one picture is worth a process"


def test_what_was_seen_begin_is_doubted_when_the_process_ends_until_the_next_one_sees_it_over(tmp_path, monkeypatch):
    monkeypatch.setattr(bay_sight, "RETRY_S", 0.0)
    published = []

    async def run():
        hub = hub_in(tmp_path, published.append)
        hub.set_lots((drawn_lot(),))
        others = set(multiprocessing.active_children())
        await hub.submit("lot", "cam", jpeg_of(draw()), at(0))
        await hub.submit("lot", "cam", black(1), at(10))
        (process,) = set(multiprocessing.active_children()) - others
        looking = hub.submit("lot", "cam", jpeg_of(draw(seed=2)), at(20))
        process.kill()
        with pytest.raises(UnavailableError, match="ended"):
            await looking
        assert not hub.is_told("lot", "cam")
        assert troubles(published) == [(SightingKind.BLIND_VIEW, True)]
        await hub.submit("lot", "cam", jpeg_of(draw(seed=3)), at(30))
        assert hub.is_told("lot", "cam")
        await hub.stop()

    asyncio.run(run())
    assert troubles(published)[1:] == [(SightingKind.BLIND_VIEW, False)]
    (interrupted,) = (one for one in published if isinstance(one, SightInterrupted))
    assert [one.kind for one in interrupted.views] == [SightingKind.BLIND_VIEW]


def test_a_picture_of_the_past_is_looked_at_without_what_nobody_may_see(room):
    mast = Camera(camera_id="cam", name="Mast", address="edge:", scene=Scene(masks=(MASK,)))

    async def scenario(hub, lot, published):
        shapes = dict.fromkeys(prints_of_shapes(mast.scene), WH)
        wide = dict.fromkeys(shapes, (4 * WH[0], WH[1]))
        with pytest.raises(BadInputError, match="another shape"):
            await look_back(hub, {"cam": mast}.get, lambda _: wide, lot, "cam", jpeg_of(draw()), at(-600))
        await look_back(hub, {"cam": mast}.get, lambda _: shapes, lot, "cam", jpeg_of(draw()), at(-600))
        (seen,) = published
        states = {word.bay_id: word.state for word in seen.evidence}
        assert states["00"] is BayState.UNKNOWN
        assert states["06"] is BayState.OCCUPIED

    room.run(scenario)


def test_a_private_part_of_a_posted_picture_is_black():
    jpeg = mask(jpeg_of(draw(gain=2.0)), (TRIANGLE,), {})

    seen = decode_jpeg(jpeg)
    assert seen.shape == (WH[1], WH[0], 3)
    assert seen[20:100, 20:60].max() < 40
    assert seen[500:, 500:].max() > 150
    with pytest.raises(BadInputError, match="cannot be decoded"):
        mask(b"\xff\xd8\xff nonsense", (TRIANGLE,), {})


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


def test_what_was_closed_is_told_again_with_the_next_picture_that_does_not_end_it(room):
    async def scenario(hub, lot_id, published):
        await hub.submit(lot_id, "cam", jpeg_of(draw()), at(0))
        await hub.submit(lot_id, "cam", black(1), at(10))
        hub.tell_again(lot_id)
        await hub.submit(lot_id, "cam", black(2), at(20))
        await hub.submit(lot_id, "cam", black(3), at(30))

        assert troubles(published) == [(SightingKind.BLIND_VIEW, True)] * 2

    room.run(scenario)
