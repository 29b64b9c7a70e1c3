import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from core.access.model import SYSTEM
from core.drones.history import DroneHistory
from core.drones.model import (
    BatteryPack,
    DroneChanged,
    DroneRemoved,
    DroneReport,
    DronesTold,
    Fence,
    Gnss,
    Home,
    Landed,
    LinkHealth,
    StatusText,
    TextLevel,
    is_stale,
    uncertainty_m,
)
from core.drones.rules import DroneCondition
from core.drones.service import MAX_OTHERS, DroneService
from core.kernel.bus import Bus
from core.kernel.clock import FakeClock
from core.kernel.errors import BadInputError, StaleWriteError
from core.kernel.geo import GeoPoint
from core.store.engine import open_store, sqlite_url

AT = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
HERE = GeoPoint(50.0, 8.0)


@pytest.fixture
def clock():
    return FakeClock(AT)


def with_service(tmp_path, clock, body):
    async def run():
        bus = Bus()
        store = open_store(sqlite_url(tmp_path / "db.sqlite3"), backups=tmp_path, clock=clock)
        service = DroneService(
            store=store,
            bus=bus,
            clock=clock,
            history=DroneHistory(store=store, bus=bus, clock=clock, folder=tmp_path / "drones"),
        )
        told = []
        bus.subscribe(DronesTold, told.append)
        try:
            await service.restore()
            return await body(service, told)
        finally:
            await service.close()
            await store.close()

    return asyncio.run(run())


def report(clock, **parts):
    return DroneReport(**{"drone_id": "d1", "link_id": "udp", "at": clock.now(), **parts})


def beat(service, clock, seconds, **parts):
    """Hear a heartbeat once a second for so long."""
    for _ in range(seconds):
        service.take(report(clock, **parts))
        clock.advance(seconds=1)
        service.watch()


def test_what_was_never_said_is_absent(tmp_path, clock):
    async def body(service, _told):
        service.take(report(clock, values={"heading_deg": 12.0}))
        state = service.state("d1")

        assert state.value("heading_deg") == 12.0
        assert state.value("altitude_amsl_m") is None
        assert (state.position, state.home, state.mode, state.is_armed, state.landed) == (None,) * 5
        assert state.battery_percent is None

    with_service(tmp_path, clock, body)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1.0, 361.0])
def test_a_value_that_cannot_be_is_refused_and_counted(tmp_path, clock, value):
    async def body(service, _told):
        service.take(report(clock, values={"heading_deg": value, "no_such_thing": 1.0}))

        assert service.state("d1").value("heading_deg") is None
        assert service.refused == {"udp": 2}

    with_service(tmp_path, clock, body)


def test_a_receiver_without_a_fix_is_not_off_the_coast_of_africa(tmp_path, clock):
    async def body(service, _told):
        service.take(report(clock, position=GeoPoint(0.0, 0.0)))

        assert service.state("d1").position is None

    with_service(tmp_path, clock, body)


def test_each_value_is_as_old_as_its_own_message(tmp_path, clock):
    async def body(service, _told):
        service.take(report(clock, values={"heading_deg": 12.0}))
        clock.advance(seconds=3)
        service.take(report(clock, values={"roll_deg": 1.0}))
        state = service.state("d1")

        assert state.fresh("roll_deg", clock.now()) == 1.0
        assert state.fresh("heading_deg", clock.now()) is None
        assert state.value("heading_deg") == 12.0
        assert is_stale(state.values["heading_deg"].at, clock.now(), 2.0)

    with_service(tmp_path, clock, body)


def test_a_pack_below_nothing_and_a_dilution_that_is_no_number_are_unknown(tmp_path, clock):
    async def body(service, _told):
        pack = BatteryPack(number=0, at=clock.now(), remaining_percent=-20.0, voltage_v=22.0)
        receiver = Gnss(number=0, at=clock.now(), hdop=float("nan"), n_satellites=9)
        service.take(report(clock, batteries=(pack,), gnss=(receiver,)))
        state = service.state("d1")

        assert (state.battery_percent, state.batteries[0].voltage_v) == (None, 22.0)
        assert (state.gnss[0].hdop, state.gnss[0].n_satellites) == (None, 9)

    with_service(tmp_path, clock, body)


