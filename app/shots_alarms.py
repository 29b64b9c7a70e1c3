"""The pictures of alarms and devices for `app.shots`: what a bad night looks like, and what keeps it quiet."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QApplication, QPushButton, QStackedWidget

from app.bootstrap import Console
from app.panel import Perspective
from core.cameras.model import Camera
from core.incidents.holds import OutOfService
from core.incidents.model import Alarm, SourceKind
from core.incidents.suppression import PlannedWorks, Source
from widgets.alarms.actions import Action
from widgets.alarms.list import AlarmList
from widgets.alarms.order import Tab
from widgets.alarms.works import WorksPage
from widgets.base.table import TextTable
from widgets.devices.list_form import DeviceListForm
from widgets.rules.editor import RuleEditor

N_LOST = 14
N_ROWS, BAD_EVERY = 5000, 135
_LOST = "camera_lost"

Take = Callable[[str], Awaitable[None]]
Until = Callable[[Callable[[], bool]], Awaitable[None]]


async def shoot_alarms(console: Console, folder: Path, take: Take, until: Until) -> None:
    """Raise a flood, and answer it as operators and supervisors do.

    Args:
        console: With the demonstration; what is done to it stays.
        folder: For the list of devices that is imported.
        take: Takes a picture under a name.
        until: Waits for something, and not for ever.
    """
    await _shoot_works(console, take, until)
    alarms = console.window.panel("alarms")
    assert isinstance(alarms, AlarmList)
    console.window.show_perspective(Perspective.ALARMS)
    console.window.go_to_panel("alarms")
    for number in range(N_LOST):
        lost = Camera(camera_id="", name=f"Gate {number + 1:02}", address=f"rtsp://127.0.0.1:9/gate-{number}")
        await console.connection.call("cameras.add", Camera, camera=lost, password="")
    await until(lambda: bool(alarms.flood_text) and len(_lost(console)) == N_LOST)
    alarms.select_most_urgent()
    await asyncio.sleep(3.0)
    await take("flood")
    alarms.select(_lost(console)[0].alarm_id)
    alarms.begin(Action.SHELVE)
    await asyncio.sleep(1.0)
    await take("shelving")
    _press(Qt.Key.Key_Escape)
    escalated = _lost(console)[1]
    await console.connection.call(
        "alarms.escalate",
        Alarm,
        alarm_id=escalated.alarm_id,
        occurrence=escalated.occurrence,
        version=escalated.version,
    )
    alarms.select(escalated.alarm_id)
    await asyncio.sleep(1.5)
    await take("escalation")
    await _shoot_service(console, alarms, take, until)
    editor = console.window.panel("rules")
    assert isinstance(editor, RuleEditor)
    console.window.bring_panel("rules")
    editor.select("collision")
    await asyncio.sleep(1.5)
    await take("rules")
    await _shoot_devices(console, folder, take, until)


async def _shoot_works(console: Console, take: Take, until: Until) -> None:
    """Plan works that go on and works to come, and look at them."""
    now = datetime.now(UTC)
    cameras = sorted(console.live.cameras)
    for title, reason, hours, chosen in (
        ("Resurfacing at the north gate", "New asphalt, one lane closed", 0, cameras[:2]),
        ("Tunnel cleaning", "Every month", 20, cameras[2:5]),
    ):
        works = PlannedWorks(
            works_id="",
            title=title,
            sources=frozenset(Source(kind=SourceKind.CAMERA, source_id=one) for one in chosen),
            since=now + timedelta(hours=hours),
            until=now + timedelta(hours=hours + 4),
            by="",
            reason=reason,
        )
        await console.connection.call("alarms.plan_works", PlannedWorks, works=works)
    console.window.show_perspective(Perspective.ALARMS)
    console.window.go_to_panel("works")
    page = console.window.panel("works")
    assert isinstance(page, WorksPage)
    await until(lambda: len(page.lines) == 2)
    await asyncio.sleep(1.5)
    await take("works")


async def _shoot_service(console: Console, alarms: AlarmList, take: Take, until: Until) -> None:
    """Take a lost camera and one without an alarm out of service."""
    chosen = [(one.source_id, one.source_name) for one in _lost(console)[2:3]]
    quiet = next(one for one in console.live.cameras.values() if not one.name.startswith("Gate "))
    for source_id, name in (*chosen, (quiet.camera_id, quiet.name)):
        await console.connection.call(
            "alarms.set_source_out_of_service",
            OutOfService,
            source_kind=SourceKind.CAMERA,
            source_id=source_id,
            name=name,
            reason="Lens is replaced on Monday",
            until=datetime.now(UTC) + timedelta(days=2),
        )
    alarms.show_tab(Tab.OUT_OF_SERVICE)
    await until(lambda: len(alarms.service.lines) == 2)
    await asyncio.sleep(1.0)
    await take("out-of-service")
    alarms.show_tab(Tab.ACTIVE)


async def _shoot_devices(console: Console, folder: Path, take: Take, until: Until) -> None:
    """Look at the tree with all of the window, and at what is wrong with a long list."""
    console.window.enlarge_panel("devices", True)
    await asyncio.sleep(2.0)
    await take("devices")
    devices = console.window.panel("devices")
    assert isinstance(devices, QStackedWidget)
    names = {button.accessibleName() or button.text(): button for button in devices.findChildren(QPushButton)}
    names["Add devices from a list"].click()
    form = devices.currentWidget()
    assert isinstance(form, DeviceListForm)
    form.file_chosen.emit(_write_list(folder / "junctions.csv"))
    await until(lambda: any(table.lines for table in form.findChildren(TextTable)))
    await asyncio.sleep(1.0)
    await take("device-import")
    _press(Qt.Key.Key_Escape)
    console.window.enlarge_panel("devices", False)


def _write_list(path: Path) -> Path:
    """Write 5,000 rows of which 37 cannot be used, for the reasons that lists from elsewhere have."""
    rows = ["device_id;name;kind;lat_deg;lon_deg"]
    for number in range(N_ROWS):
        place = f"{52 + number / 50_000:.6f};{8 + number / 50_000:.6f}"
        row = f"station/s{number};Junction {number};station;{place}"
        faults = (row.replace("station/", "Station "), row.replace(";52.", ";152."), "station/s0;Twice;;;")
        rows.append(faults[number // BAD_EVERY % 3] if number % BAD_EVERY == BAD_EVERY - 1 else row)
    path.write_text("\n".join(rows), encoding="utf-8")
    return path


def _lost(console: Console) -> list[Alarm]:
    found = (one for one in console.live.open_alarms() if one.kind == _LOST and one.source_name.startswith("Gate "))
    return sorted(found, key=lambda one: one.source_name)


def _press(key: Qt.Key) -> None:
    widget = QApplication.focusWidget()
    if widget is not None:
        QApplication.sendEvent(widget, QKeyEvent(QEvent.Type.KeyPress, key, Qt.KeyboardModifier.NoModifier))
