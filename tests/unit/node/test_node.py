"""One node in this process: what holds it up, and what it says of itself."""

import asyncio
import io
import sys
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import av
import numpy as np
import psutil
import pytest
from sqlalchemy import update

import resources
from core.access.model import SYSTEM
from core.cameras.model import Camera
from core.gateway.http.pictures import EdgePictures
from core.incidents.doubt import Doubtful
from core.incidents.model import SourceKind
from core.kernel.clock import SystemClock
from core.kernel.errors import UnavailableError
from core.kernel.ids import new_id
from core.kernel.paths import Folders
from core.kernel.settings import Settings, SiteSettings, StoreSettings, VisionSettings
from core.media.convert import to_jpeg
from core.media.hardware import HardwareDecode
from core.media.model import SourceSpec, StreamReport, StreamState
from core.node import verbs
from core.node.call_spool import FILE_NAME, CallSpool, SpooledCall
from core.node.model import WorkerReport
from core.node.node import Node
from core.store.tables import SceneVersionRow
from core.traffic.flow_spool import FOLDER as MINUTES_FOLDER
from core.traffic.flow_spool import Batch, FlowSpool
from core.traffic.model import LineCount
from core.traffic.service import FlowMeasured, TrafficService
from core.vision.export import can_export
from core.vision.flow import FlowMinute
from core.vision.messages import Measured, Observed
from core.vision.model import (
    CountLine,
    EngineInfo,
    LineCrossed,
    Mask,
    Observation,
    ObservationKind,
    Phase,
    Scene,
)
from tests.fixtures.nodes import until
from tests.fixtures.room import SUSI
from tests.unit.vision.toy_model import save_toy_openvino


@pytest.fixture
def folders(tmp_path):
    return Folders(data=tmp_path / "data", runtime=tmp_path / "run")


def test_a_driver_that_hangs_keeps_pictures_back_and_no_console(folders, monkeypatch):
    has_answered = threading.Event()

    def hang(setting):
        has_answered.wait(60.0)
        return HardwareDecode(reason="It answered late.")

    monkeypatch.setattr("core.node.node.choose_hardware", hang)

    async def run():
        node = Node(Settings(), folders)
        running = asyncio.create_task(node.run())
        try:
            async with asyncio.timeout(30.0):
                while node.services is None:
                    await asyncio.sleep(0.02)
            return (await node.snapshot()).changes.cameras, node.health().decoder_reason
        finally:
            has_answered.set()
            node.stop_soon()
            await running

    assert asyncio.run(run()) == ((), "")


@pytest.mark.skipif(not can_export(), reason="needs torch")
def test_a_conversion_of_the_model_ends_with_the_node(folders, tmp_path):
    weights = tmp_path / "street.pt"
    weights.write_bytes(b"no weights")

    def converters():
        return [one for one in psutil.Process().children() if "core.vision.export" in one.cmdline()]

    async def run():
        node = Node(Settings(vision=VisionSettings(model=str(weights))), folders)
        running = asyncio.create_task(node.run())
        async with asyncio.timeout(30.0):
            while not (begun := converters()):
                await asyncio.sleep(0.02)
        node.stop_soon()
        await running
        return begun, converters()

    begun, left = asyncio.run(run())

    assert len(begun) == 1
    assert left == []


class Anyone:
    """A console before anybody signed in."""

    def __init__(self):
        self.state = {}


def test_hours_reports_and_the_headers_clock_are_in_the_time_zone_of_the_site(folders):
    async def run():
        node = Node(Settings(site=SiteSettings(time_zone="Asia/Tokyo")), folders)
        running = asyncio.create_task(node.run())
        try:
            async with asyncio.timeout(30.0):
                while node.services is None:
                    await asyncio.sleep(0.02)
            report = await node.services.hand_over.preview(SUSI)
            site = await verbs.make_verbs(node)["session.hello"](Anyone(), desk="Desk 1")
            return str(node.services.rules.book.zone), report.time_zone, site.timezone
        finally:
            node.stop_soon()
            await running

    assert asyncio.run(run()) == ("Asia/Tokyo",) * 3