def test_a_drone_whose_autopilot_was_never_heard_is_not_called_live(tmp_path, clock):
    async def body(service, _told):
        service.take(report(clock, is_heartbeat=False, values={"heading_deg": 12.0}))
        assert service.state("d1").health is LinkHealth.LOST
        assert service.state("d1").lost_at is None

        service.take(report(clock))
        assert service.state("d1").health is LinkHealth.LIVE

    with_service(tmp_path, clock, body)


def test_a_way_that_brought_nothing_for_long_is_no_longer_shown(tmp_path, clock):
    async def body(service, _told):
        service.take(report(clock, path="10.0.0.2:1"))
        beat(service, clock, 700, path="10.0.0.2:2")

        assert [link.path for link in service.state("d1").links] == ["10.0.0.2:2"]

    with_service(tmp_path, clock, body)


def test_a_link_is_degraded_and_then_lost_although_the_radio_still_talks(tmp_path, clock):
    async def body(service, _told):
        service.take(report(clock))
        seen = []
        for _ in range(24):
            clock.advance(seconds=0.25)
            service.take(report(clock, is_heartbeat=False, values={"radio_signal": 200.0}))
            service.watch()
            seen.append(service.state("d1").health)

        assert seen.index(LinkHealth.DEGRADED) == 13
        assert seen.index(LinkHealth.LOST) == 19
        assert service.state("d1").lost_at == AT + timedelta(seconds=5)

    with_service(tmp_path, clock, body)


def test_a_lost_link_counts_again_after_two_heartbeats_close_together(tmp_path, clock):
    async def body(service, _told):
        service.take(report(clock))
        clock.advance(seconds=10)
        service.watch()
        health = []
        for _ in range(2):
            service.take(report(clock))
            health.append(service.state("d1").health)
            clock.advance(seconds=1)

        assert health == [LinkHealth.LOST, LinkHealth.LIVE]
        assert service.state("d1").lost_at is None

    with_service(tmp_path, clock, body)


def test_the_better_of_two_links_is_used_and_not_left_for_a_moment(tmp_path, clock):
    async def body(service, _told):
        def used():
            return next(link.link_id for link in service.state("d1").links if link.is_used)

        seen = []
        for second in range(8):
            service.take(report(clock, loss=0.4, values={"heading_deg": 1.0}))
            service.take(report(clock, link_id="tcp", loss=0.0, values={"heading_deg": 2.0}))
            seen.append((second, used()))
            clock.advance(seconds=1)

        assert [link for _, link in seen] == ["udp"] * 3 + ["tcp"] * 5
        assert service.state("d1").value("heading_deg") == 2.0

    with_service(tmp_path, clock, body)


def test_a_lost_link_is_left_at_once_for_one_that_is_heard(tmp_path, clock):
    async def body(service, _told):
        service.take(report(clock))
        beat(service, clock, 6, link_id="tcp", values={"heading_deg": 2.0})
        state = service.state("d1")

        assert state.health is LinkHealth.LIVE
        assert state.value("heading_deg") == 2.0
        assert [link.health for link in state.links] == [LinkHealth.LOST, LinkHealth.LIVE]

    with_service(tmp_path, clock, body)


def test_two_drones_with_one_name_are_named(tmp_path, clock):
    async def body(service, _told):
        service.take(report(clock, position=HERE))
        clock.advance(seconds=1)
        service.take(report(clock, link_id="tcp", position=GeoPoint(50.1, 8.0)))

        (fault,) = service.state("d1").faults
        assert "Two drones go by this name, 11.1 km apart" in fault
        assert "tcp and udp" in fault

    with_service(tmp_path, clock, body)


