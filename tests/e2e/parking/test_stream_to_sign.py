"""A camera that streams: its bays become the lot's states and the sign's number, who stands astray becomes an alarm.

A real RTSP stream of a painted lot, the vision workers, the process that looks at bays, a real broker and a console.
Pictures lie in the folder of `pytest --basetemp`, or in that of WATCHFLOOR_PICTURES.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest

from core.cameras.model import Camera
from core.incidents.rules.model import RulesInForce
from core.parking.model import BayState, Lot
from core.parking.sight.model import Looked
from core.sim.rtsp import RtspCamera
from tests.e2e.parking.test_lot_rules import without_patience
from tests.e2e.parking.test_lots import take_pictures
from tests.e2e.room.test_main_job import create_administrator
from tests.fixtures.console import act, until
from tests.fixtures.drawn_lot import AISLE, BAYS, TAKEN, WH, corner_of, draw, drawn_lot, put_vehicle

FPS = 5
STALE_S = 20.0
OTHERS = set(BAYS) - TAKEN
MISPARKED, BLOCKED = "One vehicle across bays 12 and 13, Quay", "Blocked: lane Aisle, Quay"


def write_clip(path: Path, pictures: Iterable[np.ndarray], *, seconds_each: float) -> Path:
    """Write an H.264 clip that shows each picture for a while."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = *WH, "yuv420p"
        stream.options = {"g": str(FPS), "bf": "0", "preset": "ultrafast", "sc_threshold": "0", "crf": "16"}
        for picture in pictures:
            for _ in range(round(FPS * seconds_each)):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        container.mux(stream.encode())
    return path


def astray():
    """Return the lot with a vehicle across bays 12 and 13 and one in the lane."""
    x, y = corner_of("12")
    picture = put_vehicle(draw({"00", "03", "09"}), x + 66, y + 12, colour=(40, 40, 170))
    return put_vehicle(picture, 430, 322, is_along=True)


@pytest.mark.slow
@pytest.mark.timeout(500)
@pytest.mark.parametrize("way", ["rtsp", "file"])
def test_a_streaming_cameras_bays_reach_the_sign(start_node, in_room, mosquitto, field, tmp_path, way):
    clip = write_clip(tmp_path / "taken.mp4", [draw(TAKEN)], seconds_each=4)
    camera = RtspCamera(clip).start() if way == "rtsp" else None
    node = start_node(*settings_of(mosquitto))

    async def scenario(open_console) -> None:
        console = open_console(node.folder, desk="Desk 1", size=(1920, 1080))
        await create_administrator(console)
        await furnish(console, camera.url if camera is not None else str(clip))
        live = console.live

        def states():
            return {bay: status.state for bay, status in live.bays.get("quay", {}).items() if status.is_known}

        await until(lambda: len(states()) == len(BAYS), "every bay to be seen", timeout_s=150)
        assert {bay for bay, state in states().items() if state is BayState.OCCUPIED} == TAKEN
        assert {status.source for status in live.bays["quay"].values()} == {"camera:mast"}
        await until(lambda: field.free == len(BAYS) - len(TAKEN), "the sign's number")
        if camera is None:
            return
        camera.switch_clip(write_clip(tmp_path / "left.mp4", [draw(TAKEN - {"04", "06"})], seconds_each=4))
        await until(lambda: field.free == len(BAYS) - len(TAKEN) + 2, "two more on the sign", timeout_s=60)
        camera.stall()
        await until(lambda: field.free is None, "a dark sign where nobody sees any more", timeout_s=120)

    try:
        in_room(scenario, timeout_s=450.0)
    finally:
        if camera is not None:
            camera.close()


@pytest.mark.slow
@pytest.mark.timeout(500)
def test_who_stands_astray_is_seen_by_a_streaming_camera_and_becomes_an_incident(
    start_node, in_room, mosquitto, tmp_path
):
    # Each half of the bays is seen empty in turn, as in a day's life.
    learning = write_clip(tmp_path / "day.mp4", [draw(TAKEN), draw(OTHERS)], seconds_each=2)
    wrong = write_clip(tmp_path / "astray.mp4", [astray()], seconds_each=4)
    camera = RtspCamera(learning).start()
    node = start_node(*settings_of(mosquitto))

    async def scenario(open_console) -> None:
        console = open_console(node.folder, desk="Desk 1", size=(1920, 1080))
        await create_administrator(console)
        call, live = console.connection.call, console.live
        await until(lambda: live.rules is not None, "the alarm rules")
        rules = without_patience(live.rules.rules)
        await call(
            "rules.save", RulesInForce, rules=rules, version=live.rules.version, reason="a test waits for nobody"
        )
        await furnish(console, camera.url)
        await seen_empty(call)

        camera.switch_clip(wrong)

        def titles():
            return {alarm.title for alarm in live.open_alarms() if alarm.is_active}

        await until(lambda: titles() >= {MISPARKED, BLOCKED}, "both alarms", timeout_s=150)
        for alarm in live.open_alarms():
            if alarm.title in (MISPARKED, BLOCKED):
                assert alarm.incident_id in live.incidents
        console.window.bring_panel("alarms")
        await until(console.window.panel("alarms").isVisible, "the list of alarms")
        await act(take_pictures, console, tmp_path, "astray")

        camera.switch_clip(learning)
        await until(lambda: not titles() & {MISPARKED, BLOCKED}, "their end", timeout_s=240)

    try:
        in_room(scenario, timeout_s=450.0)
    finally:
        camera.close()


def settings_of(mosquitto):
    broker = (f"broker.host={mosquitto.host}", f"broker.port={mosquitto.port}")
    return (*broker, "site.tenant=e2e", "vision.model=demo")


async def furnish(console, address) -> None:
    """Add the camera and the lot that it sees."""
    call = console.connection.call
    camera = Camera(camera_id="mast", name="Mast", address=address, detect_fps=0.0)
    await call("cameras.add", Camera, camera=camera, password="")
    lot = replace(drawn_lot("mast", lanes={"Aisle": AISLE}), lot_id="quay", name="Quay", stale_s=STALE_S)
    await call("parking.save_lot", Lot, lot=lot, note="drawn")


async def seen_empty(call) -> None:
    """Wait until the view has nothing left to say of what it cannot tell yet."""
    for _ in range(300):
        views = await call("parking.views", list[Looked], lot_id="quay")
        if views and not views[0].note:
            return
        await asyncio.sleep(0.5)
    pytest.fail(f"waited for every bay to be seen empty: {views}")
