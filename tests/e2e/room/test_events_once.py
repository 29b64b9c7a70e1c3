"""Events stored once each, over a scripted loop: workers are killed, the database is locked, the broker is away."""

import asyncio
import json
import os
import random
import re
import signal
import sqlite3
import time
from collections import Counter
from contextlib import closing
from datetime import UTC, datetime

import paho.mqtt.client as mqtt
import pytest

from core.access.model import SYSTEM
from core.cameras.model import Camera
from core.cameras.service import CameraService
from core.kernel.bus import Bus
from core.kernel.clock import SystemClock
from core.kernel.paths import default_folders
from core.kernel.secrets import Secrets
from core.store.engine import open_store, sqlite_url
from core.vision.flow import FlowMinute
from core.vision.model import CountLine, ObservationKind, RuleSetting, Scene, Zone
from tests.fixtures.live_road import CROSSES_AFTER_S, GONE_AFTER_S, LiveRoad
from tests.fixtures.processes import wait_until
from tests.unit.vision.toy_model import save_toy_openvino

N_CAMERAS = 4
MINUTES = "SELECT * FROM flow_minute WHERE subject = 'line' AND direction = 'out' AND label = ''"
SEED = 11
BROKER_AWAY_S = 60.0
LOCKED_S = 5.0
TUNED = (ObservationKind.VEHICLE_IN_ZONE, ObservationKind.LINE_CROSSED, ObservationKind.ZONE_ENTERED)
SCENE = Scene(
    lines=(CountLine(key="line", name="Line", start=(0.5, 1.0), end=(0.5, 0.0), forward_name="out"),),
    zones=(
        Zone(
            key="closed",
            name="Closed road",
            polygon=((0.6, 0.0), (1.0, 0.0), (1.0, 1.0), (0.6, 1.0)),
            counts_presence=False,
            alarms_presence=True,
        ),
    ),
    # A dark square on which a bright one appears out of nothing looks like much else.
    rules=tuple(RuleSetting(kind=kind.value, is_enabled=False) for kind in ObservationKind if kind not in TUNED),
)


@pytest.fixture
def road():
    made = LiveRoad(N_CAMERAS)
    yield made
    made.close()


def camera_id(number: int) -> str:
    return f"camera-{number}"


def add_cameras(folder, road: LiveRoad) -> None:
    async def add() -> None:
        folders = default_folders(folder)
        folders.make()
        store = open_store(sqlite_url(folders.database), backups=folders.backups, clock=SystemClock())
        cameras = CameraService(store, Bus(), SystemClock(), Secrets(service="watchfloor-test"))
        for number in range(N_CAMERAS):
            await cameras.add(
                SYSTEM,
                Camera(
                    camera_id=camera_id(number),
                    name=f"Camera {number}",
                    address=road.address(number),
                    detect_fps=5.0,
                    scene=SCENE,
                ),
            )
        await store.close()

    asyncio.run(add())


def rows(database, query: str) -> list[sqlite3.Row]:
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=10.0)) as connection:
        connection.row_factory = sqlite3.Row
        return connection.execute(query).fetchall()