class Told:
    """Stands in for the calls to the operator: what was raised and taken back, in order."""

    def __init__(self):
        self.said = []

    def raise_condition(self, condition):
        self.said.append(("raised", condition.condition_key, condition.detail))

    def return_condition(self, key):
        self.said.append(("returned", key))


@pytest.fixture
def told(folders):
    node = Node(Settings(), folders)
    node._calls = Told()
    return node, node._calls.said


def test_a_desk_that_does_not_hear_its_alarms_is_said_by_name_and_why(told):
    node, said = told

    node.take_desk_sound(object(), "Desk 2", "No sound device is there.")

    assert said == [("raised", "system/sound:Desk 2", "At Desk 2: No sound device is there.")]


def test_a_desk_hears_again_once_none_of_its_consoles_is_deaf(told):
    node, said = told
    left, right = object(), object()
    for console in (left, right):
        node.take_desk_sound(console, "Desk 2", "Muted at the amplifier.")
    del said[:]

    node.take_desk_sound(left, "Desk 2", "")
    assert said == []
    node.take_desk_sound(right, "Desk 2", "")

    assert said == [("returned", "system/sound:Desk 2")]


def test_a_deaf_desk_that_nobody_sits_at_misses_nothing(told):
    node, said = told
    console = object()
    node.take_desk_sound(console, "Desk 2", "No sound device is there.")

    node.let_go(console)

    assert said[-1] == ("returned", "system/sound:Desk 2")


def test_a_desk_that_was_deaf_before_the_node_began_takes_that_back_itself(told):
    node, said = told

    node.take_desk_sound(object(), "Desk 2", "")

    assert said == [("returned", "system/sound:Desk 2")]


def test_what_it_says_of_the_database_holds_no_password(folders):
    folders.make()
    url = "postgresql://watch@db.example/floor?password=hunter2"

    health = Node(Settings(store=StoreSettings(url=url)), folders).health()

    assert "hunter2" not in repr(health)


def test_what_the_run_before_could_not_store_is_stored_at_the_start(folders):
    folders.make()
    seen = Observation(
        observation_id=new_id(),
        camera_id="north",
        kind=ObservationKind.COLLISION,
        phase=Phase.BEGIN,
        rule_key="lane-a",
        rule_name="Lane A",
        condition_key="collision:7",
        pts_s=1.0,
        captured_at=datetime(2026, 11, 22, 3, 0, 12, tzinfo=UTC),
    )

    async def run():
        before = CallSpool(folders.data, SystemClock())
        before.add(SpooledCall(observation=seen, camera_name="Ring North"))
        await before.close()
        node = Node(Settings(), folders)
        running = asyncio.create_task(node.run())
        try:
            async with asyncio.timeout(30.0):
                while node.services is None or not await node.services.incidents.recent_incidents():
                    await asyncio.sleep(0.02)
            return await node.services.incidents.recent_incidents()
        finally:
            node.stop_soon()
            await running

    assert [(one.kind, one.began_at) for one in asyncio.run(run())] == [("collision", seen.captured_at)]
    assert (folders.data / FILE_NAME).read_bytes() == b""


def run_with_model(folders, model, scenario, site=None):
    """Run `await scenario(node)` once the node has chosen its model."""

    async def run():
        vision = VisionSettings(model=model, may_download=False)
        node = Node(Settings(vision=vision, site=site or SiteSettings()), folders)
        running = asyncio.create_task(node.run())
        try:
            async with asyncio.timeout(30.0):
                while node._supervisor is None or node._supervisor.model is None:
                    await asyncio.sleep(0.02)
            return await scenario(node)
        finally:
            node.stop_soon()
            await running

    return asyncio.run(run())


async def alarms_of(node, n_wanted):
    async with asyncio.timeout(30.0):
        while True:
            alarms = await node.require_services().incidents.open_alarms()
            active = [alarm for alarm in alarms if alarm.kind == "model" and alarm.is_active]
            if len(active) == n_wanted:
                return active
            await asyncio.sleep(0.02)


