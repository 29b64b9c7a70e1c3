"""`dev.py shots`: the screenshots of the documentation, made from the running demo."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import qasync
from PySide6.QtGui import QCursor
from PySide6.QtWidgets import QApplication, QStackedWidget

from app.bootstrap import Console, ConsoleOptions, choose_platform, make_application, take_picture
from app.panel import Perspective
from app.report import ErrorDoor
from app.shots_alarms import shoot_alarms
from core.cameras.model import Camera
from core.incidents.cap import CapAlert, CapArea, CapInfo, to_xml
from core.incidents.model import Incident, SourceKind
from core.incidents.review import Outcome
from core.incidents.work import Step, StepOrder
from core.kernel.geo import GeoPoint
from core.kernel.paths import default_folders
from core.kernel.settings import load_settings
from core.media.model import StreamState
from core.sim.city import load_city
from core.sim.device_list import device_list
from core.vision.model import Lane, Mask, PlanePoint, RoadPlane
from widgets.base.theme import DARK
from widgets.devices.bulk_page import BulkPage, BulkTask
from widgets.devices.command_fields import CommandWish
from widgets.devices.device_panel import DevicePanel
from widgets.devices.list_form import DeviceListForm
from widgets.devices.rows import device_row
from widgets.incidents.board import IncidentBoard
from widgets.review.queue import ReviewQueue
from widgets.scene.editor import SceneEditor
from widgets.scene.hits import Selection
from widgets.scene.sketch import ShapeKind, ShapeRef
from widgets.shift.panel import ShiftPanel
from widgets.video.layout import Preset
from widgets.video.show_menu import ShowMenu
from widgets.video.wall import VideoWall

_SCENE_OF = "cam-north-gate"
_LANE = Lane(
    key="inbound-1",
    name="Inbound, slow lane",
    polygon=((0.129, 0.750), (0.252, 0.748), (0.405, 0.328), (0.362, 0.328)),
    start=(0.382, 0.345),
    end=(0.196, 0.735),
)
_MASK = Mask(key="verge", name="Garden", polygon=((0.80, 0.30), (0.97, 0.30), (0.97, 0.46), (0.80, 0.46)))
_CORNERS = ((0.1287, 0.7497), (0.4969, 0.7445), (0.4913, 0.3277), (0.3621, 0.3284))
_METRES = ((0.0, 0.0), (10.5, 0.0), (10.5, 60.0), (0.0, 60.0))
_ROAD = RoadPlane(
    points=tuple(PlanePoint(picture=at, ground_xy_m=to) for at, to in zip(_CORNERS, _METRES, strict=True))
)
FOLDER = Path(__file__).resolve().parents[1] / "docs" / "screenshots"
WAIT_S = 90.0
_N_LISTED = 5000


async def make_shots(console: Console, size: str) -> None:
    """Do what an operator does, and take pictures of it."""
    await _until(lambda: console.is_furnished and bool(console.live.cameras))
    await _draw_scene(console)
    wall = console.window.panel("wall")
    assert isinstance(wall, VideoWall)
    wall.set_preset(Preset.NINE)
    # The car on the tramway and the jam have happened by then.
    await _until(lambda: _n_seen(console) >= 2, at_most_s=75.0)
    await asyncio.sleep(3.0)
    await _take(console, f"room-{size}")
    newest = max(console.live.open_alarms(), key=lambda alarm: (-alarm.priority, alarm.raised_at), default=None)
    if newest is not None:
        console.room.select("alarm", newest.alarm_id)
        console.room.camera_called.emit(newest.source_id, True)
        await asyncio.sleep(2.0)
        await _take(console, f"alarm-{size}")
    await _shoot_scene(console, size)
    await _shoot_review(console, size)
    await _shoot_incidents(console, size)
    await _shoot_shift(console, size)
    console.window.restore_first_layout()
    # The alarm that was looked at arranged the room; as it was before, the wall takes every camera.
    console.room.put_back_requested.emit()
    console.window.bring_panel("wall")
    await _shoot_parking(console, size)
    await _shoot_drones(console, size)
    console.window.restore_first_layout()
    console.window.bring_panel("wall")
    await _shoot_sixteen(console, wall, size)
    await _shoot_alarms(console, size)
    console.window.restore_first_layout()
    await _shoot_devices(console, size)
    console.window.bring_panel("health")
    await asyncio.sleep(1.5)
    await _take(console, f"health-{size}")
    console.room.edit_requested.emit("")
    await asyncio.sleep(1.0)
    await _take(console, f"add-camera-{size}")


def _n_seen(console: Console) -> int:
    return sum(alarm.source_kind is SourceKind.CAMERA for alarm in console.live.open_alarms())


async def _shoot_alarms(console: Console, size: str) -> None:
    """Look at what keeps alarms quiet, and at a flood that nothing kept."""
    with tempfile.TemporaryDirectory() as folder:
        await shoot_alarms(console, Path(folder), lambda name: _take(console, f"{name}-{size}"), _until)


async def _shoot_parking(console: Console, size: str) -> None:
    """Look at the lots: in three dimensions, as a list, on their plan, and what is expected of them."""
    console.window.show_perspective(Perspective.PARKING)
    # The process that draws the twin starts meanwhile: its picture is the last.
    for key in ("parking", "bays", "parking_figures", "twin"):
        console.window.bring_panel(key)
        await asyncio.sleep(6.0)
        await _take(console, f"{key.replace('_', '-')}-{size}")


async def _shoot_drones(console: Console, size: str) -> None:
    """Look at the fleet and at one drone, at its flight in three dimensions, and at the flights that are over."""
    console.window.show_perspective(Perspective.DRONES)
    for key in ("drone", "drone_track", "flights"):
        console.window.bring_panel(key)
        await asyncio.sleep(6.0)
        await _take(console, f"{key.replace('_', '-')}-{size}")


async def _shoot_devices(console: Console, size: str) -> None:
    """Command a few devices at once, then add 5,000 from a list, of which some cannot be used, and take them back."""
    console.window.go_to_panel("devices")
    devices = console.window.panel("devices")
    assert isinstance(devices, QStackedWidget)
    panel, form, page = devices.findChild(DevicePanel), devices.findChild(DeviceListForm), devices.findChild(BulkPage)
    assert isinstance(panel, DevicePanel)
    assert isinstance(form, DeviceListForm)
    assert isinstance(page, BulkPage)
    rows = [device_row(one, ()) for one in console.live.devices.values() if "identify" in one.commands][:6]
    panel.bulk.task_requested.emit(BulkTask.COMMAND, tuple(rows))
    page.send_requested.emit(CommandWish(name="identify"))
    await _until(lambda: "done" in page.said, at_most_s=20.0)
    await asyncio.sleep(1.0)
    await _take(console, f"device-command-{size}")
    page.left.emit()
    panel.list_requested.emit()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "junctions.csv"
        some = next(one.position for one in console.live.devices.values() if one.position is not None)
        text = device_list(_N_LISTED, south=some.lat_deg - 0.03, west=some.lon_deg - 0.03)
        path.write_text(text, encoding="utf-8")
        form.file_chosen.emit(path)
        await _until(lambda: form.n_usable > 0, at_most_s=20.0)
    form.add()
    await _until(lambda: form.n_added > 0, at_most_s=60.0)
    await asyncio.sleep(2.0)
    await _take(console, f"device-import-{size}")
    form.take_back()
    await _until(lambda: form.n_added == 0, at_most_s=60.0)
    form.left.emit()


async def _draw_scene(console: Console) -> None:
    """Draw a lane and a privacy mask, and lay the road under the picture."""
    camera = console.live.cameras[_SCENE_OF]
    await console.connection.call(
        "cameras.save_scene",
        Camera,
        camera_id=camera.camera_id,
        scene=replace(camera.scene, lanes=(_LANE,), masks=(_MASK,), plane=_ROAD),
        version=camera.version,
        note="Lane, mask and road",
    )


async def _shoot_scene(console: Console, size: str) -> None:
    """Look at a road plane and at a lane, with the whole window."""
    console.room.scene_requested.emit(_SCENE_OF)
    console.window.enlarge_panel("scene", True)
    editor = console.window.panel("scene")
    assert isinstance(editor, SceneEditor)
    await _until(lambda: editor.camera_id == _SCENE_OF and editor.canvas.has_picture, at_most_s=20.0)
    editor.side.show_tab("Road")
    await asyncio.sleep(1.0)
    await _take(console, f"scene-road-{size}")
    editor.canvas.select(Selection(ref=ShapeRef(ShapeKind.LANE, _LANE.key)))
    await asyncio.sleep(1.0)
    await _take(console, f"scene-{size}")
    console.window.enlarge_panel("scene", False)


async def _shoot_review(console: Console, size: str) -> None:
    """Answer a few incidents, and look at the next one."""
    console.window.go_to_panel("review")
    queue = console.window.panel("review")
    assert queue is not None
    review = queue.findChild(ReviewQueue)
    assert isinstance(review, ReviewQueue)
    await _until(lambda: review.current is not None, at_most_s=20.0)
    for outcome in (Outcome.TRUE, Outcome.FALSE):
        review.decide(outcome)
        await asyncio.sleep(1.0)
    await asyncio.sleep(2.0)
    await _take(console, f"review-{size}")


async def _shoot_incidents(console: Console, size: str) -> None:
    """Send a unit to the most urgent incident, with a regional warning on the map."""
    console.window.go_to_panel("incidents")
    board = console.window.panel("incidents")
    assert isinstance(board, IncidentBoard)
    await _until(lambda: board.current is not None and bool(console.live.units) and bool(console.live.warnings))
    incident = board.listed[0]
    board.select(incident.incident_id)
    unit = min(console.live.units.values(), key=lambda one: one.call_sign)
    for order in (
        StepOrder(step=Step.ASSIGN, unit_id=unit.unit_id, operator="demo"),
        StepOrder(step=Step.DEPART),
        StepOrder(step=Step.COMMENT, comment="Two lanes are blocked"),
    ):
        incident = await console.connection.call(
            "incidents.step",
            Incident,
            incident_id=incident.incident_id,
            order=order,
            version=incident.work_version,
        )
    await asyncio.sleep(2.0)
    await _take(console, f"incidents-{size}")


async def _shoot_shift(console: Console, size: str) -> None:
    """Write into the log, and look at the report."""
    await console.connection.call("shift.write", text="Roadworks at the Harbour Bridge until six.")
    console.window.go_to_panel("shift")
    shift = console.window.panel("shift")
    panel = shift.findChild(ShiftPanel) if shift is not None else None
    assert isinstance(panel, ShiftPanel)
    await asyncio.sleep(1.5)
    await _take(console, f"shift-{size}")
    panel.show_hand_over()
    await _until(lambda: bool(panel.hand_over.report_text), at_most_s=10.0)
    await asyncio.sleep(0.5)
    await _take(console, f"hand-over-{size}")


def _write_warning(folder: Path) -> None:
    """Let a flood warning wait for the node."""
    folder.mkdir(parents=True, exist_ok=True)
    at, middle = datetime.now(UTC), load_city().center
    corners = ((-0.010, -0.008), (0.004, -0.006), (0.006, 0.008), (-0.006, 0.012), (-0.010, -0.008))
    ring = tuple(GeoPoint(middle.lat_deg + north, middle.lon_deg + east) for north, east in corners)
    info = CapInfo(
        event="Flood",
        headline="Flood warning for harbour and Riverside",
        urgency="Immediate",
        severity="Severe",
        certainty="Observed",
        expires=at + timedelta(hours=2),
        sender_name="Regional Flood Office",
        instruction="Keep away from the river bank.",
        areas=(CapArea(description="Harbour and Riverside", polygons=(ring,)),),
    )
    alert = CapAlert(
        identifier="flood", sender="office@example.org", sent=at, status="Actual", msg_type="Alert", infos=(info,)
    )
    (folder / "flood.cap").write_bytes(to_xml(alert))


async def _shoot_sixteen(console: Console, wall: VideoWall, size: str) -> None:
    """Let eight more cameras be there, and show all sixteen with trails."""
    for camera in tuple(console.live.cameras.values()):
        other = replace(camera, camera_id="", name=f"{camera.name} 2", version=0, position=None)
        await console.connection.call("cameras.add", Camera, camera=other, password="")
    wall.set_preset(Preset.SIXTEEN)
    reports = console.live.streams
    await _until(lambda: sum(one.state is StreamState.LIVE for one in reports.values()) >= 16, at_most_s=40.0)
    show = wall.findChild(ShowMenu)
    assert isinstance(show, ShowMenu)
    show.toggle("trails")
    # Trails tell of five seconds.
    await asyncio.sleep(8.0)
    await _take(console, f"wall-16-{size}")


async def _take(console: Console, name: str) -> None:
    QCursor.setPos(0, 0)  # No tool tip in the picture.
    await asyncio.sleep(0.3)
    take_picture(console.window, FOLDER / f"{name}.png")
    _shrink(FOLDER / f"{name}.png")
    sys.stdout.write(f"{name}.png\n")


def _shrink(path: Path) -> None:
    """Write a picture with a palette: a third of the bytes; left as it is where Pillow is not installed."""
    try:
        from PIL import Image
    except ImportError:
        return
    hues = [getattr(DARK, field.name) for field in fields(DARK) if str(getattr(DARK, field.name)).startswith("#")]
    with Image.open(path) as picture:
        whole = picture.convert("RGB")
    # Alarm hues cover little and would be lost among the many greens and greys of the pictures.
    found = whole.quantize(256 - len(hues)).getpalette() or []
    palette = Image.new("P", (1, 1))
    palette.putpalette(found[: 3 * (256 - len(hues))] + [part for hue in hues for part in bytes.fromhex(hue[1:7])])
    whole.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG).save(path, optimize=True)


async def _until(is_true: Callable[[], bool], *, at_most_s: float = WAIT_S) -> None:
    deadline = time.monotonic() + at_most_s
    while not is_true() and time.monotonic() < deadline:
        await asyncio.sleep(0.1)


async def _make_alarm_shots(console: Console, size: str) -> None:
    await _until(lambda: console.is_furnished and bool(console.live.cameras))
    await asyncio.sleep(3.0)
    await _shoot_alarms(console, size)


async def _run(app: QApplication, size: str, folder: Path, make: Callable[[Console, str], Awaitable[None]]) -> None:
    width, _, height = size.partition("x")
    _write_warning(folder / "cap")
    options = ConsoleOptions(
        settings=load_settings(arguments={"console": {"desk": "Desk 1", "sound": False}})[0],
        faults=(),
        folders=default_folders(folder),
        node_arguments=("--demo", "--set", f"cap.folder={folder / 'cap'}"),
        size=(int(width), int(height)),
    )
    errors = ErrorDoor()
    errors.open(asyncio.get_event_loop())
    console = Console(app, options, errors, time.perf_counter())
    ending = asyncio.get_event_loop().create_task(console.run())
    try:
        await make(console, size)
    finally:
        console.window.end()
        await ending


def main() -> int:
    """Make all shots at one size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", default="1920x1080")
    parser.add_argument("--only", choices=("alarms",), help="take these alone")
    options = parser.parse_args()
    size, make = options.size, _make_alarm_shots if options.only == "alarms" else make_shots
    choose_platform()
    with tempfile.TemporaryDirectory() as folder:
        app = make_application(
            ConsoleOptions(settings=load_settings()[0], faults=(), folders=default_folders(Path(folder)))
        )
        loop = qasync.QEventLoop(app)
        asyncio.set_event_loop(loop)
        with loop:
            loop.run_until_complete(_run(app, size, Path(folder), make))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
