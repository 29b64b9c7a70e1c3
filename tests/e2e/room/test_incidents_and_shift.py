"""A regional warning, the work on it by keyboard, and the hand-over of the shift: on a real node, broker and window."""

import asyncio
import sqlite3
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from paho.mqtt import publish
from paho.mqtt.client import CallbackAPIVersion, Client
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel, QLineEdit, QTextBrowser

from core.access.model import Role, User
from core.incidents import cap
from core.incidents.cap import CapAlert, CapArea, CapInfo
from core.incidents.model import Alarm, AlarmState, Incident, IncidentStatus
from core.incidents.work import HandIncident, Step, StepOrder
from core.kernel.errors import ConsoleError
from core.kernel.geo import GeoPoint
from tests.e2e.room.test_main_job import PASSWORD, create_administrator, sign_in
from tests.fixtures.console import act, press, until
from widgets.incidents.board import IncidentBoard
from widgets.shift.panel import ShiftPanel

CTRL_SHIFT = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier
SIZES = ((1920, 1080), (1280, 800))
RING = tuple(GeoPoint(*point) for point in ((51.9, 7.9), (52.1, 7.9), (52.1, 8.1), (51.9, 8.1), (51.9, 7.9)))


def warning(number, headline) -> CapAlert:
    sent = datetime.now(UTC).replace(microsecond=0)
    info = CapInfo(
        event="Flood",
        headline=headline,
        urgency="Immediate",
        severity="Severe",
        certainty="Observed",
        expires=sent + timedelta(hours=1),
        sender_name="Flood Office",
        areas=(CapArea(description="Riverside", polygons=(RING,)),),
    )
    return CapAlert(
        identifier=f"W-{number}",
        sender="office@example.org",
        sent=sent,
        status="Actual",
        msg_type="Alert",
        infos=(info,),
    )


class Listener:
    """Keeps the last message of one topic; it is subscribed before the block begins."""

    def __init__(self, broker, topic):
        self.payload = b""
        self._topic = topic
        self._is_ready = threading.Event()
        self._client = Client(CallbackAPIVersion.VERSION2)
        self._client.on_connect = lambda client, *_rest: client.subscribe(topic, qos=1)
        self._client.on_subscribe = lambda *_rest: self._is_ready.set()
        self._client.on_message = self._on_message
        self._client.connect(broker.host, broker.port)

    def _on_message(self, _client, _data, message):
        self.payload = message.payload

    def __enter__(self):
        self._client.loop_start()
        assert self._is_ready.wait(10)
        return self

    def __exit__(self, *_error):
        self._client.disconnect()
        self._client.loop_stop()


async def key(*keys):
    """Press keys where the operator's keys go, one after the other."""
    for one in keys:
        await act(lambda one=one: QTest.keyClick(QApplication.focusWidget(), one))
        await asyncio.sleep(0.05)


async def write(text):
    await act(lambda: QTest.keyClicks(QApplication.focusWidget(), text))