async def minute_and_who_heard(node, *, minutes_later=0):
    """Say that a vehicle was counted and a minute is over; returns what is stored of it and who heard of a crossing."""
    heard = []
    node._bus.subscribe(LineCrossed, heard.append)
    at = datetime.now(UTC).replace(second=0, microsecond=0) + timedelta(minutes=minutes_later)
    node._on_counted(LineCrossed(camera_id="a", line_key="gate", is_forward=True, at=at))
    minute = FlowMinute(camera_id="a", subject="line", key="gate", minute=at, direction="in", n_vehicles=3)
    told = []
    node._bus.subscribe(FlowMeasured, lambda event: told.extend(event.minutes))
    node._on_worker_message(Measured(minutes=(minute,)))
    await node.require_services().traffic.store_minutes()
    return [one.observed_s for one in told], len(heard)


def test_what_was_measured_while_the_database_is_away_is_stored_by_the_next_node(folders, monkeypatch):
    at = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=5)

    async def away(_work):
        raise UnavailableError("The server is gone.")

    async def measure_and_end(node):
        services = node.require_services()
        for act in ("write", "read"):
            monkeypatch.setattr(services.store, act, away)
        node._on_counted(LineCrossed(camera_id="a", line_key="gate", is_forward=True, at=at))
        minute = FlowMinute(camera_id="a", subject="line", key="gate", minute=at, direction="in", n_vehicles=3)
        node._on_worker_message(Measured(minutes=(minute,)))

    async def look(node):
        found = []
        async with asyncio.timeout(20.0):
            while not found:
                await asyncio.sleep(0.05)
                found = await node.require_services().traffic.flow(since=at)
        return [one.n_vehicles for one in found]

    run_with_model(folders, "demo", measure_and_end)

    assert run_with_model(folders, "demo", look) == [3]


def test_no_minute_of_today_is_complete_without_its_vehicles_where_the_disk_is_stored_during_a_start(
    folders, monkeypatch
):
    at = datetime.now(UTC).replace(second=0, microsecond=0)
    folders.make()
    minute = FlowMinute(camera_id="a", subject="line", key="gate", minute=at, direction="in", n_vehicles=3)
    count = LineCount(camera_id="a", line_key="gate", direction="in", label="car", minute=at, n_vehicles=3)
    assert FlowSpool(folders.data / MINUTES_FOLDER).add(Batch(parts=(minute,), count_parts=(count,)))

    def stored_after(read):
        async def read_and_store(service, *, since):
            found = await read(service, since=since)
            await service.store_minutes()
            return found

        return read_and_store

    for name in ("totals", "counted_minutes"):
        monkeypatch.setattr(TrafficService, name, stored_after(getattr(TrafficService, name)))

    async def look(node):
        return node._sight.totals

    assert run_with_model(folders, "demo", look) == {"a": {"gate": {"in": 3}}}


def test_the_demonstration_model_in_place_of_another_calls_and_nothing_it_sees_counts_as_observed(folders):
    async def scenario(node):
        (alarm,) = await alarms_of(node, 1)
        return alarm.detail, node.health().stand_in_reason, await minute_and_who_heard(node)

    detail, reason, (observed_s, n_heard) = run_with_model(folders, "yolo11n", scenario)

    assert "The model 'yolo11n' is not in" in detail
    assert "Rules that go by detection are off" in detail
    assert reason == detail
    assert (observed_s, n_heard) == ([0.0], 0)


def test_a_login_in_a_models_address_reaches_no_alarm_no_log_and_no_database(folders, caplog):
    async def scenario(node):
        (alarm,) = await alarms_of(node, 1)
        return alarm.detail, repr(node.health())

    detail, health = run_with_model(folders, "grpc://watch:hunter2@gpu.example:8001/roads", scenario)

    assert "An inference server's address holds a password." in detail
    kept = [path.read_bytes() for path in folders.data.parent.rglob("*") if path.is_file()]
    assert any(b"holds a password" in content for content in kept)
    for written in (detail.encode(), health.encode(), caplog.text.encode(), *kept):
        assert b"hunter2" not in written


