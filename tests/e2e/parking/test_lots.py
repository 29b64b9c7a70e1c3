"""Bay sensors on a real broker, a real node and a console: seen, counted, stored, corrected, told to signs.

Pictures lie in the folder of `pytest --basetemp`, or in that of WATCHFLOOR_PICTURES.
"""

import asyncio
import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLineEdit

from core.parking.model import BayChange, BayState, BayStatus, Lot, LotOccupancy
from core.parking.plans import open_lot
from tests.e2e.room.test_main_job import create_administrator, sign_in
from tests.fixtures.console import act, press, type_into, until
from widgets.lots.bay_table import BayTable
from widgets.lots.lot_list import LotList

ROOT = "watchfloor/v1/e2e"
SIZES = ((1920, 1080), (1280, 800))


class Field:
    """A gateway with a sensor in every bay, and whoever reads what signs read."""

    def __init__(self, broker) -> None:
        self.heard: dict[str, dict] = {}
        self._client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="gw")
        self._client.on_message = self._on_message
        self._client.connect(broker.host, broker.port)
        self._client.subscribe(f"{ROOT}/availability/#", qos=1)
        self._client.loop_start()

    def _on_message(self, _client, _data, message) -> None:
        self.heard[message.topic.removeprefix(f"{ROOT}/availability/")] = json.loads(message.payload or b"{}")

    def sense(self, bay, status, **data) -> None:
        now = datetime.now(UTC).isoformat()
        body = {"v": 1, "type": "ParkingSpot", "ts": now, "data": {"status": status, **data}}
        # A topic holds small letters only: "a01" is bay A01.
        self._client.publish(f"{ROOT}/parking/gw/state/{bay.lower()}", json.dumps(body), qos=1).wait_for_publish(5)

    @property
    def free(self):
        return self.heard.get("quay/state/lot", {}).get("data", {}).get("availableSpotNumber")

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@pytest.fixture
def field(mosquitto) -> Iterator[Field]:
    made = Field(mosquitto)
    yield made
    made.close()


def take_pictures(console, tmp_path, name) -> None:
    folder = Path(os.environ.get("WATCHFLOOR_PICTURES", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)
    for width, height in SIZES:
        console.window.resize(width, height)
        QApplication.processEvents()
        assert console.window.grab().save(str(folder / f"{name}-{width}x{height}.png"))


def quay() -> Lot:
    lot = open_lot("quay", "Quay", n_bays=8, bays_per_row=4)
    return Lot(lot_id="quay", name="Quay", bays=lot.bays, levels=lot.levels, device_ids=("parking/gw",))


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_sensed_bays_are_live_stored_corrected_and_stale_after_a_restart(
    start_node, in_room, mosquitto, field, tmp_path
):
    settings = (
        f"broker.host={mosquitto.host}",
        f"broker.port={mosquitto.port}",
        "site.tenant=e2e",
        "vision.model=demo",
    )
    node = start_node(*settings)
    lot = quay()
    ids = [bay.bay_id for bay in lot.bays]
    began = datetime.now(UTC)

    async def day(open_console):
        console = open_console(node.folder, desk="Desk 1", size=SIZES[0])
        await create_administrator(console)
        call, live = console.connection.call, console.live
        await call("parking.save_lot", Lot, lot=lot, note="drawn")
        await until(lambda: "quay" in live.lot_plans and len(live.bays.get("quay", {})) == 8, "the lot")
        assert all(not status.is_known for status in live.bays["quay"].values())
        await until(lambda: "quay/state/lot" in field.heard, "the sign's topic")
        assert field.free is None

        for number, bay_id in enumerate(ids):
            field.sense(bay_id, "occupied" if number < 3 else "free")
        field.sense("Z99", "occupied")
        await until(lambda: live.lots["quay"].n_unknown == 0, "every bay to be known")
        await until(lambda: field.free == 5, "the sign to be told of five free bays")
        await until(lambda: live.lots["quay"].faults, "the bay that is not drawn to be named")
        assert "z99" in live.lots["quay"].faults[0]

        console.window.bring_panel("parking")
        panel = console.window.panel("parking")
        table, lots = panel.findChild(BayTable), panel.findChild(LotList)
        await until(lambda: table.bay_ids == tuple(ids), "the table of bays")
        assert lots.chosen == ("quay", "")
        place = table.visualRect(table.model().index(4, 0)).center()
        await act(QTest.mouseClick, table.viewport(), Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, place)
        await act(QTest.keyClick, table, Qt.Key.Key_Return)
        await act(press, panel, "is occupied")
        reason = next(edit for edit in panel.findChildren(QLineEdit) if "Reason" in edit.accessibleName())
        await act(type_into, reason, "a trailer without wheels")
        await act(QTest.keyClick, reason, Qt.Key.Key_Return)
        await until(lambda: live.bays["quay"][ids[4]].reason, "the correction")
        assert live.bays["quay"][ids[4]].state is BayState.OCCUPIED
        assert live.bays["quay"][ids[4]].seen is BayState.FREE
        await until(lambda: field.free == 4, "the sign to follow the correction")
        model = table.model()
        await until(lambda: "dana" in model.data(model.index(4, 3)), "the table to name who corrected")
        await act(take_pictures, console, tmp_path, "parking")
        await call("parking.correct", BayStatus, lot_id="quay", bay_id=ids[5], state="closed", reason="works")
        await until(lambda: live.lots["quay"].n_closed == 1, "the closed bay")

        async def stored():
            return await call("parking.changes", list[BayChange], lot_id="quay", since=began, until=datetime.now(UTC))

        while len(await stored()) < 10:
            await asyncio.sleep(0.05)
        assert {change.source for change in await stored()} == {"sensor:parking/gw", "operator:dana"}
        assert await call("parking.history", list[LotOccupancy], lot_id="quay", since=began, until=datetime.now(UTC))

    in_room(day)
    node.stop()
    assert field.heard["quay/state/lot"]["data"] == {}

    again = type(node)(node.folder, *settings)
    try:

        async def night(open_console):
            console = open_console(again.folder, desk="Desk 1", size=SIZES[0])
            await sign_in(console)
            bays = await until(lambda: console.live.bays.get("quay"), "the bays")
            # The broker repeats what sensors retained; these retained nothing, so nobody has confirmed a bay.
            assert bays[ids[0]].state is BayState.OCCUPIED
            assert bays[ids[0]].is_stale
            assert (bays[ids[5]].state, bays[ids[5]].reason) == (BayState.CLOSED, "works")
            field.sense(ids[0], "occupied")
            await until(lambda: console.live.bays["quay"][ids[0]].is_known, "a bay to be confirmed")
            assert console.live.bays["quay"][ids[1]].is_stale

            panel = console.window.panel("parking")
            console.window.bring_panel("parking")
            table = panel.findChild(BayTable)
            await until(lambda: len(table.bay_ids) == 8, "the table of bays")
            table.choose((ids[4],))
            await act(press, panel, "Release")
            await until(lambda: not console.live.bays["quay"][ids[4]].reason, "the release")
            await act(take_pictures, console, tmp_path, "parking-stale")

        in_room(night)
    finally:
        again.stop()