def test_a_silent_drone_may_be_farther_away_every_second(tmp_path, clock):
    async def body(service, _told):
        service.take(report(clock, position=HERE, accuracy_m=2.0))
        drone = service.drone("d1")

        assert uncertainty_m(drone, service.state("d1"), clock.now()) == 2.0
        assert uncertainty_m(drone, service.state("d1"), clock.now() + timedelta(seconds=30)) == 602.0

    with_service(tmp_path, clock, body)


def test_the_way_home_is_known_where_both_ends_are(tmp_path, clock):
    async def body(service, _told):
        service.take(report(clock, position=HERE, home=Home(point=GeoPoint(50.01, 8.0), at=clock.now())))

        assert service.state("d1").value("home_distance_m") == pytest.approx(1113, abs=1)

    with_service(tmp_path, clock, body)


def test_a_text_said_again_is_one_text(tmp_path, clock):
    async def body(service, _told):
        for _ in range(3):
            at = clock.now()
            text = StatusText(level=TextLevel.WARNING, text="EKF variance", at=at, first_at=at)
            service.take(report(clock, texts=(text,)))
            clock.advance(seconds=5)

        (text,) = service.state("d1").texts
        assert (text.n_times, text.first_at, text.at) == (3, AT, AT + timedelta(seconds=10))

    with_service(tmp_path, clock, body)


def test_drones_are_told_together_and_not_for_each_report(tmp_path, clock):
    async def body(service, told):
        for number in range(30):
            service.take(report(clock, drone_id=f"d{number % 3}", values={"heading_deg": float(number)}))
        heard = asyncio.Event()
        service._bus.subscribe(DronesTold, lambda _event: heard.set())
        await heard.wait()

        (event,) = told
        assert sorted(state.value("heading_deg") for state in event.states) == [27.0, 28.0, 29.0]

    with_service(tmp_path, clock, body)


def test_who_was_heard_and_what_a_supervisor_set_up_is_known_after_a_restart(tmp_path, clock):
    fence = Fence(corners=(HERE, GeoPoint(50.1, 8.0), GeoPoint(50.1, 8.1)), max_height_m=120.0)

    async def first(service, _told):
        service.take(report(clock, name="Eagle", kind="Quadrotor", system_id=7))
        await service.store_new()
        named = await service.save(SYSTEM, replace(service.drone("d1"), name="Falcon"))
        await service.set_fence(SYSTEM, "d1", fence, named.version)
        with pytest.raises(StaleWriteError):
            await service.save(SYSTEM, named)
        with pytest.raises(StaleWriteError):
            await service.set_fence(SYSTEM, "d1", None, named.version)

    async def second(service, _told):
        drone = service.drone("d1")
        assert (drone.name, drone.kind, drone.system_id, drone.fence) == ("Falcon", "Quadrotor", 7, fence)
        assert service.state("d1").health is LinkHealth.LOST

    with_service(tmp_path, clock, first)
    with_service(tmp_path, clock, second)


def test_what_a_drone_says_of_itself_takes_nothing_back_that_a_person_saved(tmp_path, clock):
    async def first(service, _told):
        service.take(report(clock, name="Eagle"))
        await service.store_new()
        before = service._drones["d1"]
        await service.save(SYSTEM, replace(service.drone("d1"), name="Falcon", site="Roof"))
        # As a node would that heard of the drone before it heard of the save.
        service._drones["d1"] = before
        service.take(report(clock, kind="Quadrotor", autopilot="PX4"))
        await service.store_new()

    async def second(service, _told):
        drone = service.drone("d1")
        assert (drone.name, drone.site, drone.kind, drone.autopilot, drone.version) == (
            "Falcon",
            "Roof",
            "Quadrotor",
            "PX4",
            1,
        )

    with_service(tmp_path, clock, first)
    with_service(tmp_path, clock, second)


def test_what_a_drone_says_while_somebody_saves_it_is_kept(tmp_path, clock):
    async def body(service, _told):
        service.take(report(clock))
        await service.store_new()
        saving = asyncio.create_task(service.save(SYSTEM, replace(service.drone("d1"), name="Falcon")))
        await asyncio.sleep(0)
        service.take(report(clock, kind="Quadrotor"))
        await saving

        assert (service.drone("d1").name, service.drone("d1").kind) == ("Falcon", "Quadrotor")

    with_service(tmp_path, clock, body)