def test_the_demonstration_model_that_somebody_wants_calls_nobody_and_takes_that_call_back(folders):
    run_with_model(folders, "yolo11n", lambda node: alarms_of(node, 1))

    async def scenario(node):
        await alarms_of(node, 0)
        return node.health().stand_in_reason, await minute_and_who_heard(node)

    assert run_with_model(folders, "demo", scenario) == ("", ([60.0], 1))


def test_what_the_stand_in_saw_in_the_minute_in_which_the_sites_own_model_came_counts_as_not_observed(folders):
    own = EngineInfo(
        engine="openvino",
        device="CPU",
        precision="FP32",
        model_name="roads",
        model_sha256="",
        is_demonstration=False,
        input_wh=(640, 384),
        labels=("car",),
        reason="",
    )

    async def scenario(node):
        told = []
        node._bus.subscribe(FlowMeasured, lambda event: told.extend(event.minutes))
        await alarms_of(node, 1)

        node._on_worker(WorkerReport(key="detector", state="running", pid=None, n_restarts=0, engine=own))

        at = datetime.now(UTC).replace(second=0, microsecond=0)
        for minutes_later in (0, 2):
            begins = at + timedelta(minutes=minutes_later)
            minute = FlowMinute(camera_id="a", subject="line", key="gate", minute=begins, direction="in", n_vehicles=3)
            node._on_worker_message(Measured(minutes=(minute,)))
        await node.require_services().traffic.store_minutes()
        return [one.observed_s for one in told], node.health().stand_in_reason

    assert run_with_model(folders, "yolo11n", scenario) == ([0.0, 60.0], "")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc")
@pytest.mark.timeout(180)
@pytest.mark.parametrize("has_camera", [False, True])
def test_a_model_that_cannot_be_read_calls_and_runs_as_soon_as_it_can_be(folders, tmp_path, monkeypatch, has_camera):
    monkeypatch.setattr("core.node.node.MODEL_AGAIN_S", 0.2)
    model = save_toy_openvino(tmp_path / "toy_openvino_model")
    weights, kept = model / "toy.bin", tmp_path / "toy.bin"
    weights.rename(kept)
    weights.symlink_to("/proc/self/mem")

    def engines(node):
        return [report.engine for report in node.health().workers if report.engine is not None]

    async def scenario(node):
        (alarm,) = await alarms_of(node, 1)
        before = alarm.detail, node.health().stand_in_reason
        if has_camera:
            camera = Camera(camera_id="", name="North", address="synthetic:a", detect_fps=5.0)
            camera = await node.require_services().cameras.add(SYSTEM, camera)
            await until(lambda: any(engine.is_demonstration for engine in engines(node)))

        kept.replace(weights)
        await alarms_of(node, 0)

        if has_camera:
            assert [engine.model_name for engine in engines(node)] == ["toy"]
            await until(lambda: "demonstration" not in node._sight.streams[camera.camera_id].detection_reason)
        notices = [notice.message for notice in node.health().notices if notice.key == "model"]
        return *before, node._supervisor.model, node.health().stand_in_reason, notices

    detail, reason, used, reason_then, notices = run_with_model(folders, str(model), scenario)

    assert "toy.bin cannot be read: Input/output error" in detail
    assert "It is tried again" in detail
    assert reason == detail
    assert (used, reason_then, notices) == (str(model / "toy.xml"), "", [])


def said_by_a_rule(camera_id, kind):
    return Observed(
        observation=Observation(
            observation_id=new_id(),
            camera_id=camera_id,
            kind=kind,
            phase=Phase.INSTANT if kind is ObservationKind.LINE_CROSSED else Phase.BEGIN,
            rule_key="lane-a",
            rule_name="Lane A",
            condition_key=f"{kind.value}:7",
            pts_s=1.0,
            captured_at=datetime.now(UTC),
            label="car",
            direction="in",
        )
    )