def seconds(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def observed(database) -> list[sqlite3.Row]:
    return rows(database, "SELECT * FROM observation")


def kill_a_worker(folders, chance: random.Random) -> str:
    """End a worker as a crash does; returns its key."""
    log = "\n".join(path.read_text(errors="replace") for path in folders.logs.glob("node*"))
    newest = dict(re.findall(r"vision worker (\d+) started with \d+ cameras \(pid (\d+)\)", log))
    key = chance.choice(sorted(newest))
    os.kill(int(newest[key]), signal.SIGKILL)
    return key


class Ear:
    """Another system on the broker, which comes back when the broker does."""

    def __init__(self, host: str, port: int) -> None:
        self.heard: list[tuple[str, dict]] = []
        self._client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = lambda client, *_: client.subscribe(
            [("watchfloor/v1/e2e/_alarm/#", 1), ("watchfloor/v1/e2e/camera/#", 1)]
        )
        self._client.on_message = lambda _client, _data, message: (
            message.payload and self.heard.append((message.topic, json.loads(message.payload)))
        )
        self._client.connect(host, port)
        self._client.loop_start()

    def alarms(self) -> dict[str, dict]:
        """The newest state of every alarm, by its id."""
        return {said["alarm_id"]: said for topic, said in self.heard if "/_alarm/" in topic}

    def minutes(self) -> set[tuple[str, float]]:
        """The minutes that were told of the cameras' lines: camera, and seconds since the epoch."""
        return {
            (topic.split("/")[4], datetime.fromisoformat(said["data"]["dateObservedFrom"]).timestamp())
            for topic, said in self.heard
            if topic.endswith("/state/line-line-out")
        }

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


def make_trouble(folders, mosquitto, ready_s: float) -> list[str]:
    """Kill, lock and take away; returns the workers that were killed, after the broker is back."""
    chance = random.Random(SEED)
    killed = []
    wait_until(lambda: time.time() > ready_s + 2.0, what="the first passages")
    mosquitto.stop()
    away_s = time.time()
    wait_until(lambda: time.time() > away_s + 6.0, what="an event without broker")
    with closing(sqlite3.connect(folders.database, isolation_level=None, timeout=10.0)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        locked_s = time.time()
        wait_until(lambda: time.time() > locked_s + LOCKED_S, what="the lock's time")
        connection.execute("ROLLBACK")
    for after_s in (16.0, 32.0, 48.0):
        at_s = away_s + after_s + chance.uniform(-4.0, 4.0)
        wait_until(lambda at_s=at_s: time.time() > at_s, timeout_s=60.0, what="the next crash")
        killed.append(kill_a_worker(folders, chance))
    wait_until(lambda: time.time() > away_s + BROKER_AWAY_S, timeout_s=60.0, what="the broker's absence")
    mosquitto.start()
    return killed


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_each_event_is_stored_once_and_told_once_through_crashes_a_locked_database_and_a_broker_away(
    start_node, mosquitto, road, tmp_path
):
    folder = tmp_path / "node-0"
    folders = default_folders(folder)
    add_cameras(folder, road)
    model = save_toy_openvino(tmp_path / "toy_openvino_model")
    node = start_node(
        f"broker.host={mosquitto.host}",
        f"broker.port={mosquitto.port}",
        f"vision.model={model}",
        "vision.cameras_per_worker=2",
        "vision.hardware_decode=off",
        "site.tenant=e2e",
    )
    ear = Ear(mosquitto.host, mosquitto.port)
    wait_until(
        lambda: {row["camera_id"] for row in observed(folders.database)} == {camera_id(n) for n in range(N_CAMERAS)},
        timeout_s=60.0,
        what="every camera to see its first vehicle",
    )
    ready_s = time.time()

    killed = make_trouble(folders, mosquitto, ready_s)

    road.last_starts_s = time.time() + 1.0
    wait_until(lambda: time.time() > road.last_starts_s + GONE_AFTER_S + 5.0, timeout_s=30.0, what="the last to leave")
    alarms = {row["alarm_id"]: row for row in rows(folders.database, "SELECT * FROM alarm")}
    wait_until(
        lambda: all(ear.alarms().get(key, {}).get("version") == row["version"] for key, row in alarms.items()),
        timeout_s=20.0,
        what="the broker to know every alarm as the database does",
    )
    # What ended while the broker was away as well.
    minutes = {(row["camera_id"], seconds(row["minute"])) for row in rows(folders.database, MINUTES)}
    wait_until(lambda: ear.minutes() >= minutes, timeout_s=20.0, what="the broker to hear of every minute")
    ear.close()
    node.stop()

    assert_events_are_stored_once(folders.database, road, ready_s)
    assert_gaps_are_no_zeros(folders.database, road, ready_s)
    assert_alarms_are_told(folders.database, ear)
    assert len(killed) == 3


def assert_events_are_stored_once(database, road: LiveRoad, ready_s: float) -> None:
    """Who was watched from before to after is there once; of those that fell into a crash, nobody is there twice."""
    seen = observed(database)
    assert len({row["observation_id"] for row in seen}) == len(seen)
    n_certain = 0
    for number in range(N_CAMERAS):
        mine = [row for row in seen if row["camera_id"] == camera_id(number)]
        for passage in road.passages(number, ready_s, time.time()):
            from_s, to_s = passage.starts_s, passage.starts_s + GONE_AFTER_S + 5.5
            there = Counter(
                (row["kind"], row["phase"]) for row in mine if from_s <= seconds(row["captured_at"]) <= to_s
            )
            wanted = {("line_crossed", "instant"): 1, ("vehicle_in_zone", "begin"): 1, ("vehicle_in_zone", "end"): 1}
            if road.was_watched(number, from_s - 2.0, to_s):
                n_certain += 1
                assert there == wanted, f"{camera_id(number)}, {datetime.fromtimestamp(from_s, UTC)}: {there}"
            else:
                assert there["line_crossed", "instant"] <= 1
    assert n_certain >= 12, "hardly anything was watched: this proves nothing"


def assert_gaps_are_no_zeros(database, road: LiveRoad, ready_s: float) -> None:
    """A minute in which nobody looked is not there, or says how little was seen; one that was seen whole is right."""
    minutes = rows(database, MINUTES)
    assert minutes
    for row in minutes:
        number, start_s = int(row["camera_id"].split("-")[1]), seconds(row["minute"])
        minute = FlowMinute(
            camera_id=row["camera_id"],
            subject="line",
            key="line",
            minute=datetime.fromtimestamp(start_s, UTC),
            observed_s=row["observed_s"],
        )
        watched_s = sum(
            max(0.0, min(last, start_s + 60.0) - max(opened, start_s)) for opened, last in road.watched[number]
        )
        assert row["observed_s"] <= watched_s + 1.0
        assert minute.is_complete or watched_s < 60.0 or start_s < ready_s
        crossed = [
            one
            for one in road.passages(number, start_s - 10.0, start_s + 60.0)
            if start_s <= one.starts_s + CROSSES_AFTER_S < start_s + 60.0
        ]
        assert row["n_vehicles"] <= len(crossed)


def assert_alarms_are_told(database, ear: Ear) -> None:
    """Every alarm is on the broker under its id, as often repeated as its condition came; no version differs."""
    told = ear.alarms()
    alarms = rows(database, "SELECT * FROM alarm")
    assert told.keys() == {row["alarm_id"] for row in alarms}
    of_cameras = [row for row in alarms if row["kind"] == "vehicle_in_zone"]
    assert sorted(row["source_id"] for row in of_cameras) == [camera_id(number) for number in range(N_CAMERAS)]
    for row in of_cameras:
        begun = [
            one
            for one in observed(database)
            if one["camera_id"] == row["source_id"] and (one["kind"], one["phase"]) == ("vehicle_in_zone", "begin")
        ]
        assert told[row["alarm_id"]]["n_repeats"] == row["n_repeats"] == len(begun) - 1
        assert {one["incident_id"] for one in begun} == {row["incident_id"]}
    said_by_id: dict[tuple[str, object], dict] = {}
    for topic, said in ear.heard:
        key = (said["alarm_id"], said["version"]) if "/_alarm/" in topic else (topic, said.get("id"))
        if "/_alarm/" in topic or "/state/" in topic:
            assert said_by_id.setdefault(key, said) == said
    assert ear.minutes()