def test_another_hardware_number_under_one_name_is_named_and_never_taken_over(tmp_path, clock):
    async def body(service, _told):
        service.take(report(clock, uid="00000011"))
        assert service.state("d1").namesake == ""
        service.take(report(clock, uid="00000022"))

        assert service.drone("d1").uid == "00000011"
        assert "00000011 and 00000022" in service.state("d1").namesake
        assert service.state("d1").namesake in service.state("d1").faults

    with_service(tmp_path, clock, body)


def test_two_drones_on_one_way_are_named_and_a_receiver_that_finds_itself_is_none(tmp_path, clock):
    far = GeoPoint(50.2, 8.0)

    async def body(service, _told):
        for place in (HERE, far, far, far):
            service.take(report(clock, position=place))
            clock.advance(seconds=1)
        assert service.state("d1").namesake == ""
        for place in (HERE, far, HERE, far):
            service.take(report(clock, position=place))
            clock.advance(seconds=1)
        assert "Two drones go by this name on udp, in turns" in service.state("d1").namesake
        clock.advance(seconds=61)
        service.watch()
        assert service.state("d1").namesake == ""

    with_service(tmp_path, clock, body)


def test_whether_it_is_armed_and_how_it_flies_is_known_as_long_as_it_says_so(tmp_path, clock):
    async def body(service, _told):
        pack = BatteryPack(number=0, at=clock.now(), remaining_percent=80.0)
        service.take(report(clock, is_armed=True, mode="Auto", landed=Landed.AIR, batteries=(pack,)))
        state = service.state("d1")
        now = clock.now() + timedelta(seconds=4)
        assert (state.fresh_armed(now), state.fresh_mode(now), state.fresh_landed(now)) == (True, "Auto", Landed.AIR)
        assert state.fresh_battery_percent(now) == 80.0
        later = clock.now() + timedelta(seconds=11)
        assert (state.fresh_armed(later), state.fresh_mode(later), state.fresh_landed(later)) == (None, "", None)
        assert (state.fresh_battery_percent(later), state.battery_percent) == (None, 80.0)

    with_service(tmp_path, clock, body)


def test_a_fence_of_two_corners_is_none(tmp_path, clock):
    async def body(service, _told):
        service.take(report(clock))
        with pytest.raises(BadInputError):
            await service.set_fence(SYSTEM, "d1", Fence(corners=(HERE, HERE)), 0)
        with pytest.raises(BadInputError):
            await service.set_fence(SYSTEM, "d1", Fence(), 0)

    with_service(tmp_path, clock, body)


def test_a_drone_of_others_is_shown_and_neither_called_for_nor_kept(tmp_path, clock):
    async def first(service, _told):
        conditions, removed, plans = [], [], []
        service._bus.subscribe(DroneCondition, conditions.append)
        service._bus.subscribe(DroneRemoved, lambda event: removed.append(event.drone_id))
        service._bus.subscribe(DroneChanged, lambda event: plans.append(event.drone))
        service.take(report(clock, drone_id="rid-1", is_other=True, position=HERE, landed=Landed.AIR))
        assert [(plan.drone_id, plan.is_other) for plan in plans] == [("rid-1", True)]
        clock.advance(seconds=60)
        service.watch()
        assert service.state("rid-1").health is LinkHealth.LOST
        assert conditions == []
        await service.store_new()
        assert await service.history.flights() == ()
        clock.advance(seconds=600)
        service.watch()
        assert (removed, service.drones()) == (["rid-1"], ())
        for number in range(MAX_OTHERS + 5):
            service.take(report(clock, drone_id=f"rid-{number}", is_other=True))
        assert len(service.drones()) == MAX_OTHERS
        assert service.refused["udp"] == 5
        await service.store_new()

    async def second(service, _told):
        assert service.drones() == ()

    with_service(tmp_path, clock, first)
    with_service(tmp_path, clock, second)