@pytest.mark.timeout(180)
def test_the_demonstration_model_that_is_wanted_counts_as_soon_as_it_can_be_read(folders, tmp_path, monkeypatch):
    monkeypatch.setattr("core.node.node.MODEL_AGAIN_S", 0.2)
    path = resources.path
    monkeypatch.setattr(
        resources, "path", lambda name: tmp_path / "away.onnx" if name == "models/demo.onnx" else path(name)
    )

    async def scenario(node):
        await alarms_of(node, 1)
        camera = Camera(camera_id="", name="North", address="synthetic:a", detect_fps=5.0)
        await node.require_services().cameras.add(SYSTEM, camera)
        async with asyncio.timeout(60.0):
            while not any(report.engine is not None for report in node.health().workers):
                await asyncio.sleep(0.02)

        monkeypatch.setattr(resources, "path", path)
        await alarms_of(node, 0)
        reason = node.health().stand_in_reason
        return reason, await minute_and_who_heard(node), await minute_and_who_heard(node, minutes_later=2)

    # The minute in which it came began while nothing counted.
    assert run_with_model(folders, "demo", scenario) == ("", ([0.0], 1), ([60.0], 1))


async def add_camera(node, **changes):
    draft = Camera(camera_id="", name="North", address="synthetic:a", is_enabled=False)
    draft = replace(draft, **changes)
    camera = await node.require_services().cameras.add(SYSTEM, draft)
    async with asyncio.timeout(30.0):
        while node._sight.camera(camera.camera_id) is None:
            await asyncio.sleep(0.02)
    return camera


@pytest.mark.parametrize(
    ("report", "is_shown"),
    [({}, True), ({"is_moved": True}, False), ({"is_hidden": True}, False)],
    ids=["as drawn", "moved", "hidden"],
)
def test_a_test_of_posted_pictures_shows_no_more_of_a_camera_with_masks_than_the_wall(folders, report, is_shown):
    window = Mask(key="window", name="Window", polygon=((0.0, 0.0), (0.2, 0.0), (0.2, 0.2)))
    bright = av.VideoFrame.from_ndarray(np.full((180, 320, 3), 200, np.uint8), format="rgb24")

    async def scenario(node):
        camera_id = (await add_camera(node, address="edge:", scene=Scene(masks=(window,)))).camera_id
        node._sight.streams[camera_id] = StreamReport(camera_id=camera_id, state=StreamState.LIVE, **report)
        EdgePictures(node._edge_folder).put(camera_id, to_jpeg(bright, max_wh=(320, 180), quality=90))
        return await node.test_source(SourceSpec(address="edge:"), camera_id)

    found = run_with_model(folders, "demo", scenario)

    with av.open(io.BytesIO(found.thumbnail_jpeg)) as picture:
        seen = next(picture.decode(video=0)).to_ndarray(format="gray")
    assert found.ok
    # The lower right corner lies outside of the mask.
    assert bool(seen[-40:, -40:].max() > 150) is is_shown


async def called_and_counted(node):
    """Let a camera's rules say a crash, a crossing and that it is covered; returns what became of it."""
    camera = await add_camera(node)
    for kind in (ObservationKind.COLLISION, ObservationKind.LINE_CROSSED, ObservationKind.CAMERA_BLINDED):
        node._on_worker_message(said_by_a_rule(camera.camera_id, kind))
    incidents = node.require_services().incidents
    async with asyncio.timeout(30.0):
        while ObservationKind.CAMERA_BLINDED not in {one.kind for one in await incidents.recent_incidents()}:
            await asyncio.sleep(0.02)
    totals = (await node.snapshot()).changes.line_totals
    found = [one for one in await incidents.recent_incidents() if one.source_id == camera.camera_id]
    return sorted(one.kind for one in found), totals.get(camera.camera_id, {})


