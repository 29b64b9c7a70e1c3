"""A vision worker crashes while a vehicle stands on the road: whoever stands is known, whoever is new is called."""

import asyncio
import os
import signal
from contextlib import asynccontextmanager

import pytest

from core.access.model import SYSTEM
from core.cameras.model import Camera
from core.incidents.model import Alarm, AlarmState, Quality
from core.kernel.paths import Folders
from core.kernel.settings import BrokerSection, Settings, VisionSettings
from core.node.node import Node
from core.node.supervisor import DETECTOR
from core.vision.model import ObservationKind, RuleSetting, Scene, Zone
from core.vision.tuning import RULES
from tests.e2e.field.rig import until
from tests.fixtures.live_road import StageRoad
from tests.fixtures.room import OLGA
from tests.unit.vision.toy_model import save_toy_openvino

STOPPED = ObservationKind.STOPPED_VEHICLE
ROAD = Zone(
    key="road",
    name="Road",
    polygon=((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)),
    counts_presence=False,
    stopped_after_s=3.0,
)
SCENE = Scene(
    zones=(ROAD,),
    # A dark square on which a bright one appears out of nothing looks like much else.
    rules=tuple(RuleSetting(kind=rule.kind.value, is_enabled=False) for rule in RULES if rule.kind is not STOPPED),
)


@pytest.fixture
def road():
    made = StageRoad()
    yield made
    made.close()


@asynccontextmanager
async def watching(tmp_path, mosquitto, road):
    """A node with the road's camera."""
    model = save_toy_openvino(tmp_path / "toy_openvino_model")
    settings = Settings(
        broker=BrokerSection(host=mosquitto.host, port=mosquitto.port),
        vision=VisionSettings(model=str(model), hardware_decode="off"),
    )
    node = Node(settings, Folders(data=tmp_path / "data", runtime=tmp_path / "run"))
    working = asyncio.create_task(node.run())
    await until(lambda: node.services is not None and node._link is not None, what="the room to be open")
    camera = Camera(
        camera_id="north", name="North", address=road.address(0), detect_fps=5.0, labels=("car",), scene=SCENE
    )
    await node.services.cameras.add(SYSTEM, camera)
    yield node
    node.stop_soon()
    await working


async def crash(node) -> None:
    """End the camera's worker, and wait for the next one to be heard."""
    (worker,) = (one for one in node._supervisor.reports() if one.key != DETECTOR)
    os.kill(worker.pid, signal.SIGKILL)

    def is_back() -> bool:
        return any(
            one.key == worker.key and one.pid not in (None, worker.pid) and one.state == "running"
            for one in node._supervisor.reports()
        )

    await until(is_back, what="the next worker")


async def n_times_doubted(node, alarm: Alarm, n_times: int) -> None:
    """Wait until an alarm was doubted so often, and believed again."""
    async with asyncio.timeout(40.0):
        while True:
            entries = await node.services.incidents.journal(alarm.alarm_id)
            if [entry.event for entry in entries].count("quality") == 2 * n_times:
                return
            await asyncio.sleep(0.05)


async def listed(node, wanted) -> list[Alarm]:
    """Wait until the stopped vehicles in the list are as wanted, the oldest first; returns their alarms."""
    found: list[Alarm] = []
    async with asyncio.timeout(40.0):
        while [(alarm.state, alarm.quality) for alarm in found] != wanted:
            await asyncio.sleep(0.05)
            alarms = await node.services.incidents.open_alarms()
            found = sorted((one for one in alarms if one.kind == STOPPED), key=lambda one: one.alarm_id)
    return found


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_who_stands_is_not_called_again_after_crashes_of_the_worker_and_who_is_new_calls_under_any_number(
    mosquitto, road, tmp_path
):
    calls = (AlarmState.UNACKNOWLEDGED, Quality.GOOD)
    is_known = (AlarmState.ACKNOWLEDGED, Quality.GOOD)
    is_doubtful = (AlarmState.ACKNOWLEDGED, Quality.STALE)

    async def scenario():
        async with watching(tmp_path, mosquitto, road) as node:
            road.left_px = 0
            (alarm,) = await listed(node, [calls])
            incidents = node.services.incidents
            await incidents.acknowledge(OLGA, alarm.alarm_id, occurrence=alarm.occurrence, expect_version=alarm.version)
            for n_crashes in (1, 2):
                await crash(node)
                await n_times_doubted(node, alarm, n_crashes)
                (still,) = await listed(node, [is_known])
                assert still.alarm_id == alarm.alarm_id

            road.left_px = 64
            await crash(node)
            gone, new = await listed(node, [is_doubtful, calls])
            assert gone.alarm_id == alarm.alarm_id
            assert new.incident_id != gone.incident_id
            found = await incidents.recent_incidents()
        stopped = sorted(one.incident_id for one in found if one.kind == STOPPED)
        assert stopped == [gone.incident_id, new.incident_id]

    asyncio.run(scenario())
