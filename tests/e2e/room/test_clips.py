"""Clips around an alarm on real parts: video files, a privacy mask, a dark camera, a node, and films on the disk."""

import asyncio
import io
import json
import time
from datetime import UTC, datetime

import av
import numpy as np
import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from core.cameras.model import Camera
from core.incidents.model import Clip, ClipInfo
from core.kernel.clock import format_at
from core.kernel.geo import GeoPoint
from core.media.model import StreamState
from core.vision.model import Mask, Scene
from tests.fixtures.clips import make_clip
from tests.fixtures.link import at_desk

HERE = GeoPoint(52.1, 4.3)
UPPER = ((0.0, 0.0), (1.0, 0.0), (1.0, 0.65), (0.0, 0.65))
"""Where the bright square of the clip moves."""

PRIVATE = Scene(masks=(Mask(key="m1", name="Windows", polygon=UPPER),))


def camera(number, address, scene):
    position = GeoPoint(HERE.lat_deg + number * 0.001, HERE.lon_deg)
    return Camera(camera_id="", name=f"Camera {number}", address=str(address), position=position, scene=scene)


def lose_mains(broker) -> None:
    """Let a cabinet at the road say that it has no mains power."""
    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    client.connect(broker.host, broker.port)
    client.loop_start()
    at, root = format_at(datetime.now(UTC)), "watchfloor/v1/city/gateway/g1"
    location = {"lat": HERE.lat_deg, "lon": HERE.lon_deg}
    said = {
        "birth": {"boot": "B", "name": "Cabinet 1", "ts": at, "streams": [], "location": location},
        "status": {"state": "online", "boot": "B", "ts": at},
        "state/state": {"v": 1, "ts": at, "boot": "B", "data": {"mainsPower": 0}},
    }
    for topic, words in said.items():
        client.publish(f"{root}/{topic}", json.dumps(words), 1, retain=True).wait_for_publish(10)
    client.disconnect()
    client.loop_stop()


def grey(jpeg: bytes) -> np.ndarray:
    with av.open(io.BytesIO(jpeg)) as picture:
        return next(picture.decode(video=0)).to_ndarray(format="gray")


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_cameras_around_an_alarm_keep_films_without_what_is_private_and_a_dark_one_is_named(
    start_node, mosquitto, tmp_path
):
    film = make_clip(tmp_path / "road.mp4", n_frames=1500, fps=10)
    node = start_node("vision.model=demo", f"broker.host={mosquitto.host}", f"broker.port={mosquitto.port}")
    found: dict[str, ClipInfo] = {}
    clips: dict[str, Clip] = {}

    async def scenario(desk):
        await desk.enter()
        for number, address, scene in ((1, film, PRIVATE), (2, film, Scene()), (3, "rtsp://127.0.0.1:9/x", Scene())):
            await desk.client.call("cameras.add", Camera, camera=camera(number, address, scene), password="")

        def live():
            return [report for report in desk.streams.values() if report.state is StreamState.LIVE]

        await desk.until(lambda: len(live()) == 2, "two cameras", 60)
        since_s = time.monotonic()
        await desk.until(lambda: time.monotonic() > since_s + 4.0, "something from before the alarm")
        await asyncio.to_thread(lose_mains, mosquitto)
        alarm = await desk.until(lambda: desk.alarm("site_power_lost"), "the alarm")
        for _ in range(800):
            infos = await desk.client.call("incidents.clips", list[ClipInfo], incident_id=alarm.incident_id)
            if infos and not any(info.is_being_taken for info in infos):
                break
            await asyncio.sleep(0.05)
        found.update({info.camera_name: info for info in infos})
        for info in infos:
            if info.n_pictures:
                clips[info.camera_name] = await desk.client.call(
                    "incidents.clip",
                    Clip,
                    incident_id=alarm.incident_id,
                    camera_id=info.camera_id,
                    occurrence=info.occurrence,
                )

    at_desk(node.folder, scenario)

    assert list(found) == ["Camera 1", "Camera 2", "Camera 3"], "the nearest first"
    assert found["Camera 3"].n_pictures == 0
    assert "gave no picture" in found["Camera 3"].missing
    for clip in clips.values():
        offsets = [picture.offset_s for picture in clip.pictures]
        assert offsets == sorted(offsets)
        assert offsets[0] < -2.0
        assert offsets[-1] > 5.0
        assert len(offsets) > 10
    private = [grey(picture.jpeg) for picture in clips["Camera 1"].pictures]
    assert max(picture[: int(0.6 * len(picture))].max() for picture in private) < 12, "black is black in every picture"
    assert min(picture[int(0.75 * len(picture)) :].mean() for picture in private) > 25, "and the rest is to be seen"
    assert max(grey(picture.jpeg).max() for picture in clips["Camera 2"].pictures) > 180
    (incident_id,) = {info.incident_id for info in found.values()}
    films = sorted((node.folder / "evidence").rglob(f"{incident_id}-*-clip.mkv"))
    assert len(films) == 2
    for file in films:
        with av.open(str(file)) as source:
            assert sum(1 for _ in source.decode(video=0)) > 10, "any player shows it"