@pytest.mark.parametrize(
    ("model", "called", "counted"),
    [
        ("yolo11n", ["camera_blinded"], {}),
        ("demo", ["camera_blinded", "collision"], {"lane-a": {"in": 1}}),
    ],
)
def test_the_demonstration_model_in_place_of_another_calls_for_nothing_but_the_camera_itself(
    folders, model, called, counted
):
    assert run_with_model(folders, model, called_and_counted) == (called, counted)


@pytest.mark.parametrize(("model", "is_ended"), [("yolo11n", False), ("demo", True)])
def test_the_silence_of_the_demonstration_model_in_place_of_another_ends_nothing(folders, model, is_ended):
    async def scenario(node):
        camera_id = (await add_camera(node)).camera_id
        live = StreamReport(camera_id=camera_id, state=StreamState.LIVE, detect_fps=5.0, detect_fps_wanted=5.0)
        node._sight.streams[camera_id] = live
        crash = Doubtful(condition_key="k", kind="collision", source_kind=SourceKind.CAMERA, source_id=camera_id)
        hearing = node.require_services().incidents._hearing
        return [hearing(replace(crash, kind=kind)) is not None for kind in ("collision", "camera_frozen")]

    assert run_with_model(folders, model, scenario) == [is_ended, True]


def test_what_a_removed_camera_calls_for_before_the_list_is_read_is_over_once_it_is(folders):
    async def scenario(node):
        camera = await add_camera(node)
        services = node.require_services()

        async def is_active():
            alarms = await services.incidents.open_alarms()
            return any(one.source_id == camera.camera_id and one.is_active for one in alarms)

        await node._reading_cameras.acquire()
        await services.cameras.remove(SYSTEM, camera.camera_id, expect_version=camera.version)
        node._on_worker_message(said_by_a_rule(camera.camera_id, ObservationKind.COLLISION))
        async with asyncio.timeout(30.0):
            while not await is_active():
                await asyncio.sleep(0.02)
        node._reading_cameras.release()
        async with asyncio.timeout(15.0):
            while await is_active():
                await asyncio.sleep(0.02)

    run_with_model(folders, "demo", scenario)


def test_a_node_that_starts_anew_says_how_many_minutes_of_today_were_not_counted(folders):
    zone = "UTC" if datetime.now(UTC).hour >= 2 else "Etc/GMT-6"
    midnight = datetime.now(ZoneInfo(zone)).replace(hour=0, minute=0, second=0, microsecond=0).astimezone(UTC)
    gate = CountLine(key="gate", name="Gate", start=(0.1, 0.5), end=(0.9, 0.5))
    draft = Camera(camera_id="a", name="A", address="synthetic:a", is_enabled=False, scene=Scene(lines=(gate,)))

    async def count(node):
        """Count ten minutes of today and a half, at a line that was drawn yesterday."""
        services = node.require_services()
        await services.cameras.add(SYSTEM, draft)
        drawn_at = midnight - timedelta(hours=9)
        await services.store.write(lambda one: one.execute(update(SceneVersionRow).values(at=drawn_at)).rowcount)
        parts = [
            FlowMinute(camera_id="a", subject="line", key="gate", direction="forward", minute=at, observed_s=observed_s)
            for number in range(11)
            for at, observed_s in [(midnight + timedelta(minutes=number), 60.0 if number else 30.0)]
        ]
        services.traffic.take_minutes(parts)
        await services.traffic.store_minutes()

    async def missing(node):
        async with asyncio.timeout(30.0):
            while not (gaps := (await node.snapshot()).changes.line_gaps):
                await asyncio.sleep(0.1)
        return gaps["a"]["gate"]

    site = SiteSettings(time_zone=zone)
    run_with_model(folders, "demo", count, site)
    n_missing = run_with_model(folders, "demo", missing, site)

    n_until_now = (datetime.now(UTC) - midnight) // timedelta(minutes=1)
    assert n_until_now - 2 <= n_missing + 10 <= n_until_now