async def shoot(console, folder, name):
    """Take a picture at both sizes that operators have, and look that it is one of a room."""
    for width, height in SIZES:
        console.window.resize(width, height)
        await asyncio.sleep(0.3)
        file = folder / f"{name}-{width}x{height}.png"
        image = console.window.grab().toImage()
        assert image.save(str(file))
        assert (image.width(), image.height()) == (width, height)
        colours = {image.pixel(x, y) for x in range(0, width, 7) for y in range(0, height, 7)}
        assert len(colours) > 40, f"{file} shows hardly anything"


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_an_incident_is_taken_through_its_whole_life_by_keyboard(start_node, mosquitto, in_room, tmp_path):
    node = start_node(
        f"broker.host={mosquitto.host}",
        f"broker.port={mosquitto.port}",
        "site.tenant=e2e",
        "cap.topic=warnings/flood",
        "cap.publish_topic=watchfloor-cap/out",
    )
    broker = {"hostname": mosquitto.host, "port": mosquitto.port}

    async def scenario(open_console):
        first = open_console(node.folder, desk="Desk 1")
        await create_administrator(first)
        await act(QTest.keyClick, first.window, Qt.Key.Key_I, CTRL_SHIFT)
        board = first.window.panel("incidents")
        assert isinstance(board, IncidentBoard)
        await until(lambda: board.isVisible() and board.focusProxy().hasFocus(), "the keys in the list")

        await key(Qt.Key.Key_U, Qt.Key.Key_Tab, Qt.Key.Key_Tab, Qt.Key.Key_Tab, Qt.Key.Key_Tab)
        await write("Patrol 1")
        await key(Qt.Key.Key_Return)
        await until(lambda: first.live.units, "the unit")
        await key(Qt.Key.Key_Escape)

        raised = cap.to_xml(warning(1, "Flood at the Lenne"))
        await until(lambda: first.connection.session and first.live.health and first.live.health.link, "the broker")
        await asyncio.to_thread(publish.single, "warnings/flood", raised, qos=1, **broker)
        alarm = await until(lambda: next(iter(first.live.open_alarms()), None), "the alarm of the warning")
        assert [one.polygons for one in first.live.warnings.values()] == [(RING,)]
        await until(lambda: board.current is not None, "its incident in the list")
        incident_id = board.current.incident_id
        assert incident_id == alarm.incident_id

        def status():
            return board.current.status if board.current is not None else None

        await act(QTest.keyClick, first.window, Qt.Key.Key_I, CTRL_SHIFT)
        await key(Qt.Key.Key_A, Qt.Key.Key_1)
        await until(lambda: status() is IncidentStatus.ASSIGNED, "assigned")
        await key(Qt.Key.Key_E)
        await until(lambda: status() is IncidentStatus.EN_ROUTE, "en route")
        await key(Qt.Key.Key_C)
        await write("bank under water")
        await key(Qt.Key.Key_Return)
        await key(Qt.Key.Key_S)
        await until(lambda: status() is IncidentStatus.ON_SCENE, "on scene")
        await until(lambda: any("bank under water" in line.cells[0] for line in board.view.timeline), "the comment")
        await shoot(first, tmp_path, "incident")

        with Listener(mosquitto, "watchfloor-cap/out") as heard:
            await key(Qt.Key.Key_P, Qt.Key.Key_Return)
            sent = cap.parse(await until(lambda: heard.payload, "the message"))
        assert (sent.status, sent.msg_type, sent.incidents) == ("Test", "Alert", incident_id)

        await until(lambda: board.view.published.startswith("Published as CAP until"), "what others were told")
        await key(Qt.Key.Key_R)
        await until(lambda: status() is IncidentStatus.RESOLVED, "resolved")
        await until(lambda: "P sends an update" in board.view.published, "that they know it as it was")
        await shoot(first, tmp_path, "published")
        await key(Qt.Key.Key_X, Qt.Key.Key_1)
        await until(lambda: first.live.incidents[incident_id].status is IncidentStatus.CLOSED, "closed")
        await until(
            lambda: any("still published as CAP" in label.text() for label in first.window.findChildren(QLabel)),
            "the reminder to take it back",
        )

        assert first.live.alarms[alarm.alarm_id].state is AlarmState.UNACKNOWLEDGED

    in_room(scenario, timeout_s=150)
    with sqlite3.connect(node.folder / "watchfloor.sqlite3") as database:
        steps = [row[0] for row in database.execute("SELECT step FROM incident_step ORDER BY incident_step_id")]
    assert steps == ["assign", "depart", "comment", "arrive", "publish", "resolve", "close"]


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_an_incident_is_given_to_another_operator_who_hears_of_it_at_the_other_desk(start_node, in_room, tmp_path):
    node = start_node("vision.model=demo")

    async def scenario(open_console):
        first = open_console(node.folder, desk="Desk 1")
        await create_administrator(first)
        await first.connection.call("users.add", User, name="noor", password=PASSWORD, role=Role.OPERATOR)
        await first.connection.call("users.add", User, name="vera", password=PASSWORD, role=Role.VIEWER)
        await act(QTest.keyClick, first.window, Qt.Key.Key_I, CTRL_SHIFT)
        board = first.window.panel("incidents")
        second = open_console(node.folder, desk="Desk 2")
        await sign_in(second, "noor")
        await act(second.window.panel, "incidents")
        wanted = HandIncident(kind="debris", title="Tyre on lane 2")
        incident = await first.connection.call("incidents.open", Incident, wanted=wanted)

        await until(lambda: board.current is not None, "it in the list")
        await act(first.window.activateWindow)
        await act(QTest.keyClick, first.window, Qt.Key.Key_I, CTRL_SHIFT)
        await until(board.focusProxy().hasFocus, "the keys in the list")
        await key(Qt.Key.Key_A)
        offered = ("1  dana, without a unit", "2  noor, operator at Desk 2")
        await until(lambda: board.view.choice.answers == offered, "who may take it, and no viewer")
        await shoot(first, tmp_path, "who-takes-it")
        await key(Qt.Key.Key_2)

        await until(lambda: second.live.incidents[incident.incident_id].operator == "noor", "it at the other desk")
        given = "Tyre on lane 2 was given to you."
        await until(lambda: given in [label.text() for label in second.window.findChildren(QLabel)], "the notice")
        assert second.live.incidents[incident.incident_id].status is IncidentStatus.ASSIGNED

        # And back by mouse, with the clock of the work going on.
        back = StepOrder(step=Step.HAND_ON, operator="dana")
        await second.connection.call(
            "incidents.step", Incident, incident_id=incident.incident_id, order=back, version=2
        )
        await until(lambda: board.current.operator == "dana", "it back at the first desk")
        with pytest.raises(ConsoleError, match="'vera' may not"):
            await first.connection.call(
                "incidents.step",
                Incident,
                incident_id=incident.incident_id,
                order=replace(back, operator="vera"),
                version=3,
            )

    in_room(scenario, timeout_s=150)
    with sqlite3.connect(node.folder / "watchfloor.sqlite3") as database:
        rows = list(database.execute("SELECT actor, action, detail FROM audit WHERE action LIKE 'incident.%'"))
    assert rows[1:] == [("dana", "incident.assign", "noor"), ("noor", "incident.hand_on", "noor to dana")]


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_a_shift_with_an_open_and_a_shelved_alarm_is_handed_over_and_signed(start_node, in_room, tmp_path):
    folder = tmp_path / "cap"
    folder.mkdir()
    for number, headline in enumerate(("Flood at the Lenne", "Dam overflows")):
        (folder / f"{number}.cap").write_bytes(cap.to_xml(warning(number, headline)))
    node = start_node(f"cap.folder={folder}", "vision.model=demo")

    async def scenario(open_console):
        console = open_console(node.folder, desk="Desk 1")
        await create_administrator(console)
        call = console.connection.call
        await call("users.add", User, name="noor", password=PASSWORD, role=Role.OPERATOR)
        await until(lambda: len(console.live.open_alarms()) >= 2, "both alarms")
        shelved = next(one for one in console.live.open_alarms() if one.title == "Dam overflows")
        await call(
            "alarms.shelve",
            Alarm,
            alarm_id=shelved.alarm_id,
            occurrence=shelved.occurrence,
            version=shelved.version,
            reason="Waits for somebody else",
            for_s=600.0,
        )
        await until(lambda: console.live.alarms[shelved.alarm_id].state is AlarmState.SHELVED, "the shelved alarm")

        await act(QTest.keyClick, console.window, Qt.Key.Key_L, CTRL_SHIFT)
        panel = await until(lambda: console.window.panel("shift").findChild(ShiftPanel), "the panel")
        await until(
            lambda: any("Dam overflows" in line.cells[0] for line in panel.log.lines), "the shelving in the log"
        )
        await key(Qt.Key.Key_N)
        await write("Signal 12 flashes")
        await key(Qt.Key.Key_Return)
        await until(lambda: any(line.cells[0] == "Signal 12 flashes" for line in panel.log.lines), "the note")

        await key(Qt.Key.Key_H)
        await until(lambda: "Dam overflows" in panel.hand_over.report_text, "the report")
        await shoot(console, tmp_path, "hand-over")
        report = panel.findChild(QTextBrowser).toPlainText()
        assert report.index("Open alarms") < report.index("Flood at the Lenne") < report.index("Shelved")
        assert "Waits for somebody else" in report
        assert "Signal 12 flashes" in report

        await act(press, panel, "Hand over")
        made = await until(lambda: panel.hand_over.selected, "the report that waits")
        name, _remark, password = (
            next(one for one in panel.findChildren(QLineEdit) if one.accessibleName() == words)
            for words in ("Name of the incoming operator", "Remark, where there is one", "Password")
        )
        await act(QTest.keyClicks, name, "noor")
        await act(QTest.keyClicks, password, PASSWORD)
        await act(QTest.keyClick, password, Qt.Key.Key_Return)
        signed = await until(lambda: panel.hand_over.selected if panel.hand_over.selected.is_signed else None, "it")
        assert (signed.signed_by, signed.signed_desk, signed.sha256) == ("noor", "Desk 1", made.sha256)
        assert console.connection.session.user.name == "dana"
        await shoot(console, tmp_path, "signed")

    in_room(scenario, timeout_s=150)
    (page,) = (node.folder / "reports").glob("*.html")
    assert "Taken over by noor at Desk 1" in page.read_text()
