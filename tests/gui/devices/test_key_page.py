"""Device keys: made with a name, shown once, watched and revoked."""

from dataclasses import replace
from datetime import timedelta

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QComboBox, QLineEdit, QPushButton

from core.access.model import Role
from core.gateway.http.model import GatewayKey, GatewayReport, GatewayState, KeyPurpose, KeyWish, NewKey
from core.kernel.clock import FakeClock
from widgets.base.table import TextTable
from widgets.devices.key_page import KeyPage

CLOCK = FakeClock()
KEY = GatewayKey(
    key_id="0011",
    name="Pi at the gate",
    purpose=KeyPurpose.EDGE,
    lot_id="market",
    camera_id="north",
    created_at=CLOCK.now(),
    created_by="susi",
    last_seen_at=CLOCK.now() - timedelta(seconds=4),
    last_address="10.0.0.7",
    n_accepted=1200,
    n_refused=3,
    last_refusal="The body is no JPEG picture.",
)


@pytest.fixture
def page(qtbot):
    made = KeyPage(CLOCK)
    qtbot.addWidget(made)
    made.show_role(Role.SUPERVISOR)
    made.show_places({"market": "Market car park"}, {"north": "North"})
    made.resize(420, 700)
    made.show()
    return made


def button(page, words):
    return next(found for found in page.findChildren(QPushButton) if words in found.text())


def field(page, name):
    found = [*page.findChildren(QLineEdit), *page.findChildren(QComboBox)]
    return next(one for one in found if one.accessibleName() == name)


def test_a_key_needs_a_name_and_is_bound_to_a_camera_of_a_lot(page, qtbot):
    assert not button(page, "Make a key").isEnabled()
    QTest.keyClicks(field(page, "Name of the device or system"), "Pi 7")

    with qtbot.waitSignal(page.add_requested) as asked:
        QTest.keyClick(field(page, "Name of the device or system"), Qt.Key.Key_Return)

    assert asked.args[0] == KeyWish(name="Pi 7", purpose=KeyPurpose.EDGE, lot_id="market", camera_id="north")


def test_a_reader_is_bound_to_nothing(page, qtbot):
    field(page, "What the key opens").setCurrentIndex(1)
    QTest.keyClicks(field(page, "Name of the device or system"), "City web")
    assert not field(page, "Lot").isVisible()

    with qtbot.waitSignal(page.add_requested) as asked:
        button(page, "Make a key").click()

    assert asked.args[0] == KeyWish(name="City web", purpose=KeyPurpose.READER)


def test_a_drones_key_names_the_drone(page, qtbot):
    field(page, "What the key opens").setCurrentIndex(2)
    QTest.keyClicks(field(page, "Name of the device or system"), "Quad")
    assert not button(page, "Make a key").isEnabled()
    QTest.keyClicks(field(page, "Id of the drone"), "alpha")

    with qtbot.waitSignal(page.add_requested) as asked:
        button(page, "Make a key").click()

    assert asked.args[0] == KeyWish(name="Quad", purpose=KeyPurpose.DRONE, drone_id="alpha")


def test_a_new_key_is_shown_until_the_page_is_left(page):
    page.show_made(NewKey(key=KEY, token="wf_0011_secret"))
    page.show_keys((KEY,))

    shown = field(page, "The new key")
    assert (shown.text(), shown.isReadOnly(), shown.isVisible()) == ("wf_0011_secret", True, True)
    assert "kept nowhere" in page.said
    assert "the lot's id market" in page.said
    page.start()
    assert page.token == ""
    assert not shown.isVisible()


def test_the_list_says_who_was_seen_and_refused_and_why(page, qtbot):
    page.show_gateway(GatewayReport(state=GatewayState.OPEN, address="https://node:8480", n_refused=3))
    gone = replace(KEY, key_id="0022", name="Old Pi", revoked_at=CLOCK.now())
    page.show_keys((gone, KEY))
    table = page.findChild(TextTable)

    assert [line.cells for line in table.lines] == [
        ("Pi at the gate", "North, Market car park", "4.0 s ago", "1,200", "3"),
        ("Old Pi", "North, Market car park", "revoked", "1,200", "3"),
    ]
    table.selectRow(0)
    assert "The body is no JPEG picture." in page._about.text()
    with qtbot.waitSignal(page.revoke_requested) as asked:
        QTest.keyClick(button(page, "revoke"), Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    assert asked.args == ["0011"]
    table.selectRow(1)
    assert not button(page, "revoke").isVisible()


def test_an_operator_looks_and_changes_nothing(page):
    page.show_role(Role.OPERATOR)
    QTest.keyClicks(field(page, "Name of the device or system"), "Pi 7")

    assert not button(page, "Make a key").isEnabled()
    assert "supervisor" in button(page, "Make a key").toolTip()


def test_what_is_missing_is_said(page):
    page.show_places({"market": "Market car park"}, {})
    QTest.keyClicks(field(page, "Name of the device or system"), "Pi 7")

    assert "address edge:" in button(page, "Make a key").toolTip()


def test_the_form_begins_at_the_lot_and_camera_that_were_looked_at(page):
    page.show_places({"market": "Market car park", "quay": "Quay"}, {"north": "North", "south": "South"})
    page.prefer("quay", "south")
    assert (field(page, "Lot").currentData(), field(page, "Edge camera").currentData()) == ("quay", "south")

    page.prefer("", "a camera that posts nothing")
    assert (field(page, "Lot").currentData(), field(page, "Edge camera").currentData()) == ("quay", "south")
